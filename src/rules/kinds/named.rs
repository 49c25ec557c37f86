//! What kinds that look at Flink's metrics by name have in common.

use std::sync::OnceLock;

use super::{About, Facts};
use crate::model::{Across, MetricKey, MetricQuery, MetricScope, Ts, Verdict, Vertices};
use crate::tracker::{Fact, Numbers, Stretch};

/// The name of a metric, made when it is first looked at: judging is done a million times, and
/// nearly always in vain. Not part of what a person wrote, so that two of them are always equal.
#[derive(Clone, Default)]
pub(super) struct Key(OnceLock<MetricKey>);

/// The same whether it was looked at or not: prints of conditions are made of this.
impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

impl PartialEq for Key {
    fn eq(&self, _: &Key) -> bool {
        true
    }
}

impl Key {
    pub(super) fn of(&self, query: impl FnOnce() -> MetricQuery) -> &MetricKey {
        self.0.get_or_init(|| query().key())
    }
}

/// Records per second a job's sources hand on. Of the source operators themselves: the task they
/// are in reads nothing by Flink's count, and writes nothing where it is chained to the end. What
/// they hand on is counted for every connector, what they read only by those built on Flink's own
/// reader.
pub(super) fn source_rate() -> MetricQuery {
    MetricQuery {
        scope: MetricScope::Operator,
        id: "Source__*.numRecordsOutPerSecond".to_owned(),
        across: Across::Sum,
        vertices: Vertices::Sources,
    }
}

/// Numbers of what is judged, at a time; or the judgement to give where there are none.
pub(super) fn numbers<'a>(facts: &Facts<'a>) -> Result<(&'a Numbers, Ts), Verdict> {
    match facts.about {
        About::Job(job) => {
            if !job.is_fresh() {
                return Err(facts.unknown(|| "the last look did not show this job".to_owned()));
            }
            if job.listed_run().is_none() {
                return Err(facts.unknown(|| "the job is gone from the listing".to_owned()));
            }
            match job.run() {
                Some(run) if !run.state.is_terminal() => Ok((&job.job.numbers, job.time.steady)),
                _ => Err(facts.not_applicable(|| "the job has ended".to_owned())),
            }
        }
        About::Cluster(cluster) => {
            if !cluster.source.is_up() {
                return Err(facts.unknown(|| "the cluster cannot be seen".to_owned()));
            }
            match cluster.numbers() {
                Some(numbers) => Ok((numbers, cluster.time.steady)),
                None => Err(facts.unknown(|| "the cluster's metrics are not known yet".to_owned())),
            }
        }
        About::Source(_) => {
            Err(facts.not_applicable(|| "this condition is about jobs and clusters".to_owned()))
        }
    }
}

/// The present value, or the judgement to give where there is none.
pub(super) fn present(
    facts: &Facts<'_>,
    numbers: &Numbers,
    key: &MetricKey,
    now: Ts,
    id: &str,
) -> Result<f64, Verdict> {
    match numbers.now(key, now) {
        Fact::Known(value) => Ok(value),
        Fact::Unknown => Err(facts.unknown(|| format!("{id} is not known at the moment"))),
        Fact::NotApplicable => Err(facts.not_applicable(|| format!("there is no {id} here"))),
    }
}

/// What is known of the stretch from `from` to `to`, or the judgement to give where samples do not
/// reach back that far.
pub(super) fn stretch(
    facts: &Facts<'_>,
    numbers: &Numbers,
    key: &MetricKey,
    (from, to): (Ts, Ts),
    now: Ts,
) -> Result<Stretch, Verdict> {
    numbers.covered(key, from, to).ok_or_else(|| {
        facts.unknown(|| match numbers.known_since(key) {
            Some(since) if since > from => format!(
                "known for {} of the {} it takes; judged in {}",
                words(now.since(since)),
                words(now.since(from)),
                words(since.since(from)),
            ),
            Some(_) => "nothing was recorded at that time".to_owned(),
            None => format!("nothing is known yet of the {} it takes", words(now.since(from))),
        })
    })
}

/// A number without the tail single precision leaves.
pub(super) fn tidy(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

pub(super) use super::words::span as words;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_without_noise() {
        assert_eq!(tidy(f64::from(0.1235_f32)).to_string(), "0.1235");
    }
}
