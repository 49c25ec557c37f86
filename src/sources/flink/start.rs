//! One application of Flink's list, and the start it was: pure.

use crate::model::{Failure, JobState, RunId, RunObservation, Seen};

use super::observe;
use super::wire;

/// Where Flink's pages of applications are; those of jobs are elsewhere.
const PAGES: &str = "/#/application/";

/// Whether this is a page `Start::fill` gave.
pub(super) fn is_page(ui_url: &str) -> bool {
    ui_url.contains(PAGES)
}

/// An application of the listing, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Application {
    pub(super) run: RunId,
    pub(super) name: String,
    pub(super) end: Option<i64>,
    /// FAILED, and it never had a job.
    pub(super) failed_to_start: bool,
    /// It got as far as a job that did not fail.
    pub(super) has_started: bool,
}

/// A start as a run: FAILED, or FINISHED when it succeeded.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Start {
    pub(super) name: String,
    pub(super) run: RunId,
    pub(super) state: JobState,
    pub(super) end: Option<i64>,
    pub(super) failures: Seen<Vec<Failure>>,
    is_live: bool,
}

impl Application {
    /// The last time anything is known to have happened to it.
    pub(super) fn last_word(&self) -> i64 {
        self.end.unwrap_or(self.run.start_time)
    }
}

/// Reads a row; one without a usable id is none.
pub(super) fn read(row: wire::ApplicationRow) -> Option<Application> {
    let id = row.id.filter(|id| observe::is_id(id))?;
    let jobs = row.jobs.as_ref().and_then(serde_json::Value::as_object);
    let is_in = |state| {
        let count = jobs.and_then(|jobs| jobs.get(state)).and_then(serde_json::Value::as_i64);
        count.is_some_and(|n| n > 0)
    };
    Some(Application {
        name: observe::name(row.name, &id),
        end: observe::time(row.end_time),
        // Jobs that are not told of may be there.
        failed_to_start: row.status.as_deref() == Some("FAILED")
            && jobs.is_some_and(serde_json::Map::is_empty),
        has_started: ["RUNNING", "FINISHED", "CANCELED"].into_iter().any(is_in),
        run: RunId { start_time: row.start_time.filter(|t| *t >= 0).unwrap_or(0), job_id: id },
    })
}

impl Start {
    pub(super) fn of(application: &Application, state: JobState) -> Start {
        Start {
            name: application.name.clone(),
            run: application.run.clone(),
            state,
            end: application.end,
            failures: Seen::NotAsked,
            is_live: application.end.is_none(),
        }
    }

    /// Puts it into `blank`, which knows whose it is. `ui`: Flink's pages.
    pub(super) fn fill(&self, blank: RunObservation, ui: &str) -> RunObservation {
        let page = if self.is_live { "running" } else { "completed" };
        RunObservation {
            ui_url: Some(format!("{ui}{PAGES}{page}/{}", self.run.job_id)),
            run: self.run.clone(),
            state: self.state,
            // A start that succeeded was over when it had its job, and never a stream.
            end_time: self.end.or(Some(self.run.start_time)),
            batch: if self.state == JobState::Finished {
                Seen::Fresh(true)
            } else {
                Seen::NotAsked
            },
            failures: self.failures.clone(),
            ..blank
        }
    }
}
