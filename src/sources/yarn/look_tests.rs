//! Whole polls against stand-ins of a ResourceManager and of JobManagers.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};

use super::*;
use crate::model::{Completeness, JobState};

#[path = "outage_tests.rs"]
mod outage;
#[path = "stranger_tests.rs"]
mod stranger;

const BEGAN: i64 = 1_000;
const T0: i64 = 100_000_000;

/// What a ResourceManager answers with.
#[derive(Default)]
struct Rm {
    ha: String,
    began: i64,
    alive: Vec<String>,
    ended: Vec<String>,
    status: u16,
}

struct Yarn {
    rm: Arc<Mutex<Rm>>,
    requests: Arc<AtomicU32>,
    url: String,
}

async fn serve<F, R>(answer: F) -> String
where
    F: Fn(Uri) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response> + Send + 'static,
{
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = axum::Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

fn json(body: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

impl Yarn {
    async fn start() -> Yarn {
        let rm = Rm { ha: "ACTIVE".to_owned(), began: BEGAN, status: 200, ..Rm::default() };
        let rm = Arc::new(Mutex::new(rm));
        let requests = Arc::new(AtomicU32::new(0));
        let (world, count) = (Arc::clone(&rm), Arc::clone(&requests));
        let url = serve(move |uri| {
            count.fetch_add(1, Ordering::Relaxed);
            let answer = answer(&world.lock().unwrap_or_else(PoisonError::into_inner), &uri);
            async move { answer }
        });
        Yarn { rm, requests, url: url.await }
    }

    fn set(&self, change: impl FnOnce(&mut Rm)) {
        change(&mut self.rm.lock().unwrap());
    }

    fn asked(&self) -> u32 {
        self.requests.swap(0, Ordering::Relaxed)
    }
}

fn answer(rm: &Rm, uri: &Uri) -> Response {
    let status = StatusCode::from_u16(rm.status).unwrap();
    if status == StatusCode::UNAUTHORIZED {
        let wants =
            HeaderMap::from_iter([(header::WWW_AUTHENTICATE, "Negotiate".parse().unwrap())]);
        return (status, wants, "<html>Authentication required</html>").into_response();
    }
    if !status.is_success() {
        return (status, "broken").into_response();
    }
    let query = uri.query().unwrap_or("");
    match uri.path() {
        "/ws/v1/cluster/info" => json(format!(
            r#"{{"clusterInfo":{{"startedOn":{},"state":"STARTED","haState":"{}"}}}}"#,
            rm.began, rm.ha
        )),
        "/ws/v1/cluster/metrics" => {
            json(r#"{"clusterMetrics":{"activeNodes":2,"allocatedMB":9,"totalMB":10}}"#.to_owned())
        }
        "/ws/v1/cluster/apps" if query.contains("applicationTypes=Apache%20Flink") => {
            let apps = if query.contains("states=NEW") { &rm.alive } else { &rm.ended };
            match apps.len() {
                0 => json(r#"{"apps":null}"#.to_owned()),
                _ => json(format!(r#"{{"apps":{{"app":[{}]}}}}"#, apps.join(","))),
            }
        }
        _ => (StatusCode::NOT_FOUND, "no such page").into_response(),
    }
}

/// A row of the listing.
fn app(number: u32, name: &str, words: &str, rpc: &str) -> String {
    let (state, outcome) = words.split_once('/').unwrap();
    let finished = if matches!(state, "FINISHED" | "FAILED" | "KILLED") { T0 - 5_000 } else { 0 };
    format!(
        r#"{{"id":"application_{BEGAN}_{number:04}","name":"{name}","queue":"root.prod","user":"u",
            "state":"{state}","finalStatus":"{outcome}","applicationType":"Apache Flink",
            "startedTime":{},"finishedTime":{finished},"amRPCAddress":"{rpc}",
            "diagnostics":"x.Poison: bad record"}}"#,
        T0 - 60_000
    )
}

/// A JobManager that may hang.
struct Jm {
    rpc: String,
    hangs: Arc<AtomicBool>,
    says: Arc<Mutex<Says>>,
}

/// What it says of itself.
struct Says {
    listing: String,
    settings: String,
    /// How often it was asked for its settings.
    asked: u32,
}

impl Jm {
    async fn start(target: &'static str, jobs: &[&str]) -> Jm {
        let hangs = Arc::new(AtomicBool::new(false));
        let says = Arc::new(Mutex::new(Says::of(target, "", 1, jobs)));
        let (is_hung, word) = (Arc::clone(&hangs), Arc::clone(&says));
        let url = serve(move |uri| {
            let (is_hung, word) = (Arc::clone(&is_hung), Arc::clone(&word));
            async move {
                if is_hung.load(Ordering::Relaxed) {
                    std::future::pending::<()>().await;
                }
                let mut says = word.lock().unwrap_or_else(PoisonError::into_inner);
                match uri.path() {
                    "/jobs/overview" => json(says.listing.clone()),
                    "/jobmanager/config" => {
                        says.asked += 1;
                        json(says.settings.clone())
                    }
                    _ => (StatusCode::NOT_FOUND, "{}").into_response(),
                }
            }
        });
        Jm { rpc: url.await.trim_start_matches("http://").to_owned(), hangs, says }
    }
}

impl Says {
    /// One of this application, whose jobs have ids from `first` on.
    fn of(target: &str, application: &str, first: u32, jobs: &[&str]) -> Says {
        let rows: Vec<String> = (first..).zip(jobs).map(|(n, name)| row(n, name)).collect();
        let folder = format!("/data/usercache/u/appcache/{application}");
        Says {
            asked: 0,
            listing: format!(r#"{{"jobs":[{}]}}"#, rows.join(",")),
            settings: format!(
                r#"[{{"key":"execution.target","value":"{target}"}},
                    {{"key":"io.tmp.dirs","value":"{folder}"}}]"#
            ),
        }
    }
}

fn row(number: u32, name: &str) -> String {
    format!(
        r#"{{"jid":"{number:032x}","name":"{name}","state":"RUNNING","start-time":{},"end-time":-1,
            "duration":1000,"last-modification":1,"tasks":{{"total":1,"running":1}}}}"#,
        T0 - 50_000
    )
}

fn source(urls: &[&str]) -> YarnSource {
    let urls = urls.iter().map(|url| (*url).to_owned()).collect();
    YarnSource::new(YarnConfig::at("emr", urls), Duration::from_millis(700), "test").unwrap()
}

async fn poll(source: &mut YarnSource, seconds: i64) -> Snapshot {
    source.poll(&Demand::default(), Time::at(T0 + seconds * 1_000)).await
}

fn keys(snapshot: &Snapshot) -> Vec<(&str, JobState)> {
    let mut keys: Vec<_> =
        snapshot.runs.iter().map(|run| (run.key.0.as_str(), run.state)).collect();
    keys.sort_unstable();
    keys
}

fn error(snapshot: &Snapshot) -> (&str, bool) {
    match &snapshot.completeness {
        Completeness::Unlisted { error, .. } => (error, true),
        Completeness::Failed { error, .. } => (error, false),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn applications_sessions_and_those_that_wait_or_ended_in_four_requests() {
    let yarn = Yarn::start().await;
    let orders = Jm::start("yarn-application", &["insert-into_orders"]).await;
    let team = Jm::start("yarn-session", &["a", "b"]).await;
    yarn.set(|rm| {
        rm.alive = vec![
            app(1, "orders", "RUNNING/UNDEFINED", &orders.rpc),
            app(2, "team", "RUNNING/UNDEFINED", &team.rpc),
            app(3, "queued", "ACCEPTED/UNDEFINED", "N/A:-1"),
        ];
        rm.ended = vec![
            app(4, "dead", "FINISHED/FAILED", "N/A:-1"),
            app(5, "stopped", "FINISHED/KILLED", "N/A:-1"),
        ];
    });
    let mut source = source(&[&yarn.url]);
    for second in [0, 10] {
        let snapshot = poll(&mut source, second).await;
        assert_eq!(snapshot.completeness, Completeness::Complete);
        let expected = [
            ("emr/dead", JobState::Failed),
            ("emr/orders", JobState::Running),
            ("emr/queued", JobState::Created),
            ("emr/stopped", JobState::Canceled),
            ("emr/team/a", JobState::Running),
            ("emr/team/b", JobState::Running),
        ];
        assert_eq!(keys(&snapshot), expected);
        assert_eq!(yarn.asked(), 4, "whatever the number of applications");
        let orders = snapshot.runs.iter().find(|run| run.name == "orders").unwrap();
        let page = format!("{}/proxy/application_{BEGAN}_0001/#/job/running/", yarn.url);
        assert!(orders.ui_url.as_deref().unwrap().starts_with(&page), "{:?}", orders.ui_url);
        let dead = snapshot.runs.iter().find(|run| run.name == "dead").unwrap();
        assert_eq!(dead.failures.fresh().unwrap()[0].class, "x.Poison");
        assert!(snapshot.clusters.iter().all(|cluster| cluster.unseen.is_none()));
    }
}

#[tokio::test]
async fn without_a_resourcemanager_the_jobs_are_watched_at_their_own_addresses() {
    let yarn = Yarn::start().await;
    let orders = Jm::start("yarn-application", &["x"]).await;
    yarn.set(|rm| rm.alive = vec![app(1, "orders", "RUNNING/UNDEFINED", &orders.rpc)]);
    let mut source = source(&[&yarn.url]);
    poll(&mut source, 0).await;
    yarn.set(|rm| rm.status = 500);
    let snapshot = poll(&mut source, 10).await;
    assert_eq!(keys(&snapshot), [("emr/orders", JobState::Running)]);
    let (said, without) = error(&snapshot);
    assert!(without && said.contains("answered 500"), "{said}");
    orders.hangs.store(true, Ordering::Relaxed);
    let snapshot = poll(&mut source, 20).await;
    assert!(!error(&snapshot).1 && snapshot.runs.is_empty(), "nothing is seen: {snapshot:?}");
    orders.hangs.store(false, Ordering::Relaxed);
    yarn.set(|rm| rm.status = 200);
    poll(&mut source, 30).await;
    let snapshot = poll(&mut source, 40).await;
    assert_eq!(snapshot.completeness, Completeness::Complete);
    assert_eq!(keys(&snapshot), [("emr/orders", JobState::Running)]);
}

#[tokio::test]
async fn a_restarted_resourcemanager_is_given_time_and_loses_no_job() {
    let yarn = Yarn::start().await;
    let alive: Vec<String> =
        (1..=5).map(|n| app(n, &format!("job-{n}"), "RUNNING/UNDEFINED", "127.0.0.1:1")).collect();
    yarn.set(|rm| rm.alive.clone_from(&alive));
    let mut source = source(&[&yarn.url]);
    let snapshot = poll(&mut source, 0).await;
    assert_eq!((snapshot.completeness.clone(), snapshot.runs.len()), (Completeness::Complete, 5));
    assert!(snapshot.clusters.iter().all(|c| c.unseen.is_some()), "no Flink answers");
    yarn.set(|rm| (rm.began, rm.alive) = (T0, Vec::new()));
    for second in [10, 300, 600] {
        let snapshot = poll(&mut source, second).await;
        let (said, _) = error(&snapshot);
        assert!(said.contains("restarted: 5 of 5 applications missing"), "{said}");
        assert!(snapshot.clusters.iter().filter(|c| c.unseen.is_some()).count() == 5);
    }
    yarn.set(|rm| rm.alive = alive);
    let snapshot = poll(&mut source, 605).await;
    assert_eq!((snapshot.completeness.clone(), snapshot.runs.len()), (Completeness::Complete, 5));
    // Another restart, without recovery: after its time they are gone, all at once.
    yarn.set(|rm| (rm.began, rm.alive) = (T0 + 610_000, Vec::new()));
    assert!(error(&poll(&mut source, 610).await).0.contains("restarted"));
    let snapshot = poll(&mut source, 1_300).await;
    assert_eq!(snapshot.completeness, Completeness::Complete);
    assert!(snapshot.runs.is_empty() && snapshot.clusters.is_empty(), "{snapshot:?}");
}

#[tokio::test]
async fn the_active_one_of_a_pair_is_found() {
    let (first, second) = (Yarn::start().await, Yarn::start().await);
    first.set(|rm| rm.ha = "STANDBY".to_owned());
    second.set(|rm| rm.ended = vec![app(1, "done", "FINISHED/SUCCEEDED", "")]);
    let mut source = source(&[&first.url, &second.url]);
    let snapshot = poll(&mut source, 0).await;
    assert_eq!(keys(&snapshot), [("emr/done", JobState::Finished)]);
    assert_eq!(
        (first.asked(), second.asked()),
        (1, 4),
        "a standby one is asked for its state only"
    );
    poll(&mut source, 10).await;
    assert_eq!((first.asked(), second.asked()), (0, 4), "the active one is remembered");
    second.set(|rm| rm.ha = "STANDBY".to_owned());
    let snapshot = poll(&mut source, 20).await;
    assert!(error(&snapshot).0.contains("all 2 are standby"), "{snapshot:?}");
    first.set(|rm| rm.ha = "ACTIVE".to_owned());
    let snapshot = poll(&mut source, 30).await;
    assert_eq!(snapshot.completeness, Completeness::Complete);
}

#[tokio::test]
async fn kerberos_is_named_and_not_asked_again_and_again() {
    let yarn = Yarn::start().await;
    yarn.set(|rm| rm.status = 401);
    let mut source = source(&[&yarn.url]);
    let snapshot = poll(&mut source, 0).await;
    let (said, _) = error(&snapshot);
    assert!(said.contains("Kerberos") && said.contains("auth: { command:"), "{said}");
    yarn.asked();
    assert_eq!(error(&poll(&mut source, 10).await).0, said);
    assert_eq!(yarn.asked(), 0);
    yarn.set(|rm| rm.status = 200);
    assert_eq!(poll(&mut source, 301).await.completeness, Completeness::Complete);
}

#[tokio::test]
async fn one_that_hangs_delays_nobody() {
    let yarn = Yarn::start().await;
    let (good, bad) =
        (Jm::start("yarn-application", &["x"]).await, Jm::start("yarn-application", &["x"]).await);
    yarn.set(|rm| {
        rm.alive = vec![
            app(1, "bad", "RUNNING/UNDEFINED", &bad.rpc),
            app(2, "good", "RUNNING/UNDEFINED", &good.rpc),
        ];
    });
    let mut source = source(&[&yarn.url]);
    assert_eq!(poll(&mut source, 0).await.runs.len(), 2);
    bad.hangs.store(true, Ordering::Relaxed);
    let mut took = Vec::new();
    for second in [10, 20, 30, 40] {
        let snapshot = poll(&mut source, second).await;
        assert_eq!(keys(&snapshot), [("emr/good", JobState::Running)], "{second}");
        let unseen = snapshot.clusters.iter().find(|c| c.flink_cluster == "bad").unwrap();
        assert!(unseen.unseen.is_some());
        assert_eq!(snapshot.completeness, Completeness::Complete, "one is no matter of all");
        took.push(snapshot.took_ms);
    }
    assert!(took[1..].iter().all(|ms| *ms < 600), "only the first look waits for it: {took:?}");
}

#[tokio::test]
async fn five_thousand_applications_are_four_requests_and_none_is_left_out() {
    let yarn = Yarn::start().await;
    yarn.set(|rm| {
        let named = |n: u32, words| app(n, &format!("job-{n}"), words, "N/A:-1");
        rm.alive = (0..4_000).map(|n| named(n, "ACCEPTED/UNDEFINED")).collect();
        rm.ended = (4_000..5_000).map(|n| named(n, "FAILED/FAILED")).collect();
    });
    let mut source = source(&[&yarn.url]);
    let snapshot = poll(&mut source, 0).await;
    assert_eq!((snapshot.completeness.clone(), yarn.asked()), (Completeness::Complete, 4));
    assert_eq!(snapshot.runs.len(), 5_000);
    // What ended long ago is listed no more, and not remembered.
    yarn.set(|rm| rm.ended.clear());
    assert_eq!(poll(&mut source, 10).await.runs.len(), 4_000);
    assert_eq!(source.apps.len(), 4_000);
}
