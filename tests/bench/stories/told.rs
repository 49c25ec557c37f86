//! What arrived at the bot, and whether everything that happened can be found from there.

use std::time::Duration;

use super::plot::Marks;
use crate::testbed::feishu::Received;

/// One message as the bot got it.
pub(crate) struct Arrived {
    pub(crate) at_ms: i64,
    pub(crate) bytes: usize,
    /// People saw it.
    pub(crate) accepted: bool,
    pub(crate) text: String,
    /// It leads to Weir's list of incidents.
    pub(crate) links: bool,
}

impl From<Received> for Arrived {
    fn from(received: Received) -> Arrived {
        Arrived {
            at_ms: received.at_ms,
            bytes: received.raw.len(),
            accepted: received.accepted,
            text: received.text(),
            links: String::from_utf8_lossy(&received.raw).contains("/#/incidents"),
        }
    }
}

/// All that one of the two sent.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) messages: Vec<Arrived>,
    /// Jobs that are named in what people saw, or counted there and listed behind its link.
    pub(crate) found: usize,
    /// Of these: named.
    pub(crate) named: usize,
}

impl Told {
    pub(crate) fn refused(&self) -> usize {
        self.messages.iter().filter(|m| !m.accepted).count()
    }

    /// Messages from then on for so long.
    pub(crate) fn within(&self, from_ms: i64, time: Duration) -> usize {
        let until = from_ms + time.as_millis() as i64;
        self.messages.iter().filter(|m| m.at_ms < until).count()
    }

    pub(crate) fn largest(&self) -> usize {
        self.messages.iter().map(|m| m.bytes).max().unwrap_or(0)
    }

    /// From when it was true to the first message people saw, ms.
    pub(crate) fn first_after(&self, true_ms: i64) -> Option<i64> {
        self.messages.iter().find(|m| m.accepted).map(|m| m.at_ms - true_ms)
    }
}

/// What stands in a chat whose messages can be edited.
#[derive(Clone, Copy)]
pub(crate) struct Edited {
    /// That stand for themselves.
    pub(crate) messages: usize,
    /// Below one of them.
    pub(crate) replies: usize,
    /// Of all messages.
    pub(crate) edits: usize,
    /// Requests the vendor's own checks refused.
    pub(crate) refused: usize,
}

/// The outcome of a story.
pub(crate) struct Outcome {
    pub(crate) marks: Marks,
    pub(crate) weir: Told,
    /// Where the story was told to such a chat, too.
    pub(crate) edited: Option<Edited>,
    /// What Alertmanager's relay sent, and the bytes of the webhooks behind it; none where it could
    /// not be had.
    pub(crate) peer: Option<(Told, Vec<usize>)>,
    pub(crate) peer_version: Option<String>,
}
