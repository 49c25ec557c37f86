//! Holds what came of a story against what was expected of it.

use std::fmt::Write as _;

use super::build::Story;
use super::play::Played;
use super::raw::{RawAlert, RawAt, RawIncident, RawMessage};
use super::raw_expect::RawEnd;
use super::report::Mismatch;
use super::times::Moment;
use crate::model::{Alert, AlertState, Incident, Subject};
use crate::yaml::{At, Place};

/// Everything that is not as expected, in the order of the file.
pub(super) fn judge(story: &Story, played: &Played) -> Vec<Mismatch> {
    let mut found = Vec::new();
    for at in &story.expect.alerts {
        found.extend(alerts(at, story, played));
    }
    for never in &story.expect.never {
        let fired = played
            .firings()
            .find(|(_, alert)| never.value == "*" || alert.rule.alert == never.value);
        if let Some((at, alert)) = fired {
            found.push(Mismatch {
                line: never.place.line,
                at: Some(at),
                what: format!("{} fires, which it never must", alert.rule.alert),
                expected: String::new(),
                came: shown(alert),
            });
        }
    }
    if let Some(expected) = &story.expect.incidents {
        found.extend(incidents(expected, story, played));
    }
    if let Some(expected) = &story.expect.messages {
        found.extend(messages(expected, played));
    }
    found.sort_by_key(|mismatch| mismatch.line);
    found
}

fn alerts(expected: &At<RawAt>, story: &Story, played: &Played) -> Option<Mismatch> {
    let RawAt { at, during, firing, pending } = &expected.value;
    let looks: Vec<i64> = match (at, during) {
        (Some(at), _) => vec![at.0],
        (None, Some(spans)) => {
            let all = (0..=story.until / story.poll).map(|n| n * story.poll);
            all.filter(|t| spans.contain(*t)).collect()
        }
        (None, None) => Vec::new(),
    };
    let mut before: Option<Vec<String>> = None;
    for t in looks {
        let now = played.alerts_at(t);
        // Nothing changed since the last look, which was as expected.
        let all: Vec<String> =
            now.values().map(|a| format!("{:?} {}", a.state, shown(a))).collect();
        if before.as_ref() == Some(&all) {
            continue;
        }
        before = Some(all);
        for (state, word, list) in
            [(AlertState::Firing, "firing", firing), (AlertState::Pending, "pending", pending)]
        {
            let Some(list) = list else { continue };
            let there: Vec<&Alert> = now.values().copied().filter(|a| a.state == state).collect();
            let matched = pair(list, &there, |e, a| alert_fits(&e.value, a));
            if matched.is_complete() {
                continue;
            }
            let expected_text = matched.expected(list, &there, |e| wanted(&e.value), |a| shown(a));
            let first = matched.missing.first().and_then(|i| list.get(*i));
            return Some(Mismatch {
                line: first.map_or(expected.place.line, |first| first.place.line),
                at: Some(Moment(t)),
                what: format!("other alerts are {word} than expected"),
                expected: expected_text,
                came: lines(there.iter().map(|a| shown(a))),
            });
        }
    }
    None
}

fn incidents(expected: &At<Vec<At<RawIncident>>>, story: &Story, played: &Played) -> Vec<Mismatch> {
    let epoch = story.world.epoch;
    let came: Vec<&Incident> = played.incidents.values().collect();
    let mut found = Vec::new();
    for (i, wanted) in expected.value.iter().enumerate() {
        let what = match came.get(i) {
            None => "an incident did not open".to_owned(),
            Some(incident) if incident_fits(&wanted.value, incident, epoch) => continue,
            Some(_) => format!("incident {} is not as expected", i + 1),
        };
        let came = came.get(i).map(|incident| incident_shown(incident, &wanted.value, epoch));
        found.push(Mismatch {
            line: wanted.place.line,
            at: wanted.value.opened,
            what,
            expected: incident_wanted(&wanted.value),
            came: came.unwrap_or_default(),
        });
    }
    for incident in came.iter().skip(expected.value.len()) {
        found.push(Mismatch {
            line: expected.place.line,
            at: Some(Moment(incident.opened_at.0 - epoch)),
            what: "an incident opened that is not expected".to_owned(),
            expected: String::new(),
            came: incident_shown(incident, &RawIncident::default(), epoch),
        });
    }
    found
}

fn messages(expected: &At<Vec<At<RawMessage>>>, played: &Played) -> Vec<Mismatch> {
    let came = played.messages();
    let mut found = Vec::new();
    for (i, At { value: wanted, place }) in expected.value.iter().enumerate() {
        let Some((at, message)) = came.get(i) else {
            found.push(Mismatch {
                line: place.line,
                at: wanted.at,
                what: format!("message {} was not sent", i + 1),
                expected: message_wanted(wanted),
                came: String::new(),
            });
            continue;
        };
        let body = trimmed(&message.frozen.body);
        found.extend(message_differs(wanted, *place, *at, &message.to.receiver, &body, i + 1));
    }
    for (at, message) in came.iter().skip(expected.value.len()) {
        found.push(Mismatch {
            line: expected.place.line,
            at: Some(*at),
            what: format!("a message to {} that is not expected", message.to.receiver),
            expected: String::new(),
            came: trimmed(&message.frozen.body),
        });
    }
    if let Some(at) = played.waits_until {
        found.push(Mismatch {
            line: expected.place.line,
            at: Some(at),
            what: format!("a message waits at the end; set `until` to {at} or later"),
            expected: String::new(),
            came: format!("a message at {at}"),
        });
    }
    found
}

fn message_differs(
    wanted: &RawMessage,
    place: Place,
    at: Moment,
    receiver: &str,
    body: &str,
    number: usize,
) -> Option<Mismatch> {
    let differs = |what: String, expected: String, came: String| {
        Some(Mismatch { line: place.line, at: Some(at), what, expected, came })
    };
    if wanted.at.is_some_and(|wanted| wanted != at)
        || wanted.receiver.as_ref().is_some_and(|wanted| wanted != receiver)
    {
        let what = format!("message {number} went at another time, or to another receiver");
        let to = |at: String, receiver: &str| format!("at {at} to {receiver}");
        let expected = to(
            wanted.at.map_or_else(|| "any time".to_owned(), |m| m.to_string()),
            wanted.receiver.as_deref().unwrap_or("anybody"),
        );
        return differs(what, expected, format!("{}\n{body}", to(at.to_string(), receiver)));
    }
    if let Some(text) = &wanted.text
        && trimmed(text) != body
    {
        return differs(
            format!("message {number} has another text"),
            trimmed(text),
            body.to_owned(),
        );
    }
    let first = body.lines().next().unwrap_or_default();
    if let Some(title) = &wanted.title
        && title.trim() != first.trim()
    {
        let what = format!("message {number} has another title");
        return differs(what, title.trim().to_owned(), first.trim().to_owned());
    }
    if let Some(text) = wanted.contains.0.iter().find(|text| !body.contains(text.trim_end())) {
        let what = format!("message {number} does not contain a text");
        return differs(what, text.clone(), body.to_owned());
    }
    if let Some(text) = wanted.lacks.0.iter().find(|text| body.contains(text.trim_end())) {
        let what = format!("message {number} contains `{}`", text.trim_end());
        return differs(what, String::new(), body.to_owned());
    }
    None
}

/// Without blanks at the ends of lines and of the whole.
fn trimmed(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().map(str::trim_end).collect();
    lines.join("\n")
}

/// Who of two lists belongs together.
struct Paired {
    /// Expected, not there.
    missing: Vec<usize>,
    /// There, and as expected.
    fitting: Vec<usize>,
    all: usize,
}

fn pair<E, A>(expected: &[E], there: &[A], fits: impl Fn(&E, &A) -> bool) -> Paired {
    let mut paired = Paired { missing: Vec::new(), fitting: Vec::new(), all: there.len() };
    for (i, wanted) in expected.iter().enumerate() {
        let free = |j: &usize| !paired.fitting.contains(j);
        let hit = (0..there.len()).filter(free).find(|j| fits(wanted, &there[*j]));
        match hit {
            Some(j) => paired.fitting.push(j),
            None => paired.missing.push(i),
        }
    }
    paired
}

impl Paired {
    fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.fitting.len() == self.all
    }

    /// What was expected, in the words of what came where both agree: the diff shows the rest.
    fn expected<E, A>(
        &self,
        expected: &[E],
        there: &[A],
        wanted: impl Fn(&E) -> String,
        shown: impl Fn(&A) -> String,
    ) -> String {
        let agreed =
            (0..there.len()).filter(|j| self.fitting.contains(j)).map(|j| shown(&there[j]));
        let missing = self.missing.iter().filter_map(|i| expected.get(*i)).map(wanted);
        lines(agreed.chain(missing))
    }
}

fn lines(texts: impl Iterator<Item = String>) -> String {
    texts.collect::<Vec<_>>().join("\n")
}

fn alert_fits(wanted: &RawAlert, alert: &Alert) -> bool {
    let RawAlert { alert: name, job, cluster, source, severity, labels, summary } = wanted;
    *name == alert.rule.alert
        && subject_fits(job.as_ref(), cluster.as_ref(), source.as_ref(), &alert.subject, || {
            alert.labels.get("job_name").to_owned()
        })
        && severity.as_ref().is_none_or(|s| s == alert.rule.severity.as_str())
        && labels.iter().all(|(name, value)| alert.labels.get(name) == value)
        && summary.as_ref().is_none_or(|s| alert.annotations.get("summary") == Some(s))
}

fn subject_fits(
    job: Option<&String>,
    cluster: Option<&String>,
    source: Option<&String>,
    subject: &Subject,
    job_name: impl Fn() -> String,
) -> bool {
    if job.is_none() && cluster.is_none() && source.is_none() {
        return true;
    }
    match subject {
        Subject::Job(key) => {
            cluster.is_none()
                && job.is_some_and(|job| *job == job_name() || *job == key.0)
                && source.is_none_or(|s| key.0.starts_with(&format!("{s}/")))
        }
        Subject::Cluster(of, name) => {
            job.is_none() && cluster == Some(name) && source.is_none_or(|s| s == of)
        }
        Subject::Source(name) => job.is_none() && cluster.is_none() && source == Some(name),
        Subject::Channel(_) | Subject::External(_) => false,
    }
}

fn shown(alert: &Alert) -> String {
    let Alert { rule, subject, labels, annotations, .. } = alert;
    let mut text = format!("{} {subject} {}", rule.alert, rule.severity.as_str());
    if let Some(team) = labels.0.get("team") {
        write!(text, " team={team}").ok();
    }
    if let Some(summary) = annotations.get("summary") {
        write!(text, " \"{summary}\"").ok();
    }
    text
}

fn wanted(alert: &RawAlert) -> String {
    let RawAlert { alert, job, cluster, source, severity, labels, summary } = alert;
    let mut text = alert.clone();
    for (name, value) in [("job", job), ("cluster", cluster), ("source", source), ("", severity)] {
        if let Some(value) = value {
            let colon = if name.is_empty() { "" } else { ":" };
            write!(text, " {name}{colon}{value}").ok();
        }
    }
    for (name, value) in labels {
        write!(text, " {name}={value}").ok();
    }
    if let Some(summary) = summary {
        write!(text, " \"{summary}\"").ok();
    }
    text
}

fn incident_fits(wanted: &RawIncident, incident: &Incident, epoch: i64) -> bool {
    let name = || incident.labels.get("job_name").to_owned();
    let RawIncident { job, cluster, source, .. } = wanted;
    subject_fits(job.as_ref(), cluster.as_ref(), source.as_ref(), &incident.subject, name)
        && incident_wanted_fields(wanted)
            .iter()
            .zip(incident_fields(incident, epoch))
            .all(|((_, wanted), (_, came))| wanted.as_ref().is_none_or(|w| *w == came))
}

/// In one order with [`incident_fields`].
fn incident_wanted_fields(wanted: &RawIncident) -> [(&'static str, Option<String>); 8] {
    let resolved = wanted.resolved.map(|end| match end {
        RawEnd::Never => "never".to_owned(),
        RawEnd::At(moment) => moment.to_string(),
    });
    let alerts = wanted.alerts.clone().map(|mut names| {
        names.sort();
        names.join(" ")
    });
    [
        ("aspect", wanted.aspect.clone()),
        ("severity", wanted.severity.clone()),
        ("opened", wanted.opened.map(|m| m.to_string())),
        ("resolved", resolved),
        ("reason", wanted.reason.clone()),
        ("alerts", alerts),
        ("reopened", wanted.reopened.map(|n| n.to_string())),
        ("failures", wanted.failures.map(|n| n.to_string())),
    ]
}

fn incident_fields(incident: &Incident, epoch: i64) -> [(&'static str, String); 8] {
    let moment = |at: crate::model::Ts| Moment(at.0 - epoch).to_string();
    let resolved = incident.resolved_at.filter(|_| !incident.is_open());
    let mut alerts: Vec<&str> = incident.members.iter().map(|m| m.rule.alert.as_str()).collect();
    alerts.sort_unstable();
    alerts.dedup();
    [
        ("aspect", incident.aspect.to_string()),
        ("severity", incident.severity.as_str().to_owned()),
        ("opened", moment(incident.opened_at)),
        ("resolved", resolved.map_or_else(|| "never".to_owned(), moment)),
        ("reason", incident.end_reason.map_or("", crate::model::EndReason::as_str).to_owned()),
        ("alerts", alerts.join(" ")),
        ("reopened", incident.reopened.to_string()),
        ("failures", incident.occurrences.to_string()),
    ]
}

fn incident_wanted(wanted: &RawIncident) -> String {
    let subject = [("job", &wanted.job), ("cluster", &wanted.cluster), ("source", &wanted.source)];
    let subject = subject.into_iter().filter_map(|(n, v)| Some(format!("{n}: {}", v.as_ref()?)));
    let fields = incident_wanted_fields(wanted).into_iter();
    let fields = fields.filter_map(|(name, value)| Some(format!("{name}: {}", value?)));
    lines(subject.chain(fields))
}

/// The fields that were asked for; all of them where none was.
fn incident_shown(incident: &Incident, wanted: &RawIncident, epoch: i64) -> String {
    let asked = incident_wanted_fields(wanted);
    let all = asked.iter().all(|(_, value)| value.is_none());
    let (kind, name) = match &incident.subject {
        Subject::Job(key) => match incident.labels.get("job_name") {
            "" => ("job", key.0.clone()),
            name => ("job", name.to_owned()),
        },
        Subject::Cluster(_, name) => ("cluster", name.clone()),
        Subject::Source(name) => ("source", name.clone()),
        Subject::Channel(id) => ("channel", id.to_string()),
        Subject::External(_) => ("external", incident.external_name()),
    };
    let fields = incident_fields(incident, epoch).into_iter().zip(asked);
    let fields = fields
        .filter(|((_, came), (_, wanted))| (all && !came.is_empty()) || wanted.is_some())
        .map(|((name, value), _)| format!("{name}: {value}"));
    lines(std::iter::once(format!("{kind}: {name}")).chain(fields))
}

fn message_wanted(wanted: &RawMessage) -> String {
    let title = wanted.title.iter().cloned();
    let text = wanted.text.iter().map(|t| trimmed(t));
    let contains = wanted.contains.0.iter().map(|t| format!("… {t} …"));
    let all = lines(text.chain(title).chain(contains));
    if all.is_empty() { "a message".to_owned() } else { all }
}
