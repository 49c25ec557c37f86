//! Lists of clusters are taken as they change, and one with a mistake changes nothing.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};

use crate::testbed::fleet::{Failure, Fleet, FleetOptions, Version};
use crate::testbed::story::{self, SOON};
use crate::testbed::time;
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;

struct Scene {
    fleet: Fleet,
    hook: Webhook,
    weir: Weir,
    dir: tempfile::TempDir,
}

impl Scene {
    async fn open() -> Result<Scene> {
        let dir = tempfile::tempdir()?;
        let fleet = Fleet::start(FleetOptions::of(3, 1, Version::V1_20)).await?;
        let hook = Webhook::start(WebhookOptions::default()).await?;
        std::fs::write(dir.path().join("rules.yaml"), story::JOB_FAILED)?;
        std::fs::create_dir(dir.path().join("lists"))?;
        let list = dir.path().join("lists/a.yaml");
        std::fs::write(list, format!("- flink: {{ name: c0, urls: [\"{}\"] }}\n", fleet.url(0)))?;
        let config = format!(
            r#"
poll: {{ interval: 300ms, timeout: 5s }}
rule_files: ["rules.yaml"]
source_files: ["lists/*"]
incidents: {{ resolve_after: 1s, reopen_within: 1ms }}
route: {{ receiver: team, group_wait: 0s, group_interval: 1s }}
receivers:
  - name: team
    channels:
      - webhook: {{ url: "{}" }}
"#,
            hook.url()
        );
        let weir = Weir::start(crate::binary(), dir.path(), &config).await?;
        story::ready(&weir).await?;
        Ok(Scene { fleet, hook, weir, dir })
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        Ok(std::fs::write(self.dir.path().join("lists").join(name), text)?)
    }

    /// Until jobs of these sources are there, and of no other.
    async fn watches(&self, names: &[&str]) -> Result<()> {
        let expected: BTreeSet<&str> = names.iter().copied().collect();
        story::until(&self.weir, &format!("jobs of {names:?}"), "jobs", |jobs| {
            let found = jobs.iter().filter_map(|job| job["cluster"].as_str());
            found.collect::<BTreeSet<_>>() == expected
        })
        .await
        .map(drop)
    }

    async fn says_reload_succeeded(&self, wanted: bool) -> Result<()> {
        let line = format!("weir_config_last_reload_successful {}", u8::from(wanted));
        time::wait_for(&line, SOON, || async {
            Ok(self.weir.text("/metrics").await?.lines().any(|l| l == line).then_some(()))
        })
        .await
        .with_context(|| self.weir.log_tail())
    }

    async fn heard(&self, reason: &str) -> Result<()> {
        let told = self.hook.wait_for(|r| story::told(r).iter().any(|n| n.1 == reason), SOON);
        told.await.map(drop).with_context(|| self.weir.log_tail())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clusters_come_and_go_with_their_lists() -> Result<()> {
    let scene = Scene::open().await?;
    scene.watches(&["c0"]).await?;

    // A second list, as Prometheus would read it.
    let second = scene.fleet.url(1);
    let host = second.trim_start_matches("http://").to_owned();
    scene
        .write("b.json", &format!(r#"[{{"targets": ["{host}"], "labels": {{"team": "ads"}}}}]"#))?;
    scene.watches(&["c0", &host]).await?;
    let jobs = story::list(&scene.weir, "jobs?matchers=team%3D%22ads%22").await?;
    ensure!(jobs.len() == 1, "{jobs:#?}");

    // What is half written, or wrong, takes nothing away.
    scene.write("b.json", "[{\"targets\": [\"")?;
    scene.says_reload_succeeded(false).await?;
    scene.fleet.kill_job(1, 0, &Failure::new("java.io.IOException", "disk gone"));
    scene.heard("opened").await?;
    scene.watches(&["c0", &host]).await?;

    // Gone from the list, it is no longer watched, and its incident is over for that reason.
    let third = format!("- flink: {{ name: c2, urls: [\"{}\"] }}\n", scene.fleet.url(2));
    scene.write("b.json", &third)?;
    scene.says_reload_succeeded(true).await?;
    scene.watches(&["c0", "c2"]).await?;
    let ended = story::until(&scene.weir, "the end", "incidents", |all| {
        all.iter().all(|incident| incident["state"] == "resolved")
    });
    let ended = ended.await?;
    ensure!(ended.len() == 1 && ended[0]["end_reason"] == "unwatched", "{ended:#?}");

    // A list that is taken away as a whole.
    std::fs::remove_file(scene.dir.path().join("lists/b.json"))?;
    scene.watches(&["c0"]).await?;
    scene.weir.stop().await
}
