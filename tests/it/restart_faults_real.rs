//! What goes wrong around restarts on a real session cluster: lost machines, states that do not fit,
//! jobs of one name, paths that lead elsewhere, a jar under another id.

use std::ffi::OsStr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::restart_bed::{Bed, hide, state_of};
use crate::testbed::control::Control;
use crate::testbed::job::{JobSpec, RestartStrategy};
use crate::testbed::story::{self, SOON};
use crate::testbed::{time, tools};

fn entries() -> Vec<(&'static str, Value)> {
    vec![
        ("steady", json!({})),
        // So long that what was wrong is mended before the next attempt.
        ("changed", json!({ "backoff": { "initial": "3s", "max": "6s" } })),
        ("throws", json!({ "attempts": { "max": 2, "per": "1h" } })),
        ("twice", json!({})),
        ("by-hand", json!({ "mode": "approve", "attempts": { "max": 9, "per": "1h" } })),
    ]
}

fn note(row: &Value) -> &str {
    row["note"].as_str().unwrap_or_default()
}

/// `weir restart`, as a person types it: what it printed, or how it ended.
async fn restart(bed: &Bed, args: &[&str]) -> Result<String> {
    let url = bed.weir.url("");
    let all: Vec<&OsStr> = ["restart"].iter().chain(args).map(OsStr::new).collect();
    let target = [("WEIR_URL", OsStr::new(&url)), ("USER", OsStr::new("ann"))];
    tools::run_with(&crate::binary().display().to_string(), &all, &target).await
}

/// The same where it has to be refused: what it says.
async fn refused(bed: &Bed, args: &[&str]) -> Result<String> {
    let said = match restart(bed, args).await {
        Ok(said) => anyhow::bail!("{args:?} was not refused: {said}"),
        Err(error) => format!("{error:#}"),
    };
    ensure!(said.contains("exit status: "), "{said}");
    let line = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let line = line.rsplit_once("exit status: ").map_or(line, |(_, rest)| rest);
    Ok(hide(line.trim_start_matches("1: ").trim_start_matches("error: "), bed.flink.dir()))
}

/// All slots go with their machine; when there is another one every job goes on, once.
async fn the_taskmanager_is_killed(bed: &mut Bed) -> Result<()> {
    let began = time::now();
    bed.flink.kill_taskmanager(0).await?;
    bed.flink.start_taskmanager().await?;
    bed.is_back("steady", "the TaskManager is killed").await?;
    let incident = bed.incident("steady").await?;
    let cause = incident["root_cause"].to_string();
    ensure!(cause.contains("TaskManager") || cause.contains("Connection"), "{cause}");
    for name in ["changed", "throws", "twice"] {
        let done = |all: &[Value]| state_of(all) == "verified";
        bed.until(name, "restarted", done).await?;
    }
    tools::note(&format!("all are back {:?} after the TaskManager died", time::since(began)));
    Ok(())
}

/// Flink takes it, and its tasks cannot begin with what they are given.
async fn the_state_does_not_fit(bed: &mut Bed) -> Result<()> {
    let before = bed.restarts("changed").await?.len();
    let began = time::now();
    bed.job("changed").control.change_state(true)?;
    bed.fail_once("changed").await?;
    let failed = |all: &[Value]| all.len() > before && all[before]["state"] == "failed";
    let all = bed.until("changed", "a failed attempt", failed).await?;
    bed.job("changed").control.change_state(false)?;
    let first = all[before].clone();
    ensure!(note(&first).starts_with("its new run failed: "), "{first:#}");
    ensure!(note(&first).contains("StateMigrationException"), "{first:#}");
    ensure!(first["job_id"] == first["handle"], "{first:#}");
    let said = bed.said(&first).await?;
    ensure!(said.contains("failed: its new run failed: "), "{said}");
    bed.rows.add("Flink takes it, its state does not fit", &said, time::since(began));
    bed.is_back("changed", "the state fits again: from the checkpoint before").await?;
    let all = bed.restarts("changed").await?;
    let second = all.last().context("no restart")?;
    ensure!(all.len() == before + 2 && second["from"] != first["from"], "{all:#?}");
    Ok(())
}

/// The program itself throws whenever there is state: the attempts end, and a person is told.
async fn the_restore_throws(bed: &mut Bed) -> Result<()> {
    let began = time::now();
    bed.job("throws").control.fail_restores("orders of 2019 cannot be read")?;
    bed.fail_once("throws").await?;
    let line = bed.until_doing("throws", "a person has to act").await?;
    ensure!(bed.live("throws").await?.is_empty());
    let all = bed.restarts("throws").await?;
    let failed: Vec<&Value> = all.iter().filter(|row| row["state"] == "failed").collect();
    ensure!(!failed.is_empty(), "{all:#?}");
    for row in failed {
        ensure!(note(row).contains("orders of 2019 cannot be read"), "{row:#}");
    }
    bed.rows.add("Flink takes it, its program throws on restore", &line, time::since(began));
    Ok(())
}

/// Somebody runs another copy of a job: nothing is started beside it.
async fn two_jobs_of_one_name(bed: &mut Bed) -> Result<()> {
    let began = time::now();
    let other = Control::new(&bed.flink.dir().join("control-other-twice"))?;
    let spec = JobSpec { restart: RestartStrategy::None, ..JobSpec::new("twice", &other) };
    let copy = bed.flink.submit(&spec).await?;
    bed.flink.rest().wait_for_checkpoints(&copy, 2, 2 * SOON).await?;
    let two = |all: &[Value]| all.iter().any(|j| j["name"] == "twice" && j["live_runs"] == 2);
    story::until(&bed.weir, "both runs", "jobs", two).await?;
    let of_copy = |all: &[Value]| all.iter().any(|entry| entry["job_id"] == copy.as_str());
    story::until(&bed.weir, "the copy's checkpoint", "checkpoints?job=prod/twice", of_copy).await?;
    // Nobody may start a third.
    let asked = restart(bed, &["twice"]).await?;
    ensure!(asked.contains("it waits: 2 runs of it are alive at once"), "{asked}");
    let is_told = |i: &Value| i["rule"] == "DuplicateJob" && i["labels"]["job_name"] == "twice";
    let told = |all: &[Value]| all.iter().any(is_told);
    let all = story::until(&bed.weir, "both are told", "incidents", told).await?;
    let told = all.iter().find(|incident| is_told(incident)).context("no incident")?;
    let said = format!("{} — {}", told["summary"].as_str().unwrap_or_default(), asked.trim());
    bed.rows.add(
        "two jobs of one name, and a person asks for a restart",
        &said,
        time::since(began),
    );
    // The one that was there first dies: the other one lives, and nothing is owed.
    let began = time::now();
    bed.fail_once("twice").await?;
    let over = |all: &[Value]| state_of(all) == "dropped";
    let before = bed.until("twice", "what was asked for is dropped", over).await?;
    story::after_polls(&bed.weir, 5).await?;
    ensure!(bed.live("twice").await? == [copy.clone()], "{:?}", bed.live("twice").await?);
    let after = bed.restarts("twice").await?;
    ensure!(after.len() == before.len(), "{after:#?}");
    let said = after.last().map(note).unwrap_or_default().to_owned();
    ensure!(said.contains("it is RUNNING"), "{after:#?}");
    bed.rows.add("two jobs of one name, one of them dies", &said, time::since(began));
    // And that one.
    let failures = other.failures()?;
    other.crash_times(1, Duration::ZERO)?;
    time::wait_for("the other's failure", SOON, || async {
        Ok((other.failures()? > failures).then_some(()))
    })
    .await?;
    other.crash_off()?;
    let done = |all: &[Value]| all.len() > before.len() && state_of(all) == "verified";
    bed.until("twice", "one restart", done).await?;
    ensure!(bed.live("twice").await?.len() == 1);
    Ok(())
}

/// What a person names and cannot be: each is refused in one line. What can be is done.
async fn a_person_names_it(bed: &mut Bed) -> Result<()> {
    // One that Weir has seen: between two of its looks more than one may complete.
    let known = |all: &[Value]| all.iter().any(|entry| entry["path"].is_string());
    let path = "checkpoints?job=prod/steady";
    let all = story::until(&bed.weir, "a checkpoint of another job", path, known).await?;
    let of_another = all[0]["path"].as_str().context("no path")?.to_owned();
    for (args, words, scenario) in [
        (
            vec!["by-hand", "--from", &of_another],
            "prod/steady",
            "`--from` another job's checkpoint",
        ),
        (vec!["by-hand", "--from", "yesterday"], "neither a path", "`--from` what is no path"),
        (
            vec!["by-hand", "--from", "chk-99999"],
            "neither a path",
            "`--from` a number nobody knows",
        ),
        (vec!["nobody"], "nobody", "`weir restart` a job nobody knows"),
        (vec!["by-hand"], "RUNNING", "`weir restart` a job that runs"),
    ] {
        let said = refused(bed, &args).await?;
        ensure!(said.contains(words), "{args:?}: {said}");
        bed.rows.add(scenario, &said, Duration::ZERO);
    }
    ensure!(bed.restarts("by-hand").await?.iter().all(|row| row["asked_by"] != "ann"));
    Ok(())
}

/// It goes on from what an older run left, and from nowhere.
async fn from_an_older_run(bed: &mut Bed) -> Result<()> {
    let began = time::now();
    // It died with its TaskManager.
    bed.until("by-hand", "approval", |all| state_of(all) == "approval").await?;
    // A folder that is there, and no checkpoint is in it.
    let nowhere = format!("file://{}", bed.flink.dir().join("logs").display());
    restart(bed, &["by-hand", "--from", &nowhere]).await?;
    let is_it = |row: &Value| row["from"] == *nowhere && row["state"] == "failed";
    let all = bed.until("by-hand", "the end of that", |all| all.iter().any(is_it)).await?;
    let row = all.iter().find(|row| is_it(row)).context("no restart")?;
    ensure!(note(row).contains("_metadata") && bed.live("by-hand").await?.is_empty(), "{row:#}");
    let said = hide(note(row), bed.flink.dir());
    bed.rows.add("`--from` a folder without a checkpoint", &said, time::since(began));

    let began = time::now();
    bed.until("by-hand", "approval", |all| state_of(all) == "approval").await?;
    let done = restart(bed, &["by-hand"]).await?;
    tools::note(&done);
    bed.is_back("by-hand", "a person says: from the newest").await?;
    let first = bed.restarts("by-hand").await?.last().cloned().unwrap_or_default();
    let older = first["from"].as_str().context("no path")?.to_owned();
    bed.fail_once("by-hand").await?;
    bed.until("by-hand", "approval", |all| state_of(all) == "approval").await?;
    restart(bed, &["by-hand", "--from", &older]).await?;
    bed.is_back("by-hand", "`--from` a checkpoint of an older run").await?;
    let all = bed.restarts("by-hand").await?;
    let last = all.last().context("no restart")?;
    ensure!(last["from"] == *older, "{last:#}");
    tools::note(&format!("both within {:?}", time::since(began)));
    Ok(())
}

/// The jar is deleted and uploaded anew while Weir remembers the old one.
async fn the_jar_has_another_id(bed: &mut Bed) -> Result<()> {
    let jars = bed.flink.rest().get("/jars").await?;
    let ids: Vec<String> = jars["files"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|jar| jar["id"].as_str().map(str::to_owned))
        .collect();
    ensure!(!ids.is_empty(), "{jars:#}");
    for id in &ids {
        bed.flink.rest().delete(&format!("/jars/{id}")).await?;
    }
    let new = bed.flink.upload_job().await?;
    ensure!(!ids.contains(&new), "{new} is the old one");
    let before = bed.restarts("steady").await?.len();
    bed.fail_once("steady").await?;
    bed.until("steady", "one more", |all| all.len() > before).await?;
    bed.is_back("steady", "the jar was deleted and uploaded under another id").await?;
    let jars = bed.flink.rest().get("/jars").await?;
    ensure!(jars["files"].as_array().map(Vec::len) == Some(1), "{jars:#}");
    Ok(())
}

async fn what_goes_wrong(version: &str) -> Result<()> {
    let mut bed = Bed::new(version, entries()).await?;
    a_person_names_it(&mut bed).await?;
    the_taskmanager_is_killed(&mut bed).await?;
    two_jobs_of_one_name(&mut bed).await?;
    the_jar_has_another_id(&mut bed).await?;
    the_state_does_not_fit(&mut bed).await?;
    the_restore_throws(&mut bed).await?;
    from_an_older_run(&mut bed).await?;
    for job in &bed.jobs {
        ensure!(bed.live(job.name).await?.len() <= 1, "{} runs twice", job.name);
        let miscounts = job.control.miscounts()?;
        ensure!(miscounts.is_empty(), "{}: {miscounts:?}", job.name);
    }
    bed.rows.write()?;
    bed.weir.stop().await?;
    bed.flink.stop().await
}

#[tokio::test]
#[ignore = "minutes on a real Flink; part of `make components`"]
async fn restart_faults_on_flink_1_20_real() -> Result<()> {
    what_goes_wrong("1.20.5").await
}

#[tokio::test]
#[ignore = "minutes on a real Flink; part of `make components`"]
async fn restart_faults_on_flink_1_17_real() -> Result<()> {
    what_goes_wrong("1.17.2").await
}

#[tokio::test]
#[ignore = "minutes on a real Flink; part of `make components`"]
async fn restart_faults_on_flink_2_3_real() -> Result<()> {
    what_goes_wrong("2.3.0").await
}
