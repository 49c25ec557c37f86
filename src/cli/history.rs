//! `weir history`: saves what a running weir has seen.

use std::io::Write;
use std::path::{Path, PathBuf};

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
    /// Overwrite the file if there is one.
    #[arg(long)]
    force: bool,
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

/// Messages are in it: nobody else may read it. Pipes and the like are written as they are.
fn save(path: &Path, overwrite: bool, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let is_other = std::fs::metadata(path).is_ok_and(|known| !known.is_file());
    let mut file = if is_other {
        options.open(path)?
    } else if overwrite {
        let file = options.create(true).truncate(true).open(path)?;
        #[cfg(unix)]
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        file
    } else {
        options.create_new(true).open(path)?
    };
    file.write_all(bytes)
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let out = args.out.display();
    if !args.force && args.out.is_file() {
        return Err(anyhow::anyhow!(
            "{out} exists already; give another name, or --force to overwrite it"
        )
        .into());
    }
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
    save(&args.out, args.force, &bytes)
        .map_err(|error| anyhow::anyhow!("{out} cannot be written: {error}"))?;
    let from = jiff::Timestamp::from_millisecond(first.first.0).unwrap_or_default();
    output::say(&format!(
        "saved {} KiB since {from} to {out}; names of jobs, labels, exceptions and messages are in it",
        bytes.len().div_ceil(1024)
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn what_is_saved_is_for_oneself_and_overwrites_nothing_unasked() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("h.bin");
        let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        save(&path, false, b"first").unwrap();
        assert_eq!(mode(), 0o600);
        assert!(save(&path, false, b"second").is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        save(&path, true, b"3").unwrap();
        assert_eq!((mode(), std::fs::read(&path).unwrap()), (0o600, b"3".to_vec()));
    }
}
