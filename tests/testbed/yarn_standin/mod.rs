//! A ResourceManager with thousands of Flink applications, in one cheap server: every field of a
//! listing that Hadoop 3.3 documents, so that its size is that of a real one.
//!
//! Behind every application is a cluster of the fleet stand-in with one job, reached by the two ways
//! there are: through the web proxy below `/proxy/`, or at the address it registered. As one port
//! serves all of them, that address is a name nobody can resolve, and this server is the HTTP proxy
//! to it (`jobmanagers.proxy_url`). It counts what Weir asks of its API, through its proxy and of
//! JobManagers apart, and what others ask of it not at all.

mod listing;
mod row;

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use axum::Router;
use axum::body::HttpBody as _;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::fleet::{Fleet, FleetOptions, Version};
use super::net::Served;
use super::time::now_ms;
use row::App;
pub(crate) use row::Outcome;

/// Begin of all paths of the API.
const API: &str = "/ws/v1/cluster/";
/// Ending of the names of JobManagers.
const DOMAIN: &str = ".nodes";

/// Requests, and bytes of the bodies that answered them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Count {
    pub(crate) requests: u64,
    pub(crate) bytes: u64,
}

/// What Weir has asked so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Of these, questions for one application alone.
    pub(crate) single: u64,
    /// Of the ResourceManager's own API.
    pub(crate) api: Count,
    /// Through its web proxy.
    pub(crate) proxy: Count,
    /// Of JobManagers at their own addresses.
    pub(crate) direct: Count,
}

/// A running ResourceManager.
pub(crate) struct YarnStandIn {
    served: Served,
    inner: Arc<Inner>,
}

struct Inner {
    fleet: Fleet,
    /// When its process began, ms.
    began: i64,
    apps: Mutex<Vec<App>>,
    counts: [[AtomicU64; 2]; 3],
    single: AtomicU64,
    asked: Mutex<Vec<String>>,
    recording: AtomicBool,
}

#[derive(Clone, Copy)]
enum Lane {
    Api,
    Proxy,
    Direct,
}

impl YarnStandIn {
    /// Serves so many running applications on a free loopback port.
    pub(crate) async fn start(apps: usize, checkpoint_interval_ms: i64) -> anyhow::Result<Self> {
        let options = FleetOptions {
            checkpoint_interval_ms: Some(checkpoint_interval_ms),
            job_name: |cluster, _| row::name(cluster),
            ..FleetOptions::of(apps, 1, Version::V1_20)
        };
        let began = now_ms() - 30 * 86_400_000;
        let started = now_ms() - options.age_ms - 60_000;
        let inner = Arc::new(Inner {
            fleet: Fleet::start(options).await?,
            began,
            apps: Mutex::new((0..apps).map(|n| App::new(n, began, started)).collect()),
            counts: Default::default(),
            single: AtomicU64::new(0),
            asked: Mutex::default(),
            recording: AtomicBool::new(false),
        });
        let router = Router::new().fallback(handle).with_state(Arc::clone(&inner));
        Ok(YarnStandIn { served: Served::start(router).await?, inner })
    }

    /// The address of its web; and of the HTTP proxy to the JobManagers.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.served.addr())
    }

    /// What Weir has asked so far.
    pub(crate) fn counts(&self) -> Counts {
        let of = |lane: Lane| {
            let [requests, bytes] = &self.inner.counts[lane as usize];
            let (requests, bytes) =
                (requests.load(Ordering::Relaxed), bytes.load(Ordering::Relaxed));
            Count { requests, bytes }
        };
        Counts {
            single: self.inner.single.load(Ordering::Relaxed),
            api: of(Lane::Api),
            proxy: of(Lane::Proxy),
            direct: of(Lane::Direct),
        }
    }

    /// Writes down from now on what Weir asks.
    pub(crate) fn record(&self) {
        self.inner.recording.store(true, Ordering::Relaxed);
    }

    /// Whole addresses asked since, in order; ends the recording.
    pub(crate) fn recorded(&self) -> Vec<String> {
        self.inner.recording.store(false, Ordering::Relaxed);
        std::mem::take(&mut *self.inner.asked.lock().expect("no panic while locked"))
    }

    /// An application's Flink ends, and says goodbye to YARN: its JobManager is gone. When, ms.
    pub(crate) fn end(&self, app: usize, outcome: Outcome) -> i64 {
        let now = now_ms();
        self.inner.apps.lock().expect("no panic while locked")[app].end(outcome, now);
        now
    }

    /// When a listing first showed its end, ms.
    pub(crate) fn shown(&self, app: usize) -> Option<i64> {
        self.inner.apps.lock().expect("no panic while locked")[app].shown
    }
}

async fn handle(
    State(inner): State<Arc<Inner>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let (lane, answer) = inner.answer(&method, &uri, &headers);
    let agent = headers.get(header::USER_AGENT).and_then(|name| name.to_str().ok());
    if agent.is_some_and(|name| name.starts_with("weir/")) {
        inner.note(lane, &uri, &headers, answer.body().size_hint().exact());
    }
    answer
}

impl Inner {
    fn note(&self, lane: Lane, uri: &Uri, headers: &HeaderMap, bytes: Option<u64>) {
        let counts = &self.counts[lane as usize];
        counts[0].fetch_add(1, Ordering::Relaxed);
        counts[1].fetch_add(bytes.unwrap_or(0), Ordering::Relaxed);
        if uri.path().starts_with("/ws/v1/cluster/apps/") {
            self.single.fetch_add(1, Ordering::Relaxed);
        }
        if self.recording.load(Ordering::Relaxed) {
            let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
            let whole = match uri.authority() {
                Some(_) => uri.to_string(),
                None => format!("http://{}{uri}", host.unwrap_or_default()),
            };
            self.asked.lock().expect("no panic while locked").push(whole);
        }
    }

    fn answer(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> (Lane, Response) {
        // A whole address in the first line: we are the proxy.
        if let Some(host) = uri.host().filter(|_| uri.authority().is_some())
            && let Some(node) = host.strip_suffix(DOMAIN)
        {
            return (Lane::Direct, self.jobmanager(node, method, uri));
        }
        if let Some(rest) = uri.path().strip_prefix("/proxy/") {
            return (Lane::Proxy, self.proxied(rest, method, uri));
        }
        let answer = match uri.path().strip_prefix(API) {
            Some(_) if method != Method::GET => StatusCode::METHOD_NOT_ALLOWED.into_response(),
            // It speaks XML to whoever does not ask for JSON, which nobody here reads.
            Some(_) if !listing::takes_json(headers) => StatusCode::NOT_ACCEPTABLE.into_response(),
            Some("info") => listing::info(self.began),
            Some("metrics") => listing::metrics(&self.apps.lock().expect("no panic while locked")),
            Some("apps") => {
                let mut apps = self.apps.lock().expect("no panic while locked");
                listing::apps(&mut apps, uri)
            }
            Some(path) => match path.strip_prefix("apps/") {
                Some(id) => listing::one(&self.apps.lock().expect("no panic while locked"), id),
                None => StatusCode::NOT_FOUND.into_response(),
            },
            None => StatusCode::NOT_FOUND.into_response(),
        };
        (Lane::Api, answer)
    }

    /// At its own address; a proxy says 502 where nobody listens.
    fn jobmanager(&self, node: &str, method: &Method, uri: &Uri) -> Response {
        let Some(app) = node.strip_prefix("jm-").and_then(|n| n.parse().ok()) else {
            return StatusCode::BAD_GATEWAY.into_response();
        };
        match self.apps.lock().expect("no panic while locked").get(app).map(App::is_running) {
            Some(true) => {}
            _ => return StatusCode::BAD_GATEWAY.into_response(),
        }
        self.flink(app, method, uri.path_and_query().map_or("/", |p| p.as_str()))
    }

    /// Through the web proxy, as `WebAppProxyServlet` does it.
    fn proxied(&self, rest: &str, method: &Method, uri: &Uri) -> Response {
        let (id, path) = rest.split_once('/').unwrap_or((rest, ""));
        let apps = self.apps.lock().expect("no panic while locked");
        let Some(app) = row::number(id).filter(|n| apps.get(*n).is_some_and(|a| a.id == id)) else {
            let page = format!("<html><body>Application {id} could not be found</body></html>");
            return (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, "text/html")], page)
                .into_response();
        };
        if !matches!(*method, Method::GET | Method::PUT) {
            return StatusCode::METHOD_NOT_ALLOWED.into_response();
        }
        if !apps[app].is_running() {
            let page = format!("/cluster/app/{id}");
            return (StatusCode::FOUND, [(header::LOCATION, page)]).into_response();
        }
        drop(apps);
        let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
        self.flink(app, method, &format!("/{path}{query}"))
    }

    /// Flink on YARN knows whose it is.
    fn flink(&self, app: usize, method: &Method, path: &str) -> Response {
        if path == "/jobmanager/config" && *method == Method::GET {
            let body = row::settings(&self.apps.lock().expect("no panic while locked")[app]);
            return listing::json(StatusCode::OK, body);
        }
        self.fleet.reply(app, method, path)
    }
}
