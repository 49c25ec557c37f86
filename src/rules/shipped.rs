//! The rule files that come with Weir: those used when the configuration names none, and those that
//! are named one by one, since they cost more or are not for everybody.

/// (file name, text) of every file in `rules/`.
pub const SHIPPED: &[(&str, &str)] = &[
    ("rules/checkpoints.yaml", include_str!("../../rules/checkpoints.yaml")),
    ("rules/jobs.yaml", include_str!("../../rules/jobs.yaml")),
    ("rules/lag.yaml", include_str!("../../rules/lag.yaml")),
    ("rules/platform.yaml", include_str!("../../rules/platform.yaml")),
    ("rules/resources.yaml", include_str!("../../rules/resources.yaml")),
    ("rules/schedules.yaml", include_str!("../../rules/schedules.yaml")),
];

/// (file name, text) of every file in `rules/optional/`; `rule_files: ["shipped:slots"]` names one.
pub const OPTIONAL: &[(&str, &str)] = &[
    ("rules/optional/backpressure.yaml", include_str!("../../rules/optional/backpressure.yaml")),
    (
        "rules/optional/checkpoints_slow.yaml",
        include_str!("../../rules/optional/checkpoints_slow.yaml"),
    ),
    ("rules/optional/crash_loop.yaml", include_str!("../../rules/optional/crash_loop.yaml")),
    ("rules/optional/event_time.yaml", include_str!("../../rules/optional/event_time.yaml")),
    ("rules/optional/inventory.yaml", include_str!("../../rules/optional/inventory.yaml")),
    ("rules/optional/slots.yaml", include_str!("../../rules/optional/slots.yaml")),
    ("rules/optional/throughput.yaml", include_str!("../../rules/optional/throughput.yaml")),
];

/// `slots` of `rules/optional/slots.yaml`.
fn short(file: &str) -> &str {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.strip_suffix(".yaml").unwrap_or(name)
}

/// The shipped file of this short name, whether it is used by itself or not: (file name, text).
pub fn shipped(name: &str) -> Option<(&'static str, &'static str)> {
    SHIPPED.iter().chain(OPTIONAL).find(|(file, _)| short(file) == name).copied()
}

/// The short names there are, for whoever named another: the optional ones first.
pub fn shipped_names() -> Vec<&'static str> {
    OPTIONAL.iter().chain(SHIPPED).map(|(file, _)| short(file)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{RuleSource, parse};

    fn in_folder(folder: &str) -> Vec<String> {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let mut files: Vec<String> = std::fs::read_dir(path)
            .unwrap()
            .map(|e| format!("{folder}/{}", e.unwrap().file_name().to_string_lossy()))
            .filter(|name| name.rsplit('.').next() == Some("yaml") && !name.contains("_test."))
            .collect();
        files.sort();
        files
    }

    #[test]
    fn every_file_is_shipped_and_reads() {
        let names = |files: &[(&'static str, &str)]| -> Vec<&str> {
            files.iter().map(|(name, _)| *name).collect()
        };
        assert_eq!(in_folder("rules"), names(SHIPPED));
        assert_eq!(in_folder("rules/optional"), names(OPTIONAL));
        let sources: Vec<_> =
            SHIPPED.iter().chain(OPTIONAL).map(|(file, text)| RuleSource { file, text }).collect();
        let set = parse(&sources).unwrap();
        assert!(set.rules.len() >= 20);
    }

    #[test]
    fn each_has_its_stories_beside_it() {
        for (file, _) in SHIPPED.iter().chain(OPTIONAL) {
            // Written with the rules they are about.
            if ["rules/checkpoints.yaml", "rules/platform.yaml"].contains(file) {
                continue;
            }
            let stories = file.replace(".yaml", "_test.yaml");
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(&stories);
            assert!(path.is_file(), "{stories} is missing");
        }
    }

    #[test]
    fn a_short_name_is_one_file() {
        for (file, _) in SHIPPED.iter().chain(OPTIONAL) {
            assert_eq!(shipped(short(file)).unwrap().0, *file);
        }
        assert!(shipped("no").is_none());
        assert!(shipped_names().contains(&"throughput"));
    }

    #[test]
    fn every_text_is_there_in_both_languages() {
        for (file, text) in SHIPPED.iter().chain(OPTIONAL) {
            let alerts = text.matches("- alert: ").count();
            for key in ["headline", "summary", "description"] {
                for suffix in ["", "_zh"] {
                    let lines = text.matches(&format!("\n          {key}{suffix}: ")).count();
                    assert_eq!(lines, alerts, "{file}: {key}{suffix}");
                }
            }
        }
    }
}
