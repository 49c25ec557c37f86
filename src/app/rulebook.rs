//! Reads the rule files a configuration names, or the shipped ones.

use std::borrow::Cow;
use std::io::Read as _;
use std::path::Path;

use crate::config::{self, Config, RuleFile};
use crate::model::Problem;
use crate::rules::{RuleSet, RuleSource, SHIPPED, Surroundings, parse_in, shipped};

/// A rule file larger than this is a mistake.
const MAX_BYTES: u64 = 8 << 20;

/// The rules and where they came from.
#[derive(Debug)]
pub struct Rulebook {
    /// The rules.
    pub set: RuleSet,
    /// Names of the files.
    pub files: Vec<String>,
}

/// Reads and checks the rules of a configuration.
///
/// # Errors
/// Everything that is wrong with any of them.
pub fn read_rules(config: &Config) -> Result<Rulebook, Vec<Problem>> {
    read_files(&config.rule_files, surroundings(config))
}

/// What surrounds the rule files of a configuration.
pub fn surroundings(config: &Config) -> Surroundings {
    let standard = config.sources.iter().flat_map(|s| s.labels().keys().cloned());
    let labels = standard.chain(config.job_labels.names().map(str::to_owned)).collect();
    Surroundings {
        poll: Some(config.poll.interval),
        intervals: config.time_intervals.clone(),
        overrides: config.overrides.clone(),
        // Every kind of source there is shows no labels of its own.
        labels: Some(labels),
        sources: Some(config.sources.iter().map(|s| s.name().to_owned()).collect()),
        ..Surroundings::default()
    }
}

/// Reads and checks rule files, whatever surrounds them; none: the shipped rules.
///
/// # Errors
/// Everything that is wrong with any of them.
pub fn read_files(files: &[RuleFile], mut around: Surroundings) -> Result<Rulebook, Vec<Problem>> {
    let default = [RuleFile::plain(config::SHIPPED)];
    let files = if files.is_empty() { &default[..] } else { files };
    let mut names = Vec::new();
    let mut texts: Vec<(String, Cow<'static, str>)> = Vec::new();
    let mut problems = Vec::new();
    for RuleFile { path, enforce } in files {
        let name = path.display().to_string();
        if name == config::SHIPPED {
            for (file, text) in SHIPPED {
                around.enforce.insert((*file).to_owned(), enforce.clone());
                texts.push(((*file).to_owned(), Cow::Borrowed(*text)));
            }
            names.push("the shipped rules".to_owned());
            continue;
        }
        if let Some(short) = config::shipped_name(&name) {
            if let Some((file, text)) = shipped(short) {
                around.enforce.insert(file.to_owned(), enforce.clone());
                texts.push((file.to_owned(), Cow::Borrowed(text)));
            } else {
                let (what, hint) = config::unknown_shipped(short);
                let hint = Some(hint);
                let file = name.clone();
                problems.push(Problem { file, line: 0, column: 0, what, hint, warning: false });
            }
            names.push(name);
            continue;
        }
        names.push(name.clone());
        around.enforce.insert(name.clone(), enforce.clone());
        match read(path) {
            Ok(text) => texts.push((name, Cow::Owned(text))),
            Err((line, column, what, hint)) => {
                let hint = Some(hint.to_owned());
                problems.push(Problem { file: name, line, column, what, hint, warning: false });
            }
        }
    }
    let sources: Vec<RuleSource<'_>> =
        texts.iter().map(|(file, text)| RuleSource { file, text }).collect();
    match parse_in(&sources, &around) {
        Ok(set) if problems.is_empty() => Ok(Rulebook { set, files: names }),
        Ok(_) => Err(problems),
        Err(more) => {
            problems.extend(more);
            Err(problems)
        }
    }
}

/// Where, what and the way out.
type Unreadable = (u32, u32, String, &'static str);

fn read(file: &Path) -> Result<String, Unreadable> {
    let unreadable = |error: std::io::Error| {
        (
            0,
            0,
            format!("cannot be read: {error}"),
            "look at the path, relative to where it is named",
        )
    };
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).map_err(unreadable)?;
    opened.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        let what = format!("has more than {} MiB", MAX_BYTES >> 20);
        return Err((0, 0, what, "split it, or use matchers instead of a rule per job"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..good).unwrap_or_default();
        let line = before.split(|b| *b == b'\n').count();
        let last = before.rsplit(|b| *b == b'\n').next().unwrap_or_default();
        let column = String::from_utf8_lossy(last).chars().count() + 1;
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        (narrow(line), narrow(column), "is not UTF-8".to_owned(), "save it as UTF-8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(files: &[RuleFile]) -> Result<Rulebook, Vec<Problem>> {
        read_files(files, Surroundings::default())
    }

    #[test]
    fn own_rules_stand_beside_the_shipped_ones() {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().join("own.yaml");
        let text = "groups: [{ name: own, rules: [{ alert: A, when: { job_missing: {} } }] }]";
        std::fs::write(&own, text).unwrap();
        let own = RuleFile::plain(own);
        let shipped = rules(&[]).unwrap().set.rules.len();
        let both = rules(&[RuleFile::plain(config::SHIPPED), own.clone()]).unwrap();
        assert_eq!(both.set.rules.len(), shipped + 1);
        assert_eq!(both.files[0], "the shipped rules");
        assert_eq!(rules(&[own]).unwrap().set.rules.len(), 1);
        let missing = rules(&[RuleFile::plain(dir.path().join("no.yaml"))]).unwrap_err();
        assert!(missing[0].to_string().contains("cannot be read"), "{missing:?}");
    }

    #[test]
    fn an_optional_file_is_taken_by_name() {
        let some = [RuleFile::plain(config::SHIPPED), RuleFile::plain("shipped:throughput")];
        let book = rules(&some).unwrap();
        assert!(book.set.rules.iter().any(|rule| rule.id.alert == "ThroughputStalled"));
        assert_eq!(book.files, ["the shipped rules", "shipped:throughput"]);
        let alone = rules(&[RuleFile::plain("shipped:lag")]).unwrap();
        assert!(alone.set.rules.iter().all(|rule| rule.id.group == "flink-lag"));
        let said = rules(&[RuleFile::plain("shipped:througput")]).unwrap_err()[0].to_string();
        assert!(said.contains("no rule file `througput` comes with weir"), "{said}");
        assert!(said.contains("did you mean `shipped:throughput`"), "{said}");
        assert!(said.contains("there are backpressure, checkpoints_slow"), "{said}");
    }

    #[test]
    fn binary_garbage_is_told_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("r.yaml");
        std::fs::write(&file, b"groups:\n  - n\xff\xfe").unwrap();
        let said = rules(&[RuleFile::plain(&file)]).unwrap_err();
        assert!(
            said[0].to_string().ends_with("r.yaml:2:6: is not UTF-8 (save it as UTF-8)"),
            "{said:?}"
        );
    }
}
