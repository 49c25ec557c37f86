//! Which calls a run's story leads to, poll by poll.

use crate::model::RunId;

use super::*;

const ALL: Demand = Demand {
    counters: true,
    checkpoints: true,
    failures: true,
    lag: false,
    job_type: false,
    applications: false,
    metrics: std::collections::BTreeMap::new(),
    ends: Vec::new(),
};
const HEALTHY: TaskCounts =
    TaskCounts { total: 2, running: 2, finished: 0, failed: 0, scheduled: 0, created: 0 };

fn row(state: JobState) -> Row {
    Row {
        run: RunId { start_time: 1, job_id: "a".to_owned() },
        name: "job".to_owned(),
        state,
        tasks: if state == JobState::Running { HEALTHY } else { TaskCounts::default() },
        end_time: None,
        last_modification: Some(5),
        now: Some(1_000_000),
        batch: None,
    }
}

fn numbers(restarts: u64, completed: u64, failed: u64) -> Counters {
    Counters {
        restarts: Some(restarts),
        completed_checkpoints: Some(completed),
        failed_checkpoints: Some(failed),
        ..Counters::default()
    }
}

struct Story {
    memory: RunMemory,
    demand: Demand,
    frozen: bool,
    /// Every failure entry so far, newest time.
    newest: Option<i64>,
}

impl Story {
    fn new() -> Story {
        Story { memory: RunMemory::new(Ts(0)), demand: ALL, frozen: false, newest: None }
    }

    /// One poll whose calls all succeed.
    fn poll(&mut self, at: i64, row: &Row, counters: impl Into<Option<Counters>>) -> Calls {
        let now = Ts(at * 1000);
        self.memory.listed(row, now);
        let counters = counters.into();
        let fresh = counters.as_ref();
        let calls = self.memory.plan(row, fresh, &self.demand, self.frozen, now);
        let look = Look {
            calls,
            checkpoints_answered: calls.checkpoints,
            exceptions_answered: calls.exceptions.is_some(),
            newest_failure: self.newest,
            ..Look::default()
        };
        self.memory.remember(row, fresh, &look, now);
        if calls.checkpoint_config {
            self.memory.policy =
                Some(CheckpointPolicy { interval_ms: Some(60_000), ..CheckpointPolicy::default() });
        }
        calls
    }
}

#[test]
fn a_quiet_job_costs_its_metrics_and_a_routine_look() {
    let mut story = Story::new();
    let running = row(JobState::Running);
    let first = story.poll(0, &running, Some(numbers(0, 1, 0)));
    assert_eq!(
        first,
        Calls {
            checkpoints: true,
            checkpoint_config: true,
            exceptions: Some(5),
            ..Calls::default()
        }
    );
    let mut looks = Vec::new();
    for at in (10..=600).step_by(10) {
        let done = 1 + u64::try_from(at).unwrap() / 60;
        let calls = story.poll(at, &running, Some(numbers(0, done, 0)));
        assert_eq!((calls.checkpoint_config, calls.exceptions), (false, None), "at {at}");
        if calls.checkpoints {
            looks.push(at);
        }
    }
    assert_eq!(looks, [300, 600]);
}

#[test]
fn restarts_and_failed_checkpoints_are_looked_into() {
    let mut story = Story::new();
    let running = row(JobState::Running);
    story.poll(0, &running, Some(numbers(0, 1, 0)));
    let calls = story.poll(10, &running, Some(numbers(0, 1, 1)));
    assert!(calls.checkpoints && calls.exceptions.is_none());
    story.newest = Some(15);
    let calls = story.poll(20, &running, Some(numbers(1, 1, 1)));
    assert!(calls.checkpoints && calls.exceptions == Some(5));
    let calls = story.poll(30, &running, Some(numbers(1, 1, 1)));
    assert_eq!(calls, Calls::default());
    story.newest = Some(25);
    let calls = story.poll(40, &running, Some(numbers(9, 1, 1)));
    assert_eq!(calls.exceptions, Some(20));
}

#[test]
fn a_change_that_shows_nothing_new_yet_is_looked_at_again() {
    let mut story = Story::new();
    story.newest = Some(1);
    story.poll(0, &row(JobState::Running), None);
    assert!(story.poll(10, &row(JobState::Restarting), None).exceptions.is_some());
    assert!(story.poll(12, &row(JobState::Restarting), None).exceptions.is_none());
    assert!(story.poll(14, &row(JobState::Restarting), None).exceptions.is_some());
    assert!(story.poll(20, &row(JobState::Restarting), None).exceptions.is_none());
}

/// Every two seconds with metrics refreshed every ten: when `/checkpoints` was read.
fn looks_of_short_interval(to: i64, counters: impl Fn(i64) -> Counters) -> Vec<i64> {
    let mut story = Story::new();
    let running = row(JobState::Running);
    story.poll(0, &running, Some(counters(0)));
    story.memory.policy =
        Some(CheckpointPolicy { interval_ms: Some(3_000), ..CheckpointPolicy::default() });
    let polls = (2..=to).step_by(2);
    polls.filter(|at| story.poll(*at, &running, Some(counters(*at))).checkpoints).collect()
}

#[test]
fn a_short_interval_is_read_exactly_as_soon_as_it_is_overdue() {
    let refreshed = |at: i64| u64::try_from(at / 10 * 10).unwrap();
    let early = |looks: Vec<i64>| looks.into_iter().filter(|at| *at > 10).collect::<Vec<_>>();
    let quiet = looks_of_short_interval(200, |at| numbers(0, 1 + refreshed(at) / 3, 0));
    assert_eq!(early(quiet), [0; 0], "a quiet job costs nothing");
    let hangs = looks_of_short_interval(76, |at| numbers(0, 1 + refreshed(at).min(50) / 3, 0));
    assert_eq!(early(hangs), [64, 70, 76]);
    let fails = |at| numbers(0, 1 + refreshed(at).min(30) / 3, u64::from(at >= 40));
    assert_eq!(early(looks_of_short_interval(52, fails)), [40, 46, 52]);
}

#[test]
fn an_overdue_checkpoint_is_looked_at_every_half_minute() {
    let mut story = Story::new();
    let running = row(JobState::Running);
    story.poll(0, &running, Some(numbers(0, 1, 0)));
    let mut looks = Vec::new();
    for at in (10..=250).step_by(10) {
        if story.poll(at, &running, Some(numbers(0, 1, 0))).checkpoints {
            looks.push(at);
        }
    }
    assert_eq!(looks, [90, 120, 150, 180, 210, 240]);
    assert!(!story.poll(260, &running, Some(numbers(0, 2, 0))).checkpoints);
}

#[test]
fn frozen_metrics_are_made_up_for() {
    let mut story = Story::new();
    story.poll(0, &row(JobState::Running), Some(numbers(0, 1, 0)));
    story.frozen = true;
    let restarting = row(JobState::Restarting);
    assert!(!story.memory.wants_metrics(&restarting, true, true));
    for at in [10, 20] {
        let calls = story.poll(at, &restarting, None);
        assert_eq!((calls.checkpoints, calls.exceptions), (false, Some(20)), "at {at}");
    }
    assert!(story.poll(30, &restarting, None).checkpoints);
}

#[test]
fn an_ended_run_is_looked_at_twice() {
    let mut story = Story::new();
    story.poll(0, &row(JobState::Running), Some(numbers(0, 1, 0)));
    let failed = row(JobState::Failed);
    let first = story.poll(10, &failed, None);
    assert!(first.checkpoints && first.exceptions == Some(5));
    assert_eq!(story.poll(12, &failed, None), Calls::default());
    assert!(story.poll(14, &failed, None).checkpoints);
    for at in [24, 400] {
        assert_eq!(story.poll(at, &failed, None), Calls::default());
    }
    assert!(story.memory.is_settled());
}

#[test]
fn a_run_that_ended_before_weir_came_is_looked_at_once() {
    let mut story = Story::new();
    let calls = story.poll(0, &row(JobState::Canceled), None);
    assert!(calls.checkpoints && calls.exceptions.is_none());
    assert!(story.memory.is_settled());
}

#[test]
fn a_missing_job_is_left_alone_until_it_changes() {
    let mut story = Story::new();
    let running = row(JobState::Running);
    story.poll(0, &running, None);
    let look = Look { gone: true, ..Look::default() };
    story.memory.remember(&running, None, &look, Ts(1000));
    assert_eq!(story.poll(10, &running, None), Calls::default());
    let changed = Row { last_modification: Some(9), ..running };
    assert_ne!(story.poll(20, &changed, None), Calls::default());
}

#[test]
fn numbers_that_go_back_are_held_back_for_a_minute() {
    let mut story = Story::new();
    let running = row(JobState::Running);
    story.poll(0, &running, Some(numbers(5, 9, 0)));
    for (at, believed) in [(10, false), (40, false), (70, true)] {
        let old = numbers(3, 9, 0);
        assert_eq!(story.memory.believes(&old, Ts(at * 1000)), believed, "at {at}");
        let look = Look { held_back: true, ..Look::default() };
        story.memory.remember(&running, None, &look, Ts(at * 1000));
    }
}

#[test]
fn what_failed_is_asked_again() {
    let mut story = Story::new();
    let running = row(JobState::Running);
    story.poll(0, &running, Some(numbers(0, 1, 0)));
    let now = Ts(10_000);
    let fresh = numbers(1, 1, 0);
    let calls = story.memory.plan(&running, Some(&fresh), &ALL, false, now);
    assert!(calls.checkpoints && calls.exceptions.is_some());
    story.memory.remember(&running, Some(&fresh), &Look { calls, ..Look::default() }, now);
    let calls = story.poll(20, &running, Some(fresh));
    assert!(calls.checkpoints && calls.exceptions == Some(5));
}
