//! The simulated sources: the look each would have taken at a time, with what the rules demand.

use super::job::SimRun;
use super::series::Sample;
use super::timeline::Line;
use super::times::Spans;
use crate::model::{
    ClusterObservation, Completeness, Demand, Labels, MetricKey, Seen, Snapshot, SourceClock,
};

/// How long the story's processes have been there before it begins, ms.
pub(super) const BEFORE: i64 = 10 * 3_600_000;

/// Everything there is to look at. Times are ms of the story.
#[derive(Debug, Clone, Default)]
pub(super) struct World {
    /// Wall time of the beginning.
    pub(super) epoch: i64,
    pub(super) sources: Vec<SimSource>,
    pub(super) clusters: Vec<SimCluster>,
    pub(super) runs: Vec<SimRun>,
}

/// A source.
#[derive(Debug, Clone, Default)]
pub(super) struct SimSource {
    pub(super) name: String,
    /// It says more about the jobs of the others.
    pub(super) is_inventory: bool,
    pub(super) labels: Labels,
    pub(super) version: String,
    pub(super) unreachable: Spans,
    pub(super) starting: Spans,
    pub(super) partial: Spans,
    pub(super) frozen: Spans,
}

/// A Flink cluster.
#[derive(Debug, Clone, Default)]
pub(super) struct SimCluster {
    pub(super) source: usize,
    pub(super) name: String,
    pub(super) taskmanagers: Line,
    pub(super) slots_total: Line,
    pub(super) slots_available: Line,
    /// When only its platform shows it.
    pub(super) unreachable: Spans,
    /// When its `JobManager` became another one.
    pub(super) jobmanager_restarts: Vec<i64>,
    pub(super) metrics: Vec<(MetricKey, Line)>,
}

impl SimSource {
    /// The kind of source it stands for.
    pub(super) fn kind(&self) -> &'static str {
        if self.is_inventory { "streampark" } else { "flink" }
    }
}

/// The inventory of a story.
const INVENTORY: &str = "inventory";

impl World {
    /// An inventory beside the sources, where the story has what it says; it is looked at last.
    pub(super) fn add_inventory(&mut self) {
        if self.runs.iter().any(|run| run.inventory.is_some()) {
            self.sources.push(SimSource {
                name: INVENTORY.to_owned(),
                is_inventory: true,
                ..SimSource::default()
            });
        }
    }

    /// The look at a source at `t`.
    pub(super) fn look(&self, index: usize, t: i64, demand: &Demand) -> Option<Snapshot> {
        let source = self.sources.get(index)?;
        let name = &source.name;
        let blank =
            |error: &str, starting| Snapshot::failed(name, "story", error.to_owned(), starting);
        if source.starting.contain(t) {
            return Some(blank("the source answers 503: it is starting or has no leader", true));
        }
        if source.unreachable.contain(t) {
            return Some(blank("connection refused", false));
        }
        if source.is_inventory {
            return Some(Snapshot {
                completeness: Completeness::Complete,
                inventory: self.runs.iter().filter_map(|run| run.inventoried(t)).collect(),
                ..blank("", false)
            });
        }
        let frozen = source.frozen.contain(t);
        let silent =
            |cluster: &SimCluster| cluster.source == index && cluster.unreachable.contain(t);
        let silent: Vec<&str> =
            self.clusters.iter().filter(|c| silent(c)).map(|c| c.name.as_str()).collect();
        let runs = self.runs.iter().filter(|run| run.source == index);
        let runs = runs.filter(|run| !silent.contains(&run.flink_cluster.as_str()));
        Some(Snapshot {
            completeness: if source.partial.contain(t) {
                Completeness::Partial { reason: "part of the answers failed".to_owned() }
            } else {
                Completeness::Complete
            },
            clock: Some(SourceClock { now: self.epoch + t, offset_ms: 0 }),
            version: Some(source.version.clone()),
            metrics_frozen: frozen,
            clusters: self
                .clusters
                .iter()
                .filter(|cluster| cluster.source == index)
                .map(|cluster| cluster.look(t, frozen, demand))
                .collect(),
            runs: runs.filter_map(|r| r.look(t, self.epoch, frozen, name, demand)).collect(),
            ..blank("", false)
        })
    }
}

impl SimCluster {
    fn look(&self, t: i64, frozen: bool, demand: &Demand) -> ClusterObservation {
        let count = |line: &Line| line.number(t).map(|n| n.max(0.0) as u32);
        let asked = demand.metrics.keys().filter(|q| q.scope.is_of_cluster());
        if self.unreachable.contain(t) {
            return ClusterObservation {
                flink_cluster: self.name.clone(),
                unseen: Some("its JobManager does not answer".to_owned()),
                ..ClusterObservation::default()
            };
        }
        ClusterObservation {
            flink_cluster: self.name.clone(),
            taskmanagers: count(&self.taskmanagers),
            slots_total: count(&self.slots_total),
            slots_available: count(&self.slots_available),
            jobmanager_cpu: (demand.counters && !frozen).then(|| self.jobmanager_cpu(t)),
            metrics: asked.map(|q| (q.key(), number(&self.metrics, &q.key(), t, frozen))).collect(),
            unseen: None,
            planned: false,
        }
    }
}

impl SimCluster {
    /// A hundredth of the time since its `JobManager` began, ns.
    fn jobmanager_cpu(&self, t: i64) -> i64 {
        let began = self.jobmanager_restarts.iter().filter(|at| **at <= t).max();
        (t - began.copied().unwrap_or(-BEFORE)).saturating_mul(10_000)
    }
}

/// A number by name: what the story does not speak of is not reported.
pub(super) fn number(
    lines: &[(MetricKey, Line)],
    key: &MetricKey,
    t: i64,
    frozen: bool,
) -> Seen<f64> {
    let line = lines.iter().find(|(name, _)| name == key).map(|(_, line)| line);
    match line.and_then(|line| line.at(t)) {
        None | Some(Sample::Stale) => Seen::NotApplicable,
        _ if frozen => Seen::Unknown,
        Some(Sample::Number(value)) => Seen::Fresh(*value),
        Some(Sample::Gap | Sample::Word(_)) => Seen::Unknown,
    }
}
