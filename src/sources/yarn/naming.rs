//! What jobs of an application are called: pure.
//!
//! The application of one job gives it its name, which stays through every submission. In a session
//! the jobs have names of their own, and the application's name is that of the Flink cluster.

use crate::model::{JobKey, RunObservation};

/// What Flink calls applications nobody named: no name to tell one from the other by.
const NAMELESS: [&str; 3] =
    ["Flink Application Cluster", "Flink per-job cluster", "Flink session cluster"];
/// Of these, that of sessions.
const SESSION: &str = "Flink session cluster";

/// What an application is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It lives and dies with its job.
    Single,
    /// It takes jobs, and outlives them.
    Session,
}

/// What is known of a Flink that answered.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Traits<'a> {
    /// `execution.target` of its configuration.
    pub(super) target: Option<&'a str>,
    /// Distinct names of jobs it has ever shown.
    pub(super) names: usize,
}

/// What an application is; one that runs several jobs counts as a session, however it was started.
pub(super) fn kind(application: &str, traits: Traits<'_>) -> Kind {
    let target = traits.target.unwrap_or("");
    let is_session = if target.is_empty() {
        application == SESSION
    } else {
        // `yarn-session`, against `yarn-per-job`, and `embedded`: what a JobManager of application
        // mode says of itself (1.20.5).
        target.ends_with("session")
    };
    if is_session || traits.names > 1 { Kind::Session } else { Kind::Single }
}

/// Whether somebody named it.
pub(super) fn is_named(application: &str) -> bool {
    !NAMELESS.contains(&application)
}

/// The names of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) key: JobKey,
    pub(super) name: String,
    pub(super) flink_cluster: String,
}

/// What Flink's job of this name is called.
pub(super) fn job(cluster: &str, application: &str, kind: Kind, job: &str) -> Named {
    match kind {
        Kind::Session => Named {
            key: JobKey::new(cluster, "", application, job),
            name: job.to_owned(),
            flink_cluster: application.to_owned(),
        },
        Kind::Single => alone(cluster, if is_named(application) { application } else { job }),
    }
}

/// What the job of an application of its own is called by that name.
pub(super) fn alone(cluster: &str, name: &str) -> Named {
    Named {
        key: JobKey::new(cluster, "", "", name),
        name: name.to_owned(),
        flink_cluster: name.to_owned(),
    }
}

impl Named {
    /// Puts the names on a run.
    pub(super) fn put(self, run: RunObservation) -> RunObservation {
        RunObservation { key: self.key, name: self.name, flink_cluster: self.flink_cluster, ..run }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_says_what_it_is_and_the_jobs_may_overrule_it() {
        for (application, target, names, expected) in [
            ("orders", Some("embedded"), 1, Kind::Single),
            ("orders", Some("yarn-application"), 0, Kind::Single),
            ("orders", Some("yarn-application"), 1, Kind::Single),
            ("orders", Some("yarn-application"), 2, Kind::Session),
            ("orders", Some("yarn-per-job"), 1, Kind::Single),
            ("team-a", Some("yarn-session"), 0, Kind::Session),
            ("team-a", Some("yarn-session"), 1, Kind::Session),
            ("orders", None, 1, Kind::Single),
            ("Flink session cluster", None, 1, Kind::Session),
            ("Flink session cluster", Some("yarn-application"), 1, Kind::Single),
        ] {
            let found = kind(application, Traits { target, names });
            assert_eq!(found, expected, "{application} {target:?} {names}");
        }
    }

    #[test]
    fn an_application_names_its_job_and_a_session_does_not() {
        for (application, kind, flink, key, name, flink_cluster) in [
            ("orders", Kind::Single, "insert-into_x", "emr/orders", "orders", "orders"),
            ("a/b", Kind::Single, "x", "emr/a%2Fb", "a/b", "a/b"),
            ("Flink per-job cluster", Kind::Single, "sync", "emr/sync", "sync", "sync"),
            ("team-a", Kind::Session, "sync", "emr/team-a/sync", "sync", "team-a"),
        ] {
            let named = job("emr", application, kind, flink);
            assert_eq!((named.key.0.as_str(), named.name.as_str()), (key, name));
            assert_eq!(named.flink_cluster, flink_cluster);
        }
    }
}
