//! All restarts and where they stand: a pure machine, turned by looks, time, people, and what drivers
//! tell. A row is committed before its order is given, and an order that may have been given is looked
//! for before anything else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::guards::{self, Case};
use super::holds::Hold;
use super::say::{Said, said_before};
use super::settings::{Policy, Settings};
use super::world::World;
use crate::model::{
    Change, Doing, Errand, Incident, JobKey, Loaded, Restart, RestartState, Subject, Time, Ts,
};

/// An order that may have been given is given again for so long, by the same handle.
pub(super) const GIVE_AGAIN: Duration = Duration::from_mins(10);
/// Between two looks for what became of an order.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// That a path is there is believed for so long.
pub(super) const CHECKED_FOR: Duration = Duration::from_mins(1);
/// Paths looked for at once.
pub(super) const MOST_PATHS: usize = 8;
/// Restarts that are over and kept in memory.
const KEPT: usize = 2_000;

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
    /// Incidents of which a restart waits for a person's word from now on.
    pub wanted: Vec<u64>,
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
pub(super) struct Loose {
    /// A driver is at work on it.
    pub(super) out: bool,
    /// An order has gone out in this process.
    pub(super) sent: bool,
    /// Of paths, whether they are there, and since when that is known.
    pub(super) checked: Option<(Ts, BTreeMap<String, Option<bool>>)>,
    /// Nothing is to be done about it before.
    pub(super) again: Option<Ts>,
    /// The sick run was asked to stop.
    pub(super) asked_to_stop: bool,
    /// It was asked what became of the order.
    pub(super) looked: bool,
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
    pub(super) rows: BTreeMap<u64, Restart>,
    by_job: BTreeMap<JobKey, Vec<u64>>,
    pub(super) loose: BTreeMap<u64, Loose>,
    pub(super) next_id: u64,
    pub(super) paused: Option<Paused>,
    /// Name of the installation: part of every handle.
    pub(super) installation: String,
    /// Of which incident and job it was told that a person is needed: several jobs may share one.
    pub(super) told_of: BTreeSet<(u64, JobKey)>,
    /// What incidents that are about more than one job say of each.
    pub(super) said: Said,
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
            said: said_before(loaded),
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

    /// Subjects about which a restart is still on its way, by its incident.
    pub fn in_work(&self, incidents: &crate::incidents::Incidents) -> BTreeSet<Subject> {
        let open = self.rows.values().filter(|row| row.state.is_open());
        let of = open.filter_map(|row| incidents.get(row.incident?));
        of.map(|incident| incident.subject.clone()).collect()
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

    pub(super) fn insert(&mut self, row: Restart) {
        let of_job = self.by_job.entry(row.job.clone()).or_default();
        if !of_job.contains(&row.id) {
            of_job.push(row.id);
        }
        self.rows.insert(row.id, row);
        if self.rows.len() > KEPT {
            // What still counts against its job is not forgotten.
            let counts = |row: &Restart| row.state.was_sent() && !row.settled;
            let over = self.rows.iter().find(|(_, row)| !row.state.is_open() && !counts(row));
            let over = over.or_else(|| {
                let oldest = self.rows.iter().find(|(_, row)| !row.state.is_open());
                oldest.filter(|_| self.rows.len() > 10 * KEPT)
            });
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
        let waits =
            |row: &Restart, id| row.incident == Some(id) && row.state == RestartState::Approval;
        out.wanted.retain(|id| self.rows.values().any(|row| waits(row, *id)));
        self.tell_once(world, &mut out);
        out
    }

    /// Attempts of jobs that have been well for long do not count any more.
    pub(super) fn settle(&mut self, time: Time, world: &World<'_>, out: &mut Stepped) {
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

    /// How many are on their way: of all jobs, and of one source. A run that does not end, whatever it
    /// was told, keeps no other job waiting.
    pub(super) fn on_way(&self, now: Ts, cluster: &str, but: u64) -> (usize, usize) {
        let busy = |row: &&Restart| {
            let on_way = match row.state {
                RestartState::Submitted => true,
                RestartState::Stopping => !row.is_overdue(now),
                RestartState::Running => !row.ran,
                _ => false,
            };
            row.id != but && on_way
        };
        let on_way = || self.rows.values().filter(busy);
        (on_way().count(), on_way().filter(|row| row.cluster == cluster).count())
    }

    /// What holds a job, the weightiest first. `row`: the attempt that is decided about, if there is
    /// one already.
    #[expect(clippy::too_many_arguments, reason = "what a guard may ask for")]
    pub fn holds(
        &self,
        time: Time,
        world: &World<'_>,
        key: &JobKey,
        policy: &Policy,
        incident: Option<&Incident>,
        by_person: bool,
        row: Option<&Restart>,
    ) -> Vec<Hold> {
        let Some(facts) = world.tracker.job_facts(key, time) else { return vec![Hold::Unseen] };
        let past: Vec<&Restart> = self
            .of_job(key)
            .filter(|known| known.state.was_sent() && row.is_none_or(|row| row.id != known.id))
            .collect();
        // What a person said holds while nothing has run since, whatever incident speaks of it now.
        let newest = self.of_job(key).last();
        let said = newest.filter(|row| row.declined.is_some() && row.dead == world.current(key));
        let declined = said.and_then(|row| row.declined.as_deref());
        let sick = incident.is_some_and(|of| world.gives_way(key, policy, of, by_person));
        let case = Case {
            time,
            policy,
            facts,
            incident,
            by_person,
            past,
            on_way: self.on_way(time.steady, &facts.job.cluster, row.map_or(0, |row| row.id)),
            limits: self.settings.limits,
            fresh_for: self.settings.fresh_for,
            paused: self.paused.as_ref().map(|paused| paused.by.as_str()),
            declined,
            maintenance: world.maintenance(key),
            replaces: row.map_or(sick, |row| row.replaces),
        };
        guards::holds(&case)
    }

    /// The entry a row goes by, as it is now: it may have another name, and its driver goes by that.
    /// One of its name that is about another job by now starts nothing, and is only asked what became
    /// of an order.
    pub(super) fn policy_of(&self, world: &World<'_>, row: &Restart) -> Option<Arc<Policy>> {
        let same = |policy: &Arc<Policy>| policy.driver == row.driver;
        let named = || self.settings.named(&row.policy).cloned().filter(same);
        let about = named().filter(|policy| world.is_about(policy, &row.job));
        let about = about.or_else(|| world.policy(&self.settings, &row.job).filter(same));
        about.or_else(|| named().filter(|_| row.state.was_sent()))
    }

    pub(super) fn was_stopped(&self, id: u64) -> bool {
        self.loose.get(&id).is_some_and(|loose| loose.asked_to_stop)
    }
}

#[cfg(test)]
#[path = "restarts_tests.rs"]
mod tests;
