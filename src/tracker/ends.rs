//! How runs ended, from an archive: the last word on a job that nobody shows any more, and no word on
//! one that anybody does.

use std::collections::BTreeMap;

use super::{Folded, JobTrack, Run, Tracker};
use crate::model::{Change, JobKey, RunId, RunObservation, Snapshot, Time};

/// The end of this run among those that were archived under its Flink id: its own, or that of the same
/// run under a later `JobManager`. The same id begins anew with every submission of an application
/// that is highly available; where it tells nothing (all zeros), only the very start is believed.
fn end_of<'a>(run: &RunId, archived: &[&'a RunObservation]) -> Option<&'a RunObservation> {
    let exact = archived.iter().find(|end| end.run.start_time == run.start_time);
    let telling = run.job_id.chars().any(|c| c != '0');
    let later = || {
        let later = archived.iter().filter(|end| telling && end.run.start_time > run.start_time);
        later.max_by_key(|end| end.run.start_time)
    };
    exact.or_else(later).copied()
}

impl Tracker {
    /// Takes in what an archive says about runs that are missing or out of sight: the jobs it was
    /// news of.
    pub(super) fn fold_ends(
        &mut self,
        time: Time,
        snapshot: &Snapshot,
        folded: &mut Folded,
    ) -> Vec<JobKey> {
        let mut by_id: BTreeMap<&str, Vec<&RunObservation>> = BTreeMap::new();
        let ended = |run: &&RunObservation| run.is_archived() && run.state.is_terminal();
        for run in snapshot.runs.iter().filter(ended) {
            by_id.entry(&run.run.job_id).or_default().push(run);
        }
        if by_id.is_empty() {
            return Vec::new();
        }
        let found: Vec<(JobKey, RunObservation)> = self
            .jobs
            .iter()
            .filter_map(|(key, job)| {
                let run = job.current().filter(|run| run.state.is_live())?;
                let end = end_of(&run.id, by_id.get(run.id.job_id.as_str())?)?;
                let unseen = !self.job_facts(key, time)?.is_fresh();
                let lost = job.missing_since.is_some() || unseen;
                lost.then(|| (key.clone(), of_job(key, job, run, end)))
            })
            .collect();
        for (key, end) in &found {
            let Some(job) = self.jobs.get_mut(key) else { continue };
            let Some(source) = self.sources.get(&job.source) else { continue };
            let failures = job.hear_end(time, source, end);
            folded.failures += failures;
            if failures > 0 {
                let job = key.0.clone();
                folded.changes.push(Change::Failures { job, at: time.wall, count: failures });
            }
            if job.take_dirty(time) {
                folded.changes.push(job.row(key));
            }
        }
        found.into_iter().map(|(key, _)| key).collect()
    }
}

/// What the archive says, as the job's own source would have said it.
fn of_job(key: &JobKey, job: &JobTrack, run: &Run, end: &RunObservation) -> RunObservation {
    RunObservation {
        key: key.clone(),
        name: job.name.clone(),
        cluster: job.cluster.clone(),
        namespace: job.namespace.clone(),
        flink_cluster: job.flink_cluster.clone(),
        flink_job_name: job.flink_job_name.clone(),
        run: run.id.clone(),
        tasks: run.tasks,
        labels: job.labels.clone(),
        ui_url: run.ui_url.clone(),
        state: end.state,
        end_time: end.end_time,
        failures: end.failures.clone(),
        ..RunObservation::default()
    }
}

#[cfg(test)]
#[path = "ends_tests.rs"]
mod tests;
