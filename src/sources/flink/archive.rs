//! What Flink's `HistoryServer` answers: the paths and fields of a `JobManager`, of jobs that ended.
//! Pure.

use crate::http::{HttpError, Response};
use crate::model::{Failure, JobState, RunId};

use super::observe;
use super::wire;

/// A run that ended, as it was archived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sources) struct Ended {
    pub(in crate::sources) run: RunId,
    pub(in crate::sources) name: String,
    /// FINISHED, CANCELED or FAILED.
    pub(in crate::sources) state: JobState,
    pub(in crate::sources) end_time: Option<i64>,
}

/// `/config`: whether it is a `HistoryServer`; nothing before Flink 1.16, which does not tell.
pub(in crate::sources) fn is_history_server(answer: &Response) -> Result<Option<bool>, HttpError> {
    let config: wire::ClusterConfig = answer.json()?;
    Ok(config.features.and_then(|features| features.web_history))
}

/// `/jobs/overview`: the runs that `wanted` asks for. One in another state than an end is left out:
/// such a run goes on elsewhere.
pub(in crate::sources) fn ended(
    answer: &Response,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<Ended>, HttpError> {
    let listed: wire::JobsOverview = answer.json()?;
    let rows = listed.jobs.into_iter().filter_map(observe::row);
    let rows = rows.filter(|row| wanted(&row.run.job_id) && row.state.is_terminal());
    let ended = |row: observe::Row| Ended {
        run: row.run,
        name: row.name,
        state: row.state,
        end_time: row.end_time,
    };
    Ok(rows.map(ended).collect())
}

/// `/jobs/:id/exceptions`.
pub(in crate::sources) fn failures(answer: &Response) -> Result<Vec<Failure>, HttpError> {
    Ok(observe::failures(answer.json()?))
}
