//! The outbox: which of the composed messages is tried next.
//!
//! Of one channel one message is on the wire at a time, and what concerns one incident stays in
//! order. Else what a person must know now goes first, and what failed while others were taken goes
//! last: a message its vendor chokes on stops nobody else.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::pipeline::{Flushed, Pipeline};
use crate::model::{Attempt, Change, ChannelId, Message, MessageState, Time};

/// Messages of one channel on the wire at once.
const IN_FLIGHT: usize = 1;
/// No message waits longer for its next attempt.
const LONGEST_WAIT: Duration = Duration::from_hours(2);

impl Pipeline {
    /// Messages composed for an endpoint and not yet tried.
    pub(super) fn promised(&self, endpoint: &str) -> usize {
        self.messages.values().filter(|m| m.endpoint == endpoint && m.attempts == 0).count()
    }

    /// Messages with nothing of the same incident in front of them, in the order they are tried in.
    fn line(&self) -> Vec<u64> {
        let mut ahead: BTreeSet<(&ChannelId, u64)> = BTreeSet::new();
        let mut line = Vec::new();
        for message in self.messages.values() {
            let notices = message.notices.iter().filter_map(|n| self.notices.get(n));
            let about: BTreeSet<(&ChannelId, u64)> =
                notices.map(|n| (&message.to, n.incident)).collect();
            let behind = about.iter().any(|one| ahead.contains(one));
            ahead.extend(about);
            if !behind {
                line.push((self.turn(message), message.id));
            }
        }
        line.sort_unstable();
        line.into_iter().map(|(_, id)| id).collect()
    }

    /// The smaller, the sooner.
    fn turn(&self, message: &Message) -> (u32, bool) {
        let health = self.health.get(&message.to);
        let tries = match health {
            // While nothing is taken each has its turn: one of them may be what is wrong.
            Some(health) if health.failures > 0 => message.attempts,
            Some(health) => u32::from(message.attempts > health.outage),
            None => 0,
        };
        (tries, !message.urgent)
    }

    /// Puts on the wire what may be tried now.
    pub(super) fn send_due(&mut self, time: Time, out: &mut Flushed) {
        let mut busy: BTreeMap<ChannelId, usize> = BTreeMap::new();
        for to in self.standing.busy(time.steady) {
            *busy.entry(to.clone()).or_default() += 1;
        }
        for id in &self.in_flight {
            if let Some(message) = self.messages.get(id) {
                *busy.entry(message.to.clone()).or_default() += 1;
            }
        }
        for id in self.line() {
            let Some(message) = self.messages.get(&id) else { continue };
            let to = message.to.clone();
            // A time further off than any wait is from a clock that was set back since.
            let waits = message
                .next_attempt
                .is_some_and(|at| at > time.steady && at.since(time.steady) <= LONGEST_WAIT);
            let full = busy.get(&to).copied().unwrap_or(0) >= IN_FLIGHT;
            if waits || full || self.in_flight.contains(&id) {
                continue;
            }
            let endpoint = self.endpoints.entry(message.endpoint.clone()).or_default();
            let free = endpoint.free_at(time.steady, 0, !message.urgent);
            if free > time.steady {
                if let Some(message) = self.messages.get_mut(&id) {
                    message.next_attempt = Some(free);
                }
                continue;
            }
            endpoint.attempt(time.steady);
            *busy.entry(to.clone()).or_default() += 1;
            self.in_flight.insert(id);
            self.health.entry(to).or_default().attempts += 1;
            if let Some(message) = self.messages.get_mut(&id) {
                out.changes.push(begin(message, time));
                out.changes.push(Change::Message(Box::new(message.clone())));
                out.sends.push(message.clone());
            }
        }
    }
}

fn begin(message: &mut Message, time: Time) -> Change {
    debug_assert_eq!(message.state, MessageState::Due);
    message.attempts += 1;
    message.next_attempt = None;
    Change::Attempt(Attempt {
        message: message.id,
        number: message.attempts,
        endpoint: message.endpoint.clone(),
        at: time.steady,
    })
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
