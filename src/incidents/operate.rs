//! What people do to incidents: take them, give them back, close them, retire their job.

use std::collections::BTreeSet;

use super::{Incidents, News, Stepped, transition};
use crate::model::{
    Acknowledgement, Change, EndReason, Incident, IncidentState, JobKey, NoticeReason, Refusal,
    RuleId, Subject, Time,
};

/// Who says so, and why.
#[derive(Debug, Clone, Copy)]
pub struct Word<'a> {
    /// Who.
    pub by: &'a str,
    /// In their words; may be empty.
    pub comment: &'a str,
}

impl Word<'_> {
    /// `acknowledged by ops: looking into it`.
    fn line(&self, what: &str) -> String {
        let Word { by, comment } = self;
        let reason = if comment.is_empty() { String::new() } else { format!(": {comment}") };
        format!("{what} by {by}{reason}")
    }
}

/// What was done, in words; nothing where it was so already.
#[derive(Debug, Default)]
pub struct Done {
    /// For who asked.
    pub said: String,
    /// Rows and news.
    pub stepped: Stepped,
    /// False where it was so already.
    pub changed: bool,
}

impl Incidents {
    /// Somebody has it: reminders stop, what gets worse and the end are still told. A second one
    /// takes it over from the first.
    ///
    /// # Errors
    /// When there is no such incident, or it is over.
    pub fn acknowledge(&mut self, time: Time, id: u64, word: Word<'_>) -> Result<Done, Refusal> {
        let incident = self.open_one(id)?;
        let before = incident.acknowledged.take();
        if let Some(known) = &before
            && known.by == word.by
            && (word.comment.is_empty() || known.comment == word.comment)
        {
            let said = format!("#{id} is acknowledged by {} already", known.by);
            incident.acknowledged = before;
            return Ok(Done { said, ..Done::default() });
        }
        incident.state = IncidentState::Acknowledged;
        incident.acknowledged = Some(Acknowledgement {
            by: word.by.to_owned(),
            at: time.wall,
            comment: word.comment.to_owned(),
        });
        let from = before.filter(|known| known.by != word.by);
        let from = from.map(|known| format!(", taken over from {}", known.by)).unwrap_or_default();
        let line = word.line("acknowledged") + &from;
        let said = format!("#{id} acknowledged{from}; no reminders until it gets worse or is over");
        Ok(changed(incident, time, line, said))
    }

    /// Nobody has it any more: reminders go on.
    ///
    /// # Errors
    /// When there is no such incident, or it is over.
    pub fn unacknowledge(&mut self, time: Time, id: u64, word: Word<'_>) -> Result<Done, Refusal> {
        let incident = self.open_one(id)?;
        if incident.state == IncidentState::Open {
            let said = format!("#{id} is not acknowledged");
            return Ok(Done { said, ..Done::default() });
        }
        incident.state = IncidentState::Open;
        incident.acknowledged = None;
        incident.nobodys_since = Some(time.steady);
        let said = format!("#{id} is open again; reminders go on");
        Ok(changed(incident, time, word.line("acknowledgement taken back"), said))
    }

    /// Ends it. What still fires must stop once before it opens an incident again.
    ///
    /// # Errors
    /// When there is no such incident, or it is over.
    pub fn close(&mut self, time: Time, id: u64, word: Word<'_>) -> Result<Done, Refusal> {
        let incident = self.open_one(id)?;
        let firing = incident.members.iter().filter(|member| member.firing);
        let firing: BTreeSet<RuleId> = firing.map(|member| member.rule.clone()).collect();
        let names: BTreeSet<&str> = firing.iter().map(|rule| rule.alert.as_str()).collect();
        let shut = names.into_iter().collect::<Vec<_>>().join(", ");
        transition::end(incident, time, EndReason::Closed);
        let (mut line, mut said) = (word.line("closed"), format!("#{id} closed"));
        if !shut.is_empty() {
            line = format!("{line} ({shut} still true: nothing is said of that until it stopped)");
            said = format!(
                "{said}; {shut} is still true: it opens no incident again until it has stopped once"
            );
        }
        let (subject, aspect) = (incident.subject.clone(), incident.aspect.clone());
        let mut done = changed(incident, time, line, said);
        done.stepped.news.push(News { incident: id, reason: NoticeReason::Resolved });
        self.shut.close(id, &subject, &aspect, firing, &mut done.stepped.changes);
        Ok(done)
    }

    /// The job is gone for good: its incidents are over, and what it does should it ever come back
    /// is another story. Says how many ended.
    pub fn retire(&mut self, time: Time, key: &JobKey, word: Word<'_>) -> (usize, Stepped) {
        let subject = Subject::Job(key.clone());
        let mut out = Stepped::default();
        let ids: Vec<u64> =
            self.current.remove(&subject).unwrap_or_default().into_values().collect();
        for id in ids {
            let Some(incident) = self.by_id.get_mut(&id).filter(|i| i.is_open()) else { continue };
            transition::end(incident, time, EndReason::Retired);
            let ended = changed(incident, time, word.line("job retired"), String::new());
            out.changes.extend(ended.stepped.changes);
            out.news.push(News { incident: id, reason: NoticeReason::Resolved });
        }
        self.shut.retain(&|other| *other != subject, &mut out.changes);
        (out.news.len(), out)
    }

    fn open_one(&mut self, id: u64) -> Result<&mut Incident, Refusal> {
        let Some(incident) = self.by_id.get_mut(&id) else {
            return Err(Refusal::NotFound(format!("no incident #{id} is open")));
        };
        if incident.is_open() {
            return Ok(incident);
        }
        let how = incident.end_reason.map_or("over", EndReason::as_str);
        Err(Refusal::Conflict(format!("#{id} is over already ({how})")))
    }
}

fn changed(incident: &Incident, time: Time, what: String, said: String) -> Done {
    let mut stepped = Stepped::default();
    stepped.changes.push(Change::Incident(Box::new(incident.clone())));
    stepped.changes.push(Change::Event { incident: incident.id, at: time.wall, what });
    Done { said, stepped, changed: true }
}

#[cfg(test)]
#[path = "operate_tests.rs"]
mod tests;
