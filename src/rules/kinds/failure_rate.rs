//! `failure_rate`: the job keeps failing, seen by its own distinct failures.
//!
//! This is not Flink's `failure-rate` restart strategy, and has nothing to do with how the job is
//! configured to restart: REST cannot tell a job's strategy.

use std::borrow::Cow;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{ClassPattern, Facts, Kind, Span, TextPattern, evidence, fresh_job, words};
use crate::model::{Aspect, Demand, Time, Ts, Verdict, Why};
use crate::tracker::{KnownCause, MAX_FAILURES};

/// True from the `count`-th distinct failure within `window` on, until the job has been without a
/// failure for long enough to believe it: twice the usual (median) gap between these failures, at
/// least one minute, at most the window. So a loop that fails every second is over soon after it is
/// mended, and one that fails every ten minutes is not called well between two failures.
/// Failures count across resubmissions; those older than Weir's first look do not.
///
/// With `class` or `pattern` only failures count whose root cause is meant by them, by both where
/// both are given; those whose exception was not read do not, those whose exception is read later
/// do from then on. Up to eight different causes are remembered per job. Demands failures, counters
/// and checkpoints.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FailureRate {
    /// So many distinct failures (2 … 64) …
    pub count: usize,
    /// … within this time.
    pub window: Span,
    /// Only failures of this exception class, simple or qualified, `*` for any characters (all by
    /// default).
    #[serde(default)]
    pub class: Option<ClassPattern>,
    /// Only failures with this regular expression in their root cause, `class: message (frame)` (all
    /// by default).
    #[serde(default)]
    pub pattern: Option<TextPattern>,
}

/// Quiet shorter than this is never believed.
const LEAST_QUIET: Duration = Duration::from_mins(1);

impl FailureRate {
    /// Whether failures at these times (oldest first) make it true at `now`.
    pub fn holds(&self, now: Ts, times: &[Ts]) -> bool {
        let newest = times.last().copied().unwrap_or(now);
        self.quiet_needed(times).is_some_and(|quiet| now.since(newest) <= quiet)
    }

    /// How long without a failure ends it; none where there were too few within the window.
    fn quiet_needed(&self, times: &[Ts]) -> Option<Duration> {
        let last = times.get(times.len().checked_sub(self.count.max(1))?..)?;
        let (oldest, newest) = (last.first()?, last.last()?);
        if newest.since(*oldest) > self.window.0 {
            return None;
        }
        let mut gaps: Vec<Duration> = last.windows(2).map(|p| p[1].since(p[0])).collect();
        gaps.sort_unstable();
        let gap = gaps.get(gaps.len() / 2).copied().unwrap_or_default();
        Some((gap * 2).clamp(LEAST_QUIET, self.window.0.max(LEAST_QUIET)))
    }

    /// What ends it.
    fn holding(&self, time: Time, newest: Ts, times: &[Ts]) -> String {
        let recent = times.iter().filter(|at| newest.since(**at) <= self.window.0).count();
        let quiet = self.quiet_needed(times).unwrap_or_default();
        format!(
            "{} within {}; false from {} on if none follows",
            words::count(recent, "failure"),
            words::span(self.window.0),
            words::at(time, newest + quiet),
        )
    }

    /// What makes it true: `recent` are the failures the window holds now, oldest first.
    fn missing(&self, time: Time, recent: &[Ts]) -> String {
        let window = words::span(self.window.0);
        // Enough of them, but quiet since: the next one counts with the last ones before it.
        let kept = recent.len().min(self.count.saturating_sub(1));
        let lacking = self.count.saturating_sub(kept);
        let counted = recent.get(recent.len() - kept..).unwrap_or_default();
        let Some(oldest) = counted.first() else {
            return format!("no failure within {window}; {} make it true", self.count);
        };
        let by = words::at(time, *oldest + self.window.0);
        let next = if recent.len() >= self.count {
            "the next one makes it true".to_owned()
        } else if lacking == 1 {
            format!("the {} makes it true", words::ordinal(self.count))
        } else {
            format!("{lacking} more make it true")
        };
        let quiet = if recent.len() >= self.count { ", quiet since" } else { "" };
        format!("{} within {window}{quiet}; {next} if before {by}", words::count(recent.len(), "failure"))
    }

    /// Whether only some failures count.
    fn is_choosy(&self) -> bool {
        self.class.is_some() || self.pattern.is_some()
    }

    fn means(&self, cause: &KnownCause) -> bool {
        self.class.as_ref().is_none_or(|class| class.matches(&cause.class))
            && self.pattern.as_ref().is_none_or(|pattern| pattern.matches(&cause.text))
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
        let all = job.job.failure_times.as_slices();
        let times: Cow<'_, [Ts]> = if self.is_choosy() {
            job.job.causes.times(|cause| self.means(cause)).into()
        } else if all.1.is_empty() {
            all.0.into()
        } else {
            job.job.failure_times.iter().copied().collect()
        };
        let now = job.time.steady;
        let holds = !job.job.ended_on_purpose() && self.holds(now, &times);
        // Of the window that made it true: the number said does not shrink while it still holds.
        let newest = times.last().copied().unwrap_or(now);
        let from = if holds { newest } else { now };
        let evidence = |recent: usize| {
            let mut evidence = evidence! {
                "count": recent,
                "window_seconds": self.window.0.as_secs(),
                "failures_total": job.job.failures_total,
            };
            if self.is_choosy()
                && let Some(cause) = job.job.causes.newest(|cause| self.means(cause))
            {
                evidence.insert("matched_cause".to_owned(), cause.text.clone().into());
            }
            evidence
        };
        facts.verdict(holds, || {
            let told = times.iter().filter(|at| newest.since(**at) <= self.window.0).count();
            if !facts.asks_why {
                return Why::from(evidence(told));
            }
            // What still counts towards the next one is what the window holds now.
            let recent: Vec<Ts> =
                times.iter().copied().filter(|at| from.since(*at) <= self.window.0).collect();
            // One that is over needs at least one more.
            let near = if job.job.ended_on_purpose() {
                0
            } else {
                recent.len().min(self.count.saturating_sub(1))
            };
            let mut words = if job.job.ended_on_purpose() {
                "the job ended on purpose: its failures do not count any more".to_owned()
            } else if holds {
                self.holding(job.time, newest, &times)
            } else {
                self.missing(job.time, &recent)
            };
            if self.is_choosy() {
                words.push_str(" (only failures that match count)");
            }
            Why::from(evidence(recent.len())).near(near as f64, self.count as f64).words(words)
        })
    }

    fn problem(&self) -> Option<String> {
        if !(2..=MAX_FAILURES).contains(&self.count) {
            return Some(format!(
                "failure_rate.count must be 2 … {MAX_FAILURES}, is {} (one failure alone: job_state)",
                self.count
            ));
        }
        if let Some(problem) = self.class.as_ref().and_then(ClassPattern::problem) {
            return Some(format!("failure_rate: {problem}"));
        }
        (self.window.0 < LEAST_QUIET)
            .then(|| "failure_rate.window must be at least 1m".to_owned())
    }

    fn evidence(&self) -> Vec<&'static str> {
        let mut names = vec!["count", "window_seconds", "failures_total"];
        if self.is_choosy() {
            names.push("matched_cause");
        }
        names
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
        let window = Span(Duration::from_secs(window_s));
        FailureRate { count, window, class: None, pattern: None }
    }

    #[test]
    fn only_failures_that_are_meant_count() {
        use super::super::watch::{Watch, failure, run};
        use crate::model::{JobState, RunObservation, Seen, Truth};

        let mut watch = Watch::new();
        watch.look(0, vec![]);
        watch.look(1, vec![run("a", 1, JobState::Running)]);
        let history = vec![
            failure(50_000, "org.apache.kafka.common.errors.TimeoutException", "topic orders"),
            failure(40_000, "com.example.Poison", "offset 7"),
            failure(30_000, "org.apache.kafka.common.errors.TimeoutException", "topic users"),
            failure(20_000, "com.example.Poison", "offset 7"),
        ];
        let failures = Seen::Fresh(history);
        watch.look(60, vec![RunObservation { failures, ..run("a", 1, JobState::Running) }]);
        let chosen = |class: Option<&str>, pattern: Option<&str>, count| -> FailureRate {
            let pattern = serde_json::json!({
                "count": count, "window": "5m", "class": class, "pattern": pattern
            });
            serde_json::from_value(pattern).unwrap()
        };
        for (class, pattern, count, expected) in [
            (None, None, 4, true),
            (Some("Poison"), None, 2, true),
            (Some("Poison"), None, 3, false),
            (Some("org.apache.kafka.*"), None, 2, true),
            (Some("org.apache.kafka.*"), Some("orders"), 2, false),
            (None, Some("offset \\d+$"), 2, true),
            (None, Some("^topic"), 2, false),
            (Some("Other"), None, 2, false),
        ] {
            let rule = chosen(class, pattern, count);
            assert_eq!(watch.truth(&rule) == Truth::True, expected, "{rule:?}");
        }
        let told = watch.judge(&chosen(Some("Poison"), None, 2));
        assert_eq!(told.evidence["matched_cause"], "com.example.Poison: offset 7");
    }

    /// The restart counter tells of a failure before its exception can be read.
    #[test]
    fn a_cause_that_is_read_late_counts_once() {
        use super::super::watch::{Watch, failure, run};
        use crate::model::{Counters, JobState, RunObservation, Seen, Truth};

        let look = |watch: &mut Watch, at, restarts, failures| {
            let counters = Counters { restarts: Some(restarts), ..Counters::default() };
            let counters = Seen::Fresh(counters);
            let seen =
                RunObservation { counters, failures, ..run("a", 1, JobState::Running) };
            watch.look(at, vec![seen]);
        };
        let mut watch = Watch::new();
        watch.look(0, vec![]);
        look(&mut watch, 1, 0, Seen::Fresh(Vec::new()));
        look(&mut watch, 60, 2, Seen::Unknown);
        assert_eq!(watch.job().failures_total, 2, "counted by the counter");
        let poison = |at| failure(at, "com.example.Poison", "offset 7");
        let history = vec![poison(50_000), poison(40_000)];
        let chosen = |count| -> FailureRate {
            let chosen = serde_json::json!({ "count": count, "window": "5m", "class": "Poison" });
            serde_json::from_value(chosen).unwrap()
        };
        assert_eq!(watch.truth(&chosen(2)), Truth::False, "nobody knows what they were");
        for at in [70, 80] {
            look(&mut watch, at, 2, Seen::Fresh(history.clone()));
            assert_eq!(watch.job().failures_total, 2);
            assert_eq!(watch.truth(&chosen(2)), Truth::True);
            assert_eq!(watch.truth(&chosen(3)), Truth::False, "each once");
        }
        let third = vec![poison(85_000), poison(50_000), poison(40_000)];
        look(&mut watch, 90, 3, Seen::Fresh(third));
        assert_eq!(watch.job().failures_total, 3);
        assert_eq!(watch.truth(&chosen(3)), Truth::True);
        assert_eq!(watch.truth(&chosen(4)), Truth::False);
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
