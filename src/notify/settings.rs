//! Validated settings of the notification pipeline: receivers, the routing tree, budgets.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::{Language, LinkKey, SummaryAt};
use crate::model::{ChannelId, DayTime, Hours, Labels, Matcher, Severity, matches_all};

/// Everything the pipeline needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Receivers by name.
    pub receivers: BTreeMap<String, ReceiverPlan>,
    /// What `delivery` says for whoever has none of their own.
    pub shadow: bool,
    /// Root of the routing tree; it matches everything.
    pub route: Route,
    /// Many incidents at once become one message.
    pub storm: Storm,
    /// Weir's own address for links, without a trailing slash.
    pub external_url: Option<String>,
    /// What makes links that acknowledge; none: there are none.
    pub links: Option<LinkKey>,
}

/// A receiver and its channels.
#[derive(Debug, Clone)]
pub struct ReceiverPlan {
    /// Name.
    pub name: String,
    /// Language of its messages.
    pub language: Language,
    /// Zone of its times.
    pub zone: TimeZone,
    /// `delivery: shadow`: everything but the sending.
    pub shadow: bool,
    /// Its own storm limit; the pipeline's if there is none.
    pub storm: Option<Storm>,
    /// When it is told what happened since the last time; none: never.
    pub summary: Option<SummaryAt>,
    /// Channels in order.
    pub channels: Vec<ChannelPlan>,
}

/// What the pipeline knows about a channel.
#[derive(Debug, Clone)]
pub struct ChannelPlan {
    /// Which.
    pub id: ChannelId,
    /// Kind, such as `feishu_bot`.
    pub kind: String,
    /// Hash of the endpoint; channels with the same one share its budgets.
    pub endpoint: String,
    /// Hard limits of the endpoint, all of which hold in every sliding window.
    pub budgets: Vec<Budget>,
    /// Also tell when it is over.
    pub send_resolved: bool,
    /// One message per incident even inside a group (mail threads), up to a storm.
    pub per_incident: bool,
    /// What holds is sent again so often, or it is forgotten there (Alertmanager); news go at once.
    pub resend: Option<Duration>,
    /// It keeps what it was told open elsewhere (a pager), and is told when somebody has it.
    pub marks: bool,
    /// Told only what others of its receiver could not be told.
    pub standby: bool,
    /// Who is told instead when it is down or refuses.
    pub fallback: Option<Fallback>,
    /// How its messages are edited in place; `None`: they cannot be.
    pub edits: Option<Edits>,
}

/// Who stands in for a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// The channel that does.
    pub to: ChannelId,
    /// When every try has failed for so long; at once when a message is refused for good.
    pub after: Duration,
}

impl ChannelPlan {
    /// Hash of what the budget of edits belongs to: vendors count them apart from messages.
    pub fn edit_endpoint(&self) -> String {
        format!("{}/edits", self.endpoint)
    }
}

/// How a channel edits its messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edits {
    /// Hard limits of edits, all of which hold in every sliding window.
    pub budgets: Vec<Budget>,
    /// How long after it was posted the vendor lets a message be edited.
    pub within: Duration,
    /// Changes that are no news are shown no sooner than this after the last edit of a message.
    pub debounce: Duration,
    /// An end is also said below the message, not only shown in it.
    pub reply_resolved: bool,
}

/// At most so many messages in any window of this length; retries count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// How many.
    pub messages: u32,
    /// Length of the window.
    pub per: Duration,
}

/// When incidents of a receiver become one storm message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Storm {
    /// So many openings …
    pub incidents: u32,
    /// … within this time.
    pub within: Duration,
}

impl Default for Storm {
    fn default() -> Self {
        Storm { incidents: 5, within: Duration::from_secs(30) }
    }
}

/// What a group is keyed by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupBy {
    /// `["..."]`: every label; in effect no grouping.
    All,
    /// These labels.
    Labels(Vec<String>),
}

/// A node of the routing tree, with everything inherited filled in.
#[derive(Debug, Clone)]
pub struct Route {
    /// Position in the tree, such as `0.1`: part of the group key.
    pub id: String,
    /// Who is told.
    pub receiver: String,
    /// All must hold.
    pub matchers: Vec<Matcher>,
    /// Try the following siblings too.
    pub continues: bool,
    /// Group key.
    pub group_by: GroupBy,
    /// Wait before the first message of a new group.
    pub group_wait: Duration,
    /// Wait between messages of a group.
    pub group_interval: Duration,
    /// First repetition; then twice this, then daily.
    pub repeat_interval: Duration,
    /// When it is muted; not inherited, and never on the root.
    pub hours: Hours,
    /// What is not critical is kept for one digest at that hour, on the receiver's clock.
    pub hold_until: Option<DayTime>,
    /// Who is told next, and when, of what nobody acknowledges; in order of time.
    pub escalate: Vec<Escalation>,
    /// Children, first match wins unless it continues.
    pub routes: Vec<Route>,
}

/// Who is told next of what nobody acknowledges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escalation {
    /// So long after the route's receiver was told and nobody acknowledged it.
    pub after: Duration,
    /// Who is told then.
    pub receiver: String,
    /// Only what is at least so severe.
    pub severity: Severity,
}

impl Route {
    /// The routes that take these labels, by Alertmanager's rules.
    pub fn matching<'a>(&'a self, labels: &Labels) -> Vec<&'a Route> {
        if !matches_all(&self.matchers, labels) {
            return Vec::new();
        }
        let mut found = Vec::new();
        for child in &self.routes {
            let hits = child.matching(labels);
            let hit = !hits.is_empty();
            found.extend(hits);
            if hit && !child.continues {
                break;
            }
        }
        if found.is_empty() {
            found.push(self);
        }
        found
    }

    /// Who is told next of what nobody acknowledges, of such a severity; an inherited step to the
    /// route's own receiver is none.
    pub fn escalations(&self, severity: Severity) -> impl Iterator<Item = &Escalation> {
        let takes = move |e: &&Escalation| e.severity <= severity && e.receiver != self.receiver;
        self.escalate.iter().filter(takes)
    }

    /// Whether it leads to a receiver in time.
    pub fn escalates_to(&self, receiver: &str) -> bool {
        self.escalate.iter().any(|e| e.receiver == receiver)
    }

    /// Whether anything escalates here or below.
    pub(super) fn has_escalations(&self) -> bool {
        !self.escalate.is_empty() || self.routes.iter().any(Route::has_escalations)
    }

    /// Key of the group these labels belong to on this route.
    pub fn group_key(&self, labels: &Labels) -> String {
        format!("{}:{}", self.id, self.group_labels(labels).display())
    }

    /// The labels the group is keyed by.
    pub fn group_labels(&self, labels: &Labels) -> Labels {
        match &self.group_by {
            GroupBy::All => labels.clone(),
            GroupBy::Labels(names) => {
                let mut group = Labels::default();
                for name in names {
                    group.set(name, labels.get(name));
                }
                group
            }
        }
    }

    /// The route a group key belongs to.
    pub fn of_group(&self, group: &str) -> &Route {
        self.find(group.split(':').next().unwrap_or_default()).unwrap_or(self)
    }

    /// The route with this id, here or below.
    pub fn find(&self, id: &str) -> Option<&Route> {
        if self.id == id {
            return Some(self);
        }
        self.routes.iter().find_map(|r| r.find(id))
    }
}
