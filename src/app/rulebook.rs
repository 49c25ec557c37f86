//! Reads the rule files a configuration names, or the shipped ones.

use std::path::PathBuf;

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
    if files.is_empty() {
        let sources: Vec<RuleSource<'_>> =
            SHIPPED.iter().map(|(file, text)| RuleSource { file, text }).collect();
        let set = parse(&sources)?;
        return Ok(Rulebook { set, files: vec!["the shipped rules".to_owned()] });
    }
    let mut texts = Vec::new();
    let mut problems = Vec::new();
    for file in files {
        let name = file.display().to_string();
        match read(file) {
            Ok(text) => texts.push((name, text)),
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
        Ok(set) if problems.is_empty() => {
            Ok(Rulebook { set, files: texts.into_iter().map(|(name, _)| name).collect() })
        }
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
