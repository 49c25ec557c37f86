//! Weir itself beside a real API server: what it may not see, why pods died, and an API server that
//! is killed. Flink is the stand-in; it stands behind real Services and pods.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use reqwest::Method;
use serde_json::{Value, json};

use crate::testbed::fleet::{Failure, Fault, Fleet, FleetOptions, Version};
use crate::testbed::kube::Kube;
use crate::testbed::kube::objects::{Application, ended};
use crate::testbed::net::Served;
use crate::testbed::table::Rows;
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;
use crate::testbed::{http, story, time};

const WHO: &str = "system:serviceaccount:weir:weir";
const ROLE: &str = include_str!("../../deploy/kubernetes/read-only.yaml");
const RULES: &str = "
groups:
  - name: kube
    rules:
      - { alert: JobFailed, when: { job_state: { any_of: [FAILED] } }, labels: { severity: critical } }
      - { alert: JobMissing, when: { job_missing: {} }, labels: { severity: critical } }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "make e2e: compiles kube-apiserver, takes many minutes"]
async fn jobs_are_found_explained_and_never_lost() -> Result<()> {
    let mut kube = Kube::start(&[("weir-token", WHO)]).await?;
    kube.define_flink_kinds().await?;
    for name in ["flink", "weir"] {
        kube.make(
            &json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } }),
        )
        .await?;
    }
    let options = FleetOptions {
        job_name: |_, _| "Main".to_owned(),
        ..FleetOptions::of(3, 1, Version::V1_20)
    };
    let fleet = Fleet::start(options).await?;
    let [orders_at, clicks_at, batch_at] =
        [front(&fleet, 0).await?, front(&fleet, 1).await?, front(&fleet, 2).await?];
    let application = |name, served: &Served, balanced| {
        let port = served.addr().port();
        Application { name, port, balanced }
    };
    let orders = application("orders", &orders_at, true);
    let clicks = application("clicks", &clicks_at, false);
    let batch = application("batch", &batch_at, false);
    for one in [&orders, &clicks, &batch] {
        kube.make(&one.service()).await?;
        kube.make(&one.deployment()).await?;
        kube.make(&one.jobmanager()).await?;
    }
    kube.make(&orders.of_operator(&BTreeMap::from([("team", "shop")]))).await?;

    let dir = tempfile::tempdir()?;
    let hook = Webhook::start(WebhookOptions::default()).await?;
    std::fs::write(dir.path().join("rules.yaml"), RULES)?;
    let config = format!(
        r#"
poll: {{ interval: 1s, timeout: 2s }}
rule_files: ["rules.yaml"]
route: {{ receiver: team, group_wait: 0s, group_interval: 1s }}
receivers:
  - name: team
    channels:
      - webhook: {{ url: "{}" }}
sources:
  - kubernetes: {{ name: tke, namespaces: [flink], kubeconfig_file: "{}", object_labels: [team] }}
"#,
        hook.url(),
        kube.kubeconfig("weir-token")?.display()
    );
    let mut rows = Rows::of("Kubernetes", &kube.version().await?);
    let started = time::now();
    let weir = Weir::start(crate::binary(), dir.path(), &config).await?;

    // Without rights it says which.
    let refused = format!("{WHO} may not list deployments.apps in namespace flink (403)");
    let is_named = |source: &Value| {
        let error = source["error"].as_str().unwrap_or_default();
        error.contains(&refused)
            && error.contains("Role `weir` of deploy/kubernetes/read-only.yaml")
    };
    let found = story::until(&weir, "named refusal", "sources", |s| s.iter().any(is_named)).await?;
    let said = found[0]["error"].as_str().unwrap_or_default();
    rows.add("Weir's account has no rights (403)", said, time::since(started));

    kube.apply(ROLE).await?;
    // Rights come one by one: the operator's object, which has the team, may come last.
    let all_run = |jobs: &[Value]| {
        let run = jobs.iter().all(|job| job["state"] == "RUNNING");
        let has_team = |job: &Value| job["name"] != "orders" || job["labels"]["team"] == "shop";
        jobs.len() == 3 && run && jobs.iter().all(has_team)
    };
    let jobs = story::until(&weir, "jobs", "jobs", all_run).await?;
    let first = jobs.iter().find(|job| job["name"] == "orders").context("no orders")?;
    ensure!(first["key"] == "tke/flink/orders" && first["namespace"] == "flink", "{first:#}");
    ensure!(first["flink_job_name"] == "Main" && first["labels"]["team"] == "shop", "{first:#}");
    may_only_read(&kube).await?;

    // One Flink takes questions and never answers: it is unknown, and the others are as fresh.
    fleet.cluster_fault(2, Some(Fault::Hang));
    story::until(&weir, "unknown job", "jobs", |jobs| {
        jobs.len() == 3 && jobs.iter().all(|job| (job["stale"] == true) == (job["name"] == "batch"))
    })
    .await?;

    // A pod says what Flink cannot know.
    let now = rfc3339(time::now_ms());
    kube.make(&orders.dead_taskmanager("OOMKilled", 137, &now)).await?;
    story::after_polls(&weir, 1).await?;
    let lost = "Connection unexpectedly closed by remote task manager 'orders-taskmanager-1-1'";
    let class = "org.apache.flink.runtime.io.network.netty.exception.RemoteTransportException";
    let killed = time::now_ms();
    fleet.kill_job(0, 0, &Failure::new(class, lost));
    let of_orders = |incidents: &[Value]| {
        let is_it = |i: &Value| {
            i["job"] == "tke/flink/orders" && i.to_string().contains("OOMKilled (pod orders-task")
        };
        incidents.iter().any(is_it)
    };
    story::until(&weir, "root cause", "incidents", of_orders).await?;
    let said = hook.wait_for(|r| r.raw.contains("OOMKilled"), story::SOON).await;
    ensure!(said.is_some(), "nobody was told\n{}", weir.log_tail());
    let what = "a TaskManager's pod is OOMKilled, and its job fails";
    story::record(&mut rows, what, &hook, ("JobFailed", false), killed).await?;
    fleet.cluster_fault(2, None);
    let fresh = |jobs: &[Value]| jobs.len() == 3 && jobs.iter().all(|job| job["stale"] == false);
    story::until(&weir, "all jobs", "jobs", fresh).await?;

    // Without the API server, Flinks are asked all the same.
    kube.kill9().await?;
    let killed = time::now();
    let gone = |sources: &[Value]| {
        let error = sources[0]["error"].as_str().unwrap_or_default();
        sources[0]["up"] == false && error.contains("cannot reach the API server")
    };
    let found = story::until(&weir, "named outage", "sources", gone).await?;
    let said = found[0]["error"].as_str().unwrap_or_default();
    rows.add("the API server is killed, Flink runs on", said, time::since(killed));
    fleet.kill_job(1, 0, &Failure::new("com.example.BadRecord", "bad price"));
    let said = hook.wait_for(|r| r.raw.contains("bad price"), story::SOON).await;
    ensure!(said.is_some(), "nobody was told\n{}", weir.log_tail());
    story::after_polls(&weir, 3).await?;
    ensure!(story::list(&weir, "jobs").await?.len() == 3, "a job was lost with the API server");
    kube.start_again().await?;
    story::until(&weir, "its return", "sources", |s| s[0]["up"] == true).await?;
    story::after_polls(&weir, 3).await?;
    story::until(&weir, "all jobs again", "jobs", fresh).await?;

    // An application that ends takes its Deployment along.
    let gone = batch.jobmanager();
    kube.say(&gone, &ended("Completed", 0, &rfc3339(time::now_ms()))).await?;
    kube.delete(&gone).await?;
    kube.delete(&batch.deployment()).await?;
    story::until(&weir, "its end", "jobs", |jobs| {
        jobs.iter().any(|job| job["name"] == "batch" && job["state"] == "FINISHED")
    })
    .await?;
    story::after_polls(&weir, 3).await?;
    let missed = hook.received().iter().any(|r| r.raw.contains("JobMissing"));
    ensure!(!missed, "a job was missed\n{}", weir.log_tail());
    weir.stop().await?;
    kube.stop().await?;
    rows.write()
}

/// As the user of the manifest: reads what it needs, and nothing else.
async fn may_only_read(kube: &Kube) -> Result<()> {
    let crs = "/apis/flink.apache.org/v1beta1/namespaces/flink/flinkdeployments";
    let map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "x" } });
    let suspended = json!({ "spec": { "job": { "state": "suspended" } } });
    for (method, path, body, expected) in [
        (Method::GET, crs.to_owned(), None, 200),
        (Method::PATCH, format!("{crs}/orders"), Some(&suspended), 403),
        (Method::DELETE, format!("{crs}/orders"), None, 403),
        (Method::POST, "/api/v1/namespaces/flink/configmaps".to_owned(), Some(&map), 403),
        (Method::GET, "/api/v1/namespaces/flink/secrets".to_owned(), None, 403),
        (Method::GET, "/api/v1/namespaces/default/pods".to_owned(), None, 403),
    ] {
        let (status, answer) = kube.ask("weir-token", method, &path, body).await?;
        ensure!(status == expected, "{path} answered {status}: {answer}");
    }
    Ok(())
}

fn rfc3339(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map(|at| format!("{at:.0}")).unwrap_or_default()
}

/// A cluster of the fleet on a port of its own.
async fn front(fleet: &Fleet, cluster: usize) -> Result<Served> {
    let to = Arc::new((http::client_that_stays(), fleet.url(cluster)));
    Served::start(Router::new().fallback(forward).with_state(to)).await
}

async fn forward(State(to): State<Arc<(reqwest::Client, String)>>, request: Request) -> Response {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let Ok(answer) = to.0.get(format!("{}{path}", to.1)).send().await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let status = answer.status();
    let body = answer.bytes().await.unwrap_or_default();
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}
