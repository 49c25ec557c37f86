//! What inventories say, joined to the jobs that platforms show.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::matching::{self, By, Candidate};
use super::{JobTrack, Tracker};
use crate::model::{
    Change, Completeness, InventoryCheckpoint, InventoryEntry, JobKey, Says, Snapshot, Time, Ts,
};

/// Conflicts and jobs nobody shows are told up to this many.
const MOST_TOLD: usize = 20;

/// What an inventory says about a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventoried {
    /// Configured name of the inventory.
    pub source: String,
    /// What it says.
    pub entry: Arc<InventoryEntry>,
    /// How the job was found.
    pub by: By,
    /// Steady time of its last word; none since Weir began.
    #[serde(skip)]
    pub heard: Option<Ts>,
}

impl Inventoried {
    /// It says what the other one says, whenever that was.
    pub(super) fn is_same(&self, other: &Inventoried) -> bool {
        (&self.source, &self.entry, self.by) == (&other.source, &other.entry, other.by)
    }
}

/// An inventory as of its last look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InventoryTrack {
    /// What it said.
    pub entries: Vec<Arc<InventoryEntry>>,
    /// How many of them are jobs that a platform shows.
    pub matched: usize,
    /// Entries that should run and that no platform shows, up to a few, by name.
    pub unseen: Vec<String>,
    /// Checkpoints and savepoints it has recorded.
    pub(super) recorded: Vec<InventoryCheckpoint>,
    /// What could not be joined, or looks strange, in words, up to a few.
    pub conflicts: Vec<String>,
    /// It had more entries than were taken: one that is missing may be there.
    partial: bool,
    /// Steady time of that look.
    heard: Ts,
}

impl InventoryTrack {
    /// Other entries; those that say what they said before stay the very same.
    fn take(&mut self, said: &[InventoryEntry]) {
        let before = std::mem::take(&mut self.entries);
        let known = |(at, entry): (usize, &InventoryEntry)| {
            let same = before.get(at).filter(|before| ***before == *entry);
            same.map_or_else(|| Arc::new(entry.clone()), Arc::clone)
        };
        self.entries = said.iter().enumerate().map(known).collect();
    }
}

impl Tracker {
    /// Takes in what an inventory said; else only finds the entries of jobs that are new.
    pub(super) fn fold_inventory(
        &mut self,
        time: Time,
        snapshot: &Snapshot,
        is_new: bool,
        changes: &mut Vec<Change>,
    ) {
        let name = &snapshot.source;
        let shows_nothing = snapshot.runs.is_empty() && snapshot.clusters.is_empty();
        let speaks = !snapshot.inventory.is_empty()
            || self.inventories.contains_key(name)
            || (shows_nothing && self.has_entries_of(name));
        if speaks {
            let track = self.inventories.entry(name.clone()).or_default();
            track.take(&snapshot.inventory);
            let recorded = track.recorded != snapshot.recorded;
            if recorded {
                track.recorded.clone_from(&snapshot.recorded);
            }
            track.partial = snapshot.completeness != Completeness::Complete;
            track.heard = time.steady;
            let joined = self.join(name, changes);
            if recorded || joined {
                self.tell_ledgers(time, name, changes);
            }
        } else if is_new {
            let names: Vec<String> = self.inventories.keys().cloned().collect();
            for name in names {
                self.join(&name, changes);
                self.tell_ledgers(time, &name, changes);
            }
        }
    }

    /// Forgets inventories that left the configuration.
    pub(super) fn retain_inventories(
        &mut self,
        names: &BTreeSet<String>,
        changes: &mut Vec<Change>,
    ) {
        self.inventories.retain(|name, _| names.contains(name));
        for (key, job) in &mut self.jobs {
            let gone = job.inventory.as_ref().is_some_and(|found| !names.contains(&found.source));
            if gone && job.set_inventory(None) {
                changes.push(job.row(key));
            }
        }
    }

    fn has_entries_of(&self, name: &str) -> bool {
        let of = |job: &JobTrack| job.inventory.as_ref().is_some_and(|i| i.source == name);
        self.jobs.values().any(|job| of(job))
    }

    /// Joins the entries of one inventory to the jobs there are; whether that changed what is known
    /// of any.
    fn join(&mut self, name: &str, changes: &mut Vec<Change>) -> bool {
        let Some(mut track) = self.inventories.remove(name) else { return false };
        let known = changes.len();
        let found = {
            let keyed: Vec<(&JobKey, &JobTrack)> = self.jobs().collect();
            let candidates: Vec<Candidate<'_>> =
                keyed.iter().map(|(key, job)| candidate(key, job)).collect();
            let found = matching::matched(&track.entries, &candidates);
            track.conflicts = found.conflicts;
            let pair = |(entry, job, by): (usize, usize, By)| {
                Some((keyed.get(job)?.0.clone(), (entry, by)))
            };
            found.pairs.into_iter().filter_map(pair).collect::<BTreeMap<_, _>>()
        };
        for (key, job) in &mut self.jobs {
            let theirs = job.inventory.as_ref().is_some_and(|known| known.source == name);
            let Some((entry, by)) = found.get(key) else {
                if theirs && !track.partial && job.set_inventory(None) {
                    changes.push(job.row(key));
                }
                continue;
            };
            let Some(entry) = track.entries.get(*entry) else { continue };
            // Of two inventories that know a job, the one that is surer of it counts.
            let other = job.inventory.as_ref().filter(|known| !theirs && known.by >= *by);
            if let Some(other) = other.filter(|other| other.heard.is_some()) {
                let other = &other.source;
                track.conflicts.push(format!("job {key} is known to {other} too, which counts"));
                continue;
            }
            let heard = Some(track.heard);
            let inventoried =
                Inventoried { source: name.to_owned(), entry: Arc::clone(entry), by: *by, heard };
            if job.set_inventory(Some(inventoried)) {
                changes.push(job.row(key));
            }
        }
        track.matched = found.len();
        let shown: BTreeSet<usize> = found.values().map(|(entry, _)| *entry).collect();
        let unseen = track.entries.iter().enumerate();
        let unseen = unseen.filter(|(at, entry)| entry.says == Says::Runs && !shown.contains(at));
        track.unseen = unseen.map(|(_, entry)| entry.name.clone()).take(MOST_TOLD).collect();
        bound(&mut track.conflicts);
        self.inventories.insert(name.to_owned(), track);
        changes.len() > known
    }

    /// An inventory as of its last look.
    pub fn inventory(&self, name: &str) -> Option<&InventoryTrack> {
        self.inventories.get(name)
    }
}

fn bound(told: &mut Vec<String>) {
    let more = told.len().saturating_sub(MOST_TOLD);
    if more > 0 {
        told.truncate(MOST_TOLD);
        told.push(format!("and {more} more"));
    }
}

fn candidate<'a>(key: &'a JobKey, job: &'a JobTrack) -> Candidate<'a> {
    let run = job.current();
    let labelled = job.labels.0.values().find_map(|value| matching::application_in(value));
    let linked = run.and_then(|run| run.ui_url.as_deref()).and_then(matching::application_in);
    Candidate {
        key,
        names: [&job.name, &job.flink_job_name],
        namespace: &job.namespace,
        flink_cluster: &job.flink_cluster,
        application_id: labelled.or(linked),
        job_id: run.map_or("", |run| run.id.job_id.as_str()),
    }
}

#[cfg(test)]
#[path = "inventory_tests.rs"]
mod tests;
