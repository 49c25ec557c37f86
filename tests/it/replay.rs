//! What was seen is kept, and gives the same messages again, to the byte, also over a kill -9; other
//! rules give others; nothing is ever sent by a replay.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Output;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::testbed::fleet::{Failure, Fleet, FleetOptions, Recovery, Version};
use crate::testbed::story::{self, SOON};
use crate::testbed::time;
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;

/// The same and one that needs what nobody asked for.
const OTHER_RULES: &str = "
groups:
  - name: other
    rules:
      - alert: JobGone
        when: { job_state: { any_of: [FAILED] } }
        labels: { severity: warning }
        annotations: { headline: it is gone }
      - alert: Behind
        when: { lag: { above: 1000 } }
        labels: { severity: info }
";

async fn weir(args: &[&str], dir: &Path) -> Result<Output> {
    let mut command = tokio::process::Command::new(crate::binary());
    command.args(args).current_dir(dir).env_remove("WEIR_URL").kill_on_drop(true);
    Ok(tokio::time::timeout(SOON, command.output()).await??)
}

/// Standard output of a run that went well.
async fn said(args: &[&str], dir: &Path) -> Result<String> {
    let output = weir(args, dir).await?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "weir {args:?}: {complaint}");
    ensure!(!complaint.contains("warning"), "weir {args:?}: {complaint}");
    Ok(String::from_utf8(output.stdout)?)
}

struct Stage {
    fleet: Fleet,
    hook: Webhook,
    weir: Weir,
}

impl Stage {
    /// Until the webhook has taken so many messages with this reason.
    async fn heard(&self, reason: &str, times: usize) -> Result<()> {
        let what = format!("{times} {reason}");
        let wait = time::wait_for(&what, SOON, || async {
            let told = self.hook.accepted();
            let told: BTreeSet<_> = told.iter().flat_map(story::told).collect();
            Ok((told.iter().filter(|news| news.1 == reason).count() >= times).then_some(()))
        });
        wait.await.with_context(|| self.weir.log_tail())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_said_is_said_again_and_never_sent() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let dir = dir.path();
    std::fs::write(dir.join("rules.yaml"), story::JOB_FAILED)?;
    std::fs::create_dir(dir.join("new-rules"))?;
    std::fs::write(dir.join("new-rules/other.yaml"), OTHER_RULES)?;
    let hook = Webhook::start(WebhookOptions::default()).await?;
    let fleet = Fleet::start(FleetOptions::of(2, 3, Version::V1_20)).await?;
    let poll = "interval: 300ms, timeout: 5s";
    let config = story::config(&hook, (&fleet, 2), poll, "500ms");
    let weir = Weir::start(crate::binary(), dir, &config).await?;
    let mut stage = Stage { fleet, hook, weir };
    story::ready(&stage.weir).await?;

    let failure = Failure::new("com.example.PoisonRecordException", "bad amount");
    stage.fleet.fail_job(0, 1, &failure, Recovery::AfterMs(200));
    stage.fleet.kill_job(0, 0, &failure);
    stage.heard("opened", 1).await?;
    // While a group waits.
    stage.fleet.kill_job(1, 2, &failure);
    story::until(&stage.weir, "the second incident", "incidents", |all| all.len() == 2).await?;
    stage.weir.kill9().await?;
    stage.fleet.submit_again(0, 0);
    stage.weir.resume().await?;
    stage.heard("opened", 2).await?;
    stage.heard("resolved", 1).await?;
    stage.fleet.submit_again(1, 2);
    stage.heard("resolved", 2).await?;
    story::until(&stage.weir, "nothing pending", "notices", |all| {
        all.iter().all(|n| n["outcome"] == "sent")
    })
    .await?;

    let url = stage.weir.url("");
    let saved = said(&["history", "--out", "h.bin", "--url", &url], dir).await?;
    ensure!(saved.contains("saved"), "{saved}");
    let accepted = stage.hook.accepted();
    let file = ["replay", "--from", "h.bin"];
    let first = said(&[&file[..], &["--output", "json"]].concat(), dir).await?;
    let replayed: Value = serde_json::from_str(&first)?;
    let messages = replayed["messages"].as_array().context("no messages")?;
    ensure!(messages.iter().all(|m| m["mark"] == "same"), "{first}");
    let (mut keys, mut live) = (BTreeSet::new(), Vec::new());
    for received in &accepted {
        // A send that was on the wire at the kill is repeated.
        if keys.insert(received.idempotency_key().context("no key")?) {
            live.push(received.raw.as_str());
        }
    }
    ensure!(live.len() >= 4, "{live:#?}");
    let again: Vec<&str> = messages.iter().filter_map(|m| m["body"].as_str()).collect();
    ensure!(again == live, "live {live:#?}\nreplayed {again:#?}");
    ensure!(replayed["starts"] == 2, "{first}");
    let whole = replayed["rules"].as_array().is_some_and(|rules| {
        rules.iter().all(|r| r["recorded"].as_f64().is_some_and(|share| share > 0.3))
    });
    ensure!(whole, "{first}");
    let second = said(&[&file[..], &["--output", "json"]].concat(), dir).await?;
    ensure!(first == second, "two replays differ");
    let text = said(&file, dir).await?;
    ensure!(
        text.contains(&format!("{0} messages in the replay, {0} sent live", live.len())),
        "{text}"
    );
    ensure!(text.contains("bad amount"), "no lines: {text}");

    // From the running weir, which goes on meanwhile.
    let direct = said(&["replay", "--since", "1h", "--url", &url], dir).await?;
    ensure!(direct.lines().filter(|l| l.starts_with('=')).count() == live.len(), "{direct}");
    ensure!(!direct.lines().any(|l| l.starts_with(['+', '-', '~'])), "{direct}");

    let others = [&file[..], &["--rules", "new-rules"]].concat();
    let other = said(&others, dir).await?;
    ensure!(other.contains("it is gone"), "{other}");
    ensure!(other.lines().any(|l| l.starts_with('+')), "{other}");
    ensure!(other.lines().any(|l| l.starts_with('-')), "{other}");
    ensure!(other.contains("0 %  other/Behind/info (lag was not recorded)"), "{other}");
    ensure!(other == said(&others, dir).await?, "two replays differ");

    ensure!(stage.hook.received().len() == accepted.len(), "a replay sent something");
    stage.weir.stop().await
}

#[tokio::test]
async fn what_is_no_history_is_refused() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let dir = dir.path();
    let config = "sources: [{ flink: { name: a, urls: [\"http://127.0.0.1:1\"] } }]\n\
                  receivers: [{ name: me, channels: [{ console: {} }] }]\n";
    std::fs::write(dir.join("weir.yaml"), config)?;
    for (bytes, expected) in [
        (&b"{}"[..], "this is no history of weir"),
        (b"weir history \x02", "file format 2, this weir knows up to 1"),
        (b"weir history \x01", "there is no history"),
        (b"weir history \x01\x01\x00\x01", "ends in the middle of a piece"),
    ] {
        std::fs::write(dir.join("h.bin"), bytes)?;
        let output = weir(&["replay", "--from", "h.bin"], dir).await?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(1), "{complaint}");
        ensure!(complaint.contains(expected), "{complaint}");
    }
    let output = weir(&["history", "--out", "h.bin", "--url", "http://127.0.0.1:1"], dir).await?;
    ensure!(output.status.code() == Some(1));
    Ok(())
}
