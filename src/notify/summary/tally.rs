//! What happened to the jobs of one receiver since its last summary: counted as it happens, and
//! small enough to be kept as one row.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{BySeverity, Noisy, Ts};

/// Jobs counted one by one; of more, those with the least are only counted together.
const JOBS: usize = 200;
/// Jobs a summary names.
const NAMED: usize = 5;

/// Counts since the last summary of one receiver.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Tally {
    /// The setting it was counted for: another one begins anew.
    pub(super) spec: String,
    /// The last time of a summary that is done with.
    pub(super) told: Ts,
    /// Wall time from which it counts.
    pub(super) since: Ts,
    pub(super) failures: u64,
    pub(super) opened: BySeverity,
    pub(super) ended: u64,
    pub(super) brief: u64,
    pub(super) sent: u64,
    pub(super) shadow: u64,
    pub(super) unsent: u64,
    jobs: BTreeMap<String, OfJob>,
    /// Jobs that failed and are not in `jobs` any more.
    other_jobs: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct OfJob {
    failures: u64,
    incidents: u64,
    /// It had an incident when it failed.
    troubled: bool,
}

impl Tally {
    /// Begins to count at `now`.
    pub(super) fn from(spec: &str, told: Ts, now: Ts) -> Tally {
        Tally { spec: spec.to_owned(), told, since: now, ..Tally::default() }
    }

    pub(super) fn failed(&mut self, job: &str, count: u64, troubled: bool) {
        self.failures += count;
        let of = self.job(job);
        of.failures += count;
        of.troubled |= troubled;
    }

    pub(super) fn opened_for(&mut self, job: &str) {
        let of = self.job(job);
        of.incidents += 1;
        of.troubled = true;
    }

    fn job(&mut self, job: &str) -> &mut OfJob {
        if self.jobs.len() >= JOBS && !self.jobs.contains_key(job) {
            let least = self.jobs.iter().min_by_key(|(_, of)| (of.incidents, of.failures));
            if let Some((name, of)) = least.map(|(name, of)| (name.clone(), *of)) {
                self.jobs.remove(&name);
                self.other_jobs += u64::from(of.failures > 0);
            }
        }
        self.jobs.entry(job.to_owned()).or_default()
    }

    /// Jobs that failed; at least, where there are very many.
    pub(super) fn failing_jobs(&self) -> u64 {
        let failed = self.jobs.values().filter(|of| of.failures > 0);
        failed.count() as u64 + self.other_jobs
    }

    /// Jobs that failed and never had an incident.
    pub(super) fn mended_jobs(&self) -> u64 {
        self.jobs.values().filter(|of| of.failures > 0 && !of.troubled).count() as u64
    }

    /// The jobs with the most incidents, then failures.
    pub(super) fn noisiest(&self) -> Vec<Noisy> {
        let mut rows: Vec<(&String, &OfJob)> = self.jobs.iter().collect();
        rows.sort_by_key(|(_, of)| std::cmp::Reverse((of.incidents, of.failures)));
        let row = |(name, of): (&String, &OfJob)| Noisy {
            name: name.clone(),
            incidents: of.incidents,
            failures: of.failures,
            notices: 0,
        };
        rows.into_iter().take(NAMED).map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_and_was_mended_is_told_from_trouble() {
        let mut tally = Tally::from("09:30", Ts(0), Ts(0));
        tally.failed("a", 3, true);
        tally.failed("b", 1, false);
        tally.failed("c", 2, false);
        tally.opened_for("c");
        tally.opened_for("d");
        assert_eq!((tally.failures, tally.failing_jobs(), tally.mended_jobs()), (6, 3, 1));
        let names: Vec<String> = tally.noisiest().into_iter().map(|n| n.name).collect();
        assert_eq!(names, ["c", "d", "a", "b"]);
        let text = serde_json::to_string(&tally).unwrap();
        assert_eq!(serde_json::from_str::<Tally>(&text).unwrap(), tally);
        assert_eq!(serde_json::from_str::<Tally>("{}").unwrap(), Tally::default());
    }

    #[test]
    fn however_many_jobs_fail_it_stays_small_and_keeps_the_loudest() {
        let mut tally = Tally::default();
        for _ in 0..9 {
            tally.failed("loud", 1, false);
        }
        for n in 0..10_000 {
            tally.failed(&format!("job-{n}"), 1, false);
        }
        assert_eq!((tally.failures, tally.failing_jobs()), (10_009, 10_001));
        assert_eq!(tally.noisiest()[0].name, "loud");
        assert!(serde_json::to_string(&tally).unwrap().len() < 20_000);
    }
}
