//! Slack's `chat.postMessage` and `chat.update` as strict as the vendor's: it knows its token, its
//! channels and every message, and keeps what a reader sees of each.
//!
//! Refusals come with HTTP 200 and `ok: false`; only too many requests are a 429.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};

use super::faults::{Fault, FaultPlan};
use super::inbox::Inbox;
use super::net::{Line, Served};
use super::time::now_ms;

/// A message as it stands in a channel.
#[derive(Clone, Debug)]
pub(crate) struct Posted {
    /// The vendor's name of it.
    pub(crate) ts: String,
    /// Id of its channel.
    pub(crate) channel: String,
    /// The message it is a reply to.
    pub(crate) thread_ts: Option<String>,
    /// A reply that stands in the channel too.
    pub(crate) broadcast: bool,
    /// What a reader sees now.
    pub(crate) body: Value,
    /// Edits the vendor took.
    pub(crate) edits: usize,
}

impl Posted {
    /// The line notifications show.
    pub(crate) fn title(&self) -> &str {
        self.body["text"].as_str().unwrap_or_default()
    }

    /// Colour of its bar.
    pub(crate) fn colour(&self) -> &str {
        self.body["attachments"][0]["color"].as_str().unwrap_or_default()
    }
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The method, such as `chat.update`.
    pub(crate) method: String,
    /// The error; none: taken.
    pub(crate) error: Option<String>,
    /// The fault that met it.
    pub(crate) fault: Option<Fault>,
}

/// The running stand-in, with one workspace.
pub(crate) struct Slack {
    served: Served,
    shared: Arc<Shared>,
}

struct Shared {
    token: String,
    /// Id and name of the channels the bot is in.
    channels: Vec<(String, String)>,
    faults: FaultPlan,
    requests: Inbox<Request>,
    world: Mutex<World>,
}

#[derive(Default)]
struct World {
    messages: BTreeMap<String, Posted>,
    deleted: Vec<String>,
    recent: HashMap<String, VecDeque<i64>>,
}

impl Slack {
    /// Serves one bot that is in these channels (id, name), on a free loopback port.
    pub(crate) async fn start(token: &str, channels: &[(&str, &str)]) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            token: token.to_owned(),
            channels: channels.iter().map(|&(i, n)| (i.to_owned(), n.to_owned())).collect(),
            faults: FaultPlan::default(),
            requests: Inbox::default(),
            world: Mutex::default(),
        });
        let router = Router::new()
            .route("/api/{method}", post(call))
            .layer(DefaultBodyLimit::max(4 << 20))
            .with_state(shared.clone());
        Ok(Self { served: Served::start(router).await?, shared })
    }

    /// To configure as `base_url`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/api", self.served.addr())
    }

    /// What goes wrong next.
    pub(crate) fn faults(&self) -> &FaultPlan {
        &self.shared.faults
    }

    /// Somebody deletes a message.
    pub(crate) fn delete(&self, ts: &str) {
        self.shared.world().deleted.push(ts.to_owned());
    }

    /// Messages that stand for themselves, oldest first.
    pub(crate) fn channel(&self) -> Vec<Posted> {
        self.all().into_iter().filter(|m| m.thread_ts.is_none()).collect()
    }

    /// Replies, oldest first.
    pub(crate) fn replies(&self) -> Vec<Posted> {
        self.all().into_iter().filter(|m| m.thread_ts.is_some()).collect()
    }

    fn all(&self) -> Vec<Posted> {
        let world = self.shared.world();
        let there = |m: &&Posted| !world.deleted.contains(&m.ts);
        world.messages.values().filter(there).cloned().collect()
    }

    /// Everything that was asked.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.requests.all()
    }

    /// What the vendor's own checks refused.
    pub(crate) fn refused(&self) -> Vec<Request> {
        self.requests().into_iter().filter(|r| r.error.is_some() && r.fault.is_none()).collect()
    }

    /// The first request, present or to come, that `wanted` accepts.
    pub(crate) async fn wait_for(
        &self,
        wanted: impl FnMut(&Request) -> bool,
        deadline: Duration,
    ) -> Option<Request> {
        self.shared.requests.wait_for(wanted, deadline).await
    }
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("no panic while locked")
    }

    fn channel_id(&self, given: &str) -> Option<&str> {
        let bare = given.strip_prefix('#').unwrap_or(given);
        let known = self.channels.iter().find(|(id, name)| id == given || name == bare);
        known.map(|(id, _)| id.as_str())
    }

    fn judge(&self, method: &str, headers: &HeaderMap, raw: &Bytes) -> Result<Value, String> {
        let refuse = |error: &str| Err(error.to_owned());
        let value = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
        match value.and_then(|v| v.strip_prefix("Bearer ")) {
            None => return refuse("not_authed"),
            Some(token) if token != self.token => return refuse("invalid_auth"),
            Some(_) => {}
        }
        let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
        if !kind.is_some_and(|kind| kind.starts_with("application/json")) {
            return refuse("invalid_form_data");
        }
        let Ok(body) = serde_json::from_slice::<Value>(raw) else { return refuse("invalid_json") };
        let given = body["channel"].as_str().unwrap_or_default();
        // An update takes ids only.
        let id = self.channel_id(given).filter(|id| method != "chat.update" || *id == given);
        let Some(channel) = id.map(str::to_owned) else { return refuse("channel_not_found") };
        check_content(&body)?;
        let mut world = self.world();
        let known =
            |ts: &str| world.messages.contains_key(ts) && !world.deleted.contains(&ts.to_owned());
        match method {
            "chat.postMessage" => {
                let thread = body["thread_ts"].as_str();
                if thread.is_some_and(|ts| !known(ts)) {
                    return refuse("thread_not_found");
                }
                let thread_ts = thread.map(str::to_owned);
                world.within_rate(&channel, 2, 1_000)?;
                let ts = format!("{}.{:06}", now_ms() / 1_000, world.messages.len() + 1);
                let broadcast = body["reply_broadcast"] == true;
                let posted = Posted {
                    ts: ts.clone(),
                    channel: channel.clone(),
                    thread_ts,
                    broadcast,
                    body,
                    edits: 0,
                };
                world.messages.insert(ts.clone(), posted);
                Ok(json!({"ok": true, "channel": channel, "ts": ts}))
            }
            "chat.update" => {
                let ts = body["ts"].as_str().unwrap_or_default().to_owned();
                if !known(&ts) {
                    return refuse("message_not_found");
                }
                world.within_rate("chat.update", 50, 60_000)?;
                if let Some(message) = world.messages.get_mut(&ts) {
                    message.body = body;
                    message.edits += 1;
                }
                Ok(json!({"ok": true, "channel": channel, "ts": ts}))
            }
            _ => refuse("unknown_method"),
        }
    }
}

impl World {
    fn within_rate(&mut self, what: &str, most: usize, per_ms: i64) -> Result<(), String> {
        let now = now_ms();
        let recent = self.recent.entry(what.to_owned()).or_default();
        while recent.front().is_some_and(|&at| at <= now - per_ms) {
            recent.pop_front();
        }
        if recent.len() >= most {
            return Err("ratelimited".to_owned());
        }
        recent.push_back(now);
        Ok(())
    }
}

/// Shapes and limits of blocks.
fn check_content(body: &Value) -> Result<(), String> {
    let attachments = body["attachments"].as_array().cloned().unwrap_or_default();
    if body["text"].as_str().is_none_or(str::is_empty) && attachments.is_empty() {
        return Err("no_text".to_owned());
    }
    if body["text"].as_str().is_some_and(|text| text.chars().count() > 40_000) {
        return Err("msg_too_long".to_owned());
    }
    let blocks: Vec<&Value> =
        attachments.iter().filter_map(|a| a["blocks"].as_array()).flatten().collect();
    if blocks.len() > 50 || !blocks.iter().all(|block| is_block(block)) {
        return Err("invalid_blocks".to_owned());
    }
    Ok(())
}

fn is_block(block: &Value) -> bool {
    let text_fits = |text: &Value, most: usize| {
        let kind = text["type"] == "mrkdwn" || text["type"] == "plain_text";
        let length = text["text"].as_str().map_or(0, |text| text.chars().count());
        kind && (1..=most).contains(&length)
    };
    let elements = || block["elements"].as_array().filter(|all| !all.is_empty());
    match block["type"].as_str() {
        Some("section") => text_fits(&block["text"], 3_000),
        Some("context") => {
            elements().is_some_and(|all| all.len() <= 10 && all.iter().all(|e| text_fits(e, 2_000)))
        }
        Some("actions") => elements().is_some_and(|all| {
            all.len() <= 25
                && all.iter().all(|button| {
                    let url = button["url"].as_str();
                    button["type"] == "button"
                        && text_fits(&button["text"], 75)
                        && url.is_none_or(|url| url.starts_with("http") && url.len() <= 3_000)
                })
        }),
        Some("divider") => true,
        _ => false,
    }
}

async fn call(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(line): ConnectInfo<Line>,
    Path(method): Path<String>,
    headers: HeaderMap,
    raw: Bytes,
) -> Response {
    let fault = shared.faults.take();
    let note = |error: Option<&str>| {
        let error = error.map(str::to_owned);
        shared.requests.push(Request { method: method.clone(), error, fault: fault.clone() });
    };
    match &fault {
        Some(Fault::Status { status, retry_after }) => {
            note(Some("status"));
            return limited(*status, retry_after.as_deref());
        }
        Some(Fault::Code { msg, .. }) => {
            note(Some(msg));
            return json(StatusCode::OK, &json!({"ok": false, "error": msg}));
        }
        Some(Fault::Drop) => {
            note(Some("drop"));
            line.cut();
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        Some(Fault::Hang(wait)) => tokio::time::sleep(*wait).await,
        _ => {}
    }
    let done = shared.judge(&method, &headers, &raw);
    note(done.as_ref().err().map(String::as_str));
    let response = match done {
        Ok(answer) => json(StatusCode::OK, &answer),
        Err(error) if error == "ratelimited" => limited(429, Some("1")),
        Err(error) => json(StatusCode::OK, &json!({"ok": false, "error": error})),
    };
    match fault {
        Some(Fault::AcceptThenHang(wait) | Fault::SlowBody(wait)) => {
            tokio::time::sleep(wait).await;
        }
        Some(Fault::AcceptThenDrop) => {
            line.cut();
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        _ => {}
    }
    response
}

fn limited(status: u16, retry_after: Option<&str>) -> Response {
    let status = StatusCode::from_u16(status).expect("a fault's HTTP status is valid");
    let mut response = json(status, &json!({"ok": false, "error": "ratelimited"}));
    if let Some(value) = retry_after {
        let value = value.parse().expect("a fault's Retry-After is a header value");
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

fn json(status: StatusCode, body: &Value) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json; charset=utf-8")];
    (status, kind, body.to_string()).into_response()
}
