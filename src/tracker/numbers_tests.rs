//! Present values, windows and what survives a restart.

use super::*;
use crate::model::{Across, MetricQuery, MetricScope, Vertices};

const MINUTE: i64 = 60_000;

fn query(id: &str) -> MetricQuery {
    MetricQuery {
        scope: MetricScope::Vertex,
        id: id.to_owned(),
        across: Across::Max,
        vertices: Vertices::All,
    }
}

fn spans(of: &[(&str, Duration)]) -> Spans {
    let mut demand = Demand::default();
    for (id, span) in of {
        demand.metrics.insert(query(id), *span);
    }
    Spans::of(&demand)
}

fn look(id: &str, seen: Seen<f64>) -> Metrics {
    Metrics::from([(query(id).key(), seen)])
}

#[test]
fn a_present_value_is_good_for_a_while() {
    let spans = spans(&[("busy", Duration::ZERO)]);
    let key = query("busy").key();
    let mut numbers = Numbers::default();
    assert_eq!(numbers.now(&key, Ts(0)), Fact::Unknown);
    numbers.hear(Ts(0), &look("busy", Seen::Fresh(5.0)), &spans);
    numbers.hear(Ts(30_000), &look("busy", Seen::Unknown), &spans);
    assert_eq!(numbers.now(&key, Ts(60_000)), Fact::Known(5.0));
    assert_eq!(numbers.now(&key, Ts(91_000)), Fact::Unknown, "nobody has said for long");
    numbers.hear(Ts(91_000), &look("busy", Seen::NotApplicable), &spans);
    assert_eq!(numbers.now(&key, Ts(91_000)), Fact::NotApplicable);
    assert_eq!(numbers.between(&key, Ts(0), Ts(91_000)), None, "nobody looks back");
    numbers.hear(Ts(91_000), &look("not-asked-for", Seen::Fresh(5.0)), &spans);
    assert_eq!(numbers.tracks.len(), 1);
}

#[test]
fn an_hour_is_kept_finely_and_a_week_coarsely() {
    let week = Duration::from_hours(7 * 24 + 1);
    let spans = spans(&[("rate", week)]);
    let key = query("rate").key();
    let mut numbers = Numbers::default();
    let mut closed = 0;
    let minutes = 8 * 24 * 60;
    for minute in 0..minutes {
        let seen = Seen::Fresh(minute as f64);
        closed += u32::from(numbers.hear(Ts(minute * MINUTE), &look("rate", seen), &spans));
    }
    assert!((60..90).contains(&closed), "{closed} rows in eight days");
    let now = Ts((minutes - 1) * MINUTE);
    let ten = numbers.between(&key, now - Duration::from_mins(10), now).unwrap();
    assert!((10..=12).contains(&ten.count), "{ten:?}");
    let from = now - Duration::from_hours(7 * 24);
    assert!(numbers.covered(&key, from, now).is_some());
    let back = numbers.between(&key, from, from + Duration::from_hours(1)).unwrap();
    assert!((back.mean() - 1440.0).abs() < 240.0, "{back:?}");
    let past = numbers.tracks[0].1.past.as_deref().unwrap();
    let bytes = past.fine.bytes() + past.coarse.as_deref().unwrap().bytes();
    assert!(bytes < 2_500, "{bytes}");

    let body = numbers.kept().unwrap();
    assert!(body.len() < 5_000, "{}", body.len());
    let mut again = Numbers::restore(&body);
    again.fit(&spans);
    assert!(again.covered(&key, from, now).is_some() && again.known_since(&key) <= Some(from));
    assert_eq!(again.now(&key, now), Fact::Unknown, "the present is seen, not remembered");
    assert!(Numbers::restore("garbage").tracks.is_empty());
}

#[test]
fn a_changed_demand_keeps_what_fits() {
    let key = query("rate").key();
    let narrow = spans(&[("rate", Duration::from_mins(10))]);
    let mut numbers = Numbers::default();
    for minute in 0..10 {
        numbers.hear(Ts(minute * MINUTE), &look("rate", Seen::Fresh(1.0)), &narrow);
    }
    assert_eq!(numbers.kept(), None, "ten minutes fill again soon");
    numbers.fit(&spans(&[("rate", Duration::from_mins(30))]));
    assert!(numbers.covered(&key, Ts(0), Ts(9 * MINUTE)).is_some());
    numbers.fit(&spans(&[("other", Duration::ZERO)]));
    assert!(numbers.tracks.is_empty());
}
