//! A channel that is down: what is due goes to the one that stands in, once, through a kill of Weir,
//! and not again when the first one is back.

use anyhow::{Context as _, Result, ensure};

use crate::testbed::faults::Fault;
use crate::testbed::feishu::{Bot, Feishu};
use crate::testbed::fleet::{Failure, Fleet, FleetOptions, Version};
use crate::testbed::story;
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_one_that_stands_in_is_told_and_the_first_one_not_again() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let fleet = Fleet::start(FleetOptions::of(1, 4, Version::V1_20)).await?;
    let feishu = Feishu::start([Bot::new("bot")]).await?;
    let hook = Webhook::start(WebhookOptions::default()).await?;
    std::fs::write(dir.path().join("rules.yaml"), story::JOB_FAILED)?;
    let config = format!(
        r#"
poll: {{ interval: 500ms, timeout: 5s }}
rule_files: ["rules.yaml"]
incidents: {{ resolve_after: 1s }}
route: {{ receiver: team, group_wait: 0s, group_interval: 1s }}
receivers:
  - name: team
    fallback: backup/webhook
    fallback_after: 2s
    channels:
      - feishu_bot: {{ url: "{}" }}
  - name: backup
    channels:
      - webhook: {{ url: "{}" }}
{}"#,
        feishu.url("bot"),
        hook.url(),
        story::sources(&fleet, 1)
    );
    let mut weir = Weir::start(crate::binary(), dir.path(), &config).await?;
    story::ready(&weir).await?;
    feishu.faults().share(1000, 1, Fault::status(503));
    fleet.kill_job(0, 0, &Failure::new("java.io.IOException", "disk gone"));
    let told = |wanted: &'static str| {
        hook.wait_for(
            move |r| story::told(r).iter().any(|(_, reason, _)| reason == wanted),
            story::SOON,
        )
    };
    told("opened").await.with_context(|| weir.log_tail())?;
    // All the while it was tried where it belongs.
    ensure!(!feishu.received().is_empty() && feishu.accepted().is_empty());

    weir.kill9().await?;
    feishu.faults().clear();
    weir.resume().await?;
    story::ready(&weir).await?;
    fleet.restart_job(0, 0);
    told("resolved").await.with_context(|| weir.log_tail())?;
    // The first one is back: what comes now is its own, and nothing that was told elsewhere.
    fleet.kill_job(0, 1, &Failure::new("java.io.IOException", "disk gone again"));
    let own = feishu.wait_for(|r| r.text().contains("disk gone again"), story::SOON);
    own.await.with_context(|| weir.log_tail())?;
    let here: Vec<String> =
        feishu.accepted().iter().map(crate::testbed::feishu::Received::text).collect();
    ensure!(here.len() == 1, "{here:#?}");
    let there = hook.taken();
    let there: Vec<String> = there.iter().flat_map(story::told).map(|told| told.1).collect();
    ensure!(there == ["opened", "resolved"], "{there:?}");
    let notices = story::list(&weir, "notices").await?;
    let moved = notices.iter().find(|n| n["moved_to"].is_u64()).context("none was moved")?;
    ensure!(moved["held_by"] == "sent by fallback backup/webhook", "{moved:#}");
    weir.stop().await
}
