//! `GET /api/v1/history?since=…`: what the engine was given, for `weir replay`; some pieces an
//! answer; for those who may operate, since the texts of messages are in it. The next ones: the same with `after=<segment>.<number>` of the last one; none: all given.

use axum::Extension;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::journal::file;
use crate::model::HistoryPage;
use crate::web::error::ApiError;
use crate::web::query::{RawQuery, since};
use crate::web::{Caller, Scope, Shared};

/// An answer is not made longer when it has so many bytes.
const ENOUGH: usize = 8 << 20;

pub(super) async fn download(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    raw: RawQuery,
) -> Result<Response, ApiError> {
    if caller.scope < Scope::Operate {
        return Err(caller.may_only_read());
    }
    let mut page = read(raw)?;
    let mut body = file::MAGIC.to_vec();
    while body.len() < ENOUGH {
        let chunks = shared.web.store.history(page).await?;
        let Some(last) = chunks.last() else { break };
        page.after = Some((last.segment, last.number));
        for chunk in &chunks {
            file::put(chunk, &mut body);
        }
    }
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], body).into_response())
}

fn read(raw: RawQuery) -> Result<HistoryPage, ApiError> {
    let axum::extract::Query(pairs) = raw.map_err(|_| {
        ApiError::bad_request("the query cannot be read; percent-encode its values")
    })?;
    let mut page = HistoryPage::default();
    for (name, value) in pairs {
        match name.as_str() {
            "since" => page.since = since(&value)?,
            "after" => page.after = Some(after(&value)?),
            _ => {
                return Err(ApiError::bad_request(format!(
                    "unknown parameter {name:?}; the history takes since, after"
                )));
            }
        }
    }
    Ok(page)
}

fn after(value: &str) -> Result<(u64, u32), ApiError> {
    let parts = value.split_once('.');
    parts.and_then(|(s, n)| Some((s.parse().ok()?, n.parse().ok()?))).ok_or_else(|| {
        ApiError::bad_request(format!("after {value:?} is not <segment>.<number> of a piece"))
    })
}
