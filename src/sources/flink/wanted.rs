//! What the demand asks for, by Flink's ids: compiled once, used at every poll. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Across, Demand, MetricKey, MetricQuery, MetricScope, Metrics, Seen, Vertices};

use super::wire;

/// A window this long needs no look at every poll to be known well.
const LONG_WINDOW: Duration = Duration::from_mins(5);
/// Alternatives of one query.
const MAX_ALTERNATIVES: usize = 8;
/// Where integers stop being exact; beyond it five digits are kept.
const EXACT: f64 = 1e7;

/// The ids read of every live job whatever else is asked; a version leaves out those it does not
/// know.
const JOB_IDS: [&str; 7] = [
    "numRestarts",
    "numRescales",
    "numberOfCompletedCheckpoints",
    "numberOfFailedCheckpoints",
    "lastCompletedCheckpointId",
    "lastCheckpointExternalPath",
    "lastCheckpointCompletedTimestamp",
];
/// The pulse of the metric store.
pub(super) const CPU_TIME: &str = "Status.JVM.CPU.Time";

/// The demand, ready for asking.
#[derive(Debug, Clone, Default)]
pub(in crate::sources) struct Wanted {
    /// As the rules put it.
    pub(super) demand: Demand,
    /// How many demands there were before.
    pub(super) generation: u64,
    /// Of jobs.
    pub(super) job: Vec<Wish>,
    /// Of vertices and operators.
    pub(super) vertex: Vec<Wish>,
    /// Of `TaskManagers`.
    pub(super) taskmanager: Vec<Wish>,
    /// Of `JobManagers`.
    pub(super) jobmanager: Vec<Wish>,
    /// `metrics?get=…` of a job.
    pub(super) job_path: String,
    /// Lag is asked for by its own name: where in `vertex` it is.
    pub(super) lag: Option<usize>,
}

/// One number that is asked for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wish {
    /// The name snapshots carry it under.
    pub(super) key: MetricKey,
    scope: MetricScope,
    pub(super) across: Across,
    vertices: Vertices,
    /// Ids or patterns, the first that exists counts.
    alternatives: Vec<String>,
    /// Wanted at every poll.
    pub(super) often: bool,
    /// Some rule asks for it by name, rather than for lag.
    named: bool,
}

/// The lag of a job's sources as a query.
fn lag_query() -> MetricQuery {
    MetricQuery {
        scope: MetricScope::Operator,
        id: "pendingRecords".to_owned(),
        across: Across::Sum,
        vertices: Vertices::Sources,
    }
}

impl Wanted {
    pub(super) fn of(demand: &Demand) -> Wanted {
        let mut wanted = Wanted { demand: demand.clone(), ..Wanted::default() };
        for (query, span) in &demand.metrics {
            wanted.list(query.scope).push(Wish::of(query, *span));
        }
        if demand.lag {
            let lag = lag_query();
            let key = lag.key();
            let index = wanted.vertex.iter().position(|w| w.key == key).unwrap_or_else(|| {
                wanted.vertex.push(Wish { named: false, ..Wish::of(&lag, Duration::ZERO) });
                wanted.vertex.len() - 1
            });
            if let Some(wish) = wanted.vertex.get_mut(index) {
                wish.often = true;
            }
            wanted.lag = Some(index);
        }
        let of_jobs = wanted.job.iter().flat_map(Wish::plain_ids);
        let ids = JOB_IDS.into_iter().chain(of_jobs);
        wanted.job_path = format!("metrics?get={}", joined(ids));
        wanted
    }

    /// What `demand` wants, compiled anew only if it is another one than before.
    pub(in crate::sources) fn renewed(known: &Arc<Wanted>, demand: &Demand) -> Arc<Wanted> {
        if known.demand == *demand {
            return Arc::clone(known);
        }
        Arc::new(Wanted { generation: known.generation + 1, ..Wanted::of(demand) })
    }

    fn list(&mut self, scope: MetricScope) -> &mut Vec<Wish> {
        match scope {
            MetricScope::Job => &mut self.job,
            MetricScope::Vertex | MetricScope::Operator => &mut self.vertex,
            MetricScope::Taskmanager => &mut self.taskmanager,
            MetricScope::Jobmanager => &mut self.jobmanager,
        }
    }

    /// The job call is made: for the counters, or for numbers by name.
    pub(super) fn asks_jobs(&self) -> bool {
        self.demand.counters || !self.job.is_empty()
    }

    /// Something is asked that comes from the metric store, about live jobs.
    pub(super) fn asks_metrics_of_jobs(&self) -> bool {
        self.asks_jobs() || self.demand.checkpoints || !self.vertex.is_empty()
    }

    /// Something is asked that comes from the metric store, about the cluster.
    pub(super) fn asks_metrics_of_cluster(&self) -> bool {
        !self.taskmanager.is_empty() || !self.jobmanager.is_empty()
    }

    /// `jobmanager/metrics?get=…`; `known`: its ids, where a pattern made it worth listing them.
    pub(super) fn pulse_path(&self, known: &[String]) -> String {
        let listed = known.iter().map(String::as_str).filter(|id| {
            self.jobmanager.iter().any(|wish| wish.best(&std::iter::once(*id)).is_some())
        });
        let plain = self.jobmanager.iter().flat_map(Wish::plain_ids);
        let ids = std::iter::once(CPU_TIME).chain(plain).chain(listed);
        format!("jobmanager/metrics?get={}", joined(ids))
    }
}

/// Distinct ids in the order given, percent-encoded.
fn joined<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    let mut seen: Vec<&str> = Vec::new();
    for id in ids {
        if !seen.contains(&id) {
            seen.push(id);
        }
    }
    seen.iter().map(|id| super::fetch::encode(id)).collect::<Vec<_>>().join(",")
}

impl Wish {
    fn of(query: &MetricQuery, span: Duration) -> Wish {
        let alternatives = query.id.split('|').map(str::trim).filter(|id| !id.is_empty());
        Wish {
            key: query.key(),
            scope: query.scope,
            across: query.across,
            vertices: query.vertices,
            alternatives: alternatives.take(MAX_ALTERNATIVES).map(str::to_owned).collect(),
            // Flink itself refreshes every 10 s at most. The present value of a load is judged with
            // a `for` of minutes, a long window by its mean: a look every half minute does for
            // these, at a third of the cost.
            often: !span.is_zero() && span < LONG_WINDOW,
            named: true,
        }
    }

    fn plain_ids(&self) -> impl Iterator<Item = &str> {
        self.alternatives.iter().map(String::as_str).filter(|id| !id.contains('*'))
    }

    /// Letters of its longest alternative.
    pub(super) fn longest(&self) -> usize {
        self.alternatives.iter().map(String::len).max().unwrap_or(0)
    }

    /// It takes a list of ids to know what is meant.
    pub(super) fn has_pattern(&self) -> bool {
        self.alternatives.iter().any(|id| id.contains('*'))
    }

    /// It is about such a vertex.
    pub(super) fn is_about(&self, is_source: bool, is_sink: bool) -> bool {
        match self.vertices {
            Vertices::All => true,
            Vertices::Sources => is_source,
            Vertices::Sinks => is_sink,
        }
    }

    /// Of the sources alone.
    pub(super) fn is_of_sources(&self) -> bool {
        self.vertices == Vertices::Sources
    }

    fn matches(&self, alternative: &str, id: &str) -> bool {
        if self.scope != MetricScope::Operator {
            return glob(alternative, id);
        }
        // Operators' ids begin with the operator's name, which holds no dot; the rest may.
        let mut rest = id;
        let mut named = false;
        while let Some((_, after)) = rest.split_once('.') {
            named |= glob(alternative, after);
            rest = after;
        }
        named || (alternative.contains('.') && glob(alternative, id))
    }

    /// The alternative that counts among these ids: the first one there is.
    pub(super) fn best<'a>(&self, ids: &(impl Iterator<Item = &'a str> + Clone)) -> Option<&str> {
        let exists = |a: &&String| ids.clone().any(|id| self.matches(a, id));
        self.alternatives.iter().find(exists).map(String::as_str)
    }

    /// The ids that are meant, of those there are.
    pub(super) fn chosen<'a>(
        &self,
        ids: impl Iterator<Item = &'a str> + Clone,
    ) -> impl Iterator<Item = &'a str> {
        let best = self.best(&ids);
        ids.filter(move |id| best.is_some_and(|best| self.matches(best, id)))
    }

    /// Puts what is known of it into a snapshot.
    pub(super) fn put(&self, metrics: &mut Metrics, seen: Seen<f64>) {
        if self.named {
            metrics.insert(self.key.clone(), seen);
        }
    }
}

/// Whether `text` is what `pattern` describes; `*` stands for anything.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut last = None;
    for part in parts {
        if let Some(middle) = last.replace(part) {
            let Some((_, after)) = rest.split_once(middle) else { return false };
            rest = after;
        }
    }
    last.map_or(rest.is_empty(), |last| rest.ends_with(last))
}

/// The aggregates to ask for.
pub(super) fn aggregates<'a>(wishes: &(impl Iterator<Item = &'a Wish> + Clone)) -> String {
    let all = [Across::Max, Across::Min, Across::Avg, Across::Sum];
    let wanted = |across: &&Across| wishes.clone().any(|w| w.across == **across);
    all.iter().filter(wanted).map(|a| a.as_str()).collect::<Vec<_>>().join(",")
}

/// One number out of those of several ids, each of so many subtasks.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fold {
    value: Option<f64>,
    weight: f64,
}

impl Fold {
    pub(super) fn add(&mut self, across: Across, of: &wire::Aggregate, weight: u32) {
        let number = match across {
            Across::Max => of.max,
            Across::Min => of.min,
            Across::Avg => of.avg,
            Across::Sum => of.sum,
        };
        let Some(number) = number.filter(|n| n.is_finite()) else { return };
        let weight = f64::from(weight.max(1));
        let so_far = self.value.unwrap_or(match across {
            Across::Avg | Across::Sum => 0.0,
            Across::Max | Across::Min => number,
        });
        self.value = Some(match across {
            Across::Max => so_far.max(number),
            Across::Min => so_far.min(number),
            Across::Sum => so_far + number,
            Across::Avg => number.mul_add(weight, so_far),
        });
        self.weight += weight;
    }

    pub(super) fn seen(self, across: Across, id: &str) -> Seen<f64> {
        let value = match across {
            Across::Avg => self.value.map(|sum| sum / self.weight.max(1.0)),
            _ => self.value,
        };
        value.map_or(Seen::Unknown, |value| read(id, value))
    }
}

/// A number as it enters snapshots; what Flink says where there is none yet is none.
pub(super) fn read(id: &str, value: f64) -> Seen<f64> {
    // -1: no checkpoint, no record with a timestamp yet. The other: no watermark yet.
    let no_checkpoint = id.starts_with("lastC");
    let none =
        value.to_bits() == (-1.0_f64).to_bits() && (no_checkpoint || id.ends_with("EventTimeLag"));
    let no_watermark = value <= i64::MIN as f64;
    if none || no_watermark || !value.is_finite() {
        return Seen::Unknown;
    }
    Seen::Fresh(quantised(value))
}

/// As many digits as anybody decides by. What the step sees is written to the history: noise in the
/// last digits would make every look differ from the one before.
pub(super) fn quantised(value: f64) -> f64 {
    if value.abs() < EXACT && value.fract() == 0.0 {
        return value;
    }
    let digits = if value.abs() < EXACT { 4 } else { 5 };
    // By way of text: a power of ten as a factor would leave a tail of nines.
    format!("{value:.*e}", digits - 1).parse().unwrap_or(value)
}

/// What an answer of texts (a job's or a `JobManager`'s) says of the wishes. `None`: no answer that
/// can be trusted.
pub(super) fn from_texts(wishes: &[Wish], answer: Option<&[wire::Metric]>) -> Metrics {
    let mut metrics = Metrics::new();
    let known: BTreeMap<&str, &str> = answer
        .unwrap_or_default()
        .iter()
        .filter_map(|m| Some((m.id.as_deref()?, m.value.as_deref()?)))
        .collect();
    for wish in wishes {
        let seen = if known.is_empty() {
            Seen::Unknown
        } else {
            let mut fold = Fold::default();
            let mut any = None;
            for id in wish.chosen(known.keys().copied()) {
                let number = known.get(id).and_then(|v| v.parse::<f64>().ok());
                let of = wire::Aggregate {
                    min: number,
                    max: number,
                    avg: number,
                    sum: number,
                    id: None,
                };
                fold.add(wish.across, &of, 1);
                any = Some(id);
            }
            any.map_or(Seen::NotApplicable, |id| fold.seen(wish.across, id))
        };
        wish.put(&mut metrics, seen);
    }
    metrics
}

/// Nothing is known of any of them.
pub(super) fn all_unknown(wishes: &[Wish], metrics: &mut Metrics) {
    for wish in wishes {
        wish.put(metrics, Seen::Unknown);
    }
}

#[cfg(test)]
#[path = "wanted_tests.rs"]
mod tests;
