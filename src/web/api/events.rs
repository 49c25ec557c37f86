//! `GET /api/v1/incidents/{id}/events`: everything that happened to an incident, oldest first: what
//! it did, what people did about it, and who was told what.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use serde::Serialize;

use super::incidents::number;
use super::time;
use super::timeline::fit;
use crate::model::{Notice, Outcome, Ts};
use crate::store::{Page, Timeline};
use crate::web::confined;
use crate::web::error::ApiError;
use crate::web::query::{ListQuery, RawQuery};
use crate::web::{Caller, Shared};

/// One line of a timeline.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Line {
    at: Option<String>,
    /// `event`, or `notice` where somebody was (or was not) told.
    kind: &'static str,
    what: String,
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    raw: RawQuery,
) -> Result<Json<Vec<Line>>, ApiError> {
    let query = ListQuery::read(raw, &["limit"], &[])?;
    let number = number(&id)?;
    confined::incident(&shared, &caller, number).await?;
    let events = shared.web.store.events(number, query.limit).await?;
    let page = Page { limit: query.limit, incident: Some(number), ..Page::default() };
    let notices = shared.web.store.notices(&page).await?;
    Ok(Json(lines(events, &notices, query.limit as usize)))
}

/// The first line and the newest ones, in their order.
fn lines(events: Timeline, notices: &[Notice], limit: usize) -> Vec<Line> {
    let Timeline { lines: events, left_out } = events;
    let events = events.into_iter().map(|(at, what)| (at, ("event", what)));
    let notices = notices.iter().rev().map(|n| (n.done_at.unwrap_or(n.at), ("notice", told(n))));
    let mut all: Vec<(Ts, (&'static str, String))> = events.chain(notices).collect();
    // Stable: of one moment, what happened comes before what was told of it.
    all.sort_by_key(|(at, ..)| *at);
    let fitting = fit(all, left_out, limit, |gap| ("event", gap)).into_iter();
    fitting.map(|(at, (kind, what))| Line { at: time(at), kind, what }).collect()
}

fn told(notice: &Notice) -> String {
    let (to, reason) = (&notice.to, notice.reason.as_str());
    let why = notice.held_by.as_deref().or(notice.error.as_deref());
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    let message = notice.message.map(|id| format!(" (message {id})")).unwrap_or_default();
    match notice.outcome {
        Outcome::Sent => format!("told {to}: {reason}{message}"),
        outcome => format!("{} for {to}: {reason}{message}{why}", outcome.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ChannelId, NoticeReason};

    #[test]
    fn what_happened_and_what_was_told_are_one_timeline() {
        let notice = |id, outcome, done_at| Notice {
            id,
            incident: 1,
            to: ChannelId { receiver: "team".to_owned(), channel: "bot".to_owned() },
            reason: NoticeReason::Opened,
            rank: 0,
            outcome,
            held_by: Some("storm".to_owned()).filter(|_| outcome == Outcome::Pending),
            group: String::new(),
            message: Some(7).filter(|_| outcome == Outcome::Sent),
            moved_to: None,
            known: None,
            unacknowledged_ms: None,
            steps: Vec::new(),
            at: Ts(1_000),
            at_steady: Ts(1_000),
            done_at,
            attempts: 1,
            error: None,
        };
        let events = vec![(Ts(1_000), "opened".to_owned()), (Ts(9_000), "over".to_owned())];
        let notices =
            [notice(2, Outcome::Pending, None), notice(1, Outcome::Sent, Some(Ts(5_000)))];
        let said = |limit| {
            let events = Timeline { lines: events.clone(), left_out: 0 };
            let all = lines(events, &notices, limit);
            all.into_iter().map(|line| line.what).collect::<Vec<_>>()
        };
        let waits = "pending for team/bot: opened: storm";
        let sent = "told team/bot: opened (message 7)";
        assert_eq!(said(9), ["opened", waits, sent, "over"]);
        assert_eq!(said(3), ["opened", "(2 lines left out)", "over"]);
        assert_eq!(said(2), [sent, "over"], "the newest");
    }
}
