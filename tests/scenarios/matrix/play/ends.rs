//! Jobs that end, by themselves or by a person, and jobs that are started again, or once too often.

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use super::super::stage::{SOON, Stage, spec};
use super::super::verdict::Act;
use crate::testbed::job::JobSpec;
use crate::testbed::time;

/// A stage of a batch job waits for the one before it; a rule may take that for standing still.
const BATCH_POLLS: u64 = 14;

/// Stops a job with a savepoint and returns its path.
pub(super) async fn stop(stage: &Stage, id: &str) -> Result<String> {
    let rest = stage.flink.rest();
    let answer = rest.post(&format!("/jobs/{id}/stop"), &json!({ "drain": false })).await?;
    let trigger = answer["request-id"].as_str().context("stop without an id")?.to_owned();
    let path = format!("/jobs/{id}/savepoints/{trigger}");
    let location = time::wait_for("savepoint", SOON, || async {
        let answer = rest.get(&path).await?;
        if answer["operation"]["failure-cause"].is_object() {
            bail!("the savepoint failed: {}", answer["operation"]["failure-cause"]["class"]);
        }
        Ok(answer["operation"]["location"].as_str().map(str::to_owned))
    })
    .await?;
    rest.wait_for_state(id, &["FINISHED"], SOON).await?;
    Ok(location)
}

/// Cancels a job and returns the checkpoint that it leaves.
pub(super) async fn cancel_and_keep(stage: &Stage, id: &str) -> Result<String> {
    let rest = stage.flink.rest();
    stage.flink.cancel(id).await?;
    rest.wait_for_state(id, &["CANCELED"], SOON).await?;
    time::wait_for("checkpoint of a cancelled job", SOON, || async {
        let checkpoints = rest.checkpoints(id).await?;
        let last = &checkpoints["latest"]["completed"];
        let path = last["external_path"].as_str().filter(|_| last["discarded"] == false);
        // The answer may be a cached one from before the end; the file system is not.
        let exists = |path: &&str| std::path::Path::new(path.trim_start_matches("file:")).exists();
        Ok(path.filter(exists).map(str::to_owned))
    })
    .await
}

pub(crate) async fn cancel(stage: &Stage) -> Result<Act> {
    let name = "cancel";
    let control = stage.control(name)?;
    let id = stage.run(&spec(name, &control)).await?;
    stage.flink.cancel(&id).await?;
    stage.flink.rest().wait_for_state(&id, &["CANCELED"], SOON).await?;
    Ok(Act::on(name).began(time::now_ms()))
}

pub(crate) async fn stop_with_savepoint(stage: &Stage) -> Result<Act> {
    let name = "stop-with-savepoint";
    let control = stage.control(name)?;
    let id = stage.run(&spec(name, &control)).await?;
    stop(stage, &id).await?;
    Ok(Act::on(name).began(time::now_ms()))
}

pub(crate) async fn resubmitted(stage: &Stage) -> Result<Act> {
    let name = "resubmitted";
    let control = stage.control(name)?;
    let spec = spec(name, &control);
    let id = stage.run(&spec).await?;
    let path = cancel_and_keep(stage, &id).await?;
    let began = time::now_ms();
    stage.run(&JobSpec { savepoint_path: Some(path), ..spec }).await?;
    Ok(Act::on(name).began(began))
}

/// On purpose or not: what it had worked out is gone.
pub(crate) async fn resubmitted_empty(stage: &Stage) -> Result<Act> {
    let name = "resubmitted-empty";
    let control = stage.control(name)?;
    let spec = spec(name, &control);
    let id = stage.run(&spec).await?;
    cancel_and_keep(stage, &id).await?;
    stage.flink.submit(&spec).await?;
    Ok(Act::on(name).began(time::now_ms()))
}

pub(crate) async fn two_live_runs(stage: &Stage) -> Result<Act> {
    let name = "two-live-runs";
    let control = stage.control(name)?;
    let spec = spec(name, &control);
    stage.run(&spec).await?;
    stage.flink.submit(&spec).await?;
    Ok(Act::on(name).began(time::now_ms()))
}

async fn finished(stage: &Stage, spec: &JobSpec, id: &str) -> Result<Act> {
    spec.control.finish()?;
    stage.flink.rest().wait_for_state(id, &["FINISHED"], SOON).await?;
    Ok(Act::on(&spec.name).began(time::now_ms()))
}

pub(crate) async fn finished_streaming(stage: &Stage) -> Result<Act> {
    let name = "finished-streaming";
    let spec = spec(name, &stage.control(name)?);
    let id = stage.run(&spec).await?;
    finished(stage, &spec, &id).await
}

pub(crate) async fn finished_bounded(stage: &Stage) -> Result<Act> {
    let name = "finished-bounded";
    let spec = JobSpec { bounded: true, ..spec(name, &stage.control(name)?) };
    let id = stage.run(&spec).await?;
    finished(stage, &spec, &id).await
}

pub(crate) async fn finished_batch(stage: &Stage) -> Result<Act> {
    let name = "finished-batch";
    let spec = JobSpec {
        bounded: true,
        checkpoint_interval: None,
        conf: vec![("execution.runtime-mode".to_owned(), "BATCH".to_owned())],
        ..spec(name, &stage.control(name)?)
    };
    let id = stage.flink.submit(&spec).await?;
    stage.flink.rest().wait_for_state(&id, &["RUNNING"], SOON).await?;
    stage.known(name, &id).await?;
    stage.polls(BATCH_POLLS).await?;
    finished(stage, &spec, &id).await
}
