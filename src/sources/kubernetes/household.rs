//! Whose run it is: the identity of what a Flink cluster shows, by its deployment. Pure.

use super::clusters::Cluster;
use super::names;
use super::operator::{self, Standing};
use super::views::Custom;
use crate::model::{JobKey, JobState, Labels, RunId, RunObservation};

/// A Flink cluster, and what the names of its jobs depend on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Household<'a> {
    /// Configured name of the source: the `cluster` of its jobs.
    pub(super) source: &'a str,
    pub(super) cluster: &'a Cluster,
    /// What its cluster is called in this source.
    pub(super) flink_cluster: &'a str,
    /// Labels of objects that become labels of jobs.
    pub(super) object_labels: &'a [String],
    /// An application that runs several jobs counts as a session.
    pub(super) several: bool,
}

impl<'a> Household<'a> {
    /// Its one job bears its name.
    pub(super) fn is_application(&self) -> bool {
        self.cluster.is_application() && !self.several
    }

    /// The `FlinkSessionJob` a run belongs to: by its id, else by the only name it can be.
    fn session_job(&self, run: &RunObservation) -> Option<(&'a String, &'a Custom)> {
        let jobs = || self.cluster.session_jobs.iter();
        let by_id = jobs().find(|(_, job)| job.job_id.as_ref() == Some(&run.run.job_id));
        by_id.or_else(|| {
            let mut named =
                jobs().filter(|(_, job)| job.job_name.as_ref() == Some(&run.flink_job_name));
            named.next().filter(|_| named.next().is_none())
        })
    }

    /// Gives a run of Flink's the identity it has here.
    pub(super) fn adopt(&self, mut run: RunObservation) -> RunObservation {
        let mut labels_of = &self.cluster.labels;
        let name = if self.is_application() {
            self.cluster.id.name.clone()
        } else if let Some((name, job)) = self.session_job(&run) {
            labels_of = &job.labels;
            name.clone()
        } else {
            std::mem::take(&mut run.name)
        };
        let labels = names::job_labels(self.object_labels, labels_of);
        self.named(name, labels, run)
    }

    fn named(&self, name: String, labels: Labels, run: RunObservation) -> RunObservation {
        let id = &self.cluster.id;
        let session = if self.is_application() { "" } else { id.name.as_str() };
        RunObservation {
            key: JobKey::new(self.source, &id.namespace, session, &name),
            name,
            cluster: self.source.to_owned(),
            namespace: id.namespace.clone(),
            flink_cluster: self.flink_cluster.to_owned(),
            labels,
            ..run
        }
    }

    /// How the job of a run stands with the operator; what happens to its session happens to it.
    pub(super) fn standing(&self, run: &RunObservation) -> Standing {
        let of_cluster = self.cluster.custom.as_ref().map(operator::standing);
        if self.is_application() {
            return of_cluster.unwrap_or(Standing::AsFlinkSays);
        }
        let own = self.cluster.session_jobs.get(&run.name).map(operator::standing);
        let of_session = of_cluster
            .filter(|standing| matches!(standing, Standing::Stopped { .. } | Standing::Changing));
        let own = own.filter(|standing| *standing != Standing::AsFlinkSays);
        own.or(of_session).unwrap_or(Standing::AsFlinkSays)
    }

    /// Jobs the operator knows and nobody else has shown, as far as it says what they are doing.
    /// `shown`: names of those that were.
    pub(super) fn others(&self, shown: &[&str]) -> Vec<(RunObservation, Standing)> {
        let mut found = Vec::new();
        if self.is_application() {
            if shown.is_empty() {
                found.extend(self.of_operator(&self.cluster.id.name, self.cluster.custom.as_ref()));
            }
        } else {
            let jobs = self.cluster.session_jobs.iter();
            let missing = jobs.filter(|(name, _)| !shown.contains(&name.as_str()));
            found.extend(missing.filter_map(|(name, job)| self.of_operator(name, Some(job))));
        }
        found
    }

    /// A job as the operator, or for want of one the `Deployment`, knows it.
    fn of_operator(
        &self,
        name: &str,
        custom: Option<&Custom>,
    ) -> Option<(RunObservation, Standing)> {
        let standing = custom.map_or(Standing::AsFlinkSays, operator::standing);
        let made = self.cluster.jobmanager.as_ref().map_or(0, |jobmanager| jobmanager.created);
        let job_id = custom.and_then(|custom| custom.job_id.clone());
        if job_id.is_none() && matches!(standing, Standing::Stopped { .. }) {
            // It never ran: there is nothing it could have stopped.
            return None;
        }
        let run = RunId {
            start_time: custom
                .and_then(|c| c.start_time.or(Some(c.created)))
                .filter(|t| *t > 0)
                .unwrap_or(made),
            // As unlike an id of Flink's as can be.
            job_id: job_id.unwrap_or_else(|| "not-submitted".to_owned()),
        };
        let labels_of = custom.map_or(&self.cluster.labels, |custom| &custom.labels);
        let labels = names::job_labels(self.object_labels, labels_of);
        let flink_job_name = custom.and_then(|c| c.job_name.clone());
        let flink_job_name = flink_job_name.unwrap_or_else(|| name.to_owned());
        let blank = RunObservation {
            run,
            state: JobState::Created,
            flink_job_name,
            ..RunObservation::default()
        };
        Some((self.named(name.to_owned(), labels, blank), standing))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::names::Id;
    use super::super::views::JobManager;
    use super::*;

    fn run(name: &str, job_id: &str) -> RunObservation {
        RunObservation {
            name: name.to_owned(),
            flink_job_name: name.to_owned(),
            run: RunId { start_time: 5, job_id: job_id.to_owned() },
            state: JobState::Running,
            ..RunObservation::default()
        }
    }

    fn cluster(session: bool) -> Cluster {
        Cluster {
            id: Id::new("flink", "orders"),
            labels: BTreeMap::from([("team".to_owned(), "shop".to_owned())]),
            jobmanager: Some(JobManager {
                session: Some(session),
                created: 9,
                ..JobManager::default()
            }),
            ..Cluster::default()
        }
    }

    const LABELS: &[String] = &[];

    fn of(cluster: &Cluster, several: bool) -> Household<'_> {
        Household {
            source: "tke",
            cluster,
            flink_cluster: "orders",
            object_labels: LABELS,
            several,
        }
    }

    #[test]
    fn names_come_from_the_deployment_or_from_flink() {
        for (session, several, key) in [
            (false, false, "tke/flink/orders"),
            (true, false, "tke/flink/orders/Orders v2"),
            (false, true, "tke/flink/orders/Orders v2"),
        ] {
            let cluster = cluster(session);
            let adopted = of(&cluster, several).adopt(run("Orders v2", "aa"));
            assert_eq!((adopted.key.0.as_str(), adopted.namespace.as_str()), (key, "flink"));
            assert_eq!(adopted.flink_job_name, "Orders v2");
            assert_eq!(
                (adopted.cluster.as_str(), adopted.flink_cluster.as_str()),
                ("tke", "orders")
            );
        }
    }

    #[test]
    fn a_session_job_keeps_its_name_through_redeployments() {
        let mut cluster = cluster(true);
        let job = |id: &str| Custom {
            job_id: Some(id.to_owned()),
            job_name: Some("Clicks".to_owned()),
            labels: BTreeMap::from([("team".to_owned(), "ads".to_owned())]),
            ..Custom::default()
        };
        cluster.session_jobs.insert("clicks".to_owned(), job("bb"));
        let allowed = ["team".to_owned()];
        let name = |cluster: &Cluster, id: &str, flink: &str| {
            let household = Household { object_labels: &allowed, ..of(cluster, false) };
            let adopted = household.adopt(run(flink, id));
            (adopted.name, adopted.labels.get("team").to_owned())
        };
        assert_eq!(name(&cluster, "bb", "renamed"), ("clicks".to_owned(), "ads".to_owned()));
        assert_eq!(name(&cluster, "aa", "Clicks").0, "clicks", "an older run of it");
        assert_eq!(name(&cluster, "cc", "by hand"), ("by hand".to_owned(), "shop".to_owned()));
        cluster.session_jobs.insert("clicks-2".to_owned(), job("dd"));
        assert_eq!(name(&cluster, "aa", "Clicks").0, "Clicks", "it may be either's");
    }

    #[test]
    fn what_happens_to_a_session_happens_to_its_jobs() {
        let mut cluster = cluster(true);
        cluster.custom = Some(Custom { is_session: true, deleting: true, ..Custom::default() });
        let job = Custom { state: Some(JobState::Failed), ..Custom::default() };
        cluster.session_jobs.insert("clicks".to_owned(), job);
        let household = of(&cluster, false);
        assert!(matches!(household.standing(&run("other", "a")), Standing::Stopped { .. }));
        assert!(matches!(household.standing(&run("clicks", "b")), Standing::Ended { .. }));
    }

    #[test]
    fn a_job_nobody_shows_is_there_as_the_operator_knows_it() {
        let mut cluster = cluster(false);
        let (fresh, standing) = of(&cluster, false).others(&[]).remove(0);
        assert_eq!((fresh.run.start_time, standing), (9, Standing::AsFlinkSays));
        cluster.custom = Some(Custom { created: 4, ..Custom::default() });
        let (fresh, standing) = of(&cluster, false).others(&[]).remove(0);
        assert_eq!((fresh.key.0.as_str(), fresh.run.start_time), ("tke/flink/orders", 4));
        assert_eq!((standing, fresh.state), (Standing::Starting, JobState::Created));
        assert!(of(&cluster, false).others(&["orders"]).is_empty());
        let failed = Custom {
            state: Some(JobState::Failed),
            job_id: Some("aa".to_owned()),
            start_time: Some(5),
            ..Custom::default()
        };
        cluster.custom = Some(failed);
        let (failed, _) = of(&cluster, false).others(&[]).remove(0);
        assert_eq!(
            failed.run,
            RunId { start_time: 5, job_id: "aa".to_owned() },
            "as Flink called it"
        );
        cluster.custom = Some(Custom { suspended: true, ..Custom::default() });
        assert!(of(&cluster, false).others(&[]).is_empty(), "it never ran");
    }
}
