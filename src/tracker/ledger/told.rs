//! What an inventory tells of a job's checkpoints, beside what Flink itself showed.
//!
//! A row in its table says that there was one, not that it still is: such an entry is never more than
//! `maybe` until somebody looked. What Flink shows of the same path replaces it. It finds its place by
//! the run its path names and by its time, so that what a person went back to stays what is gone back
//! to, whoever tells of what is newer.

use std::cmp::Reverse;

use super::path::{digits_in, run_in, same_path};
use super::{Ledger, MAX_PERIODIC, MAX_RUNS, MAX_SAVEPOINTS, Recorded, Standing, Wrote};
use crate::model::Ts;

/// One row of its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::tracker) struct Told<'a> {
    pub(in crate::tracker) id: Option<u64>,
    pub(in crate::tracker) path: &'a str,
    pub(in crate::tracker) savepoint: bool,
    /// Wall time at which it was triggered; where that is not sure, no earlier than it was.
    pub(in crate::tracker) at: Ts,
    /// That time is sure.
    pub(in crate::tracker) sure: bool,
}

fn most(savepoint: bool) -> usize {
    if savepoint { MAX_SAVEPOINTS } else { MAX_PERIODIC }
}

impl Ledger {
    /// Takes in what the inventory of this name has recorded. `is_free`: it is not another job's.
    pub(in crate::tracker) fn told(
        &mut self,
        by: &str,
        rows: &[Told<'_>],
        is_free: &mut dyn FnMut(&str) -> bool,
    ) {
        // Checkpoints first: they name their run in full.
        for savepoint in [false, true] {
            let mut rows: Vec<&Told<'_>> =
                rows.iter().filter(|row| row.savepoint == savepoint).collect();
            rows.sort_by_key(|row| Reverse((row.at, row.id)));
            for (place, row) in rows.into_iter().enumerate() {
                self.take(by, row, place == 0, is_free);
            }
        }
        self.trim();
    }

    /// When what is at this path completed, by Flink's own word.
    pub(in crate::tracker) fn shown_at(&self, path: &str) -> Option<Ts> {
        let shown = self.entries.iter().filter(|entry| entry.told_by.is_none());
        shown.filter(|entry| entry.path == path).find_map(|entry| entry.completed_at)
    }

    /// Flink itself speaks of this path: what was told of it counts no more.
    pub(super) fn replace_hearsay(&mut self, path: &str, discarded: bool) {
        let of_it = |entry: &Recorded| {
            let told = entry.told_by.is_some() && entry.standing != Standing::Gone;
            told && same_path(&entry.path, path)
        };
        let Some(place) = self.entries.iter().position(of_it) else { return };
        self.dirty = true;
        match self.entries.get_mut(place).filter(|_| discarded) {
            // Kept as what it is: it may be told of again.
            Some(entry) => entry.standing = Standing::Gone,
            None => drop(self.entries.remove(place)),
        }
    }

    fn take(
        &mut self,
        by: &str,
        row: &Told<'_>,
        is_newest: bool,
        is_free: &mut dyn FnMut(&str) -> bool,
    ) {
        let run = self.run_of(row.path);
        let at = self.time_of(row, &run);
        if let Some(known) = self.entries.iter_mut().find(|e| same_path(&e.path, row.path)) {
            let better = row.sure || known.completed_at.is_none_or(|known| at < known);
            if known.told_by.is_some() && better && known.completed_at != Some(at) {
                known.completed_at = Some(at);
                self.dirty = true;
            }
            return;
        }
        let ended = self.runs.iter().find(|wrote| wrote.run == run);
        let ended = ended.and_then(|wrote| wrote.keeps(wrote.ended?));
        let is_deleted = !row.savepoint && ended == Some(false);
        if is_deleted || !self.has_room(row.savepoint, at, is_newest) || !is_free(row.path) {
            return;
        }
        // One that may be older than it seems is not put before others.
        if row.sure {
            self.note_run(&run, at);
        }
        self.dirty = true;
        self.entries.push(Recorded {
            id: row.id,
            path: row.path.to_owned(),
            savepoint: row.savepoint,
            completed_at: Some(at),
            size: None,
            run,
            standing: Standing::Maybe,
            told_by: Some(by.to_owned()),
        });
    }

    /// The run that wrote it, as far as its path tells; empty: it does not.
    fn run_of(&self, path: &str) -> String {
        if let Some(run) = run_in(path) {
            return run.to_owned();
        }
        let Some(digits) = digits_in(path) else { return String::new() };
        let mut runs = self.runs.iter().filter(|wrote| wrote.run.starts_with(digits));
        match (runs.next(), runs.next()) {
            (Some(wrote), None) => wrote.run.clone(),
            _ => String::new(),
        }
    }

    /// Its time: a lower number of a run was there before a higher one.
    fn time_of(&self, row: &Told<'_>, run: &str) -> Ts {
        let later = |entry: &&Recorded| {
            !run.is_empty()
                && entry.run == run
                && entry.id.zip(row.id).is_some_and(|(known, own)| known > own)
        };
        let bound = self.entries.iter().filter(later).filter_map(|entry| entry.completed_at).min();
        bound.map_or(row.at, |bound| bound.min(row.at))
    }

    /// There is a free place, or it is newer than all there are.
    fn has_room(&self, savepoint: bool, at: Ts, is_newest: bool) -> bool {
        let of_kind = || self.entries.iter().filter(|entry| entry.savepoint == savepoint);
        of_kind().count() < most(savepoint)
            || (is_newest && of_kind().all(|entry| entry.completed_at < Some(at)))
    }

    /// A run nobody saw came after those that had begun by then. Of one before all that are known the
    /// times of its entries tell enough.
    fn note_run(&mut self, run: &str, at: Ts) {
        if run.is_empty() || self.runs.iter().any(|wrote| wrote.run == run) {
            return;
        }
        let had_begun = |wrote: &Wrote| match wrote.began {
            Some(began) => began <= at,
            None => self.entries.iter().any(|entry| {
                entry.run == wrote.run && entry.completed_at.is_some_and(|known| known <= at)
            }),
        };
        let place = self.runs.iter().rposition(had_begun);
        if let Some(place) = place {
            self.runs.insert(place + 1, Wrote::new(run, None));
        }
    }

    /// Keeps to the bounds. What was deleted goes first, then what was only told of, then the oldest.
    pub(super) fn trim(&mut self) {
        for savepoint in [false, true] {
            while let Some(victim) = self.surplus(savepoint) {
                self.entries.remove(victim);
            }
        }
        while self.runs.len() > MAX_RUNS {
            self.runs.remove(0);
        }
    }

    fn surplus(&self, savepoint: bool) -> Option<usize> {
        let of_kind = || {
            self.entries.iter().enumerate().filter(move |(_, entry)| entry.savepoint == savepoint)
        };
        if of_kind().count() <= most(savepoint) {
            return None;
        }
        let gone = of_kind().find(|(_, entry)| entry.standing == Standing::Gone);
        let newest = of_kind().filter_map(|(_, entry)| entry.completed_at).max();
        let told = || {
            let told = of_kind().filter(|(_, entry)| entry.told_by.is_some());
            told.filter(|(_, e)| e.completed_at < newest).min_by_key(|(_, e)| e.completed_at)
        };
        gone.or_else(told).or_else(|| of_kind().next()).map(|(place, _)| place)
    }
}

#[cfg(test)]
#[path = "told_tests.rs"]
mod tests;
