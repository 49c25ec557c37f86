//! Notices: one piece of news about one incident for one channel of one receiver.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Ts;

/// A channel of a receiver: `receiver/channel`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChannelId {
    /// Receiver's name.
    pub receiver: String,
    /// Channel's name inside the receiver.
    pub channel: String,
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.receiver, self.channel)
    }
}

/// Why there is something to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeReason {
    /// A new incident.
    Opened,
    /// Wrong already when the source was first seen; goes into the first report.
    FirstLook,
    /// More severe, or dead for good where it still retried before.
    Worse,
    /// It came back soon after it was over.
    Reopened,
    /// It comes and goes; the last word until it settles.
    Flapping,
    /// Still there.
    Repeat,
    /// Nobody acknowledged it for the time its route gives: told to the next receiver.
    Escalated,
    /// Somebody has it: for channels that keep it open elsewhere, and nobody else.
    Acknowledged,
    /// Nobody has it any more: for the same.
    Unacknowledged,
    /// A restart of its job waits for a person's word.
    Approval,
    /// Weir does no more about it: a person is needed.
    GaveUp,
    /// Over; the incident says how.
    Resolved,
}

impl NoticeReason {
    /// The word in API, metrics and templates.
    pub fn as_str(self) -> &'static str {
        match self {
            NoticeReason::Opened => "opened",
            NoticeReason::FirstLook => "first_look",
            NoticeReason::Worse => "worse",
            NoticeReason::Reopened => "reopened",
            NoticeReason::Flapping => "flapping",
            NoticeReason::Repeat => "repeat",
            NoticeReason::Escalated => "escalated",
            NoticeReason::Acknowledged => "acknowledged",
            NoticeReason::Unacknowledged => "unacknowledged",
            NoticeReason::Approval => "approval",
            NoticeReason::GaveUp => "gave_up",
            NoticeReason::Resolved => "resolved",
        }
    }

    /// Only says who has it, to channels that keep it open elsewhere: no news for people, so nothing
    /// holds it and nobody stands in for it.
    pub fn is_mark(self) -> bool {
        matches!(self, NoticeReason::Acknowledged | NoticeReason::Unacknowledged)
    }
}

/// What became of a notice. It always ends somewhere, never nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Waiting, for the reason in `held_by`.
    Pending,
    /// Delivered in message M.
    Sent,
    /// Named or counted in message M.
    Folded,
    /// Ended while it was held back.
    Muted,
    /// Over before `group_wait` ended.
    Brief,
    /// Would have been sent: `delivery: shadow`.
    Shadow,
    /// Given up; the error says why.
    Failed,
}

impl Outcome {
    /// The word in API and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Pending => "pending",
            Outcome::Sent => "sent",
            Outcome::Folded => "folded",
            Outcome::Muted => "muted",
            Outcome::Brief => "brief",
            Outcome::Shadow => "shadow",
            Outcome::Failed => "failed",
        }
    }
}

/// What began to hold a notice back, or ceased to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Wall time.
    pub at: Ts,
    /// What holds it from here on, as in [`Notice::held_by`]; none: nothing any more.
    pub by: Option<String>,
}

/// What a channel knows an incident by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KnownBy {
    /// It was told of it alone.
    Itself,
    /// This message told of it together with others.
    Message(u64),
}

/// One piece of news for one channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Growing number.
    pub id: u64,
    /// The incident.
    pub incident: u64,
    /// For whom.
    pub to: ChannelId,
    /// Why.
    pub reason: NoticeReason,
    /// Rank of the incident when this became news (see [`super::Incident::rank`]).
    pub rank: u8,
    /// Where it stands.
    pub outcome: Outcome,
    /// What holds it back, or why it ended as it did: `group_wait`, `inhibited by #12`, `budget`.
    pub held_by: Option<String>,
    /// Group key: the route and the labels it groups by.
    pub group: String,
    /// Message it went into.
    pub message: Option<u64>,
    /// How its channel knew the incident when it was told, where its own message does not say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<KnownBy>,
    /// The notice that took its place on the channel that stands in for this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<u64>,
    /// How long nobody had acknowledged the incident when it was escalated (ms).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unacknowledged_ms: Option<u64>,
    /// Wall time when it became news.
    pub at: Ts,
    /// Steady time when it became news.
    pub at_steady: Ts,
    /// Wall time when it reached its outcome.
    pub done_at: Option<Ts>,
    /// Attempts of its message.
    pub attempts: u32,
    /// Last error, redacted.
    pub error: Option<String>,
    /// What held it on its way, oldest first, bounded; the rest of its way is in its incident and
    /// its message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
}
