//! The only `TaskManager` is gone: Weir says so within three polls of Flink showing it, though the
//! metrics stand still, and the count is that of Flink's own history.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::testbed::control::Control;
use crate::testbed::flink::{Flink, FlinkOptions};
use crate::testbed::job::{JobSpec, RestartStrategy};
use crate::testbed::story::{self, SOON};
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;
use crate::testbed::{time, tools};

const JOB: &str = "orders";

/// Waits until Flink shows the trouble, and returns how many polls Weir had made by then.
async fn visible(flink: &Flink, job: &str, weir: &Weir, restarts: bool) -> Result<u64> {
    time::wait_for("trouble in Flink's answer", SOON, || async {
        // With restarts the job lives on, in whatever state; else it dies.
        let state = flink.job_state(job).await?;
        let shown = if restarts { state != "RUNNING" } else { state == "FAILED" };
        if shown { Ok(Some(story::polls(weir).await?)) } else { Ok(None) }
    })
    .await
}

async fn killed(version: &str, restarts: bool) -> Result<()> {
    let dir = tempfile::tempdir()?;
    // Flink's own default, so that metrics are as late as in production.
    let mut options = FlinkOptions::version(version);
    options.conf = vec![("metrics.fetcher.update-interval".to_owned(), "10000".to_owned())];
    let mut flink = Flink::start(options).await?;
    let hook = Webhook::start(WebhookOptions::default()).await?;
    let config = format!(
        r#"
poll: {{ interval: 2s, timeout: 5s }}
sources:
  - flink: {{ name: prod, urls: {:?} }}
incidents: {{ resolve_after: 4s }}
route: {{ receiver: team, group_by: [cluster], group_wait: 0s, group_interval: 20s }}
receivers:
  - name: team
    channels:
      - webhook: {{ url: "{}" }}
"#,
        flink.rest_urls(),
        hook.url()
    );
    let control = Control::new(&flink.dir().join("control"))?;
    let delay = Duration::from_secs(1);
    let restart = if restarts {
        RestartStrategy::FixedDelay { attempts: 100_000, delay }
    } else {
        RestartStrategy::None
    };
    let spec = JobSpec { restart, ..JobSpec::new(JOB, &control) };
    let job = flink.submit(&spec).await?;
    flink.rest().wait_for_checkpoints(&job, 2, SOON).await?;
    let weir = Weir::start(crate::binary(), dir.path(), &config).await?;
    story::ready(&weir).await?;
    story::after_polls(&weir, 3).await?;
    ensure!(story::list(&weir, "incidents").await?.is_empty(), "it was healthy");

    flink.kill_taskmanager(0).await?;
    let shown = visible(&flink, &job, &weir, restarts).await?;
    let found = story::until(&weir, "open incident", "incidents?state=open", |all| {
        all.iter().any(|i| i["labels"]["job_name"] == JOB)
    })
    .await?;
    let polls = story::polls(&weir).await? - shown;
    let frozen = story::list(&weir, "sources").await?[0]["metrics_frozen"] == true;
    tools::note(&format!("{version}: {} after {polls} polls, frozen: {frozen}", found[0]["rule"]));
    ensure!(polls <= 3, "{polls} polls after Flink showed it");
    // With Flink's default slot timeout a job with restarts waits, and rarely fails.
    let rule = if restarts { "TaskManagerLost" } else { "JobFailed" };
    ensure!(found[0]["rule"] == rule, "{:#}", found[0]);

    flink.start_taskmanager().await?;
    let alive = if restarts {
        job.clone()
    } else {
        let left = flink.rest().checkpoints(&job).await?;
        let path = left["latest"]["completed"]["external_path"].as_str().map(str::to_owned);
        ensure!(path.is_some(), "no checkpoint left: {left:#}");
        flink.submit(&JobSpec { savepoint_path: path, ..spec }).await?
    };
    flink.rest().wait_until_healthy(&alive, 2 * SOON).await?;
    let over = story::until(&weir, "end of the incident", "incidents", |all| {
        all.iter().all(|i| i["state"] == "resolved")
    })
    .await?;
    // Checkpoints that failed for the same reason are an incident of their own, and muted.
    let over: Vec<_> = over.into_iter().filter(|i| i["aspect"] == "failure").collect();
    let truth = history(&flink, &job).await?;
    tools::note(&format!("{version}: {truth} failures, counted {}", over[0]["occurrences"]));
    ensure!(over.len() == 1 && over[0]["end_reason"] == "recovered", "{over:#?}");
    ensure!(over[0]["occurrences"].as_u64() == Some(truth), "{truth} failures: {over:#?}");
    let heard = hook.accepted();
    let openings = heard.iter().flat_map(story::told).filter(|t| t.1 == "opened").count();
    ensure!(openings == 1, "{heard:#?}");
    // Nor does anything wait to be told: what failed for the same reason ended unsaid.
    let notices = story::list(&weir, "notices").await?;
    let opened = notices.iter().filter(|n| n["reason"] == "opened" && n["outcome"] != "muted");
    ensure!(opened.count() == 1, "{notices:#?}");
    weir.stop().await?;
    flink.stop().await
}

/// Failures by Flink's own account. Its history has sixteen; beyond that the restart counter helps.
async fn history(flink: &Flink, job: &str) -> Result<u64> {
    let entries = flink.exceptions(job).await?.len() as u64;
    let counter = flink.rest().get(&format!("/jobs/{job}/metrics?get=numRestarts")).await?;
    let restarts = counter[0]["value"].as_str().and_then(|v| v.parse().ok()).unwrap_or(0);
    Ok(entries.max(restarts))
}

#[tokio::test]
async fn a_job_without_restarts_is_told_dead_on_flink_1() -> Result<()> {
    killed("1.20.5", false).await
}

#[tokio::test]
async fn a_job_without_restarts_is_told_dead_on_flink_2() -> Result<()> {
    killed("2.2.1", false).await
}

#[tokio::test]
async fn a_job_that_finds_no_slot_is_told_to_stand_still_on_flink_1() -> Result<()> {
    killed("1.20.5", true).await
}

#[tokio::test]
async fn a_job_that_finds_no_slot_is_told_to_stand_still_on_flink_2() -> Result<()> {
    killed("2.2.1", true).await
}
