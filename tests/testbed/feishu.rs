//! A Feishu custom bot as strict as the vendor's.
//!
//! It exists because the vendor answers HTTP 200 to a refusal: a sender that does not read the
//! code believes it told somebody. It checks token, source address, rate, shape, signature and
//! keywords, and keeps everything it was sent together with its verdict.
//!
//! Every request to a known bot counts against the rate, refused ones too.

mod card;

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

pub use card::plain_text;

use super::faults::{Fault, FaultPlan};
use super::inbox::Inbox;
use super::net::{Line, Served};
use super::time::now_ms;
use super::webhook::trickle;

/// The largest body the vendor takes.
pub const MAX_BODY_BYTES: usize = 20 * 1024;

/// The vendor's code for success.
pub const OK: i64 = 0;
/// Shape wrong or body too large.
pub const BAD_REQUEST: i64 = 9499;
/// Too many messages.
pub const FREQUENCY_LIMITED: i64 = 11232;
/// No such bot.
pub const TOKEN_INVALID: i64 = 19001;
/// Signature missing, wrong or too old.
pub const SIGN_MISMATCH: i64 = 19021;
/// The caller's address is not on the bot's list.
pub const IP_NOT_ALLOWED: i64 = 19022;
/// None of the bot's keywords is in the text.
pub const KEYWORD_MISSING: i64 = 19024;
/// The card is a card, but what is in it is not.
pub const CARD_INVALID: i64 = 200_621;

/// Whether a message can be shown at all.
pub(crate) fn is_showable(body: &Value) -> bool {
    card::check(body).is_ok()
}

/// What one bot demands.
#[derive(Clone, Debug)]
pub struct Bot {
    token: String,
    secret: Option<String>,
    keywords: Vec<String>,
    allowed: Option<Vec<IpAddr>>,
    per_second: usize,
    per_minute: usize,
}

impl Bot {
    /// A bot without any demand beyond the vendor's limits: 5 a second, 100 a minute.
    pub fn new(token: &str) -> Self {
        Self {
            token: token.to_owned(),
            secret: None,
            keywords: Vec::new(),
            allowed: None,
            per_second: 5,
            per_minute: 100,
        }
    }

    /// Demands a signature.
    pub fn secret(mut self, secret: &str) -> Self {
        self.secret = Some(secret.to_owned());
        self
    }

    /// Demands one of these words in the text.
    pub fn keywords(mut self, words: &[&str]) -> Self {
        self.keywords = words.iter().map(|&w| w.to_owned()).collect();
        self
    }

    /// Answers these addresses only.
    pub fn allowed(mut self, addresses: &[IpAddr]) -> Self {
        self.allowed = Some(addresses.to_vec());
        self
    }

    /// Other limits than the vendor's.
    pub fn limits(mut self, per_second: usize, per_minute: usize) -> Self {
        self.per_second = per_second;
        self.per_minute = per_minute;
        self
    }
}

/// One request as it came in.
#[derive(Clone, Debug)]
pub struct Received {
    /// When, milliseconds since the epoch.
    pub at_ms: i64,
    /// The bot it was for.
    pub token: String,
    /// The bytes.
    pub raw: Bytes,
    /// The body, if it is JSON.
    pub body: Option<Value>,
    /// What the bot's own checks say: [`OK`] or the vendor's code.
    pub verdict: i64,
    /// Whether people saw it: the checks passed and no fault refused it first.
    pub accepted: bool,
    /// The fault that met this request.
    pub fault: Option<Fault>,
}

impl Received {
    /// All text a reader sees; see [`plain_text`].
    pub fn text(&self) -> String {
        self.body.as_ref().map(plain_text).unwrap_or_default()
    }
}

/// The running stand-in.
pub struct Feishu {
    served: Served,
    shared: Arc<Shared>,
}

struct Shared {
    bots: HashMap<String, (Bot, Mutex<VecDeque<i64>>)>,
    faults: FaultPlan,
    inbox: Inbox<Received>,
    rate_violations: AtomicUsize,
    clock_offset_ms: AtomicI64,
}

impl Feishu {
    /// Serves these bots on a free loopback port.
    pub async fn start(bots: impl IntoIterator<Item = Bot>) -> anyhow::Result<Self> {
        let bots = bots.into_iter().map(|b| (b.token.clone(), (b, Mutex::default()))).collect();
        let shared = Arc::new(Shared {
            bots,
            faults: FaultPlan::default(),
            inbox: Inbox::default(),
            rate_violations: AtomicUsize::new(0),
            clock_offset_ms: AtomicI64::new(0),
        });
        let router = Router::new()
            .route("/open-apis/bot/v2/hook/{token}", post(hook))
            .layer(DefaultBodyLimit::max(4 << 20))
            .with_state(shared.clone());
        Ok(Self { served: Served::start(router).await?, shared })
    }

    /// The address to configure for a bot.
    pub fn url(&self, token: &str) -> String {
        format!("http://{}/open-apis/bot/v2/hook/{token}", self.served.addr())
    }

    /// What goes wrong next.
    pub fn faults(&self) -> &FaultPlan {
        &self.shared.faults
    }

    /// Moves the vendor's clock away from this machine's.
    pub fn set_clock_offset_ms(&self, offset_ms: i64) {
        self.shared.clock_offset_ms.store(offset_ms, Ordering::SeqCst);
    }

    /// Everything that arrived, in order.
    pub fn received(&self) -> Vec<Received> {
        self.shared.inbox.all()
    }

    /// What people saw, in order.
    pub fn accepted(&self) -> Vec<Received> {
        self.received().into_iter().filter(|r| r.accepted).collect()
    }

    /// What the bot's own checks refused (rate included), faults aside.
    pub fn refused(&self) -> Vec<Received> {
        self.received().into_iter().filter(|r| r.verdict != OK).collect()
    }

    /// How many requests came faster than the bot allows.
    pub fn rate_violations(&self) -> usize {
        self.shared.rate_violations.load(Ordering::SeqCst)
    }

    /// The first accepted message, present or to come, that `wanted` accepts.
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

/// The signature the vendor expects: the key is `timestamp\nsecret`, the message is empty.
pub fn sign(timestamp_s: i64, secret: &str) -> String {
    let key = format!("{timestamp_s}\n{secret}");
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("any key length will do");
    base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
}

async fn hook(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(line): ConnectInfo<Line>,
    Path(token): Path<String>,
    headers: HeaderMap,
    raw: Bytes,
) -> Response {
    let at_ms = now_ms();
    let fault = shared.faults.take();
    if let Some(Fault::Hang(d)) = fault {
        tokio::time::sleep(d).await;
    }
    let body: Option<Value> = serde_json::from_slice(&raw).ok();
    let verdict = shared.judge(&token, line.peer.ip(), &headers, &raw, body.as_ref());
    let code = verdict.as_ref().map_or_else(|refusal| refusal.0, |()| OK);
    let reached_people =
        !matches!(fault, Some(Fault::Status { .. } | Fault::Code { .. } | Fault::Drop));
    shared.inbox.push(Received {
        at_ms,
        token,
        raw,
        body,
        verdict: code,
        accepted: code == OK && reached_people,
        fault: fault.clone(),
    });
    let answer = match verdict {
        Ok(()) => SUCCESS.to_owned(),
        Err(Refusal(code, msg)) => refusal(code, msg),
    };
    match fault {
        None | Some(Fault::Hang(_)) => json(answer),
        Some(Fault::Code { code, msg }) => json(refusal(code, &msg)),
        Some(Fault::Status { status, retry_after }) => status_answer(status, retry_after),
        Some(Fault::AcceptThenHang(d)) => {
            tokio::time::sleep(d).await;
            json(answer)
        }
        Some(Fault::Drop | Fault::AcceptThenDrop) => {
            line.cut();
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
        Some(Fault::SlowBody(d)) => {
            ([(header::CONTENT_TYPE, JSON_UTF8)], trickle(answer, d)).into_response()
        }
    }
}

const JSON_UTF8: &str = "application/json; charset=utf-8";
const SUCCESS: &str =
    r#"{"code":0,"msg":"success","data":{},"Extra":null,"StatusCode":0,"StatusMessage":"success"}"#;

fn json(body: String) -> Response {
    ([(header::CONTENT_TYPE, JSON_UTF8)], body).into_response()
}

fn refusal(code: i64, msg: &str) -> String {
    serde_json::json!({ "code": code, "data": {}, "msg": msg }).to_string()
}

fn status_answer(status: u16, retry_after: Option<String>) -> Response {
    let status = StatusCode::from_u16(status).expect("a fault's HTTP status is valid");
    let mut response = (status, "upstream trouble").into_response();
    if let Some(value) = retry_after {
        let value = value.parse().expect("a fault's Retry-After is a header value");
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

struct Refusal(i64, &'static str);

const BAD: Refusal = Refusal(BAD_REQUEST, "Bad Request");
const SIGN: Refusal =
    Refusal(SIGN_MISMATCH, "sign match fail or timestamp is not within one hour from current time");

impl Shared {
    fn judge(
        &self,
        token: &str,
        peer: IpAddr,
        headers: &HeaderMap,
        raw: &[u8],
        body: Option<&Value>,
    ) -> Result<(), Refusal> {
        let (bot, window) = self.bots.get(token).ok_or(Refusal(
            TOKEN_INVALID,
            "param invalid: incoming webhook access token invalid",
        ))?;
        if bot.allowed.as_ref().is_some_and(|allowed| !allowed.contains(&peer)) {
            return Err(Refusal(IP_NOT_ALLOWED, "Ip Not Allowed"));
        }
        if !within_rate(bot, &mut window.lock().expect("no panic while locked"), now_ms()) {
            self.rate_violations.fetch_add(1, Ordering::SeqCst);
            return Err(Refusal(
                FREQUENCY_LIMITED,
                "frequency limited psm[lark.oapi.app_platform_runtime]appID[1500]",
            ));
        }
        let is_json = headers
            .get(header::CONTENT_TYPE)
            .and_then(|v| v.to_str().ok())
            .is_some_and(|v| v.split(';').next().unwrap_or(v).trim() == "application/json");
        if !is_json || raw.len() > MAX_BODY_BYTES {
            return Err(BAD);
        }
        let body = body.ok_or(BAD)?;
        if let Some(secret) = &bot.secret {
            let now_s = (now_ms() + self.clock_offset_ms.load(Ordering::SeqCst)) / 1000;
            if !signature_holds(body, secret, now_s) {
                return Err(SIGN);
            }
        }
        card::check(body).map_err(|flaw| match flaw {
            card::Flaw::Shape => BAD,
            card::Flaw::Content => Refusal(
                CARD_INVALID,
                "parse card json err, please check whether the card json is correct",
            ),
        })?;
        let text = plain_text(body);
        if !bot.keywords.is_empty() && !bot.keywords.iter().any(|k| text.contains(k.as_str())) {
            return Err(Refusal(KEYWORD_MISSING, "Key Words Not Found"));
        }
        Ok(())
    }
}

fn within_rate(bot: &Bot, window: &mut VecDeque<i64>, now: i64) -> bool {
    while window.front().is_some_and(|&t| t <= now - 60_000) {
        window.pop_front();
    }
    window.push_back(now);
    let last_second = window.iter().rev().take_while(|&&t| t > now - 1000).count();
    last_second <= bot.per_second && window.len() <= bot.per_minute
}

fn signature_holds(body: &Value, secret: &str, now_s: i64) -> bool {
    let field = |name| body.get(name).and_then(Value::as_str);
    let (Some(timestamp), Some(given)) = (field("timestamp"), field("sign")) else {
        return false;
    };
    timestamp.parse::<i64>().is_ok_and(|t| (now_s - t).abs() <= 3600 && given == sign(t, secret))
}
