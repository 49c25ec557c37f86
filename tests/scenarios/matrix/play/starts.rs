//! Jobs that do not start.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::super::stage::{SOON, Stage, Wish, spec};
use super::super::verdict::Act;
use crate::testbed::job::JobSpec;
use crate::testbed::time;

const APPLICATION: &str = "application-throws";

/// Handed to a session cluster as an application, which Flink 2.3 keeps a list of; before that it
/// refuses the submission and keeps nothing.
pub(crate) async fn jar_throws(stage: &Stage) -> Result<Act> {
    let control = stage.control("jar-throws")?;
    control.fail_main()?;
    let rest = stage.flink.rest();
    let jar = stage.flink.upload_job().await?;
    let request = json!({ "programArgsList": spec("jar-throws", &control).args() });
    rest.post(&format!("/jars/{jar}/run-application"), &request).await?;
    let (name, ended) = time::wait_for("failed application", SOON, || async {
        let overview = rest.get("/applications/overview").await?;
        let all = overview["applications"].as_array().context("no list")?;
        let jobless = |a: &&Value| a["status"] == "FAILED" && a["jobs"] == json!({});
        let of = |a: &Value| Some((a["name"].as_str()?.to_owned(), a["end-time"].as_i64()?));
        Ok(all.iter().find(jobless).and_then(of))
    })
    .await?;
    Ok(Act::on(&name).began(ended))
}

/// Flink refuses the submission, but leaves a FAILED job.
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
