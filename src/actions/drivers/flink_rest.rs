//! The calls to a session cluster's REST API that drivers share. Answers are read leniently: every
//! field may be missing (`docs/static/generated/rest_v1_dispatcher.yml`).

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{BuildError, FlinkAccess, LookedUp, Order, Parts};
use crate::actions::Stopped;
use crate::http::{HttpClient, HttpError, Response, one_line};
use crate::model::{JobState, passes};

const MIB: usize = 1 << 20;
/// A savepoint of a sick job is not waited for longer.
const SAVEPOINT_WITHIN: Duration = Duration::from_mins(2);
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
            // Asked before, by a process that did not hear the answer.
            let path = format!("jobs/{run}/savepoints/{}", order.handle);
            let saved = self.get(&base, &path).await.ok();
            let place = saved.and_then(|saved| location(&saved));
            return Stopped::Ending { savepoint: place };
        }
        let why = match self.save(&base, run, order, folder, limit).await {
            Ok(path) => return Stopped::Ending { savepoint: Some(path) },
            Err(Saved::Unclear(error)) => return Stopped::Unclear { error },
            Err(Saved::Not(why)) => why,
        };
        if !order.may_cancel {
            let error = format!("{why}; it is not cancelled, for that may delete its checkpoints");
            return Stopped::Runs { error: bounded(&error) };
        }
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
        limit: Duration,
    ) -> Result<String, Saved> {
        let mut body = json!({ "drain": false, "triggerId": order.handle });
        if let Some(folder) = folder {
            body["targetDirectory"] = json!(folder);
        }
        let answer = self.post(base, &format!("jobs/{run}/stop"), &body).await;
        let answer = answer.map_err(|error| Saved::Unclear(bounded(&error.to_string())))?;
        if answer.status >= 500 {
            return Err(Saved::Unclear(failure(answer.status, &answer.body).error));
        }
        if answer.status >= 300 {
            return Err(Saved::Not(failure(answer.status, &answer.body).error));
        }
        let trigger: Value = answer.json().unwrap_or_default();
        let trigger = trigger["request-id"].as_str().unwrap_or(&order.handle).to_owned();
        let path = format!("jobs/{run}/savepoints/{trigger}");
        let mut last = None;
        let wait = async {
            loop {
                match self.get(base, &path).await {
                    Ok(answer) if answer["status"]["id"] == "COMPLETED" => break answer,
                    Ok(_) => last = None,
                    // It goes on all the same.
                    Err(error) => last = Some(bounded(&error.to_string())),
                }
                tokio::time::sleep(ASK_AGAIN).await;
            }
        };
        let done = tokio::time::timeout(limit, wait).await;
        let Ok(done) = done else {
            let late = format!("no savepoint within {} s", limit.as_secs());
            return Err(last.map_or(Saved::Not(late), Saved::Unclear));
        };
        location(&done).ok_or_else(|| {
            let trace = &done["operation"]["failure-cause"]["stack-trace"];
            Saved::Not(cause(trace.as_str().unwrap_or("no reason given")))
        })
    }
}

/// Why there is no savepoint.
enum Saved {
    /// It failed, or took too long.
    Not(String),
    /// Nobody knows.
    Unclear(String),
}

/// Path of a savepoint that is done.
fn location(answer: &Value) -> Option<String> {
    answer["operation"]["location"].as_str().map(str::to_owned)
}

/// The clusters a driver may have to ask: the one it names, or any.
pub(super) struct Clusters {
    source: Option<String>,
    by_name: BTreeMap<String, Cluster>,
}

impl Clusters {
    /// `limit`: longest time of one request.
    pub(super) fn new(
        parts: &Parts,
        source: Option<&str>,
        limit: Duration,
    ) -> Result<Clusters, BuildError> {
        let mut by_name = BTreeMap::new();
        match source {
            Some(name) => {
                by_name.insert(name.to_owned(), Cluster::new(parts.flink(name)?, limit)?);
            }
            None => {
                for (name, access) in &parts.flink {
                    by_name.insert(name.clone(), Cluster::new(access, limit)?);
                }
            }
        }
        Ok(Clusters { source: source.map(str::to_owned), by_name })
    }

    /// Whether a run of the order's handle is there.
    pub(super) async fn look_up(&self, order: &Order) -> LookedUp {
        match self.of(order) {
            Ok(cluster) => cluster.look_up(order).await,
            Err(error) => LookedUp::Undecided { error },
        }
    }

    /// Stops the run that is to be replaced.
    pub(super) async fn stop(
        &self,
        order: &Order,
        folder: Option<&str>,
        within: Option<Duration>,
    ) -> Stopped {
        match self.of(order) {
            Ok(cluster) => cluster.stop(order, folder, within.unwrap_or(SAVEPOINT_WITHIN)).await,
            Err(error) => Stopped::Runs { error },
        }
    }

    /// Cancels a run.
    pub(super) async fn cancel(&self, order: &Order, job_id: &str) -> Result<(), String> {
        self.of(order)?.cancel(job_id).await
    }

    /// The source that is named for all jobs.
    pub(super) fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// The cluster of this source.
    pub(super) fn named(&self, source: &str) -> Option<&Cluster> {
        self.by_name.get(source)
    }

    /// The cluster that runs this job.
    pub(super) fn of(&self, order: &Order) -> Result<&Cluster, String> {
        let name = self.source.as_ref().unwrap_or(&order.cluster);
        self.by_name.get(name).ok_or_else(|| {
            format!(
                "{} is shown by `{name}`, which is no source of kind flink (name the one that runs \
                 it under `source`)",
                order.job
            )
        })
    }
}

/// An answer that is no success, as Flink words it: the innermost cause of its stack trace.
pub(super) fn failure(status: u16, body: &[u8]) -> Failure {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let is_flinks = answer["errors"].is_array();
    let errors: Vec<&str> =
        answer["errors"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let text = match errors.last() {
        Some(text) => cause(text),
        None => one_line(&String::from_utf8_lossy(body), LONGEST),
    };
    // Without a leader, or from a proxy before it: nobody knows how far it came. Only where a proxy
    // asks who it is, or has no such way, it has surely passed nothing on.
    let stopped_short = matches!(status, 401 | 403..=405 | 407 | 413);
    let unclear = matches!(status, 502..=504) || !(is_flinks || stopped_short);
    let who = if is_flinks { "Flink" } else { "the way to Flink" };
    Failure { unclear, error: bounded(&format!("{who} answered {status}: {text}")) }
}

/// The last cause of a stack trace, one line; Flink's own wrappers tell nothing.
pub(super) fn cause(trace: &str) -> String {
    let last = trace.lines().rev().find_map(|line| line.trim().strip_prefix("Caused by: "));
    let first = trace.lines().map(str::trim).find(|line| !line.is_empty());
    let line = last.or(first).unwrap_or("no reason given");
    one_line(line.trim_start_matches(['<', ' ']), LONGEST)
}

/// It was the checkpoint or savepoint of this path that could not be used, for good: it is not there,
/// or the program cannot read it. A store that does not answer is another matter: the same path is
/// tried again.
pub(super) fn is_unreadable(trace: &str, path: Option<&str>) -> bool {
    let Some(path) = path else { return false };
    if passes(&cause(trace)) {
        return false;
    }
    let lower = trace.to_ascii_lowercase();
    trace.contains(path.trim_end_matches('/'))
        || [
            "_metadata",
            "checkpoint/savepoint",
            "checkpoint pointer",
            "cannot map checkpoint",
            "failed to rollback",
            "unrecognized magic number",
        ]
        .iter()
        .any(|sign| lower.contains(sign))
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
        assert!(!failed.unclear && is_unreadable(trace, Some("file:/ck/chk-7")));
        let failed = failure(503, br#"{"errors":["Service temporarily unavailable due to an ongoing leader election. Please refresh."]}"#);
        assert!(failed.unclear, "{}", failed.error);
        assert!(failure(502, b"<html>bad gateway</html>").unclear);
        let failed = failure(400, b"request blocked by policy 17");
        assert_eq!(failed.error, "the way to Flink answered 400: request blocked by policy 17");
        // Whoever says so may have passed it on.
        assert!(failed.unclear && failure(500, b"").unclear);
        assert!(!failure(401, b"token expired").unclear && !failure(413, b"too large").unclear);
        let failed =
            failure(500, br#"{"errors":["java.lang.ClassNotFoundException: com.example.Orders"]}"#);
        assert!(!failed.unclear && !is_unreadable(&failed.error, Some("file:/ck/chk-7")));
    }

    #[test]
    fn only_what_cannot_be_read_for_good_is_given_up() {
        let path = "file:/ck/chk-7";
        for (trace, unreadable) in [
            (
                "Caused by: java.io.FileNotFoundException: Cannot find checkpoint or savepoint file/directory 'file:/ck/chk-7' on file system 'file'.",
                true,
            ),
            (
                "Failed to rollback to checkpoint/savepoint file:/ck/chk-7\nCaused by: java.lang.IllegalStateException: Cannot map checkpoint/savepoint state for operator 1",
                true,
            ),
            (
                "Could not load file:/ck/chk-7\nCaused by: java.net.SocketTimeoutException: connect timed out",
                false,
            ),
            (
                "Could not load file:/ck/chk-7\nCaused by: com.amazonaws.SdkClientException: Unable to execute HTTP request",
                false,
            ),
            ("Caused by: java.lang.ClassNotFoundException: com.example.Orders", false),
            (
                "Caused by: org.apache.flink.runtime.jobmanager.scheduler.NoResourceAvailableException: slots",
                false,
            ),
        ] {
            assert_eq!(is_unreadable(trace, Some(path)), unreadable, "{trace}");
            assert!(!is_unreadable(trace, None));
        }
    }
}
