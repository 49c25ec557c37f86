//! One incident from one turn to the next.

use std::time::Duration;

use super::{Health, Settings, Stepped, describe};
use crate::model::{
    Alert, Aspect, Change, EndReason, Incident, IncidentState, Labels, Member, NoticeReason,
    Severity, Subject, Time,
};
use crate::tracker::Tracker;

/// From this many re-openings on it is called flapping.
const FLAPPING_FROM: u32 = 2;

/// A new incident.
pub(super) fn open(
    id: u64,
    time: Time,
    subject: &Subject,
    aspect: &Aspect,
    alerts: &[&Alert],
    tracker: Option<&Tracker>,
) -> Incident {
    let mut incident = Incident {
        id,
        subject: subject.clone(),
        aspect: aspect.clone(),
        severity: Severity::Info,
        state: IncidentState::Open,
        end_reason: None,
        opened_at: time.wall,
        resolved_at: None,
        quiet_since: None,
        opened_steady: time.steady,
        resolved_steady: None,
        occurrences: 1,
        occurrences_base: u64::MAX,
        given_up: false,
        peak_rank: 0,
        reopened: 0,
        flapping: false,
        first_look: alerts.iter().all(|a| a.first_look),
        members: Vec::new(),
        rule: String::new(),
        labels: Labels::default(),
        root_cause: None,
        checkpoint: None,
        restored_from: None,
        run: None,
        subject_state: String::new(),
        ui_url: None,
        inhibited_by: None,
        inhibited_until: None,
        acknowledged: None,
        named_job: None,
        nobodys_since: None,
        doing: None,
    };
    take_members(&mut incident, time, alerts);
    describe::refresh(&mut incident, tracker);
    incident.peak_rank = incident.rank();
    incident
}

/// Takes in the alerts of this turn; tells what is news, if anything.
pub(super) fn update(
    incident: &mut Incident,
    time: Time,
    alerts: &[&Alert],
    health: Health,
    tracker: Option<&Tracker>,
    settings: &Settings,
) -> Option<NoticeReason> {
    take_members(incident, time, alerts);
    describe::refresh(incident, tracker);
    if alerts.is_empty() {
        return quieten(incident, time, health, settings);
    }
    incident.quiet_since = None;
    if !incident.is_open() {
        return Some(reopen(incident, time));
    }
    let rank = incident.rank();
    if rank > incident.peak_rank {
        incident.peak_rank = rank;
        // Flapping keeps quiet what comes and goes; that it is dead for good is neither.
        return Some(NoticeReason::Worse);
    }
    None
}

fn reopen(incident: &mut Incident, time: Time) -> NoticeReason {
    incident.state = IncidentState::Open;
    // Who had it had what was before.
    incident.acknowledged = None;
    incident.nobodys_since = Some(time.steady);
    incident.end_reason = None;
    incident.resolved_at = None;
    incident.resolved_steady = None;
    incident.reopened += 1;
    incident.peak_rank = incident.peak_rank.max(incident.rank());
    if incident.reopened >= FLAPPING_FROM {
        incident.flapping = true;
        return NoticeReason::Flapping;
    }
    NoticeReason::Reopened
}

fn quieten(
    incident: &mut Incident,
    time: Time,
    health: Health,
    settings: &Settings,
) -> Option<NoticeReason> {
    let reason = match health {
        Health::NotYet => {
            incident.quiet_since = None;
            return None;
        }
        Health::Gone => {
            end(incident, time, EndReason::Unwatched);
            return Some(NoticeReason::Resolved);
        }
        Health::Well => EndReason::Recovered,
        Health::Ended => EndReason::Ended,
    };
    let since = *incident.quiet_since.get_or_insert(time.steady);
    if time.steady.since(since) < quiet_for(incident, settings) {
        return None;
    }
    end(incident, time, reason);
    Some(NoticeReason::Resolved)
}

/// How long it has to be quiet before it is over.
pub(super) fn quiet_for(incident: &Incident, settings: &Settings) -> Duration {
    // What comes and goes is believed only after it has stayed away for as long as it would
    // otherwise be taken for the same again.
    if incident.flapping {
        settings.reopen_within.max(settings.resolve_after)
    } else {
        settings.resolve_after
    }
}

/// Closes the books.
pub(super) fn end(incident: &mut Incident, time: Time, reason: EndReason) {
    incident.state = IncidentState::Resolved;
    incident.end_reason = Some(reason);
    incident.resolved_at = Some(time.wall);
    incident.resolved_steady = Some(time.steady);
    incident.quiet_since = None;
    for member in incident.members.iter_mut().filter(|m| m.firing) {
        member.firing = false;
        member.until = Some(time.wall);
    }
}

/// Brings members up to date; severity, rule and labels follow from them.
fn take_members(incident: &mut Incident, time: Time, alerts: &[&Alert]) {
    for member in &mut incident.members {
        if member.firing && !alerts.iter().any(|a| a.rule == member.rule) {
            member.firing = false;
            member.until = Some(time.wall);
        }
    }
    for alert in alerts {
        let existing = incident.members.iter_mut().find(|m| m.rule == alert.rule);
        match existing {
            Some(member) => {
                if !member.firing {
                    member.firing = true;
                    member.since = time.wall;
                    member.until = None;
                }
                if member.annotations != alert.annotations {
                    member.annotations.clone_from(&alert.annotations);
                }
                if member.labels != alert.labels {
                    member.labels.clone_from(&alert.labels);
                }
            }
            None => incident.members.push(Member {
                rule: alert.rule.clone(),
                firing: true,
                since: time.wall,
                until: None,
                annotations: alert.annotations.clone(),
                labels: alert.labels.clone(),
            }),
        }
    }
    if alerts.is_empty() {
        // Severity, rule and labels stay those of the last firing members.
        return;
    }
    let firing: Vec<&Member> = incident.members.iter().filter(|m| m.firing).collect();
    let worst = firing.iter().map(|m| m.rule.severity).max().unwrap_or_default();
    // Of equally severe members the newest speaks: a loop that died says "failed", not "loops".
    let speaker = firing.iter().filter(|m| m.rule.severity == worst).max_by_key(|m| m.since);
    let Some(speaker) = speaker else { return };
    // Routes, groups and reports go by them, as they would for this alert alone.
    let mut labels = speaker.labels.clone();
    for (name, value) in [("alertname", speaker.rule.alert.as_str()), ("severity", worst.as_str())]
    {
        if labels.get(name).is_empty() {
            labels.set(name, value);
        }
    }
    let rule = speaker.rule.alert.clone();
    incident.severity = worst;
    incident.rule = rule;
    incident.labels = labels;
}

/// Lines for the timeline: what differs between two turns.
pub(super) fn events(before: &Incident, after: &Incident, time: Time, out: &mut Stepped) {
    let mut say = |what: String| {
        out.changes.push(Change::Event { incident: after.id, at: time.wall, what });
    };
    for member in &after.members {
        let was = before.members.iter().find(|m| m.rule == member.rule);
        match was {
            None => say(format!("{} joined", member.rule.alert)),
            Some(was) if was.firing != member.firing => {
                let word = if member.firing { "fires again" } else { "no longer fires" };
                say(format!("{} {word}", member.rule.alert));
            }
            Some(_) => {}
        }
    }
    if after.occurrences > before.occurrences {
        let more = after.occurrences - before.occurrences;
        let cause =
            after.root_cause.as_ref().map(|c| format!(": {}", c.line())).unwrap_or_default();
        say(format!("{more} more failures, {} in all{cause}", after.occurrences));
    }
    if after.severity > before.severity {
        say(format!("severity {} → {}", before.severity.as_str(), after.severity.as_str()));
    }
    if let Some(line) = run_line(before, after) {
        say(line);
    }
    if before.subject_state != after.subject_state {
        say(format!("state {} → {}", before.subject_state, after.subject_state));
    }
    match (before.is_open(), after.is_open()) {
        (true, false) => {
            if after.flapping && after.end_reason == Some(EndReason::Recovered) {
                say("settled: no longer flapping".to_owned());
            }
            say(over(after));
        }
        (false, true) => say(format!("back (re-opening {})", after.reopened)),
        _ => {}
    }
    if after.flapping && !before.flapping {
        say("flapping: no more is told until it settles".to_owned());
    }
}

/// The line of an end.
pub(super) fn over(incident: &Incident) -> String {
    format!("over: {}", incident.end_reason.map_or("over", EndReason::as_str))
}

/// `new run 4711…, restored from …`: another run than before, or another checkpoint under it.
fn run_line(before: &Incident, after: &Incident) -> Option<String> {
    let (was, is) = (before.run.as_ref()?, after.run.as_ref()?);
    let mut said = match was {
        _ if was == is => None,
        was if was.job_id == is.job_id => Some(format!("run {} began anew", is.job_id)),
        _ => Some(format!("new run {}", is.job_id)),
    };
    if let Some(path) = &after.restored_from
        && before.restored_from != after.restored_from
    {
        let restored = format!("restored from {path}");
        said = Some(said.map_or(restored.clone(), |said| format!("{said}, {restored}")));
    }
    said
}

#[cfg(test)]
#[path = "transition_tests.rs"]
mod tests;
