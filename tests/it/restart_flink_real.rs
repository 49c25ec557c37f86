//! Every way a restart goes, on a real session cluster: many jobs, each with a trouble of its own, and
//! one Weir that restarts them. What it said is a row of the table.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::restart_bed::{Bed, state_of};
use crate::testbed::story::{self, SOON};
use crate::testbed::time;

/// The jobs of the cluster, and what differs in their entries.
fn entries() -> Vec<(&'static str, Value)> {
    vec![
        ("dies", json!({})),
        ("falls-back", json!({ "attempts": { "max": 6, "per": "1h" }, "same_cause": 6 })),
        ("all-gone", json!({})),
        (
            "bad-jar",
            json!({
                "attempts": { "max": 2, "per": "1h" },
                "driver": { "jar": "nowhere.jar" },
            }),
        ),
        ("loops", json!({ "same_cause": 2, "attempts": { "max": 9, "per": "1h" } })),
        ("declined", json!({ "backoff": { "initial": "10m", "max": "10m" } })),
        ("approved", json!({ "mode": "approve" })),
        ("rehearsed", json!({ "mode": "dry_run" })),
        ("never", json!({ "never_on": ["PoisonRecordException"] })),
        ("sick", json!({ "replace": true, "alerts": ["CheckpointsFailing"] })),
    ]
}

/// Makes it fail after its checkpoints were deleted: the newest, or all.
async fn fail_without(bed: &Bed, name: &str, all: bool) -> Result<()> {
    let job = bed.job(name);
    // From here on none completes.
    job.control.fail_checkpoints(true)?;
    let failed = |stats: &Value| stats["counts"]["failed"].as_u64().unwrap_or(0) >= 2;
    time::wait_for("failing checkpoints", SOON, || async {
        Ok(failed(&bed.flink.rest().checkpoints(&job.id).await?).then_some(()))
    })
    .await?;
    story::after_polls(&bed.weir, 2).await?;
    let folder = bed.flink.dir().join("checkpoints").join(&job.id);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let name = entry?.file_name().into_string().unwrap_or_default();
        found.extend(name.strip_prefix("chk-").and_then(|n| n.parse::<u64>().ok()));
    }
    found.sort_unstable();
    let kept = if all { 0 } else { found.len() - 1 };
    for number in &found[kept..] {
        std::fs::remove_dir_all(folder.join(format!("chk-{number}")))?;
    }
    ensure!(all || kept > 0, "only {found:?} were retained");
    bed.fail_once(name).await?;
    job.control.fail_checkpoints(false)
}

async fn every_way(version: &str) -> Result<()> {
    let mut bed = Bed::new(version, entries()).await?;
    // All at once, as it is after a bad night.
    for name in ["dies", "loops", "declined", "approved", "rehearsed", "never", "bad-jar"] {
        bed.fail_once(name).await?;
    }
    bed.is_back("dies", "a job fails for good").await?;

    let said = bed.until_doing("never", "never_on").await?;
    bed.rows.add("its root cause is one of `never_on`", &said, Duration::ZERO);
    ensure!(bed.restarts("never").await?.is_empty());
    let said = bed.until_doing("rehearsed", "dry run").await?;
    bed.rows.add("`mode: dry_run`", &said, Duration::ZERO);
    ensure!(bed.restarts("rehearsed").await?.is_empty());

    // Two attempts come to nothing, and a person is told once.
    let began = time::now();
    let said = bed.until_doing("bad-jar", "2 attempts").await?;
    bed.rows.add("the cluster has no jar of that name", &said, time::since(began));
    let tried = bed.restarts("bad-jar").await?;
    ensure!(tried.iter().all(|row| row["state"] == "failed"), "{tried:#?}");
    ensure!(tried[0]["note"].as_str().unwrap_or_default().contains("no jar named"), "{tried:#?}");

    // A person says no while it waits.
    bed.until("declined", "a plan", |all| state_of(all) == "planned").await?;
    let (status, done) = bed.order("restarts/decline", &json!({ "job": "declined" })).await?;
    ensure!(status == 200, "{done}");
    let said = bed.until_doing("declined", "said not to").await?;
    bed.rows.add("a person declines it during the back-off", &said, Duration::ZERO);
    ensure!(bed.live("declined").await?.is_empty());

    // A person says yes, and names a path of another job first.
    bed.until("approved", "approval", |all| state_of(all) == "approval").await?;
    let other = bed.restarts("dies").await?[0]["from"].clone();
    let wrong = json!({ "job": "approved", "from": other });
    let (status, refused) = bed.order("restarts", &wrong).await?;
    ensure!(status == 409, "{status} {refused}");
    let said = refused["error"].as_str().unwrap_or_default().to_owned();
    ensure!(said.contains("prod/dies"), "{refused}");
    bed.rows.add("a person names another job's checkpoint", &hide(&said), Duration::ZERO);
    let (status, done) = bed.order("restarts", &json!({ "job": "approved" })).await?;
    ensure!(status == 200, "{done}");
    bed.is_back("approved", "`mode: approve`, and a person approves").await?;

    // It fails again each time it is back.
    let loops = bed.job("loops").control.clone();
    loops.crash_on(Duration::from_secs(4))?;
    let began = time::now();
    let said = bed.until_doing("loops", "same cause").await?;
    bed.rows.add("it fails of the same cause after each restart", &said, time::since(began));
    loops.crash_off()?;

    // What it could be restored from is deleted by somebody.
    fail_without(&bed, "all-gone", true).await?;
    let said = bed.until_doing("all-gone", "a person has to act").await?;
    bed.rows.add("all its checkpoints are deleted", &said, Duration::ZERO);
    ensure!(bed.live("all-gone").await?.is_empty());
    fail_without(&bed, "falls-back", false).await?;
    bed.is_back("falls-back", "its newest checkpoint is deleted").await?;

    // It runs, and its checkpoints fail.
    bed.job("sick").control.fail_checkpoints(true)?;
    let stopping = bed.until("sick", "a plan", |all| !all.is_empty()).await?;
    ensure!(stopping[0]["replaces"] == true, "{stopping:#?}");
    bed.job("sick").control.fail_checkpoints(false)?;
    bed.is_back("sick", "it runs, its checkpoints fail, and it is replaced").await?;

    // The JobManager and with it the uploaded jar are gone; it comes back without any job.
    let before = bed.restarts("dies").await?.len();
    bed.flink.kill_jobmanager().await?;
    bed.flink.restart_jobmanager().await?;
    bed.until("dies", "one more", |all| all.len() > before && state_of(all) == "verified").await?;
    bed.is_back("dies", "the JobManager is killed, the jar and all jobs are lost").await?;

    let told: Vec<_> = bed.hook.accepted().iter().flat_map(story::told).collect();
    // Each incident is opened once, and given up once.
    for word in ["opened", "gave_up"] {
        let of_word = told.iter().filter(|t| t.1 == word);
        let ids: Vec<u64> = of_word.map(|t| t.0).collect();
        let distinct: std::collections::BTreeSet<u64> = ids.iter().copied().collect();
        ensure!(distinct.len() == ids.len(), "{word} told twice: {told:#?}");
    }
    // And each job that died has one incident of its failure, however often it was tried.
    let failures = story::list(&bed.weir, "incidents").await?;
    for job in &bed.jobs {
        let of_job = failures
            .iter()
            .filter(|i| i["aspect"] == "failure" && i["labels"]["job_name"] == job.name);
        ensure!(of_job.count() <= 1, "{}: {failures:#?}", job.name);
    }
    for job in &bed.jobs {
        ensure!(bed.live(job.name).await?.len() <= 1, "{} runs twice", job.name);
        let miscounts = job.control.miscounts()?;
        ensure!(miscounts.is_empty(), "{}: {miscounts:?}", job.name);
    }
    bed.rows.write()?;
    bed.weir.stop().await?;
    bed.flink.stop().await
}

/// Paths hold the names of a folder that is another one each time.
fn hide(said: &str) -> String {
    said.split(' ')
        .map(|word| word.rsplit('/').next().unwrap_or(word))
        .collect::<Vec<_>>()
        .join(" ")
}

#[tokio::test]
#[ignore = "minutes on a real Flink; part of `make components`"]
async fn restarts_on_flink_1_20_real() -> Result<()> {
    every_way("1.20.5").await
}

#[tokio::test]
#[ignore = "minutes on a real Flink; part of `make components`"]
async fn restarts_on_flink_1_17_real() -> Result<()> {
    every_way("1.17.2").await
}

#[tokio::test]
#[ignore = "minutes on a real Flink; part of `make components`"]
async fn restarts_on_flink_2_3_real() -> Result<()> {
    every_way("2.3.0").await
}
