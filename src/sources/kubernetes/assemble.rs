//! From what Flink, Kubernetes and the operator say of one cluster to its runs. Pure.

use std::collections::BTreeSet;

use super::clusters::Cluster;
use super::household::Household;
use super::lately::Lately;
use super::unseen;
use crate::model::{
    CheckpointStats, ClusterObservation, Counters, JobState, Metrics, RunObservation, Seen,
    Snapshot,
};

/// A planned change is felt for so long after it is over, ms: jobs begin anew, `JobManagers` follow
/// each other.
const FELT_MS: i64 = 180_000;

/// Looks that say what became of a former name.
const SAID_OFTEN_ENOUGH: u8 = 5;

/// What is remembered of a cluster from look to look.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    /// Its runs as Flink showed them last, without what they cost to keep.
    pub(super) runs: Vec<RunObservation>,
    /// It had a `FlinkDeployment`.
    pub(super) had_custom: bool,
    /// It ended, or will end, with its one job.
    pub(super) is_application: bool,
    /// An application with several jobs: it stays one.
    pub(super) several: bool,
    /// As it was called before that was known: under that name it is over.
    pub(super) renamed: Vec<RunObservation>,
    pub(super) renamed_told: u8,
    pub(super) planned_at: Option<i64>,
    pub(super) lately: Lately,
}

/// What is told of a cluster.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) runs: Vec<RunObservation>,
    pub(super) cluster: ClusterObservation,
}

/// Puts together what is known of a cluster. `look`: what its Flink said, if it answered; `silent`:
/// why it did not, if it was asked; `now`: ms.
pub(super) fn tell(
    mut household: Household<'_>,
    look: Option<&mut Snapshot>,
    silent: Option<&str>,
    memory: &mut Memory,
    now: i64,
) -> Told {
    let cluster = household.cluster;
    if cluster.planned {
        memory.planned_at = Some(now);
    }
    memory.had_custom |= cluster.custom.is_some();
    let mut of_cluster = ClusterObservation::default();
    let runs = if let Some(look) = look {
        let runs = std::mem::take(&mut look.runs);
        if let Some(first) = look.clusters.first_mut() {
            of_cluster = std::mem::take(first);
        }
        if !memory.several && cluster.is_application() && has_several(&runs) {
            memory.several = true;
            memory.renamed = memory.runs.iter().map(|run| over(run, now)).collect();
        }
        household.several = memory.several;
        let mut runs: Vec<RunObservation> =
            runs.into_iter().map(|run| household.adopt(run)).collect();
        memory.lately.forget(now);
        for run in &mut runs {
            memory.lately.explain(run, &cluster.past, now);
        }
        memory.runs = runs.iter().map(|run| slim(run, &memory.runs)).collect();
        runs.extend(unseen::unlisted(&household, &runs, now));
        if memory.renamed_told < SAID_OFTEN_ENOUGH && memory.several {
            memory.renamed_told += 1;
            runs.extend(memory.renamed.iter().cloned());
        }
        runs
    } else {
        household.several = memory.several;
        let mut runs = unseen::runs(&household, &memory.runs, now);
        let all = runs.len();
        runs.retain(|run| run.state != JobState::Unknown);
        if runs.len() < all || (runs.is_empty() && cluster.is_wanted()) {
            of_cluster.unseen = Some(why_unseen(cluster, silent));
        }
        runs
    };
    memory.is_application = household.is_application();
    of_cluster.flink_cluster.clear();
    of_cluster.flink_cluster.push_str(household.flink_cluster);
    of_cluster.planned = memory.planned_at.is_some_and(|at| now.saturating_sub(at) < FELT_MS);
    Told { runs, cluster: of_cluster }
}

/// Why its jobs are unknown.
fn why_unseen(cluster: &Cluster, silent: Option<&str>) -> String {
    match (silent, unseen::blocking(cluster).next()) {
        (Some(why), _) => why.to_owned(),
        (None, Some(pod)) => {
            format!("its JobManager is not ready: {}: {}", pod.reason, pod.failure().message)
        }
        (None, None) => "its JobManager is not ready".to_owned(),
    }
}

/// Under this name there is nothing to come.
fn over(run: &RunObservation, now: i64) -> RunObservation {
    let live = !run.state.is_terminal();
    let (state, end) =
        if live { (JobState::Canceled, Some(now)) } else { (run.state, run.end_time) };
    RunObservation { state, end_time: end, ..run.clone() }
}

/// Jobs of different names at the same time.
fn has_several(runs: &[RunObservation]) -> bool {
    let live = runs.iter().filter(|run| run.state.is_live());
    live.map(|run| run.flink_job_name.as_str()).collect::<BTreeSet<_>>().len() > 1
}

/// A run without its history and numbers. What was learned once about its kind stays.
fn slim(run: &RunObservation, known: &[RunObservation]) -> RunObservation {
    let before = || known.iter().find(|k| k.run == run.run).map(|k| k.batch.clone());
    let batch = match &run.batch {
        Seen::Fresh(batch) => Seen::Fresh(*batch),
        _ => before().unwrap_or_default(),
    };
    RunObservation {
        counters: Seen::<Counters>::NotAsked,
        checkpoints: Seen::<CheckpointStats>::NotAsked,
        failures: Seen::NotAsked,
        lag: Seen::NotAsked,
        metrics: Metrics::new(),
        batch,
        ..run.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::super::names::Id;
    use super::super::trouble_of_pod::PodTrouble;
    use super::super::views::{JobManager, PodView};
    use super::*;
    use crate::model::RunId;

    fn cluster() -> Cluster {
        let jobmanager =
            JobManager { session: Some(false), replicas: 1, ready: 1, ..JobManager::default() };
        Cluster {
            id: Id::new("flink", "orders"),
            jobmanager: Some(jobmanager),
            pods: vec![PodView { jobmanager: true, ready: true, ..PodView::default() }],
            ..Cluster::default()
        }
    }

    fn look(names: &[&str]) -> Snapshot {
        let run = |name: &&str| RunObservation {
            name: (*name).to_owned(),
            flink_job_name: (*name).to_owned(),
            run: RunId { start_time: 5, job_id: format!("id of {name}") },
            state: JobState::Running,
            counters: Seen::Fresh(Counters::default()),
            batch: Seen::Fresh(false),
            ..RunObservation::default()
        };
        let taskmanagers = Some(2);
        Snapshot {
            runs: names.iter().map(run).collect(),
            clusters: vec![ClusterObservation { taskmanagers, ..ClusterObservation::default() }],
            ..Snapshot::failed("tke", "1", String::new(), false)
        }
    }

    fn told(cluster: &Cluster, mut look: Option<Snapshot>, memory: &mut Memory, now: i64) -> Told {
        let household = Household {
            source: "tke",
            cluster,
            flink_cluster: "o",
            object_labels: &[],
            several: false,
        };
        let silent = look.is_none().then_some("timed out");
        tell(household, look.as_mut(), silent, memory, now)
    }

    fn keys(told: &Told) -> Vec<&str> {
        told.runs.iter().map(|run| run.key.0.as_str()).collect()
    }

    #[test]
    fn an_application_with_several_jobs_is_a_session_and_stays_one() {
        let (cluster, mut memory) = (cluster(), Memory::default());
        let first = told(&cluster, Some(look(&["Main"])), &mut memory, 0);
        assert_eq!(keys(&first), ["tke/flink/orders"]);
        assert_eq!(
            (first.cluster.flink_cluster.as_str(), first.cluster.taskmanagers),
            ("o", Some(2))
        );
        let both = told(&cluster, Some(look(&["Main", "Side"])), &mut memory, 7);
        let names = ["tke/flink/orders/Main", "tke/flink/orders/Side", "tke/flink/orders"];
        assert_eq!(keys(&both), names);
        assert_eq!(both.runs[2].state, JobState::Canceled, "under that name it is not missed");
        for _ in 0..SAID_OFTEN_ENOUGH {
            told(&cluster, Some(look(&["Main", "Side"])), &mut memory, 8);
        }
        let one = told(&cluster, Some(look(&["Main"])), &mut memory, 9);
        assert_eq!(keys(&one), ["tke/flink/orders/Main"]);
        assert!(!memory.is_application);
    }

    #[test]
    fn one_that_does_not_answer_is_unknown_and_not_gone() {
        let (cluster, mut memory) = (cluster(), Memory::default());
        let unknown = |told: &Told| {
            assert!(told.runs.is_empty(), "nothing is claimed of its jobs");
            assert_eq!(told.cluster.flink_cluster, "o", "the cluster is not gone");
            assert_eq!(told.cluster.unseen.as_deref(), Some("timed out"), "absence says nothing");
        };
        unknown(&told(&cluster, None, &mut memory, 0));
        let seen = told(&cluster, Some(look(&["Main"])), &mut memory, 0);
        assert_eq!(seen.cluster.unseen, None);
        unknown(&told(&cluster, None, &mut memory, 0));
        unknown(&told(&cluster, None, &mut memory, 0));
        let back = told(&cluster, Some(look(&["Main"])), &mut memory, 0);
        assert_eq!(back.runs[0].state, JobState::Running);
    }

    #[test]
    fn what_pods_say_is_news_though_flink_is_silent() {
        let (mut cluster, mut memory) = (cluster(), Memory::default());
        told(&cluster, Some(look(&["Main"])), &mut memory, 0);
        cluster.pods[0].ready = false;
        cluster.pods[0].trouble = Some(PodTrouble {
            pod: "orders-1".to_owned(),
            reason: "CrashLoopBackOff".to_owned(),
            message: "again".to_owned(),
            at: 5,
            blocks: true,
        });
        let stuck = told(&cluster, None, &mut memory, 0);
        assert_eq!(stuck.runs[0].state, JobState::Restarting);
        assert_eq!(stuck.runs[0].counters, Seen::NotAsked);
        assert_eq!(stuck.runs[0].batch, Seen::Fresh(false), "what it is it stays");
        assert_eq!(stuck.cluster.unseen, None, "that is fresh");
        cluster.jobmanager.as_mut().unwrap().session = Some(true);
        let household = Household {
            source: "tke",
            cluster: &cluster,
            flink_cluster: "o",
            object_labels: &[],
            several: false,
        };
        let session = tell(household, None, None, &mut Memory::default(), 0);
        let why = session.cluster.unseen.unwrap();
        assert!(why.contains("CrashLoopBackOff: pod orders-1: again"), "{why}");
    }

    #[test]
    fn a_planned_change_is_felt_for_a_while() {
        let (mut cluster, mut memory) = (cluster(), Memory::default());
        let mut planned = |planned: bool, now: i64| {
            cluster.planned = planned;
            told(&cluster, Some(look(&["Main"])), &mut memory, now).cluster.planned
        };
        assert!(!planned(false, 0));
        assert!(planned(true, 1));
        assert!(planned(false, FELT_MS));
        assert!(!planned(false, FELT_MS + 1));
    }
}
