//! Whether a resource of the Flink Kubernetes Operator may be asked for a restart, and by which patch.
//! Pure. The resource is read leniently: its status is the operator's own affair, and what is not
//! known in it speaks against a restart only where a job could run twice or lose its state.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Order, Started};
use crate::http::one_line;
use crate::model::{JobKey, JobState};

/// Annotation with the handle of the last restart.
pub(super) const MARK: &str = "weir/restart";
/// Children of a `FlinkBlueGreenDeployment` bear it.
const BLUE_GREEN: &str = "flink/blue-green-deployment-type";
/// The operator restarts failed jobs by itself.
const OWN_RESTARTS: [&str; 2] =
    ["kubernetes.operator.job.restart.failed", "kubernetes.operator.cluster.health-check.enabled"];
/// Whole numbers up to here survive every reader of JSON.
const MOST: u64 = (1 << 53) - 1;

/// What is to be done with a resource.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// It bears this order's handle already.
    Marked,
    /// Ask for the restart by this patch; it holds this value at this path when it has worked.
    Patch {
        /// A JSON merge patch, which works on the version that was read and on no other.
        patch: Value,
        /// JSON pointer of the nonce in it.
        nonce_at: &'static str,
        /// The nonce.
        nonce: u64,
    },
    /// Leave it alone.
    Leave(Started),
}

/// Which kind of resource a job is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Deployment,
    SessionJob,
}

impl Kind {
    /// By its key: an application has no session in it.
    pub(super) fn of(order: &Order) -> Kind {
        Kind::of_job(&order.job, &order.cluster, &order.namespace, &order.job_name)
    }

    /// The same of a job with this key, shown by this source under this name.
    pub(super) fn of_job(job: &JobKey, cluster: &str, namespace: &str, name: &str) -> Kind {
        let application = JobKey::new(cluster, namespace, "", name);
        if *job == application { Kind::Deployment } else { Kind::SessionJob }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Deployment => "FlinkDeployment",
            Kind::SessionJob => "FlinkSessionJob",
        }
    }

    pub(super) fn plural(self) -> &'static str {
        match self {
            Kind::Deployment => "flinkdeployments",
            Kind::SessionJob => "flinksessionjobs",
        }
    }
}

/// Whether a resource was asked for this restart already: by its mark or, where somebody has replaced
/// its annotations, by the nonce.
pub(super) fn is_marked(object: &Value, order: &Order) -> bool {
    let (_, present) = nonce_field(object, order);
    object["metadata"]["annotations"][MARK] == *order.handle
        || present.as_u64() == Some(nonce(&order.handle))
}

/// Flink's id of the run the operator shows, if that is not the one which was to be replaced.
pub(super) fn new_run(object: &Value, order: &Order) -> Option<String> {
    let id = object["status"]["jobStatus"]["jobId"].as_str().filter(|id| !id.is_empty())?;
    (order.dead.as_deref() != Some(id)).then(|| id.to_owned())
}

/// Whether this resource may be patched now.
pub(super) fn judge(object: &Value, order: &Order, kind: Kind) -> Verdict {
    if is_marked(object, order) {
        return Verdict::Marked;
    }
    let found = forbidden(object, order, kind).or_else(|| busy(object, order));
    match found {
        Some(leave) => Verdict::Leave(leave),
        None => patch(object, order),
    }
}

/// What speaks against it for good.
fn forbidden(object: &Value, order: &Order, kind: Kind) -> Option<Started> {
    let what = format!("{} {}/{}", kind.name(), order.namespace, order.job_name);
    let refused =
        |why: &str| Some(Started::Refused { error: format!("{what} {why}"), unreadable: false });
    let (meta, spec) = (&object["metadata"], &object["spec"]);
    let job = &spec["job"];
    if !meta["deletionTimestamp"].is_null() {
        return refused("is being deleted");
    }
    let owners = meta["ownerReferences"].as_array().into_iter().flatten();
    if owners.into_iter().any(|owner| owner["kind"] == "FlinkBlueGreenDeployment")
        || !meta["labels"][BLUE_GREEN].is_null()
    {
        return refused(
            "belongs to a FlinkBlueGreenDeployment, which would undo any change of it (restart that \
             one by hand)",
        );
    }
    if job.is_null() {
        return refused("is a session cluster: there is no job in it to restart");
    }
    if kind == Kind::SessionJob {
        let session = spec["deploymentName"].as_str().unwrap_or_default();
        if JobKey::new(&order.cluster, &order.namespace, session, &order.job_name) != order.job {
            return refused(&format!("is a job of the session `{session}`, not {}", order.job));
        }
    }
    if job["state"].as_str().is_some_and(|state| state != "running") {
        return refused("is suspended: somebody wants it so (set `spec.job.state: running`)");
    }
    for key in OWN_RESTARTS {
        if setting(&spec["flinkConfiguration"], key).is_some_and(is_true) {
            return refused(&format!(
                "is restarted by the operator itself (`{key}` is on): two would restart it (switch \
                 one of them off)"
            ));
        }
    }
    let state = object["status"]["jobStatus"]["state"].as_str().map(JobState::parse);
    if matches!(state, Some(JobState::Canceled | JobState::Finished)) {
        return refused("was cancelled or has finished: that was somebody's wish");
    }
    let mode = job["upgradeMode"].as_str().unwrap_or("stateless");
    if order.from.is_none() && mode != "stateless" {
        return refused(&format!(
            "cannot start from nothing: with `upgradeMode: {mode}` the operator looks for state \
             itself (set `upgradeMode: stateless`, or `without_checkpoint: stop`)"
        ));
    }
    None
}

/// Somebody is changing it now, or it runs again.
fn busy(object: &Value, order: &Order) -> Option<Started> {
    let alive = |seen: String| Some(Started::Alive { seen });
    let (meta, status) = (&object["metadata"], &object["status"]);
    let (wanted, observed) = (meta["generation"].as_i64(), status["observedGeneration"].as_i64());
    if observed.is_none() || wanted != observed {
        return alive("the operator has not yet taken up its last change".to_owned());
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for state in [text(&status["reconciliationStatus"]["state"]), text(&status["lifecycleState"])] {
        let idle = ["", "DEPLOYED", "STABLE", "FAILED", "ROLLED_BACK"];
        if !idle.contains(&state.as_str()) {
            return alive(format!("the operator says {}", one_line(&state, 40)));
        }
    }
    let state = text(&status["jobStatus"]["state"]);
    let id = new_run(object, order)?;
    let lives = !state.is_empty() && !JobState::parse(&state).is_terminal();
    if lives { alive(format!("the operator shows {} as {id}", one_line(&state, 40))) } else { None }
}

/// The nonce that asks for it, and what it is now.
fn nonce_field<'a>(object: &'a Value, order: &Order) -> (&'static str, &'a Value) {
    let spec = &object["spec"];
    match order.from {
        Some(_) => ("/spec/job/savepointRedeployNonce", &spec["job"]["savepointRedeployNonce"]),
        None => ("/spec/restartNonce", &spec["restartNonce"]),
    }
}

/// With a path the operator cancels without state and deploys from that path; without one it does
/// what `upgradeMode: stateless` says.
fn patch(object: &Value, order: &Order) -> Verdict {
    let (nonce_at, _) = nonce_field(object, order);
    let nonce = nonce(&order.handle);
    let metadata = json!({
        "resourceVersion": object["metadata"]["resourceVersion"],
        "annotations": { MARK: order.handle },
    });
    let spec = match &order.from {
        Some(path) => json!({ "job": {
            "initialSavepointPath": path,
            "savepointRedeployNonce": nonce,
        } }),
        None => json!({ "restartNonce": nonce }),
    };
    Verdict::Patch { patch: json!({ "metadata": metadata, "spec": spec }), nonce_at, nonce }
}

/// A number above zero that goes with the handle, and with no other one.
fn nonce(handle: &str) -> u64 {
    let digest: [u8; 32] = Sha256::digest(handle.as_bytes()).into();
    let head = digest.iter().take(8).fold(0_u64, |head, byte| head << 8 | u64::from(*byte));
    (head & MOST).max(1)
}

/// A Flink option of the resource, whose names may be written flat, nested, or anything between.
fn setting<'a>(all: &'a Value, key: &str) -> Option<&'a Value> {
    let fields = all.as_object()?;
    if let Some(value) = fields.get(key) {
        return Some(value);
    }
    key.match_indices('.').find_map(|(at, _)| {
        let (head, rest) = (key.get(..at)?, key.get(at + 1..)?);
        setting(fields.get(head)?, rest)
    })
}

fn is_true(value: &Value) -> bool {
    value == true || value.as_str().is_some_and(|text| text.trim().eq_ignore_ascii_case("true"))
}

#[cfg(test)]
#[path = "operator_guard_tests.rs"]
pub(super) mod tests;
