use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use axum::http::{HeaderMap, Method as Verb, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use super::*;
use crate::actions::drivers::testing::{
    LOGIN_PAGE, answer, config, known, order, parts, rude, serve, sight, told,
};

const PATH: &str = "hdfs://nn/ck/orders 1/3f/chk-42";
const LOOK: &str = "/openapi/getJobInstanceByTaskId";
const SUBMIT: &str = "/openapi/submitTask";

/// A Dinky that refuses what Dinky refuses. It does not refuse to submit a task that runs.
struct StandIn {
    /// Header and value it asks for, where it does.
    token: Mutex<Option<(&'static str, String)>>,
    /// State and id of the task's newest run.
    newest: Mutex<Option<(&'static str, String)>>,
    /// What comes of a submission.
    outcome: Mutex<Outcome>,
    /// From what each order restored; none: by the task's own strategy.
    taken: Mutex<Vec<Option<String>>>,
    asked: Mutex<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Runs,
    /// Flink was asked, and something went wrong with it.
    Fails,
    /// It runs, and could not be written down.
    FailsAfterwards,
}

fn result(http: u16, code: i64, msg: &str, data: &Value) -> Response {
    let body = json!({
        "code": code, "msg": msg, "data": data, "success": code == 0,
        "time": "2026-11-22 08:00:00"
    });
    (StatusCode::from_u16(http).unwrap(), axum::Json(body)).into_response()
}

impl StandIn {
    fn answer(&self, verb: &Verb, uri: &Uri, headers: &HeaderMap, body: &str) -> Response {
        self.asked.lock().unwrap().push(uri.path().to_owned());
        if let Some((name, value)) = &*self.token.lock().unwrap()
            && headers.get(*name).and_then(|v| v.to_str().ok()) != Some(value.as_str())
        {
            return result(401, 7, "登录已过期", &Value::Null);
        }
        match (verb, uri.path()) {
            (&Verb::GET, LOOK) => match uri.query() {
                Some("id=42") => {
                    let newest = self.newest.lock().unwrap();
                    let run = newest.as_ref().map(
                        |(state, jid)| json!({"id": 9, "taskId": 42, "jid": jid, "status": state}),
                    );
                    result(200, 0, "查询成功", &json!(run))
                }
                _ => result(200, 1, "任务不存在", &Value::Null),
            },
            (&Verb::POST, SUBMIT) => self.submit(headers, body),
            _ => panic!("nobody asks for {verb} {uri}"),
        }
    }

    fn submit(&self, headers: &HeaderMap, body: &str) -> Response {
        if headers.get("content-type").is_none_or(|v| v != "application/json") {
            let text = "Content type '' not supported";
            return result(200, 5, text, &json!("HttpMediaTypeNotSupportedException"));
        }
        let body: Value = serde_json::from_str(body).unwrap();
        let fields: BTreeSet<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
        assert!(fields.is_subset(&BTreeSet::from(["id", "savePointPath", "variables"])), "{body}");
        assert_eq!(body["id"], 42);
        let path = body["savePointPath"].as_str().map(str::to_owned);
        self.taken.lock().unwrap().push(path);
        let trace = "java.lang.RuntimeException: Could not deploy\n\tat org.dinky.service.impl.\
                     TaskServiceImpl.submitTask(TaskServiceImpl.java:342)\nCaused by: \
                     java.util.concurrent.TimeoutException: no answer of the Dispatcher";
        let run = json!({"jobId": "ef".repeat(16), "jobInstanceId": 10, "status": "SUCCESS"});
        match *self.outcome.lock().unwrap() {
            Outcome::Runs => result(200, 0, "执行成功", &run),
            Outcome::Fails => result(200, 5, trace, &json!(trace)),
            Outcome::FailsAfterwards => result(200, 1, "Task更新失败", &Value::Null),
        }
    }

    fn taken(&self) -> Vec<Option<String>> {
        self.taken.lock().unwrap().clone()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn stand_in() -> (Arc<StandIn>, String) {
    let state = Arc::new(StandIn {
        token: Mutex::new(Some(("dinky-token", "a-token".to_owned()))),
        newest: Mutex::new(Some(("FAILED", "cd".repeat(16)))),
        outcome: Mutex::new(Outcome::Runs),
        taken: Mutex::default(),
        asked: Mutex::default(),
    });
    let shared = Arc::clone(&state);
    let router = axum::Router::new().fallback(
        move |verb: Verb, uri: Uri, headers: HeaderMap, body: String| {
            let answer = shared.answer(&verb, &uri, &headers, &body);
            async move { answer }
        },
    );
    (state, serve(router).await)
}

fn token_file(dir: &Path) -> std::path::PathBuf {
    let file = dir.join("token");
    std::fs::write(&file, "a-token\n").unwrap();
    file
}

async fn start_at(url: &str, options: &str, order: &Order) -> Started {
    let dir = tempfile::tempdir().unwrap();
    let config = config(&format!("dinky: {{ source: inv{options} }}"));
    assert!(config.problems().is_empty());
    let driver = config.build(&parts("dinky", Some(url), Some(token_file(dir.path())))).unwrap();
    assert_eq!(driver.look_up(order).await, LookedUp::Never);
    driver.start(order).await
}

fn this_one() -> Order {
    known("inv", "42", Some(PATH))
}

#[tokio::test]
async fn a_dead_task_is_submitted_once_from_the_path() {
    let (dinky, url) = stand_in().await;
    let started = start_at(&url, "", &this_one()).await;
    assert_eq!(started, Started::Accepted { job_id: Some("ef".repeat(16)) });
    assert_eq!(dinky.taken(), [Some(PATH.to_owned())]);
    assert_eq!(dinky.asked(), [LOOK, SUBMIT]);
    // One that Dinky has never run, or has lost sight of.
    for newest in
        [None, Some(("UNKNOWN", "12".repeat(16))), Some(("RECONNECTING", "cd".repeat(16)))]
    {
        *dinky.newest.lock().unwrap() = newest.clone();
        let started = start_at(&url, "", &this_one()).await;
        assert!(matches!(started, Started::Accepted { .. }), "{newest:?}: {started:?}");
    }
}

#[tokio::test]
async fn a_task_that_runs_is_left_alone() {
    let (dinky, url) = stand_in().await;
    for (state, id) in [
        ("RUNNING", "12".repeat(16)),
        ("RUNNING", "cd".repeat(16)),
        ("INITIALIZING", "12".repeat(16)),
        ("RESTARTING", "12".repeat(16)),
        ("CANCELLING", "12".repeat(16)),
        ("RECONNECTING", "12".repeat(16)),
        ("A_STATE_OF_TOMORROW", "12".repeat(16)),
    ] {
        *dinky.newest.lock().unwrap() = Some((state, id));
        let started = start_at(&url, "", &this_one()).await;
        assert!(matches!(&started, Started::Alive { .. }), "{state}: {started:?}");
        assert!(told(&started).contains(state), "{started:?}");
    }
    assert!(dinky.taken().is_empty());
}

#[tokio::test]
async fn without_a_checkpoint_dinky_decides_only_where_that_is_wanted() {
    let (dinky, url) = stand_in().await;
    let order = known("inv", "42", None);
    let started = start_at(&url, "", &order).await;
    assert!(matches!(&started, Started::Refused { .. }), "{started:?}");
    assert!(told(&started).contains("own_strategy") && dinky.asked().is_empty(), "{started:?}");
    let started = start_at(&url, ", own_strategy: true", &order).await;
    assert!(matches!(started, Started::Accepted { .. }), "{started:?}");
    assert_eq!(dinky.taken(), [None]);
}

#[tokio::test]
async fn what_dinky_failed_at_may_have_been_submitted() {
    let (dinky, url) = stand_in().await;
    for (outcome, word) in
        [(Outcome::Fails, "TimeoutException"), (Outcome::FailsAfterwards, "Task更新失败")]
    {
        *dinky.outcome.lock().unwrap() = outcome;
        let before = dinky.taken().len();
        let started = start_at(&url, "", &this_one()).await;
        let Started::Unclear { error } = &started else { panic!("{started:?}") };
        assert!(error.contains(word) && error.chars().count() < 320, "{error}");
        assert_eq!(dinky.taken().len(), before + 1, "once");
    }
}

#[tokio::test]
async fn a_token_is_read_for_each_order_and_named_when_it_is_refused() {
    let (dinky, url) = stand_in().await;
    *dinky.token.lock().unwrap() = Some(("token", "renewed".to_owned()));
    let dir = tempfile::tempdir().unwrap();
    let file = token_file(dir.path());
    let parts = parts("dinky", Some(&url), Some(file.clone()));
    let driver = config("dinky: { source: inv, token_header: token }").build(&parts).unwrap();
    let started = driver.start(&this_one()).await;
    assert!(matches!(&started, Started::Refused { .. }), "{started:?}");
    assert!(told(&started).contains(file.to_str().unwrap()), "{started:?}");
    std::fs::write(&file, "renewed").unwrap();
    assert!(matches!(driver.start(&this_one()).await, Started::Accepted { .. }));
    assert_eq!(dinky.taken().len(), 1);
    // Up to 1.1 nobody asks for one.
    *dinky.token.lock().unwrap() = None;
    let without = crate::actions::drivers::testing::parts("dinky", Some(&url), None);
    let driver = config("dinky: { source: inv }").build(&without).unwrap();
    assert!(matches!(driver.start(&this_one()).await, Started::Accepted { .. }));
}

#[tokio::test]
async fn it_is_looked_over_and_nothing_is_submitted() {
    let (stand_in, url) = stand_in().await;
    let dir = tempfile::tempdir().unwrap();
    let file = token_file(dir.path());
    let config = config("dinky: { source: inv }");
    let built = |url: &str, file| config.build(&parts("dinky", Some(url), file)).unwrap();
    let found = built(&url, Some(file.clone())).examine(&[sight("orders", Some("inv"))]).await;
    assert_eq!(found, [Ok("Dinky answers, and takes the token".to_owned())]);
    let found = built(&url, Some(file.clone())).examine(&[sight("orders", None)]).await;
    assert!(found[1].as_ref().unwrap_err().contains("does not know 1 of the 1 jobs"), "{found:?}");
    let found = built(&url, None).examine(&[]).await;
    let said = found[0].as_ref().unwrap_err();
    assert!(said.contains("refuses the token") && said.contains("`token_file`"), "{said}");
    *stand_in.token.lock().unwrap() = None;
    let found = built(&url, None).examine(&[]).await;
    assert_eq!(found, [Ok("Dinky answers, and wants no token".to_owned())]);
    let (url, _) = rude(LOOK, answer("200 OK", "text/html", LOGIN_PAGE)).await;
    let found = built(&url, Some(file)).examine(&[]).await;
    assert!(found[0].as_ref().unwrap_err().contains("check `api_url`"), "{found:?}");
    assert!(stand_in.asked().iter().all(|path| path == LOOK) && stand_in.taken().is_empty());
}

#[tokio::test]
async fn before_the_order_everything_that_goes_wrong_is_a_refusal() {
    let (dinky, url) = stand_in().await;
    for (order, word) in [
        (order(Some(PATH)), "is not known by `inv`"),
        (known("other", "42", Some(PATH)), "is known by `other`"),
        (known("inv", "a&b", Some(PATH)), "is no number"),
        (known("inv", "43", Some(PATH)), "任务不存在"),
    ] {
        let started = start_at(&url, "", &order).await;
        assert!(matches!(&started, Started::Refused { .. }), "{started:?}");
        assert!(told(&started).contains(word), "{started:?}");
    }
    assert!(dinky.taken().is_empty());
    for said in [
        Vec::new(),
        answer("200 OK", "text/html", LOGIN_PAGE),
        answer("404 Not Found", "text/html", "no"),
        answer("502 Bad Gateway", "text/html", "no"),
        answer("200 OK", "application/json", &"x".repeat(5 << 20)),
    ] {
        let (url, ordered) = rude("submitTask", said).await;
        let started = start_at(&url, "", &this_one()).await;
        assert!(matches!(&started, Started::Refused { .. }), "{started:?}");
        assert!(told(&started).len() < 500, "{started:?}");
        assert_eq!(ordered.load(Ordering::SeqCst), 0);
    }
}

/// Answers the look well, and an order like this.
async fn rude_to_orders(said: Vec<u8>) -> (String, Arc<std::sync::atomic::AtomicUsize>) {
    let (behind, ordered) = rude("submitTask", said).await;
    let port = behind.rsplit(':').next().unwrap().to_owned();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let well = r#"{"code":0,"success":true,"data":null}"#;
        // The first connection is that of the look.
        let (mut first, _) = listener.accept().await.unwrap();
        let mut heard = [0; 4096];
        assert!(tokio::io::AsyncReadExt::read(&mut first, &mut heard).await.unwrap() > 0);
        let well = answer("200 OK", "application/json", well);
        tokio::io::AsyncWriteExt::write_all(&mut first, &well).await.unwrap();
        drop(first);
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut to = tokio::net::TcpStream::connect(format!("127.0.0.1:{port}")).await.unwrap();
            tokio::io::copy_bidirectional(&mut stream, &mut to).await.ok();
        }
    });
    (url, ordered)
}

#[tokio::test]
async fn an_answer_that_is_lost_leaves_it_open_and_is_not_asked_for_again() {
    for (said, word) in [
        (Vec::new(), "broke"),
        (answer("200 OK", "application/json", &"x".repeat(5 << 20)), "larger"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n...".to_vec(), "did not answer"),
        (answer("200 OK", "text/html", LOGIN_PAGE), "Sign in"),
        (answer("504 Gateway Timeout", "text/html", "late"), "504"),
    ] {
        let (url, ordered) = rude_to_orders(said).await;
        // Only one of them is waited for.
        let limit = if word == "did not answer" { ", timeout: 3s" } else { "" };
        let started = start_at(&url, limit, &this_one()).await;
        let Started::Unclear { error } = &started else { panic!("{word}: {started:?}") };
        assert!(error.contains(word) && error.len() < 500, "{error}");
        assert_eq!(ordered.load(Ordering::SeqCst), 1, "{word}");
    }
}

#[test]
fn only_what_never_reached_a_task_is_refused() {
    let said = |code: i64, msg: &str| json!({"code": code, "msg": msg, "data": null}).to_string();
    let id = "ef".repeat(16);
    for (status, body, expected) in [
        (200, json!({"code": 0, "success": true, "data": {"jobId": id}}).to_string(), "accepted"),
        (200, json!({"code": 0, "data": {"jobId": "application_1_2"}}).to_string(), "accepted"),
        (200, json!({"code": 0, "success": false}).to_string(), "unclear"),
        (200, said(1, "execute failed"), "unclear"),
        (200, said(5, "SqlParserException"), "unclear"),
        (200, said(5, "Request method 'POST' not supported"), "refused"),
        (200, said(7, "expired"), "refused"),
        (200, said(6, "id"), "refused"),
        (400, said(6, "id"), "refused"),
        (401, String::new(), "refused"),
        (404, LOGIN_PAGE.to_owned(), "refused"),
        (500, r#"{"status":500,"error":"Internal Server Error"}"#.to_owned(), "unclear"),
        (200, LOGIN_PAGE.to_owned(), "unclear"),
        (200, String::new(), "unclear"),
    ] {
        let started = judge(status, body.as_bytes(), "renew it");
        let is = match &started {
            Started::Accepted { job_id } => {
                assert!(job_id.as_ref().is_none_or(|job_id| *job_id == id), "{started:?}");
                "accepted"
            }
            Started::Refused { .. } => "refused",
            Started::Alive { .. } => "alive",
            Started::Unclear { .. } => "unclear",
        };
        assert_eq!(is, expected, "{status} {body}: {started:?}");
    }
}

#[test]
fn mistakes_are_told_with_the_way_out() {
    let bad = config("dinky: { source: '', token_header: 'a b', timeout: 0s }");
    assert_eq!(bad.problems().len(), 3, "{:?}", bad.problems());
    let good = config("dinky: { source: inv, token_header: Authorization }");
    assert!(good.problems().is_empty() && good.traits().inventory && !good.traits().one_program);
    let error = good.build(&parts("streampark", Some("http://sp:10000"), None)).err().unwrap();
    assert!(error.0.contains("no source of kind dinky"), "{error}");
}
