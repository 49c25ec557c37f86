//! Alerts from outside that fire, and until when: what a sender says, held against what is known.
//!
//! Alertmanager's semantics: the label set is the identity, the earliest start and the latest end
//! count, an end in the past is the end, and what is not sent again in time is over. Beyond it: an
//! alert is a row of the general table (`Change::Meta`), so nothing is lost with the process.
//!
//! Whoever sends does so again each minute, and that must cost nothing. So an end that is put off is
//! put off by more than was asked for, and what is inside that is no news: neither a row nor a turn
//! of the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::InboundSettings;
use crate::model::{Change, Loaded, Posted, Time, Ts};

/// Prefix of the rows' names; the fingerprint follows.
const ROW: &str = "inbound/";
/// An end that nobody looked at for so long passed while Weir did not turn: it was down, asleep, or
/// could not write its store and sent everybody away.
const LATE: Duration = Duration::from_secs(30);

/// An alert that fires.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::incidents) struct Held {
    /// What was sent last and taken in.
    pub(in crate::incidents) posted: Posted,
    /// Steady time until which it fires, unless it is sent again.
    pub(in crate::incidents) until: Ts,
    /// Steady time when its words last changed.
    #[serde(default)]
    reworded: Option<Ts>,
}

impl Held {
    /// In these very words.
    fn says(&self, posted: &Posted) -> bool {
        self.posted.annotations == posted.annotations
            && self.posted.generator_url == posted.generator_url
    }
}

/// What a post is, held against what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::incidents) enum Judged {
    /// Known already, or over and never heard of.
    Nothing,
    /// There are too many.
    NoRoom,
    /// It begins, and fires until then.
    Begins(Ts),
    /// It is over.
    Ends,
    /// It goes on until then, with the words it brings.
    GoesOn(Ts),
}

/// All that fire.
#[derive(Debug, Default)]
pub(in crate::incidents) struct Inbound {
    held: BTreeMap<String, Held>,
    by_end: BTreeSet<(Ts, String)>,
    /// Steady time of the last step a former process kept.
    kept: Option<Ts>,
}

impl Inbound {
    /// Goes on where a former process was.
    pub(in crate::incidents) fn restore(loaded: &Loaded) -> Inbound {
        let mut inbound = Inbound { kept: loaded.steady(), ..Inbound::default() };
        let rows = loaded.meta.iter().filter(|(name, _)| name.starts_with(ROW));
        for held in rows.filter_map(|(_, body)| serde_json::from_str::<Held>(body).ok()) {
            inbound.insert(held.posted.fingerprint(), held);
        }
        inbound
    }

    /// The process begins. Nobody could send while there was none, and whoever does sends again
    /// within the time after which it would count as over: that long, nothing ends for want of it.
    pub(in crate::incidents) fn begin(&mut self, time: Time, settings: &InboundSettings) {
        // A clock that was far ahead wrote ends that are as far away.
        let ahead = self.kept.map_or(Duration::ZERO, |kept| kept.since(time.steady));
        let earliest = time.steady + settings.resolve_timeout;
        for (print, mut held) in std::mem::take(&mut self.held) {
            held.until = (held.until - ahead).max(earliest);
            held.reworded = held.reworded.map(|at| at.min(time.steady));
            self.held.insert(print, held);
        }
        self.by_end = self.held.iter().map(|(print, held)| (held.until, print.clone())).collect();
    }

    pub(in crate::incidents) fn get(&self, print: &str) -> Option<&Held> {
        self.held.get(print)
    }

    pub(in crate::incidents) fn is_held(&self, print: &str) -> bool {
        self.held.contains_key(print)
    }

    /// What a post is. Decides nothing twice: what is taken in is `Nothing` when it comes again.
    pub(in crate::incidents) fn judge(
        &self,
        time: Time,
        settings: &InboundSettings,
        print: &str,
        posted: &Posted,
    ) -> Judged {
        let ends = match posted.ends_at {
            // By the calendar it was sent with; from here on it is a span, whatever the clock does.
            Some(at) => time.steady.shifted(at.0.saturating_sub(time.wall.0)),
            None => time.steady + settings.resolve_timeout,
        };
        let is_over = ends <= time.steady;
        let Some(held) = self.held.get(print) else {
            if is_over {
                return Judged::Nothing;
            }
            let full = self.held.len() >= settings.max_alerts;
            return if full { Judged::NoRoom } else { Judged::Begins(ends) };
        };
        if is_over {
            return Judged::Ends;
        }
        if ends > held.until {
            let ahead = ends.since(time.steady) / 2;
            return Judged::GoesOn(ends + ahead.min(settings.resolve_timeout));
        }
        // A value in its words changes with each evaluation: not each of them is worth a row.
        let pause = settings.resolve_timeout / 2;
        let lately = held.reworded.is_some_and(|at| time.steady.since(at) < pause);
        if held.says(posted) || lately { Judged::Nothing } else { Judged::GoesOn(held.until) }
    }

    /// It fires until then.
    pub(in crate::incidents) fn take(
        &mut self,
        time: Time,
        print: &str,
        posted: &Posted,
        until: Ts,
        changes: &mut Vec<Change>,
    ) {
        let mut held = Held { posted: posted.clone(), until, reworded: None };
        if let Some(before) = self.remove(print) {
            let reworded = (!before.says(posted)).then_some(time.steady);
            held.reworded = reworded.or(before.reworded);
            let starts = [before.posted.starts_at, held.posted.starts_at];
            held.posted.starts_at = starts.into_iter().flatten().min();
        }
        changes.push(row(print, Some(&held)));
        self.insert(print.to_owned(), held);
    }

    /// It is over.
    pub(in crate::incidents) fn end(&mut self, print: &str, changes: &mut Vec<Change>) {
        if self.remove(print).is_some() {
            changes.push(row(print, None));
        }
    }

    /// Those whose end has passed. One that passed unseen waits once more for its sender.
    pub(in crate::incidents) fn due(
        &mut self,
        time: Time,
        settings: &InboundSettings,
    ) -> Vec<String> {
        let mut due = Vec::new();
        while let Some((until, print)) = self.by_end.first().cloned()
            && until <= time.steady
        {
            self.by_end.pop_first();
            if time.steady.since(until) <= LATE {
                due.push(print);
                continue;
            }
            let again = time.steady + settings.resolve_timeout;
            if let Some(held) = self.held.get_mut(&print) {
                held.until = again;
                self.by_end.insert((again, print));
            }
        }
        due
    }

    /// The next steady time at which one ends.
    pub(in crate::incidents) fn next_end(&self) -> Option<Ts> {
        self.by_end.first().map(|(until, _)| *until)
    }

    fn insert(&mut self, print: String, held: Held) {
        self.by_end.insert((held.until, print.clone()));
        self.held.insert(print, held);
    }

    fn remove(&mut self, print: &str) -> Option<Held> {
        let held = self.held.remove(print)?;
        self.by_end.remove(&(held.until, print.to_owned()));
        Some(held)
    }
}

/// An empty value deletes the row.
fn row(print: &str, held: Option<&Held>) -> Change {
    let value = held.and_then(|held| serde_json::to_string(held).ok()).unwrap_or_default();
    Change::Meta { key: format!("{ROW}{print}"), value }
}
