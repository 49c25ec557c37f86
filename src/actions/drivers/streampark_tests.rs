use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use super::*;
use crate::actions::drivers::testing::{
    LOGIN_PAGE, answer, config, known, order, parts, rude, serve, sight, told,
};

const PATH: &str = "hdfs://nn/ck/orders 1/3f/chk-42";
const NEW: &str = "/openapi/app/start";
const LIST: &str = "/flink/app/list";
const OLD: &str = "/flink/app/start";
/// All fields of a start that any version has heard of.
const FIELDS: &[&str] = &[
    "id",
    "teamId",
    "argument",
    "restoreFromSavepoint",
    "restoreOrTriggerSavepoint",
    "savepointPath",
    "savePointed",
    "savePoint",
    "allowNonRestored",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    V210,
    V214,
    V217,
    V22,
}

/// A StreamPark that refuses what StreamPark refuses. Its JSON has every `Long` as a text
/// (`WebMvcConfig.jacksonModule`), so `code`, too.
struct StandIn {
    version: Version,
    /// The token it takes, and whether it is one of its API.
    token: Mutex<(String, bool)>,
    /// `FlinkAppState`.
    state: Mutex<&'static str>,
    /// From what each order restored; none: from nothing.
    taken: Mutex<Vec<Option<String>>>,
    asked: Mutex<Vec<String>>,
    /// What it says to an unknown address.
    unknown: (u16, &'static str),
}

fn envelope(http: u16, code: u32, message: &str) -> Response {
    let body = serde_json::json!({
        "status": "error", "code": code.to_string(), "message": message, "data": null
    });
    (StatusCode::from_u16(http).unwrap(), axum::Json(body)).into_response()
}

fn trace(class: &str, frames: &str) -> String {
    format!(
        "internal server error: {class}\n{frames}\n\tat org.apache.streampark.console.core.\
         controller.OpenAPIController.flinkStart(OpenAPIController.java:90)\n"
    )
}

impl StandIn {
    fn answer(&self, uri: &Uri, method: &str, headers: &HeaderMap, body: &str) -> Response {
        let path = uri.path();
        self.asked.lock().unwrap().push(path.to_owned());
        let (token, of_api) = self.token.lock().unwrap().clone();
        if headers.get("authorization").and_then(|v| v.to_str().ok()) != Some(token.as_str()) {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        let new = matches!(self.version, Version::V217 | Version::V22);
        match path {
            // The page of jobs: its own token may see it, one of the API only in 2.0 to 2.1.3.
            LIST => {
                let words = match (new, of_api) {
                    (true, true) => "java.lang.UnsupportedOperationException: Openapi unsupported",
                    (false, true) if self.version == Version::V214 => {
                        "api accessToken authentication failed!"
                    }
                    _ => {
                        let page = serde_json::json!({"records": [], "total": "0"});
                        return axum::Json(serde_json::json!({
                            "status": "success", "code": "200", "data": page
                        }))
                        .into_response();
                    }
                };
                return envelope(500, 500, words);
            }
            OLD if new && of_api => {
                return envelope(
                    500,
                    500,
                    &trace(
                        "java.lang.UnsupportedOperationException: Openapi unsupported: /flink/app/start",
                        "\tat org.apache.streampark.console.core.aspect.OpenAPIAspect.openAPIPointcut(OpenAPIAspect.java:91)",
                    ),
                );
            }
            NEW if new => {}
            OLD => {}
            _ => {
                let (status, body) = self.unknown;
                return (StatusCode::from_u16(status).unwrap(), body).into_response();
            }
        }
        assert_eq!(method, "POST");
        let form =
            headers.get("content-type").is_some_and(|v| v == "application/x-www-form-urlencoded");
        let query = if form { body } else { "" };
        let url = reqwest::Url::parse(&format!("http://f/?{query}")).unwrap();
        let fields: BTreeMap<String, String> =
            url.query_pairs().map(|(k, v)| (k.into_owned(), v.into_owned())).collect();
        for name in fields.keys() {
            assert!(FIELDS.contains(&name.as_str()), "no version has a field {name}");
        }
        let field = |name: &str| fields.get(name).map(String::as_str);
        // A refusal by the start itself, in the words of the call.
        let refuse = |message: &str| match path {
            NEW => envelope(500, 501, message),
            _ => axum::Json(serde_json::json!({
                "status": "success", "code": "200", "message": message, "data": false
            }))
            .into_response(),
        };
        if field("id") != Some("100123") {
            return refuse("Invalid operation, application is null");
        }
        if self.version == Version::V22 && field("teamId") != Some("100000") {
            return refuse(
                "Permission denied, only members of this team can access this permission",
            );
        }
        let state = *self.state.lock().unwrap();
        if !["ADDED", "CREATED", "FAILED", "CANCELED", "FINISHED", "LOST"].contains(&state) {
            return refuse("[StreamPark] The application cannot be started repeatedly.");
        }
        let (restores, from) = match (new, path) {
            (true, NEW) if of_api => ("restoreFromSavepoint", "savepointPath"),
            (true, _) => ("restoreOrTriggerSavepoint", "savepointPath"),
            (false, _) => ("savePointed", "savePoint"),
        };
        let from = (field(restores) == Some("true")).then(|| match field(from) {
            None | Some("") => "the latest one StreamPark knows".to_owned(),
            Some(path) => path.to_owned(),
        });
        self.taken.lock().unwrap().push(from);
        *self.state.lock().unwrap() = "STARTING";
        axum::Json(serde_json::json!({"status": "success", "code": "200", "data": true}))
            .into_response()
    }

    fn taken(&self) -> Vec<Option<String>> {
        self.taken.lock().unwrap().clone()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn stand_in(version: Version) -> (Arc<StandIn>, String) {
    stand_in_with(
        version,
        (405, r#"{"status":405,"error":"Method Not Allowed","path":"/openapi"}"#),
    )
    .await
}

async fn stand_in_with(version: Version, unknown: (u16, &'static str)) -> (Arc<StandIn>, String) {
    let state = Arc::new(StandIn {
        version,
        token: Mutex::new(("a-token".to_owned(), true)),
        state: Mutex::new("FAILED"),
        taken: Mutex::default(),
        asked: Mutex::default(),
        unknown,
    });
    let shared = Arc::clone(&state);
    let router = axum::Router::new().fallback(
        move |method: axum::http::Method, uri: Uri, headers: HeaderMap, body: String| {
            let answer = shared.answer(&uri, method.as_str(), &headers, &body);
            async move { answer }
        },
    );
    (state, serve(router).await)
}

fn token_file(dir: &Path, token: &str) -> std::path::PathBuf {
    let file = dir.join("token");
    std::fs::write(&file, token).unwrap();
    file
}

async fn start_at(url: &str, options: &str, order: &Order) -> Started {
    let dir = tempfile::tempdir().unwrap();
    let file = token_file(dir.path(), "a-token\n");
    let config = config(&format!("streampark: {{ source: inv{options} }}"));
    assert!(config.problems().is_empty());
    let driver = config.build(&parts("streampark", Some(url), Some(file))).unwrap();
    driver.start(order).await
}

fn accepted() -> Started {
    Started::Accepted { job_id: None }
}

#[tokio::test]
async fn every_generation_restores_from_the_path_it_is_given() {
    let all = [Version::V210, Version::V214, Version::V217, Version::V22];
    for version in all {
        let (streampark, url) = stand_in(version).await;
        let order = known("inv", "100123", Some(PATH));
        assert_eq!(start_at(&url, "", &order).await, accepted(), "{version:?}");
        assert_eq!(streampark.taken(), [Some(PATH.to_owned())], "{version:?}");
        // The same order again finds it being started.
        let again = start_at(&url, "", &order).await;
        assert!(matches!(&again, Started::Alive { .. }), "{version:?}: {again:?}");
        assert!(told(&again).contains("cannot be started repeatedly"), "{again:?}");
        assert_eq!(streampark.taken().len(), 1, "{version:?}");
    }
}

#[tokio::test]
async fn from_nothing_is_from_nothing() {
    for version in [Version::V214, Version::V217, Version::V22] {
        let (streampark, url) = stand_in(version).await;
        assert_eq!(start_at(&url, "", &known("inv", "100123", None)).await, accepted());
        assert_eq!(streampark.taken(), [None], "{version:?}");
    }
}

/// A token of a person is no token of the API: StreamPark then hears other names.
#[tokio::test]
async fn whoever_the_token_is_of_the_path_is_heard() {
    for (version, options) in
        [(Version::V217, ""), (Version::V22, ""), (Version::V217, ", api: legacy")]
    {
        let (streampark, url) = stand_in(version).await;
        *streampark.token.lock().unwrap() = ("a-token".to_owned(), false);
        let order = known("inv", "100123", Some(PATH));
        assert_eq!(start_at(&url, options, &order).await, accepted());
        assert_eq!(streampark.taken(), [Some(PATH.to_owned())], "{version:?}{options}");
    }
}

#[tokio::test]
async fn the_older_call_is_made_only_where_nobody_heard_the_newer_one() {
    let order = known("inv", "100123", Some(PATH));
    let page = r#"{"timestamp":"2026-11-22T08:00:00.000+00:00","status":404,"error":"Not Found"}"#;
    let method = r#"{"status":"error","code":500,"message":"internal server error: org.springframework.web.HttpRequestMethodNotSupportedException: Request method 'POST' not supported\n\tat org.springframework…","data":null}"#;
    for unknown in [(404, page), (405, ""), (500, method)] {
        let (streampark, url) = stand_in_with(Version::V214, unknown).await;
        assert_eq!(start_at(&url, "", &order).await, accepted(), "{unknown:?}");
        assert_eq!(streampark.asked(), [NEW, OLD], "{unknown:?}");
        assert_eq!(streampark.taken().len(), 1);
    }
    // Where the newer one is heard, and refused, the older one is not tried.
    let (streampark, url) = stand_in(Version::V217).await;
    *streampark.state.lock().unwrap() = "RUNNING";
    start_at(&url, "", &order).await;
    assert_eq!(streampark.asked(), [NEW]);
    // Anything else may have been heard.
    let login = answer("200 OK", "text/html", LOGIN_PAGE);
    for said in [login, answer("502 Bad Gateway", "text/html", "bad gateway"), Vec::new()] {
        let (url, heard) = rude("app/start", said).await;
        let started = start_at(&url, "", &order).await;
        assert!(matches!(started, Started::Unclear { .. }), "{started:?}");
        assert_eq!(heard.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn a_call_that_is_not_there_is_named() {
    let order = known("inv", "100123", Some(PATH));
    let (old, url) = stand_in(Version::V214).await;
    let started = start_at(&url, ", api: openapi", &order).await;
    assert!(matches!(&started, Started::Refused { .. }) && told(&started).contains("2.1.5"));
    assert_eq!(old.asked(), [NEW]);
    let (new, url) = stand_in(Version::V217).await;
    let started = start_at(&url, ", api: legacy", &order).await;
    assert!(matches!(&started, Started::Refused { .. }), "{started:?}");
    assert!(told(&started).contains("write `api: auto`"), "{started:?}");
    assert_eq!(new.asked(), [OLD]);
    let (url, heard) = rude("app/start", answer("404 Not Found", "text/html", "no")).await;
    let started = start_at(&url, "", &order).await;
    assert!(told(&started).contains("neither"), "{started:?}");
    assert_eq!(heard.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_token_is_read_for_each_order_and_named_when_it_is_refused() {
    let (streampark, url) = stand_in(Version::V22).await;
    *streampark.token.lock().unwrap() = ("renewed".to_owned(), true);
    let dir = tempfile::tempdir().unwrap();
    let file = token_file(dir.path(), "expired");
    let parts = parts("streampark", Some(&url), Some(file.clone()));
    let driver = config("streampark: { source: inv }").build(&parts).unwrap();
    let order = known("inv", "100123", Some(PATH));
    let started = driver.start(&order).await;
    assert!(matches!(&started, Started::Refused { .. }), "{started:?}");
    assert!(told(&started).contains(file.to_str().unwrap()), "{started:?}");
    assert!(!told(&started).contains("expired"), "{started:?}");
    std::fs::write(&file, "renewed\n").unwrap();
    assert_eq!(driver.start(&order).await, accepted());
    std::fs::write(&file, " \n").unwrap();
    assert!(told(&driver.start(&order).await).contains("it is empty"));
    std::fs::remove_file(&file).unwrap();
    let started = driver.start(&order).await;
    assert!(
        matches!(&started, Started::Refused { .. }) && told(&started).contains("cannot be read")
    );
    assert_eq!(streampark.asked().len(), 2, "without a token nothing is sent");
    assert_eq!(driver.look_up(&order).await, LookedUp::Never);
}

#[tokio::test]
async fn an_answer_that_is_lost_leaves_it_open_and_is_not_asked_for_again() {
    let order = known("inv", "100123", Some(PATH));
    let huge = answer("200 OK", "application/json", &"x".repeat(5 << 20));
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{\"status\":".to_vec();
    let silent = b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n...".to_vec();
    for (said, word) in
        [(Vec::new(), "broke"), (huge, "larger"), (cut, "broke"), (silent, "did not answer")]
    {
        let (url, heard) = rude("app/start", said).await;
        // Only one of them is waited for.
        let limit = if word == "did not answer" { ", timeout: 3s" } else { "" };
        let started = start_at(&url, limit, &order).await;
        let Started::Unclear { error } = &started else { panic!("{word}: {started:?}") };
        assert!(error.contains(word) && error.len() < 500, "{error}");
        assert_eq!(heard.load(Ordering::SeqCst), 1, "{word}");
    }
}

#[tokio::test]
async fn what_was_never_heard_is_refused() {
    let order = known("inv", "100123", Some(PATH));
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let started = start_at(&nobody, "", &order).await;
    assert!(matches!(&started, Started::Refused { .. }), "{started:?}");
    let to =
        "HTTP/1.1 302 Found\r\nLocation: https://sso.example.com/\r\nContent-Length: 0\r\n\r\n";
    let (url, heard) = rude("app/start", to.as_bytes().to_vec()).await;
    let started = start_at(&url, "", &order).await;
    assert!(matches!(&started, Started::Refused { .. }), "{started:?}");
    assert!(told(&started).contains("sso.example.com"), "{started:?}");
    assert_eq!(heard.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_job_it_does_not_know_is_not_ordered() {
    let (streampark, url) = stand_in(Version::V22).await;
    let started = start_at(&url, "", &order(Some(PATH))).await;
    assert!(told(&started).contains("is not known by `inv`"), "{started:?}");
    let started = start_at(&url, "", &known("other", "100123", Some(PATH))).await;
    assert!(told(&started).contains("is known by `other`"), "{started:?}");
    assert!(streampark.asked().is_empty());
    let mut without_team = known("inv", "100123", Some(PATH));
    without_team.inventory.as_mut().unwrap().team_id = None;
    let started = start_at(&url, "", &without_team).await;
    assert!(matches!(&started, Started::Refused { .. }), "{started:?}");
    assert!(told(&started).contains("may not start"), "{started:?}");
}

#[tokio::test]
async fn it_is_looked_over_and_nothing_is_ordered() {
    let dir = tempfile::tempdir().unwrap();
    let file = token_file(dir.path(), "a-token");
    let config = config("streampark: { source: inv }");
    let jobs = [sight("orders", Some("inv")), sight("clicks", None), sight("views", Some("sp"))];
    for version in [Version::V210, Version::V214, Version::V217, Version::V22] {
        for of_api in [true, false] {
            let (stand_in, url) = stand_in(version).await;
            "a-token".clone_into(&mut stand_in.token.lock().unwrap().0);
            stand_in.token.lock().unwrap().1 = of_api;
            let built = |file| config.build(&parts("streampark", Some(&url), Some(file))).unwrap();
            let found = built(file.clone()).examine(&jobs).await;
            let expected = Ok("StreamPark answers, and takes the token".to_owned());
            assert_eq!(found[0], expected, "{version:?} {of_api}");
            let strangers = found[1].as_ref().unwrap_err();
            assert!(strangers.contains("`inv` does not know 2 of the 3 jobs"), "{strangers}");
            assert!(strangers.contains("emr/clicks, emr/views (create"), "{strangers}");
            assert_eq!(built(file.clone()).examine(&jobs[..1]).await.len(), 1);
            "renewed".clone_into(&mut stand_in.token.lock().unwrap().0);
            let found = built(file.clone()).examine(&jobs[..1]).await;
            let said = found[0].as_ref().unwrap_err();
            assert!(said.contains("refuses the token (renew the token in"), "{said}");
            assert!(!said.contains("a-token") && stand_in.taken().is_empty(), "{said}");
            assert!(stand_in.asked().iter().all(|path| path == LIST));
        }
    }
    for (answer, words) in [
        (answer("200 OK", "text/html", LOGIN_PAGE), "not in its own words (check `api_url`"),
        (answer("404 Not Found", "application/json", r#"{"status":404}"#), "answered 404"),
        (Vec::new(), "127.0.0.1"),
    ] {
        let (url, _) = rude(LIST, answer).await;
        let driver = config.build(&parts("streampark", Some(&url), Some(file.clone()))).unwrap();
        let found = driver.examine(&[]).await;
        let said = found[0].as_ref().unwrap_err();
        assert!(said.contains(words) && found.len() == 1, "{said}");
    }
    let away = dir.path().join("away");
    let driver = config.build(&parts("streampark", Some("http://127.0.0.1:1"), Some(away)));
    let found = driver.unwrap().examine(&[]).await;
    assert!(found[0].as_ref().unwrap_err().contains("the token cannot be read"), "{found:?}");
}

#[test]
fn the_order_bears_every_generations_names() {
    let order = known("inv", "7 8", Some("s3://b/a&b=c/chk-1"));
    let form = form(&order, order.inventory.as_ref().unwrap(), true);
    assert_eq!(
        form,
        "id=7+8&allowNonRestored=true&restoreFromSavepoint=true&restoreOrTriggerSavepoint=true\
         &savePointed=true&teamId=100000&savepointPath=s3%3A%2F%2Fb%2Fa%26b%3Dc%2Fchk-1\
         &savePoint=s3%3A%2F%2Fb%2Fa%26b%3Dc%2Fchk-1"
    );
    let order = known("inv", "7", None);
    let form = super::form(&order, order.inventory.as_ref().unwrap(), false);
    assert_eq!(
        form,
        "id=7&allowNonRestored=false&restoreFromSavepoint=false&restoreOrTriggerSavepoint=false\
         &savePointed=false&teamId=100000"
    );
}

/// What StreamPark says, in its versions' own words, and what may be concluded from it.
#[test]
fn only_what_is_known_to_be_refused_is_refused() {
    let start = "\tat org.apache.streampark.console.core.service.impl.ApplicationServiceImpl.start(ApplicationServiceImpl.java:1639)";
    let proxy = "\tat org.apache.streampark.console.core.service.impl.ApplicationServiceImpl$$EnhancerBySpringCGLIB$$1.start(<generated>)";
    let error = |message: &str| {
        serde_json::json!({"status": "error", "code": 500, "message": message, "data": null})
            .to_string()
    };
    let data = |data: Value, message: &str| {
        serde_json::json!({"status": "success", "code": 200, "message": message, "data": data})
            .to_string()
    };
    let null = || Value::Null;
    for (status, body, expected) in [
        (200, data(true.into(), ""), "accepted"),
        (200, r#"{"status":"success","code":200,"data":true}"#.to_owned(), "accepted"),
        (200, data(false.into(), "the target cluster is unavailable, please check!"), "refused"),
        (200, data(false.into(), "[StreamPark] can no found flink version"), "refused"),
        (
            200,
            data(false.into(), "The same job name is already running in the yarn queue"),
            "alive",
        ),
        (
            500,
            error("[StreamPark] The same task name is already running in the yarn queue"),
            "alive",
        ),
        (500, error("[StreamPark] The application cannot be started repeatedly."), "alive"),
        // The commit came after the submission.
        (200, data(false.into(), "Could not commit JDBC transaction; nested exception"), "unclear"),
        (200, data(false.into(), "Transaction silently rolled back"), "unclear"),
        (200, data(false.into(), ""), "unclear"),
        (200, data(null(), ""), "unclear"),
        (200, data("true".into(), ""), "unclear"),
        (500, error(&trace("java.lang.NullPointerException", start)), "refused"),
        (
            500,
            error(&trace("org.springframework.transaction.TransactionSystemException", proxy)),
            "unclear",
        ),
        (500, error(&trace("java.lang.IllegalStateException", "")), "unclear"),
        (
            500,
            error(&trace(
                "org.springframework.expression.spel.SpelEvaluationException: EL1008E: Property or field 'appId' cannot be found",
                "",
            )),
            "refused",
        ),
        (
            500,
            error(&trace(
                "org.apache.shiro.authz.UnauthorizedException: Subject does not have permission [app:start]",
                "",
            )),
            "refused",
        ),
        (400, error("idmust not be null"), "refused"),
        (401, String::new(), "refused"),
        (
            200,
            r#"{"status":"error","code":401,"message":"Unauthenticated."}"#.to_owned(),
            "refused",
        ),
        (
            200,
            r#"{"status":"error","code":"401","message":"Unauthenticated."}"#.to_owned(),
            "refused",
        ),
        (404, String::new(), "nobody"),
        (405, LOGIN_PAGE.to_owned(), "nobody"),
        (403, LOGIN_PAGE.to_owned(), "refused"),
        (413, String::new(), "refused"),
        (200, LOGIN_PAGE.to_owned(), "unclear"),
        (200, String::new(), "unclear"),
        (200, "[]".to_owned(), "unclear"),
        (
            500,
            r#"{"timestamp":"…","status":500,"error":"Internal Server Error"}"#.to_owned(),
            "unclear",
        ),
        (503, String::new(), "unclear"),
        (504, LOGIN_PAGE.to_owned(), "unclear"),
    ] {
        let heard = judge(status, body.as_bytes(), "renew it");
        let is = match &heard {
            Heard::Nobody => "nobody",
            Heard::Started(Started::Accepted { .. }) => "accepted",
            Heard::Started(Started::Refused { .. }) => "refused",
            Heard::Started(Started::Alive { .. }) => "alive",
            Heard::Started(Started::Unclear { .. }) => "unclear",
        };
        assert_eq!(is, expected, "{status} {body}: {heard:?}");
        if status == 401 || body.contains("401") {
            let Heard::Started(started) = &heard else { panic!("{heard:?}") };
            assert!(told(started).contains("renew it"), "{body}: {started:?}");
        }
    }
}

#[test]
fn mistakes_are_told_with_the_way_out() {
    assert_eq!(config("streampark: { source: '', timeout: 0s }").problems().len(), 2);
    let good = config("streampark: { source: inv, api: legacy, timeout: 2m }");
    assert!(good.problems().is_empty() && good.traits().inventory && !good.traits().handle);
    let file = || Some(std::path::PathBuf::from("/run/token"));
    let error = |parts: &Parts| good.build(parts).err().unwrap().0;
    let other = parts("dinky", Some("http://d:8888"), file());
    assert!(error(&other).contains("no source of kind streampark is named `inv`"));
    assert!(error(&parts("streampark", None, file())).contains("`api_url`"));
    let without = error(&parts("streampark", Some("http://sp:10000"), None));
    assert!(without.contains("token_file"), "{without}");
    assert!(good.build(&parts("streampark", Some("http://sp:10000/"), file())).is_ok());
}
