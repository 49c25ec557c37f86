//! The ResourceManager's own API: `info`, `metrics`, `apps` and one application.

use std::collections::HashMap;

use axum::extract::Query;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use super::super::time::now_ms;
use super::row::{self, App};

const STATES: [&str; 8] =
    ["NEW", "NEW_SAVING", "SUBMITTED", "ACCEPTED", "RUNNING", "FINISHED", "FAILED", "KILLED"];
const DESELECTS: [&str; 5] = [
    "resourceRequests",
    "timeouts",
    "appNodeLabelExpression",
    "amNodeLabelExpression",
    "resourceInfo",
];
const TYPE: &str = "Apache Flink";
const TAGS: [&str; 2] = ["prod", "orders"];

pub(super) fn takes_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_none_or(|accept| accept.contains("application/json") || accept.contains("*/*"))
}

pub(super) fn json(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json;charset=utf-8")], body).into_response()
}

fn refuse(status: StatusCode, exception: &str, message: &str) -> Response {
    let class = format!("org.apache.hadoop.yarn.webapp.{exception}");
    let said = json!({ "exception": exception, "message": message, "javaClassName": class });
    json(status, json!({ "RemoteException": said }).to_string())
}

fn bad(message: &str) -> Response {
    refuse(StatusCode::BAD_REQUEST, "BadRequestException", message)
}

pub(super) fn info(began: i64) -> Response {
    let version = "3.3.6 from 1be78238728da9266a4f88195058f08fd012bf9c by ubuntu";
    let info = json!({
        "id": began, "startedOn": began, "state": "STARTED", "haState": "ACTIVE",
        "rmStateStoreName": "org.apache.hadoop.yarn.server.resourcemanager.recovery.ZKRMStateStore",
        "resourceManagerVersion": "3.3.6", "resourceManagerBuildVersion": version,
        "resourceManagerVersionBuiltOn": "2023-06-18T08:30Z", "hadoopVersion": "3.3.6",
        "hadoopBuildVersion": version, "hadoopVersionBuiltOn": "2023-06-18T08:22Z",
        "haZooKeeperConnectionState": "CONNECTED",
    });
    json(StatusCode::OK, json!({ "clusterInfo": info }).to_string())
}

pub(super) fn metrics(apps: &[App]) -> Response {
    let running = apps.iter().filter(|app| app.is_running()).count();
    let metrics = json!({
        "appsSubmitted": apps.len(), "appsCompleted": apps.len() - running, "appsPending": 0,
        "appsRunning": running, "appsFailed": 0, "appsKilled": 0, "reservedMB": 0,
        "availableMB": 6_553_600, "allocatedMB": running * 12_288,
        "totalMB": 6_553_600 + running * 12_288, "reservedVirtualCores": 0,
        "availableVirtualCores": 4_096, "allocatedVirtualCores": running * 5,
        "totalVirtualCores": 4_096 + running * 5, "containersAllocated": running * 4,
        "containersReserved": 0, "containersPending": 0, "totalNodes": 200, "activeNodes": 200,
        "lostNodes": 0, "unhealthyNodes": 0, "decommissioningNodes": 0, "decommissionedNodes": 0,
        "rebootedNodes": 0, "shutdownNodes": 0,
    });
    json(StatusCode::OK, json!({ "clusterMetrics": metrics }).to_string())
}

/// Filters as the real one does; what it does not know as a filter it does not mind.
pub(super) fn apps(apps: &mut [App], uri: &Uri) -> Response {
    let Ok(Query(asked)) = Query::<HashMap<String, String>>::try_from_uri(uri) else {
        return bad("the query cannot be read");
    };
    let words = |name: &str| -> Vec<String> {
        let text = asked.get(name).map_or("", String::as_str);
        text.split(',').map(str::trim).filter(|w| !w.is_empty()).map(str::to_owned).collect()
    };
    let states: Vec<String> = words("states").iter().map(|w| w.to_ascii_uppercase()).collect();
    if let Some(unknown) = states.iter().find(|state| !STATES.contains(&state.as_str())) {
        let all = STATES.join(", ");
        return bad(&format!(
            "Invalid application-state {unknown} specified. It should be one of [{all}]"
        ));
    }
    if let Some(unknown) = words("deSelects").iter().find(|w| !DESELECTS.contains(&w.as_str())) {
        let all = DESELECTS.join(", ");
        return bad(&format!(
            "Invalid deSelects string {unknown} specified. It should be one of [{all}]"
        ));
    }
    let since = match asked.get("finishedTimeBegin").map(|text| text.parse::<i64>()) {
        None => 0,
        Some(Ok(since)) if since >= 0 => since,
        Some(_) => return bad("finishedTimeBegin must be greater than 0"),
    };
    let is_of = |name: &str, has: &[&str]| {
        let words = words(name);
        words.is_empty() || words.iter().any(|w| has.iter().any(|h| h.eq_ignore_ascii_case(w)))
    };
    let (now, mut rows) = (now_ms(), Vec::new());
    if is_of("applicationTypes", &[TYPE]) && is_of("applicationTags", &TAGS) {
        for app in apps {
            let is_in = states.is_empty() || states.iter().any(|state| state == app.state());
            if !is_in || app.finished() < since {
                continue;
            }
            if !app.is_running() {
                app.shown.get_or_insert(now);
            }
            rows.push(app.row(now));
        }
    }
    if rows.is_empty() {
        return json(StatusCode::OK, r#"{"apps":null}"#.to_owned());
    }
    json(StatusCode::OK, format!(r#"{{"apps":{{"app":[{}]}}}}"#, rows.join(",")))
}

pub(super) fn one(apps: &[App], id: &str) -> Response {
    let app = row::number(id).and_then(|n| apps.get(n)).filter(|app| app.id == id);
    match app {
        Some(app) => json(StatusCode::OK, format!(r#"{{"app":{}}}"#, app.row(now_ms()))),
        None => refuse(
            StatusCode::NOT_FOUND,
            "NotFoundException",
            &format!("java.lang.Exception: app with id: {id} not found"),
        ),
    }
}
