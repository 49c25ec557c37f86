//! `/api/v1`: one file per resource. Adding one: its file, and a line in [`router`].

pub mod checkpoints;
pub mod command;
mod events;
pub mod explain;
mod history;
mod incidents;
mod jobs;
mod messages;
pub mod notices;
mod operate;
pub mod report;
pub mod restarts;
pub mod routes;
mod rules;
pub mod schedule;
pub mod silences;
mod sources;
mod status;
mod timeline;

use axum::Router;
use axum::routing::{delete, get, post};

use super::Shared;
use crate::model::Ts;

/// All resources.
pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/jobs", get(jobs::list))
        .route("/incidents", get(incidents::list))
        .route("/incidents/{id}", get(incidents::one))
        .route("/incidents/{id}/events", get(events::list))
        .route("/incidents/{id}/ack", post(operate::ack))
        .route("/incidents/{id}/unack", post(operate::unack))
        .route("/incidents/{id}/close", post(operate::close))
        .route("/jobs/{key}/retire", post(operate::retire))
        .route("/incidents/{id}/record", get(incidents::record))
        .route("/silences", get(silences::list).post(silences::add))
        .route("/silences/{id}", delete(silences::end))
        .route("/restarts", get(restarts::list).post(restarts::ask))
        .route("/restarts/decline", post(restarts::decline))
        .route("/restarts/pause", post(restarts::pause))
        .route("/restarts/{id}/approve", post(restarts::approve))
        .route("/restarts/{id}/decline", post(restarts::decline_one))
        .route("/checkpoints", get(checkpoints::list))
        .route("/explain", get(explain::explain))
        .route("/routes", get(routes::routes))
        .route("/rules", get(rules::list))
        .route("/notices", get(notices::list))
        .route("/notices/why", get(notices::why))
        .route("/messages", get(messages::list))
        .route("/report", get(report::report))
        .route("/sources", get(sources::list))
        .route("/history", get(history::download))
        .route("/status", get(status::status))
}

/// RFC 3339 in UTC; `None` for a time that was never set or is no time at all.
fn time(at: Ts) -> Option<String> {
    let known = Some(at.0).filter(|ms| *ms > 0)?;
    jiff::Timestamp::from_millisecond(known).ok().map(|t| t.to_string())
}
