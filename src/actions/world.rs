//! What restarts are decided by: jobs, incidents and silences as they are at this turn.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::settings::{Policy, Settings};
use crate::incidents::Incidents;
use crate::model::{Aspect, Incident, JobKey, Labels, Restart, RuleId, RunId, Subject, Time, Ts};
use crate::tracker::{JobTrack, Tracker};

/// The open incident that explains another one; of what is over, nothing is explained any more.
pub(super) fn explained_by(incident: &Incident) -> Option<u64> {
    incident.inhibited_by.filter(|_| incident.inhibited_until.is_none())
}

/// The rest of the engine, as restarts see it.
pub struct World<'a> {
    /// Jobs.
    pub tracker: &'a Tracker,
    /// Incidents.
    pub incidents: &'a Incidents,
    /// All labels of a job.
    pub labels: &'a dyn Fn(&JobTrack) -> Labels,
    /// Silences that hold restarts now: their numbers, by the labels of a job.
    pub held_by: &'a dyn Fn(&Labels) -> Option<u64>,
    /// Steady time when a rule was last true of a subject; one may fire for longer than that.
    pub last_true: &'a dyn Fn(&Subject, &RuleId) -> Option<Ts>,
}

impl<'a> World<'a> {
    /// Jobs that something fires about for which their entry restarts: the incident and the alert.
    pub(super) fn wanted(&self, settings: &Settings) -> BTreeMap<JobKey, (&'a Incident, String)> {
        let mut found: BTreeMap<JobKey, (&Incident, String)> = BTreeMap::new();
        if settings.policies.is_empty() {
            return found;
        }
        for incident in self.incidents.iter().filter(|incident| incident.is_open()) {
            match &incident.subject {
                Subject::Job(key) => self.add(settings, key, incident, &mut found),
                // All of a cluster's jobs at once are one incident, of the cluster.
                Subject::Cluster(source, flink_cluster) => {
                    let gone = self.tracker.jobs().filter(|(_, job)| {
                        job.source == *source
                            && job.flink_cluster == *flink_cluster
                            && job.missing_since.is_some()
                    });
                    for (key, _) in gone {
                        self.add(settings, key, incident, &mut found);
                    }
                }
                _ => {}
            }
        }
        found
    }

    fn add(
        &self,
        settings: &Settings,
        key: &JobKey,
        incident: &'a Incident,
        found: &mut BTreeMap<JobKey, (&'a Incident, String)>,
    ) {
        let Some(policy) = self.policy(settings, key) else { return };
        let firing = incident.members.iter().filter(|member| member.firing);
        let named = |alert: &str| policy.alerts.iter().any(|name| name == alert);
        let alert = firing.map(|member| member.rule.alert.as_str()).find(|alert| named(alert));
        // A restart has been tried: that its new run failed otherwise goes on from there. Of a
        // cluster, what is not back is still gone, whatever came back.
        let failure = incident.aspect.as_str() == Aspect::FAILURE;
        let of_cluster = incident.subject.job().is_none();
        let fires = failure && (of_cluster || incident.members.iter().any(|member| member.firing));
        // What Weir itself has stopped must not stay so, whatever does not fire any more.
        let stopped = self.tracker.job(key).is_some_and(JobTrack::is_stopped_by_weir);
        let tried = incident.doing.is_some() && (fires || stopped);
        let alert = alert.map(str::to_owned).or_else(|| tried.then(|| incident.rule.clone()));
        let Some(alert) = alert else { return };
        // What another incident explains says nothing about what to do.
        let weight = |of: &Incident| {
            let of_failure = of.aspect.as_str() == Aspect::FAILURE;
            (explained_by(of).is_none(), of_failure)
        };
        if found.get(key).is_none_or(|(known, _)| weight(known) < weight(incident)) {
            found.insert(key.clone(), (incident, alert));
        }
    }

    /// The open incident of a job's failure, else any of its open ones, else that of its cluster.
    pub(super) fn incident_of(&self, key: &JobKey) -> Option<&'a Incident> {
        let of_job =
            |incident: &&Incident| incident.is_open() && incident.subject.job() == Some(key);
        let failure =
            |incident: &&Incident| of_job(incident) && incident.aspect.as_str() == Aspect::FAILURE;
        let job = self.tracker.job(key).filter(|job| job.missing_since.is_some());
        let cluster =
            job.map(|job| Subject::Cluster(job.source.clone(), job.flink_cluster.clone()));
        let of_cluster = |incident: &&Incident| {
            incident.is_open() && Some(&incident.subject) == cluster.as_ref()
        };
        let all = || self.incidents.iter();
        all().find(failure).or_else(|| all().find(of_job)).or_else(|| all().find(of_cluster))
    }

    /// It runs, and an alert of its entry is true of it now: one that only goes on firing for a while
    /// says nothing about the run there is.
    pub(super) fn is_sick(&self, key: &JobKey, policy: &Policy, incident: &Incident) -> bool {
        let looked =
            self.tracker.job(key).and_then(|job| self.tracker.source(&job.source)?.last_success);
        let Some(looked) = looked.map(|at| at.steady) else { return false };
        let firing = incident.members.iter().filter(|member| member.firing);
        let mut of_entry = firing.filter(|member| policy.alerts.contains(&member.rule.alert));
        self.is_live(key)
            && of_entry.any(|member| {
                (self.last_true)(&incident.subject, &member.rule).is_some_and(|at| at >= looked)
            })
    }

    /// The entry a job goes by.
    pub fn policy(&self, settings: &Settings, key: &JobKey) -> Option<Arc<Policy>> {
        let job = self.tracker.job(key)?;
        settings.policy(&(self.labels)(job)).cloned()
    }

    /// A live run is to give way to another: because it is sick, or because a person says so.
    pub(super) fn gives_way(
        &self,
        key: &JobKey,
        policy: &Policy,
        incident: &Incident,
        by_person: bool,
    ) -> bool {
        let sick = || by_person || self.is_sick(key, policy, incident);
        policy.replace && self.is_live(key) && sick()
    }

    /// The entry is about this job; of one that is not known any more nobody can tell.
    pub(super) fn is_about(&self, policy: &Policy, key: &JobKey) -> bool {
        self.tracker.job(key).is_none_or(|job| policy.is_about(&(self.labels)(job)))
    }

    pub(super) fn labels(&self, job: &JobTrack) -> Labels {
        (self.labels)(job)
    }

    pub(super) fn maintenance(&self, key: &JobKey) -> Option<u64> {
        let job = self.tracker.job(key)?;
        (self.held_by)(&(self.labels)(job))
    }

    /// A run of it lives, as far as was seen last.
    pub(super) fn is_live(&self, key: &JobKey) -> bool {
        let job = self.tracker.job(key);
        job.is_some_and(|job| job.missing_since.is_none() && job.state().is_live())
    }

    pub(super) fn is_fresh(&self, key: &JobKey, time: Time, within: Duration) -> bool {
        self.tracker.job_facts(key, time).is_some_and(|facts| facts.is_recent(within))
    }

    /// The run that counts.
    pub(super) fn current(&self, key: &JobKey) -> Option<RunId> {
        Some(self.tracker.job(key)?.current()?.id.clone())
    }

    /// The run a restart has started, if it is seen.
    pub(super) fn run_of(&self, row: &Restart) -> Option<String> {
        let job = self.tracker.job(&row.job)?;
        let seen = |id: &str| job.runs.iter().any(|run| run.id.job_id == id);
        if seen(&row.handle) {
            return Some(row.handle.clone());
        }
        None
    }
}
