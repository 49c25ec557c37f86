//! What Kubernetes knows about a failure Flink only saw from the outside: the `TaskManager` is gone,
//! and its pod says why. Pure.

use super::pod_memory::Past;
use super::trouble_of_pod::PodTrouble;
use crate::http::one_line;
use crate::model::Failure;

/// Flink misses a `TaskManager` no later than this after its end (`heartbeat.timeout` is 50 s).
const MISSED_WITHIN_MS: i64 = 120_000;
/// Clocks of nodes differ by less.
const CLOCKS_MS: i64 = 5_000;
/// How Flink puts it, by class or message.
const LOST: [&str; 6] = [
    "is no longer reachable",
    "timed out",
    "lost task manager",
    "lost connection to task manager",
    "remotetransportexception",
    "was released",
];
/// Flink waited for a `TaskManager` that did not come.
const WAITED: &str = "NoResourceAvailableException";

/// Adds what pods say to the failures it explains. The time and task of each stay: it is the same
/// failure at every look.
pub(super) fn explain(failures: &mut [Failure], past: &Past) {
    if past.troubles.is_empty() {
        return;
    }
    for failure in failures {
        if let Some(trouble) = cause(failure, past) {
            let said = format!(
                "{} (pod {}: {}); {}",
                trouble.reason, trouble.pod, trouble.message, failure.message
            );
            failure.message = one_line(&said, 500);
        }
    }
}

fn cause<'a>(failure: &Failure, past: &'a Past) -> Option<&'a PodTrouble> {
    let mut newest_first = past.troubles.iter().rev();
    let before = |trouble: &&PodTrouble| {
        let late = failure.at.saturating_sub(trouble.at);
        (-CLOCKS_MS..=MISSED_WITHIN_MS).contains(&late)
    };
    if failure.class.ends_with(WAITED) {
        let waits = |trouble: &&PodTrouble| trouble.blocks && trouble.at <= failure.at + CLOCKS_MS;
        return newest_first.find(waits);
    }
    // A native TaskManager's resource id is the name of its pod.
    let named = |trouble: &&PodTrouble| {
        failure.message.contains(&trouble.pod)
            || failure.taskmanager.as_ref().is_some_and(|t| t.contains(&trouble.pod))
    };
    let by_name = past.troubles.iter().rev().filter(before).find(named);
    by_name.or_else(|| {
        let said = format!("{} {}", failure.class, failure.message).to_ascii_lowercase();
        let lost = LOST.iter().any(|words| said.contains(words));
        newest_first.find(before).filter(|_| lost)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(at: i64, class: &str, message: &str) -> Failure {
        Failure {
            at,
            task: Some("map (1/2) - execution #0".to_owned()),
            class: class.to_owned(),
            message: message.to_owned(),
            frame: None,
            taskmanager: None,
            gave_up: false,
        }
    }

    #[test]
    fn a_lost_taskmanager_is_explained_by_its_pod() {
        let trouble = |pod: &str, reason: &str, at: i64, blocks: bool| PodTrouble {
            pod: pod.to_owned(),
            reason: reason.to_owned(),
            message: "exit code 137".to_owned(),
            at,
            blocks,
        };
        let past = Past {
            troubles: [
                trouble("orders-taskmanager-1-1", "OOMKilled", 1_000, false),
                trouble("orders-taskmanager-1-2", "FailedScheduling", 500_000, true),
            ]
            .into(),
            ..Past::default()
        };
        let heartbeat = "java.util.concurrent.TimeoutException";
        let gone =
            "The heartbeat of TaskManager with id orders-taskmanager-1-1(1.2.3.4:1) timed out";
        let cases = [
            (failure(50_000, heartbeat, gone), Some("OOMKilled")),
            (failure(400_000, heartbeat, gone), None),
            (
                failure(
                    3_000,
                    "org.apache.flink.runtime.io.network.netty.exception.RemoteTransportException",
                    "Connection unexpectedly closed",
                ),
                Some("OOMKilled"),
            ),
            (failure(3_000, "com.example.BadRecord", "bad price"), None),
            (
                failure(
                    800_000,
                    "org.apache.flink.runtime.jobmanager.scheduler.NoResourceAvailableException",
                    "Could not acquire",
                ),
                Some("FailedScheduling"),
            ),
        ];
        for (failure, reason) in cases {
            let mut all = [failure.clone()];
            explain(&mut all, &past);
            match reason {
                Some(reason) => {
                    assert!(all[0].message.starts_with(reason), "{:?}", all[0]);
                    assert!(all[0].message.contains(&failure.message));
                    let same = (all[0].at, &all[0].task, &all[0].class);
                    assert_eq!(same, (failure.at, &failure.task, &failure.class));
                }
                None => assert_eq!(all[0], failure),
            }
        }
    }
}
