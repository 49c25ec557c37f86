//! Failures of the last minutes, to be told again when their pods say why: a kubelet may report the
//! end of a pod after Flink has missed it. Pure.

use std::collections::BTreeMap;

use super::explain;
use super::pod_memory::Past;
use crate::model::{Failure, RunId, RunObservation, Seen};

/// Pods say it within this time, ms.
const KEPT_MS: i64 = 120_000;

/// By run.
#[derive(Debug, Clone, Default)]
pub(super) struct Lately(BTreeMap<RunId, Told>);

#[derive(Debug, Clone)]
struct Told {
    at: i64,
    /// As Flink put them.
    failures: Vec<Failure>,
    truncated: bool,
    explained: Vec<Failure>,
}

impl Lately {
    /// Gives the failures of a run what pods say; those told before once more, where pods say more
    /// now. `now`: ms.
    pub(super) fn explain(&mut self, run: &mut RunObservation, past: &Past, now: i64) {
        match &mut run.failures {
            Seen::Fresh(failures) if !failures.is_empty() => {
                let as_told = failures.clone();
                explain::explain(failures, past);
                let told = Told {
                    at: now,
                    failures: as_told,
                    truncated: run.failures_truncated,
                    explained: failures.clone(),
                };
                self.0.insert(run.run.clone(), told);
            }
            Seen::NotAsked => {
                let Some(told) = self.0.get_mut(&run.run) else { return };
                let mut failures = told.failures.clone();
                explain::explain(&mut failures, past);
                if failures != told.explained {
                    told.explained.clone_from(&failures);
                    run.failures = Seen::Fresh(failures);
                    run.failures_truncated = told.truncated;
                }
            }
            _ => {}
        }
    }

    /// Lets go of what no pod will explain any more.
    pub(super) fn forget(&mut self, now: i64) {
        self.0.retain(|_, told| now.saturating_sub(told.at) < KEPT_MS);
    }
}

#[cfg(test)]
mod tests {
    use super::super::trouble_of_pod::PodTrouble;
    use super::*;

    #[test]
    fn a_pod_that_speaks_late_is_heard_once() {
        let failure = Failure {
            at: 5_000,
            task: None,
            class: "java.util.concurrent.TimeoutException".to_owned(),
            message: "The heartbeat of TaskManager with id orders-1 timed out".to_owned(),
            frame: None,
            taskmanager: None,
            gave_up: false,
        };
        let run = |failures: Seen<Vec<Failure>>| RunObservation {
            failures,
            failures_truncated: true,
            ..RunObservation::default()
        };
        let mut lately = Lately::default();
        let mut past = Past::default();
        let mut told = run(Seen::Fresh(vec![failure.clone()]));
        lately.explain(&mut told, &past, 6_000);
        assert_eq!(told.failures, Seen::Fresh(vec![failure]), "as Flink put it");
        let mut quiet = run(Seen::NotAsked);
        lately.explain(&mut quiet, &past, 7_000);
        assert_eq!(quiet.failures, Seen::NotAsked, "nothing new");
        past.troubles.push_back(PodTrouble {
            pod: "orders-1".to_owned(),
            reason: "OOMKilled".to_owned(),
            message: "exit code 137".to_owned(),
            at: 4_000,
            blocks: false,
        });
        lately.explain(&mut quiet, &past, 8_000);
        assert!(quiet.failures.fresh().unwrap()[0].message.starts_with("OOMKilled"));
        assert!(quiet.failures_truncated, "the same list, whole or not");
        let mut again = run(Seen::NotAsked);
        lately.explain(&mut again, &past, 9_000);
        assert_eq!(again.failures, Seen::NotAsked, "it is said");
        lately.forget(6_000 + KEPT_MS);
        assert!(lately.0.is_empty());
    }
}
