//! A job under its stable identity: its runs, its failures across runs, its last checkpoint.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Causes, Flaps, Inventoried, Numbers, Run, Series, SourceTrack, Spans};
use crate::model::{
    Change, CheckpointRef, Completeness, JobKey, JobState, Labels, RootCause, RunId,
    RunObservation, Schedule, Seen, SeenBy, Snapshot, Time, Ts,
};

/// Runs remembered per job.
const MAX_RUNS: usize = 8;
/// Failure times remembered per job; rules cannot ask for more.
pub const MAX_FAILURES: usize = 64;
/// Failures further apart belong to different bouts.
const BOUT: Duration = Duration::from_mins(30);
/// What the lag series reaches back.
const LAG_SPAN_MS: i64 = 3_600_000;
/// A checkpoint path alone is written at most this often; every other change at once.
const CHECKPOINT_ROW_EVERY_MS: i64 = 30_000;

/// A job as of the last sighting of any of its runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JobTrack {
    /// Source that names it.
    pub source: String,
    /// What fails together.
    pub cluster: String,
    /// Kubernetes namespace or empty.
    pub namespace: String,
    /// Flink cluster.
    pub flink_cluster: String,
    /// Its name.
    pub name: String,
    /// Flink's name of it.
    pub flink_job_name: String,
    /// Labels found out about it: those of its platform, and beside them those of its inventory.
    pub labels: Labels,
    /// What an inventory says about it, if it is in one.
    #[serde(default)]
    pub inventory: Option<Box<Inventoried>>,
    /// Was there at the first look at its source.
    pub since_first_look: bool,
    /// Its runs, oldest first.
    pub runs: Vec<Run>,
    /// Steady times of the newest distinct failures, oldest first.
    pub failure_times: VecDeque<Ts>,
    /// What they were, of those whose exception was read.
    #[serde(default)]
    pub causes: Causes,
    /// In which minutes it failed.
    #[serde(default)]
    pub flaps: Flaps,
    /// Distinct failures since it is watched.
    pub failures_total: u64,
    /// The total before the present bout of failures: those with less than half an hour between.
    #[serde(default)]
    pub bout_base: u64,
    /// The newest cause: (raw source ms, cause).
    pub last_cause: Option<(i64, RootCause)>,
    /// The restart strategy gave up on the newest run.
    pub gave_up: bool,
    /// Last restorable checkpoint.
    pub checkpoint: Option<CheckpointRef>,
    /// Since when it is gone from complete listings though it was alive.
    pub missing_since: Option<Ts>,
    /// Steady time of the last sighting.
    pub last_seen: Ts,
    /// Live runs in the last listing.
    pub live_runs: u32,
    /// Steady time since when the run that counts has been healthy without a break.
    pub healthy_since: Option<Ts>,
    /// `TaskManagers` of its Flink cluster when it was last healthy.
    #[serde(default)]
    pub healthy_taskmanagers: Option<u32>,
    /// Records behind.
    #[serde(skip, default = "lag_series")]
    pub lag: Series,
    /// None of its sources reports lag.
    #[serde(skip)]
    pub lag_not_applicable: bool,
    /// Steady time of the last word on lag.
    #[serde(skip)]
    pub lag_heard: Option<Ts>,
    /// At the last look a run of it had begun anew under its old id: another `JobManager` took over.
    #[serde(skip)]
    pub failed_over: bool,
    /// Numbers rules asked for by name; long series are kept in a row of their own.
    #[serde(skip)]
    pub numbers: Numbers,
    /// What other sources say of it.
    #[serde(skip)]
    pub seen_by: Vec<SeenBy>,
    /// The other source it was last seen by, while its own does not show it, and when (steady).
    #[serde(skip)]
    pub eyes: Option<(String, Ts)>,
    /// Steady time its own source showed it last.
    #[serde(skip)]
    pub own_seen: Option<Ts>,
    /// When it is meant to run, as the configuration says.
    #[serde(skip)]
    pub schedule: Option<Arc<Schedule>>,
    #[serde(skip)]
    pub(super) dirty: bool,
    #[serde(skip)]
    checkpoint_dirty: bool,
    #[serde(skip)]
    written: Option<Ts>,
}

fn lag_series() -> Series {
    Series::over(LAG_SPAN_MS)
}

impl JobTrack {
    /// A job never seen.
    pub fn new(source: &str, seen: &RunObservation, time: Time, first_look: bool) -> JobTrack {
        JobTrack {
            source: source.to_owned(),
            cluster: seen.cluster.clone(),
            namespace: seen.namespace.clone(),
            flink_cluster: seen.flink_cluster.clone(),
            name: seen.name.clone(),
            flink_job_name: seen.flink_job_name.clone(),
            labels: seen.labels.clone(),
            inventory: None,
            since_first_look: first_look,
            runs: Vec::new(),
            failure_times: VecDeque::new(),
            causes: Causes::default(),
            flaps: Flaps::default(),
            failures_total: 0,
            bout_base: 0,
            last_cause: None,
            gave_up: false,
            checkpoint: None,
            missing_since: None,
            last_seen: time.steady,
            live_runs: 0,
            healthy_since: None,
            healthy_taskmanagers: None,
            lag: lag_series(),
            lag_not_applicable: false,
            lag_heard: None,
            failed_over: false,
            numbers: Numbers::default(),
            seen_by: Vec::new(),
            eyes: None,
            own_seen: None,
            schedule: None,
            dirty: true,
            checkpoint_dirty: false,
            written: None,
        }
    }

    /// Takes in all runs of this job in one look; returns how many failures were added.
    pub fn observe(
        &mut self,
        time: Time,
        snapshot: &Snapshot,
        source: &SourceTrack,
        seen: &[&RunObservation],
        first_look: bool,
    ) -> u64 {
        let source_now = source.source_now(time);
        let before = self.failures_total;
        let was = (self.missing_since, self.live_runs, self.healthy_since.is_some());
        self.last_seen = time.steady;
        self.own_seen = Some(time.steady);
        self.missing_since = None;
        self.eyes = None;
        self.forget_old_words(time.steady);
        for run in &mut self.runs {
            run.listed = false;
        }
        for observation in seen {
            self.observe_run(time, source, source_now, observation, first_look);
        }
        self.failed_over = false;
        // Of a Flink that could not be looked into, what is not shown is not gone.
        let complete = snapshot.completeness == Completeness::Complete
            && !source.unseen.contains_key(&self.flink_cluster);
        // Nearly always every run that is known is listed: then nothing has become of any.
        if self.runs.iter().any(|run| !run.listed) {
            self.drop_unlisted(complete);
        }
        if complete {
            let lost = self.current().is_some_and(|r| !r.listed && r.state.is_live());
            self.missing_since = lost.then(|| was.0.unwrap_or(time.steady));
        }
        self.note_life(time);
        if self.healthy_since.is_some() {
            let cluster = snapshot.clusters.iter().find(|c| c.flink_cluster == self.flink_cluster);
            let known = cluster.and_then(|c| c.taskmanagers);
            self.healthy_taskmanagers = known.or(self.healthy_taskmanagers);
        }
        self.trim();
        let now_is = (self.missing_since, self.live_runs, self.healthy_since.is_some());
        self.dirty |= was != now_is;
        self.failures_total.saturating_sub(before)
    }

    /// After a look: how many of its runs live, and since when it is well.
    pub(super) fn note_life(&mut self, time: Time) {
        self.live_runs = self.runs.iter().filter(|r| r.listed && r.state.is_live()).count() as u32;
        self.healthy_since = match self.current() {
            Some(run) if run.is_healthy() => self.healthy_since.or(Some(time.steady)),
            _ => None,
        };
        self.forget_failures_of_purpose();
    }

    pub(super) fn observe_run(
        &mut self,
        time: Time,
        source: &SourceTrack,
        source_now: i64,
        seen: &RunObservation,
        first_look: bool,
    ) {
        self.labels.clone_from(&seen.labels);
        self.add_inventory_labels();
        // A platform that cannot look into it knows only its own name for it.
        if seen.tasks.total > 0 && self.runs.last().is_none_or(|newest| newest.id <= seen.run) {
            self.flink_job_name.clone_from(&seen.flink_job_name);
        }
        self.flink_cluster.clone_from(&seen.flink_cluster);
        let index = match self.runs.iter().position(|r| r.id == seen.run) {
            Some(index) => index,
            // One of more ended runs than are kept: it was counted before it was let go.
            None if self.runs.len() >= MAX_RUNS && self.is_let_go(seen) => return,
            None => {
                let before_first_look = source.first_look_source.filter(|first| {
                    first_look || seen.run.start_time.saturating_add(1_000) < *first
                });
                let mut run = Run::new(seen, before_first_look);
                if before_first_look.is_none() {
                    run.left_before = self.left_to_restore();
                }
                // Under another JobManager it is still the run Weir stops.
                run.own_stop = self
                    .runs
                    .iter()
                    .any(|known| known.own_stop && known.id.job_id == run.id.job_id);
                // Most jobs have one, and a run is large: room for more of them is room wasted.
                self.runs.reserve_exact(1);
                self.runs.push(run);
                self.runs.sort_by(|a, b| a.id.cmp(&b.id));
                self.dirty = true;
                self.runs.iter().position(|r| r.id == seen.run).unwrap_or(0)
            }
        };
        let sighting = self.runs[index].observe(time, source_now, seen);
        self.dirty |= sighting.changed;
        self.note_failures(time, source, &sighting.added, seen.failures.fresh());
        if let Some((at, cause, gave_up)) = sighting.cause
            && self.last_cause.as_ref().is_none_or(|(known, _)| at >= *known)
        {
            let known = self.last_cause.as_ref().is_some_and(|(_, c)| *c == cause);
            self.dirty |= !known;
            self.last_cause = Some((at, cause));
            self.gave_up = gave_up;
        }
        let run = &self.runs[index];
        if let Some((id, path, at, savepoint)) = &run.checkpoints.restorable
            && self.checkpoint.as_ref().is_none_or(|known| known.path != *path)
            && (sighting.checkpoint_moved || self.checkpoint.is_none())
        {
            self.checkpoint = Some(CheckpointRef {
                id: *id,
                path: path.clone(),
                completed_at: source.to_wall(*at),
                savepoint: *savepoint,
                run: run.id.clone(),
            });
            self.checkpoint_dirty = true;
        }
        self.hear_lag(time, seen);
    }

    fn is_let_go(&self, seen: &RunObservation) -> bool {
        let mut ended = self.runs.iter().filter(|known| !known.state.is_live());
        !seen.state.is_live() && ended.all(|known| seen.run < known.id)
    }

    /// The newest path its runs so far could be restored from; empty where they completed some and
    /// no path is known.
    fn left_to_restore(&self) -> Option<String> {
        // What ends by itself takes its checkpoints along (`CheckpointProperties`, all modes).
        let ended = |run: &Run| run.state == JobState::Finished && !run.checkpoints.is_stopped();
        if self.runs.last().is_some_and(ended) {
            return None;
        }
        let known = self.checkpoint.as_ref().map(|c| c.path.clone());
        let any = || self.runs.iter().any(|run| run.checkpoints.has_completed());
        known.or_else(|| any().then(String::new))
    }

    fn note_failures(
        &mut self,
        time: Time,
        source: &SourceTrack,
        added: &super::failures::Added,
        read: Option<&Vec<crate::model::Failure>>,
    ) {
        let find = |at: i64| read.and_then(|list| list.iter().find(|f| f.at == at));
        for at in &added.explained {
            if let Some(failure) = find(*at) {
                self.causes.note(source.to_steady(time, *at), failure);
                self.dirty = true;
            }
        }
        if added.count == 0 {
            return;
        }
        self.dirty = true;
        let last = self.failure_times.back().copied();
        if last.is_none_or(|at| time.steady.since(at) > BOUT) {
            self.bout_base = self.failures_total;
        }
        self.failures_total += added.count;
        // Failures no exception entry tells the time of happened since the last one that is known.
        let untimed = added.count.saturating_sub(added.times.len() as u64);
        for _ in 0..untimed.min(MAX_FAILURES as u64) {
            self.failure_times.push_back(time.steady);
            self.flaps.note(time.steady);
        }
        for at in &added.times {
            let steady = source.to_steady(time, *at);
            self.failure_times.push_back(steady);
            self.flaps.note(steady);
            if let Some(failure) = find(*at) {
                self.causes.note(steady, failure);
            }
        }
        self.failure_times.make_contiguous().sort_unstable();
        while self.failure_times.len() > MAX_FAILURES {
            self.failure_times.pop_front();
        }
    }

    fn hear_lag(&mut self, time: Time, seen: &RunObservation) {
        match &seen.lag {
            Seen::Fresh(lag) => {
                if let Some(records) = lag.records {
                    self.lag.push(time.steady, records);
                    self.lag_heard = Some(time.steady);
                    self.lag_not_applicable = false;
                }
            }
            Seen::NotApplicable => {
                self.lag_not_applicable = true;
                self.lag_heard = Some(time.steady);
            }
            Seen::NotAsked | Seen::Unknown => {}
        }
    }

    /// Takes in the numbers of the run that counts; true if long series are worth writing down.
    pub(super) fn hear_numbers(
        &mut self,
        now: Ts,
        seen: &[&RunObservation],
        spans: &Spans,
    ) -> bool {
        let Some(id) = self.current().map(|run| &run.id) else { return false };
        let Some(seen) = seen.iter().find(|seen| seen.run == *id) else { return false };
        self.numbers.hear(now, &seen.metrics, spans)
    }

    /// An archive knows how the run that counts ended; returns how many failures were added.
    pub(super) fn hear_end(
        &mut self,
        time: Time,
        source: &SourceTrack,
        end: &RunObservation,
    ) -> u64 {
        let before = self.failures_total;
        self.observe_run(time, source, source.source_now(time), end, false);
        for run in self.runs.iter_mut().filter(|run| run.id == end.run) {
            run.archived = true;
            run.listed = false;
        }
        (self.missing_since, self.live_runs, self.healthy_since) = (None, 0, None);
        self.forget_failures_of_purpose();
        self.dirty = true;
        self.failures_total.saturating_sub(before)
    }

    /// Somebody ended it: what failed before says nothing about the run they start next.
    fn forget_failures_of_purpose(&mut self) {
        if self.ended_on_purpose() && !(self.failure_times.is_empty() && self.causes.is_empty()) {
            self.failure_times.clear();
            self.causes.clear();
            self.flaps.clear();
            self.dirty = true;
        }
    }

    /// The job is not in a complete listing.
    pub fn note_absent(&mut self, time: Time) {
        self.live_runs = 0;
        if self.state().is_live() && self.missing_since.is_none() {
            self.missing_since = Some(time.steady);
            self.healthy_since = None;
            self.dirty = true;
        }
        for run in &mut self.runs {
            run.listed = false;
        }
    }

    /// Lets go of runs that are not listed and need not be remembered.
    pub(super) fn drop_unlisted(&mut self, complete: bool) {
        // The same job id with a newer start is the same run under a new JobManager.
        let listed: Vec<RunId> =
            self.runs.iter().filter(|r| r.listed).map(|r| r.id.clone()).collect();
        let taken_over = |run: &Run| {
            let newer = |l: &RunId| l.job_id == run.id.job_id && l.start_time > run.id.start_time;
            !run.listed && listed.iter().any(newer)
        };
        self.failed_over = self.runs.iter().any(|run| taken_over(run) && run.state.is_live());
        // What a platform had a name of its own for is one of those its Flink shows by now.
        let heard = |run: &Run| {
            let since = |l: &RunId| !l.is_platforms() && l.start_time >= run.id.start_time;
            !run.listed && run.id.is_platforms() && listed.iter().any(since)
        };
        self.runs.retain(|run| !taken_over(run) && !heard(run));
        if complete {
            self.drop_forgotten(listed.iter().max());
        }
    }

    /// Runs Flink does not list any more: a terminal one keeps its state unless a newer one is
    /// there; a live one was superseded if another live or newer run is there, else it is lost.
    fn drop_forgotten(&mut self, newest_listed: Option<&RunId>) {
        let live_listed = self.runs.iter().any(|r| r.listed && r.state.is_live());
        self.runs.retain(|run| {
            let newest = newest_listed <= Some(&run.id);
            run.listed || (newest && (run.state.is_terminal() || !live_listed))
        });
    }

    pub(super) fn trim(&mut self) {
        while self.runs.len() > MAX_RUNS {
            let victim = self.runs.iter().position(|r| !r.state.is_live()).unwrap_or(0);
            self.runs.remove(victim);
        }
    }

    /// The run that counts: the newest live one, else the newest.
    pub fn current(&self) -> Option<&Run> {
        let live = self.runs.iter().filter(|r| r.state.is_live());
        live.max_by(|a, b| a.id.cmp(&b.id)).or_else(|| self.runs.last())
    }

    /// The job's state: of two live runs the worse one counts.
    pub fn state(&self) -> JobState {
        let live = || self.runs.iter().filter(|r| r.state.is_live());
        let listed = live().filter(|r| r.listed).map(|r| r.state).max_by_key(|s| s.badness());
        listed
            .or_else(|| live().map(|r| r.state).max_by_key(|s| s.badness()))
            .or_else(|| self.runs.last().map(|r| r.state))
            .unwrap_or(JobState::Unknown)
    }

    /// Labels of the inventory, where the platform has none of that name.
    fn add_inventory_labels(&mut self) {
        let Some(found) = &self.inventory else { return };
        for (name, value) in found.entry.labels(&found.source).0 {
            self.labels.0.entry(name).or_insert(value);
        }
    }

    /// What an inventory says about it from now on; true if that is something else than before, and
    /// to be kept.
    pub(super) fn set_inventory(&mut self, found: Option<Inventoried>) -> bool {
        let before = self.inventory.take();
        let changed = match (&before, &found) {
            (Some(before), Some(found)) => !before.is_same(found),
            (before, found) => before.is_some() != found.is_some(),
        };
        if changed {
            let old = before.map(|known| known.entry.labels(&known.source)).unwrap_or_default();
            self.labels.0.retain(|name, value| old.0.get(name) != Some(&*value));
        }
        self.inventory = found.map(Box::new);
        self.add_inventory_labels();
        changed
    }

    pub(super) fn take_dirty(&mut self, time: Time) -> bool {
        let due = self
            .written
            .is_none_or(|at| time.steady.since(at).as_millis() as i64 >= CHECKPOINT_ROW_EVERY_MS);
        let write = self.dirty || (self.checkpoint_dirty && due);
        if write {
            self.dirty = false;
            self.checkpoint_dirty = false;
            self.written = Some(time.steady);
        }
        write
    }

    pub(super) fn row(&self, key: &JobKey) -> Change {
        Change::Job { key: key.0.clone(), body: serde_json::to_string(self).unwrap_or_default() }
    }
}
