//! `lag`: the job falls behind its input.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Facts, Kind, Span, evidence, fresh_job, known};
use crate::model::{Aspect, Demand, Verdict, Why};

/// True while the records not yet read (`pendingRecords` over all sources) are more than `above`
/// and, where `growing_for` is given, more than they were that long ago: a backlog that is being
/// worked off is no trouble. Unknown until `growing_for` has been watched. n/a for jobs whose
/// sources report none.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lag {
    /// Records.
    pub above: f64,
    /// And not shrinking over this time (at most 1h).
    #[serde(default)]
    pub growing_for: Option<Span>,
}

impl Kind for Lag {
    fn aspect(&self) -> &'static str {
        Aspect::LAG
    }

    fn demand(&self) -> Demand {
        Demand { lag: true, ..Demand::default() }
    }

    fn judge(&self, facts: &Facts<'_>) -> Verdict {
        let job = fresh_job!(facts);
        let records = known!(facts, job.lag(), "lag");
        let evidence = || evidence! { "lag_records": records, "above_records": self.above };
        let Some(span) = self.growing_for else {
            return facts.verdict(records > self.above, evidence);
        };
        if records <= self.above {
            return facts.verdict(false, || Why::from(evidence()).near(records, self.above));
        }
        let from = job.time.steady - span.0;
        let series = &job.job.lag;
        let before = if series.covers(from) { series.at(from) } else { None };
        let Some(before) = before else {
            let seconds = span.0.as_secs();
            return facts.unknown(|| format!("lag has not been watched for {seconds} s yet"));
        };
        facts.verdict(records > before, || {
            let mut evidence = evidence();
            evidence.insert("lag_before".to_owned(), serde_json::json!(before));
            evidence.insert("growing_seconds".to_owned(), serde_json::json!(span.0.as_secs()));
            evidence
        })
    }

    fn problem(&self) -> Option<String> {
        if !self.above.is_finite() || self.above < 0.0 {
            return Some(format!("lag.above must be a number from 0 up, is {}", self.above));
        }
        self.growing_for
            .is_some_and(|s| s.millis() > 3_600_000 || s.millis() < 30_000)
            .then(|| "lag.growing_for must be 30s … 1h".to_owned())
    }

    fn evidence(&self) -> Vec<&'static str> {
        vec!["lag_records", "above_records", "lag_before", "growing_seconds"]
    }

    fn span(&self) -> Option<std::time::Duration> {
        self.growing_for.map(|span| span.0)
    }
}
