//! A running Weir takes another configuration: whole or not at all, and nobody is told twice.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::testbed::fleet::{Failure, Fleet, FleetOptions, Version};
use crate::testbed::story::{self, SOON};
use crate::testbed::time;
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;

const RULES: &str = "
groups:
  - name: story
    rules:
      - alert: JobFailed
        when: { job_state: { any_of: [FAILED] } }
        matchers: ['job_name!=\"job-1\"']
        labels: { severity: critical }
";

struct Scene {
    fleet: Fleet,
    hook: Arc<Webhook>,
    second: Arc<Webhook>,
    weir: Weir,
    client: reqwest::Client,
    dir: tempfile::TempDir,
}

fn config(channels: &[&Webhook], fleet: &Fleet) -> String {
    let channel = |(n, hook): (usize, &&Webhook)| {
        format!("      - webhook: {{ name: hook{n}, url: \"{}\" }}\n", hook.url())
    };
    let channels: String = channels.iter().enumerate().map(channel).collect();
    format!(
        "poll: {{ interval: 500ms, timeout: 5s }}
rule_files: [\"rules.yaml\"]
incidents: {{ resolve_after: 1s, reopen_within: 1ms }}
storm: {{ incidents: 1000, within: 1s }}
route: {{ receiver: team, group_by: ['...'], group_wait: 0s, group_interval: 1s }}
receivers:
  - name: team
    channels:
{channels}{}",
        story::sources(fleet, 1)
    )
}

impl Scene {
    async fn open(jobs: usize) -> Result<Scene> {
        let dir = tempfile::tempdir()?;
        let hook = Arc::new(Webhook::start(WebhookOptions::default()).await?);
        let second = Arc::new(Webhook::start(WebhookOptions::default()).await?);
        let fleet = Fleet::start(FleetOptions::of(1, jobs, Version::V1_20)).await?;
        std::fs::write(dir.path().join("rules.yaml"), RULES)?;
        let text = config(&[&hook, &second], &fleet);
        let weir = Weir::start(crate::binary(), dir.path(), &text).await?;
        story::ready(&weir).await?;
        #[expect(clippy::disallowed_methods, reason = "as any client of the API")]
        let client = reqwest::Client::new();
        Ok(Scene { fleet, hook, second, weir, client, dir })
    }

    fn write(&self, file: &str, text: &str) -> Result<()> {
        Ok(std::fs::write(self.dir.path().join(file), text)?)
    }

    /// The configuration with the sections the test bed adds.
    fn write_config(&self, channels: &[&Webhook]) -> Result<()> {
        let path: &Path = &self.dir.path().join("weir.yaml");
        let old = std::fs::read_to_string(path)?;
        let head: String = old.split_inclusive('\n').take(2).collect();
        self.write("weir.yaml", &(head + &config(channels, &self.fleet)))
    }

    async fn post(&self) -> Result<(u16, Value)> {
        let reply = self.client.post(self.weir.url("/-/reload")).send().await?;
        Ok((reply.status().as_u16(), reply.json().await?))
    }

    async fn metric(&self, name: &str) -> Result<f64> {
        let text = self.weir.text("/metrics").await?;
        let line = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(' '));
        Ok(line.with_context(|| format!("no {name}"))?.parse()?)
    }

    /// The metric follows the answer, and the news of what the new rules find, in a moment.
    async fn says_reload_succeeded(&self, wanted: bool) -> Result<()> {
        time::wait_for("the metric of the reload", SOON, || async {
            let succeeded = self.metric("weir_config_last_reload_successful").await? > 0.5;
            Ok((succeeded == wanted).then_some(()))
        })
        .await
    }

    fn die(&self, job: usize) {
        self.fleet.kill_job(0, job, &Failure::new("java.io.IOException", "the broker is gone"));
    }

    async fn heard(&self, hook: &Webhook, reason: &str, job: usize) -> Result<()> {
        let name = format!("job-{job}");
        time::wait_for(&format!("{reason} of {name}"), SOON, || async {
            let told = hook.accepted();
            let mut news = told.iter().flat_map(story::told);
            Ok(news.any(|n| n.1 == reason && n.2 == name).then_some(()))
        })
        .await
        .with_context(|| self.weir.log_tail())
    }
}

fn count(hook: &Webhook) -> BTreeMap<(u64, String), usize> {
    let mut times = BTreeMap::new();
    for received in hook.accepted() {
        for (incident, reason, _) in story::told(&received) {
            *times.entry((incident, reason)).or_default() += 1;
        }
    }
    times
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_change_on_a_hangup_and_a_mistake_changes_nothing() -> Result<()> {
    let scene = Scene::open(3).await?;
    scene.die(0);
    scene.heard(&scene.hook, "opened", 0).await?;
    scene.die(1);
    story::after_polls(&scene.weir, 3).await?;
    ensure!(!count(&scene.hook).keys().any(|(id, _)| *id > 1), "no rule is about job-1 yet");

    // Half of it is right; none of it is taken.
    let wider = RULES.replace("        matchers: ['job_name!=\"job-1\"']\n", "");
    let broken = format!("{wider}      - alert: Broken\n        when: {{ job_stat: {{}} }}\n");
    scene.write("rules.yaml", &broken)?;
    let at = scene.metric("weir_config_last_reload_success_timestamp_seconds").await?;
    let (status, answer) = scene.post().await?;
    ensure!(status == 400, "{status} {answer}");
    let problem = &answer["problems"][0];
    ensure!(problem["file"].as_str().is_some_and(|f| f.ends_with("rules.yaml")), "{answer}");
    ensure!(
        problem["line"].as_u64() == Some(9) && problem["column"].as_u64() > Some(0),
        "{answer}"
    );
    scene.says_reload_succeeded(false).await?;
    ensure!(
        (scene.metric("weir_config_last_reload_success_timestamp_seconds").await? - at).abs()
            < 1e-6
    );
    ensure!(scene.weir.log().contains("rules.yaml:9:"), "{}", scene.weir.log_tail());
    let (ready, _) = scene.weir.answer("/-/ready").await?;
    ensure!(ready == 200, "a refused reload does not concern readiness");
    story::after_polls(&scene.weir, 3).await?;
    ensure!(!count(&scene.hook).keys().any(|(id, _)| *id > 1), "the old rules are in force");

    scene.write("rules.yaml", &wider)?;
    let pid = scene.weir.pid()?.to_string();
    let killed = std::process::Command::new("kill").args(["-HUP", &pid]).status()?;
    ensure!(killed.success());
    scene.heard(&scene.hook, "opened", 1).await?;
    scene.says_reload_succeeded(true).await?;
    ensure!(scene.metric("weir_config_last_reload_success_timestamp_seconds").await? > at);

    // What a channel says of a message is committed too.
    story::until(&scene.weir, "nothing pending", "notices", |all| {
        all.iter().all(|n| n["outcome"] == "sent")
    })
    .await?;
    let commits = scene.weir.commits().await?;
    let polls = story::polls(&scene.weir).await?;
    let (status, answer) = scene.post().await?;
    ensure!(status == 200 && answer["needs_restart"] == serde_json::json!([]), "{answer}");
    let more = scene.weir.commits().await? - commits;
    let looks = story::polls(&scene.weir).await? - polls;
    ensure!(more <= looks as i64 + 1, "{more} commits for the same configuration");
    let twice: Vec<_> = count(&scene.hook).into_iter().filter(|(_, n)| *n > 1).collect();
    ensure!(twice.is_empty(), "{twice:?}");
    scene.weir.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_channel_still_hears_the_end() -> Result<()> {
    let scene = Scene::open(3).await?;
    scene.die(0);
    scene.heard(&scene.hook, "opened", 0).await?;
    scene.heard(&scene.second, "opened", 0).await?;
    scene.write_config(&[&scene.hook])?;
    let (status, answer) = scene.post().await?;
    ensure!(status == 200, "{answer}");
    scene.die(2);
    scene.heard(&scene.hook, "opened", 2).await?;
    scene.fleet.submit_again(0, 0);
    scene.heard(&scene.second, "resolved", 0).await?;
    scene.heard(&scene.hook, "resolved", 0).await?;
    let told: Vec<_> = scene.second.accepted().iter().flat_map(story::told).collect();
    ensure!(told.len() == 2, "it was told of more than it owed: {told:?}");
    let head = std::fs::read_to_string(scene.dir.path().join("weir.yaml"))?;
    scene.write("weir.yaml", &head.replacen("weir.db", "other.db", 1))?;
    let (status, answer) = scene.post().await?;
    ensure!(status == 200 && answer["needs_restart"][0] == "store.url", "{answer}");
    ensure!(scene.weir.log().contains("`store.url` takes effect only at a start: restart weir"));
    scene.weir.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_reloads_lose_nothing_and_double_nothing() -> Result<()> {
    const JOBS: usize = 8;
    let scene = Scene::open(JOBS).await?;
    let mut dead = 0;
    for n in 0..200 {
        let two = n % 2 == 0;
        if n % 10 == 0 {
            let all: [&Webhook; 2] = [&scene.hook, &scene.second];
            scene.write_config(&all[..if n % 20 == 0 { 2 } else { 1 }])?;
        }
        scene.write(
            "rules.yaml",
            &RULES.replace("critical", if two { "critical" } else { "critical, team: a" }),
        )?;
        let (status, answer) = scene.post().await?;
        ensure!(status == 200, "reload {n}: {answer}");
        if n % 20 == 5 && dead < JOBS {
            scene.die(dead);
            dead += 1;
        }
    }
    let watched = |job: &usize| *job != 1;
    for job in (0..dead).filter(watched) {
        scene.heard(&scene.hook, "opened", job).await?;
    }
    for job in 0..dead {
        scene.fleet.submit_again(0, job);
    }
    for job in (0..dead).filter(watched) {
        scene.heard(&scene.hook, "resolved", job).await?;
    }
    story::until(&scene.weir, "nothing pending", "notices", |all| {
        all.iter().all(|n| n["outcome"] == "sent")
    })
    .await?;
    let times = count(&scene.hook);
    ensure!(times.values().all(|n| *n == 1), "{times:?}");
    ensure!(times.len() == 2 * (dead - 1), "{times:?}");
    let others = count(&scene.second);
    let of = |reason: &str| others.keys().filter(|(_, r)| r == reason).count();
    ensure!(others.values().all(|n| *n == 1) && of("opened") == of("resolved"), "{others:?}");
    scene.weir.stop().await
}
