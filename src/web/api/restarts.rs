//! `/api/v1/restarts`: what was restarted and how that went; asking for one, declining one, pausing all.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::command::{Done, Order, body, give};
use super::time;
use crate::engine::key_among;
use crate::model::{Action, AskedBy, Restart, RestartState};
use crate::web::error::ApiError;
use crate::web::query::{ListQuery, RawQuery};
use crate::web::{Caller, Shared};

/// Words `?state=` takes.
const STATES: [&str; 9] = {
    let all = RestartState::ALL;
    [
        all[0].as_str(),
        all[1].as_str(),
        all[2].as_str(),
        all[3].as_str(),
        all[4].as_str(),
        all[5].as_str(),
        all[6].as_str(),
        all[7].as_str(),
        all[8].as_str(),
    ]
};
/// Longest path somebody names, in characters.
const LONGEST_PATH: usize = 4_096;

/// One attempt as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Number.
    pub id: u64,
    /// Key of the job.
    pub job: String,
    /// The incident it belongs to.
    pub incident: Option<u64>,
    /// `planned`, `approval`, `stopping`, `submitted`, `running`, `verified`, `failed`, `unknown` or
    /// `dropped`.
    pub state: String,
    /// Entry under `restarts`.
    pub policy: String,
    /// Kind of its driver.
    pub driver: String,
    /// The alert, or the person.
    pub asked_by: String,
    /// Which attempt since the job was last well.
    pub attempt: u32,
    /// Of how many.
    pub of: u32,
    /// A live but sick run is replaced.
    pub replaces: bool,
    /// Path it is restored from.
    pub from: Option<String>,
    /// Flink's id of the run it takes the place of.
    pub dead_job_id: Option<String>,
    /// Flink's id of the run it started.
    pub job_id: Option<String>,
    /// What the new run is known by before it exists.
    pub handle: String,
    /// When it was decided, RFC 3339.
    pub at: Option<String>,
    /// When the order was given.
    pub submitted_at: Option<String>,
    /// When it was over.
    pub done_at: Option<String>,
    /// What was said last about it.
    pub note: Option<String>,
}

impl From<Restart> for Item {
    fn from(row: Restart) -> Item {
        Item {
            id: row.id,
            job: row.job.0,
            incident: row.incident,
            state: row.state.as_str().to_owned(),
            policy: row.policy,
            driver: row.driver,
            asked_by: match row.asked_by {
                AskedBy::Alert(name) | AskedBy::Person(name) => name,
            },
            attempt: row.attempt,
            of: row.of,
            replaces: row.replaces,
            from: row.from.map(|from| from.path),
            dead_job_id: row.dead.map(|dead| dead.job_id),
            job_id: row.started,
            handle: row.handle,
            at: time(row.at),
            submitted_at: row.submitted_at.and_then(time),
            done_at: row.done_at.and_then(time),
            note: row.note,
        }
    }
}

/// A restart that is wanted, or one that is not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wanted {
    /// See [`Order::id`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Any unambiguous part of the job's key.
    pub job: String,
    /// Path or number of what it is restored from; none: the newest that can be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Only say what would be done, and what would hold it.
    pub dry_run: bool,
    /// Why.
    pub comment: String,
    /// Who, where no token says so.
    pub by: String,
}

/// All automatic restarts are to stop, or to go on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pause {
    /// See [`Order::id`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// False: they go on.
    pub pause: bool,
    /// Why.
    pub comment: String,
    /// Who, where no token says so.
    pub by: String,
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    raw: RawQuery,
) -> Result<Json<Vec<Item>>, ApiError> {
    let known = ["limit", "after", "state", "job", "incident"];
    let mut query = ListQuery::read(raw, &known, &STATES)?;
    let view = shared.view();
    query.job = caller.named_job(&view, query.job)?.map(|typed| {
        let keys: Vec<&str> = view.jobs.values().map(|job| job.key.0.as_str()).collect();
        // One that is not watched any more is known by its whole key.
        key_among(&keys, &typed).unwrap_or(typed)
    });
    let mut rows = shared.web.store.restarts(&query.page()?).await?;
    rows.retain(|row| !caller.is_confined() || caller.sees_job(&view, &row.job.0));
    Ok(Json(rows.into_iter().map(Item::from).collect()))
}

pub(super) async fn ask(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Json<Done>, ApiError> {
    let Wanted { id, job, from, dry_run, comment, by } = body(&headers, &bytes)?;
    if from.as_ref().is_some_and(|from| from.chars().count() > LONGEST_PATH) {
        let error = format!("`from` is longer than {LONGEST_PATH} characters");
        return Err(ApiError::bad_request(error));
    }
    let job = caller.job(&shared.view(), job)?;
    let order = Order { id, comment, by };
    let what = |comment| Action::Restart { job, from, comment, preview: dry_run };
    give(&shared, &caller, order, what).await.map(Json)
}

pub(super) async fn decline(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Json<Done>, ApiError> {
    let Wanted { id, job, comment, by, .. } = body(&headers, &bytes)?;
    let job = caller.job(&shared.view(), job)?;
    let order = Order { id, comment, by };
    let what = |comment| Action::DeclineRestart { job, comment };
    give(&shared, &caller, order, what).await.map(Json)
}

pub(super) async fn approve(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Json<Done>, ApiError> {
    decide(&shared, &caller, &id, body(&headers, &bytes)?, true).await
}

pub(super) async fn decline_one(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Json<Done>, ApiError> {
    decide(&shared, &caller, &id, body(&headers, &bytes)?, false).await
}

/// One certain restart that waits, by its number.
async fn decide(
    shared: &Shared,
    caller: &Caller,
    id: &str,
    order: Order,
    approve: bool,
) -> Result<Json<Done>, ApiError> {
    let wrong = || ApiError::bad_request(format!("{id:?} is not the number of a restart"));
    let restart: u64 = id.parse().map_err(|_| wrong())?;
    if caller.is_confined() {
        let view = shared.view();
        let waiting = view.restarts.waiting.get(&restart);
        if waiting.is_none_or(|waiting| !caller.sees_job(&view, &waiting.job.0)) {
            return Err(ApiError::not_found(format!("no restart {restart} waits for approval")));
        }
    }
    let what = |comment| Action::DecideRestart { restart, approve, comment };
    give(shared, caller, order, what).await.map(Json)
}

pub(super) async fn pause(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Json<Done>, ApiError> {
    if caller.is_confined() {
        return Err(caller.sees_too_little());
    }
    let Pause { id, pause, comment, by } = body(&headers, &bytes)?;
    let order = Order { id, comment, by };
    let what = |comment| Action::PauseRestarts { pause, comment };
    give(&shared, &caller, order, what).await.map(Json)
}
