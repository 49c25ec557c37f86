//! What a person closed while it was still true: it stays shut until it has once stopped.
//!
//! Kept in rows of their own (`Change::Meta`, a row per closed incident) and not in the incident:
//! an alert may go on for longer than ended incidents are read at a start.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Stepped;
use crate::model::{Alert, Aspect, Change, Loaded, RuleId, Subject, Time};

/// Prefix of the rows' names; the number of the incident follows.
const ROW: &str = "shut/";

/// Alerts that were firing when a person closed their incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Closed {
    incident: u64,
    subject: Subject,
    aspect: Aspect,
    rules: BTreeSet<RuleId>,
}

/// All of them, by subject and aspect.
#[derive(Debug, Default)]
pub(super) struct Shut(BTreeMap<Subject, BTreeMap<Aspect, Closed>>);

impl Shut {
    /// Goes on where a former process was.
    pub(super) fn restore(loaded: &Loaded) -> Shut {
        let mut shut = Shut::default();
        let rows = loaded.meta.iter().filter(|(name, _)| name.starts_with(ROW));
        for closed in rows.filter_map(|(_, body)| serde_json::from_str(body).ok()) {
            shut.insert(closed);
        }
        shut
    }

    fn insert(&mut self, closed: Closed) {
        let of_subject = self.0.entry(closed.subject.clone()).or_default();
        of_subject.insert(closed.aspect.clone(), closed);
    }

    /// Shuts these alerts of an incident that was closed.
    pub(super) fn close(
        &mut self,
        incident: u64,
        subject: &Subject,
        aspect: &Aspect,
        rules: BTreeSet<RuleId>,
        changes: &mut Vec<Change>,
    ) {
        let (subject, aspect) = (subject.clone(), aspect.clone());
        let mut closed = Closed { incident, subject, aspect, rules };
        // Those an incident before this one left shut may still be true, and stay so.
        let of_subject = self.0.get_mut(&closed.subject);
        if let Some(before) = of_subject.and_then(|aspects| aspects.remove(&closed.aspect)) {
            closed.rules.extend(before.rules);
            if before.incident != incident {
                changes.push(row(before.incident, None));
            }
        }
        if closed.rules.is_empty() {
            return;
        }
        changes.push(row(incident, Some(&closed)));
        self.insert(closed);
    }

    /// The closed incident of this subject and aspect whose trouble goes on.
    pub(super) fn incident(&self, subject: &Subject, aspect: &Aspect) -> Option<u64> {
        Some(self.0.get(subject)?.get(aspect)?.incident)
    }

    /// Takes out of `firing` what is shut, and opens what was judged and does not fire any more.
    pub(super) fn heed(
        &mut self,
        time: Time,
        subject: &Subject,
        is_judged: &dyn Fn(&RuleId) -> bool,
        firing: &mut BTreeMap<Aspect, Vec<&Alert>>,
        out: &mut Stepped,
    ) {
        let Some(of_subject) = self.0.get_mut(subject) else { return };
        of_subject.retain(|aspect, closed| {
            let fires = |rule: &RuleId| {
                firing.get(aspect).is_some_and(|alerts| alerts.iter().any(|a| a.rule == *rule))
            };
            let is_over = |rule: &&RuleId| is_judged(rule) && !fires(rule);
            let over: Vec<RuleId> = closed.rules.iter().filter(is_over).cloned().collect();
            for rule in &over {
                closed.rules.remove(rule);
                let what = format!("{} stopped; it may open an incident again", rule.alert);
                out.changes.push(Change::Event { incident: closed.incident, at: time.wall, what });
            }
            let stays = !closed.rules.is_empty();
            if !over.is_empty() {
                out.changes.push(row(closed.incident, stays.then_some(&*closed)));
            }
            if let Some(alerts) = firing.get_mut(aspect) {
                alerts.retain(|alert| !closed.rules.contains(&alert.rule));
            }
            stays
        });
        firing.retain(|_, alerts| !alerts.is_empty());
        if of_subject.is_empty() {
            self.0.remove(subject);
        }
    }

    /// Forgets subjects nobody watches any more.
    pub(super) fn retain(
        &mut self,
        is_watched: &dyn Fn(&Subject) -> bool,
        changes: &mut Vec<Change>,
    ) {
        self.0.retain(|subject, aspects| {
            let watched = is_watched(subject);
            if !watched {
                changes.extend(aspects.values().map(|closed| row(closed.incident, None)));
            }
            watched
        });
    }
}

/// An empty value deletes the row.
fn row(incident: u64, closed: Option<&Closed>) -> Change {
    let value = closed.and_then(|closed| serde_json::to_string(closed).ok()).unwrap_or_default();
    Change::Meta { key: format!("{ROW}{incident}"), value }
}
