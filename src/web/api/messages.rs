//! `GET /api/v1/messages`: what was sent, without the bytes, newest first.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use axum::{Extension, Json};
use serde::Serialize;

use super::time;
use crate::model::{Manner, Message};
use crate::store::{Page, words};
use crate::web::confined::{AT_ONCE, SCANNED};
use crate::web::error::ApiError;
use crate::web::query::{ListQuery, RawQuery};
use crate::web::{Caller, Shared};

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
    Extension(caller): Extension<Caller>,
    raw: RawQuery,
) -> Result<Json<Vec<Item>>, ApiError> {
    let known = ["limit", "after", "state", "incident", "receiver"];
    let query = ListQuery::read(raw, &known, &["due", "sent", "shadow", "failed"])?;
    let page = query.page()?;
    let messages = if caller.is_confined() {
        own(&shared, &caller, page).await?
    } else {
        shared.web.store.messages(&page).await?
    };
    Ok(Json(messages.into_iter().map(Item::from).collect()))
}

/// Messages that tell of nothing but what the caller sees: who may not see one incident of a digest
/// does not see its title.
async fn own(shared: &Shared, caller: &Caller, page: Page) -> Result<Vec<Message>, ApiError> {
    let Page { limit, after, state, .. } = page.clone();
    // From the notices, which know what they are about; the cursor and the state are of messages.
    let mut of_notices = Page { limit: AT_ONCE, after: None, state: None, ..page };
    let mut seen: BTreeSet<u64> = BTreeSet::new();
    let mut messages: BTreeMap<u64, Message> = BTreeMap::new();
    let mut scanned = 0;
    while scanned < SCANNED {
        let traced = shared.web.store.traced(&of_notices).await?;
        let Some(last) = traced.last() else { break };
        of_notices.after = Some(last.notice.id);
        scanned += traced.len();
        for traced in traced.into_iter().filter(|traced| caller.sees_traced(traced)) {
            seen.insert(traced.notice.id);
            if let Some(message) = traced.message {
                messages.insert(message.id, message);
            }
        }
    }
    let wanted = |message: &Message| {
        after.is_none_or(|after| message.id < after)
            && state.as_deref().is_none_or(|state| words::message_state(message.state) == state)
            && message.notices.iter().all(|notice| seen.contains(notice))
    };
    Ok(messages.into_values().rev().filter(wanted).take(limit as usize).collect())
}
