//! When jobs are meant to run: `schedules` of the configuration.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::week_hours::Span;
use super::{Labels, Matcher, Ts, WeekHours, matches_all};

/// Days looked back and ahead for a change: a week, and what a zone may leave out.
const WEEK: i32 = 9;
/// A stretch that has no end within a week has none.
const LONGEST: Duration = Duration::from_hours(8 * 24);

/// When some jobs are meant to run.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Which jobs; never none.
    pub matchers: Vec<Matcher>,
    /// When they run: in any of these.
    pub hours: Vec<WeekHours>,
    /// Those hours as written, for people.
    pub text: String,
    /// Where the clock hangs.
    pub zone: TimeZone,
}

/// How a moment stands to the hours of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The job should run.
    Inside,
    /// The job should not run.
    Outside,
    /// The clock jumps at an end of the hours: both readings are right, and so is either.
    Either,
}

impl Schedule {
    /// How the wall time `at` stands to its hours.
    pub fn standing(&self, at: Ts) -> Standing {
        Self::among(&self.spans(at, 2, 1), at)
    }

    /// Since when the job should have been running at the wall time `at`, at the earliest; the
    /// beginning of time for one that always should, `None` while it need not.
    pub fn inside_since(&self, at: Ts) -> Option<Ts> {
        let spans = self.spans(at, WEEK, 1);
        let begun = spans.iter().filter(|s| (s.begins.1..s.ends.0).contains(&at));
        let mut since = begun.map(|s| s.begins.0).min()?;
        // Hours that follow on one another are one stretch.
        while let Some(before) = spans.iter().find(|s| s.begins.0 < since && s.ends.1 >= since) {
            since = before.begins.0;
        }
        Some(if at.since(since) > LONGEST { Ts(i64::MIN) } else { since })
    }

    /// When its standing next is another than at the wall time `at`; `None` when it never is.
    pub fn next_change(&self, at: Ts) -> Option<Ts> {
        let spans = self.spans(at, 2, WEEK);
        let now = Self::among(&spans, at);
        let ends = spans.iter().flat_map(|s| [s.begins.0, s.begins.1, s.ends.0, s.ends.1]);
        let mut edges: Vec<Ts> = ends.filter(|edge| *edge > at).collect();
        edges.sort_unstable();
        // Where the days looked at end, nothing is known of what comes then.
        let last = spans.iter().map(|s| s.begins.0).max()?;
        edges
            .into_iter()
            .filter(|edge| *edge <= last)
            .find(|edge| Self::among(&spans, *edge) != now)
    }

    /// Its hours and zone for people: `Mon-Fri 08:00-24:00 Asia/Shanghai`.
    pub fn words(&self) -> String {
        format!("{} {}", self.text, self.zone.iana_name().unwrap_or("UTC"))
    }

    /// A wall time on its clock: `2026-11-23 08:00`.
    pub fn on_clock(&self, at: Ts) -> String {
        let Ok(at) = jiff::Timestamp::from_millisecond(at.0) else { return String::new() };
        at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
    }

    fn spans(&self, at: Ts, back: i32, ahead: i32) -> Vec<Span> {
        // The day before yesterday's hours may reach into today where a zone left out a day.
        let days = -back..=ahead;
        self.hours.iter().flat_map(|hours| hours.spans(at, days.clone(), &self.zone)).collect()
    }

    fn among(spans: &[Span], at: Ts) -> Standing {
        let mut standing = Standing::Outside;
        for span in spans {
            if (span.begins.1..span.ends.0).contains(&at) {
                return Standing::Inside;
            }
            if (span.begins.0..span.ends.1).contains(&at) {
                standing = Standing::Either;
            }
        }
        standing
    }
}

/// All schedules, in the order of the configuration.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Schedules(pub Vec<Arc<Schedule>>);

impl Schedules {
    /// The schedule of a job with these labels: the first that matches.
    pub fn of(&self, labels: &Labels) -> Option<&Arc<Schedule>> {
        self.0.iter().find(|schedule| matches_all(&schedule.matchers, labels))
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
