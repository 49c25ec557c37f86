//! The store is locked: nothing is decided or sent, readiness and heartbeat say so, and afterwards it
//! goes on. A second Weir on the same store is refused.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::testbed::fleet::{Failure, Fleet, FleetOptions, Version};
use crate::testbed::story;
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;
use crate::testbed::{time, tools};

const LOCKER: &str = "
import sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
c.execute('BEGIN IMMEDIATE')
print('held', flush=True)
sys.stdin.read()
";

struct Scene {
    fleet: Fleet,
    hook: Webhook,
    beats: Webhook,
    weir: Weir,
    dir: tempfile::TempDir,
}

impl Scene {
    async fn open() -> Result<Scene> {
        let dir = tempfile::tempdir()?;
        let fleet = Fleet::start(FleetOptions::of(1, 3, Version::V1_20)).await?;
        let hook = Webhook::start(WebhookOptions::default()).await?;
        let beats = Webhook::start(WebhookOptions::default()).await?;
        let config = format!(
            r#"
poll: {{ interval: 500ms, timeout: 5s }}
heartbeat: {{ url: "{}", method: post, interval: 1s }}
route: {{ receiver: team, group_by: [cluster], group_wait: 0s, group_interval: 1s }}
receivers:
  - name: team
    channels:
      - webhook: {{ url: "{}" }}
{}"#,
            beats.url(),
            hook.url(),
            story::sources(&fleet, 1)
        );
        let weir = Weir::start(crate::binary(), dir.path(), &config).await?;
        story::ready(&weir).await?;
        Ok(Scene { fleet, hook, beats, weir, dir })
    }

    async fn beats_again(&self) -> Result<()> {
        let had = self.beats.received().len();
        time::wait_for("heartbeat", story::SOON, || async {
            Ok((self.beats.received().len() > had + 1).then_some(()))
        })
        .await
    }

    /// A job dies while nothing can be written; `mend` lets it be written again.
    async fn survives(&self, mend: impl AsyncFnOnce() -> Result<()>) -> Result<()> {
        self.fleet.kill_job(0, 0, &Failure::new("java.io.IOException", "disk gone"));
        let why = time::wait_for("not ready", story::SOON, || async {
            let (status, text) = self.weir.answer("/-/ready").await?;
            Ok((status == 503).then_some(text))
        })
        .await
        .with_context(|| self.weir.log_tail())?;
        tools::note(why.trim());
        let had = self.beats.received().len();
        let more = time::wait_for("heartbeat", Duration::from_secs(5), || async {
            // One may have been on its way.
            Ok((self.beats.received().len() > had + 1).then_some(()))
        });
        ensure!(more.await.is_err(), "the heart beats though nothing can be decided");
        ensure!(self.hook.received().is_empty(), "sent before it was written");
        ensure!(self.weir.answer("/-/healthy").await?.0 == 200);
        let metrics = self.weir.text("/metrics").await?;
        ensure!(metrics.contains("weir_store_writable 0"), "{metrics}");
        mend().await?;
        let told = self.hook.wait_for(|r| r.raw.contains("job-0"), story::SOON).await;
        told.with_context(|| self.weir.log_tail())?;
        story::ready(&self.weir).await?;
        self.beats_again().await?;
        story::after_polls(&self.weir, 2).await?;
        ensure!(self.hook.received().len() == 1, "{:#?}", self.hook.received());
        Ok(())
    }
}

/// Another program holds the database's write lock until its input closes.
async fn hold(database: &Path) -> Result<Child> {
    let mut child = Command::new("python3")
        .args(["-I", "-c", LOCKER])
        .arg(database)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let stdout = child.stdout.take().context("no output")?;
    let line = BufReader::new(stdout).lines().next_line().await?;
    ensure!(line.as_deref() == Some("held"), "the lock was not taken: {line:?}");
    Ok(child)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_store_is_waited_for() -> Result<()> {
    let scene = Scene::open().await?;
    scene.beats_again().await?;
    let mut holder = hold(&scene.dir.path().join("weir.db")).await?;
    scene
        .survives(async || {
            drop(holder.stdin.take());
            holder.wait().await?;
            Ok(())
        })
        .await?;
    scene.weir.stop().await
}

/// After a minute people are told past the store, once; what happened meanwhile is told afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_locked_for_long_is_told_past_it() -> Result<()> {
    let scene = Scene::open().await?;
    let mut holder = hold(&scene.dir.path().join("weir.db")).await?;
    scene.fleet.kill_job(0, 0, &Failure::new("java.io.IOException", "disk gone"));
    let began = time::now();
    let told = scene.hook.wait_for(|r| r.raw.contains("WeirCannotWriteItsStore"), 2 * story::SOON);
    let told = told.await.with_context(|| scene.weir.log_tail())?;
    let after = time::since(began).as_secs_f64();
    tools::note(&format!("told past the store after {after:.0} s"));
    ensure!(told.raw.contains("locked"), "does not say why: {}", told.raw);
    ensure!(!told.raw.contains("job-0"), "decided before it was written: {}", told.raw);
    scene.fleet.kill_job(0, 1, &Failure::new("java.io.IOException", "disk gone"));
    drop(holder.stdin.take());
    holder.wait().await?;
    for job in ["job-0", "job-1"] {
        let told = scene.hook.wait_for(|r| r.raw.contains(job), story::SOON).await;
        told.with_context(|| scene.weir.log_tail())?;
    }
    let direct = scene.hook.received();
    let direct = direct.iter().filter(|r| r.raw.contains("WeirCannotWriteItsStore")).count();
    ensure!(direct == 1, "told {direct} times that the store cannot be written");
    let log = scene.weir.log();
    for said in ["nothing is decided or sent until this can be written", "can be written again"] {
        ensure!(log.matches(said).count() == 1, "{said}: {}", scene.weir.log_tail());
    }
    scene.weir.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_weir_names_the_first() -> Result<()> {
    let scene = Scene::open().await?;
    let config = std::fs::read_to_string(scene.dir.path().join("weir.yaml"))?;
    let other = config.replacen(&scene.weir.url(""), "http://127.0.0.1:0", 1);
    let listen = scene.weir.url("").replace("http://", "");
    std::fs::write(scene.dir.path().join("other.yaml"), other.replace(&listen, "127.0.0.1:0"))?;
    let output = Command::new(crate::binary())
        .args(["run", "--config", "other.yaml"])
        .current_dir(scene.dir.path())
        .stdin(Stdio::null())
        .output()
        .await?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.code() == Some(1), "{:?}: {text}", output.status);
    ensure!(text.contains(&scene.weir.pid()?.to_string()), "names no pid: {text}");
    tools::note(text.lines().last().unwrap_or_default());
    story::after_polls(&scene.weir, 2).await?;
    scene.weir.stop().await
}
