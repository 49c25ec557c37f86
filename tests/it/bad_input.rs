//! Flink answers nonsense, or not at all: jobs go unknown, nothing is resolved or lost, memory stays
//! bounded, and afterwards all is as before.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::testbed::fleet::{Failure, Fault, Fleet, FleetOptions, Version};
use crate::testbed::story;
use crate::testbed::tools;
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;

const RULES: &str = "
groups:
  - name: bad
    rules:
      - alert: JobFailed
        when: { job_state: { any_of: [FAILED] } }
        labels: { severity: critical }
      - alert: JobMissing
        when: { job_missing: {} }
        labels: { severity: critical }
      - alert: ClusterUnreachable
        when: { source_unreachable: {} }
        for: 2s
        labels: { severity: critical }
";

const MEMORY_LIMIT_KB: u64 = 120 * 1024;

struct Scene {
    fleet: Fleet,
    hook: Webhook,
    weir: Weir,
    _dir: tempfile::TempDir,
}

impl Scene {
    async fn open() -> Result<Scene> {
        let dir = tempfile::tempdir()?;
        let fleet = Fleet::start(FleetOptions::of(2, 3, Version::V2_2)).await?;
        let hook = Webhook::start(WebhookOptions::default()).await?;
        std::fs::write(dir.path().join("rules.yaml"), RULES)?;
        let poll = "interval: 500ms, timeout: 1s";
        let config = story::config(&hook, (&fleet, 2), poll, "0s");
        let weir = Weir::start(crate::binary(), dir.path(), &config).await?;
        story::ready(&weir).await?;
        story::after_polls(&weir, 2).await?;
        Ok(Scene { fleet, hook, weir, _dir: dir })
    }

    fn news(&self) -> Vec<(u64, String, String)> {
        self.hook.accepted().iter().flat_map(story::told).collect()
    }
}

fn of_cluster(jobs: &[Value], stale: bool) -> bool {
    let mut ours = jobs.iter().filter(|j| j["cluster"] == "c0").peekable();
    ours.peek().is_some() && ours.all(|j| j["stale"] == stale)
}

/// One job dead, two well; then the cluster misbehaves, and gets well again.
async fn meets(fault: Fault) -> Result<()> {
    let Scene { fleet, hook, weir, .. } = &Scene::open().await?;
    fleet.kill_job(0, 0, &Failure::new("java.io.IOException", "disk gone"));
    story::until(weir, "the dead job's incident", "incidents?state=open", |all| all.len() == 1)
        .await?;
    let states = |jobs: &[Value]| -> Vec<(Value, Value)> {
        jobs.iter().map(|j| (j["key"].clone(), j["state"].clone())).collect()
    };
    let before = states(&story::list(weir, "jobs").await?);

    fleet.cluster_fault(0, Some(fault));
    let jobs = story::until(weir, "unknown jobs", "jobs", |all| of_cluster(all, true)).await?;
    ensure!(states(&jobs) == before, "{fault:?} changed a state: {jobs:#?}");
    let dark = story::until(weir, "unreachable cluster", "incidents?state=open", |all| {
        all.iter().any(|i| i["rule"] == "ClusterUnreachable")
    })
    .await?;
    story::after_polls(weir, 4).await?;
    let now = story::list(weir, "incidents").await?;
    ensure!(now.len() == 2, "one dead job and one dark cluster, not {now:#?}");
    ensure!(now.iter().all(|i| i["state"] == "open"), "{fault:?} resolved something: {now:#?}");
    let sources = story::list(weir, "sources").await?;
    let down = sources.iter().find(|s| s["name"] == "c0").context("no c0")?;
    let error = down["error"].as_str().context("no error")?;
    ensure!(down["up"] == false && error.len() < 600, "{down:#}");
    ensure!(sources.iter().any(|s| s["name"] == "c1" && s["up"] == true), "{sources:#?}");
    ensure!(weir.text("/metrics").await?.contains("weir_source_up{source=\"c0\"} 0"));
    ensure!(weir.answer("/-/ready").await?.0 == 200, "it decides and tells");
    let peak = weir.peak_kb()?;
    tools::note(&format!("{fault:?}: peak {peak} KB, {error}"));
    ensure!(peak < MEMORY_LIMIT_KB, "{peak} KB resident");

    fleet.cluster_fault(0, None);
    story::until(weir, "seen again", "jobs", |all| of_cluster(all, false)).await?;
    let is_dark = |i: &&Value| i["id"] == dark[0]["id"] || i["rule"] == "ClusterUnreachable";
    story::until(weir, "end of the darkness", "incidents?state=resolved", |all| {
        all.iter().any(|i| is_dark(&i))
    })
    .await?;
    fleet.submit_again(0, 0);
    story::until(weir, "recovery", "incidents?state=resolved", |all| all.len() == 2).await?;
    story::until(weir, "everything told", "notices", |all| {
        all.iter().all(|n| n["outcome"] == "sent")
    })
    .await?;
    let mut reasons: Vec<String> = hook
        .accepted()
        .iter()
        .flat_map(story::told)
        .map(|(incident, reason, _)| format!("{reason} #{incident}"))
        .collect();
    reasons.sort();
    ensure!(reasons == ["opened #1", "opened #2", "resolved #1", "resolved #2"], "{reasons:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_page() -> Result<()> {
    meets(Fault::Html).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_an_answer() -> Result<()> {
    meets(Fault::TruncatedJson).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_megabytes() -> Result<()> {
    meets(Fault::HugeBody(100 << 20)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_to_nowhere() -> Result<()> {
    meets(Fault::RedirectNowhere).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_at_all() -> Result<()> {
    meets(Fault::Hang).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_leader_for_a_while() -> Result<()> {
    meets(Fault::Http503NoLeader).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_off_or_stepping_changes_nothing_but_a_metric() -> Result<()> {
    let scene = Scene::open().await?;
    let Scene { fleet, weir, .. } = &scene;
    let hour = Duration::from_hours(1).as_millis() as i64;
    for offset in [hour, -hour, 0, 90_000] {
        fleet.clock_offset(0, offset);
        story::after_polls(weir, 4).await?;
        let sources = story::list(weir, "sources").await?;
        let off = sources[0]["clock_offset_seconds"].as_f64().context("no offset")?;
        ensure!((off.abs() - (offset as f64 / 1000.0).abs()).abs() < 30.0, "{offset}: {off}");
        let jobs = story::list(weir, "jobs").await?;
        ensure!(jobs.iter().all(|j| j["stale"] == false && j["state"] == "RUNNING"), "{jobs:#?}");
    }
    ensure!(
        weir.text("/metrics").await?.contains("weir_source_clock_offset_seconds{source=\"c0\"}")
    );
    ensure!(weir.log().contains("clock_skew"), "no warning: {}", weir.log_tail());
    ensure!(scene.news().is_empty(), "{:?}", scene.news());
    // A failure counts once, however the clock steps afterwards.
    fleet.kill_job(0, 1, &Failure::new("java.io.IOException", "disk gone"));
    let path = "incidents?state=open";
    story::until(weir, "the dead job's incident", path, |all| all.len() == 1).await?;
    fleet.clock_offset(0, hour);
    story::after_polls(weir, 4).await?;
    let found = story::list(weir, "incidents").await?;
    ensure!(found.len() == 1 && found[0]["occurrences"] == 1, "{found:#?}");
    Ok(())
}
