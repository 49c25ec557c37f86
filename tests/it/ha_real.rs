//! The leading `JobManager` of a highly available cluster is killed in the middle of an incident:
//! to Weir it is the same job, the same incident, and nothing counted goes back or twice.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::testbed::control::Control;
use crate::testbed::flink::release;
use crate::testbed::flink_ha::FlinkHa;
use crate::testbed::job::{JobSpec, RestartStrategy};
use crate::testbed::rest::FlinkRest;
use crate::testbed::story::{self, SOON};
use crate::testbed::table::Rows;
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;
use crate::testbed::{time, tools};

const JOB: &str = "orders";

/// The shipped rule with a window that a test outlives, and what a failover is told as.
const RULES: &str = "
groups:
  - name: ha
    rules:
      - alert: JobFailingRepeatedly
        when: { failure_rate: { count: 3, window: 2m } }
        labels: { severity: critical }
      - alert: JobFailed
        when: { job_state: { any_of: [FAILED] } }
        labels: { severity: critical }
      - alert: JobMissing
        when: { job_missing: {} }
        labels: { severity: critical }
      - alert: DuplicateJob
        when: { duplicate_job: {} }
        labels: { severity: critical }
      - alert: JobManagerRestarted
        when: { jobmanager_restarted: { within: 1m } }
        labels: { severity: warning }
      - alert: ClusterUnreachable
        when: { source_unreachable: {} }
        for: 2m
        labels: { severity: critical }
";

/// What may only grow, and what must stay one, as Weir says it again and again.
#[derive(Debug, Default)]
struct Kept {
    failures: u64,
    occurrences: u64,
    looks: u64,
    stale: u64,
}

impl Kept {
    async fn look(&mut self, weir: &Weir) -> Result<Value> {
        let jobs = story::list(weir, "jobs").await?;
        ensure!(jobs.len() == 1 && jobs[0]["name"] == JOB, "one job, not {jobs:#?}");
        let job = jobs[0].clone();
        ensure!(job["missing"] == false && job["live_runs"].as_u64() <= Some(1), "{job:#}");
        let failures = job["failures"].as_u64().context("no failures")?;
        ensure!(failures >= self.failures, "{} failures, and now {job:#}", self.failures);
        let of_job = incidents(weir, "failure").await?;
        ensure!(of_job.len() <= 1, "one episode is one incident: {of_job:#?}");
        if let Some(incident) = of_job.first() {
            let occurrences = incident["occurrences"].as_u64().context("no occurrences")?;
            ensure!(occurrences >= self.occurrences, "{} before, {incident:#}", self.occurrences);
            self.occurrences = occurrences;
        }
        self.failures = failures;
        self.looks += 1;
        self.stale += u64::from(job["stale"] == true);
        Ok(job)
    }
}

/// Whether this `JobManager` runs the job, or knows one that does.
async fn is_well(rest: &FlinkRest, job: &str) -> bool {
    let Ok(job) = rest.job_overview(job).await else { return false };
    let (all, up) = (&job["tasks"]["total"], &job["tasks"]["running"]);
    job["state"] == "RUNNING" && all == up && all.as_u64() > Some(0)
}

async fn incidents(weir: &Weir, aspect: &str) -> Result<Vec<Value>> {
    let all = story::list(weir, "incidents").await?;
    Ok(all.into_iter().filter(|incident| incident["aspect"] == aspect).collect())
}

async fn leader_killed(version: &str) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mut flink = FlinkHa::start(version).await?;
    let hook = Webhook::start(WebhookOptions::default()).await?;
    std::fs::write(dir.path().join("rules.yaml"), RULES)?;
    let config = format!(
        r#"
poll: {{ interval: 1s, timeout: 5s }}
rule_files: ["rules.yaml"]
sources:
  - flink: {{ name: prod, urls: {:?} }}
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
    let control = Control::new(&flink.dir().join("control"))?;
    let delay = Duration::from_secs(1);
    let restart = RestartStrategy::FixedDelay { attempts: 100_000, delay };
    // By way of the one that stands by: to whom is asked it is one cluster.
    let job = flink.submit(1, &JobSpec { restart, ..JobSpec::new(JOB, &control) }).await?;
    flink.rest(0).wait_for_checkpoints(&job, 2, SOON).await?;
    let weir = Weir::start(crate::binary(), dir.path(), &config).await?;
    story::ready(&weir).await?;
    story::after_polls(&weir, 3).await?;
    ensure!(story::list(&weir, "incidents").await?.is_empty(), "it was healthy");
    let key = Kept::default().look(&weir).await?["key"].clone();

    let crashed_ms = time::now_ms();
    control.crash_times(3, Duration::from_millis(500))?;
    let opened = story::until(&weir, "open incident with all failures", "incidents", |all| {
        all.iter().any(|i| i["rule"] == "JobFailingRepeatedly" && i["occurrences"] == 3)
    })
    .await?;
    let id = opened[0]["id"].clone();
    flink.rest(0).wait_until_healthy(&job, SOON).await?;

    let leader = flink.leader()?;
    let other = 1 - leader;
    let mut kept = Kept::default();
    kept.look(&weir).await?;
    let (killed, killed_ms) = (time::now(), time::now_ms());
    flink.kill_manager(leader).await?;
    let rest = flink.rest(other);
    // What Weir says meanwhile is held against what it said before, poll by poll.
    while !is_well(&rest, &job).await {
        kept.look(&weir).await.with_context(|| weir.log_tail())?;
        ensure!(time::since(killed) < 2 * SOON, "the job does not come back");
        story::after_polls(&weir, 1).await?;
    }
    tools::note(&format!(
        "{version}: the job runs at the other one after {:?}",
        time::since(killed)
    ));
    let restored = rest.checkpoints(&job).await?;
    ensure!(restored["counts"]["restored"].as_u64() >= Some(1), "{restored:#}");
    flink.wait_for_leader(other).await?;

    // A failover is no failure of the job; what fails after it counts on from what was.
    let limit = time::now();
    let mut fresh = 0;
    while fresh < 10 {
        let now = kept.look(&weir).await.with_context(|| weir.log_tail())?;
        ensure!(now["key"] == key && now["job_id"] == job.as_str(), "{now:#}");
        let well = now["stale"] == false && now["state"] == "RUNNING";
        fresh = if well { fresh + 1 } else { 0 };
        ensure!(time::since(limit) < SOON, "not seen running again: {now:#}");
        story::after_polls(&weir, 1).await?;
    }
    tools::note(&format!("{version}: {kept:?}"));
    let after = incidents(&weir, "failure").await?;
    ensure!(after.len() == 1 && after[0]["id"] == id, "{after:#?}");
    ensure!(after[0]["occurrences"] == 3, "the failover was counted: {:#}", after[0]);
    control.crash_times(1, Duration::from_millis(500))?;
    story::until(&weir, "fourth failure", "incidents", |all| {
        all.iter().any(|i| i["id"] == id && i["occurrences"] == 4)
    })
    .await?;
    let numbers = rest.get(&format!("/jobs/{job}/metrics?get=numRestarts")).await?;
    tools::note(&format!("{version}: Flink's own counter after the failover: {numbers}"));
    kept.look(&weir).await?;

    // Its window passes, and it was one episode for those who were told.
    let deadline = time::now();
    loop {
        kept.look(&weir).await.with_context(|| weir.log_tail())?;
        if story::list(&weir, "incidents").await?.iter().all(|i| i["state"] == "resolved") {
            break;
        }
        ensure!(time::since(deadline) < 3 * SOON, "{:#?}", story::list(&weir, "incidents").await?);
        story::after_polls(&weir, 1).await?;
    }
    let all = story::list(&weir, "incidents").await?;
    let rules: Vec<&Value> = all.iter().map(|incident| &incident["rule"]).collect();
    tools::note(&format!("{version}: incidents {rules:?}"));
    let failing: Vec<_> = all.iter().filter(|i| i["aspect"] == "failure").collect();
    ensure!(failing.len() == 1 && failing[0]["end_reason"] == "recovered", "{all:#?}");
    // The failover itself is told once, as what it is, of the cluster.
    let platform: Vec<_> = all.iter().filter(|i| i["aspect"] == "platform").collect();
    ensure!(platform.len() == 1 && platform[0]["rule"] == "JobManagerRestarted", "{all:#?}");
    ensure!(all.len() == 2, "{all:#?}");
    let heard = hook.accepted();
    let told: Vec<_> = heard.iter().flat_map(story::told).collect();
    tools::note(&format!("{version}: told {told:?}"));
    for incident in &all {
        let of =
            |reason: &str| told.iter().filter(|t| incident["id"] == t.0 && t.1 == reason).count();
        ensure!(of("opened") == 1 && of("resolved") == 1 && of("reopened") == 0, "{told:?}");
    }
    let mut rows = Rows::of("Flink with ZooKeeper", version);
    let failing = "JobFailingRepeatedly";
    story::record(&mut rows, "a job fails three times", &hook, (failing, false), crashed_ms)
        .await?;
    let what = "the leading JobManager is killed";
    story::record(&mut rows, what, &hook, ("JobManagerRestarted", false), killed_ms).await?;
    weir.stop().await?;
    flink.stop().await?;
    rows.write()
}

#[tokio::test]
#[ignore = "make e2e: five JVMs, takes minutes"]
async fn the_leader_is_killed_on_flink_1() -> Result<()> {
    leader_killed(&release("1.20.5")).await
}

#[tokio::test]
#[ignore = "make e2e: five JVMs, takes minutes"]
async fn the_leader_is_killed_on_flink_2() -> Result<()> {
    leader_killed(&release("2.2.1")).await
}
