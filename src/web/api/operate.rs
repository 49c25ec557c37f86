//! `POST /api/v1/incidents/{id}/{ack,unack,close}` and `POST /api/v1/jobs/{key}/retire`.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};

use super::command::{Done, body, give};
use super::incidents::number;
use crate::model::Action;
use crate::web::confined;
use crate::web::error::ApiError;
use crate::web::{Caller, Shared};

/// The number of an incident the caller may change something about.
async fn own(shared: &Shared, caller: &Caller, id: &str) -> Result<u64, ApiError> {
    let number = number(id)?;
    if caller.is_confined() {
        confined::incident(shared, caller, number).await?;
    }
    Ok(number)
}

type Answer = Result<Json<Done>, ApiError>;

pub(super) async fn ack(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Answer {
    let (incident, order) = (own(&shared, &caller, &id).await?, body(&headers, &bytes)?);
    give(&shared, &caller, order, |comment| Action::Ack { incident, comment }).await.map(Json)
}

pub(super) async fn unack(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Answer {
    let (incident, order) = (own(&shared, &caller, &id).await?, body(&headers, &bytes)?);
    give(&shared, &caller, order, |comment| Action::Unack { incident, comment }).await.map(Json)
}

pub(super) async fn close(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Answer {
    let (incident, order) = (own(&shared, &caller, &id).await?, body(&headers, &bytes)?);
    give(&shared, &caller, order, |comment| Action::Close { incident, comment }).await.map(Json)
}

/// The key, or any unambiguous part of it, percent-encoded as one segment.
pub(super) async fn retire(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(job): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Answer {
    let order = body(&headers, &bytes)?;
    let job = caller.job(&shared.view(), job)?;
    give(&shared, &caller, order, |comment| Action::Retire { job, comment }).await.map(Json)
}
