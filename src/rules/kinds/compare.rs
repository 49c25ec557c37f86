//! A job's throughput now and at a time it is compared with.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::named::{Key, numbers, present, source_rate, stretch, tidy, words};
use super::{Facts, Span};
use crate::model::{Demand, Evidence, Verdict};

/// Which time the present is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CompareTo {
    /// An hour ago.
    PreviousHour,
    /// 24 hours ago (known to about a quarter of an hour, or three hours where some rule looks back
    /// a week on the same number).
    SameTimeYesterday,
    /// Seven days ago (known to about three hours).
    SameTimeLastWeek,
}

impl CompareTo {
    /// How long ago.
    pub const fn ago(self) -> Duration {
        match self {
            CompareTo::PreviousHour => Duration::from_hours(1),
            CompareTo::SameTimeYesterday => Duration::from_hours(24),
            CompareTo::SameTimeLastWeek => Duration::from_hours(7 * 24),
        }
    }

    /// As written in rules.
    pub const fn as_str(self) -> &'static str {
        match self {
            CompareTo::PreviousHour => "previous_hour",
            CompareTo::SameTimeYesterday => "same_time_yesterday",
            CompareTo::SameTimeLastWeek => "same_time_last_week",
        }
    }
}

/// Records per second, mean of the window: now, and at the time it is compared with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rates {
    pub(super) now: f64,
    pub(super) before: f64,
}

pub(super) fn demand(to: CompareTo, window: Span) -> Demand {
    Demand::of_metric(source_rate(), to.ago() + window.0)
}

/// Both rates, or the judgement to give where one is not known.
pub(super) fn rates(
    facts: &Facts<'_>,
    key: &Key,
    to: CompareTo,
    window: Span,
) -> Result<Rates, Verdict> {
    let (numbers, now) = numbers(facts)?;
    let key = key.of(source_rate);
    present(facts, numbers, key, now, "what its sources read")?;
    let then = now - to.ago();
    let before = stretch(facts, numbers, key, (then - window.0, then), now)?;
    let present = stretch(facts, numbers, key, (now - window.0, now), now)?;
    Ok(Rates { now: present.mean(), before: before.mean() })
}

impl Rates {
    /// For messages and for who asks why.
    pub(super) fn evidence(self, to: CompareTo, window: Span) -> Evidence {
        super::evidence! {
            "records_per_second": tidy(self.now),
            "records_per_second_before": tidy(self.before),
            "compared_to": to.as_str(),
            "window_seconds": window.0.as_secs(),
        }
    }

    /// In words.
    pub(super) fn words(self, to: CompareTo, window: Span) -> String {
        let (now, before) = (tidy(self.now), tidy(self.before));
        let (window, ago) = (words(window.0), words(to.ago()));
        format!("{now} records per second over {window}, {before} at the same time {ago} ago")
    }
}

/// What is wrong with the parameters both kinds have.
pub(super) fn problem(kind: &str, window: Span, at_least: f64) -> Option<String> {
    if !(at_least.is_finite() && at_least >= 0.0) {
        return Some(format!("{kind}.at_least must be a number from 0 up"));
    }
    (!(Duration::from_mins(1)..=Duration::from_hours(1)).contains(&window.0))
        .then(|| format!("{kind}.window must be 1m … 1h"))
}
