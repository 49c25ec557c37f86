//! The body: pure, built by serde.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::model::{BySeverity, Incident, Labels, MessageKind, Noisy, NoticeReason, RootCause};
use crate::notify::channels::annotations::spoken;
use crate::notify::channels::options::hex;
use crate::notify::render::escape::{cut, url};
use crate::notify::render::{Detail, Templates, rfc3339};
use crate::notify::{Compose, Composed, ItemView, MessageView};

/// Longest text in a body, in characters: exceptions may be megabytes.
const TEXT: usize = 4_000;
/// How Go writes "no time", and what receivers of Alertmanager's bodies know.
const NO_TIME: &str = "0001-01-01T00:00:00Z";

pub(in crate::notify::channels) struct Composer {
    pub(in crate::notify::channels) templates: Arc<Templates>,
    pub(in crate::notify::channels) max_alerts: usize,
}

/// Alertmanager's body, version 4. Its field names are Alertmanager's, ours are under `weir`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    version: &'static str,
    group_key: String,
    truncated_alerts: usize,
    status: &'static str,
    receiver: String,
    group_labels: BTreeMap<String, String>,
    common_labels: BTreeMap<String, String>,
    common_annotations: BTreeMap<String, String>,
    #[serde(rename = "externalURL")]
    external_url: String,
    #[serde(rename = "notification_reason")]
    notification_reason: &'static str,
    alerts: Vec<Alert>,
    weir: Ours,
}

#[derive(Serialize)]
struct Ours {
    key: String,
    message: u64,
    installation: String,
    kind: MessageKind,
    language: &'static str,
    title: String,
    text: String,
    count: usize,
    jobs_watched: usize,
    at: String,
    /// Only in a summary.
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<Summary>,
}

/// What happened since `since`, as numbers.
#[derive(Serialize)]
struct Summary {
    since: String,
    until: String,
    weekly: bool,
    failures: u64,
    failing_jobs: u64,
    mended_jobs: u64,
    opened: BySeverity,
    ended: u64,
    brief: u64,
    open: BySeverity,
    sent: u64,
    shadow: u64,
    failed: u64,
    jobs: Vec<SummaryJob>,
}

#[derive(Serialize)]
struct SummaryJob {
    job: String,
    incidents: u64,
    failures: u64,
}

fn summary(view: &MessageView) -> Option<Summary> {
    let said = view.summary.as_ref()?;
    let job = |noisy: &Noisy| SummaryJob {
        job: text(&noisy.name),
        incidents: noisy.incidents,
        failures: noisy.failures,
    };
    Some(Summary {
        since: rfc3339(said.since),
        until: rfc3339(view.now),
        weekly: said.weekly,
        failures: said.failures,
        failing_jobs: said.failing_jobs,
        mended_jobs: said.mended_jobs,
        opened: said.opened,
        ended: said.ended,
        brief: said.brief,
        open: said.open,
        sent: said.sent,
        shadow: said.shadow,
        failed: said.unsent,
        jobs: said.jobs.iter().map(job).collect(),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    status: &'static str,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: String,
    fingerprint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    weir: Option<AlertOurs>,
}

#[derive(Serialize)]
struct AlertOurs {
    incident: u64,
    subject: String,
    job: Option<String>,
    aspect: String,
    state: crate::model::IncidentState,
    end_reason: Option<&'static str>,
    reason: &'static str,
    severity: &'static str,
    given_up: bool,
    flapping: bool,
    occurrences: u64,
    job_state: String,
    root_cause: Option<RootCause>,
    checkpoint: Option<Checkpoint>,
    restored_from: Option<String>,
    action: Option<String>,
    ui_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acknowledge_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approve_url: Option<String>,
    alerts: Vec<Member>,
}

#[derive(Serialize)]
struct Checkpoint {
    id: Option<u64>,
    path: String,
    completed_at: String,
    savepoint: bool,
}

#[derive(Serialize)]
struct Member {
    alertname: String,
    severity: &'static str,
    state: &'static str,
    since: String,
}

fn text(text: &str) -> String {
    cut(text, TEXT)
}

fn texts(map: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    map.iter().map(|(k, v)| (k.clone(), text(v))).collect()
}

fn labels(labels: &Labels) -> BTreeMap<String, String> {
    texts(&labels.0)
}

/// Stable for a subject and aspect: a reopened incident is the same alert to the receiver.
fn fingerprint(incident: &Incident) -> String {
    let identity = format!("{}\n{}", incident.subject, incident.aspect);
    hex(&Sha256::digest(identity).as_slice()[..8])
}

fn alert(item: &ItemView, view: &MessageView) -> Alert {
    let incident = &item.incident;
    let mut all = incident.routing_labels();
    all.set("alertname", incident.rule.clone());
    let page = view.external_url.as_deref().and_then(|base| {
        url(&format!("{}/#/incidents/{}", base.trim_end_matches('/'), incident.id))
    });
    let ui_url = incident.ui_url.as_deref().and_then(url);
    Alert {
        status: if incident.is_open() { "firing" } else { "resolved" },
        labels: labels(&all),
        annotations: texts(&spoken(incident, view.language)),
        starts_at: rfc3339(incident.opened_at),
        ends_at: match incident.resolved_at {
            Some(at) if !incident.is_open() => rfc3339(at),
            _ => NO_TIME.to_owned(),
        },
        generator_url: page.or_else(|| ui_url.clone()).unwrap_or_default(),
        fingerprint: fingerprint(incident),
        weir: Some(AlertOurs {
            incident: incident.id,
            subject: text(&incident.subject.to_string()),
            job: incident.job().map(|key| text(&key.0)),
            aspect: text(incident.aspect.as_str()),
            state: incident.state,
            end_reason: incident.end_reason.map(crate::model::EndReason::as_str),
            reason: item.reason.as_str(),
            severity: incident.severity.as_str(),
            given_up: incident.given_up,
            flapping: incident.flapping,
            occurrences: incident.occurrences,
            job_state: text(&incident.subject_state),
            root_cause: incident.root_cause.as_ref().map(|cause| RootCause {
                class: text(&cause.class),
                message: text(&cause.message),
                frame: cause.frame.as_deref().map(text),
                taskmanager: cause.taskmanager.as_deref().map(text),
                task: cause.task.as_deref().map(text),
            }),
            checkpoint: incident.checkpoint.as_ref().map(|last| Checkpoint {
                id: last.id,
                path: text(&last.path),
                completed_at: rfc3339(last.completed_at),
                savepoint: last.savepoint,
            }),
            restored_from: incident.restored_from.as_deref().map(text),
            action: item.action.as_deref().map(text),
            ui_url,
            acknowledge_url: item.link.as_deref().filter(|_| incident.is_open()).and_then(url),
            approve_url: item.approve_link.as_deref().filter(|_| incident.is_open()).and_then(url),
            alerts: incident
                .members
                .iter()
                .map(|member| Member {
                    alertname: member.rule.alert.clone(),
                    severity: member.rule.severity.as_str(),
                    state: if member.firing { "firing" } else { "resolved" },
                    since: rfc3339(member.since),
                })
                .collect(),
        }),
    }
}

/// A summary for those who know alerts only: one that is over, and so calls nobody.
fn summary_alert(view: &MessageView, title: &str, body: &str) -> Option<Alert> {
    let said = view.summary.as_ref()?;
    let labels = [("alertname", "WeirSummary"), ("severity", "info")];
    let annotations = [("summary", title), ("description", body)];
    let texts = |pairs: [(&str, &str); 2]| {
        pairs.into_iter().map(|(name, value)| (name.to_owned(), text(value))).collect()
    };
    let identity = format!("summary\n{}", view.receiver);
    Some(Alert {
        status: "resolved",
        labels: texts(labels),
        annotations: texts(annotations),
        starts_at: rfc3339(said.since),
        ends_at: rfc3339(view.now),
        generator_url: view.external_url.as_deref().and_then(url).unwrap_or_default(),
        fingerprint: hex(&Sha256::digest(identity).as_slice()[..8]),
        weir: None,
    })
}

/// What all have in common, as Alertmanager means it.
fn common<'a>(
    mut maps: impl Iterator<Item = &'a BTreeMap<String, String>>,
) -> BTreeMap<String, String> {
    let mut shared = maps.next().cloned().unwrap_or_default();
    for map in maps {
        shared.retain(|name, value| map.get(name) == Some(value));
    }
    shared
}

/// Alertmanager's words where it has one.
fn notification_reason(view: &MessageView) -> &'static str {
    if view.kind == MessageKind::Summary {
        return "summary";
    }
    let over = view.items.iter().filter(|i| !i.incident.is_open()).count();
    let reasons = || view.items.iter().map(|i| i.reason);
    if over > 0 && over == view.items.len() {
        "all alerts resolved"
    } else if over > 0 {
        "some alerts resolved"
    } else if reasons().all(|r| r == NoticeReason::Repeat) && !view.items.is_empty() {
        "repeat interval elapsed"
    } else if reasons().any(|r| matches!(r, NoticeReason::Opened | NoticeReason::FirstLook)) {
        "first notification"
    } else {
        "new alerts added"
    }
}

impl Compose for Composer {
    fn compose(&self, view: &MessageView) -> Composed {
        let named = match self.max_alerts {
            0 => view.items.len(),
            max => view.items.len().min(max),
        };
        // A summary is no alert: nobody may be called by it.
        let firing = match view.kind {
            MessageKind::Summary => false,
            _ => view.items.is_empty() || view.items.iter().any(|i| i.incident.is_open()),
        };
        let (title, text_form, _) =
            crate::notify::channels::console::text(&self.templates, view, Detail::FULL);
        let mut alerts: Vec<Alert> =
            view.items.iter().take(named).map(|i| alert(i, view)).collect();
        alerts.extend(summary_alert(view, &title, &text_form));
        let body = Body {
            version: "4",
            group_key: text(&view.group_key),
            truncated_alerts: view.items.len() - named,
            status: if firing { "firing" } else { "resolved" },
            receiver: text(&view.receiver),
            group_labels: labels(&view.group_labels),
            common_labels: common(alerts.iter().map(|a| &a.labels)),
            common_annotations: common(alerts.iter().map(|a| &a.annotations)),
            external_url: view.external_url.as_deref().and_then(url).unwrap_or_default(),
            notification_reason: notification_reason(view),
            alerts,
            weir: Ours {
                key: view.key.clone(),
                message: view.id,
                installation: view.installation.clone(),
                kind: view.kind,
                language: crate::notify::render::words::code(view.language),
                title: title.clone(),
                text: text_form,
                count: view.items.len(),
                jobs_watched: view.jobs_watched,
                at: rfc3339(view.now),
                summary: summary(view),
            },
        };
        // Strings, numbers and string-keyed maps: this cannot fail.
        let body = serde_json::to_string(&body).unwrap_or_default();
        Composed { frozen: crate::model::Frozen { body, title }, named }
    }
}
