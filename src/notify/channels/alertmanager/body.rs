//! The body: alerts as Alertmanager's API, version 2, takes them. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::model::{Frozen, Incident, Labels, MessageKind, Ts};
use crate::notify::channels::annotations::spoken;
use crate::notify::render::escape::{cut, plain, url};
use crate::notify::render::{Detail, ItemData, message_data, rfc3339};
use crate::notify::{Compose, Composed, ItemView, Language, MessageView};

/// Longest text, in characters: exceptions may be megabytes.
const TEXT: usize = 4_000;
/// How long a test lasts there.
const TEST_LASTS: Duration = Duration::from_mins(5);

pub(super) struct Composer;

/// One alert. Without an end it holds, and the end is put in when it is sent: it is always some
/// minutes ahead, however long the message waited.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    starts_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_at: Option<String>,
    #[serde(rename = "generatorURL", skip_serializing_if = "Option::is_none")]
    generator_url: Option<String>,
}

/// A name as Prometheus has them; what does not fit becomes `_`.
fn name(text: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name: String = text.chars().map(|c| if fits(c) { c } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) || name.is_empty() {
        format!("_{name}")
    } else {
        name
    }
}

fn labels(labels: &Labels) -> BTreeMap<String, String> {
    let text = |value: &str| cut(&plain(value), TEXT);
    labels.0.iter().map(|(k, v)| (name(k), text(v))).filter(|(_, v)| !v.is_empty()).collect()
}

/// The worst member's annotations in the receiver's language, and what Weir knows besides.
fn annotations(item: &ItemView, data: &ItemData, language: Language) -> BTreeMap<String, String> {
    let spoken = spoken(&item.incident, language);
    let mut texts: BTreeMap<String, String> =
        spoken.into_iter().map(|(key, text)| (name(&key), text)).collect();
    let ours = [
        ("title", Some(&data.title)),
        ("root_cause", data.root_cause.as_ref()),
        ("frame", data.frame.as_ref()),
        ("checkpoint", data.checkpoint.as_ref()),
        ("checkpoint_path", data.checkpoint_path.as_ref()),
        ("action", data.action.as_ref()),
        ("end", data.end_text.as_ref()),
        ("ui_url", data.ui_url.as_ref()),
    ];
    for (key, text) in ours {
        if let Some(text) = text {
            texts.entry(key.to_owned()).or_insert_with(|| text.clone());
        }
    }
    texts.into_iter().map(|(k, v)| (k, cut(&plain(&v), TEXT))).collect()
}

/// The labels it goes by: those it was told under, where the pipeline put them in.
fn identity(incident: &Incident) -> BTreeMap<String, String> {
    let mut all = labels(&incident.labels);
    all.entry("alertname".to_owned()).or_insert_with(|| cut(&plain(&incident.rule), TEXT));
    all.entry("severity".to_owned()).or_insert_with(|| incident.severity.as_str().to_owned());
    all
}

fn alert(item: &ItemView, data: &ItemData, view: &MessageView) -> Alert {
    let incident = &item.incident;
    let over = !incident.is_open();
    // Alertmanager refuses an end before the beginning, which a stepped clock can give.
    let ended = incident.resolved_at.unwrap_or(view.now).max(incident.opened_at);
    Alert {
        labels: identity(incident),
        annotations: annotations(item, data, view.language),
        starts_at: rfc3339(incident.opened_at),
        ends_at: over.then(|| rfc3339(ended)),
        generator_url: data.page_url.clone().or_else(|| data.ui_url.clone()),
    }
}

/// What `weir test-message` sends: an alert that ends by itself.
fn test(view: &MessageView, title: &str) -> Alert {
    let labels = [("alertname", "WeirTest"), ("severity", "info"), ("receiver", &view.receiver)];
    let text = |text: &str| cut(&plain(text), TEXT);
    Alert {
        labels: labels.into_iter().map(|(k, v)| (k.to_owned(), text(v))).collect(),
        annotations: BTreeMap::from([("title".to_owned(), text(title))]),
        starts_at: rfc3339(view.now),
        ends_at: Some(rfc3339(view.now + TEST_LASTS)),
        generator_url: view.external_url.as_deref().and_then(url),
    }
}

impl Compose for Composer {
    fn compose(&self, view: &MessageView) -> Composed {
        let title = message_data(view, Detail { named: 0, ..Detail::FULL }).title;
        // Each as if it were alone: nothing here is for reading in one piece.
        let mut bare = MessageView { kind: MessageKind::Incident, ..view.clone() };
        bare.items.clear();
        let mut alerts: Vec<Alert> = Vec::with_capacity(view.items.len());
        for item in &view.items {
            let alone = MessageView { items: vec![item.clone()], ..bare.clone() };
            let data = message_data(&alone, Detail::FULL);
            alerts.extend(data.items.iter().map(|data| alert(item, data, view)));
        }
        if view.items.is_empty() {
            alerts.push(test(view, &title));
        }
        // Strings and string-keyed maps: this cannot fail.
        let body = serde_json::to_string(&alerts).unwrap_or_default();
        Composed { frozen: Frozen { body, title }, named: view.items.len() }
    }
}

/// The frozen alerts with an end for those that hold; nothing else changes.
pub(super) fn stamped(body: &str, ends_at: Ts) -> String {
    let Ok(mut alerts) = serde_json::from_str::<Vec<Map<String, Value>>>(body) else {
        return body.to_owned();
    };
    let end = rfc3339(ends_at);
    for alert in &mut alerts {
        alert.entry("endsAt").or_insert_with(|| Value::from(end.as_str()));
    }
    serde_json::to_string(&alerts).unwrap_or_else(|_| body.to_owned())
}
