//! `failure_rate`: the job keeps failing, seen by its own distinct failures.
//!
//! This is not Flink's `failure-rate` restart strategy, and has nothing to do with how the job is
//! configured to restart: REST cannot tell a job's strategy.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Facts, Kind, Span, evidence, fresh_job};
use crate::model::{Aspect, Demand, Ts, Verdict, Why};
use crate::tracker::MAX_FAILURES;

/// True from the `count`-th distinct failure within `window` on, until the job has been without a
/// failure for long enough to believe it: twice the usual (median) gap between these failures, at
/// least one minute, at most the window. So a loop that fails every second is over soon after it is
/// mended, and one that fails every ten minutes is not called well between two failures.
/// Failures count across resubmissions; those older than Weir's first look do not.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FailureRate {
    /// So many distinct failures (2 … 64) …
    pub count: usize,
    /// … within this time.
    pub window: Span,
}

/// Quiet shorter than this is never believed.
const LEAST_QUIET: Duration = Duration::from_mins(1);

impl FailureRate {
    /// Whether failures at these times (oldest first) make it true at `now`.
    pub fn holds(&self, now: Ts, times: &[Ts]) -> bool {
        let Some(first) = times.len().checked_sub(self.count.max(1)) else { return false };
        let last = &times[first..];
        let (Some(oldest), Some(newest)) = (last.first(), last.last()) else { return false };
        if newest.since(*oldest) > self.window.0 {
            return false;
        }
        let mut gaps: Vec<Duration> = last.windows(2).map(|p| p[1].since(p[0])).collect();
        gaps.sort_unstable();
        let gap = gaps.get(gaps.len() / 2).copied().unwrap_or_default();
        let quiet = (gap * 2).clamp(LEAST_QUIET, self.window.0.max(LEAST_QUIET));
        now.since(*newest) <= quiet
    }
}

impl Kind for FailureRate {
    fn aspect(&self) -> &'static str {
        Aspect::FAILURE
    }

    fn demand(&self) -> Demand {
        Demand { counters: true, failures: true, checkpoints: true, ..Demand::default() }
    }

    fn judge(&self, facts: &Facts<'_>) -> Verdict {
        let job = fresh_job!(facts);
        let times: Vec<Ts> = job.job.failure_times.iter().copied().collect();
        let now = job.time.steady;
        let holds = !job.job.ended_on_purpose() && self.holds(now, &times);
        // Of the window that made it true: the number said does not shrink while it still holds.
        let newest = times.last().copied().unwrap_or(now);
        let recent = || times.iter().filter(|at| newest.since(**at) <= self.window.0).count();
        let evidence = || evidence! {
            "count": recent(),
            "window_seconds": self.window.0.as_secs(),
            "failures_total": job.job.failures_total,
        };
        facts.verdict(holds, || Why::from(evidence()).near(recent() as f64, self.count as f64))
    }

    fn problem(&self) -> Option<String> {
        if !(2..=MAX_FAILURES).contains(&self.count) {
            return Some(format!(
                "failure_rate.count must be 2 … {MAX_FAILURES}, is {} (one failure alone: job_state)",
                self.count
            ));
        }
        (self.window.0 < LEAST_QUIET)
            .then(|| "failure_rate.window must be at least 1m".to_owned())
    }

    fn evidence(&self) -> Vec<&'static str> {
        vec!["count", "window_seconds", "failures_total"]
    }

    fn span(&self) -> Option<Duration> {
        Some(self.window.0)
    }

    fn impossible(&self, poll: Duration) -> Option<String> {
        let looks = self.window.0.as_millis() / poll.as_millis().max(1) + 1;
        if looks < 3 {
            let window = self.window.0;
            return Some(format!("a window of {window:?} is shorter than two polls of {poll:?}"));
        }
        // Flink lists so many failures at a time.
        let most = looks.saturating_mul(16);
        (self.count as u128 > most).then(|| {
            format!("{} failures cannot be seen in {looks} looks of at most 16 each", self.count)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(count: usize, window_s: u64) -> FailureRate {
        FailureRate { count, window: Span(Duration::from_secs(window_s)) }
    }

    #[test]
    fn a_burst_after_a_lone_failure_is_over_soon_after_it_is_mended() {
        let rule = rate(6, 86_400);
        let times = at(&[0, 36_000, 36_010, 36_020, 36_030, 36_040]);
        assert!(rule.holds(Ts(36_050_000), &times));
        assert!(!rule.holds(Ts(36_200_000), &times), "the ten hours before it do not count");
        let slow = at(&[0, 14_400, 28_800, 43_200, 57_600, 72_000]);
        assert!(rule.holds(Ts(86_000_000), &slow), "every four hours is not well in between");
    }

    fn at(seconds: &[i64]) -> Vec<Ts> {
        seconds.iter().map(|s| Ts(s * 1000)).collect()
    }

    #[test]
    fn fires_by_the_count_and_ends_by_quiet() {
        let rule = rate(3, 1800);
        for (now, times, expected) in [
            (10, at(&[1, 5]), false),
            (10, at(&[1, 5, 10]), true),
            (69, at(&[1, 5, 10]), true),
            (71, at(&[1, 5, 10]), false),
            // Every twelve minutes: not well in between, although two of three leave the window.
            (24 * 60, at(&[0, 720, 1440]), true),
            (35 * 60, at(&[0, 720, 1440]), true),
            (24 * 60 + 1441, at(&[0, 720, 1440]), false),
            // Sixteen minutes apart is another rule's business.
            (32 * 60, at(&[0, 960, 1920]), false),
        ] {
            assert_eq!(rule.holds(Ts(now * 1000), &times), expected, "now {now} s, {times:?}");
        }
    }
}
