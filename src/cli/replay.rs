//! `weir replay`: the past again, with these rules or others. It sends nothing.

mod print;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::history::{self, Since};
use super::remote::Target;
use super::{Failure, check, output, rule_paths};
use crate::app;
use crate::clock::{Clock, SystemClock};
use crate::config::RuleFile;
use crate::journal::file;
use crate::model::HistoryChunk;
use crate::notify::channels::Parts;
use crate::replay::{self, Mode, Plan, Texts, compare};

/// A larger file is no history anybody saved on purpose.
const LARGEST: u64 = 4 << 30;

/// Replays the history.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How far back: 7d, 12h, or a time such as 2026-11-20T06:00:00Z.
    #[arg(long, default_value = "7d", value_name = "TIME")]
    since: Since,
    /// Other rules, files or folders, instead of those of the configuration: what they would have
    /// said, from nothing at the beginning of the span. Without it: what was said, exactly.
    #[arg(long, num_args = 1.., value_name = "PATH")]
    rules: Vec<PathBuf>,
    /// A saved history instead of a running weir's.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// How the result is written.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    output: Format,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let checked = check::read(&args.target.file.config)?;
    let other = !args.rules.is_empty();
    let rules = if other {
        let files = rule_paths::rule_files(&args.rules)?;
        let files = as_configured(files, &checked.config.rule_files);
        app::read_files(&files, app::surroundings(&checked.config)).map_err(|problems| {
            output::problems(&problems);
            Failure::Refused
        })?
    } else {
        checked.rules
    };
    let now = SystemClock::anchored(None).now().wall;
    let (chunks, since) = if let Some(path) = &args.from {
        let chunks = read(path)?;
        // From its end, so that a file says the same whenever it is replayed.
        let end = chunks.last().map_or(now, |chunk| chunk.last);
        (chunks, args.since.from(end))
    } else {
        let since = args.since.from(now);
        (history::fetch(&args.target, since).await?, since)
    };
    if chunks.is_empty() {
        return Err(anyhow::anyhow!("there is no history since then").into());
    }
    let parts = Parts {
        templates: Arc::clone(&checked.templates),
        sink: Arc::new(|_: &str| {}),
        people: checked.config.mentions(),
    };
    let texts = Texts::default();
    let composers = texts.tee(app::writers(&checked.config, &parts)?, &checked.templates);
    let plan = Plan {
        mode: if other { Mode::Afresh } else { Mode::AsItWas },
        since,
        settings: app::engine_settings(&checked.config),
        rules: rules.set,
        composers,
    };
    let done = replay::run(plan, chunks, |at| {
        output::progress(&format!("replaying {} …", print::time(at)));
    });
    output::end_progress();
    for remark in &done.remarks {
        output::complain(&format!("warning: {remark}"));
    }
    let lines = compare(&done.said, &done.live);
    output::say(&match args.output {
        Format::Text => print::text(&done, &lines, &texts, &rules.files),
        Format::Json => print::json(&done, &lines, &texts),
    });
    Ok(())
}

/// A file the configuration names is read as there, with the labels it is about.
fn as_configured(files: Vec<PathBuf>, configured: &[RuleFile]) -> Vec<RuleFile> {
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let known = |path: &Path| configured.iter().find(|file| real(&file.path) == real(path));
    let as_there = |path: PathBuf| {
        let enforce = known(&path).map(|file| file.enforce.clone()).unwrap_or_default();
        RuleFile { path, enforce }
    };
    files.into_iter().map(as_there).collect()
}

fn read(path: &Path) -> Result<Vec<HistoryChunk>, Failure> {
    let name = path.display();
    let unreadable = |error| anyhow::anyhow!("{name} cannot be read: {error}");
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > LARGEST {
        return Err(anyhow::anyhow!("{name} has {size} bytes, more than any history").into());
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let (chunks, wrong) = file::read(&bytes).map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
    if let Some(wrong) = wrong {
        output::complain(&format!("warning: {name}: {wrong}"));
    }
    Ok(chunks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Ts;

    #[test]
    fn a_configured_file_keeps_the_labels_it_is_about() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("a.yaml"), "").unwrap();
        let enforce = crate::model::Labels::from([("team", "ads")]);
        let configured = [RuleFile { path: path("a.yaml"), enforce: enforce.clone() }];
        let files = as_configured(vec![path("./a.yaml"), path("b.yaml")], &configured);
        assert_eq!(files[0].enforce, enforce);
        assert_eq!(files[1], RuleFile::plain(path("b.yaml")));
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        let end = Ts(1_000_000_000);
        assert_eq!("1d".parse::<Since>().unwrap().from(end), Ts(1_000_000_000 - 86_400_000));
        assert_eq!("1970-01-01T00:00:01Z".parse::<Since>().unwrap().from(end), Ts(1_000));
        assert!("yesterday".parse::<Since>().unwrap_err().contains("7d"));
    }
}
