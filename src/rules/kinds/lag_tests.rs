//! Records and event time, growth and the time to catch up.

use super::super::testing::World;
use super::*;
use crate::model::{Seen, Truth};

fn lag(yaml: &str) -> Lag {
    let lag: Lag = serde_saphyr::from_str(yaml).unwrap();
    assert_eq!(lag.problem(), None, "{yaml}");
    lag
}

/// Looks a minute apart.
fn watched(kind: &Lag, values: &[f64]) -> World {
    let mut world = World::new(kind);
    for (i, value) in values.iter().enumerate() {
        let mut numbers = Vec::new();
        match kind.unit {
            LagUnit::Records => world.lag = Seen::Fresh(*value),
            LagUnit::EventTime => numbers.push((Lag::query(), Seen::Fresh(*value))),
        }
        world.look(i as i64 * 60, &numbers);
    }
    world
}

fn line(from: f64, step: f64) -> Vec<f64> {
    (0..12).map(|n| f64::from(n).mul_add(step, from)).collect()
}

#[test]
fn records_are_judged_as_ever() {
    for (yaml, values, truth) in [
        ("above: 100", line(101.0, 0.0), Truth::True),
        ("above: 100", line(100.0, 0.0), Truth::False),
        ("above: 100\ngrowing_for: 10m", line(200.0, 10.0), Truth::True),
        ("above: 100\ngrowing_for: 10m", line(500.0, -10.0), Truth::False),
        ("above: 100\ngrowing_for: 10m", vec![500.0, 600.0], Truth::Unknown),
    ] {
        let kind = lag(yaml);
        assert_eq!(watched(&kind, &values).judge(&kind).truth, truth, "{yaml} {values:?}");
    }
}

#[test]
fn event_time_is_a_length_of_time() {
    for (yaml, values, truth) in [
        ("unit: event_time\nabove: 1m", line(61_000.0, 0.0), Truth::True),
        ("unit: event_time\nabove: 1m", line(60_000.0, 0.0), Truth::False),
        ("unit: event_time\nabove: 1m\ngrowing_for: 10m", line(70_000.0, 1000.0), Truth::True),
        ("unit: event_time\nabove: 1m\ngrowing_for: 10m", line(90_000.0, -1000.0), Truth::False),
    ] {
        let kind = lag(yaml);
        assert_eq!(watched(&kind, &values).judge(&kind).truth, truth, "{yaml} {values:?}");
    }
    let kind = lag("unit: event_time\nabove: 1m");
    let verdict = watched(&kind, &[90_000.0]).judge(&kind);
    assert_eq!(verdict.evidence["lag_seconds"], 90.0);
    assert_eq!(verdict.evidence["above_seconds"], 60.0);
    let mut world = World::new(&kind);
    world.look(0, &[(Lag::query(), Seen::NotApplicable)]);
    assert_eq!(world.judge(&kind).truth, Truth::NotApplicable);
}

#[test]
fn a_backlog_that_is_caught_up_soon_is_no_trouble() {
    for (values, truth, catch_up) in [
        // 10,000 behind, 100 a minute less: 100 minutes.
        (line(11_100.0, -100.0), Truth::True, Some(6000)),
        // 1,000 a minute less: 10 minutes.
        (line(21_000.0, -1000.0), Truth::False, None),
        (line(10_000.0, 0.0), Truth::True, None),
        (line(10_000.0, 50.0), Truth::True, None),
        (line(50.0, 0.0), Truth::False, None),
        (vec![10_000.0, 10_000.0], Truth::Unknown, None),
    ] {
        let kind = lag("above: 100\ncatch_up_above: 30m");
        let world = watched(&kind, &values);
        let verdict = world.judge(&kind);
        assert_eq!(verdict.truth, truth, "{values:?}: {}", world.words(&kind));
        let needs = verdict.evidence.get("catch_up_seconds").and_then(serde_json::Value::as_u64);
        if truth == Truth::True {
            assert_eq!(needs, catch_up, "{values:?}");
        }
    }
    let kind = lag("above: 100\ncatch_up_above: 30m");
    let stuck = watched(&kind, &line(10_000.0, 0.0));
    assert!(stuck.words(&kind).contains("it does not shrink, true above 30 min"));
}

#[test]
fn mistakes_are_named() {
    for (yaml, what) in [
        ("above: -1", "from 0 up"),
        ("above: 10m", "number of records"),
        ("unit: event_time\nabove: 10", "length of time"),
        ("above: 1\ngrowing_for: 2h", "30s"),
        ("above: 1\ncatch_up_over: 5m", "needs `catch_up_above`"),
        ("above: 1\ncatch_up_above: 5m\ncatch_up_over: 5s", "1m"),
    ] {
        let kind: Lag = serde_saphyr::from_str(yaml).unwrap();
        assert!(kind.problem().unwrap_or_default().contains(what), "{yaml}: {:?}", kind.problem());
    }
    for bad in ["{}", "above: yes please", "above: 1\nunit: meters"] {
        assert!(serde_saphyr::from_str::<Lag>(bad).is_err(), "{bad}");
    }
}
