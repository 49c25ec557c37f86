use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use tempfile::TempDir;

use super::fake::{Fake, deployment, pod};
use super::*;
use crate::model::{Completeness, JobState};

/// A `JobManager` with one job that runs.
async fn flink() -> SocketAddr {
    let jobs = r#"{"jobs":[{"jid":"00000000000000000000000000000001","name":"Orders v3",
        "state":"RUNNING","start-time":1700000000000,"end-time":-1,"duration":1000,
        "last-modification":1700000000500,"tasks":{"total":2,"running":2}}]}"#;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/jobs/overview", get(move || async move { jobs }));
    tokio::spawn(axum::serve(listener, router).into_future().map(drop));
    address
}

fn source(fake: &Fake, rest: &str) -> (KubernetesSource, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("kubeconfig");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: a\n\
         clusters: [{{ name: a, cluster: {{ server: 'http://{}' }} }}]\n\
         users: [{{ name: a, user: {{ token: secret }} }}]\n\
         contexts: [{{ name: a, context: {{ cluster: a, user: a }} }}]\n",
        fake.address
    );
    std::fs::write(&file, text).unwrap();
    let config = KubernetesConfig {
        name: "tke".to_owned(),
        namespaces: vec!["flink".to_owned()],
        kubeconfig_file: Some(file),
        object_labels: vec!["team".to_owned()],
        rest_url: Some(rest.to_owned()),
        ..KubernetesConfig::default()
    };
    (KubernetesSource::new(config, Duration::from_secs(5), "test").unwrap(), dir)
}

async fn look(source: &mut KubernetesSource) -> Snapshot {
    let demand = Demand::default();
    let look = source.poll(&demand, Time::at(1_700_000_001_000));
    tokio::time::timeout(Duration::from_mins(1), look).await.unwrap()
}

fn states(snapshot: &Snapshot) -> Vec<(&str, JobState)> {
    snapshot.runs.iter().map(|run| (run.key.0.as_str(), run.state)).collect()
}

#[tokio::test]
async fn jobs_are_found_named_and_asked_for() {
    let (fake, flink) = (Fake::start().await, flink().await);
    fake.holds("deployments", vec![deployment("orders", 1)]);
    fake.holds("pods", vec![pod("orders-1", "orders", None)]);
    let (mut source, _dir) = source(&fake, &format!("http://{flink}"));
    let snapshot = look(&mut source).await;
    assert_eq!(snapshot.completeness, Completeness::Complete);
    assert_eq!(states(&snapshot), [("tke/flink/orders", JobState::Running)]);
    let run = &snapshot.runs[0];
    assert_eq!((run.flink_job_name.as_str(), run.labels.get("team")), ("Orders v3", "shop"));
    assert_eq!((run.namespace.as_str(), run.flink_cluster.as_str()), ("flink", "orders"));
    let asked = fake.lists("deployments");
    for _ in 0..3 {
        assert_eq!(states(&look(&mut source).await).len(), 1);
    }
    assert_eq!(fake.lists("deployments"), asked, "a poll asks the API server nothing");
}

#[tokio::test]
async fn a_pod_that_cannot_start_is_news_and_a_deployment_that_ended_is_not_a_loss() {
    let (fake, flink) = (Fake::start().await, flink().await);
    fake.holds("deployments", vec![deployment("orders", 1)]);
    fake.holds("pods", vec![pod("orders-1", "orders", None)]);
    let (mut source, _dir) = source(&fake, &format!("http://{flink}"));
    look(&mut source).await;
    let running = states(&look(&mut source).await).len();
    assert_eq!(running, 1);
    let waits = pod("orders-1", "orders", Some("ImagePullBackOff"));
    fake.tells("pods", "MODIFIED", &waits);
    heard(&source, |store| store::rows(&store.pods).all(|(_, pod)| !pod.ready)).await;
    let stuck = look(&mut source).await;
    assert_eq!(states(&stuck), [("tke/flink/orders", JobState::Restarting)]);
    assert_eq!(stuck.runs[0].failures.fresh().unwrap()[0].class, "ImagePullBackOff");
    let mut ended = pod("orders-1", "orders", None);
    ended["status"]["containerStatuses"][0]["state"] =
        serde_json::json!({ "terminated": { "exitCode": 0 } });
    fake.tells("pods", "DELETED", &ended);
    heard(&source, |store| store::rows(&store.pods).next().is_none()).await;
    fake.tells("deployments", "DELETED", &deployment("orders", 0));
    heard(&source, |store| store::rows(&store.jobmanagers).next().is_none()).await;
    let ended = look(&mut source).await;
    assert_eq!(states(&ended), [("tke/flink/orders", JobState::Finished)]);
    assert_eq!(ended.completeness, Completeness::Complete);
}

/// Waits until the watches have told so.
async fn heard(source: &KubernetesSource, is_so: impl Fn(&store::Store) -> bool) {
    let shared = &source.shared;
    let wait = async {
        loop {
            let changed = shared.changed.notified();
            if is_so(&shared.lock()) {
                return;
            }
            changed.await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap();
}

#[tokio::test]
async fn what_is_refused_is_said_and_nothing_is_lost() {
    let (fake, flink) = (Fake::start().await, flink().await);
    fake.refuses("deployments", 401, "Unauthorized");
    let (mut source, _dir) = source(&fake, &format!("http://{flink}"));
    let Completeness::Failed { error, .. } = look(&mut source).await.completeness else { panic!() };
    assert!(error.contains("refuses Weir's credentials (401)"), "{error}");
    let (mut away, _dir) = self::source(&fake, "http://127.0.0.1:1");
    fake.allows("deployments");
    fake.holds("deployments", vec![deployment("orders", 1)]);
    let Completeness::Failed { error, .. } = look(&mut away).await.completeness else { panic!() };
    assert!(error.contains("the only Flink cluster does not answer"), "{error}");
    fake.refuses("flinkdeployments", 403, "no");
    let (mut half, _dir) = self::source(&fake, &format!("http://{flink}"));
    let seen = look(&mut half).await;
    assert_eq!(states(&seen), [("tke/flink/orders", JobState::Running)]);
    let Completeness::Partial { reason } = seen.completeness else { panic!() };
    assert!(
        reason.contains("may not list and watch flinkdeployments.flink.apache.org"),
        "{reason}"
    );
}
