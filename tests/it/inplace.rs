//! One incident, one message, edited in place: the real Weir, a fleet of jobs, and chats that keep
//! what a reader sees.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::testbed::faults::Fault;
use crate::testbed::feishu_app::{self, FeishuApp, Shown};
use crate::testbed::fleet::{Failure, Fleet, FleetOptions, Recovery, Version};
use crate::testbed::slack::Slack;
use crate::testbed::story::{self, SOON};
use crate::testbed::weir::Weir;
use crate::testbed::{time, tools};

/// The loop and the death of one job.
const RULES: &str = "
groups:
  - name: loop
    rules:
      - alert: JobFailed
        when: { job_state: { any_of: [FAILED] } }
        labels: { severity: critical }
        annotations: { headline: failed for good }
      - alert: JobFailingRepeatedly
        when: { failure_rate: { count: 3, window: 5m } }
        labels: { severity: warning }
        annotations: { headline: keeps failing }
";
/// How often messages are edited here, in milliseconds.
const EDIT_EVERY: i64 = 1_000;

struct Scene {
    fleet: Fleet,
    weir: Weir,
    _dir: tempfile::TempDir,
}

impl Scene {
    async fn open(channel: &str) -> Result<Scene> {
        let dir = tempfile::tempdir()?;
        let fleet = Fleet::start(FleetOptions::of(1, 3, Version::V1_20)).await?;
        std::fs::write(dir.path().join("rules.yaml"), RULES)?;
        let config = format!(
            r#"
poll: {{ interval: 500ms, timeout: 5s }}
rule_files: ["rules.yaml"]
incidents: {{ resolve_after: 1s }}
route: {{ receiver: team, group_by: [cluster], group_wait: 0s, group_interval: 1s }}
receivers:
  - name: team
    channels:
      - {channel}
{}"#,
            story::sources(&fleet, 1)
        );
        let weir = Weir::start(crate::binary(), dir.path(), &config).await?;
        story::ready(&weir).await?;
        Ok(Scene { fleet, weir, _dir: dir })
    }

    /// The job fails and restarts, so many times.
    async fn fail(&self, times: usize) {
        let failure = Failure::new("java.io.IOException", "the broker is gone");
        // The rhythm of the failures is the story; nothing is waited for.
        let mut rhythm = tokio::time::interval(Duration::from_millis(700));
        for _ in 0..times {
            rhythm.tick().await;
            self.fleet.fail_job(0, 0, &failure, Recovery::AtOnce);
        }
    }

    fn die(&self) {
        self.fleet.kill_job(0, 0, &Failure::new("java.io.IOException", "the broker is gone"));
    }

    async fn until<T>(&self, what: &str, look: impl Fn() -> Option<T>) -> Result<T> {
        let found = time::wait_for(what, 2 * SOON, || async { Ok(look()) }).await;
        found.with_context(|| self.weir.log_tail())
    }
}

fn feishu(app: &FeishuApp) -> String {
    format!(
        "feishu_app: {{ app_id: cli_1, app_secret: s3cret, chat_id: oc_1, base_url: \"{}\", \
         edit_every: 1s }}",
        app.url()
    )
}

async fn an_app() -> Result<FeishuApp> {
    FeishuApp::start("cli_1", "s3cret", &["oc_1"]).await
}

fn green(card: &Shown) -> bool {
    card.colour() == "green"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_loop_is_one_card_though_weir_is_killed_in_the_middle() -> Result<()> {
    let app = an_app().await?;
    let mut scene = Scene::open(&feishu(&app)).await?;
    // The first answer is lost with the process that waits for it.
    app.faults().next(1, &Fault::AcceptThenHang(Duration::from_mins(5)));
    scene.fail(4).await;
    let first = app.wait_for(|r| r.what == "send", SOON).await;
    ensure!(first.is_some_and(|r| r.code == 0), "{:?}", app.requests());
    scene.weir.kill9().await?;
    scene.weir.resume().await?;
    let repeated = app.wait_for(|r| r.absorbed, SOON).await;
    repeated.with_context(|| format!("{:?}\n{}", app.requests(), scene.weir.log_tail()))?;

    scene.fail(12).await;
    app.expire_tokens();
    scene.fail(4).await;
    scene
        .until("20 failures shown", || {
            app.chat()[0].text().contains("failed 20 times").then_some(())
        })
        .await?;
    let card =
        scene.until("a green card", || app.chat().first().filter(|c| green(c)).cloned()).await?;

    tools::note(&format!("{} edits\n{}", card.edits, card.titles.join("\n")));
    assert_eq!(app.chat().len(), 1, "{:#?}", app.chat());
    assert!(app.replies().is_empty(), "nothing got worse: {:#?}", app.replies());
    assert!(card.edits >= 3, "{} edits", card.edits);
    // Received a moment sooner or later than decided, so that two may come close together; the last
    // one is news and waits for nobody.
    let times = &card.edited_ms[..card.edits - 1];
    let span = times.last().zip(times.first()).map_or(0, |(last, first)| last - first);
    let most = span / EDIT_EVERY + 2;
    ensure!(times.len() as i64 <= most, "{} edits in {span} ms: {times:?}", times.len());
    assert!(card.titles.iter().all(|t| t.contains("#1")), "{:?}", card.titles);
    let refused: Vec<i64> = app.refused().iter().map(|r| r.code).collect();
    assert!(refused.iter().all(|code| *code == feishu_app::TOKEN), "{refused:?}");
    assert_eq!(app.tokens(), 3, "one per process, one more when it was over");
    let notices = story::list(&scene.weir, "notices").await?;
    assert_eq!(notices.len(), 2, "edits make no notices: {notices:#?}");
    scene.weir.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_got_worse_is_said_below_and_a_card_that_is_gone_is_told_anew() -> Result<()> {
    let app = an_app().await?;
    let scene = Scene::open(&feishu(&app)).await?;
    scene.fail(3).await;
    let opened = scene.until("a card", || app.chat().pop()).await?;
    assert_eq!(opened.colour(), "orange");
    scene.die();
    let reply = scene.until("a reply", || app.replies().pop()).await?;
    assert_eq!(reply.below.as_deref(), Some(opened.id.as_str()));
    assert!(reply.text().contains("got worse"), "{}", reply.text());
    scene.until("a red card", || app.chat().pop().filter(|c| c.colour() == "red")).await?;

    app.age(&opened.id);
    scene.fleet.submit_again(0, 0);
    let anew = scene.until("a green card", || app.chat().into_iter().find(green)).await?;
    assert_ne!(anew.id, opened.id);
    assert_eq!((app.chat().len(), app.replies().len()), (2, 1), "{:#?}", app.chat());
    let refused: Vec<i64> = app.refused().iter().map(|r| r.code).collect();
    assert!(refused.iter().all(|code| *code == feishu_app::TOO_OLD), "{refused:?}");
    let notices = story::until(&scene.weir, "the end told", "notices", |all| {
        all.iter().filter(|n| n["outcome"] == "sent").count() == 3
    })
    .await?;
    assert_eq!(notices.len(), 3, "opened, worse, resolved: {notices:#?}");
    scene.weir.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slack_shows_one_message_and_broadcasts_what_got_worse() -> Result<()> {
    let slack = Slack::start("xoxb-1", &[("C0001", "alerts")]).await?;
    let channel = format!(
        "slack: {{ token: xoxb-1, channel: \"#alerts\", base_url: \"{}\", edit_every: 1s }}",
        slack.url()
    );
    let scene = Scene::open(&channel).await?;
    scene.fail(3).await;
    let opened = scene.until("a message", || slack.channel().pop()).await?;
    assert_eq!(opened.colour(), "#ecb22e");
    // Slack asks for a pause; nothing is lost by it.
    slack.faults().next(1, &Fault::too_many(1));
    scene.die();
    let reply = scene.until("a reply", || slack.replies().pop()).await?;
    assert!(reply.broadcast && reply.thread_ts.as_deref() == Some(opened.ts.as_str()));
    assert!(reply.title().contains("got worse"), "{}", reply.title());
    scene.until("red", || slack.channel().pop().filter(|m| m.colour() == "#e01e5a")).await?;
    scene.fleet.submit_again(0, 0);
    let over =
        scene.until("green", || slack.channel().pop().filter(|m| m.colour() == "#2eb67d")).await?;
    assert_eq!(over.ts, opened.ts);
    assert!(over.title().contains("RECOVERED"), "{}", over.title());
    assert_eq!((slack.channel().len(), slack.replies().len()), (1, 1));
    assert!(slack.refused().is_empty(), "{:?}", slack.refused());

    // Another job's message is deleted before its end is told: that comes as a new one.
    scene.fleet.kill_job(0, 1, &Failure::new("java.io.IOException", "no disk"));
    let second =
        scene.until("another", || slack.channel().into_iter().find(|m| m.ts != opened.ts)).await?;
    slack.delete(&second.ts);
    scene.fleet.submit_again(0, 1);
    let anew = scene
        .until("a new one", || slack.channel().into_iter().find(|m| m.ts != opened.ts))
        .await?;
    assert_eq!(anew.colour(), "#2eb67d");
    scene.weir.stop().await
}
