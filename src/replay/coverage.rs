//! For how much of a span the facts of each rule were recorded.

use super::Share;
use crate::model::{Demand, MetricQuery, RuleId, Time};
use crate::rules::RuleSet;

/// Adds it up.
pub(super) struct Coverage {
    rules: Vec<Seen>,
    demand: Demand,
    last: Option<Time>,
}

struct Seen {
    rule: RuleId,
    demand: Demand,
    covered: bool,
    recorded_ms: u64,
    missing: Vec<String>,
}

impl Coverage {
    pub(super) fn new(rules: &RuleSet) -> Coverage {
        let seen = |rule: &crate::rules::Rule| Seen {
            rule: rule.id.clone(),
            demand: rule.when.demand(),
            covered: false,
            recorded_ms: 0,
            missing: Vec::new(),
        };
        let rules = rules.rules.iter().map(seen).collect();
        Coverage { rules, demand: Demand::default(), last: None }
    }

    /// From here on this is asked of the sources.
    pub(super) fn demand(&mut self, demand: Demand) {
        self.demand = demand;
        for seen in &mut self.rules {
            seen.covered = missing(&seen.demand, &self.demand).is_empty();
        }
    }

    /// Nothing was recorded between the last event and the next.
    pub(super) fn pause(&mut self) {
        self.last = None;
    }

    /// An event inside the span.
    pub(super) fn event(&mut self, at: Time) {
        if let Some(last) = self.last {
            let more = at.steady.since(last.steady).as_millis() as u64;
            for seen in &mut self.rules {
                if seen.covered {
                    seen.recorded_ms += more;
                } else if seen.missing.is_empty() {
                    seen.missing = missing(&seen.demand, &self.demand);
                }
            }
        }
        self.last = Some(at);
    }

    /// The shares of a span of so many ms.
    pub(super) fn shares(self, span_ms: u64) -> Vec<Share> {
        let share = |seen: Seen| Share {
            rule: seen.rule,
            recorded: (seen.recorded_ms as f64 / span_ms.max(1) as f64).min(1.0),
            missing: seen.missing,
        };
        self.rules.into_iter().map(share).collect()
    }
}

/// What is needed and was not asked for.
fn missing(needed: &Demand, asked: &Demand) -> Vec<String> {
    let Demand {
        counters,
        checkpoints,
        failures,
        lag,
        job_type,
        applications,
        metrics,
        // Asked by no rule.
        ends: _,
    } = needed;
    let flags = [
        (*counters, asked.counters, "counters"),
        (*checkpoints, asked.checkpoints, "checkpoints"),
        (*failures, asked.failures, "failures"),
        (*lag, asked.lag, "lag"),
        (*job_type, asked.job_type, "job type"),
        (*applications, asked.applications, "applications"),
    ];
    let lacks = flags.iter().filter(|(needed, asked, _)| *needed && !asked);
    let mut found: Vec<String> = lacks.map(|(_, _, name)| (*name).to_owned()).collect();
    let known = |query: &&MetricQuery| !asked.metrics.contains_key(*query);
    found.extend(metrics.keys().filter(known).map(|query| query.key().to_string()));
    found
}
