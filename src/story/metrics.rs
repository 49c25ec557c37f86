//! Numbers by name in a story: `vertex/sources/max/busyTimeMsPerSecond`, as rules ask for them.

use std::collections::BTreeMap;

use super::series::Sample;
use super::timeline::{Line, Timeline};
use crate::model::{Across, Demand, MetricKey, MetricQuery, MetricScope, Vertices};
use crate::yaml::At;
use crate::yaml::findings::Findings;

/// The lines of a job (`of_cluster` is false) or a cluster.
pub(super) fn lines(
    written: &BTreeMap<String, At<Timeline>>,
    of_cluster: bool,
    interval: i64,
    demand: &Demand,
    findings: &mut Findings,
) -> Vec<(MetricKey, Line)> {
    let mut lines = Vec::new();
    for (name, at) in written {
        check_numbers(at, findings);
        let Some(query) = read(name).filter(|q| q.scope.is_of_cluster() == of_cluster) else {
            let scopes =
                if of_cluster { "taskmanager or jobmanager" } else { "job, vertex or operator" };
            let hint = format!(
                "write scope/vertices/across/id, such as vertex/sources/max/busyTimeMsPerSecond; \
                 here the scope is {scopes}, vertices (all) and across (max) may be left out"
            );
            findings.error(at.place, format!("`{name}` is no name of a metric here"), hint);
            continue;
        };
        let key = query.key();
        let asked: Vec<String> = demand.metrics.keys().map(|q| q.key().to_string()).collect();
        if !asked.iter().any(|known| *known == *key.0) {
            let hint = match asked.as_slice() {
                [] => "no rule in force asks for any".to_owned(),
                asked => format!("asked for: {}", asked.join(", ")),
            };
            findings.error(at.place, format!("no rule in force asks for {key}"), hint);
        }
        lines.push((key, Line::new(&at.value, interval)));
    }
    lines
}

/// `scope[/vertices][/across]/id`.
fn read(name: &str) -> Option<MetricQuery> {
    use MetricScope::{Job, Jobmanager, Operator, Taskmanager, Vertex};
    let (scope, mut rest) = name.split_once('/')?;
    let scopes = [Job, Vertex, Operator, Taskmanager, Jobmanager];
    let scope = scopes.into_iter().find(|s| s.as_str() == scope)?;
    let (mut vertices, mut across) = (Vertices::default(), Across::default());
    if let Some((word, after)) = rest.split_once('/') {
        let all = [Vertices::All, Vertices::Sources, Vertices::Sinks];
        if let Some(found) = all.into_iter().find(|v| v.as_str() == word) {
            (vertices, rest) = (found, after);
        }
    }
    if let Some((word, after)) = rest.split_once('/') {
        let all = [Across::Max, Across::Min, Across::Avg, Across::Sum];
        if let Some(found) = all.into_iter().find(|a| a.as_str() == word) {
            (across, rest) = (found, after);
        }
    }
    (!rest.is_empty()).then(|| MetricQuery { scope, id: rest.to_owned(), across, vertices })
}

/// Refuses words where only numbers make sense.
pub(super) fn check_numbers(at: &At<Timeline>, findings: &mut Findings) {
    let word = at.value.samples().find_map(|s| match s {
        Sample::Word(word) => Some(word.clone()),
        _ => None,
    });
    if let Some(word) = word {
        let hint = "numbers, `_` and `stale` only".to_owned();
        findings.error(at.place, format!("`{word}` is no number"), hint);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_of_a_name_is_the_usual() {
        for (name, key) in [
            ("job/lastCheckpointSize", "job/all/max/lastCheckpointSize"),
            ("vertex/max/busyTimeMsPerSecond", "vertex/all/max/busyTimeMsPerSecond"),
            ("vertex/sources/min/x/y", "vertex/sources/min/x/y"),
            ("taskmanager/avg/Status.JVM.CPU.Load", "taskmanager/all/avg/Status.JVM.CPU.Load"),
        ] {
            assert_eq!(read(name).map(|q| q.key().to_string()).as_deref(), Some(key));
        }
        for bad in ["busy", "task/busy", "vertex/", "vertex/all/"] {
            assert!(read(bad).is_none(), "{bad}");
        }
    }
}
