//! Checkpoints that time out, fail, or hang, while the job says RUNNING.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::super::stage::{SOON, Stage, epoch_ms, spec};
use super::super::verdict::Act;
use crate::testbed::job::JobSpec;
use crate::testbed::time;

/// The shipped rule counts three in a row.
const IN_A_ROW: usize = 3;

fn with(spec: JobSpec, key: &str, value: &str) -> JobSpec {
    let conf = vec![(format!("execution.checkpointing.{key}"), value.to_owned())];
    JobSpec { conf, ..spec }
}

/// Since when no checkpoint has completed.
async fn last_completed(stage: &Stage, id: &str) -> Result<i64> {
    let checkpoints = stage.flink.rest().checkpoints(id).await?;
    epoch_ms(&checkpoints["latest"]["completed"]["latest_ack_timestamp"])
}

async fn third_failure(stage: &Stage, id: &str) -> Result<i64> {
    time::wait_for("three failed checkpoints", SOON, || async {
        let checkpoints = stage.flink.rest().checkpoints(id).await?;
        let history = checkpoints["history"].as_array().context("no history")?;
        let failed = |c: &&Value| c["status"] == "FAILED";
        let mut at: Vec<i64> =
            history.iter().filter(failed).filter_map(|c| c["failure_timestamp"].as_i64()).collect();
        at.sort_unstable();
        Ok(at.get(IN_A_ROW - 1).copied())
    })
    .await
}

async fn failing(stage: &Stage, name: &str, id: &str) -> Result<Act> {
    let third = third_failure(stage, id).await?;
    let completed = last_completed(stage, id).await?;
    Ok(Act::on(name).began(completed).began_for("CheckpointsFailing", third))
}

pub(crate) async fn timeout(stage: &Stage) -> Result<Act> {
    let name = "checkpoint-timeout";
    let control = stage.control(name)?;
    let id = stage.run(&with(spec(name, &control), "timeout", "3000")).await?;
    control.delay_checkpoints(Duration::from_secs(8))?;
    failing(stage, name, &id).await
}

pub(crate) async fn failures(stage: &Stage) -> Result<Act> {
    let name = "checkpoint-failures";
    let control = stage.control(name)?;
    let id = stage.run(&spec(name, &control)).await?;
    control.fail_checkpoints(true)?;
    failing(stage, name, &id).await
}

pub(crate) async fn stuck(stage: &Stage) -> Result<Act> {
    let name = "checkpoint-stuck";
    let control = stage.control(name)?;
    let id = stage.run(&spec(name, &control)).await?;
    control.delay_checkpoints(Duration::from_mins(4))?;
    // One may have been on its way.
    stage.polls(2).await?;
    Ok(Act::on(name).began(last_completed(stage, &id).await?))
}

/// A streaming job that nobody told to checkpoint.
pub(crate) async fn none(stage: &Stage) -> Result<Act> {
    let name = "no-checkpoints";
    let control = stage.control(name)?;
    let spec = JobSpec { checkpoint_interval: None, ..spec(name, &control) };
    stage.flink.submit(&spec).await?;
    Ok(Act::on(name).began(time::now_ms()))
}
