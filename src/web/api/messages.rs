//! `GET /api/v1/messages`: what was sent, without the bytes, newest first.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::time;
use crate::model::{Manner, Message};
use crate::store::words;
use crate::web::Shared;
use crate::web::error::ApiError;
use crate::web::query::{ListQuery, RawQuery};

/// A message as the API shows it.
#[derive(Debug, Serialize)]
pub(super) struct Item {
    id: u64,
    receiver: String,
    channel: String,
    kind: &'static str,
    state: &'static str,
    title: String,
    notices: Vec<u64>,
    named: u32,
    at: Option<String>,
    done_at: Option<String>,
    attempts: u32,
    error: Option<String>,
    /// The message it changes.
    edit_of: Option<u64>,
    /// The message it stands below.
    reply_to: Option<u64>,
}

impl From<Message> for Item {
    fn from(message: Message) -> Self {
        let (edit_of, reply_to) = match message.manner {
            Manner::Fresh => (None, None),
            Manner::Edit { of, .. } => (Some(of), None),
            Manner::Reply { of, .. } => (None, Some(of)),
        };
        Item {
            id: message.id,
            receiver: message.to.receiver,
            channel: message.to.channel,
            kind: words::message_kind(message.kind),
            state: words::message_state(message.state),
            title: message.frozen.title,
            notices: message.notices,
            named: message.named,
            at: time(message.at),
            done_at: message.done_at.and_then(time),
            attempts: message.attempts,
            error: message.error,
            edit_of,
            reply_to,
        }
    }
}

pub(super) async fn list(
    State(shared): State<Shared>,
    raw: RawQuery,
) -> Result<Json<Vec<Item>>, ApiError> {
    let known = ["limit", "after", "state", "incident", "receiver"];
    let query = ListQuery::read(raw, &known, &["due", "sent", "shadow", "failed"])?;
    let messages = shared.web.store.messages(&query.page()?).await?;
    Ok(Json(messages.into_iter().map(Item::from).collect()))
}
