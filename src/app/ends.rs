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
