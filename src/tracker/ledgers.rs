//! The ledgers of all jobs: they outlive the jobs they are about.

use std::collections::BTreeMap;
use std::time::Duration;

use super::ledger::{Told, plain_path};
use super::{Ledger, SourceTrack};
use crate::model::{Change, JobKey, Loaded, RunObservation, Time};

/// Rows are kept under this name, followed by the job's key.
const LEDGER: &str = "ledger/";
/// Of a job that is not watched any more, what it could be restored from is remembered this long
/// after its last checkpoint.
const KEEP: Duration = Duration::from_hours(24 * 30);
/// Ledgers of jobs that are not watched any more.
const MAX_ORPHANS: usize = 10_000;

/// By job.
#[derive(Debug, Default)]
pub(super) struct Ledgers(BTreeMap<JobKey, Ledger>);

impl Ledgers {
    /// Goes on where a former process was; a row that cannot be read is none.
    pub(super) fn restore(loaded: &Loaded) -> Ledgers {
        let rows = loaded.meta.iter();
        let read = rows.filter_map(|(name, body)| {
            let key = name.strip_prefix(LEDGER)?;
            Some((JobKey(key.to_owned()), serde_json::from_str(body).ok()?))
        });
        Ledgers(read.collect())
    }

    pub(super) fn get(&self, key: &JobKey) -> Option<&Ledger> {
        self.0.get(key)
    }

    /// Jobs that have recorded a path, or wrote it by its name.
    pub(super) fn whose<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a JobKey> {
        let owns = move |(_, ledger): &(&JobKey, &Ledger)| ledger.owns(path);
        self.0.iter().filter(owns).map(|(key, _)| key)
    }

    /// Takes in what a look says of the runs of one job; adds its row where it is time.
    pub(super) fn hear(
        &mut self,
        time: Time,
        key: &JobKey,
        source: &SourceTrack,
        runs: &[&RunObservation],
        changes: &mut Vec<Change>,
    ) {
        let ledger = self.0.entry(key.clone()).or_default();
        let to_wall = |at: i64| source.to_wall(at);
        // Flink lists the newest first; what came after what is told by when it began.
        let mut runs: Vec<&RunObservation> = runs.to_vec();
        runs.sort_by(|a, b| a.run.cmp(&b.run));
        for run in runs {
            ledger.hear(run, time.wall, &to_wall);
        }
        changes.extend(row(key, ledger, time));
    }

    /// Somebody looked for one.
    pub(super) fn checked(
        &mut self,
        time: Time,
        key: &JobKey,
        path: &str,
        there: bool,
    ) -> Option<Change> {
        let ledger = self.0.get_mut(key)?;
        ledger.checked(path, there);
        row(key, ledger, time)
    }

    /// Takes in what an inventory of this name has recorded of one job; adds its row where it is time.
    pub(super) fn told(
        &mut self,
        time: Time,
        key: &JobKey,
        (by, rows): (&str, &[Told<'_>]),
        owners: &mut Owners,
        changes: &mut Vec<Change>,
    ) {
        if rows.is_empty() {
            return;
        }
        let ledger = self.0.entry(key.clone()).or_default();
        ledger.told(by, rows, &mut |path| owners.take(key, path));
        changes.extend(row(key, ledger, time));
    }

    /// Whose each path is.
    pub(super) fn owners(&self) -> Owners {
        let of = |(key, ledger): (&JobKey, &Ledger)| {
            let paths = ledger.entries().map(|entry| plain_path(&entry.path));
            paths.map(|path| (path, key.clone())).collect::<Vec<_>>()
        };
        Owners(self.0.iter().flat_map(of).collect())
    }

    /// A run was started from this path; none: from nothing.
    pub(super) fn began(&mut self, key: &JobKey, run: &str, from: Option<&str>) {
        if let Some(ledger) = self.0.get_mut(key) {
            ledger.began(run, from);
        }
    }

    /// A run was stopped with a savepoint.
    pub(super) fn took_savepoint(
        &mut self,
        time: Time,
        key: &JobKey,
        run: &str,
        path: &str,
    ) -> Option<Change> {
        let ledger = self.0.entry(key.clone()).or_default();
        ledger.took_savepoint(time.wall, run, path);
        row(key, ledger, time)
    }

    /// A job goes by another name from now on.
    pub(super) fn rename(&mut self, from: &JobKey, to: &JobKey, changes: &mut Vec<Change>) {
        let Some(ledger) = self.0.remove(from) else { return };
        changes.push(Change::Meta { key: name(from), value: String::new() });
        // That of a job of this name that was forgotten long ago says less.
        if self.0.get(to).is_none_or(|known| known.newest() < ledger.newest()) {
            let value = serde_json::to_string(&ledger).unwrap_or_default();
            changes.push(Change::Meta { key: name(to), value });
            self.0.insert(to.clone(), ledger);
        }
    }

    /// Forgets those of jobs nobody watches any more when they are old, and the oldest of too many.
    pub(super) fn forget_old(
        &mut self,
        time: Time,
        is_watched: &dyn Fn(&JobKey) -> bool,
        changes: &mut Vec<Change>,
    ) {
        let mut orphans: Vec<_> = self
            .0
            .iter()
            .filter(|(key, _)| !is_watched(key))
            .map(|(key, ledger)| (ledger.newest(), key.clone()))
            .collect();
        orphans.sort();
        let surplus = orphans.len().saturating_sub(MAX_ORPHANS);
        for (place, (newest, key)) in orphans.into_iter().enumerate() {
            if place < surplus || newest.is_none_or(|at| time.wall.since(at) > KEEP) {
                self.0.remove(&key);
                changes.push(Change::Meta { key: name(&key), value: String::new() });
            }
        }
    }
}

/// The job each path is recorded under.
pub(super) struct Owners(BTreeMap<String, JobKey>);

impl Owners {
    /// The path is this job's, from now on if it was nobody's.
    fn take(&mut self, key: &JobKey, path: &str) -> bool {
        self.0.entry(plain_path(path)).or_insert_with(|| key.clone()) == key
    }
}

fn name(key: &JobKey) -> String {
    format!("{LEDGER}{}", key.0)
}

fn row(key: &JobKey, ledger: &mut Ledger, time: Time) -> Option<Change> {
    ledger.take_row(time.steady).map(|value| Change::Meta { key: name(key), value })
}
