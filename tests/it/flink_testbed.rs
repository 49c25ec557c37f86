//! The test bed's Flink does what the other tests rely on.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::testbed::control::Control;
use crate::testbed::flink::{Flink, FlinkOptions};
use crate::testbed::job::{JobSpec, RestartStrategy};
use crate::testbed::process::Leashed;
use crate::testbed::{python, time, tools};

/// Two busy cores make everything slow; nothing here waits this long when it works.
const SOON: Duration = Duration::from_secs(90);

const NASTY_MESSAGE: &str = "bad \"amount\" </script> {{job_name}}\nsecond line";

#[tokio::test]
async fn flink_fails_and_recovers_on_command() -> Result<()> {
    fails_and_recovers_on_command(FlinkOptions::default()).await
}

#[tokio::test]
async fn flink_2_fails_and_recovers_on_command() -> Result<()> {
    fails_and_recovers_on_command(FlinkOptions::version("2.2.1")).await
}

async fn fails_and_recovers_on_command(options: FlinkOptions) -> Result<()> {
    let started = time::now();
    let mut flink = Flink::start(options).await?;
    tools::note(&format!("Flink {} started in {:?}", flink.version(), time::since(started)));
    let control = Control::new(&flink.dir().join("control"))?;

    every_failure_is_in_the_history(&flink, &control).await?;
    let (job_id, checkpoint) = checkpoints_and_backlog_obey(&flink, &control).await?;
    a_killed_taskmanager_restarts_the_job(&mut flink, &job_id).await?;
    a_job_continues_from_a_checkpoint(&flink, &control, &job_id, &checkpoint).await?;
    a_killed_jobmanager_comes_back_empty(&mut flink, &control).await?;
    flink.stop().await
}

/// A crash loop ends in FAILED, and Flink counts as many failures as the job itself.
async fn every_failure_is_in_the_history(flink: &Flink, control: &Control) -> Result<()> {
    control.crash_message(NASTY_MESSAGE)?;
    control.crash_on(Duration::from_millis(200))?;
    let delay = Duration::from_millis(500);
    let interval = Duration::from_mins(5);
    let restart = RestartStrategy::FailureRate { max: 3, interval, delay };
    let job_id = flink.submit(&JobSpec { restart, ..JobSpec::new("orders", control) }).await?;
    flink.rest().wait_for_state(&job_id, &["FAILED"], SOON).await?;

    let failures = control.failures()?;
    ensure!((3..=4).contains(&failures), "{failures} failures with at most 3 per interval");
    let history = time::wait_for("complete exception history", SOON, || async {
        let entries = flink.exceptions(&job_id).await?;
        Ok((entries.len() >= failures).then_some(entries))
    })
    .await?;
    assert_eq!(history.len(), failures, "{history:#?}");
    for entry in &history {
        let trace = entry["stacktrace"].as_str().context("entry without a stack trace")?;
        let cause = format!("Caused by: com.example.orders.PoisonRecordException: {NASTY_MESSAGE}");
        ensure!(trace.contains(&cause), "{trace}");
        ensure!(trace.contains("at com.example.orders.OrderParser.parseAmount"), "{trace}");
    }
    tools::note(&format!("FAILED after {failures} failures, all in the history"));
    control.crash_off()
}

/// Returns the healthy job and the path of a checkpoint of it.
async fn checkpoints_and_backlog_obey(
    flink: &Flink,
    control: &Control,
) -> Result<(String, String)> {
    let rest = flink.rest();
    control.set_backlog(4711)?;
    let restart = RestartStrategy::ExponentialDelay {
        initial: Duration::from_secs(2),
        max: Duration::from_secs(5),
        reset_after: Duration::from_mins(1),
    };
    let spec = JobSpec { restart, parallelism: 2, ..JobSpec::new("orders", control) };
    let job_id = flink.submit(&spec).await?;
    rest.wait_until_healthy(&job_id, SOON).await?;
    rest.wait_for_checkpoints(&job_id, 2, SOON).await?;

    let source = source_vertex(flink, &job_id).await?;
    let metric = "Source__orders-source.pendingRecords";
    let path = format!("/jobs/{job_id}/vertices/{source}/subtasks/metrics?get={metric}&agg=sum");
    time::wait_for("backlog", SOON, || async {
        let answer = rest.get(&path).await?;
        Ok((answer[0]["sum"] == 4711.0).then_some(()))
    })
    .await?;

    control.fail_checkpoints(true)?;
    let failed = time::wait_for("two failed checkpoints", SOON, || async {
        let checkpoints = rest.checkpoints(&job_id).await?;
        let enough = checkpoints["counts"]["failed"].as_u64() >= Some(2);
        Ok(enough.then(|| checkpoints["latest"]["failed"].clone()))
    })
    .await?;
    ensure!(failed["failure_message"].is_string(), "{failed:#}");
    control.fail_checkpoints(false)?;
    let before = rest.checkpoints(&job_id).await?["counts"]["completed"].as_u64().unwrap_or(0);
    let checkpoint = rest.wait_for_checkpoints(&job_id, before + 1, SOON).await?;
    ensure!(flink.exceptions(&job_id).await?.is_empty(), "a failed checkpoint restarted the job");
    Ok((job_id, checkpoint))
}

async fn source_vertex(flink: &Flink, job_id: &str) -> Result<String> {
    let job = flink.rest().get(&format!("/jobs/{job_id}")).await?;
    let mut vertices = job["vertices"].as_array().into_iter().flatten();
    let is_source = |vertex: &&Value| {
        vertex["name"].as_str().is_some_and(|name| name.contains("orders-source"))
    };
    let source = vertices.find(is_source).with_context(|| format!("no source in {job:#}"))?;
    Ok(source["id"].as_str().context("vertex without an id")?.to_owned())
}

async fn a_killed_taskmanager_restarts_the_job(flink: &mut Flink, job_id: &str) -> Result<()> {
    let killed = time::now();
    flink.kill_taskmanager(0).await?;
    flink.rest().wait_for_state(job_id, &["RESTARTING"], SOON).await?;
    tools::note(&format!("loss of the TaskManager seen after {:?}", time::since(killed)));
    assert_eq!(flink.start_taskmanager().await?, 1);
    flink.rest().wait_until_healthy(job_id, SOON).await?;
    time::wait_for("restored checkpoint", SOON, || async {
        let checkpoints = flink.rest().checkpoints(job_id).await?;
        Ok((checkpoints["counts"]["restored"].as_u64() >= Some(1)).then_some(()))
    })
    .await
}

async fn a_job_continues_from_a_checkpoint(
    flink: &Flink,
    control: &Control,
    job_id: &str,
    checkpoint: &str,
) -> Result<()> {
    let rest = flink.rest();
    ensure!(checkpoint.contains(job_id), "{checkpoint} is not one of {job_id}");
    flink.cancel(job_id).await?;
    rest.wait_for_state(job_id, &["CANCELED"], SOON).await?;
    let kept = time::wait_for("last checkpoint", SOON, || async {
        let checkpoints = rest.checkpoints(job_id).await?;
        let last = &checkpoints["latest"]["completed"];
        let path = last["external_path"].as_str().filter(|_| last["discarded"] == false);
        // The answer may be a cached one from before the end; the file system is not.
        let exists = |path: &&str| Path::new(path.trim_start_matches("file:")).exists();
        Ok(path.filter(exists).map(str::to_owned))
    })
    .await?;

    let spec = JobSpec {
        savepoint_path: Some(kept.clone()),
        parallelism: 2,
        ..JobSpec::new("orders", control)
    };
    let again = flink.submit(&spec).await?;
    rest.wait_until_healthy(&again, SOON).await?;
    let restored = time::wait_for("restored job", SOON, || async {
        let checkpoints = rest.checkpoints(&again).await?;
        Ok(checkpoints["latest"]["restored"]["external_path"].as_str().map(str::to_owned))
    })
    .await?;
    assert_eq!(restored, kept);
    control.finish()?;
    rest.wait_for_state(&again, &["FINISHED"], SOON).await?;
    Ok(())
}

async fn a_killed_jobmanager_comes_back_empty(flink: &mut Flink, control: &Control) -> Result<()> {
    flink.kill_jobmanager().await?;
    ensure!(flink.rest().get("/overview").await.is_err(), "a killed JobManager answered");
    flink.restart_jobmanager().await?;
    let overview = flink.rest().get("/jobs/overview").await?;
    assert_eq!(overview["jobs"], Value::Array(Vec::new()));
    control.resume()?;
    let job_id = flink.submit(&JobSpec::new("orders", control)).await?;
    flink.rest().wait_until_healthy(&job_id, SOON).await
}

#[tokio::test]
async fn a_dropped_process_is_gone() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("sleep.log");
    let argv = ["sleep".to_owned(), "600".to_owned()];
    let mut sleeper = Leashed::spawn("sleep", &argv, &[], &log).await?;
    ensure!(sleeper.is_running()?, "{}", sleeper.log_tail(5));
    let pid = sleeper.pid();
    drop(sleeper);
    time::wait_for("end of the process", SOON, || async move {
        let mut probe = tokio::process::Command::new("kill");
        let status = probe.args(["-0", &pid.to_string()]).stderr(Stdio::null()).status().await?;
        Ok((!status.success()).then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_missing_program_is_named() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let argv = ["no-such-program".to_owned()];
    let error = Leashed::spawn("nothing", &argv, &[], &folder.path().join("log")).await;
    let text = format!("{:#}", error.err().context("a missing program started")?);
    ensure!(text.contains("cannot start no-such-program"), "{text}");
    let text = format!("{:#}", tools::require(&["javac-of-nowhere"]).err().context("found it")?);
    ensure!(text.contains("javac-of-nowhere"), "{text}");
    Ok(())
}

#[tokio::test]
async fn python_comes_with_its_packages() -> Result<()> {
    let python = python::python_with(&["aiosmtpd==1.4.6"]).await?;
    let program = "import aiosmtpd; print(aiosmtpd.__version__)";
    assert_eq!(tools::run(&python.to_string_lossy(), &["-c", program]).await?.trim(), "1.4.6");
    Ok(())
}
