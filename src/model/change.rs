//! What a step wants kept. A step's changes are committed in one transaction before anything else.

use serde::{Deserialize, Serialize};

use super::{
    Alert, Attempt, HistoryChunk, Incident, Message, Notice, Restart, RuleId, Subject, Ts,
};

/// One row to write; rows are whole, so that writing one twice changes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Change {
    /// What is known about a source: when it was first seen, its jobs' baseline.
    Source {
        /// Configured name.
        name: String,
        /// The tracker's own serialised state.
        body: String,
    },
    /// What is known about a job.
    Job {
        /// Its key.
        key: String,
        /// The tracker's own serialised state.
        body: String,
    },
    /// Forget a job.
    ForgetJob {
        /// Its key.
        key: String,
    },
    /// A pending or firing alert.
    Alert(Box<Alert>),
    /// An alert that went away.
    ForgetAlert {
        /// Which rule.
        rule: RuleId,
        /// About what.
        subject: Subject,
    },
    /// An incident, new or changed.
    Incident(Box<Incident>),
    /// A line of an incident's timeline.
    Event {
        /// The incident.
        incident: u64,
        /// Wall time.
        at: Ts,
        /// What happened, in plain words.
        what: String,
    },
    /// A notice, new or changed.
    Notice(Box<Notice>),
    /// A message, new or changed.
    Message(Box<Message>),
    /// A try to send.
    Attempt(Attempt),
    /// A restart, new or changed.
    Restart(Box<Restart>),
    /// Distinct failures of a job, beyond those counted before: added to those of their hour.
    Failures {
        /// Its key.
        job: String,
        /// Wall time.
        at: Ts,
        /// How many more.
        count: u64,
    },
    /// A named value: the steady anchor, a job's long series. An empty one is forgotten.
    Meta {
        /// Name.
        key: String,
        /// Value.
        value: String,
    },
    /// A piece of the history; the shell adds it, no step does.
    History(Box<HistoryChunk>),
}

/// Everything the engine needs to go on where it was.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Loaded {
    /// Name of this installation: part of idempotency keys and mail Message-IDs.
    pub installation: String,
    /// (name, body) of each source.
    pub sources: Vec<(String, String)>,
    /// (key, body) of each job.
    pub jobs: Vec<(String, String)>,
    /// Pending and firing alerts.
    pub alerts: Vec<Alert>,
    /// Open incidents, and those resolved recently enough to be reopened.
    pub incidents: Vec<Incident>,
    /// Notices of open or reopenable incidents, and all pending ones.
    pub notices: Vec<Notice>,
    /// Due messages, and recent ones for group timers.
    pub messages: Vec<Message>,
    /// Attempts young enough to matter for a budget.
    pub attempts: Vec<Attempt>,
    /// Named values.
    pub meta: Vec<(String, String)>,
    /// Highest ids ever given.
    pub max_incident: u64,
    /// Highest notice id.
    pub max_notice: u64,
    /// Highest message id.
    pub max_message: u64,
    /// Restarts that are not over, and the newest of those that are.
    #[serde(default)]
    pub restarts: Vec<Restart>,
    /// Highest restart id.
    #[serde(default)]
    pub max_restart: u64,
}

/// Nothing is put off for longer in steady time.
const DAY: std::time::Duration = std::time::Duration::from_hours(24);

impl Loaded {
    /// Steady time of the last step that was kept.
    pub fn steady(&self) -> Option<Ts> {
        let value = self.meta.iter().find(|(key, _)| key == "steady")?;
        value.1.parse().ok().map(Ts)
    }

    /// Brings steady times that lie after `now` back to it: they were written by a clock that was
    /// far ahead, and would hold everything up until it is that late.
    pub fn clamp(&mut self, now: Ts) {
        let bring = |at: &mut Ts| *at = (*at).min(now);
        for alert in &mut self.alerts {
            bring(&mut alert.since);
            bring(&mut alert.last_true);
        }
        for incident in &mut self.incidents {
            bring(&mut incident.opened_steady);
            incident.resolved_steady.iter_mut().for_each(bring);
            incident.nobodys_since.iter_mut().for_each(bring);
            // It lies ahead, but never that far.
            incident.inhibited_until = incident.inhibited_until.map(|at| at.min(now + DAY));
        }
        self.notices.iter_mut().for_each(|n| bring(&mut n.at_steady));
        for message in &mut self.messages {
            bring(&mut message.at_steady);
            message.next_attempt.iter_mut().for_each(bring);
        }
        self.attempts.iter_mut().for_each(|a| bring(&mut a.at));
        for restart in &mut self.restarts {
            bring(&mut restart.at_steady);
            let times = [
                &mut restart.submitted,
                &mut restart.taken,
                &mut restart.done,
                &mut restart.stopping,
            ];
            times.into_iter().flatten().for_each(bring);
            // It may lie ahead, but never that far.
            restart.due = restart.due.min(now + DAY);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract::samples;

    #[test]
    fn what_a_clock_far_ahead_wrote_holds_nothing_up() {
        let now = Ts(1_000_000);
        let hour = std::time::Duration::from_hours(1);
        for (written, waits_until) in [(now + hour, now + hour), (now + DAY + DAY, now + DAY)] {
            let mut incident =
                samples::incident(1, "orders", crate::model::IncidentState::Open, now);
            incident.nobodys_since = Some(written);
            incident.inhibited_until = Some(written);
            let mut loaded = Loaded { incidents: vec![incident], ..Loaded::default() };
            loaded.clamp(now);
            let incident = &loaded.incidents[0];
            assert_eq!(incident.nobodys_since, Some(now));
            assert_eq!(incident.inhibited_until, Some(waits_until));
        }
    }
}
