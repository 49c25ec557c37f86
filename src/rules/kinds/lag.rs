//! `lag`: the job falls behind its input.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Facts, Kind, Span, evidence, fresh_job, known, words};
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

impl Lag {
    fn behind(&self, records: f64) -> String {
        format!("{records:.0} records behind; true above {:.0}", self.above)
    }
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
            return facts.verdict(records > self.above, || {
                Why::from(evidence()).near(records, self.above).words(self.behind(records))
            });
        };
        if records <= self.above {
            return facts.verdict(false, || {
                Why::from(evidence()).near(records, self.above).words(self.behind(records))
            });
        }
        let from = job.time.steady - span.0;
        let series = &job.job.lag;
        let before = if series.covers(from) { series.at(from) } else { None };
        let Some(before) = before else {
            return facts.unknown(|| {
                let (behind, span) = (self.behind(records), words::span(span.0));
                format!("{behind}; whether it grows is known once it was watched for {span}")
            });
        };
        facts.verdict(records > before, || {
            let mut evidence = evidence();
            evidence.insert("lag_before".to_owned(), serde_json::json!(before));
            evidence.insert("growing_seconds".to_owned(), serde_json::json!(span.0.as_secs()));
            let (behind, span) = (self.behind(records), words::span(span.0));
            let than = if records > before { "more than" } else { "not more than" };
            Why::from(evidence)
                .words(format!("{behind}; {than} the {before:.0} of {span} ago, true while it grows"))
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
}
