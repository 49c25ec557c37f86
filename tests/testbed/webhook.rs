//! A webhook receiver as strict as Alertmanager's best-behaved ones.
//!
//! It verifies the signature, demands Alertmanager's version 4 body to the letter, and can write
//! what it got to a file, so that a test that kills the sender still has both sides to compare.

mod v4;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures_util::stream;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Sha256;

use super::faults::{Fault, FaultPlan};
use super::inbox::Inbox;
use super::net::{Line, Served};
use super::time::now_ms;

/// How far a signature's timestamp may be from the receiver's clock.
pub const SIGNATURE_TOLERANCE_S: i64 = 300;

/// What the receiver demands.
#[derive(Clone, Debug, Default)]
pub struct WebhookOptions {
    /// Demands a signature made with this secret.
    pub secret: Option<String>,
    /// Takes any JSON instead of Alertmanager's version 4 (for custom bodies).
    pub any_json: bool,
    /// Appends every request to this file, one JSON line each, before it is answered.
    pub persist: Option<PathBuf>,
    /// Listens on this loopback port instead of a free one (a receiver that came back).
    pub port: u16,
}

/// One request as it came in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Received {
    /// When, milliseconds since the epoch.
    pub at_ms: i64,
    /// The headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body's text.
    pub raw: String,
    /// The status its own checks give.
    pub verdict: u16,
    /// What its own checks say when they refuse.
    pub reason: Option<String>,
    /// Whether it counts as received: the checks passed and no fault refused it first.
    pub accepted: bool,
    /// Accepted, but the sender got no answer, or too late: a repeat is to be expected.
    #[serde(default)]
    pub unanswered: bool,
}

impl Received {
    /// The body as JSON, `null` if it is none.
    pub fn body(&self) -> Value {
        serde_json::from_str(&self.raw).unwrap_or_default()
    }

    /// The sender's `Idempotency-Key`.
    pub fn idempotency_key(&self) -> Option<&str> {
        self.headers.get("idempotency-key").map(String::as_str)
    }
}

/// The running stand-in.
pub struct Webhook {
    served: Served,
    shared: Arc<Shared>,
}

struct Shared {
    options: WebhookOptions,
    faults: FaultPlan,
    inbox: Inbox<Received>,
}

impl Webhook {
    /// Serves on a loopback port.
    pub async fn start(options: WebhookOptions) -> anyhow::Result<Self> {
        let port = options.port;
        let shared =
            Arc::new(Shared { options, faults: FaultPlan::default(), inbox: Inbox::default() });
        let router = Router::new()
            .route("/hook", post(hook))
            .layer(DefaultBodyLimit::max(16 << 20))
            .with_state(shared.clone());
        let served = Served::start_on(router, ([127, 0, 0, 1], port).into()).await?;
        Ok(Self { served, shared })
    }

    /// The address to configure.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.served.addr())
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.served.addr().port()
    }

    /// What goes wrong next.
    pub fn faults(&self) -> &FaultPlan {
        &self.shared.faults
    }

    /// Everything that arrived, in order.
    pub fn received(&self) -> Vec<Received> {
        self.shared.inbox.all()
    }

    /// What arrived after the first `read`, once something has.
    pub async fn after(&self, read: usize) -> Vec<Received> {
        self.shared.inbox.after(read).await
    }

    /// What the receiver took, in order.
    pub fn accepted(&self) -> Vec<Received> {
        self.received().into_iter().filter(|r| r.accepted).collect()
    }

    /// What it took, each `Idempotency-Key` once: a receiver that remembers them. What was on the wire
    /// when Weir was killed comes again under its key.
    pub fn taken(&self) -> Vec<Received> {
        let mut keys = BTreeSet::new();
        let mut all = self.accepted();
        all.retain(|r| r.idempotency_key().is_none_or(|key| keys.insert(key.to_owned())));
        all
    }

    /// What its own checks refused, faults aside.
    pub fn refused(&self) -> Vec<Received> {
        self.received().into_iter().filter(|r| r.verdict != 200).collect()
    }

    /// The first accepted request, present or to come, that `wanted` accepts.
    pub async fn wait_for(
        &self,
        mut wanted: impl FnMut(&Received) -> bool,
        deadline: Duration,
    ) -> Option<Received> {
        self.shared.inbox.wait_for(|r| r.accepted && wanted(r), deadline).await
    }

    /// The first request, accepted or not, that `wanted` accepts.
    pub async fn wait_for_any(
        &self,
        wanted: impl FnMut(&Received) -> bool,
        deadline: Duration,
    ) -> Option<Received> {
        self.shared.inbox.wait_for(wanted, deadline).await
    }
}

/// Reads back what a receiver with `persist` wrote.
pub fn read_persisted(path: &Path) -> anyhow::Result<Vec<Received>> {
    std::fs::read_to_string(path)?
        .lines()
        .map(|line| serde_json::from_str(line).context("a line of the receiver's file"))
        .collect()
}

/// The value of `X-Weir-Signature` for a body.
pub fn signature(timestamp_s: i64, body: &[u8], secret: &str) -> String {
    format!("t={timestamp_s},v1={}", hex_mac(timestamp_s, body, secret))
}

fn hex_mac(timestamp_s: i64, body: &[u8], secret: &str) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key length will do");
    mac.update(format!("{timestamp_s}.").as_bytes());
    mac.update(body);
    let mut hex = String::new();
    for byte in mac.finalize().into_bytes() {
        write!(hex, "{byte:02x}").expect("a String takes any text");
    }
    hex
}

/// A body that takes `over` to arrive.
pub fn trickle(text: String, over: Duration) -> Body {
    let bytes = text.into_bytes();
    let pause = over / u32::try_from(bytes.len().max(1)).expect("an answer is short");
    Body::from_stream(stream::unfold(bytes.into_iter(), move |mut rest| async move {
        let byte = rest.next()?;
        tokio::time::sleep(pause).await;
        Some((Ok::<_, std::convert::Infallible>(Bytes::from(vec![byte])), rest))
    }))
}

async fn hook(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(line): ConnectInfo<Line>,
    headers: HeaderMap,
    raw: Bytes,
) -> Response {
    let at_ms = now_ms();
    let fault = shared.faults.take();
    if let Some(Fault::Hang(d)) = fault {
        tokio::time::sleep(d).await;
    }
    let verdict = judge(&shared.options, &headers, &raw);
    let refused_first =
        matches!(fault, Some(Fault::Status { .. } | Fault::Code { .. } | Fault::Drop));
    let received = Received {
        at_ms,
        headers: headers
            .iter()
            .map(|(k, v)| (k.to_string(), String::from_utf8_lossy(v.as_bytes()).into_owned()))
            .collect(),
        raw: String::from_utf8_lossy(&raw).into_owned(),
        verdict: verdict.as_ref().map_or_else(|(status, _)| status.as_u16(), |()| 200),
        reason: verdict.as_ref().err().map(|(_, reason)| reason.clone()),
        accepted: verdict.is_ok() && !refused_first,
        unanswered: matches!(fault, Some(Fault::AcceptThenDrop | Fault::AcceptThenHang(_))),
    };
    if let Some(path) = &shared.options.persist {
        append(path, &received).expect("the receiver can write its file");
    }
    shared.inbox.push(received);
    let answer = match verdict {
        Ok(()) => (StatusCode::OK, "ok".to_owned()),
        Err(refusal) => refusal,
    };
    match fault {
        None | Some(Fault::Hang(_)) => answer.into_response(),
        Some(Fault::Status { status, retry_after }) => {
            let status = StatusCode::from_u16(status).expect("a fault's HTTP status is valid");
            let mut response = (status, "upstream trouble").into_response();
            if let Some(value) = retry_after {
                let value = value.parse().expect("a fault's Retry-After is a header value");
                response.headers_mut().insert(header::RETRY_AFTER, value);
            }
            response
        }
        Some(Fault::Code { code, msg }) => {
            axum::Json(serde_json::json!({ "code": code, "msg": msg })).into_response()
        }
        Some(Fault::AcceptThenHang(d)) => {
            tokio::time::sleep(d).await;
            answer.into_response()
        }
        Some(Fault::Drop | Fault::AcceptThenDrop) => {
            line.cut();
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
        Some(Fault::SlowBody(d)) => (answer.0, trickle(answer.1, d)).into_response(),
    }
}

fn append(path: &Path, received: &Received) -> anyhow::Result<()> {
    let mut line = serde_json::to_string(received)?;
    line.push('\n');
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    // One write: a line is whole or not there.
    file.write_all(line.as_bytes())?;
    Ok(())
}

fn judge(
    options: &WebhookOptions,
    headers: &HeaderMap,
    raw: &[u8],
) -> Result<(), (StatusCode, String)> {
    if let Some(secret) = &options.secret {
        check_signature(headers, raw, secret, now_ms() / 1000)
            .map_err(|reason| (StatusCode::UNAUTHORIZED, reason.to_owned()))?;
    }
    let bad = |reason: String| (StatusCode::BAD_REQUEST, reason);
    let is_json = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|v| v.split(';').next().unwrap_or(v).trim() == "application/json");
    if !is_json {
        return Err(bad("content-type is not application/json".to_owned()));
    }
    let body: Value = serde_json::from_slice(raw).map_err(|e| bad(format!("body: {e}")))?;
    if options.any_json { Ok(()) } else { v4::check(&body).map_err(bad) }
}

fn check_signature(
    headers: &HeaderMap,
    raw: &[u8],
    secret: &str,
    now_s: i64,
) -> Result<(), &'static str> {
    let value = headers.get("x-weir-signature").ok_or("no X-Weir-Signature")?;
    let value = value.to_str().map_err(|_| "X-Weir-Signature is not text")?;
    let (t, v1) = value
        .strip_prefix("t=")
        .and_then(|rest| rest.split_once(",v1="))
        .ok_or("X-Weir-Signature is not t=…,v1=…")?;
    let t: i64 = t.parse().map_err(|_| "t is not a number of seconds")?;
    if (now_s - t).abs() > SIGNATURE_TOLERANCE_S {
        return Err("t is too far from now");
    }
    if v1 == hex_mac(t, raw, secret) { Ok(()) } else { Err("v1 does not match") }
}
