//! All Flink clusters of a Kubernetes cluster as one snapshot. Pure.

use super::assemble::Told;
use super::names::Id;
use crate::model::{ClusterObservation, Completeness, RunObservation, Snapshot, SourceClock};

/// Reasons that are written out.
const MAX_REASONS: usize = 3;

/// Why a cluster said nothing of use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) id: Id,
    pub(super) why: String,
}

/// What is wrong with the API server's side of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Limits {
    /// What keeps Weir from saying that something is not there.
    pub(super) troubles: Vec<String>,
    /// The API server does not tell which Flink clusters there are: what they say themselves is all
    /// there is.
    pub(super) unlisted: bool,
    /// Weir is outside of the Kubernetes cluster, and nobody has told it a way in.
    pub(super) outside: bool,
}

/// What was told so far.
#[derive(Debug, Default)]
pub(super) struct Sum {
    pub(super) runs: Vec<RunObservation>,
    clusters: Vec<ClusterObservation>,
    clocks: Vec<SourceClock>,
    versions: Vec<String>,
    frozen: usize,
    answered: usize,
    silent: Vec<Trouble>,
    partial: Vec<String>,
    requests: u32,
    bytes: u64,
}

impl Sum {
    /// Adds a cluster. `look`: what its Flink said, less its runs.
    pub(super) fn add(&mut self, told: Told, look: Option<Snapshot>, silent: Option<Trouble>) {
        self.runs.extend(told.runs);
        if !told.cluster.flink_cluster.is_empty() {
            self.clusters.push(told.cluster);
        }
        self.silent.extend(silent);
        let Some(look) = look else { return };
        self.answered += 1;
        self.frozen += usize::from(look.metrics_frozen);
        self.clocks.extend(look.clock);
        self.versions.extend(look.version);
        self.requests = self.requests.saturating_add(look.requests);
        self.bytes = self.bytes.saturating_add(look.bytes);
        if let Completeness::Partial { reason } | Completeness::Unlisted { error: reason, .. } =
            look.completeness
        {
            self.partial.push(reason);
        }
    }

    /// The snapshot.
    pub(super) fn finish(mut self, source: &str, poller: &str, limits: Limits) -> Snapshot {
        let Limits { troubles, unlisted, outside } = limits;
        if unlisted && self.answered == 0 {
            let error = reasons(&troubles).unwrap_or_default();
            return Snapshot::failed(source, poller, error, false);
        }
        if self.answered == 0
            && self.runs.is_empty()
            && let Some(first) = self.silent.first()
        {
            let all = match self.silent.len() {
                1 => "the only Flink cluster does not answer".to_owned(),
                n => format!("none of {n} Flink clusters answers"),
            };
            let hint = if outside {
                " (Weir is outside of the Kubernetes cluster: set `rest_url` to an ingress, or run \
                 it inside)"
            } else {
                ""
            };
            let others = reasons(&troubles).map_or_else(String::new, |line| format!("; {line}"));
            let error = format!(
                "{all}; {}/{}: {}{hint}{others}",
                first.id.namespace, first.id.name, first.why
            );
            return Snapshot::failed(source, poller, error, false);
        }
        let mut lines = troubles;
        lines.append(&mut self.partial);
        self.clocks.sort_unstable_by_key(|clock| (clock.offset_ms, clock.now));
        self.versions.sort_unstable();
        self.versions.dedup();
        let version = match self.versions.as_slice() {
            [one] => Some(one.clone()),
            _ => None,
        };
        Snapshot {
            completeness: match reasons(&lines) {
                None => Completeness::Complete,
                Some(error) if unlisted => Completeness::Unlisted { error, starting: false },
                Some(reason) => Completeness::Partial { reason },
            },
            clock: self.clocks.get(self.clocks.len() / 2).copied(),
            version,
            metrics_frozen: self.frozen > 0 && self.frozen == self.answered,
            clusters: self.clusters,
            runs: self.runs,
            requests: self.requests,
            bytes: self.bytes,
            ..Snapshot::failed(source, poller, String::new(), false)
        }
    }
}

fn reasons(lines: &[String]) -> Option<String> {
    let shown = lines.iter().take(MAX_REASONS).map(String::as_str).collect::<Vec<_>>().join("; ");
    match lines.len() {
        0 => None,
        n if n > MAX_REASONS => Some(format!("{shown}; and {} more", n - MAX_REASONS)),
        _ => Some(shown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::JobState;

    fn told(state: Option<JobState>) -> Told {
        let run = |state| RunObservation { state, ..RunObservation::default() };
        let cluster =
            ClusterObservation { flink_cluster: "orders".to_owned(), ..Default::default() };
        Told { runs: state.into_iter().map(run).collect(), cluster }
    }

    fn look() -> Snapshot {
        let mut look = Snapshot::failed("tke", "1", String::new(), false);
        look.completeness = Completeness::Complete;
        look
    }

    fn silent() -> Trouble {
        Trouble { id: Id::new("flink", "orders"), why: "timed out".to_owned() }
    }

    fn limits(troubles: &[&str]) -> Limits {
        let troubles = troubles.iter().map(|line| (*line).to_owned()).collect();
        Limits { troubles, ..Limits::default() }
    }

    #[test]
    fn what_was_not_seen_is_not_called_absent() {
        let whole = |fill: &dyn Fn(&mut Sum), troubles: &[&str]| {
            let mut sum = Sum::default();
            fill(&mut sum);
            sum.finish("tke", "1", limits(troubles)).completeness
        };
        let running = || told(Some(JobState::Running));
        assert_eq!(whole(&|_| {}, &[]), Completeness::Complete, "no Flink at all is a fact");
        assert_eq!(whole(&|s| s.add(running(), Some(look()), None), &[]), Completeness::Complete);
        let partial = |found: Completeness, words: &str| {
            let Completeness::Partial { reason } = found else { panic!("{found:?}") };
            assert!(reason.contains(words), "{reason}");
        };
        partial(whole(&|s| s.add(running(), Some(look()), None), &["no rights"]), "no rights");
        let one_hangs = whole(
            &|s| {
                s.add(running(), Some(look()), None);
                s.add(told(None), None, Some(silent()));
            },
            &[],
        );
        assert_eq!(one_hangs, Completeness::Complete, "it is there, and named as unseen");
        partial(
            whole(&|s| s.add(running(), Some(look()), None), &["a", "b", "c", "d", "e"]),
            "a; b; c; and 2 more",
        );
    }

    #[test]
    fn without_the_api_server_nothing_is_listed_and_what_flinks_say_is_fresh() {
        let finish = |look: Option<Snapshot>| {
            let mut sum = Sum::default();
            sum.add(told(None), look, None);
            let limits = Limits { unlisted: true, ..limits(&["cannot reach it"]) };
            sum.finish("tke", "1", limits).completeness
        };
        let error = "cannot reach it".to_owned();
        let unlisted = Completeness::Unlisted { error: error.clone(), starting: false };
        assert_eq!(finish(Some(look())), unlisted);
        assert_eq!(finish(None), Completeness::Failed { error, starting: false });
    }

    #[test]
    fn where_no_flink_answers_it_is_the_way_that_is_wrong() {
        let finish = |states: &[Option<JobState>], outside: bool| {
            let mut sum = Sum::default();
            for state in states {
                sum.add(told(*state), None, Some(silent()));
            }
            let limits = Limits { outside, ..Limits::default() };
            sum.finish("tke", "1", limits).completeness
        };
        let Completeness::Failed { error, .. } = finish(&[None, None], true) else { panic!() };
        assert!(error.contains("none of 2") && error.contains("rest_url"), "{error}");
        let Completeness::Failed { error, .. } = finish(&[None], false) else { panic!() };
        assert!(error.contains("the only") && !error.contains("rest_url"), "{error}");
        let known = finish(&[None, Some(JobState::Restarting)], true);
        assert_eq!(known, Completeness::Complete, "what pods say is news all the same");
    }
}
