//! `metric`: any number Flink reports, against a limit.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::named::{Key, numbers, present, stretch, tidy, words};
use super::{Facts, Kind, Scope, Span};
use crate::model::{
    Across, Aspect, Demand, MetricQuery, MetricScope, Ts, Verdict, Vertices, Why,
};
use crate::tracker::{Numbers, Stretch};

/// Longest id: Flink cuts names of operators at 80 characters.
const MAX_ID: usize = 300;
/// Furthest look back.
const MAX_WINDOW: Duration = Duration::from_hours(8 * 24);
/// Shortest: what nobody reads faster cannot be looked at over less.
const MIN_WINDOW: Duration = Duration::from_secs(30);

/// What counts of a number over a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OverWindow {
    /// Its newest value.
    #[default]
    Last,
    /// Its smallest value.
    Min,
    /// Its largest value.
    Max,
    /// Its mean.
    Avg,
    /// Its samples added up.
    Sum,
    /// What a counter counted per second; one that went back began anew (a restart).
    Rate,
    /// Its newest value less its oldest one.
    Delta,
}

impl OverWindow {
    /// As written in rules.
    pub const fn as_str(self) -> &'static str {
        match self {
            OverWindow::Last => "last",
            OverWindow::Min => "min",
            OverWindow::Max => "max",
            OverWindow::Avg => "avg",
            OverWindow::Sum => "sum",
            OverWindow::Rate => "rate",
            OverWindow::Delta => "delta",
        }
    }

    fn of(self, s: &Stretch) -> Option<f64> {
        match self {
            OverWindow::Last => Some(s.last),
            OverWindow::Min => Some(s.min),
            OverWindow::Max => Some(s.max),
            OverWindow::Avg => Some(s.mean()),
            OverWindow::Sum => Some(s.sum),
            OverWindow::Rate => s.rate(),
            OverWindow::Delta => Some(s.delta()),
        }
    }
}

/// True while a number Flink reports is `above` or `below` a limit: its present value, or what it
/// was over a `window`. With `of` it is divided by another one first, which gives a share (heap
/// used of heap max). Unknown until the window has been watched, while metrics stand still, and
/// where Flink says that there is no value yet; n/a where Flink has no such metric, and where what
/// it is divided by is no positive number (no limit).
///
/// Ids as in Flink's documentation, without subtask index and operator name: `busyTimeMsPerSecond`,
/// `pendingRecords`, `Status.JVM.Memory.Heap.Used`. `*` stands for anything, `a|b` is the first
/// that exists (names change between releases of Flink).
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// Flink's id.
    pub id: String,
    /// Whose: `job`, `vertex`, `operator`, `taskmanager` or `jobmanager`. The last two are judged
    /// once per Flink cluster.
    pub scope: MetricScope,
    /// Which of several subtasks, vertices, operators or `TaskManagers` (default `max`).
    #[serde(default)]
    pub across: Across,
    /// Of which vertices, for the scopes `vertex` and `operator` (default `all`).
    #[serde(default)]
    pub vertices: Vertices,
    /// Divide by this one, which is put together in the same way (none by default). Both are taken
    /// `across` by themselves: of `TaskManagers` of different sizes the share is that of the largest ones.
    #[serde(default)]
    pub of: Option<String>,
    /// Look at this time rather than at the present value, 30s … 8d (none by default).
    #[serde(default)]
    pub window: Option<Span>,
    /// What counts over the window (default `last`). Counters beyond ten million are known to five digits; ask for
    /// Flink's `…PerSecond` rather than for the `rate` of one.
    #[serde(default)]
    pub over_window: OverWindow,
    /// True above this (none by default).
    #[serde(default)]
    pub above: Option<f64>,
    /// True below this (none by default).
    #[serde(default)]
    pub below: Option<f64>,
    #[serde(skip)]
    keys: [Key; 2],
}

impl Metric {
    fn query(&self, id: &str) -> MetricQuery {
        let Metric { scope, across, vertices, .. } = *self;
        MetricQuery { scope, id: id.to_owned(), across, vertices }
    }

    /// One of its two numbers as it counts; `Ok(None)`: a single sample has no rate.
    fn value(
        &self,
        facts: &Facts<'_>,
        (numbers, now): (&Numbers, Ts),
        key: &Key,
        id: &str,
    ) -> Result<Option<f64>, Verdict> {
        let key = key.of(|| self.query(id));
        let present = present(facts, numbers, key, now, id)?;
        let Some(window) = self.window else { return Ok(Some(present)) };
        let stretch = stretch(facts, numbers, key, (now - window.0, now), now)?;
        Ok(self.over_window.of(&stretch))
    }

    fn number(&self, facts: &Facts<'_>) -> Result<f64, Verdict> {
        let about = numbers(facts)?;
        let [key, of_key] = &self.keys;
        let few = || facts.unknown(|| format!("too few values of {} yet", self.id));
        let value = self.value(facts, about, key, &self.id)?.ok_or_else(few)?;
        let Some(of) = &self.of else { return Ok(value) };
        let whole = self.value(facts, about, of_key, of)?.ok_or_else(few)?;
        if whole > 0.0 {
            Ok(value / whole)
        } else {
            Err(facts.not_applicable(|| format!("{of} is {whole}: there is no limit")))
        }
    }

    fn why(&self, value: f64) -> Why {
        let mut why = Why::default();
        let mut add = |key: &str, value: serde_json::Value| {
            why.evidence.insert(key.to_owned(), value);
        };
        let value = tidy(value);
        add("value", serde_json::json!(value));
        add("id", serde_json::json!(self.id));
        if let Some(of) = &self.of {
            add("of", serde_json::json!(of));
        }
        let mut what = match &self.of {
            Some(of) => format!("{} of {of}", self.id),
            None => self.id.clone(),
        };
        if let Some(window) = self.window {
            add("window_seconds", serde_json::json!(window.0.as_secs()));
            what = format!("{} of {what} over {}", self.over_window.as_str(), words(window.0));
        }
        match (self.above, self.below) {
            (Some(limit), _) => {
                add("above", serde_json::json!(limit));
                why.words(format!("{what} is {value}; true above {limit}")).near(value, limit)
            }
            (None, Some(limit)) => {
                add("below", serde_json::json!(limit));
                why.words(format!("{what} is {value}; true below {limit}")).near(limit, value)
            }
            (None, None) => why,
        }
    }
}

impl Kind for Metric {
    fn scope(&self) -> Scope {
        if self.scope.is_of_cluster() { Scope::Clusters } else { Scope::Jobs }
    }

    fn aspect(&self) -> &'static str {
        Aspect::RESOURCES
    }

    fn demand(&self) -> Demand {
        let span = self.window.map_or(Duration::ZERO, |w| w.0);
        let one = Demand::of_metric(self.query(&self.id), span);
        match &self.of {
            Some(of) => one.union(&Demand::of_metric(self.query(of), span)),
            None => one,
        }
    }

    fn evidence(&self) -> Vec<&'static str> {
        let mut names = vec!["value", "id"];
        names.extend(self.of.as_ref().map(|_| "of"));
        names.extend(self.window.map(|_| "window_seconds"));
        names.extend(self.above.map(|_| "above"));
        names.extend(self.below.map(|_| "below"));
        names
    }

    fn judge(&self, facts: &Facts<'_>) -> Verdict {
        let value = match self.number(facts) {
            Ok(value) => value,
            Err(verdict) => return verdict,
        };
        let holds =
            self.above.is_some_and(|limit| value > limit) || self.below.is_some_and(|l| value < l);
        facts.verdict(holds, || self.why(value))
    }

    fn span(&self) -> Option<Duration> {
        self.window.map(|window| window.0)
    }

    fn problem(&self) -> Option<String> {
        let limits = [("above", self.above), ("below", self.below)];
        for (name, limit) in limits {
            if limit.is_some_and(|l| !l.is_finite()) {
                return Some(format!("metric.{name} must be a number"));
            }
        }
        if self.above.is_some() == self.below.is_some() {
            return Some("metric needs one of `above` and `below`".to_owned());
        }
        for id in std::iter::once(&self.id).chain(&self.of) {
            if let Some(problem) = self.id_problem(id) {
                return Some(problem);
            }
        }
        let of_tasks = matches!(self.scope, MetricScope::Vertex | MetricScope::Operator);
        if self.vertices != Vertices::All && !of_tasks {
            return Some("metric.vertices is for the scopes vertex and operator".to_owned());
        }
        match self.window {
            None if self.over_window != OverWindow::Last => Some(format!(
                "metric.over_window: {} needs a `window`",
                self.over_window.as_str()
            )),
            Some(window) if !(MIN_WINDOW..=MAX_WINDOW).contains(&window.0) => {
                Some("metric.window must be 30s … 8d".to_owned())
            }
            _ => None,
        }
    }
}

impl Metric {
    fn id_problem(&self, id: &str) -> Option<String> {
        let bare = id.trim_matches(['*', '|', ' ']);
        if bare.is_empty() || id.len() > MAX_ID {
            return Some(format!("metric.id must name a metric in at most {MAX_ID} characters"));
        }
        if id.contains(',') {
            return Some(format!("metric.id `{id}` holds a comma (one metric each; `a|b`: the first that exists)"));
        }
        let fixed = self.scope == MetricScope::Job;
        (fixed && id.contains('*')).then(|| {
            format!("metric.id `{id}`: a job's own metrics have fixed names (write it out)")
        })
    }
}

#[cfg(test)]
#[path = "metric_tests.rs"]
mod tests;
