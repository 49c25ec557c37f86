//! Telling failures apart: how many distinct ones a run had since it is watched.
//!
//! Three witnesses report the same failures, none completely: the exception history (exact times,
//! but a short list), the restart counter (complete, but late, counts rescales too, and not the
//! last failure that ends the job) and the count of restores. Each is aligned when it is first
//! heard; the number of failures is the highest any of them can vouch for, so that one failure
//! told three times counts once, and one told by a single witness still counts.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::model::{Failure, Ts};

/// Exception entries remembered, to recognise them when the list is read again.
const MAX_KNOWN: usize = 64;
/// The restart counter of a run that was running before the first look may be as old as the pause
/// in polling before it (the metric store refreshes on request, every ten seconds): its baseline
/// is taken only after this long.
const SETTLE_MS: i64 = 12_000;

/// The witnesses of one run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FailureCount {
    /// Exceptions up to this raw source time are older than the first look.
    count_after: Option<i64>,
    /// The run began while it was watched: its counters count from zero.
    from_start: bool,
    /// Exceptions counted so far: (raw source ms, hash of the task).
    known: BTreeSet<(i64, u64)>,
    /// Distinct exceptions counted.
    exceptions: u64,
    /// Source time up to which the counters already vouched for what the history had lost.
    vouched_until: Option<i64>,
    /// Restart counter when the count was `0`.
    restarts_base: Option<i64>,
    /// When the restart counter was first read, while settling.
    restarts_first: Option<Ts>,
    /// Highest restart counter read.
    restarts: Option<i64>,
    /// Restore count when the count was `0`.
    restores_base: Option<i64>,
    /// Distinct failures of this run.
    pub total: u64,
}

/// What one poll says about a run's failures.
#[derive(Debug, Clone, Default)]
pub struct Testimony<'a> {
    /// Restarts less rescales, if the counters were fresh.
    pub restarts: Option<i64>,
    /// Restores, if the checkpoint counts were fresh.
    pub restores: Option<i64>,
    /// The exception history, if it was fresh; newest first.
    pub exceptions: Option<&'a [Failure]>,
    /// The history may have dropped entries.
    pub truncated: bool,
    /// The source's own now, raw ms.
    pub source_now: i64,
    /// The run has just ended as FAILED: its last failure is no restart.
    pub died: bool,
}

/// What it added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Added {
    /// So many failures more.
    pub count: u64,
    /// Raw source times of those that are known, oldest first.
    pub times: Vec<i64>,
}

impl FailureCount {
    /// A run found at the first look: what it failed before does not count.
    pub fn found_running(first_look_source_ms: i64) -> FailureCount {
        FailureCount { count_after: Some(first_look_source_ms), ..FailureCount::default() }
    }

    /// A run that began while its source was watched: everything counts.
    pub fn from_start() -> FailureCount {
        FailureCount { from_start: true, restarts_base: Some(0), ..FailureCount::default() }
    }

    /// Hears the witnesses of one poll.
    pub fn hear(&mut self, now: Ts, said: &Testimony<'_>) -> Added {
        let mut times = Vec::new();
        let mut gap = said.truncated;
        if let Some(entries) = said.exceptions {
            let oldest_known = entries.last().is_some_and(|e| self.is_known(e));
            gap = said.truncated && !oldest_known;
            times = self.take_exceptions(entries);
        }
        let exact = said.exceptions.is_some() && !gap;
        let mut total = self.total.max(self.exceptions);
        let restarts = self.restarts_since_base(now, said.restarts, total);
        let restores = self.restores_since_base(said.restores, total);
        if exact && self.exceptions >= self.total {
            // A complete history vouches for every failure: what the counters show beyond it were
            // rescales, which restart a job without a failure.
            self.absorb(restarts.unwrap_or(0), restores.unwrap_or(0), total);
        } else if said.exceptions.is_some() || said.restarts.is_some() || said.restores.is_some() {
            let last = i64::from(said.died && !exact);
            let counted = restarts.map_or(0, |r| r + last).max(restores.map_or(0, |r| r + last));
            total = total.max(u64::try_from(counted).unwrap_or(0));
        }
        if said.died && total == 0 && !exact {
            total = 1;
        }
        let count = total - self.total;
        self.total = total;
        if said.exceptions.is_some() && gap && self.exceptions < total {
            // What the list has dropped will not come back: count on from here.
            self.exceptions = total;
            self.vouched_until = Some(said.source_now);
        }
        // Exceptions that only explain restarts counted before are not new failures.
        let keep = usize::try_from(count).unwrap_or(usize::MAX).min(times.len());
        times.drain(..times.len() - keep);
        Added { count, times }
    }

    fn is_known(&self, entry: &Failure) -> bool {
        self.count_after.is_some_and(|after| entry.at <= after)
            || self.known.contains(&(entry.at, task_hash(entry)))
    }

    fn take_exceptions(&mut self, entries: &[Failure]) -> Vec<i64> {
        let forgotten = match self.known.first() {
            Some((at, _)) if self.known.len() >= MAX_KNOWN => *at,
            _ => i64::MIN,
        };
        let mut times = Vec::new();
        for entry in entries.iter().rev() {
            if entry.at < forgotten || self.is_known(entry) {
                continue;
            }
            self.known.insert((entry.at, task_hash(entry)));
            if self.known.len() > MAX_KNOWN {
                self.known.pop_first();
            }
            // A cached answer may bring late what the counters vouched for before.
            if self.vouched_until.is_none_or(|until| entry.at > until) {
                self.exceptions += 1;
                times.push(entry.at);
            }
        }
        times
    }

    fn restarts_since_base(&mut self, now: Ts, fresh: Option<i64>, total: u64) -> Option<i64> {
        if let Some(value) = fresh {
            // Lower than before: an older store answered (another JobManager); not a reset.
            let value = self.restarts.map_or(value, |known| known.max(value));
            self.restarts = Some(value);
            if self.restarts_base.is_none() {
                let first = *self.restarts_first.get_or_insert(now);
                if now.0 - first.0 >= SETTLE_MS {
                    self.restarts_base = Some(value - total as i64);
                }
            }
        }
        Some(self.restarts? - self.restarts_base?)
    }

    fn restores_since_base(&mut self, fresh: Option<i64>, total: u64) -> Option<i64> {
        let value = fresh?;
        let base = *self.restores_base.get_or_insert(value - total as i64);
        Some(value - base)
    }

    fn absorb(&mut self, restarts: i64, restores: i64, total: u64) {
        let total = total as i64;
        if restarts > total
            && let Some(base) = &mut self.restarts_base
        {
            *base += restarts - total;
        }
        if restores > total
            && let Some(base) = &mut self.restores_base
        {
            *base += restores - total;
        }
    }
}

fn task_hash(entry: &Failure) -> u64 {
    // FNV-1a: stable across versions and processes, unlike the standard hasher.
    let task = entry.task.as_deref().unwrap_or_default();
    task.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
