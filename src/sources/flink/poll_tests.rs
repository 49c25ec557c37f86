//! Whole polls against a stand-in: what is slow takes nothing from what is not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::http::{StatusCode, Uri};

use super::*;

const JOB: &str = "00000000000000000000000000000001";

/// Twenty programs that threw, each of which takes long to say why.
async fn stand_in(reasons: Arc<AtomicU32>) -> String {
    let pulse = Arc::new(AtomicU32::new(1));
    let answer = move |uri: Uri| {
        let (reasons, pulse) = (Arc::clone(&reasons), Arc::clone(&pulse));
        async move {
            let path = uri.path().to_owned();
            let body = match path.as_str() {
                "/jobs/overview" => format!(
                    r#"{{"jobs":[{{"jid":"{JOB}","name":"orders","state":"RUNNING","start-time":1,
                        "end-time":-1,"duration":1,"last-modification":1,"tasks":{{"total":1,
                        "running":1}}}}]}}"#
                ),
                "/applications/overview" => {
                    let row = |n: i64| {
                        format!(
                            r#"{{"id":"{n:032x}","name":"com.example.Main{n}","start-time":{n},
                                "end-time":{n},"duration":0,"status":"FAILED","jobs":{{}}}}"#
                        )
                    };
                    let rows: Vec<String> = (10..30).map(row).collect();
                    format!(r#"{{"applications":[{}]}}"#, rows.join(","))
                }
                "/jobmanager/metrics" => {
                    let cpu = pulse.fetch_add(1, Ordering::Relaxed);
                    format!(r#"[{{"id":"Status.JVM.CPU.Time","value":"{cpu}"}}]"#)
                }
                path if path == format!("/jobs/{JOB}/metrics") => {
                    r#"[{"id":"numRestarts","value":"7"}]"#.to_owned()
                }
                path if path.starts_with("/applications/") => {
                    reasons.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(400)).await;
                    r#"{"exceptionHistory":{"entries":[],"truncated":false}}"#.to_owned()
                }
                _ => return (StatusCode::NOT_FOUND, "{}".to_owned()),
            };
            (StatusCode::OK, body)
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = axum::Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[tokio::test]
async fn slow_applications_cost_the_jobs_nothing() {
    let reasons = Arc::new(AtomicU32::new(0));
    let url = stand_in(Arc::clone(&reasons)).await;
    let config = FlinkConfig::at("prod", vec![url]);
    let mut source = FlinkSource::new(config, Duration::from_secs(1), "test").unwrap();
    let demand = Demand { counters: true, applications: true, ..Demand::default() };
    let snapshot = source.poll(&demand, SystemClock::anchored(None).now()).await;
    let job = snapshot.runs.iter().find(|run| run.name == "orders").unwrap();
    let restarts = job.counters.fresh().and_then(|counters| counters.restarts);
    assert_eq!(restarts, Some(7), "{:?}", job.counters);
    assert_eq!(snapshot.runs.len(), 21);
    assert_eq!(reasons.load(Ordering::Relaxed), 3, "a few at each look");
}

#[test]
fn only_applications_of_its_own_are_recalled() {
    let config = FlinkConfig::at("prod", vec!["http://jm:8081".to_owned()]);
    let mut source = FlinkSource::new(config, Duration::from_secs(1), "test").unwrap();
    let failed = |source: &str, name: &str, page: Option<&str>| FailedRun {
        source: source.to_owned(),
        name: name.to_owned(),
        run: RunId { start_time: 1, job_id: "a".into() },
        ui_url: page.map(str::to_owned),
    };
    source.recall(&[
        failed("prod", "a program", Some("https://flink.example/#/application/completed/a")),
        failed("prod", "a job", Some("http://jm:8081/#/job/completed/a/overview")),
        failed("prod", "no page", None),
        failed("other", "of another source", Some("http://jm:8081/#/application/completed/a")),
    ]);
    assert!(source.applications.is_waiting_for("a program"));
    for name in ["a job", "no page", "of another source"] {
        assert!(!source.applications.is_waiting_for(name), "{name}");
    }
}

/// Forty jobs; `asked`: about which numbers were asked. The first is not well.
async fn forty_jobs(asked: tokio::sync::mpsc::UnboundedSender<usize>) -> String {
    let pulse = Arc::new(AtomicU32::new(1));
    let answer = move |uri: Uri| {
        let (asked, pulse) = (asked.clone(), Arc::clone(&pulse));
        async move {
            let path = uri.path().to_owned();
            let of_job = path.strip_prefix("/jobs/").and_then(|rest| rest.strip_suffix("/metrics"));
            if path == "/jobs/overview" {
                let row = |n: usize| {
                    let running = usize::from(n > 0);
                    format!(
                        r#"{{"jid":"{n:032x}","name":"job-{n}","state":"RUNNING","start-time":{},
                            "end-time":-1,"duration":99999,"last-modification":{},
                            "tasks":{{"total":1,"running":{running}}}}}"#,
                        n + 1,
                        n + 1
                    )
                };
                let rows: Vec<String> = (0..40).map(row).collect();
                return (StatusCode::OK, format!(r#"{{"jobs":[{}]}}"#, rows.join(",")));
            }
            if path == "/jobmanager/metrics" {
                let cpu = pulse.fetch_add(1, Ordering::Relaxed);
                let body = format!(r#"[{{"id":"Status.JVM.CPU.Time","value":"{cpu}"}}]"#);
                return (StatusCode::OK, body);
            }
            if let Some(id) = of_job {
                asked.send(usize::from_str_radix(id, 16).unwrap()).unwrap();
                return (StatusCode::OK, r#"[{"id":"numRestarts","value":"7"}]"#.to_owned());
            }
            (StatusCode::NOT_FOUND, "{}".to_owned())
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = axum::Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[tokio::test]
async fn a_small_budget_is_kept_and_everybody_has_a_turn() {
    let (asked, mut of) = tokio::sync::mpsc::unbounded_channel();
    let config = FlinkConfig::at("prod", vec![forty_jobs(asked).await]);
    let pace = crate::http::Pace {
        requests_per_second: std::num::NonZeroU32::new(100).unwrap(),
        interval: Duration::from_millis(150),
    };
    let allowance = Allowance { timeout: Duration::from_secs(5), pace };
    let mut source = FlinkSource::new(config, allowance, "test").unwrap();
    let demand = Demand { counters: true, ..Demand::default() };
    let now = SystemClock::anchored(None).now();
    let (mut turns, mut of_the_sick) = (std::collections::BTreeSet::new(), 0);
    for look in 0..8 {
        let time = Time { steady: now.steady + Duration::from_secs(10) * look, ..now };
        let snapshot = source.poll(&demand, time).await;
        assert_eq!(snapshot.completeness, Completeness::Complete);
        assert_eq!(snapshot.runs.len(), 40, "the state of all, at every look");
        assert!(snapshot.requests <= 15 + 8, "look {look}: {} requests", snapshot.requests);
        let waiting = snapshot.runs.iter().filter(|run| run.counters == Seen::Unknown).count();
        assert!((20..40).contains(&waiting), "look {look}: {waiting} wait");
        while let Ok(job) = of.try_recv() {
            of_the_sick += usize::from(job == 0);
            turns.insert(job);
        }
    }
    assert_eq!(turns.len(), 40, "everybody had a turn: {turns:?}");
    assert!(of_the_sick >= 3, "the sick one had {of_the_sick}");
}
