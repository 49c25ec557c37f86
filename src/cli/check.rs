//! `weir check`: everything that is wrong with what was written, at once; nothing is started.

use std::path::Path;

use super::{ConfigFile, Failure, output};
use crate::app::{self, Checked};
use crate::model::Demand;

/// Checks a configuration.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    file: ConfigFile,
}

/// Reads it all; problems are printed.
pub(super) fn read(path: &Path) -> Result<Checked, Failure> {
    app::read(path).map_err(|problems| {
        output::problems(&problems);
        Failure::Refused
    })
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
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
    let demand = checked.rules.set.demand();
    output::say(&format!("per job and poll: {}", cost(&demand)));
    Ok(())
}

/// What the rules' demand costs a watched cluster, per job and poll (sizes as measured on Flink
/// 1.20 and 2.2 with three vertices).
fn cost(demand: &Demand) -> String {
    let mut parts = vec!["state ≈ 0.35 KB".to_owned()];
    if demand.counters {
        parts.push("restart and checkpoint counters ≈ 0.3 KB".to_owned());
    }
    if demand.checkpoints {
        parts.push("checkpoint history ≈ 5 KB, on change and every 5 min".to_owned());
    }
    if demand.failures {
        parts.push("exceptions ≈ 3 KB each, on change".to_owned());
    }
    if demand.lag {
        parts.push("lag ≈ 0.1 KB per source vertex that reports it".to_owned());
    }
    parts.join("; ")
}
