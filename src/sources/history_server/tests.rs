use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use axum::http::{StatusCode, Uri};

use super::*;

const FAILED: &str = "0000000000000000000000000000000a";
const CANCELED: &str = "0000000000000000000000000000000b";

/// A stand-in with one run that failed and one that was cancelled, and what it was asked.
async fn stand_in(history: bool) -> (HistorySource, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let answer = move |uri: Uri| {
        log.lock().unwrap().push(uri.path().to_owned());
        async move {
            let row = |id: &str, state: &str| {
                format!(
                    r#"{{"jid":"{id}","name":"orders","state":"{state}","start-time":5,"end-time":9}}"#
                )
            };
            let body = match uri.path() {
                "/config" => {
                    format!(r#"{{"flink-version":"1.20.5","features":{{"web-history":{history}}}}}"#)
                }
                "/jobs/overview" => {
                    let still = row("0000000000000000000000000000000c", "RUNNING");
                    let (a, b) = (row(FAILED, "FAILED"), row(CANCELED, "CANCELED"));
                    format!(r#"{{"jobs":[{a},{b},{still}]}}"#)
                }
                path if path == format!("/jobs/{FAILED}/exceptions") => {
                    r#"{"exceptionHistory":{"entries":[{"exceptionName":"java.lang.IllegalStateException",
                        "stacktrace":"java.lang.IllegalStateException: poison","timestamp":8}]}}"#
                        .to_owned()
                }
                _ => return (StatusCode::NOT_FOUND, String::new()),
            };
            (StatusCode::OK, body)
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = axum::Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let config = format!("{{\"name\":\"history\",\"urls\":[\"{url}/\"]}}");
    let config = serde_json::from_str(&config).unwrap();
    let source = HistorySource::new(config, Duration::from_secs(5).into(), "test").unwrap();
    (source, asked)
}

fn demand(ends: &[&str]) -> Demand {
    Demand { ends: ends.iter().map(|id| (*id).to_owned()).collect(), ..Demand::default() }
}

#[tokio::test]
async fn it_is_asked_only_about_runs_that_are_wanted_and_for_a_cause_once() {
    let (mut source, asked) = stand_in(true).await;
    let mut paths_of = async |ends: &[&str]| {
        let look = source.poll(&demand(ends), Time::at(0)).await;
        assert_eq!(look.completeness, Completeness::Complete, "{look:?}");
        assert!(look.runs.iter().all(RunObservation::is_archived));
        let paths = std::mem::take(&mut *asked.lock().unwrap());
        assert_eq!(look.requests as usize, paths.len());
        (look.runs, paths)
    };
    let (runs, paths) = paths_of(&[]).await;
    assert!(runs.is_empty() && paths == ["/config"], "what it is, once: {paths:?}");
    let (_, paths) = paths_of(&[]).await;
    assert!(paths.is_empty(), "{paths:?}");
    let (runs, paths) = paths_of(&[FAILED]).await;
    assert_eq!(paths, ["/jobs/overview".to_owned(), format!("/jobs/{FAILED}/exceptions")]);
    assert_eq!((runs.len(), runs[0].state, runs[0].end_time), (1, JobState::Failed, Some(9)));
    let failure = &runs[0].failures.fresh().unwrap()[0];
    assert_eq!(failure.class, "java.lang.IllegalStateException");
    let (runs, paths) =
        paths_of(&[FAILED, CANCELED, "0000000000000000000000000000000c", "no-such"]).await;
    assert_eq!(paths, ["/jobs/overview"], "the cause is known");
    let states: Vec<JobState> = runs.iter().map(|run| run.state).collect();
    assert_eq!(states, [JobState::Failed, JobState::Canceled], "nothing about one that runs");
}

#[tokio::test]
async fn a_jobmanager_is_no_history_server() {
    let (mut source, _) = stand_in(false).await;
    let look = source.poll(&demand(&[FAILED]), Time::at(0)).await;
    let Completeness::Failed { error, .. } = &look.completeness else { panic!("{look:?}") };
    assert!(error.contains("is a JobManager, not a HistoryServer"), "{error}");
}
