//! What the jobs stand on, taken away: `TaskManagers`, slots, the `JobManager`.

use anyhow::Result;

use super::super::stage::{SOON, Stage, spec};
use super::super::verdict::Act;
use crate::testbed::job::JobSpec;
use crate::testbed::time;

/// Polls for which the `JobManager` stays away.
const AWAY: u64 = 2;

/// Waits until Flink itself shows that the job's `TaskManager` is gone; when that was.
pub(super) async fn taskmanager_gone(stage: &Stage, id: &str) -> Result<i64> {
    time::wait_for("lost TaskManager in Flink's answer", SOON, || async {
        let word = stage.flink.job_state(id).await?;
        let left = stage.flink.rest().get("/taskmanagers").await?;
        let none = left["taskmanagers"].as_array().is_some_and(Vec::is_empty);
        Ok((word != "RUNNING" || none).then(time::now_ms))
    })
    .await
}

pub(crate) async fn taskmanager_killed(stage: &mut Stage) -> Result<Act> {
    let name = "taskmanager-killed";
    let id = stage.run(&spec(name, &stage.control(name)?)).await?;
    stage.flink.kill_taskmanager(0).await?;
    Ok(Act::on(name).of_cluster().began(taskmanager_gone(stage, &id).await?))
}

pub(crate) async fn no_slots(stage: &mut Stage) -> Result<Act> {
    let name = "no-slots";
    let spec = JobSpec { parallelism: 4, ..spec(name, &stage.control(name)?) };
    stage.flink.submit(&spec).await?;
    Ok(Act::on(name).of_cluster().began(time::now_ms()))
}

pub(crate) async fn jobmanager_gone(stage: &mut Stage) -> Result<Act> {
    let name = "jobmanager-gone";
    stage.run(&spec(name, &stage.control(name)?)).await?;
    stage.flink.kill_jobmanager().await?;
    Ok(Act::on(name).of_cluster().began(time::now_ms()))
}

/// Kills the `JobManager` and starts it again; when it answered again.
async fn killed_and_back(stage: &mut Stage) -> Result<i64> {
    stage.flink.kill_jobmanager().await?;
    stage.polls(AWAY).await?;
    let rest = stage.flink.rest().clone();
    let answers = time::wait_for("JobManager", SOON, || async {
        rest.get("/jobs/overview").await?;
        Ok(Some(time::now_ms()))
    });
    let (back, at) = tokio::join!(stage.flink.restart_jobmanager(), answers);
    back?;
    at
}

pub(crate) async fn jobmanager_killed(stage: &mut Stage) -> Result<Act> {
    let name = "jobmanager-killed";
    stage.run(&spec(name, &stage.control(name)?)).await?;
    let back = killed_and_back(stage).await?;
    Ok(Act::on(name).of_cluster().began(back))
}

pub(crate) async fn jobmanager_killed_ha(stage: &mut Stage) -> Result<Act> {
    let name = "jobmanager-killed-ha";
    let id = stage.run(&spec(name, &stage.control(name)?)).await?;
    let back = killed_and_back(stage).await?;
    stage.flink.rest().wait_until_healthy(&id, SOON).await?;
    Ok(Act::on(name).of_cluster().began(back))
}
