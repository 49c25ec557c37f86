//! A chat whose messages can be edited and replied to, as a reader sees it.

use std::collections::BTreeMap;

use weir::model::*;

use super::bench::Text;

/// A message in the chat.
#[derive(Debug, Clone)]
pub(super) struct Card {
    pub(super) kind: MessageKind,
    /// What it shows, the present last, with the time.
    pub(super) shows: Vec<(i64, Text)>,
    pub(super) replies: Vec<(i64, bool, Text)>,
    pub(super) recalled: bool,
}

impl Card {
    pub(super) fn now(&self) -> &Text {
        &self.shows.last().unwrap().1
    }

    /// Nothing on it is open.
    pub(super) fn is_green(&self) -> bool {
        self.now().open.iter().all(|open| !open)
    }

    pub(super) fn edits(&self) -> usize {
        self.shows.len() - 1
    }
}

/// The chat; the same key twice shows once.
#[derive(Debug, Default)]
pub(super) struct Chat {
    pub(super) cards: BTreeMap<String, Card>,
    keys: BTreeMap<u64, String>,
}

impl Chat {
    pub(super) fn take(&mut self, now: i64, message: &Message) -> SendOutcome {
        let text: Text = serde_json::from_str(&message.frozen.body).unwrap();
        match &message.manner {
            Manner::Fresh => {
                let receipt = format!("om_{:04}", message.id);
                if self.keys.insert(message.id, receipt.clone()).is_none() {
                    let shows = vec![(now, text)];
                    let (kind, replies) = (message.kind, Vec::new());
                    let card = Card { kind, shows, replies, recalled: false };
                    self.cards.insert(receipt.clone(), card);
                }
                SendOutcome::Accepted { receipt }
            }
            Manner::Edit { receipt, .. } => {
                let Some(card) = self.cards.get_mut(receipt).filter(|c| !c.recalled) else {
                    return SendOutcome::Gone { error: "recalled".to_owned() };
                };
                card.shows.push((now, text));
                SendOutcome::Delivered
            }
            Manner::Reply { receipt, loud, .. } => {
                let Some(card) = self.cards.get_mut(receipt).filter(|c| !c.recalled) else {
                    return SendOutcome::Gone { error: "recalled".to_owned() };
                };
                if self.keys.insert(message.id, receipt.clone()).is_none() {
                    card.replies.push((now, *loud, text));
                }
                SendOutcome::Delivered
            }
        }
    }

    /// Messages, oldest first.
    pub(super) fn all(&self) -> Vec<&Card> {
        self.cards.values().collect()
    }
}
