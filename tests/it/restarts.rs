//! A job that died runs again from its last checkpoint, once: on a real Flink, by the whole of Weir.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::testbed::control::Control;
use crate::testbed::flink::{Flink, FlinkOptions, release};
use crate::testbed::job::{self, JobSpec, RestartStrategy};
use crate::testbed::story::{self, SOON};
use crate::testbed::table::Rows;
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;
use crate::testbed::{time, tools};

const JOB: &str = "orders";

/// A Flink with one job that does not restart by itself, and a Weir that may restart it.
struct Bed {
    flink: Flink,
    weir: Weir,
    hook: Webhook,
    control: Control,
    job: String,
    dir: tempfile::TempDir,
}

/// How the driver starts it.
fn driver(spec: &JobSpec, flink: &Flink, jar: &str, jar_file: Option<&str>) -> Value {
    let conf: serde_json::Map<String, Value> =
        spec.conf(flink.release()).into_iter().map(|(k, v)| (k, Value::from(v))).collect();
    let mut driver = json!({
        "jar": jar,
        "entry_class": job::ENTRY_CLASS,
        "args": spec.args(),
        "parallelism": spec.parallelism,
        "configuration": conf,
    });
    if let Some(file) = jar_file {
        driver["jar_file"] = Value::from(file);
    }
    json!({ "flink_jar": driver })
}

impl Bed {
    async fn new(restarts: &Value) -> Result<Bed> {
        let dir = tempfile::tempdir()?;
        let flink = Flink::start(FlinkOptions::version(&release("1.20.5"))).await?;
        let hook = Webhook::start(WebhookOptions::default()).await?;
        let control = Control::new(&flink.dir().join("control"))?;
        let spec = JobSpec { restart: RestartStrategy::None, ..JobSpec::new(JOB, &control) };
        let job = flink.submit(&spec).await?;
        flink.rest().wait_for_checkpoints(&job, 2, SOON).await?;
        let jar = job::jar(flink.version()).await?.display().to_string();
        let mut entry = json!({
            "name": "orders",
            "matchers": ["job_name=\"orders\""],
            "mode": "automatic",
            "backoff": { "initial": "0s", "max": "1s" },
            "missing_for": "3s",
            "driver": driver(&spec, &flink, "orders.jar", Some(&jar)),
        });
        for (key, value) in restarts.as_object().into_iter().flatten() {
            entry[key] = value.clone();
        }
        let config = format!(
            r#"
poll: {{ interval: 1s, timeout: 5s }}
sources:
  - flink: {{ name: prod, urls: {:?} }}
incidents: {{ resolve_after: 3s }}
route: {{ receiver: team, group_by: [cluster], group_wait: 0s, group_interval: 5s }}
receivers:
  - name: team
    channels:
      - webhook: {{ url: "{}" }}
restarts: [{entry}]
"#,
            flink.rest_urls(),
            hook.url()
        );
        let weir = Weir::start(crate::binary(), dir.path(), &config).await?;
        story::ready(&weir).await?;
        story::after_polls(&weir, 2).await?;
        Ok(Bed { flink, weir, hook, control, job, dir })
    }

    /// Restarts so far, oldest first.
    async fn restarts(&self) -> Result<Vec<Value>> {
        let mut all = story::list(&self.weir, "restarts?limit=1000").await?;
        all.reverse();
        Ok(all)
    }

    async fn until(&self, what: &str, wanted: impl Fn(&[Value]) -> bool) -> Result<Vec<Value>> {
        let found = time::wait_for(what, SOON, || async {
            let all = self.restarts().await?;
            Ok(wanted(&all).then_some(all))
        });
        let found = found.await;
        match found {
            Ok(found) => Ok(found),
            Err(error) => {
                let rows = serde_json::to_string_pretty(&self.restarts().await?)?;
                Err(error.context(rows).context(self.weir.log_tail()))
            }
        }
    }

    /// Live runs of the job, by Flink's own account.
    async fn live(&self) -> Result<Vec<String>> {
        let overview = self.flink.rest().get("/jobs/overview").await?;
        let jobs = overview["jobs"].as_array().cloned().unwrap_or_default();
        let dead = ["FAILED", "CANCELED", "FINISHED"];
        let lives = |job: &&Value| !dead.contains(&job["state"].as_str().unwrap_or_default());
        Ok(jobs
            .iter()
            .filter(lives)
            .map(|j| j["jid"].as_str().unwrap_or_default().to_owned())
            .collect())
    }

    async fn fail_once(&self) -> Result<()> {
        let before = self.control.failures()?;
        self.control.crash_times(1, Duration::ZERO)?;
        time::wait_for("the failure", SOON, || async {
            Ok((self.control.failures()? > before).then_some(()))
        })
        .await?;
        self.control.crash_off()
    }

    async fn end(self) -> Result<()> {
        let miscounts = self.control.miscounts()?;
        ensure!(miscounts.is_empty(), "{miscounts:?}");
        self.weir.stop().await?;
        self.flink.stop().await?;
        drop(self.dir);
        Ok(())
    }
}

fn state_of(all: &[Value], index: usize) -> &str {
    all.get(index).and_then(|row| row["state"].as_str()).unwrap_or_default()
}

/// It died: it runs again from its last checkpoint, counts on where it was, and everybody heard of
/// it as one incident that is over.
#[tokio::test]
async fn a_job_that_died_runs_again_from_its_last_checkpoint() -> Result<()> {
    let bed = Bed::new(&json!({})).await?;
    bed.fail_once().await?;
    let done = bed.until("a verified restart", |all| state_of(all, 0) == "verified").await?;
    ensure!(done.len() == 1, "{done:#?}");
    let row = &done[0];
    ensure!(row["dead_job_id"] == bed.job.as_str(), "{row:#}");
    ensure!(row["job_id"] == row["handle"], "{row:#}");
    let new = row["job_id"].as_str().context("no job id")?;
    ensure!(bed.live().await? == [new], "{:?}", bed.live().await?);
    let restored = bed.flink.rest().checkpoints(new).await?;
    let from = restored["latest"]["restored"]["external_path"].as_str().unwrap_or_default();
    ensure!(row["from"] == from, "{row:#} {from}");
    let counted = bed.control.restored()?;
    ensure!(counted.len() == 2 && counted[0] == 0 && counted[1] > 0, "{counted:?}");
    let over = story::until(&bed.weir, "the end", "incidents", |all| {
        all.len() == 1 && all[0]["state"] == "resolved"
    })
    .await?;
    ensure!(over[0]["end_reason"] == "recovered", "{over:#?}");
    let heard: Vec<_> = bed.hook.accepted().iter().flat_map(story::told).collect();
    let opened = heard.iter().filter(|told| told.1 == "opened").count();
    ensure!(opened == 1 && heard.len() == 2, "{heard:#?}");
    bed.end().await
}

/// A signal for Weir's process.
async fn signal(weir: &Weir, name: &str) -> Result<()> {
    tools::run("kill", &[format!("-{name}"), weir.pid()?.to_string()]).await?;
    Ok(())
}

/// Killed or stopped at any instant of a restart, Weir goes on where it was: the job runs again, once.
/// `WEIR_KILLS=200` does it that often.
#[tokio::test]
#[ignore = "minutes on a real Flink; part of `make components`"]
async fn killed_in_the_middle_of_restarts_real() -> Result<()> {
    let asked = std::env::var_os("WEIR_KILLS").and_then(|text| text.to_str()?.parse().ok());
    let kills: u64 = asked.unwrap_or(20);
    // Each time another attempt, none of which may be one too many.
    let mut bed = Bed::new(&json!({
        "attempts": { "max": 100, "per": "1s" },
        "same_cause": 100,
    }))
    .await?;
    let mut dice = story::Dice(7);
    let mut verified = 0;
    for round in 0..kills {
        let before = bed.restarts().await?.len();
        bed.fail_once().await?;
        // A restart takes about five seconds, most of which it waits for what the run left.
        let after = Duration::from_millis(500 + dice.below(9_000));
        let stop = dice.below(3) == 0;
        tokio::time::sleep(after).await;
        if stop {
            signal(&bed.weir, "STOP").await?;
            tokio::time::sleep(Duration::from_secs(25)).await;
            signal(&bed.weir, "CONT").await?;
        } else {
            bed.weir.kill9().await?;
            bed.weir.resume().await?;
        }
        let what = format!("round {round}: one healthy run, and nothing on its way");
        let done = time::wait_for(&what, 2 * SOON, || async {
            ensure!(bed.live().await?.len() <= 1, "round {round}: two live runs");
            let rows = bed.restarts().await?;
            // What is shown may be of before the failure.
            let begun = rows.len() > before;
            let open = ["planned", "approval", "stopping", "submitted", "running"];
            let on_way = rows.iter().any(|row| open.iter().any(|state| row["state"] == *state));
            let jobs = story::list(&bed.weir, "jobs").await?;
            let runs = jobs.iter().any(|job| job["state"] == "RUNNING" && job["stale"] == false);
            Ok((runs && begun && !on_way).then_some(rows))
        })
        .await
        .with_context(|| bed.weir.log_tail())?;
        verified = done.iter().filter(|row| row["state"] == "verified").count() as u64;
        let doubtful = done.iter().filter(|row| row["state"] == "unknown").count();
        ensure!(doubtful == 0, "round {round}: {done:#?}");
        let miscounts = bed.control.miscounts()?;
        ensure!(miscounts.is_empty(), "round {round}: {miscounts:?}");
    }
    ensure!(verified == kills, "{verified} verified restarts in {kills} rounds");
    let mut rows = Rows::of("Flink, restarts", bed.flink.version());
    let said = format!("{verified} of {kills} jobs run again, each once; the count goes on");
    rows.add("Weir is killed or stands still in the middle of a restart", &said, Duration::ZERO);
    rows.write()?;
    bed.end().await
}
