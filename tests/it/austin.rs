//! austin says "ok" and swallows: Weir reads back what became of a message, and tells by another way.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::testbed::austin::{Austin, Fate};
use crate::testbed::fleet::{Failure, Fleet, FleetOptions, Version};
use crate::testbed::story;
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;

struct Scene {
    fleet: Fleet,
    weir: Weir,
    next: AtomicUsize,
    _dir: tempfile::TempDir,
}

impl Scene {
    /// Austin may take so long to say what became of a message.
    async fn open(austin: &Austin, hook: &Webhook, confirm_within: &str) -> Result<Scene> {
        let dir = tempfile::tempdir()?;
        let fleet = Fleet::start(FleetOptions::of(1, 6, Version::V1_20)).await?;
        std::fs::write(dir.path().join("rules.yaml"), story::JOB_FAILED)?;
        let config = format!(
            r#"
poll: {{ interval: 500ms, timeout: 5s }}
rule_files: ["rules.yaml"]
incidents: {{ resolve_after: 1s }}
route: {{ receiver: team, group_by: ["..."], group_wait: 0s, group_interval: 1s }}
receivers:
  - name: team
    storm: {{ incidents: 100, within: 1s }}
    fallback: direct
    channels:
      - austin: {{ url: "{}", template: 7, receivers: ["13800000000"], confirm_within: {confirm_within} }}
      - webhook: {{ name: direct, url: "{}" }}
{}"#,
            austin.url(),
            hook.url(),
            story::sources(&fleet, 1)
        );
        let weir = Weir::start(crate::binary(), dir.path(), &config).await?;
        story::ready(&weir).await?;
        Ok(Scene { fleet, weir, next: AtomicUsize::new(0), _dir: dir })
    }

    /// One more job dies; its name.
    fn kill(&self) -> (usize, String) {
        let job = self.next.fetch_add(1, Ordering::SeqCst);
        self.fleet.kill_job(0, job, &Failure::new("java.io.IOException", "disk gone"));
        (job, format!("job-{job:03}"))
    }

    /// The notice to austin that ended, of the newest incident.
    async fn ended(&self, count: usize) -> Result<Value> {
        let all = story::until(&self.weir, "the end of a notice", "notices", |all| {
            let mine = all.iter().filter(|n| n["channel"] == "austin");
            mine.filter(|n| n["outcome"] == "sent" || n["outcome"] == "failed").count() >= count
        })
        .await?;
        all.into_iter().find(|n| n["channel"] == "austin").context("no notice")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_austin_swallows_is_told_directly() -> Result<()> {
    let austin = Austin::start(7, 1).await?;
    let hook = Webhook::start(WebhookOptions::default()).await?;
    let scene = Scene::open(&austin, &hook, "20s").await?;

    let (first, _) = scene.kill();
    let sent = scene.ended(1).await?;
    ensure!(sent["outcome"] == "sent", "{sent:#}");
    let delivered = austin.delivered();
    ensure!(delivered.len() == 1, "{delivered:?}");
    ensure!(hook.received().is_empty(), "the one that stands in was told, too");

    // As shipped, austin drops what is more than a day's share; it said "ok" to that.
    scene.kill();
    let swallowed = scene.ended(2).await?;
    ensure!(swallowed["outcome"] == "failed", "{swallowed:#}");
    ensure!(swallowed["held_by"] == "sent by fallback team/direct", "{swallowed:#}");
    let error = swallowed["error"].as_str().unwrap_or_default();
    ensure!(error.contains("deduplicationRule"), "{error}");
    ensure!(austin.queued().iter().any(|q| q.fate == Fate::FrequencyDeduplicated));
    let of = swallowed["incident"].as_u64().context("no incident")?;
    let told = |wanted: &'static str| {
        hook.wait_for(
            move |r| story::told(r).iter().any(|(id, reason, _)| *id == of && reason == wanted),
            story::SOON,
        )
    };
    told("opened").await.context("nobody was told")?;

    // Each end goes to whom its beginning went; austin swallows its part, so that both come here.
    scene.fleet.restart_job(0, 1);
    told("resolved").await.context("the end was not told")?;
    scene.fleet.restart_job(0, first);
    story::until(&scene.weir, "every end told", "notices", |all| {
        all.iter().filter(|n| n["outcome"] == "pending").count() == 0
            && all.iter().filter(|n| n["reason"] == "resolved" && n["outcome"] == "sent").count()
                == 2
    })
    .await?;
    let heard: Vec<_> = hook.accepted().iter().flat_map(story::told).collect();
    ensure!(heard.len() == 3, "told twice: {heard:?}");
    scene.weir.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_night_shield_and_a_trace_that_says_nothing_are_not_delivered() -> Result<()> {
    let austin = Austin::start(7, 100).await?;
    let hook = Webhook::start(WebhookOptions::default()).await?;
    let scene = Scene::open(&austin, &hook, "3s").await?;
    austin.set_night(true);
    scene.kill();
    let night = scene.ended(1).await?;
    let error = night["error"].as_str().unwrap_or_default();
    ensure!(error.contains("night shield") && night["moved_to"].is_u64(), "{night:#}");
    austin.set_night(false);
    austin.set_untold(true);
    scene.kill();
    let unknown = scene.ended(2).await?;
    let error = unknown["error"].as_str().unwrap_or_default();
    ensure!(error.contains("has not said") && unknown["moved_to"].is_u64(), "{unknown:#}");
    story::until(&scene.weir, "both told directly", "notices", |all| {
        all.iter().filter(|n| n["channel"] == "direct" && n["outcome"] == "sent").count() == 2
    })
    .await?;
    scene.weir.stop().await
}
