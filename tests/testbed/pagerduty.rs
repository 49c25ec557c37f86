//! PagerDuty's Events API, version 2, as strict as the vendor's, and stricter about fields nobody
//! knows. It keeps alerts by key as the vendor does: what is open stays open until it is resolved.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Value, json};

use super::robot::{Answer, Rate, Request, Robot, Vendor, only};

/// The largest event.
pub const MAX_BODY_BYTES: usize = 512 * 1024;

const PER_MINUTE: usize = 120;

/// One service with its integration.
pub struct PagerDuty {
    key: String,
    alerts: Mutex<BTreeMap<String, Vec<Alert>>>,
}

/// One alert.
#[derive(Clone, Debug)]
pub struct Alert {
    /// Its first summary, which stays.
    pub summary: String,
    /// Events that opened it or added to it.
    pub triggers: usize,
    /// It is not resolved.
    pub open: bool,
    /// Somebody has it; what adds to it changes nothing of that.
    pub acknowledged: bool,
}

impl PagerDuty {
    /// A service with this integration key.
    pub async fn start(key: &str) -> anyhow::Result<Robot<PagerDuty>> {
        Robot::start(PagerDuty { key: key.to_owned(), alerts: Mutex::default() }).await
    }

    /// All alerts there ever were, by key in order of time.
    pub fn alerts(&self) -> BTreeMap<String, Vec<Alert>> {
        self.alerts.lock().expect("no panic while locked").clone()
    }

    /// Keys of open alerts.
    pub fn open(&self) -> Vec<String> {
        let is_open = |alerts: &Vec<Alert>| alerts.iter().any(|alert| alert.open);
        self.alerts().into_iter().filter(|(_, alerts)| is_open(alerts)).map(|(k, _)| k).collect()
    }

    fn apply(&self, key: &str, body: &Value) {
        let mut all = self.alerts.lock().expect("no panic while locked");
        let of_key = all.entry(key.to_owned()).or_default();
        let open = of_key.iter_mut().find(|alert| alert.open);
        match (body["event_action"].as_str(), open) {
            (Some("trigger"), Some(alert)) => alert.triggers += 1,
            (Some("trigger"), None) => {
                let summary = body["payload"]["summary"].as_str().unwrap_or_default().to_owned();
                of_key.push(Alert { summary, triggers: 1, open: true, acknowledged: false });
            }
            (Some("resolve"), Some(alert)) => alert.open = false,
            (Some("acknowledge"), Some(alert)) => alert.acknowledged = true,
            // Dropped without a word.
            _ => {}
        }
    }
}

impl Vendor for PagerDuty {
    const PATH: &'static str = "/v2/enqueue";

    fn judge(&self, request: &Request, rate: &Rate) -> Result<Answer, Answer> {
        let body = request.body.as_ref().filter(|_| request.is_json);
        let Some(body) = body else { return Err(invalid("not valid JSON")) };
        let key = body["routing_key"].as_str().unwrap_or_default();
        if key.len() != 32 || key != self.key {
            return Err(invalid("Invalid routing key"));
        }
        if !rate.allows(key, request.at_ms, PER_MINUTE) {
            let body = json!({ "status": "throttle exceeded", "message": "Too many requests" });
            return Err(Answer { status: 429, body: body.to_string() });
        }
        if request.raw.len() > MAX_BODY_BYTES {
            return Err(Answer { status: 413, body: String::new() });
        }
        check(body).map_err(|flaw| invalid(&flaw))?;
        let dedup_key = body["dedup_key"].as_str().unwrap_or_default();
        self.apply(dedup_key, body);
        let body = json!({
            "status": "success", "message": "Event processed", "dedup_key": dedup_key,
        });
        Ok(Answer { status: 202, body: body.to_string() })
    }

    fn code(&self, code: i64, text: &str) -> Answer {
        let body = json!({ "status": text, "message": format!("code {code}") });
        Answer { status: 200, body: body.to_string() }
    }
}

fn invalid(flaw: &str) -> Answer {
    let body = json!({
        "status": "invalid event", "message": "Event object is invalid", "errors": [flaw],
    });
    Answer { status: 400, body: body.to_string() }
}

fn check(body: &Value) -> Result<(), String> {
    let flaw = |text: &str| Err(text.to_owned());
    let key = body["dedup_key"].as_str().unwrap_or_default();
    if key.is_empty() || key.chars().count() > 255 {
        return flaw("'dedup_key' is invalid");
    }
    match body["event_action"].as_str() {
        Some("acknowledge" | "resolve") => {
            if only(body, &["routing_key", "event_action", "dedup_key"]) {
                return Ok(());
            }
            return flaw("an unknown field");
        }
        Some("trigger") => {}
        _ => return flaw("'event_action' is invalid"),
    }
    let fields = [
        "routing_key",
        "event_action",
        "dedup_key",
        "payload",
        "links",
        "images",
        "client",
        "client_url",
    ];
    let of_payload = [
        "summary",
        "source",
        "severity",
        "timestamp",
        "component",
        "group",
        "class",
        "custom_details",
    ];
    let payload = &body["payload"];
    if !only(body, &fields) || !only(payload, &of_payload) {
        return flaw("an unknown field");
    }
    for (name, max) in [("summary", 1_024), ("source", usize::MAX)] {
        let text = payload[name].as_str().unwrap_or_default();
        if text.is_empty() || text.chars().count() > max {
            return Err(format!("'payload.{name}' is invalid"));
        }
    }
    let severity = payload["severity"].as_str().unwrap_or_default();
    if !["critical", "error", "warning", "info"].contains(&severity) {
        return flaw("'payload.severity' is invalid (must be one of the following: ...)");
    }
    let timestamp = payload["timestamp"].as_str().unwrap_or_default();
    if timestamp.parse::<jiff::Timestamp>().is_err() {
        return flaw("'payload.timestamp' is invalid");
    }
    for link in body["links"].as_array().into_iter().flatten() {
        let href = link["href"].as_str().unwrap_or_default();
        if !only(link, &["href", "text"]) || !href.starts_with("http") {
            return flaw("'links' is invalid");
        }
    }
    Ok(())
}
