//! Messages that can be edited: what each shows, and what its vendor calls it. Kept as named values
//! of the store, one per message, for as long as one of its incidents is remembered.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{Change, ChannelId, MessageKind, Ts};

/// Begins the names of the values.
const PREFIX: &str = "card/";
/// A message about more incidents than this is not edited: its row would be too large.
pub(super) const MAX_INCIDENTS: usize = 500;
/// Whatever changes, and however often it could not be shown, it is tried this often.
const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// A message that can be edited.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Card {
    pub(super) to: ChannelId,
    /// Endpoint it was sent to: elsewhere nobody knows it.
    pub(super) endpoint: String,
    pub(super) kind: MessageKind,
    pub(super) group: String,
    /// What the vendor calls it; empty in shadow.
    pub(super) receipt: String,
    pub(super) incidents: Vec<u64>,
    /// Steady time of its composition.
    pub(super) posted: Ts,
    /// Print of what it shows.
    pub(super) shown: u64,
    /// Steady time of the last edit, or of the last try.
    pub(super) shown_at: Ts,
    /// The row its live edits use.
    #[serde(default)]
    pub(super) slot: Option<u64>,
    /// Tries of live edits so far.
    #[serde(default)]
    pub(super) tries: u32,
    /// Live edits in a row that failed.
    #[serde(default)]
    pub(super) misses: u32,
    /// Bring it up to date without waiting: a reply just pointed at it, or a person did something.
    #[serde(skip)]
    pub(super) hurry: bool,
    /// Something on it is not over.
    #[serde(skip)]
    pub(super) open: bool,
}

impl Card {
    /// When what changed may be shown: the longer it lasts, the less a minute matters. An hour of
    /// changes is some hundred edits, a day some three hundred.
    pub(super) fn next_edit(&self, now: Ts, debounce: Duration) -> Ts {
        if self.hurry {
            return now;
        }
        let by_age = (now.since(self.posted) / 60).min(LONGEST_WAIT);
        let wait = debounce.max(by_age).saturating_mul(1 << self.misses.min(8));
        // A time ahead of us is from a clock that was set back since.
        self.shown_at.min(now) + wait.min(LONGEST_WAIT.max(debounce))
    }
}

/// All of them, by the message.
#[derive(Debug, Default)]
pub(super) struct Cards {
    cards: BTreeMap<u64, Card>,
    of: BTreeMap<(u64, ChannelId), u64>,
}

impl Cards {
    /// From the named values of the store.
    pub(super) fn restore(meta: &[(String, String)]) -> Cards {
        let read = |(key, value): &(String, String)| {
            let root: u64 = key.strip_prefix(PREFIX)?.parse().ok()?;
            Some((root, serde_json::from_str::<Card>(value).ok()?))
        };
        let by_age: BTreeMap<u64, Card> = meta.iter().filter_map(read).collect();
        let mut found = Cards::default();
        for (root, card) in by_age {
            found.insert(root, card);
        }
        found
    }

    /// The first message about an incident stays the one its news belong to.
    fn insert(&mut self, root: u64, card: Card) {
        for incident in &card.incidents {
            self.of.entry((*incident, card.to.clone())).or_insert(root);
        }
        self.cards.insert(root, card);
    }

    /// A new one.
    pub(super) fn put(&mut self, root: u64, card: Card, changes: &mut Vec<Change>) {
        self.insert(root, card);
        self.keep(root, changes);
    }

    /// Writes one down that changed.
    pub(super) fn keep(&self, root: u64, changes: &mut Vec<Change>) {
        if let Some(card) = self.cards.get(&root) {
            let value = serde_json::to_string(card).unwrap_or_default();
            changes.push(Change::Meta { key: format!("{PREFIX}{root}"), value });
        }
    }

    /// Not to be edited any more.
    pub(super) fn remove(&mut self, root: u64, changes: &mut Vec<Change>) {
        if let Some(card) = self.cards.remove(&root) {
            for incident in card.incidents {
                let key = (incident, card.to.clone());
                if self.of.get(&key) == Some(&root) {
                    self.of.remove(&key);
                }
            }
            changes.push(Change::Meta { key: format!("{PREFIX}{root}"), value: String::new() });
        }
    }

    /// Shows what changed about an incident without waiting.
    pub(super) fn hurry(&mut self, incident: u64) {
        let shows = self.cards.values_mut().filter(|card| card.incidents.contains(&incident));
        shows.for_each(|card| card.hurry = true);
    }

    /// The one that shows an incident on a channel.
    pub(super) fn of(&self, incident: u64, to: &ChannelId) -> Option<u64> {
        self.of.get(&(incident, to.clone())).copied()
    }

    pub(super) fn get(&self, root: u64) -> Option<&Card> {
        self.cards.get(&root)
    }

    pub(super) fn get_mut(&mut self, root: u64) -> Option<&mut Card> {
        self.cards.get_mut(&root)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Card)> {
        self.cards.iter().map(|(root, card)| (*root, card))
    }

    /// Incidents that stand beside others which are not over: their lines must not vanish.
    pub(super) fn shared(&self) -> impl Iterator<Item = u64> + '_ {
        let shared = self.cards.values().filter(|card| card.open && card.incidents.len() > 1);
        shared.flat_map(|card| card.incidents.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card() -> Card {
        Card {
            to: ChannelId { receiver: "team".to_owned(), channel: "app".to_owned() },
            endpoint: "e".to_owned(),
            kind: MessageKind::Incident,
            group: "g".to_owned(),
            receipt: "om_1".to_owned(),
            incidents: vec![3],
            posted: Ts(0),
            shown: 7,
            shown_at: Ts(0),
            slot: None,
            tries: 0,
            misses: 0,
            hurry: false,
            open: true,
        }
    }

    #[test]
    fn what_is_kept_is_what_is_restored_and_what_is_forgotten_is_not() {
        let mut cards = Cards::default();
        let mut changes = Vec::new();
        cards.put(5, card(), &mut changes);
        cards.put(6, Card { incidents: vec![4], ..card() }, &mut changes);
        cards.remove(6, &mut changes);
        let mut meta = BTreeMap::new();
        for change in changes {
            let Change::Meta { key, value } = change else { panic!("{change:?}") };
            meta.insert(key, value);
        }
        meta.insert("steady".to_owned(), "17".to_owned());
        let again = Cards::restore(&meta.into_iter().collect::<Vec<_>>());
        assert_eq!(again.of(3, &card().to), Some(5));
        assert_eq!(again.get(5).unwrap().receipt, "om_1");
        assert_eq!(again.of(4, &card().to), None);
    }

    #[test]
    fn edits_grow_rare_and_are_bounded() {
        let debounce = Duration::from_secs(30);
        let mut card = card();
        let (mut now, mut edits) = (Ts(0), Vec::new());
        // It looks otherwise every second for a day.
        while now < Ts(24 * 3_600_000) {
            now = now + Duration::from_secs(1);
            if card.next_edit(now, debounce) <= now {
                card.shown_at = now;
                edits.push(now);
            }
        }
        let first_hour = edits.iter().filter(|at| **at <= Ts(3_600_000)).count();
        assert!((70..=110).contains(&first_hour), "{first_hour}");
        assert!(edits.len() <= 330, "{}", edits.len());
        assert!(edits.windows(2).all(|w| w[1].since(w[0]) >= debounce));
        assert!(edits.windows(2).all(|w| w[1].since(w[0]) <= Duration::from_secs(601)));
        card.misses = 40;
        assert_eq!(card.next_edit(now, debounce), card.shown_at + LONGEST_WAIT);
        card.hurry = true;
        assert_eq!(card.next_edit(now, debounce), now);
        card = Card { shown_at: now + Duration::from_hours(9), hurry: false, misses: 0, ..card };
        assert!(card.next_edit(now, debounce) <= now + LONGEST_WAIT);
    }
}
