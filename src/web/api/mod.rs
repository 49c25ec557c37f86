//! `/api/v1`: one file per resource. Adding one: its file, and a line in [`router`].

pub mod explain;
mod history;
mod incidents;
mod jobs;
mod messages;
pub mod notices;
pub mod report;
mod rules;
mod sources;
mod status;

use axum::Router;
use axum::routing::get;

use super::Shared;
use crate::model::Ts;

/// All resources.
pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/jobs", get(jobs::list))
        .route("/incidents", get(incidents::list))
        .route("/incidents/{id}", get(incidents::one))
        .route("/incidents/{id}/record", get(incidents::record))
        .route("/explain", get(explain::explain))
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
