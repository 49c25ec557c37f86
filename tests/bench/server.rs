//! The fleet in a process of its own, told what to do over stdin, one JSON line each way.

use std::process::Stdio;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;

use crate::testbed::fleet::{Failure, Fleet, FleetOptions, Kind, Version};

/// First argument of the process.
pub(crate) const ROLE: &str = "--as-fleet";

/// What the fleet is asked.
#[derive(Serialize, Deserialize)]
pub(crate) enum Ask {
    /// Serve; answers the base URLs.
    Open { clusters: usize, jobs: usize, checkpoints_ms: i64, backlog: Option<u64> },
    /// Begin to write down what is asked for.
    Record,
    /// What was asked for since; ends the recording.
    Recorded,
    /// [`Counts`] so far.
    Counts,
    /// A job goes to FAILED.
    Kill { cluster: usize, job: usize },
    /// When an answer first showed the last change of a job, epoch ms.
    Shown { cluster: usize, job: usize },
}

/// Requests and bytes of bodies so far.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) requests: u64,
    pub(crate) bytes: u64,
    /// Of the bytes: what only lag is asked for.
    pub(crate) lag_bytes: u64,
}

/// The process: serves until its stdin closes.
pub(crate) async fn run() -> Result<()> {
    let mut lines = stdin_lines();
    let mut fleet = None;
    while let Some(line) = lines.recv().await {
        let answer = match (serde_json::from_str::<Ask>(&line)?, &fleet) {
            (Ask::Open { clusters, jobs, checkpoints_ms, backlog }, _) => {
                let options = FleetOptions {
                    checkpoint_interval_ms: Some(checkpoints_ms),
                    ..FleetOptions::of(clusters, jobs, Version::V1_20)
                };
                let opened = Fleet::start(options).await?;
                for (cluster, job) in (0..clusters).flat_map(|c| (0..jobs).map(move |job| (c, job)))
                {
                    if backlog.is_some() {
                        opened.set_backlog(cluster, job, backlog);
                    }
                }
                let urls: Vec<String> = (0..clusters).map(|c| opened.url(c)).collect();
                fleet = Some(opened);
                serde_json::to_string(&urls)?
            }
            (_, None) => anyhow::bail!("the fleet is not open yet"),
            (Ask::Record, Some(fleet)) => {
                fleet.record(true);
                "null".to_owned()
            }
            (Ask::Recorded, Some(fleet)) => {
                fleet.record(false);
                serde_json::to_string(&fleet.recorded())?
            }
            (Ask::Counts, Some(fleet)) => {
                let (requests, bytes) = fleet.totals();
                let lag_bytes = fleet.bytes(Kind::SubtaskMetrics) + fleet.bytes(Kind::Job);
                serde_json::to_string(&Counts { requests, bytes, lag_bytes })?
            }
            (Ask::Kill { cluster, job }, Some(fleet)) => {
                let failure = Failure::new("java.lang.IllegalStateException", "the bench says so");
                serde_json::to_string(&fleet.kill_job(cluster, job, &failure))?
            }
            (Ask::Shown { cluster, job }, Some(fleet)) => {
                let shown = fleet.mark(cluster, job).and_then(|mark| mark.shown_ms);
                serde_json::to_string(&shown)?
            }
        };
        reply(&answer);
    }
    Ok(())
}

/// Lines of this process's stdin; ends where it closes.
pub(crate) fn stdin_lines() -> mpsc::UnboundedReceiver<String> {
    let (sender, lines) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// Answers the process that asked.
pub(crate) fn reply(line: &str) {
    println!("{line}");
}

/// A process of this very binary in another role; gone when dropped.
pub(crate) struct Role {
    child: Child,
    stdin: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Role {
    /// Starts it.
    pub(crate) fn start(role: &str) -> Result<Role> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdin = child.stdin.take().context("no stdin")?;
        let stdout = child.stdout.take().context("no stdout")?;
        Ok(Role { child, stdin, answers: BufReader::new(stdout).lines() })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> Result<u32> {
        self.child.id().context("it has ended")
    }

    /// Asks and waits for the answer.
    pub(crate) async fn ask<T: DeserializeOwned>(&mut self, ask: &impl Serialize) -> Result<T> {
        let mut line = serde_json::to_string(ask)?;
        line.push('\n');
        self.stdin.write_all(line.as_bytes()).await?;
        let answer = self.answers.next_line().await?.context("it ended without an answer")?;
        Ok(serde_json::from_str(&answer)?)
    }

    /// Lets it end.
    pub(crate) async fn close(self) -> Result<()> {
        let Role { mut child, stdin, .. } = self;
        drop(stdin);
        child.wait().await?;
        Ok(())
    }
}
