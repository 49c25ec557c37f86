//! Which job of a platform an entry of an inventory is about. Pure: entries and jobs in, pairs out.
//!
//! What identifies a cluster of the job's own (YARN application, Kubernetes cluster-id) is stronger
//! than Flink's job id, which an inventory learns late and forgets slowly, and that than a name. What
//! is not clear is left alone and named.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{InventoryEntry, JobKey};

/// Names shared by more jobs than this identify nothing.
const MOST_OF_ONE_NAME: usize = 32;

/// What an entry and a job have in common, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The name alone.
    Name,
    /// Flink's job id.
    JobId,
    /// Cluster-id and namespace.
    Cluster,
    /// YARN application.
    Application,
}

impl By {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            By::Name => "name",
            By::JobId => "job id",
            By::Cluster => "cluster-id",
            By::Application => "application id",
        }
    }
}

/// What of a job is compared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub(super) key: &'a JobKey,
    /// Its name, and Flink's name of it.
    pub(super) names: [&'a str; 2],
    pub(super) namespace: &'a str,
    pub(super) flink_cluster: &'a str,
    /// YARN application of its newest run.
    pub(super) application_id: Option<&'a str>,
    /// Flink's id of the run that counts.
    pub(super) job_id: &'a str,
}

/// What belongs together.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Matched {
    /// Entry and job, each at most once.
    pub(super) pairs: Vec<(usize, usize, By)>,
    /// What was left alone, or looks strange, in words.
    pub(super) conflicts: Vec<String>,
}

/// How well an entry fits a job; later fields only tell apart what is equal before.
type Score = (By, bool, bool);

/// Finds the job of each entry.
pub(super) fn matched(entries: &[Arc<InventoryEntry>], jobs: &[Candidate<'_>]) -> Matched {
    let index = Index::of(jobs);
    let mut levels: BTreeMap<Score, Vec<(usize, usize)>> = BTreeMap::new();
    for (at, entry) in entries.iter().enumerate() {
        for job in index.near(entry) {
            let score = jobs.get(job).and_then(|candidate| score(entry, candidate));
            if let Some(score) = score {
                levels.entry(score).or_default().push((at, job));
            }
        }
    }
    let mut found = Matched::default();
    let (mut taken, mut given) = (BTreeSet::new(), BTreeSet::new());
    for ((by, ..), pairs) in levels.into_iter().rev() {
        let open = |(entry, job): &(usize, usize)| !taken.contains(entry) && !given.contains(job);
        let pairs: Vec<(usize, usize)> = pairs.into_iter().filter(open).collect();
        let (clear, unclear) = settle(entries, jobs, by, &pairs);
        for (entry, job) in clear {
            taken.insert(entry);
            given.insert(job);
            found.pairs.push((entry, job, by));
        }
        for (entry, what) in unclear {
            if taken.insert(entry) {
                found.conflicts.extend(what);
            }
        }
    }
    found.pairs.sort_unstable();
    for (entry, job, by) in &found.pairs {
        let entry = entries.get(*entry).map(Arc::as_ref);
        found.conflicts.extend(stranger(entry, (jobs, &index), *job, *by, &given));
    }
    found
}

/// Of pairs that fit equally well: those that are clear, and the entries that fit several jobs or
/// share one, with what is to be said of it.
#[expect(clippy::type_complexity, reason = "two lists of one use")]
fn settle(
    entries: &[Arc<InventoryEntry>],
    jobs: &[Candidate<'_>],
    by: By,
    pairs: &[(usize, usize)],
) -> (Vec<(usize, usize)>, Vec<(usize, Option<String>)>) {
    let mut of_entry: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (entry, job) in pairs {
        of_entry.entry(*entry).or_default().push(*job);
    }
    let mut unclear = Vec::new();
    let mut of_job: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (entry, fitting) in of_entry {
        match fitting.as_slice() {
            [job] => of_job.entry(*job).or_default().push(entry),
            several => {
                let keys = several.iter().filter_map(|job| jobs.get(*job)).take(3);
                let keys: Vec<&str> = keys.map(|job| job.key.0.as_str()).collect();
                let what = entries.get(entry).map(|entry| {
                    let (shown, count) = (shown(entry), several.len());
                    let keys = keys.join(", ");
                    format!("{shown} fits {count} jobs by {}: {keys}; none taken", by.as_str())
                });
                unclear.push((entry, what));
            }
        }
    }
    let mut clear = Vec::new();
    for (job, fitting) in of_job {
        // What the inventory keeps of former lives of the job is dead.
        let lives = |entry: &usize| entries.get(*entry).is_some_and(|e| !e.says.is_dead());
        let living: Vec<usize> = fitting.iter().copied().filter(lives).collect();
        match (fitting.as_slice(), living.as_slice()) {
            ([entry], _) | (_, [entry]) => clear.push((*entry, job)),
            (several, _) => {
                let all = several
                    .iter()
                    .filter_map(|entry| entries.get(*entry))
                    .map(|e| shown(e))
                    .take(3);
                let all = all.collect::<Vec<_>>().join(", ");
                let key = jobs.get(job).map_or("", |job| job.key.0.as_str());
                let (by, count) = (by.as_str(), several.len());
                let what = format!("job {key} fits {count} entries by {by}: {all}; none taken");
                let mut what = Some(what);
                unclear.extend(several.iter().map(|entry| (*entry, what.take())));
            }
        }
    }
    (clear, unclear)
}

/// An entry that is one job by what identifies it, while another job bears its name.
fn stranger(
    entry: Option<&InventoryEntry>,
    (jobs, index): (&[Candidate<'_>], &Index<'_>),
    job: usize,
    by: By,
    given: &BTreeSet<usize>,
) -> Option<String> {
    let (entry, found) = (entry?, jobs.get(job)?);
    if by == By::Name || entry.name.is_empty() || found.names.contains(&entry.name.as_str()) {
        return None;
    }
    let namesakes = index.names.get(entry.name.as_str())?;
    let other = jobs.get(*namesakes.iter().find(|at| !given.contains(*at))?)?;
    let (shown, by) = (shown(entry), by.as_str());
    Some(format!("{shown} is job {} by its {by}, though {} has its name", found.key, other.key))
}

fn shown(entry: &InventoryEntry) -> String {
    format!("`{}` ({})", entry.name, entry.id)
}

fn score(entry: &InventoryEntry, job: &Candidate<'_>) -> Option<Score> {
    let same_name = !entry.name.is_empty() && job.names.contains(&entry.name.as_str());
    let same_id = telling(entry.job_id.as_deref()).is_some_and(|id| id == job.job_id);
    let namespace = entry.namespace.as_deref().unwrap_or_default();
    let elsewhere =
        !namespace.is_empty() && !job.namespace.is_empty() && namespace != job.namespace;
    if elsewhere && !same_id {
        return None;
    }
    // In a cluster shared by several jobs, the cluster alone says nothing.
    let own = entry.mode.is_own_cluster();
    let backed = own || same_id || same_name;
    let by = if backed && is_application(entry, job) {
        By::Application
    } else if backed && namespace == job.namespace && is_cluster(entry, job) {
        By::Cluster
    } else if same_id {
        By::JobId
    } else if same_name {
        By::Name
    } else {
        return None;
    };
    Some((by, same_id, same_name))
}

fn is_application(entry: &InventoryEntry, job: &Candidate<'_>) -> bool {
    entry.application_id.as_deref().is_some_and(|id| job.application_id == Some(id))
}

fn is_cluster(entry: &InventoryEntry, job: &Candidate<'_>) -> bool {
    let own = entry.mode.is_own_cluster();
    let is = |id: &str| id == job.flink_cluster || (own && id == job.names[0]);
    entry.cluster_id.as_deref().is_some_and(is)
}

/// A job id that tells jobs apart: with high availability, application mode gives every job the
/// same one, all zeros.
fn telling(id: Option<&str>) -> Option<&str> {
    id.filter(|id| id.chars().any(|c| c != '0'))
}

/// The YARN application id in a text: an address by way of the ResourceManager's proxy has one.
pub(super) fn application_in(text: &str) -> Option<&str> {
    const WORD: &str = "application_";
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let from = text.find(WORD)?;
    let rest = text.get(from + WORD.len()..)?;
    let first = digits(rest);
    let second = digits(rest.get(first..)?.strip_prefix('_')?);
    let end = from + WORD.len() + first + 1 + second;
    (first > 0 && second > 0).then(|| text.get(from..end)).flatten()
}

/// Jobs by what identifies them.
#[derive(Default)]
struct Index<'a> {
    applications: BTreeMap<&'a str, Vec<usize>>,
    clusters: BTreeMap<&'a str, Vec<usize>>,
    job_ids: BTreeMap<&'a str, Vec<usize>>,
    names: BTreeMap<&'a str, Vec<usize>>,
}

impl<'a> Index<'a> {
    fn of(jobs: &[Candidate<'a>]) -> Index<'a> {
        let mut index = Index::default();
        for (at, job) in jobs.iter().enumerate() {
            if let Some(id) = job.application_id {
                index.applications.entry(id).or_default().push(at);
            }
            index.clusters.entry(job.flink_cluster).or_default().push(at);
            if let Some(id) = telling(Some(job.job_id)) {
                index.job_ids.entry(id).or_default().push(at);
            }
            for name in job.names.into_iter().filter(|name| !name.is_empty()) {
                index.names.entry(name).or_default().push(at);
            }
        }
        for named in index.names.values_mut() {
            named.dedup();
        }
        index
    }

    /// Jobs the entry may be about, in order.
    fn near(&self, entry: &InventoryEntry) -> BTreeSet<usize> {
        let mut near = BTreeSet::new();
        let mut add = |map: &BTreeMap<&str, Vec<usize>>, word: Option<&str>| {
            let found = word.and_then(|word| map.get(word));
            near.extend(found.into_iter().flatten().take(MOST_OF_ONE_NAME));
        };
        if entry.mode.is_own_cluster() {
            add(&self.applications, entry.application_id.as_deref());
            add(&self.clusters, entry.cluster_id.as_deref());
            add(&self.names, entry.cluster_id.as_deref());
        }
        add(&self.job_ids, entry.job_id.as_deref());
        add(&self.names, Some(entry.name.as_str()));
        near
    }
}

#[cfg(test)]
#[path = "matching_tests.rs"]
mod tests;
