//! `GET /api/v1/notices`: every piece of news with its path and reason, newest first; and
//! `GET /api/v1/notices/why`: the nearest reason where there is none.

use axum::extract::State;
use axum::{Extension, Json};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::time;
use crate::engine::{WhyAnswer, WhyQuestion};
use crate::model::{Incident, Notice};
use crate::notify::Language;
use crate::notify::render::path;
use crate::store::{Page, Traced, words};
use crate::web::confined::{AT_ONCE, SCANNED};
use crate::web::error::ApiError;
use crate::web::query::{ListQuery, RawQuery};
use crate::web::{Caller, Shared};

const OUTCOMES: [&str; 7] = ["pending", "sent", "folded", "muted", "brief", "shadow", "failed"];

/// A notice as the API shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Number.
    pub id: u64,
    /// The incident.
    pub incident: u64,
    /// For whom.
    pub receiver: String,
    /// By which channel.
    pub channel: String,
    /// Why it is news.
    pub reason: String,
    /// What became of it.
    pub outcome: String,
    /// What holds it, or why it ended so.
    pub held_by: Option<String>,
    /// The message it went into.
    pub message: Option<u64>,
    /// The notice that took its place on another channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<u64>,
    /// `incident`, `group`, `digest`, `storm`, `first_look` …
    pub message_kind: Option<String>,
    /// When it became news, RFC 3339.
    pub at: Option<String>,
    /// When it reached its outcome, RFC 3339.
    pub done_at: Option<String>,
    /// Tries of its message.
    pub attempts: u32,
    /// Last error.
    pub error: Option<String>,
    /// What the incident is about; null where it is no longer kept.
    pub subject: Option<String>,
    /// The incident's worst alert.
    pub rule: Option<String>,
    /// The incident's severity.
    pub severity: Option<String>,
    /// Its way, from the alert that fired to what the vendor said.
    pub path: Vec<Station>,
}

/// A station of a notice's way as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Station {
    /// RFC 3339; null where it is not a moment.
    pub at: Option<String>,
    /// What happened there.
    pub what: String,
}

impl Item {
    fn new(language: Language, zone: &TimeZone, traced: Traced) -> Item {
        let Traced { notice, incident, message } = traced;
        let path = path(language, zone, &notice, incident.as_ref(), message.as_ref());
        let of = |f: &dyn Fn(&Incident) -> String| incident.as_ref().map(f);
        let Notice { id, to, reason, outcome, held_by, at, done_at, attempts, error, .. } = notice;
        Item {
            id,
            incident: notice.incident,
            receiver: to.receiver,
            channel: to.channel,
            reason: reason.as_str().to_owned(),
            outcome: outcome.as_str().to_owned(),
            held_by,
            message: notice.message,
            moved_to: notice.moved_to,
            message_kind: message.map(|m| words::message_kind(m.kind).to_owned()),
            at: time(at),
            done_at: done_at.and_then(time),
            attempts,
            error,
            subject: of(&subject),
            rule: of(&|i| i.rule.clone()),
            severity: of(&|i| i.severity.as_str().to_owned()),
            path: path
                .into_iter()
                .map(|station| Station { at: station.at.and_then(time), what: station.what })
                .collect(),
        }
    }
}

/// An alert from outside by its name: its fingerprint says nothing to anybody.
fn subject(incident: &Incident) -> String {
    if incident.is_external() {
        return format!("external:{}", incident.external_name());
    }
    incident.subject.to_string()
}

/// A page of notices the caller sees.
async fn seen(shared: &Shared, caller: &Caller, page: &mut Page) -> Result<Vec<Traced>, ApiError> {
    if !caller.is_confined() {
        return Ok(shared.web.store.traced(page).await?);
    }
    let wanted = page.limit as usize;
    let (mut found, mut scanned) = (Vec::new(), 0);
    page.limit = AT_ONCE;
    while scanned < SCANNED && found.len() < wanted {
        let traced = shared.web.store.traced(page).await?;
        let Some(last) = traced.last() else { break };
        page.after = Some(last.notice.id);
        scanned += traced.len();
        found.extend(traced.into_iter().filter(|traced| caller.sees_traced(traced)));
    }
    found.truncate(wanted);
    Ok(found)
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    raw: RawQuery,
) -> Result<Json<Vec<Item>>, ApiError> {
    let known = [
        "limit", "after", "state", "job", "incident", "receiver", "rule", "since", "language",
        "zone",
    ];
    let query = ListQuery::read(raw, &known, &OUTCOMES)?;
    let mut page = query.page()?;
    let traced = seen(&shared, &caller, &mut page).await?;
    let zone = query.zone.unwrap_or(TimeZone::UTC);
    Ok(Json(traced.into_iter().map(|t| Item::new(query.language, &zone, t)).collect()))
}

/// Why there is no notice, as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// When it was asked, RFC 3339.
    pub at: String,
    /// Key of the job that was meant.
    pub job: Option<String>,
    /// The nearest reasons, the nearest first.
    pub reasons: Vec<String>,
}

impl From<WhyAnswer> for Why {
    fn from(answer: WhyAnswer) -> Why {
        let WhyAnswer { at, job, reasons } = answer;
        Why { at: time(at.wall).unwrap_or_default(), job, reasons }
    }
}

pub(super) async fn why(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    raw: RawQuery,
) -> Result<Json<Why>, ApiError> {
    let query = ListQuery::read(raw, &["job", "receiver", "rule", "language", "zone"], &[])?;
    let ListQuery { job, receiver, rule, language, zone, .. } = query;
    let job = caller.named_job(&shared.view(), job)?;
    let question = WhyQuestion { job, receiver, rule, language, zone };
    Ok(Json(Why::from(shared.web.asker.why(question).await?)))
}
