//! Two hundred jobs fail within a second: a few messages, never more than the bot takes, and every
//! job is named or counted in what arrived.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::testbed::faults::Fault;
use crate::testbed::feishu::{self, Bot, Feishu};
use crate::testbed::fleet::{Failure, Fleet, FleetOptions, Version};
use crate::testbed::story;
use crate::testbed::tools;
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;

const CLUSTERS: usize = 10;
const JOBS: usize = 20;
const ALL: usize = CLUSTERS * JOBS;

/// The first cluster is nobody's worry: its failures are for the summary.
const RULES: &str = "
groups:
  - name: storm
    rules:
      - alert: JobFailed
        when: { job_state: { any_of: [FAILED] } }
        matchers: ['cluster!=\"c0\"']
        labels: { severity: critical }
      - alert: PlayJobFailed
        when: { job_state: { any_of: [FAILED] } }
        matchers: ['cluster=\"c0\"']
        labels: { severity: info }
";

struct Scene {
    fleet: Fleet,
    feishu: Feishu,
    _hanging: Webhook,
    weir: Weir,
    _dir: tempfile::TempDir,
}

impl Scene {
    /// With `extra` configuration of the route.
    async fn open(extra: &str) -> Result<Scene> {
        let dir = tempfile::tempdir()?;
        let fleet = Fleet::start(FleetOptions::of(CLUSTERS, JOBS, Version::V1_20)).await?;
        let feishu = Feishu::start([Bot::new("bot").keywords(&["告警"])]).await?;
        let hanging = Webhook::start(WebhookOptions::default()).await?;
        hanging.faults().share(1000, 1, Fault::Hang(Duration::from_hours(1)));
        std::fs::write(dir.path().join("rules.yaml"), RULES)?;
        let config = format!(
            r#"
poll: {{ interval: 1s, timeout: 5s }}
language: zh
rule_files: ["rules.yaml"]
incidents: {{ resolve_after: 2s }}
{extra}
receivers:
  - name: team
    channels:
      - webhook: {{ url: "{}", timeout: 2m }}
      - feishu_bot: {{ url: "{}" }}
{}"#,
            hanging.url(),
            feishu.url("bot"),
            story::sources(&fleet, CLUSTERS)
        );
        let weir = Weir::start(crate::binary(), dir.path(), &config).await?;
        story::ready(&weir).await?;
        Ok(Scene { fleet, feishu, _hanging: hanging, weir, _dir: dir })
    }

    fn strike(&self) {
        let failure = Failure::new("java.io.IOException", "the broker is gone");
        for cluster in 0..CLUSTERS {
            for job in 0..JOBS {
                self.fleet.kill_job(cluster, job, &failure);
            }
        }
    }

    /// Waits until Feishu has heard this of all jobs; returns the notices.
    async fn all_told(&self, reasons: &[&str]) -> Result<Vec<Value>> {
        let path = "notices?receiver=team";
        story::until(&self.weir, "everything told", path, |all| {
            let ours = all.iter().filter(|n| n["channel"] == "feishu_bot");
            let told = ours.filter(|n| {
                let outcome = n["outcome"].as_str().unwrap_or_default();
                matches!(outcome, "sent" | "folded") && reasons.iter().any(|r| n["reason"] == *r)
            });
            told.count() >= ALL
        })
        .await
    }

    /// Every notice's message arrived, and its text names or counts all it stands for.
    async fn prove(&self, notices: &[Value]) -> Result<()> {
        let mut by_message: BTreeMap<u64, usize> = BTreeMap::new();
        for notice in notices.iter().filter(|n| n["channel"] == "feishu_bot") {
            ensure!(notice["outcome"] != "failed", "{notice:#}");
            if let Some(message) = notice["message"].as_u64() {
                *by_message.entry(message).or_default() += 1;
            }
        }
        let messages = story::list(&self.weir, "messages?receiver=team").await?;
        let accepted: Vec<String> =
            self.feishu.accepted().iter().map(crate::testbed::feishu::Received::text).collect();
        let mut proven = 0;
        for (id, count) in by_message {
            let message = messages.iter().find(|m| m["id"] == id).context("no such message")?;
            let title = message["title"].as_str().unwrap_or_default();
            ensure!(message["state"] == "sent", "{message:#}");
            let text = accepted.iter().find(|t| t.contains(title)).context("it never arrived")?;
            let named = text.matches("job-").count();
            ensure!(
                named >= count || text.contains(&count.to_string()),
                "{count} notices, but {named} named and none counted: {text}"
            );
            proven += count;
        }
        ensure!(proven >= ALL, "{proven} of {ALL} proven");
        Ok(())
    }

    fn note(&self, what: &str) {
        let received = self.feishu.received();
        let largest = received.iter().map(|r| r.raw.len()).max().unwrap_or(0);
        tools::note(&format!(
            "{what}: {} requests, {} seen by people, largest {largest} B, {} over the rate\n{}",
            received.len(),
            self.feishu.accepted().len(),
            self.feishu.rate_violations(),
            self.feishu
                .accepted()
                .iter()
                .map(crate::testbed::feishu::Received::text)
                .collect::<Vec<_>>()
                .join("\n---\n"),
        ));
    }
}

const GROUPED: &str =
    "route: { receiver: team, group_by: [cluster], group_wait: 1s, group_interval: 3s }";
/// Nothing but the budget holds it back.
const EACH_ALONE: &str = "
storm: { incidents: 100000, within: 1s }
route: { receiver: team, group_by: ['...'], group_wait: 0s, group_interval: 1s }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_failures_are_a_handful_of_messages() -> Result<()> {
    let scene = Scene::open(GROUPED).await?;
    scene.strike();
    let notices = scene.all_told(&["opened"]).await?;
    scene.note("storm");
    scene.prove(&notices).await?;
    assert_eq!(scene.feishu.rate_violations(), 0);
    assert_eq!(scene.feishu.refused().len(), 0, "{:?}", scene.feishu.refused());
    let opened = scene.feishu.accepted().len();
    ensure!(opened <= CLUSTERS, "{opened} messages");
    for text in scene.feishu.accepted().iter().map(crate::testbed::feishu::Received::text) {
        // What a person has to see now comes first.
        let urgent = text.rfind(" JobFailed").unwrap_or(0);
        ensure!(urgent < text.find("PlayJobFailed").unwrap_or(usize::MAX), "{text}");
    }
    let stuck = story::list(&scene.weir, "messages?state=due").await?;
    let hangs = |m: &&Value| m["channel"] == "webhook" && m["attempts"] == 1;
    ensure!(stuck.iter().any(|m| hangs(&m)), "the webhook does not hang: {stuck:#?}");

    for cluster in 0..CLUSTERS {
        for job in 0..JOBS {
            scene.fleet.submit_again(cluster, job);
        }
    }
    scene.all_told(&["resolved"]).await?;
    scene.note("storm over");
    let all = scene.feishu.accepted().len();
    ensure!(all <= 2 * CLUSTERS, "{all} messages");
    assert_eq!(scene.feishu.rate_violations(), 0);
    scene.weir.kill9_and_forget().await
}

async fn passes(share: u64, fault: Fault) -> Result<()> {
    let scene = Scene::open(EACH_ALONE).await?;
    // The first request meets it for sure, then a share of all.
    scene.feishu.faults().share(share, 7, fault.clone());
    scene.feishu.faults().next(1, &fault);
    scene.strike();
    let notices = scene.all_told(&["opened"]).await?;
    scene.note(&format!("{share} of 1000 {fault:?}"));
    scene.prove(&notices).await?;
    let met = scene.feishu.received().iter().filter(|r| r.fault.is_some()).count();
    ensure!(met > 0, "no request met the fault");
    assert_eq!(scene.feishu.rate_violations(), 0);
    assert_eq!(scene.feishu.refused().len(), 0, "{:?}", scene.feishu.refused());
    scene.weir.kill9_and_forget().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_told_though_the_bot_refuses_a_third() -> Result<()> {
    passes(300, Fault::code(feishu::FREQUENCY_LIMITED, "frequency limited")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_told_though_a_tenth_of_the_answers_is_lost() -> Result<()> {
    passes(100, Fault::AcceptThenDrop).await
}
