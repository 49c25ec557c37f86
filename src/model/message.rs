//! Messages: what one channel sends. A frozen list of notices, frozen bytes, one idempotency key.

use serde::{Deserialize, Serialize};

use super::{ChannelId, Ts};

/// What kind of message it is; templates and limits differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// News of one incident.
    Incident,
    /// News of several incidents of one group.
    Group,
    /// What a budget held back, folded.
    Digest,
    /// Many incidents at once.
    Storm,
    /// What was already wrong at the first look.
    FirstLook,
    /// What happened since the last one, at the time a receiver wants it.
    Summary,
    /// A test, by `weir test-message`.
    Test,
}

/// The body exactly as it will be sent, on every attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frozen {
    /// Bytes for the wire (JSON), or the channel's own serialised form (a mail). Text always.
    pub body: String,
    /// Short plain text for logs, the console and the page.
    pub title: String,
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageState {
    /// Committed, not yet accepted by the vendor.
    Due,
    /// Accepted.
    Sent,
    /// Recorded only: `delivery: shadow`.
    Shadow,
    /// Given up.
    Failed,
}

/// One message of one channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Growing number.
    pub id: u64,
    /// The channel.
    pub to: ChannelId,
    /// Hash of the endpoint whose budget it uses.
    pub endpoint: String,
    /// Kind of the channel its bytes are for, such as `feishu_bot`; empty: not written down.
    #[serde(default)]
    pub channel_kind: String,
    /// What kind.
    pub kind: MessageKind,
    /// Group key it was composed for.
    pub group: String,
    /// Its notices, in order.
    pub notices: Vec<u64>,
    /// How many of them are named in the text; the rest is counted.
    pub named: u32,
    /// It may use the reserve kept for critical news and resolutions.
    pub urgent: bool,
    /// What is sent.
    pub frozen: Frozen,
    /// Where it stands.
    pub state: MessageState,
    /// Wall time of its composition.
    pub at: Ts,
    /// Steady time of its composition.
    pub at_steady: Ts,
    /// Attempts begun.
    pub attempts: u32,
    /// Steady time of the next attempt.
    pub next_attempt: Option<Ts>,
    /// Wall time when it was accepted or given up.
    pub done_at: Option<Ts>,
    /// Last error, redacted.
    pub error: Option<String>,
}

/// One try to send a message, for exact budgets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The message.
    pub message: u64,
    /// Number of the try, from 1.
    pub number: u32,
    /// Hash of the endpoint.
    pub endpoint: String,
    /// Steady time when it was begun.
    pub at: Ts,
}

/// What a channel says after a try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendOutcome {
    /// The vendor took it.
    Delivered,
    /// Not this time; try again, not before the given number of ms where the vendor named one.
    Retry {
        /// From Retry-After or the vendor's own header.
        after_ms: Option<u64>,
        /// What happened, redacted, with the way out where there is one.
        error: String,
    },
    /// Never like this: wrong secret, refused address, malformed.
    Rejected {
        /// What happened, redacted, with the way out.
        error: String,
    },
}
