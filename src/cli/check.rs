//! `weir check`: everything that is wrong with what was written, at once; nothing is started.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{ConfigFile, Failure, cost, output, rule_paths};
use crate::app::{self, Checked, read_files};
use crate::config::{self, RuleFile};
use crate::model::Problem;
use crate::rules::{RuleSet, Surroundings};

/// Checks a configuration, or rule files alone.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    file: ConfigFile,
    /// Check these rule files, or folders of them, alone, without a configuration; `shipped` stands
    /// for the rules that come with Weir, `shipped:NAME` for one file of them or of the optional
    /// ones.
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with = "config")]
    rules: Vec<PathBuf>,
}

/// Reads it all; problems are printed.
pub(super) fn read(path: &Path) -> Result<Checked, Failure> {
    app::read(path).map_err(|problems| refuse(&problems))
}

fn refuse(problems: &[Problem]) -> Failure {
    output::problems(problems);
    Failure::Refused
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    if !args.rules.is_empty() {
        return files(&args.rules);
    }
    let checked = read(&args.file.config)?;
    output::problems(&checked.warnings);
    let config = &checked.config;
    output::say(&format!(
        "ok: {} sources, {} rules from {}, {} receivers with {} channels",
        config.sources.len(),
        checked.rules.set.rules.len(),
        checked.rules.files.join(", "),
        config.receivers.len(),
        config.receivers.iter().map(|r| r.channels.len()).sum::<usize>(),
    ));
    say_cost(&checked.rules.set, config.poll.interval);
    Ok(())
}

/// Checks rule files without a configuration.
pub(super) fn files(files: &[PathBuf]) -> Result<(), Failure> {
    let files = rule_paths::rule_files(files)?;
    let files: Vec<RuleFile> = files.into_iter().map(RuleFile::plain).collect();
    let poll = config::Poll::default().interval;
    let around = Surroundings { poll: Some(poll), ..Surroundings::default() };
    let book = read_files(&files, around).map_err(|problems| refuse(&problems))?;
    output::problems(&book.set.warnings);
    let (rules, files) = (book.set.rules.len(), book.files.join(", "));
    output::say(&format!("ok: {rules} rules from {files}"));
    say_cost(&book.set, poll);
    Ok(())
}

fn say_cost(set: &RuleSet, poll: Duration) {
    for line in cost::lines(set, poll) {
        output::say(&line);
    }
}
