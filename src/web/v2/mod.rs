//! `POST /api/v2/alerts`: alerts from outside, as Alertmanager's API takes them, so that Prometheus
//! and whatever else can post to it needs to learn nothing.

mod wire;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Json, Router};
use tracing::{info, warn};

use self::wire::Read;
use super::api::command;
use super::error::ApiError;
use super::{Caller, Shared};
use crate::model::{Action, Command, Posted};

/// Where alerts are posted to.
pub(super) const PATH: &str = "/api/v2/alerts";
/// Prometheus sends 64 at a time, with annotations of any length.
const BODY_LIMIT: usize = 4 << 20;
/// Words for a severity nobody knows that are said once each; what comes after is not said.
const WORDS: usize = 100;

/// What has been said in the log.
#[derive(Debug, Default)]
pub(super) struct SaidOnce {
    severities: Mutex<BTreeSet<String>>,
    full: Mutex<bool>,
}

pub(super) fn router() -> Router<Shared> {
    Router::new().route(PATH, post(alerts)).layer(DefaultBodyLimit::max(BODY_LIMIT))
}

/// Takes in what is valid, as Alertmanager does; answers 400 if anything was not. A sender that gets
/// 429 or 503 sends again by itself.
async fn alerts(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, Response> {
    let posts = shared.exporter.posts();
    let Read { posted, wrong, invalid } = wire::read(&headers, &bytes).map_err(|error| {
        posts.invalid(1);
        error.into_response()
    })?;
    posts.invalid(invalid);
    shared.said_once.severities(&posted);
    let all = posted.len();
    let mut no_room = 0;
    if all > 0 {
        // The id says nothing: the same alerts again are no news, whoever sends them.
        let (id, actor) = ("alerts".to_owned(), caller.name);
        let given = Command { id, actor, what: Action::Alerts(posted) };
        let given = command::pass(&shared, given).await.inspect_err(|_| posts.refused(all));
        no_room = given.map_err(ApiError::into_response)?.no_room;
        shared.said_once.full(no_room);
    }
    posts.taken(all - no_room.min(all));
    posts.refused(no_room);
    if !wrong.is_empty() {
        return Err(said(StatusCode::BAD_REQUEST, wrong));
    }
    if no_room > 0 {
        let text = format!(
            "{no_room} of {all} alerts were not taken: `inbound.max_alerts` fire already; raise it, \
             or send fewer"
        );
        return Err(said(StatusCode::TOO_MANY_REQUESTS, text));
    }
    Ok(StatusCode::OK.into_response())
}

/// Alertmanager's errors are JSON strings, and its clients read them as such.
fn said(status: StatusCode, text: String) -> Response {
    (status, Json(text)).into_response()
}

impl SaidOnce {
    fn severities(&self, posted: &[Posted]) {
        let mut said = self.severities.lock().unwrap_or_else(PoisonError::into_inner);
        for word in posted.iter().filter_map(Posted::unknown_severity) {
            if said.len() < WORDS && said.insert(word.to_owned()) {
                warn!(
                    severity = word,
                    "an alert from outside has a severity nobody knows here; it is taken as a warning"
                );
            }
        }
    }

    fn full(&self, no_room: usize) {
        let mut full = self.full.lock().unwrap_or_else(PoisonError::into_inner);
        if no_room > 0 && !*full {
            warn!(
                "as many alerts from outside fire as `inbound.max_alerts` allows; more are refused"
            );
        } else if no_room == 0 && *full {
            info!("there is room for alerts from outside again");
        }
        *full = no_room > 0;
    }
}
