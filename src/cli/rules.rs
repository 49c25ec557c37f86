//! `weir rules`: about rule files.

use std::path::{Path, PathBuf};

use super::{Failure, check, output};
use crate::app::read_files;
use crate::config::{self, RuleFile};
use crate::model::Problem;
use crate::rules::Surroundings;
use crate::story::{Report, TestFile};

/// About rule files.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Play the stories of test files, and say what did not follow as expected.
    Test(Test),
    /// Check rule files without a configuration.
    Check {
        /// Rule files, or folders of them; `shipped` stands for the rules that come with Weir,
        /// `shipped:NAME` for one file of them or of the optional ones.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

/// Plays stories.
#[derive(Debug, clap::Args)]
struct Test {
    /// Test files, such as `rules/jobs_test.yaml`.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Only tests whose name contains this.
    #[arg(long, value_name = "NAME", default_value = "")]
    run: String,
    /// Show what happens in each story: alerts, incidents, messages with their times.
    #[arg(long, short)]
    verbose: bool,
    /// How the results are shown.
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = ["text", "json"])]
    output: String,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    match &args.what {
        What::Test(args) => test(args),
        What::Check { files } => check::files(files),
    }
}

fn test(args: &Test) -> Result<(), Failure> {
    let mut reports = Vec::new();
    let mut problems = Vec::new();
    for file in &args.files {
        match one(file, &args.run) {
            Ok(report) => reports.push(report),
            Err(found) => problems.extend(found),
        }
    }
    output::problems(&problems);
    let counts = reports.iter().map(Report::counts);
    let (passed, failed) = counts.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
    if args.output == "json" {
        let files: Vec<_> = reports.iter().map(Report::json).collect();
        let all = serde_json::json!({ "passed": passed, "failed": failed, "files": files });
        output::say(&serde_json::to_string_pretty(&all)?);
    } else {
        for report in &reports {
            let text = report.text(args.verbose);
            if !text.is_empty() {
                output::say(text.trim_end());
            }
        }
        if !reports.is_empty() || problems.is_empty() {
            output::say(&format!("{passed} passed, {failed} failed"));
        }
    }
    if !problems.is_empty() {
        return Err(Failure::Refused);
    }
    if passed + failed == 0 {
        output::complain(&format!("no test has `{}` in its name", args.run));
        return Err(Failure::Found);
    }
    if failed > 0 { Err(Failure::Found) } else { Ok(()) }
}

fn one(path: &Path, filter: &str) -> Result<Report, Vec<Problem>> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        let what = format!("cannot be read: {error}");
        let hint = Some("name a test file, such as rules/jobs_test.yaml".to_owned());
        vec![Problem { file: name.clone(), line: 0, column: 0, what, hint, warning: false }]
    })?;
    let tests = TestFile::read(&name, &text)?;
    let base = path.parent().unwrap_or(Path::new(""));
    let files: Vec<RuleFile> = tests
        .rule_files()
        .into_iter()
        .map(|file| {
            let is_shipped = file == config::SHIPPED || config::shipped_name(&file).is_some();
            if is_shipped { PathBuf::from(file) } else { base.join(file) }
        })
        .map(RuleFile::plain)
        .collect();
    tests.run(&read_files(&files, Surroundings::default())?.set, filter)
}
