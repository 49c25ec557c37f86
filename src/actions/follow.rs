//! What became of an order: what drivers tell, and whether the new run is as it should be.

use std::time::Duration;

use super::holds::Hold;
use super::restarts::{GIVE_AGAIN, LOOK_AGAIN, Restarts, Stepped};
use super::settings::Policy;
use super::verify::{self, Verdict};
use super::words::bounded;
use super::world::World;
use crate::model::{
    Both, LookedUp, Restart, RestartState, RestoreFrom, Started, Stopped, Task, Time, Told,
};

impl Restarts {
    /// The new run is being watched.
    pub(super) fn watch(
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
                    Restarts::event(&row, "it runs with all tasks", out);
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
                let why = format!("somebody else started it meanwhile ({other})");
                self.cancel_own(time, world, row, &why, policy, out);
            }
            Verdict::Misnamed(other) => {
                let why = format!("it started {other} instead");
                self.cancel_own(time, world, row, &why, policy, out);
            }
        }
    }

    /// Only what Weir started itself is ever cancelled, and only where its id proves that.
    pub(super) fn cancel_own(
        &mut self,
        time: Time,
        world: &World<'_>,
        mut row: Restart,
        why: &str,
        policy: &Policy,
        out: &mut Stepped,
    ) {
        if policy.traits.handle && row.started.as_ref() == Some(&row.handle) {
            let why = format!("{why}; the run Weir started is cancelled");
            row.cancelling = true;
            row.taken = Some(time.steady);
            Restarts::event(&row, &why, out);
            row.note = Some(bounded(why));
            // If the other one ends as well, somebody has to start the job again.
            out.stops.push((row.job.clone(), row.handle.clone()));
            self.order(time, world, &row, Task::Cancel(row.handle.clone()), out);
            self.keep(row, out);
            return;
        }
        // Its driver cannot cancel what it cannot prove to be its own.
        let why = match &row.started {
            Some(own) => format!("{why}; the run Weir started, {own}, goes on: cancel one by hand"),
            None => why.to_owned(),
        };
        self.end(time, world, row, RestartState::Failed, Some(why), out);
    }

    /// Until the run is seen to have ended, however often that takes.
    pub(super) fn cancel_on(
        &mut self,
        time: Time,
        world: &World<'_>,
        row: Restart,
        out: &mut Stepped,
    ) {
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
            Told::Started(Started::Accepted { job_id })
            | Told::LookedUp(LookedUp::Found { job_id }) => {
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
            Told::LookedUp(LookedUp::Absent) => self.absent(time, world, row, &mut out),
            Told::LookedUp(LookedUp::Never) => {
                let note = "its driver cannot tell whether it was taken".to_owned();
                self.unclear(time, row, note, &mut out);
            }
            Told::Stopped(Stopped::Ending { savepoint }) => {
                if let Some(path) = savepoint {
                    Restarts::event(&row, &format!("stopped, savepoint {path}"), &mut out);
                    let run = row.dead.as_ref().map(|dead| dead.job_id.clone());
                    out.savepoints.push((row.job.clone(), run.unwrap_or_default(), path.clone()));
                    row.from = Some(RestoreFrom {
                        path,
                        id: None,
                        savepoint: true,
                        completed_at: Some(time.wall),
                    });
                } else {
                    Restarts::event(&row, "stopped without a savepoint", &mut out);
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
    pub(super) fn absent(
        &mut self,
        time: Time,
        world: &World<'_>,
        row: Restart,
        out: &mut Stepped,
    ) {
        let policy = self.policy_of(world, &row);
        let Some(policy) = policy.filter(|policy| world.is_about(policy, &row.job)) else {
            let why = format!("`{}` is about another job by now", row.policy);
            return self.unclear(time, row, why, out);
        };
        let incident = row.incident.and_then(|id| world.incidents.get(id));
        let key = row.job.clone();
        let holds = self.holds(time, world, &key, &policy, incident, row.by_person(), Some(&row));
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
                let said = row.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
                let note = format!("it came to nothing{said}");
                self.end(time, world, row, RestartState::Failed, Some(note), out);
            }
            None => self.order(time, world, &row, Task::Start, out),
        }
    }

    pub(super) fn unclear(
        &mut self,
        time: Time,
        mut row: Restart,
        error: String,
        out: &mut Stepped,
    ) {
        self.again(row.id, time);
        let error = bounded(error);
        if row.note.as_ref() != Some(&error) {
            // What is said of it may change every few seconds; that it is so, once.
            if row.note.is_none() {
                let done = if row.state == RestartState::Stopping { "stopped" } else { "taken" };
                Restarts::event(
                    &row,
                    &format!("not known yet whether it was {done}: {error}"),
                    out,
                );
            }
            row.note = Some(error);
            self.keep(row, out);
        }
    }

    pub(super) fn again(&mut self, id: u64, time: Time) {
        self.loose.entry(id).or_default().again = Some(time.steady + LOOK_AGAIN);
    }
}

#[cfg(test)]
#[path = "follow_tests.rs"]
mod tests;
