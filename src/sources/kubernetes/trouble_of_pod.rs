//! Why a pod does not run, or did not go on: the root cause Flink cannot know. Pure.

use crate::http::one_line;
use crate::model::Failure;

use super::objects::{Condition, ContainerStatus, PodStatus, Terminated, millis};

/// The container Flink runs in; others are people's sidecars.
const MAIN: &str = "flink-main-container";
/// Reasons for which a container does not start, whatever is waited for.
const BLOCKED: [&str; 9] = [
    "CrashLoopBackOff",
    "ImagePullBackOff",
    "ErrImagePull",
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "StartError",
];
/// Reasons for which a whole pod is taken away.
const TAKEN: [&str; 7] = [
    "Evicted",
    "NodeLost",
    "Preempting",
    "NodeShutdown",
    "Terminated",
    "OutOfmemory",
    "UnexpectedAdmissionError",
];

/// What is wrong with a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PodTrouble {
    /// The pod.
    pub(super) pod: String,
    /// In Kubernetes' words: `OOMKilled`.
    pub(super) reason: String,
    /// The rest, one line.
    pub(super) message: String,
    /// When, ms; stable as long as it is the same trouble.
    pub(super) at: i64,
    /// It keeps the pod from running now.
    pub(super) blocks: bool,
}

impl PodTrouble {
    /// As a failure of a job.
    pub(super) fn failure(&self) -> Failure {
        Failure {
            at: self.at,
            task: None,
            class: self.reason.clone(),
            message: format!("pod {}: {}", self.pod, self.message),
            frame: None,
            taskmanager: Some(self.pod.clone()),
            gave_up: false,
        }
    }
}

/// What is wrong with a pod, the worst first; `None` where nothing is.
pub(super) fn of_pod(pod: &str, created: i64, status: &PodStatus) -> Option<PodTrouble> {
    let since = millis(status.start_time.as_deref()).unwrap_or(created);
    let trouble = |reason: &str, message: String, at: Option<i64>, blocks: bool| PodTrouble {
        pod: pod.to_owned(),
        reason: one_line(reason, 80),
        message: one_line(&message, 300),
        at: at.unwrap_or(since),
        blocks,
    };
    let said = |text: Option<&String>, else_say: &str| {
        text.filter(|t| !t.is_empty()).cloned().unwrap_or_else(|| else_say.to_owned())
    };
    if let Some(reason) = status.reason.as_deref().filter(|r| TAKEN.contains(r)) {
        let taken = condition(status, "DisruptionTarget").or_else(|| condition(status, "Ready"));
        let at = taken.and_then(|c| millis(c.last_transition_time.as_deref()));
        let message = said(status.message.as_ref(), "it was taken off its node");
        return Some(trouble(reason, message, at, true));
    }
    for container in containers(status) {
        let waiting = container.state.as_ref().and_then(|state| state.waiting.as_ref());
        let Some(waiting) = waiting else { continue };
        let Some(reason) = waiting.reason.as_deref().filter(|r| BLOCKED.contains(r)) else {
            continue;
        };
        let last = container.last_state.as_ref().and_then(|state| state.terminated.as_ref());
        let at = last.and_then(|last| millis(last.finished_at.as_deref()));
        let message = match last {
            Some(last) => format!("{}, again and again", end(container, last)),
            None => said(waiting.message.as_ref(), "no reason given"),
        };
        return Some(trouble(reason, message, at, true));
    }
    for container in containers(status) {
        let ends = [(&container.state, true), (&container.last_state, false)];
        for (state, now) in ends {
            let Some(terminated) = state.as_ref().and_then(|s| s.terminated.as_ref()) else {
                continue;
            };
            if terminated.exit_code.is_none_or(|code| code == 0) {
                continue;
            }
            let reason = terminated.reason.as_deref().unwrap_or("Error");
            let at = millis(terminated.finished_at.as_deref());
            return Some(trouble(reason, end(container, terminated), at, now));
        }
    }
    if let Some(target) = condition(status, "DisruptionTarget").filter(|c| is(c, "True")) {
        let reason = target.reason.as_deref().unwrap_or("DisruptionTarget");
        let at = millis(target.last_transition_time.as_deref());
        let message = said(target.message.as_ref(), "it is being taken off its node");
        return Some(trouble(reason, message, at, false));
    }
    let scheduled = condition(status, "PodScheduled").filter(|c| is(c, "False"))?;
    let at = millis(scheduled.last_transition_time.as_deref());
    let message = said(scheduled.message.as_ref(), "no node takes it");
    Some(trouble("FailedScheduling", message, at, true))
}

/// How the `JobManager`'s process ended, if it did: its exit code.
pub(super) fn exit_code(status: &PodStatus) -> Option<i64> {
    let main = containers(status).find(|c| c.name.as_deref() == Some(MAIN))?;
    main.state.as_ref()?.terminated.as_ref()?.exit_code
}

/// Flink's own container first, then those that prepare it, then the others.
fn containers(status: &PodStatus) -> impl Iterator<Item = &ContainerStatus> {
    let is_main = |c: &&ContainerStatus| c.name.as_deref() == Some(MAIN);
    let main = status.container_statuses.iter().filter(is_main);
    let others = status.container_statuses.iter().filter(move |c| !is_main(c));
    main.chain(&status.init_container_statuses).chain(others)
}

fn condition<'a>(status: &'a PodStatus, kind: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|c| c.kind.as_deref() == Some(kind))
}

fn is(condition: &Condition, status: &str) -> bool {
    condition.status.as_deref() == Some(status)
}

/// `container flink-main-container ended with exit code 137 (killed, out of memory: …)`.
fn end(container: &ContainerStatus, terminated: &Terminated) -> String {
    let name = container.name.as_deref().unwrap_or("?");
    let code = terminated.exit_code.unwrap_or(-1);
    let oom = terminated.reason.as_deref() == Some("OOMKilled");
    // Codes of Flink's entry points (`ClusterEntrypoint`, `ApplicationStatus`) and of signals.
    let meaning = match code {
        _ if oom => "out of memory: raise its limit",
        1 => "it could not start",
        2 => "an error at run time",
        137 => "killed",
        143 => "told to end",
        163 => "Flink says FAILED",
        165 => "Flink does not know how it ended",
        239 => "a fatal error of Flink's",
        _ => "",
    };
    let mut text = format!("container {name} ended with exit code {code}");
    if !meaning.is_empty() {
        text.push_str(" (");
        text.push_str(meaning);
        text.push(')');
    }
    if let Some(message) = terminated.message.as_deref().filter(|m| !m.trim().is_empty()) {
        text.push_str(": ");
        text.push_str(&one_line(message, 160));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde::Deserialize as _;
    use serde_json::{Value, json};

    use super::*;

    const AT: i64 = 1_700_000_000_000;

    fn found(status: &Value) -> Option<PodTrouble> {
        of_pod("orders-1", AT, &PodStatus::deserialize(status).unwrap())
    }

    fn main(state: &Value, last: &Value) -> Value {
        json!({ "startTime": "2023-11-14T22:13:20Z", "containerStatuses": [
            { "name": "sidecar", "ready": true, "state": { "running": {} } },
            { "name": "flink-main-container", "ready": false, "state": state, "lastState": last },
        ] })
    }

    #[test]
    fn reasons_are_found_where_kubernetes_writes_them() {
        let ended = |reason: &str, code: i64| {
            json!({ "terminated": { "reason": reason, "exitCode": code,
                                    "finishedAt": "2023-11-14T22:13:30Z" } })
        };
        let waits = |reason: &str| json!({ "waiting": { "reason": reason, "message": "pull it" } });
        let condition = |kind: &str, status: &str, reason: &str| {
            json!({ "conditions": [{ "type": kind, "status": status, "reason": reason,
                    "message": "0/3 nodes are available: 3 Insufficient memory.",
                    "lastTransitionTime": "2023-11-14T22:13:30Z" }] })
        };
        let cases = [
            (main(&json!({ "running": {} }), &json!({})), None),
            (main(&waits("ContainerCreating"), &json!({})), None),
            (main(&ended("Completed", 0), &json!({})), None),
            (
                main(&waits("ImagePullBackOff"), &json!({})),
                Some(("ImagePullBackOff", "pull it", AT, true)),
            ),
            (
                main(&waits("CrashLoopBackOff"), &ended("OOMKilled", 137)),
                Some(("CrashLoopBackOff", "out of memory", AT + 10_000, true)),
            ),
            (
                main(&waits("CrashLoopBackOff"), &ended("Error", 1)),
                Some(("CrashLoopBackOff", "could not start", AT + 10_000, true)),
            ),
            (
                main(&ended("OOMKilled", 137), &json!({})),
                Some(("OOMKilled", "out of memory", AT + 10_000, true)),
            ),
            (
                main(&json!({ "running": {} }), &ended("OOMKilled", 137)),
                Some(("OOMKilled", "exit code 137", AT + 10_000, false)),
            ),
            (
                main(&json!({ "running": {} }), &ended("Error", 239)),
                Some(("Error", "fatal error", AT + 10_000, false)),
            ),
            (
                json!({ "phase": "Failed", "reason": "Evicted",
                        "message": "The node was low on resource: memory." }),
                Some(("Evicted", "low on resource", AT, true)),
            ),
            (
                condition("PodScheduled", "False", "Unschedulable"),
                Some(("FailedScheduling", "Insufficient memory", AT + 10_000, true)),
            ),
            (condition("PodScheduled", "True", ""), None),
            (
                condition("DisruptionTarget", "True", "PreemptionByScheduler"),
                Some(("PreemptionByScheduler", "0/3 nodes", AT + 10_000, false)),
            ),
            (json!({ "phase": "Pending" }), None),
            (json!({}), None),
        ];
        for (status, expected) in cases {
            let trouble = found(&status);
            match (&trouble, expected) {
                (None, None) => {}
                (Some(trouble), Some((reason, words, at, blocks))) => {
                    assert_eq!(trouble.reason, reason, "{status}");
                    assert!(trouble.message.contains(words), "{trouble:?}");
                    assert_eq!((trouble.at, trouble.blocks), (at, blocks), "{status}");
                }
                _ => panic!("{status}: {trouble:?}"),
            }
        }
    }

    #[test]
    fn a_crash_loop_is_one_failure_per_crash() {
        let crash = |second: u32| {
            let finished = format!("2023-11-14T22:13:{second:02}Z");
            let last = json!({ "terminated": { "reason": "Error", "exitCode": 1, "finishedAt": finished } });
            found(&main(&json!({ "waiting": { "reason": "CrashLoopBackOff" } }), &last))
                .unwrap()
                .failure()
        };
        assert_eq!(crash(30), crash(30), "seen again it is the same one");
        assert_ne!(crash(30).at, crash(40).at);
        let failure = crash(30);
        assert_eq!((failure.class.as_str(), failure.task), ("CrashLoopBackOff", None));
        assert_eq!(failure.taskmanager.as_deref(), Some("orders-1"));
    }

    #[test]
    fn the_exit_code_is_that_of_flinks_container() {
        let ended = |code: i64| json!({ "terminated": { "exitCode": code } });
        let of = |status: Value| exit_code(&PodStatus::deserialize(status).unwrap());
        assert_eq!(of(main(&ended(163), &json!({}))), Some(163));
        assert_eq!(of(main(&json!({ "running": {} }), &ended(1))), None, "it runs again");
        assert_eq!(of(json!({ "containerStatuses": [{ "name": "x", "state": ended(0) }] })), None);
    }
}
