//! Silences: kept, matched, ended. Which incidents they hide; what is told when is the pipeline's.
//!
//! They are rows of the general table (`Change::Meta`): all of them are read at a start and kept in
//! memory, there are never many, and nothing looks for one by a column.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{
    Change, Incident, Labels, Loaded, Matcher, Refusal, Silence, SilenceState, Time, Ts,
};

/// That hold or will hold, at most.
const MAX: usize = 1_000;
/// Matchers of one, at most.
const MAX_MATCHERS: usize = 50;
/// What is over is shown for so long, as Alertmanager does.
const KEPT: Duration = Duration::from_hours(5 * 24);
/// None lasts longer.
const LONGEST: Duration = Duration::from_hours(366 * 24);

/// All that are known.
#[derive(Debug, Default)]
pub struct Silences {
    by_id: BTreeMap<u64, Silence>,
    /// The wall time up to which it was said what began and expired.
    told: Option<Ts>,
}

impl Silences {
    /// Goes on where a former process was.
    pub(super) fn restore(loaded: &Loaded) -> Silences {
        let rows = loaded.meta.iter().filter(|(name, _)| name.starts_with(Silence::ROW));
        let read = rows.filter_map(|(_, body)| serde_json::from_str::<Silence>(body).ok());
        Silences { by_id: read.map(|silence| (silence.id, silence)).collect(), told: None }
    }

    /// All that are remembered, by number.
    pub fn iter(&self) -> impl Iterator<Item = &Silence> {
        self.by_id.values()
    }

    /// Keeps one; the number it brings is not used. With its number, and what has to be written.
    ///
    /// # Errors
    /// When it would hide everything, nothing, or for ever; or when there are too many.
    pub fn add(
        &mut self,
        time: Time,
        wanted: Silence,
        changes: &mut Vec<Change>,
    ) -> Result<&Silence, Refusal> {
        Silences::check(time, &wanted)?;
        self.forget_old(time.wall, changes);
        let live = self.by_id.values().filter(|s| s.state(time.wall) != SilenceState::Expired);
        if live.count() >= MAX {
            return Err(Refusal::Conflict(format!(
                "there are {MAX} silences already; end some, or write one with a wider matcher"
            )));
        }
        let id = self.by_id.last_key_value().map_or(1, |(last, _)| last + 1);
        let silence = Silence { id, ..wanted };
        changes.push(row(&silence));
        Ok(self.by_id.entry(id).or_insert(silence))
    }

    /// Ends one now.
    ///
    /// # Errors
    /// When there is none of this number, or it is over.
    pub fn end(
        &mut self,
        time: Time,
        id: u64,
        changes: &mut Vec<Change>,
    ) -> Result<&Silence, Refusal> {
        let Some(silence) = self.by_id.get_mut(&id) else {
            return Err(Refusal::NotFound(format!("there is no silence #{id}")));
        };
        if silence.state(time.wall) == SilenceState::Expired {
            return Err(Refusal::Conflict(format!("{} is over already", silence.name())));
        }
        silence.starts_at = silence.starts_at.min(time.wall);
        silence.ends_at = time.wall;
        changes.push(row(silence));
        Ok(silence)
    }

    /// The silence that hides an incident at a wall time.
    pub fn hiding(&self, incident: &Incident, now: Ts) -> Option<&Silence> {
        Silence::hiding(self.by_id.values(), incident, now)
    }

    /// The next wall time at which one begins or ends.
    pub fn next_change(&self, now: Ts) -> Option<Ts> {
        let times = self.by_id.values().flat_map(|s| [s.starts_at, s.ends_at]);
        times.filter(|at| *at > now).min()
    }

    /// Those that began or expired by themselves since this was asked last; what a command began or
    /// ended did so at the very time it was given.
    pub fn changed(&mut self, now: Ts) -> Vec<Silence> {
        let Some(told) = self.told.replace(now) else { return Vec::new() };
        let changed = |at: Ts| told < at && at <= now;
        let both = |s: &&Silence| changed(s.starts_at) != changed(s.ends_at);
        self.by_id.values().filter(both).cloned().collect()
    }

    /// Refuses what nobody can have meant.
    ///
    /// # Errors
    /// When it would hide everything, nothing, or for ever.
    pub fn check(time: Time, wanted: &Silence) -> Result<(), Refusal> {
        let refuse = |text: &str| Err(Refusal::Invalid(text.to_owned()));
        if wanted.matchers.len() > MAX_MATCHERS {
            return refuse("a silence has at most 50 matchers");
        }
        let nothing = Labels::default();
        if wanted.matchers.iter().all(|matcher: &Matcher| matcher.matches(&nothing)) {
            return refuse("this would hide everything; add a matcher such as team=\"payments\"");
        }
        if wanted.ends_at <= wanted.starts_at {
            return refuse("a silence ends after it starts");
        }
        if wanted.ends_at <= time.wall {
            return refuse("the end of this silence is in the past");
        }
        if wanted.ends_at.since(time.wall) > LONGEST {
            return refuse("a silence lasts a year at most; change the rule or its route instead");
        }
        Ok(())
    }

    /// Forgets what has been over for long; never the newest, whose number counts on.
    fn forget_old(&mut self, now: Ts, changes: &mut Vec<Change>) {
        let newest = self.by_id.last_key_value().map(|(id, _)| *id);
        self.by_id.retain(|id, silence| {
            let stays = Some(*id) == newest || now.since(silence.ends_at) <= KEPT;
            if !stays {
                changes.push(Change::Meta { key: key(*id), value: String::new() });
            }
            stays
        });
    }
}

fn key(id: u64) -> String {
    format!("{}{id}", Silence::ROW)
}

fn row(silence: &Silence) -> Change {
    let value = serde_json::to_string(silence).unwrap_or_default();
    Change::Meta { key: key(silence.id), value }
}

#[cfg(test)]
#[path = "silences_tests.rs"]
mod tests;
