//! One row per way of asking, and what Flink may say.

use serde_json::json;

use super::super::testing::World;
use super::*;
use crate::model::{JobState, Seen, Truth};

fn metric(yaml: &str) -> Metric {
    let metric: Metric = serde_saphyr::from_str(yaml).unwrap();
    assert_eq!(metric.problem(), None, "{yaml}");
    metric
}

/// Samples ten seconds apart.
fn watched(kind: &Metric, samples: &[f64]) -> World {
    let mut world = World::new(kind);
    for (i, sample) in samples.iter().enumerate() {
        world.look(i as i64 * 10, &[(kind.query(&kind.id), Seen::Fresh(*sample))]);
    }
    world
}

#[test]
fn the_present_value_is_judged_against_its_limit() {
    for (limit, value, truth) in [
        ("above: 900", Seen::Fresh(901.0), Truth::True),
        ("above: 900", Seen::Fresh(900.0), Truth::False),
        ("below: 5", Seen::Fresh(4.0), Truth::True),
        ("below: 5", Seen::Fresh(5.0), Truth::False),
        ("above: 900", Seen::Unknown, Truth::Unknown),
        ("above: 900", Seen::NotApplicable, Truth::NotApplicable),
    ] {
        for scope in ["job", "vertex", "operator", "taskmanager", "jobmanager"] {
            let kind = metric(&format!("id: x\nscope: {scope}\n{limit}"));
            let mut world = World::new(&kind);
            world.look(0, &[(kind.query("x"), value.clone())]);
            assert_eq!(world.judge(&kind).truth, truth, "{scope} {limit} {value:?}");
        }
    }
}

#[test]
fn a_job_that_has_ended_has_no_numbers() {
    let kind = metric("id: x\nscope: vertex\nabove: 1");
    let mut world = watched(&kind, &[5.0]);
    assert_eq!(world.judge(&kind).truth, Truth::True);
    world.state = JobState::Canceled;
    world.look(10, &[]);
    assert_eq!(world.judge(&kind).truth, Truth::NotApplicable);
}

#[test]
fn a_window_counts_as_asked() {
    let samples = [5.0, 1.0, 9.0, 3.0, 3.0, 3.0, 6.0];
    for (over, expected) in [
        ("last", 6.0),
        ("min", 1.0),
        ("max", 9.0),
        ("sum", 30.0),
        ("avg", 30.0 / 7.0),
        ("delta", 1.0),
        // 8 up, then began anew at 3, then 3 up, after 1 counted as anew.
        ("rate", (1.0 + 8.0 + 3.0 + 3.0) / 60.0),
    ] {
        let kind = metric(&format!(
            "id: x\nscope: vertex\nwindow: 1m\nover_window: {over}\nabove: -1000000"
        ));
        let verdict = watched(&kind, &samples).judge(&kind);
        assert_eq!(verdict.truth, Truth::True, "{over}");
        let value = verdict.evidence["value"].as_f64().unwrap();
        assert!((value - expected).abs() < 0.001, "{over}: {value}");
        assert_eq!(verdict.evidence["window_seconds"], json!(60));
    }
}

#[test]
fn a_window_is_unknown_until_it_has_been_watched() {
    let kind = metric("id: x\nscope: vertex\nwindow: 1m\nover_window: min\nabove: 1");
    let world = watched(&kind, &[5.0, 5.0, 5.0]);
    assert_eq!(world.judge(&kind).truth, Truth::Unknown);
    assert_eq!(world.words(&kind), "known for 20 s of the 60 s it takes; judged in 40 s");
    assert_eq!(watched(&kind, &[5.0; 7]).judge(&kind).truth, Truth::True);
    // What was good before the window began does not count any more.
    let later: Vec<f64> = std::iter::once(0.0).chain([5.0; 8]).collect();
    assert_eq!(watched(&kind, &later).judge(&kind).truth, Truth::True);
}

#[test]
fn a_share_needs_a_whole() {
    let kind = metric("id: used\nof: max\nscope: taskmanager\nabove: 0.9");
    for (used, max, truth) in [
        (Seen::Fresh(95.0), Seen::Fresh(100.0), Truth::True),
        (Seen::Fresh(90.0), Seen::Fresh(100.0), Truth::False),
        (Seen::Fresh(90.0), Seen::Fresh(-1.0), Truth::NotApplicable),
        (Seen::Fresh(90.0), Seen::Fresh(0.0), Truth::NotApplicable),
        (Seen::Fresh(90.0), Seen::Unknown, Truth::Unknown),
        (Seen::NotApplicable, Seen::Fresh(1.0), Truth::NotApplicable),
    ] {
        let mut world = World::new(&kind);
        world.look(0, &[(kind.query("used"), used.clone()), (kind.query("max"), max.clone())]);
        assert_eq!(world.judge(&kind).truth, truth, "{used:?} of {max:?}");
    }
    assert_eq!(kind.demand().metrics.len(), 2);
}

#[test]
fn who_asks_hears_the_value_and_the_limit() {
    let kind = metric("id: busyTimeMsPerSecond\nscope: vertex\nabove: 900");
    let verdict = watched(&kind, &[450.0]).judge(&kind);
    let why = verdict.why.unwrap();
    assert_eq!(why.words, "busyTimeMsPerSecond is 450; true above 900");
    assert_eq!(why.near, Some(0.5));
    let below = metric("id: taskSlotsAvailable\nscope: jobmanager\nbelow: 1");
    let why = watched(&below, &[4.0]).judge(&below).why.unwrap();
    assert_eq!(why.near, Some(0.25));
}

#[test]
fn mistakes_are_named() {
    for (yaml, what) in [
        ("id: x\nscope: job", "one of `above` and `below`"),
        ("id: x\nscope: job\nabove: 1\nbelow: 0", "one of `above` and `below`"),
        ("id: x\nscope: job\nabove: .nan", "must be a number"),
        ("id: ''\nscope: job\nabove: 1", "must name a metric"),
        ("id: '*'\nscope: vertex\nabove: 1", "must name a metric"),
        ("id: 'a,b'\nscope: job\nabove: 1", "comma"),
        ("id: 'a*'\nscope: job\nabove: 1", "fixed names"),
        ("id: x\nof: 'y,z'\nscope: vertex\nabove: 1", "comma"),
        ("id: x\nscope: job\nvertices: sinks\nabove: 1", "vertex and operator"),
        ("id: x\nscope: vertex\nover_window: rate\nabove: 1", "needs a `window`"),
        ("id: x\nscope: vertex\nwindow: 1s\nabove: 1", "30s"),
        ("id: x\nscope: vertex\nwindow: 9d\nabove: 1", "8d"),
    ] {
        let kind: Metric = serde_saphyr::from_str(yaml).unwrap();
        let problem = kind.problem().unwrap_or_default();
        assert!(problem.contains(what), "{yaml}: {problem:?}");
    }
    assert!(serde_saphyr::from_str::<Metric>("id: x\nscope: job\nabove: 1\nkeys: []").is_err());
}
