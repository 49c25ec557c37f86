//! `GET /api/v1/notices`: every piece of news with its path and reason, newest first.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::time;
use crate::model::Notice;
use crate::web::Shared;
use crate::web::error::ApiError;
use crate::web::query::{ListQuery, RawQuery};

const OUTCOMES: [&str; 7] = ["pending", "sent", "folded", "muted", "brief", "shadow", "failed"];

/// A notice as the API shows it.
#[derive(Debug, Serialize)]
pub(super) struct Item {
    id: u64,
    incident: u64,
    receiver: String,
    channel: String,
    reason: &'static str,
    outcome: &'static str,
    held_by: Option<String>,
    message: Option<u64>,
    /// The notice that took its place on another channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    moved_to: Option<u64>,
    at: Option<String>,
    done_at: Option<String>,
    attempts: u32,
    error: Option<String>,
}

impl From<Notice> for Item {
    fn from(notice: Notice) -> Self {
        Item {
            id: notice.id,
            incident: notice.incident,
            receiver: notice.to.receiver,
            channel: notice.to.channel,
            reason: notice.reason.as_str(),
            outcome: notice.outcome.as_str(),
            held_by: notice.held_by,
            message: notice.message,
            moved_to: notice.moved_to,
            at: time(notice.at),
            done_at: notice.done_at.and_then(time),
            attempts: notice.attempts,
            error: notice.error,
        }
    }
}

pub(super) async fn list(
    State(shared): State<Shared>,
    raw: RawQuery,
) -> Result<Json<Vec<Item>>, ApiError> {
    let known = ["limit", "after", "state", "job", "incident", "receiver"];
    let query = ListQuery::read(raw, &known, &OUTCOMES)?;
    let notices = shared.web.store.notices(&query.page()?).await?;
    Ok(Json(notices.into_iter().map(Item::from).collect()))
}
