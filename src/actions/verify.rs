//! Whether a restart has brought back what it should: from what is seen of the new run. Pure.

use std::time::Duration;

use super::settings::Policy;
use crate::model::{JobKey, JobState, Restart, Time, passes};
use crate::tracker::{Run, Tracker, same_path};

/// So many intervals of its own a checkpoint may take.
const INTERVALS: u32 = 3;

/// What is to be said of an attempt that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing yet.
    Watch {
        /// All its tasks run.
        runs: bool,
    },
    /// It runs as it should.
    Verified,
    /// It does not.
    Failed {
        /// Why.
        why: String,
        /// What it was restored from could not be used.
        unreadable: bool,
    },
    /// Somebody else's run of the job lives beside it.
    Stranger(String),
    /// It is another job: its program is called otherwise.
    Misnamed(JobKey),
}

fn failed(why: impl Into<String>) -> Verdict {
    Verdict::Failed { why: why.into(), unreadable: false }
}

/// Flink's id of the run that a restart has started; of a driver that cannot tell, the newest that
/// began after the order. A live one that a platform knows by a name of its own is not it yet: its
/// Flink has still to be heard.
pub(super) fn started(restart: &Restart, tracker: &Tracker) -> Option<String> {
    if restart.started.is_some() {
        return restart.started.clone();
    }
    let job = tracker.job(&restart.job)?;
    let source = tracker.source(&job.source)?;
    let ordered = restart.submitted_at?;
    let after = |run: &&Run| {
        source.to_wall(run.id.start_time).0 >= ordered.0 - 1_000
            && Some(&run.id) != restart.dead.as_ref()
            && (!run.id.is_platforms() || run.state.is_terminal())
    };
    let newest = job.runs.iter().filter(after).max_by_key(|run| run.id.start_time)?;
    Some(newest.id.job_id.clone())
}

/// Judges an attempt that was taken.
pub(super) fn judge(
    time: Time,
    restart: &Restart,
    policy: &Policy,
    fresh_for: Duration,
    tracker: &Tracker,
) -> Verdict {
    let since = restart.taken.map_or(Duration::ZERO, |at| time.steady.since(at));
    let facts = tracker.job_facts(&restart.job, time);
    let fresh = facts.is_some_and(|facts| facts.is_recent(fresh_for));
    // While nobody looks, nothing is late.
    let late = fresh && since > policy.start_within;
    let seconds = policy.start_within.as_secs();
    let Some(id) = started(restart, tracker) else {
        let why = format!("it was taken, and no run of it appeared within {seconds} s");
        return if late { failed(why) } else { Verdict::Watch { runs: false } };
    };
    if let Some(other) = elsewhere(&id, restart, tracker) {
        return Verdict::Misnamed(other);
    }
    let Some(facts) = facts else {
        return failed("its job is not watched any more");
    };
    let run = facts.job.runs.iter().filter(|run| run.id.job_id == id).max_by_key(|run| &run.id);
    let Some(run) = run else {
        let why = format!("it was taken, and run {id} did not appear within {seconds} s");
        return if late { failed(why) } else { Verdict::Watch { runs: false } };
    };
    let stranger = facts
        .job
        .runs
        .iter()
        .find(|other| other.listed && other.state.is_live() && other.id.job_id != id);
    if let Some(stranger) = stranger
        && fresh
        && run.state.is_live()
    {
        return Verdict::Stranger(stranger.id.job_id.clone());
    }
    match run.state {
        JobState::Failed => {
            let cause = facts.run_cause().map(crate::model::RootCause::line);
            let why = cause.unwrap_or_else(|| "no reason is known".to_owned());
            let unreadable = !restart.ran && run.first_healthy.is_none() && is_unreadable(&why);
            return Verdict::Failed { why: format!("its new run failed: {why}"), unreadable };
        }
        JobState::Canceled => return failed("somebody cancelled its new run"),
        // It had an end of its own, and reached it.
        JobState::Finished => return Verdict::Verified,
        _ => {}
    }
    if facts.job.missing_since.is_some() {
        return if late { failed("its new run vanished") } else { Verdict::Watch { runs: false } };
    }
    if !run.is_healthy() && run.first_healthy.is_none() {
        let why = format!("it is {} and did not run with all tasks within {seconds} s", run.state);
        return if late { failed(why) } else { Verdict::Watch { runs: false } };
    }
    if let Some(wanted) = &restart.from
        && let Some(from) = &run.checkpoints.restored_from
        && !same_path(&wanted.path, from)
        // After a failover it is one of its own.
        && !from.contains(&format!("/{id}/"))
    {
        return failed(format!("it was restored from {from} instead of {}", wanted.path));
    }
    let restored = restart.from.is_none() || run.checkpoints.restored_from.is_some();
    if run.checkpoints.not_applicable || (restored && run.checkpoints.has_completed()) {
        return Verdict::Verified;
    }
    let interval = run.checkpoints.interval_ms.unwrap_or(0).unsigned_abs();
    let within = policy.checkpoint_within.max(Duration::from_millis(interval) * INTERVALS);
    let ran = run.first_healthy.map_or(Duration::ZERO, |at| time.steady.since(at));
    if ran > within && fresh {
        let from_nothing = !restored && run.checkpoints.history_heard.is_some();
        return failed(if from_nothing {
            "it runs, and was restored from nothing".to_owned()
        } else {
            format!("it runs, and completed no checkpoint within {} s", within.as_secs())
        });
    }
    Verdict::Watch { runs: true }
}

/// The job another run of this id is shown as, if it is not the restart's own.
fn elsewhere(id: &str, restart: &Restart, tracker: &Tracker) -> Option<JobKey> {
    let has = |runs: &[Run]| runs.iter().any(|run| run.id.job_id == *id);
    if tracker.job(&restart.job).is_some_and(|job| has(&job.runs)) {
        return None;
    }
    let mut others = tracker.jobs().filter(|(_, job)| job.cluster == restart.cluster);
    others.find(|(_, job)| has(&job.runs)).map(|(key, _)| key.clone())
}

/// A run that failed before it ran, of what it was to be restored from.
fn is_unreadable(why: &str) -> bool {
    let lower = why.to_ascii_lowercase();
    let signs =
        ["_metadata", "checkpoint", "savepoint", "restore", "statemigration", "statehandle"];
    !passes(why) && signs.iter().any(|sign| lower.contains(sign))
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
