//! All restarts and where they stand: a pure machine, turned by looks, time, people, and what drivers
//! tell. A row is committed before its order is given, and an order that may have been given is looked
//! for before anything else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::guards::{self, Case};
use super::holds::{Hold, Weight};
use super::settings::{Mode, Policy, Settings};
use super::verify::{self, Verdict};
use super::world::World;
use crate::model::{
    AskedBy, Both, Change, Doing, Errand, Incident, JobKey, Loaded, LookedUp, OfInventory, Order,
    Restart, RestartState, RestoreFrom, Started, Stopped, Task, Time, Told, Ts,
};
use crate::tracker::{Ledger, Recorded, Standing};

/// An order that may have been given is given again for so long, by the same handle.
const GIVE_AGAIN: Duration = Duration::from_mins(10);
/// Between two looks for what became of an order.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// That a path is there is believed for so long.
const CHECKED_FOR: Duration = Duration::from_mins(1);
/// Paths looked for at once.
const MOST_PATHS: usize = 8;
/// Restarts that are over and kept in memory.
const KEPT: usize = 2_000;
/// Whoever is restarted by hand has no entry to count by.
const LONGEST_NOTE: usize = 300;

/// What a turn wants.
#[derive(Debug, Default)]
pub struct Stepped {
    /// Rows to keep.
    pub changes: Vec<Change>,
    /// Things to be done, after the commit.
    pub errands: Vec<Errand>,
    /// What incidents say from now on.
    pub doing: Vec<(u64, Doing)>,
    /// Lines of timelines.
    pub events: Vec<(u64, String)>,
    /// Incidents a person is needed for, and because of which job; told once.
    pub gave_up: Vec<(u64, JobKey)>,
    /// Savepoints that were taken: by which job, run, and where.
    pub savepoints: Vec<(JobKey, String, String)>,
    /// Runs that are stopped to be replaced.
    pub stops: Vec<(JobKey, String)>,
    /// Runs that were to be stopped and go on.
    pub goes_on: Vec<(JobKey, String)>,
    /// What a run was started from; none: from nothing.
    pub began: Vec<(JobKey, String, Option<String>)>,
}

/// What is known of an open restart and not kept.
#[derive(Debug, Default)]
struct Loose {
    /// A driver is at work on it.
    out: bool,
    /// An order has gone out in this process.
    sent: bool,
    /// Of paths, whether they are there, and since when that is known.
    checked: Option<(Ts, BTreeMap<String, Option<bool>>)>,
    /// Nothing is to be done about it before.
    again: Option<Ts>,
    /// The sick run was asked to stop.
    asked_to_stop: bool,
    /// It was asked what became of the order.
    looked: bool,
}

/// Somebody has paused all restarts.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Paused {
    /// Who.
    pub by: String,
    /// Wall time.
    pub at: Ts,
    /// Why.
    pub comment: String,
}

/// Row of the pause.
const PAUSED: &str = "restarts/paused";

/// All restarts.
#[derive(Debug, Default)]
pub struct Restarts {
    pub(super) settings: Settings,
    rows: BTreeMap<u64, Restart>,
    by_job: BTreeMap<JobKey, Vec<u64>>,
    loose: BTreeMap<u64, Loose>,
    next_id: u64,
    pub(super) paused: Option<Paused>,
    /// Name of the installation: part of every handle.
    installation: String,
    /// Of which incident and job it was told that a person is needed: several jobs may share one.
    told_of: BTreeSet<(u64, JobKey)>,
}

impl Restarts {
    /// Goes on where a former process was.
    pub fn restore(settings: Settings, loaded: &Loaded) -> Restarts {
        let paused = loaded.meta.iter().find(|(name, _)| name == PAUSED);
        let mut restarts = Restarts {
            settings,
            installation: loaded.installation.clone(),
            next_id: loaded.max_restart + 1,
            paused: paused.and_then(|(_, body)| serde_json::from_str(body).ok()),
            ..Restarts::default()
        };
        for row in &loaded.restarts {
            restarts.insert(row.clone());
        }
        restarts
    }

    /// Other settings, from the next turn on.
    pub fn reload(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Who has paused all restarts.
    pub fn paused(&self) -> Option<&Paused> {
        self.paused.as_ref()
    }

    /// Nothing will ever be done.
    pub fn is_idle(&self) -> bool {
        self.settings.policies.is_empty() && !self.rows.values().any(|row| row.state.is_open())
    }

    /// All that are in memory, oldest first.
    pub fn rows(&self) -> impl Iterator<Item = &Restart> {
        self.rows.values()
    }

    /// One of them.
    pub fn get(&self, id: u64) -> Option<&Restart> {
        self.rows.get(&id)
    }

    /// Those of a job, oldest first.
    pub fn of_job(&self, key: &JobKey) -> impl Iterator<Item = &Restart> {
        let ids = self.by_job.get(key).into_iter().flatten();
        ids.filter_map(|id| self.rows.get(id))
    }

    /// The one of a job that is not over.
    pub fn open_of(&self, key: &JobKey) -> Option<&Restart> {
        self.of_job(key).find(|row| row.state.is_open())
    }

    fn insert(&mut self, row: Restart) {
        let of_job = self.by_job.entry(row.job.clone()).or_default();
        if !of_job.contains(&row.id) {
            of_job.push(row.id);
        }
        self.rows.insert(row.id, row);
        if self.rows.len() > KEPT {
            let over = self.rows.iter().find(|(_, row)| !row.state.is_open());
            if let Some((id, job)) = over.map(|(id, row)| (*id, row.job.clone())) {
                self.rows.remove(&id);
                if let Some(ids) = self.by_job.get_mut(&job) {
                    ids.retain(|known| *known != id);
                }
            }
        }
    }

    /// When something is to be looked at again.
    pub fn next_deadline(&self, now: Ts) -> Option<Ts> {
        let open = self.rows.values().filter(|row| row.state.is_open());
        let times = open.filter_map(|row| {
            let loose = self.loose.get(&row.id);
            if loose.is_some_and(|loose| loose.out) {
                return None;
            }
            let again = loose.and_then(|loose| loose.again);
            again.or((row.state == RestartState::Planned).then_some(row.due))
        });
        times.filter(|at| *at > now).min()
    }

    /// Stops everything until it is taken back; false where it was so already.
    pub fn pause(&mut self, paused: Option<Paused>) -> Option<Change> {
        if paused.is_some() == self.paused.is_some() {
            return None;
        }
        let value = paused.as_ref().and_then(|paused| serde_json::to_string(paused).ok());
        self.paused = paused;
        Some(Change::Meta { key: PAUSED.to_owned(), value: value.unwrap_or_default() })
    }

    /// One turn: what fires is planned, what is planned goes on.
    pub fn step(&mut self, time: Time, world: &World<'_>) -> Stepped {
        let mut out = Stepped::default();
        if self.is_idle() {
            return out;
        }
        self.settle(time, world, &mut out);
        for (key, (incident, alert)) in world.wanted(&self.settings) {
            if self.open_of(&key).is_none() {
                self.consider(time, world, &key, incident, &alert, &mut out);
            }
        }
        let open = self.rows.values().filter(|row| row.state.is_open());
        let ids: Vec<u64> = open.map(|row| row.id).collect();
        for id in ids {
            self.go_on(time, world, id, &mut out);
        }
        self.tell_once(world, &mut out);
        out
    }

    /// Of one incident and job it is told once that a person is needed, and of an incident that is
    /// over not at all.
    fn tell_once(&mut self, world: &World<'_>, out: &mut Stepped) {
        let is_open = |id: u64| world.incidents.get(id).is_some_and(Incident::is_open);
        self.told_of.retain(|(id, _)| is_open(*id));
        let told_of = &mut self.told_of;
        out.gave_up.retain(|told| is_open(told.0) && told_of.insert(told.clone()));
    }

    /// Attempts of jobs that have been well for long do not count any more.
    fn settle(&mut self, time: Time, world: &World<'_>, out: &mut Stepped) {
        for (key, ids) in &self.by_job {
            let open = |id: &u64| self.rows.get(id).is_some_and(|row| row.state.is_open());
            if ids.iter().any(open) {
                continue;
            }
            let sent = |id: &&u64| self.rows.get(id).is_some_and(|row| row.state.was_sent());
            let last = ids.iter().rev().find(sent).copied();
            let Some(row) = last.and_then(|id| self.rows.get_mut(&id)) else { continue };
            if row.settled {
                continue;
            }
            let well = world.tracker.job(key).and_then(|job| job.healthy_since);
            let well = well.map(|since| row.done.map_or(since, |done| since.max(done)));
            let per = self.settings.named(&row.policy).map_or(GIVE_AGAIN, |policy| policy.per);
            if well.is_some_and(|since| time.steady.since(since) >= per) {
                row.settled = true;
                out.changes.push(Change::Restart(Box::new(row.clone())));
            }
        }
    }

    /// How many are on their way: of all jobs, and of one source.
    fn on_way(&self, cluster: &str, but: u64) -> (usize, usize) {
        let busy = |row: &&Restart| {
            let starts = row.state == RestartState::Running && !row.ran;
            let sent = matches!(row.state, RestartState::Stopping | RestartState::Submitted);
            row.id != but && (starts || sent)
        };
        let on_way = || self.rows.values().filter(busy);
        (on_way().count(), on_way().filter(|row| row.cluster == cluster).count())
    }

    /// What holds a job, the weightiest first. `row`: the attempt that is decided about, if there is
    /// one already.
    pub fn holds(
        &self,
        time: Time,
        world: &World<'_>,
        key: &JobKey,
        policy: &Policy,
        incident: Option<&Incident>,
        asked_by: &AskedBy,
        row: Option<&Restart>,
    ) -> Vec<Hold> {
        let Some(facts) = world.tracker.job_facts(key, time) else { return vec![Hold::Unseen] };
        let past: Vec<&Restart> = self
            .of_job(key)
            .filter(|known| known.state.was_sent() && row.is_none_or(|row| row.id != known.id))
            .collect();
        let declined = incident.and_then(|incident| {
            let newest = self.of_job(key).filter(|row| row.incident == Some(incident.id)).last()?;
            newest.declined.as_deref()
        });
        let sick = world.is_live(key) && policy.replace && incident.is_some();
        let case = Case {
            time,
            policy,
            facts,
            incident,
            asked_by,
            past,
            on_way: self.on_way(&facts.job.cluster, row.map_or(0, |row| row.id)),
            limits: self.settings.limits,
            fresh_for: self.settings.fresh_for,
            paused: self.paused.as_ref().map(|paused| paused.by.as_str()),
            declined,
            maintenance: world.maintenance(key),
            replaces: row.map_or(sick, |row| row.replaces),
        };
        guards::holds(&case)
    }

    fn was_stopped(&self, id: u64) -> bool {
        self.loose.get(&id).is_some_and(|loose| loose.asked_to_stop)
    }

    /// Something fires about a job, and no restart of it is open.
    fn consider(
        &mut self,
        time: Time,
        world: &World<'_>,
        key: &JobKey,
        incident: &Incident,
        alert: &str,
        out: &mut Stepped,
    ) {
        let Some(policy) = world.policy(&self.settings, key) else { return };
        let asked_by = AskedBy::Alert(alert.to_owned());
        let holds = self.holds(time, world, key, &policy, Some(incident), &asked_by, None);
        let from = self.preview(world, key);
        if policy.mode == Mode::DryRun {
            let held = holds.first();
            if held.is_none_or(|hold| hold.weight() != Weight::Over) {
                let held = held.map(Hold::words);
                say(incident.id, Some(incident), Doing::Would { from, held }, out);
            }
            return;
        }
        match holds.first() {
            Some(hold) if hold.weight() == Weight::Over => {}
            Some(hold) if hold.weight() == Weight::Stop => {
                give_up(incident.id, Some(incident), key, hold, out);
            }
            Some(hold) if !starts_waiting(&holds) => {
                say(incident.id, Some(incident), Doing::Held(hold.words()), out);
            }
            settling => {
                // What it left may still be on its way to the ledger.
                if settling.is_none() && from.is_none() && !policy.start_empty {
                    let hold = Hold::NoCheckpoint(none_left(world.tracker.ledger(key)));
                    return give_up(incident.id, Some(incident), key, &hold, out);
                }
                self.plan(time, world, key, &policy, Some(incident), asked_by, None, out);
            }
        }
    }

    /// What it would be restored from, as far as is known now.
    pub fn preview(&self, world: &World<'_>, key: &JobKey) -> Option<String> {
        self.candidates(world, key).first().map(|entry| named(entry).name().to_owned())
    }

    /// Path of what a job would be restored from.
    pub fn best(&self, key: &JobKey, ledger: &Ledger) -> Option<String> {
        self.usable(key, ledger).first().map(|entry| entry.path.clone())
    }

    fn candidates<'a>(&self, world: &World<'a>, key: &JobKey) -> Vec<&'a Recorded> {
        let ledger = world.tracker.ledger(key);
        ledger.map(|ledger| self.usable(key, ledger)).unwrap_or_default()
    }

    /// What a job may be restored from, best first: not what is gone, not what could not be read.
    fn usable<'a>(&self, key: &JobKey, ledger: &'a Ledger) -> Vec<&'a Recorded> {
        let rows: Vec<&Restart> = self.of_job(key).filter(|row| row.state.was_sent()).collect();
        let tried = guards::counted(&rows);
        let unreadable = |entry: &&Recorded| {
            tried.iter().any(|row| {
                row.unreadable && row.from.as_ref().is_some_and(|from| from.path == entry.path)
            })
        };
        let all = ledger.candidates().into_iter();
        all.filter(|entry| entry.standing != Standing::Gone && !unreadable(entry)).collect()
    }

    /// Decides on an attempt: from now on it has a row.
    #[expect(clippy::too_many_arguments, reason = "what an attempt is made of")]
    pub(super) fn plan(
        &mut self,
        time: Time,
        world: &World<'_>,
        key: &JobKey,
        policy: &Arc<Policy>,
        incident: Option<&Incident>,
        asked_by: AskedBy,
        wanted: Option<RestoreFrom>,
        out: &mut Stepped,
    ) -> Option<u64> {
        let facts = world.tracker.job_facts(key, time)?;
        let rows: Vec<&Restart> = self.of_job(key).filter(|row| row.state.was_sent()).collect();
        let tried = guards::counted(&rows).len() as u32;
        let id = self.next_id;
        let by_person = matches!(asked_by, AskedBy::Person(_));
        let acknowledged = incident.is_some_and(|incident| incident.acknowledged.is_some());
        let approval = !by_person && (policy.mode == Mode::Approve || acknowledged);
        let wait = if by_person { Duration::ZERO } else { policy.wait(tried) };
        let row = Restart {
            id,
            job: key.clone(),
            cluster: facts.job.cluster.clone(),
            incident: incident.map(|incident| incident.id),
            policy: policy.name.clone(),
            driver: policy.driver.clone(),
            asked_by,
            attempt: tried + 1,
            of: policy.attempts.max(tried + 1),
            state: if approval { RestartState::Approval } else { RestartState::Planned },
            handle: handle(&self.installation, id, time),
            dead: facts.run().map(|run| run.id.clone()),
            replaces: world.is_live(key) && policy.replace && incident.is_some(),
            from: None,
            wanted: wanted.map(|from| from.path),
            from_nothing: false,
            cause: facts.job.last_cause.as_ref().map(|(_, cause)| cause.clone()),
            at: time.wall,
            at_steady: time.steady,
            due: time.steady + wait,
            submitted: None,
            submitted_at: None,
            taken: None,
            started: None,
            done_at: None,
            done: None,
            note: None,
            unreadable: false,
            ran: false,
            settled: false,
            declined: None,
            unclear: false,
            cancelling: false,
            stopping: None,
        };
        self.next_id += 1;
        let from = row.wanted.clone().or_else(|| self.preview(world, key));
        let what = match (&row.asked_by, row.state) {
            (AskedBy::Person(by), _) => format!("restart {id} asked for by {by}"),
            (AskedBy::Alert(alert), RestartState::Approval) => {
                format!("restart {id} waits for approval ({alert})")
            }
            (AskedBy::Alert(alert), _) => {
                let (n, of) = (row.attempt, row.of);
                format!("restart {id} planned ({alert}), attempt {n} of {of}")
            }
        };
        let what = match &from {
            Some(from) => format!("{what}, from {from}"),
            None => what,
        };
        out.changes.push(Change::Restart(Box::new(row.clone())));
        if let Some(incident) = incident {
            out.events.push((incident.id, what));
            let doing = match row.state {
                RestartState::Approval => Doing::Approval { restart: id, from },
                _ => planned(&row, time, from),
            };
            say(incident.id, Some(incident), doing, out);
        }
        self.insert(row);
        Some(id)
    }

    fn go_on(&mut self, time: Time, world: &World<'_>, id: u64, out: &mut Stepped) {
        let Some(row) = self.rows.get(&id).cloned() else { return };
        let loose = self.loose.entry(id).or_default();
        if loose.out || loose.again.is_some_and(|at| at > time.steady) {
            return;
        }
        loose.again = None; // An entry may have another name now.
        let same = |policy: &Arc<Policy>| policy.driver == row.driver;
        let named = self.settings.named(&row.policy).cloned().filter(same);
        let policy = named.or_else(|| world.policy(&self.settings, &row.job).filter(same));
        match (row.state, policy) {
            (RestartState::Planned | RestartState::Approval, None) => {
                let why = format!("`{}` left the configuration", row.policy);
                self.drop_row(time, world, row, &Both::new(why.clone(), why), out);
            }
            (RestartState::Planned | RestartState::Approval, Some(policy)) => {
                self.wait(time, world, row, &policy, out);
            }
            (RestartState::Stopping, Some(policy)) => {
                self.stopping(time, world, row, &policy, out);
            }
            (RestartState::Submitted, Some(policy)) => {
                self.submitted(time, world, row, &policy, out);
            }
            (RestartState::Running, Some(policy)) => {
                self.watch(time, world, row, &policy, out);
            }
            (RestartState::Stopping | RestartState::Submitted | RestartState::Running, None) => {
                let note = "its entry left the configuration while it was on its way".to_owned();
                self.end(time, world, row, RestartState::Unknown, Some(note), out);
            }
            _ => {}
        }
    }

    /// It is planned: whatever held it may have changed.
    fn wait(
        &mut self,
        time: Time,
        world: &World<'_>,
        mut row: Restart,
        policy: &Arc<Policy>,
        out: &mut Stepped,
    ) {
        let incident = row.incident.and_then(|id| world.incidents.get(id));
        let by_alert = matches!(row.asked_by, AskedBy::Alert(_));
        if by_alert && incident.is_none_or(|incident| !incident.is_open()) {
            let why = Both::new("its incident is over", "故障已结束");
            return self.drop_row(time, world, row, &why, out);
        }
        let key = row.job.clone();
        let sick = incident.is_some_and(|incident| {
            let firing = incident.members.iter().filter(|member| member.firing);
            firing.into_iter().any(|member| policy.alerts.contains(&member.rule.alert))
        });
        if by_alert && row.replaces && world.is_live(&key) && !sick {
            let why = Both::new("it is well again", "作业已恢复正常");
            return self.drop_row(time, world, row, &why, out);
        }
        let holds = self.holds(time, world, &key, policy, incident, &row.asked_by, Some(&row));
        if !by_alert && !holds.is_empty() && time.steady.since(row.at_steady) > GIVE_AGAIN {
            let why = Both::new(
                "it could not be sent for 10 minutes; ask again if it is still wanted",
                "10 分钟内未能发出；如仍需要请再次执行",
            );
            return self.drop_row(time, world, row, &why, out);
        }
        match holds.first() {
            Some(hold) if hold.weight() == Weight::Over => {
                return self.drop_row(time, world, row, &hold.words(), out);
            }
            Some(hold) if hold.weight() == Weight::Stop => {
                if let Some(incident) = row.incident {
                    give_up(incident, world.incidents.get(incident), &row.job, hold, out);
                }
                return self.drop_quietly(time, row, &hold.words().en, out);
            }
            _ => {}
        }
        // Another incident says what to do about it.
        if let Some(hold) = holds.iter().find(|hold| matches!(hold, Hold::Inhibited(_))) {
            return self.drop_row(time, world, row, &hold.words(), out);
        }
        // Somebody has it: whether to restart is theirs to say.
        let taken = incident.is_some_and(|incident| incident.acknowledged.is_some());
        if row.state == RestartState::Planned && by_alert && taken && row.wanted.is_none() {
            let approved = row.declined.is_none() && row.note.as_deref() == Some(APPROVED);
            if !approved {
                row.state = RestartState::Approval;
                let from = self.preview(world, &key);
                self.tell(&row, world, Doing::Approval { restart: row.id, from }, out);
                self.keep(row, out);
                return;
            }
        }
        if row.state == RestartState::Approval || row.due > time.steady {
            return;
        }
        if let Some(hold) = holds.first() {
            self.tell(&row, world, Doing::Held(hold.words()), out);
            return;
        }
        if row.replaces && world.is_live(&key) && !policy.traits.in_place {
            row.state = RestartState::Stopping;
            row.stopping = Some(time.steady);
            let run = row.dead.as_ref().map(|dead| dead.job_id.clone());
            out.stops.extend(run.map(|run| (key.clone(), run)));
            self.event(&row, world, "stopping the sick run".to_owned(), out);
            self.tell(&row, world, Doing::Stopping, out);
            self.order(time, world, &row, Task::Stop, out);
            if let Some(loose) = self.loose.get_mut(&row.id) {
                loose.asked_to_stop = true;
            }
            self.keep(row, out);
            return;
        }
        self.choose(time, world, row, policy, out);
    }

    /// It may be sent: from which checkpoint?
    fn choose(
        &mut self,
        time: Time,
        world: &World<'_>,
        mut row: Restart,
        policy: &Policy,
        out: &mut Stepped,
    ) {
        let mut choices: Vec<RestoreFrom> = match (&row.wanted, &row.from) {
            (Some(path), _) => {
                let ledger = world.tracker.ledger(&row.job);
                let known = ledger.and_then(|ledger| ledger.named(path)).map(named);
                vec![known.unwrap_or_else(|| RestoreFrom {
                    path: path.clone(),
                    id: None,
                    savepoint: false,
                    completed_at: None,
                })]
            }
            (None, Some(stopped_with)) => vec![stopped_with.clone()],
            (None, None) => Vec::new(),
        };
        if row.wanted.is_none() {
            let known = self.candidates(world, &row.job).into_iter().map(named);
            let first = choices.first().map(|from| from.path.clone());
            choices.extend(known.filter(|from| Some(&from.path) != first.as_ref()));
        }
        choices.truncate(MOST_PATHS);
        let loose = self.loose.entry(row.id).or_default();
        let fresh = |(at, _): &&(Ts, _)| time.steady.since(*at) <= CHECKED_FOR;
        let checked = loose.checked.as_ref().filter(fresh).map(|(_, found)| found);
        let all_known =
            checked.is_some_and(|found| choices.iter().all(|from| found.contains_key(&from.path)));
        if !choices.is_empty() && !all_known {
            let paths = choices.into_iter().map(|from| from.path).collect();
            self.order(time, world, &row, Task::Check(paths), out);
            return;
        }
        let there = |from: &RestoreFrom| {
            checked.and_then(|found| found.get(&from.path).copied()).flatten() != Some(false)
        };
        let (known, chosen) = (choices.len(), choices.into_iter().find(there));
        if chosen.is_none() {
            let why = no_checkpoint(&row, known, world);
            if row.wanted.is_some() || !policy.start_empty {
                let hold = Hold::NoCheckpoint(why);
                if let Some(incident) = row.incident {
                    give_up(incident, world.incidents.get(incident), &row.job, &hold, out);
                }
                return self.drop_quietly(time, row, &hold.words().en, out);
            }
            row.from_nothing = true;
        }
        row.from = chosen;
        row.state = RestartState::Submitted;
        row.submitted = Some(time.steady);
        row.submitted_at = Some(time.wall);
        row.dead = world.current(&row.job).or(row.dead);
        let from = row.from.as_ref().map(|from| from.name().to_owned());
        let what = match &row.from {
            Some(from) => format!("sent, from {}", from.path),
            None => "sent, from nothing".to_owned(),
        };
        self.event(&row, world, what, out);
        let (attempt, of) = (row.attempt, row.of);
        self.tell(&row, world, Doing::Starting { from, attempt, of }, out);
        self.order(time, world, &row, Task::Start, out);
        if let Some(loose) = self.loose.get_mut(&row.id) {
            loose.sent = true;
        }
        self.keep(row, out);
    }

    /// The sick run is being stopped.
    fn stopping(
        &mut self,
        time: Time,
        world: &World<'_>,
        mut row: Restart,
        policy: &Arc<Policy>,
        out: &mut Stepped,
    ) {
        let asked = self.was_stopped(row.id);
        let ours = row.dead.as_ref().map(|dead| dead.job_id.clone());
        let current = world.current(&row.job).map(|run| run.job_id);
        if current != ours {
            let why = Both::new("somebody else started it meanwhile", "期间有人启动了该作业");
            return self.drop_row(time, world, row, &why, out);
        }
        if !world.is_live(&row.job) && world.is_fresh(&row.job, time, self.settings.fresh_for) {
            if let Some(loose) = self.loose.get_mut(&row.id) {
                loose.asked_to_stop = true;
            }
            let key = row.job.clone();
            let incident = row.incident.and_then(|id| world.incidents.get(id));
            let holds = self.holds(time, world, &key, policy, incident, &row.asked_by, Some(&row));
            // It is Weir that ended it: only what proves that it is dead may hold it now.
            let waits = holds.iter().find(|hold| {
                matches!(hold, Hold::Unseen | Hold::Twice(_) | Hold::Missing(_) | Hold::Settling)
            });
            if let Some(hold) = waits {
                self.tell(&row, world, Doing::Held(hold.words()), out);
                self.again(row.id, time);
                return;
            }
            return self.choose(time, world, row, policy, out);
        }
        if !asked {
            // Begun by a former process: asking again does not begin anew.
            self.order(time, world, &row, Task::Stop, out);
            if let Some(loose) = self.loose.get_mut(&row.id) {
                loose.asked_to_stop = true;
            }
            return;
        }
        if time.steady.since(row.stopping.unwrap_or(row.due)) > GIVE_AGAIN {
            row.note = row.note.or(Some("the sick run did not stop".to_owned()));
            let note = row.note.clone();
            out.goes_on.push((row.job.clone(), ours.unwrap_or_default()));
            return self.end(time, world, row, RestartState::Failed, note, out);
        }
        self.again(row.id, time);
    }

    /// The order may have been given: it is looked for before anything else.
    fn submitted(
        &mut self,
        time: Time,
        world: &World<'_>,
        mut row: Restart,
        policy: &Policy,
        out: &mut Stepped,
    ) {
        // Its run is seen: no need to ask.
        if let Some(id) = world.run_of(&row) {
            return self.taken(time, world, row, Some(id), out);
        }
        let since = row.submitted.map_or(Duration::ZERO, |at| time.steady.since(at));
        let looked = std::mem::replace(&mut self.loose.entry(row.id).or_default().looked, true);
        if since <= GIVE_AGAIN || !looked {
            if !row.unclear {
                row.unclear = true;
                self.keep(row.clone(), out);
            }
            return self.order(time, world, &row, Task::LookUp, out);
        }
        // Somebody else's run lives, and ours is nowhere: nothing is owed.
        if policy.traits.handle
            && world.is_live(&row.job)
            && world.is_fresh(&row.job, time, self.settings.fresh_for)
        {
            let why = Both::new("somebody else started it", "已有人启动了该作业");
            return self.drop_row(time, world, row, &why, out);
        }
        let note = row.note.clone().unwrap_or_else(|| "no answer".to_owned());
        let note = format!("nobody can tell whether it was taken: {note}");
        self.end(time, world, row, RestartState::Unknown, Some(note), out);
    }

    /// The platform took it.
    fn taken(
        &mut self,
        time: Time,
        world: &World<'_>,
        mut row: Restart,
        job_id: Option<String>,
        out: &mut Stepped,
    ) {
        row.state = RestartState::Running;
        row.taken = Some(time.steady);
        row.started = job_id;
        row.note = None;
        row.unclear = false;
        if let Some(run) = &row.started {
            let from = row.from.as_ref().map(|from| from.path.clone());
            out.began.push((row.job.clone(), run.clone(), from));
        }
        let what = match &row.started {
            Some(id) => format!("taken, its run is {id}"),
            None => "taken".to_owned(),
        };
        self.event(&row, world, what, out);
        let from = row.from.as_ref().map(|from| from.name().to_owned());
        let (attempt, of) = (row.attempt, row.of);
        self.tell(&row, world, Doing::Watching { from, attempt, of }, out);
        self.keep(row, out);
    }

    /// The new run is being watched.
    fn watch(
        &mut self,
        time: Time,
        world: &World<'_>,
        mut row: Restart,
        policy: &Policy,
        out: &mut Stepped,
    ) {
        if row.cancelling {
            return self.cancel_on(time, world, row, out);
        }
        if row.started.is_none() {
            row.started = verify::started(&row, world.tracker);
            if row.started.is_some() {
                self.keep(row.clone(), out);
            }
        }
        match verify::judge(time, &row, policy, self.settings.fresh_for, world.tracker) {
            Verdict::Watch { runs } => {
                if runs && !row.ran {
                    row.ran = true;
                    self.event(&row, world, "it runs with all tasks".to_owned(), out);
                    self.keep(row, out);
                }
            }
            Verdict::Verified => {
                row.ran = true;
                self.end(time, world, row, RestartState::Verified, None, out);
            }
            Verdict::Failed { why, unreadable } => {
                row.unreadable = unreadable;
                self.end(time, world, row, RestartState::Failed, Some(why), out);
            }
            Verdict::Stranger(other) => {
                let why = format!(
                    "somebody else started it meanwhile ({other}); the run Weir started is cancelled"
                );
                self.cancel_own(time, world, row, why, policy, out);
            }
            Verdict::Misnamed(other) => {
                let why = format!("it started {other} instead; that run is cancelled");
                self.cancel_own(time, world, row, why, policy, out);
            }
        }
    }

    /// Only what Weir started itself is ever cancelled, and only where its id proves that.
    fn cancel_own(
        &mut self,
        time: Time,
        world: &World<'_>,
        mut row: Restart,
        why: String,
        policy: &Policy,
        out: &mut Stepped,
    ) {
        if policy.traits.handle && row.started.as_ref() == Some(&row.handle) {
            row.cancelling = true;
            row.taken = Some(time.steady);
            self.event(&row, world, why.clone(), out);
            row.note = Some(bounded(why));
            self.order(time, world, &row, Task::Cancel(row.handle.clone()), out);
            self.keep(row, out);
            return;
        }
        self.end(time, world, row, RestartState::Failed, Some(why), out);
    }

    /// Until the run is seen to have ended, however often that takes.
    fn cancel_on(&mut self, time: Time, world: &World<'_>, row: Restart, out: &mut Stepped) {
        let lives = world.tracker.jobs().any(|(_, job)| {
            job.runs.iter().any(|run| run.id.job_id == row.handle && run.state.is_live())
        });
        if !lives && world.is_fresh(&row.job, time, self.settings.fresh_for) {
            let note = row.note.clone();
            return self.end(time, world, row, RestartState::Failed, note, out);
        }
        if row.taken.is_some_and(|since| time.steady.since(since) > GIVE_AGAIN) {
            let why = format!("its run {} could not be cancelled: cancel it by hand", row.handle);
            return self.end(time, world, row, RestartState::Unknown, Some(why), out);
        }
        self.order(time, world, &row, Task::Cancel(row.handle.clone()), out);
    }

    /// What a driver tells.
    pub fn told(&mut self, time: Time, world: &World<'_>, id: u64, told: Told) -> Stepped {
        let mut out = Stepped::default();
        let Some(mut row) = self.rows.get(&id).cloned() else { return out };
        let loose = self.loose.entry(id).or_default();
        loose.out = false;
        // What was not begun came to nothing only where it was the first order.
        let first = std::mem::take(&mut loose.sent);
        if !row.state.is_open() {
            self.loose.remove(&id);
            return out;
        }
        match told {
            Told::Checked(found) => {
                loose.checked = Some((time.steady, found.into_iter().collect()));
            }
            Told::Started(Started::Accepted { job_id }) => {
                self.taken(time, world, row, job_id, &mut out);
            } // A former order of this handle may still come to something.
            Told::Started(Started::Refused { error, .. }) if row.unclear => {
                self.unclear(time, row, error, &mut out);
            }
            Told::Started(Started::Alive { seen }) if row.unclear => {
                self.unclear(time, row, seen, &mut out);
            }
            Told::Started(Started::Refused { error, unreadable }) => {
                row.unreadable = unreadable;
                self.end(time, world, row, RestartState::Failed, Some(error), &mut out);
            }
            Told::Started(Started::Alive { seen }) => {
                let why = Both::new(format!("it lives: {seen}"), format!("作业仍存活：{seen}"));
                self.drop_row(time, world, row, &why, &mut out);
            }
            Told::Started(Started::Unclear { error }) => {
                row.unclear = true;
                self.keep(row.clone(), &mut out);
                self.unclear(time, row, error, &mut out);
            }
            Told::LookedUp(LookedUp::Undecided { error }) => {
                self.unclear(time, row, error, &mut out);
            }
            Told::Stopped(Stopped::Unclear { error }) => {
                // Asking again does not begin anew.
                loose.asked_to_stop = false;
                self.unclear(time, row, error, &mut out);
            }
            Told::LookedUp(LookedUp::Found { job_id }) => {
                self.taken(time, world, row, job_id, &mut out);
            }
            Told::LookedUp(LookedUp::Absent) => self.absent(time, world, row, &mut out),
            Told::LookedUp(LookedUp::Never) => {
                let note = "its driver cannot tell whether it was taken".to_owned();
                self.unclear(time, row, note, &mut out);
            }
            Told::Stopped(Stopped::Ending { savepoint }) => {
                if let Some(path) = savepoint {
                    self.event(&row, world, format!("stopped, savepoint {path}"), &mut out);
                    let run = row.dead.as_ref().map(|dead| dead.job_id.clone());
                    out.savepoints.push((row.job.clone(), run.unwrap_or_default(), path.clone()));
                    row.from = Some(RestoreFrom {
                        path,
                        id: None,
                        savepoint: true,
                        completed_at: Some(time.wall),
                    });
                } else {
                    self.event(&row, world, "stopped without a savepoint".to_owned(), &mut out);
                }
                self.keep(row, &mut out);
            }
            Told::Stopped(Stopped::Runs { error }) => {
                let run = row.dead.as_ref().map(|dead| dead.job_id.clone());
                out.goes_on.push((row.job.clone(), run.unwrap_or_default()));
                let why = format!("it could not be stopped: {error}");
                self.end(time, world, row, RestartState::Failed, Some(why), &mut out);
            }
            Told::Cancelled(_) => self.again(id, time),
            Told::Expired if first && row.state == RestartState::Submitted => {
                // Nothing has gone out: everything is to be looked at again.
                row.unclear = false;
                row.state = RestartState::Planned;
                (row.from, row.submitted, row.submitted_at) = (None, None, None);
                self.keep(row, &mut out);
            }
            Told::Expired => {
                loose.asked_to_stop &= row.state != RestartState::Stopping;
                self.again(id, time);
            }
        }
        self.tell_once(world, &mut out);
        out
    }

    /// A former order has come to nothing: it is given again, as it was, if nothing speaks against it.
    fn absent(&mut self, time: Time, world: &World<'_>, row: Restart, out: &mut Stepped) {
        let Some(policy) = self.settings.named(&row.policy).cloned() else { return };
        let incident = row.incident.and_then(|id| world.incidents.get(id));
        let key = row.job.clone();
        let holds = self.holds(time, world, &key, &policy, incident, &row.asked_by, Some(&row));
        // Its own attempt is no reason against itself; the rest was judged when it was sent.
        let against = holds.iter().find(|hold| {
            matches!(
                hold,
                Hold::Runs(_) | Hold::Ended(_) | Hold::Twice(_) | Hold::NotDead(_) | Hold::Unseen
            )
        });
        let since = row.submitted.map_or(Duration::ZERO, |at| time.steady.since(at));
        match against {
            Some(Hold::Unseen) => self.again(row.id, time),
            // The former order may land yet: then what it started is one too many.
            Some(hold) => self.unclear(time, row, hold.words().en, out),
            None if since > GIVE_AGAIN => {
                let note = "it came to nothing".to_owned();
                self.end(time, world, row, RestartState::Failed, Some(note), out);
            }
            None => self.order(time, world, &row, Task::Start, out),
        }
    }

    fn unclear(&mut self, time: Time, mut row: Restart, error: String, out: &mut Stepped) {
        self.again(row.id, time);
        let error = bounded(error);
        if row.note.as_ref() != Some(&error) {
            row.note = Some(error);
            self.keep(row, out);
        }
    }

    fn again(&mut self, id: u64, time: Time) {
        self.loose.entry(id).or_default().again = Some(time.steady + LOOK_AGAIN);
    }

    /// Gives a driver something to do; nothing else happens to this restart until it tells.
    fn order(
        &mut self,
        time: Time,
        world: &World<'_>,
        row: &Restart,
        task: Task,
        out: &mut Stepped,
    ) {
        let Some(job) = world.tracker.job(&row.job) else { return };
        let version = world.tracker.source(&job.source).and_then(|source| source.version.clone());
        let inventory = job.inventory.as_deref().map(|known| OfInventory {
            source: known.source.clone(),
            id: known.entry.id.clone(),
            team_id: known.entry.team_id.clone(),
        });
        let order = Order {
            restart: row.id,
            handle: row.handle.clone(),
            job: row.job.clone(),
            job_name: job.name.clone(),
            flink_job_name: job.flink_job_name.clone(),
            cluster: job.cluster.clone(),
            namespace: job.namespace.clone(),
            flink_cluster: job.flink_cluster.clone(),
            labels: world.labels(job),
            dead: row.dead.as_ref().map(|dead| dead.job_id.clone()),
            from: row.from.as_ref().map(|from| from.path.clone()),
            version,
            inventory,
            may_cancel: world.tracker.ledger(&row.job).is_some_and(Ledger::survives_cancel),
        };
        let loose = self.loose.entry(row.id).or_default();
        loose.out = true;
        out.errands.push(Errand { policy: row.policy.clone(), order, task, since: time.steady });
    }

    /// A person wants it restored from this.
    pub(super) fn want(&mut self, id: u64, path: String) {
        if let Some(row) = self.rows.get_mut(&id) {
            row.wanted = Some(path);
        }
    }

    /// A person lets it go on, or asks for it.
    pub(super) fn approve(&mut self, time: Time, world: &World<'_>, id: u64, by: &str) -> Stepped {
        let mut out = Stepped::default();
        if let Some(mut row) = self.rows.get(&id).cloned() {
            row.state = RestartState::Planned;
            row.due = time.steady;
            row.note = Some(APPROVED.to_owned());
            self.event(&row, world, format!("approved by {by}"), &mut out);
            let from = self.preview(world, &row.job);
            self.tell(&row, world, planned(&row, time, from), &mut out);
            self.keep(row, &mut out);
        }
        out
    }

    /// A person does not want it.
    pub fn decline(&mut self, time: Time, world: &World<'_>, id: u64, by: &str) -> Stepped {
        let mut out = Stepped::default();
        if let Some(mut row) = self.rows.get(&id).cloned() {
            row.declined = Some(by.to_owned());
            let words = Hold::Declined(by.to_owned()).words();
            self.drop_row(time, world, row, &words, &mut out);
        }
        out
    }

    fn drop_row(
        &mut self,
        time: Time,
        world: &World<'_>,
        row: Restart,
        why: &Both,
        out: &mut Stepped,
    ) {
        self.event(&row, world, format!("not sent: {}", why.en), out);
        self.tell(&row, world, Doing::Held(why.clone()), out);
        self.drop_quietly(time, row, &why.en, out);
    }

    fn drop_quietly(&mut self, time: Time, mut row: Restart, why: &str, out: &mut Stepped) {
        row.state = RestartState::Dropped;
        row.note = Some(bounded(why.to_owned()));
        (row.done, row.done_at) = (Some(time.steady), Some(time.wall));
        self.loose.remove(&row.id);
        self.keep(row, out);
    }

    fn end(
        &mut self,
        time: Time,
        world: &World<'_>,
        mut row: Restart,
        state: RestartState,
        note: Option<String>,
        out: &mut Stepped,
    ) {
        row.state = state;
        row.note = note.map(bounded);
        (row.done, row.done_at) = (Some(time.steady), Some(time.wall));
        let why = row.note.clone().unwrap_or_default();
        let from = row.from.as_ref().map(|from| from.name().to_owned());
        let (attempt, of) = (row.attempt, row.of);
        let (what, doing) = match state {
            RestartState::Verified => (
                "verified: it runs, and has completed a checkpoint".to_owned(),
                Doing::Restarted { from, attempt },
            ),
            RestartState::Unknown => {
                let hold = Hold::Unknown(row.id);
                if let Some(incident) = row.incident {
                    give_up(incident, world.incidents.get(incident), &row.job, &hold, out);
                }
                (format!("unknown: {why}"), Doing::GaveUp(hold.words()))
            }
            _ => (format!("failed: {why}"), Doing::Failed { attempt, of, why }),
        };
        self.event(&row, world, what, out);
        if state != RestartState::Unknown {
            self.tell(&row, world, doing, out);
        }
        self.loose.remove(&row.id);
        self.keep(row, out);
    }

    fn keep(&mut self, row: Restart, out: &mut Stepped) {
        out.changes.push(Change::Restart(Box::new(row.clone())));
        self.insert(row);
    }

    fn tell(&self, row: &Restart, world: &World<'_>, doing: Doing, out: &mut Stepped) {
        if let Some(id) = row.incident {
            say(id, world.incidents.get(id), doing, out);
        }
    }

    fn event(&self, row: &Restart, _world: &World<'_>, what: String, out: &mut Stepped) {
        if let Some(incident) = row.incident {
            out.events.push((incident, format!("restart {}: {what}", row.id)));
        }
    }
}

/// Note of a restart that a person has let go on.
const APPROVED: &str = "approved";

/// Whether a row is begun although something holds it: what passes by itself, and soon.
fn starts_waiting(holds: &[Hold]) -> bool {
    holds.iter().all(|hold| matches!(hold, Hold::Settling | Hold::Missing(_) | Hold::Busy { .. }))
}

fn planned(row: &Restart, time: Time, from: Option<String>) -> Doing {
    let at = time.wall + row.due.since(time.steady);
    Doing::Planned { at, from, attempt: row.attempt, of: row.of }
}

/// What an incident says from now on, if that is something else than before.
fn say(id: u64, incident: Option<&Incident>, doing: Doing, out: &mut Stepped) {
    let same = incident.is_some_and(|incident| incident.doing.as_ref() == Some(&doing));
    out.doing.retain(|(known, _)| *known != id);
    if !same {
        out.doing.push((id, doing));
    }
}

/// A person is needed; told once.
fn give_up(id: u64, incident: Option<&Incident>, job: &JobKey, hold: &Hold, out: &mut Stepped) {
    let doing = Doing::GaveUp(hold.words());
    let known = incident.and_then(|incident| incident.doing.as_ref());
    if known == Some(&doing) {
        return;
    }
    out.events.push((id, format!("restarting given up: {}", hold.words().en)));
    let declined = matches!(hold, Hold::Declined(_));
    if !known.is_some_and(Doing::gave_up) && !declined {
        out.gave_up.push((id, job.clone()));
    }
    say(id, incident, doing, out);
}

pub(super) fn named(entry: &Recorded) -> RestoreFrom {
    RestoreFrom {
        path: entry.path.clone(),
        id: entry.id,
        savepoint: entry.savepoint,
        completed_at: entry.completed_at,
    }
}

/// Why there is nothing to restore from.
fn no_checkpoint(row: &Restart, known: usize, world: &World<'_>) -> Both {
    if let Some(path) = &row.wanted {
        return Both::new(format!("{path} is not there"), format!("{path} 不存在"));
    }
    if known > 0 {
        return Both::new(
            format!("none of its {known} known checkpoints is there any more"),
            format!("已知的 {known} 个 checkpoint 均已不存在"),
        );
    }
    none_left(world.tracker.ledger(&row.job))
}

fn none_left(ledger: Option<&Ledger>) -> Both {
    if ledger.is_some_and(|ledger| !ledger.is_empty()) {
        return Both::new(
            "no checkpoint of it is left to restore from",
            "没有可用于恢复的 checkpoint",
        );
    }
    Both::new(
        "no checkpoint of it was ever seen: name one with `weir restart --from`",
        "从未见过该作业的 checkpoint，可用 `weir restart --from` 指定",
    )
}

/// Flink's job id of the new run, or a mark: from what is never the same twice, and nothing else.
fn handle(installation: &str, id: u64, time: Time) -> String {
    let digest = Sha256::digest(format!("{installation}/restart/{id}/{}", time.steady.0));
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn bounded(text: String) -> String {
    match text.char_indices().nth(LONGEST_NOTE) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
#[path = "restarts_tests.rs"]
mod tests;
