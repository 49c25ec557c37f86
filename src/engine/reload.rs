//! Other rules and settings come into force in one turn.

use std::collections::BTreeSet;
use std::time::Duration;

use super::step::{Engine, EngineSettings, demand_of};
use crate::model::{Change, Subject, Time};
use crate::notify::Composers;
use crate::rules::RuleSet;

/// A look at a source that left is not on its way for longer than this.
const LATE_LOOKS: Duration = Duration::from_mins(10);

/// A configuration to go on with: read, checked and whole.
pub struct Reload {
    /// Settings of all parts.
    pub settings: EngineSettings,
    /// The rules.
    pub rules: RuleSet,
    /// What writes the messages of its channels.
    pub composers: Composers,
}

impl std::fmt::Debug for Reload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reload")
            .field("sources", &self.settings.sources)
            .field("rules", &self.rules.rules.len())
            .field("channels", &self.composers.keys())
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Each part takes what is its own; then what belongs to sources and channels that left ends.
    /// The same configuration again changes nothing.
    pub(super) fn reload(&mut self, time: Time, new: Reload, changes: &mut Vec<Change>) {
        let Reload { settings, rules, composers } = new;
        let names: BTreeSet<String> = settings.sources.keys().cloned().collect();
        let left = self.settings.sources.keys().filter(|name| !names.contains(*name));
        let left: Vec<String> = left.cloned().collect();
        self.gone.retain(|name, at| {
            !names.contains(name) && time.steady.since(*at) < LATE_LOOKS && !left.contains(name)
        });
        self.gone.extend(left.iter().map(|name| (name.clone(), time.steady)));
        changes.extend(self.tracker.retain_sources(&names));
        changes.extend(self.rules.reload(rules, settings.labels.clone()));
        self.tracker.set_demand(&demand_of(&self.rules.set, &settings));
        self.restarts.reload(settings.restarts.clone());
        self.tracker.set_inventories(settings.inventories());
        self.tracker.set_platforms(settings.platforms());
        self.incidents.reload(settings.incidents.clone());
        self.pipeline.reload(time, settings.notify.clone(), composers);
        self.settings = settings;
        self.schedule_all();
        if !left.is_empty() || self.has_lost_a_channel() {
            self.unwatch(time, changes);
        }
        let (settings, pipeline) = (&self.settings, &self.pipeline);
        self.own.retain(|subject| match subject {
            Subject::Channel(id) => pipeline.sends(id),
            Subject::Source(name) => settings.sources.contains_key(name),
            _ => true,
        });
        let (tracker, rules) = (&self.tracker, &self.rules);
        self.picture.reload(time, &settings.sources, tracker, rules, pipeline);
    }

    /// Whether something open is about a channel that does not send.
    fn has_lost_a_channel(&self) -> bool {
        let lost = |subject: &Subject| match subject {
            Subject::Channel(id) => !self.pipeline.sends(id),
            _ => false,
        };
        self.incidents.iter().any(|i| i.is_open() && lost(&i.subject))
    }
}
