//! Many Flink clusters in one cheap server, on recorded shapes.
//!
//! Cluster `i` answers below `/c/{i}`. A real cluster costs a gigabyte and takes seconds to fail;
//! here a test or the benchmark scripts a thousand jobs and knows to the millisecond when each
//! failure became visible. It decides nothing: it only says what the real REST endpoint would say.

mod answers;
mod checkpoints;
mod faults;
mod metrics;
mod script;
mod state;
mod version;

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{ConnectInfo, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

pub use faults::Fault;
pub use state::{Failure, Recovery};
pub use version::Version;

use super::net::{Line, Served};
use super::time::now_ms;
use state::{Cluster, JobShape, Run};

/// Prefix of the source operator's metrics (`:` and space of the operator's name become `_`).
pub const SOURCE_OPERATOR: &str = "Source__orders";

/// Ids and names of the vertices of every job, source first (ids as Flink computes them for one
/// and the same program).
pub const VERTICES: [(&str, &str); 3] = [
    ("5e695f00738be66c275f8a96a14aa10e", "Source: orders -> wm"),
    ("719700179e681491ace836959fad0846", "parse"),
    ("431c11b7410a217cf29a345eb02981d0", "Sink: out"),
];

const JSON_UTF8: &str = "application/json; charset=UTF-8";

/// What the fleet looks like.
#[derive(Clone, Debug)]
pub struct FleetOptions {
    /// The release of each cluster; their number is the number of clusters.
    pub versions: Vec<Version>,
    /// Jobs of each cluster, named by `job_name`.
    pub jobs_per_cluster: usize,
    /// Name of a job, by cluster and number: `job-{n}`.
    pub job_name: fn(usize, usize) -> String,
    /// Parallelism of every job; each has three vertices.
    pub parallelism: i64,
    /// `None`: no checkpointing.
    pub checkpoint_interval_ms: Option<i64>,
    /// How long the jobs have been running already.
    pub age_ms: i64,
    /// The metric store is refreshed, by a request, at most this often, and that request still
    /// gets the old values (Flink: 10 s). Zero: always live.
    pub metrics_update_ms: i64,
    /// A virtual clock starts here; `None` is real time.
    pub virtual_now_ms: Option<i64>,
}

impl Default for FleetOptions {
    fn default() -> Self {
        Self {
            versions: vec![Version::V1_20],
            jobs_per_cluster: 1,
            job_name: |_, n| format!("job-{n}"),
            parallelism: 2,
            checkpoint_interval_ms: Some(10_000),
            age_ms: 3_600_000,
            metrics_update_ms: 0,
            virtual_now_ms: None,
        }
    }
}

impl FleetOptions {
    /// `clusters` of one release with `jobs` each.
    pub fn of(clusters: usize, jobs: usize, version: Version) -> Self {
        Self { versions: vec![version; clusters], jobs_per_cluster: jobs, ..Self::default() }
    }
}

/// What a request asked for; the keys of the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `/config`
    Config,
    /// `/overview`
    Overview,
    /// `/jobs` and `/jobs/overview`
    JobsOverview,
    /// `/jobs/:id`
    Job,
    /// `/jobs/:id/status`
    JobStatus,
    /// `/jobs/:id/metrics`
    JobMetrics,
    /// `/jobs/:id/checkpoints`
    Checkpoints,
    /// `/jobs/:id/checkpoints/config`
    CheckpointConfig,
    /// `/jobs/:id/exceptions`
    Exceptions,
    /// `/jobs/:id/vertices/:vid/subtasks/metrics`
    SubtaskMetrics,
    /// `/jobmanager/metrics`
    JobManagerMetrics,
    /// `/taskmanagers`
    TaskManagers,
    /// `/taskmanagers/metrics`
    TaskManagerMetrics,
    /// Anything else, which the real thing would not know either.
    Other,
}

const KINDS: usize = Kind::Other as usize + 1;

#[derive(Default)]
struct Counters {
    requests: [AtomicU64; KINDS],
    bytes: [AtomicU64; KINDS],
}

impl Counters {
    fn count(&self, kind: Kind, bytes: usize) {
        self.requests[kind as usize].fetch_add(1, Ordering::Relaxed);
        self.bytes[kind as usize].fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// The running stand-in.
pub struct Fleet {
    served: Served,
    inner: Arc<Inner>,
}

struct Inner {
    clusters: Vec<Mutex<Cluster>>,
    /// `i64::MIN`: real time.
    virtual_now: AtomicI64,
    counters: Counters,
    /// Asked for while `recording`, in order.
    asked: Mutex<Vec<String>>,
    recording: AtomicBool,
}

impl Inner {
    fn now(&self) -> i64 {
        match self.virtual_now.load(Ordering::Acquire) {
            i64::MIN => now_ms(),
            virtual_now => virtual_now,
        }
    }
}

impl Fleet {
    /// Serves a fleet on a free loopback port.
    pub async fn start(options: FleetOptions) -> anyhow::Result<Self> {
        let now = options.virtual_now_ms.unwrap_or_else(now_ms);
        let shape = JobShape {
            parallelism: options.parallelism,
            checkpoint_interval: options.checkpoint_interval_ms,
            metrics_update_ms: options.metrics_update_ms,
            age_ms: options.age_ms,
        };
        let cluster = |(number, version): (usize, &Version)| {
            let names = (0..options.jobs_per_cluster).map(|n| (options.job_name)(number, n));
            Mutex::new(Cluster::new(number, *version, names, shape, now))
        };
        let inner = Arc::new(Inner {
            clusters: options.versions.iter().enumerate().map(cluster).collect(),
            virtual_now: AtomicI64::new(options.virtual_now_ms.unwrap_or(i64::MIN)),
            counters: Counters::default(),
            asked: Mutex::default(),
            recording: AtomicBool::new(false),
        });
        // One fallback and a hand-made match: the benchmark shares its cores with this server.
        let router = Router::new().fallback(handle).with_state(inner.clone());
        Ok(Self { served: Served::start(router).await?, inner })
    }

    /// The base URL of a cluster.
    pub fn url(&self, cluster: usize) -> String {
        assert!(cluster < self.inner.clusters.len(), "no cluster {cluster}");
        format!("http://{}/c/{cluster}", self.served.addr())
    }

    /// An address that refuses connections.
    pub fn refused_url() -> String {
        "http://127.0.0.1:1".to_owned()
    }

    /// What a cluster says to this, for a stand-in that leads to it by another way. It is counted
    /// like any other; faults are the wire's, and play no part.
    pub fn reply(&self, cluster: usize, method: &Method, path_and_query: &str) -> Response {
        let Ok(uri) = format!("/c/{cluster}{path_and_query}").parse::<Uri>() else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        let (kind, _, status, body) = answer(&self.inner, method, &uri);
        self.inner.counters.count(kind, body.len());
        (status, [(header::CONTENT_TYPE, JSON_UTF8)], body).into_response()
    }

    /// Requests of a kind so far.
    pub fn requests(&self, kind: Kind) -> u64 {
        self.inner.counters.requests[kind as usize].load(Ordering::Relaxed)
    }

    /// Bytes of the bodies sent in answer to a kind so far.
    pub fn bytes(&self, kind: Kind) -> u64 {
        self.inner.counters.bytes[kind as usize].load(Ordering::Relaxed)
    }

    /// Requests and body bytes of all kinds so far.
    pub fn totals(&self) -> (u64, u64) {
        let sum = |all: &[AtomicU64]| all.iter().map(|n| n.load(Ordering::Relaxed)).sum();
        (sum(&self.inner.counters.requests), sum(&self.inner.counters.bytes))
    }

    /// Writes down from now on, or no more, what is asked for.
    pub fn record(&self, on: bool) {
        self.inner.recording.store(on, Ordering::Relaxed);
    }

    /// Paths and queries asked for since recording began, and forgets them.
    pub fn recorded(&self) -> Vec<String> {
        std::mem::take(&mut *self.inner.asked.lock().expect("no panic while locked"))
    }

    /// Counts from zero again.
    pub fn reset_counts(&self) {
        let counters = &self.inner.counters;
        for n in counters.requests.iter().chain(&counters.bytes) {
            n.store(0, Ordering::Relaxed);
        }
    }
}

async fn handle(
    State(inner): State<Arc<Inner>>,
    ConnectInfo(line): ConnectInfo<Line>,
    method: Method,
    uri: Uri,
) -> Response {
    if inner.recording.load(Ordering::Relaxed) {
        inner.asked.lock().expect("no panic while locked").push(uri.to_string());
    }
    let (kind, fault, status, body) = answer(&inner, &method, &uri);
    inner.counters.count(kind, if fault.is_none() { body.len() } else { 0 });
    let usual = (status, [(header::CONTENT_TYPE, JSON_UTF8)], body).into_response();
    match fault {
        None => usual,
        Some(fault) => faults::answer(fault, &line, usual).await,
    }
}

/// A body, or why there is none.
type Answer = Result<String, (StatusCode, String)>;

fn answer(inner: &Inner, method: &Method, uri: &Uri) -> (Kind, Option<Fault>, StatusCode, String) {
    let below = uri.path().strip_prefix("/c/").and_then(|rest| rest.split_once('/'));
    let found = below.and_then(|(number, path)| {
        Some((inner.clusters.get(number.parse::<usize>().ok()?)?, path))
    });
    let Some((cluster, path)) = found else {
        return (Kind::Other, None, StatusCode::NOT_FOUND, not_a_file(uri.path()));
    };
    let mut cluster = cluster.lock().expect("no panic while locked");
    let now = inner.now() + cluster.clock_offset;
    // Netty's limit for the first line: more is an unknown path, as measured.
    let too_long = uri.path_and_query().is_some_and(|p| p.as_str().len() > 4_080);
    let (kind, answer) = if method == Method::GET && !too_long {
        route(&mut cluster, path, uri.query().unwrap_or_default(), now)
    } else {
        (Kind::Other, Err((StatusCode::NOT_FOUND, not_a_file(path))))
    };
    if matches!(
        kind,
        Kind::JobMetrics
            | Kind::SubtaskMetrics
            | Kind::JobManagerMetrics
            | Kind::TaskManagerMetrics
    ) {
        refresh(&mut cluster, now);
    }
    let (status, body) = match answer {
        Ok(body) => (StatusCode::OK, body),
        Err(refusal) => refusal,
    };
    (kind, cluster.fault, status, body)
}

fn not_a_file(path: &str) -> String {
    serde_json::json!({ "errors": [format!("Unable to load requested file {path}.")] }).to_string()
}

fn route(c: &mut Cluster, path: &str, query: &str, now: i64) -> (Kind, Answer) {
    let version = c.version;
    let parts: Vec<&str> = path.strip_prefix("v1/").unwrap_or(path).split('/').collect();
    match parts.as_slice() {
        ["config"] => (Kind::Config, Ok(c.config.clone())),
        ["overview"] => (Kind::Overview, Ok(answers::overview(c, now))),
        ["jobs"] => (Kind::JobsOverview, Ok(answers::jobs(c, now))),
        ["jobs", "overview"] => {
            c.runs.iter_mut().for_each(show);
            (Kind::JobsOverview, Ok(answers::jobs_overview(c, now)))
        }
        ["taskmanagers"] => (Kind::TaskManagers, Ok(answers::taskmanagers(c, now))),
        ["taskmanagers", "metrics"] => {
            measured_at(c, now);
            let (get, agg) = (parameter(query, "get"), parameter(query, "agg"));
            let answer = metrics::taskmanagers(c, get.as_deref(), agg.as_deref());
            (Kind::TaskManagerMetrics, Ok(answer))
        }
        ["jobmanager", "metrics"] => {
            let at = measured_at(c, now);
            let get = parameter(query, "get");
            (Kind::JobManagerMetrics, Ok(metrics::jobmanager(c, get.as_deref(), at)))
        }
        ["jobs", jid] => (Kind::Job, seen(c, jid).map(|run| answers::job(version, run, now))),
        ["jobs", jid, "status"] if version.at_least(1, 16) => {
            let status = |run: &Run| format!(r#"{{"status":"{}"}}"#, run.state(now));
            (Kind::JobStatus, seen(c, jid).map(status))
        }
        ["jobs", jid, "exceptions"] => {
            let most = parameter(query, "maxExceptions").and_then(|n| n.parse().ok()).unwrap_or(20);
            (Kind::Exceptions, seen(c, jid).map(|run| answers::exceptions(version, run, most)))
        }
        ["jobs", jid, "checkpoints"] => {
            let answer = find(c, jid).and_then(|run| {
                answers::checkpoints(version, run, now).ok_or_else(no_checkpointing)
            });
            (Kind::Checkpoints, answer)
        }
        ["jobs", jid, "checkpoints", "config"] => {
            let answer = find(c, jid).and_then(|run| {
                answers::checkpoint_config(version, run).ok_or_else(no_checkpointing)
            });
            (Kind::CheckpointConfig, answer)
        }
        ["jobs", jid, "metrics"] => {
            let at = measured_at(c, now);
            let get = parameter(query, "get");
            let answer =
                find(c, jid).map(|_| metrics::job(version, measured(c, jid), get.as_deref(), at));
            (Kind::JobMetrics, answer)
        }
        ["jobs", jid, "vertices", vertex, "subtasks", "metrics"] => {
            measured_at(c, now);
            let (get, agg) = (parameter(query, "get"), parameter(query, "agg"));
            let answer = find(c, jid).map(|_| {
                let run = measured(c, jid);
                metrics::subtasks(version, run, vertex, get.as_deref(), agg.as_deref())
            });
            (Kind::SubtaskMetrics, answer)
        }
        _ => (Kind::Other, Err((StatusCode::NOT_FOUND, not_a_file(&format!("/{path}"))))),
    }
}

fn show(run: &mut Run) {
    if run.changed.is_some() && run.shown.is_none() {
        run.shown = Some(now_ms());
    }
}

fn seen<'a>(c: &'a mut Cluster, jid: &str) -> Result<&'a Run, (StatusCode, String)> {
    let index = find(c, jid).map(|run| c.by_jid[&run.jid])?;
    show(&mut c.runs[index]);
    Ok(&c.runs[index])
}

fn find<'a>(c: &'a Cluster, jid: &str) -> Result<&'a Run, (StatusCode, String)> {
    if let Some(index) = c.by_jid.get(jid) {
        return Ok(&c.runs[*index]);
    }
    let is_id = jid.len() == 32 && jid.bytes().all(|b| b.is_ascii_hexdigit());
    let (status, text) = if is_id {
        let text = format!(
            "org.apache.flink.runtime.rest.NotFoundException: Job {jid} not found\n\tat \
             org.apache.flink.runtime.rest.handler.job.AbstractExecutionGraphHandler.\
             lambda$handleRequest$1(AbstractExecutionGraphHandler.java:99)\n"
        );
        (StatusCode::NOT_FOUND, text)
    } else {
        let text = format!(
            "org.apache.flink.runtime.rest.handler.RestHandlerException: Bad request, could not \
             parse parameters: Cannot resolve path parameter (jobid) from value \"{jid}\".\n"
        );
        (StatusCode::BAD_REQUEST, text)
    };
    Err((status, serde_json::json!({ "errors": [text] }).to_string()))
}

fn no_checkpointing() -> (StatusCode, String) {
    let text = "org.apache.flink.runtime.rest.handler.RestHandlerException: Checkpointing has not \
                been enabled.\n";
    (StatusCode::NOT_FOUND, serde_json::json!({ "errors": [text] }).to_string())
}

/// The moment the metric values of this answer are from.
fn measured_at(c: &mut Cluster, now: i64) -> i64 {
    if !c.frozen && c.store_interval == 0 {
        c.store = None;
        return now;
    }
    if c.store.is_none() {
        c.store = Some(c.snapshot(now));
    }
    c.store.as_ref().map_or(now, |s| s.at)
}

/// A request for metrics refreshes the store, but for the next one only.
fn refresh(c: &mut Cluster, now: i64) {
    if !c.frozen && c.store.as_ref().is_some_and(|s| now - s.at >= c.store_interval) {
        c.store = Some(c.snapshot(now));
    }
}

fn measured<'a>(c: &'a Cluster, jid: &str) -> Option<&'a Run> {
    match &c.store {
        Some(store) => store.runs.get(jid),
        None => c.by_jid.get(jid).map(|i| &c.runs[*i]),
    }
}

/// A query parameter, percent-decoded.
fn parameter(query: &str, name: &str) -> Option<String> {
    let raw = query.split('&').find_map(|p| p.strip_prefix(name)?.strip_prefix('='))?;
    if raw.is_empty() {
        return None;
    }
    let mut out = Vec::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        let decoded = match byte {
            b'+' => Some(b' '),
            b'%' => {
                let digit = |b: Option<u8>| char::from(b?).to_digit(16);
                digit(bytes.next()).zip(digit(bytes.next())).map(|(h, l)| (h * 16 + l) as u8)
            }
            other => Some(other),
        };
        out.push(decoded?);
    }
    String::from_utf8(out).ok()
}
