//! Storms: when a receiver would hear of too much at once, it hears of all of it together.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Storm;
use super::pipeline::{Pipeline, is_opening};
use crate::incidents::Incidents;
use crate::model::{
    ChannelId, Incident, Manner, Message, MessageKind, Notice, NoticeReason, Severity, Time, Ts,
};

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

/// What a storm message tells of. Many that end hold back no news of what begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum StormOf {
    News,
    /// Everything it tells of is over.
    Ends,
}

/// Steady times at which channels may speak of the next storm.
pub(super) type Storms = BTreeMap<(ChannelId, StormOf), Ts>;

/// The same from messages and their notices.
pub(super) fn restore(messages: &[Message], notices: &[Notice], interval: Duration) -> Storms {
    let told = notices.iter().filter_map(|n| Some((n.message?, (n.incident, n.reason))));
    let mut over: BTreeMap<(u64, u64), bool> = BTreeMap::new();
    for (message, (incident, reason)) in told {
        *over.entry((message, incident)).or_default() |= reason == NoticeReason::Resolved;
    }
    let of = |id: u64| {
        let mut incidents = over.range((id, 0)..=(id, u64::MAX)).map(|(_, over)| *over);
        // One that tells of nothing was written anew.
        let first = incidents.next()?;
        Some(if first && incidents.all(|over| over) { StormOf::Ends } else { StormOf::News })
    };
    // What brings a storm's message up to date is none.
    let storms =
        messages.iter().filter(|m| m.kind == MessageKind::Storm && m.manner == Manner::Fresh);
    storms.filter_map(|m| Some(((m.to.clone(), of(m.id)?), m.at_steady + interval))).collect()
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

    /// So many incidents are a storm to a channel.
    pub(super) fn storm_size(&self, to: &ChannelId) -> usize {
        self.storm_of(&to.receiver).incidents as usize
    }

    /// Parts notices into those of incidents whose end waits to be told, and the others.
    pub(super) fn ends_among(&self, waiting: &[u64]) -> (Vec<u64>, Vec<u64>) {
        let of = |id: &u64| self.notices.get(id);
        let over = waiting.iter().filter_map(of).filter(|n| n.reason == NoticeReason::Resolved);
        let over: BTreeSet<u64> = over.map(|n| n.incident).collect();
        waiting.iter().partition(|id| of(id).is_some_and(|n| over.contains(&n.incident)))
    }

    fn incidents_of(&self, ids: &[u64]) -> BTreeSet<u64> {
        let notices = ids.iter().filter_map(|id| self.notices.get(id));
        // Reminders are no storm: what they say is known.
        notices.filter(|n| n.reason != NoticeReason::Repeat).map(|n| n.incident).collect()
    }

    /// What is to be done about news that wait for a channel, those of what is over left out.
    pub(super) fn storm(&self, time: Time, to: &ChannelId, news: &[u64]) -> Storming {
        let storm = self.storm_of(&to.receiver);
        let enough = self.storm_size(to);
        let many = self.incidents_of(news).len() >= enough;
        let recently = || {
            let from = time.steady - storm.within;
            let openings = self.openings.get(&to.receiver);
            let recent = openings.map_or(0, |times| times.iter().filter(|at| **at >= from).count());
            let notices = news.iter().filter_map(|id| self.notices.get(id));
            recent >= enough && notices.into_iter().any(|n| is_opening(n.reason))
        };
        if !many && !recently() {
            return Storming::No;
        }
        let otherwise = if many { Storming::Many } else { Storming::Few };
        self.unless_told(time, to, StormOf::News, otherwise)
    }

    /// What is to be done about ends that wait for a channel.
    pub(super) fn storm_of_ends(&self, time: Time, to: &ChannelId, ends: &[u64]) -> Storming {
        let enough = self.storm_size(to);
        if self.incidents_of(ends).len() < enough {
            return Storming::No;
        }
        self.unless_told(time, to, StormOf::Ends, Storming::Many)
    }

    fn unless_told(
        &self,
        time: Time,
        to: &ChannelId,
        of: StormOf,
        otherwise: Storming,
    ) -> Storming {
        let told = self.storms.get(&(to.clone(), of)).is_some_and(|at| *at > time.steady);
        if told { Storming::Told } else { otherwise }
    }

    /// From now on what follows of its kind is collected.
    pub(super) fn begin_storm(&mut self, time: Time, to: &ChannelId, of: StormOf) {
        let interval = self.settings.route.group_interval;
        self.storms.insert((to.clone(), of), time.steady + interval);
    }

    /// When what a storm holds back may be told at the earliest.
    pub(super) fn storm_over(&self, now: Ts, to: &ChannelId) -> Option<Ts> {
        let both = [StormOf::News, StormOf::Ends].map(|of| self.storms.get(&(to.clone(), of)));
        both.into_iter().flatten().copied().filter(|at| *at > now).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::testing::{Bench, SECOND, plan};

    #[test]
    fn only_what_told_of_a_storm_begins_one() {
        let mut bench = Bench::new(vec![plan("team/a")], vec!["team"]);
        for _ in 0..6 {
            bench.open(Severity::Warning);
        }
        bench.pass(2 * SECOND);
        let message = bench.taken[0].1.clone();
        let notices: Vec<Notice> = bench.kept.notices.values().cloned().collect();
        let interval = Duration::from_secs(5);
        let restored = restore(std::slice::from_ref(&message), &notices, interval);
        let expected = ((message.to.clone(), StormOf::News), message.at_steady + interval);
        assert_eq!(restored.into_iter().collect::<Vec<_>>(), [expected]);
        // Brought up to date, and written anew.
        let manner = Manner::Edit { of: message.id, receipt: String::new() };
        let edited = Message { id: 9, manner, notices: Vec::new(), ..message.clone() };
        let empty = Message { id: 9, ..message };
        assert_eq!(restore(&[edited, empty], &notices, interval), Storms::new());
    }
}
