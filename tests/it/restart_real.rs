//! Sixty jobs on a real YARN whose `ResourceManager` dies and comes back: one opening and one
//! resolution for all of them, with the shipped rules and the shipped route, and no job called lost.
//!
//! Downloads 90 MB and starts up to six JVMs: a part of `make e2e`, not of `make test`.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::testbed::control::Control;
use crate::testbed::job::JobSpec;
use crate::testbed::rest::FlinkRest;
use crate::testbed::story;
use crate::testbed::table::Rows;
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;
use crate::testbed::yarn::flink::FlinkApp;
use crate::testbed::yarn::unmanaged::UnmanagedApp;
use crate::testbed::yarn::{Yarn, YarnOptions};
use crate::testbed::{time, tools};

const ALL: usize = 60;
const UNREACHABLE: &str = "ClusterUnreachable";
/// Two minutes of the rule, what the route and the resolution wait, and slow cores.
const LONG: Duration = Duration::from_mins(8);

fn states(jobs: &[Value]) -> Vec<(String, String)> {
    jobs.iter().map(|job| (job["key"].to_string(), job["state"].to_string())).collect()
}

/// Reason and alert's name of every alert of every message.
fn heard(hook: &Webhook) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for received in hook.accepted() {
        for alert in received.body()["alerts"].as_array().into_iter().flatten() {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            all.push((text(&alert["weir"]["reason"]), text(&alert["labels"]["alertname"])));
        }
    }
    all
}

#[tokio::test]
#[ignore = "make e2e: downloads Hadoop, takes minutes"]
async fn sixty_jobs_lose_their_resource_manager_and_people_hear_of_one_thing() -> Result<()> {
    // Masters that start slowly, or lose their ResourceManager for minutes, are not given up.
    let expiry = ("yarn.am.liveness-monitor.expiry-interval-ms".to_owned(), "900000".to_owned());
    let options = YarnOptions { conf: vec![expiry], ..YarnOptions::default() };
    let mut yarn = Yarn::start(options).await?;
    let mut rows = Rows::of("YARN", &yarn.version().await?);
    let controls = tempfile::tempdir()?;
    let mut flinks: Vec<FlinkRest> = Vec::new();
    for name in ["orders", "clicks"] {
        let control = Control::new(&controls.path().join(name))?;
        let id = yarn.deploy(&FlinkApp::application(JobSpec::new(name, &control))).await?;
        flinks.push(yarn.flink_rest(&id).await?);
    }
    let unmanaged = yarn.unmanaged().await?;
    let apps: Vec<UnmanagedApp> = (flinks.len()..ALL)
        .map(|index| UnmanagedApp::new(&format!("job-{index:02}"), "127.0.0.1:9"))
        .collect();
    futures_util::future::try_join_all(apps.iter().map(|app| unmanaged.start(app))).await?;

    let dir = tempfile::tempdir()?;
    let hook = Webhook::start(WebhookOptions::default()).await?;
    // Rules, route and incidents as shipped.
    let config = format!(
        r#"
poll: {{ interval: 2s, timeout: 5s }}
sources:
  - yarn: {{ name: emr, resource_managers: {:?} }}
receivers:
  - name: team
    channels:
      - webhook: {{ url: "{}" }}
"#,
        yarn.urls(),
        hook.url()
    );
    let weir = Weir::start(crate::binary(), dir.path(), &config).await?;
    story::ready(&weir).await?;
    let before = story::until(&weir, "all jobs", "jobs", |jobs| {
        let of_flink = jobs.iter().filter(|job| job["state"] == "RUNNING");
        jobs.len() == ALL && of_flink.count() >= 2
    })
    .await?;
    story::after_polls(&weir, 3).await?;
    let early = heard(&hook);
    ensure!(early.is_empty(), "nothing was wrong: {early:?}");

    let (killed, killed_ms) = (time::now(), time::now_ms());
    yarn.kill_resource_manager(0).await?;
    let opened = hook.wait_for(|r| r.raw.contains(UNREACHABLE), LONG).await;
    let opened = opened.with_context(|| format!("nobody was told\n{}", weir.log_tail()))?;
    tools::note(&format!(
        "told after {:?}: {}",
        time::since(killed),
        opened.body()["weir"]["title"]
    ));
    for flink in &flinks {
        flink.get("/overview").await.context("Flink went with the ResourceManager")?;
    }
    let during = story::list(&weir, "jobs").await?;
    ensure!(during.iter().all(|job| job["missing"] != true), "called lost: {during:#?}");

    yarn.start_resource_manager(0).await?;
    let back = time::now_ms();
    let over = hook
        .wait_for(
            |r| {
                let body = r.body();
                let alerts = body["alerts"].as_array().cloned().unwrap_or_default();
                alerts.iter().any(|alert| alert["weir"]["reason"] == "resolved")
            },
            LONG,
        )
        .await;
    ensure!(over.is_some(), "its end was not told\n{}", weir.log_tail());
    let known = |jobs: &[Value]| states(jobs) == states(&before);
    story::until(&weir, "all jobs as they were", "jobs", known).await?;
    story::after_polls(&weir, 10).await?;

    let all = heard(&hook);
    tools::note(&format!("{} messages: {all:?}", hook.accepted().len()));
    ensure!(hook.accepted().len() == 2, "one opening, one resolution: {all:#?}");
    let names: Vec<&str> = all.iter().map(|(_, name)| name.as_str()).collect();
    ensure!(names == [UNREACHABLE, UNREACHABLE] && all[1].0 == "resolved", "{all:?}");
    let incidents = story::list(&weir, "incidents").await?;
    ensure!(incidents.len() == 1 && incidents[0]["state"] == "resolved", "{incidents:#?}");
    let what = "the ResourceManager of 60 jobs is killed: the one opening";
    story::record(&mut rows, what, &hook, (UNREACHABLE, false), killed_ms).await?;
    let what = "the ResourceManager of 60 jobs is back: the one resolution";
    story::record(&mut rows, what, &hook, (UNREACHABLE, true), back).await?;
    weir.stop().await?;
    unmanaged.kill9().await?;
    yarn.stop().await?;
    rows.write()
}
