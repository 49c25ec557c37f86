//! Numbers of a cluster as a whole: its `JobManager`'s come with the pulse, its `TaskManagers`' with
//! one call now and then.

use std::time::Duration;

use crate::model::{Metrics, Seen, Ts};

use super::fetch::{Api, Pulse};
use super::named::{self, Node};
use super::wanted::{self, Wanted, Wish};

/// As for vertices: nobody decides by the heap of ten seconds ago.
const SLOW: Duration = Duration::from_secs(28);
/// What is nowhere is looked for again this often.
const ROUTINE: Duration = Duration::from_mins(5);

/// Which ids there are, and when they were last read.
#[derive(Debug, Clone, Default)]
pub(super) struct ClusterMemory {
    /// The `JobManager`'s ids, listed where a pattern asks for it.
    pub(super) jobmanager_ids: Option<Vec<String>>,
    taskmanagers: Node,
    listed_at: Option<Ts>,
    missing: bool,
    read_at: Option<Ts>,
    generation: u64,
}

impl ClusterMemory {
    /// Another `JobManager` answers.
    pub(super) fn reset(&mut self) {
        *self = ClusterMemory::default();
    }

    /// Finds out the `JobManager`'s ids where a pattern needs them.
    pub(super) async fn prepare(&mut self, api: Api<'_>, wanted: &Wanted) {
        if self.generation != wanted.generation {
            *self = ClusterMemory { generation: wanted.generation, ..ClusterMemory::default() };
        }
        if self.jobmanager_ids.is_some() || !wanted.jobmanager.iter().any(Wish::has_pattern) {
            return;
        }
        if let Ok(listed) = api.aggregates("jobmanager/metrics").await {
            let ids = listed.into_iter().filter_map(|m| m.id).collect::<Vec<_>>();
            self.jobmanager_ids = (!ids.is_empty()).then_some(ids);
        }
    }

    /// What is known of the cluster now. `trusted`: the metric store moves.
    pub(super) async fn look(
        &mut self,
        api: Api<'_>,
        wanted: &Wanted,
        pulse: &Pulse,
        trusted: bool,
        now: Ts,
    ) -> Metrics {
        let answer = Some(pulse.metrics.as_slice()).filter(|_| trusted);
        let mut metrics = wanted::from_texts(&wanted.jobmanager, answer);
        if wanted.taskmanager.is_empty() {
            return metrics;
        }
        if !trusted {
            wanted::all_unknown(&wanted.taskmanager, &mut metrics);
            return metrics;
        }
        let since = |at: Option<Ts>| at.map_or(Duration::MAX, |at| now.since(at));
        let often = self.taskmanagers.often > 0;
        let slow = since(self.read_at) >= SLOW;
        let list = self.listed_at.is_none() || (self.missing && since(self.listed_at) >= ROUTINE);
        if list {
            self.list(api, wanted, now).await;
        }
        if self.listed_at.is_none() || !(often || slow || list) {
            if slow || list {
                wanted::all_unknown(&wanted.taskmanager, &mut metrics);
            }
            return metrics;
        }
        let answer = self.read(api, wanted, slow || list).await;
        if answer.is_none() {
            // An id is gone, or the call failed: what there is, is found out anew.
            self.listed_at = None;
        } else if slow || list {
            self.read_at = Some(now);
        }
        let (nodes, answers) = ([self.taskmanagers.clone()], [answer]);
        for wish in wanted.taskmanager.iter().filter(|wish| wish.often || slow || list) {
            wish.put(&mut metrics, named::one(wish, &nodes, &answers));
        }
        metrics
    }

    async fn list(&mut self, api: Api<'_>, wanted: &Wanted, now: Ts) {
        // No ids: no TaskManager, or none the JobManager has heard of yet.
        let listed = api.aggregates("taskmanagers/metrics").await.unwrap_or_default();
        self.listed_at = (!listed.is_empty()).then_some(now);
        let mut node = Node { is_source: true, is_sink: true, parallelism: 1, ..Node::default() };
        node.choose(&wanted.taskmanager, &listed);
        let has = |wish: &Wish| wish.chosen(node.ids()).next().is_some();
        self.missing = !wanted.taskmanager.iter().all(has);
        self.taskmanagers = node;
    }

    /// `None`: an empty answer, or none.
    async fn read(
        &self,
        api: Api<'_>,
        wanted: &Wanted,
        slow: bool,
    ) -> Option<Vec<super::wire::Aggregate>> {
        let mut all = Vec::new();
        for path in self.taskmanagers.paths("taskmanagers/metrics", &wanted.taskmanager, slow) {
            let numbers = api.aggregates(&path).await.ok().filter(|n| !n.is_empty())?;
            all.extend(numbers);
        }
        Some(all)
    }
}

/// What was asked for and could not be looked at.
pub(super) fn unknown(wanted: &Wanted) -> Metrics {
    let mut metrics = Metrics::new();
    wanted::all_unknown(&wanted.jobmanager, &mut metrics);
    wanted::all_unknown(&wanted.taskmanager, &mut metrics);
    debug_assert!(metrics.values().all(|seen| *seen == Seen::Unknown));
    metrics
}
