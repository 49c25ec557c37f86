//! How jobs begin and end on a real Flink, as the conditions about it see them: finished, stopped
//! with a savepoint, refused at the start, stuck for slots, begun with nothing, without checkpoints,
//! and with a checkpoint that does not get done.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use weir::clock::{Clock, SystemClock};
use weir::model::{Demand, JobKey, Truth, Verdict};
use weir::rules::kinds::{About, Condition, Facts};
use weir::sources::Source;
use weir::sources::flink::{FlinkConfig, FlinkSource};
use weir::tracker::{ClusterFacts, Tracker};

use crate::testbed::control::Control;
use crate::testbed::flink::{Flink, FlinkOptions};
use crate::testbed::job::JobSpec;
use crate::testbed::story::SOON;
use crate::testbed::tools;

const POLL: Duration = Duration::from_secs(2);

/// A source and what became of its looks.
struct Watch {
    source: FlinkSource,
    tracker: Tracker,
    clock: SystemClock,
}

impl Watch {
    async fn look(&mut self) {
        let demand = Demand {
            counters: true,
            checkpoints: true,
            failures: true,
            job_type: true,
            ..Demand::default()
        };
        let snapshot = self.source.poll(&demand, self.clock.now()).await;
        self.tracker.step(self.clock.now(), &snapshot);
    }

    fn judge(&self, job: &str, when: &Value) -> Result<Verdict> {
        let when: Condition = serde_json::from_value(when.clone())?;
        let key = JobKey::new("prod", "", "", job);
        let Some(facts) = self.tracker.job_facts(&key, self.clock.now()) else {
            return Ok(Verdict::bare(Truth::Unknown));
        };
        Ok(when.judge(&Facts { asks_why: true, ..Facts::of(About::Job(facts)) }))
    }

    fn is_restarted(&self) -> Result<Truth> {
        let when: Condition = serde_json::from_value(json!({ "jobmanager_restarted": {} }))?;
        let source = self.tracker.source("prod").context("no look yet")?;
        let time = self.clock.now();
        let cluster = ClusterFacts { source, flink_cluster: "prod", time };
        Ok(when.judge(&Facts::of(About::Cluster(cluster))).truth)
    }

    /// Looks until every condition is as expected, and stays so for two looks more.
    async fn until(
        &mut self,
        expected: &[(&str, Value, Truth)],
    ) -> Result<BTreeMap<String, Verdict>> {
        let mut seen = BTreeMap::new();
        let mut right = 0;
        for _ in 0..SOON.as_secs() / POLL.as_secs() {
            self.look().await;
            let mut all = true;
            for (job, when, truth) in expected {
                let verdict = self.judge(job, when)?;
                all &= verdict.truth == *truth;
                seen.insert(format!("{job} {when}"), verdict);
            }
            right = if all { right + 1 } else { 0 };
            if right == 3 {
                return Ok(seen);
            }
            tokio::time::sleep(POLL).await;
        }
        anyhow::bail!("not as expected {expected:#?}: {seen:#?}")
    }
}

/// The text among the evidence of one verdict.
fn told(seen: &BTreeMap<String, Verdict>, job: &str, key: &str) -> String {
    let verdict = seen.iter().find(|(name, _)| name.starts_with(&format!("{job} ")));
    let value = verdict.and_then(|(_, verdict)| verdict.evidence.get(key));
    value.map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).unwrap_or_default()
}

#[tokio::test]
async fn jobs_begin_and_end_as_they_are_told_to() -> Result<()> {
    let flink = Flink::start(FlinkOptions::default()).await?;
    let config = FlinkConfig::at("prod", flink.rest_urls());
    let mut watch = Watch {
        source: FlinkSource::new(config, Duration::from_secs(10), "test")?,
        tracker: Tracker::default(),
        clock: SystemClock::anchored(None),
    };
    // Everything that follows is news.
    watch.look().await;

    let control = |name: &str| Control::new(&flink.dir().join(format!("control-{name}")));
    let spec = |name: &str| Ok::<_, anyhow::Error>(JobSpec::new(name, &control(name)?));
    let orders = flink.submit(&spec("orders")?).await?;
    let ending = flink.submit(&spec("ending")?).await?;
    let stopped = flink.submit(&spec("stopped")?).await?;
    flink.submit(&JobSpec { checkpoint_interval: None, ..spec("plain")? }).await?;
    let slow = spec("slow")?;
    slow.control.delay_checkpoints(Duration::from_mins(5))?;
    flink.submit(&slow).await?;
    let nowhere = Some("file:///nowhere/chk-7".to_owned());
    // Flink may refuse the call or take the job: both leave a job that failed.
    let refused = flink.submit(&JobSpec { savepoint_path: nowhere, ..spec("refused")? }).await;
    tools::note(&format!("{}: refused by the call: {}", flink.version(), refused.is_err()));

    for job in [&orders, &ending, &stopped] {
        flink.rest().wait_until_healthy(job, SOON).await?;
        flink.rest().wait_for_checkpoints(job, 2, SOON).await?;
    }
    let finished = json!({ "job_finished": {} });
    let disabled = json!({ "checkpointing_disabled": {} });
    let scratch = json!({ "restored_from_scratch": {} });
    let start_failed = json!({ "start_failed": {} });
    let stuck = json!({ "checkpoint_stuck": { "after": "20s" } });
    let seen = watch
        .until(&[
            ("refused", start_failed.clone(), Truth::True),
            ("orders", start_failed.clone(), Truth::False),
            ("plain", disabled.clone(), Truth::True),
            ("orders", disabled, Truth::False),
            ("orders", scratch.clone(), Truth::False),
            ("orders", finished.clone(), Truth::False),
            ("slow", stuck.clone(), Truth::True),
            ("stopped", stuck, Truth::False),
        ])
        .await?;
    let error = told(&seen, "refused", "start_error");
    tools::note(&format!("{}: {error}", flink.version()));
    ensure!(error.contains("nowhere"), "{seen:#?}");
    tools::note(&format!(
        "acknowledged {} of {}",
        told(&seen, "slow", "acknowledged"),
        told(&seen, "slow", "subtasks")
    ));

    control("ending")?.finish()?;
    let folder = flink.dir().join("savepoints").display().to_string();
    let stop = json!({ "targetDirectory": folder, "drain": false });
    flink.rest().post(&format!("/jobs/{stopped}/stop"), &stop).await?;
    flink.cancel(&orders).await?;
    for (job, state) in [(&ending, "FINISHED"), (&stopped, "FINISHED"), (&orders, "CANCELED")] {
        flink.rest().wait_for_state(job, &[state], SOON).await?;
    }
    watch
        .until(&[
            ("ending", finished.clone(), Truth::True),
            ("stopped", finished.clone(), Truth::False),
            ("orders", finished, Truth::False),
        ])
        .await?;

    // The savepoint is forgotten; then it is not.
    let again = flink.submit(&spec("orders")?).await?;
    flink.rest().wait_until_healthy(&again, SOON).await?;
    let seen = watch.until(&[("orders", scratch.clone(), Truth::True)]).await?;
    ensure!(told(&seen, "orders", "left_checkpoint").contains(&orders), "{seen:#?}");
    let path = flink.rest().wait_for_checkpoints(&again, 2, SOON).await?;
    flink.cancel(&again).await?;
    flink.rest().wait_for_state(&again, &["CANCELED"], SOON).await?;
    let newest = flink.rest().checkpoints(&again).await?;
    let newest = newest["latest"]["completed"]["external_path"].as_str().map(str::to_owned);
    let restored = JobSpec { savepoint_path: newest.or(Some(path)), ..spec("orders")? };
    let restored = flink.submit(&restored).await.context("restored")?;
    flink.rest().wait_until_healthy(&restored, SOON).await?;

    flink.submit(&JobSpec { parallelism: 64, ..spec("huge")? }).await?;
    let start_stuck = json!({ "start_stuck": { "after": "10s" } });
    let seen = watch
        .until(&[
            ("huge", start_stuck.clone(), Truth::True),
            ("orders", start_stuck, Truth::False),
            ("orders", scratch, Truth::False),
            ("orders", start_failed, Truth::False),
        ])
        .await?;
    let reason = told(&seen, "huge", "reason");
    tools::note(&format!("{}: {reason}", flink.version()));
    ensure!(reason.starts_with("waiting for slots: "), "{seen:#?}");
    flink.stop().await
}

#[tokio::test]
async fn another_jobmanager_is_noticed() -> Result<()> {
    let mut flink = Flink::start(FlinkOptions::default()).await?;
    let config = FlinkConfig::at("prod", flink.rest_urls());
    let mut watch = Watch {
        source: FlinkSource::new(config, Duration::from_secs(10), "test")?,
        tracker: Tracker::default(),
        clock: SystemClock::anchored(None),
    };
    let control = Control::new(&flink.dir().join("control"))?;
    let job = flink.submit(&JobSpec::new("orders", &control)).await?;
    flink.rest().wait_for_checkpoints(&job, 5, SOON).await?;
    for _ in 0..3 {
        watch.look().await;
        ensure!(watch.is_restarted()? == Truth::False, "it is the first one");
    }
    flink.kill_jobmanager().await?;
    watch.look().await;
    ensure!(watch.is_restarted()? == Truth::Unknown, "nothing is seen of it");
    flink.restart_jobmanager().await?;
    let mut looks = 0;
    while watch.is_restarted()? != Truth::True {
        looks += 1;
        ensure!(looks <= 10, "not noticed within {looks} looks");
        tokio::time::sleep(POLL).await;
        watch.look().await;
    }
    tools::note(&format!("{}: noticed at look {looks}", flink.version()));
    flink.stop().await
}
