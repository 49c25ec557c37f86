//! Weir beside a real YARN cluster: what is killed, what fails, and what a `ResourceManager` takes
//! with it when it is restarted.
//!
//! Downloads 90 MB and starts up to six JVMs: a part of `make e2e`, not of `make test`.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::testbed::control::Control;
use crate::testbed::job::JobSpec;
use crate::testbed::story;
use crate::testbed::table::Rows;
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;
use crate::testbed::yarn::flink::FlinkApp;
use crate::testbed::yarn::unmanaged::{Unmanaged, UnmanagedApp};
use crate::testbed::yarn::{Yarn, YarnOptions};
use crate::testbed::{time, tools};

/// Applications beside the real Flink that are Flink's only to YARN.
const OTHERS: usize = 12;
/// Two busy cores make everything slow; nothing here waits this long when it works.
const LONG: Duration = Duration::from_mins(5);

fn config(yarn: &Yarn, flink: &str, hook: &Webhook) -> String {
    format!(
        r#"
poll: {{ interval: 2s, timeout: 5s }}
sources:
  - yarn: {{ name: emr, resource_managers: {:?} }}
  - flink: {{ name: beside, urls: ["{flink}"] }}
incidents: {{ resolve_after: 4s }}
route: {{ receiver: team, group_by: [cluster], group_wait: 0s, group_interval: 5s }}
receivers:
  - name: team
    channels:
      - webhook: {{ url: "{}" }}
"#,
        yarn.urls(),
        hook.url()
    )
}

async fn job(weir: &Weir, name: &str) -> Result<Value> {
    let jobs = story::list(weir, "jobs").await?;
    let found = jobs.into_iter().find(|job| job["name"] == name);
    found.with_context(|| format!("Weir knows no job {name}"))
}

async fn until_job(weir: &Weir, name: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    let what = format!("job {name} as it should be");
    let found = time::wait_for(&what, LONG, || async {
        let found = job(weir, name).await?;
        Ok(wanted(&found).then_some(found))
    });
    match found.await {
        Ok(found) => Ok(found),
        Err(error) => {
            let last = job(weir, name).await.unwrap_or_default();
            Err(error.context(format!("{last:#}\n{}", weir.log_tail())))
        }
    }
}

fn is_flinks(job: &Value) -> bool {
    job["job_id"].as_str().is_some_and(|id| id.len() == 32)
}

/// What was opened or told anew, by incident and reason.
fn told(hook: &Webhook) -> Vec<(u64, String)> {
    let all: Vec<_> = hook.accepted().iter().flat_map(story::told).collect();
    all.into_iter().map(|(incident, reason, _)| (incident, reason)).collect()
}

#[tokio::test]
#[ignore = "make e2e: downloads Hadoop, takes minutes"]
async fn what_yarn_kills_fails_and_forgets_is_told_apart() -> Result<()> {
    let mut yarn = Yarn::start(YarnOptions::default()).await?;
    let controls = tempfile::tempdir()?;
    let control = Control::new(controls.path())?;
    let real = yarn.deploy(&FlinkApp::application(JobSpec::new("orders", &control))).await?;
    let flink = yarn.flink_rest(&real).await?;
    settings_name_the_application(&flink.get("/jobmanager/config").await?, &real)?;
    let unmanaged = yarn.unmanaged().await?;
    let mut ids = Vec::new();
    for index in 0..OTHERS {
        ids.push(
            unmanaged.start(&UnmanagedApp::new(&format!("job-{index:02}"), "127.0.0.1:9")).await?,
        );
    }
    // A port that went from one to the other, as far as YARN knows.
    let address = flink.url().trim_start_matches("http://").to_owned();
    unmanaged.start(&UnmanagedApp::new("impostor", &address)).await?;

    let dir = tempfile::tempdir()?;
    let hook = Webhook::start(WebhookOptions::default()).await?;
    let config = config(&yarn, flink.url(), &hook);
    let begun = time::now();
    let weir = Weir::start(crate::binary(), dir.path(), &config).await?;
    story::ready(&weir).await?;
    // Also shown by a source that knows nothing of YARN.
    let is_joined = |job: &Value| job["seen_by"][0]["state"] == "RUNNING";
    let orders = until_job(&weir, "orders", |job| is_flinks(job) && is_joined(job)).await?;
    let joined = time::since(begun);
    ensure!(orders["key"] == "emr/orders" && orders["state"] == "RUNNING", "{orders:#}");
    ensure!(orders["live_runs"] == 1, "{orders:#}");
    let all = story::list(&weir, "jobs").await?;
    ensure!(all.iter().all(|job| job["source"] == "emr"), "{all:#?}");
    let user = orders["labels"]["yarn_queue"].as_str();
    ensure!(user.is_some_and(|queue| queue.ends_with("default")), "{orders:#}");
    let impostor = job(&weir, "impostor").await?;
    ensure!(!is_flinks(&impostor), "taken for another application: {impostor:#}");

    let mut rows = Rows::of("YARN", &yarn.version().await?);
    let beside = &orders["seen_by"][0];
    let said = format!("one job: emr/orders, RUNNING; beside it {}: RUNNING", beside["key"]);
    rows.add("a `flink` source shows the job too", &said, joined);
    let ended = time::now_ms();
    one_fails_and_one_is_killed(&weir, &yarn, &unmanaged, &ids).await?;
    let what = "an application ends FINISHED/FAILED";
    story::record(&mut rows, what, &hook, ("JobStartFailed", false), ended).await?;
    let (stopped, back) = a_restart_of_yarn_is_one_incident(&weir, &mut yarn).await?;
    let unreachable = "ClusterUnreachable";
    let what = "the ResourceManager is stopped, Flink runs on";
    story::record(&mut rows, what, &hook, (unreachable, false), stopped).await?;
    let what = "the ResourceManager is back";
    story::record(&mut rows, what, &hook, (unreachable, true), back).await?;
    // Every incident was told once: of a job judged for the first time, in the report on it.
    story::after_polls(&weir, 3).await?;
    let heard = told(&hook);
    tools::note(&format!("told: {heard:?}"));
    let mut begun: Vec<u64> =
        heard.iter().filter(|(_, reason)| reason != "resolved").map(|(id, _)| *id).collect();
    begun.sort_unstable();
    ensure!(begun.len() == 2 && begun[0] != begun[1], "{heard:?}");

    // The stream ends, and its application with it.
    let finished = time::now_ms();
    control.finish()?;
    until_job(&weir, "orders", |job| job["state"] == "FINISHED").await?;
    story::after_polls(&weir, 3).await?;
    let incidents = story::list(&weir, "incidents").await?;
    let rules: Vec<_> = incidents.iter().map(|i| i["rule"].as_str().unwrap_or("")).collect();
    tools::note(&format!("incidents in all: {rules:?}"));
    let known = ["JobStartFailed", "ClusterUnreachable", "JobFinished"];
    ensure!(rules.iter().all(|rule| known.contains(rule)), "{incidents:#?}");
    if rules.contains(&"JobFinished") {
        let what = "a streaming application ends by itself";
        story::record(&mut rows, what, &hook, ("JobFinished", false), finished).await?;
    }
    weir.stop().await?;
    unmanaged.kill9().await?;
    yarn.stop().await?;
    rows.write()
}

/// What Weir tells one application's Flink from another's by.
fn settings_name_the_application(settings: &Value, id: &str) -> Result<()> {
    let of = |key: &str| {
        let found = settings.as_array()?.iter().find(|s| s["key"] == key)?;
        Some(found["value"].as_str()?.to_owned())
    };
    let words = ["execution.target", "io.tmp.dirs", "high-availability.cluster-id"];
    for key in words {
        tools::note(&format!("{key}: {:?}", of(key)));
    }
    // Flink changes `yarn-application` to this before its job runs.
    ensure!(of("execution.target").as_deref() == Some("embedded"), "{settings:#}");
    let named = words.into_iter().skip(1).filter_map(of).any(|value| value.contains(id));
    ensure!(named, "no setting names {id}: {settings:#}");
    Ok(())
}

async fn one_fails_and_one_is_killed(
    weir: &Weir,
    yarn: &Yarn,
    unmanaged: &Unmanaged,
    ids: &[String],
) -> Result<()> {
    let (failing, killed) = (&ids[0], &ids[1]);
    let ended = time::now();
    unmanaged.end(failing, "FAILED", "java.io.IOException: disk gone").await?;
    let open = story::until(weir, "incident of what failed", "incidents?state=open", |all| {
        all.iter().any(|i| i["labels"]["job_name"] == "job-00")
    })
    .await?;
    tools::note(&format!("FINISHED/FAILED was told after {:?}", time::since(ended)));
    // As far as Weir has seen: no Flink of it ever answered.
    ensure!(open.len() == 1 && open[0]["rule"] == "JobStartFailed", "{open:#?}");
    let cause = open[0]["root_cause"].to_string();
    ensure!(cause.contains("disk gone"), "{cause}");
    yarn.rest(0).kill(killed, "flink").await?;
    until_job(weir, "job-01", |job| job["state"] == "CANCELED").await?;
    story::after_polls(weir, 3).await?;
    let open = story::list(weir, "incidents?state=open").await?;
    ensure!(open.len() == 1, "somebody killed it, on purpose: {open:#?}");
    Ok(())
}

/// Returns when the `ResourceManager` was stopped, and when it was back.
async fn a_restart_of_yarn_is_one_incident(weir: &Weir, yarn: &mut Yarn) -> Result<(i64, i64)> {
    let before = story::list(weir, "jobs").await?;
    let stopped = time::now_ms();
    yarn.stop_resource_manager(0).await?;
    let found = time::wait_for("incident of the platform", LONG, || async {
        let open = story::list(weir, "incidents?state=open").await?;
        Ok(open.iter().any(|i| i["rule"] == "ClusterUnreachable").then_some(open))
    });
    let open = found.await.with_context(|| weir.log_tail())?;
    ensure!(open.len() == 2, "{open:#?}");
    // Flink itself answers all the while.
    let orders = job(weir, "orders").await?;
    ensure!(orders["state"] == "RUNNING" && orders["stale"] == false, "{orders:#}");
    yarn.start_resource_manager(0).await?;
    let back = time::now_ms();
    time::wait_for("end of the incident", LONG, || async {
        let open = story::list(weir, "incidents?state=open").await?;
        Ok(open.iter().all(|i| i["rule"] != "ClusterUnreachable").then_some(()))
    })
    .await
    .with_context(|| weir.log_tail())?;
    story::after_polls(weir, 5).await?;
    let after = story::list(weir, "jobs").await?;
    let states = |jobs: &[Value]| -> Vec<(String, String)> {
        jobs.iter().map(|j| (j["key"].to_string(), j["state"].to_string())).collect()
    };
    ensure!(states(&before) == states(&after), "{before:#?}\n{after:#?}");
    let incidents = story::list(weir, "incidents").await?;
    ensure!(incidents.len() == 2, "one of a job, one of the platform: {incidents:#?}");
    Ok((stopped, back))
}
