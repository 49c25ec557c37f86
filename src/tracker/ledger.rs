//! Which checkpoints and savepoints of a job were seen to complete, and what one could be restored
//! from: kept when its runs, its `JobManager` and its whole cluster are long gone.

mod path;
mod row;
mod told;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::model::{
    CheckpointStats, CheckpointSummary, Counters, JobState, RunId, RunObservation, Ts,
};

pub(super) use path::plain_path;
pub use path::same_path;
pub(super) use told::Told;

use path::number_in;

/// Periodic checkpoints remembered of one job: a cluster retains one, seldom more than a few.
const MAX_PERIODIC: usize = 6;
/// Savepoints remembered of one job.
const MAX_SAVEPOINTS: usize = 4;
/// Runs remembered of one job.
const MAX_RUNS: usize = 8;

/// Whether one can be restored from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// As far as is known: it was there, and nothing deletes it.
    Restorable,
    /// Nobody knows whether it is still there.
    Maybe,
    /// It was deleted.
    Gone,
}

impl Standing {
    /// The word in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Standing::Restorable => "restorable",
            Standing::Maybe => "maybe",
            Standing::Gone => "gone",
        }
    }
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Its number; they only grow within a job.
    pub id: Option<u64>,
    /// External path.
    pub path: String,
    /// A savepoint.
    pub savepoint: bool,
    /// Wall time of its completion; none: it was never seen to complete, a run was restored from it.
    /// Of one that an inventory told of: when it was triggered, as far as that can be known.
    pub completed_at: Option<Ts>,
    /// Bytes of state it refers to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Flink's id of the run that wrote it; of one that was never seen to complete, of the run that
    /// was restored from it.
    pub run: String,
    /// Whether one can be restored from it.
    pub standing: Standing,
    /// The inventory that told of it, where Flink itself never showed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_by: Option<String>,
}

/// What a run began with.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Origin {
    /// Not known.
    #[default]
    Unknown,
    /// With no state.
    Nothing,
    /// With that of this path.
    Path(String),
}

/// A run, as far as its checkpoints are concerned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Wrote {
    run: String,
    /// Wall time of its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    began: Option<Ts>,
    origin: Origin,
    /// All its tasks ran at some time.
    ran: bool,
    on_failure: Option<bool>,
    on_cancel: Option<bool>,
    ended: Option<JobState>,
}

impl Wrote {
    fn new(run: &str, began: Option<Ts>) -> Wrote {
        Wrote {
            run: run.to_owned(),
            began,
            origin: Origin::Unknown,
            ran: false,
            on_failure: None,
            on_cancel: None,
            ended: None,
        }
    }

    /// Whether its checkpoints stay when it ends like this (`CheckpointProperties`,
    /// `CompletedCheckpointStore.shutdown`).
    fn keeps(&self, state: JobState) -> Option<bool> {
        match state {
            JobState::Failed => self.on_failure,
            JobState::Canceled => self.on_cancel,
            _ => Some(false),
        }
    }
}

/// What one answer says of one of them.
struct Word<'a> {
    id: Option<u64>,
    path: &'a str,
    savepoint: bool,
    /// Wall time of its completion.
    at: Ts,
    size: Option<u64>,
    /// It is the history that says so, which knows the time and what was deleted.
    from_history: bool,
    discarded: bool,
}

/// What is known of one job's checkpoints.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ledger {
    /// In the order in which they were recorded.
    entries: Vec<Recorded>,
    /// Oldest first.
    runs: Vec<Wrote>,
    #[serde(skip)]
    dirty: bool,
    #[serde(skip)]
    urgent: bool,
    #[serde(skip)]
    written: Option<Ts>,
}

impl Ledger {
    /// Takes in a look at one run at this wall time. `to_wall` moves raw source times.
    pub(super) fn hear(&mut self, seen: &RunObservation, now: Ts, to_wall: &dyn Fn(i64) -> Ts) {
        if seen.run.job_id.is_empty() {
            return;
        }
        self.hear_run(seen, to_wall);
        if let Some(counters) = seen.counters.fresh() {
            self.hear_counters(&seen.run, counters, now, to_wall);
        }
        if let Some(stats) = seen.checkpoints.fresh() {
            self.hear_stats(&seen.run, stats, to_wall);
        }
        self.hear_end(seen);
        self.trim();
    }

    fn run(&mut self, id: &RunId) -> Option<&mut Wrote> {
        let place = self.runs.iter().position(|wrote| wrote.run == id.job_id);
        let place = place.unwrap_or_else(|| {
            self.runs.push(Wrote::new(&id.job_id, None));
            self.runs.len() - 1
        });
        self.runs.get_mut(place)
    }

    fn hear_run(&mut self, seen: &RunObservation, to_wall: &dyn Fn(i64) -> Ts) {
        let known = self.runs.len();
        let healthy = seen.state == JobState::Running && seen.tasks.all_running();
        let Some(wrote) = self.run(&seen.run) else { return };
        let before = wrote.clone();
        let start = seen.run.start_time;
        wrote.began = wrote.began.or_else(|| (start > 0).then(|| to_wall(start)));
        wrote.ran |= healthy;
        if !seen.state.is_terminal() {
            wrote.ended = None;
        }
        let changed = *wrote != before;
        self.dirty |= changed || self.runs.len() > known;
    }

    fn hear_counters(
        &mut self,
        run: &RunId,
        counters: &Counters,
        now: Ts,
        to_wall: &dyn Fn(i64) -> Ts,
    ) {
        let Some(path) = &counters.last_checkpoint_path else { return };
        let word = Word {
            id: counters.last_checkpoint_id.or_else(|| number_in(path)),
            path,
            savepoint: path.contains("/savepoint-"),
            // Where the time is not told: it completed since the last look.
            at: counters.last_checkpoint_completed.map_or(now, to_wall),
            size: None,
            from_history: false,
            discarded: false,
        };
        self.record(run, &word);
    }

    fn hear_stats(&mut self, run: &RunId, stats: &CheckpointStats, to_wall: &dyn Fn(i64) -> Ts) {
        if let Some(wrote) = self.run(run) {
            let before = wrote.clone();
            wrote.on_failure = stats.retained_on_failure.or(wrote.on_failure);
            wrote.on_cancel = stats.retained_on_cancel.or(wrote.on_cancel);
            let own = format!("/{}/", run.job_id);
            match &stats.restored_from {
                // After a failover it is one of its own: what it began with is something else.
                Some(from) if from.path.as_ref().is_some_and(|path| path.contains(&own)) => {}
                Some(from) => {
                    if let Some(path) = &from.path
                        && !matches!(wrote.origin, Origin::Path(_))
                    {
                        wrote.origin = Origin::Path(path.clone());
                    }
                }
                None if wrote.ran && wrote.origin == Origin::Unknown => {
                    wrote.origin = Origin::Nothing;
                }
                None => {}
            }
            let changed = *wrote != before;
            self.dirty |= changed;
        }
        if let Some(from) = &stats.restored_from
            && let Some(path) = &from.path
            && !self.entries.iter().any(|known| known.path == *path)
        {
            self.dirty = true;
            self.entries.push(Recorded {
                id: Some(from.id),
                path: path.clone(),
                savepoint: from.savepoint,
                completed_at: None,
                size: None,
                run: run.job_id.clone(),
                standing: Standing::Maybe,
                told_by: None,
            });
        }
        let mut done: Vec<&CheckpointSummary> = stats.recent_completed.iter().collect();
        done.extend(stats.latest_completed.iter().chain(&stats.latest_savepoint));
        done.sort_by_key(|summary| (summary.id, summary.ended_at));
        for summary in done {
            let (Some(path), Some(at)) = (&summary.path, summary.ended_at) else { continue };
            let word = Word {
                id: Some(summary.id),
                path,
                savepoint: summary.savepoint,
                at: to_wall(at),
                size: summary.size,
                from_history: true,
                discarded: summary.discarded,
            };
            self.record(run, &word);
        }
    }

    /// Takes in one; of those of its run that are older, only the history knows whether they stay.
    fn record(&mut self, run: &RunId, word: &Word<'_>) {
        self.replace_hearsay(word.path, word.discarded);
        if let Some(known) = self.entries.iter_mut().find(|known| known.path == word.path) {
            let before = known.clone();
            if known.completed_at.is_none() {
                known.run.clone_from(&run.job_id);
            }
            if word.from_history || known.completed_at.is_none() {
                known.completed_at = Some(word.at);
                known.size = word.size.or(known.size);
                known.savepoint |= word.savepoint;
                known.id = word.id.or(known.id);
            }
            // What was deleted does not come back, whatever an old answer says.
            if word.from_history && known.standing != Standing::Gone {
                known.standing = if word.discarded { Standing::Gone } else { Standing::Restorable };
            }
            let changed = *known != before;
            self.dirty |= changed;
            return;
        }
        if word.discarded {
            // Never known, and nothing to be restored from.
            return;
        }
        if !word.savepoint {
            for older in &mut self.entries {
                let of_run = older.run == run.job_id && !older.savepoint && older.id < word.id;
                if of_run && older.standing == Standing::Restorable {
                    older.standing = Standing::Maybe;
                }
            }
        }
        self.dirty = true;
        self.entries.push(Recorded {
            id: word.id,
            path: word.path.to_owned(),
            savepoint: word.savepoint,
            completed_at: Some(word.at),
            size: word.size,
            run: run.job_id.clone(),
            standing: Standing::Restorable,
            told_by: None,
        });
    }

    /// What Flink deletes when a run ends.
    fn hear_end(&mut self, seen: &RunObservation) {
        if !seen.state.is_terminal() {
            return;
        }
        let Some(wrote) = self.run(&seen.run) else { return };
        let first = wrote.ended != Some(seen.state);
        wrote.ended = Some(seen.state);
        let kept = wrote.keeps(seen.state);
        let newest = |entry: &&mut Recorded| entry.run == seen.run.job_id && !entry.savepoint;
        for entry in self.entries.iter_mut().filter(newest) {
            let after = match kept {
                Some(false) if entry.completed_at.is_some() => Standing::Gone,
                None if entry.standing == Standing::Restorable => Standing::Maybe,
                _ => entry.standing,
            };
            self.dirty |= entry.standing != after;
            entry.standing = after;
        }
        self.dirty |= first;
        self.urgent |= first;
    }

    /// Somebody looked: it is there, or it is not.
    pub fn checked(&mut self, path: &str, there: bool) {
        for entry in self.entries.iter_mut().filter(|entry| entry.path == path) {
            let standing = if there { Standing::Restorable } else { Standing::Gone };
            self.dirty |= entry.standing != standing;
            self.urgent |= entry.standing != standing;
            entry.standing = standing;
        }
    }

    /// A run was started from this path, or from nothing, because somebody decided so.
    pub(super) fn began(&mut self, run: &str, from: Option<&str>) {
        let id = RunId { job_id: run.to_owned(), ..RunId::default() };
        let Some(wrote) = self.run(&id) else { return };
        wrote.origin = from.map_or(Origin::Nothing, |path| Origin::Path(path.to_owned()));
        (self.dirty, self.urgent) = (true, true);
        if let Some(path) = from
            && !self.entries.iter().any(|known| known.path == path)
        {
            self.entries.push(Recorded {
                id: number_in(path),
                path: path.to_owned(),
                savepoint: path.contains("/savepoint-"),
                completed_at: None,
                size: None,
                run: run.to_owned(),
                standing: Standing::Maybe,
                told_by: None,
            });
        }
        self.trim();
    }

    /// A run was stopped with this savepoint.
    pub(super) fn took_savepoint(&mut self, at: Ts, run: &str, path: &str) {
        self.urgent = true;
        let id = RunId { job_id: run.to_owned(), ..RunId::default() };
        let word = Word {
            id: None,
            path,
            savepoint: true,
            at,
            size: None,
            from_history: true,
            discarded: false,
        };
        self.record(&id, &word);
        self.trim();
    }

    /// All that are known, newest first.
    pub fn entries(&self) -> impl Iterator<Item = &Recorded> {
        let mut all: Vec<&Recorded> = self.entries.iter().rev().collect();
        all.sort_by_key(|entry| std::cmp::Reverse((entry.completed_at, entry.id)));
        all.into_iter()
    }

    /// What the job can go on from, best first: what its newest run wrote, then what that began with,
    /// then what was there before that. A run that began with nothing, or with an older state, did so
    /// because somebody wanted it: what is newer than that is not offered.
    pub fn candidates(&self) -> Vec<&Recorded> {
        let mut found: Vec<&Recorded> = Vec::new();
        let mut seen = BTreeSet::new();
        // What is offered from here on was completed no later than this.
        let mut until: Option<Ts> = None;
        for wrote in self.runs.iter().rev() {
            let mut own: Vec<&Recorded> = self
                .entries
                .iter()
                .filter(|entry| entry.run == wrote.run && entry.completed_at.is_some())
                .filter(|entry| until.is_none_or(|until| entry.completed_at <= Some(until)))
                .collect();
            own.sort_by_key(|entry| std::cmp::Reverse((entry.completed_at, entry.id)));
            found.extend(own.into_iter().filter(|entry| seen.insert(entry.path.as_str())));
            match &wrote.origin {
                Origin::Nothing => return found,
                Origin::Path(path) => {
                    let Some(from) = self.entries.iter().find(|entry| entry.path == *path) else {
                        return found;
                    };
                    if seen.insert(from.path.as_str()) {
                        found.push(from);
                    }
                    // Of one that was never seen to complete nobody knows what came before.
                    let Some(at) = from.completed_at else { return found };
                    until = Some(until.map_or(at, |until| until.min(at)));
                }
                Origin::Unknown => {}
            }
        }
        // Of runs that are not remembered any more, or that an inventory knew.
        let mut rest: Vec<&Recorded> = self
            .entries
            .iter()
            .filter(|entry| entry.completed_at.is_some())
            .filter(|entry| until.is_none_or(|until| entry.completed_at <= Some(until)))
            .filter(|entry| !self.runs.iter().any(|wrote| wrote.run == entry.run))
            .collect();
        rest.sort_by_key(|entry| std::cmp::Reverse((entry.completed_at, entry.id)));
        found.extend(rest.into_iter().filter(|entry| seen.insert(entry.path.as_str())));
        found
    }

    /// The entry of this path, or of this number, as a person names it: the newest of several.
    pub fn named(&self, text: &str) -> Option<&Recorded> {
        let same = |entry: &&Recorded| same_path(&entry.path, text);
        let number = text.trim_start_matches("chk-").parse::<u64>().ok();
        let part = |entry: &&Recorded| {
            let last = entry.path.trim_end_matches('/').rsplit('/').next();
            last == Some(text) || (number.is_some() && entry.id == number)
        };
        self.entries().find(same).or_else(|| self.entries().find(part))
    }

    /// A path is in it.
    pub(super) fn has(&self, path: &str) -> bool {
        self.entries.iter().any(|entry| same_path(&entry.path, path))
    }

    /// It recorded this path, or one of its runs wrote it: Flink names the folder by the run's id. Runs
    /// that share one id (zeros, with high availability on Kubernetes) cannot be told apart by it.
    pub(super) fn owns(&self, path: &str) -> bool {
        let wrote = |run: &str| {
            let tells = run.len() == 32 && run.chars().any(|c| c != '0');
            tells && path.split('/').any(|folder| folder == run)
        };
        self.has(path) || self.runs.iter().any(|known| wrote(&known.run))
    }

    /// Of its newest run it is known that a cancel leaves its checkpoints.
    pub fn survives_cancel(&self) -> bool {
        self.runs.last().is_some_and(|wrote| wrote.on_cancel == Some(true))
    }

    /// Nothing is known.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The newest word in it, wall time.
    pub(super) fn newest(&self) -> Option<Ts> {
        self.entries.iter().filter_map(|entry| entry.completed_at).max()
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
