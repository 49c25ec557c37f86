//! What would be stored, in memory: for replay, rule tests and stories, which must restart an engine
//! over what was committed without a database.

mod report;

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    Alert, Attempt, Change, Incident, IncidentState, Loaded, Message, MessageState, Notice,
    Outcome, Report, Restart, Ts,
};

/// How far back a start looks, as in the real stores.
const RECENT_MS: i64 = 24 * 3_600_000;

/// The rows a start reads, without history and timelines.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    /// Name of the installation.
    pub installation: String,
    sources: BTreeMap<String, String>,
    jobs: BTreeMap<String, String>,
    alerts: BTreeMap<(String, String), Alert>,
    /// All incidents by id.
    pub incidents: BTreeMap<u64, Incident>,
    /// All notices by id.
    pub notices: BTreeMap<u64, Notice>,
    /// All messages by id.
    pub messages: BTreeMap<u64, Message>,
    attempts: BTreeMap<(Ts, u64, u32), Attempt>,
    /// All restarts by id.
    pub restarts: BTreeMap<u64, Restart>,
    meta: BTreeMap<String, String>,
    /// By hour and job.
    failures: BTreeMap<(Ts, String), u64>,
    highest: (u64, u64, u64),
}

impl MemoryStore {
    /// An empty store of an installation of this name.
    pub fn new(installation: &str) -> MemoryStore {
        MemoryStore { installation: installation.to_owned(), ..MemoryStore::default() }
    }

    /// Takes the changes of a step.
    pub fn apply(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Source { name, body } => {
                    self.sources.insert(name, body);
                }
                Change::Job { key, body } => {
                    self.jobs.insert(key, body);
                }
                Change::ForgetJob { key } => {
                    self.jobs.remove(&key);
                }
                Change::Alert(alert) => {
                    let key = (alert.rule.to_string(), alert.subject.to_string());
                    self.alerts.insert(key, *alert);
                }
                Change::ForgetAlert { rule, subject } => {
                    self.alerts.remove(&(rule.to_string(), subject.to_string()));
                }
                Change::Incident(incident) => {
                    self.highest.0 = self.highest.0.max(incident.id);
                    self.incidents.insert(incident.id, *incident);
                }
                Change::Notice(notice) => {
                    self.highest.1 = self.highest.1.max(notice.id);
                    self.notices.insert(notice.id, *notice);
                }
                Change::Message(message) => {
                    self.highest.2 = self.highest.2.max(message.id);
                    self.messages.insert(message.id, *message);
                }
                Change::Attempt(attempt) => {
                    let key = (attempt.at, attempt.message, attempt.number);
                    self.attempts.insert(key, attempt);
                }
                Change::Restart(restart) => {
                    self.restarts.insert(restart.id, *restart);
                }
                Change::Meta { key, value } if value.is_empty() => {
                    self.meta.remove(&key);
                }
                Change::Meta { key, value } => {
                    self.meta.insert(key, value);
                }
                Change::Failures { job, at, count } => {
                    *self.failures.entry((Report::hour(at), job)).or_default() += count;
                }
                Change::Event { .. } | Change::History(_) => {}
            }
        }
    }

    fn recent_restarts(&self) -> Vec<Restart> {
        let surplus = self.restarts.len().saturating_sub(usize::from(super::RESTARTS));
        let all = self.restarts.values().enumerate();
        let kept = all.filter(|(place, restart)| *place >= surplus || restart.state.is_open());
        kept.map(|(_, restart)| restart.clone()).collect()
    }

    /// What a start at this steady time reads, bounded as [`super::Store::load`] bounds it.
    pub fn load(&self, now: Ts) -> Loaded {
        let recent = now.shifted(-RECENT_MS);
        let is_pending = |notice: &&Notice| notice.outcome == Outcome::Pending;
        let waiting: BTreeSet<u64> =
            self.notices.values().filter(is_pending).map(|n| n.incident).collect();
        let is_recent = |incident: &Incident| {
            waiting.contains(&incident.id)
                || incident.state != IncidentState::Resolved
                || incident.resolved_steady.is_some_and(|at| at >= recent)
        };
        let of_recent = |id: u64| self.incidents.get(&id).is_some_and(is_recent);
        let (max_incident, max_notice, max_message) = self.highest;
        Loaded {
            installation: self.installation.clone(),
            sources: self.sources.clone().into_iter().collect(),
            jobs: self.jobs.clone().into_iter().collect(),
            alerts: self.alerts.values().cloned().collect(),
            incidents: self.incidents.values().filter(|i| is_recent(i)).cloned().collect(),
            notices: self
                .notices
                .values()
                .filter(|n| waiting.contains(&n.incident) || of_recent(n.incident))
                .cloned()
                .collect(),
            messages: self
                .messages
                .values()
                .filter(|m| m.state == MessageState::Due || m.at_steady >= recent)
                .cloned()
                .collect(),
            attempts: self
                .attempts
                .range((recent, 0, 0)..)
                .map(|(_, attempt)| attempt.clone())
                .collect(),
            meta: self.meta.clone().into_iter().collect(),
            max_incident,
            max_notice,
            max_message,
            max_restart: self.restarts.last_key_value().map_or(0, |(id, _)| *id),
            restarts: self.recent_restarts(),
        }
    }
}
