//! People take, close and retire on a running Weir that is killed in between.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::bad_cli::ask;
use crate::testbed::fleet::{Failure, Fleet, FleetOptions, Version};
use crate::testbed::story::{self, SOON};
use crate::testbed::time;
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;

struct Scene {
    fleet: Fleet,
    hook: Webhook,
    weir: Weir,
    client: reqwest::Client,
    dir: tempfile::TempDir,
}

impl Scene {
    /// With so many jobs, and first reminders after `repeat`.
    async fn open(jobs: usize, repeat: &str) -> Result<Scene> {
        let dir = tempfile::tempdir()?;
        let fleet = Fleet::start(FleetOptions::of(1, jobs, Version::V1_20)).await?;
        let hook = Webhook::start(WebhookOptions::default()).await?;
        std::fs::write(dir.path().join("rules.yaml"), story::JOB_FAILED)?;
        let config = format!(
            r#"
poll: {{ interval: 500ms, timeout: 5s }}
rule_files: ["rules.yaml"]
incidents: {{ resolve_after: 1s, reopen_within: 1ms }}
storm: {{ incidents: 1000, within: 1s }}
route:
  receiver: team
  group_by: ['...']
  group_wait: 0s
  group_interval: 1s
  repeat_interval: {repeat}
receivers:
  - name: team
    channels:
      - webhook: {{ url: "{}" }}
{}"#,
            hook.url(),
            story::sources(&fleet, 1)
        );
        let weir = Weir::start(crate::binary(), dir.path(), &config).await?;
        story::ready(&weir).await?;
        #[expect(clippy::disallowed_methods, reason = "as any client of the API")]
        let client = reqwest::Client::new();
        Ok(Scene { fleet, hook, weir, client, dir })
    }

    fn die(&self, job: usize) {
        self.fleet.kill_job(0, job, &Failure::new("java.io.IOException", "the broker is gone"));
    }

    fn count(&self, reason: &str, job: usize) -> usize {
        let name = format!("job-{job}");
        let news = self.hook.taken().iter().flat_map(story::told).collect::<Vec<_>>();
        news.iter().filter(|n| n.1 == reason && n.2 == name).count()
    }

    async fn heard(&self, times: usize, reason: &str, job: usize) -> Result<()> {
        time::wait_for(&format!("{reason} of job-{job}"), SOON, || async {
            Ok((self.count(reason, job) >= times).then_some(()))
        })
        .await
        .with_context(|| self.weir.log_tail())
    }

    /// The number of the newest incident of a job.
    async fn incident(&self, job: usize) -> Result<Value> {
        let all = story::list(&self.weir, &format!("incidents?job=c0%2Fjob-{job}")).await?;
        all.first().cloned().context("no incident")
    }

    async fn post(&self, path: &str, body: &Value) -> Result<(u16, Value)> {
        let url = self.weir.url(&format!("/api/v1/{path}"));
        let reply = self.client.post(url).json(body).send().await?;
        Ok((reply.status().as_u16(), reply.json().await?))
    }

    async fn cli(&self, args: &[&str]) -> Result<(i32, String, String)> {
        ask(self.dir.path(), args).await
    }

    async fn killed(&mut self) -> Result<()> {
        self.weir.kill9().await?;
        self.weir.resume().await?;
        story::ready(&self.weir).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_it_is_not_reminded_and_what_is_closed_stays_shut() -> Result<()> {
    let mut scene = Scene::open(3, "4s").await?;
    scene.die(0);
    scene.heard(1, "opened", 0).await?;
    let number = scene.incident(0).await?["id"].to_string();
    let args = ["ack", &format!("#{number}"), "--comment", "looking", "--by", "ann"];
    let (code, out, err) = scene.cli(&args).await?;
    ensure!(code == 0 && out.contains("acknowledged"), "{code} {out} {err}");
    let known = scene.incident(0).await?;
    ensure!(known["state"] == "acknowledged", "{known:#}");
    ensure!(known["acknowledged"]["by"] == "ann", "{known:#}");
    scene.killed().await?;
    let again = scene.cli(&["ack", &number, "--by", "ann"]).await?;
    ensure!(again.1.contains("already"), "{again:?}");
    let before = story::list(&scene.weir, "notices?job=c0%2Fjob-0").await?;

    // The other one is nobody's: it is reminded of twice, the first not at all.
    scene.die(1);
    scene.heard(2, "repeat", 1).await?;
    let after = story::list(&scene.weir, "notices?job=c0%2Fjob-0").await?;
    ensure!(before.len() == after.len(), "{before:#?} {after:#?}");

    let number = scene.incident(1).await?["id"].to_string();
    let order = json!({ "id": "close-1", "comment": "known", "by": "bob" });
    let (status, done) = scene.post(&format!("incidents/{number}/close"), &order).await?;
    ensure!(status == 200 && done["changed"] == true, "{status} {done}");
    ensure!(done["said"].as_str().is_some_and(|s| s.contains("still true")), "{done}");
    scene.heard(1, "resolved", 1).await?;
    scene.killed().await?;
    let (status, again) = scene.post(&format!("incidents/{number}/close"), &order).await?;
    ensure!(status == 200 && again["repeated"] == true, "{status} {again}");
    ensure!(again["said"] == done["said"], "{again}");
    story::after_polls(&scene.weir, 4).await?;
    ensure!(scene.incident(1).await?["end_reason"] == "closed", "it is dead, and shut");
    ensure!(scene.count("opened", 1) == 1);
    scene.fleet.submit_again(0, 1);
    story::until(&scene.weir, "it stopped", &format!("incidents/{number}/events"), |lines| {
        let said = |line: &Value| line["what"].as_str().unwrap_or_default().to_owned();
        lines.iter().any(|l| said(l).contains("stopped; it may open an incident again"))
    })
    .await?;
    scene.die(1);
    scene.heard(2, "opened", 1).await?;

    let (code, out, err) = scene.cli(&["retire", "job-2"]).await?;
    ensure!(code == 1 && err.contains("is RUNNING"), "{code} {out} {err}");
    scene.die(2);
    scene.heard(1, "opened", 2).await?;
    let (code, out, err) = scene.cli(&["retire", "job-2", "--output", "json"]).await?;
    let done: Value = serde_json::from_str(&out).with_context(|| format!("{code} {out} {err}"))?;
    ensure!(done["job"] == "c0/job-2", "{done}");
    scene.heard(1, "resolved", 2).await?;
    let listed = |jobs: &[Value]| jobs.iter().any(|job| job["name"] == "job-2");
    ensure!(!listed(&story::list(&scene.weir, "jobs").await?));
    scene.killed().await?;
    story::after_polls(&scene.weir, 3).await?;
    ensure!(!listed(&story::list(&scene.weir, "jobs").await?), "Flink lists its dead run still");
    ensure!(!scene.weir.text("/metrics").await?.contains("job-2"));
    scene.fleet.submit_again(0, 2);
    story::until(&scene.weir, "it is back", "jobs", listed).await?;

    let number = scene.incident(0).await?["id"].to_string();
    let (code, out, err) = scene.cli(&["unack", &number, "--by", "ann"]).await?;
    ensure!(code == 0 && out.contains("open again"), "{code} {out} {err}");
    scene.heard(1, "repeat", 0).await?;
    let (code, _, err) = scene.cli(&["close", "999", "--by", "ann"]).await?;
    ensure!(code == 1 && err.contains("no incident #999"), "{code} {err}");
    scene.weir.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_taken_while_the_store_cannot_be_written_and_then_it_is_taken_once() -> Result<()>
{
    let scene = Scene::open(1, "4h").await?;
    scene.die(0);
    scene.heard(1, "opened", 0).await?;
    let number = scene.incident(0).await?["id"].to_string();
    let options =
        sqlx::sqlite::SqliteConnectOptions::new().filename(scene.dir.path().join("weir.db"));
    let mut lock = options.connect().await?;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut lock).await?;
    let order = json!({ "id": "ack-1", "by": "ann" });
    let path = format!("incidents/{number}/ack");
    // Nobody knows yet that it cannot be written: it is begun, and there is no answer.
    let (status, said) = scene.post(&path, &order).await?;
    ensure!(status == 503, "{status} {said}");
    ensure!(said["error"].as_str().is_some_and(|s| s.contains("the id `ack-1`")), "{said}");
    let (status, said) = scene.post(&path, &order).await?;
    ensure!(status == 503, "{status} {said}");
    ensure!(said["error"].as_str().is_some_and(|s| s.contains("cannot be written")), "{said}");
    ensure!(scene.incident(0).await?["state"] == "open");
    sqlx::query("ROLLBACK").execute(&mut lock).await?;
    lock.close().await?;
    let done = time::wait_for("taken", SOON, || async {
        let (status, done) = scene.post(&path, &order).await?;
        Ok((status == 200).then_some(done))
    })
    .await?;
    ensure!(done["repeated"] == true, "{done}");
    ensure!(scene.incident(0).await?["state"] == "acknowledged");
    let lines = story::list(&scene.weir, &format!("incidents/{number}/events")).await?;
    let acks = lines.iter().filter(|l| l["what"] == "acknowledged by ann").count();
    ensure!(acks == 1, "{lines:#?}");
    scene.weir.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_silenced_is_told_when_that_ends_if_it_is_still_wrong() -> Result<()> {
    let mut scene = Scene::open(4, "4h").await?;
    let add = ["silence", "add", "job_name=job-0", "--for", "1h", "--comment", "known"];
    let dry: Vec<&str> = add.iter().copied().chain(["--dry-run"]).collect();
    let (code, out, err) = scene.cli(&dry).await?;
    ensure!(code == 0 && out.contains("1 job match") && out.contains("c0/job-0"), "{out} {err}");
    ensure!(story::list(&scene.weir, "silences").await?.is_empty(), "that was dry");
    let (code, out, err) = scene.cli(&add).await?;
    ensure!(code == 0 && out.starts_with("silence #1 from now until "), "{code} {out} {err}");
    scene.die(0);
    scene.die(1);
    scene.heard(1, "opened", 1).await?;
    story::until(&scene.weir, "it is held", "notices?job=c0%2Fjob-0", |all| {
        let held = |n: &Value| n["held_by"].as_str().unwrap_or_default().to_owned();
        all.iter().any(|n| held(n).starts_with("silenced by #1 until "))
    })
    .await?;
    ensure!(scene.incident(0).await?["silenced_by"] == 1);
    scene.killed().await?;
    story::after_polls(&scene.weir, 3).await?;
    ensure!(scene.count("opened", 0) == 0);
    let (_, out, _) = scene.cli(&["silence", "list"]).await?;
    ensure!(out.starts_with("#1  active  until ") && out.contains("known"), "{out}");

    // It was told of job-1 before: the end passes.
    let number = scene.incident(1).await?["id"].to_string();
    let (_, out, _) = scene.cli(&["silence", "add", "job_name=job-1", "--for", "1h"]).await?;
    ensure!(out.contains(&format!("  #{number} job-1: JobFailed\n")), "{out}");
    scene.fleet.submit_again(0, 1);
    scene.heard(1, "resolved", 1).await?;

    let maintain = ["maintenance", "job-2", "--for", "1h", "--reason", "backfill"];
    let (code, out, err) = scene.cli(&maintain).await?;
    ensure!(code == 0 && out.starts_with("maintenance #3 "), "{code} {out} {err}");
    scene.die(2);
    scene.heard(1, "opened", 2).await?;
    let (code, out, _) = scene.cli(&["maintenance", "list"]).await?;
    ensure!(code == 0 && out.lines().count() == 1 && out.contains("backfill"), "{out}");
    let (code, out, err) = scene.cli(&["maintenance", "end", "3"]).await?;
    ensure!(code == 0, "{out} {err}");

    let (code, out, err) = scene.cli(&["silence", "end", "1", "--by", "ann"]).await?;
    ensure!(code == 0 && out.contains("is over"), "{code} {out} {err}");
    scene.heard(1, "opened", 0).await?;
    let (code, _, err) = scene.cli(&["silence", "end", "1"]).await?;
    ensure!(code == 1 && err.contains("is over already"), "{code} {err}");

    // This one ends by itself.
    let wish = json!({ "matchers": ["job_name=job-3"], "duration_seconds": 6, "id": "brief" });
    let (status, made) = scene.post("silences", &wish).await?;
    ensure!(status == 200 && made["silence"] == 4, "{status} {made}");
    let (_, again) = scene.post("silences", &wish).await?;
    ensure!(again["repeated"] == true && again["silence"] == 4, "{again}");
    scene.die(3);
    story::until(&scene.weir, "it is held", "notices?job=c0%2Fjob-3", |all| {
        all.iter().any(|n| n["held_by"].as_str().is_some_and(|h| h.contains("#4")))
    })
    .await?;
    ensure!(scene.count("opened", 3) == 0);
    scene.heard(1, "opened", 3).await?;
    for job in 0..4 {
        ensure!(scene.count("opened", job) == 1, "job-{job}");
    }
    scene.weir.stop().await
}
