//! What holds a notice back before it is grouped: inhibited → silenced → muted by time → held until
//! an hour. The first that holds it is its recorded reason, which stays text in the store and the
//! API and is read back here alone; `render::held` says it to people.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Route;
use super::pipeline::Pipeline;
use crate::incidents::Incidents;
use crate::model::{Change, Incident, Notice, NoticeReason, Severity, Subject, Time, Ts};

/// The clock was set back when news are from further ahead than this (ms).
const AHEAD_MS: i64 = 24 * 3_600_000;

/// Why a notice is not in a message yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hold {
    /// This open incident explains its incident.
    Inhibited(u64),
    /// By a silence: its number and until when, in words.
    Silenced(String),
    /// The calendar of its route: the name of a time interval, or `outside of` some.
    MutedByTime(String),
    /// Kept for the digest at this wall time.
    Until(Ts),
    /// A storm message was just sent.
    Storm,
    /// The endpoint's budget is used up; the words for it.
    Budget(String),
    /// The message it would change has not been taken by its vendor yet.
    OnItsWay,
    /// The budget of edits is used up; the words for it.
    Edits(String),
}

impl Hold {
    /// What is recorded of a notice that waits.
    pub(super) fn of(notice: &Notice) -> Option<Hold> {
        notice.held_by.as_deref().and_then(Hold::parse)
    }

    /// What is written down.
    pub(super) fn parse(text: &str) -> Option<Hold> {
        let number = |text: &str| text.strip_prefix('#')?.parse::<u64>().ok();
        if let Some(root) = text.strip_prefix(INHIBITED) {
            return number(root).map(Hold::Inhibited);
        }
        if let Some(silence) = text.strip_prefix(SILENCED) {
            return Some(Hold::Silenced(silence.to_owned()));
        }
        if let Some(name) = text.strip_prefix(MUTED) {
            return Some(Hold::MutedByTime(name.to_owned()));
        }
        if let Some(at) = text.strip_prefix(UNTIL) {
            let at: Timestamp = at.parse().ok()?;
            return Some(Hold::Until(Ts(at.as_millisecond())));
        }
        match text {
            STORM => Some(Hold::Storm),
            ON_ITS_WAY => Some(Hold::OnItsWay),
            _ if text.starts_with(EDITS) => Some(Hold::Edits(text.to_owned())),
            _ if text.starts_with(BUDGET) => Some(Hold::Budget(text.to_owned())),
            _ => None,
        }
    }

    /// It was held before it could be grouped, and not by a limit on what is sent.
    pub(super) fn is_gate(&self) -> bool {
        !matches!(self, Hold::Storm | Hold::Budget(_) | Hold::OnItsWay | Hold::Edits(_))
    }

    /// Storms and budgets: what they hold back is folded or counted, never left out.
    pub(super) fn is_limit(&self) -> bool {
        matches!(self, Hold::Storm | Hold::Budget(_))
    }

    /// Whether it keeps a notice out of every message at this wall time.
    fn keeps_out(&self, now: Ts) -> bool {
        match self {
            Hold::Inhibited(_) | Hold::Silenced(_) | Hold::MutedByTime(_) => true,
            Hold::Until(at) => *at > now,
            Hold::Storm | Hold::Budget(_) | Hold::OnItsWay | Hold::Edits(_) => false,
        }
    }
}

const INHIBITED: &str = "inhibited by ";
const SILENCED: &str = "silenced by ";
const MUTED: &str = "muted by time: ";
const UNTIL: &str = "held until ";
const STORM: &str = "storm";
const BUDGET: &str = "budget";
const ON_ITS_WAY: &str = "its message is still on its way";
const EDITS: &str = "edits, ";

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hold::Inhibited(root) => write!(f, "{INHIBITED}#{root}"),
            Hold::Silenced(silence) => write!(f, "{SILENCED}{silence}"),
            Hold::MutedByTime(name) => write!(f, "{MUTED}{name}"),
            Hold::Until(at) => match Timestamp::from_millisecond(at.0) {
                Ok(at) => write!(f, "{UNTIL}{at}"),
                Err(_) => write!(f, "{UNTIL}{}", at.0),
            },
            Hold::Storm => f.write_str(STORM),
            Hold::Budget(words) | Hold::Edits(words) => f.write_str(words),
            Hold::OnItsWay => f.write_str(ON_ITS_WAY),
        }
    }
}

/// All that may hold one notice now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Facts {
    inhibited_by: Option<u64>,
    silenced_by: Option<String>,
    muted_by: Option<String>,
    /// The hour it is kept for, be it still to come or over.
    until: Option<Ts>,
}

impl Facts {
    /// The first that holds, in the order of the ledger.
    fn first(self) -> Option<Hold> {
        self.inhibited_by
            .map(Hold::Inhibited)
            .or(self.silenced_by.map(Hold::Silenced))
            .or(self.muted_by.map(Hold::MutedByTime))
            .or(self.until.map(Hold::Until))
    }
}

/// What is recorded next: what held a notice and holds it no more is taken back, what a limit holds
/// stays held by it when the hour it was kept for is over.
fn next(was: Option<Hold>, now: Ts, found: Option<Hold>) -> Option<Hold> {
    match (found, was) {
        (Some(found), Some(was)) if was.is_limit() && !found.keeps_out(now) => Some(was),
        (Some(found), _) => Some(found),
        (None, Some(was)) if was.is_gate() => None,
        (None, was) => was,
    }
}

/// A person must know now, or had to at its worst and has to hear the end of it: no hour is waited
/// for.
fn is_urgent(incident: &Incident) -> bool {
    incident.peak_rank.max(incident.rank()) >= Severity::Critical.rank()
}

impl Route {
    /// What the calendar says of news on this route that became news at `since`.
    fn held(&self, zone: &TimeZone, since: Ts, now: Ts, urgent: bool) -> Facts {
        let base =
            if since > now.shifted(AHEAD_MS) { now.shifted(-AHEAD_MS) } else { since.min(now) };
        let hour = self.hold_until.filter(|_| !urgent);
        Facts {
            muted_by: self.hours.muted_by(now),
            until: hour.and_then(|hour| hour.next_after(base, zone)),
            ..Facts::default()
        }
    }

    /// Whether the calendar holds anything on this route or below.
    pub(super) fn keeps_hours(&self) -> bool {
        !self.hours.is_empty()
            || self.hold_until.is_some()
            || self.routes.iter().any(Route::keeps_hours)
    }
}

impl Pipeline {
    /// Finds out for every notice that waits what holds it before it may be grouped.
    pub(super) fn hold_back(
        &mut self,
        time: Time,
        incidents: &Incidents,
        changes: &mut Vec<Change>,
    ) {
        let hours = self.settings.route.keeps_hours();
        let waiting = self.notices.values().filter(|n| n.message.is_none());
        let judged: Vec<(u64, Option<Hold>, Option<String>)> = waiting
            .filter_map(|notice| {
                let incident = incidents.get(notice.incident)?;
                let (mut facts, group) = if hours {
                    self.calendar(time, notice, incident)
                } else {
                    (Facts::default(), None)
                };
                // Who was told that it is open has to hear that it is over.
                if notice.reason != NoticeReason::Resolved && !notice.reason.is_mark() {
                    facts.inhibited_by = incident.inhibited_by;
                    facts.silenced_by = self.silenced_by(notice, incident, incidents, time.wall);
                }
                let was = Hold::of(notice);
                let next = next(was.clone(), time.wall, facts.first());
                (next != was || group.is_some()).then_some((notice.id, next, group))
            })
            .collect();
        for (id, hold, group) in judged {
            let Some(notice) = self.notices.get_mut(&id) else { continue };
            notice.held_by = hold.map(|hold| hold.to_string());
            if let Some(group) = group {
                notice.group = group;
            }
            changes.push(Change::Notice(Box::new(notice.clone())));
        }
    }

    /// What the calendar of its route says of a notice. Where several routes lead to its receiver,
    /// it takes one that lets it pass: the key of its group there.
    fn calendar(
        &self,
        time: Time,
        notice: &Notice,
        incident: &Incident,
    ) -> (Facts, Option<String>) {
        // That people hear nothing is never kept from them, nor that somebody has it from machines.
        if matches!(incident.subject, Subject::Channel(_)) || notice.reason.is_mark() {
            return (Facts::default(), None);
        }
        let Some(receiver) = self.receiver_of(&notice.to) else {
            return (Facts::default(), None);
        };
        let own = route_id(&notice.group);
        // Where it was escalated to goes by the hours of the route it came from, too; who stands in,
        // by those of the route of whom he stands in for.
        let reached = self.escalations.reached(incident.id, &notice.to);
        let escalates = |route: &Route| reached && route.escalates_to(&notice.to.receiver);
        let leads = |route: &&Route| {
            route.id == own || route.receiver == notice.to.receiver || escalates(route)
        };
        let labels = incident.routing_labels();
        let matching = self.settings.route.matching(&labels);
        let mut ways: Vec<&Route> = matching.into_iter().filter(leads).collect();
        if ways.is_empty() {
            // Its labels have changed: it goes on as it began.
            ways.extend(self.settings.route.find(own).filter(leads));
        }
        ways.sort_by_key(|route| route.id != own);
        let urgent = is_urgent(incident);
        let judge = |route: &Route| {
            let mut facts = route.held(&receiver.zone, notice.at, time.wall, urgent);
            // On a route that never speaks again, an end somebody waits for would wait for ever.
            let ends = notice.reason == NoticeReason::Resolved && facts.muted_by.is_some();
            if ends && route.hours.next_change(time.wall).is_none() {
                facts.muted_by = None;
            }
            facts
        };
        let open = ways.iter().find(|route| {
            let facts = judge(route);
            facts.first().is_none_or(|hold| !hold.keeps_out(time.wall))
        });
        match open.or(ways.first()) {
            None => (Facts::default(), None),
            Some(route) => {
                let group = (route.id != own).then(|| route.group_key(&incident.labels));
                (judge(route), group)
            }
        }
    }

    /// Whether nothing but time and limits keeps a notice out of a message.
    pub(super) fn may_speak(notice: &Notice, now: Ts) -> bool {
        Hold::of(notice).is_none_or(|hold| !hold.keeps_out(now))
    }

    /// Writes down what holds a notice, when that changes.
    pub(super) fn hold(&mut self, id: u64, hold: Option<&Hold>, changes: &mut Vec<Change>) {
        let text = hold.map(ToString::to_string);
        if let Some(notice) = self.notices.get_mut(&id)
            && notice.held_by != text
        {
            notice.held_by = text;
            changes.push(Change::Notice(Box::new(notice.clone())));
        }
    }

    /// When the calendar of its route changes for a notice, as steady time: wall times are looked at
    /// anew at every turn, so that a clock that is set costs a turn at most.
    pub(super) fn calendar_changes(&self, notice: &Notice, now: Time) -> Option<Ts> {
        let route = self.settings.route.find(route_id(&notice.group))?;
        Some(steady(now, route.hours.next_change(now.wall)?))
    }

    /// What holds back news of an incident by the calendar, for those who ask.
    pub fn muted(&self) -> BTreeMap<u64, String> {
        let by_time = |n: &&Notice| {
            matches!(Hold::of(n), Some(Hold::MutedByTime(_) | Hold::Until(_)))
                && n.message.is_none()
        };
        let held = self.notices.values().filter(by_time);
        held.filter_map(|n| Some((n.incident, n.held_by.clone()?))).collect()
    }
}

/// The route a group belongs to.
pub(super) fn route_id(group: &str) -> &str {
    group.split(':').next().unwrap_or_default()
}

/// A wall time to come as steady time, as clocks are now.
pub(super) fn steady(now: Time, wall: Ts) -> Ts {
    now.steady.shifted(wall.0.saturating_sub(now.wall.0))
}

#[cfg(test)]
#[path = "hold_tests.rs"]
mod tests;
