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

/// Longest receipt that is kept, in bytes; what vendors give is far shorter.
pub const MAX_RECEIPT: usize = 256;

/// What a message does with an earlier one of its channel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Manner {
    /// Nothing: it stands for itself.
    #[default]
    Fresh,
    /// It takes the place of what the earlier one shows, which no phone rings for.
    Edit {
        /// The earlier one.
        of: u64,
        /// What its vendor calls it.
        receipt: String,
    },
    /// It stands below the earlier one.
    Reply {
        /// The earlier one.
        of: u64,
        /// What its vendor calls it.
        receipt: String,
        /// Everybody who reads along shall notice, where the vendor makes a difference.
        loud: bool,
    },
}

impl Manner {
    /// The earlier message.
    pub fn of(&self) -> Option<u64> {
        match self {
            Manner::Fresh => None,
            Manner::Edit { of, .. } | Manner::Reply { of, .. } => Some(*of),
        }
    }

    /// It changes an earlier message.
    pub fn is_edit(&self) -> bool {
        matches!(self, Manner::Edit { .. })
    }
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
    /// What it does with an earlier message.
    #[serde(default)]
    pub manner: Manner,
    /// What the vendor calls it, to edit it later; bounded by [`MAX_RECEIPT`].
    #[serde(default)]
    pub receipt: Option<String>,
    /// Print of the state of its incidents that it shows; 0: nobody compares it.
    #[serde(default)]
    pub print: u64,
}

impl Message {
    /// An edit that carries no news: it only brings an earlier message up to date.
    pub fn is_live(&self) -> bool {
        self.manner.is_edit() && self.notices.is_empty()
    }

    /// What a vendor says that takes everything: for replay and stories.
    pub fn taken(&self) -> SendOutcome {
        SendOutcome::Accepted { receipt: format!("message-{}", self.id) }
    }
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
    /// The vendor took it, and said what it calls it: by that it can be edited and replied to.
    Accepted {
        /// The vendor's name of it.
        receipt: String,
    },
    /// The earlier message that it edits or replies to cannot be edited or replied to any more:
    /// recalled, deleted, too old.
    Gone {
        /// What happened, redacted.
        error: String,
    },
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
