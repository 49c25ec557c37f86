//! `GET /api/v1/checkpoints?job=…`: what a job could be restored from, asked of the running engine.

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::time;
use crate::tracker::Recorded;
use crate::web::error::ApiError;
use crate::web::query::{ListQuery, RawQuery};
use crate::web::{Caller, Shared};

/// One checkpoint or savepoint as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Key of the job.
    pub job: String,
    /// Its number.
    pub id: Option<u64>,
    /// External path.
    pub path: String,
    /// `checkpoint` or `savepoint`.
    pub kind: String,
    /// RFC 3339; null: it was never seen to complete, a run was restored from it.
    pub completed_at: Option<String>,
    /// Bytes of state it refers to.
    pub size_bytes: Option<u64>,
    /// Flink's id of the run that wrote it.
    pub job_id: String,
    /// `restorable`, `maybe` or `gone`.
    pub state: String,
    /// The inventory that told of it, where Flink itself never showed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_by: Option<String>,
    /// A restart would take this one now.
    pub next: bool,
}

impl Item {
    fn new(job: &str, entry: Recorded, next: Option<&String>) -> Item {
        Item {
            job: job.to_owned(),
            id: entry.id,
            kind: if entry.savepoint { "savepoint" } else { "checkpoint" }.to_owned(),
            completed_at: entry.completed_at.and_then(time),
            size_bytes: entry.size,
            job_id: entry.run,
            state: entry.standing.as_str().to_owned(),
            told_by: entry.told_by,
            next: next == Some(&entry.path),
            path: entry.path,
        }
    }
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    raw: RawQuery,
) -> Result<Json<Vec<Item>>, ApiError> {
    let query = ListQuery::read(raw, &["job", "limit"], &[])?;
    let Some(job) = query.job else {
        return Err(ApiError::bad_request("name a job: ?job=orders"));
    };
    let job = caller.job(&shared.view(), job)?;
    let found = shared.web.asker.checkpoints(job).await?;
    let entries = found.entries.into_iter().take(query.limit as usize);
    let item = |entry| Item::new(&found.job.0, entry, found.next.as_ref());
    Ok(Json(entries.map(item).collect()))
}
