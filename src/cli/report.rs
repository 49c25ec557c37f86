//! What is going on, in a few lines.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use crate::engine::{JobView, View};
use crate::model::{Incident, JobState, Subject, Time};
use crate::notify::render::escape::line;

/// A health report.
pub(super) struct Report {
    pub(super) text: String,
    pub(super) needs_somebody: bool,
}

/// The line that is shown while nothing happens.
pub(super) fn progress(view: &View) -> String {
    let Some(now) = view.at else { return "looking for the first time …".to_owned() };
    let up = view.sources.values().filter(|s| s.up).count();
    let last = view.sources.values().filter_map(|s| s.last_success).max();
    let age = last
        .map_or_else(|| "never".to_owned(), |at| format!("{} s ago", now.wall.since(at).as_secs()));
    let open = view.incidents.values().filter(|i| i.is_open()).count();
    let mut text = format!(
        "watching {} jobs on {up} of {} clusters · {} · last look {age}",
        view.jobs.len(),
        view.sources.len(),
        if open == 0 { "nothing needs you".to_owned() } else { format!("{open} need you") },
    );
    if view.failures_seen > 0 {
        write!(text, " · {} failures seen", view.failures_seen).ok();
    }
    text
}

/// `14 jobs, 3 need you: …`.
pub(super) fn health(view: &View, now: Time) -> Report {
    let open: Vec<&Incident> =
        view.incidents.values().map(AsRef::as_ref).filter(|i| i.is_open()).collect();
    let dark: Vec<(&String, String)> = view
        .sources
        .iter()
        .filter(|(_, s)| !s.up)
        .map(|(name, s)| (name, s.error.clone().unwrap_or_else(|| "no answer".to_owned())))
        .collect();
    let unwell: Vec<&JobView> = view
        .jobs
        .values()
        .map(AsRef::as_ref)
        .filter(|job| {
            needs_a_look(job) && !open.iter().any(|i| i.subject == Subject::Job(job.key.clone()))
        })
        .collect();
    let mut by_subject: BTreeMap<&Subject, Vec<&Incident>> = BTreeMap::new();
    for incident in &open {
        by_subject.entry(&incident.subject).or_default().push(incident);
    }
    let needy = by_subject.len() + unwell.len();
    let mut text = format!("{} jobs on {} clusters", view.jobs.len(), view.sources.len());
    if needy == 0 && dark.is_empty() {
        text.push_str(", nothing needs you");
    } else if needy > 0 {
        write!(text, ", {needy} need you:").ok();
    }
    for (subject, incidents) in by_subject {
        let job = subject.job().and_then(|key| view.jobs.get(key));
        for incident in incidents {
            write!(text, "\n  {}", incident_line(incident, job.map(AsRef::as_ref), now)).ok();
        }
    }
    for job in unwell {
        write!(text, "\n  {} · {}", line(&job.name), job.state).ok();
    }
    for (name, error) in &dark {
        write!(text, "\n  Weir cannot reach {}: {}", line(name), line(error)).ok();
    }
    let states = states(view);
    if !states.is_empty() {
        write!(text, "\n{states}").ok();
    }
    Report { text, needs_somebody: needy > 0 || !dark.is_empty() }
}

/// Not yet an alert, but no health either.
fn needs_a_look(job: &JobView) -> bool {
    !job.state.is_deliberate_end() && !job.all_running
}

fn incident_line(incident: &Incident, job: Option<&JobView>, now: Time) -> String {
    let member = incident.members.iter().find(|m| m.rule.alert == incident.rule);
    let said = |key: &str| member.and_then(|m| m.annotations.get(key)).map(|t| line(t));
    let name = job.map_or_else(|| incident.subject.to_string(), |j| j.name.clone());
    let mut text =
        format!("{} · {}", line(&name), said("headline").unwrap_or_else(|| incident.rule.clone()));
    if let Some(cause) = &incident.root_cause {
        write!(text, " · {}", line(&cause.line())).ok();
    }
    if let Some(checkpoint) = &incident.checkpoint {
        let age = now.wall.since(checkpoint.completed_at);
        write!(text, " · last checkpoint {} ago: {}", ago(age), line(&checkpoint.path)).ok();
    }
    text
}

fn states(view: &View) -> String {
    let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
    for job in view.jobs.values() {
        *counts.entry(job.state.as_str()).or_default() += 1;
    }
    let parts: Vec<String> = JobState::ALL
        .iter()
        .filter_map(|s| Some(format!("{} {}", counts.get(s.as_str())?, s.as_str())))
        .collect();
    parts.join(", ")
}

fn ago(age: Duration) -> String {
    match age.as_secs() {
        s @ 0..=119 => format!("{s} s"),
        s @ 120..=7_199 => format!("{} min", s / 60),
        s => format!("{} h", s / 3_600),
    }
}
