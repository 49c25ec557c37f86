//! `throughput_drop`: the job reads much less than it used to.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::compare::{self, CompareTo};
use super::named::Key;
use super::{Facts, Kind, Span};
use crate::model::{Aspect, Demand, Verdict, Why};

/// True while the job's sources hand on less than they did at the time compared with, by the share
/// `by` or more. Jobs that handed on less than `at_least` then are left alone. Unknown until that
/// time has been watched; n/a where no source operator reports records.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ThroughputDrop {
    /// `previous_hour`, `same_time_yesterday` or `same_time_last_week`.
    pub compare_to: CompareTo,
    /// Share lost, between 0 and 1 (default 0.5).
    #[serde(default = "half")]
    pub by: f64,
    /// Both rates are means of this time, 1m … 1h (default 10m).
    #[serde(default = "ten_minutes")]
    pub window: Span,
    /// Records per second before, below which nothing is said (default 1).
    #[serde(default = "one")]
    pub at_least: f64,
    #[serde(skip)]
    key: Key,
}

fn half() -> f64 {
    0.5
}

fn one() -> f64 {
    1.0
}

fn ten_minutes() -> Span {
    Span(Duration::from_mins(10))
}

impl Kind for ThroughputDrop {
    fn aspect(&self) -> &'static str {
        Aspect::LAG
    }

    fn demand(&self) -> Demand {
        compare::demand(self.compare_to, self.window)
    }

    fn evidence(&self) -> Vec<&'static str> {
        vec!["records_per_second", "records_per_second_before", "compared_to", "window_seconds", "lost_share"]
    }

    fn judge(&self, facts: &Facts<'_>) -> Verdict {
        let rates = match compare::rates(facts, &self.key, self.compare_to, self.window) {
            Ok(rates) => rates,
            Err(verdict) => return verdict,
        };
        let used = rates.before > 0.0 && rates.before >= self.at_least;
        let limit = rates.before * (1.0 - self.by);
        facts.verdict(used && rates.now <= limit, || {
            let mut why = Why::from(rates.evidence(self.compare_to, self.window));
            let lost = if rates.before > 0.0 { 1.0 - rates.now / rates.before } else { 0.0 };
            why.evidence.insert("lost_share".to_owned(), serde_json::json!(super::named::tidy(lost)));
            let said = rates.words(self.compare_to, self.window);
            let (limit, least) = (super::named::tidy(limit), self.at_least);
            why.words(format!("{said}; true from {limit} down, where it was {least} or more"))
                .near(lost.max(0.0), self.by)
        })
    }

    fn span(&self) -> Option<Duration> {
        Some(self.window.0)
    }

    fn problem(&self) -> Option<String> {
        if !(self.by > 0.0 && self.by < 1.0) {
            return Some(format!(
                "throughput_drop.by must be between 0 and 1, is {} (all of it: throughput_stalled)",
                self.by
            ));
        }
        compare::problem("throughput_drop", self.window, self.at_least)
    }
}

#[cfg(test)]
mod tests {
    use super::super::named::source_rate;
    use super::super::testing::World;
    use super::*;
    use crate::model::{Seen, Truth};

    fn kind(yaml: &str) -> ThroughputDrop {
        let kind: ThroughputDrop = serde_saphyr::from_str(yaml).unwrap();
        assert_eq!(kind.problem(), None);
        kind
    }

    /// A look every so many seconds; the rate is a function of the minute.
    fn watched(kind: &ThroughputDrop, minutes: i64, rate: impl Fn(i64) -> f64) -> World {
        let mut world = World::new(kind);
        let step = if minutes > 10_000 { 300 } else { 30 };
        for at in (0..=minutes * 60).step_by(step) {
            world.look(at, &[(source_rate(), Seen::Fresh(rate(at / 60)))]);
        }
        world
    }

    #[test]
    fn a_rate_is_compared_with_the_one_before() {
        for (name, yaml, minutes, before, after, truth) in [
            ("as ever", "compare_to: previous_hour", 80, 100.0, 100.0, Truth::False),
            ("half of it", "compare_to: previous_hour", 80, 100.0, 50.0, Truth::True),
            ("not quite", "compare_to: previous_hour", 80, 100.0, 51.0, Truth::False),
            ("more", "compare_to: previous_hour", 80, 100.0, 500.0, Truth::False),
            ("hardly any before", "compare_to: previous_hour", 80, 0.9, 0.1, Truth::False),
            ("never any", "compare_to: previous_hour\nat_least: 0", 80, 0.0, 0.0, Truth::False),
            ("a fifth", "compare_to: previous_hour\nby: 0.2", 80, 100.0, 80.0, Truth::True),
            ("too early", "compare_to: previous_hour", 60, 100.0, 1.0, Truth::Unknown),
            ("yesterday", "compare_to: same_time_yesterday", 24 * 60 + 60, 100.0, 1.0, Truth::True),
            ("too early", "compare_to: same_time_yesterday", 24 * 60, 100.0, 1.0, Truth::Unknown),
            (
                "last week",
                "compare_to: same_time_last_week",
                7 * 24 * 60 + 60,
                100.0,
                1.0,
                Truth::True,
            ),
        ] {
            let kind = kind(yaml);
            // A bucket may begin before the window does.
            let rate = |minute| if minute < minutes - 12 { before } else { after };
            let world = watched(&kind, minutes, rate);
            assert_eq!(world.judge(&kind).truth, truth, "{name} {yaml}: {}", world.words(&kind));
        }
    }

    #[test]
    fn who_asks_hears_when_it_will_be_judged() {
        let kind = kind("compare_to: same_time_yesterday");
        let world = watched(&kind, 60, |_| 5.0);
        assert_eq!(
            world.words(&kind),
            "known for 60 min of the 24 h 10 min it takes; judged in 23 h 10 min",
        );
    }

    #[test]
    fn mistakes_are_named() {
        for (yaml, what) in [
            ("compare_to: previous_hour\nby: 1", "between 0 and 1"),
            ("compare_to: previous_hour\nby: 0", "between 0 and 1"),
            ("compare_to: previous_hour\nwindow: 2h", "1m … 1h"),
            ("compare_to: previous_hour\nat_least: -1", "from 0 up"),
        ] {
            let kind: ThroughputDrop = serde_saphyr::from_str(yaml).unwrap();
            assert!(kind.problem().unwrap_or_default().contains(what), "{yaml}");
        }
        assert!(serde_saphyr::from_str::<ThroughputDrop>("{}").is_err());
    }
}
