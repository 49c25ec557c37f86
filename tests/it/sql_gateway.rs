//! The driver `sql_gateway` against a stand-in of gateway and cluster that answers as the real ones were
//! seen to (1.17.2, 2.2.1), down to their errors, and fails where a test says so.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use anyhow::{Result, ensure};
use axum::extract::connect_info::ConnectInfo;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use weir::actions::drivers::{Driver, DriverConfig, FlinkAccess, Parts};
use weir::http::HttpConfig;
use weir::model::JobKey;
use weir::model::{LookedUp, Order, Started};

use crate::testbed::net::{Line, Served};

const SCRIPT: &str = "CREATE TABLE src (id INT) WITH ('password' = 'hunter2');\n\
                      USE prod -- where; it lives\n;\n\
                      INSERT INTO dst SELECT id FROM src;";
const FROM: &str = "file:/ck/j/chk-7";

#[derive(Debug, Clone, Copy, PartialEq)]
enum Trouble {
    /// A statement before the job fails.
    Prepare,
    /// The job's statement arrives, and its answer does not.
    AnswerLost,
    /// The job's statement is never done, and starts nothing.
    Hangs,
    /// The path it is to be restored from is not there.
    NoSuchPath,
    /// The gateway forgets the session while it submits.
    Forgets,
    /// The cluster took the job; the gateway did not hear of it.
    Submitted,
    /// Somebody starts the job while the first statements run.
    Stranger,
    /// The proxy before it has lost it.
    BadGateway,
    /// The gateway submits to another cluster.
    Elsewhere,
    /// The same, and the job lives there.
    LivesElsewhere,
}

/// A statement and its settings.
type Said = (String, BTreeMap<String, String>);

#[derive(Default)]
struct World {
    trouble: Option<Trouble>,
    info_version: &'static str,
    sessions: Vec<String>,
    properties: Vec<Value>,
    statements: Vec<Said>,
    /// Id, name, state.
    jobs: Vec<(String, String, &'static str)>,
}

type Shared = Arc<Mutex<World>>;

fn trace(cause: &str) -> Response {
    let text = format!(
        "<Exception on server side:\norg.apache.flink.table.gateway.api.utils.SqlGatewayException: \
         Failed to fetchResults.\n\tat a.B.c(B.java:91)\nCaused by: {cause}\n\tat d.E.f(E.java:1)\n\nEnd \
         of exception on server side>"
    );
    let errors = json!({ "errors": ["Internal server error.", text] });
    (StatusCode::INTERNAL_SERVER_ERROR, Json(errors)).into_response()
}

fn failed(cause: &str) -> Response {
    trace(&format!(
        "org.apache.flink.table.gateway.service.utils.SqlExecutionException: Failed to execute the \
         operation 1.\n\tat a.B.c(B.java:1)\nCaused by: {cause}"
    ))
}

async fn open(State(world): State<Shared>, Json(body): Json<Value>) -> Response {
    let mut world = world.lock().unwrap();
    world.properties.push(body["properties"].clone());
    let handle = format!("0000-{}", world.properties.len());
    world.sessions.push(handle.clone());
    Json(json!({ "sessionHandle": handle })).into_response()
}

async fn close(State(world): State<Shared>, Path(session): Path<String>) -> Response {
    let mut world = world.lock().unwrap();
    let known = world.sessions.contains(&session);
    world.sessions.retain(|open| *open != session);
    if known { Json(json!({ "status": "CLOSED" })).into_response() } else { trace("no session") }
}

async fn statement(
    State(world): State<Shared>,
    ConnectInfo(line): ConnectInfo<Line>,
    Path(session): Path<String>,
    Json(body): Json<Value>,
) -> Response {
    let mut world = world.lock().unwrap();
    if !world.sessions.contains(&session) {
        return trace("Session does not exist");
    }
    let text = body["statement"].as_str().unwrap_or_default().to_owned();
    if text.trim().is_empty() || text.ends_with(';') {
        return trace("SqlParserException: one statement is wanted");
    }
    if text == "SHOW JOBS" {
        let known = world.info_version != "1.16.3";
        let operation = if known { "op-jobs" } else { "op-0" };
        return Json(json!({ "operationHandle": operation })).into_response();
    }
    let settings: BTreeMap<String, String> =
        serde_json::from_value(body["executionConfig"].clone()).unwrap_or_default();
    let is_job = text.starts_with("INSERT");
    world.statements.push((text, settings.clone()));
    if world.trouble == Some(Trouble::Stranger) && !is_job {
        world.jobs.push(("ee".repeat(16), "Orders".to_owned(), "RUNNING"));
    }
    if is_job {
        if world.trouble == Some(Trouble::BadGateway) {
            return (StatusCode::BAD_GATEWAY, "<html>bad gateway</html>").into_response();
        }
        let id = settings.get("$internal.pipeline.job-id").cloned().unwrap_or_default();
        let name = settings.get("pipeline.name").cloned().unwrap_or_default();
        let fails =
            matches!(world.trouble, Some(Trouble::Hangs | Trouble::NoSuchPath | Trouble::Forgets));
        if !fails && !world.jobs.iter().any(|(known, ..)| *known == id) {
            world.jobs.push((id, name, "RUNNING"));
        }
        if world.trouble == Some(Trouble::AnswerLost) {
            line.cut();
        }
    }
    Json(json!({ "operationHandle": format!("op-{}", world.statements.len()) })).into_response()
}

async fn result(
    State(world): State<Shared>,
    Path((session, operation)): Path<(String, String)>,
) -> Response {
    let mut world = world.lock().unwrap();
    if operation == "op-jobs" {
        return show_jobs(&world);
    }
    let number: usize = operation.trim_start_matches("op-").parse().unwrap_or_default();
    let Some((text, settings)) =
        number.checked_sub(1).and_then(|n| world.statements.get(n)).cloned()
    else {
        return trace("no such operation");
    };
    if !world.sessions.contains(&session) {
        return trace("Session does not exist");
    }
    let done = |job: Option<&String>| {
        let mut body = json!({ "resultType": "PAYLOAD", "resultKind": "SUCCESS" });
        if let Some(job) = job {
            body["jobID"] = json!(job);
        }
        Json(body).into_response()
    };
    if !text.starts_with("INSERT") {
        return if world.trouble == Some(Trouble::Prepare) {
            failed("org.apache.flink.table.api.ValidationException: no option 'password'='hunter2'")
        } else {
            done(None)
        };
    }
    match world.trouble {
        Some(Trouble::Hangs) => Json(json!({ "resultType": "NOT_READY" })).into_response(),
        Some(Trouble::NoSuchPath) => {
            let id = settings["$internal.pipeline.job-id"].clone();
            world.jobs.push((id, "Orders".to_owned(), "FAILED"));
            failed(
                "java.io.FileNotFoundException: Cannot find checkpoint or savepoint file/directory \
                 'file:/ck/j/chk-7' on file system 'file'.",
            )
        }
        Some(Trouble::Forgets) => trace("SqlGatewayException: Session '0000-1' does not exist."),
        Some(Trouble::Submitted) => failed(
            "org.apache.flink.runtime.rest.util.RestClientException: [Internal server error.",
        ),
        _ => done(settings.get("$internal.pipeline.job-id")),
    }
}

fn show_jobs(world: &World) -> Response {
    let mut jobs = world.jobs.clone();
    match world.trouble {
        Some(Trouble::Elsewhere) => jobs.push(("ef".repeat(16), "Other".to_owned(), "RUNNING")),
        Some(Trouble::LivesElsewhere) => {
            jobs.push(("ef".repeat(16), "Orders".to_owned(), "RUNNING"));
        }
        _ => jobs.push(("fe".repeat(16), "Orders".to_owned(), "FAILED")),
    }
    let columns = ["job id", "job name", "status", "start time"];
    let columns: Vec<Value> = columns.into_iter().map(|name| json!({ "name": name })).collect();
    let row = |(id, name, state): &(String, String, &str)| json!({ "kind": "INSERT", "fields": [id, name, state, "2026-01-01T00:00:00Z"] });
    let data: Vec<Value> = jobs.iter().map(row).collect();
    let results = json!({ "columns": columns, "data": data, "rowFormat": "JSON" });
    Json(json!({ "resultType": "PAYLOAD", "results": results })).into_response()
}

async fn jobs(State(world): State<Shared>) -> Response {
    let world = world.lock().unwrap();
    let row = |(jid, name, state): &(String, String, &str)| json!({ "jid": jid, "name": name, "state": state });
    Json(json!({ "jobs": world.jobs.iter().map(row).collect::<Vec<_>>() })).into_response()
}

struct Bed {
    world: Shared,
    driver: Arc<dyn Driver>,
    served: Served,
}

async fn bed(version: &'static str, trouble: Option<Trouble>) -> Result<Bed> {
    let world: Shared =
        Arc::new(Mutex::new(World { trouble, info_version: version, ..World::default() }));
    let info =
        move || async move { Json(json!({ "productName": "Apache Flink", "version": version })) };
    let router = Router::new()
        .route("/api_versions", get(|| async { Json(json!({ "versions": ["V1", "V2"] })) }))
        .route("/v1/info", get(info))
        .route("/v1/sessions", post(open))
        .route("/v1/sessions/{session}", delete(close))
        .route("/v1/sessions/{session}/statements", post(statement))
        .route("/v1/sessions/{session}/operations/{operation}/result/0", get(result))
        .route("/jobs/overview", get(jobs))
        .with_state(Arc::clone(&world));
    let served = Served::start(router).await?;
    let url = format!("http://{}", served.addr());
    let mut parts = Parts::default();
    let access = FlinkAccess { urls: vec![url.clone()], http: HttpConfig::default() };
    parts.flink.insert("prod".to_owned(), access);
    let text = format!(
        "sql_gateway: {{ url: '{url}/', statements: [{SCRIPT:?}], start_within: 2s, timeout: 2s, \
         properties: {{ execution.checkpointing.interval: 1s }} }}"
    );
    let config: DriverConfig = serde_saphyr::from_str(&text)?;
    ensure!(config.problems().is_empty() && config.traits().handle && config.traits().one_program);
    Ok(Bed { world, driver: config.build(&parts)?, served })
}

fn order(restart: u64, from: Option<&str>) -> Order {
    Order {
        restart,
        handle: format!("{restart:032x}"),
        job: JobKey::new("prod", "", "", "Orders"),
        job_name: "Orders".to_owned(),
        flink_job_name: "Orders".to_owned(),
        cluster: "prod".to_owned(),
        namespace: String::new(),
        flink_cluster: "prod".to_owned(),
        labels: weir::model::Labels::default(),
        dead: Some("dd".repeat(16)),
        from: from.map(str::to_owned),
        version: None,
        inventory: None,
        may_cancel: true,
    }
}

impl Bed {
    fn statements(&self) -> Vec<Said> {
        self.world.lock().unwrap().statements.clone()
    }

    /// Statements that start a job.
    fn jobs_asked_for(&self) -> usize {
        self.statements().iter().filter(|(text, _)| text.starts_with("INSERT")).count()
    }

    fn open_sessions(&self) -> usize {
        self.world.lock().unwrap().sessions.len()
    }
}

#[tokio::test]
async fn the_statements_are_run_once_and_the_last_one_restores() -> Result<()> {
    for (version, path, mode) in [
        // It cannot say which jobs there are.
        ("1.16.3", "execution.savepoint.path", "execution.savepoint-restore-mode"),
        ("1.17.2", "execution.savepoint.path", "execution.savepoint-restore-mode"),
        ("2.2.1", "execution.state-recovery.path", "execution.state-recovery.claim-mode"),
    ] {
        let bed = bed(version, None).await?;
        let first = order(1, Some(FROM));
        ensure!(bed.driver.look_up(&first).await == LookedUp::Absent);
        let run = Some(first.handle.clone());
        ensure!(bed.driver.start(&first).await == Started::Accepted { job_id: run.clone() });
        let said = bed.statements();
        let texts: Vec<&str> = said.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "CREATE TABLE src (id INT) WITH ('password' = 'hunter2')",
                "USE prod -- where; it lives",
                "INSERT INTO dst SELECT id FROM src",
            ]
        );
        ensure!(said[0].1.is_empty() && said[1].1.is_empty(), "{said:?}");
        let settings = &said[2].1;
        assert_eq!(settings[path], FROM);
        assert_eq!(settings[mode], "NO_CLAIM");
        assert_eq!(settings["pipeline.name"], "Orders");
        assert_eq!(settings["$internal.pipeline.job-id"], first.handle);
        let properties = bed.world.lock().unwrap().properties.clone();
        assert_eq!(properties, [json!({ "execution.checkpointing.interval": "1s" })]);
        ensure!(bed.open_sessions() == 0, "the session is left open");

        // Again: it is there. Another one: the job lives.
        ensure!(bed.driver.start(&first).await == Started::Accepted { job_id: run.clone() });
        ensure!(bed.driver.look_up(&first).await == LookedUp::Found { job_id: run });
        ensure!(matches!(bed.driver.start(&order(2, None)).await, Started::Alive { .. }));
        ensure!(bed.jobs_asked_for() == 1, "{:?}", bed.statements());
    }
    Ok(())
}

#[tokio::test]
async fn from_nothing_no_path_is_set() -> Result<()> {
    let bed = bed("2.2.1", None).await?;
    ensure!(matches!(bed.driver.start(&order(1, None)).await, Started::Accepted { .. }));
    let settings = &bed.statements()[2].1;
    ensure!(settings.keys().all(|key| !key.contains("path")), "{settings:?}");
    Ok(())
}

#[tokio::test]
async fn what_was_surely_not_started_is_refused() -> Result<()> {
    let bed = bed("2.2.1", Some(Trouble::Prepare)).await?;
    let order = order(1, Some(FROM));
    let Started::Refused { error, unreadable: false } = bed.driver.start(&order).await else {
        anyhow::bail!("not refused");
    };
    ensure!(error.contains("ValidationException") && !error.contains("hunter2"), "{error}");
    ensure!(bed.jobs_asked_for() == 0 && bed.open_sessions() == 0);

    let bed = self::bed("2.2.1", Some(Trouble::NoSuchPath)).await?;
    let Started::Refused { error, unreadable: true } = bed.driver.start(&order).await else {
        anyhow::bail!("the path could not be read");
    };
    ensure!(error.contains("Cannot find checkpoint or savepoint"), "{error}");
    ensure!(bed.open_sessions() == 0);

    let bed = self::bed("2.2.1", Some(Trouble::Stranger)).await?;
    ensure!(matches!(bed.driver.start(&order).await, Started::Alive { .. }));
    ensure!(bed.jobs_asked_for() == 0 && bed.open_sessions() == 0, "a second copy");

    // What was proven of one cluster says nothing of another one.
    let bed = self::bed("2.2.1", Some(Trouble::LivesElsewhere)).await?;
    ensure!(matches!(bed.driver.start(&order).await, Started::Alive { .. }));
    ensure!(bed.jobs_asked_for() == 0 && bed.open_sessions() == 0, "a second copy");
    let bed = self::bed("1.17.2", Some(Trouble::Elsewhere)).await?;
    let Started::Refused { error, unreadable: false } = bed.driver.start(&order).await else {
        anyhow::bail!("not refused");
    };
    ensure!(error.contains("submits to another cluster"), "{error}");
    ensure!(bed.jobs_asked_for() == 0 && bed.open_sessions() == 0);
    Ok(())
}

#[tokio::test]
async fn what_nobody_knows_is_unclear_and_looked_up() -> Result<()> {
    for (trouble, runs) in [
        (Trouble::AnswerLost, true),
        (Trouble::Hangs, false),
        (Trouble::Forgets, false),
        (Trouble::BadGateway, false),
    ] {
        let bed = bed("1.17.2", Some(trouble)).await?;
        let order = order(1, Some(FROM));
        let started = bed.driver.start(&order).await;
        ensure!(matches!(started, Started::Unclear { .. }), "{trouble:?}: {started:?}");
        let found = bed.driver.look_up(&order).await;
        let expected = if runs {
            LookedUp::Found { job_id: Some(order.handle.clone()) }
        } else {
            LookedUp::Absent
        };
        ensure!(found == expected, "{trouble:?}: {found:?}");
    }
    // The gateway failed, and the cluster has it.
    let bed = bed("1.17.2", Some(Trouble::Submitted)).await?;
    let order = order(1, Some(FROM));
    let expected = Started::Accepted { job_id: Some(order.handle.clone()) };
    ensure!(bed.driver.start(&order).await == expected);
    Ok(())
}

#[tokio::test]
async fn an_address_that_is_no_gateway_is_told() -> Result<()> {
    let mut bed = bed("2.2.1", None).await?;
    let nobody = Served::start(Router::new().fallback(|| async { Json(json!({})) })).await?;
    let text = format!(
        "sql_gateway: {{ url: 'http://{}', source: prod, statements: ['INSERT INTO t SELECT 1'] }}",
        nobody.addr()
    );
    let mut parts = Parts::default();
    let url = format!("http://{}", bed.served.addr());
    let access = FlinkAccess { urls: vec![url], http: HttpConfig::default() };
    parts.flink.insert("prod".to_owned(), access);
    bed.driver = serde_saphyr::from_str::<DriverConfig>(&text)?.build(&parts)?;
    let Started::Refused { error, .. } = bed.driver.start(&order(1, None)).await else {
        anyhow::bail!("not refused");
    };
    ensure!(error.contains("is no SQL Gateway"), "{error}");
    Ok(())
}
