//! `GET /api/v1/incidents` and `/api/v1/incidents/{id}` (with its timeline), newest first.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use jiff::tz::TimeZone;
use serde::Serialize;

use super::jobs::Checkpoint;
use super::time;
use super::timeline::fit;
use crate::engine::View;
use crate::model::{Acknowledgement, Incident, Labels, Member, Subject};
use crate::notify::Language;
use crate::store::words;
use crate::web::confined::{self, AT_ONCE, SCANNED};
use crate::web::error::ApiError;
use crate::web::query::{ListQuery, RawQuery};
use crate::web::{Caller, Shared};

/// Lines of a timeline at most.
const TIMELINE: u32 = 1000;

/// An incident as the API shows it.
#[derive(Debug, Serialize)]
pub(super) struct Item {
    id: u64,
    subject: String,
    job: Option<String>,
    cluster: String,
    aspect: String,
    severity: &'static str,
    state: &'static str,
    end_reason: Option<&'static str>,
    title: String,
    rule: String,
    alerts: Vec<AlertItem>,
    opened_at: Option<String>,
    resolved_at: Option<String>,
    occurrences: u64,
    summary: String,
    root_cause: Option<String>,
    labels: Labels,
    silenced_by: Option<u64>,
    inhibited_by: Option<u64>,
    muted_by: Option<String>,
    acknowledged: Option<Acknowledged>,
    mutes: Vec<u64>,
    reopened: u32,
    flapping: bool,
    last_checkpoint: Option<Checkpoint>,
    restored_from: Option<String>,
    /// What is being done about it, in English; null: nothing automatic.
    action: Option<String>,
    ui_url: Option<String>,
}

#[derive(Debug, Serialize)]
struct AlertItem {
    alertname: String,
    severity: &'static str,
    state: &'static str,
    since: Option<String>,
}

/// Who has it, or had it when it ended.
#[derive(Debug, Serialize)]
struct Acknowledged {
    by: String,
    at: Option<String>,
    comment: String,
}

impl From<&Acknowledgement> for Acknowledged {
    fn from(known: &Acknowledgement) -> Self {
        Acknowledged { by: known.by.clone(), at: time(known.at), comment: known.comment.clone() }
    }
}

/// One incident with what happened to it.
#[derive(Debug, Serialize)]
pub(super) struct Detail {
    #[serde(flatten)]
    item: Item,
    timeline: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    at: Option<String>,
    what: String,
}

impl From<&Incident> for Item {
    fn from(incident: &Incident) -> Self {
        let name = name(incident);
        Item {
            id: incident.id,
            subject: incident.subject.to_string(),
            job: incident.job().map(|key| key.0.clone()),
            cluster: cluster(incident),
            aspect: incident.aspect.0.clone(),
            severity: incident.severity.as_str(),
            state: words::incident_state(incident.state),
            end_reason: incident.end_reason.map(crate::model::EndReason::as_str),
            title: title(incident, &name),
            rule: incident.rule.clone(),
            alerts: incident.members.iter().map(AlertItem::from).collect(),
            opened_at: time(incident.opened_at),
            resolved_at: incident.resolved_at.and_then(time),
            occurrences: incident.occurrences,
            summary: summary(incident),
            root_cause: incident.root_cause.as_ref().map(crate::model::RootCause::line),
            labels: incident.labels.clone(),
            silenced_by: None,
            inhibited_by: incident.inhibited_by,
            muted_by: None,
            acknowledged: incident.acknowledged.as_ref().map(Acknowledged::from),
            mutes: Vec::new(),
            reopened: incident.reopened,
            flapping: incident.flapping,
            last_checkpoint: incident.checkpoint.as_ref().map(Checkpoint::from),
            restored_from: incident.restored_from.clone(),
            action: incident.doing.as_ref().map(|doing| {
                let since = incident.opened_at;
                crate::notify::render::doing(doing, Language::En, since, &TimeZone::UTC)
            }),
            ui_url: incident.ui_url.clone(),
        }
    }
}

impl Item {
    /// With what is known of it beside its row: what holds its news, and what it mutes.
    fn of(incident: &Incident, view: &View) -> Item {
        let muted_by = view.muted.get(&incident.id).cloned();
        let mutes = view.mutes.get(&incident.id).cloned().unwrap_or_default();
        let silenced_by = view.silenced_by(incident).map(|silence| silence.id);
        Item { silenced_by, muted_by, mutes, ..Item::from(incident) }
    }
}

impl From<&Member> for AlertItem {
    fn from(member: &Member) -> Self {
        AlertItem {
            alertname: member.rule.alert.clone(),
            severity: member.rule.severity.as_str(),
            state: if member.firing { "firing" } else { "resolved" },
            since: time(member.since),
        }
    }
}

/// What is wrong, in one line.
fn title(incident: &Incident, name: &str) -> String {
    // An alert from outside is named by its rule already.
    let what = if incident.is_external() { summary(incident) } else { incident.rule.clone() };
    if what.is_empty() { name.to_owned() } else { format!("{name}: {what}") }
}

/// What people call the subject.
fn name(incident: &Incident) -> String {
    match &incident.subject {
        Subject::Job(key) => match incident.labels.get("job_name") {
            "" => key.0.clone(),
            name => name.to_owned(),
        },
        Subject::Cluster(_, name) | Subject::Source(name) => name.clone(),
        Subject::Channel(id) => id.to_string(),
        Subject::External(_) => incident.external_name(),
    }
}

fn cluster(incident: &Incident) -> String {
    match &incident.subject {
        Subject::Cluster(source, _) | Subject::Source(source) => source.clone(),
        _ => incident.labels.get("cluster").to_owned(),
    }
}

/// The worst member's summary.
fn summary(incident: &Incident) -> String {
    let worst = incident.members.iter().find(|m| m.rule.alert == incident.rule);
    let text = worst.or(incident.members.first()).and_then(|m| m.annotations.get("summary"));
    text.cloned().unwrap_or_default()
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    raw: RawQuery,
) -> Result<Json<Vec<Item>>, ApiError> {
    let known = ["limit", "after", "state", "matchers", "job", "receiver"];
    let query = ListQuery::read(raw, &known, &["open", "acknowledged", "resolved"])?;
    let mut page = query.page()?;
    let view = shared.view();
    let item = |incident: &Incident| Item::of(incident, &view);
    if query.matchers.is_empty() && !caller.is_confined() {
        let incidents = shared.web.store.incidents(&page).await?;
        return Ok(Json(incidents.iter().map(item).collect()));
    }
    let mut found = Vec::new();
    let mut scanned = 0;
    page.limit = AT_ONCE;
    while scanned < SCANNED {
        let incidents = shared.web.store.incidents(&page).await?;
        let Some(last) = incidents.last() else { break };
        page.after = Some(last.id);
        scanned += incidents.len();
        // Whoever asks for one of its alerts finds it, be it the worst or not.
        let matches = |i: &Incident| {
            query.matches(&i.labels) || i.members.iter().any(|m| query.matches(&m.labels))
        };
        let wanted = |i: &&Incident| caller.sees(&i.labels) && matches(i);
        found.extend(incidents.iter().filter(wanted).map(item));
        if found.len() >= query.limit as usize || incidents.len() < page.limit as usize {
            break;
        }
    }
    found.truncate(query.limit as usize);
    Ok(Json(found))
}

/// An incident's number as people write it: `128` or `#128`.
pub(super) fn number(id: &str) -> Result<u64, ApiError> {
    id.trim_start_matches('#').parse().map_err(|_| {
        ApiError::bad_request(format!(
            "{id:?} is not an incident's id; ids are numbers such as 128"
        ))
    })
}

pub(super) async fn one(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<Detail>, ApiError> {
    let incident = confined::incident(&shared, &caller, number(&id)?).await?;
    let known = shared.web.store.events(incident.id, TIMELINE).await?;
    let lines = fit(known.lines, known.left_out, TIMELINE as usize, |gap| gap);
    let timeline = lines.into_iter().map(|(at, what)| Line { at: time(at), what }).collect();
    Ok(Json(Detail { item: Item::of(&incident, &shared.view()), timeline }))
}

/// The whole incident as the store keeps it: what a message about it is written from.
pub(super) async fn record(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<Incident>, ApiError> {
    confined::incident(&shared, &caller, number(&id)?).await.map(Json)
}
