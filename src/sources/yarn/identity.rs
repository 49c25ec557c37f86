//! Whose JobManager answers at an address: pure.
//!
//! A JobManager that died leaves its port to whoever comes next, often to another one where the
//! ports are a short range (`rest.bind-port`), while YARN still shows the old address. Flink on YARN
//! has the application in its settings, so that a stranger is told from it.

use std::collections::BTreeSet;

use crate::model::RunObservation;

/// Folders of its containers: YARN names them after the application, unless somebody set others.
const FOLDERS: &str = "io.tmp.dirs";
/// The application's id, unless somebody set another word.
const CLUSTER_ID: &str = "high-availability.cluster-id";
/// How ids of applications begin.
const PREFIX: &str = "application_";
/// Job ids of a look that are remembered.
const MAX_IDS: usize = 16;

/// The application whose JobManager answered, if it is another one than `application`. Where nothing
/// is said of it, it is taken for the right one.
pub(super) fn stranger(settings: &[(String, String)], application: &str) -> Option<String> {
    for key in [FOLDERS, CLUSTER_ID] {
        let values = settings.iter().filter(|(name, _)| name == key);
        let mut named: Vec<&str> = values.flat_map(|(_, value)| applications(value)).collect();
        if named.contains(&application) {
            return None;
        }
        if let Some(other) = named.pop() {
            return Some(other.to_owned());
        }
    }
    None
}

/// Ids of applications in a text.
fn applications(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices(PREFIX).filter_map(|(at, _)| {
        let rest = text.get(at + PREFIX.len()..)?;
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(rest.len());
        let id = text.get(at..at + PREFIX.len() + end)?;
        let number = id.get(PREFIX.len()..)?.split_once('_')?.1;
        (!number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())).then_some(id)
    })
}

/// What is remembered of a look to know the same JobManager again.
pub(super) fn ids(runs: &[RunObservation]) -> BTreeSet<String> {
    let live = runs.iter().filter(|run| run.state.is_live());
    let others = runs.iter().filter(|run| !run.state.is_live());
    live.chain(others).take(MAX_IDS).map(|run| run.run.job_id.clone()).collect()
}

/// Whether what answers may be another one: it shows none of the jobs it showed before.
pub(super) fn is_doubtful(before: &BTreeSet<String>, runs: &[RunObservation]) -> bool {
    let nothing = before.is_empty() && runs.is_empty();
    !nothing && !runs.iter().any(|run| before.contains(&run.run.job_id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RunId;

    #[test]
    fn the_settings_name_the_application() {
        let folder =
            "/data/1/usercache/u/appcache/application_17_0042,/data/2/appcache/application_17_0042";
        let (own, other) = ("application_17_0042", "application_17_0043");
        for (settings, asked, expected) in [
            (vec![("io.tmp.dirs", folder)], own, None),
            (vec![("io.tmp.dirs", folder)], other, Some(own)),
            // Recovered from the state of an older one, by its id.
            (vec![("high-availability.cluster-id", other), ("io.tmp.dirs", folder)], own, None),
            (vec![("high-availability.cluster-id", own), ("io.tmp.dirs", "/tmp")], own, None),
            (vec![("high-availability.cluster-id", own)], other, Some(own)),
            (vec![("high-availability.cluster-id", "orders")], own, None),
            // One id is the beginning of another.
            (
                vec![("high-availability.cluster-id", "application_17_00421")],
                own,
                Some("application_17_00421"),
            ),
            (vec![("execution.savepoint.path", "hdfs:///application_1_1/savepoint")], own, None),
            (vec![("io.tmp.dirs", "application_,application_1,application_1_")], own, None),
            (vec![], own, None),
        ] {
            let settings: Vec<_> =
                settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            assert_eq!(stranger(&settings, asked).as_deref(), expected, "{settings:?} {asked}");
        }
    }

    #[test]
    fn other_jobs_raise_doubts() {
        let runs = |ids: &[&str]| -> Vec<RunObservation> {
            let run = |id: &&str| RunObservation {
                run: RunId { start_time: 1, job_id: (*id).to_owned() },
                ..RunObservation::default()
            };
            ids.iter().map(run).collect()
        };
        for (before, now, expected) in [
            (vec![], vec![], false),
            (vec![], vec!["a"], true),
            (vec!["a"], vec![], true),
            (vec!["a"], vec!["b"], true),
            (vec!["a"], vec!["b", "a"], false),
        ] {
            assert_eq!(
                is_doubtful(&ids(&runs(&before)), &runs(&now)),
                expected,
                "{before:?} {now:?}"
            );
        }
        let many: Vec<String> = (0..1_000).map(|n| n.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(ids(&runs(&many)).len(), MAX_IDS);
    }
}
