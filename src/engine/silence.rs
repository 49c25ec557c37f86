//! Silences by command: what is wanted, what it hits now, and when it ends.

use super::command::refusal;
use super::step::Engine;
use crate::incidents::{Silences, Word};
use crate::model::{
    Change, Hits, Incident, Labels, Matcher, Refusal, Replied, Reply, Silence, SilenceState,
    SilenceWish, Subject, Time, Ts, Until, matches_all,
};

/// Incidents and jobs named in a reply at most; all are counted.
const NAMED: usize = 20;

impl Engine {
    /// Silences what is wished for, or only says what that would hit.
    pub(super) fn silence(
        &mut self,
        time: Time,
        wish: &SilenceWish,
        by: &str,
        changes: &mut Vec<Change>,
    ) -> Replied {
        let wanted = self.wanted(time, wish, by)?;
        let hits = self.hits(&wanted);
        if wish.preview {
            Silences::check(time, &wanted)?;
            let said = format!("{} (nothing is silenced yet)", words(&hits));
            return Ok(Reply { said, hits: Some(hits), ..Reply::default() });
        }
        let silence = self.incidents.silences_mut().add(time, wanted, changes)?.clone();
        if silence.state(time.wall) == SilenceState::Active {
            let why = because(&silence.comment);
            let until = rfc3339(silence.ends_at);
            let what = format!("{} by {by} until {until}{why}", silence.name());
            self.note_on_hidden(time, &silence, &what, changes);
        }
        let from = if silence.starts_at > time.wall {
            rfc3339(silence.starts_at)
        } else {
            "now".to_owned()
        };
        let said = format!(
            "{} from {from} until {}: {}",
            silence.name(),
            rfc3339(silence.ends_at),
            words(&hits)
        );
        let id = Some(silence.id);
        Ok(Reply { said, changed: true, silence: id, hits: Some(hits), ..Reply::default() })
    }

    /// Ends one.
    pub(super) fn end_silence(
        &mut self,
        time: Time,
        id: u64,
        word: Word<'_>,
        changes: &mut Vec<Change>,
    ) -> Replied {
        let before = self.incidents.silences().iter().find(|s| s.id == id).cloned();
        let name = self.incidents.silences_mut().end(time, id, changes)?.name();
        if let Some(before) = before.filter(|s| s.state(time.wall) == SilenceState::Active) {
            let what = format!("{name} ended by {}{}", word.by, because(word.comment));
            self.note_on_hidden(time, &before, &what, changes);
        }
        let said = format!("{name} is over; what it held back and is still wrong is told now");
        Ok(Reply { said, changed: true, silence: Some(id), ..Reply::default() })
    }

    fn wanted(&self, time: Time, wish: &SilenceWish, by: &str) -> Result<Silence, Refusal> {
        let mut matchers: Vec<Matcher> = Vec::new();
        for text in &wish.matchers {
            let read = Matcher::parse_all(text);
            matchers.extend(read.map_err(|error| Refusal::Invalid(error.to_string()))?);
        }
        if let Some(typed) = &wish.job {
            matchers.extend(self.matchers_of(typed)?);
        }
        let starts_at = wish.starts_at.unwrap_or(time.wall);
        let ends_at = match wish.until {
            Until::At(at) => at,
            Until::After(ms) => starts_at.shifted(i64::try_from(ms).unwrap_or(i64::MAX)),
        };
        Ok(Silence {
            id: 0,
            matchers,
            only_work: wish.only_work,
            maintenance: wish.maintenance,
            hold_restarts: wish.hold_restarts,
            starts_at,
            ends_at,
            created_by: by.to_owned(),
            created_at: time.wall,
            comment: wish.comment.clone(),
        })
    }

    /// Matchers that fit one job alone.
    fn matchers_of(&self, typed: &str) -> Result<Vec<Matcher>, Refusal> {
        let key = self.job_named(typed).map_err(|error| refusal(&error))?;
        let Some(job) = self.tracker.job(&key) else { return Ok(Vec::new()) };
        let labels = self.rules.book().of_job(job);
        let names = ["cluster", "namespace", "flink_cluster", "job_name"];
        Ok(names.into_iter().map(|name| Matcher::exact(name, labels.get(name))).collect())
    }

    /// What it hits now, as if it held already.
    fn hits(&self, silence: &Silence) -> Hits {
        let mut hits = Hits::default();
        for incident in self.incidents.iter().filter(|i| i.is_open() && silence.hides(i)) {
            hits.incidents_in_all += 1;
            if hits.incidents.len() < NAMED {
                hits.incidents.push((incident.id, title(incident)));
            }
        }
        // A job has no alert yet: what is asked of an alert may come true.
        let of_alert = |m: &&Matcher| m.name != "alertname" && m.name != "severity";
        let matchers: Vec<Matcher> = silence.matchers.iter().filter(of_alert).cloned().collect();
        for (key, job) in self.tracker.jobs() {
            let labels: Labels = self.rules.book().of_job(job);
            if matches_all(&matchers, &labels) {
                hits.jobs_in_all += 1;
                if hits.jobs.len() < NAMED {
                    hits.jobs.push(key.0.clone());
                }
            }
        }
        hits
    }

    /// Lines about the silences that began or expired by themselves. Before anything else of a turn:
    /// what is ordered in it is said by the order.
    pub(super) fn note_silences(&mut self, time: Time, changes: &mut Vec<Change>) {
        for silence in self.incidents.silences_mut().changed(time.wall) {
            let what = match silence.state(time.wall) {
                SilenceState::Expired => format!("{} expired", silence.name()),
                _ => format!(
                    "{} by {} begins, until {}{}",
                    silence.name(),
                    silence.created_by,
                    rfc3339(silence.ends_at),
                    because(&silence.comment)
                ),
            };
            self.note_on_hidden(time, &silence, &what, changes);
        }
    }

    /// A line in the timeline of every open incident it hides.
    fn note_on_hidden(&self, time: Time, silence: &Silence, what: &str, changes: &mut Vec<Change>) {
        let hidden = self.incidents.iter().filter(|i| i.is_open() && silence.hides(i));
        changes.extend(hidden.map(|incident| Change::Event {
            incident: incident.id,
            at: time.wall,
            what: what.to_owned(),
        }));
    }
}

fn because(comment: &str) -> String {
    if comment.is_empty() { String::new() } else { format!(": {comment}") }
}

fn words(hits: &Hits) -> String {
    let several = |n: usize, one: &str| {
        if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
    };
    format!(
        "{} and {} match now",
        several(hits.incidents_in_all, "open incident"),
        several(hits.jobs_in_all, "job")
    )
}

fn title(incident: &Incident) -> String {
    if incident.is_external() {
        return incident.external_name();
    }
    let name = match &incident.subject {
        Subject::Job(key) => match incident.labels.get("job_name") {
            "" => key.0.as_str(),
            name => name,
        },
        Subject::Cluster(_, name) | Subject::Source(name) => name,
        Subject::Channel(id) => &id.channel,
        Subject::External(print) => print,
    };
    format!("{name}: {}", incident.rule)
}

fn rfc3339(at: Ts) -> String {
    jiff::Timestamp::from_millisecond(at.0)
        .ok()
        .and_then(|at| at.round(jiff::Unit::Second).ok())
        .map_or_else(|| at.0.to_string(), |at| at.to_string())
}

#[cfg(test)]
#[path = "silence_tests.rs"]
mod tests;
