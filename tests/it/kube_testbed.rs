//! The test bed's Kubernetes API server does what other tests rely on.
//!
//! Compiles for many minutes at first: a part of `make e2e`, not of `make test`.

use anyhow::{Result, ensure};
use reqwest::Method;
use serde_json::json;

use crate::testbed::kube::Kube;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1/namespaces/default";

#[tokio::test]
#[ignore = "make e2e: compiles kube-apiserver, takes many minutes"]
async fn the_api_server_keeps_objects_and_checks_rights() -> Result<()> {
    let mut kube = Kube::start(&[("reader-token", "reader")]).await?;
    let map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "session" },
        "data": { "leader": "http://127.0.0.1:8081" } });
    let made = kube.admin(Method::POST, MAPS, Some(&map)).await?;
    let version = made["metadata"]["resourceVersion"].clone();
    let (status, answer) = kube.ask("reader-token", Method::GET, MAPS, None).await?;
    ensure!(status == 403 && answer["reason"] == "Forbidden", "{status}: {answer}");
    let (status, answer) = kube.ask("no-token", Method::GET, MAPS, None).await?;
    ensure!(status == 401 && answer["reason"] == "Unauthorized", "{status}: {answer}");

    let role = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": { "name": "reader" },
        "rules": [{ "apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"] }] });
    kube.admin(Method::POST, &format!("{RBAC}/roles"), Some(&role)).await?;
    let binding = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": { "name": "reader" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader" },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "reader" }] });
    kube.admin(Method::POST, &format!("{RBAC}/rolebindings"), Some(&binding)).await?;
    let one = format!("{MAPS}/session");
    crate::testbed::time::wait_for("rights", std::time::Duration::from_secs(30), || async {
        let (status, _) = kube.ask("reader-token", Method::GET, &one, None).await?;
        Ok((status == 200).then_some(()))
    })
    .await?;

    // Whoever patches what has changed meanwhile is told.
    let patch = json!({ "data": { "leader": "http://127.0.0.1:8082" } });
    kube.admin(Method::PATCH, &one, Some(&patch)).await?;
    let late = json!({ "metadata": { "resourceVersion": version }, "data": { "leader": "-" } });
    let (status, answer) = kube.ask("admin-token", Method::PATCH, &one, Some(&late)).await?;
    ensure!(status == 409 && answer["reason"] == "Conflict", "{status}: {answer}");

    kube.define_flink_kinds().await?;
    let all = "/apis/flink.apache.org/v1beta1/namespaces/default/flinkdeployments";
    let deployment = json!({ "apiVersion": "flink.apache.org/v1beta1", "kind": "FlinkDeployment",
        "metadata": { "name": "orders" }, "spec": { "job": { "state": "running" } } });
    let made = kube.admin(Method::POST, all, Some(&deployment)).await?;
    ensure!(made["metadata"]["generation"] == 1, "{made}");
    let status = json!({ "status": { "lifecycleState": "STABLE", "observedGeneration": 1 } });
    let part = format!("{all}/orders/status");
    let stable = kube.admin(Method::PATCH, &part, Some(&status)).await?;
    ensure!(stable["status"]["lifecycleState"] == "STABLE", "{stable}");
    ensure!(stable["metadata"]["generation"] == 1, "a status is no new generation: {stable}");

    kube.kill9().await?;
    kube.start_again().await?;
    let kept = kube.admin(Method::GET, &one, None).await?;
    ensure!(kept["data"]["leader"] == "http://127.0.0.1:8082", "{kept}");
    ensure!(kube.kubeconfig("reader-token")?.is_file());
    kube.stop().await
}
