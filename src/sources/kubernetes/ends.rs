//! What became of the jobs of a Flink cluster that is gone: an application takes its own
//! `Deployment` away when it ends, however it ends. Pure.
//!
//! An end that left a trace is told as that. Where there is none, a job that was alive is simply no
//! longer listed: gone without a word.

use super::pod_memory::Past;
use super::trouble_of_pod::PodTrouble;
use crate::model::{JobState, RunObservation, Seen};

/// Exit codes of Flink's entry points (`ApplicationStatus`).
const SUCCEEDED_OR_CANCELED: i64 = 0;
const FAILED: i64 = 163;

/// What is known about the end of a cluster.
#[derive(Debug, Clone, Copy)]
pub(super) struct Traces<'a> {
    /// What was seen of its pods.
    pub(super) past: &'a Past,
    /// It had a `FlinkDeployment`, which is gone as well: only people delete those.
    pub(super) was_deleted: bool,
    /// It ended with its one job.
    pub(super) is_application: bool,
}

/// The last runs with their ends, of those whose end is known; `now`: ms.
pub(super) fn ended(last: &[RunObservation], traces: Traces<'_>, now: i64) -> Vec<RunObservation> {
    let live = last.iter().filter(|run| !run.state.is_terminal());
    live.filter_map(|run| {
        let state = end_of(run, traces)?;
        let mut failures = Vec::new();
        if state == JobState::Failed {
            failures.extend(traces.past.troubles.iter().rev().take(1).map(PodTrouble::failure));
        }
        let failures = if failures.is_empty() { Seen::NotAsked } else { Seen::Fresh(failures) };
        Some(RunObservation { state, end_time: Some(now), failures, ..run.clone() })
    })
    .collect()
}

fn end_of(run: &RunObservation, traces: Traces<'_>) -> Option<JobState> {
    if traces.was_deleted {
        return Some(JobState::Canceled);
    }
    if !traces.is_application {
        return None;
    }
    match (traces.past.exit_code, run.state) {
        (Some(FAILED), _) | (_, JobState::Failing) => Some(JobState::Failed),
        (_, JobState::Cancelling) => Some(JobState::Canceled),
        (Some(SUCCEEDED_OR_CANCELED), _) => Some(JobState::Finished),
        // A batch job that was at work and is gone has done it: one that fails leaves its exit code,
        // or was seen to fail before.
        (_, JobState::Running) if run.batch == Seen::Fresh(true) => Some(JobState::Finished),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_that_ended_is_not_lost() {
        use JobState::{
            Canceled, Cancelling, Failed, Failing, Finished, Restarting, Running, Unknown,
        };
        // Last seen, batch, exit code, deleted, application: its end.
        let cases = [
            (Running, false, Some(0), false, true, Some(Finished)),
            (Running, false, Some(163), false, true, Some(Failed)),
            (Restarting, false, Some(163), false, true, Some(Failed)),
            (Failing, false, None, false, true, Some(Failed)),
            (Cancelling, false, None, false, true, Some(Canceled)),
            (Cancelling, false, Some(0), false, true, Some(Canceled)),
            (Running, true, None, false, true, Some(Finished)),
            (Restarting, true, None, false, true, None),
            (Running, false, None, false, true, None),
            (Running, false, Some(143), false, true, None),
            (Running, false, Some(137), false, true, None),
            (Unknown, false, None, false, true, None),
            (Running, false, None, true, true, Some(Canceled)),
            (Running, false, None, true, false, Some(Canceled)),
            (Running, false, Some(0), false, false, None),
            (Finished, false, Some(0), false, true, None),
        ];
        for (state, batch, exit_code, was_deleted, is_application, expected) in cases {
            let batch = if batch { Seen::Fresh(true) } else { Seen::NotAsked };
            let last = [RunObservation { state, batch, ..RunObservation::default() }];
            let past = Past { exit_code, ..Past::default() };
            let traces = Traces { past: &past, was_deleted, is_application };
            let found = ended(&last, traces, 7);
            let case = (state, exit_code, was_deleted, is_application);
            assert_eq!(found.first().map(|run| run.state), expected, "{case:?}");
            assert!(found.iter().all(|run| run.end_time == Some(7)));
        }
    }

    #[test]
    fn a_failed_end_bears_the_reason_of_its_pod() {
        let mut past = Past { exit_code: Some(163), ..Past::default() };
        past.troubles.push_back(PodTrouble {
            pod: "orders-1".to_owned(),
            reason: "Error".to_owned(),
            message: "container ended with exit code 163".to_owned(),
            at: 5,
            blocks: true,
        });
        let last = [RunObservation { state: JobState::Running, ..RunObservation::default() }];
        let traces = Traces { past: &past, was_deleted: false, is_application: true };
        let failures = ended(&last, traces, 7).remove(0).failures;
        assert_eq!(failures.fresh().unwrap()[0].at, 5);
    }
}
