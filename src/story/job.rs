//! A simulated run of a job: what a look at it shows at a time.

use super::checkpoints::Checkpoints;
use super::series::Sample;
use super::timeline::Line;
use super::world::number;
use crate::model::{
    CheckpointSummary, Counters, Demand, Failure, InventoryEntry, JobKey, JobState, Labels, Lag,
    MetricKey, Metrics, RunId, RunObservation, Says, Seen, TaskCounts,
};

/// Entries of the exception history Flink keeps.
const HISTORY: usize = 16;

/// One run. Times are ms of the story.
#[derive(Debug, Clone, Default)]
pub(super) struct SimRun {
    pub(super) source: usize,
    pub(super) name: String,
    pub(super) cluster: String,
    pub(super) namespace: String,
    pub(super) flink_cluster: String,
    pub(super) job_id: String,
    pub(super) labels: Labels,
    pub(super) starts: i64,
    pub(super) state: Line,
    pub(super) tasks: Tasks,
    pub(super) failures: Vec<Failed>,
    pub(super) restarts: Option<Line>,
    pub(super) rescales: Option<Line>,
    pub(super) checkpoints: Checkpoints,
    pub(super) restored_from: Option<String>,
    pub(super) restarts_from_scratch: bool,
    pub(super) lag: Option<Line>,
    pub(super) batch: bool,
    /// An inventory's word for its state.
    pub(super) inventory: Option<Line>,
    pub(super) metrics: Vec<(MetricKey, Line)>,
}

/// Tasks by state, where the story says more than follows from the run's state.
#[derive(Debug, Clone, Default)]
pub(super) struct Tasks {
    pub(super) total: Option<Line>,
    pub(super) running: Option<Line>,
    pub(super) finished: Option<Line>,
    pub(super) failed: Option<Line>,
    pub(super) scheduled: Option<Line>,
    pub(super) created: Option<Line>,
}

/// One failure.
#[derive(Debug, Clone)]
pub(super) struct Failed {
    pub(super) at: i64,
    /// When it runs again.
    pub(super) until: i64,
    pub(super) unlisted: bool,
    /// Its time is that of the story.
    pub(super) entry: Failure,
}

impl SimRun {
    /// Its state at `t`; `None` while it is not in the listing.
    pub(super) fn state(&self, t: i64) -> Option<JobState> {
        if t < self.starts {
            return None;
        }
        let said = match self.state.at(t) {
            Some(Sample::Word(word)) => JobState::parse(word),
            Some(_) => return None,
            None => JobState::Running,
        };
        if said != JobState::Running {
            return Some(said);
        }
        let last = self.happened(t).last();
        Some(match last {
            Some(failed) if failed.entry.gave_up => JobState::Failed,
            Some(failed) if t < failed.until => JobState::Restarting,
            _ => JobState::Running,
        })
    }

    /// What an inventory says of it at `t`, if it knows it.
    pub(super) fn inventoried(&self, t: i64) -> Option<InventoryEntry> {
        let Some(Sample::Word(word)) = self.inventory.as_ref()?.at(t) else { return None };
        let says = match word.as_str() {
            "RUNNING" | "RESTARTING" => Says::Runs,
            "LOST" => Says::Lost,
            "FAILED" => Says::Failed,
            "CANCELED" | "FINISHED" => Says::Ended,
            _ => Says::Changes,
        };
        Some(InventoryEntry {
            id: self.job_id.clone(),
            name: self.name.clone(),
            says,
            state: word.clone(),
            ..InventoryEntry::default()
        })
    }

    /// It runs with all its tasks: else Flink begins no checkpoint.
    pub(super) fn is_healthy(&self, t: i64) -> bool {
        self.state(t) == Some(JobState::Running) && self.tasks(t, JobState::Running).all_running()
    }

    fn happened(&self, t: i64) -> &[Failed] {
        let count = self.failures.partition_point(|failed| failed.at <= t);
        self.failures.get(..count).unwrap_or_default()
    }

    /// When its state last changed.
    fn changed(&self, t: i64) -> i64 {
        let said = self.state.steps().iter().map(|(at, _)| *at).filter(|at| *at <= t).max();
        let failed = self.happened(t).last().map(|f| if f.until <= t { f.until } else { f.at });
        said.into_iter().chain(failed).fold(self.starts, i64::max)
    }

    /// What a look shows, as far as anybody asked.
    pub(super) fn look(
        &self,
        t: i64,
        epoch: i64,
        frozen: bool,
        source: &str,
        demand: &Demand,
    ) -> Option<RunObservation> {
        let state = self.state(t)?;
        let ended = state.is_terminal();
        let asked = |wanted: bool| wanted && !ended;
        let session = if self.flink_cluster == source { "" } else { &self.flink_cluster };
        Some(RunObservation {
            key: JobKey::new(&self.cluster, &self.namespace, session, &self.name),
            name: self.name.clone(),
            cluster: self.cluster.clone(),
            namespace: self.namespace.clone(),
            flink_cluster: self.flink_cluster.clone(),
            flink_job_name: self.name.clone(),
            run: RunId { start_time: epoch + self.starts, job_id: self.job_id.clone() },
            state,
            end_time: ended.then(|| epoch + self.changed(t)),
            tasks: self.tasks(t, state),
            last_modification: Some(epoch + self.changed(t)),
            labels: self.labels.clone(),
            counters: match asked(demand.counters) {
                true if frozen => Seen::Unknown,
                true => Seen::Fresh(self.counters(t, epoch)),
                false => Seen::NotAsked,
            },
            checkpoints: match demand.checkpoints {
                true if self.checkpoints.disabled => Seen::NotApplicable,
                true => Seen::Fresh(self.checkpoint_stats(t, epoch)),
                false => Seen::NotAsked,
            },
            failures: if demand.failures {
                Seen::Fresh(self.history(t, epoch))
            } else {
                Seen::NotAsked
            },
            failures_truncated: self.happened(t).iter().filter(|f| !f.unlisted).count() > HISTORY,
            lag: if asked(demand.lag) { self.lag(t, frozen) } else { Seen::NotAsked },
            batch: if demand.job_type { Seen::Fresh(self.batch) } else { Seen::NotAsked },
            metrics: if ended {
                Metrics::new()
            } else {
                let of_jobs = demand.metrics.keys().filter(|q| !q.scope.is_of_cluster());
                of_jobs.map(|q| (q.key(), number(&self.metrics, &q.key(), t, frozen))).collect()
            },
            ..RunObservation::default()
        })
    }

    fn tasks(&self, t: i64, state: JobState) -> TaskCounts {
        let said = |line: &Option<Line>| {
            line.as_ref().and_then(|l| l.number(t)).map(|n| n.max(0.0) as u32)
        };
        let tasks = &self.tasks;
        let total = said(&tasks.total).unwrap_or(4);
        let others = [&tasks.finished, &tasks.failed, &tasks.scheduled, &tasks.created];
        let [finished, failed, scheduled, created] = others.map(|o| said(o).unwrap_or(0));
        let left = total.saturating_sub(finished + failed + scheduled + created);
        let usual = if state == JobState::Running { left } else { 0 };
        let running = said(&tasks.running).unwrap_or(usual);
        TaskCounts { total, running, finished, failed, scheduled, created }
    }

    fn counters(&self, t: i64, epoch: i64) -> Counters {
        let said = |line: &Option<Line>| {
            line.as_ref().and_then(|l| l.number(t)).map(|n| n.max(0.0) as u64)
        };
        let own = self.happened(t).iter().filter(|f| !f.entry.gave_up).count() as u64;
        let rescales = said(&self.rescales).unwrap_or(0);
        let restarts =
            if self.restarts.is_some() { said(&self.restarts) } else { Some(own + rescales) };
        let (completed, failed) = self.checkpoints.counts(t);
        let latest = self.checkpoints.latest(t, epoch);
        Counters {
            restarts,
            rescales: Some(rescales),
            completed_checkpoints: Some(completed),
            failed_checkpoints: Some(failed),
            last_checkpoint_id: latest.as_ref().map(|c| c.id),
            last_checkpoint_path: latest.as_ref().and_then(|c| c.path.clone()),
            last_checkpoint_completed: latest.as_ref().and_then(|c| c.ended_at),
        }
    }

    fn checkpoint_stats(&self, t: i64, epoch: i64) -> crate::model::CheckpointStats {
        let mut stats = self.checkpoints.stats(t, epoch);
        let began = self.restored_from.as_ref().map(|path| CheckpointSummary {
            path: Some(path.clone()),
            ended_at: Some(epoch + self.starts),
            savepoint: path.contains("savepoint"),
            ..CheckpointSummary::default()
        });
        let mut restored = u64::from(began.is_some());
        stats.restored_from = began;
        if !self.restarts_from_scratch {
            for failed in self.happened(t).iter().filter(|f| !f.entry.gave_up && f.until <= t) {
                if let Some(latest) = self.checkpoints.latest(failed.at, epoch) {
                    restored += 1;
                    let ended_at = Some(epoch + failed.until);
                    stats.restored_from = Some(CheckpointSummary { ended_at, ..latest });
                }
            }
        }
        stats.restored = Some(restored);
        stats
    }

    fn history(&self, t: i64, epoch: i64) -> Vec<Failure> {
        let listed = self.happened(t).iter().rev().filter(|f| !f.unlisted).take(HISTORY);
        listed.map(|f| Failure { at: epoch + f.at, ..f.entry.clone() }).collect()
    }

    fn lag(&self, t: i64, frozen: bool) -> Seen<Lag> {
        let Some(line) = &self.lag else { return Seen::NotApplicable };
        match line.at(t) {
            _ if frozen => Seen::Unknown,
            Some(Sample::Number(records)) => Seen::Fresh(Lag { records: Some(*records) }),
            Some(Sample::Stale) | None => Seen::NotApplicable,
            Some(Sample::Gap | Sample::Word(_)) => Seen::Unknown,
        }
    }
}
