//! One Flink cluster that two sources show: one job, one incident, and two pairs of eyes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, ensure};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;

use crate::testbed::fleet::{Failure, Fleet, FleetOptions, Version};
use crate::testbed::net::Served;
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;
use crate::testbed::{story, time};

/// A way to a Flink cluster that can be closed.
struct Door {
    served: Served,
    closed: Arc<AtomicBool>,
}

/// Where it leads, and whether it is closed.
type Way = (String, Arc<AtomicBool>);

impl Door {
    async fn to(url: String) -> Result<Door> {
        let closed = Arc::new(AtomicBool::new(false));
        let router = Router::new().fallback(pass).with_state((url, Arc::clone(&closed)));
        Ok(Door { served: Served::start(router).await?, closed })
    }

    fn url(&self) -> String {
        format!("http://{}", self.served.addr())
    }

    fn close(&self, closed: bool) {
        self.closed.store(closed, Ordering::SeqCst);
    }
}

async fn pass(State((url, closed)): State<Way>, request: Request) -> Response {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let is_open = !closed.load(Ordering::SeqCst);
    let answer = if is_open { reqwest::get(format!("{url}{path}")).await.ok() } else { None };
    let Some(answer) = answer else { return StatusCode::BAD_GATEWAY.into_response() };
    let status = answer.status();
    match answer.bytes().await {
        Ok(body) => (status, body).into_response(),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}

struct Scene {
    fleet: Fleet,
    doors: [Door; 2],
    hook: Webhook,
    weir: Weir,
    dir: tempfile::TempDir,
}

const NAMES: [&str; 2] = ["prod", "quick"];
const JOBS: usize = 3;

impl Scene {
    async fn open() -> Result<Scene> {
        let dir = tempfile::tempdir()?;
        let fleet = Fleet::start(FleetOptions::of(1, JOBS, Version::V1_20)).await?;
        let doors = [Door::to(fleet.url(0)).await?, Door::to(fleet.url(0)).await?];
        let hook = Webhook::start(WebhookOptions::default()).await?;
        std::fs::write(dir.path().join("rules.yaml"), story::JOB_FAILED)?;
        let config = format!(
            r#"
poll: {{ interval: 300ms, timeout: 5s }}
rule_files: ["rules.yaml"]
incidents: {{ resolve_after: 1s, reopen_within: 1ms }}
route: {{ receiver: team, group_wait: 0s, group_interval: 1s }}
receivers:
  - name: team
    channels:
      - webhook: {{ url: "{}" }}
sources:
  - flink: {{ name: {}, urls: ["{}"] }}
  - flink: {{ name: {}, urls: ["{}"] }}
"#,
            hook.url(),
            NAMES[0],
            doors[0].url(),
            NAMES[1],
            doors[1].url(),
        );
        let weir = Weir::start(crate::binary(), dir.path(), &config).await?;
        story::ready(&weir).await?;
        Ok(Scene { fleet, doors, hook, weir, dir })
    }

    /// Until every job is there once, shown by both; the place of the source that names them.
    async fn joined(&self) -> Result<usize> {
        let both = |job: &Value| job["seen_by"].as_array().is_some_and(|all| all.len() == 1);
        let jobs = story::until(&self.weir, "jobs that are joined", "jobs", |jobs| {
            jobs.len() == JOBS && jobs.iter().all(both)
        });
        let jobs = jobs.await?;
        let owner = NAMES.iter().position(|name| jobs[0]["source"] == **name);
        let owner = owner.context("named by neither")?;
        for job in &jobs {
            ensure!(job["source"] == NAMES[owner], "{jobs:#?}");
            let seen = &job["seen_by"][0];
            ensure!(seen["source"] == NAMES[1 - owner] && seen["state"] == "RUNNING", "{job:#}");
        }
        Ok(owner)
    }

    /// What was opened and ended since the beginning, by reason.
    fn told(&self, reason: &str) -> usize {
        let all: Vec<_> = self.hook.accepted().iter().flat_map(story::told).collect();
        all.iter().filter(|(_, why, _)| why == reason).count()
    }

    async fn heard(&self, reason: &str, count: usize) -> Result<()> {
        time::wait_for(&format!("{count} times {reason}"), story::SOON, || async {
            Ok((self.told(reason) >= count).then_some(()))
        })
        .await
        .with_context(|| self.weir.log_tail())?;
        story::after_polls(&self.weir, 4).await?;
        let told = self.told(reason);
        ensure!(told == count, "{reason} told {told} times, not {count}");
        Ok(())
    }

    async fn table(&self) -> Result<String> {
        let output = tokio::process::Command::new(crate::binary())
            .args(["jobs", "--wide", "--config", "weir.yaml", "--url"])
            .arg(self.weir.url(""))
            .current_dir(self.dir.path())
            .output()
            .await?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_two_sources_show_fails_once_whoever_can_see_it() -> Result<()> {
    let scene = Scene::open().await?;
    let first = scene.joined().await?;
    let beside = NAMES[1 - first];
    let table = scene.table().await?;
    let said = table.lines().filter(|line| line.contains(&format!("{beside}: RUNNING ({beside}/")));
    ensure!(said.count() == JOBS, "{table}");

    // Both see it fail.
    scene.fleet.kill_job(0, 0, &Failure::new("java.io.IOException", "disk gone"));
    scene.heard("opened", 1).await?;

    // Only the other one does.
    scene.doors[first].close(true);
    story::until(&scene.weir, "the owner is blind", "sources", |all| {
        all.iter().any(|source| source["up"] == false)
    })
    .await?;
    scene.fleet.kill_job(0, 1, &Failure::new("java.io.IOException", "disk gone"));
    scene.heard("opened", 2).await?;
    let incidents = story::list(&scene.weir, "incidents").await?;
    let owned = |incident: &Value| incident["cluster"] == NAMES[first];
    ensure!(incidents.len() == 2 && incidents.iter().all(owned), "{incidents:#?}");
    let stale = story::list(&scene.weir, "jobs").await?;
    ensure!(stale.iter().all(|job| job["stale"] == false), "{stale:#?}");

    // Nobody does: nothing is known, and nothing told.
    scene.doors[1 - first].close(true);
    story::until(&scene.weir, "both are blind", "jobs", |jobs| {
        jobs.iter().all(|job| job["stale"] == true)
    })
    .await?;

    // Both see again, and the jobs run again: each ends once.
    scene.fleet.submit_again(0, 0);
    scene.fleet.submit_again(0, 1);
    scene.doors.iter().for_each(|door| door.close(false));
    scene.heard("resolved", 2).await?;
    ensure!(scene.told("opened") == 2, "opened again");
    ensure!(scene.joined().await? == first, "another one names them now");
    scene.weir.stop().await
}
