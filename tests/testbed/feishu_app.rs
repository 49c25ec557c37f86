//! Feishu's message API as strict as the vendor's, for apps: it knows its tokens, its chats and
//! every message, and keeps what a reader sees of each, so that a test can look at the chat.
//!
//! Refusals come with HTTP 400 and a code. A send whose `uuid` was taken within an hour is
//! answered alike and shows nothing new.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{patch, post};
use serde_json::{Value, json};

use super::faults::{Fault, FaultPlan};
use super::feishu::{is_showable, plain_text};
use super::inbox::Inbox;
use super::net::{Line, Served};
use super::time::now_ms;

/// Largest body with a card.
pub(crate) const MAX_BODY_BYTES: usize = 30 * 1024;
/// A parameter is wrong, the id of a message too.
pub(crate) const PARAMETER: i64 = 230_001;
/// The bot is not in this chat.
pub(crate) const NOT_IN_CHAT: i64 = 230_002;
/// The message was recalled.
pub(crate) const RECALLED: i64 = 230_011;
/// More than five a second of one chat, or of one message.
pub(crate) const TOO_FREQUENT: i64 = 230_020;
/// The body is too large.
pub(crate) const TOO_LARGE: i64 = 230_025;
/// Only within 14 days.
pub(crate) const TOO_OLD: i64 = 230_031;
/// The card cannot be shown, or not be updated for all.
pub(crate) const CARD: i64 = 230_099;
/// The token is unknown or over.
pub(crate) const TOKEN: i64 = 99_991_663;
/// No token.
pub(crate) const NO_TOKEN: i64 = 99_991_661;

const PER_SECOND: usize = 5;
const EDITABLE_MS: i64 = 14 * 24 * 3_600_000;
const UUID_MS: i64 = 3_600_000;

/// A message as it stands in a chat.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    /// The vendor's name of it.
    pub(crate) id: String,
    /// Its chat.
    pub(crate) chat: String,
    /// What it is a reply to.
    pub(crate) below: Option<String>,
    /// What a reader sees now.
    pub(crate) card: Value,
    /// Titles it had, the present one last.
    pub(crate) titles: Vec<String>,
    /// Edits the vendor took.
    pub(crate) edits: usize,
    /// When each was taken.
    pub(crate) edited_ms: Vec<i64>,
    posted_ms: i64,
    recalled: bool,
}

impl Shown {
    /// Colour of its head.
    pub(crate) fn colour(&self) -> &str {
        self.card["header"]["template"].as_str().unwrap_or_default()
    }

    /// All text in it.
    pub(crate) fn text(&self) -> String {
        plain_text(&json!({ "card": self.card }))
    }
}

/// One request about a message.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// `send`, `edit` or `reply`.
    pub(crate) what: &'static str,
    /// Code of the answer; `0`: taken.
    pub(crate) code: i64,
    /// It repeated an earlier one and showed nothing new.
    pub(crate) absorbed: bool,
    /// The fault that met it.
    pub(crate) fault: Option<Fault>,
}

/// The running stand-in, with one app.
pub(crate) struct FeishuApp {
    served: Served,
    shared: Arc<Shared>,
}

struct Shared {
    app_id: String,
    secret: String,
    chats: BTreeSet<String>,
    faults: FaultPlan,
    requests: Inbox<Request>,
    world: Mutex<World>,
}

#[derive(Default)]
struct World {
    tokens: u64,
    good: BTreeSet<String>,
    messages: BTreeMap<String, Shown>,
    order: Vec<String>,
    uuids: HashMap<String, (i64, String)>,
    recent: HashMap<String, VecDeque<i64>>,
}

struct Refusal(i64, &'static str);

impl FeishuApp {
    /// Serves one app that is in these chats, on a free loopback port.
    pub(crate) async fn start(app_id: &str, secret: &str, chats: &[&str]) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            app_id: app_id.to_owned(),
            secret: secret.to_owned(),
            chats: chats.iter().map(|&chat| chat.to_owned()).collect(),
            faults: FaultPlan::default(),
            requests: Inbox::default(),
            world: Mutex::default(),
        });
        let router = Router::new()
            .route("/open-apis/auth/v3/tenant_access_token/internal", post(token))
            .route("/open-apis/im/v1/messages", post(send))
            .route("/open-apis/im/v1/messages/{id}", patch(edit))
            .route("/open-apis/im/v1/messages/{id}/reply", post(reply))
            .layer(DefaultBodyLimit::max(4 << 20))
            .with_state(shared.clone());
        Ok(Self { served: Served::start(router).await?, shared })
    }

    /// To configure as `base_url`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.served.addr())
    }

    /// What goes wrong next with messages.
    pub(crate) fn faults(&self) -> &FaultPlan {
        &self.shared.faults
    }

    /// No token that was given is good any more.
    pub(crate) fn expire_tokens(&self) {
        self.shared.world().good.clear();
    }

    /// Tokens given so far.
    pub(crate) fn tokens(&self) -> u64 {
        self.shared.world().tokens
    }

    /// Somebody takes a message back.
    pub(crate) fn recall(&self, id: &str) {
        if let Some(message) = self.shared.world().messages.get_mut(id) {
            message.recalled = true;
        }
    }

    /// Fourteen days pass for a message.
    pub(crate) fn age(&self, id: &str) {
        if let Some(message) = self.shared.world().messages.get_mut(id) {
            message.posted_ms -= EDITABLE_MS + 1;
        }
    }

    /// The chat as a reader sees it: messages that stand for themselves, oldest first.
    pub(crate) fn chat(&self) -> Vec<Shown> {
        self.all().into_iter().filter(|m| m.below.is_none()).collect()
    }

    /// Replies, oldest first.
    pub(crate) fn replies(&self) -> Vec<Shown> {
        self.all().into_iter().filter(|m| m.below.is_some()).collect()
    }

    fn all(&self) -> Vec<Shown> {
        let world = self.shared.world();
        let of = |id: &String| world.messages.get(id).filter(|m| !m.recalled).cloned();
        world.order.iter().filter_map(of).collect()
    }

    /// Everything that was asked about messages.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.requests.all()
    }

    /// What the vendor's own checks refused.
    pub(crate) fn refused(&self) -> Vec<Request> {
        self.requests().into_iter().filter(|r| r.code != 0 && r.fault.is_none()).collect()
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

    fn authorised(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let value = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
        let token = value.and_then(|v| v.strip_prefix("Bearer "));
        let token = token.ok_or(Refusal(NO_TOKEN, "Missing access token for authorization"))?;
        if self.world().good.contains(token) {
            return Ok(());
        }
        Err(Refusal(TOKEN, "Invalid access token for authorization"))
    }
}

impl World {
    fn within_rate(&mut self, what: &str) -> Result<(), Refusal> {
        let now = now_ms();
        let recent = self.recent.entry(what.to_owned()).or_default();
        while recent.front().is_some_and(|&at| at <= now - 1_000) {
            recent.pop_front();
        }
        if recent.len() >= PER_SECOND {
            return Err(Refusal(TOO_FREQUENT, "This operation triggers the frequency limit."));
        }
        recent.push_back(now);
        Ok(())
    }

    fn add(&mut self, chat: &str, below: Option<&str>, card: Value) -> String {
        let id = format!("om_{:08x}", self.order.len() + 0xdc13);
        let shown = Shown {
            id: id.clone(),
            chat: chat.to_owned(),
            below: below.map(str::to_owned),
            titles: vec![title(&card)],
            card,
            edits: 0,
            edited_ms: Vec::new(),
            posted_ms: now_ms(),
            recalled: false,
        };
        self.order.push(id.clone());
        self.messages.insert(id.clone(), shown);
        id
    }

    /// The message a repeated request made.
    fn made_by(&self, uuid: &str) -> Option<String> {
        let (at, id) = self.uuids.get(uuid).filter(|_| !uuid.is_empty())?;
        (now_ms() - at < UUID_MS).then(|| id.clone())
    }

    fn find(&self, id: &str) -> Result<&Shown, Refusal> {
        let message = self.messages.get(id);
        let message = message.ok_or(Refusal(PARAMETER, "invalid message_id"))?;
        if message.recalled {
            return Err(Refusal(RECALLED, "The message is recalled."));
        }
        Ok(message)
    }
}

fn title(card: &Value) -> String {
    card["header"]["title"]["content"].as_str().unwrap_or_default().to_owned()
}

fn is_shared(card: &Value) -> bool {
    card["config"]["update_multi"] == true
}

/// The body as JSON, and the card in it.
fn card_of(raw: &Bytes) -> Result<(Value, Value), Refusal> {
    if raw.len() > MAX_BODY_BYTES {
        return Err(Refusal(TOO_LARGE, "The length of the message content reaches its limit."));
    }
    let wrong = || Refusal(PARAMETER, "Your request contains an invalid request parameter.");
    let body: Value = serde_json::from_slice(raw).map_err(|_| wrong())?;
    // A string of JSON, which is what everybody gets wrong first.
    let card: Value =
        serde_json::from_str(body["content"].as_str().ok_or_else(wrong)?).map_err(|_| wrong())?;
    if !is_showable(&json!({ "msg_type": "interactive", "card": card })) {
        return Err(Refusal(CARD, "Failed to create card content."));
    }
    Ok((body, card))
}

/// The key of a send or a reply.
fn uuid_of(body: &Value) -> Result<String, Refusal> {
    let uuid = body["uuid"].as_str().unwrap_or_default();
    if uuid.len() > 50 || body["msg_type"] != "interactive" {
        return Err(Refusal(PARAMETER, "Your request contains an invalid request parameter."));
    }
    Ok(uuid.to_owned())
}

async fn token(State(shared): State<Arc<Shared>>, raw: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&raw).unwrap_or_default();
    let refuse = |code: i64, msg: &str| json(StatusCode::OK, &json!({"code": code, "msg": msg}));
    if body["app_id"] != shared.app_id.as_str() {
        return refuse(10_003, "invalid param");
    }
    if body["app_secret"] != shared.secret.as_str() {
        return refuse(10_014, "app secret invalid");
    }
    let mut world = shared.world();
    world.tokens += 1;
    let token = format!("t-g{:06}", world.tokens);
    world.good.insert(token.clone());
    let answer = json!({"code": 0, "msg": "ok", "tenant_access_token": token, "expire": 7200});
    json(StatusCode::OK, &answer)
}

async fn send(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(line): ConnectInfo<Line>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    raw: Bytes,
) -> Response {
    let work = |shared: &Shared| {
        shared.authorised(&headers)?;
        let (body, card) = card_of(&raw)?;
        let uuid = uuid_of(&body)?;
        let chat = body["receive_id"].as_str().unwrap_or_default().to_owned();
        if query.get("receive_id_type").is_none_or(|kind| kind != "chat_id") {
            return Err(Refusal(PARAMETER, "invalid receive_id_type"));
        }
        if !shared.chats.contains(&chat) {
            return Err(Refusal(NOT_IN_CHAT, "Bot/User can NOT be out of the chat."));
        }
        let mut world = shared.world();
        if let Some(id) = world.made_by(&uuid) {
            return Ok((id, true));
        }
        world.within_rate(&chat)?;
        let id = world.add(&chat, None, card);
        world.uuids.insert(uuid, (now_ms(), id.clone()));
        Ok((id, false))
    };
    answer(&shared, &line, "send", work).await
}

async fn reply(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(line): ConnectInfo<Line>,
    Path(root): Path<String>,
    headers: HeaderMap,
    raw: Bytes,
) -> Response {
    let work = |shared: &Shared| {
        shared.authorised(&headers)?;
        let (body, card) = card_of(&raw)?;
        let uuid = uuid_of(&body)?;
        let mut world = shared.world();
        if let Some(id) = world.made_by(&uuid) {
            return Ok((id, true));
        }
        let chat = world.find(&root)?.chat.clone();
        world.within_rate(&chat)?;
        let id = world.add(&chat, Some(&root), card);
        world.uuids.insert(uuid, (now_ms(), id.clone()));
        Ok((id, false))
    };
    answer(&shared, &line, "reply", work).await
}

async fn edit(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(line): ConnectInfo<Line>,
    Path(id): Path<String>,
    headers: HeaderMap,
    raw: Bytes,
) -> Response {
    let work = |shared: &Shared| {
        shared.authorised(&headers)?;
        let (_, card) = card_of(&raw)?;
        let mut world = shared.world();
        let before = world.find(&id)?;
        if now_ms() - before.posted_ms > EDITABLE_MS {
            let why = "Message can only be modified within 14 days after sending.";
            return Err(Refusal(TOO_OLD, why));
        }
        if !is_shared(&before.card) || !is_shared(&card) {
            return Err(Refusal(CARD, "the card is not shared: update_multi"));
        }
        world.within_rate(&id)?;
        if let Some(message) = world.messages.get_mut(&id) {
            message.titles.push(title(&card));
            message.card = card;
            message.edits += 1;
            message.edited_ms.push(now_ms());
        }
        Ok((id.clone(), false))
    };
    answer(&shared, &line, "edit", work).await
}

async fn answer(
    shared: &Shared,
    line: &Line,
    what: &'static str,
    work: impl FnOnce(&Shared) -> Result<(String, bool), Refusal>,
) -> Response {
    let fault = shared.faults.take();
    let note = |code, absorbed| {
        shared.requests.push(Request { what, code, absorbed, fault: fault.clone() });
    };
    match &fault {
        Some(Fault::Status { status, retry_after }) => {
            note(-1, false);
            let status = StatusCode::from_u16(*status).expect("a fault's HTTP status is valid");
            let mut response = json(status, &json!({"code": 99_991_400, "msg": "limited"}));
            if let Some(value) = retry_after {
                let value = value.parse().expect("a fault's Retry-After is a header value");
                response.headers_mut().insert("x-ogw-ratelimit-reset", value);
            }
            return response;
        }
        Some(Fault::Code { code, msg }) => {
            note(*code, false);
            return json(StatusCode::BAD_REQUEST, &json!({"code": code, "msg": msg}));
        }
        Some(Fault::Drop) => {
            note(-1, false);
            line.cut();
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        Some(Fault::Hang(wait)) => tokio::time::sleep(*wait).await,
        _ => {}
    }
    let done = work(shared);
    let response = match &done {
        Ok((id, absorbed)) => {
            note(0, *absorbed);
            json(StatusCode::OK, &json!({"code": 0, "msg": "success", "data": {"message_id": id}}))
        }
        Err(Refusal(code, msg)) => {
            note(*code, false);
            json(StatusCode::BAD_REQUEST, &json!({"code": code, "msg": msg}))
        }
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

fn json(status: StatusCode, body: &Value) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json; charset=utf-8")];
    (status, kind, body.to_string()).into_response()
}
