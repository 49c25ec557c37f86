//! What a channel needs to write one message: all values, no decisions left.

use std::time::Duration;

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::summary::SummaryView;
use crate::model::{Frozen, Incident, Labels, MessageKind, NoticeReason, Ts};

/// Language of a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Chinese.
    Zh,
}

/// One message about to be written.
#[derive(Debug, Clone)]
pub struct MessageView {
    /// Message number.
    pub id: u64,
    /// Name of this Weir installation (random, stable): for Message-IDs.
    pub installation: String,
    /// Idempotency key: `<installation>-<id>`.
    pub key: String,
    /// What kind.
    pub kind: MessageKind,
    /// Receiver it goes to.
    pub receiver: String,
    /// Group key, e.g. `{}:{cluster="prod"}`.
    pub group_key: String,
    /// The labels the route groups by, with the group's values.
    pub group_labels: Labels,
    /// Receiver's language.
    pub language: Language,
    /// Receiver's zone.
    pub zone: TimeZone,
    /// Wall time of composition.
    pub now: Ts,
    /// Where people reach Weir's page, without a trailing slash.
    pub external_url: Option<String>,
    /// The news, most important first. Several notices about one incident are one item (newest
    /// reason wins).
    pub items: Vec<ItemView>,
    /// How many jobs were looked at in all (first report: "62 jobs watched, 3 need you").
    pub jobs_watched: usize,
    /// It stands below a message that says the rest: a line or two are enough.
    pub is_reply: bool,
    /// What a summary says; nothing in any other kind.
    pub summary: Option<SummaryView>,
}

/// News about one incident.
#[derive(Debug, Clone)]
pub struct ItemView {
    /// Why it is news.
    pub reason: NoticeReason,
    /// The incident as of composition.
    pub incident: Incident,
    /// Job name, source name or channel id: what the title starts with.
    pub name: String,
    /// What it mutes.
    pub affected: Affected,
    /// 1 for the first notice about this incident on this channel, then 2, 3, …: mail threading.
    pub sequence: u32,
    /// What Weir does about it, in the receiver's language; `None`: nothing automatic.
    pub action: Option<String>,
    /// Where whoever reads it can acknowledge it, while nobody has it: a secret.
    pub link: Option<String>,
    /// Where whoever reads it can let a restart go on that waits for that, or not: a secret.
    pub approve_link: Option<String>,
    /// How long nobody has acknowledged it, where that is the news.
    pub unacknowledged: Option<Duration>,
    /// What the channel believes of it so far.
    pub known: Known,
}

/// What a channel believes of an incident before a message. A channel that keeps things open
/// elsewhere (a pager) has to close the very thing it opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Nothing, or that it is over.
    New,
    /// That it is open; it was told of it alone.
    Alone,
    /// That it is open; it was told of it in a storm, a digest or a first report.
    Together {
        /// Number of that message.
        message: u64,
        /// How many incidents of that message it still believes to be open after this one.
        open: usize,
    },
}

/// What an incident mutes, beside more of the same subject.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Affected {
    /// Names, oldest first, each once.
    pub names: Vec<String>,
    /// Something else than jobs is among them.
    pub mixed: bool,
}

/// A written message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    /// Exactly what is sent, on every attempt.
    pub frozen: Frozen,
    /// How many items are named; a channel with a size limit names fewer and counts the rest.
    pub named: usize,
}

/// Writes messages for one channel. Pure: the same view gives the same bytes.
pub trait Compose: Send + Sync {
    /// Never fails: a broken template falls back to a plain text, since an ugly message beats none.
    fn compose(&self, view: &MessageView) -> Composed;

    /// The same message in forms that can be looked at, each with the ending of a file: first what
    /// is sent, then what people see of it. No more than is sent where a channel says no more.
    fn preview(&self, view: &MessageView) -> Vec<(&'static str, String)> {
        let body = self.compose(view).frozen.body;
        // A text may begin with a bracket, too.
        let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&body).is_ok();
        let ending = if is_json { "json" } else { "txt" };
        vec![(ending, body)]
    }
}
