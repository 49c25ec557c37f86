//! Who would hear of something with these labels: by which way, together with what, and when.

use std::time::Duration;

use super::{Escalation, Route, Settings};
use crate::model::{Labels, Severity, Ts};

/// One route that would take it, and where that leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// From the root to the route that takes it.
    pub path: Vec<Step>,
    /// Who is told.
    pub receiver: String,
    /// Channels of the receiver: name and kind.
    pub channels: Vec<(String, String)>,
    /// Everything but the sending.
    pub shadow: bool,
    /// An earlier way leads to the same receiver, which is told once.
    pub again: bool,
    /// The labels the group is keyed by, with their values.
    pub group: Labels,
    /// Wait before the first message of a new group.
    pub group_wait: Duration,
    /// Wait between messages of a group.
    pub group_interval: Duration,
    /// First repetition.
    pub repeat_interval: Duration,
    /// What mutes the route now: a time interval, or `outside of` some.
    pub muted_by: Option<String>,
    /// Wall time when that ends; `None`: in more than a year, or never.
    pub muted_until: Option<Ts>,
    /// Wall time of the digest it would be kept for.
    pub held_until: Option<Ts>,
    /// Who is told next while nobody acknowledges it, in order of time.
    pub escalate: Vec<Onward>,
}

/// A receiver that is told later, if nobody acknowledges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Onward {
    /// So long after the receiver of the way was told.
    pub after: Duration,
    /// Who is told then.
    pub receiver: String,
    /// Channels of the receiver: name and kind.
    pub channels: Vec<(String, String)>,
}

impl Way {
    /// It leads to somebody who hears.
    pub fn is_heard(&self) -> bool {
        !self.shadow && !self.channels.is_empty()
    }
}

/// A node on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Position in the tree, such as `0.1`.
    pub id: String,
    /// Its matchers as written; none: everything.
    pub matchers: Vec<String>,
    /// Its receiver.
    pub receiver: String,
    /// Its siblings are tried, too.
    pub continues: bool,
}

impl Settings {
    /// All ways these labels would take at the wall time `now`.
    pub fn ways(&self, labels: &Labels, now: Ts) -> Vec<Way> {
        let mut ways: Vec<Way> = Vec::new();
        for route in self.route.matching(labels) {
            let again = ways.iter().any(|way| way.receiver == route.receiver);
            ways.push(self.way(route, labels, now, again));
        }
        ways
    }

    fn way(&self, route: &Route, labels: &Labels, now: Ts, again: bool) -> Way {
        let receiver = self.receivers.get(&route.receiver);
        let muted_by = route.hours.muted_by(now);
        let urgent = labels.get("severity") == Severity::Critical.as_str();
        let hour = route.hold_until.filter(|_| !urgent);
        Way {
            path: self.route.path_to(&route.id),
            receiver: route.receiver.clone(),
            channels: self.channels_of(&route.receiver),
            shadow: receiver.map_or(self.shadow, |r| r.shadow),
            again,
            group: route.group_labels(labels),
            group_wait: route.group_wait,
            group_interval: route.group_interval,
            repeat_interval: route.repeat_interval,
            muted_until: muted_by.as_ref().and_then(|_| route.hours.next_change(now)),
            muted_by,
            escalate: self.onward(route, labels),
            held_until: hour
                .zip(receiver)
                .and_then(|(hour, receiver)| hour.next_after(now, &receiver.zone)),
        }
    }

    fn onward(&self, route: &Route, labels: &Labels) -> Vec<Onward> {
        let severity = Severity::parse(labels.get("severity")).unwrap_or_default();
        let silent = |name: &str| self.receivers.get(name).is_some_and(|r| r.shadow);
        let steps = route.escalations(severity);
        let steps = steps.filter(|step| silent(&step.receiver) || !silent(&route.receiver));
        let onward = |step: &Escalation| Onward {
            after: step.after,
            receiver: step.receiver.clone(),
            channels: self.channels_of(&step.receiver),
        };
        steps.map(onward).collect()
    }

    fn channels_of(&self, receiver: &str) -> Vec<(String, String)> {
        let channels = self.receivers.get(receiver).map_or(&[][..], |r| &r.channels);
        channels.iter().map(|c| (c.id.channel.clone(), c.kind.clone())).collect()
    }

    /// Whether anybody would ever hear of it: a receiver that sends, with a channel.
    pub fn reaches_somebody(&self, labels: &Labels) -> bool {
        self.route.matching(labels).iter().any(|route| {
            let receiver = self.receivers.get(&route.receiver);
            receiver.is_some_and(|r| !r.shadow && !r.channels.is_empty())
        })
    }
}

impl Route {
    /// The nodes from here to the one with this id.
    fn path_to(&self, id: &str) -> Vec<Step> {
        let step = Step {
            id: self.id.clone(),
            matchers: self.matchers.iter().map(ToString::to_string).collect(),
            receiver: self.receiver.clone(),
            continues: self.continues,
        };
        if self.id == id {
            return vec![step];
        }
        let below = self.routes.iter().find_map(|child| {
            child.find(id)?;
            Some(child.path_to(id))
        });
        std::iter::once(step).chain(below.into_iter().flatten()).collect()
    }
}

#[cfg(test)]
#[path = "ways_tests.rs"]
mod tests;
