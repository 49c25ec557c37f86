//! The ledger of a thousand jobs with a checkpoint each ten seconds: what it writes in an hour, in a
//! real store, beside the same jobs whose checkpoints stand still.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use weir::app;
use weir::engine::{Effect, Engine, Input};
use weir::model::{
    Change, CheckpointStats, CheckpointSummary, ClusterObservation, Completeness, Counters, JobKey,
    JobState, Loaded, RunId, RunObservation, Seen, Snapshot, SourceClock, TaskCounts, Time, Ts,
};
use weir::store::{SqliteStore, Store};

use crate::table::{Goal, Table};
use crate::testbed::time;

const JOBS: usize = 1_000;
const POLL_MS: i64 = 10_000;
/// Polls of an hour.
const LOOKS: i64 = 360;
const T0: i64 = 1_795_219_700_000;
/// A look reads the history of checkpoints each five minutes, of another part of the jobs each time.
const HISTORY_EVERY: i64 = 30;

/// What an hour took.
struct Hour {
    /// Rows of ledgers.
    rows: u64,
    /// Their bytes.
    bytes: u64,
    /// Commits that took any along.
    commits: u64,
    /// Bytes the system wrote to the disk meanwhile.
    written: f64,
    /// Size of the store's files in the middle and at the end, in MB.
    sizes: [f64; 2],
    /// Seconds it took to decide and to commit.
    took: f64,
}

pub(crate) async fn measure(table: &mut Table) -> Result<()> {
    let still = hour(false).await?;
    let moving = hour(true).await?;
    let mb_a_day = |bytes: f64| bytes * 24.0 / 1e6;
    let note = format!(
        "{JOBS} jobs, a checkpoint each 10 s, {} rows of {} bytes in {} commits of {LOOKS} looks",
        moving.rows,
        moving.bytes.checked_div(moving.rows).unwrap_or_default(),
        moving.commits
    );
    let bytes = mb_a_day(moving.bytes as f64);
    table.row("ledger: rows written, per day", bytes, "MB", Goal::None, &note);
    let per_checkpoint = moving.rows as f64 / (JOBS as i64 * LOOKS) as f64;
    let note = "of a job at most one each 30 s, each 2 min where its checkpoints come faster";
    table.row("  rows per checkpoint", per_checkpoint, "", Goal::AtMost(0.5), note);
    let [middle, end] = moving.sizes;
    let note = format!("{end:.1} MB on disk after an hour, {middle:.1} MB after half of it");
    table.row(
        "  growth of the store, second half hour",
        end / middle,
        "×",
        Goal::AtMost(1.1),
        &note,
    );
    let note = format!(
        "to the disk in an hour {:.0} MB, with checkpoints that stand still, and alerts about that, {:.0} MB",
        moving.written / 1e6,
        still.written / 1e6
    );
    table.row("  written to the disk, per day", mb_a_day(moving.written), "MB", Goal::None, &note);
    let note = format!(
        "an hour's looks decided and committed in {:.1} s, still {:.1} s",
        moving.took, still.took
    );
    let ratio = moving.took / still.took;
    table.row("  time, moving / still checkpoints", ratio, "×", Goal::None, &note);
    Ok(())
}

async fn hour(moves: bool) -> Result<Hour> {
    let dir = tempfile::tempdir()?;
    let url = format!("sqlite://{}", dir.path().join("weir.db").display());
    let store = SqliteStore::open(&url).await?;
    let mut engine = engine(&store).await?;
    let mut hour = Hour { rows: 0, bytes: 0, commits: 0, written: 0.0, sizes: [0.0; 2], took: 0.0 };
    let before = disk_written()?;
    for look in 0..LOOKS {
        let at = Time::at(T0 + look * POLL_MS);
        let seen = Box::new(snapshot(look, at.wall.0, moves));
        let began = time::now();
        for effect in engine.step(at, Input::Snapshot(seen)) {
            let Effect::Persist(changes) = effect else { continue };
            let rows: Vec<usize> = changes.iter().filter_map(of_ledger).collect();
            hour.rows += rows.len() as u64;
            hour.bytes += rows.iter().sum::<usize>() as u64;
            hour.commits += u64::from(!rows.is_empty());
            store.commit(&format!("bench-{look}"), &changes).await?;
        }
        hour.took += time::since(began).as_secs_f64();
        if look == LOOKS / 2 {
            hour.sizes[0] = size(dir.path())?;
        }
    }
    hour.sizes[1] = size(dir.path())?;
    hour.written = disk_written()? - before;
    Ok(hour)
}

async fn engine(store: &SqliteStore) -> Result<Engine> {
    let text = "sources: [{ flink: { name: prod, urls: [\"http://127.0.0.1:1\"] } }]\n\
                receivers: [{ name: team, channels: [console] }]\n";
    let parsed = weir::config::parse(text, "weir.yaml", &weir::config::process_env);
    let (config, _) = parsed.map_err(|problems| anyhow!("{problems:?}"))?;
    let rules = app::read_rules(&config).map_err(|p| anyhow!("{p:?}"))?.set;
    let loaded: Loaded = store.load(Ts(T0)).await?;
    let settings = app::engine_settings(&config);
    Ok(Engine::new(settings, rules, weir::notify::Composers::new(), &loaded).unseen())
}

/// Bytes of a ledger's row.
fn of_ledger(change: &Change) -> Option<usize> {
    match change {
        Change::Meta { key, value } if key.starts_with("ledger/") => Some(value.len()),
        _ => None,
    }
}

fn size(dir: &Path) -> Result<f64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes as f64 / 1e6)
}

/// What this process has caused to be written to disks so far.
fn disk_written() -> Result<f64> {
    let io = std::fs::read_to_string("/proc/self/io")?;
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes:"));
    Ok(line.context("no write_bytes")?.trim().parse::<f64>()?)
}

fn snapshot(look: i64, now: i64, moves: bool) -> Snapshot {
    Snapshot {
        completeness: Completeness::Complete,
        clock: Some(SourceClock { now, offset_ms: 0 }),
        version: Some("1.20.5".to_owned()),
        clusters: vec![ClusterObservation {
            flink_cluster: "prod".to_owned(),
            taskmanagers: Some(200),
            slots_total: Some(2_000),
            slots_available: Some(0),
            ..ClusterObservation::default()
        }],
        runs: (0..JOBS).map(|n| run(n, look, now, moves)).collect(),
        took_ms: 90,
        bytes: 600_000,
        ..Snapshot::failed("prod", "1", String::new(), false)
    }
}

fn run(n: usize, look: i64, now: i64, moves: bool) -> RunObservation {
    let name = format!("orders-enrichment-{n}");
    let id = 1_000 + if moves { look as u64 } else { 0 };
    let ended = if moves { now - 1_000 } else { T0 - 1_000 };
    let job_id = format!("{:032x}", n + 1);
    let path = |id: u64| format!("hdfs://nn-1.example.com/flink/checkpoints/{job_id}/chk-{id}");
    let summary = |id: u64, ended: i64, discarded: bool| CheckpointSummary {
        id,
        triggered_at: Some(ended - 412),
        ended_at: Some(ended),
        path: Some(path(id)),
        size: Some(123_456_789),
        discarded,
        ..CheckpointSummary::default()
    };
    let history = (look + n as i64) % HISTORY_EVERY == 0;
    RunObservation {
        key: JobKey::new("prod", "", "", &name),
        cluster: "prod".to_owned(),
        flink_cluster: "prod".to_owned(),
        flink_job_name: name.clone(),
        name,
        run: RunId { start_time: T0 - 86_400_000, job_id: job_id.clone() },
        state: JobState::Running,
        tasks: TaskCounts { total: 6, running: 6, ..TaskCounts::default() },
        last_modification: Some(T0 - 86_000_000),
        counters: Seen::Fresh(Counters {
            restarts: Some(0),
            completed_checkpoints: Some(id),
            failed_checkpoints: Some(0),
            last_checkpoint_id: Some(id),
            last_checkpoint_path: Some(path(id)),
            ..Counters::default()
        }),
        checkpoints: if history {
            Seen::Fresh(CheckpointStats {
                interval_ms: Some(10_000),
                timeout_ms: Some(600_000),
                completed: Some(id),
                failed: Some(0),
                latest_completed: Some(summary(id, ended, false)),
                // One is retained: Flink has deleted those before it.
                recent_completed: (1..=9)
                    .map(|back| summary(id - back, ended - 10_000 * back as i64, true))
                    .collect(),
                ..CheckpointStats::default()
            })
        } else {
            Seen::NotAsked
        },
        failures: Seen::NotAsked,
        ..RunObservation::default()
    }
}
