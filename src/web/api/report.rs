//! `GET /api/v1/report?since=…`: what happened and what was told of it, counted by the store.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::time;
use crate::model::{Report, Ts};
use crate::web::Shared;
use crate::web::error::ApiError;
use crate::web::query::{ListQuery, RawQuery};

/// Without `?since=`.
const USUAL: Duration = Duration::from_hours(7 * 24);

/// A report as the API shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reported {
    /// From then on, RFC 3339.
    pub since: Option<String>,
    /// Until then, RFC 3339.
    pub until: Option<String>,
    /// Jobs that are watched now.
    pub jobs_watched: usize,
    /// The counts.
    #[serde(flatten)]
    pub report: Report,
}

pub(super) async fn report(
    State(shared): State<Shared>,
    raw: RawQuery,
) -> Result<Json<Reported>, ApiError> {
    let query = ListQuery::read(raw, &["since"], &[])?;
    let view = shared.view();
    let now = view.at.map_or(Ts(0), |at| at.wall);
    let since = query.since.unwrap_or(now - USUAL);
    let report = shared.web.store.report(since).await?;
    let jobs_watched = view.jobs.len();
    Ok(Json(Reported { since: time(since), until: time(now), jobs_watched, report }))
}
