//! What is kept of each object, a few hundred bytes of it. Pure.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::http::one_line;
use crate::model::JobState;

use super::names::Id;
use super::objects::{self, labels, millis};
use super::trouble_of_pod::{self, PodTrouble};

/// Label of the cluster a native object belongs to.
const APP: &str = "app";
/// Longest text kept.
const MAX_TEXT: usize = 2_000;

/// A `JobManager`'s `Deployment`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct JobManager {
    pub(super) labels: BTreeMap<String, String>,
    /// `None`: neither entry point was recognised.
    pub(super) session: Option<bool>,
    /// Wanted.
    pub(super) replicas: i64,
    pub(super) ready: i64,
    pub(super) created: i64,
    /// Why it gets no pods: quota, a rejected template.
    pub(super) trouble: Option<PodTrouble>,
}

/// A pod of a Flink cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct PodView {
    /// `cluster-id` of its Flink cluster.
    pub(super) of: String,
    pub(super) jobmanager: bool,
    pub(super) ready: bool,
    pub(super) ip: Option<String>,
    pub(super) host_ip: Option<String>,
    pub(super) exit_code: Option<i64>,
    pub(super) trouble: Option<PodTrouble>,
}

/// A `FlinkDeployment` or `FlinkSessionJob`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Custom {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) created: i64,
    /// A session cluster: it has no job of its own.
    pub(super) is_session: bool,
    /// Where a `FlinkSessionJob` runs.
    pub(super) on: Option<String>,
    pub(super) suspended: bool,
    pub(super) deleting: bool,
    /// The operator has not looked at the newest version of it yet.
    pub(super) behind: bool,
    pub(super) lifecycle: String,
    pub(super) reconciliation: String,
    pub(super) error: Option<String>,
    pub(super) job_id: Option<String>,
    pub(super) job_name: Option<String>,
    pub(super) state: Option<JobState>,
    pub(super) start_time: Option<i64>,
    pub(super) update_time: Option<i64>,
    /// `security.ssl.rest.enabled`.
    pub(super) tls: bool,
}

/// A `FlinkStateSnapshot` that is on its way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct SnapshotView {
    pub(super) kind: String,
    pub(super) of: String,
}

/// The `Service` of a REST API.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ServiceView {
    pub(super) kind: String,
    pub(super) port: u16,
    pub(super) node_port: Option<u16>,
    pub(super) ingress: Vec<String>,
}

/// What was said of an object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct EventView {
    pub(super) kind: String,
    pub(super) of: String,
    pub(super) reason: String,
    pub(super) at: i64,
}

/// Namespace and name; an object without is none.
pub(super) fn id(meta: &ObjectMeta) -> Option<Id> {
    Some(Id::new(meta.namespace.as_deref()?, meta.name.as_deref()?))
}

fn created(meta: &ObjectMeta) -> i64 {
    meta.creation_timestamp.as_ref().map_or(0, |t| t.0.as_millisecond())
}

fn cut(text: Option<String>) -> Option<String> {
    text.filter(|t| !t.is_empty())
        .map(|t| if t.len() > MAX_TEXT { t.chars().take(MAX_TEXT).collect() } else { t })
}

/// A `Deployment` of `TaskManagers` (standalone mode) is none.
pub(super) fn jobmanager(of: objects::Deployment) -> Option<JobManager> {
    let labels = labels(&of.metadata);
    if labels.get("component").is_some_and(|component| component != "jobmanager") {
        return None;
    }
    let spec = of.spec.unwrap_or_default();
    let pod = spec.template.and_then(|template| template.spec).unwrap_or_default();
    let words: Vec<&str> = pod
        .containers
        .iter()
        .flat_map(|container| container.command.iter().chain(&container.args))
        .flat_map(|argument| argument.split_whitespace())
        .collect();
    let says = |entry: &[&str]| words.iter().any(|word| entry.contains(word));
    let session = if says(&["kubernetes-application", "standalone-job"]) {
        Some(false)
    } else if says(&["kubernetes-session", "jobmanager"]) {
        Some(true)
    } else {
        None
    };
    let status = of.status.unwrap_or_default();
    let failed = status.conditions.into_iter().find(|c| {
        c.kind.as_deref() == Some("ReplicaFailure") && c.status.as_deref() == Some("True")
    });
    let name = of.metadata.name.clone().unwrap_or_default();
    Some(JobManager {
        session,
        replicas: spec.replicas.unwrap_or(1),
        ready: status.ready_replicas.unwrap_or(0),
        created: created(&of.metadata),
        trouble: failed.map(|c| PodTrouble {
            pod: name,
            reason: c.reason.unwrap_or_else(|| "FailedCreate".to_owned()),
            message: one_line(&c.message.unwrap_or_default(), 300),
            at: millis(c.last_transition_time.as_deref()).unwrap_or(0),
            blocks: true,
        }),
        labels,
    })
}

/// A pod without the label of a Flink cluster is none.
pub(super) fn pod(of: objects::Pod) -> Option<PodView> {
    let labels = labels(&of.metadata);
    let status = of.status.unwrap_or_default();
    let name = of.metadata.name.as_deref().unwrap_or_default();
    let trouble = trouble_of_pod::of_pod(name, created(&of.metadata), &status);
    let is_ready = |c: &objects::Condition| {
        c.kind.as_deref() == Some("Ready") && c.status.as_deref() == Some("True")
    };
    // A pod that is told to go is no address any more.
    let going = of.metadata.deletion_timestamp.is_some();
    Some(PodView {
        of: labels.get(APP).cloned()?,
        jobmanager: labels.get("component").is_some_and(|c| c == "jobmanager"),
        ready: !going && status.conditions.iter().any(is_ready),
        exit_code: trouble_of_pod::exit_code(&status),
        ip: status.pod_ip,
        host_ip: status.host_ip,
        trouble,
    })
}

/// A `FlinkDeployment`.
pub(super) fn deployment(of: objects::FlinkDeployment) -> Custom {
    let is_session = of.spec.as_ref().is_some_and(|spec| spec.job.is_none());
    Custom { is_session, on: None, ..custom(&of.metadata, of.spec, of.status) }
}

/// A `FlinkSessionJob`.
pub(super) fn session_job(of: objects::FlinkSessionJob) -> Custom {
    custom(&of.metadata, of.spec, of.status)
}

fn custom(
    meta: &ObjectMeta,
    spec: Option<objects::FlinkSpec>,
    status: Option<objects::FlinkStatus>,
) -> Custom {
    let (spec, status) = (spec.unwrap_or_default(), status.unwrap_or_default());
    let wanted = spec.job.as_ref().and_then(|job| job.state.as_deref());
    let job = status.job_status.unwrap_or_default();
    let observed = status.observed_generation;
    let tls = objects::setting(&spec.flink_configuration, "security.ssl.rest.enabled");
    Custom {
        created: created(meta),
        is_session: false,
        on: spec.deployment_name.filter(|name| !name.is_empty()),
        suspended: wanted.is_some_and(|state| state.eq_ignore_ascii_case("suspended")),
        deleting: meta.deletion_timestamp.is_some(),
        behind: matches!((meta.generation, observed), (Some(is), Some(seen)) if seen < is),
        lifecycle: status.lifecycle_state.unwrap_or_default(),
        reconciliation: status.reconciliation_status.and_then(|r| r.state).unwrap_or_default(),
        error: cut(status.error),
        job_id: job.job_id.filter(|id| !id.is_empty()),
        job_name: job.job_name.filter(|name| !name.is_empty()),
        state: job.state.map(|state| JobState::parse(&state)).filter(|s| *s != JobState::Unknown),
        start_time: job.start_time.filter(|t| *t > 0),
        update_time: job.update_time.filter(|t| *t > 0),
        tls: tls.is_some_and(|t| t.as_bool() == Some(true) || t.as_str() == Some("true")),
        labels: labels(meta),
    }
}

/// A savepoint of an upgrade that is being taken; any other snapshot says nothing new.
pub(super) fn snapshot(of: objects::FlinkStateSnapshot) -> Option<SnapshotView> {
    let labels = labels(&of.metadata);
    let kind = labels.get("snapshot.trigger-type").map(String::as_str).unwrap_or_default();
    let state = of.status.and_then(|status| status.state).unwrap_or_default();
    let pending = matches!(state.as_str(), "TRIGGER_PENDING" | "IN_PROGRESS");
    let job = of.spec?.job_reference?;
    let upgrade = kind.eq_ignore_ascii_case("upgrade");
    (upgrade && pending).then_some(SnapshotView { kind: job.kind?, of: job.name? })
}

/// A `Service` that leads to a REST API: by the name of its port, and Flink's for its own name.
pub(super) fn service(of: objects::Service) -> Option<ServiceView> {
    let spec = of.spec.unwrap_or_default();
    let name = of.metadata.name.unwrap_or_default();
    let named = spec.ports.iter().find(|port| port.name.as_deref() == Some("rest"));
    let only = Some(&spec.ports).filter(|p| p.len() == 1 && name.ends_with("-rest"));
    let port = named.or_else(|| only?.first())?;
    let fit = |port: Option<i64>| port.and_then(|p| u16::try_from(p).ok()).filter(|p| *p > 0);
    let balancer = of.status.and_then(|s| s.load_balancer).unwrap_or_default();
    Some(ServiceView {
        kind: spec.kind.unwrap_or_else(|| "ClusterIP".to_owned()),
        port: fit(port.port)?,
        node_port: fit(port.node_port),
        ingress: balancer.ingress.into_iter().filter_map(|i| i.ip.or(i.hostname)).take(4).collect(),
    })
}

/// An event about an object that has a name.
pub(super) fn event(of: objects::Event) -> Option<EventView> {
    let about = of.involved_object?;
    let newest = [
        of.series.as_ref().and_then(|s| s.last_observed_time.as_deref()),
        of.last_timestamp.as_deref(),
        of.exact_time.as_deref(),
        of.first_timestamp.as_deref(),
    ];
    let at = newest.into_iter().find_map(millis).unwrap_or_else(|| created(&of.metadata));
    Some(EventView { kind: about.kind?, of: about.name?, reason: one_line(&of.reason?, 80), at })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn entry_points_tell_sessions_from_applications() {
        let of = |component: &str, args: Value| {
            jobmanager(read(json!({
                "metadata": { "name": "a", "labels": { "app": "a", "component": component } },
                "spec": { "template": { "spec": { "containers": [
                    { "command": ["/docker-entrypoint.sh"], "args": args } ] } } }
            })))
        };
        for (args, session) in [
            (
                json!(["bash", "-c", "kubernetes-jobmanager.sh kubernetes-application "]),
                Some(false),
            ),
            (json!(["bash", "-c", "kubernetes-jobmanager.sh kubernetes-session"]), Some(true)),
            (json!(["standalone-job", "--job-classname", "x"]), Some(false)),
            (json!(["jobmanager"]), Some(true)),
            (json!(["run.sh"]), None),
        ] {
            assert_eq!(of("jobmanager", args.clone()).unwrap().session, session, "{args}");
        }
        assert_eq!(of("taskmanager", json!(["taskmanager"])), None);
    }

    #[test]
    fn a_deployment_that_gets_no_pods_says_why() {
        let quota = jobmanager(read(json!({
            "metadata": { "name": "a" },
            "spec": { "replicas": 1 },
            "status": { "conditions": [ { "type": "ReplicaFailure", "status": "True",
                "reason": "FailedCreate", "message": "exceeded quota: compute",
                "lastTransitionTime": "2023-11-14T22:13:20Z" } ] }
        })))
        .unwrap();
        let trouble = quota.trouble.unwrap();
        assert_eq!((trouble.reason.as_str(), trouble.at), ("FailedCreate", 1_700_000_000_000));
        assert!(trouble.message.contains("exceeded quota"));
    }

    #[test]
    fn custom_objects_are_read_as_the_operator_writes_them() {
        let orders = deployment(read(json!({
            "metadata": { "name": "orders", "namespace": "flink", "generation": 3,
                          "labels": { "team": "shop" } },
            "spec": { "job": { "state": "suspended" },
                      "flinkConfiguration": { "security.ssl.rest.enabled": "true" } },
            "status": { "observedGeneration": 2, "lifecycleState": "UPGRADING",
                        "reconciliationStatus": { "state": "UPGRADING" }, "error": "",
                        "jobStatus": { "jobId": "aa", "jobName": "Orders", "state": "RUNNING",
                                       "startTime": "5", "updateTime": "7" } }
        })));
        assert!(orders.suspended && orders.behind && orders.tls && !orders.is_session);
        assert_eq!(orders.state, Some(JobState::Running));
        assert_eq!((orders.start_time, orders.update_time), (Some(5), Some(7)));
        assert_eq!((orders.error, orders.lifecycle.as_str()), (None, "UPGRADING"));
        let session = deployment(read(json!({ "metadata": { "name": "s" }, "spec": {} })));
        assert!(session.is_session && !session.behind && !session.tls);
        let unread = deployment(read(json!({ "metadata": { "name": "s" }, "spec": 3 })));
        assert!(!unread.is_session, "what cannot be read is not called a session");
        let job = session_job(read(json!({
            "metadata": { "name": "j" }, "spec": { "deploymentName": "s", "job": {} },
            "status": { "jobStatus": { "state": "DREAMING" } }
        })));
        assert_eq!((job.on.as_deref(), job.state), (Some("s"), None));
    }

    #[test]
    fn services_lead_to_a_rest_api() {
        let of = |name: &str, ports: Value| {
            service(read(json!({
                "metadata": { "name": name },
                "spec": { "type": "NodePort", "ports": ports },
                "status": { "loadBalancer": { "ingress": [ { "hostname": "lb.example.com" } ] } }
            })))
        };
        let rest = of("a-rest", json!([ { "name": "rest", "port": 8081, "nodePort": 30081 } ]));
        let rest = rest.unwrap();
        assert_eq!((rest.port, rest.node_port), (8081, Some(30_081)));
        assert_eq!(rest.ingress, ["lb.example.com"]);
        assert_eq!(of("a-rest", json!([ { "port": 80 } ])).unwrap().port, 80);
        assert_eq!(of("a", json!([ { "name": "blobserver", "port": 6124 } ])), None);
        assert_eq!(of("a-rest", json!([ { "port": 99_999 } ])), None);
    }

    #[test]
    fn only_the_savepoint_of_an_upgrade_is_of_interest() {
        let of = |trigger: &str, state: &str| {
            snapshot(read(json!({
                "metadata": { "name": "x", "labels": { "snapshot.trigger-type": trigger } },
                "spec": { "jobReference": { "kind": "FlinkDeployment", "name": "orders" } },
                "status": { "state": state }
            })))
        };
        assert_eq!(of("UPGRADE", "IN_PROGRESS").unwrap().of, "orders");
        assert_eq!(of("PERIODIC", "IN_PROGRESS"), None);
        assert_eq!(of("UPGRADE", "COMPLETED"), None);
    }

    #[test]
    fn events_bear_their_newest_time() {
        let of = |times: Value| {
            let mut value = json!({ "metadata": { "name": "e" }, "reason": "Scaling",
                "involvedObject": { "kind": "FlinkDeployment", "name": "orders" } });
            value.as_object_mut().unwrap().extend(times.as_object().unwrap().clone());
            event(read(value)).unwrap().at
        };
        let (first, last) = ("2023-11-14T22:13:20Z", "2023-11-14T22:13:30Z");
        assert_eq!(of(json!({ "firstTimestamp": first })), 1_700_000_000_000);
        assert_eq!(
            of(json!({ "firstTimestamp": first, "lastTimestamp": last })),
            1_700_000_010_000
        );
        assert_eq!(
            of(json!({ "eventTime": first, "series": { "lastObservedTime": last } })),
            1_700_000_010_000
        );
        assert_eq!(of(json!({})), 0);
    }
}
