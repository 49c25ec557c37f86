//! A job that dies, a platform that loses orders and answers, people who interfere, and a Weir that is
//! killed or stands still at any turn: whatever happens, Weir starts no second copy, and no job is
//! dead without a word.

use std::collections::{BTreeMap, BTreeSet};

use weir::app::{engine_settings, read_rules};
use weir::engine::{Effect, Engine, EngineSettings, Input};
use weir::model::*;
use weir::notify::Composers;
use weir::rules::RuleSet;
use weir::store::MemoryStore;

use super::random::Dice;
use super::{MINUTE, SECOND, START};

const POLL: i64 = 4 * SECOND;
const JOB: &str = "orders";
/// Trouble comes until then.
const TROUBLE: i64 = 40 * MINUTE;
/// Then it is quiet for so long.
const QUIET: i64 = 35 * MINUTE;

fn configuration(mode: &str, replace: bool) -> (EngineSettings, RuleSet) {
    let alerts = if replace { "[JobFailed, JobMissing, CheckpointsFailing]" } else { "[]" };
    let text = format!(
        r#"
sources: [{{ flink: {{ name: prod, urls: ["http://jm:8081"] }} }}]
receivers: [{{ name: me, channels: [] }}]
route: {{ receiver: me }}
restarts:
  - name: orders
    matchers: ['job_name="orders"']
    alerts: {alerts}
    mode: {mode}
    replace: {replace}
    attempts: {{ max: 4, per: 10m }}
    backoff: {{ initial: 5s, max: 1m }}
    missing_for: 20s
    start_within: 3m
    checkpoint_within: 5m
    driver: {{ flink_jar: {{ jar: orders.jar }} }}
"#
    );
    let (config, _) = weir::config::parse(&text, "t.yaml", &|_| None).unwrap();
    let rules = read_rules(&config).unwrap_or_else(|problems| panic!("{problems:?}"));
    (engine_settings(&config), rules.set)
}

/// A run of the job in Flink.
#[derive(Debug, Clone)]
struct Sim {
    jid: String,
    start: i64,
    state: JobState,
    from: Option<String>,
    /// Checkpoints completed so far, and whether they complete.
    done: u64,
    sick: bool,
}

/// What Flink makes of an order that reached it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Runs,
    RunsAndDies,
    NeverRuns,
    Refused,
    Unreadable,
}

/// Something that is on its way in the world, whatever becomes of Weir meanwhile.
#[derive(Debug, Clone)]
enum Coming {
    /// An order reaches Flink; `answer`: whether Weir hears of it.
    Order { errand: Box<Errand>, fate: Fate, answer: bool },
    /// An answer reaches the Weir that asked.
    Answer { process: u64, restart: u64, told: Told },
    /// A run ends.
    End { jid: String, state: JobState },
}

struct World {
    dice: Dice,
    now: i64,
    runs: Vec<Sim>,
    coming: BTreeMap<(i64, u64), Coming>,
    number: u64,
    /// Weir's process.
    process: u64,
    engine: Option<Engine>,
    kept: MemoryStore,
    settings: (EngineSettings, RuleSet),
    deadline: Option<i64>,
    /// Somebody ended the job on purpose, last, as far as Weir has seen.
    ended_by_person: bool,
    /// By a person.
    canceled: BTreeSet<String>,
    deleted: BTreeSet<String>,
    log: Vec<String>,
    stands_until: i64,
    weirs: u64,
}

impl World {
    fn new(seed: u64) -> World {
        let mut dice = Dice(seed, 0);
        let mode = if dice.below(6) == 0 { "approve" } else { "automatic" };
        let settings = configuration(mode, dice.below(3) == 0);
        let first = Sim {
            jid: "f0".to_owned(),
            start: START - 10 * MINUTE,
            state: JobState::Running,
            from: None,
            done: 5,
            sick: false,
        };
        let mut world = World {
            dice,
            now: START,
            runs: vec![first],
            coming: BTreeMap::new(),
            number: 0,
            process: 0,
            engine: None,
            kept: MemoryStore::new("sim"),
            settings,
            deadline: None,
            ended_by_person: false,
            canceled: BTreeSet::new(),
            deleted: BTreeSet::new(),
            log: Vec::new(),
            stands_until: 0,
            weirs: 0,
        };
        world.say(&format!("seed {seed}"));
        world.begin();
        world
    }

    fn say(&mut self, what: &str) {
        let at = (self.now - START) / SECOND;
        self.log.push(format!("{at:>5} {what}"));
    }

    /// A new process over what was committed.
    fn begin(&mut self) {
        self.process += 1;
        let loaded = self.kept.load(Ts(self.now));
        let (settings, rules) = self.settings.clone();
        self.engine = Some(Engine::new(settings, rules, Composers::new(), &loaded).unseen());
        self.deadline = Some(self.now + 1);
    }

    fn later(&mut self, after: i64, what: Coming) {
        self.number += 1;
        self.coming.insert((self.now + after, self.number), what);
    }

    fn live(&self) -> Vec<&Sim> {
        self.runs.iter().filter(|run| run.state.is_live()).collect()
    }

    /// The look a poll takes.
    fn look(&mut self) -> Snapshot {
        if self.dice.below(25) == 0 && self.now < START + TROUBLE {
            return Snapshot::failed("prod", "sim", "refused".to_owned(), false);
        }
        let now = self.now;
        let runs = self.runs.iter().map(|run| observed(run, now)).collect();
        Snapshot {
            completeness: Completeness::Complete,
            clock: Some(SourceClock { now, offset_ms: 0 }),
            runs,
            ..Snapshot::failed("prod", "sim", String::new(), false)
        }
    }

    /// One turn of Weir, unless it is dead or stands still; it may be killed in the middle.
    fn turn(&mut self, input: Input) {
        if self.now < self.stands_until {
            return;
        }
        let kill = if self.now < START + TROUBLE { self.dice.below(80) } else { 99 };
        if let Input::Snapshot(look) = &input
            && let Some(newest) = look.runs.iter().max_by_key(|run| run.run.start_time)
        {
            // Weir's own stops end in a plan or in a word.
            let canceled = newest.state == JobState::Canceled;
            self.ended_by_person = canceled && self.canceled.contains(&newest.run.job_id);
        }
        let Some(engine) = &mut self.engine else { return };
        let effects = engine.step(Time::at(self.now), input);
        if kill == 0 {
            self.say("killed before the commit");
            self.engine = None;
            return;
        }
        let mut errands = Vec::new();
        for effect in effects {
            match effect {
                Effect::Persist(changes) => {
                    for change in &changes {
                        if let Change::Restart(row) = change {
                            let note = row.note.clone().unwrap_or_default();
                            let (id, state) = (row.id, row.state.as_str());
                            self.say(&format!("restart {id} {state} {note}"));
                        }
                    }
                    self.kept.apply(changes);
                }
                Effect::Act(errand) => errands.push(errand),
                Effect::Deadline(at) => self.deadline = Some(at.0),
                _ => {}
            }
        }
        if kill == 1 {
            self.say("killed after the commit");
            self.engine = None;
            return;
        }
        for errand in errands {
            self.perform(*errand);
        }
        if kill == 2 {
            self.say("killed after its orders were given");
            self.engine = None;
        }
    }

    fn answer(&mut self, after: i64, restart: u64, told: Told) {
        let process = self.process;
        self.later(after, Coming::Answer { process, restart, told });
    }

    /// What the driver does, or begins: an order on its way arrives whatever becomes of Weir.
    fn perform(&mut self, errand: Errand) {
        let restart = errand.order.restart;
        let trouble = self.now < START + TROUBLE;
        match &errand.task {
            Task::Check(paths) => {
                let found: Vec<(String, Option<bool>)> = paths
                    .iter()
                    .map(|path| {
                        let blind = self.dice.below(3) == 0;
                        (path.clone(), (!blind).then(|| !self.deleted.contains(path)))
                    })
                    .collect();
                self.answer(50, restart, Told::Checked(found));
            }
            Task::Start => {
                let fate = match if trouble { self.dice.below(14) } else { 9 } {
                    0 | 1 => Fate::RunsAndDies,
                    2 => Fate::NeverRuns,
                    3 => Fate::Refused,
                    4 => Fate::Unreadable,
                    _ => Fate::Runs,
                };
                let (arrives, answer) = match if trouble { self.dice.below(8) } else { 7 } {
                    0 => (None, false),
                    1 => (Some(100), false),
                    2 => (Some(self.dice.between(5, 25) * SECOND), false),
                    _ => (Some(self.dice.between(50, 900)), true),
                };
                if let Some(after) = arrives {
                    self.later(after, Coming::Order { errand: Box::new(errand), fate, answer });
                }
                if !answer {
                    let error = "no answer within 10 s".to_owned();
                    let after = 10 * SECOND;
                    self.answer(after, restart, Told::Started(Started::Unclear { error }));
                }
            }
            Task::LookUp => {
                let handle = &errand.order.handle;
                let told = if trouble && self.dice.below(6) == 0 {
                    LookedUp::Undecided { error: "refused".to_owned() }
                } else if self.runs.iter().any(|run| run.jid == *handle) {
                    LookedUp::Found { job_id: Some(handle.clone()) }
                } else {
                    LookedUp::Absent
                };
                self.answer(60, restart, Told::LookedUp(told));
            }
            Task::Stop => {
                let Some(jid) = errand.order.dead.clone() else { return };
                let saved = self.dice.below(2) == 0;
                let state = if saved { JobState::Finished } else { JobState::Canceled };
                self.later(3 * SECOND, Coming::End { jid: jid.clone(), state });
                let savepoint = saved.then(|| format!("file:/sp/savepoint-{jid}"));
                if trouble && self.dice.below(4) == 0 {
                    let error = "no answer".to_owned();
                    self.answer(9 * SECOND, restart, Told::Stopped(Stopped::Unclear { error }));
                } else {
                    self.answer(4 * SECOND, restart, Told::Stopped(Stopped::Ending { savepoint }));
                }
            }
            Task::Cancel(jid) => {
                let (jid, state) = (jid.clone(), JobState::Canceled);
                self.say(&format!("weir cancels {jid}"));
                self.later(200, Coming::End { jid, state });
                self.answer(300, restart, Told::Cancelled(None));
            }
        }
    }

    /// An order reaches Flink, after the driver has looked once more.
    fn order(&mut self, errand: &Errand, fate: Fate, answer: bool) {
        let order = &errand.order;
        let lives = self.live().iter().any(|run| run.jid != order.handle);
        let known = self.runs.iter().any(|run| run.jid == order.handle);
        let told = if known {
            Started::Accepted { job_id: Some(order.handle.clone()) }
        } else if lives {
            Started::Alive { seen: "it is RUNNING".to_owned() }
        } else {
            let gone = order.from.as_ref().is_some_and(|path| self.deleted.contains(path));
            match fate {
                Fate::Refused => {
                    Started::Refused { error: "no slots".to_owned(), unreadable: false }
                }
                _ if gone || fate == Fate::Unreadable => {
                    let error = "Cannot find checkpoint".to_owned();
                    Started::Refused { error, unreadable: true }
                }
                _ => {
                    self.start(&order.handle.clone(), order.from.clone(), fate, true);
                    Started::Accepted { job_id: Some(order.handle.clone()) }
                }
            }
        };
        if answer {
            self.answer(40, order.restart, Told::Started(told));
        }
    }

    fn start(&mut self, jid: &str, from: Option<String>, fate: Fate, by_weir: bool) {
        assert!(
            !by_weir || self.live().is_empty(),
            "weir starts a second copy: {:?}\n{}",
            self.runs,
            self.log.join("\n")
        );
        self.say(&format!("{jid} starts from {from:?}, {fate:?}"));
        let state = if fate == Fate::NeverRuns { JobState::Created } else { JobState::Running };
        let (jid, start) = (jid.to_owned(), self.now);
        let run = Sim { jid: jid.clone(), start, state, from, done: 0, sick: false };
        self.runs.push(run);
        self.weirs += u64::from(by_weir);
        let end = match fate {
            Fate::RunsAndDies => self.dice.between(2, 200) * SECOND,
            Fate::NeverRuns => self.dice.between(20, 300) * SECOND,
            _ => return,
        };
        self.later(end, Coming::End { jid, state: JobState::Failed });
    }

    fn end(&mut self, jid: &str, state: JobState) {
        let run = self.runs.iter_mut().find(|run| run.jid == jid && run.state.is_live());
        if let Some(run) = run {
            run.state = state;
            self.say(&format!("{jid} {state}"));
        }
    }

    fn command(&mut self, what: Action) {
        self.number += 1;
        let id = format!("c{}", self.number);
        let words = format!("{what:?}");
        self.say(&words);
        self.turn(Input::Command(Box::new(Command { id, actor: "ann".to_owned(), what })));
    }

    /// Something goes wrong, or somebody does something.
    fn happen(&mut self) {
        let live = self.live().first().map(|run| run.jid.clone());
        match self.dice.below(600) {
            0..=5 => {
                if let Some(jid) = live {
                    self.end(&jid, JobState::Failed);
                }
            }
            6 => {
                let newest = self.runs.last().map(|run| (run.jid.clone(), run.done));
                if let Some((jid, done)) = newest {
                    self.say(&format!("chk-{done} of {jid} is deleted"));
                    self.deleted.insert(format!("file:/ck/{jid}/chk-{done}"));
                }
            }
            8 => {
                self.say("weir stands still");
                self.stands_until = self.now + self.dice.between(10, 900) * SECOND;
            }
            9 if live.is_none() => {
                self.number += 1;
                let jid = format!("p{}", self.number);
                self.start(&jid, None, Fate::Runs, false);
            }
            10 => {
                if let Some(jid) = live {
                    self.end(&jid, JobState::Canceled);
                    self.canceled.insert(jid);
                }
            }
            11 => {
                let (job, comment) = (JOB.to_owned(), String::new());
                self.command(Action::Restart { job, from: None, comment, preview: false });
            }
            12 => {
                let (job, comment) = (JOB.to_owned(), String::new());
                self.command(Action::DeclineRestart { job, comment });
            }
            13 => {
                let open = self.kept.incidents.values().rfind(|i| i.is_open()).map(|i| i.id);
                if let Some(incident) = open {
                    let comment = String::new();
                    self.command(Action::Ack { incident, comment });
                }
            }
            14 | 15 => {
                let done = self.runs.iter_mut().rfind(|run| run.state.is_live());
                if let Some(run) = done {
                    run.sick = true;
                    let jid = run.jid.clone();
                    self.say(&format!("checkpoints of {jid} fail"));
                }
            }
            16 if self.runs.len() < 40 => {
                // Without high availability nothing is left of a JobManager.
                self.say("the JobManager is killed");
                self.runs.clear();
            }
            _ => {}
        }
    }

    fn second(&mut self) {
        let until = self.now + SECOND;
        for run in self.runs.iter_mut().filter(|run| run.state == JobState::Running && !run.sick) {
            if (until / SECOND) % 5 == 0 {
                run.done += 1;
            }
        }
        if self.now < START + TROUBLE && self.now > START + MINUTE {
            self.happen();
        }
        if self.engine.is_none() && self.now >= self.stands_until {
            self.begin();
        }
        while let Some((&(at, number), _)) = self.coming.first_key_value() {
            if at > until {
                break;
            }
            let Some(coming) = self.coming.remove(&(at, number)) else { break };
            self.now = self.now.max(at);
            match coming {
                Coming::Order { errand, fate, answer } => self.order(&errand, fate, answer),
                Coming::End { jid, state } => self.end(&jid, state),
                // A process that stands still hears of it when it goes on.
                Coming::Answer { process, restart, told } if self.now < self.stands_until => {
                    let at = (self.stands_until, number);
                    self.coming.insert(at, Coming::Answer { process, restart, told });
                }
                Coming::Answer { process, restart, told } => {
                    if process == self.process && self.engine.is_some() {
                        self.turn(Input::Acted { restart, told: Box::new(told) });
                    }
                }
            }
        }
        self.now = until;
        if self.deadline.is_some_and(|at| at <= self.now) {
            self.deadline = None;
            self.turn(Input::Deadline);
        }
        if self.now % POLL == 0 {
            let look = self.look();
            self.turn(Input::Snapshot(Box::new(look)));
        }
    }

    /// Once everything is quiet: it runs once, somebody ended it, or a person was told.
    fn judge(&mut self) {
        let live = self.live().len();
        let open: Vec<&Incident> = self.kept.incidents.values().filter(|i| i.is_open()).collect();
        let told = open.iter().any(|incident| {
            matches!(
                incident.doing,
                Some(Doing::GaveUp(_) | Doing::Approval { .. } | Doing::Held(_))
            )
        });
        let settled = match live {
            0 => told || self.ended_by_person || self.kept.incidents.is_empty(),
            1 => true,
            _ => false,
        };
        let on_way = self.kept.restarts.values().filter(|row| row.state.is_open());
        let on_way: Vec<String> =
            on_way.map(|row| format!("{} {}", row.id, row.state.as_str())).collect();
        let waits = |words: &String| words.ends_with("approval");
        assert!(
            settled && on_way.iter().all(waits),
            "{live} live, on their way {on_way:?}, open {:?}\n{}",
            open.iter().map(|i| (i.id, &i.rule, &i.doing)).collect::<Vec<_>>(),
            self.log.join("\n")
        );
    }
}

fn observed(run: &Sim, now: i64) -> RunObservation {
    let running = if run.state == JobState::Running { 2 } else { 0 };
    let chk = |id: u64| CheckpointSummary {
        id,
        ended_at: Some((run.start + id as i64 * 5 * SECOND).min(now)),
        path: Some(format!("file:/ck/{}/chk-{id}", run.jid)),
        size: Some(1),
        ..CheckpointSummary::default()
    };
    let failed =
        |id: u64| CheckpointSummary { failure: Some("declined".to_owned()), path: None, ..chk(id) };
    let stats = CheckpointStats {
        interval_ms: Some(5_000),
        periodic: Some(true),
        completed: Some(run.done),
        retained_on_cancel: Some(true),
        retained_on_failure: Some(true),
        restored: Some(u64::from(run.from.is_some())),
        restored_from: run.from.as_ref().map(|path| CheckpointSummary {
            path: Some(path.clone()),
            ..CheckpointSummary::default()
        }),
        latest_completed: (run.done > 0).then(|| chk(run.done)),
        recent_completed: (1..=run.done).rev().take(3).map(chk).collect(),
        recent_failed: if run.sick {
            (1..6).map(|n| failed(run.done + n)).collect()
        } else {
            vec![]
        },
        ..CheckpointStats::default()
    };
    let died = run.state == JobState::Failed;
    RunObservation {
        key: JobKey::new("prod", "", "", JOB),
        name: JOB.to_owned(),
        cluster: "prod".to_owned(),
        flink_cluster: "prod".to_owned(),
        flink_job_name: JOB.to_owned(),
        run: RunId { start_time: run.start, job_id: run.jid.clone() },
        state: run.state,
        end_time: run.state.is_terminal().then_some(run.start + SECOND),
        tasks: TaskCounts { total: 2, running, ..TaskCounts::default() },
        checkpoints: Seen::Fresh(stats),
        failures: Seen::Fresh(if died { vec![failure(run)] } else { vec![] }),
        ..RunObservation::default()
    }
}

fn failure(run: &Sim) -> Failure {
    Failure {
        at: run.start + SECOND,
        task: None,
        class: format!("com.example.Failure{}", run.start % 7),
        message: "broken".to_owned(),
        frame: None,
        taskmanager: None,
        gave_up: true,
    }
}

fn play(seed: u64) -> u64 {
    let mut world = World::new(seed);
    while world.now < START + TROUBLE + QUIET {
        world.second();
    }
    world.judge();
    world.weirs
}

/// `WEIR_LIVES=1000` plays more; the log of one that fails begins with its seed.
#[test]
fn no_second_copy_and_no_silent_death() {
    let asked = std::env::var_os("WEIR_LIVES").and_then(|text| text.to_str()?.parse().ok());
    let lives: u64 = asked.unwrap_or(60);
    let mut restarted = 0;
    for seed in 0..lives {
        restarted += play(seed);
    }
    assert!(restarted > lives, "only {restarted} restarts in {lives} lives");
}
