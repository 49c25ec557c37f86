//! Folds snapshots into what is known about sources, jobs and runs.
//!
//! Decides: which run counts as the job, which failures are distinct, since when a checkpoint is
//! due, what a first look is. Never decides whether any of it is worth a word to anybody.

mod causes;
mod checkpoints;
mod ends;
mod facts;
mod failures;
mod flap;
mod inventory;
mod job;
mod jobmanager;
mod ledger;
mod ledgers;
mod life;
mod matching;
mod numbers;
mod own_stop;
mod packed;
mod platform_words;
mod recorded;
mod retired;
mod run;
mod scheduled;
mod series;
mod source;
mod through;
mod twins;
mod waiting;
mod whose;

use std::collections::{BTreeMap, BTreeSet};

pub use causes::{Causes, KnownCause};
pub use checkpoints::{CheckpointTrack, InProgress};
pub use facts::{ClusterFacts, Fact, JobFacts, SourceFacts};
pub use flap::{Flapping, Flaps, MAX_FLAP_MINUTES};
pub use inventory::{Inventoried, InventoryTrack};
pub use job::JobTrack;
pub use job::MAX_FAILURES;
pub use jobmanager::JobManagerTrack;
pub use ledger::{Ledger, Recorded, Standing, same_path};
pub use life::FromScratch;
pub use matching::By;
pub use numbers::{Numbers, Spans};
pub use run::Run;
pub use series::{Sample, Series, Stretch};
pub use source::SourceTrack;
pub use waiting::{Stage, Waiting};

use ledgers::Ledgers;
use retired::Retired;
use twins::{Group, Twins};
use whose::InTrouble;

use crate::model::{
    Change, Completeness, Demand, JobKey, Loaded, RunObservation, Snapshot, Subject, Time,
};

/// Everything that is known.
#[derive(Debug, Default)]
pub struct Tracker {
    sources: BTreeMap<String, SourceTrack>,
    /// Boxed: the nodes of the map are half empty.
    jobs: BTreeMap<JobKey, Box<JobTrack>>,
    /// Whose jobs are which: a look at one source must not cost a walk over the jobs of all.
    by_source: BTreeMap<String, BTreeSet<JobKey>>,
    /// How far rules look back on numbers.
    spans: Spans,
    /// Gone for good, by a person's word.
    retired: Retired,
    /// What inventories said at their last look, by source.
    inventories: BTreeMap<String, InventoryTrack>,
    /// Which sources are inventories.
    inventory_names: BTreeSet<String>,
    /// Jobs that several sources show.
    twins: Twins,
    /// What they could be restored from.
    ledgers: Ledgers,
    /// Subjects somebody is at work on.
    in_work: BTreeSet<Subject>,
}

/// What one snapshot changed.
#[derive(Debug, Default)]
pub struct Folded {
    /// Rows to keep.
    pub changes: Vec<Change>,
    /// Jobs of this source: seen now or known from before.
    pub jobs: Vec<JobKey>,
    /// Jobs of other sources that this one spoke of: to be judged and shown anew.
    pub twins: Vec<JobKey>,
    /// Jobs that were let go.
    pub forgotten: Vec<JobKey>,
    /// Distinct failures counted just now.
    pub failures: u64,
    /// This was the first successful look at the source.
    pub first_look: bool,
}

/// Jobs that ended on purpose and are gone from the listing are forgotten after this many ms.
const FORGET_ENDED_AFTER_MS: i64 = 24 * 3_600_000;
/// Jobs beyond this many are not taken in: a bound on what a broken source can make of us.
const MAX_JOBS: usize = 100_000;
/// Long series of a job are kept under this name, followed by the job's key.
const SERIES: &str = "series/";

impl Tracker {
    /// Goes on where a former process was. Rows that cannot be read are skipped: a job is then
    /// seen as new, which costs a count, not an alert.
    pub fn restore(loaded: &Loaded) -> Tracker {
        let mut tracker = Tracker {
            retired: Retired::restore(loaded),
            ledgers: Ledgers::restore(loaded),
            ..Tracker::default()
        };
        for (name, body) in &loaded.sources {
            if let Ok(source) = serde_json::from_str(body) {
                tracker.sources.insert(name.clone(), source);
            }
        }
        for (key, body) in &loaded.jobs {
            if let Ok(job) = serde_json::from_str(body) {
                tracker.insert(JobKey(key.clone()), job);
            }
        }
        for (name, body) in &loaded.meta {
            if let Some(key) = name.strip_prefix(SERIES)
                && let Some(job) = tracker.jobs.get_mut(&JobKey(key.to_owned()))
            {
                job.numbers = Numbers::restore(body);
            }
        }
        tracker
    }

    /// What the rules look at from now on, and how far back. Numbers nobody demands any more are
    /// dropped; of those whose look-back changed, what is known stays.
    pub fn set_demand(&mut self, demand: &Demand) {
        self.spans = Spans::of(demand);
        for job in self.jobs.values_mut() {
            job.numbers.fit(&self.spans);
        }
        for source in self.sources.values_mut() {
            source.fit_numbers(&self.spans);
        }
    }

    /// Which sources are inventories, as the configuration says.
    pub fn set_inventories(&mut self, names: BTreeSet<String>) {
        self.inventory_names = names;
    }

    /// Takes in one look at one source.
    pub fn step(&mut self, time: Time, snapshot: &Snapshot) -> Folded {
        self.step_beside(time, snapshot, &|_| false)
    }

    /// The same where incidents are kept: a job with an open one (`in_trouble`) keeps its name.
    pub fn step_beside(
        &mut self,
        time: Time,
        snapshot: &Snapshot,
        in_trouble: &dyn Fn(&JobKey) -> bool,
    ) -> Folded {
        let source = self
            .sources
            .entry(snapshot.source.clone())
            .or_insert_with(|| SourceTrack::new(&snapshot.source));
        source.is_inventory = self.inventory_names.contains(&snapshot.source);
        let mut folded =
            Folded { first_look: source.observe(time, snapshot, &self.spans), ..Folded::default() };
        let moved = source.moved_row();
        if folded.first_look {
            folded.changes.push(source.row());
        } else {
            folded.changes.extend(moved);
        }
        let mut ended = Vec::new();
        if !matches!(snapshot.completeness, Completeness::Failed { .. }) {
            let jobs = self.jobs.len();
            self.fold_runs(time, snapshot, in_trouble, &mut folded);
            ended = self.fold_ends(time, snapshot, &mut folded);
            let is_new = self.jobs.len() > jobs;
            self.fold_inventory(time, snapshot, is_new, &mut folded.changes);
        }
        folded.jobs = self.keys_of(&snapshot.source);
        folded.jobs.append(&mut ended);
        let twins = folded.twins.iter().filter(|key| self.jobs.contains_key(key));
        folded.jobs.extend(twins.cloned());
        folded
    }

    fn fold_runs(
        &mut self,
        time: Time,
        snapshot: &Snapshot,
        in_trouble: InTrouble<'_>,
        folded: &mut Folded,
    ) {
        // Sources list jobs in one order: sorting what is nearly sorted costs little.
        let mut runs: Vec<&RunObservation> =
            snapshot.runs.iter().filter(|run| !run.is_archived()).collect();
        runs.sort_by(|a, b| a.key.cmp(&b.key));
        let first_look = folded.first_look;
        let listed = || {
            let by_job = runs.chunk_by(|a, b| a.key == b.key);
            by_job.filter_map(|runs| Some(Group { key: &runs.first()?.key, runs, first_look }))
        };
        let own = self.without_twins(time, snapshot, listed(), in_trouble, folded);
        let Some(source) = self.sources.get(&snapshot.source) else { return };
        let mut failed_over = Vec::new();
        for Group { key, runs, first_look } in &own {
            if !self.jobs.contains_key(key) {
                if self.jobs.len() >= MAX_JOBS
                    || self.retired.holds(time, key, runs, &mut folded.changes)
                {
                    continue;
                }
                let job = JobTrack::new(&snapshot.source, runs[0], time, *first_look);
                self.by_source.entry(job.source.clone()).or_default().insert((*key).clone());
                self.jobs.insert((*key).clone(), Box::new(job));
            }
            if let Some(job) = self.jobs.get_mut(key) {
                let failures = job.observe(time, snapshot, source, runs, *first_look);
                folded.failures += failures;
                if failures > 0 {
                    let job = key.0.clone();
                    let failed = Change::Failures { job, at: time.wall, count: failures };
                    folded.changes.push(failed);
                }
                if job.failed_over {
                    failed_over.push(job.flink_cluster.clone());
                }
                self.ledgers.hear(time, key, source, runs, &mut folded.changes);
                if job.hear_numbers(time.steady, runs, &self.spans)
                    && let Some(value) = job.numbers.kept()
                {
                    folded.changes.push(Change::Meta { key: series_key(key), value });
                }
            }
        }
        if let Some(source) = self.sources.get_mut(&snapshot.source) {
            for cluster in &failed_over {
                source.note_failover(time, cluster);
            }
            if !failed_over.is_empty() {
                folded.changes.push(source.row());
            }
        }
        if !folded.forgotten.is_empty() || first_look {
            let Tracker { ledgers, jobs, .. } = self;
            ledgers.forget_old(time, &|key| jobs.contains_key(key), &mut folded.changes);
        }
        if snapshot.completeness == Completeness::Complete {
            let present: BTreeSet<&JobKey> = own.iter().map(|group| group.key).collect();
            self.note_absence(time, snapshot, &present, folded);
            let listed = listed().map(|group| group.key).collect();
            self.forget_unlisted_twins(&snapshot.source, &listed);
            self.retired.forget_unlisted(time, &snapshot.source, &mut folded.changes);
        }
        for key in self.by_source.get(&snapshot.source).into_iter().flatten() {
            if let Some(job) = self.jobs.get_mut(key)
                && job.take_dirty(time)
            {
                folded.changes.push(job.row(key));
            }
        }
    }

    fn insert(&mut self, key: JobKey, mut job: JobTrack) {
        job.runs.shrink_to_fit();
        self.by_source.entry(job.source.clone()).or_default().insert(key.clone());
        self.jobs.insert(key, Box::new(job));
    }

    /// Absence counts only after a complete listing, and only for a run last seen alive.
    fn note_absence(
        &mut self,
        time: Time,
        snapshot: &Snapshot,
        present: &BTreeSet<&JobKey>,
        folded: &mut Folded,
    ) {
        let mut forget = Vec::new();
        let unseen = self.sources.get(&snapshot.source).map(|source| &source.unseen);
        let is_unseen =
            |job: &JobTrack| unseen.is_some_and(|unseen| unseen.contains_key(&job.flink_cluster));
        let looked = |name: &str| {
            let source = self.sources.get(name).filter(|source| source.is_up())?;
            source.last_success.map(|last| last.steady)
        };
        let mut keys = self.by_source.remove(&snapshot.source).unwrap_or_default();
        for key in keys.iter().filter(|key| !present.contains(key)) {
            let Some(job) = self.jobs.get_mut(key).filter(|job| !is_unseen(job)) else { continue };
            if job.lives_elsewhere(looked) {
                continue;
            }
            job.note_absent(time);
            let gone_for = time.steady.since(job.last_seen).as_millis() as i64;
            // One with a schedule is missed when its hours begin, however long that takes.
            let over = job.ended_on_purpose() && job.schedule.is_none();
            if over && gone_for > FORGET_ENDED_AFTER_MS {
                forget.push(key.clone());
            }
        }
        for key in forget {
            self.jobs.remove(&key);
            keys.remove(&key);
            folded.forgotten.push(key.clone());
            folded.changes.extend(forgotten(key));
        }
        // All jobs of one Flink cluster gone at once is one incident of that cluster.
        let mut live: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for job in keys.iter().filter_map(|key| self.jobs.get(key)) {
            let (missing, present) = live.entry(job.flink_cluster.as_str()).or_default();
            if job.missing_since.is_some() {
                // Nobody misses what need not run now.
                *missing += usize::from(job.is_missed(time));
            } else if job.state().is_live() {
                *present += 1;
            }
        }
        self.by_source.insert(snapshot.source.clone(), keys);
        if let Some(source) = self.sources.get_mut(&snapshot.source) {
            source.set_emptied(
                live.into_iter()
                    .filter(|(_, (m, p))| *m >= 2 && *p == 0)
                    .map(|(cluster, (missing, _))| (cluster.to_owned(), missing)),
            );
        }
    }

    /// Subjects somebody is at work on: they are not well before that is over.
    pub fn set_in_work(&mut self, subjects: BTreeSet<Subject>) {
        self.in_work = subjects;
    }

    /// Somebody is at work on it.
    pub fn is_in_work(&self, subject: &Subject) -> bool {
        self.in_work.contains(subject)
    }

    /// Forgets sources that left the configuration, and their jobs.
    pub fn retain_sources(&mut self, names: &BTreeSet<String>) -> Vec<Change> {
        let gone: Vec<JobKey> = self
            .jobs
            .iter()
            .filter(|(_, job)| !names.contains(&job.source))
            .map(|(key, _)| key.clone())
            .collect();
        let mut changes = Vec::new();
        for name in self.sources.keys().filter(|name| !names.contains(*name)) {
            // Should it come back, it is seen for the first time again.
            changes.push(Change::Source { name: name.clone(), body: String::new() });
        }
        self.sources.retain(|name, _| names.contains(name));
        self.by_source.retain(|name, _| names.contains(name));
        self.retired.retain_sources(|name| names.contains(name), &mut changes);
        self.retain_inventories(names, &mut changes);
        self.retain_twins(names);
        changes.extend(gone.into_iter().flat_map(|key| {
            self.jobs.remove(&key);
            forgotten(key)
        }));
        changes
    }

    fn keys_of(&self, source: &str) -> Vec<JobKey> {
        self.by_source.get(source).into_iter().flatten().cloned().collect()
    }

    /// A job.
    pub fn job(&self, key: &JobKey) -> Option<&JobTrack> {
        self.jobs.get(key).map(|job| &**job)
    }

    /// What a job was seen to complete, also of one that is not watched any more.
    pub fn ledger(&self, key: &JobKey) -> Option<&Ledger> {
        self.ledgers.get(key)
    }

    /// The job a checkpoint was recorded under, if it is another one than this and not this one's too.
    pub fn whose_checkpoint(&self, path: &str, but: &JobKey) -> Option<JobKey> {
        self.ledgers.whose(path).find(|key| *key != but).cloned()
    }

    /// Somebody looked whether a checkpoint is there.
    pub fn checked(&mut self, time: Time, key: &JobKey, path: &str, there: bool) -> Option<Change> {
        self.ledgers.checked(time, key, path, there)
    }

    /// Weir started a run from this path; none: from nothing.
    pub fn note_origin(&mut self, key: &JobKey, run: &str, from: Option<&str>) {
        self.ledgers.began(key, run, from);
    }

    /// A run Weir meant to stop goes on: its end is its own again.
    pub fn forget_own_stop(&mut self, key: &JobKey, job_id: &str) -> Option<Change> {
        let job = self.jobs.get_mut(key)?;
        job.forget_own_stop(job_id);
        Some(job.row(key))
    }

    /// Weir stops a run to start its job again.
    pub fn note_own_stop(&mut self, key: &JobKey, job_id: &str) -> Option<Change> {
        let job = self.jobs.get_mut(key)?;
        job.note_own_stop(job_id);
        Some(job.row(key))
    }

    /// A run was stopped with this savepoint.
    pub fn took_savepoint(
        &mut self,
        time: Time,
        key: &JobKey,
        run: &str,
        path: &str,
    ) -> Option<Change> {
        self.ledgers.took_savepoint(time, key, run, path)
    }

    /// How many jobs there are.
    pub fn job_count(&self) -> usize {
        self.jobs.len()
    }

    /// How many jobs a source names.
    pub fn job_count_of(&self, source: &str) -> usize {
        self.by_source.get(source).map_or(0, BTreeSet::len)
    }

    /// All jobs, by key.
    pub fn jobs(&self) -> impl Iterator<Item = (&JobKey, &JobTrack)> {
        self.jobs.iter().map(|(key, job)| (key, &**job))
    }

    /// A source.
    pub fn source(&self, name: &str) -> Option<&SourceTrack> {
        self.sources.get(name)
    }

    /// All sources, by name.
    pub fn sources(&self) -> impl Iterator<Item = (&String, &SourceTrack)> {
        self.sources.iter()
    }

    /// Facts about a source at a turn.
    pub fn source_facts<'a>(&'a self, name: &str, time: Time) -> Option<SourceFacts<'a>> {
        let source = self.sources.get(name)?;
        let keys = self.by_source.get(name).into_iter().flatten();
        let sees = source.is_up() && !source.is_all_unseen();
        let unknown = |key: &&JobKey| {
            sees || self.job_facts(key, time).is_some_and(|facts| !facts.is_fresh())
        };
        Some(SourceFacts { source, jobs: keys.filter(unknown).count(), time })
    }

    /// Facts about a job at a turn.
    pub fn job_facts<'a>(&'a self, key: &JobKey, time: Time) -> Option<JobFacts<'a>> {
        let job = self.jobs.get(key)?;
        let source = self.sources.get(&job.source)?;
        let facts = JobFacts { job, source, time };
        let other = job.eyes.as_ref().and_then(|(name, _)| self.sources.get(name));
        let other = other.map(|source| JobFacts { source, ..facts });
        Some(other.filter(JobFacts::is_fresh).unwrap_or(facts))
    }
}

fn series_key(key: &JobKey) -> String {
    format!("{SERIES}{}", key.0)
}

/// A job leaves no row; an empty value deletes its series.
fn forgotten(key: JobKey) -> [Change; 2] {
    let series = Change::Meta { key: series_key(&key), value: String::new() };
    [series, Change::ForgetJob { key: key.0 }]
}

#[cfg(test)]
mod tests;
