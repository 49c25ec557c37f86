//! `GET` and `POST /api/v1/silences`, `DELETE /api/v1/silences/{id}`: what nobody wants to hear of
//! for a while, and maintenance.

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::command::{Done, Order, body, give};
use super::time;
use crate::model::{Action, Silence, SilenceWish, Ts, Until};
use crate::web::error::ApiError;
use crate::web::query::{ListQuery, RawQuery};
use crate::web::{Caller, Shared};

/// Longest matcher, in characters.
const LONGEST_MATCHER: usize = 1_000;
/// Matchers of one silence.
const MATCHERS: usize = 50;

/// A silence as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Number.
    pub id: u64,
    /// `pending`, `active` or `expired`.
    pub state: String,
    /// In Alertmanager's syntax.
    pub matchers: Vec<String>,
    /// It is maintenance.
    pub maintenance: bool,
    /// Weir restarts none of these jobs by itself.
    #[serde(default)]
    pub hold_restarts: bool,
    /// Only what a backfill causes, never that a job fails.
    pub only_work: bool,
    /// RFC 3339.
    pub starts_at: Option<String>,
    /// RFC 3339.
    pub ends_at: Option<String>,
    /// Who wanted it.
    pub created_by: String,
    /// RFC 3339.
    pub created_at: Option<String>,
    /// Why.
    pub comment: String,
}

impl Item {
    fn at(now: Ts, silence: &Silence) -> Item {
        Item {
            id: silence.id,
            state: silence.state(now).as_str().to_owned(),
            matchers: silence.matchers.iter().map(|m| m.text.clone()).collect(),
            maintenance: silence.maintenance,
            hold_restarts: silence.hold_restarts,
            only_work: silence.only_work,
            starts_at: time(silence.starts_at),
            ends_at: time(silence.ends_at),
            created_by: silence.created_by.clone(),
            created_at: time(silence.created_at),
            comment: silence.comment.clone(),
        }
    }
}

/// A silence that is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wanted {
    /// See [`Order::id`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// All must hold, such as `team="payments"`.
    pub matchers: Vec<String>,
    /// Any unambiguous part of a job's key, instead of matchers or beside them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// RFC 3339; none: now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<String>,
    /// RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<String>,
    /// Instead of an end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<u64>,
    /// Why.
    pub comment: String,
    /// Who, where no token says so.
    pub by: String,
    /// It is maintenance: only what a backfill causes, unless `all`.
    pub maintenance: bool,
    /// With `maintenance`: everything.
    pub all: bool,
    /// With `maintenance`: Weir restarts none of these jobs by itself.
    pub hold_restarts: bool,
}

impl Wanted {
    fn wish(&self, preview: bool) -> Result<SilenceWish, ApiError> {
        if self.matchers.len() > MATCHERS
            || self.matchers.iter().any(|m| m.chars().count() > LONGEST_MATCHER)
            || self.job.as_ref().is_some_and(|job| job.chars().count() > LONGEST_MATCHER)
        {
            return Err(ApiError::bad_request(format!(
                "a silence has at most {MATCHERS} matchers of {LONGEST_MATCHER} characters each"
            )));
        }
        if self.all && !self.maintenance {
            return Err(ApiError::bad_request("`all` is for maintenance; a silence is for all"));
        }
        if self.hold_restarts && !self.maintenance {
            return Err(ApiError::bad_request(
                "`hold_restarts` is for maintenance; a silence is about messages",
            ));
        }
        let starts_at = self.starts_at.as_deref().map(|at| moment("starts_at", at)).transpose()?;
        let until = match (&self.ends_at, self.duration_seconds) {
            (Some(at), None) => Until::At(moment("ends_at", at)?),
            (None, Some(seconds)) => Until::After(seconds.saturating_mul(1_000)),
            _ => {
                return Err(ApiError::bad_request(
                    "a silence needs either ends_at or duration_seconds",
                ));
            }
        };
        Ok(SilenceWish {
            job: self.job.clone(),
            matchers: self.matchers.clone(),
            only_work: self.maintenance && !self.all,
            maintenance: self.maintenance,
            hold_restarts: self.hold_restarts,
            starts_at,
            until,
            comment: String::new(),
            preview,
        })
    }
}

fn moment(name: &str, text: &str) -> Result<Ts, ApiError> {
    text.parse::<jiff::Timestamp>().map(|at| Ts(at.as_millisecond())).map_err(|_| {
        ApiError::bad_request(format!("{name} is no time; write it like 2026-11-20T06:00:00Z"))
    })
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    raw: RawQuery,
) -> Result<Json<Vec<Item>>, ApiError> {
    let known = ["limit", "after", "state"];
    let query = ListQuery::read(raw, &known, &["pending", "active", "expired"])?;
    let after = query.page()?.after;
    let view = shared.view();
    let now = view.at.map_or(Ts(0), |at| at.wall);
    let newest_first = view.silences.iter().rev();
    let items = newest_first
        .filter(|silence| after.is_none_or(|after| silence.id < after))
        .filter(|silence| caller.sees_silence(silence, &view))
        .map(|silence| Item::at(now, silence))
        .filter(|item| query.state.as_ref().is_none_or(|state| *state == item.state));
    Ok(Json(items.take(query.limit as usize).collect()))
}

/// `?preview=true` only says what it would hit.
pub(super) async fn add(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<Preview>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Json<Done>, ApiError> {
    let Query(Preview { preview }) =
        query.map_err(|_| ApiError::bad_request("the only parameter here is preview=true"))?;
    let wanted: Wanted = body(&headers, &bytes)?;
    let mut wish = wanted.wish(preview)?;
    // What cannot hit others needs nobody's leave.
    let added = caller.missing(&wish.matchers);
    wish.matchers.extend(added.iter().cloned());
    wish.job = wish.job.map(|typed| caller.job(&shared.view(), typed)).transpose()?;
    let Wanted { id, comment, by, .. } = wanted;
    let order = Order { id, comment, by };
    let what = |comment| Action::Silence(Box::new(SilenceWish { comment, ..wish }));
    let mut done = give(&shared, &caller, order, what).await?;
    if !added.is_empty() {
        let (all, name) = (added.join(" "), &caller.name);
        done.said = format!("{}; only for {all}, as token `{name}` is", done.said);
    }
    Ok(Json(done))
}

/// Parameters of a new silence.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Preview {
    preview: bool,
}

pub(super) async fn end(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Json<Done>, ApiError> {
    let silence = id.trim_start_matches('#').parse().map_err(|_| {
        ApiError::bad_request(format!("{id:?} is not a silence's id; ids are numbers such as 7"))
    })?;
    let order = body(&headers, &bytes)?;
    if caller.is_confined() {
        own(&shared, &caller, silence)?;
    }
    let what = |comment| Action::EndSilence { silence, comment };
    give(&shared, &caller, order, what).await.map(Json)
}

/// Nothing, if the caller may end it.
fn own(shared: &Shared, caller: &Caller, number: u64) -> Result<(), ApiError> {
    let view = shared.view();
    let known = view.silences.iter().find(|silence| silence.id == number);
    match known.filter(|silence| caller.sees_silence(silence, &view)) {
        Some(silence) if caller.may_end(silence) => Ok(()),
        Some(_) => Err(ApiError::new(
            StatusCode::FORBIDDEN,
            format!(
                "silence #{number} may hide more than {}, which is all token `{}` is for",
                caller.confines(),
                caller.name
            ),
        )),
        None => Err(ApiError::not_found(format!("no silence #{number}"))),
    }
}
