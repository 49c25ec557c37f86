//! `lag`: the job falls behind its input.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::amount::Amount;
use super::named::{Key, numbers, present, tidy, words};
use super::{About, Facts, Kind, Span};
use crate::model::{
    Across, Aspect, Demand, MetricQuery, MetricScope, Ts, Verdict, Vertices, Why,
};
use crate::tracker::{Fact, Series};

/// In what lag is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LagUnit {
    /// Records not yet read (`pendingRecords` over all sources).
    #[default]
    Records,
    /// How old what the job works on is: the watermark's lag (`watermarkLag`), or that of the last
    /// record with a time stamp (`currentEmitEventTimeLag`) where there are no watermarks. It grows
    /// while the input is idle, too.
    EventTime,
}

/// True while the job is more than `above` behind its input and, where `growing_for` is given, more
/// than it was that long ago: a backlog that is being worked off is no trouble. With
/// `catch_up_above`, only while it would take longer than that to catch up at the pace of the last
/// ten minutes (`catch_up_over`); a backlog that does not shrink is never caught up. Unknown until
/// the time looked back on has been watched. n/a for jobs whose sources report none.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lag {
    /// What it is measured in (default `records`).
    #[serde(default)]
    pub unit: LagUnit,
    /// Records (`10000`), or a length of time with `unit: event_time` (`10m`).
    pub above: Amount,
    /// And not shrinking over this time, 30s … 1h (none by default).
    #[serde(default)]
    pub growing_for: Option<Span>,
    /// And not caught up within this time at the present pace (none by default).
    #[serde(default)]
    pub catch_up_above: Option<Span>,
    /// The pace is that of this time, 1m … 1h (default 10m).
    #[serde(default)]
    pub catch_up_over: Option<Span>,
    #[serde(skip)]
    key: Key,
}

const LONGEST: Duration = Duration::from_hours(1);
const SHORTEST: Duration = Duration::from_secs(30);
const PACE_OVER: Duration = Duration::from_mins(10);

/// What is judged: how far behind now, and before.
struct Behind<'a> {
    now: f64,
    series: Option<&'a Series>,
    at: Ts,
}

impl Lag {
    fn query() -> MetricQuery {
        MetricQuery {
            scope: MetricScope::Operator,
            id: "watermarkLag|currentEmitEventTimeLag".to_owned(),
            across: Across::Max,
            vertices: Vertices::Sources,
        }
    }

    fn pace_over(&self) -> Duration {
        self.catch_up_over.map_or(PACE_OVER, |s| s.0)
    }

    /// Longest time looked back on.
    fn look_back(&self) -> Duration {
        let pace = self.catch_up_above.map_or(Duration::ZERO, |_| self.pace_over());
        self.growing_for.map_or(Duration::ZERO, |s| s.0).max(pace)
    }

    /// The limit in the unit of the numbers: records, or milliseconds.
    fn limit(&self) -> f64 {
        match self.above {
            Amount::Number(records) => records,
            Amount::Time(span) => span.millis() as f64,
        }
    }

    fn behind<'a>(&self, facts: &Facts<'a>) -> Result<Behind<'a>, Verdict> {
        if self.unit == LagUnit::Records {
            return records(facts);
        }
        let (numbers, at) = numbers(facts)?;
        let key = self.key.of(Lag::query);
        let now = present(facts, numbers, key, at, "event time lag")?;
        Ok(Behind { now, series: numbers.series(key, at - self.look_back()), at })
    }

    fn before(&self, facts: &Facts<'_>, behind: &Behind<'_>, span: Duration) -> Result<f64, Verdict> {
        let from = behind.at - span;
        let series = behind.series.filter(|series| series.covers(from));
        series.and_then(|series| series.at(from)).ok_or_else(|| {
            facts.unknown(|| {
                let behind = self.why(behind.now, None, None).words;
                format!("{behind}; whether it grows is known once it was watched for {}", words(span))
            })
        })
    }

    fn why(&self, now: f64, grown: Option<(f64, Span)>, catch_up: Option<CatchUp>) -> Why {
        let mut why = Why::default();
        let mut add = |key: &str, value: serde_json::Value| {
            why.evidence.insert(key.to_owned(), value);
        };
        let (name, scale) = match self.unit {
            LagUnit::Records => ("records", 1.0),
            LagUnit::EventTime => ("seconds", 1000.0),
        };
        let limit = self.limit();
        add(&format!("lag_{name}"), serde_json::json!(tidy(now / scale)));
        add(&format!("above_{name}"), serde_json::json!(limit / scale));
        let mut said = format!("{} {name} behind; true above {}", tidy(now / scale), limit / scale);
        if let Some((before, span)) = grown {
            add("lag_before", serde_json::json!(tidy(before / scale)));
            add("growing_seconds", serde_json::json!(span.0.as_secs()));
            let was = tidy(before / scale);
            said = format!("{said} and above what it was {} ago ({was})", words(span.0));
        }
        if let (Some(catch_up), Some(limit)) = (catch_up, self.catch_up_above) {
            add("catch_up_above_seconds", serde_json::json!(limit.0.as_secs()));
            let how = match catch_up {
                CatchUp::In(needs) => {
                    add("catch_up_seconds", serde_json::json!(needs.as_secs()));
                    format!("caught up in {}", words(needs))
                }
                CatchUp::Never => "it does not shrink".to_owned(),
            };
            said = format!("{said}; {how}, true above {}", words(limit.0));
        }
        why.words(said).near(now, limit)
    }
}

/// Records have their own series, whatever else is asked by name.
fn records<'a>(facts: &Facts<'a>) -> Result<Behind<'a>, Verdict> {
    let (_, at) = numbers(facts)?;
    let About::Job(job) = facts.about else {
        return Err(facts.not_applicable(|| "this condition is about jobs".to_owned()));
    };
    match job.lag() {
        Fact::Known(now) => Ok(Behind { now, series: Some(&job.job.lag), at }),
        Fact::Unknown => Err(facts.unknown(|| "lag is not known at the moment".to_owned())),
        Fact::NotApplicable => Err(facts.not_applicable(|| "this job has no lag".to_owned())),
    }
}

impl Kind for Lag {
    fn aspect(&self) -> &'static str {
        Aspect::LAG
    }

    fn demand(&self) -> Demand {
        match self.unit {
            LagUnit::Records => Demand { lag: true, ..Demand::default() },
            LagUnit::EventTime => Demand::of_metric(Lag::query(), self.look_back()),
        }
    }

    fn judge(&self, facts: &Facts<'_>) -> Verdict {
        let behind = match self.behind(facts) {
            Ok(behind) => behind,
            Err(verdict) => return verdict,
        };
        let now = behind.now;
        if now <= self.limit() {
            return facts.verdict(false, || self.why(now, None, None));
        }
        let mut holds = true;
        let mut grown = None;
        if let Some(span) = self.growing_for {
            match self.before(facts, &behind, span.0) {
                Ok(before) => {
                    holds &= now > before;
                    grown = Some((before, span));
                }
                Err(verdict) => return verdict,
            }
        }
        let mut catch_up = None;
        if let Some(limit) = self.catch_up_above.filter(|_| holds) {
            match self.before(facts, &behind, self.pace_over()) {
                Ok(before) => {
                    let needs = time_to_catch_up(now, before, self.pace_over());
                    holds &= needs.is_longer_than(limit.0);
                    catch_up = Some(needs);
                }
                Err(verdict) => return verdict,
            }
        }
        facts.verdict(holds, || self.why(now, grown, catch_up))
    }

    fn problem(&self) -> Option<String> {
        match (self.unit, self.above) {
            (LagUnit::Records, Amount::Number(n)) if n.is_finite() && n >= 0.0 => {}
            (LagUnit::Records, Amount::Number(n)) => {
                return Some(format!("lag.above must be a number from 0 up, is {n}"));
            }
            (LagUnit::Records, Amount::Time(_)) => {
                return Some("lag.above is a number of records (a length of time: unit: event_time)".to_owned());
            }
            (LagUnit::EventTime, Amount::Number(_)) => {
                return Some("lag.above is a length of time with unit: event_time, such as 10m".to_owned());
            }
            (LagUnit::EventTime, Amount::Time(_)) => {}
        }
        if self.growing_for.is_some_and(|s| !(SHORTEST..=LONGEST).contains(&s.0)) {
            return Some("lag.growing_for must be 30s … 1h".to_owned());
        }
        if self.catch_up_above.is_none() && self.catch_up_over.is_some() {
            return Some("lag.catch_up_over needs `catch_up_above`".to_owned());
        }
        let pace = self.pace_over();
        (!(Duration::from_mins(1)..=LONGEST).contains(&pace))
            .then(|| "lag.catch_up_over must be 1m … 1h".to_owned())
    }

    fn evidence(&self) -> Vec<&'static str> {
        let mut names = match self.unit {
            LagUnit::Records => vec!["lag_records", "above_records"],
            LagUnit::EventTime => vec!["lag_seconds", "above_seconds"],
        };
        if self.growing_for.is_some() {
            names.extend(["lag_before", "growing_seconds"]);
        }
        if self.catch_up_above.is_some() {
            names.extend(["catch_up_above_seconds", "catch_up_seconds"]);
        }
        names
    }

    fn span(&self) -> Option<Duration> {
        let pace = self.catch_up_above.map(|_| self.pace_over());
        self.growing_for.map(|span| span.0).into_iter().chain(pace).min()
    }
}

/// How long it takes to catch up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CatchUp {
    In(Duration),
    /// It does not shrink.
    Never,
}

impl CatchUp {
    fn is_longer_than(self, limit: Duration) -> bool {
        match self {
            CatchUp::In(needs) => needs > limit,
            CatchUp::Never => true,
        }
    }
}

/// At the pace of the time looked back on.
fn time_to_catch_up(now: f64, before: f64, over: Duration) -> CatchUp {
    let shrunk = before - now;
    if shrunk <= 0.0 {
        return CatchUp::Never;
    }
    let secs = now / shrunk * over.as_secs_f64();
    Duration::try_from_secs_f64(secs).map_or(CatchUp::Never, CatchUp::In)
}

#[cfg(test)]
#[path = "lag_tests.rs"]
mod tests;
