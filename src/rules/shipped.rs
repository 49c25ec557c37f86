//! The rule files that come with Weir, used when the configuration names none.

/// (file name, text) of every file in `rules/`.
pub const SHIPPED: &[(&str, &str)] = &[
    ("rules/checkpoints.yaml", include_str!("../../rules/checkpoints.yaml")),
    ("rules/jobs.yaml", include_str!("../../rules/jobs.yaml")),
    ("rules/lag.yaml", include_str!("../../rules/lag.yaml")),
    ("rules/platform.yaml", include_str!("../../rules/platform.yaml")),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{RuleSource, parse};

    #[test]
    fn every_file_is_shipped_and_reads() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|e| format!("rules/{}", e.unwrap().file_name().to_string_lossy()))
            .filter(|name| name.rsplit('.').next() == Some("yaml") && !name.contains("_test."))
            .collect();
        files.sort();
        let shipped: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
        assert_eq!(files, shipped);
        let sources: Vec<_> =
            SHIPPED.iter().map(|(file, text)| RuleSource { file, text }).collect();
        let set = parse(&sources).unwrap();
        assert!(set.rules.len() >= 10);
    }
}
