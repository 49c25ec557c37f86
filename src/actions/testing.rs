//! Scenes for tests: a job in some state, as looks have shown it, and an entry that is about it.

use std::time::Duration;

use super::drivers::Traits;
use super::guards::Case;
use super::settings::{Limits, Mode, Policy};
use crate::model::{
    CheckpointStats, CheckpointSummary, Completeness, Failure, Hours, JobKey, JobState, Matcher,
    Restart, RestartState, RootCause, RunId, RunObservation, Seen, Snapshot, SourceClock,
    TaskCounts, Time, Ts,
};
use crate::store::contract::samples;
use crate::tracker::Tracker;

/// Milliseconds: when the first look is taken.
pub(crate) const T0: i64 = 1_795_200_000_000;

/// The key of the job of every scene.
pub(crate) fn key() -> JobKey {
    JobKey::new("prod", "", "", "orders")
}

/// An entry that restarts it automatically and at once.
pub(crate) fn policy() -> Policy {
    Policy {
        name: "orders".to_owned(),
        matchers: vec![Matcher::parse("job_name=\"orders\"").unwrap()],
        alerts: vec!["JobFailed".to_owned(), "JobMissing".to_owned()],
        mode: Mode::Automatic,
        attempts: 3,
        per: Duration::from_hours(1),
        initial: Duration::from_secs(30),
        longest: Duration::from_mins(10),
        start_empty: false,
        replace: false,
        never_on: Vec::new(),
        always_on: Vec::new(),
        same_cause: 3,
        hours: Hours::default(),
        missing_for: Duration::from_mins(1),
        start_within: Duration::from_mins(10),
        checkpoint_within: Duration::from_mins(15),
        driver: "flink_jar".to_owned(),
        traits: Traits { handle: true, ..Traits::default() },
    }
}

/// A former attempt.
pub(crate) fn restart(id: u64, state: RestartState) -> Restart {
    Restart { job: key(), ..samples::restart(id, "prod/orders", state, Ts(T0)) }
}

/// One run as a look shows it.
pub(crate) fn run(job_id: &str, start: i64, state: JobState) -> RunObservation {
    let tasks = if state == JobState::Running {
        TaskCounts { total: 2, running: 2, ..TaskCounts::default() }
    } else {
        TaskCounts { total: 2, ..TaskCounts::default() }
    };
    RunObservation {
        key: key(),
        name: "orders".to_owned(),
        cluster: "prod".to_owned(),
        flink_cluster: "prod".to_owned(),
        flink_job_name: "orders".to_owned(),
        run: RunId { start_time: start, job_id: job_id.to_owned() },
        state,
        end_time: state.is_terminal().then_some(start + 1_000),
        tasks,
        ..RunObservation::default()
    }
}

/// What the history says after so many checkpoints.
pub(crate) fn history(run: &str, newest: u64, from: Option<&str>) -> CheckpointStats {
    let summary = |id: u64| CheckpointSummary {
        id,
        ended_at: Some(T0 + id as i64 * 1_000),
        path: Some(format!("file:/ck/{run}/chk-{id}")),
        ..CheckpointSummary::default()
    };
    CheckpointStats {
        interval_ms: Some(10_000),
        periodic: Some(true),
        completed: Some(newest),
        retained_on_failure: Some(true),
        retained_on_cancel: Some(true),
        latest_completed: (newest > 0).then(|| summary(newest)),
        recent_completed: (1..=newest).rev().take(2).map(summary).collect(),
        restored_from: from.map(|path| CheckpointSummary {
            path: Some(path.to_owned()),
            ended_at: Some(T0),
            ..CheckpointSummary::default()
        }),
        restored: Some(u64::from(from.is_some())),
        ..CheckpointStats::default()
    }
}

/// A look at the source of the scene.
pub(crate) fn look(at: i64, runs: Vec<RunObservation>) -> Snapshot {
    Snapshot {
        completeness: Completeness::Complete,
        clock: Some(SourceClock { now: at, offset_ms: 0 }),
        runs,
        ..Snapshot::failed("prod", "test", String::new(), false)
    }
}

/// A job as a tracker knows it.
pub(crate) struct Scene {
    pub(crate) tracker: Tracker,
    pub(crate) now: Time,
    last: RunObservation,
}

impl Scene {
    pub(crate) fn look(&mut self, seconds: i64, runs: Vec<RunObservation>) {
        let at = T0 + seconds * 1_000;
        self.now = Time::at(at);
        self.tracker.step(self.now, &look(at, runs));
    }

    /// It ran with checkpoints.
    pub(crate) fn ran() -> Scene {
        let last = run("aa", T0 - 60_000, JobState::Running);
        let mut scene = Scene { tracker: Tracker::default(), now: Time::at(T0), last };
        let mut healthy = scene.last.clone();
        healthy.checkpoints = Seen::Fresh(history("aa", 7, None));
        scene.look(0, vec![healthy]);
        scene
    }

    /// It is in this state for a minute.
    pub(crate) fn in_state(state: JobState) -> Scene {
        let mut scene = Scene::ran();
        scene.last = run("aa", T0 - 60_000, state);
        scene.look(10, vec![scene.last.clone()]);
        scene.look(70, vec![scene.last.clone()]);
        scene
    }

    pub(crate) fn failed() -> Scene {
        Scene::in_state(JobState::Failed)
    }

    pub(crate) fn failed_of(class: &str, message: &str) -> Scene {
        let mut scene = Scene::ran();
        scene.last = run("aa", T0 - 60_000, JobState::Failed);
        scene.last.failures = Seen::Fresh(vec![Failure {
            at: T0 + 5_000,
            task: None,
            class: class.to_owned(),
            message: message.to_owned(),
            frame: Some("Orders.java:42".to_owned()),
            taskmanager: None,
            gave_up: true,
        }]);
        scene.look(10, vec![scene.last.clone()]);
        scene.look(70, vec![scene.last.clone()]);
        scene
    }

    pub(crate) fn failed_just_now() -> Scene {
        let mut scene = Scene::ran();
        scene.last = run("aa", T0 - 60_000, JobState::Failed);
        scene.look(10, vec![scene.last.clone()]);
        scene
    }

    pub(crate) fn read_after(mut self, seconds: i64) -> Scene {
        let mut read = self.last.clone();
        read.checkpoints = Seen::Fresh(history("aa", 8, None));
        self.look((self.now.steady.0 - T0) / 1_000 + seconds, vec![read]);
        self
    }

    pub(crate) fn waited(mut self, seconds: i64) -> Scene {
        self.look((self.now.steady.0 - T0) / 1_000 + seconds, vec![self.last.clone()]);
        self
    }

    pub(crate) fn dead_at_first_look() -> Scene {
        let last = run("aa", T0 - 60_000, JobState::Failed);
        let mut scene = Scene { tracker: Tracker::default(), now: Time::at(T0), last };
        scene.look(0, vec![scene.last.clone()]);
        scene.look(60, vec![scene.last.clone()]);
        scene
    }

    pub(crate) fn missing_for(seconds: i64) -> Scene {
        let mut scene = Scene::ran();
        scene.look(10, Vec::new());
        scene.look(10 + seconds, Vec::new());
        scene
    }

    pub(crate) fn twice() -> Scene {
        let mut scene = Scene::ran();
        let other = run("bb", T0, JobState::Running);
        scene.look(10, vec![scene.last.clone(), other]);
        scene
    }

    pub(crate) fn then_unseen(mut self) -> Scene {
        let at = self.now.steady.0 + 10_000;
        self.now = Time::at(at);
        self.tracker.step(self.now, &Snapshot::failed("prod", "test", "refused".into(), false));
        self
    }

    /// Ten seconds later another run of it is there, which began five seconds ago.
    pub(crate) fn then_started(mut self, job_id: &str) -> Scene {
        let at = self.now.steady.0 + 10_000;
        let run = run(job_id, at - 5_000, JobState::Running);
        self.look((at - T0) / 1_000, vec![self.last.clone(), run]);
        self
    }

    pub(crate) fn stopped_by_weir(mut self) -> Scene {
        let run = self.last.run.job_id.clone();
        self.tracker.note_own_stop(&key(), &run);
        self
    }

    pub(crate) fn cause(&self) -> RootCause {
        let job = self.tracker.job(&key()).unwrap();
        job.last_cause.as_ref().unwrap().1.clone()
    }

    /// Everything as it should be for a restart.
    pub(super) fn case<'a>(&'a self, policy: &'a Policy) -> Case<'a> {
        Case {
            time: self.now,
            policy,
            facts: self.tracker.job_facts(&key(), self.now).unwrap(),
            incident: None,
            by_person: false,
            past: Vec::new(),
            on_way: (0, 0),
            limits: Limits::default(),
            fresh_for: Duration::from_secs(30),
            paused: None,
            declined: None,
            maintenance: None,
            replaces: false,
        }
    }
}
