//! The first look is a report, not an alarm: jobs that were dead before Weir came are named in one
//! summary, and only what happens from then on is news.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::testbed::control::Control;
use crate::testbed::feishu::{Bot, Feishu};
use crate::testbed::flink::{DEFAULT_VERSION, Flink, FlinkOptions};
use crate::testbed::job::{JobSpec, RestartStrategy};
use crate::testbed::smtp::{Smtp, SmtpOptions};
use crate::testbed::story::{self, SOON};
use crate::testbed::tools;
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;

const DEAD: [&str; 3] = ["ads-join", "ro-cn-sync", "ro-sea-sync"];
const WELL: &str = "users-healthy";

struct Ears {
    feishu: Feishu,
    webhook: Webhook,
    smtp: Smtp,
}

impl Ears {
    async fn open() -> Result<Ears> {
        Ok(Ears {
            feishu: Feishu::start([Bot::new("bot")]).await?,
            webhook: Webhook::start(WebhookOptions::default()).await?,
            smtp: Smtp::start(SmtpOptions::default()).await?,
        })
    }

    fn config(&self, flink: &Flink) -> String {
        format!(
            r#"
poll: {{ interval: 1s, timeout: 5s }}
sources:
  - flink: {{ name: prod, urls: {urls:?} }}
incidents: {{ resolve_after: 3s }}
route: {{ receiver: team, group_by: [cluster], group_wait: 0s, group_interval: 2s }}
receivers:
  - name: team
    channels:
      - feishu_bot: {{ url: "{feishu}" }}
      - email: {{ smtp_url: "{smtp}", tls: none, from: "weir@example.com", to: ["oncall@example.com"] }}
      - webhook: {{ url: "{hook}" }}
"#,
            urls = flink.rest_urls(),
            feishu = self.feishu.url("bot"),
            smtp = self.smtp.url(),
            hook = self.webhook.url(),
        )
    }

    /// What each channel has got so far, as text, refused requests included.
    fn heard(&self) -> [(&'static str, Vec<String>); 3] {
        let mails = self.smtp.mails();
        [
            (
                "feishu",
                self.feishu.received().iter().map(crate::testbed::feishu::Received::text).collect(),
            ),
            ("webhook", self.webhook.received().into_iter().map(|r| r.raw).collect()),
            ("email", mails.into_iter().map(|m| m.text.unwrap_or_default()).collect()),
        ]
    }

    async fn wait(&self, count: usize, weir: &Weir) -> Result<()> {
        let path = "notices?receiver=team";
        story::until(weir, &format!("{count} messages everywhere"), path, |_| {
            self.heard().iter().all(|(_, texts)| texts.len() >= count)
        })
        .await
        .map(|_| ())
    }
}

fn job(flink: &Flink, name: &str) -> Result<JobSpec> {
    let control = Control::new(&flink.dir().join("control").join(name))?;
    Ok(JobSpec {
        restart: RestartStrategy::FixedDelay { attempts: 3, delay: Duration::from_millis(100) },
        checkpoint_interval: Some(Duration::from_millis(500)),
        ..JobSpec::new(name, &control)
    })
}

#[tokio::test]
async fn jobs_dead_before_weir_came_are_one_summary() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let flink = Flink::start(FlinkOptions::version(DEFAULT_VERSION)).await?;
    let ears = Ears::open().await?;
    let well = flink.submit(&job(&flink, WELL)?).await?;
    let mut left = None;
    for name in DEAD {
        let spec = job(&flink, name)?;
        spec.control.crash_on(Duration::from_millis(100))?;
        let id = flink.submit(&spec).await?;
        flink.rest().wait_for_state(&id, &["FAILED"], SOON).await?;
        ensure!(spec.control.failures()? == 4, "it failed often enough for every rule");
        if name == DEAD[1] {
            let checkpoints = flink.rest().checkpoints(&id).await?;
            let path = checkpoints["latest"]["completed"]["external_path"].as_str();
            left = path.map(str::to_owned);
        }
    }
    flink.rest().wait_until_healthy(&well, SOON).await?;

    let weir = Weir::start(crate::binary(), dir.path(), &ears.config(&flink)).await?;
    story::ready(&weir).await?;
    ears.wait(1, &weir).await?;
    // Long enough for a group's next turn, a repeat and a rule that looks back.
    story::after_polls(&weir, 12).await?;
    for (channel, texts) in ears.heard() {
        tools::note(&format!("{channel}: {}", texts.join("\n---\n")));
        ensure!(texts.len() == 1, "{channel} got {}: {texts:#?}", texts.len());
        for name in DEAD {
            ensure!(texts[0].contains(name), "{channel} does not name {name}: {}", texts[0]);
        }
        ensure!(!texts[0].contains(WELL), "{channel}: {}", texts[0]);
    }
    let incidents = story::list(&weir, "incidents").await?;
    ensure!(incidents.len() == DEAD.len(), "{incidents:#?}");
    for incident in &incidents {
        // What failed before the first look is in no window: only the state is news.
        let alerts = incident["alerts"].as_array().context("no alerts")?;
        ensure!(alerts.iter().all(|a| a["alertname"] == "JobFailed"), "{incident:#}");
    }
    let seen = weir.text("/metrics").await?;
    ensure!(seen.contains("weir_failures_seen_total 0"), "old failures were counted: {seen}");

    let again = JobSpec { savepoint_path: left, ..job(&flink, DEAD[1])? };
    again.control.crash_off()?;
    let id = flink.submit(&again).await?;
    flink.rest().wait_until_healthy(&id, SOON).await?;
    ears.wait(2, &weir).await?;
    story::after_polls(&weir, 6).await?;
    for (channel, texts) in ears.heard() {
        ensure!(texts.len() == 2, "{channel} got {}: {texts:#?}", texts.len());
        let over = &texts[1];
        ensure!(over.contains(DEAD[1]), "{channel}: {over}");
        ensure!(!over.contains(DEAD[0]) && !over.contains(DEAD[2]), "{channel}: {over}");
    }
    let is_over = |i: &&Value| i["state"] == "resolved" && i["end_reason"] == "recovered";
    let incidents = story::list(&weir, "incidents").await?;
    ensure!(incidents.iter().filter(is_over).count() == 1, "{incidents:#?}");
    weir.stop().await?;
    flink.stop().await
}

#[tokio::test]
async fn with_nothing_wrong_nothing_is_sent() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let flink = Flink::start(FlinkOptions::version(DEFAULT_VERSION)).await?;
    let ears = Ears::open().await?;
    let well = flink.submit(&job(&flink, WELL)?).await?;
    flink.rest().wait_until_healthy(&well, SOON).await?;
    let weir = Weir::start(crate::binary(), dir.path(), &ears.config(&flink)).await?;
    story::ready(&weir).await?;
    story::after_polls(&weir, 12).await?;
    for (channel, texts) in ears.heard() {
        ensure!(texts.is_empty(), "{channel}: {texts:#?}");
    }
    ensure!(story::list(&weir, "notices").await?.is_empty(), "a notice about nothing");
    weir.stop().await?;
    flink.stop().await
}
