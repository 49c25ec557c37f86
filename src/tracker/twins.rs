//! A run that several sources show is one job, named by one of them.
//!
//! A platform (YARN, Kubernetes) names a job by its deployment, Flink only by the job itself: where
//! both show a run, the platform's job is the job, and what the other source says stands beside it.
//! Of two sources that name alike, the one that showed it first goes on. One in trouble keeps its name
//! until that is over: its incident is told under it.
//!
//! Whoever shows a new run first is chance. So a run that a platform had no time to show waits for its
//! next look, for a minute at most. And while the source of a job does not show it, the job is seen by
//! the other one.

use std::collections::{BTreeMap, BTreeSet};

use super::whose::{InTrouble, Look, Whose, has};
use super::{Folded, Tracker};
use crate::model::{Change, JobKey, JobState, RunObservation, SeenBy, Snapshot, Time, Ts};

/// All runs of one job in one look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group<'a> {
    pub(super) key: &'a JobKey,
    pub(super) runs: &'a [&'a RunObservation],
    /// Seen for the first time at the first look at its source.
    pub(super) first_look: bool,
}

/// Which jobs are shown by another source than the one that names them.
#[derive(Debug, Default)]
pub(super) struct Twins {
    pub(super) platforms: BTreeSet<String>,
    /// By the key they would have: the source that shows them, and the job they are.
    pub(super) of: BTreeMap<JobKey, (String, JobKey)>,
    /// Jobs nobody has named yet, by the key they would have.
    pub(super) waiting: BTreeMap<JobKey, Waiting>,
}

/// A job nobody has named yet.
#[derive(Debug)]
pub(super) struct Waiting {
    source: String,
    pub(super) since: Ts,
    pub(super) first_look: bool,
}

impl Tracker {
    /// Which sources are platforms, as the configuration says.
    pub fn set_platforms(&mut self, names: BTreeSet<String>) {
        self.twins.platforms = names;
    }

    /// Takes out of a look what another source names, or may yet: what is left is the source's own.
    pub(super) fn without_twins<'a>(
        &mut self,
        time: Time,
        snapshot: &Snapshot,
        groups: impl Iterator<Item = Group<'a>>,
        in_trouble: InTrouble<'_>,
        folded: &mut Folded,
    ) -> Vec<Group<'a>> {
        let groups: Vec<Group<'a>> = groups.collect();
        let source = snapshot.source.as_str();
        let owners = self.owners(source, &groups, in_trouble);
        let look = Look { time, source, owners, in_trouble };
        let mut own = Vec::with_capacity(groups.len());
        for mut group in groups {
            let whose = self.whose(&look, &group);
            let waited = match whose {
                Whose::Nobodys => None,
                _ => self.twins.waiting.remove(group.key),
            };
            match whose {
                Whose::Own => {
                    group.first_look |= waited.is_some_and(|waited| waited.first_look);
                    own.push(group);
                }
                Whose::Taken(others) => {
                    for other in &others {
                        self.ledgers.rename(other, group.key, &mut folded.changes);
                        self.forget(other, folded);
                    }
                    own.push(group);
                }
                Whose::Others(others) => {
                    if let Some(first) = others.first() {
                        self.ledgers.rename(group.key, first, &mut folded.changes);
                    }
                    self.forget(group.key, folded);
                    for other in &others {
                        let runs = self.runs_of(other, &group, &look, others.len() == 1);
                        self.see_twin(time, snapshot, &group, &runs, other, folded);
                    }
                    let first = others.into_iter().next().map(|other| (source.to_owned(), other));
                    self.twins.of.extend(first.map(|of| (group.key.clone(), of)));
                    continue;
                }
                Whose::Nobodys => {
                    let first_look = group.first_look;
                    let waiting =
                        Waiting { source: source.to_owned(), since: time.steady, first_look };
                    self.twins.waiting.entry(group.key.clone()).or_insert(waiting);
                    // What it was a twin of tells whose it is while that cannot be seen.
                    continue;
                }
            }
            self.twins.of.remove(group.key);
        }
        own
    }

    /// After a complete listing: what is not in it is shown by this source no more.
    pub(super) fn forget_unlisted_twins(&mut self, source: &str, listed: &BTreeSet<&JobKey>) {
        let gone = |of: &str, key: &JobKey| of == source && !listed.contains(key);
        self.twins.waiting.retain(|key, waiting| !gone(&waiting.source, key));
        let Tracker { twins, jobs, .. } = self;
        twins.of.retain(|key, (of, job)| {
            let gone = gone(of, key);
            if gone && let Some(job) = jobs.get_mut(job) {
                job.seen_by.retain(|seen| seen.source != source);
                job.eyes = job.eyes.take().filter(|(eyes, _)| eyes != source);
            }
            !gone
        });
    }

    /// Forgets what sources said that left the configuration.
    pub(super) fn retain_twins(&mut self, names: &BTreeSet<String>) {
        self.twins.of.retain(|_, (source, _)| names.contains(source));
        self.twins.waiting.retain(|_, waiting| names.contains(&waiting.source));
        for job in self.jobs.values_mut() {
            job.seen_by.retain(|seen| names.contains(&seen.source));
            job.eyes = job.eyes.take().filter(|(source, _)| names.contains(source));
        }
    }

    /// The job that another source shows under this key.
    pub fn twin_of(&self, key: &JobKey) -> Option<&JobKey> {
        let (_, job) = self.twins.of.get(key)?;
        self.jobs.contains_key(job).then_some(job)
    }

    /// Its runs among those of a look; where nobody else has any of them, also those that came after.
    fn runs_of<'a>(
        &self,
        other: &JobKey,
        group: &Group<'a>,
        look: &Look<'_>,
        alone: bool,
    ) -> Vec<&'a RunObservation> {
        let Some(job) = self.job(other) else { return Vec::new() };
        let newest = job.runs.iter().map(|run| &run.id).max();
        let is_its = |seen: &&&RunObservation| {
            let nobodys = look.owners.get(&seen.run).is_none_or(Vec::is_empty);
            has(job, &seen.run) || (alone && nobodys && Some(&seen.run) > newest)
        };
        group.runs.iter().filter(is_its).copied().collect()
    }

    pub(super) fn is_shown_by_its_own(&self, key: &JobKey) -> bool {
        let Some(job) = self.job(key) else { return false };
        self.sources.get(&job.source).is_some_and(|source| job.is_shown_by(source))
    }

    /// What another source says of a job: beside what its own says, or in its place.
    fn see_twin(
        &mut self,
        time: Time,
        snapshot: &Snapshot,
        group: &Group<'_>,
        runs: &[&RunObservation],
        other: &JobKey,
        folded: &mut Folded,
    ) {
        let unseen = !self.is_shown_by_its_own(other);
        let Some(source) = self.sources.get(&snapshot.source) else { return };
        let Some(job) = self.jobs.get_mut(other) else { return };
        let newest_of = |runs: &[&RunObservation]| {
            let newest = runs.iter().max_by_key(|seen| (seen.state.is_live(), &seen.run));
            newest.map(|seen| seen.state)
        };
        let said = SeenBy {
            source: snapshot.source.clone(),
            key: group.key.clone(),
            state: newest_of(runs).or(newest_of(group.runs)).unwrap_or(JobState::Unknown),
            heard: time.steady,
        };
        let news = job.hear_twin(said);
        self.ledgers.hear(time, other, source, runs, &mut folded.changes);
        if unseen {
            let failures = job.observe_through(time, source, runs);
            folded.failures += failures;
            if failures > 0 {
                let job = other.0.clone();
                folded.changes.push(Change::Failures { job, at: time.wall, count: failures });
            }
            if job.take_dirty(time) {
                folded.changes.push(job.row(other));
            }
        }
        if news || unseen {
            folded.twins.push(other.clone());
        }
    }

    /// Lets go of a job, if there is one of this key.
    fn forget(&mut self, key: &JobKey, folded: &mut Folded) {
        let Some(job) = self.jobs.remove(key) else { return };
        if let Some(keys) = self.by_source.get_mut(&job.source) {
            keys.remove(key);
        }
        folded.forgotten.push(key.clone());
        folded.changes.extend(super::forgotten(key.clone()));
    }
}

#[cfg(test)]
#[path = "twins_tests.rs"]
mod tests;
