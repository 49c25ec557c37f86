//! Reads the rule files a configuration names, or the shipped ones.

use std::borrow::Cow;
use std::path::PathBuf;

use crate::config;
use crate::model::Problem;
use crate::rules::{RuleSet, RuleSource, SHIPPED, parse};

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

/// Reads and checks all of them.
///
/// # Errors
/// Everything that is wrong with any of them.
pub fn read_rules(files: &[PathBuf]) -> Result<Rulebook, Vec<Problem>> {
    let default = [PathBuf::from(config::SHIPPED)];
    let files = if files.is_empty() { &default[..] } else { files };
    let mut names = Vec::new();
    let mut texts: Vec<(String, Cow<'static, str>)> = Vec::new();
    let mut problems = Vec::new();
    for file in files {
        let name = file.display().to_string();
        if name == config::SHIPPED {
            texts.extend(SHIPPED.iter().map(|(f, t)| ((*f).to_owned(), Cow::Borrowed(*t))));
            names.push("the shipped rules".to_owned());
            continue;
        }
        names.push(name.clone());
        match read(file) {
            Ok(text) => texts.push((name, Cow::Owned(text))),
            Err(what) => problems.push(Problem {
                file: name,
                line: 0,
                column: 0,
                what,
                hint: Some("see `rule_files` in the configuration".to_owned()),
                warning: false,
            }),
        }
    }
    let sources: Vec<RuleSource<'_>> =
        texts.iter().map(|(file, text)| RuleSource { file, text }).collect();
    match parse(&sources) {
        Ok(set) if problems.is_empty() => Ok(Rulebook { set, files: names }),
        Ok(_) => Err(problems),
        Err(more) => {
            problems.extend(more);
            Err(problems)
        }
    }
}

fn read(file: &PathBuf) -> Result<String, String> {
    let size = std::fs::metadata(file).map_err(|e| format!("cannot be read: {e}"))?.len();
    if size > MAX_BYTES {
        return Err(format!("has {size} bytes, more than {MAX_BYTES}"));
    }
    std::fs::read_to_string(file).map_err(|e| format!("cannot be read: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_rules_stand_beside_the_shipped_ones() {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().join("own.yaml");
        let text = "groups: [{ name: own, rules: [{ alert: A, when: { job_missing: {} } }] }]";
        std::fs::write(&own, text).unwrap();
        let shipped = read_rules(&[]).unwrap().set.rules.len();
        let both = read_rules(&[PathBuf::from(config::SHIPPED), own.clone()]).unwrap();
        assert_eq!(both.set.rules.len(), shipped + 1);
        assert_eq!(both.files[0], "the shipped rules");
        assert_eq!(read_rules(&[own]).unwrap().set.rules.len(), 1);
        let missing = read_rules(&[dir.path().join("no.yaml")]).unwrap_err();
        assert!(missing[0].to_string().contains("cannot be read"), "{missing:?}");
    }
}
