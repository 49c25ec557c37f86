//! All vendors misbehave at once: the bot refuses, times out after it took the card, and breaks; one
//! webhook hangs; the mail server refuses every other mail. Everybody hears how every incident ended
//! all the same, and whoever works hears it at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::testbed::faults::Fault;
use crate::testbed::feishu::{self, Bot, Feishu};
use crate::testbed::fleet::{Failure, Fleet, FleetOptions, Version};
use crate::testbed::smtp::{MailFault, Smtp, SmtpOptions};
use crate::testbed::story;
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;
use crate::testbed::{time, tools};

const JOBS: usize = 16;
const CHANNELS: [&str; 4] = ["bot", "email", "hangs", "works"];
/// Whoever works hears of a death within a poll and a commit; two cores may be busy with others.
/// Behind the one that hangs the last of them would wait twice as long at least.
const AT_ONCE_MS: i64 = 15_000;

struct Scene {
    fleet: Fleet,
    feishu: Feishu,
    smtp: Smtp,
    hangs: Webhook,
    works: Webhook,
    weir: Weir,
    _dir: tempfile::TempDir,
}

impl Scene {
    async fn open() -> Result<Scene> {
        let dir = tempfile::tempdir()?;
        let fleet = Fleet::start(FleetOptions::of(1, JOBS, Version::V1_20)).await?;
        let feishu = Feishu::start([Bot::new("bot")]).await?;
        feishu.faults().shares(
            11,
            &[
                (300, Fault::code(feishu::FREQUENCY_LIMITED, "frequency limited")),
                (100, Fault::AcceptThenHang(Duration::from_secs(5))),
                (50, Fault::status(503)),
            ],
        );
        let smtp = Smtp::start(SmtpOptions::default()).await?;
        smtp.fail_every(2, MailFault::AtData(451));
        let (hangs, works) = tokio::try_join!(
            Webhook::start(WebhookOptions::default()),
            Webhook::start(WebhookOptions::default())
        )?;
        hangs.faults().share(1000, 1, Fault::Hang(Duration::from_hours(1)));
        std::fs::write(dir.path().join("rules.yaml"), story::JOB_FAILED)?;
        let config = format!(
            r#"
poll: {{ interval: 500ms, timeout: 5s }}
rule_files: ["rules.yaml"]
self_monitoring: {{ failing_after: 1h }}
incidents: {{ resolve_after: 1s, reopen_within: 1ms }}
storm: {{ incidents: 1000, within: 1s }}
route: {{ receiver: team, group_by: ["..."], group_wait: 0s, group_interval: 1s }}
receivers:
  - name: team
    channels:
      - feishu_bot: {{ name: bot, url: "{bot}", timeout: 1s }}
      - email: {{ smtp_url: "{mail}", tls: none, from: "weir@example.com", to: ["oncall@example.com"], budget: {{ messages: 1000, per: 1m }} }}
      - webhook: {{ name: hangs, url: "{hangs}", timeout: 2s }}
      - webhook: {{ name: works, url: "{works}" }}
{sources}"#,
            bot = feishu.url("bot"),
            mail = smtp.url(),
            hangs = hangs.url(),
            works = works.url(),
            sources = story::sources(&fleet, 1),
        );
        let weir = Weir::start(crate::binary(), dir.path(), &config).await?;
        story::ready(&weir).await?;
        Ok(Scene { fleet, feishu, smtp, hangs, works, weir, _dir: dir })
    }

    /// When whoever works heard this of each job, by job; all of them, within some time.
    async fn heard(&self, reason: &str) -> Result<BTreeMap<String, i64>> {
        time::wait_for(&format!("{reason} of all jobs"), story::SOON, || async {
            let mut heard = BTreeMap::new();
            for one in self.works.accepted() {
                for (_, _, job) in story::told(&one).into_iter().filter(|t| t.1 == reason) {
                    heard.entry(job).or_insert(one.at_ms);
                }
            }
            Ok((heard.len() == JOBS).then_some(heard))
        })
        .await
        .with_context(|| self.weir.log_tail())
    }

    /// Texts of all that reached people on a channel.
    fn seen(&self, channel: &str) -> Vec<String> {
        match channel {
            "bot" => self.feishu.accepted().iter().map(feishu::Received::text).collect(),
            "email" => self.smtp.mails().iter().filter_map(|m| m.text.clone()).collect(),
            _ => Vec::new(),
        }
    }

    /// The end of each incident, as this channel was told it.
    async fn ends(&self, channel: &str) -> Result<usize> {
        let of = |hook: &Webhook| {
            let told = hook.accepted().iter().flat_map(story::told).collect::<Vec<_>>();
            told.into_iter().filter(|t| t.1 == "resolved").map(|t| t.2).collect::<BTreeSet<_>>()
        };
        match channel {
            "hangs" => return Ok(of(&self.hangs).len()),
            "works" => return Ok(of(&self.works).len()),
            _ => {}
        }
        let seen = self.seen(channel);
        let messages = story::list(&self.weir, "messages").await?;
        let notices = story::list(&self.weir, "notices").await?;
        let ends = notices.iter().filter(|n| n["channel"] == channel && n["reason"] == "resolved");
        let arrived = ends.filter(|notice| {
            let message = messages.iter().find(|m| m["id"] == notice["message"]);
            let title = message.and_then(|m| m["title"].as_str()).unwrap_or_default();
            !title.is_empty() && seen.iter().any(|text| text.contains(title))
        });
        Ok(arrived.count())
    }
}

/// Time between what happened to each job and when it was heard, sorted.
fn delays(happened: &BTreeMap<String, i64>, heard: &BTreeMap<String, i64>) -> Vec<i64> {
    let mut delays: Vec<i64> =
        happened.iter().filter_map(|(job, at)| Some(heard.get(job)? - at)).collect();
    delays.sort_unstable();
    delays
}

fn spread(delays: &[i64]) -> String {
    let at = |n: usize| delays.get(n).copied().unwrap_or(0);
    format!("median {} ms, most {} ms", at(delays.len() / 2), at(delays.len().max(1) - 1))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_everything_reaches_everybody_and_nobody_waits_for_others() -> Result<()> {
    let scene = Scene::open().await?;
    let failure = Failure::new("java.io.IOException", "the broker is gone");
    let began = time::now();
    let mut died = BTreeMap::new();
    for job in 0..JOBS {
        died.insert(format!("job-{job}"), scene.fleet.kill_job(0, job, &failure));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let opened = delays(&died, &scene.heard("opened").await?);
    let mut back = BTreeMap::new();
    for job in 0..JOBS {
        scene.fleet.submit_again(0, job);
        back.insert(format!("job-{job}"), time::now_ms());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let resolved = delays(&back, &scene.heard("resolved").await?);
    let hung = time::since(began).as_secs();
    let stuck = scene.hangs.accepted().len();
    ensure!(stuck == 0, "the webhook was to hang, and took {stuck}");
    scene.hangs.faults().clear();

    for channel in CHANNELS {
        let what = format!("all ends on {channel}");
        let arrived = time::wait_for(&what, 4 * story::SOON, || async {
            Ok((scene.ends(channel).await? == JOBS).then_some(()))
        });
        arrived.await.with_context(|| scene.weir.log_tail())?;
    }
    let notices = story::until(&scene.weir, "nothing pending", "notices", |all| {
        all.iter().all(|n| n["outcome"] == "sent" || n["outcome"] == "folded")
    })
    .await?;
    let messages = story::list(&scene.weir, "messages").await?;
    let sent = |channel: &str| messages.iter().filter(|m| m["channel"] == channel).count();

    let bot = scene.feishu.received();
    let met = |wanted: fn(&Fault) -> bool| {
        bot.iter().filter(|r| r.fault.as_ref().is_some_and(wanted)).count()
    };
    let unanswered = met(|f| matches!(f, Fault::AcceptThenHang(_)));
    let doubled = scene.feishu.accepted().len() - sent("bot");
    let mails: BTreeSet<String> = scene
        .smtp
        .mails()
        .iter()
        .filter_map(|m| m.header("message-id").map(str::to_owned))
        .collect();
    tools::note(&format!(
        "{JOBS} incidents, {} notices; bot: {} requests, {} refused with 11232, {unanswered} timed \
         out after it took them, {} times 503, {doubled} cards doubled; mail: {} refused, {} taken, \
         {} doubled; hanging webhook: no answer for {hung} s, {} doubled; who works heard of a death after {}, of an end \
         after {}",
        notices.len(),
        bot.len(),
        met(|f| matches!(f, Fault::Code { .. })),
        met(|f| matches!(f, Fault::Status { .. })),
        scene.smtp.refusals().len(),
        mails.len(),
        scene.smtp.mails().len() - mails.len(),
        scene.hangs.accepted().len() - sent("hangs"),
        spread(&opened),
        spread(&resolved),
    ));
    ensure!(doubled <= unanswered, "{doubled} cards doubled, {unanswered} unanswered");
    ensure!(scene.feishu.rate_violations() == 0, "{} too fast", scene.feishu.rate_violations());
    ensure!(scene.smtp.mails().len() == mails.len(), "a mail was taken twice");
    for (what, delays) in [("opened", &opened), ("resolved", &resolved)] {
        let most = delays.last().copied().unwrap_or(i64::MAX);
        ensure!(most <= AT_ONCE_MS, "{what} was told after {most} ms");
    }
    let told_once: BTreeSet<(u64, String)> =
        scene.works.accepted().iter().flat_map(story::told).map(|t| (t.0, t.1)).collect();
    let told = scene.works.accepted().iter().flat_map(story::told).count();
    ensure!(told == told_once.len(), "whoever works was told something twice");
    let refused: Vec<&Value> = notices.iter().filter(|n| n["outcome"] == "failed").collect();
    ensure!(refused.is_empty(), "{refused:#?}");
    scene.weir.stop().await
}
