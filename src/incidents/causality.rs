//! Causality: which open incident explains which other one.
//!
//! Built in: a dead Flink cluster explains its jobs; a job's failure explains its checkpoints, lag
//! and resources. A source that cannot be seen explains nothing here: what would be concluded from
//! its silence is unknown already, and a fresh look by another way is news. The rest are
//! `inhibit_rules`, which reach over all clusters and sources. Whoever is explained names the
//! incident at the beginning of the chain.

use std::collections::BTreeMap;

use super::inhibit::{Inhibitions, roots};
use super::shut::Shut;
use super::{Current, Settings, Stepped};
use crate::model::{Aspect, Change, Incident, Subject, Time};
use crate::tracker::Tracker;

/// Aspects that follow from a job's failure.
const SYMPTOMS: [&str; 3] = [Aspect::CHECKPOINTS, Aspect::LAG, Aspect::RESOURCES];

/// Sets who is explained by whom.
#[expect(clippy::too_many_arguments, reason = "the parts of the state it looks at")]
pub(super) fn update(
    time: Time,
    settings: &Settings,
    by_id: &mut BTreeMap<u64, Incident>,
    current: &Current,
    inhibitions: &mut Inhibitions,
    shut: &Shut,
    tracker: &Tracker,
    out: &mut Stepped,
) {
    inhibitions.refresh(&settings.inhibit, by_id);
    let open: Vec<u64> = by_id.values().filter(|i| i.is_open()).map(|i| i.id).collect();
    let is_open = |id: &u64| by_id.get(id).is_some_and(Incident::is_open);
    let explained_by = open.iter().filter_map(|id| {
        let built_in = by_id.get(id).and_then(|i| cause_of(i, by_id, current, shut, tracker));
        Some((*id, built_in.or_else(|| inhibitions.of(*id).filter(is_open))?))
    });
    let roots = roots(&explained_by.collect());
    for id in open {
        let Some(incident) = by_id.get(&id) else { continue };
        let root = roots.get(&id).copied();
        let (was, until) = (incident.inhibited_by, incident.inhibited_until);
        let next = match (root, was) {
            (Some(root), _) => (Some(root), None),
            (None, Some(old)) => match until {
                // The root is over: the symptom may need a moment to go away too.
                None => (Some(old), Some(time.steady + settings.release_after)),
                Some(until) if time.steady < until => (Some(old), Some(until)),
                Some(_) => (None, None),
            },
            (None, None) => (None, None),
        };
        if next != (was, until)
            && let Some(incident) = by_id.get_mut(&id)
        {
            (incident.inhibited_by, incident.inhibited_until) = next;
            out.changes.push(Change::Incident(Box::new(incident.clone())));
            let what = match (was, next.0) {
                (was, Some(root)) if was != Some(root) => format!("inhibited by #{root}"),
                (Some(was), None) => format!("no longer inhibited by #{was}"),
                _ => continue,
            };
            out.changes.push(Change::Event { incident: id, at: time.wall, what });
        }
    }
}

fn cause_of(
    incident: &Incident,
    by_id: &BTreeMap<u64, Incident>,
    current: &Current,
    shut: &Shut,
    tracker: &Tracker,
) -> Option<u64> {
    let key = incident.subject.job()?;
    let failure = Aspect::from(Aspect::FAILURE);
    let failure_of = |subject: &Subject| {
        let newest = current.get(subject).and_then(|aspects| aspects.get(&failure)).copied();
        let open = newest.filter(|id| by_id.get(id).is_some_and(Incident::is_open));
        // Closed by a person and still true, it explains as much as before.
        open.or_else(|| shut.incident(subject, &failure))
    };
    let job = tracker.job(key)?;
    let cluster = Subject::Cluster(job.source.clone(), job.flink_cluster.clone());
    if let Some(root) = failure_of(&cluster) {
        return Some(root);
    }
    if SYMPTOMS.contains(&incident.aspect.as_str()) {
        return failure_of(&incident.subject);
    }
    None
}
