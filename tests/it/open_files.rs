//! A process that may open few files takes what it may have.

use anyhow::{Context as _, Result, ensure};

use crate::testbed::fleet::{Fleet, FleetOptions, Version};
use crate::testbed::story;
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;

/// Soft and hard limit on open files of a process.
fn limits(pid: u32) -> Result<(u64, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/limits"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"));
    let mut words = line.context("no limit on open files")?.split_whitespace();
    let mut next = || words.next().and_then(|word| word.parse().ok()).context("no number");
    Ok((next()?, next()?))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_on_open_files_is_raised_as_far_as_it_may_be() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let script = dir.path().join("weir-with-few-files");
    let few = format!("#!/bin/sh\nulimit -Sn 256\nexec '{}' \"$@\"\n", crate::binary().display());
    // Written by another process: what this one has open for writing, a child of another test may
    // hold a moment longer, and then it cannot be run.
    let write = r#"printf '%s' "$1" > "$0" && chmod 755 "$0""#;
    let mut shell = tokio::process::Command::new("sh");
    let written = shell.args(["-c", write]).arg(&script).arg(few).status().await?;
    ensure!(written.success(), "no script");
    let fleet = Fleet::start(FleetOptions::of(1, 1, Version::V1_20)).await?;
    let hook = Webhook::start(WebhookOptions::default()).await?;
    std::fs::write(dir.path().join("rules.yaml"), story::JOB_FAILED)?;
    let config = story::config(&hook, (&fleet, 1), "interval: 1s", "0s");
    let weir = Weir::start(&script, dir.path(), &config).await?;
    let (soft, hard) = limits(weir.pid()?)?;
    ensure!(hard > 256, "nothing to be raised: {hard}");
    ensure!(soft == hard.min(65_536), "{soft} of {hard}");
    weir.stop().await
}
