//! Ten thousand incidents that open in one step: how long until they are committed, and until the
//! one message about them is.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use weir::app;
use weir::engine::{Effect, Engine, Input};
use weir::model::{
    Change, Completeness, Failure, JobKey, JobState, Loaded, RunId, RunObservation, Seen, Snapshot,
    SourceClock, TaskCounts, Time,
};
use weir::notify::channels::{Parts, People};
use weir::notify::render::Templates;
use weir::store::{SqliteStore, Store as _};

use crate::cost::cpu_seconds;
use crate::table::{Goal, Table};
use crate::testbed::time;

/// 2026-11-21.
const T0: i64 = 1_795_219_700_000;
const JOBS: usize = 10_000;
const POLL_MS: i64 = 10_000;

/// Opens them, and says it in a sentence, too.
pub(crate) async fn measure(table: &mut Table) -> Result<String> {
    let dir = tempfile::tempdir()?;
    let store = open(&dir.path().join("weir.db")).await?;
    let mut engine = engine()?;
    let mut batches = 0;
    let mut turn = async |at: i64, input: Input| -> Result<Turn> {
        let (began, cpu) = (time::now(), cpu_seconds(std::process::id())?);
        let effects = engine.step(Time::at(at), input);
        let step = time::since(began).as_secs_f64();
        let mut turn = Turn { step, ..Turn::default() };
        for effect in effects {
            match effect {
                Effect::Persist(changes) => {
                    turn.count(&changes);
                    batches += 1;
                    let began = time::now();
                    store.commit(&format!("bench-{batches}"), &changes).await?;
                    turn.commit += time::since(began).as_secs_f64();
                }
                Effect::Deadline(at) => turn.deadline = Some(at.0),
                Effect::Send(_)
                | Effect::Act(_)
                | Effect::Publish(_)
                | Effect::Resend(_)
                | Effect::Answer(_) => {}
            }
        }
        turn.cpu = cpu_seconds(std::process::id())? - cpu;
        Ok(turn)
    };
    for look in 0..3 {
        let at = T0 + look * POLL_MS;
        turn(at, Input::Snapshot(Box::new(snapshot(at, false)))).await?;
    }
    let at = T0 + 3 * POLL_MS;
    let opened = turn(at, Input::Snapshot(Box::new(snapshot(at, true)))).await?;
    let due = opened.deadline.context("nothing is due after an opening")?;
    let told = turn(due, Input::Deadline).await?;

    let all = opened.step + opened.commit;
    let note = format!(
        "step {:.2} s, commit {:.2} s, CPU {:.2} s, {} incidents, {} rows",
        opened.step, opened.commit, opened.cpu, opened.incidents, opened.rows
    );
    table.row("10,000 incidents in one step, committed", all, "s", Goal::AtMost(2.0), &note);
    let telling = told.step + told.commit;
    let note = format!(
        "step {:.2} s, commit {:.2} s, {} notices in {} messages",
        told.step, told.commit, told.notices, told.messages
    );
    table.row("  and what is told of them", telling, "s", Goal::None, &note);
    let build = if cfg!(debug_assertions) { "A debug build: " } else { "" };
    Ok(format!(
        "{build}{} incidents that open in one step are decided in {:.2} s and committed in {:.2} s more \
         (must: 2 s together), which took {:.2} s of CPU; the one message that tells of them is \
         composed and committed in {telling:.2} s.",
        opened.incidents, opened.step, opened.commit, opened.cpu
    ))
}

#[derive(Default)]
struct Turn {
    step: f64,
    commit: f64,
    /// Of the process.
    cpu: f64,
    rows: usize,
    incidents: usize,
    notices: usize,
    messages: usize,
    deadline: Option<i64>,
}

impl Turn {
    fn count(&mut self, changes: &[Change]) {
        self.rows += changes.len();
        for change in changes {
            match change {
                Change::Incident(_) => self.incidents += 1,
                Change::Notice(notice) if notice.message.is_some() => self.notices += 1,
                Change::Message(message) if message.attempts == 0 => self.messages += 1,
                _ => {}
            }
        }
    }
}

async fn open(path: &Path) -> Result<SqliteStore> {
    Ok(SqliteStore::open(&format!("sqlite://{}", path.display())).await?)
}

fn engine() -> Result<Engine> {
    let text = "sources: [{ flink: { name: prod, urls: [\"http://127.0.0.1:1\"] } }]\n\
                receivers: [{ name: team, channels: [{ feishu_bot: { url: \"http://127.0.0.1:1/\" } }] }]\n";
    let parsed = weir::config::parse(text, "weir.yaml", &weir::config::process_env);
    let (config, _) = parsed.map_err(|problems| anyhow!("{problems:?}"))?;
    let rules = app::read_rules(&config).map_err(|p| anyhow!("{p:?}"))?.set;
    let parts = Parts {
        templates: Arc::new(Templates::shipped()),
        sink: Arc::new(|_: &str| {}),
        people: People::default(),
    };
    let composers = app::writers(&config, &parts)?;
    let loaded = Loaded { installation: "bench".to_owned(), ..Loaded::default() };
    let mut engine = Engine::new(app::engine_settings(&config), rules, composers, &loaded);
    // As the shell does when it starts.
    engine.step(Time::at(T0 - 1), Input::Deadline);
    Ok(engine)
}

fn snapshot(now: i64, dead: bool) -> Snapshot {
    Snapshot {
        completeness: Completeness::Complete,
        clock: Some(SourceClock { now, offset_ms: 0 }),
        version: Some("1.20.5".to_owned()),
        runs: (0..JOBS).map(|n| run(n, now, dead)).collect(),
        ..Snapshot::failed("prod", "1", String::new(), false)
    }
}

fn run(n: usize, now: i64, dead: bool) -> RunObservation {
    let name = format!("orders-enrichment-{n:05}");
    let start = T0 - 5 * 86_400_000;
    let failure = Failure {
        at: now - 4_000,
        task: Some("map (1/2)".to_owned()),
        class: "com.acme.PoisonRecordException".to_owned(),
        message: "bad price".to_owned(),
        frame: Some("com.acme.OrderParser.parse(OrderParser.java:42)".to_owned()),
        taskmanager: None,
        gave_up: true,
    };
    RunObservation {
        key: JobKey::new("prod", "", "", &name),
        cluster: "prod".to_owned(),
        flink_cluster: "prod".to_owned(),
        flink_job_name: name.clone(),
        name,
        run: RunId { start_time: start, job_id: format!("{n:032x}") },
        state: if dead { JobState::Failed } else { JobState::Running },
        end_time: dead.then_some(failure.at),
        tasks: TaskCounts { total: 6, running: if dead { 0 } else { 6 }, ..TaskCounts::default() },
        last_modification: Some(if dead { failure.at } else { start }),
        failures: if dead { Seen::Fresh(vec![failure]) } else { Seen::NotAsked },
        ..RunObservation::default()
    }
}
