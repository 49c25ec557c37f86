//! What a script needs most, as variables: it gets along without reading JSON. Pure.

use serde_json::Value;

use crate::model::{Message, Severity};
use crate::notify::render::escape::{cut, line};

/// Longest value, in characters.
const TEXT: usize = 1_000;

/// Names and values.
pub(super) fn of(message: &Message, key: &str) -> Vec<(&'static str, String)> {
    let body: Value = serde_json::from_str(&message.frozen.body).unwrap_or_default();
    let status = body["status"].as_str().unwrap_or_default();
    let kind = body["weir"]["kind"].as_str().unwrap_or_default();
    let alerts = body["alerts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let open = alerts.iter().filter(|alert| alert["status"] == "firing");
    let worst = open.filter_map(|alert| Severity::parse(alert["weir"]["severity"].as_str()?)).max();
    let text = |text: &str| cut(&line(text), TEXT);
    vec![
        ("WEIR_KEY", text(key)),
        ("WEIR_ATTEMPT", message.attempts.to_string()),
        ("WEIR_KIND", text(kind)),
        ("WEIR_STATUS", text(status)),
        ("WEIR_SEVERITY", worst.map_or("", Severity::as_str).to_owned()),
        ("WEIR_TITLE", text(&message.frozen.title)),
    ]
}
