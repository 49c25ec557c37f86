//! Which calls to make for a run, from what is remembered and what this poll has shown so far.
//! Pure: every decision takes the time and the facts as arguments.

use std::time::Duration;

use crate::model::{Counters, Demand, JobState, Seen, TaskCounts, Ts};

use super::named::NamedMemory;
use super::observe::{CheckpointPolicy, Row};
use super::order::Standing;

/// What is asked for without a reason is asked for this often.
const ROUTINE: Duration = Duration::from_mins(5);
/// While metrics are frozen or a checkpoint is overdue; more often where the interval is shorter.
const CLOSE: Duration = Duration::from_secs(30);
const CLOSEST: Duration = Duration::from_secs(5);
/// Flink caches its answers for 3 s: what is read right after a change may be from before it.
const CACHED: Duration = Duration::from_millis(CACHED_MS.unsigned_abs());
const CACHED_MS: i64 = 3_200;
/// On top of the interval, before a checkpoint is overdue: half of it, within these bounds. The
/// counter is late by a refresh of the metrics, and no checkpoint takes no time at all.
const OVERDUE_SLACK: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(25));
/// A number that went back within one run is an old one from another `JobManager`, for so long.
const HELD_BACK: Duration = Duration::from_mins(1);
/// Failures asked for.
const FEW: u32 = 5;
/// Failures asked for when many may have happened since the last look.
pub(super) const MANY: u32 = 20;
/// Looks at a run that ended, successful or not.
const TERMINAL_TRIES: u8 = 4;

/// A run as the listing shows it.
type Sight = (JobState, Option<i64>, TaskCounts);
/// What a change of is a reason to look at the exceptions: the sight and the restarts.
type Shape = (Sight, Option<u64>);

/// What is remembered of a run between polls.
#[derive(Debug, Clone, Default)]
pub(super) struct RunMemory {
    /// Steady time of the first look.
    pub(super) first_seen: Ts,
    /// Seen before it ended.
    pub(super) seen_live: bool,
    /// Listed by the present poll.
    pub(super) listed: bool,
    /// Last numbers that were believed.
    pub(super) counters: Option<Counters>,
    lower_since: Option<Ts>,
    progress_at: Option<Ts>,
    /// A checkpoint has failed since one completed, by the counters.
    failing: bool,
    /// When all its tasks ran for the first time.
    healthy_at: Option<Ts>,
    /// Batch or not, once it is known, or known not to be told by this Flink.
    pub(super) job_type: Seen<bool>,
    pub(super) policy: Option<CheckpointPolicy>,
    checkpoints_at: Option<Ts>,
    checkpoints_due: bool,
    shape: Option<Shape>,
    /// Newest failure seen.
    pub(super) newest_failure: Option<i64>,
    /// The history was read before, empty perhaps.
    pub(super) history_read: bool,
    exceptions_again: Option<Ts>,
    exceptions_due: u32,
    terminal_since: Option<Ts>,
    terminal_looks: u8,
    terminal_done: bool,
    /// Answered 404 although listed; asked again after this time, or when it changes.
    gone: Option<(Ts, Sight)>,
    /// Steady time of the last look into it.
    pub(super) looked_at: Option<Ts>,
    pub(super) named: NamedMemory,
}

/// The calls to make for a run after its metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Calls {
    pub(super) checkpoints: bool,
    pub(super) checkpoint_config: bool,
    /// `maxExceptions`, when they are asked for.
    pub(super) exceptions: Option<u32>,
    /// Find out whether it is a batch job.
    pub(super) job_type: bool,
}

impl RunMemory {
    pub(super) fn new(now: Ts) -> RunMemory {
        RunMemory { first_seen: now, ..RunMemory::default() }
    }

    /// Takes in the listing, before any call.
    pub(super) fn listed(&mut self, row: &Row, now: Ts) {
        self.listed = true;
        if let Some(batch) = row.batch {
            self.job_type = Seen::Fresh(batch);
        }
        if row.is_healthy() && self.healthy_at.is_none() {
            let for_long = self.first_seen == now && row.is_settled();
            self.healthy_at = Some(if for_long { now.shifted(-CACHED_MS) } else { now });
        }
        if row.state.is_terminal() {
            self.terminal_since.get_or_insert(now);
        } else {
            self.seen_live = true;
            // A run that came back from a terminal state is looked at like any other again.
            self.terminal_since = None;
            self.terminal_looks = 0;
            self.terminal_done = false;
        }
        self.gone = self.gone.filter(|(until, sight)| *until > now && *sight == sight_of(row));
    }

    /// Nothing is asked about it: it ended and was looked at, or Flink says it is not there.
    pub(super) fn is_settled(&self) -> bool {
        self.terminal_done || self.gone.is_some()
    }

    /// How it stands among those that want a look.
    pub(super) fn standing(&self, row: &Row) -> Standing {
        let over = row.state.is_terminal();
        let changed = self.shape.is_none_or(|(sight, _)| sight != sight_of(row));
        let waits = self.checkpoints_due || self.exceptions_due > 0 || self.failing;
        let urgent = if over { self.seen_live } else { changed || waits || !row.is_healthy() };
        Standing { urgent, looked_at: self.looked_at, over, start_time: row.run.start_time }
    }

    /// Whether to ask for metrics.
    pub(super) fn wants_metrics(&self, row: &Row, asked: bool, frozen: bool) -> bool {
        !row.state.is_terminal() && !self.is_settled() && !frozen && asked
    }

    /// Numbers that went back within one run come from an older answer of another `JobManager`; they
    /// are not to be believed, for a while.
    pub(super) fn believes(&self, fresh: &Counters, now: Ts) -> bool {
        let Some(last) = &self.counters else { return true };
        let lower = |a: Option<u64>, b: Option<u64>| matches!((a, b), (Some(a), Some(b)) if a < b);
        let went_back = lower(fresh.restarts, last.restarts)
            || lower(fresh.completed_checkpoints, last.completed_checkpoints)
            || lower(fresh.failed_checkpoints, last.failed_checkpoints);
        !went_back || self.lower_since.is_some_and(|since| now.since(since) >= HELD_BACK)
    }

    /// A superseded run that ended long ago: nothing about it is worth a call.
    pub(super) fn skip(&mut self) {
        self.terminal_done = true;
    }

    /// What to ask now. `fresh`: this poll's metrics, if they are to be believed.
    pub(super) fn plan(
        &self,
        row: &Row,
        fresh: Option<&Counters>,
        demand: &Demand,
        frozen: bool,
        now: Ts,
    ) -> Calls {
        if self.is_settled() {
            return Calls::default();
        }
        let since = |at: Option<Ts>| at.map_or(Duration::MAX, |at| now.since(at));
        let policy_known = self.policy.is_some() || !demand.checkpoints;
        // Before its graph is made nobody knows what kind it is.
        let young = matches!(row.state, JobState::Initializing | JobState::Created);
        let told = matches!(self.job_type, Seen::Fresh(_) | Seen::NotApplicable);
        // How it ended asks for the type; of one that was cancelled or failed nobody does.
        let over = row.state.is_terminal() && row.state != JobState::Finished;
        let job_type = demand.job_type && !told && !young && !over;
        if row.state.is_terminal() {
            let look = match self.terminal_looks {
                0 => true,
                _ => since(self.terminal_since) >= CACHED,
            };
            return Calls {
                checkpoints: look && demand.checkpoints,
                checkpoint_config: look && !policy_known,
                exceptions: (look && demand.failures && self.exceptions_of_end(row)).then_some(FEW),
                job_type: look && job_type,
            };
        }
        let restarts = self.restart_delta(fresh);
        let checkpoints = demand.checkpoints
            && (self.checkpoints_at.is_none()
                || self.checkpoints_due
                || restarts > 0
                || self.unread_start(now)
                || grew(fresh, self.counters.as_ref(), |c| c.failed_checkpoints)
                || (since(self.checkpoints_at) >= CLOSE && frozen)
                || self.wants_close_look(fresh, now)
                || since(self.checkpoints_at) >= ROUTINE);
        let changed = self.shape != Some(self.shape_of(row, fresh));
        let again = self.exceptions_again.is_some_and(|at| now >= at);
        let troubled = frozen && !row.is_healthy();
        let count = if restarts > u64::from(FEW) || troubled { MANY } else { FEW };
        let look = changed || again || troubled || self.exceptions_due > 0;
        Calls {
            checkpoints,
            checkpoint_config: checkpoints && !policy_known,
            exceptions: (demand.failures && look).then_some(count.max(self.exceptions_due)),
            job_type,
        }
    }

    /// A run that ended on purpose before Weir ever saw it live has no failures worth a call.
    fn exceptions_of_end(&self, row: &Row) -> bool {
        self.seen_live || !row.state.is_deliberate_end()
    }

    fn restart_delta(&self, fresh: Option<&Counters>) -> u64 {
        let now = fresh.and_then(|c| c.restarts);
        let before = self.counters.as_ref().and_then(|c| c.restarts);
        match (now, before) {
            (Some(now), Some(before)) => now.abs_diff(before),
            _ => 0,
        }
    }

    fn shape_of(&self, row: &Row, fresh: Option<&Counters>) -> Shape {
        let restarts = fresh.or(self.counters.as_ref()).and_then(|c| c.restarts);
        (sight_of(row), restarts)
    }

    /// What a run was restored from is certain only once its tasks run and the caches are past it.
    fn unread_start(&self, now: Ts) -> bool {
        self.healthy_at.is_some_and(|at| {
            now.since(at) >= CACHED && self.checkpoints_at.is_some_and(|read| read < at + CACHED)
        })
    }

    /// While checkpoints fail or do not come, the counters are too late to tell how old the last one
    /// is and how many failed: the history tells.
    fn wants_close_look(&self, fresh: Option<&Counters>, now: Ts) -> bool {
        let Some(policy) = self.policy else { return false };
        let Some(interval) = policy.interval_ms.max(policy.min_pause_ms) else { return false };
        let interval = Duration::from_millis(u64::try_from(interval).unwrap_or(0));
        if grew(fresh, self.counters.as_ref(), |c| c.completed_checkpoints) {
            return false;
        }
        let last = self.progress_at.unwrap_or(self.first_seen);
        let (lowest, highest) = OVERDUE_SLACK;
        let slack = (interval / 2).clamp(lowest, highest);
        let overdue = now.since(last) > interval.saturating_add(slack);
        let Some(read) = self.checkpoints_at else { return overdue };
        // The counter showed the last completion after it happened.
        let inexact = read < last;
        let again = now.since(read) >= interval.clamp(CLOSEST, CLOSE);
        (overdue && (inexact || again)) || (self.failing && again)
    }

    /// Takes in what the calls brought. `looked`: whether each call that was made was answered.
    pub(super) fn remember(&mut self, row: &Row, fresh: Option<&Counters>, look: &Look, now: Ts) {
        let calls = look.calls;
        let restarts = self.restart_delta(fresh);
        let checkpoint_failed = grew(fresh, self.counters.as_ref(), |c| c.failed_checkpoints);
        if grew(fresh, self.counters.as_ref(), |c| c.completed_checkpoints) {
            self.progress_at = Some(now);
        }
        self.failing = (self.failing || checkpoint_failed) && self.progress_at != Some(now);
        if calls.checkpoints && look.checkpoints_answered {
            self.checkpoints_at = Some(now);
        }
        // What was planned and failed, or was cut off, is planned again.
        self.checkpoints_due = (restarts > 0 || checkpoint_failed || self.checkpoints_due)
            && calls.checkpoints
            && !look.checkpoints_answered;
        match calls.exceptions {
            Some(_) if look.exceptions_answered => {
                let before = self.newest_failure;
                self.newest_failure = look.newest_failure.max(before);
                self.history_read = true;
                let expected = before.is_some() || !row.is_healthy();
                let first_try = self.exceptions_again.is_none();
                let silent = look.newest_failure <= before;
                self.exceptions_again =
                    (expected && silent && first_try && self.shape.is_some()).then(|| now + CACHED);
                self.exceptions_due = 0;
                self.shape = Some(self.shape_of(row, fresh));
            }
            Some(asked) => self.exceptions_due = self.exceptions_due.max(asked),
            None => self.shape = Some(self.shape_of(row, fresh)),
        }
        self.looked_at = Some(now);
        self.lower_since =
            if look.held_back { Some(self.lower_since.unwrap_or(now)) } else { None };
        if look.gone {
            self.gone = Some((now + ROUTINE, sight_of(row)));
        }
        if row.state.is_terminal() && calls != Calls::default() {
            self.terminal_looked(row, look, now);
        }
        if let Some(fresh) = fresh {
            self.counters = Some(fresh.clone());
        }
    }

    fn terminal_looked(&mut self, row: &Row, look: &Look, now: Ts) {
        let calls = look.calls;
        let answered = (!calls.checkpoints || look.checkpoints_answered)
            && (calls.exceptions.is_none() || look.exceptions_answered);
        self.terminal_looks = self.terminal_looks.saturating_add(1);
        let settled = self.terminal_since.is_some_and(|at| now.since(at) >= CACHED);
        // A run that ended before Weir came has been out of Flink's caches for long.
        let old = !self.seen_live && !row.state.is_live();
        self.terminal_done =
            (answered && (settled || old)) || self.terminal_looks >= TERMINAL_TRIES;
    }
}

/// How the calls of one run went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Look {
    pub(super) calls: Calls,
    pub(super) checkpoints_answered: bool,
    pub(super) exceptions_answered: bool,
    pub(super) newest_failure: Option<i64>,
    /// Numbers went back and were not believed.
    pub(super) held_back: bool,
    /// A call took too long; the run's other calls wait for the next poll.
    pub(super) timed_out: bool,
    /// Flink says there is no such job.
    pub(super) gone: bool,
}

fn sight_of(row: &Row) -> Sight {
    (row.state, row.last_modification, row.tasks)
}

fn grew(
    fresh: Option<&Counters>,
    last: Option<&Counters>,
    field: impl Fn(&Counters) -> Option<u64>,
) -> bool {
    match (fresh.and_then(&field), last.and_then(&field)) {
        (Some(now), Some(before)) => now > before,
        _ => false,
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
