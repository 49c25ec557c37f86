//! The journal on disk and back: bytes per job and day, and how fast days are replayed.
//!
//! Jobs are made here, as the Flink source shows quiet ones: counters at each look, a checkpoint a
//! minute, the checkpoint history every five minutes. One of them dies every six hours.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use weir::app;
use weir::engine::{Effect, Engine, Input, base, outgoing};
use weir::journal::Writer;
use weir::model::{
    CheckpointStats, CheckpointSummary, ClusterObservation, Completeness, Counters, Failure,
    JobKey, JobState, Lag, Loaded, RunId, RunObservation, Seen, SendOutcome, Snapshot, SourceClock,
    TaskCounts, Time, Ts,
};
use weir::notify::channels::{Parts, People};
use weir::notify::render::Templates;
use weir::replay::{Mark, Mode, Plan as Replay, compare, run};

use crate::scenario::Plan;
use crate::table::{Goal, Table};
use crate::testbed::time;

const T0: i64 = 1_795_219_700_000;
const JOBS: usize = 100;
const POLL_MS: i64 = 10_000;
const DAY_MS: i64 = 86_400_000;
/// One job dies so often, and is started again a little later.
const DEATH_EVERY_MS: i64 = DAY_MS / 4;
const DEAD_FOR_MS: i64 = 10 * 60_000;

/// Writes and replays some days, with lag that stands still and with lag that never does.
pub(crate) fn measure(plan: &Plan, table: &mut Table) -> Result<()> {
    for (name, lag) in [("quiet", false), ("moving lag", true)] {
        one(plan.history_days, name, lag, table)?;
    }
    Ok(())
}

fn one(days: i64, name: &str, lag: bool, table: &mut Table) -> Result<()> {
    let text = "sources: [{ flink: { name: prod, urls: [\"http://127.0.0.1:1\"] } }]\n\
                receivers: [{ name: team, channels: [{ webhook: { url: \"http://127.0.0.1:1/\" } }] }]\n";
    let parsed = weir::config::parse(text, "weir.yaml", &weir::config::process_env);
    let (config, _) = parsed.map_err(|problems| anyhow!("{problems:?}"))?;
    let rules = app::read_rules(&config).map_err(|p| anyhow!("{p:?}"))?.set;
    let parts = Parts {
        templates: Arc::new(Templates::shipped()),
        sink: Arc::new(|_: &str| {}),
        people: People::default(),
    };
    let composers = app::writers(&config, &parts)?;
    let settings = app::engine_settings(&config);
    let loaded = Loaded { installation: "bench".to_owned(), ..Loaded::default() };

    let mut engine =
        Engine::new(settings.clone(), rules.clone(), composers.clone(), &loaded).unseen();
    let start = Time::at(T0);
    let mut writer = Writer::new(1, u64::MAX, start, &base(true, &engine.demand(), loaded));
    let (mut chunks, mut jobs) = (Vec::new(), Jobs::new(lag));
    let (mut deadline, mut coding) = (None, std::time::Duration::ZERO);
    let mut keep = |writer: &mut Writer| chunks.extend(writer.cut());
    for n in 0..days * DAY_MS / POLL_MS {
        let at = Time::at(T0 + n * POLL_MS + jobs.dice(9));
        let mut inputs = Vec::new();
        if let Some(due) = deadline.take_if(|due: &mut Ts| *due <= at.steady) {
            inputs.push((Time::at(due.0), Input::Deadline));
        }
        inputs.insert(0, (at, Input::Snapshot(Box::new(jobs.look(at.wall.0)))));
        while let Some((at, input)) = inputs.pop() {
            let began = time::now();
            match &input {
                Input::Snapshot(snapshot) => writer.snapshot(at, snapshot),
                Input::Deadline => writer.deadline(at),
                Input::Delivery { message, outcome } => writer.delivery(at, *message, outcome),
                Input::Reload(new) => writer.reload(at, &new.rules.demand()),
                Input::Command(command) => writer.command(at, command),
                Input::Acted { restart, told } => writer.acted(at, *restart, told),
            }
            coding += time::since(began);
            let effects = engine.step(at, input);
            for message in outgoing(&effects) {
                writer.sent(at, message);
            }
            for effect in effects {
                match effect {
                    Effect::Persist(_) => keep(&mut writer),
                    Effect::Send(message) => inputs.push((
                        at,
                        Input::Delivery { message: message.id, outcome: SendOutcome::Delivered },
                    )),
                    Effect::Deadline(due) => deadline = Some(due),
                    Effect::Act(_) | Effect::Publish(_) | Effect::Answer(_) | Effect::Resend(_) => {
                    }
                }
            }
        }
        if writer.is_due(at.steady) {
            keep(&mut writer);
        }
    }
    keep(&mut writer);

    let bytes: usize = chunks.iter().map(|c| c.body.len() + 24).sum();
    let per_job_day = bytes as f64 / (JOBS as f64 * days as f64) / 1024.0;
    let looks = days * DAY_MS / POLL_MS;
    let note = format!(
        "{JOBS} jobs, {days} days, {} pieces, coding a look {:.0} µs",
        chunks.len(),
        coding.as_secs_f64() * 1e6 / looks as f64
    );
    let what = format!("history per job-day, {name}");
    table.row(&what, per_job_day, "KiB", Goal::AtMost(50.0), &note);

    let plan = Replay { mode: Mode::AsItWas, since: Ts(0), settings, rules, composers };
    let began = time::now();
    let cpu = process_cpu();
    let done = run(plan, chunks, |_| {});
    let took = time::since(began).as_secs_f64();
    let lines = compare(&done.said, &done.live);
    let same = lines.iter().filter(|line| line.mark == Mark::Same).count();
    for remark in &done.remarks {
        println!("{remark}");
    }
    let share = 7.0 / days as f64;
    // What is promised is what somebody waits for: time by the clock. A machine that is busy with
    // other things makes it longer, so the time on the processor (of the reading and the playing
    // thread together, which overlap) is told beside it, and not judged.
    let note =
        format!("by the clock, {} looks, {same} of {} messages the same", done.looks, lines.len());
    let what = format!("replay of 7 days, {name}");
    table.row(&what, took * share, "s", Goal::AtMost(30.0), &note);
    if let Some((now, before)) = process_cpu().zip(cpu) {
        let what = format!("CPU of that replay, {name}");
        table.row(&what, (now - before) * share, "s", Goal::None, "both threads together");
    }
    Ok(())
}

/// CPU seconds of this process.
fn process_cpu() -> Option<f64> {
    let stat = std::fs::read_to_string(Path::new("/proc/self/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |n: usize| fields.get(n)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

struct Jobs {
    lag: bool,
    seed: u64,
    looks: u64,
}

impl Jobs {
    fn new(lag: bool) -> Jobs {
        Jobs { lag, seed: 7, looks: 0 }
    }

    fn dice(&mut self, below: i64) -> i64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.seed >> 33) as i64 % below
    }

    fn look(&mut self, now: i64) -> Snapshot {
        self.looks += 1;
        let history = self.looks % 30 == 1;
        let runs = (0..JOBS).map(|n| self.run(n, now, history)).collect();
        Snapshot {
            completeness: Completeness::Complete,
            clock: Some(SourceClock { now: now + self.dice(900), offset_ms: 0 }),
            version: Some("1.20.5".to_owned()),
            clusters: vec![ClusterObservation {
                flink_cluster: "prod".to_owned(),
                taskmanagers: Some(20),
                slots_total: Some(200),
                slots_available: Some(0),
                ..ClusterObservation::default()
            }],
            runs,
            took_ms: self.dice(90) as u32,
            bytes: 60_000 + self.dice(900) as u64,
            ..Snapshot::failed("prod", "1", String::new(), false)
        }
    }

    fn run(&mut self, n: usize, now: i64, history: bool) -> RunObservation {
        let name = format!("orders-enrichment-{n}");
        // The first job dies at the end of each span and comes back as a new run in the next.
        let span = (now - T0) / DEATH_EVERY_MS;
        let first = n == 0;
        let dead = first && now - T0 - span * DEATH_EVERY_MS > DEATH_EVERY_MS - DEAD_FOR_MS;
        let start = if first { T0 + span * DEATH_EVERY_MS } else { T0 - 5 * DAY_MS };
        let id = (now.min(T0 + (span + 1) * DEATH_EVERY_MS - DEAD_FOR_MS) - start - n as i64 * 600)
            .div_euclid(60_000)
            .max(0) as u64;
        let ended = start + id as i64 * 60_000 + n as i64 * 600;
        let path = format!("hdfs://nn/flink/checkpoints/{n:032x}/chk-{id}");
        let summary = CheckpointSummary {
            id,
            triggered_at: Some(ended - 412),
            ended_at: Some(ended),
            path: Some(path.clone()),
            ..CheckpointSummary::default()
        };
        let failure = Failure {
            at: start + DEATH_EVERY_MS - DEAD_FOR_MS,
            task: Some("map (1/2)".to_owned()),
            class: "com.acme.PoisonRecordException".to_owned(),
            message: "bad price".to_owned(),
            frame: None,
            taskmanager: None,
            gave_up: true,
        };
        RunObservation {
            key: JobKey::new("prod", "", "", &name),
            cluster: "prod".to_owned(),
            flink_cluster: "prod".to_owned(),
            flink_job_name: name.clone(),
            name,
            run: RunId { start_time: start, job_id: format!("{:032x}", start ^ n as i64) },
            state: if dead { JobState::Failed } else { JobState::Running },
            end_time: dead.then_some(failure.at),
            tasks: TaskCounts {
                total: 6,
                running: if dead { 0 } else { 6 },
                ..TaskCounts::default()
            },
            last_modification: Some(if dead { failure.at } else { start + 9_000 }),
            counters: if dead {
                Seen::NotAsked
            } else {
                Seen::Fresh(Counters {
                    restarts: Some(0),
                    completed_checkpoints: Some(id),
                    failed_checkpoints: Some(0),
                    last_checkpoint_id: Some(id),
                    last_checkpoint_path: Some(path),
                    ..Counters::default()
                })
            },
            checkpoints: if history && !dead {
                Seen::Fresh(CheckpointStats {
                    interval_ms: Some(60_000),
                    timeout_ms: Some(600_000),
                    completed: Some(id),
                    failed: Some(0),
                    latest_completed: Some(summary),
                    ..CheckpointStats::default()
                })
            } else {
                Seen::NotAsked
            },
            failures: if dead { Seen::Fresh(vec![failure]) } else { Seen::NotAsked },
            lag: if self.lag {
                Seen::Fresh(Lag { records: Some(self.dice(3_000) as f64) })
            } else {
                Seen::NotApplicable
            },
            ..RunObservation::default()
        }
    }
}
