//! `GET /api/v1/sources`: what Weir looks at and how well it sees, by name.

use axum::extract::State;
use axum::{Extension, Json};
use serde::Serialize;

use super::time;
use crate::engine::{InventoryView, SourceView, View};
use crate::web::error::ApiError;
use crate::web::query::{ListQuery, RawQuery};
use crate::web::{Caller, Shared};

/// A source as the API shows it.
#[derive(Debug, Serialize)]
pub(super) struct Item {
    name: String,
    kind: String,
    state: &'static str,
    up: bool,
    error: Option<String>,
    version: Option<String>,
    last_success: Option<String>,
    failing_since: Option<String>,
    metrics_frozen: bool,
    clock_offset_seconds: Option<f64>,
    jobs: usize,
    taskmanagers: Option<u32>,
    slots_available: Option<u32>,
    poll_duration_seconds: f64,
    poll_requests: u32,
    poll_bytes: u64,
    polls_ok: u64,
    polls_failed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    inventory: Option<Inventory>,
}

/// How an inventory goes together with the jobs that platforms show.
#[derive(Debug, Serialize)]
struct Inventory {
    entries: usize,
    matched: usize,
    unseen: Vec<String>,
    conflicts: Vec<String>,
}

impl From<&InventoryView> for Inventory {
    fn from(view: &InventoryView) -> Self {
        let InventoryView { entries, matched, unseen, conflicts } = view.clone();
        Inventory { entries, matched, unseen, conflicts }
    }
}

impl Item {
    fn new(name: &str, source: &SourceView) -> Item {
        Item {
            name: name.to_owned(),
            kind: source.kind.clone(),
            state: if source.up { "up" } else { "down" },
            up: source.up,
            error: source.error.clone(),
            version: source.version.clone(),
            last_success: source.last_success.and_then(time),
            failing_since: source.failing_since.and_then(time),
            metrics_frozen: source.metrics_frozen,
            clock_offset_seconds: source.clock_offset_ms.map(|ms| ms as f64 / 1000.0),
            jobs: source.jobs,
            taskmanagers: source.taskmanagers,
            slots_available: source.slots_available,
            poll_duration_seconds: f64::from(source.poll_ms) / 1000.0,
            poll_requests: source.poll_requests,
            poll_bytes: source.poll_bytes,
            polls_ok: source.polls_ok,
            polls_failed: source.polls_failed,
            inventory: source.inventory.as_ref().map(Inventory::from),
        }
    }
}

/// A cluster without a job the caller sees is none of its business.
fn item(caller: &Caller, view: &View, name: &str, source: &SourceView) -> Option<Item> {
    let item = Item::new(name, source);
    if !caller.is_confined() {
        return Some(item);
    }
    let own = view.jobs.values().filter(|job| job.source == name && caller.sees(&job.labels));
    let jobs = own.count();
    (jobs > 0).then_some(Item { jobs, ..item })
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    raw: RawQuery,
) -> Result<Json<Vec<Item>>, ApiError> {
    let query = ListQuery::read(raw, &["limit", "after", "state"], &["up", "down"])?;
    let view = shared.view();
    let after = query.after.as_deref();
    let sources = view
        .sources
        .iter()
        .filter(|(name, _)| after.is_none_or(|after| name.as_str() > after))
        .filter_map(|(name, source)| item(&caller, &view, name, source))
        .filter(|item| query.state.as_deref().is_none_or(|state| item.state == state))
        .take(query.limit as usize);
    Ok(Json(sources.collect()))
}
