//! Jobs that do not start.

use anyhow::{Context as _, Result, ensure};

use super::super::stage::{SOON, Stage, Wish, spec};
use super::super::verdict::Act;
use crate::testbed::job::JobSpec;
use crate::testbed::time;

const APPLICATION: &str = "application-throws";

/// Flink refuses the submission and keeps nothing: there is nothing to be seen.
pub(crate) async fn jar_throws(stage: &Stage) -> Result<Act> {
    let name = "jar-throws";
    let control = stage.control(name)?;
    control.fail_main()?;
    let refused = stage.flink.submit(&spec(name, &control)).await;
    ensure!(refused.is_err(), "Flink took a program that throws");
    Ok(Act::on(name).began(time::now_ms()))
}

/// Flink refuses it too, but leaves a FAILED job.
pub(crate) async fn bad_savepoint(stage: &Stage) -> Result<Act> {
    let name = "bad-savepoint";
    let control = stage.control(name)?;
    let nowhere = stage.controls().join("no-such-savepoint");
    let path = format!("file://{}", nowhere.display());
    let spec = JobSpec { savepoint_path: Some(path), ..spec(name, &control) };
    let refused = stage.flink.submit(&spec).await;
    ensure!(refused.is_err(), "Flink took a savepoint that does not exist");
    Ok(Act::on(name).began(time::now_ms()))
}

/// An application cluster, highly available since only then Flink shows what failed before a job.
pub(crate) fn application() -> Wish {
    Wish { ha: true, application: Some(APPLICATION), ..Wish::session(1, 2) }
        .with("execution.submit-failed-job-on-application-error", "true")
        .with("execution.shutdown-on-application-finish", "false")
}

/// It ran well; its next version, deployed in its place, throws before it has a job.
pub(crate) async fn application_throws(stage: &mut Stage) -> Result<Act> {
    let rest = stage.flink.rest().clone();
    let id = time::wait_for("application's job", SOON, || async {
        let overview = rest.get("/jobs/overview").await?;
        Ok(overview["jobs"][0]["jid"].as_str().map(str::to_owned))
    })
    .await?;
    rest.wait_until_healthy(&id, SOON).await?;
    stage.known(APPLICATION, &id).await?;
    stage.control(APPLICATION)?.fail_main()?;
    stage.flink.kill_jobmanager().await?;
    stage.flink.kill_taskmanager(0).await?;
    let zookeeper = stage.zookeeper.as_ref().context("no ZooKeeper")?;
    let anew = zookeeper.conf("second")?;
    stage.flink.options_mut().conf.extend(anew);
    stage.flink.restart_jobmanager().await?;
    // Flink has a name of its own for what it shows in place of a job that was never made.
    let shown = time::wait_for("failed application", SOON, || async {
        let overview = rest.get("/jobs/overview").await?;
        let job = &overview["jobs"][0];
        Ok(job["name"].as_str().filter(|_| job["state"] == "FAILED").map(str::to_owned))
    })
    .await?;
    let mut act = Act::on(APPLICATION).of_cluster().began(time::now_ms());
    act.jobs.push(shown);
    Ok(act)
}
