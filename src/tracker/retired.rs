//! Jobs a person said are gone for good: their dead runs, which Flink lists for as long as it likes,
//! are not taken in again; a run that is alive, or began after that, is another story.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{FORGET_ENDED_AFTER_MS, Tracker, forgotten};
use crate::model::{Change, JobKey, Loaded, RunId, RunObservation, Time, Ts};

/// Prefix of the rows' names; the job's key follows.
const ROW: &str = "retired/";

/// A job that is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Gone {
    source: String,
    /// Start of its newest run, by the source's clock.
    newest: i64,
    /// Steady time when it was last listed, or retired.
    listed: Ts,
    /// Its runs: what another source may show under another name.
    #[serde(default)]
    runs: Vec<RunId>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Retired(BTreeMap<JobKey, Gone>);

impl Retired {
    pub(super) fn restore(loaded: &Loaded) -> Retired {
        let rows = loaded.meta.iter().filter_map(|(name, body)| {
            let key = JobKey(name.strip_prefix(ROW)?.to_owned());
            Some((key, serde_json::from_str(body).ok()?))
        });
        Retired(rows.collect())
    }

    /// Whether these runs are nothing but what is left of a job that is gone. If not, it is back.
    pub(super) fn holds(
        &mut self,
        time: Time,
        key: &JobKey,
        runs: &[&RunObservation],
        changes: &mut Vec<Change>,
    ) -> bool {
        let Some(gone) = self.0.get_mut(key) else { return false };
        let is_news =
            |run: &&RunObservation| run.state.is_live() || run.run.start_time > gone.newest;
        if runs.iter().any(is_news) {
            self.0.remove(key);
            changes.push(row(key, None));
            return false;
        }
        gone.listed = time.steady;
        true
    }

    /// Whether these are ended runs of a job that is gone under another name.
    pub(super) fn has_ended(&self, key: &JobKey, runs: &[&RunObservation]) -> bool {
        let is_old = |gone: &Gone| {
            runs.iter().all(|seen| seen.state.is_terminal() && seen.run.start_time <= gone.newest)
        };
        let is_it = |gone: &Gone| runs.iter().any(|seen| gone.runs.contains(&seen.run));
        self.0.iter().any(|(gone_key, gone)| gone_key != key && is_it(gone) && is_old(gone))
    }

    /// After a complete listing of a source: what it has not listed for a day it will not list again.
    pub(super) fn forget_unlisted(&mut self, time: Time, source: &str, changes: &mut Vec<Change>) {
        let is_old =
            |gone: &Gone| time.steady.since(gone.listed).as_millis() as i64 > FORGET_ENDED_AFTER_MS;
        self.retain(|gone| gone.source != source || !is_old(gone), changes);
    }

    /// Forgets jobs of sources that left the configuration.
    pub(super) fn retain_sources(
        &mut self,
        is_there: impl Fn(&str) -> bool,
        changes: &mut Vec<Change>,
    ) {
        self.retain(|gone| is_there(&gone.source), changes);
    }

    fn retain(&mut self, keep: impl Fn(&Gone) -> bool, changes: &mut Vec<Change>) {
        self.0.retain(|key, gone| {
            let stays = keep(gone);
            if !stays {
                changes.push(row(key, None));
            }
            stays
        });
    }
}

/// An empty value deletes the row.
fn row(key: &JobKey, gone: Option<&Gone>) -> Change {
    let value = gone.and_then(|gone| serde_json::to_string(gone).ok()).unwrap_or_default();
    Change::Meta { key: format!("{ROW}{}", key.0), value }
}

impl Tracker {
    /// Lets go of a job until it is seen alive again; nothing without such a job.
    pub fn retire(&mut self, time: Time, key: &JobKey) -> Vec<Change> {
        let Some(job) = self.jobs.remove(key) else { return Vec::new() };
        if let Some(keys) = self.by_source.get_mut(&job.source) {
            keys.remove(key);
        }
        let newest = job.runs.iter().map(|run| run.id.start_time).max().unwrap_or(i64::MIN);
        let runs = job.runs.iter().map(|run| run.id.clone()).collect();
        let gone = Gone { source: job.source, newest, listed: time.steady, runs };
        let mut changes = vec![row(key, Some(&gone))];
        changes.extend(forgotten(key.clone()));
        self.retired.0.insert(key.clone(), gone);
        changes
    }
}

#[cfg(test)]
#[path = "retired_tests.rs"]
mod tests;
