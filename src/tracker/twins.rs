//! A run that several sources show is one job, named by one of them.
//!
//! A platform (YARN, Kubernetes) names a job by its deployment, Flink only by the job itself: where
//! both show a run, the platform's job is the job, and what the other source says stands beside it.
//! Of two sources that name alike, the one that showed it first goes on.
//!
//! Whoever shows a new run first is chance. So a job that a platform may yet show waits for that
//! platform's next look, for a minute at most. And while the source of a job cannot see it, the job is
//! seen by the other one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Folded, JobTrack, Tracker};
use crate::model::{Change, JobKey, JobState, RunId, RunObservation, SeenBy, Snapshot, Time, Ts};

/// A job waits for a platform no longer than this.
const WAITS: Duration = Duration::from_mins(1);
/// The last word of another source is good for this long.
const GOOD_FOR: Duration = Duration::from_mins(5);

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
    platforms: BTreeSet<String>,
    /// By the key they would have: the source that shows them, and the job they are.
    of: BTreeMap<JobKey, (String, JobKey)>,
    /// Jobs nobody has named yet, by the key they would have.
    waiting: BTreeMap<JobKey, Waiting>,
}

/// A job nobody has named yet.
#[derive(Debug)]
struct Waiting {
    source: String,
    since: Ts,
    first_look: bool,
}

/// Whose a job of a look is.
enum Whose {
    Own,
    /// Others' until now, which are known no more.
    Taken(Vec<JobKey>),
    Other(JobKey),
    Nobodys,
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
        folded: &mut Folded,
    ) -> Vec<Group<'a>> {
        let groups: Vec<Group<'a>> = groups.collect();
        let owners = self.owners(&snapshot.source, &groups);
        let mut own = Vec::with_capacity(groups.len());
        for mut group in groups {
            match self.whose(time, &snapshot.source, &group, &owners) {
                Whose::Own => {
                    let waited = self.twins.waiting.remove(group.key);
                    group.first_look |= waited.is_some_and(|waited| waited.first_look);
                    own.push(group);
                }
                Whose::Taken(others) => {
                    self.twins.waiting.remove(group.key);
                    for other in &others {
                        self.forget(other, folded);
                    }
                    own.push(group);
                }
                Whose::Other(other) => {
                    self.twins.waiting.remove(group.key);
                    self.forget(group.key, folded);
                    self.see_twin(time, snapshot, &group, &other, folded);
                    let of = (snapshot.source.clone(), other);
                    self.twins.of.insert(group.key.clone(), of);
                    continue;
                }
                Whose::Nobodys => {
                    let source = snapshot.source.clone();
                    let waiting =
                        Waiting { source, since: time.steady, first_look: group.first_look };
                    self.twins.waiting.entry(group.key.clone()).or_insert(waiting);
                }
            }
            self.twins.of.remove(group.key);
        }
        own
    }

    /// After a complete listing: what is not in it is shown by this source no more.
    pub(super) fn forget_unlisted_twins(&mut self, source: &str, listed: &BTreeSet<&JobKey>) {
        let stays = |of: &str, key: &JobKey| of != source || listed.contains(key);
        self.twins.of.retain(|key, (of, _)| stays(of, key));
        self.twins.waiting.retain(|key, waiting| stays(&waiting.source, key));
    }

    /// Forgets what sources said that left the configuration.
    pub(super) fn retain_twins(&mut self, names: &BTreeSet<String>) {
        self.twins.of.retain(|_, (source, _)| names.contains(source));
        self.twins.waiting.retain(|_, waiting| names.contains(&waiting.source));
        for job in self.jobs.values_mut() {
            job.seen_by.retain(|seen| names.contains(&seen.source));
            job.eyes = job.eyes.take().filter(|source| names.contains(source));
        }
    }

    /// The job that another source shows under this key.
    pub fn twin_of(&self, key: &JobKey) -> Option<&JobKey> {
        self.twins.of.get(key).map(|(_, job)| job)
    }

    /// Jobs of other sources by their runs, of those runs that are new here.
    fn owners(&self, source: &str, groups: &[Group<'_>]) -> BTreeMap<RunId, Vec<JobKey>> {
        let new = groups.iter().filter(|group| self.is_new(group));
        let wanted: BTreeSet<&RunId> =
            new.flat_map(|group| group.runs.iter().map(|seen| &seen.run)).collect();
        let mut owners: BTreeMap<RunId, Vec<JobKey>> = BTreeMap::new();
        if wanted.is_empty() {
            return owners;
        }
        for (key, job) in self.jobs().filter(|(_, job)| job.source != source) {
            for run in job.runs.iter().filter(|run| wanted.contains(&run.id)) {
                owners.entry(run.id.clone()).or_default().push(key.clone());
            }
        }
        owners
    }

    /// Its newest run, or one that is alive, is none its source has shown under this key.
    fn is_new(&self, group: &Group<'_>) -> bool {
        let Some(job) = self.jobs.get(group.key) else { return true };
        let newest = group.runs.iter().map(|seen| &seen.run).max();
        let counts = |seen: &&&RunObservation| seen.state.is_live() || Some(&seen.run) == newest;
        let known = |id: &RunId| job.runs.iter().any(|run| run.id == *id);
        group.runs.iter().filter(counts).any(|seen| !known(&seen.run))
    }

    fn whose(
        &self,
        time: Time,
        source: &str,
        group: &Group<'_>,
        owners: &BTreeMap<RunId, Vec<JobKey>>,
    ) -> Whose {
        if !self.is_new(group) {
            return Whose::Own;
        }
        let is_platform = |name: &str| self.twins.platforms.contains(name);
        // By name too: all zeros are the id of every job of highly available applications, and two of
        // them may begin in one millisecond.
        let of_run = |seen: &&&RunObservation| {
            let (run, name) = (&seen.run, &seen.flink_job_name);
            let jobs = owners.get(run).into_iter().flatten();
            let jobs = jobs.filter_map(|key| Some((key, self.job(key)?)));
            let fits = |(key, job): (_, &JobTrack)| (job.flink_job_name == *name).then_some(key);
            jobs.filter_map(fits).collect::<Vec<&JobKey>>()
        };
        let mut owners: Vec<&JobKey> = group.runs.iter().flat_map(|seen| of_run(&seen)).collect();
        let rank = |key: &JobKey| {
            let source = self.job(key).map_or("", |job| job.source.as_str());
            (!is_platform(source), source.to_owned())
        };
        owners.sort_by_key(|key| (rank(key), *key));
        owners.dedup();
        let is_known = self.jobs.contains_key(group.key);
        if let Some(best) = owners.first() {
            let (best_rank, own_rank) = (rank(best), (!is_platform(source), source.to_owned()));
            // Where both name alike, it is the one that is known; where both are, something has to
            // decide, and always the same way.
            let alike = best_rank.0 == own_rank.0;
            return if best_rank < own_rank || (alike && !is_known) {
                Whose::Other((*best).clone())
            } else {
                Whose::Taken(owners.into_iter().cloned().collect())
            };
        }
        if is_known {
            return Whose::Own;
        }
        if self.retired.has_ended(group.key, group.runs) {
            return Whose::Nobodys;
        }
        let since = self.twins.waiting.get(group.key).map_or(time.steady, |waited| waited.since);
        if !is_platform(source) && self.is_awaited(time, since) {
            Whose::Nobodys
        } else {
            Whose::Own
        }
    }

    /// A platform has not yet had the time to show what was seen then, and is about to.
    fn is_awaited(&self, time: Time, since: Ts) -> bool {
        let about_to = |name: &String| match self.sources.get(name) {
            None => true,
            Some(platform) if platform.failing_since.is_some() => false,
            Some(platform) => {
                // In whole seconds, as the history has it.
                let took = Duration::from_secs(u64::from(platform.polls.took_ms / 1_000) + 1);
                platform.last_success.is_none_or(|last| last.steady - took <= since)
            }
        };
        time.steady.since(since) < WAITS && self.twins.platforms.iter().any(about_to)
    }

    /// What another source says of a job: beside what its own says, or in its place.
    fn see_twin(
        &mut self,
        time: Time,
        snapshot: &Snapshot,
        group: &Group<'_>,
        other: &JobKey,
        folded: &mut Folded,
    ) {
        let unseen = self.job_facts(other, time).is_none_or(|facts| {
            // By its own source, that is. And what somebody shows is not missing.
            let elsewhere = facts.source.name != facts.job.source;
            elsewhere || !facts.is_fresh() || facts.job.missing_since.is_some()
        });
        let Some(source) = self.sources.get(&snapshot.source) else { return };
        let Some(job) = self.jobs.get_mut(other) else { return };
        let live = group.runs.iter().filter(|seen| seen.state.is_live());
        let counts =
            live.max_by_key(|seen| &seen.run).or_else(|| group.runs.iter().max_by_key(|s| &s.run));
        let said = SeenBy {
            source: snapshot.source.clone(),
            key: group.key.clone(),
            state: counts.map_or(JobState::Unknown, |seen| seen.state),
            heard: time.steady,
        };
        let news = job.hear_twin(said);
        if unseen {
            let failures = job.observe_through(time, source, group.runs);
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

impl JobTrack {
    /// Takes in what another source says; true if that is something else than before.
    fn hear_twin(&mut self, said: SeenBy) -> bool {
        let known = self.seen_by.iter_mut().find(|seen| seen.source == said.source);
        let Some(known) = known else {
            self.seen_by.push(said);
            self.seen_by.sort_by(|a, b| a.source.cmp(&b.source));
            return true;
        };
        let news = !known.is_same(&said);
        *known = said;
        news
    }

    /// Forgets what other sources said long ago.
    pub(super) fn forget_old_words(&mut self, now: Ts) {
        self.seen_by.retain(|seen| now.since(seen.heard) <= GOOD_FOR);
    }
}

#[cfg(test)]
#[path = "twins_tests.rs"]
mod tests;
