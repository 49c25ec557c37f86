//! The disk of the store is full for more than a minute while jobs go on failing: Weir says so where
//! people look and past its store, decides nothing meanwhile, and has lost and doubled nothing when
//! there is space again.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tokio::process::Command;

use crate::testbed::fleet::{Failure, Fleet, FleetOptions, Recovery, Version};
use crate::testbed::story::{self, SOON};
use crate::testbed::webhook::{Received, Webhook, WebhookOptions};
use crate::testbed::weir::Weir;
use crate::testbed::{http, time, tools};

/// Jobs that die while the disk is full, one after another; two more fail and are mended by
/// themselves or by somebody before anybody could be told.
const DIE: usize = 6;
const JOBS: usize = DIE + 3;
const SIZE: &str = "size=16m";
/// That the store cannot be written is told after a minute.
const TOLD_AFTER: Duration = Duration::from_mins(1);

/// How the store comes to have no space.
enum Space {
    /// A file system of its own, mounted here, that is filled.
    Mounted(tempfile::TempDir),
    /// No file of the process may grow.
    Limited(tempfile::TempDir),
}

impl Space {
    /// What this machine lets us do.
    async fn small() -> Result<Space> {
        let dir = tempfile::tempdir()?;
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", SIZE, "tmpfs"])
            .arg(dir.path())
            .stderr(Stdio::null())
            .status()
            .await;
        if mount.is_ok_and(|status| status.success()) {
            return Ok(Space::Mounted(dir));
        }
        tools::note("no right to mount a small disk here: its files may not grow instead");
        Ok(Space::Limited(dir))
    }

    fn path(&self) -> &Path {
        match self {
            Space::Mounted(dir) | Space::Limited(dir) => dir.path(),
        }
    }

    fn store(&self) -> PathBuf {
        self.path().join("weir.db")
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }

    /// The program to start: one that is told when a file may not grow, rather than killed.
    fn binary(&self, dir: &Path) -> Result<PathBuf> {
        let Space::Limited(_) = self else { return Ok(crate::binary().to_owned()) };
        let script = dir.join("weir.sh");
        let text = format!("#!/bin/sh\ntrap '' XFSZ\nexec {} \"$@\"\n", crate::binary().display());
        std::fs::write(&script, text)?;
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))?;
        Ok(script)
    }

    async fn fill(&self, weir: &Weir) -> Result<()> {
        match self {
            Space::Mounted(_) => fill(&self.filler()),
            // The write-ahead log is where the next commit goes.
            Space::Limited(dir) => {
                let wal = std::fs::metadata(dir.path().join("weir.db-wal"))?.len();
                limit(weir, &wal.to_string()).await
            }
        }
    }

    async fn free(&self, weir: &Weir) -> Result<()> {
        match self {
            Space::Mounted(_) => Ok(std::fs::remove_file(self.filler())?),
            Space::Limited(_) => limit(weir, "unlimited").await,
        }
    }

    async fn leave(self) -> Result<()> {
        if let Space::Mounted(dir) = &self {
            let unmounted = Command::new("umount").arg("-l").arg(dir.path()).status().await?;
            ensure!(unmounted.success(), "the small disk is still mounted");
        }
        Ok(())
    }
}

/// Until nothing fits any more, be it a byte.
fn fill(filler: &Path) -> Result<()> {
    for size in [64 * 1024, 4096, 512] {
        loop {
            let file = std::fs::File::options().create(true).append(true).open(filler)?;
            let mut file = std::io::BufWriter::with_capacity(0, file);
            if std::io::Write::write_all(&mut file, &vec![b' '; size]).is_err() {
                break;
            }
        }
    }
    Ok(())
}

/// The size to which files of the process may grow.
async fn limit(weir: &Weir, bytes: &str) -> Result<()> {
    let mut prlimit = Command::new("prlimit");
    prlimit.arg(format!("--pid={}", weir.pid()?)).arg(format!("--fsize={bytes}:"));
    let status = prlimit.status().await.context("there is no prlimit here")?;
    ensure!(status.success(), "prlimit: {status}");
    Ok(())
}

struct Scene {
    fleet: Fleet,
    team: Webhook,
    ops: Webhook,
    weir: Weir,
    _dir: tempfile::TempDir,
}

impl Scene {
    async fn open(space: &Space) -> Result<Scene> {
        let dir = tempfile::tempdir()?;
        let fleet = Fleet::start(FleetOptions::of(1, JOBS, Version::V1_20)).await?;
        let (team, ops) = tokio::try_join!(
            Webhook::start(WebhookOptions::default()),
            Webhook::start(WebhookOptions::default())
        )?;
        std::fs::write(dir.path().join("rules.yaml"), story::JOB_FAILED)?;
        let config = format!(
            r#"
poll: {{ interval: 500ms, timeout: 5s }}
rule_files: ["rules.yaml"]
incidents: {{ resolve_after: 1s, reopen_within: 1ms }}
storm: {{ incidents: 1000, within: 1s }}
route:
  receiver: team
  group_by: ["..."]
  group_wait: 0s
  group_interval: 1s
  routes: [{{ matchers: ['job_name=~"job-[0-2]"'], receiver: ops }}]
receivers:
  - {{ name: team, channels: [webhook: {{ url: "{}" }}] }}
  - {{ name: ops, channels: [webhook: {{ url: "{}" }}] }}
{}"#,
            team.url(),
            ops.url(),
            story::sources(&fleet, 1)
        );
        let binary = space.binary(dir.path())?;
        let weir = Weir::start_on(&binary, dir.path(), &space.store(), &config).await?;
        story::ready(&weir).await?;
        // So that there is something to write before it is full, too.
        story::after_polls(&weir, 2).await?;
        Ok(Scene { fleet, team, ops, weir, _dir: dir })
    }

    /// Everything both heard.
    fn heard(&self) -> Vec<Received> {
        let mut all = self.team.received();
        all.extend(self.ops.received());
        all
    }

    /// What both were told of incidents.
    fn told(&self) -> Vec<(u64, String, String)> {
        let told = self.heard().iter().flat_map(story::told).collect::<Vec<_>>();
        told.into_iter().filter(|told| told.0 != 0).collect()
    }

    /// Names of the jobs both were told this of.
    fn jobs_told(&self, reason: &str) -> BTreeSet<String> {
        self.told().into_iter().filter(|told| told.1 == reason).map(|told| told.2).collect()
    }

    /// Milliseconds until it is so.
    async fn until(&self, what: &str, is_so: impl Fn(&Scene) -> bool) -> Result<u128> {
        let began = time::now();
        let wait = time::wait_for(what, 2 * SOON, || async { Ok(is_so(self).then_some(())) });
        wait.await.with_context(|| self.weir.log_tail())?;
        Ok(time::since(began).as_millis())
    }

    /// What is asked of it while it can write nothing.
    async fn says_so(&self) -> Result<()> {
        let (status, why) = self.weir.answer("/-/ready").await?;
        ensure!(status == 503 && why.contains("weir.db"), "{status} {why}");
        ensure!(self.weir.answer("/-/healthy").await?.0 == 200);
        ensure!(self.weir.text("/metrics").await?.contains("weir_store_writable 0"));
        let url = self.weir.url("/api/v1/silences");
        let wish = json!({ "matchers": ["job_name=job-1"], "duration_seconds": 3600, "id": "s" });
        let reply = http::client().post(url).json(&wish).send().await?;
        let (status, text) = (reply.status().as_u16(), reply.text().await?);
        ensure!(status == 503, "an order was answered with {status}: {text}");
        Ok(())
    }
}

fn is_of_the_store(received: &Received) -> bool {
    received.raw.contains("WeirCannotWriteItsStore")
}

fn failure() -> Failure {
    Failure::new("java.io.IOException", "the broker is gone")
}

/// All that happens while nothing can be written, and what is said about it.
async fn is_full(scene: &Scene) -> Result<String> {
    let Scene { fleet, team, ops, weir, .. } = scene;
    let began = time::now();
    fleet.kill_job(0, 0, &failure());
    let not_ready = time::wait_for("not ready", SOON, || async {
        Ok((weir.answer("/-/ready").await?.0 == 503).then_some(()))
    });
    not_ready.await.with_context(|| weir.log_tail())?;
    let not_ready = time::since(began).as_millis();
    scene.says_so().await?;
    // The rhythm of the failures is the story; nothing is waited for.
    let mut rhythm = tokio::time::interval(Duration::from_secs(5));
    for job in 1..DIE {
        rhythm.tick().await;
        fleet.kill_job(0, job, &failure());
        if job == 2 {
            // Mended by Flink, mended by somebody.
            fleet.fail_job(0, DIE, &failure(), Recovery::AtOnce);
            fleet.kill_job(0, DIE + 1, &failure());
        }
        if job == 4 {
            fleet.submit_again(0, DIE + 1);
        }
    }
    for hook in [team, ops] {
        let told = hook.wait_for(is_of_the_store, 2 * SOON).await;
        told.with_context(|| weir.log_tail())?;
    }
    let told = time::since(began);
    ensure!(told >= TOLD_AFTER, "told past the store after {told:?} already");
    tokio::time::sleep(Duration::from_secs(10)).await;
    scene.says_so().await?;
    for received in scene.heard() {
        ensure!(is_of_the_store(&received), "decided before it was written: {}", received.raw);
    }
    Ok(format!(
        "{} jobs failed in {} s without space; not ready after {not_ready} ms, two receivers told \
         past the store after {:.0} s",
        DIE + 2,
        time::since(began).as_secs(),
        told.as_secs_f64()
    ))
}

async fn plays(space: &Space) -> Result<()> {
    let scene = Scene::open(space).await?;
    space.fill(&scene.weir).await?;
    let figures = is_full(&scene).await?;
    let freed = time::now();
    space.free(&scene.weir).await?;
    story::ready(&scene.weir).await?;
    let ready = time::since(freed).as_millis();
    let last = scene.until("all openings", |s| s.jobs_told("opened").len() == DIE).await?;
    for job in 0..DIE {
        scene.fleet.submit_again(0, job);
    }
    scene.until("all ends", |s| s.jobs_told("resolved").len() == DIE).await?;
    story::until(&scene.weir, "nothing pending", "notices?state=pending", <[_]>::is_empty).await?;
    let mut times: BTreeMap<(u64, String), usize> = BTreeMap::new();
    for (incident, reason, job) in scene.told() {
        ensure!(job.trim_start_matches("job-").parse::<usize>()? < DIE, "{job} {reason}");
        *times.entry((incident, reason)).or_default() += 1;
    }
    ensure!(times.len() == 2 * DIE && times.values().all(|n| *n == 1), "{times:?}");
    let direct = scene.heard().iter().filter(|r| is_of_the_store(r)).count();
    ensure!(direct == 2, "told {direct} times that the store cannot be written");
    let jobs = story::list(&scene.weir, "jobs").await?;
    let failures: u64 = jobs.iter().filter_map(|job| job["failures"].as_u64()).sum();
    ensure!(failures == DIE as u64 + 2, "{failures} failures counted: {jobs:#?}");
    let silences = story::list(&scene.weir, "silences").await?;
    ensure!(silences.is_empty(), "an order that was refused was obeyed: {silences:#?}");
    let log = scene.weir.log();
    for said in ["nothing is decided or sent until this can be written", "can be written again"] {
        ensure!(log.matches(said).count() == 1, "{said}: {}", scene.weir.log_tail());
    }
    let why = log.lines().find(|line| line.contains("nothing is decided")).unwrap_or_default();
    tools::note(&format!(
        "{figures}; with space again: ready after {ready} ms, the last opening told {last} ms \
         later; {DIE} openings and {DIE} ends told, 0 lost, 0 doubled, {failures} failures counted\n\
         {why}"
    ));
    if matches!(space, Space::Mounted(_)) {
        ensure!(why.contains("no space left"), "it is not said why: {why}");
    }
    scene.weir.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_for_a_minute_costs_nothing_but_time() -> Result<()> {
    let space = Space::small().await?;
    let played = plays(&space).await;
    space.leave().await?;
    played
}

/// Where nothing can be mounted this stands for it, so it has to hold as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_may_not_grow_cost_nothing_but_time() -> Result<()> {
    let space = Space::Limited(tempfile::tempdir()?);
    plays(&space).await
}
