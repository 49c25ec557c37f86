//! The events of a message: pure, built by serde, each far below 512 KB.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::{Frozen, MessageKind, NoticeReason, Severity};
use crate::notify::render::escape::{short, url};
use crate::notify::render::words::{self, pick};
use crate::notify::render::{Detail, ItemData, MessageData, message_data, rfc3339};
use crate::notify::{Compose, Composed, ItemView, Known, Language, MessageView};

/// Far below the vendor's 1,024 characters for a summary and 512 KB for an event.
const DETAIL: Detail = Detail { named: usize::MAX, text: 600, title: 400, links: true };
/// Incidents named in an alert about many.
const NAMED: usize = 50;

/// What an event does to the alert of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Action {
    /// Opens it, or adds to it.
    Trigger,
    /// Somebody has it.
    Acknowledge,
    /// Closes it; nothing happens if it is not open.
    Resolve,
}

/// One event without the routing key, which is a secret and may change.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Event {
    #[serde(rename = "event_action")]
    action: Action,
    dedup_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Payload>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    links: Vec<Link>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_url: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Payload {
    summary: String,
    source: String,
    severity: &'static str,
    timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    component: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<String>,
    custom_details: Details,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Link {
    href: String,
    text: &'static str,
}

/// What is known is told, what is not is left out.
type Details = serde_json::Map<String, Value>;

pub(super) struct Composer;

impl Compose for Composer {
    fn compose(&self, view: &MessageView) -> Composed {
        let data = message_data(view, DETAIL);
        let events = events(view, &data);
        // Strings, numbers and lists: this cannot fail.
        let body = serde_json::to_string(&events).unwrap_or_else(|_| "[]".to_owned());
        Composed { frozen: Frozen { body, title: data.title }, named: data.items.len() }
    }
}

/// The news of a message about one alert.
struct Alert<'a> {
    key: String,
    known: Known,
    /// This message opens it for several incidents.
    fold: bool,
    news: Vec<(&'a ItemView, &'a ItemData)>,
}

fn events(view: &MessageView, data: &MessageData) -> Vec<Event> {
    if view.kind == MessageKind::Test {
        let key = format!("weir-{}", view.key);
        let details = many(&[], data);
        let payload = payload(data.title.clone(), "weir", Severity::Info, view, details);
        let resolve = bare(Action::Resolve, key.clone());
        return vec![trigger(key, payload, None, view), resolve];
    }
    let mut alerts: Vec<Alert<'_>> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for (item, data) in view.items.iter().zip(&data.items) {
        let (key, fold) = alert(item, view);
        let place = *places.entry(key.clone()).or_insert(alerts.len());
        if place == alerts.len() {
            alerts.push(Alert { key, known: item.known, fold, news: Vec::new() });
        }
        alerts[place].news.push((item, data));
    }
    // What opens first: nobody waits for the end of something else.
    let opening = alerts.iter().filter_map(|alert| opened(alert, view, data));
    let closing = alerts.iter().filter_map(closed);
    opening.chain(closing).collect()
}

/// Key of the alert an item belongs to: its own, or that of what it was told in together with others;
/// and whether this message is that.
fn alert(item: &ItemView, view: &MessageView) -> (String, bool) {
    let installation = &view.installation;
    let folds =
        matches!(view.kind, MessageKind::Storm | MessageKind::Digest | MessageKind::FirstLook);
    let fold = item.known == Known::New && folds && !is_over(item);
    let key = match item.known {
        Known::Together { message, .. } => format!("weir-{installation}-m{message}"),
        Known::New if fold => format!("weir-{installation}-m{}", view.id),
        Known::New | Known::Alone => format!("weir-{installation}-{}", item.incident.id),
    };
    (key, fold)
}

/// What a piece of news does.
fn action(item: &ItemView) -> Action {
    match item.reason {
        NoticeReason::Resolved => Action::Resolve,
        NoticeReason::Acknowledged if item.incident.is_open() => Action::Acknowledge,
        NoticeReason::Opened
        | NoticeReason::FirstLook
        | NoticeReason::Worse
        | NoticeReason::Reopened
        | NoticeReason::Flapping
        | NoticeReason::Repeat
        | NoticeReason::Escalated
        | NoticeReason::Approval
        | NoticeReason::GaveUp
        | NoticeReason::Acknowledged
        | NoticeReason::Unacknowledged => {
            if item.incident.is_open() {
                Action::Trigger
            } else {
                Action::Resolve
            }
        }
    }
}

fn is_over(item: &ItemView) -> bool {
    action(item) == Action::Resolve
}

fn closed(alert: &Alert<'_>) -> Option<Event> {
    let all_over = alert.news.iter().all(|(item, _)| is_over(item));
    let last = match alert.known {
        // An end of something it was told of before, as far as anybody knows.
        Known::New => alert.news.iter().any(|(item, _)| item.sequence > 1),
        Known::Alone => true,
        Known::Together { open, .. } => open == 0,
    };
    (all_over && last).then(|| bare(Action::Resolve, alert.key.clone()))
}

/// An event that says nothing else of its alert.
fn bare(action: Action, dedup_key: String) -> Event {
    Event { action, dedup_key, payload: None, links: Vec::new(), client: None, client_url: None }
}

fn opened(alert: &Alert<'_>, view: &MessageView, data: &MessageData) -> Option<Event> {
    let open: Vec<(&ItemView, &ItemData)> =
        alert.news.iter().filter(|(item, _)| !is_over(item)).copied().collect();
    let (first, first_data) = *open.first()?;
    if open.iter().all(|(item, _)| action(item) == Action::Acknowledge) {
        return Some(bare(Action::Acknowledge, alert.key.clone()));
    }
    let worst = open.iter().map(|(item, _)| item.incident.severity).max()?;
    if open.len() == 1 && !alert.fold {
        let source = short(&first.incident.subject.to_string(), 255);
        let details = one(first_data, view);
        let mut payload = payload(first_data.title.clone(), &source, worst, view, details);
        payload.timestamp = rfc3339(first.incident.opened_at);
        payload.component = Some(first_data.name.clone());
        payload.group.clone_from(&first_data.cluster);
        payload.class = Some(first_data.rule.clone());
        return Some(trigger(alert.key.clone(), payload, Some(first_data), view));
    }
    let more = open.len() - 1;
    let summary = match (alert.fold, view.language) {
        (true, _) => data.title.clone(),
        (false, Language::En) => format!("{} · and {more} more", first_data.title),
        (false, Language::Zh) => format!("{} · 另有 {more} 条", first_data.title),
    };
    let cluster = view.group_labels.get("cluster");
    let source = short(if cluster.is_empty() { "weir" } else { cluster }, 255);
    let titles: Vec<&str> = open.iter().map(|(_, data)| data.title.as_str()).collect();
    let payload = payload(summary, &source, worst, view, many(&titles, data));
    Some(trigger(alert.key.clone(), payload, None, view))
}

fn trigger(
    dedup_key: String,
    payload: Payload,
    item: Option<&ItemData>,
    view: &MessageView,
) -> Event {
    let page = format!("{}/#/incidents", view.external_url.as_deref().unwrap_or_default());
    let page = match item {
        Some(item) => item.page_url.clone(),
        None => url(&page),
    };
    let mut links = Vec::new();
    if let Some(href) = page {
        links.push(Link { href, text: pick(view.language, "Weir", "Weir 详情") });
    }
    if let Some(href) = item.and_then(|item| item.ui_url.clone()) {
        let outside = item.is_some_and(|item| item.outside);
        links.push(Link { href, text: words::ui(view.language, outside) });
    }
    Event {
        action: Action::Trigger,
        dedup_key,
        payload: Some(payload),
        links,
        client: Some("Weir"),
        client_url: view.external_url.as_deref().and_then(url),
    }
}

fn payload(
    summary: String,
    source: &str,
    severity: Severity,
    view: &MessageView,
    custom_details: Details,
) -> Payload {
    Payload {
        summary,
        source: source.to_owned(),
        // The vendor's words are ours, and one more.
        severity: severity.as_str(),
        timestamp: rfc3339(view.now),
        component: None,
        group: None,
        class: None,
        custom_details,
    }
}

fn one(item: &ItemData, view: &MessageView) -> Details {
    let mut details = Details::new();
    details.insert("incident".to_owned(), item.id.into());
    details.insert("reason".to_owned(), item.reason.into());
    details.insert("receiver".to_owned(), short(&view.receiver, 80).into());
    if item.occurrences_text.is_some() {
        details.insert("failures".to_owned(), item.occurrences.into());
    }
    for (name, text) in [
        ("job", item.job.as_ref()),
        ("cluster", item.cluster.as_ref()),
        ("namespace", item.namespace.as_ref()),
        ("state", Some(&item.state)),
        ("root_cause", item.root_cause.as_ref()),
        ("frame", item.frame.as_ref()),
        ("task", item.task.as_ref()),
        ("taskmanager", item.taskmanager.as_ref()),
        ("since", Some(&item.since)),
        ("checkpoint", item.checkpoint.as_ref()),
        ("checkpoint_path", item.checkpoint_path.as_ref()),
        ("action", item.action.as_ref()),
        ("first_step", item.first_step.as_ref()),
        ("owner", item.owner.as_ref()),
        ("team", item.team.as_ref()),
    ] {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            details.insert(name.to_owned(), text.clone().into());
        }
    }
    details
}

fn many(titles: &[&str], data: &MessageData) -> Details {
    let mut details = Details::new();
    details.insert("count".to_owned(), titles.len().into());
    details.insert("receiver".to_owned(), data.receiver.clone().into());
    let named = titles.iter().take(NAMED).map(|title| Value::from(*title));
    details.insert("incidents".to_owned(), named.collect());
    let more = titles.len().saturating_sub(NAMED);
    let text = match data.language {
        "zh" => format!("……另有 {more} 条"),
        _ => format!("…and {more} more"),
    };
    for (name, text) in [
        ("intro", data.intro.clone()),
        ("common_cause", data.common_cause.clone()),
        ("more", (more > 0).then_some(text)),
    ] {
        if let Some(text) = text {
            details.insert(name.to_owned(), text.into());
        }
    }
    details
}
