//! `throughput_stalled`: the job reads nothing any more, and used to.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::compare::{self, CompareTo};
use super::named::{Key, tidy};
use super::{Facts, Kind, Span};
use crate::model::{Aspect, Demand, Verdict, Why};

/// True while the job's sources hand on (nearly) nothing, though at the time compared with they
/// handed on `at_least` so much. Unlike `consumer_stuck` it needs no backlog: an input that dried up
/// is seen too. Unknown until that time has been watched; n/a where no source operator reports
/// records.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ThroughputStalled {
    /// `previous_hour`, `same_time_yesterday` or `same_time_last_week`.
    pub compare_to: CompareTo,
    /// Share of the former rate up to which it is nothing, from 0 to below 1 (default 0.01).
    #[serde(default = "hardly_any")]
    pub share: f64,
    /// Both rates are means of this time, 1m … 1h (default 5m).
    #[serde(default = "five_minutes")]
    pub window: Span,
    /// Records per second before, below which nothing is said (default 1).
    #[serde(default = "one")]
    pub at_least: f64,
    #[serde(skip)]
    key: Key,
}

/// A meter of Flink's is the mean of a minute: it takes a minute to come to zero.
fn hardly_any() -> f64 {
    0.01
}

fn one() -> f64 {
    1.0
}

fn five_minutes() -> Span {
    Span(Duration::from_mins(5))
}

impl Kind for ThroughputStalled {
    fn aspect(&self) -> &'static str {
        Aspect::LAG
    }

    fn demand(&self) -> Demand {
        compare::demand(self.compare_to, self.window)
    }

    fn evidence(&self) -> Vec<&'static str> {
        vec!["records_per_second", "records_per_second_before", "compared_to", "window_seconds"]
    }

    fn judge(&self, facts: &Facts<'_>) -> Verdict {
        let rates = match compare::rates(facts, &self.key, self.compare_to, self.window) {
            Ok(rates) => rates,
            Err(verdict) => return verdict,
        };
        let used = rates.before > 0.0 && rates.before >= self.at_least;
        let limit = rates.before * self.share;
        facts.verdict(used && rates.now <= limit, || {
            let said = rates.words(self.compare_to, self.window);
            let (limit, least) = (tidy(limit), self.at_least);
            let lost = if rates.before > 0.0 { 1.0 - rates.now / rates.before } else { 0.0 };
            Why::from(rates.evidence(self.compare_to, self.window))
                .words(format!("{said}; true from {limit} down, where it was {least} or more"))
                .near(lost.max(0.0), 1.0 - self.share)
        })
    }

    fn span(&self) -> Option<Duration> {
        Some(self.window.0)
    }

    fn problem(&self) -> Option<String> {
        if !(self.share >= 0.0 && self.share < 1.0) {
            return Some(format!(
                "throughput_stalled.share must be from 0 to below 1, is {}",
                self.share
            ));
        }
        compare::problem("throughput_stalled", self.window, self.at_least)
    }
}

#[cfg(test)]
mod tests {
    use super::super::named::source_rate;
    use super::super::testing::World;
    use super::*;
    use crate::model::{Seen, Truth};

    fn judged(yaml: &str, before: f64, after: f64) -> Truth {
        let kind: ThroughputStalled = serde_saphyr::from_str(yaml).unwrap();
        assert_eq!(kind.problem(), None);
        let mut world = World::new(&kind);
        for at in (0..=4800).step_by(30) {
            let rate = if at < 4800 - 330 { before } else { after };
            world.look(at, &[(source_rate(), Seen::Fresh(rate))]);
        }
        world.judge(&kind).truth
    }

    #[test]
    fn nothing_is_only_news_where_there_was_something() {
        let hour = "compare_to: previous_hour";
        for (before, after, truth) in [
            (100.0, 0.0, Truth::True),
            (100.0, 0.9, Truth::True),
            (100.0, 5.0, Truth::False),
            (0.0, 0.0, Truth::False),
            (0.5, 0.0, Truth::False),
        ] {
            assert_eq!(judged(hour, before, after), truth, "{before} to {after}");
        }
        assert_eq!(judged("compare_to: previous_hour\nshare: 0.1", 100.0, 5.0), Truth::True);
        assert_eq!(judged("compare_to: same_time_yesterday", 100.0, 0.0), Truth::Unknown);
    }

    #[test]
    fn mistakes_are_named() {
        for (yaml, what) in [
            ("compare_to: previous_hour\nshare: 1", "below 1"),
            ("compare_to: previous_hour\nwindow: 10s", "1m … 1h"),
        ] {
            let kind: ThroughputStalled = serde_saphyr::from_str(yaml).unwrap();
            assert!(kind.problem().unwrap_or_default().contains(what), "{yaml}");
        }
    }
}
