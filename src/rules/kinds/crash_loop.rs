//! `crash_loop`: the job keeps falling over, and has not stopped doing so.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Facts, Kind, Span, evidence, fresh_job};
use crate::model::{Aspect, Demand, Verdict, Why};
use crate::tracker::MAX_FLAP_MINUTES;

/// Flap detection as in Nagios and Icinga, on failures. `window` is cut into 20 equal parts; a part
/// in which the job failed counts, the newest 1.25, the oldest 0.75. The sum in percent of 20 is the
/// flap value: true once it reaches `high`, until it is down to `low`, and between the two as
/// before.
///
/// It differs from `failure_rate` in what it counts and when it ends. That one counts failures and is
/// over soon after they stop. This one counts stretches of time with failures, so that a burst of
/// fifty in a minute is one and no loop; and it stays true until most of the window is calm, so that
/// a job that runs for a few minutes between two falls stays one alert. With the defaults it is true
/// after failures in six minutes in a row, or in every third minute for twenty.
///
/// Fed by distinct failures (history of exceptions, restart counter, restores), so restarts shorter
/// than a poll count; rescales, cancelled runs and stops do not. A job that was ended on purpose
/// begins anew. Demands failures, counters and checkpoints.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CrashLoop {
    /// What is looked back on, 20m … 1h (default 20m).
    #[serde(default = "twenty_minutes")]
    pub window: Span,
    /// True from this flap value on, in percent (default 30).
    #[serde(default = "thirty")]
    pub high: f64,
    /// False again at this flap value or less, in percent (default 20).
    #[serde(default = "twenty")]
    pub low: f64,
}

fn twenty_minutes() -> Span {
    Span(Duration::from_mins(20))
}

fn thirty() -> f64 {
    30.0
}

fn twenty() -> f64 {
    20.0
}

impl Kind for CrashLoop {
    fn aspect(&self) -> &'static str {
        Aspect::FAILURE
    }

    fn demand(&self) -> Demand {
        Demand { counters: true, failures: true, checkpoints: true, ..Demand::default() }
    }

    fn evidence(&self) -> Vec<&'static str> {
        vec!["flap_percent", "failing_parts", "window_seconds", "failures_total"]
    }

    fn judge(&self, facts: &Facts<'_>) -> Verdict {
        let job = fresh_job!(facts);
        if job.job.ended_on_purpose() {
            return facts.no(|| "it was ended on purpose".to_owned());
        }
        let now = job.time.steady;
        let flapping = job.job.flaps.value(now, self.window.millis(), self.low, self.high);
        let percent = (flapping.percent * 10.0).round() / 10.0;
        let evidence = || evidence! {
            "flap_percent": percent,
            "failing_parts": flapping.parts,
            "window_seconds": self.window.0.as_secs(),
            "failures_total": job.job.failures_total,
        };
        facts.verdict(flapping.on, || {
            let (high, low) = (self.high, self.low);
            let words = if flapping.on {
                format!("flap value {percent} %; false again at {low} % or less")
            } else {
                format!("flap value {percent} %; true from {high} % on")
            };
            Why::from(evidence()).words(words).near(percent, high)
        })
    }

    fn span(&self) -> Option<Duration> {
        Some(self.window.0)
    }

    fn problem(&self) -> Option<String> {
        let longest = Duration::from_mins(MAX_FLAP_MINUTES as u64);
        if self.window.0 < Duration::from_mins(20) || self.window.0 > longest {
            return Some("crash_loop.window must be 20m … 1h".to_owned());
        }
        let fits = |value: f64| value.is_finite() && value > 0.0 && value <= 100.0;
        if !fits(self.high) || !fits(self.low) || self.low > self.high {
            return Some(format!(
                "crash_loop needs 0 < low ≤ high ≤ 100, has low {} and high {}",
                self.low, self.high
            ));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::watch::{Watch, failure, run};
    use super::*;
    use crate::model::{JobState, RunObservation, Seen, Truth};

    fn rule() -> CrashLoop {
        CrashLoop { window: twenty_minutes(), high: 30.0, low: 20.0 }
    }

    #[test]
    fn a_loop_is_true_until_it_has_been_calm_and_a_burst_is_none() {
        let mut watch = Watch::new();
        watch.look(0, vec![]);
        watch.look(5, vec![run("a", 1, JobState::Running)]);
        let mut history = Vec::new();
        let mut told = Vec::new();
        for minute in 1..40 {
            // Restarts no look ever sees: the job is RUNNING whenever it is looked at.
            if minute <= 8 {
                history.insert(0, failure(minute * 60_000 + 1_000, "a.B", "x"));
            }
            let failures = Seen::Fresh(history.clone());
            watch.look(minute * 60 + 30, vec![RunObservation { failures, ..run("a", 1, JobState::Running) }]);
            if watch.truth(&rule()) == Truth::True {
                told.push(minute);
            }
        }
        assert_eq!((told[0], told[told.len() - 1]), (6, 23), "{told:?}");
        assert_eq!(told.len(), 18, "without a break: {told:?}");

        let mut watch = Watch::new();
        watch.look(0, vec![]);
        let burst = (0..16).rev().map(|n| failure(60_000 + n * 1000, "a.B", "x")).collect();
        let failures = Seen::Fresh(burst);
        watch.look(100, vec![RunObservation { failures, ..run("a", 1, JobState::Running) }]);
        assert_eq!(watch.job().failures_total, 16);
        assert_eq!(watch.truth(&rule()), Truth::False);
    }

    #[test]
    fn limits_that_cannot_be_are_refused() {
        for (window, low, high, fine) in
            [(20, 20.0, 30.0, true), (60, 5.0, 5.0, true), (19, 20.0, 30.0, false), (61, 20.0, 30.0, false), (20, 40.0, 30.0, false), (20, f64::NAN, 30.0, false)]
        {
            let rule = CrashLoop { window: Span(Duration::from_mins(window)), high, low };
            assert_eq!(rule.problem().is_none(), fine, "{rule:?}");
        }
    }
}
