//! `inventory_drift`: what an inventory believes of a job is not what is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Facts, Kind, evidence, fresh_job, words};
use crate::model::{Aspect, Demand, InventoryEntry, JobState, Says, Verdict, Why};
use crate::tracker::Fact;

/// True while an inventory (StreamPark, Dinky) takes a job for something it is not: it says RUNNING
/// and the job is dead or gone, so that nobody there restarts it or hears of it; or it has given the
/// job up as LOST, FAILED or ended, and the job runs, unwatched by it, perhaps to be started a second
/// time by its button.
///
/// Not while the inventory itself is at work on the job. Unknown while the inventory or the job's own
/// cluster cannot be seen; n/a for jobs that no inventory knows. The two are looked at at different
/// times: give the rule a `for` of some minutes.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InventoryDrift {
    /// Which differences count (default `[says_running_but_dead, says_dead_but_running]`).
    #[serde(default = "both")]
    pub any_of: Vec<Drift>,
}

/// How an inventory differs from the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Drift {
    /// The inventory says that the job runs, and it does not.
    SaysRunningButDead,
    /// The inventory says that the job is lost, failed or ended, and it runs.
    SaysDeadButRunning,
}

fn both() -> Vec<Drift> {
    vec![Drift::SaysRunningButDead, Drift::SaysDeadButRunning]
}

/// What is different, if anything; `state`: none where the job is gone.
fn drift(entry: &InventoryEntry, state: Option<JobState>) -> Option<Drift> {
    let is_dead = state.is_none_or(JobState::is_terminal);
    let runs = matches!(state, Some(JobState::Running | JobState::Restarting));
    match entry.says {
        _ if entry.busy => None,
        Says::Runs if is_dead => Some(Drift::SaysRunningButDead),
        says if says.is_dead() && runs => Some(Drift::SaysDeadButRunning),
        _ => None,
    }
}

impl Kind for InventoryDrift {
    fn aspect(&self) -> &'static str {
        Aspect::PLATFORM
    }

    fn demand(&self) -> Demand {
        Demand::default()
    }

    fn judge(&self, facts: &Facts<'_>) -> Verdict {
        let job = fresh_job!(facts);
        let found = match job.inventory() {
            Fact::Known(found) => found,
            Fact::Unknown => {
                return facts.unknown(|| match &job.job.inventory {
                    Some(found) => match found.heard {
                        Some(at) => {
                            let since = words::at(job.time, at);
                            format!("{} was not heard since {since}", found.source)
                        }
                        None => format!("{} was not heard yet", found.source),
                    },
                    None => "no inventory was heard".to_owned(),
                });
            }
            Fact::NotApplicable => {
                return facts.not_applicable(|| "no inventory knows this job".to_owned());
            }
        };
        let state = job.state();
        let is = state.map_or("gone", JobState::as_str);
        let (inventory, said) = (&found.source, &found.entry.state);
        let drift = drift(&found.entry, state).filter(|drift| self.any_of.contains(drift));
        facts.verdict(drift.is_some(), || {
            Why::from(evidence! {
                "inventory": inventory,
                "inventory_state": said,
                "inventory_id": found.entry.id,
                "state": is,
                "drift": drift,
            })
            .words(if found.entry.busy {
                format!("{inventory} is at work on it (it says {said}); the job is {is}")
            } else {
                format!("{inventory} says {said}, the job is {is}; true while one is dead and the other runs")
            })
        })
    }

    fn problem(&self) -> Option<String> {
        let what = "inventory_drift.any_of is empty (leave it out for every difference)";
        self.any_of.is_empty().then(|| what.to_owned())
    }

    fn evidence(&self) -> Vec<&'static str> {
        vec!["inventory", "inventory_state", "inventory_id", "state", "drift"]
    }
}

#[cfg(test)]
mod tests {
    use super::super::watch::{Watch, run};
    use super::*;
    use crate::model::Truth;

    fn says(says: Says, state: &str) -> InventoryEntry {
        InventoryEntry {
            id: "100001".to_owned(),
            name: "orders".to_owned(),
            says,
            state: state.to_owned(),
            ..InventoryEntry::default()
        }
    }

    fn drifts() -> InventoryDrift {
        serde_json::from_str("{}").unwrap()
    }

    #[test]
    fn what_is_said_is_compared_with_what_is() {
        use JobState::{Canceled, Failed, Initializing, Restarting, Running};
        let busy = InventoryEntry { busy: true, ..says(Says::Runs, "RUNNING") };
        for (entry, state, expected) in [
            (says(Says::Runs, "RUNNING"), Some(Running), None),
            (says(Says::Runs, "RUNNING"), Some(Failed), Some("says_running_but_dead")),
            (says(Says::Runs, "RUNNING"), Some(Canceled), Some("says_running_but_dead")),
            (says(Says::Runs, "RUNNING"), None, Some("says_running_but_dead")),
            (says(Says::Runs, "RUNNING"), Some(Restarting), None),
            (says(Says::Lost, "LOST"), Some(Running), Some("says_dead_but_running")),
            (says(Says::Lost, "LOST"), Some(Failed), None),
            (says(Says::Failed, "FAILED"), Some(Restarting), Some("says_dead_but_running")),
            (says(Says::Ended, "CANCELED"), Some(Running), Some("says_dead_but_running")),
            (says(Says::Ended, "CANCELED"), Some(Initializing), None),
            (says(Says::Ended, "CANCELED"), None, None),
            (says(Says::Changes, "STARTING"), Some(Failed), None),
            (says(Says::Nothing, "ADDED"), Some(Running), None),
            (busy, Some(Failed), None),
        ] {
            let mut watch = Watch::new();
            watch.look(0, vec![run("a", 1, Running)]);
            watch.inventory(5, vec![entry.clone()]);
            watch.look(10, state.map(|state| run("a", 1, state)).into_iter().collect());
            let verdict = watch.judge(&drifts());
            let drift = verdict.evidence.get("drift").and_then(|d| d.as_str());
            assert_eq!(drift, expected, "{entry:?} {state:?}: {verdict:?}");
            assert_eq!(verdict.truth == Truth::True, expected.is_some());
        }
    }

    #[test]
    fn only_the_differences_asked_for_count() {
        let mut watch = Watch::new();
        watch.look(0, vec![run("a", 1, JobState::Running)]);
        watch.inventory(5, vec![says(Says::Lost, "LOST")]);
        let only: InventoryDrift =
            serde_json::from_str(r#"{"any_of":["says_running_but_dead"]}"#).unwrap();
        assert_eq!(watch.truth(&drifts()), Truth::True);
        assert_eq!(watch.truth(&only), Truth::False);
        let none: InventoryDrift = serde_json::from_str(r#"{"any_of":[]}"#).unwrap();
        assert!(none.problem().is_some());
    }

    #[test]
    fn nobody_is_accused_by_silence() {
        let mut watch = Watch::new();
        watch.look(0, vec![run("a", 1, JobState::Running)]);
        assert_eq!(watch.truth(&drifts()), Truth::NotApplicable, "in no inventory");
        watch.inventory(5, vec![says(Says::Lost, "LOST")]);
        watch.look(400, vec![run("a", 1, JobState::Running)]);
        assert_eq!(watch.truth(&drifts()), Truth::Unknown, "not heard for long");
        watch.inventory(405, vec![says(Says::Lost, "LOST")]);
        assert_eq!(watch.truth(&drifts()), Truth::True);
        let mut watch = watch.restarted();
        watch.look(410, vec![run("a", 1, JobState::Running)]);
        assert_eq!(watch.truth(&drifts()), Truth::Unknown, "known from before, not heard yet");
    }
}
