//! The main road: a real Flink job crash-loops and dies, Weir is killed in the middle, and every
//! channel hears of it once.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::testbed::control::Control;
use crate::testbed::feishu::{Bot, Feishu};
use crate::testbed::flink::{Flink, FlinkOptions, release};
use crate::testbed::job::{JobSpec, RestartStrategy};
use crate::testbed::smtp::{Smtp, SmtpOptions, SmtpTls};
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;
use crate::testbed::{time, tools};

const SOON: Duration = Duration::from_secs(90);
const JOB: &str = "ro-cn-sync";

/// What hears of it.
struct Ears {
    feishu: Feishu,
    webhook: Webhook,
    smtp: Smtp,
}

impl Ears {
    async fn open() -> Result<Ears> {
        let bot = Bot::new("bot-1").secret("s3cret").keywords(&["告警"]);
        let login = Some(("weir".to_owned(), "pass".to_owned()));
        Ok(Ears {
            feishu: Feishu::start([bot]).await?,
            webhook: Webhook::start(WebhookOptions {
                secret: Some("hook-secret".to_owned()),
                ..WebhookOptions::default()
            })
            .await?,
            smtp: Smtp::start(SmtpOptions { tls: SmtpTls::StartTls, login }).await?,
        })
    }

    fn config(&self, flink: &Flink, dir: &Path, poll: &str) -> Result<String> {
        let ca = self.smtp.ca_file();
        let smtp = self.smtp.url().replace("smtp://", "smtp://weir@");
        let secret = |name: &str, text: &str| -> Result<String> {
            let file = dir.join(name);
            std::fs::write(&file, format!("{text}\n"))?;
            Ok(file.display().to_string())
        };
        Ok(format!(
            r#"
poll: {{ interval: {poll}, timeout: 5s }}
time_zone: Asia/Shanghai
sources:
  - flink: {{ name: prod, urls: {urls:?}, labels: {{ env: prod }} }}
incidents: {{ resolve_after: 10s }}
route: {{ receiver: team, group_by: [cluster], group_wait: 0s, group_interval: 3s }}
receivers:
  - name: team
    channels:
      - feishu_bot: {{ url: "{feishu}", secret_file: "{feishu_secret}" }}
      - email: {{ smtp_url: "{smtp}", password_file: "{smtp_secret}", ca_file: "{ca}", from: "weir@example.com", to: ["oncall@example.com"] }}
      - webhook: {{ url: "{hook}", secret_file: "{hook_secret}" }}
    language: zh
"#,
            urls = flink.rest_urls_after_a_dead_one()?,
            feishu = self.feishu.url("bot-1"),
            feishu_secret = secret("feishu.secret", "s3cret")?,
            smtp_secret = secret("smtp.secret", "pass")?,
            ca = ca.display(),
            hook = self.webhook.url(),
            hook_secret = secret("hook.secret", "hook-secret")?,
        ))
    }

    /// What each channel has got so far, as text.
    fn heard(&self) -> Vec<(&'static str, Vec<String>)> {
        let mails = self.smtp.mails();
        vec![
            (
                "feishu_bot",
                self.feishu.accepted().iter().map(crate::testbed::feishu::Received::text).collect(),
            ),
            ("webhook", self.webhook.accepted().into_iter().map(|r| r.raw).collect()),
            ("email", mails.into_iter().map(|m| m.text.unwrap_or_default()).collect()),
        ]
    }

    /// Waits until every channel has `count` messages.
    async fn wait(&self, count: usize, weir: &Weir) -> Result<()> {
        let all = time::wait_for(&format!("{count} messages everywhere"), SOON, || async {
            Ok(self.heard().iter().all(|(_, texts)| texts.len() >= count).then_some(()))
        })
        .await;
        all.with_context(|| format!("{:#?}\n{}", self.heard(), weir.log_tail()))
    }
}

async fn incident(weir: &Weir) -> Result<Value> {
    let incidents = weir.get("/api/v1/incidents").await?;
    let list = incidents.as_array().context("not a list")?;
    ensure!(list.len() == 1, "one episode is one incident, not {}: {incidents:#}", list.len());
    Ok(list[0].clone())
}

/// Why each channel was sent a message, in order.
async fn sent(weir: &Weir) -> Result<BTreeMap<String, Vec<String>>> {
    let notices = weir.get("/api/v1/notices").await?;
    let mut sent: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for notice in notices.as_array().context("not a list")?.iter().rev() {
        if notice["outcome"] == "sent" {
            let text = |key: &str| notice[key].as_str().unwrap_or_default().to_owned();
            sent.entry(text("channel")).or_default().push(text("reason"));
        }
    }
    Ok(sent)
}

/// The failing job: dies with its eighth failure, or a little later.
fn failing(control: &Control, delay: Duration) -> JobSpec {
    let interval = Duration::from_mins(30);
    JobSpec {
        restart: RestartStrategy::FailureRate { max: 7, interval, delay },
        checkpoint_interval: Some(Duration::from_millis(500)),
        ..JobSpec::new(JOB, control)
    }
}

async fn one_episode(version: &str, poll: &str, delay: Duration, kill: bool) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let flink = Flink::start(FlinkOptions::version(version)).await?;
    let ears = Ears::open().await?;
    let config = ears.config(&flink, dir.path(), poll)?;
    let binary = Path::new(env!("CARGO_BIN_EXE_weir"));
    let mut weir = Weir::start(binary, dir.path(), &config).await?;
    time::wait_for("first look", SOON, || async {
        Ok(weir.text("/-/ready").await?.contains("weir is ready").then_some(()))
    })
    .await?;

    let control = Control::new(&flink.dir().join("control"))?;
    control.crash_message("bad \"amount\" </script> {{job_name}}\nsecond line")?;
    let job = flink.submit(&failing(&control, delay)).await?;
    flink.rest().wait_for_checkpoints(&job, 2, SOON).await?;
    control.crash_on(Duration::from_millis(300))?;
    ears.wait(1, &weir).await?;
    if kill {
        // What is on its way at that instant may come twice: another test counts that.
        time::wait_for("first word recorded", SOON, || async {
            let sent = sent(&weir).await?;
            Ok((sent.len() == 3).then_some(()))
        })
        .await?;
        weir.kill9().await?;
        weir.resume().await?;
    }
    flink.rest().wait_for_state(&job, &["FAILED"], SOON).await?;
    let truth = control.failures()?;
    let told = time::wait_for("all failures counted", SOON, || async {
        let found = incident(&weir).await?;
        let counted = found["occurrences"].as_u64() >= Some(truth as u64);
        ensure!(counted && found["rule"] == "JobFailed", "{truth} failures, but {found:#}");
        Ok(Some(found))
    })
    .await
    .with_context(|| weir.log_tail())?;
    assert_eq!(told["occurrences"], truth, "{told:#}");

    control.crash_off()?;
    let left = flink.rest().checkpoints(&job).await?;
    let path = left["latest"]["completed"]["external_path"].as_str().map(str::to_owned);
    let from_last = JobSpec { savepoint_path: path, ..failing(&control, delay) };
    let again = flink.submit(&from_last).await?;
    flink.rest().wait_until_healthy(&again, SOON).await?;
    let over = time::wait_for("resolution", 2 * SOON, || async {
        let found = incident(&weir).await?;
        Ok((found["state"] == "resolved").then_some(found))
    })
    .await
    .with_context(|| weir.log_tail())?;
    assert_eq!(over["end_reason"], "recovered");
    let sent = time::wait_for("recovery told everywhere", SOON, || async {
        let sent = sent(&weir).await?;
        let all = sent.len() == 3 && sent.values().all(|r| r.iter().any(|r| r == "resolved"));
        Ok(all.then_some(sent))
    })
    .await
    .with_context(|| weir.log_tail())?;
    weir.stop().await?;

    for (channel, texts) in ears.heard() {
        // A loop that dies between two looks is told dead at once: then there is no update.
        let reasons: Vec<&str> = sent[channel].iter().map(String::as_str).collect();
        let fits = matches!(reasons[..], ["opened", "resolved"] | ["opened", "worse", "resolved"]);
        assert!(fits, "{channel}: {reasons:?}");
        assert_eq!(texts.len(), reasons.len(), "{channel}: {texts:#?}");
        for text in &texts {
            assert!(text.contains(JOB), "{channel} does not name the job: {text}");
        }
        let death = &texts[texts.len() - 2];
        for needed in ["PoisonRecordException", "OrderParser", &format!("{truth}"), "/chk-"] {
            assert!(death.contains(needed), "{channel} lacks {needed}: {death}");
        }
        tools::note(&format!("{version} {channel}:\n{}", texts.join("\n---\n")));
    }
    assert_eq!(ears.feishu.refused().len(), 0);
    assert_eq!(ears.webhook.refused().len(), 0);
    let threads: Vec<Option<String>> = ears
        .smtp
        .mails()
        .iter()
        .map(|m| m.header("references").and_then(|r| r.split(' ').next()).map(str::to_owned))
        .collect();
    assert!(threads.iter().all(|t| t.is_some() && *t == threads[0]), "one thread: {threads:?}");
    flink.stop().await
}

#[tokio::test]
async fn a_crash_loop_on_flink_1_is_told_once_though_weir_is_killed() -> Result<()> {
    one_episode(&release("1.20.5"), "1s", Duration::from_secs(2), true).await
}

#[tokio::test]
async fn restarts_faster_than_the_poll_on_flink_2_are_all_counted() -> Result<()> {
    one_episode(&release("2.2.1"), "5s", Duration::from_millis(200), false).await
}

#[tokio::test]
async fn a_crash_loop_on_flink_2_is_told_once_though_weir_is_killed() -> Result<()> {
    one_episode(&release("2.2.1"), "1s", Duration::from_secs(2), true).await
}

#[tokio::test]
async fn restarts_faster_than_the_poll_on_flink_1_are_all_counted() -> Result<()> {
    one_episode(&release("1.20.5"), "5s", Duration::from_millis(200), false).await
}
