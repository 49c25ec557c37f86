//! `start_failed`: a run that died before it ever ran.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Facts, Kind, evidence, fresh_job};
use crate::model::{Aspect, Demand, JobState, Verdict, Why};
use crate::tracker::Fact;

/// True while the job is FAILED and its last run never had all its tasks running: a savepoint that
/// is not there, a class that is missing, SQL that cannot be planned, slots that never came. What
/// Flink gives as the reason is its evidence, `start_error`.
///
/// Told by what Weir saw: Flink made no tasks of it; or it was not running at three looks or more;
/// or its root cause is one of starting. A run too short for any of these that failed is left to
/// `job_state`: false.
///
/// A program that throws before it has a job leaves a trace from Flink 2.3 on, if it was started by
/// `run-application` or in application mode: an application that FAILED without a job. It is told as
/// a job by the application's name, which is the main class of the program; a later application of
/// that name that gets as far as a job ends it. Programs that share a main class, as those of a SQL
/// runner do, share that name: unless two of them were seen to run side by side, a good start of one
/// ends the failure of the other. Before 2.3, and with `POST /jars/:id/run`, Flink refuses the
/// submission without a trace, and nobody can see it. Demands failures, counters, checkpoints and
/// applications.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StartFailed {}

impl Kind for StartFailed {
    fn aspect(&self) -> &'static str {
        Aspect::FAILURE
    }

    fn demand(&self) -> Demand {
        Demand {
            counters: true,
            checkpoints: true,
            failures: true,
            applications: true,
            ..Demand::default()
        }
    }

    fn evidence(&self) -> Vec<&'static str> {
        vec!["state", "start_error", "lasted_seconds"]
    }

    fn judge(&self, facts: &Facts<'_>) -> Verdict {
        let job = fresh_job!(facts);
        let (Some(state), Some(run)) = (job.state(), job.run()) else {
            return facts.no(|| "the job is not there".to_owned());
        };
        if state != JobState::Failed {
            return facts
                .no(|| format!("the job is {state}; true if a run is FAILED that never ran"));
        }
        match job.has_run() {
            Fact::Known(false) => {}
            Fact::Known(true) => return facts.no(|| "it failed after it had run".to_owned()),
            _ => {
                return facts
                    .no(|| "it was not seen long enough to say that it never ran".to_owned());
            }
        }
        let error = job.run_cause().map(crate::model::RootCause::line).unwrap_or_default();
        let lasted =
            run.end_time.map_or(0, |end| end.saturating_sub(run.id.start_time).max(0) / 1000);
        facts.verdict(true, || {
            Why::from(evidence! {
                "state": state.as_str(),
                "start_error": error,
                "lasted_seconds": lasted,
            })
            .words("its last run failed before all its tasks ran")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::watch::{Watch, failure, run};
    use super::*;
    use crate::model::{RunObservation, Seen, TaskCounts, Truth};

    fn dead(total: u32, class: &str) -> RunObservation {
        let tasks = TaskCounts { total, failed: total, ..TaskCounts::default() };
        let failures = Seen::Fresh(vec![failure(2_000, class, "no such path")]);
        RunObservation { tasks, failures, ..run("a", 1, JobState::Failed) }
    }

    fn starting() -> RunObservation {
        let tasks = TaskCounts { total: 2, scheduled: 2, ..TaskCounts::default() };
        RunObservation { tasks, ..run("a", 1, JobState::Running) }
    }

    fn dark() -> RunObservation {
        RunObservation { tasks: TaskCounts::default(), ..run("a", 1, JobState::Running) }
    }

    #[test]
    fn a_start_that_failed_is_told_from_a_run_that_failed() {
        let healthy = run("a", 1, JobState::Running);
        for (name, looks, expected) in [
            ("no tasks were made", vec![dead(0, "java.io.FileNotFoundException")], true),
            ("a class is missing", vec![dead(2, "java.lang.ClassNotFoundException")], true),
            ("too short to say", vec![dead(2, "com.example.Poison")], false),
            ("never running", vec![starting(), starting(), starting(), dead(2, "x.Y")], true),
            ("ran", vec![starting(), healthy, dead(2, "java.lang.ClassNotFoundException")], false),
            // What YARN alone knows of a Flink nobody can look into.
            ("not looked into", vec![dark(), dark(), dark(), dark(), dead(1, "x.Y")], false),
            ("not dead", vec![starting(), starting(), starting(), starting()], false),
        ] {
            let mut watch = Watch::new();
            watch.look(0, vec![]);
            for (step, look) in (1..).zip(looks) {
                watch.look(step * 10, vec![look]);
            }
            let verdict = watch.judge(&StartFailed {});
            assert_eq!(verdict.truth == Truth::True, expected, "{name}: {verdict:?}");
            if expected {
                let error = verdict.evidence["start_error"].as_str().unwrap();
                assert!(error.contains("no such path"), "{name}: {error}");
            }
        }
    }

    #[test]
    fn the_error_of_an_earlier_run_is_not_told() {
        let mut watch = Watch::new();
        watch.look(0, vec![]);
        watch.look(10, vec![dead(0, "a.B")]);
        let silent = RunObservation { failures: Seen::Fresh(vec![]), ..dead(0, "") };
        let later = RunObservation { run: run("b", 15, JobState::Failed).run, ..silent };
        watch.look(20, vec![dead(0, "a.B"), later]);
        assert_eq!(watch.judge(&StartFailed {}).evidence["start_error"], "");
    }
}
