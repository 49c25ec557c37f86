//! austin as far as a sender sees it: `/send` takes a message into its queue and says so, and what
//! became of it can be asked for a moment later.
//!
//! It counts as austin's shipped `deduplicationRule` does: more than so many a day to one receiver
//! are dropped without a word in the answer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::net::Served;

/// What austin does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Its channel took it.
    Delivered,
    /// Too many to one receiver on one day.
    FrequencyDeduplicated,
    /// Its template sends nothing before eight.
    NightShield,
    /// Its Flink job does not run: nothing is ever said.
    Untold,
}

/// One message in its queue.
#[derive(Clone, Debug)]
pub struct Queued {
    /// The sender's own id.
    pub biz_id: String,
    /// Whom it is for, with commas.
    pub receiver: String,
    /// What goes into the template.
    pub variables: BTreeMap<String, String>,
    /// What became of it.
    pub fate: Fate,
}

/// The running stand-in.
pub struct Austin {
    served: Served,
    shared: Arc<Shared>,
}

struct Shared {
    template: u64,
    /// Messages a receiver gets on one day.
    per_day: usize,
    night: AtomicBool,
    untold: AtomicBool,
    queue: Mutex<Vec<Queued>>,
}

impl Austin {
    /// Serves one template on a free loopback port.
    pub async fn start(template: u64, per_day: usize) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            template,
            per_day,
            night: AtomicBool::new(false),
            untold: AtomicBool::new(false),
            queue: Mutex::default(),
        });
        let router = Router::new()
            .route("/send", post(send))
            .route("/trace/message", post(trace))
            .with_state(shared.clone());
        Ok(Self { served: Served::start(router).await?, shared })
    }

    /// The address to configure.
    pub fn url(&self) -> String {
        format!("http://{}", self.served.addr())
    }

    /// It is night, or day again.
    pub fn set_night(&self, on: bool) {
        self.shared.night.store(on, Ordering::SeqCst);
    }

    /// Its Flink job stops, or runs again.
    pub fn set_untold(&self, on: bool) {
        self.shared.untold.store(on, Ordering::SeqCst);
    }

    /// Everything it took into its queue, in order.
    pub fn queued(&self) -> Vec<Queued> {
        self.shared.queue.lock().expect("no panic while locked").clone()
    }

    /// What people got, in order.
    pub fn delivered(&self) -> Vec<Queued> {
        self.queued().into_iter().filter(|q| q.fate == Fate::Delivered).collect()
    }
}

fn refusal(code: &str, msg: &str) -> Json<Value> {
    Json(json!({ "code": code, "msg": msg, "data": null }))
}

async fn send(State(shared): State<Arc<Shared>>, Json(body): Json<Value>) -> Json<Value> {
    let param = &body["messageParam"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let receiver = text(&param["receiver"]);
    let variables: Option<BTreeMap<String, String>> =
        serde_json::from_value(param["variables"].clone()).ok();
    let (true, Some(variables)) = (body["code"] == "send" && !receiver.is_empty(), variables)
    else {
        return refusal("A0001", "客户端参数错误");
    };
    if body["messageTemplateId"] != shared.template {
        return refusal("A0002", "找不到模板或模板已被删除");
    }
    if receiver.split(',').count() > 100 {
        return refusal("A0003", "传入的接收者大于100个");
    }
    let mut queue = shared.queue.lock().expect("no panic while locked");
    let today =
        queue.iter().filter(|q| q.fate == Fate::Delivered && q.receiver == receiver).count();
    let fate = if shared.untold.load(Ordering::SeqCst) {
        Fate::Untold
    } else if shared.night.load(Ordering::SeqCst) {
        Fate::NightShield
    } else if today >= shared.per_day {
        Fate::FrequencyDeduplicated
    } else {
        Fate::Delivered
    };
    let biz_id = text(&param["bizId"]);
    let message_id = format!("msg-{}", queue.len());
    queue.push(Queued { biz_id: biz_id.clone(), receiver, variables, fate });
    let task = json!({ "bizId": biz_id, "messageId": message_id, "businessId": 2_000_000_120_261_121_u64 });
    Json(json!({ "code": "0", "msg": "操作成功", "data": [task] }))
}

async fn trace(State(shared): State<Arc<Shared>>, Json(body): Json<Value>) -> Json<Value> {
    let id = body["messageId"].as_str().and_then(|id| id.strip_prefix("msg-"));
    let index = id.and_then(|id| id.parse::<usize>().ok());
    let queue = shared.queue.lock().expect("no panic while locked");
    let fate = index.and_then(|index| queue.get(index)).map(|queued| queued.fate);
    let words = match fate {
        None | Some(Fate::Untold) => None,
        Some(Fate::Delivered) => Some("消息下发成功"),
        Some(Fate::FrequencyDeduplicated) => Some("消息被频次去重"),
        Some(Fate::NightShield) => Some("夜间屏蔽"),
    };
    let item = |words: &str| {
        let at = "2026-11-21 03:30:00";
        json!({ "businessId": "2000000120261121", "title": "告警", "sendType": "短信",
            "creator": "Java3y", "detail": format!("{at}:消息接收成功==>{at}:{words}==>") })
    };
    let items: Vec<Value> = words.iter().map(|words| item(words)).collect();
    Json(json!({ "status": "0", "msg": "操作成功", "data": { "items": items } }))
}
