//! Whether a job may be restarted now: every guard is asked, and names what it holds it by. Pure.

use std::time::Duration;

use super::holds::Hold;
use super::settings::{Limits, Policy};
use super::world::explained_by;
use crate::model::{Incident, JobState, Restart, RestartState, RootCause, Time};
use crate::tracker::JobFacts;

/// Flink caches its answers for some seconds: what a run left is certain only after that.
const SETTLES_AFTER: Duration = Duration::from_secs(3);
/// What nobody has told by then is not told any more.
const SETTLED_BY: Duration = Duration::from_secs(30);

/// Everything that is known when it is decided.
pub(super) struct Case<'a> {
    pub(super) time: Time,
    pub(super) policy: &'a Policy,
    pub(super) facts: JobFacts<'a>,
    /// The incident that fires, if there is one.
    pub(super) incident: Option<&'a Incident>,
    /// A person wants it.
    pub(super) by_person: bool,
    /// Restarts of this job that were sent, oldest first.
    pub(super) past: Vec<&'a Restart>,
    /// On their way: of all jobs, and of this cluster.
    pub(super) on_way: (usize, usize),
    pub(super) limits: Limits,
    pub(super) fresh_for: Duration,
    /// Who has paused everything.
    pub(super) paused: Option<&'a str>,
    /// Who said, of this incident, that its job is not to be restarted.
    pub(super) declined: Option<&'a str>,
    /// The silence whose maintenance holds restarts.
    pub(super) maintenance: Option<u64>,
    /// A sick run is to be replaced, and has not been stopped yet.
    pub(super) replaces: bool,
}

/// What counts of the attempts so far: those since the job was last well for long.
pub(super) fn counted<'a>(past: &[&'a Restart]) -> Vec<&'a Restart> {
    let from = past.iter().rposition(|restart| restart.settled).map_or(0, |place| place + 1);
    past.get(from..).unwrap_or_default().to_vec()
}

/// The same exception from the same place: what its message says may differ each time.
fn is_same(a: &RootCause, b: &RootCause) -> bool {
    a.class == b.class && a.frame == b.frame && (a.frame.is_some() || a.message == b.message)
}

/// What holds it, the weightiest first; nothing: it may be sent.
pub(super) fn holds(case: &Case<'_>) -> Vec<Hold> {
    let mut found = Vec::new();
    found.extend(of_the_job(case));
    found.extend(of_the_platform(case));
    found.extend(of_people(case));
    found.extend(of_attempts(case));
    found.extend(of_limits(case));
    if case.by_person {
        found.retain(Hold::binds_people);
    }
    found.sort_by_key(Hold::weight);
    found
}

/// Proof of death, or of sickness where it is to be replaced.
fn of_the_job(case: &Case<'_>) -> Option<Hold> {
    let Case { facts, time, policy, .. } = case;
    // Also of an end that an archive tells: it may have been started since, where nobody looks.
    let looked = facts.source.unlisted_at.or(facts.source.last_success.map(|at| at.steady));
    let seen = looked.is_some_and(|at| time.steady.since(at) <= case.fresh_for);
    if !facts.is_recent(case.fresh_for) || !seen || !facts.source.is_up() {
        return Some(Hold::Unseen);
    }
    if facts.job.live_runs > 1 {
        return Some(Hold::Twice(facts.job.live_runs));
    }
    if let Some(since) = facts.job.missing_since {
        let gone = time.steady.since(since);
        let left = policy.missing_for.saturating_sub(gone);
        return (!left.is_zero()).then(|| Hold::Missing(left.as_secs().max(1)));
    }
    facts.run()?;
    match facts.job.state() {
        JobState::Failed => is_settling(case).then_some(Hold::Settling),
        state @ (JobState::Canceled | JobState::Finished) => {
            if facts.job.is_stopped_by_weir() {
                return is_settling(case).then_some(Hold::Settling);
            }
            Some(Hold::Ended(state))
        }
        JobState::Running if case.replaces => {
            let stops = policy.traits.stops || policy.traits.in_place;
            (!stops).then_some(Hold::CannotStop)
        }
        state @ (JobState::Running
        | JobState::Initializing
        | JobState::Created
        | JobState::Restarting) => Some(Hold::Runs(state)),
        state => Some(Hold::NotDead(state)),
    }
}

/// What the run left to be restored from has not been read since it ended.
fn is_settling(case: &Case<'_>) -> bool {
    let Some(run) = case.facts.run() else { return false };
    if run.checkpoints.not_applicable {
        return false;
    }
    // Seen dead at first sight: it ended long ago, as far as can be told.
    let Some(ended) = run.ended else { return false };
    let since = case.time.steady.since(ended);
    let read = run.checkpoints.history_heard.is_some_and(|at| at.since(ended) >= SETTLES_AFTER);
    !read && since < SETTLED_BY
}

fn of_the_platform(case: &Case<'_>) -> Vec<Hold> {
    let mut found = Vec::new();
    let job = case.facts.job;
    if let Some(known) = job.inventory.as_deref() {
        let busy = case.facts.inventory().known().is_some_and(|known| known.entry.busy);
        if busy || known.entry.own_restarts > 0 {
            found.push(Hold::Platform(known.source.clone()));
        }
    }
    let planned = case
        .facts
        .source
        .clusters
        .iter()
        .any(|cluster| cluster.flink_cluster == job.flink_cluster && cluster.planned);
    if planned {
        found.push(Hold::Platform(job.cluster.clone()));
    }
    if case.policy.traits.inventory && job.inventory.is_none() {
        found.push(Hold::NotInInventory);
    }
    found
}

fn of_people(case: &Case<'_>) -> Vec<Hold> {
    let mut found = Vec::new();
    found.extend(case.paused.map(|by| Hold::Paused(by.to_owned())));
    found.extend(case.maintenance.map(Hold::Maintenance));
    found.extend(case.policy.hours.muted_by(case.time.wall).map(Hold::Hours));
    let root = case.incident.and_then(explained_by);
    found.extend(root.map(Hold::Inhibited));
    found.extend(case.declined.map(|by| Hold::Declined(by.to_owned())));
    let run = case.facts.run();
    if run.is_some_and(|run| run.dead_at_first_look || run.ended_at_first_look) {
        found.push(Hold::FirstLook);
    }
    found
}

fn of_attempts(case: &Case<'_>) -> Vec<Hold> {
    let mut found = Vec::new();
    let counted = counted(&case.past);
    let tried = counted.len() as u32;
    if tried >= case.policy.attempts {
        found.push(Hold::Exhausted(tried));
    }
    if let Some(last) = counted.last().filter(|last| last.state == RestartState::Unknown) {
        found.push(Hold::Unknown(last.id));
    }
    let newest = case.facts.job.last_cause.as_ref().map(|(_, cause)| cause);
    if let Some(pattern) = case.policy.never(newest) {
        found.push(Hold::NeverOn(pattern.as_str().to_owned()));
    }
    if let Some(cause) = newest
        && !case.policy.always(Some(cause))
    {
        let alike = |restart: &&&Restart| {
            // What could not be restored from says nothing about the job.
            !restart.unreadable && restart.cause.as_ref().is_some_and(|known| is_same(known, cause))
        };
        let times = counted.iter().rev().take_while(alike).count() as u32;
        if times >= case.policy.same_cause {
            found.push(Hold::SameCause(times, cause.line()));
        }
    }
    found
}

fn of_limits(case: &Case<'_>) -> Option<Hold> {
    let (all, of_cluster) = case.on_way;
    if of_cluster >= case.limits.per_cluster {
        return Some(Hold::Busy { in_cluster: true, on_way: of_cluster });
    }
    (all >= case.limits.concurrent).then_some(Hold::Busy { in_cluster: false, on_way: all })
}

#[cfg(test)]
#[path = "guards_tests.rs"]
mod tests;
