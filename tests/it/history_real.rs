//! Jobs whose cluster is gone, and a real `HistoryServer` that knows how they ended.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::testbed::control::Control;
use crate::testbed::flink::{Flink, FlinkOptions, release};
use crate::testbed::flink_history::{self, HistoryServer};
use crate::testbed::job::{JobSpec, RestartStrategy};
use crate::testbed::story::{self, SOON};
use crate::testbed::table::Rows;
use crate::testbed::time;
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;

const RULES: &str = "
groups:
  - name: history
    rules:
      - alert: JobFailed
        when: { job_state: { any_of: [FAILED] } }
        labels: { severity: critical }
      - alert: JobMissing
        when: { job_missing: {} }
        labels: { severity: critical }
";

fn named<'a>(all: &'a [Value], name: &str) -> Option<&'a Value> {
    all.iter().find(|job| job["name"] == name)
}

async fn ends_are_known(version: &str) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let archives = dir.path().join("archives");
    std::fs::create_dir_all(&archives)?;
    let mut flink = Flink::start(FlinkOptions {
        conf: flink_history::archives_to(&archives),
        ..FlinkOptions::version(version)
    })
    .await?;
    let hook = Webhook::start(WebhookOptions::default()).await?;
    let port = HistoryServer::port()?;
    std::fs::write(dir.path().join("rules.yaml"), RULES)?;
    let config = format!(
        r#"
poll: {{ interval: 1s, timeout: 5s }}
rule_files: ["rules.yaml"]
sources:
  - flink: {{ name: prod, urls: {:?} }}
  - history_server: {{ name: history, urls: ["http://127.0.0.1:{port}"] }}
incidents: {{ resolve_after: 5s }}
route: {{ receiver: team, group_by: [cluster], group_wait: 0s, group_interval: 1s }}
receivers:
  - name: team
    channels:
      - webhook: {{ url: "{}" }}
"#,
        flink.rest_urls(),
        hook.url()
    );
    let mut ids = Vec::new();
    let mut controls = Vec::new();
    for name in ["orders", "clicks"] {
        let control = Control::new(&flink.dir().join(name))?;
        let restart = RestartStrategy::None;
        let job = flink.submit(&JobSpec { restart, ..JobSpec::new(name, &control) }).await?;
        flink.rest().wait_until_healthy(&job, SOON).await?;
        ids.push(job);
        controls.push(control);
    }
    let mut weir = Weir::start(crate::binary(), dir.path(), &config).await?;
    story::until(&weir, "both jobs running", "jobs", |all| {
        all.iter().filter(|job| job["state"] == "RUNNING").count() == 2
    })
    .await?;

    // Nobody looks while one fails, the other is cancelled, and their cluster goes.
    weir.kill9().await?;
    controls.first().context("no control")?.crash_on(Duration::from_millis(100))?;
    flink.rest().wait_for_state(&ids[0], &["FAILED"], SOON).await?;
    flink.cancel(&ids[1]).await?;
    flink.rest().wait_for_state(&ids[1], &["CANCELED"], SOON).await?;
    time::wait_for("two archives", SOON, || async {
        let written = std::fs::read_dir(&archives)?.count();
        Ok((written >= 2).then_some(()))
    })
    .await?;
    flink.kill_jobmanager().await?;
    weir.resume().await?;
    story::until(&weir, "jobs out of sight", "jobs", |all| {
        all.len() == 2 && all.iter().all(|job| job["stale"] == true && job["state"] == "RUNNING")
    })
    .await?;
    let back = time::now_ms();
    let history = HistoryServer::start(version, dir.path(), &archives, port).await?;
    story::until(&weir, "how both ended", "jobs", |all| {
        named(all, "orders").is_some_and(|job| job["state"] == "FAILED")
            && named(all, "clicks").is_some_and(|job| job["state"] == "CANCELED")
    })
    .await
    .with_context(|| weir.log_tail())?;
    let opened = story::until(&weir, "incident with its root cause", "incidents", |all| {
        all.iter().any(|i| i["rule"] == "JobFailed" && !i["root_cause"].is_null())
    })
    .await?;
    let of_jobs: Vec<&Value> = opened.iter().filter(|i| i["aspect"] == "failure").collect();
    ensure!(of_jobs.len() == 1, "one failed, one was cancelled: {opened:#?}");
    let cause = of_jobs[0]["root_cause"].to_string();
    ensure!(cause.contains("PoisonRecordException"), "{cause}");
    let listed = history.rest().get("/jobs/overview").await?;
    crate::testbed::tools::note(&format!("{version}: {listed}"));
    ensure!(!opened.iter().any(|i| i["rule"] == "JobMissing"), "{opened:#?}");
    let mut rows = Rows::of("Flink and its HistoryServer", version);
    let what = "a job failed and its JobManager is gone; the HistoryServer answers";
    story::record(&mut rows, what, &hook, ("JobFailed", false), back).await?;
    weir.stop().await?;
    history.stop().await?;
    rows.write()
}

#[tokio::test]
#[ignore = "make e2e: three JVMs, takes a minute"]
async fn ends_of_jobs_whose_cluster_is_gone_are_known_on_flink_1() -> Result<()> {
    ends_are_known(&release("1.20.5")).await
}

#[tokio::test]
#[ignore = "make e2e: three JVMs, takes a minute"]
async fn ends_of_jobs_whose_cluster_is_gone_are_known_on_flink_2() -> Result<()> {
    ends_are_known(&release("2.2.1")).await
}
