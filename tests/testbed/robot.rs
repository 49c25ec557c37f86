//! What stand-ins of robots and pagers have in common: one address, faults, everything kept that
//! came in together with its verdict. What is refused, and how, is the vendor's own.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::Value;

use super::faults::{Fault, FaultPlan};
use super::inbox::Inbox;
use super::net::{Line, Served};
use super::time::now_ms;
use super::webhook::trickle;

/// What a vendor is.
pub trait Vendor: Send + Sync + 'static {
    /// Where it listens.
    const PATH: &'static str;

    /// Looks at a request; `rate` counts those before it, by token.
    fn judge(&self, request: &Request, rate: &Rate) -> Result<Answer, Answer>;

    /// How it says a code of its own in an HTTP 200.
    fn code(&self, code: i64, text: &str) -> Answer;
}

/// One request as the vendor sees it.
#[derive(Clone, Debug)]
pub struct Request {
    /// When, milliseconds since the epoch.
    pub at_ms: i64,
    /// Values of the query.
    pub query: BTreeMap<String, String>,
    /// It calls itself JSON.
    pub is_json: bool,
    /// The bytes.
    pub raw: Bytes,
    /// The body, if it is JSON.
    pub body: Option<Value>,
}

/// A status and a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// JSON.
    pub body: String,
}

/// One request as it came in, and what came of it.
#[derive(Clone, Debug)]
pub struct Received {
    /// What came in.
    pub request: Request,
    /// What the vendor's own checks answered.
    pub answer: Answer,
    /// The checks passed.
    pub passed: bool,
    /// It reached people: the checks passed and no fault refused it first.
    pub accepted: bool,
    /// The fault that met it.
    pub fault: Option<Fault>,
}

impl Received {
    /// The body, or nothing.
    pub fn body(&self) -> &Value {
        self.request.body.as_ref().unwrap_or(&Value::Null)
    }
}

/// Requests in the last minute, by token; refused ones too.
#[derive(Default)]
pub struct Rate {
    seen: Mutex<BTreeMap<String, VecDeque<i64>>>,
    violations: AtomicUsize,
}

impl Rate {
    /// Counts one; whether it is within the limit.
    pub fn allows(&self, token: &str, at_ms: i64, per_minute: usize) -> bool {
        let mut seen = self.seen.lock().expect("no panic while locked");
        let window = seen.entry(token.to_owned()).or_default();
        while window.front().is_some_and(|&t| t <= at_ms - 60_000) {
            window.pop_front();
        }
        window.push_back(at_ms);
        let fine = window.len() <= per_minute;
        if !fine {
            self.violations.fetch_add(1, Ordering::SeqCst);
        }
        fine
    }
}

/// A running stand-in.
pub struct Robot<V> {
    served: Served,
    shared: Arc<Shared<V>>,
}

struct Shared<V> {
    vendor: V,
    rate: Rate,
    faults: FaultPlan,
    inbox: Inbox<Received>,
}

impl<V: Vendor> Robot<V> {
    /// Serves on a free loopback port.
    pub async fn start(vendor: V) -> anyhow::Result<Self> {
        let (rate, faults, inbox) = (Rate::default(), FaultPlan::default(), Inbox::default());
        let shared = Arc::new(Shared { vendor, rate, faults, inbox });
        let router = Router::new()
            .route(V::PATH, post(hook::<V>))
            .layer(DefaultBodyLimit::max(4 << 20))
            .with_state(Arc::clone(&shared));
        Ok(Self { served: Served::start(router).await?, shared })
    }

    /// Its address, with this query.
    pub fn url(&self, query: &str) -> String {
        format!("http://{}{}{query}", self.served.addr(), V::PATH)
    }

    /// The vendor.
    pub fn vendor(&self) -> &V {
        &self.shared.vendor
    }

    /// What goes wrong next.
    pub fn faults(&self) -> &FaultPlan {
        &self.shared.faults
    }

    /// Everything that arrived, in order.
    pub fn received(&self) -> Vec<Received> {
        self.shared.inbox.all()
    }

    /// What reached people, in order.
    pub fn accepted(&self) -> Vec<Received> {
        self.received().into_iter().filter(|r| r.accepted).collect()
    }

    /// What the vendor's own checks refused (rate included), faults aside.
    pub fn refused(&self) -> Vec<Received> {
        self.received().into_iter().filter(|r| !r.passed).collect()
    }

    /// How many requests came faster than the vendor allows.
    pub fn rate_violations(&self) -> usize {
        self.shared.rate.violations.load(Ordering::SeqCst)
    }

    /// The first accepted one, present or to come, that `wanted` accepts.
    pub async fn wait_for(
        &self,
        mut wanted: impl FnMut(&Received) -> bool,
        deadline: Duration,
    ) -> Option<Received> {
        self.shared.inbox.wait_for(|r| r.accepted && wanted(r), deadline).await
    }
}

/// Whether a request says its body is JSON.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    kind.is_some_and(|v| v.split(';').next().unwrap_or(v).trim() == "application/json")
}

async fn hook<V: Vendor>(
    State(shared): State<Arc<Shared<V>>>,
    ConnectInfo(line): ConnectInfo<Line>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    raw: Bytes,
) -> Response {
    let fault = shared.faults.take();
    if let Some(Fault::Hang(d)) = fault {
        tokio::time::sleep(d).await;
    }
    let body = serde_json::from_slice(&raw).ok();
    let request = Request { at_ms: now_ms(), query, is_json: is_json(&headers), raw, body };
    let reaches = !matches!(fault, Some(Fault::Status { .. } | Fault::Code { .. } | Fault::Drop));
    let verdict = if reaches {
        shared.vendor.judge(&request, &shared.rate)
    } else {
        // Something on the way answers, or the vendor without looking.
        Ok(Answer { status: 200, body: String::new() })
    };
    let passed = verdict.is_ok();
    let answer = verdict.unwrap_or_else(|refusal| refusal);
    shared.inbox.push(Received {
        request,
        answer: answer.clone(),
        passed,
        accepted: passed && reaches,
        fault: fault.clone(),
    });
    match fault {
        None | Some(Fault::Hang(_)) => respond(&answer),
        Some(Fault::Code { code, msg }) => respond(&shared.vendor.code(code, &msg)),
        Some(Fault::Status { status, retry_after }) => {
            let mut response = respond(&Answer { status, body: "upstream trouble".to_owned() });
            if let Some(value) = retry_after {
                let value = value.parse().expect("a fault's Retry-After is a header value");
                response.headers_mut().insert(header::RETRY_AFTER, value);
            }
            response
        }
        Some(Fault::AcceptThenHang(d)) => {
            tokio::time::sleep(d).await;
            respond(&answer)
        }
        Some(Fault::Drop | Fault::AcceptThenDrop) => {
            line.cut();
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
        Some(Fault::SlowBody(d)) => {
            let status = StatusCode::from_u16(answer.status).expect("a valid status");
            (status, trickle(answer.body, d)).into_response()
        }
    }
}

fn respond(answer: &Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).expect("a stand-in's HTTP status is valid");
    let json = [(header::CONTENT_TYPE, "application/json; charset=utf-8")];
    (status, json, answer.body.clone()).into_response()
}

/// The answer of robots that say everything with HTTP 200.
pub fn errcode(code: i64, text: &str) -> Answer {
    let body = serde_json::json!({ "errcode": code, "errmsg": text }).to_string();
    Answer { status: 200, body }
}

/// Whether an object has no other fields than these.
pub fn only(value: &Value, fields: &[&str]) -> bool {
    value.as_object().is_some_and(|map| map.keys().all(|key| fields.contains(&key.as_str())))
}
