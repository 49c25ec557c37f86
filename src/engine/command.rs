//! Carries out what people ask for.

use super::find;
use super::step::Engine;
use crate::incidents::{Done, Word};
use crate::model::{
    Action, Change, Command, IncidentState, JobKey, Refusal, Replied, Reply, Subject, Time,
};

impl Engine {
    /// Carries out a command, unless its id says that this was done before.
    pub(super) fn command(
        &mut self,
        time: Time,
        command: &Command,
        changes: &mut Vec<Change>,
    ) -> Replied {
        if let Action::Alerts(posted) = &command.what {
            return Ok(self.hear(time, posted, &command.actor, changes));
        }
        if let Some(known) = self.taken.reply(command) {
            return known;
        }
        let reply = self.carry_out(time, command, changes)?;
        let preview = match &command.what {
            Action::Silence(wish) => wish.preview,
            Action::Restart { preview, .. } => *preview,
            _ => false,
        };
        if preview {
            return Ok(reply);
        }
        changes.push(self.taken.keep(time, command, &reply));
        Ok(reply)
    }

    fn carry_out(&mut self, time: Time, command: &Command, changes: &mut Vec<Change>) -> Replied {
        let by = command.actor.as_str();
        let done = match &command.what {
            Action::Ack { incident, comment } => {
                let was_open = self.is_nobodys(*incident);
                let done = self.incidents.acknowledge(time, *incident, Word { by, comment })?;
                if was_open {
                    self.attended(time, *incident, changes);
                }
                done
            }
            Action::Unack { incident, comment } => {
                let done = self.incidents.unacknowledge(time, *incident, Word { by, comment })?;
                if done.changed {
                    self.attended(time, *incident, changes);
                }
                done
            }
            Action::Close { incident, comment } => {
                let of = self.incidents.get(*incident).and_then(|incident| incident.job().cloned());
                self.not_while_restarting(of.as_ref())?;
                self.incidents.close(time, *incident, Word { by, comment })?
            }
            Action::Alerts(posted) => return Ok(self.hear(time, posted, by, changes)),
            Action::Silence(wish) => return self.silence(time, wish, by, changes),
            Action::EndSilence { silence, comment } => {
                return self.end_silence(time, *silence, Word { by, comment }, changes);
            }
            Action::Restart { job, from, comment, preview } => {
                let word = Word { by, comment };
                return self.restart_by_hand(time, job, from.as_deref(), word, *preview, changes);
            }
            Action::DeclineRestart { job, comment } => {
                return self.decline_restart(time, job, Word { by, comment }, changes);
            }
            Action::DecideRestart { restart, approve, comment } => {
                let word = Word { by, comment };
                return self.decide_restart(time, *restart, *approve, word, changes);
            }
            Action::PauseRestarts { pause, comment } => {
                return Ok(self.pause_restarts(time, *pause, Word { by, comment }, changes));
            }
            Action::Retire { job, comment } => {
                return self.retire(time, job, Word { by, comment }, changes);
            }
        };
        let Done { said, stepped, changed } = done;
        self.take(time, stepped, changes);
        Ok(Reply { said, changed, incident: command.what.incident(), ..Reply::default() })
    }

    /// What is on its way must end somewhere: nobody would hear how.
    fn not_while_restarting(&self, job: Option<&JobKey>) -> Result<(), Refusal> {
        let open = job.and_then(|job| self.restarts.open_of(job));
        match open.filter(|row| row.state.was_sent()) {
            Some(row) => Err(Refusal::Conflict(format!(
                "restart {} of {} is on its way: try again when that is over",
                row.id, row.job
            ))),
            None => Ok(()),
        }
    }

    fn is_nobodys(&self, incident: u64) -> bool {
        let incident = self.incidents.get(incident);
        incident.is_some_and(|incident| incident.state == IncidentState::Open)
    }

    /// Whoever is told of an incident learns that somebody has it, or nobody any more.
    fn attended(&mut self, time: Time, incident: u64, changes: &mut Vec<Change>) {
        if let Some(incident) = self.incidents.get(incident) {
            changes.extend(self.pipeline.attended(time, incident, &self.incidents));
        }
    }

    fn retire(
        &mut self,
        time: Time,
        typed: &str,
        word: Word<'_>,
        changes: &mut Vec<Change>,
    ) -> Replied {
        let key = self.job_named(typed).map_err(|error| refusal(&error))?;
        if let Some(facts) = self.tracker.job_facts(&key, time)
            && facts.is_fresh()
            && facts.job.missing_since.is_none()
            && facts.job.state().is_live()
        {
            return Err(Refusal::Conflict(format!(
                "{key} is {}; only a job that does not run any more can be retired",
                facts.job.state().as_str()
            )));
        }
        self.not_while_restarting(Some(&key))?;
        changes.extend(self.tracker.retire(time, &key));
        changes.extend(self.rules.forget_subject(&Subject::Job(key.clone())));
        let (ended, stepped) = self.incidents.retire(time, &key, word);
        self.take(time, stepped, changes);
        self.picture.forget_job(&key);
        let incidents = match ended {
            0 => String::new(),
            1 => "; its incident is over".to_owned(),
            more => format!("; its {more} incidents are over"),
        };
        let said = format!("{key} retired{incidents}; it is watched again when it runs again");
        Ok(Reply { said, changed: true, job: Some(key.0), ..Reply::default() })
    }
}

/// What to answer to a name that is not one job's.
pub(super) fn refusal(error: &find::NotFound) -> Refusal {
    match error {
        find::NotFound::Ambiguous { .. } => Refusal::Conflict(error.to_string()),
        find::NotFound::Nothing { .. } => Refusal::NotFound(error.to_string()),
    }
}
