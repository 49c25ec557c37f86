//! `weir history`: saves what a running weir has seen.

use std::path::PathBuf;

use super::remote::{Remote, Target};
use super::{Failure, output};
use crate::clock::{Clock, SystemClock};
use crate::config::de::duration;
use crate::journal::file;
use crate::model::{HistoryChunk, Ts};

/// Saves the history of a running weir.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How far back: 7d, 12h, or a time such as 2026-11-20T06:00:00Z.
    #[arg(long, default_value = "7d", value_name = "TIME")]
    since: Since,
    /// Where it is written.
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    target: Target,
}

/// A point in the past, as people name it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Since {
    /// So long before the end.
    Before(std::time::Duration),
    /// Then.
    At(Ts),
}

impl std::str::FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Since, String> {
        if let Ok(span) = duration::parse(text) {
            return Ok(Since::Before(span));
        }
        let at = text.parse::<jiff::Timestamp>().map_err(|_| {
            "write a duration such as 7d or 12h, or a time such as 2026-11-20T06:00:00Z".to_owned()
        })?;
        Ok(Since::At(Ts(at.as_millisecond())))
    }
}

impl Since {
    /// As a time, counted back from `end`.
    pub(super) fn from(self, end: Ts) -> Ts {
        match self {
            Since::Before(span) => end - span,
            Since::At(at) => at,
        }
    }
}

/// One answer of the API is not larger.
const CAP: usize = 256 << 20;

/// All pieces a running weir has of the time since then, in order.
pub(super) async fn fetch(target: &Target, since: Ts) -> Result<Vec<HistoryChunk>, Failure> {
    let remote = Remote::find(target)?;
    let since = jiff::Timestamp::from_millisecond(since.0)
        .map_err(|_| anyhow::anyhow!("--since lies outside of any calendar"))?
        .to_string();
    let mut chunks: Vec<HistoryChunk> = Vec::new();
    let mut bytes = 0;
    loop {
        let after = chunks.last().map(|last| format!("{}.{}", last.segment, last.number));
        let mut query = vec![("since", since.as_str())];
        query.extend(after.as_deref().map(|after| ("after", after)));
        let (_, answer) = remote.fetch("/api/v1/history", &query, CAP).await?;
        let (more, cut) = file::read(&answer.body)?;
        if let Some(cut) = cut {
            return Err(anyhow::anyhow!("the answer was cut off: {cut}").into());
        }
        if more.is_empty() {
            output::end_progress();
            return Ok(chunks);
        }
        bytes += answer.body.len();
        output::progress(&format!("fetched {} KiB of history …", bytes >> 10));
        chunks.extend(more);
    }
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let now = SystemClock::anchored(None).now().wall;
    let chunks = fetch(&args.target, args.since.from(now)).await?;
    let Some(first) = chunks.first() else {
        return Err(anyhow::anyhow!(
            "there is no history since then; see `history` in the configuration"
        )
        .into());
    };
    let mut bytes = file::MAGIC.to_vec();
    for chunk in &chunks {
        file::put(chunk, &mut bytes);
    }
    let out = args.out.display();
    std::fs::write(&args.out, &bytes)
        .map_err(|error| anyhow::anyhow!("{out} cannot be written: {error}"))?;
    let from = jiff::Timestamp::from_millisecond(first.first.0).unwrap_or_default();
    output::say(&format!(
        "saved {} KiB since {from} to {out}; names of jobs, labels, exceptions and messages are in it",
        bytes.len().div_ceil(1024)
    ));
    Ok(())
}
