//! Of which runs the end is asked for: those that nobody shows any more. Pure.

use std::collections::BTreeSet;

use crate::engine::JobView;

/// More are not asked for at one look.
const MOST: usize = 5_000;

/// Flink's ids of the runs that were alive and are missing, or cannot be seen.
pub(super) fn wanted<'a>(jobs: impl Iterator<Item = &'a JobView>) -> Vec<String> {
    let unknown = |job: &&JobView| {
        job.state.is_live() && (job.missing || job.stale) && !job.job_id.is_empty()
    };
    let ids: BTreeSet<&str> = jobs.filter(unknown).map(|job| job.job_id.as_str()).collect();
    ids.into_iter().take(MOST).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::JobState;

    #[test]
    fn asked_for_are_live_runs_that_nobody_shows() {
        let view = |job_id: &str, state, missing, stale| JobView {
            job_id: job_id.to_owned(),
            state,
            missing,
            stale,
            ..JobView::default()
        };
        let jobs = [
            view("shown", JobState::Running, false, false),
            view("missing", JobState::Running, true, false),
            view("unseen", JobState::Restarting, false, true),
            // Of these the last word is known.
            view("failed", JobState::Failed, false, true),
            view("cancelled", JobState::Canceled, true, false),
            // The same run under two names, and one without an id.
            view("missing", JobState::Running, true, false),
            view("", JobState::Running, true, false),
        ];
        assert_eq!(wanted(jobs.iter()), ["missing", "unseen"]);
        let many: Vec<JobView> = (0..=MOST)
            .map(|n| view(&format!("{n:032x}"), JobState::Running, true, false))
            .collect();
        assert_eq!(wanted(many.iter()).len(), MOST);
    }
}
