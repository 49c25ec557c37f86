//! What became of pods that are gone: `TaskManagers` are deleted within seconds of their end, and a
//! `JobManager` with its `Deployment`. Pure.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::names::Id;
use super::trouble_of_pod::PodTrouble;
use super::views::PodView;

/// Kept for so long.
const KEPT: Duration = Duration::from_hours(1);
/// Per Flink cluster.
const MAX_TROUBLES: usize = 16;
/// Flink clusters of which something is kept.
const MAX_CLUSTERS: usize = 10_000;

/// By Flink cluster.
#[derive(Debug, Default)]
pub(super) struct PodMemory(BTreeMap<Id, Past>);

/// What became of the pods of one Flink cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Past {
    /// Oldest first.
    pub(super) troubles: VecDeque<PodTrouble>,
    /// How a `JobManager`'s process ended last, of those that ended.
    pub(super) exit_code: Option<i64>,
    /// When that was noted, ms.
    pub(super) exited: i64,
    /// When one of them was looked at last, ms.
    pub(super) seen: i64,
}

impl PodMemory {
    /// Takes in a sighting of a pod, the last one included.
    pub(super) fn note(&mut self, namespace: &str, pod: &PodView, now: i64) {
        let exit = pod.exit_code.filter(|_| pod.jobmanager);
        if pod.trouble.is_none() && exit.is_none() {
            return;
        }
        let id = Id::new(namespace, &pod.of);
        if self.0.len() >= MAX_CLUSTERS && !self.0.contains_key(&id) {
            return;
        }
        let past = self.0.entry(id).or_default();
        past.seen = now;
        if exit.is_some() && exit != past.exit_code {
            (past.exit_code, past.exited) = (exit, now);
        }
        if let Some(trouble) = &pod.trouble {
            past.troubles.retain(|known| (&known.pod, known.at) != (&trouble.pod, trouble.at));
            past.troubles.push_back(trouble.clone());
            if past.troubles.len() > MAX_TROUBLES {
                past.troubles.pop_front();
            }
        }
    }

    /// What is known of a Flink cluster.
    pub(super) fn of(&self, id: &Id) -> Option<&Past> {
        self.0.get(id)
    }

    /// A `Deployment` of this name was made, at `created`, ms: how an earlier one ended says nothing
    /// about it.
    pub(super) fn begin_anew(&mut self, id: &Id, created: i64) {
        if let Some(past) = self.0.get_mut(id).filter(|past| past.exited < created) {
            past.exit_code = None;
        }
    }

    /// Lets go of what nobody will ask for.
    pub(super) fn forget(&mut self, now: i64) {
        let kept = i64::try_from(KEPT.as_millis()).unwrap_or(i64::MAX);
        self.0.retain(|_, past| now.saturating_sub(past.seen) < kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(at: i64, exit_code: Option<i64>) -> PodView {
        let trouble = PodTrouble {
            pod: "orders-taskmanager-1-1".to_owned(),
            reason: "OOMKilled".to_owned(),
            message: String::new(),
            at,
            blocks: true,
        };
        PodView {
            of: "orders".to_owned(),
            jobmanager: true,
            exit_code,
            trouble: Some(trouble),
            ..PodView::default()
        }
    }

    #[test]
    fn what_is_gone_is_known_for_an_hour() {
        let mut memory = PodMemory::default();
        let id = Id::new("flink", "orders");
        memory.note("flink", &pod(1, None), 10);
        memory.note("flink", &pod(1, Some(163)), 20);
        memory.note("flink", &pod(2, None), 30);
        let past = memory.of(&id).unwrap();
        assert_eq!((past.troubles.len(), past.exit_code), (2, Some(163)));
        assert_eq!(memory.of(&Id::new("dev", "orders")), None, "namespaces are apart");
        for at in 0..99 {
            memory.note("flink", &pod(at, None), 30);
        }
        assert_eq!(memory.of(&id).unwrap().troubles.len(), MAX_TROUBLES);
        memory.begin_anew(&id, 20);
        assert_eq!(memory.of(&id).unwrap().exit_code, Some(163), "that is how this one ended");
        memory.begin_anew(&id, 21);
        assert_eq!(memory.of(&id).unwrap().exit_code, None);
        memory.forget(30 + 3_600_000);
        assert_eq!(memory.of(&id), None);
    }
}
