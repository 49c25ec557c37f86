//! A `JobManager` made of recorded answers, with faults on demand.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::http::header::AUTHORIZATION;

/// Now, as the job of [`Fake::healthy`] shows it.
pub(super) const JOB_NOW: i64 = 1_795_219_678_685 + 23_924;

const JOBS: &str = r#"{"jobs":[{"jid":"fdebbd05f4093c7c84b4843d92fcc55e","name":"orders",
    "start-time":1795219678685,"end-time":-1,"duration":23924,"state":"RUNNING",
    "last-modification":1795219679142,"tasks":{"running":6,"canceling":0,"canceled":0,
    "total":6,"created":0,"scheduled":0,"deploying":0,"reconciling":0,"finished":0,
    "initializing":0,"failed":0},"pending-operators":0}]}"#;

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../fixtures/flink-2.2.1/source-", $name, ".json"))
    };
}

#[derive(Debug, Default)]
struct State {
    /// Path parts and what they answer; the last match wins. Status 0 hangs.
    answers: Vec<(String, u16, String)>,
    asked: BTreeMap<String, u32>,
    authorization: Option<String>,
}

/// A `JobManager` with one healthy job.
#[derive(Debug, Clone, Default)]
pub(super) struct Fake(Arc<Mutex<State>>);

impl Fake {
    pub(super) fn healthy() -> Fake {
        let fake = Fake::default();
        fake.overview(fixture!("overview"));
        fake.set("/config", fixture!("config"));
        fake.set("jobmanager/metrics", r#"[{"id":"Status.JVM.CPU.Time","value":"{count}"}]"#);
        fake.set(
            "/metrics?get=numRestarts",
            r#"[{"id":"numRestarts","value":"0"},{"id":"numRescales","value":"0"},
            {"id":"numberOfCompletedCheckpoints","value":"8"},
            {"id":"numberOfFailedCheckpoints","value":"0"},
            {"id":"lastCompletedCheckpointId","value":"9"},
            {"id":"lastCheckpointExternalPath","value":"file:/ck/x/chk-9"},
            {"id":"lastCheckpointCompletedTimestamp","value":"1795219700508"}]"#,
        );
        fake.set("/fdebbd05f4093c7c84b4843d92fcc55e", fixture!("ck-good.job"));
        fake.set("/checkpoints", fixture!("ck-loop.checkpoints"));
        fake.set("/checkpoints/config", fixture!("ck-good.ckconfig"));
        fake.set("/exceptions", r#"{"exceptionHistory":{"entries":[],"truncated":false}}"#);
        fake.set("/subtasks/metrics", r#"[{"id":"numBytesOut"},{"id":"S[1].pendingRecords"}]"#);
        fake.set("S%5B1%5D.pendingRecords", r#"[{"id":"S[1].pendingRecords","sum":1234.0}]"#);
        fake
    }

    /// Answers `body` to `/overview`; the listing of the job stays, and there are no applications.
    pub(super) fn overview(&self, body: &str) {
        let none = r#"{"errors":["Unable to load requested file /applications/overview."]}"#;
        self.set("/overview", body);
        self.set("/jobs/overview", JOBS);
        self.fail("/applications/overview", 404, none);
    }

    /// Answers `body` to paths that contain `part` (or end with it, from a slash on).
    pub(super) fn set(&self, part: &str, body: &str) {
        self.fail(part, 200, body);
    }

    pub(super) fn fail(&self, part: &str, status: u16, body: &str) {
        self.0.lock().unwrap().answers.push((part.to_owned(), status, body.to_owned()));
    }

    pub(super) fn hang(&self, part: &str) {
        self.fail(part, 0, "");
    }

    /// Only answers requests with this `Authorization` from now on.
    pub(super) fn require(&self, authorization: &str) {
        self.0.lock().unwrap().authorization = Some(authorization.to_owned());
    }

    /// How often paths were asked for that contain `part`.
    pub(super) fn count(&self, part: &str) -> u32 {
        let state = self.0.lock().unwrap();
        state.asked.iter().filter(|(path, _)| path.contains(part)).map(|(_, n)| n).sum()
    }

    pub(super) fn router(&self) -> Router {
        let fake = self.clone();
        Router::new().fallback(move |request: Request| {
            let fake = fake.clone();
            async move {
                let Some((status, body)) = fake.answer(&request) else {
                    return std::future::pending().await;
                };
                super::json(status, body)
            }
        })
    }

    fn answer(&self, request: &Request) -> Option<(u16, String)> {
        let mut state = self.0.lock().unwrap();
        let path = request.uri().path_and_query().map_or("", |p| p.as_str()).to_owned();
        *state.asked.entry(path.clone()).or_default() += 1;
        let sent = request.headers().get(AUTHORIZATION).and_then(|v| v.to_str().ok());
        if state.authorization.is_some() && sent != state.authorization.as_deref() {
            return Some((401, format!("not {}", sent.unwrap_or(""))));
        }
        let plain = path.split('?').next().unwrap_or("");
        let hit = state.answers.iter().rev().find(|(part, ..)| {
            plain.ends_with(part.as_str()) || (part.contains(['?', '%']) && path.contains(part))
        });
        match hit {
            Some((_, 0, _)) => None,
            Some((_, status, body)) => {
                let count = state.asked.get(&path).copied().unwrap_or(0).to_string();
                Some((*status, body.replace("{count}", &count)))
            }
            None => Some((404, r#"{"errors":["Unable to load requested file."]}"#.to_owned())),
        }
    }
}

/// Serves `router` on a free port of loopback until the test ends.
pub(super) async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}
