//! `start_stuck`: a run that has begun and does not get to run.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Facts, Kind, Span, evidence, fresh_job};
use crate::model::{Aspect, Demand, JobState, Verdict, Why};
use crate::tracker::Fact;

/// True while a run is alive, never had all its tasks running, and began longer than `after` ago:
/// it is INITIALIZING or CREATED, waits for slots or quota, is being deployed, or restarts before it
/// ever ran. The reason is its evidence, `reason` (`reason_zh` in Chinese). A run that ran once and does not any more is
/// `tasks_not_running`, and one that died is `start_failed`. Demands failures, counters and
/// checkpoints.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StartStuck {
    /// So long since the run's start, by Flink's clock (default 5m). State of terabytes takes its
    /// time to restore.
    #[serde(default = "five_minutes")]
    pub after: Span,
}

fn five_minutes() -> Span {
    Span(Duration::from_mins(5))
}

impl Kind for StartStuck {
    fn aspect(&self) -> &'static str {
        Aspect::FAILURE
    }

    fn demand(&self) -> Demand {
        Demand { counters: true, checkpoints: true, failures: true, ..Demand::default() }
    }

    fn evidence(&self) -> Vec<&'static str> {
        vec![
            "state",
            "reason",
            "reason_zh",
            "waiting_seconds",
            "after_seconds",
            "tasks_waiting",
            "slots_available",
        ]
    }

    fn judge(&self, facts: &Facts<'_>) -> Verdict {
        let job = fresh_job!(facts);
        let Some(state) = job.state() else {
            return facts.no(|| "the job is not there".to_owned());
        };
        let leaves = matches!(state, JobState::Failing | JobState::Cancelling | JobState::Suspended);
        if !state.is_live() || leaves {
            return facts.no(|| format!("the job is {state}, not starting"));
        }
        if job.has_run() == Fact::Known(true) {
            return facts.no(|| "this run has had all its tasks running".to_owned());
        }
        let (Some(age), Some(waiting)) = (job.since_start(), job.waiting()) else {
            return facts.no(|| "all its tasks run".to_owned());
        };
        let evidence = || evidence! {
            "state": state.as_str(),
            "reason": waiting.words(),
            "reason_zh": waiting.words_zh(),
            "waiting_seconds": age.as_secs(),
            "after_seconds": self.after.0.as_secs(),
            "tasks_waiting": waiting.tasks,
            "slots_available": waiting.slots_available,
        };
        facts.verdict(age > self.after.0, || {
            let (so_far, limit) = (age.as_secs(), self.after.0.as_secs());
            Why::from(evidence())
                .words(format!("{so_far} s without running; true from {limit} s on"))
                .near(age.as_secs_f64(), self.after.0.as_secs_f64())
        })
    }

    fn patience(&self) -> Option<(&'static str, Duration)> {
        Some(("after", self.after.0))
    }

    fn problem(&self) -> Option<String> {
        (self.after.0 < Duration::from_secs(10))
            .then(|| "start_stuck.after must be at least 10s".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::super::watch::{Watch, failure, run};
    use super::*;
    use crate::model::{ClusterObservation, PlatformWait, RunObservation, Seen, TaskCounts, Truth};

    fn waiting(state: JobState, scheduled: u32) -> RunObservation {
        let tasks = TaskCounts { total: scheduled, scheduled, ..TaskCounts::default() };
        RunObservation { tasks, ..run("a", 1, state) }
    }

    fn slots(free: u32, all: u32, taskmanagers: u32) -> ClusterObservation {
        ClusterObservation {
            flink_cluster: "s".to_owned(),
            taskmanagers: Some(taskmanagers),
            slots_total: Some(all),
            slots_available: Some(free),
            ..ClusterObservation::default()
        }
    }

    #[test]
    fn a_run_that_never_ran_is_stuck_after_its_time_with_the_reason_named() {
        use JobState::{Created, Initializing, Restarting, Running};
        let rule = StartStuck { after: five_minutes() };
        let no_slot = failure(2_000, "a.NoResourceAvailableException", "no slot");
        let refused = RunObservation {
            failures: Seen::Fresh(vec![no_slot]),
            ..waiting(Restarting, 0)
        };
        let deploying = TaskCounts { total: 4, running: 1, created: 1, ..TaskCounts::default() };
        let deploying = RunObservation { tasks: deploying, ..waiting(Running, 0) };
        let restarting = waiting(Restarting, 0);
        let queued = PlatformWait {
            queue: "prod".to_owned(),
            used_mb: Some(8_192),
            most_mb: Some(8_192),
            ..PlatformWait::default()
        };
        let queued = RunObservation { waits: Some(queued), ..waiting(Created, 0) };
        for (stuck, cluster, reason, reason_zh) in [
            (
                queued,
                ClusterObservation::default(),
                "waiting for YARN: queue prod uses 8 of 8 GB",
                "等待 YARN：队列 prod 已用 8 / 8 GB",
            ),
            (waiting(Initializing, 0), slots(8, 8, 1), "initializing", "正在初始化"),
            (
                waiting(Created, 0),
                slots(0, 0, 0),
                "waiting for slots: no TaskManager",
                "等待 slot：没有 TaskManager",
            ),
            (
                waiting(Running, 4),
                slots(0, 8, 1),
                "waiting for slots: 4 tasks wait, 0 of 8 slots free",
                "等待 slot：4 个任务在等待，8 个 slot 中空闲 0 个",
            ),
            (
                refused,
                slots(0, 8, 1),
                "waiting for slots: 0 of 8 slots free",
                "等待 slot：8 个 slot 中空闲 0 个",
            ),
            (
                deploying,
                slots(3, 8, 1),
                "2 of 4 tasks are being deployed or restore their state",
                "4 个任务中有 2 个正在部署或恢复状态",
            ),
            (restarting, slots(3, 8, 1), "RESTARTING", "RESTARTING"),
        ] {
            let mut watch = Watch::new();
            watch.look(0, vec![]);
            for at in [10, 299, 302] {
                watch.clusters = vec![cluster.clone()];
                watch.look(at, vec![stuck.clone()]);
                let verdict = watch.judge(&rule);
                assert_eq!(verdict.truth == Truth::True, at == 302, "{reason} at {at}");
                if at == 302 {
                    for (key, words) in [("reason", reason), ("reason_zh", reason_zh)] {
                        let told = verdict.evidence[key].as_str().unwrap();
                        assert!(told.starts_with(words), "{told}");
                    }
                }
            }
        }
    }

    #[test]
    fn one_that_ran_or_ends_is_not_starting() {
        let rule = StartStuck { after: five_minutes() };
        let mut watch = Watch::new();
        watch.look(0, vec![]);
        watch.look(10, vec![run("a", 1, JobState::Running)]);
        watch.look(900, vec![waiting(JobState::Running, 2)]);
        assert_eq!(watch.truth(&rule), Truth::False);
        for state in [JobState::Failing, JobState::Cancelling, JobState::Failed] {
            let mut watch = Watch::new();
            watch.look(0, vec![]);
            watch.look(900, vec![waiting(state, 2)]);
            assert_eq!(watch.truth(&rule), Truth::False, "{state}");
        }
    }
}
