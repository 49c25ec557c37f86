//! `/-/healthy` (the process answers), `/-/ready` (it decides and tells), `/metrics`.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Shared;
use crate::engine::View;
use crate::metrics::Health;

pub(super) async fn healthy() -> &'static str {
    "weir is up\n"
}

pub(super) async fn ready(State(shared): State<Shared>) -> Response {
    match why_not_ready(&shared.view(), &shared.health()) {
        None => "weir is ready\n".into_response(),
        Some(why) => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")).into_response()
        }
    }
}

pub(super) async fn metrics(State(shared): State<Shared>) -> Response {
    let text = shared.exporter.render(&shared.view(), &shared.health());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// `None`: ready. A source that cannot be reached is looked at too: that is an answer.
pub(super) fn why_not_ready(view: &View, health: &Health) -> Option<String> {
    if let Some(error) = &health.store_error {
        return Some(error.clone());
    }
    let unseen = view.sources.iter().find(|(_, s)| s.polls_ok + s.polls_failed == 0);
    match (view.at, unseen) {
        (None, _) => Some("no first look yet".to_owned()),
        (_, Some((name, _))) => Some(format!("no first look at {name} yet")),
        _ => None,
    }
}
