//! Checkpoints that an inventory has recorded, given to the ledgers of the jobs it knows.
//!
//! Its table has times and no zone: StreamPark's are those of its driver for MySQL (`serverTimezone`), or
//! of its own process. One zone holds for all rows of an inventory, and it shows: a path that Flink
//! itself has told of has Flink's time too, and no row is of the future.

use std::collections::BTreeMap;

use super::ledger::Told;
use super::{By, JobTrack, Tracker};
use crate::model::{Change, InventoryCheckpoint, JobKey, Time, Ts};

const QUARTER_MS: i64 = 15 * 60_000;
const DAY_MS: i64 = 96 * QUARTER_MS;
/// Clocks may be apart by this.
const SLACK_MS: i64 = 60_000;
/// Zones there are, in ms before and after UTC.
const ZONES: [i64; 2] = [-48 * QUARTER_MS, 56 * QUARTER_MS];

/// How far the times of a table are ahead of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Zone {
    ms: i64,
    /// Flink's own word shows it; else the times may be earlier than they seem.
    sure: bool,
}

/// The smallest zone in which what the table calls `local` was no later than `wall`.
fn at_least(local: i64, wall: Ts) -> i64 {
    let apart = local.saturating_sub(wall.0).saturating_sub(SLACK_MS);
    let up = apart.div_euclid(QUARTER_MS) + i64::from(apart.rem_euclid(QUARTER_MS) > 0);
    up.saturating_mul(QUARTER_MS).clamp(ZONES[0], ZONES[1])
}

impl Tracker {
    /// Gives what an inventory has recorded to the ledgers of its jobs. A job that is known by its name
    /// alone may be another one: it is given nothing.
    pub(super) fn tell_ledgers(&mut self, time: Time, name: &str, changes: &mut Vec<Change>) {
        let Tracker { inventories, jobs, ledgers, .. } = self;
        let Some(track) = inventories.get(name).filter(|track| !track.recorded.is_empty()) else {
            return;
        };
        let mut by_entry: BTreeMap<&str, Vec<&InventoryCheckpoint>> = BTreeMap::new();
        for row in &track.recorded {
            by_entry.entry(&row.entry).or_default().push(row);
        }
        let rows_of = |job: &JobTrack| {
            let known = job.inventory.as_ref()?;
            let is_sure = known.source == name && known.by > By::Name;
            by_entry.get(known.entry.id.as_str()).filter(|_| is_sure)
        };
        let known: Vec<(&JobKey, &Vec<&InventoryCheckpoint>)> =
            jobs.iter().filter_map(|(key, job)| Some((key, rows_of(job)?))).collect();
        let both = known.iter().flat_map(|(key, rows)| {
            let ledger = ledgers.get(key);
            rows.iter().filter_map(move |row| Some((row.local_ms?, ledger?.shown_at(&row.path)?)))
        });
        let newest = track.recorded.iter().filter_map(|row| row.local_ms).max();
        let zone = zone(both, newest, time.wall);
        let mut owners = ledgers.owners();
        for (key, rows) in known {
            let rows: Vec<Told<'_>> = rows.iter().filter_map(|row| told(row, zone)).collect();
            ledgers.told(time, key, (name, &rows), &mut owners, changes);
        }
    }
}

/// The zone, from times in the table beside Flink's own of the same checkpoint, and from the newest row.
/// Each of them is a lower bound: what completed was triggered before, and what was first seen later
/// than it completed seems to be younger. Of a clock that is put forward and back with the seasons the
/// last day counts.
fn zone(both: impl Iterator<Item = (i64, Ts)>, newest: Option<i64>, now: Ts) -> Zone {
    let least = newest.map_or(0, |newest| at_least(newest, now));
    let both: Vec<(i64, Ts)> = both.collect();
    let since = both.iter().map(|(local, _)| local.saturating_sub(DAY_MS)).max();
    let recent = both.iter().filter(|(local, _)| Some(*local) >= since);
    match recent.map(|(local, completed)| at_least(*local, *completed)).max() {
        Some(shown) => Zone { ms: shown.max(least), sure: true },
        None => Zone { ms: least, sure: false },
    }
}

fn told(row: &InventoryCheckpoint, zone: Zone) -> Option<Told<'_>> {
    let at = Ts(row.local_ms?.saturating_sub(zone.ms));
    let InventoryCheckpoint { id, path, savepoint, .. } = row;
    Some(Told { id: *id, path, savepoint: *savepoint, at, sure: zone.sure })
}

#[cfg(test)]
#[path = "recorded_tests.rs"]
mod tests;
