//! Counting what happened, in the simplest way: what the databases must come to as well.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::MemoryStore;
use crate::model::{
    Held, Incident, IncidentState, Noisy, Notice, Outcome, ReceiverReport, Report, Ts,
};
use crate::store::words;

impl MemoryStore {
    /// As [`crate::store::Store::report`].
    pub fn report(&self, since: Ts) -> Report {
        let mut report = Report::default();
        let hour = Report::hour(since);
        let mut jobs: BTreeMap<&str, Noisy> = BTreeMap::new();
        let mut rules: BTreeMap<&str, Noisy> = BTreeMap::new();
        for ((at, job), count) in &self.failures {
            if *at >= hour {
                report.failures += count;
                jobs.entry(job).or_default().failures += count;
            }
        }
        report.failing_jobs = jobs.len() as u64;
        let troubled: BTreeSet<&str> = self
            .incidents
            .values()
            .filter(|i| i.resolved_at.is_none_or(|at| at >= since))
            .filter_map(job_of)
            .collect();
        report.mended_jobs = jobs.keys().filter(|job| !troubled.contains(*job)).count() as u64;
        for incident in self.incidents.values() {
            let over = incident.state == IncidentState::Resolved;
            if !over {
                report.open.add(incident.severity, 1);
            }
            if over && incident.resolved_at.is_some_and(|at| at >= since) {
                report.ended += 1;
            }
            if incident.opened_at >= since {
                report.opened.add(incident.severity, 1);
                rules.entry(&incident.rule).or_default().incidents += 1;
                if let Some(job) = job_of(incident) {
                    jobs.entry(job).or_default().incidents += 1;
                }
            }
        }
        let notices: Vec<&Notice> = self.notices.values().filter(|n| n.at >= since).collect();
        for notice in &notices {
            let Some(incident) = self.incidents.get(&notice.incident) else { continue };
            rules.entry(&incident.rule).or_default().notices += 1;
            if let Some(job) = job_of(incident) {
                jobs.entry(job).or_default().notices += 1;
            }
        }
        let brief = notices.iter().filter(|n| n.outcome == Outcome::Brief);
        report.brief = brief.map(|n| n.incident).collect::<BTreeSet<u64>>().len() as u64;
        report.receivers = self.receivers(&notices, since);
        report.held = held(&notices);
        report.jobs = noisiest(jobs);
        report.rules = noisiest(rules);
        report
    }

    fn receivers(&self, notices: &[&Notice], since: Ts) -> Vec<ReceiverReport> {
        let mut found: BTreeMap<&str, ReceiverReport> = BTreeMap::new();
        let mut about: BTreeSet<(&str, u64)> = BTreeSet::new();
        for notice in notices {
            let receiver = notice.to.receiver.as_str();
            let report = found.entry(receiver).or_default();
            *report.notices.entry(notice.outcome.as_str().to_owned()).or_default() += 1;
            report.incidents += u64::from(about.insert((receiver, notice.incident)));
        }
        for message in self.messages.values().filter(|m| m.at >= since) {
            let report = found.entry(&message.to.receiver).or_default();
            let (state, kind) =
                (words::message_state(message.state), words::message_kind(message.kind));
            *report.messages.entry(state.to_owned()).or_default() += 1;
            *report.kinds.entry(kind.to_owned()).or_default() += 1;
        }
        let named = |(name, report): (&str, ReceiverReport)| ReceiverReport {
            receiver: name.to_owned(),
            ..report
        };
        found.into_iter().map(named).collect()
    }
}

fn job_of(incident: &Incident) -> Option<&str> {
    incident.job().map(|key| key.0.as_str())
}

fn held(notices: &[&Notice]) -> Vec<Held> {
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for notice in notices {
        if matches!(notice.outcome, Outcome::Sent | Outcome::Shadow) {
            continue;
        }
        let last = notice.steps.last().and_then(|step| step.by.as_deref());
        let by = notice.held_by.as_deref().or(last).unwrap_or_default();
        let by = by.split('#').next().unwrap_or_default().trim_matches(' ');
        *counts.entry((notice.outcome.as_str(), by)).or_default() += 1;
    }
    let mut held: Vec<Held> = counts
        .into_iter()
        .map(|((outcome, by), notices)| Held {
            outcome: outcome.to_owned(),
            by: by.to_owned(),
            notices,
        })
        .collect();
    held.sort_by_key(|row| Reverse(row.notices));
    held.truncate(Report::HELD);
    held
}

fn noisiest(counts: BTreeMap<&str, Noisy>) -> Vec<Noisy> {
    let named = |(name, row): (&str, Noisy)| Noisy { name: name.to_owned(), ..row };
    let mut rows: Vec<Noisy> = counts.into_iter().map(named).collect();
    rows.sort_by_key(|row| Reverse((row.notices, row.incidents, row.failures)));
    rows.truncate(Report::NOISIEST);
    rows
}
