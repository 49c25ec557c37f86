//! Data that does not flow as it should, while everything says RUNNING.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::super::stage::{SOON, Stage, spec};
use super::super::verdict::Act;
use crate::testbed::job::JobSpec;
use crate::testbed::time;

/// Beyond what the shipped rule calls a backlog, within a second.
const WAITING_PER_SECOND: u64 = 20_000;

pub(crate) async fn stuck_source(stage: &Stage) -> Result<Act> {
    let name = "stuck-source";
    let control = stage.control(name)?;
    control.set_backlog(0)?;
    stage.run(&spec(name, &control)).await?;
    stage.lag_known(name).await?;
    control.get_stuck()?;
    let began = time::now_ms();
    control.grow_backlog(WAITING_PER_SECOND)?;
    Ok(Act::on(name).began(began))
}

pub(crate) async fn backpressure(stage: &Stage) -> Result<Act> {
    let name = "backpressure";
    let control = stage.control(name)?;
    let spec = JobSpec { records_per_second: 1000, ..spec(name, &control) };
    let id = stage.run(&spec).await?;
    control.slow_sink(Duration::from_millis(200))?;
    let rest = stage.flink.rest();
    let job = rest.get(&format!("/jobs/{id}")).await?;
    let source = job["vertices"][0]["id"].as_str().context("a job without vertices")?;
    let path = format!("/jobs/{id}/vertices/{source}/backpressure");
    time::wait_for("backpressure", SOON, || async {
        let answer = rest.get(&path).await?;
        let level = answer.get("backpressureLevel").unwrap_or(&answer["backpressure-level"]);
        Ok((level == "high").then_some(()))
    })
    .await?;
    Ok(Act::on(name).began(time::now_ms()))
}
