//! Somebody has it: what only reminds of it need not be said any more.

use super::pipeline::Pipeline;
use crate::model::{Change, NoticeReason, Outcome, Time};

/// Why a reminder ends unsent.
const ACKNOWLEDGED: &str = "acknowledged";

impl Pipeline {
    /// Ends the reminders of an incident that are in no message yet. Everything else about it is
    /// told as ever: who has not heard of it yet hears of it once.
    pub fn acknowledged(&mut self, time: Time, incident: u64) -> Vec<Change> {
        let reminds = self.notices.values().filter(|n| {
            n.incident == incident && n.message.is_none() && n.reason == NoticeReason::Repeat
        });
        let reminders: Vec<u64> = reminds.map(|n| n.id).collect();
        let mut changes = Vec::new();
        for id in reminders {
            self.close(id, Outcome::Muted, ACKNOWLEDGED, time, &mut changes);
        }
        changes
    }
}
