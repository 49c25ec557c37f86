//! The calls to a session cluster's REST API that drivers share. Answers are read leniently: every
//! field may be missing (`docs/static/generated/rest_v1_dispatcher.yml`).

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{BuildError, FlinkAccess, LookedUp, Order};
use crate::actions::Stopped;
use crate::http::{HttpClient, HttpError, Response, one_line};
use crate::model::JobState;

const MIB: usize = 1 << 20;
/// Between two looks at a savepoint on its way.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// Longest error that is passed on, in characters.
const LONGEST: usize = 300;

/// A session cluster.
pub(super) struct Cluster {
    client: HttpClient,
    bases: Vec<String>,
}

/// One job as the listing shows it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Row {
    #[serde(default)]
    pub(super) jid: String,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) state: String,
}

impl Row {
    /// It holds or will take resources; a state of tomorrow counts as one that does.
    pub(super) fn lives(&self) -> bool {
        !JobState::parse(&self.state).is_terminal()
    }
}

#[derive(Deserialize)]
struct Overview {
    jobs: Vec<Row>,
}

/// An answer that is an error, in one line.
pub(super) struct Failure {
    /// It may have been done all the same.
    pub(super) unclear: bool,
    /// What went wrong.
    pub(super) error: String,
}

impl Cluster {
    /// `limit`: longest time of one request.
    pub(super) fn new(access: &FlinkAccess, limit: Duration) -> Result<Cluster, BuildError> {
        let http = crate::http::HttpConfig { timeout: Some(limit), ..access.http.clone() };
        let client = HttpClient::build(&http).map_err(|error| BuildError(error.explain()))?;
        let trim = |url: &String| url.trim_end_matches('/').to_owned();
        Ok(Cluster { client, bases: access.urls.iter().map(trim).collect() })
    }

    /// All jobs of the first `JobManager` that answers, and its address.
    pub(super) async fn jobs(&self) -> Result<(String, Vec<Row>), HttpError> {
        let mut last = None;
        for base in &self.bases {
            let url = format!("{base}/jobs/overview");
            match self.client.get_json::<Overview>(&url, 16 * MIB).await {
                Ok(overview) => return Ok((base.clone(), overview.jobs)),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| HttpError::Config {
            what: "the cluster has no address".to_owned(),
            hint: "name one under `urls`".to_owned(),
        }))
    }

    /// Flink's version there, such as `1.20.5`.
    pub(super) async fn version(&self, base: &str) -> Result<String, HttpError> {
        #[derive(Deserialize)]
        struct Config {
            #[serde(rename = "flink-version", default)]
            version: String,
        }
        let config: Config = self.client.get_json(&format!("{base}/config"), MIB).await?;
        Ok(config.version)
    }

    /// Any answer of this path as JSON.
    pub(super) async fn get(&self, base: &str, path: &str) -> Result<Value, HttpError> {
        self.client.get_json(&format!("{base}/{path}"), 4 * MIB).await
    }

    /// Posts JSON; any status is an answer.
    pub(super) async fn post(
        &self,
        base: &str,
        path: &str,
        body: &Value,
    ) -> Result<Response, HttpError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.client.post(&format!("{base}/{path}"), headers, body.to_string().into(), MIB).await
    }

    /// Posts bytes as they are.
    pub(super) async fn post_bytes(
        &self,
        base: &str,
        path: &str,
        kind: &str,
        body: Vec<u8>,
    ) -> Result<Response, HttpError> {
        let mut headers = HeaderMap::new();
        if let Ok(kind) = HeaderValue::from_str(kind) {
            headers.insert(CONTENT_TYPE, kind);
        }
        self.client.post(&format!("{base}/{path}"), headers, body, MIB).await
    }

    /// Whether a run of the order's handle is there.
    pub(super) async fn look_up(&self, order: &Order) -> LookedUp {
        match self.jobs().await {
            Ok((_, rows)) if rows.iter().any(|row| row.jid == order.handle) => {
                LookedUp::Found { job_id: Some(order.handle.clone()) }
            }
            Ok(_) => LookedUp::Absent,
            Err(error) => LookedUp::Undecided { error: bounded(&error.to_string()) },
        }
    }

    /// What speaks against starting the job: a live run of its name, the dead one alive again.
    pub(super) fn alive(rows: &[Row], order: &Order) -> Option<String> {
        let is_it = |row: &&Row| {
            row.lives()
                && row.jid != order.handle
                && ((!row.name.is_empty() && row.name == order.flink_job_name)
                    || row.name == order.job_name
                    || Some(&row.jid) == order.dead.as_ref())
        };
        let row = rows.iter().find(is_it)?;
        Some(format!("{} is {} there as {}", one_line(&row.name, 80), row.state, row.jid))
    }

    /// Cancels a run; one that is not there any more is cancelled.
    pub(super) async fn cancel(&self, job_id: &str) -> Result<(), String> {
        let (base, _) = self.jobs().await.map_err(|error| bounded(&error.to_string()))?;
        let url = format!("{base}/jobs/{job_id}?mode=cancel");
        let answer = self.client.request(Method::PATCH, &url, HeaderMap::new(), None, MIB).await;
        match answer {
            Ok(answer) if answer.status == 404 || answer.status < 300 => Ok(()),
            Ok(answer) => Err(failure(answer.status, &answer.body).error),
            Err(error) => Err(bounded(&error.to_string())),
        }
    }

    /// Stops the run that is to be replaced: with a savepoint within `limit`, else by cancelling it.
    /// The trigger's id is the handle, so that asking again does not begin another one.
    pub(super) async fn stop(
        &self,
        order: &Order,
        folder: Option<&str>,
        limit: Duration,
    ) -> Stopped {
        let Some(run) = &order.dead else {
            return Stopped::Runs { error: "there is no run to be stopped".to_owned() };
        };
        let (base, rows) = match self.jobs().await {
            Ok(found) => found,
            Err(error) => return Stopped::Unclear { error: bounded(&error.to_string()) },
        };
        if !rows.iter().any(|row| row.jid == *run && row.lives()) {
            return Stopped::Ending { savepoint: None };
        }
        let saved = tokio::time::timeout(limit, self.save(&base, run, order, folder)).await;
        let why = match saved {
            Ok(Ok(path)) => return Stopped::Ending { savepoint: Some(path) },
            Ok(Err(why)) => why,
            Err(_) => format!("no savepoint within {} s", limit.as_secs()),
        };
        match self.cancel(run).await {
            Ok(()) => Stopped::Ending { savepoint: None },
            Err(error) => Stopped::Unclear { error: bounded(&format!("{why}; {error}")) },
        }
    }

    async fn save(
        &self,
        base: &str,
        run: &str,
        order: &Order,
        folder: Option<&str>,
    ) -> Result<String, String> {
        let mut body = json!({ "drain": false, "triggerId": order.handle });
        if let Some(folder) = folder {
            body["targetDirectory"] = json!(folder);
        }
        let path = format!("jobs/{run}/stop");
        let answer = self.post(base, &path, &body).await.map_err(|e| bounded(&e.to_string()))?;
        if answer.status >= 300 {
            return Err(failure(answer.status, &answer.body).error);
        }
        let trigger: Value = answer.json().unwrap_or_default();
        let trigger = trigger["request-id"].as_str().unwrap_or(&order.handle).to_owned();
        let path = format!("jobs/{run}/savepoints/{trigger}");
        loop {
            let answer = self.get(base, &path).await.map_err(|e| bounded(&e.to_string()))?;
            if answer["status"]["id"] == "COMPLETED" {
                let operation = &answer["operation"];
                return match operation["location"].as_str() {
                    Some(path) => Ok(path.to_owned()),
                    None => Err(cause(
                        operation["failure-cause"]["stack-trace"].as_str().unwrap_or("no reason"),
                    )),
                };
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }
}

/// An answer that is no success, as Flink words it: the innermost cause of its stack trace.
pub(super) fn failure(status: u16, body: &[u8]) -> Failure {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let errors: Vec<&str> =
        answer["errors"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let text = match errors.last() {
        Some(text) => cause(text),
        None => one_line(&String::from_utf8_lossy(body), LONGEST),
    };
    // Without a leader, or from a proxy before it: nobody knows how far it came.
    let unclear = matches!(status, 502..=504);
    Failure { unclear, error: bounded(&format!("Flink answered {status}: {text}")) }
}

/// The last cause of a stack trace, one line; Flink's own wrappers tell nothing.
pub(super) fn cause(trace: &str) -> String {
    let last = trace.lines().rev().find_map(|line| line.trim().strip_prefix("Caused by: "));
    let first = trace.lines().map(str::trim).find(|line| !line.is_empty());
    let line = last.or(first).unwrap_or("no reason given");
    one_line(line.trim_start_matches(['<', ' ']), LONGEST)
}

/// It was the checkpoint or savepoint that could not be used, by Flink's words
/// (`Checkpoints.loadAndValidateCheckpoint`, `AbstractFsCheckpointStorageAccess.resolveCheckpointPointer`,
/// `CheckpointCoordinator.restoreSavepoint`).
pub(super) fn is_about_restoring(trace: &str) -> bool {
    let trace = trace.to_ascii_lowercase();
    [
        "_metadata",
        "checkpoint/savepoint",
        "savepoint path",
        "checkpoint pointer",
        "cannot resolve checkpoint",
        "failed to rollback",
        "could not load checkpoint",
        "cannot map checkpoint",
        "failed to restore",
        "could not restore",
        "unrecognized magic number",
    ]
    .iter()
    .any(|sign| trace.contains(sign))
}

pub(super) fn bounded(text: &str) -> String {
    one_line(text, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_its_innermost_cause() {
        let trace = r#"{"errors":["Internal server error.","<Exception on server side:\norg.apache.flink.client.program.ProgramInvocationException: The main method caused an error\n\tat a.b(C.java:1)\nCaused by: java.io.FileNotFoundException: Cannot find meta data file '_metadata' in directory 'file:/ck/chk-7'.\n\tat x.y(Z.java:2)\n\nEnd of exception on server side>"]}"#;
        let failed = failure(400, trace.as_bytes());
        assert_eq!(
            failed.error,
            "Flink answered 400: java.io.FileNotFoundException: Cannot find meta data file \
             '_metadata' in directory 'file:/ck/chk-7'."
        );
        assert!(!failed.unclear && is_about_restoring(&failed.error));
        let failed = failure(503, br#"{"errors":["Service temporarily unavailable due to an ongoing leader election. Please refresh."]}"#);
        assert!(failed.unclear && !is_about_restoring(&failed.error), "{}", failed.error);
        assert!(failure(502, b"<html>bad gateway</html>").unclear);
        let failed =
            failure(500, br#"{"errors":["java.lang.ClassNotFoundException: com.example.Orders"]}"#);
        assert!(!failed.unclear && !is_about_restoring(&failed.error));
    }
}
