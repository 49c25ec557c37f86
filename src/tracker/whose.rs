//! Whose a job of a look is: its source's own, another one's, or nobody's yet.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::twins::Group;
use super::{JobTrack, Tracker};
use crate::model::{JobKey, RunId, RunObservation, Time};

/// A job waits for a platform no longer than this.
const WAITS: Duration = Duration::from_mins(1);

/// Whose a job of a look is.
pub(super) enum Whose {
    Own,
    /// Others' until now, which are known no more.
    Taken(Vec<JobKey>),
    Others(Vec<JobKey>),
    Nobodys,
}

/// Jobs of other sources by their runs.
pub(super) type Owners = BTreeMap<RunId, Vec<JobKey>>;

/// Whether an incident of a job is open.
pub(super) type InTrouble<'a> = &'a dyn Fn(&JobKey) -> bool;

/// One look, as far as it is asked whose its jobs are.
pub(super) struct Look<'a> {
    pub(super) time: Time,
    pub(super) source: &'a str,
    pub(super) owners: Owners,
    pub(super) in_trouble: InTrouble<'a>,
}

impl Tracker {
    /// Jobs of other sources by their runs, of those runs it is not clear whose they are.
    pub(super) fn owners(
        &self,
        source: &str,
        groups: &[Group<'_>],
        in_trouble: InTrouble<'_>,
    ) -> Owners {
        let open = |group: &&Group<'_>| {
            self.is_new(group) && self.known_twin(source, group, in_trouble).is_none()
        };
        let wanted: BTreeSet<&RunId> = groups
            .iter()
            .filter(open)
            .flat_map(|group| group.runs.iter().map(|seen| &seen.run))
            .collect();
        let mut owners = Owners::new();
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
        self.jobs.get(group.key).is_none_or(|job| !knows_what_counts(job, group))
    }

    /// The job it was at the last look, if it still is that one.
    fn known_twin(
        &self,
        source: &str,
        group: &Group<'_>,
        in_trouble: InTrouble<'_>,
    ) -> Option<&JobKey> {
        let other = self.twin_of(group.key)?;
        let job = self.job(other)?;
        let stays = self.rank(&job.source).0 <= self.rank(source).0 || in_trouble(other);
        (stays && knows_what_counts(job, group)).then_some(other)
    }

    /// How well a source names jobs: the smaller, the better.
    fn rank<'a>(&self, source: &'a str) -> (bool, &'a str) {
        (!self.twins.platforms.contains(source), source)
    }

    pub(super) fn whose(&self, look: &Look<'_>, group: &Group<'_>) -> Whose {
        if !self.is_new(group) {
            return Whose::Own;
        }
        if let Some(other) = self.known_twin(look.source, group, look.in_trouble) {
            return Whose::Others(vec![other.clone()]);
        }
        let owners = self.owners_of(look, group);
        let own_rank = self.rank(look.source);
        let is_known = self.jobs.contains_key(group.key);
        if let Some(best) = owners.first().and_then(|key| self.job(key)) {
            let rank = self.rank(&best.source);
            // Where both name alike, it is the one that is known; where both are, something has to
            // decide, and always the same way.
            let theirs = rank < own_rank || (rank.0 == own_rank.0 && !is_known);
            let own_trouble = is_known && (look.in_trouble)(group.key);
            let troubled: Vec<JobKey> =
                owners.iter().filter(|key| (look.in_trouble)(key)).cloned().collect();
            return match (theirs, own_trouble, troubled.is_empty()) {
                (true, true, true) => Whose::Taken(owners),
                (false, false, false) => Whose::Others(troubled),
                (true, ..) => {
                    let alike = |key: &JobKey| {
                        self.job(key).is_some_and(|job| self.rank(&job.source).0 == rank.0)
                    };
                    Whose::Others(owners.into_iter().filter(alike).collect())
                }
                (false, ..) => Whose::Taken(owners),
            };
        }
        if is_known {
            return Whose::Own;
        }
        if self.retired.has_ended(group.key, group.runs) {
            return Whose::Nobodys;
        }
        if let Some(other) = self.twin_of(group.key).filter(|key| !self.is_shown_by_its_own(key)) {
            // The next run of a job its own source cannot see.
            return Whose::Others(vec![other.clone()]);
        }
        if own_rank.0 && self.is_awaited(look, group) { Whose::Nobodys } else { Whose::Own }
    }

    /// Whose its runs are, the one that names best first.
    fn owners_of(&self, look: &Look<'_>, group: &Group<'_>) -> Vec<JobKey> {
        let of_run = |seen: &&RunObservation| {
            // All zeros are the id of every job of highly available applications, and two of them
            // may begin in one millisecond.
            let is_telling = seen.run.job_id.bytes().any(|digit| digit != b'0');
            let name = seen.flink_job_name.clone();
            let jobs = look.owners.get(&seen.run).into_iter().flatten();
            let fits = move |key: &&JobKey| {
                is_telling || self.job(key).is_some_and(|job| job.flink_job_name == name)
            };
            jobs.filter(fits)
        };
        let mut owners: Vec<&JobKey> = group.runs.iter().flat_map(of_run).collect();
        owners.sort_by_key(|key| (self.job(key).map(|job| self.rank(&job.source)), *key));
        owners.dedup();
        owners.into_iter().cloned().collect()
    }

    /// A platform has not yet had the time to show these runs, and is about to.
    fn is_awaited(&self, look: &Look<'_>, group: &Group<'_>) -> bool {
        let waited = self.twins.waiting.get(group.key);
        // What was there at the first look is for the first report, which does not wait.
        if waited.is_some_and(|waited| waited.first_look) {
            return false;
        }
        let now = look.time.steady;
        let since = waited.map_or(now, |waited| waited.since);
        let starts = group.runs.iter().map(|seen| seen.run.start_time);
        let source = self.sources.get(look.source);
        let started = starts.max().zip(source).map(|(at, of)| of.to_steady(look.time, at));
        let begun = started.map_or(since, |started| started.min(since));
        let about_to = |name: &String| match self.sources.get(name) {
            None => true,
            Some(platform) if platform.failing_since.is_some() => false,
            Some(platform) => {
                // In whole seconds, as the history has it.
                let took = Duration::from_secs(u64::from(platform.polls.took_ms / 1_000) + 1);
                platform.last_success.is_none_or(|last| last.steady - took <= begun)
            }
        };
        now.since(since) < WAITS && self.twins.platforms.iter().any(about_to)
    }
}

pub(super) fn has(job: &JobTrack, id: &RunId) -> bool {
    job.runs.iter().any(|run| run.id == *id)
}

/// All runs of it that live, and its newest one, are runs of this job.
fn knows_what_counts(job: &JobTrack, group: &Group<'_>) -> bool {
    let newest = group.runs.iter().map(|seen| &seen.run).max();
    let counts = |seen: &&&RunObservation| seen.state.is_live() || Some(&seen.run) == newest;
    group.runs.iter().filter(counts).all(|seen| has(job, &seen.run))
}
