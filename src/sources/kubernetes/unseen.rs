//! Jobs of a Flink cluster whose REST API does not answer: what Kubernetes and the operator say of
//! them, and where they say nothing, nothing. Pure.
//!
//! | what is known | the job is |
//! | --- | --- |
//! | it had ended before | as it was |
//! | suspended, deleted, or scaled to nothing | CANCELED: somebody stopped it |
//! | the operator saw its end | as the operator says |
//! | being upgraded or rolled back | RECONCILING, CREATED if it never ran |
//! | its `JobManager` cannot run, for a reason | RESTARTING, CREATED if it never ran; the reason is its failure |
//! | its `JobManager` is on its way | RECONCILING, CREATED if it never ran |
//! | its `JobManager` is ready | UNKNOWN: it may be well, only Weir cannot see it; nothing is told of it |

use super::clusters::Cluster;
use super::household::Household;
use super::operator::Standing;
use super::trouble_of_pod::PodTrouble;
use crate::model::{Failure, JobState, RunObservation, Seen};

/// What the jobs of a cluster that does not answer are. `last`: as they were seen last. `now`: ms.
pub(super) fn runs(
    household: &Household<'_>,
    last: &[RunObservation],
    now: i64,
) -> Vec<RunObservation> {
    let known = last.iter().map(|run| (run.clone(), household.standing(run), true));
    let names: Vec<&str> = last.iter().map(|run| run.name.as_str()).collect();
    let others = household.others(&names).into_iter().map(|(run, standing)| (run, standing, false));
    known
        .chain(others)
        .filter_map(|(run, standing, ran)| one(household.cluster, run, &standing, ran, now))
        .collect()
}

/// What the operator says of jobs a cluster that answers does not list: those that could not be
/// started, and those that are about to be.
pub(super) fn unlisted(
    household: &Household<'_>,
    listed: &[RunObservation],
    now: i64,
) -> Vec<RunObservation> {
    let names: Vec<&str> = listed.iter().map(|run| run.name.as_str()).collect();
    let others = household.others(&names).into_iter();
    let says = |standing: &Standing| *standing != Standing::AsFlinkSays;
    others
        .filter(|(_, standing)| says(standing))
        .filter_map(|(run, standing)| one(household.cluster, run, &standing, false, now))
        .collect()
}

fn one(
    cluster: &Cluster,
    run: RunObservation,
    standing: &Standing,
    ran: bool,
    now: i64,
) -> Option<RunObservation> {
    if ran && run.state.is_terminal() {
        return Some(run);
    }
    let on_its_way = if ran { JobState::Reconciling } else { JobState::Created };
    let (state, end, failures) = match standing {
        Standing::Stopped { at } => (JobState::Canceled, Some(at.unwrap_or(now)), Vec::new()),
        Standing::Ended { state, at, failure } => {
            let mut failures: Vec<Failure> = failure.iter().cloned().collect();
            if *state == JobState::Failed && failures.is_empty() {
                failures.extend(blocking(cluster).map(PodTrouble::failure));
            }
            (*state, Some(at.unwrap_or(now)), failures)
        }
        Standing::Changing => (on_its_way, None, Vec::new()),
        Standing::Starting | Standing::AsFlinkSays => by_pods(cluster, ran, on_its_way, now)?,
    };
    let failures = if failures.is_empty() { Seen::NotAsked } else { Seen::Fresh(failures) };
    Some(RunObservation {
        state,
        end_time: end.filter(|_| state.is_terminal()),
        tasks: crate::model::TaskCounts::default(),
        failures,
        failures_truncated: false,
        ..run
    })
}

type State = (JobState, Option<i64>, Vec<Failure>);

fn by_pods(cluster: &Cluster, ran: bool, on_its_way: JobState, now: i64) -> Option<State> {
    let Some(jobmanager) = &cluster.jobmanager else {
        // The operator has not made it yet.
        return Some((on_its_way, None, Vec::new()));
    };
    if jobmanager.replicas == 0 {
        return ran.then_some((JobState::Canceled, Some(now), Vec::new()));
    }
    if cluster.should_answer() {
        return ran.then_some((JobState::Unknown, None, Vec::new()));
    }
    let mut failures: Vec<Failure> = of_jobmanagers(cluster).map(PodTrouble::failure).collect();
    failures.sort_by(|a, b| (b.at, &b.message).cmp(&(a.at, &a.message)));
    failures.dedup_by_key(|failure| failure.at);
    let stuck = blocking(cluster).next().is_some();
    let state = if stuck && ran { JobState::Restarting } else { on_its_way };
    Some((state, None, failures))
}

fn of_jobmanagers(cluster: &Cluster) -> impl Iterator<Item = &PodTrouble> {
    let pods = cluster.pods.iter().filter(|pod| pod.jobmanager);
    let quota = cluster.jobmanager.iter().filter_map(|jobmanager| jobmanager.trouble.as_ref());
    pods.filter_map(|pod| pod.trouble.as_ref()).chain(quota)
}

/// What keeps its `JobManagers` from running.
pub(super) fn blocking(cluster: &Cluster) -> impl Iterator<Item = &PodTrouble> {
    of_jobmanagers(cluster).filter(|trouble| trouble.blocks)
}

#[cfg(test)]
mod tests {
    use super::super::names::Id;
    use super::super::views::{Custom, JobManager, PodView};
    use super::*;
    use crate::model::RunId;

    const NOW: i64 = 99;

    fn pod(ready: bool, trouble: Option<(&str, bool)>) -> PodView {
        let trouble = trouble.map(|(reason, blocks)| PodTrouble {
            pod: "orders-1".to_owned(),
            reason: reason.to_owned(),
            message: "words".to_owned(),
            at: 50,
            blocks,
        });
        PodView { of: "orders".to_owned(), jobmanager: true, ready, trouble, ..PodView::default() }
    }

    fn cluster(custom: Option<Custom>, pods: Vec<PodView>) -> Cluster {
        let jobmanager = JobManager {
            session: Some(false),
            replicas: 1,
            ready: 1,
            created: 3,
            ..JobManager::default()
        };
        Cluster {
            id: Id::new("flink", "orders"),
            custom,
            jobmanager: Some(jobmanager),
            pods,
            ..Cluster::default()
        }
    }

    fn seen(state: JobState) -> Vec<RunObservation> {
        vec![RunObservation {
            name: "orders".to_owned(),
            run: RunId { start_time: 5, job_id: "aa".to_owned() },
            state,
            ..RunObservation::default()
        }]
    }

    fn at(cluster: &Cluster, last: &[RunObservation]) -> Vec<RunObservation> {
        let household = Household {
            source: "tke",
            cluster,
            flink_cluster: "orders",
            object_labels: &[],
            several: false,
        };
        runs(&household, last, NOW)
    }

    fn custom(lifecycle: &str, state: Option<JobState>) -> Custom {
        Custom {
            lifecycle: lifecycle.to_owned(),
            state,
            job_id: Some("aa".to_owned()),
            update_time: Some(60),
            ..Custom::default()
        }
    }

    #[test]
    fn what_is_known_decides_and_nothing_else() {
        type Case = (&'static str, Cluster, Option<JobState>, Option<JobState>, bool);
        use JobState::{
            Canceled, Created, Failed, Finished, Reconciling, Restarting, Running, Unknown,
        };
        let stable = || Some(custom("STABLE", Some(Running)));
        let broken = || vec![pod(false, Some(("CrashLoopBackOff", true)))];
        // What, state when it ran before, state when it was never seen, whether a failure comes with it.
        let cases: [Case; 12] = [
            ("hung", cluster(None, vec![pod(true, None)]), Some(Unknown), None, false),
            (
                "hung, by operator",
                cluster(stable(), vec![pod(true, None)]),
                Some(Unknown),
                None,
                false,
            ),
            ("no rights to pods", cluster(None, vec![]), Some(Unknown), None, false),
            ("crash loop", cluster(None, broken()), Some(Restarting), Some(Created), true),
            (
                "crash loop, by operator",
                cluster(stable(), broken()),
                Some(Restarting),
                Some(Created),
                true,
            ),
            (
                "killed, on its way",
                cluster(None, vec![pod(false, Some(("OOMKilled", false)))]),
                Some(Reconciling),
                Some(Created),
                true,
            ),
            (
                "pending",
                cluster(None, vec![pod(false, None)]),
                Some(Reconciling),
                Some(Created),
                false,
            ),
            (
                "upgrade",
                cluster(Some(custom("UPGRADING", Some(Running))), broken()),
                Some(Reconciling),
                Some(Created),
                false,
            ),
            (
                "suspended",
                cluster(
                    Some(Custom { suspended: true, ..custom("SUSPENDED", Some(Finished)) }),
                    vec![],
                ),
                Some(Canceled),
                Some(Canceled),
                false,
            ),
            (
                "failed",
                cluster(
                    Some(Custom { error: Some("why".into()), ..custom("FAILED", Some(Failed)) }),
                    vec![],
                ),
                Some(Failed),
                Some(Failed),
                true,
            ),
            (
                "failed, pods know",
                cluster(Some(custom("FAILED", None)), broken()),
                Some(Failed),
                Some(Failed),
                true,
            ),
            (
                "finished",
                cluster(Some(custom("STABLE", Some(Finished))), vec![]),
                Some(Finished),
                Some(Finished),
                false,
            ),
        ];
        for (name, cluster, ran, never, failure) in cases {
            let state = |runs: &[RunObservation]| runs.first().map(|run| run.state);
            let found = at(&cluster, &seen(Running));
            assert_eq!(state(&found), ran, "{name}, after it ran");
            assert_eq!(
                found[0].failures.fresh().is_some(),
                failure,
                "{name}: {:?}",
                found[0].failures
            );
            assert_eq!(found[0].end_time.is_some(), found[0].state.is_terminal(), "{name}");
            assert_eq!(found[0].run.job_id, "aa");
            assert_eq!(state(&at(&cluster, &[])), never, "{name}, never seen");
            assert_eq!(at(&cluster, &seen(Finished)), seen(Finished), "{name}, after its end");
        }
        let mut scaled = cluster(None, vec![]);
        scaled.jobmanager.as_mut().unwrap().replicas = 0;
        assert_eq!(at(&scaled, &seen(Running))[0].state, Canceled);
        assert!(at(&scaled, &[]).is_empty());
        let mut unmade = cluster(Some(custom("CREATED", None)), vec![]);
        unmade.jobmanager = None;
        assert_eq!(at(&unmade, &[])[0].state, Created);
    }

    #[test]
    fn a_start_the_operator_gave_up_is_told_beside_what_runs() {
        let mut session = cluster(None, vec![pod(true, None)]);
        session.jobmanager.as_mut().unwrap().session = Some(true);
        let failed = Custom { error: Some("no such jar".into()), ..custom("FAILED", None) };
        session.session_jobs.insert("bad".to_owned(), failed);
        session.session_jobs.insert("good".to_owned(), custom("STABLE", Some(JobState::Running)));
        let household = Household {
            source: "tke",
            cluster: &session,
            flink_cluster: "orders",
            object_labels: &[],
            several: false,
        };
        let found = unlisted(&household, &[], NOW);
        let names: Vec<_> = found.iter().map(|run| (run.key.0.as_str(), run.state)).collect();
        assert_eq!(names, [("tke/flink/orders/bad", JobState::Failed)]);
        assert_eq!(found[0].failures.fresh().unwrap()[0].message, "no such jar");
    }
}
