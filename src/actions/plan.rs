//! From what fires to an attempt with a row: whether one is begun, and what it could be restored from.

use std::sync::Arc;
use std::time::Duration;

use super::guards;
use super::holds::{Hold, Weight};
use super::restarts::{Restarts, Stepped};
use super::settings::{Mode, Policy};
use super::words::{handle, named, none_left, planned, starts_waiting};
use super::world::World;
use crate::model::{
    AskedBy, Change, Doing, Incident, JobKey, Restart, RestartState, RestoreFrom, Time,
};
use crate::tracker::{Ledger, Recorded, Standing};

impl Restarts {
    /// Something fires about a job, and no restart of it is open.
    pub(super) fn consider(
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
        let holds = self.holds(time, world, key, &policy, Some(incident), false, None);
        let from = self.preview(world, key);
        if policy.mode == Mode::DryRun {
            let held = holds.first();
            if held.is_none_or(|hold| hold.weight() != Weight::Over) {
                let held = held.map(Hold::words);
                self.say(incident, key, Doing::Would { from, held }, out);
            }
            return;
        }
        match holds.first() {
            Some(hold) if hold.weight() == Weight::Over => {}
            Some(hold) if hold.weight() == Weight::Stop => {
                self.give_up(Some(incident), key, hold, out);
            }
            // That a person is needed stays said while nobody can see, or it is looked at anew.
            Some(_) if self.said(incident, key).is_some_and(Doing::gave_up) => {}
            Some(hold) if !starts_waiting(&holds) => {
                self.say(incident, key, Doing::Held(hold.words()), out);
            }
            settling => {
                // What it left may still be on its way to the ledger.
                if settling.is_none() && from.is_none() && !policy.start_empty {
                    let hold = Hold::NoCheckpoint(none_left(world.tracker.ledger(key)));
                    return self.give_up(Some(incident), key, &hold, out);
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

    pub(super) fn candidates<'a>(&self, world: &World<'a>, key: &JobKey) -> Vec<&'a Recorded> {
        let ledger = world.tracker.ledger(key);
        ledger.map(|ledger| self.usable(key, ledger)).unwrap_or_default()
    }

    /// What a job may be restored from, best first: not what is gone, not what could not be read.
    pub(super) fn usable<'a>(&self, key: &JobKey, ledger: &'a Ledger) -> Vec<&'a Recorded> {
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
            replaces: incident.is_some_and(|of| world.gives_way(key, policy, of, by_person)),
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
            approved: None,
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
            match row.state {
                RestartState::Approval => self.wants_approval(&row, world, from, out),
                _ => self.say(incident, key, planned(&row, time, from), out),
            }
        }
        self.insert(row);
        Some(id)
    }
}
