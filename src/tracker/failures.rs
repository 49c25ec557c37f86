//! Telling failures apart: how many distinct ones a run had since it is watched.
//!
//! Four witnesses report the same failures, none completely: the exception history (exact times,
//! but a short list), the restart counter (complete, but late, counts rescales too, and not the
//! last failure that ends the job), the count of restores, and the attempt number in a task's name.
//! While the history is whole, it alone counts, and what the others show beyond it were rescales.
//! Once it has a hole (more happened between two looks than it lists, or it could not be read), the
//! number of failures is the highest any witness can vouch for, so that one failure told four times
//! counts once, and one told by a single witness still counts.

use serde::{Deserialize, Serialize};

use crate::model::{Failure, Seen, Ts};

/// Exception entries remembered at least, to recognise them when the list is read again.
const MAX_KNOWN: usize = 64;
/// The restart counter of a run that was running before the first look may be as old as the pause
/// in polling before it (the metric store refreshes on request, every ten seconds): its baseline
/// is taken only after this long.
const SETTLE_MS: i64 = 12_000;
/// No witness has moved for so long while the run runs: all of them have said what they know.
const QUIET_MS: i64 = 25_000;

/// The hash of no task: a global failure, or one Flink has not put into its history yet.
const NO_TASK: u64 = 0xcbf2_9ce4_8422_2325;
/// In place of a task's hash: the failure that ended the run. There is one, whatever its times: the
/// history has that of the end, Flink's root exception that of its cause.
const GAVE_UP: u64 = 1;
/// Tasks that fail within this time of each other failed of the same cause.
const AT_ONCE_MS: i64 = 1_000;
/// A root exception may bear a time so much later than its entry in the history.
const STAMPED_LATE_MS: i64 = 500;

/// A source's now this far before a former one is a clock that was set back.
const CLOCK_STEP_MS: i64 = 60_000;

/// The witnesses of one run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FailureCount {
    /// Exceptions up to this raw source time are older than the first look.
    count_after: Option<i64>,
    /// Exceptions seen so far, in the order they were read: (raw source ms, hash of the task, or
    /// one of the two marks below).
    known: Vec<(i64, u64)>,
    /// Distinct exceptions counted.
    exceptions: u64,
    /// The history was read at least once.
    read: bool,
    /// The last try to read the history failed.
    unread: bool,
    /// The history has lost entries nobody read, and the counters have not yet told how many.
    hole: bool,
    /// Steady time when any witness last moved.
    moved: Option<Ts>,
    /// Restart counter when the count was `0`.
    restarts_base: Option<i64>,
    /// When the restart counter was first read, while settling.
    restarts_first: Option<Ts>,
    /// Highest restart counter read.
    restarts: Option<i64>,
    /// Restore count when the count was `0`.
    restores_base: Option<i64>,
    /// Highest restore count read.
    restores: Option<i64>,
    /// Attempt number of a task when the count was `0`.
    attempts_base: Option<i64>,
    /// Distinct failures of this run.
    pub total: u64,
}

/// What one poll says about a run's failures.
#[derive(Debug, Clone, Default)]
pub struct Testimony<'a> {
    /// Restarts less rescales, if the counters were fresh.
    pub restarts: Option<i64>,
    /// The run was rescaled at least once.
    pub rescaled: bool,
    /// Restores, if the checkpoint counts were fresh.
    pub restores: Option<i64>,
    /// The exception history, newest first.
    pub exceptions: Seen<&'a [Failure]>,
    /// The history may have dropped entries.
    pub truncated: bool,
    /// The source's own now, raw ms.
    pub source_now: i64,
    /// The run has just ended as FAILED: its last failure is no restart.
    pub died: bool,
    /// The run is RUNNING: no restart is pending.
    pub running: bool,
}

/// What it added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Added {
    /// So many failures more.
    pub count: u64,
    /// Raw source times of those that are known, oldest first.
    pub times: Vec<i64>,
    /// Raw source times of exceptions read now whose failures had been counted before, by a witness
    /// that could not tell what they were; oldest first.
    pub explained: Vec<i64>,
}

impl FailureCount {
    /// A run found at the first look: what it failed before does not count.
    pub fn found_running(first_look_source_ms: i64) -> FailureCount {
        FailureCount { count_after: Some(first_look_source_ms), ..FailureCount::default() }
    }

    /// A run that began while its source was watched: everything counts.
    pub fn from_start() -> FailureCount {
        FailureCount {
            restarts_base: Some(0),
            // A run that starts from a savepoint has been restored once already.
            restores_base: None,
            attempts_base: Some(0),
            ..FailureCount::default()
        }
    }

    /// Hears the witnesses of one poll.
    pub fn hear(&mut self, now: Ts, said: &Testimony<'_>) -> Added {
        let before = (self.restarts, self.restores, self.exceptions);
        if self.count_after.is_some_and(|after| said.source_now + CLOCK_STEP_MS < after) {
            // The source's clock was set back: its times no longer tell old from new.
            self.count_after = None;
        }
        self.hear_restarts(now, said.restarts);
        self.hear_restores(said.restores);
        let mut times = Vec::new();
        let mut attempts = None;
        match &said.exceptions {
            Seen::Fresh(entries) => {
                self.hole |= said.truncated && !entries.iter().any(|e| self.is_known(e, entries));
                (self.read, self.unread) = (true, false);
                (times, attempts) = self.take_exceptions(entries, said.rescaled);
            }
            Seen::Unknown => self.unread = true,
            Seen::NotAsked | Seen::NotApplicable => {}
        }
        if before != (self.restarts, self.restores, self.exceptions) {
            self.moved = Some(now);
        }
        let mut total = self.total.max(self.exceptions);
        if self.hole || self.unread || !self.read {
            let last = i64::from(said.died);
            let aligned = |value: Option<i64>, base: Option<i64>| Some(value? - base? + last);
            let restarts = aligned(self.restarts, self.restarts_base);
            let restores = aligned(self.restores, self.restores_base);
            let counted = restarts.max(restores).max(attempts).unwrap_or(0);
            total = total.max(u64::try_from(counted).unwrap_or(0));
        } else {
            // What a counter showed before the history was read, and the history does not.
            let explained = matches!(said.exceptions, Seen::Fresh(_));
            if explained {
                absorb(&mut self.restarts_base, before.0, total);
                absorb(&mut self.restores_base, before.1, total);
            }
        }
        if said.died {
            total = total.max(1);
        }
        let count = total - self.total;
        self.total = total;
        let quiet = self.moved.is_none_or(|at| now.0 - at.0 >= QUIET_MS);
        if self.hole && quiet && said.running && said.restarts.is_some() {
            self.hole = false;
            self.exceptions = total;
        }
        // Exceptions that only explain restarts counted before are not new failures.
        let keep = usize::try_from(count).unwrap_or(usize::MAX).min(times.len());
        let explained = times.drain(..times.len() - keep).collect();
        Added { count, times, explained }
    }

    fn is_known(&self, entry: &Failure, list: &[Failure]) -> bool {
        self.count_after.is_some_and(|after| entry.at <= after)
            || self.place_of(entry, list).is_some()
    }

    /// Where an entry stands among those that are known. Up to 1.18 a failure has no task until its
    /// restart happens; entries of one list are different failures.
    fn place_of(&self, entry: &Failure, list: &[Failure]) -> Option<usize> {
        let hash = task_hash(entry);
        let exact = self.known.iter().position(|known| *known == (entry.at, hash));
        let listed = |(at, known): &(i64, u64)| {
            let is_it = |e: &Failure| e.at == *at && (*at != entry.at || task_hash(e) == *known);
            list.iter().any(is_it)
        };
        let same = |(at, known): &(i64, u64)| {
            let late = match (*known, hash) {
                (GAVE_UP, _) | (_, GAVE_UP) => return *known == hash || *at == entry.at,
                (NO_TASK, NO_TASK) => return false,
                (NO_TASK, _) => at - entry.at,
                (_, NO_TASK) => return *at == entry.at,
                _ => return false,
            };
            (0..=STAMPED_LATE_MS).contains(&late)
        };
        exact.or_else(|| {
            let near = |(_, known): &(usize, &(i64, u64))| same(known) && !listed(known);
            let found = self.known.iter().enumerate().filter(near);
            found.min_by_key(|(_, (at, _))| at.abs_diff(entry.at)).map(|(place, _)| place)
        })
    }

    /// Counts new entries; returns their times, and how many failures the attempt numbers in the
    /// list vouch for.
    fn take_exceptions(&mut self, entries: &[Failure], rescaled: bool) -> (Vec<i64>, Option<i64>) {
        let mut times = Vec::new();
        let siblings = siblings(entries);
        for (entry, sibling) in entries.iter().zip(&siblings).rev() {
            let hash = task_hash(entry);
            if let Some(place) = self.place_of(entry, entries) {
                if self.known[place].1 == NO_TASK {
                    // The next one without a task is another failure.
                    self.known[place] = (entry.at, hash);
                }
                continue;
            }
            if self.count_after.is_some_and(|after| entry.at <= after) {
                self.known.push((entry.at, hash));
                continue;
            }
            if self.attempts_base.is_none()
                && let Some(attempt) = attempt_of(entry)
            {
                let first = attempt - self.exceptions as i64;
                // Attempts before the first listed entry may have been lost: a restart gives every
                // task of its region a new attempt, and never more than one.
                let restarts = self.restarts_base.filter(|_| !rescaled);
                self.attempts_base = Some(restarts.map_or(first, |r| r.min(first)));
            }
            self.known.push((entry.at, hash));
            if *sibling {
                continue;
            }
            self.exceptions += 1;
            times.push(entry.at);
        }
        let keep = MAX_KNOWN.max(entries.len());
        self.known.drain(..self.known.len().saturating_sub(keep));
        let base = self.attempts_base;
        let mut newer = 0;
        let vouched = entries.iter().zip(&siblings).filter_map(|(entry, sibling)| {
            // Attempts begin at 0; whatever is newer in the list came on top, with an attempt or
            // without, as the failure Flink gave up after.
            let on_top = newer;
            newer += i64::from(!sibling);
            Some(attempt_of(entry)? + 1 - base? + on_top)
        });
        (times, vouched.max())
    }

    fn hear_restarts(&mut self, now: Ts, fresh: Option<i64>) {
        let Some(value) = fresh else { return };
        // Lower than before: an older store answered (another JobManager); not a reset.
        let value = self.restarts.map_or(value, |known| known.max(value));
        self.restarts = Some(value);
        if self.restarts_base.is_none() {
            let first = *self.restarts_first.get_or_insert(now);
            if now.0 - first.0 >= SETTLE_MS {
                // It is a poll late, so what it shows is what was counted up to the last poll.
                self.restarts_base = Some(value - self.total as i64);
            }
        }
    }

    fn hear_restores(&mut self, fresh: Option<i64>) {
        let Some(value) = fresh else { return };
        self.restores = Some(self.restores.map_or(value, |known| known.max(value)));
        let total = self.total as i64;
        self.restores_base.get_or_insert(value - total);
    }
}

fn absorb(base: &mut Option<i64>, counter: Option<i64>, total: u64) {
    if let (Some(base), Some(counter)) = (base, counter) {
        *base = (*base).max(counter - total as i64);
    }
}

/// Which entries (newest first) are the same failure as an older one: a lost `TaskManager` fails all
/// tasks on it at once, each with an entry of its own where they restart one by one.
fn siblings(entries: &[Failure]) -> Vec<bool> {
    let mut found = vec![false; entries.len()];
    let mut group: Option<(i64, Vec<&str>)> = None;
    for (entry, sibling) in entries.iter().zip(&mut found).rev() {
        let Some(task) = entry.task.as_deref().filter(|_| !entry.gave_up) else {
            group = None;
            continue;
        };
        let task = task.rsplit_once(" - execution #").map_or(task, |(stem, _)| stem);
        match &mut group {
            Some((at, tasks)) if entry.at - *at <= AT_ONCE_MS && !tasks.contains(&task) => {
                tasks.push(task);
                *sibling = true;
            }
            _ => group = Some((entry.at, vec![task])),
        }
    }
    found
}

/// The number in `slow-map (1/1) - execution #139`.
fn attempt_of(entry: &Failure) -> Option<i64> {
    let (_, number) = entry.task.as_deref()?.rsplit_once("execution #")?;
    number.trim().parse().ok()
}

fn task_hash(entry: &Failure) -> u64 {
    if entry.gave_up {
        return GAVE_UP;
    }
    // FNV-1a: stable across versions and processes, unlike the standard hasher.
    let task = entry.task.as_deref().unwrap_or_default();
    task.bytes()
        .fold(NO_TASK, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
#[path = "failures_tests.rs"]
mod tests;
