//! The stand-in of a ResourceManager in a process of its own, told what to do over stdin.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::server::{reply, stdin_lines};
use crate::testbed::yarn_standin::{Outcome, YarnStandIn};

/// First argument of the process.
pub(crate) const ROLE: &str = "--as-yarn";

/// What it is asked.
#[derive(Serialize, Deserialize)]
pub(super) enum Ask {
    /// Serve so many applications; answers its address.
    Open { apps: usize, checkpoints_ms: i64 },
    /// What Weir has asked so far.
    Counts,
    /// Begin to write down what Weir asks.
    Record,
    /// What it asked since; ends the recording.
    Recorded,
    /// An application's job fails for good, and it ends; answers when, epoch ms.
    Fail { app: usize },
    /// When a listing first showed that, epoch ms.
    Shown { app: usize },
}

/// The process: serves until its stdin closes.
pub(crate) async fn run() -> Result<()> {
    let mut lines = stdin_lines();
    let mut yarn = None;
    while let Some(line) = lines.recv().await {
        let answer = match (serde_json::from_str::<Ask>(&line)?, &yarn) {
            (Ask::Open { apps, checkpoints_ms }, _) => {
                let opened = YarnStandIn::start(apps, checkpoints_ms).await?;
                let url = opened.url();
                yarn = Some(opened);
                serde_json::to_string(&url)?
            }
            (_, None) => anyhow::bail!("the ResourceManager is not open yet"),
            (Ask::Counts, Some(yarn)) => serde_json::to_string(&yarn.counts())?,
            (Ask::Record, Some(yarn)) => {
                yarn.record();
                "null".to_owned()
            }
            (Ask::Recorded, Some(yarn)) => serde_json::to_string(&yarn.recorded())?,
            (Ask::Fail { app }, Some(yarn)) => {
                serde_json::to_string(&yarn.end(app, Outcome::Failed))?
            }
            (Ask::Shown { app }, Some(yarn)) => serde_json::to_string(&yarn.shown(app))?,
        };
        reply(&answer);
    }
    Ok(())
}
