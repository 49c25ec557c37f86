//! `GET /api/v1/jobs`: from the last picture, by key.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::{Extension, Json};
use serde::Serialize;

use super::{schedule, time};
use crate::engine::JobView;
use crate::model::{CheckpointRef, InventoryEntry, JobKey, JobState, Labels, Ts};
use crate::web::error::ApiError;
use crate::web::query::{ListQuery, RawQuery};
use crate::web::{Caller, Shared};

/// A job as the API shows it.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are the contract's")]
pub(super) struct Job {
    key: String,
    cluster: String,
    namespace: String,
    flink_cluster: String,
    name: String,
    flink_job_name: String,
    state: &'static str,
    stale: bool,
    missing: bool,
    live_runs: u32,
    job_id: String,
    start_time: Option<String>,
    restarts: Option<u64>,
    failures: u64,
    last_checkpoint: Option<Checkpoint>,
    checkpoint_age_seconds: Option<f64>,
    lag_records: Option<f64>,
    labels: Labels,
    #[serde(skip_serializing_if = "Option::is_none")]
    inventory: Option<Inventory>,
    seen_by: Vec<SeenBy>,
    schedule: Option<schedule::Item>,
    source: String,
    ui_url: Option<String>,
}

/// What an inventory says about the job, beside its labels.
#[derive(Debug, Serialize)]
struct Inventory {
    source: String,
    id: String,
    name: String,
    state: String,
    start_failure: Option<String>,
}

impl Inventory {
    fn of(job: &JobView) -> Option<Inventory> {
        let entry = job.inventory.as_ref()?;
        Some(Inventory {
            source: job.labels.get(InventoryEntry::LABEL).to_owned(),
            id: entry.id.clone(),
            name: entry.name.clone(),
            state: entry.state.clone(),
            start_failure: entry.start_failure.clone(),
        })
    }
}

/// What another source says of the job.
#[derive(Debug, Serialize)]
struct SeenBy {
    source: String,
    key: String,
    state: &'static str,
}

impl From<&crate::model::SeenBy> for SeenBy {
    fn from(seen: &crate::model::SeenBy) -> Self {
        SeenBy { source: seen.source.clone(), key: seen.key.0.clone(), state: seen.state.as_str() }
    }
}

/// A checkpoint as the API shows it.
#[derive(Debug, Serialize)]
pub(super) struct Checkpoint {
    id: Option<u64>,
    path: String,
    completed_at: Option<String>,
    savepoint: bool,
}

impl From<&CheckpointRef> for Checkpoint {
    fn from(checkpoint: &CheckpointRef) -> Self {
        Checkpoint {
            id: checkpoint.id,
            path: checkpoint.path.clone(),
            completed_at: time(checkpoint.completed_at),
            savepoint: checkpoint.savepoint,
        }
    }
}

impl Job {
    fn at(now: Ts, job: &JobView) -> Self {
        Job {
            key: job.key.0.clone(),
            cluster: job.cluster.clone(),
            namespace: job.namespace.clone(),
            flink_cluster: job.flink_cluster.clone(),
            name: job.name.clone(),
            flink_job_name: job.flink_job_name.clone(),
            state: job.state.as_str(),
            stale: job.stale,
            missing: job.missing,
            live_runs: job.live_runs,
            job_id: job.job_id.clone(),
            start_time: time(job.start_time),
            restarts: job.restarts,
            failures: job.failures_total,
            last_checkpoint: job.last_checkpoint.as_ref().map(Checkpoint::from),
            checkpoint_age_seconds: job.checkpoint_age_seconds(now),
            lag_records: job.lag_records,
            labels: job.labels.clone(),
            inventory: Inventory::of(job),
            seen_by: job.seen_by.iter().map(SeenBy::from).collect(),
            schedule: job.schedule.as_ref().map(|schedule| schedule::Item::at(now, schedule)),
            source: job.source.clone(),
            ui_url: job.ui_url.clone(),
        }
    }
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    raw: RawQuery,
) -> Result<Json<Vec<Job>>, ApiError> {
    let states = JobState::ALL.map(JobState::as_str);
    let known = ["limit", "after", "state", "matchers", "unowned"];
    let query = ListQuery::read(raw, &known, &states)?;
    let unowned: Option<BTreeSet<JobKey>> = if query.unowned {
        Some(shared.web.asker.unowned().await?.into_iter().collect())
    } else {
        None
    };
    let view = shared.view();
    let now = view.at.map_or(Ts(0), |at| at.wall);
    let after = query.after.clone().map(JobKey);
    let jobs = view
        .jobs
        .after(after.as_ref())
        .filter(|job| query.state.as_deref().is_none_or(|state| job.state.as_str() == state))
        .filter(|job| caller.sees(&job.labels) && query.matches(&job.labels))
        .filter(|job| unowned.as_ref().is_none_or(|keys| keys.contains(&job.key)))
        .take(query.limit as usize)
        .map(|job| Job::at(now, job));
    Ok(Json(jobs.collect()))
}
