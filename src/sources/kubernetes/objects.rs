//! Kubernetes' objects, as narrowly as Weir needs them. Every field is optional, unknown ones are
//! skipped, and a part of an unexpected shape is a part that is not there: one odd object must not
//! cost the listing, and the operator's status is documented as internal.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde_json::Value;

use crate::sources::flink::lenient::{int, text};

/// A part that reads, or none.
fn part<'de, D: Deserializer<'de>, T: DeserializeOwned>(d: D) -> Result<Option<T>, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(d)?).ok())
}

/// The elements that read.
fn list<'de, D: Deserializer<'de>, T: DeserializeOwned>(d: D) -> Result<Vec<T>, D::Error> {
    let all = match Value::deserialize(d)? {
        Value::Array(all) => all,
        _ => Vec::new(),
    };
    Ok(all.into_iter().filter_map(|one| serde_json::from_value(one).ok()).collect())
}

/// A yes or no, also written as a string.
fn flag<'de, D: Deserializer<'de>>(d: D) -> Result<Option<bool>, D::Error> {
    Ok(match Value::deserialize(d)? {
        Value::Bool(flag) => Some(flag),
        Value::String(word) => word.parse().ok(),
        _ => None,
    })
}

/// RFC 3339 as ms since the epoch.
pub(super) fn millis(time: Option<&str>) -> Option<i64> {
    time?.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

macro_rules! objects {
    ($($(#[doc = $doc:literal])* $name:ident($group:literal, $version:literal, $kind:literal, $plural:literal) {
        $($(#[$attribute:meta])* $part:ident: $type:ty),* $(,)?
    })*) => {$(
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Default, serde::Deserialize)]
        #[serde(default, rename_all = "camelCase")]
        pub(super) struct $name {
            pub(super) metadata: ObjectMeta,
            $($(#[$attribute])* pub(super) $part: $type,)*
        }

        impl Resource for $name {
            type DynamicType = ();
            type Scope = NamespaceResourceScope;

            fn kind((): &()) -> Cow<'_, str> {
                $kind.into()
            }
            fn group((): &()) -> Cow<'_, str> {
                $group.into()
            }
            fn version((): &()) -> Cow<'_, str> {
                $version.into()
            }
            fn plural((): &()) -> Cow<'_, str> {
                $plural.into()
            }
            fn meta(&self) -> &ObjectMeta {
                &self.metadata
            }
            fn meta_mut(&mut self) -> &mut ObjectMeta {
                &mut self.metadata
            }
        }
    )*};
}

objects! {
    /// The operator's application or session cluster.
    FlinkDeployment("flink.apache.org", "v1beta1", "FlinkDeployment", "flinkdeployments") {
        #[serde(deserialize_with = "part")]
        spec: Option<FlinkSpec>,
        #[serde(deserialize_with = "part")]
        status: Option<FlinkStatus>,
    }
    /// The operator's job on a session cluster.
    FlinkSessionJob("flink.apache.org", "v1beta1", "FlinkSessionJob", "flinksessionjobs") {
        #[serde(deserialize_with = "part")]
        spec: Option<FlinkSpec>,
        #[serde(deserialize_with = "part")]
        status: Option<FlinkStatus>,
    }
    /// The operator's savepoint or checkpoint (since 1.10).
    FlinkStateSnapshot("flink.apache.org", "v1beta1", "FlinkStateSnapshot", "flinkstatesnapshots") {
        #[serde(deserialize_with = "part")]
        spec: Option<SnapshotSpec>,
        #[serde(deserialize_with = "part")]
        status: Option<SnapshotStatus>,
    }
    /// A `JobManager`, or in the operator's standalone mode its `TaskManagers`.
    Deployment("apps", "v1", "Deployment", "deployments") {
        #[serde(deserialize_with = "part")]
        spec: Option<DeploymentSpec>,
        #[serde(deserialize_with = "part")]
        status: Option<DeploymentStatus>,
    }
    /// A `JobManager` or `TaskManager`.
    Pod("", "v1", "Pod", "pods") {
        #[serde(deserialize_with = "part")]
        status: Option<PodStatus>,
    }
    /// The way to a REST API.
    Service("", "v1", "Service", "services") {
        #[serde(deserialize_with = "part")]
        spec: Option<ServiceSpec>,
        #[serde(deserialize_with = "part")]
        status: Option<ServiceStatus>,
    }
    /// What somebody had to say about an object: a hint, never the truth.
    Event("", "v1", "Event", "events") {
        #[serde(deserialize_with = "part")]
        involved_object: Option<Reference>,
        #[serde(deserialize_with = "text")]
        reason: Option<String>,
        #[serde(rename = "eventTime", deserialize_with = "text")]
        exact_time: Option<String>,
        #[serde(deserialize_with = "text")]
        first_timestamp: Option<String>,
        #[serde(deserialize_with = "text")]
        last_timestamp: Option<String>,
        #[serde(deserialize_with = "part")]
        series: Option<Series>,
    }
}

macro_rules! parts {
    ($($name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty),* $(,)? })*) => {$(
        #[derive(Debug, Clone, Default, serde::Deserialize)]
        #[serde(default, rename_all = "camelCase")]
        pub(super) struct $name {
            $($(#[$attribute])* pub(super) $field: $type,)*
        }
    )*};
}

parts! {
    FlinkSpec {
        #[serde(deserialize_with = "text")]
        deployment_name: Option<String>,
        #[serde(deserialize_with = "part")]
        job: Option<JobSpec>,
        /// Flat or nested.
        flink_configuration: Value,
    }
    JobSpec {
        #[serde(deserialize_with = "text")]
        state: Option<String>,
    }
    FlinkStatus {
        #[serde(deserialize_with = "part")]
        job_status: Option<JobStatus>,
        #[serde(deserialize_with = "text")]
        error: Option<String>,
        #[serde(deserialize_with = "int")]
        observed_generation: Option<i64>,
        #[serde(deserialize_with = "text")]
        lifecycle_state: Option<String>,
        #[serde(deserialize_with = "part")]
        reconciliation_status: Option<Reconciliation>,
    }
    JobStatus {
        #[serde(deserialize_with = "text")]
        job_id: Option<String>,
        #[serde(deserialize_with = "text")]
        job_name: Option<String>,
        #[serde(deserialize_with = "text")]
        state: Option<String>,
        /// Epoch ms, as a string.
        #[serde(deserialize_with = "int")]
        start_time: Option<i64>,
        #[serde(deserialize_with = "int")]
        update_time: Option<i64>,
    }
    Reconciliation {
        #[serde(deserialize_with = "text")]
        state: Option<String>,
    }
    SnapshotSpec {
        #[serde(deserialize_with = "part")]
        job_reference: Option<Reference>,
    }
    SnapshotStatus {
        #[serde(deserialize_with = "text")]
        state: Option<String>,
    }
    Reference {
        #[serde(deserialize_with = "text")]
        kind: Option<String>,
        #[serde(deserialize_with = "text")]
        name: Option<String>,
    }
    Series {
        #[serde(deserialize_with = "text")]
        last_observed_time: Option<String>,
    }
    DeploymentSpec {
        #[serde(deserialize_with = "int")]
        replicas: Option<i64>,
        #[serde(deserialize_with = "part")]
        template: Option<Template>,
    }
    Template {
        #[serde(deserialize_with = "part")]
        spec: Option<PodSpec>,
    }
    PodSpec {
        #[serde(deserialize_with = "list")]
        containers: Vec<Container>,
    }
    Container {
        #[serde(deserialize_with = "list")]
        command: Vec<String>,
        #[serde(deserialize_with = "list")]
        args: Vec<String>,
    }
    DeploymentStatus {
        #[serde(deserialize_with = "int")]
        ready_replicas: Option<i64>,
        #[serde(deserialize_with = "list")]
        conditions: Vec<Condition>,
    }
    Condition {
        #[serde(rename = "type", deserialize_with = "text")]
        kind: Option<String>,
        #[serde(deserialize_with = "text")]
        status: Option<String>,
        #[serde(deserialize_with = "text")]
        reason: Option<String>,
        #[serde(deserialize_with = "text")]
        message: Option<String>,
        #[serde(deserialize_with = "text")]
        last_transition_time: Option<String>,
    }
    PodStatus {
        #[serde(deserialize_with = "text")]
        reason: Option<String>,
        #[serde(deserialize_with = "text")]
        message: Option<String>,
        #[serde(deserialize_with = "text")]
        start_time: Option<String>,
        #[serde(rename = "podIP", deserialize_with = "text")]
        pod_ip: Option<String>,
        #[serde(rename = "hostIP", deserialize_with = "text")]
        host_ip: Option<String>,
        #[serde(deserialize_with = "list")]
        conditions: Vec<Condition>,
        #[serde(deserialize_with = "list")]
        container_statuses: Vec<ContainerStatus>,
        #[serde(deserialize_with = "list")]
        init_container_statuses: Vec<ContainerStatus>,
    }
    ContainerStatus {
        #[serde(deserialize_with = "text")]
        name: Option<String>,
        #[serde(deserialize_with = "flag")]
        ready: Option<bool>,
        #[serde(deserialize_with = "part")]
        state: Option<ContainerState>,
        #[serde(deserialize_with = "part")]
        last_state: Option<ContainerState>,
    }
    ContainerState {
        #[serde(deserialize_with = "part")]
        waiting: Option<Waiting>,
        #[serde(deserialize_with = "part")]
        terminated: Option<Terminated>,
    }
    Waiting {
        #[serde(deserialize_with = "text")]
        reason: Option<String>,
        #[serde(deserialize_with = "text")]
        message: Option<String>,
    }
    Terminated {
        #[serde(deserialize_with = "text")]
        reason: Option<String>,
        #[serde(deserialize_with = "text")]
        message: Option<String>,
        #[serde(deserialize_with = "int")]
        exit_code: Option<i64>,
        #[serde(deserialize_with = "text")]
        finished_at: Option<String>,
    }
    ServiceSpec {
        #[serde(rename = "type", deserialize_with = "text")]
        kind: Option<String>,
        #[serde(deserialize_with = "list")]
        ports: Vec<ServicePort>,
    }
    ServicePort {
        #[serde(deserialize_with = "text")]
        name: Option<String>,
        #[serde(deserialize_with = "int")]
        port: Option<i64>,
        #[serde(deserialize_with = "int")]
        node_port: Option<i64>,
    }
    ServiceStatus {
        #[serde(deserialize_with = "part")]
        load_balancer: Option<LoadBalancer>,
    }
    LoadBalancer {
        #[serde(deserialize_with = "list")]
        ingress: Vec<Ingress>,
    }
    Ingress {
        #[serde(deserialize_with = "text")]
        ip: Option<String>,
        #[serde(deserialize_with = "text")]
        hostname: Option<String>,
    }
}

/// The labels of an object.
pub(super) fn labels(meta: &ObjectMeta) -> BTreeMap<String, String> {
    meta.labels.clone().unwrap_or_default()
}

/// A setting of `flinkConfiguration`, written flat, nested, or half and half.
pub(super) fn setting<'a>(configuration: &'a Value, key: &str) -> Option<&'a Value> {
    let map = configuration.as_object()?;
    if let Some(value) = map.get(key) {
        return Some(value);
    }
    map.iter().find_map(|(name, below)| {
        let rest = key.strip_prefix(name.as_str())?.strip_prefix('.')?;
        setting(below, rest)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_of_an_unknown_version_costs_only_what_cannot_be_read() {
        let odd = json!({
            "apiVersion": "flink.apache.org/v2", "kind": "FlinkDeployment",
            "metadata": { "name": "orders", "namespace": "flink", "generation": 3 },
            "spec": { "job": ["not", "a", "map"], "flinkConfiguration": null, "new": 1 },
            "status": { "jobStatus": { "state": "RUNNING", "startTime": "1700000000000",
                                       "jobId": 7 },
                        "error": { "now": "a map" }, "lifecycleState": "HIBERNATING" }
        });
        let read: FlinkDeployment = serde_json::from_value(odd).unwrap();
        let status = read.status.unwrap();
        let job = status.job_status.unwrap();
        assert_eq!(job.state.as_deref(), Some("RUNNING"));
        assert_eq!((job.start_time, job.job_id.as_deref()), (Some(1_700_000_000_000), Some("7")));
        assert_eq!(status.lifecycle_state.as_deref(), Some("HIBERNATING"));
        assert_eq!(status.error, None);
        assert!(read.spec.unwrap().job.is_none());
        for spec in [json!(null), json!("x"), json!([])] {
            let bare = json!({ "metadata": { "name": "a" }, "spec": spec, "status": spec });
            assert!(serde_json::from_value::<FlinkDeployment>(bare.clone()).is_ok());
            assert!(serde_json::from_value::<Pod>(bare.clone()).is_ok());
            assert!(serde_json::from_value::<Service>(bare).is_ok());
        }
    }

    #[test]
    fn an_odd_element_does_not_cost_its_list() {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": { "name": "a" },
            "status": { "containerStatuses": [ 3, { "name": "flink-main-container", "ready": "true" } ],
                        "conditions": "none" }
        }))
        .unwrap();
        let status = pod.status.unwrap();
        assert_eq!(status.container_statuses.len(), 1);
        assert_eq!(status.container_statuses[0].ready, Some(true));
        assert!(status.conditions.is_empty());
    }

    #[test]
    fn settings_are_found_flat_and_nested() {
        let key = "security.ssl.rest.enabled";
        for configuration in [
            json!({ key: "true" }),
            json!({ "security": { "ssl": { "rest": { "enabled": "true" } } } }),
            json!({ "security.ssl": { "rest.enabled": "true" }, "security": 1 }),
        ] {
            assert_eq!(setting(&configuration, key), Some(&json!("true")), "{configuration}");
        }
        assert_eq!(setting(&json!({ "securityx": { "y": 1 } }), key), None);
        assert_eq!(setting(&json!(null), key), None);
    }

    #[test]
    fn times_are_read_or_left() {
        assert_eq!(millis(Some("2023-11-14T22:13:20Z")), Some(1_700_000_000_000));
        assert_eq!(millis(Some("2023-11-14T22:13:20.5Z")), Some(1_700_000_000_500));
        assert_eq!(millis(Some("yesterday")), None);
        assert_eq!(millis(None), None);
    }
}
