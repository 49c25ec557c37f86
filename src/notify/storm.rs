//! Storms: when a receiver would hear of too much at once, it hears of all of it together.

use std::collections::BTreeSet;

use super::Storm;
use super::pipeline::{Pipeline, is_opening};
use crate::incidents::Incidents;
use crate::model::{ChannelId, Incident, NoticeReason, Severity, Time};

/// Openings remembered per receiver.
const REMEMBERED: usize = 10_000;

/// Whether what waits for a channel is a storm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Storming {
    /// Nothing unusual.
    No,
    /// A storm was told a moment ago: what follows is collected.
    Told,
    /// Enough for a storm message.
    Many,
    /// There were many openings, but only a few of them wait.
    Few,
}

impl Pipeline {
    /// Counts an opening for each receiver that is to hear of it.
    pub(super) fn note_opening(&mut self, time: Time, incident: &Incident, incidents: &Incidents) {
        // What another incident explains is told in its name; what is silenced, to nobody.
        if incident.inhibited_by.is_some()
            || incidents.silences().hiding(incident, time.wall).is_some()
        {
            return;
        }
        let critical = incident.severity == Severity::Critical;
        let routes = self.routes(incident).into_iter().filter(|route| {
            route.hours.muted_by(time.wall).is_none() && (critical || route.hold_until.is_none())
        });
        let receivers: BTreeSet<String> = routes.map(|r| r.receiver.clone()).collect();
        let own = self.settings.receivers.values().filter_map(|r| r.storm).map(|s| s.within).max();
        let longest = own.unwrap_or_default().max(self.settings.storm.within);
        let keep_from = time.steady - longest * 4;
        for receiver in receivers {
            let times = self.openings.entry(receiver).or_default();
            // In order, as time is.
            let old = times.partition_point(|at| *at < keep_from);
            times.drain(..old);
            if times.len() < REMEMBERED {
                times.push(time.steady);
            }
        }
    }

    fn storm_of(&self, receiver: &str) -> Storm {
        let own = self.settings.receivers.get(receiver).and_then(|r| r.storm);
        own.unwrap_or(self.settings.storm)
    }

    /// What is to be done about all that waits for a channel.
    pub(super) fn storm(&self, time: Time, to: &ChannelId, waiting: &[u64]) -> Storming {
        let storm = self.storm_of(&to.receiver);
        let enough = storm.incidents as usize;
        // Reminders are no storm: what they say is known.
        let notices = waiting.iter().filter_map(|id| self.notices.get(id));
        let news = notices.filter(|n| n.reason != NoticeReason::Repeat);
        let incidents: BTreeSet<u64> = news.clone().map(|n| n.incident).collect();
        let many = incidents.len() >= enough;
        let recently = || {
            let from = time.steady - storm.within;
            let openings = self.openings.get(&to.receiver);
            let recent = openings.map_or(0, |times| times.iter().filter(|at| **at >= from).count());
            recent >= enough && news.clone().any(|n| is_opening(n.reason))
        };
        if !many && !recently() {
            return Storming::No;
        }
        if self.storms.get(to).is_some_and(|at| *at > time.steady) {
            return Storming::Told;
        }
        if many { Storming::Many } else { Storming::Few }
    }

    /// From now on what follows is collected.
    pub(super) fn begin_storm(&mut self, time: Time, to: &ChannelId) {
        let interval = self.settings.route.group_interval;
        self.storms.insert(to.clone(), time.steady + interval);
    }
}
