//! The Flink source against `JobManagers` that answer well, badly, or not at all.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod fake;
mod tls;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect};
use axum::routing::get;
use futures_util::{StreamExt, stream};
use weir::model::{
    Across, Completeness, Demand, JobState, MetricQuery, MetricScope, Seen, Snapshot, Time,
    Vertices,
};
use weir::sources::Source;
use weir::sources::flink::{FlinkConfig, FlinkSource};

use fake::{Fake, serve};

const ALL: Demand = Demand {
    counters: true,
    checkpoints: true,
    failures: true,
    lag: true,
    job_type: false,
    applications: false,
    metrics: std::collections::BTreeMap::new(),
    ends: Vec::new(),
};
const NOW: i64 = 1_795_219_703_000;

fn source(config: FlinkConfig) -> FlinkSource {
    FlinkSource::new(config, Duration::from_millis(400), "test").unwrap()
}

fn at(url: &str) -> FlinkSource {
    source(FlinkConfig::at("prod", vec![url.to_owned()]))
}

fn yaml(text: &str) -> FlinkConfig {
    serde_saphyr::from_str(text).unwrap()
}

async fn poll(source: &mut FlinkSource, millis: i64) -> Snapshot {
    source.poll(&ALL, Time::at(millis)).await
}

/// Polls a server whose every answer is the same; it has to fail.
async fn failure(router: Router) -> (String, bool) {
    let url = serve(router).await;
    let snapshot = poll(&mut at(&format!("{url}/?x#y").replace("/?x#y", "")), NOW).await;
    let Completeness::Failed { error, starting } = snapshot.completeness else {
        panic!("{:?}", snapshot.completeness)
    };
    assert!(error.chars().count() < 800 && !error.contains('\n'), "{error}");
    assert!(snapshot.runs.is_empty());
    (error, starting)
}

#[tokio::test]
async fn a_page_is_no_listing() {
    let page = || async { Html("<html><title>Sign in</title>".to_owned() + &"x".repeat(9999)) };
    let (error, starting) = failure(Router::new().fallback(page)).await;
    assert!(error.contains("text/html") && error.contains("Sign in"), "{error}");
    assert!(error.contains("login page") && !starting, "{error}");
}

#[tokio::test]
async fn json_cut_short_is_no_listing() {
    let (error, _) = failure(Router::new().fallback(|| async { r#"{"jobs":[{"jid":"a""# })).await;
    assert!(error.contains("cannot be read"), "{error}");
    // An empty object must not pass for a cluster without jobs.
    let (error, _) = failure(Router::new().fallback(|| async { "{}" })).await;
    assert!(error.contains("missing field `jobs`"), "{error}");
}

#[tokio::test]
async fn a_huge_body_is_not_read_to_its_end() {
    let sent = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&sent);
    let huge = move || {
        let count = Arc::clone(&count);
        let chunk = Bytes::from(vec![b' '; 1024 * 1024]);
        let body = stream::repeat(chunk).take(100).map(move |chunk| {
            count.fetch_add(1, Ordering::Relaxed);
            Ok::<_, std::io::Error>(chunk)
        });
        async move { Body::from_stream(body) }
    };
    let url = serve(Router::new().fallback(huge)).await;
    let config = FlinkConfig::at("prod", vec![url]);
    let mut source = FlinkSource::new(config, Duration::from_secs(20), "test").unwrap();
    let snapshot = poll(&mut source, NOW).await;
    let Completeness::Failed { error, .. } = snapshot.completeness else { panic!() };
    assert!(error.contains("larger than 16777216 bytes"), "{error}");
    assert!(sent.load(Ordering::Relaxed) < 50);
}

#[tokio::test]
async fn a_redirect_elsewhere_is_named_and_not_followed() {
    let to =
        |target: &'static str| Router::new().fallback(move || async move { Redirect::to(target) });
    let (error, _) = failure(to("http://u:hush@127.0.0.1:1/login?token=hush")).await;
    assert!(error.contains("redirects to http://127.0.0.1:1/login?token=…"), "{error}");
    assert!(!error.contains("hush"), "{error}");
    let (error, _) = failure(Router::new().fallback(|| async { StatusCode::FOUND })).await;
    assert!(error.contains("redirects to nowhere"), "{error}");
    // Round and round on the same host.
    let (error, _) = failure(to("/again")).await;
    assert!(error.contains("redirects to"), "{error}");
}

#[tokio::test]
async fn a_redirect_on_the_same_host_is_followed() {
    let fake = Fake::healthy();
    let moved = Router::new()
        .route("/jobs/overview", get(|| async { Redirect::permanent("/flink/jobs/overview") }))
        .nest("/flink", fake.router());
    let url = serve(moved).await;
    assert_eq!(poll(&mut at(&url), NOW).await.completeness, Completeness::Complete);
}

#[tokio::test]
async fn a_hang_ends() {
    let hang = || async {
        std::future::pending::<()>().await;
        ""
    };
    let (error, starting) = failure(Router::new().fallback(hang)).await;
    assert!(error.contains("did not answer within 0.4 s") && !starting, "{error}");
}

#[tokio::test]
async fn a_hang_after_the_listing_costs_facts_not_jobs() {
    let fake = Fake::healthy();
    fake.hang("/checkpoints");
    let url = serve(fake.router()).await;
    let snapshot = poll(&mut at(&url), NOW).await;
    assert_eq!(snapshot.completeness, Completeness::Complete);
    assert_eq!(snapshot.runs[0].checkpoints, Seen::Unknown);
    assert!(snapshot.runs[0].counters.fresh().is_some());
    assert!(snapshot.took_ms < 3000);
}

#[tokio::test]
async fn no_leader_is_a_start() {
    let body =
        r#"{"errors":["Service temporarily unavailable due to an ongoing leader election."]}"#;
    let busy = move || async move { (StatusCode::SERVICE_UNAVAILABLE, body) };
    let (error, starting) = failure(Router::new().fallback(busy)).await;
    assert!(error.contains("ongoing leader election") && starting, "{error}");
}

#[tokio::test]
async fn the_next_jobmanager_is_asked_and_remembered() {
    let fake = Fake::healthy();
    let url = serve(fake.router()).await;
    let dead = "http://127.0.0.1:1/".to_owned();
    let mut source = source(FlinkConfig::at("prod", vec![dead, url]));
    for millis in [NOW, NOW + 10_000] {
        let snapshot = poll(&mut source, millis).await;
        assert_eq!(snapshot.completeness, Completeness::Complete);
        assert_eq!(snapshot.version.as_deref(), Some("2.2.1"));
    }
    assert_eq!(fake.count("/jobs/overview"), 2);
    assert_eq!(fake.count("/config") - fake.count("/checkpoints/config"), 1);
}

#[tokio::test]
async fn a_job_is_seen_with_all_its_facts() {
    let fake = Fake::healthy();
    let url = serve(fake.router()).await;
    let mut source = source(FlinkConfig {
        ui_url: Some("https://flink.example.com/".to_owned()),
        ..FlinkConfig::at("prod", vec![url])
    });
    let first = poll(&mut source, NOW).await;
    let run = &first.runs[0];
    assert_eq!((run.key.0.as_str(), run.state), ("prod/orders", JobState::Running));
    assert_eq!(
        run.ui_url.as_deref(),
        Some("https://flink.example.com/#/job/running/fdebbd05f4093c7c84b4843d92fcc55e/overview")
    );
    assert_eq!(run.counters.fresh().and_then(|c| c.last_checkpoint_id), Some(9));
    let checkpoints = run.checkpoints.fresh().unwrap();
    assert_eq!((checkpoints.interval_ms, checkpoints.restored), (Some(3000), Some(2)));
    assert_eq!(run.failures, Seen::Fresh(Vec::new()));
    assert_eq!(run.lag.fresh().and_then(|l| l.records), Some(1234.0));
    assert_eq!(first.clusters[0].slots_total, Some(6));
    // A snapshot can be written down and read back.
    let text = serde_json::to_string(&first).unwrap();
    assert_eq!(serde_json::from_str::<Snapshot>(&text).unwrap(), first);

    // From then on a quiet job costs its row, its metrics and its lag.
    let second = poll(&mut source, NOW + 10_000).await;
    assert_eq!(second.runs[0].checkpoints, Seen::NotAsked);
    assert_eq!(second.runs[0].failures, Seen::NotAsked);
    assert_eq!(second.requests, 5);
    let narrow = Demand { lag: false, ..ALL };
    let third = source.poll(&narrow, Time::at(NOW + 12_000)).await;
    let shared = 174 + 60;
    assert!(third.bytes < 1200 + shared, "{} bytes", third.bytes);
}

/// Numbers come one by one while a job is young: what is not there yet is unknown, not n/a.
#[tokio::test]
async fn what_a_young_job_does_not_report_is_not_known_to_be_missing() {
    let query = MetricQuery {
        scope: MetricScope::Vertex,
        id: "nowhere".to_owned(),
        across: Across::Max,
        vertices: Vertices::All,
    };
    let fake = Fake::healthy();
    fake.set("/subtasks/metrics", r#"[{"id":"numBytesOut"}]"#);
    let url = serve(fake.router()).await;
    let mut source = at(&url);
    let mut demand = ALL;
    demand.metrics.insert(query.clone(), Duration::ZERO);
    // It is looked for at each of these polls: soon again while the job is young, then now and then.
    for (second, number, lag) in [
        (0, Seen::Unknown, Seen::Unknown),
        (170, Seen::Unknown, Seen::Unknown),
        (520, Seen::NotApplicable, Seen::NotApplicable),
    ] {
        let snapshot = source.poll(&demand, Time::at(NOW + second * 1_000)).await;
        let run = &snapshot.runs[0];
        let said = (run.metrics.get(&query.key()), &run.lag);
        assert_eq!(said, (Some(&number), &lag), "after {second} s");
    }
}

#[tokio::test]
async fn a_clock_an_hour_off_is_measured() {
    let url = serve(Fake::healthy().router()).await;
    let mut source = at(&url);
    for (shift, offset) in [(3_600_000, -3_600_000), (3_600_400, -3_600_000), (0, 0)] {
        let clock = poll(&mut source, fake::JOB_NOW + shift).await.clock.unwrap();
        assert_eq!((clock.offset_ms, clock.now), (offset, fake::JOB_NOW));
    }
}

#[tokio::test]
async fn standing_metrics_are_unknown() {
    let fake = Fake::healthy();
    fake.set("jobmanager/metrics", r#"[{"id":"Status.JVM.CPU.Time","value":"7"}]"#);
    let url = serve(fake.router()).await;
    let mut source = at(&url);
    let mut frozen = Vec::new();
    for step in 0..4 {
        if step == 3 {
            fake.set("jobmanager/metrics", r#"[{"id":"Status.JVM.CPU.Time","value":"8"}]"#);
        }
        let snapshot = poll(&mut source, NOW + step * 10_000).await;
        let unknown = snapshot.runs[0].counters == Seen::Unknown;
        frozen.push((snapshot.metrics_frozen, unknown));
    }
    // The first answer may be of any age: the pulse did not move while it was waited for.
    assert_eq!(frozen, [(false, true), (false, false), (true, true), (false, false)]);
}

#[tokio::test]
async fn missing_checkpoints_are_told_from_a_missing_job() {
    let disabled = r#"{"errors":["RestHandlerException: Checkpointing has not been enabled."]}"#;
    let gone = r#"{"errors":["org.apache.flink.runtime.rest.NotFoundException: Job x not found"]}"#;
    for (body, expected, again) in
        [(disabled, Seen::NotApplicable, true), (gone, Seen::Unknown, false)]
    {
        let fake = Fake::healthy();
        fake.fail("/checkpoints", 404, body);
        let url = serve(fake.router()).await;
        let mut source = at(&url);
        assert_eq!(poll(&mut source, NOW).await.runs[0].checkpoints, expected);
        poll(&mut source, NOW + 10_000).await;
        assert_eq!(fake.count("/metrics?get=numRestarts"), 1 + u32::from(again), "{body}");
    }
}

#[tokio::test]
async fn applications_are_asked_for_where_there_are_any() {
    let fake = Fake::healthy();
    let url = serve(fake.router()).await;
    let mut source = at(&url);
    let demand = Demand { applications: true, ..ALL };
    let mut look = async |millis| source.poll(&demand, Time::at(millis)).await;
    for step in 0..3 {
        look(NOW + step * 10_000).await;
    }
    assert_eq!(fake.count("/applications"), 1, "2.2.1 has none");

    // Upgraded behind the same address.
    fake.overview(r#"{"taskmanagers":1,"flink-version":"2.3.0"}"#);
    fake.set(
        "/applications/overview",
        r#"{"applications":[{"id":"4c8f","name":"com.example.orders.TestJob",
            "start-time":1795219700000,"end-time":1795219700091,"duration":91,"status":"FAILED",
            "jobs":{}}]}"#,
    );
    fake.set(
        "/applications/4c8f/exceptions",
        include_str!("../fixtures/flink-2.3.0/source-application-threw.exceptions.json"),
    );
    for step in 3..6 {
        let snapshot = look(NOW + step * 10_000).await;
        assert_eq!(snapshot.completeness, Completeness::Complete);
        let run = snapshot.runs.iter().find(|run| run.state == JobState::Failed).unwrap();
        assert_eq!(run.key.0, "prod/com.example.orders.TestJob");
        let why = &run.failures.fresh().unwrap()[0];
        assert_eq!(why.message, "no table orders_v2 in the catalog");
    }
    assert_eq!(fake.count("/applications/overview"), 4);
    assert_eq!(fake.count("/applications/4c8f/exceptions"), 1, "read once");
}

#[tokio::test]
async fn a_listing_of_applications_that_hangs_costs_no_job() {
    let fake = Fake::healthy();
    fake.hang("/applications/overview");
    let url = serve(fake.router()).await;
    let mut source = at(&url);
    let demand = Demand { applications: true, ..ALL };
    for (millis, asked) in [(NOW, 1), (NOW + 10_000, 1), (NOW + 70_000, 2)] {
        let snapshot = source.poll(&demand, Time::at(millis)).await;
        assert_eq!(snapshot.completeness, Completeness::Complete);
        assert!(snapshot.runs[0].counters.fresh().is_some());
        assert_eq!(fake.count("/applications"), asked);
    }
}

#[tokio::test]
async fn a_history_server_is_named() {
    let fake = Fake::healthy();
    fake.set("/config", r#"{"features":{"web-history":true}}"#);
    let url = serve(fake.router()).await;
    let Completeness::Failed { error, .. } = poll(&mut at(&url), NOW).await.completeness else {
        panic!()
    };
    assert!(error.contains("history server"), "{error}");
}

#[tokio::test]
async fn credentials_are_sent_and_read_again_when_refused() {
    let fake = Fake::healthy();
    let url = serve(fake.router()).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, "old\n").unwrap();
    let complete = Completeness::Complete;
    for (auth, expected) in [
        ("{ basic: { username: u, password: p } }".to_owned(), "Basic dTpw"),
        ("{ bearer: { token: t } }".to_owned(), "Bearer t"),
        ("{ headers: { Authorization: x } }".to_owned(), "x"),
        ("{ command: [printf, 'Authorization: from %s', program] }".to_owned(), "from program"),
    ] {
        fake.require(expected);
        let config = format!("name: prod\nurls: ['{url}']\nauth: {auth}");
        assert_eq!(poll(&mut source(yaml(&config)), NOW).await.completeness, complete, "{auth}");
    }

    fake.require("Bearer old");
    let bearer = format!("{{ bearer: {{ token_file: {} }} }}", file.display());
    let config = format!("name: prod\nurls: ['{url}']\nauth: {bearer}");
    let mut source = source(yaml(&config));
    assert_eq!(poll(&mut source, NOW).await.completeness, complete);
    std::fs::write(&file, "newer\n").unwrap();
    fake.require("Bearer newer");
    assert_eq!(poll(&mut source, NOW + 10_000).await.completeness, complete);
    fake.require("Bearer another");
    let Completeness::Failed { error, .. } = poll(&mut source, NOW + 20_000).await.completeness
    else {
        panic!()
    };
    assert!(error.contains("answered 401") && error.contains("check `auth`"), "{error}");
    assert!(!error.contains("newer"), "{error}");
}

#[tokio::test]
async fn a_command_answers_again_when_refused() {
    let fake = Fake::healthy();
    let url = serve(fake.router()).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("headers");
    std::fs::write(&file, "Authorization: one\n").unwrap();
    let config =
        format!("name: prod\nurls: ['{url}']\nauth: {{ command: [cat, '{}'] }}", file.display());
    let mut source = source(yaml(&config));
    fake.require("one");
    assert_eq!(poll(&mut source, NOW).await.completeness, Completeness::Complete);
    std::fs::write(&file, "Authorization: two\n").unwrap();
    fake.require("two");
    assert_eq!(poll(&mut source, NOW + 10_000).await.completeness, Completeness::Complete);
}

#[tokio::test]
async fn an_address_with_credentials_is_refused() {
    let config = FlinkConfig::at("prod", vec!["http://u:hush@jm:8081".to_owned()]);
    let error = FlinkSource::new(config, Duration::from_secs(1), "test").unwrap_err();
    assert!(error.explain().contains("auth.basic") && !error.explain().contains("hush"));
}

/// Keeps axum's answer types in one place.
fn json(status: u16, body: String) -> axum::response::Response {
    let status = StatusCode::from_u16(status).unwrap();
    (status, [(header::CONTENT_TYPE, "application/json;charset=UTF-8")], body).into_response()
}
