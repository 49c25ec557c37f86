//! On a real Flink: from the failure to the order and to all tasks running, beside the same restore
//! ordered by hand.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::table::{Goal, Table, quantile, spread};
use crate::testbed::control::Control;
use crate::testbed::flink::{Flink, FlinkOptions};
use crate::testbed::job::{self, JobSpec, RestartStrategy};
use crate::testbed::time;
use crate::testbed::weir::Weir;

const ROUNDS: usize = 5;
const POLL: Duration = Duration::from_secs(5);
const BACKOFF: Duration = Duration::from_secs(1);
/// What Weir itself may take.
const OWN: f64 = 0.2;
const SOON: Duration = Duration::from_secs(90);

/// Seconds of one round.
struct Round {
    /// From Flink's end of the job until Weir had decided on an attempt.
    seen: f64,
    /// From there to the order.
    ordered: f64,
    /// From the order until all tasks of the new run were running.
    weir: f64,
    /// The same, ordered by hand.
    hand: f64,
}

pub(crate) async fn measure(table: &mut Table) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let flink = Flink::start(FlinkOptions::default()).await?;
    let (watched, alone) =
        (Side::start(&flink, "watched").await?, Side::start(&flink, "alone").await?);
    let jar = job::jar(flink.version()).await?;
    let config = config(&flink, &watched, &jar);
    let mut weir = Weir::start(Path::new(env!("CARGO_BIN_EXE_weir")), dir.path(), &config).await?;
    let found = rounds(&flink, &weir, watched, alone).await;
    let found = found.with_context(|| weir.log_tail())?;
    weir.kill9().await?;
    flink.stop().await?;

    let of = |what: fn(&Round) -> f64| found.iter().map(what).collect::<Vec<f64>>();
    let (seen, ordered) = (of(|r| r.seen), of(|r| r.ordered));
    let goal = POLL.as_secs_f64() + BACKOFF.as_secs_f64() + OWN;
    let note = format!(
        "{ROUNDS} failures, min / median / max {}; poll {} s, back-off {} s; before it, until a poll \
         showed it, {}",
        spread(&ordered),
        POLL.as_secs(),
        BACKOFF.as_secs(),
        spread(&seen)
    );
    let worst = quantile(&ordered, 1.0);
    table.row("a failed job: from FAILED seen to the order", worst, "s", Goal::AtMost(goal), &note);
    let (weir, hand) = (of(|r| r.weir), of(|r| r.hand));
    let note = format!(
        "from the order to all tasks running, by Weir {} s, by hand {} s",
        spread(&weir),
        spread(&hand)
    );
    let ratio = quantile(&weir, 0.5) / quantile(&hand, 0.5);
    table.row("  the restore, Weir / by hand", ratio, "×", Goal::None, &note);
    Ok(())
}

async fn rounds(
    flink: &Flink,
    weir: &Weir,
    mut watched: Side,
    mut alone: Side,
) -> Result<Vec<Round>> {
    let mut found = Vec::new();
    for _ in 0..ROUNDS {
        let ended = watched.fail(flink).await?;
        let row = time::wait_for("the restart is verified", SOON, || async {
            let rows = weir.get("/api/v1/restarts?limit=1").await?;
            let row = rows[0].clone();
            let done = row["state"] == "verified" && row["dead_job_id"] == watched.job.as_str();
            Ok(done.then_some(row))
        });
        let row = row.await?;
        let (at, sent) = (instant(&row["at"])?, instant(&row["submitted_at"])?);
        watched.job = row["job_id"].as_str().context("no run")?.to_owned();
        let weir = running_since(flink, &watched.job).await? - sent;

        alone.fail(flink).await?;
        let path = alone.newest(flink).await?;
        let asked = time::now_ms();
        alone.start_again(flink, &path).await?;
        flink.rest().wait_until_healthy(&alone.job, SOON).await?;
        let hand = running_since(flink, &alone.job).await? - asked;
        let seconds = |ms: i64| ms as f64 / 1e3;
        let (seen, ordered) = (seconds(at - ended), seconds(sent - at));
        found.push(Round { seen, ordered, weir: seconds(weir), hand: seconds(hand) });
        flink.rest().wait_for_checkpoints(&watched.job, 2, SOON).await?;
        flink.rest().wait_for_checkpoints(&alone.job, 2, SOON).await?;
    }
    Ok(found)
}

/// A job that does not restart by itself.
struct Side {
    control: Control,
    spec: JobSpec,
    job: String,
}

impl Side {
    async fn start(flink: &Flink, name: &str) -> Result<Side> {
        let control = Control::new(&flink.dir().join(format!("control-{name}")))?;
        let spec = JobSpec { restart: RestartStrategy::None, ..JobSpec::new(name, &control) };
        let job = flink.submit(&spec).await?;
        flink.rest().wait_for_checkpoints(&job, 2, SOON).await?;
        Ok(Side { control, spec, job })
    }

    /// It dies; when it did, by Flink's clock in milliseconds.
    async fn fail(&self, flink: &Flink) -> Result<i64> {
        self.control.crash_times(1, Duration::ZERO)?;
        let rest = flink.rest();
        let ended = time::wait_for("the job has failed", SOON, || async {
            let job = rest.job_overview(&self.job).await?;
            Ok((job["state"] == "FAILED").then(|| job["end-time"].as_i64()).flatten())
        });
        let ended = ended.await?;
        self.control.crash_off()?;
        Ok(ended)
    }

    async fn newest(&self, flink: &Flink) -> Result<String> {
        flink.rest().wait_for_checkpoints(&self.job, 1, SOON).await
    }

    async fn start_again(&mut self, flink: &Flink, path: &str) -> Result<()> {
        self.spec.savepoint_path = Some(path.to_owned());
        self.job = flink.submit(&self.spec).await?;
        Ok(())
    }
}

fn config(flink: &Flink, side: &Side, jar: &Path) -> String {
    let conf: serde_json::Map<String, Value> =
        side.spec.conf(flink.release()).into_iter().map(|(k, v)| (k, Value::from(v))).collect();
    let entry = json!({
        "name": "watched",
        "matchers": ["job_name=\"watched\""],
        "mode": "automatic",
        "attempts": { "max": 100, "per": "1s" },
        "same_cause": 100,
        "backoff": { "initial": format!("{}s", BACKOFF.as_secs()), "max": format!("{}s", BACKOFF.as_secs()) },
        "driver": { "flink_jar": {
            "jar": "orders.jar",
            "jar_file": jar.display().to_string(),
            "entry_class": job::ENTRY_CLASS,
            "args": side.spec.args(),
            "parallelism": side.spec.parallelism,
            "configuration": conf,
        } },
    });
    format!(
        "poll: {{ interval: {}s, timeout: 5s }}\n\
         sources: [{{ flink: {{ name: prod, urls: {:?} }} }}]\n\
         receivers: [{{ name: team, channels: [console] }}]\n\
         restarts: [{entry}]\n",
        POLL.as_secs(),
        flink.rest_urls()
    )
}

/// When the last of its tasks began to run, by Flink's clock in milliseconds.
async fn running_since(flink: &Flink, job: &str) -> Result<i64> {
    let rest = flink.rest();
    let all = time::wait_for("all tasks have run", SOON, || async {
        let mut last = 0;
        let details = rest.get(&format!("/jobs/{job}")).await?;
        for vertex in details["vertices"].as_array().into_iter().flatten() {
            let id = vertex["id"].as_str().context("a vertex without an id")?;
            let times = rest.get(&format!("/jobs/{job}/vertices/{id}/subtasktimes")).await?;
            for subtask in times["subtasks"].as_array().into_iter().flatten() {
                match subtask["timestamps"]["RUNNING"].as_i64() {
                    Some(at) if at > 0 => last = last.max(at),
                    _ => return Ok(None),
                }
            }
        }
        Ok((last > 0).then_some(last))
    });
    all.await
}

fn instant(text: &Value) -> Result<i64> {
    let at: jiff::Timestamp = text.as_str().context("no time")?.parse()?;
    Ok(at.as_millisecond())
}
