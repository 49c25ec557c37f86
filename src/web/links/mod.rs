//! `GET /l/{token}` shows what a link is about and a button, `POST /l/{token}` does it: for whoever
//! reads a message, without a token of the API. Whatever fetches links to look behind them changes
//! nothing.

mod acknowledge;
mod approve;
mod page;

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use self::page::Page;
use super::Shared;
use super::auth::Caller;
use super::config::Scope;
use crate::engine::View;
use crate::model::{Incident, Time};
use crate::notify::render::escape::short;
use crate::notify::render::rfc3339;
use crate::notify::{About, Link, name_of};

/// Where links are.
pub(super) const PATH: &str = "/l/";
/// Requests a minute with links that are none.
const PER_MINUTE: NonZeroU32 = NonZeroU32::MIN.saturating_add(599);

/// How many guesses come.
pub(super) struct Gate(DefaultDirectRateLimiter);

impl Gate {
    pub(super) fn new() -> Gate {
        Gate(RateLimiter::direct(Quota::per_minute(PER_MINUTE)))
    }
}

/// A link that was opened, and how things are.
struct Opened {
    link: Link,
    view: Arc<View>,
}

impl Opened {
    fn now(&self) -> Time {
        self.view.at.unwrap_or(Time::at(0))
    }

    /// An id of its command: a link works once.
    fn command_id(&self) -> String {
        let (what, id) = match self.link.about {
            About::Incident(id) => ("link", id),
            About::Restart(id) => ("link-restart", id),
        };
        format!("{what}-{id}-{}-{}", self.link.message, self.link.written.0)
    }

    /// Whoever holds the link may do what it is for, and nothing else.
    fn caller(name: String) -> Caller {
        Caller { name, scope: Scope::Operate, local: false, only: Arc::new([]) }
    }
}

pub(super) async fn show(State(shared): State<Shared>, Path(token): Path<String>) -> Response {
    let opened = match find(&shared, &token) {
        Ok(opened) => opened,
        Err(refusal) => return *refusal,
    };
    match opened.link.about {
        About::Incident(id) => acknowledge::show(&opened, id),
        About::Restart(id) => approve::show(&opened, id),
    }
}

pub(super) async fn act(
    State(shared): State<Shared>,
    Path(token): Path<String>,
    body: Bytes,
) -> Response {
    let opened = match find(&shared, &token) {
        Ok(opened) => opened,
        Err(refusal) => return *refusal,
    };
    match opened.link.about {
        About::Incident(id) => acknowledge::act(&shared, &opened, id, &body).await,
        About::Restart(id) => approve::act(&shared, &opened, id, &body).await,
    }
}

/// What a token is for, or the answer to who may not know.
fn find(shared: &Shared, token: &str) -> Result<Opened, Box<Response>> {
    let view = shared.view();
    let receivers = view.channels.keys().map(|id| id.receiver.as_str());
    let link = shared.web.links.as_ref().and_then(|key| key.read(token, receivers));
    if let Some(link) = link {
        return Ok(Opened { link, view: Arc::clone(&view) });
    }
    // Only guesses are counted: nobody else can keep those out who hold a link.
    let (status, text) = if shared.gate.0.check().is_err() {
        let text = "Too many requests; try again in a minute. / 请求过于频繁，请稍后再试。";
        (StatusCode::TOO_MANY_REQUESTS, text)
    } else {
        (StatusCode::NOT_FOUND, "This link is none of this Weir's. / 链接无效。")
    };
    Err(Box::new(Page::saying(text).answer(status)))
}

/// Title and first line of a page about an incident.
fn about(incident: &Incident) -> Page {
    let name = name_of(incident);
    let what = format!("{name} · {} · #{}", incident.rule, incident.id);
    let since =
        format!("{} · since / 开始于 {}", incident.severity.as_str(), rfc3339(incident.opened_at));
    Page { title: short(&what, 200), lines: vec![since], buttons: Vec::new() }
}
