//! What the operator says of a job, in the terms Weir knows. Pure.
//!
//! Its status is its own affair and may change: what it says beyond the words known here is not
//! taken for anything.

use serde::Deserialize;

use crate::http::one_line;
use crate::model::{Failure, JobState};

use super::views::{Custom, EventView};

/// Events younger than this tell of a change that is still under way, ms.
const RECENT_MS: i64 = 180_000;
/// Reasons of events of changes somebody wanted: the operator's own repairs are none
/// (`RecoverDeployment`, `RestartUnhealthyJob`).
const WANTED: [&str; 4] = ["SpecChanged", "Suspended", "Rollback", "Scaling"];

/// How a job stands with the operator.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Standing {
    /// Somebody stopped it: suspended, or its object is deleted.
    Stopped {
        /// When, ms, where known.
        at: Option<i64>,
    },
    /// It is being changed on purpose.
    Changing,
    /// It has ended.
    Ended { state: JobState, at: Option<i64>, failure: Option<Failure> },
    /// It has not begun yet, or not again.
    Starting,
    /// The operator knows no better than Flink.
    AsFlinkSays,
}

/// How a job stands.
pub(super) fn standing(of: &Custom) -> Standing {
    let at = of.update_time;
    if of.deleting || matches!(of.lifecycle.as_str(), "DELETING" | "DELETED") {
        return Standing::Stopped { at };
    }
    // While its last savepoint is taken it is still UPGRADING.
    if of.suspended && (of.lifecycle == "SUSPENDED" || !is_changing(of)) {
        return Standing::Stopped { at };
    }
    if is_changing(of) {
        return Standing::Changing;
    }
    match (of.lifecycle.as_str(), of.state) {
        (_, Some(state @ (JobState::Finished | JobState::Canceled))) => {
            Standing::Ended { state, at, failure: None }
        }
        ("FAILED", _) | (_, Some(JobState::Failed)) => {
            let failure = of.error.as_deref().map(|error| failure(error, at.unwrap_or(of.created)));
            Standing::Ended { state: JobState::Failed, at, failure }
        }
        ("" | "CREATED" | "DEPLOYED", None | Some(JobState::Initializing | JobState::Created)) => {
            Standing::Starting
        }
        _ => Standing::AsFlinkSays,
    }
}

/// Somebody wanted it otherwise than it is, and the operator is at it.
pub(super) fn is_changing(of: &Custom) -> bool {
    let busy = |state: &str| matches!(state, "UPGRADING" | "ROLLING_BACK");
    of.behind || busy(&of.lifecycle) || busy(&of.reconciliation)
}

/// Whether these tell of a wanted change that may still be under way; `events` are those of the
/// object. The autoscaler's scalings are such changes.
pub(super) fn tell_of_change<'a>(
    mut events: impl Iterator<Item = &'a EventView>,
    now: i64,
) -> bool {
    events.any(|event| {
        WANTED.contains(&event.reason.as_str()) && now.saturating_sub(event.at) < RECENT_MS
    })
}

/// `status.error`: JSON of the operator's own (`FlinkResourceException`), plain text before.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ResourceError {
    #[serde(rename = "type")]
    class: Option<String>,
    message: Option<String>,
    throwable_list: Option<Vec<ResourceError>>,
}

/// The operator's error as a failure.
pub(super) fn failure(error: &str, at: i64) -> Failure {
    let (class, message) = match serde_json::from_str::<ResourceError>(error) {
        Ok(read) if read.class.is_some() || read.message.is_some() => innermost(read),
        _ => (None, Some(error.to_owned())),
    };
    Failure {
        at,
        task: None,
        class: one_line(class.as_deref().unwrap_or("OperatorError"), 200),
        message: one_line(message.as_deref().unwrap_or_default(), 500),
        frame: None,
        taskmanager: None,
        gave_up: true,
    }
}

/// The last of the causes that says something.
fn innermost(error: ResourceError) -> (Option<String>, Option<String>) {
    let causes = error.throwable_list.unwrap_or_default();
    let says = |cause: &ResourceError| cause.message.as_ref().is_some_and(|m| !m.is_empty());
    match causes.into_iter().rev().find(says) {
        Some(cause) => (cause.class.or(error.class), cause.message),
        None => (error.class, error.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_of_the_operator_are_what_the_model_can_say() {
        type Change<'c> = &'c dyn Fn(&mut Custom);
        let running = Custom {
            lifecycle: "STABLE".to_owned(),
            reconciliation: "DEPLOYED".to_owned(),
            state: Some(JobState::Running),
            update_time: Some(7),
            ..Custom::default()
        };
        let with = |change: Change<'_>| {
            let mut custom = running.clone();
            change(&mut custom);
            standing(&custom)
        };
        let ended = |state| Standing::Ended { state, at: Some(7), failure: None };
        let stopped = Standing::Stopped { at: Some(7) };
        let cases: [(&str, Change<'_>, Standing); 15] = [
            ("runs", &|_| {}, Standing::AsFlinkSays),
            ("unknown words", &|c| c.lifecycle = "HIBERNATING".to_owned(), Standing::AsFlinkSays),
            ("no status yet", &|c| *c = Custom::default(), Standing::Starting),
            (
                "deployed",
                &|c| {
                    c.lifecycle = "DEPLOYED".to_owned();
                    c.state = None;
                },
                Standing::Starting,
            ),
            ("out of sight", &|c| c.state = Some(JobState::Reconciling), Standing::AsFlinkSays),
            ("edited", &|c| c.behind = true, Standing::Changing),
            ("upgrading", &|c| c.lifecycle = "UPGRADING".to_owned(), Standing::Changing),
            ("rolling back", &|c| c.reconciliation = "ROLLING_BACK".to_owned(), Standing::Changing),
            ("rolled back", &|c| c.lifecycle = "ROLLED_BACK".to_owned(), Standing::AsFlinkSays),
            (
                "being suspended",
                &|c| {
                    c.suspended = true;
                    c.lifecycle = "UPGRADING".to_owned();
                },
                Standing::Changing,
            ),
            (
                "suspended",
                &|c| {
                    c.suspended = true;
                    c.lifecycle = "SUSPENDED".to_owned();
                    c.state = Some(JobState::Finished);
                },
                stopped.clone(),
            ),
            ("deleted", &|c| c.deleting = true, stopped),
            ("finished", &|c| c.state = Some(JobState::Finished), ended(JobState::Finished)),
            ("cancelled", &|c| c.state = Some(JobState::Canceled), ended(JobState::Canceled)),
            ("given up", &|c| c.lifecycle = "FAILED".to_owned(), ended(JobState::Failed)),
        ];
        for (name, change, expected) in cases {
            assert_eq!(with(change), expected, "{name}");
        }
    }

    #[test]
    fn only_wanted_changes_are_planned() {
        let event = |reason: &str, at: i64| EventView {
            reason: reason.to_owned(),
            at,
            ..EventView::default()
        };
        for (reason, at, planned) in [
            ("Scaling", 0, true),
            ("SpecChanged", -100_000, true),
            ("Rollback", 5, true),
            ("SpecChanged", -RECENT_MS, false),
            ("RecoverDeployment", 0, false),
            ("RestartUnhealthyJob", 0, false),
            ("JobStatusChanged", 0, false),
            ("ScalingReport", 0, false),
        ] {
            assert_eq!(tell_of_change([event(reason, at)].iter(), 0), planned, "{reason} {at}");
        }
    }

    #[test]
    fn errors_are_read_in_both_forms() {
        let json = r#"{"type":"org.apache.flink.kubernetes.operator.exception.ReconciliationException",
            "message":"java.lang.RuntimeException: x","throwableList":[
            {"type":"org.apache.flink.client.deployment.ClusterDeploymentException","message":"Could not create Kubernetes cluster \"orders\"."},
            {"type":"io.fabric8.kubernetes.client.KubernetesClientException","message":"exceeded quota: compute"},
            {"type":"java.lang.Error","message":""}]}"#;
        let read = failure(json, 9);
        assert_eq!(read.class, "io.fabric8.kubernetes.client.KubernetesClientException");
        assert_eq!(
            (read.message.as_str(), read.at, read.gave_up),
            ("exceeded quota: compute", 9, true)
        );
        for plain in ["Missing JobManager deployment", "{}", "[1]", "{\"type\":3}"] {
            let read = failure(plain, 9);
            assert_eq!((read.class.as_str(), read.message.as_str()), ("OperatorError", plain));
        }
    }
}
