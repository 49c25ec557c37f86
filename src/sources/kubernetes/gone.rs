//! Flink clusters that are not there any more, and what is said of their jobs. Pure.

use super::assemble::{Memory, Told};
use super::ends::{self, Traces};
use super::pod_memory::Past;
use crate::model::ClusterObservation;

/// The `Deployment` goes first: what its pods have to say comes within this time, ms.
const TRACES_COME_MS: i64 = 60_000;
/// Ends are told for so long, ms: then they are known.
const TOLD_MS: i64 = 600_000;

/// A cluster that is gone.
#[derive(Debug, Clone)]
pub(super) struct Gone {
    pub(super) since: i64,
    pub(super) memory: Memory,
}

/// Its runs: ended, where that is known; unknown, while traces may come; nothing, where nothing ever
/// comes. `None`: all is said.
pub(super) fn told(gone: &Gone, past: &Past, now: i64) -> Option<Told> {
    let age = now.saturating_sub(gone.since);
    if age >= TOLD_MS {
        return None;
    }
    let Memory { runs, had_custom, is_application, .. } = &gone.memory;
    let traces = Traces { past, was_deleted: *had_custom, is_application: *is_application };
    let ended = ends::ended(runs, traces, gone.since);
    let mut cluster = ClusterObservation::default();
    // Where it is a session whose jobs are gone with it, there is nothing to wait for.
    if age < TRACES_COME_MS && *is_application {
        let mut open = runs.iter().filter(|run| !run.state.is_terminal());
        if let Some(run) = open.find(|run| ended.iter().all(|end| end.run != run.run)) {
            cluster.flink_cluster.clone_from(&run.flink_cluster);
            let why = "its Deployment is gone, and how it ended is not known yet";
            cluster.unseen = Some(why.to_owned());
        }
    }
    Some(Told { runs: ended, cluster })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{JobState, RunObservation};

    fn gone(is_application: bool, had_custom: bool) -> Gone {
        let run = RunObservation {
            state: JobState::Running,
            flink_cluster: "orders".to_owned(),
            ..RunObservation::default()
        };
        let memory = Memory { runs: vec![run], is_application, had_custom, ..Memory::default() };
        Gone { since: 1_000, memory }
    }

    #[test]
    fn traces_are_waited_for_and_then_it_is_gone_without_a_word() {
        let state = |gone: &Gone, exit_code: Option<i64>, now: i64| {
            let past = Past { exit_code, ..Past::default() };
            told(gone, &past, now).map(|told| {
                let end = told.runs.first().map(|run| run.state);
                assert!(end.is_none() || told.cluster.unseen.is_none());
                (end, told.cluster.unseen.is_some().then_some(told.cluster.flink_cluster))
            })
        };
        let ended = |state: JobState| Some((Some(state), None));
        let application = gone(true, false);
        assert_eq!(state(&application, None, 2_000), Some((None, Some("orders".to_owned()))));
        assert_eq!(state(&application, Some(0), 5_000), ended(JobState::Finished));
        assert_eq!(state(&application, Some(163), 5_000), ended(JobState::Failed));
        let missing = Some((None, None));
        assert_eq!(state(&application, None, 61_000), missing, "missing from here on");
        assert_eq!(state(&application, Some(0), 601_000), None);
        assert_eq!(state(&gone(false, false), None, 2_000), missing);
        assert_eq!(state(&gone(false, true), None, 2_000), ended(JobState::Canceled));
    }
}
