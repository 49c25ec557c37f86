//! Objects: whole manifests as an administrator applies them, and what kubelets and controllers
//! write of a Flink application.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use reqwest::Method;
use serde_json::{Value, json};

use super::Kube;

impl Kube {
    /// Makes everything a manifest holds.
    ///
    /// # Errors
    /// When it cannot be read, or something is refused.
    pub(crate) async fn apply(&self, manifest: &str) -> Result<()> {
        for object in serde_saphyr::from_multiple::<Value>(manifest)? {
            self.make(&object).await?;
        }
        Ok(())
    }

    /// Makes an object, and says its status where it has one.
    ///
    /// # Errors
    /// When it is refused.
    pub(crate) async fn make(&self, object: &Value) -> Result<()> {
        let list = path(object)?;
        self.admin(Method::POST, &list, Some(object)).await?;
        match &object["status"] {
            Value::Null => Ok(()),
            status => self.say(object, status).await,
        }
    }

    /// Says the status of an object.
    ///
    /// # Errors
    /// When it is refused.
    pub(crate) async fn say(&self, object: &Value, status: &Value) -> Result<()> {
        let of_status = format!("{}/{}/status", path(object)?, name(object)?);
        let status = json!({ "status": status });
        self.admin(Method::PATCH, &of_status, Some(&status)).await.map(drop)
    }

    /// Deletes an object at once.
    ///
    /// # Errors
    /// When it is refused.
    pub(crate) async fn delete(&self, object: &Value) -> Result<()> {
        let at = format!("{}/{}?gracePeriodSeconds=0", path(object)?, name(object)?);
        self.admin(Method::DELETE, &at, None).await.map(drop)
    }
}

fn text<'a>(value: &'a Value, what: &str) -> Result<&'a str> {
    value.as_str().with_context(|| format!("an object without {what}"))
}

fn name(object: &Value) -> Result<&str> {
    text(&object["metadata"]["name"], "a name")
}

/// Where objects of its kind are.
fn path(object: &Value) -> Result<String> {
    let version = text(&object["apiVersion"], "a version")?;
    let root = if version == "v1" { "/api" } else { "/apis" };
    let plural = format!("{}s", text(&object["kind"], "a kind")?.to_lowercase());
    let namespace = object["metadata"]["namespace"].as_str();
    let within = namespace.map_or_else(String::new, |n| format!("/namespaces/{n}"));
    Ok(format!("{root}/{version}{within}/{plural}"))
}

/// A native Flink application, in the namespace `flink`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Application {
    /// Its `cluster-id`.
    pub(crate) name: &'static str,
    /// Where its REST API is, on loopback.
    pub(crate) port: u16,
    /// By a load balancer, else by its pod.
    pub(crate) balanced: bool,
}

impl Application {
    fn meta(&self, name: &str, component: &str) -> Value {
        json!({ "name": name, "namespace": "flink", "labels": {
            "app": self.name, "component": component, "type": "flink-native-kubernetes" } })
    }

    /// The `Deployment` of its `JobManager`.
    pub(crate) fn deployment(&self) -> Value {
        let meta = self.meta(self.name, "jobmanager");
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta,
            "spec": {
                "replicas": 1,
                "selector": { "matchLabels": meta["labels"] },
                "template": { "metadata": { "labels": meta["labels"] }, "spec": containers() },
            },
            "status": { "replicas": 1, "readyReplicas": 1, "availableReplicas": 1 },
        })
    }

    /// Its `JobManager`, which runs.
    pub(crate) fn jobmanager(&self) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": self.meta(&format!("{}-7d9c", self.name), "jobmanager"),
            "spec": containers(),
            "status": {
                "phase": "Running", "podIP": "127.0.0.1", "hostIP": "127.0.0.1",
                "conditions": [{ "type": "Ready", "status": "True" }],
                "containerStatuses": [main_container(true, &json!({ "running": {} }))],
            },
        })
    }

    /// Its `TaskManager` that ended so.
    pub(crate) fn dead_taskmanager(&self, reason: &str, exit_code: i32, at: &str) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": self.meta(&format!("{}-taskmanager-1-1", self.name), "taskmanager"),
            "spec": containers(),
            "status": ended(reason, exit_code, at),
        })
    }

    /// The `Service` of its REST API.
    pub(crate) fn service(&self) -> Value {
        let kind = if self.balanced { "LoadBalancer" } else { "ClusterIP" };
        let mut service = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": self.meta(&format!("{}-rest", self.name), "jobmanager"),
            "spec": { "type": kind, "ports": [{ "name": "rest", "port": self.port }] },
        });
        if self.balanced {
            service["status"] = json!({ "loadBalancer": { "ingress": [{ "ip": "127.0.0.1" }] } });
        }
        service
    }

    /// The `FlinkDeployment` an operator made it of.
    pub(crate) fn of_operator(&self, labels: &BTreeMap<&str, &str>) -> Value {
        json!({
            "apiVersion": "flink.apache.org/v1beta1", "kind": "FlinkDeployment",
            "metadata": { "name": self.name, "namespace": "flink", "labels": labels },
            "spec": { "flinkVersion": "v1_20", "job": { "state": "running" } },
            "status": {
                "lifecycleState": "STABLE", "jobManagerDeploymentStatus": "READY",
                "observedGeneration": 1, "reconciliationStatus": { "state": "DEPLOYED" },
                "jobStatus": { "state": "RUNNING", "jobName": "Main" },
            },
        })
    }
}

/// What a kubelet says of a pod whose process ended.
pub(crate) fn ended(reason: &str, exit_code: i32, at: &str) -> Value {
    let state = json!({ "terminated": {
        "reason": reason, "exitCode": exit_code, "startedAt": at, "finishedAt": at } });
    json!({
        "phase": if exit_code == 0 { "Succeeded" } else { "Failed" },
        "conditions": [{ "type": "Ready", "status": "False" }],
        "containerStatuses": [main_container(false, &state)],
    })
}

fn containers() -> Value {
    json!({ "containers": [{
        "name": "flink-main-container", "image": "flink:1.20",
        "args": ["bash", "-c", "kubernetes-jobmanager.sh kubernetes-application"],
    }] })
}

fn main_container(ready: bool, state: &Value) -> Value {
    json!({ "name": "flink-main-container", "image": "flink:1.20", "imageID": "",
        "ready": ready, "restartCount": 0, "state": state })
}
