//! Messages that are due follow their channel: where it leads, what it is, whether it sends.
//!
//! Looked at before every sending and not only at a reload, since a try that was on the wire then
//! comes back later, and a process may be started anew with another configuration.

use super::pipeline::Pipeline;
use crate::model::{Change, Message, MessageState, NoticeReason, Outcome, Time};

/// Why a message of a channel that is of another kind now is written anew.
const OTHER_KIND: &str = "its channel is of another kind now; what it said is told anew";

/// Why an edit or a reply is written anew.
const OTHER_ADDRESS: &str = "its channel has another address now; what it said is told anew";

/// What has to be done with a message before it may be tried.
#[derive(Debug, PartialEq, Eq)]
enum Revision {
    /// Its receiver sends nothing any more.
    Silence,
    /// Its bytes are for another kind of channel.
    WriteAnew,
    /// It changes a message that is not at the channel's address.
    LeaveBehind,
    /// Its channel has another address.
    Redirect(String),
}

impl Pipeline {
    /// Revises all messages that are not on the wire.
    pub(super) fn revise(&mut self, time: Time, changes: &mut Vec<Change>) {
        let waiting = self.messages.values().filter(|m| !self.in_flight.contains(&m.id));
        let due: Vec<(u64, Revision)> =
            waiting.filter_map(|m| Some((m.id, self.revision(m)?))).collect();
        for (id, revision) in due {
            match revision {
                Revision::Silence => self.silence(time, id, changes),
                Revision::WriteAnew => self.write_anew(time, id, OTHER_KIND, changes),
                Revision::LeaveBehind => self.write_anew(time, id, OTHER_ADDRESS, changes),
                Revision::Redirect(endpoint) => {
                    if let Some(message) = self.messages.get_mut(&id) {
                        // Another address may work at once.
                        message.endpoint = endpoint;
                        message.next_attempt = None;
                        changes.push(Change::Message(Box::new(message.clone())));
                    }
                }
            }
        }
    }

    fn revision(&self, message: &Message) -> Option<Revision> {
        let receiver = self.receiver_of(&message.to)?;
        let plan = self.plan(&message.to)?;
        // A store may hold messages from before this was written down.
        let other = !message.channel_kind.is_empty() && message.channel_kind != plan.kind;
        if receiver.shadow {
            Some(Revision::Silence)
        } else if other {
            Some(Revision::WriteAnew)
        } else if message.manner.of().is_some() {
            let endpoint =
                if message.manner.is_edit() { &plan.edit_endpoint() } else { &plan.endpoint };
            (message.endpoint != *endpoint).then_some(Revision::LeaveBehind)
        } else {
            (message.endpoint != plan.endpoint).then(|| Revision::Redirect(plan.endpoint.clone()))
        }
    }

    /// It ends as what is composed from now on does. What it said counts as told, as there.
    fn silence(&mut self, time: Time, id: u64, changes: &mut Vec<Change>) {
        let Some(mut message) = self.messages.remove(&id) else { return };
        message.state = MessageState::Shadow;
        message.next_attempt = None;
        message.done_at = Some(time.wall);
        for notice in &message.notices {
            if let Some(notice) = self.notices.get_mut(notice) {
                notice.attempts = message.attempts;
                notice.error.clone_from(&message.error);
            }
            self.finish(*notice, Outcome::Shadow, time, changes);
        }
        changes.push(Change::Message(Box::new(message)));
    }

    /// It ends unsent, and its notices wait again: for no longer than it takes to write them.
    pub(super) fn write_anew(&mut self, time: Time, id: u64, why: &str, changes: &mut Vec<Change>) {
        let Some(mut message) = self.messages.remove(&id) else { return };
        message.state = MessageState::Failed;
        message.error = Some(why.to_owned());
        message.next_attempt = None;
        message.done_at = Some(time.wall);
        self.storms.retain(|(of, _), _| *of != message.to);
        for notice in &message.notices {
            let Some(notice) = self.notices.get_mut(notice) else { continue };
            if notice.reason != NoticeReason::Resolved {
                self.ledger.untell(notice);
            }
            notice.message = None;
            if notice.reason != NoticeReason::FirstLook {
                let key = (notice.to.clone(), notice.group.clone());
                self.groups.entry(key).or_default().next_flush = Some(time.steady);
            }
            changes.push(Change::Notice(Box::new(notice.clone())));
        }
        changes.push(Change::Message(Box::new(message)));
    }
}
