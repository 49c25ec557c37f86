//! The test bed's YARN does what other tests rely on.
//!
//! Downloads 90 MB and starts up to six JVMs: a part of `make e2e`, not of `make test`.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::testbed::control::Control;
use crate::testbed::flink::{DEFAULT_VERSION, release};
use crate::testbed::flink_conf::Version;
use crate::testbed::job::{self, JobSpec};
use crate::testbed::rest::FlinkRest;
use crate::testbed::yarn::flink::FlinkApp;
use crate::testbed::yarn::rest::Command;
use crate::testbed::yarn::unmanaged::UnmanagedApp;
use crate::testbed::yarn::{Yarn, YarnOptions};
use crate::testbed::zookeeper::ZooKeeper;
use crate::testbed::{http, time, tools};

/// Two busy cores make everything slow; nothing here waits this long when it works.
const SOON: Duration = Duration::from_mins(3);

#[tokio::test]
#[ignore = "make e2e: downloads Hadoop, takes minutes"]
async fn real_flink_runs_on_yarn_and_outlives_its_resource_manager() -> Result<()> {
    let started = time::now();
    let mut yarn = Yarn::start(YarnOptions::default()).await?;
    tools::note(&format!("YARN started in {:?}", time::since(started)));
    let controls = tempfile::tempdir()?;
    let control = |name: &str| Control::new(&controls.path().join(name));

    let deployed = time::now();
    let session = FlinkApp::session("shared");
    let version = session.version.clone();
    let session = yarn.deploy(&session).await?;
    tools::note(&format!("a session deployed in {:?}", time::since(deployed)));
    let app = yarn.wait_for_app(&session, &["RUNNING"], SOON).await?;
    ensure!(app["applicationType"] == "Apache Flink" && app["name"] == "shared", "{app:#}");
    ensure!(app["finalStatus"] == "UNDEFINED", "{app:#}");
    let flink = yarn.flink_rest(&session).await?;
    let in_session = submit(&flink, &version, &JobSpec::new("first", &control("first")?)).await?;
    flink.wait_until_healthy(&in_session, SOON).await?;

    let deployed = time::now();
    let alone = control("alone")?;
    let application = FlinkApp::application(JobSpec::new("alone", &alone));
    let application = yarn.deploy(&application).await?;
    tools::note(&format!("an application deployed in {:?}", time::since(deployed)));
    let own = yarn.flink_rest(&application).await?;
    let job = only_job(&own).await?;
    own.wait_until_healthy(&job, SOON).await?;

    // Whoever asks YARN hears nothing; whoever asks Flink hears that all is well.
    yarn.kill_resource_manager(0).await?;
    ensure!(yarn.rest(0).flink_apps().await.is_err(), "a killed ResourceManager answered");
    ensure!(flink.job_state(&in_session).await? == "RUNNING", "the session went with YARN");
    let state = yarn.start_resource_manager(0).await?;
    tools::note(&format!("the ResourceManager came back {state}"));
    yarn.wait_for_app(&session, &["RUNNING"], SOON).await?;
    let app = yarn.wait_for_app(&application, &["RUNNING"], SOON).await?;
    ensure!(app["name"] == "alone", "{app:#}");

    // The stream ends, and with it the application.
    alone.finish()?;
    let app = yarn.wait_for_app(&application, &["FINISHED"], SOON).await?;
    ensure!(app["finalStatus"] == "SUCCEEDED", "{app:#}");
    // The session has one attempt, and no second after this.
    yarn.kill_application_master(&session).await?;
    let app = yarn.wait_for_app(&session, &["FAILED"], SOON).await?;
    ensure!(app["finalStatus"] == "FAILED", "{app:#}");
    let diagnostics = app["diagnostics"].as_str().context("no diagnostics")?;
    ensure!(diagnostics.contains("failed 1 times"), "{diagnostics}");
    yarn.stop().await
}

#[tokio::test]
#[ignore = "make e2e: downloads Hadoop, takes minutes"]
async fn a_job_outlives_its_application_master() -> Result<()> {
    let yarn = Yarn::start(YarnOptions::default()).await?;
    let zookeeper = ZooKeeper::start(&release(DEFAULT_VERSION)).await?;
    let controls = tempfile::tempdir()?;
    let control = Control::new(controls.path())?;
    let app = FlinkApp::application(JobSpec::new("steady", &control)).with_failover(&zookeeper)?;
    let id = yarn.deploy(&app).await?;
    let first = yarn.flink_rest(&id).await?;
    let job = only_job(&first).await?;
    first.wait_until_healthy(&job, SOON).await?;
    first.wait_for_checkpoints(&job, 1, SOON).await?;

    yarn.kill_application_master(&id).await?;
    let second = time::wait_for("the second JobManager", SOON, || async {
        let rest = yarn.flink_rest(&id).await?;
        Ok((rest.url() != first.url()).then_some(rest))
    })
    .await?;
    second.wait_until_healthy(&job, SOON).await?;
    let restored = second.checkpoints(&job).await?;
    ensure!(restored["counts"]["restored"].as_u64() >= Some(1), "{restored:#}");
    let attempts = yarn.rest(0).get(&format!("/apps/{id}/appattempts")).await?;
    let count = attempts["appAttempts"]["appAttempt"].as_array().map(Vec::len);
    ensure!(count == Some(2), "{attempts:#}");
    yarn.stop().await?;
    zookeeper.stop().await
}

async fn submit(flink: &FlinkRest, version: &str, spec: &JobSpec) -> Result<String> {
    let jar = job::jar(version).await?;
    let bytes = std::fs::read(&jar).with_context(|| format!("cannot read {}", jar.display()))?;
    let jar_id = flink.upload_jar("orders.jar", &bytes).await?;
    let request = spec.run_request(Version::parse(version)?);
    let answer = flink.post(&format!("/jars/{jar_id}/run"), &request).await?;
    Ok(answer["jobid"].as_str().context("run without a job id")?.to_owned())
}

async fn only_job(flink: &FlinkRest) -> Result<String> {
    time::wait_for("job of the application", SOON, || async {
        let overview = flink.get("/jobs/overview").await?;
        Ok(overview["jobs"][0]["jid"].as_str().map(str::to_owned))
    })
    .await
}

async fn wait_for_running(yarn: &Yarn, count: usize) -> Result<()> {
    time::wait_for(&format!("{count} running applications"), SOON, || async {
        let apps = yarn.rest(yarn.active().await?).flink_apps().await?;
        let running = apps.iter().filter(|app| app["state"] == "RUNNING").count();
        Ok((running == count).then_some(()))
    })
    .await
}

#[tokio::test]
#[ignore = "make e2e: downloads Hadoop, takes minutes"]
async fn sixty_applications_cost_nothing_and_die_together() -> Result<()> {
    let mut yarn = Yarn::start(YarnOptions::default()).await?;
    let unmanaged = yarn.unmanaged().await?;
    let mut apps = Vec::new();
    for index in 0..60 {
        apps.push(UnmanagedApp::new(&format!("job-{index:02}"), "127.0.0.1:9"));
    }
    let starts = apps.iter().map(|app| unmanaged.start(app));
    let ids = futures_util::future::try_join_all(starts).await?;
    wait_for_running(&yarn, 60).await?;
    let first = yarn.rest(0).app(&ids[0]).await?;
    ensure!(first["amRPCAddress"] == "127.0.0.1:9" && first["user"] == "flink", "{first:#}");

    // In order, by order, and with the state store over a restart.
    unmanaged.end(&ids[0], "FAILED", "java.io.IOException: disk gone").await?;
    let ended = yarn.wait_for_app(&ids[0], &["FINISHED"], SOON).await?;
    ensure!(ended["finalStatus"] == "FAILED", "{ended:#}");
    ensure!(ended["diagnostics"] == "java.io.IOException: disk gone", "{ended:#}");
    yarn.rest(0).kill(&ids[1], "flink").await?;
    let killed = yarn.wait_for_app(&ids[1], &["KILLED"], SOON).await?;
    ensure!(killed["finalStatus"] == "KILLED", "{killed:#}");
    yarn.stop_resource_manager(0).await?;
    yarn.start_resource_manager(0).await?;
    wait_for_running(&yarn, 58).await?;
    let ended = yarn.rest(0).app(&ids[0]).await?;
    ensure!(ended["finalStatus"] == "FAILED", "forgotten over a restart: {ended:#}");

    a_full_queue_keeps_an_application_waiting(&yarn).await?;
    unmanaged.kill9().await?;
    wait_for_running(&yarn, 0).await?;
    let lost = yarn.wait_for_app(&ids[2], &["FAILED"], SOON).await?;
    let diagnostics = lost["diagnostics"].as_str().unwrap_or_default();
    ensure!(diagnostics.contains("timed out"), "{lost:#}");
    yarn.stop().await
}

async fn a_full_queue_keeps_an_application_waiting(yarn: &Yarn) -> Result<()> {
    let big =
        Command { name: "big", user: "flink", queue: "small", memory_mb: 2048, line: "sleep 600" };
    let rest = yarn.rest(0);
    let first = rest.submit_command(&big).await?;
    time::wait_for("container of the first", SOON, || async {
        let app = rest.app(&first).await?;
        Ok((app["allocatedMB"] == 2048).then_some(()))
    })
    .await?;
    let second = rest.submit_command(&Command { name: "waiting", ..big }).await?;
    let waiting = yarn.wait_for_app(&second, &["ACCEPTED"], SOON).await?;
    ensure!(waiting["queue"].as_str().is_some_and(|queue| queue.ends_with("small")), "{waiting:#}");
    ensure!(waiting["allocatedMB"] != 2048, "{waiting:#}");
    for id in [&first, &second] {
        rest.kill(id, "flink").await?;
        yarn.wait_for_app(id, &["KILLED"], SOON).await?;
    }
    Ok(())
}

#[tokio::test]
#[ignore = "make e2e: downloads Hadoop, takes minutes"]
async fn the_standby_sends_elsewhere_and_then_takes_over() -> Result<()> {
    let mut yarn = Yarn::start(YarnOptions { standby: true, ..YarnOptions::default() }).await?;
    let active = yarn.active().await?;
    let standby = 1 - active;
    time::wait_for("standby", SOON, || async {
        Ok((yarn.rest(standby).ha_state().await? == "STANDBY").then_some(()))
    })
    .await?;
    let unmanaged = yarn.unmanaged().await?;
    let id = unmanaged.start(&UnmanagedApp::new("job", "127.0.0.1:9")).await?;

    let url = format!("{}/ws/v1/cluster/apps", yarn.rest(standby).url());
    let sent = http::client_that_stays().get(&url).send().await?;
    assert_eq!(sent.status(), 307);
    let to = sent.headers().get("location").context("307 without a location")?.to_str()?;
    // It may name the machine otherwise than it was configured, such as localhost.
    let url = yarn.rest(active).url().to_owned();
    let port = url.rsplit(':').next().context("no port")?;
    ensure!(to.ends_with(&format!(":{port}/ws/v1/cluster/apps")), "{to} is not {url}");

    yarn.kill_resource_manager(active).await?;
    time::wait_for("the other one", SOON, || async {
        Ok((yarn.active().await? == standby).then_some(()))
    })
    .await?;
    let app: Value = yarn.wait_for_app(&id, &["RUNNING"], SOON).await?;
    ensure!(app["name"] == "job", "{app:#}");
    let state = yarn.start_resource_manager(active).await?;
    assert_eq!(state, "STANDBY");
    unmanaged.kill9().await?;
    yarn.stop().await
}
