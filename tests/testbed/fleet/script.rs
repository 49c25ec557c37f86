//! What a test makes happen to the fleet. Every method answers when it happened, in wall
//! milliseconds: from then on the next answer shows it.

use super::super::time::now_ms;
use super::state::{Cluster, End, Run};
use super::{Failure, Fault, Fleet, Recovery};

use std::sync::atomic::Ordering;

/// When a scripted change happened and when an answer first showed it, in wall milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The change.
    pub changed_ms: i64,
    /// The first answer (overview, job, status or exceptions) after it.
    pub shown_ms: Option<i64>,
}

impl Fleet {
    /// Sets the virtual clock; real time ends here.
    pub fn set_now(&self, now_ms: i64) {
        self.inner.virtual_now.store(now_ms, Ordering::Release);
    }

    /// The fleet's time, before a cluster's offset.
    pub fn now(&self) -> i64 {
        self.inner.now()
    }

    /// Steps a cluster's clock to `offset_ms` from the fleet's; older timestamps stay as they are.
    pub fn clock_offset(&self, cluster: usize, offset_ms: i64) {
        self.inner.clusters[cluster].lock().expect("no panic while locked").clock_offset =
            offset_ms;
    }

    fn with<T>(&self, cluster: usize, change: impl FnOnce(&mut Cluster, i64) -> T) -> T {
        let mut cluster = self.inner.clusters[cluster].lock().expect("no panic while locked");
        let now = self.inner.now() + cluster.clock_offset;
        change(&mut cluster, now)
    }

    fn with_job(&self, cluster: usize, job: usize, change: impl FnOnce(&mut Run, i64)) -> i64 {
        self.with(cluster, |c, now| {
            let run = c.job(job);
            change(run, now);
            let changed = now_ms();
            (run.changed, run.shown) = (Some(changed), None);
            changed
        })
    }

    /// The id of a job's newest run.
    pub fn jid(&self, cluster: usize, job: usize) -> String {
        self.with(cluster, |c, _| c.job(job).jid.clone())
    }

    /// When a job last changed and was first seen to have changed.
    pub fn mark(&self, cluster: usize, job: usize) -> Option<Mark> {
        self.with(cluster, |c, _| {
            let run = c.job(job);
            run.changed.map(|changed_ms| Mark { changed_ms, shown_ms: run.shown })
        })
    }

    /// The job fails and its restart strategy acts.
    pub fn fail_job(&self, cluster: usize, job: usize, failure: &Failure, then: Recovery) -> i64 {
        let version = self.with(cluster, |c, _| c.version);
        self.with_job(cluster, job, |run, now| run.fail(version, failure, now, then))
    }

    /// A job left in [`Recovery::Never`] runs again.
    pub fn recover_job(&self, cluster: usize, job: usize) -> i64 {
        self.with_job(cluster, job, Run::recover)
    }

    /// The job fails and its restart strategy gives up: FAILED.
    pub fn kill_job(&self, cluster: usize, job: usize, failure: &Failure) -> i64 {
        let version = self.with(cluster, |c, _| c.version);
        self.with_job(cluster, job, |run, now| run.give_up(version, failure, now))
    }

    /// Somebody cancels the job.
    pub fn cancel_job(&self, cluster: usize, job: usize) -> i64 {
        self.with_job(cluster, job, |run, now| run.end(End::Canceled, now))
    }

    /// The job ends by itself.
    pub fn finish_job(&self, cluster: usize, job: usize) -> i64 {
        self.with_job(cluster, job, |run, now| run.end(End::Finished, now))
    }

    /// Somebody submits the job again from its last checkpoint; a live run is cancelled first.
    /// Answers the new job id.
    pub fn restart_job(&self, cluster: usize, job: usize) -> String {
        self.cancel_job(cluster, job);
        self.submit_again(cluster, job)
    }

    /// Somebody submits the job again while the old run may still be alive. The new run is the one
    /// the other methods act on. Answers its job id.
    pub fn submit_again(&self, cluster: usize, job: usize) -> String {
        self.with(cluster, |c, now| {
            let jid = c.submit_again(job, now);
            c.job(job).changed = Some(now_ms());
            jid
        })
    }

    /// The `JobManager` forgets a run, live or not: 404, no line in the overview.
    pub fn forget_job(&self, cluster: usize, jid: &str) -> i64 {
        self.with(cluster, |c, _| c.forget(jid));
        now_ms()
    }

    /// The `JobManager`'s process is replaced: same job ids, new start times, counters from zero.
    pub fn fail_over(&self, cluster: usize) -> i64 {
        self.with(cluster, |c, now| {
            c.started = now;
            c.store = None;
            c.runs.iter_mut().for_each(|run| run.fail_over(now));
        });
        now_ms()
    }

    /// Every metric stays what it is now, as after a `TaskManager` died hard.
    pub fn freeze_metrics(&self, cluster: usize) {
        self.with(cluster, |c, now| {
            c.store = Some(c.snapshot(now));
            c.frozen = true;
        });
    }

    /// Metrics move again.
    pub fn thaw_metrics(&self, cluster: usize) {
        self.with(cluster, |c, _| c.frozen = false);
    }

    /// No checkpoint of the job completes any more; the next one hangs half acknowledged.
    pub fn freeze_checkpoints(&self, cluster: usize, job: usize) -> i64 {
        self.with_job(cluster, job, |run, now| run.checkpoints.freeze(now))
    }

    /// Checkpoints complete again; the hanging one expires.
    pub fn thaw_checkpoints(&self, cluster: usize, job: usize) -> i64 {
        self.with_job(cluster, job, |run, now| run.checkpoints.thaw(now))
    }

    /// One checkpoint fails with this message.
    pub fn fail_checkpoint(&self, cluster: usize, job: usize, message: &str) -> i64 {
        self.with_job(cluster, job, |run, now| run.checkpoints.fail_one(now, message))
    }

    /// Records the source has not read yet, over all subtasks; `None` takes the metric away.
    pub fn set_backlog(&self, cluster: usize, job: usize, records: Option<u64>) -> i64 {
        self.with_job(cluster, job, |run, _| run.backlog = records)
    }

    /// Busy and backpressured milliseconds per second of every subtask.
    pub fn set_load(&self, cluster: usize, job: usize, busy: f64, backpressured: f64) -> i64 {
        self.with_job(cluster, job, |run, _| {
            (run.busy_ms, run.backpressured_ms) = (busy, backpressured);
        })
    }

    /// A metric of every subtask of a vertex (0 is the source), under the id that
    /// `…/subtasks/metrics` has it; `None` takes it away.
    pub fn set_vertex_metric(
        &self,
        cluster: usize,
        job: usize,
        (vertex, id): (usize, &str),
        value: Option<f64>,
    ) -> i64 {
        self.with_job(cluster, job, |run, _| {
            run.numbers.insert((vertex, id.to_owned()), value);
        })
    }

    /// A metric of the job, as text.
    pub fn set_job_metric(&self, cluster: usize, job: usize, id: &str, value: &str) -> i64 {
        self.with_job(cluster, job, |run, _| {
            run.texts.insert(id.to_owned(), value.to_owned());
        })
    }

    /// A metric of every `TaskManager`; `None` takes it away.
    pub fn set_taskmanager_metric(&self, cluster: usize, id: &str, value: Option<f64>) {
        self.with(cluster, |c, _| match value {
            Some(value) => drop(c.taskmanager_numbers.insert(id.to_owned(), value)),
            None => drop(c.taskmanager_numbers.remove(id)),
        });
    }

    /// A metric of the `JobManager`.
    pub fn set_jobmanager_metric(&self, cluster: usize, id: &str, value: f64) {
        self.with(cluster, |c, _| c.jobmanager_numbers.insert(id.to_owned(), value));
    }

    /// RUNNING, but every task waits for a slot.
    pub fn starve_job(&self, cluster: usize, job: usize, starved: bool) -> i64 {
        self.with_job(cluster, job, |run, now| {
            run.starved = starved;
            run.last_modification = now;
        })
    }

    /// How many `TaskManager`s the cluster has.
    pub fn set_taskmanagers(&self, cluster: usize, count: usize) {
        self.with(cluster, |c, _| c.taskmanagers = count);
    }

    /// What every request to the cluster meets from now on; `None` heals it.
    pub fn cluster_fault(&self, cluster: usize, fault: Option<Fault>) -> i64 {
        self.with(cluster, |c, _| c.fault = fault);
        now_ms()
    }
}
