//! Restarts by command: asked for, approved, declined, paused.

use super::command::refusal;
use super::step::Engine;
use crate::actions::{Asked, Paused};
use crate::incidents::Word;
use crate::model::{Change, JobKey, Refusal, Replied, Reply, Time};

impl Engine {
    /// Restarts a job, or lets go on what waits for approval; `preview`: only says what would be.
    pub(super) fn restart_by_hand(
        &mut self,
        time: Time,
        typed: &str,
        from: Option<&str>,
        word: Word<'_>,
        preview: bool,
        changes: &mut Vec<Change>,
    ) -> Replied {
        let key = self.job_named(typed).map_err(|error| refusal(&error))?;
        self.restart_job(time, key, from, word, preview, changes)
    }

    fn restart_job(
        &mut self,
        time: Time,
        key: JobKey,
        from: Option<&str>,
        word: Word<'_>,
        preview: bool,
        changes: &mut Vec<Change>,
    ) -> Replied {
        let asked = self.with_world(time, |restarts, world| {
            restarts.ask(time, world, &key, from, word.by, preview)
        });
        let Asked { said, restart, holds, refused, stepped } = asked;
        if refused {
            return Err(Refusal::Conflict(said));
        }
        let mut errands = Vec::new();
        let done = !preview && restart.is_some();
        self.take_restarts(time, stepped, &mut errands, changes);
        self.errands.extend(errands);
        let incident = restart.and_then(|id| self.restarts.get(id)?.incident);
        if done {
            changes.extend(reason(time, incident, word));
        }
        let job = Some(key.0);
        Ok(Reply { said, changed: done, job, restart, holds, incident, ..Reply::default() })
    }

    /// One certain restart that was not sent yet goes on, or is not sent.
    pub(super) fn decide_restart(
        &mut self,
        time: Time,
        id: u64,
        approve: bool,
        word: Word<'_>,
        changes: &mut Vec<Change>,
    ) -> Replied {
        let Some(row) = self.restarts.get(id) else {
            return Err(Refusal::NotFound(format!("there is no restart {id}")));
        };
        let (job, state) = (row.job.0.clone(), row.state);
        if state.was_sent() || !state.is_open() {
            let error = format!("restart {id} of {job} does not wait: it is {}", state.as_str());
            return Err(Refusal::Conflict(error));
        }
        if approve {
            self.restart_job(time, JobKey(job), None, word, false, changes)
        } else {
            self.decline_row(time, id, word, changes)
        }
    }

    /// What was not sent yet is not sent.
    pub(super) fn decline_restart(
        &mut self,
        time: Time,
        typed: &str,
        word: Word<'_>,
        changes: &mut Vec<Change>,
    ) -> Replied {
        let key = self.job_named(typed).map_err(|error| refusal(&error))?;
        let open = self.restarts.open_of(&key).cloned();
        let Some(row) = open else {
            return Err(Refusal::NotFound(format!("no restart of {key} waits")));
        };
        if row.state.was_sent() {
            return Err(Refusal::Conflict(format!(
                "restart {} of {key} was sent already: it is {}",
                row.id,
                row.state.as_str()
            )));
        }
        self.decline_row(time, row.id, word, changes)
    }

    fn decline_row(
        &mut self,
        time: Time,
        id: u64,
        word: Word<'_>,
        changes: &mut Vec<Change>,
    ) -> Replied {
        let Some(row) = self.restarts.get(id).cloned() else {
            return Err(Refusal::NotFound(format!("there is no restart {id}")));
        };
        let stepped =
            self.with_world(time, |restarts, world| restarts.decline(time, world, id, word.by));
        let mut errands = Vec::new();
        self.take_restarts(time, stepped, &mut errands, changes);
        changes.extend(reason(time, row.incident, word));
        let said = format!("restart {id} of {} is not sent", row.job);
        let (job, restart) = (Some(row.job.0), Some(id));
        Ok(Reply { said, changed: true, job, restart, incident: row.incident, ..Reply::default() })
    }

    /// Stops all automatic restarts, or lets them go on.
    pub(super) fn pause_restarts(
        &mut self,
        time: Time,
        pause: bool,
        word: Word<'_>,
        changes: &mut Vec<Change>,
    ) -> Reply {
        let paused = pause.then(|| Paused {
            by: word.by.to_owned(),
            at: time.wall,
            comment: word.comment.to_owned(),
        });
        let row = self.restarts.pause(paused);
        let done = row.is_some();
        changes.extend(row);
        let said = match (pause, done) {
            (true, true) => "no job is restarted automatically until `weir restart --resume-all`",
            (true, false) => "restarts are paused already",
            (false, true) => "jobs are restarted automatically again",
            (false, false) => "restarts are not paused",
        };
        Reply { said: said.to_owned(), changed: done, ..Reply::default() }
    }
}

/// What they said to it, for the timeline.
fn reason(time: Time, incident: Option<u64>, word: Word<'_>) -> Option<Change> {
    let incident = incident.filter(|_| !word.comment.is_empty())?;
    Some(Change::Event { incident, at: time.wall, what: format!("{}: {}", word.by, word.comment) })
}
