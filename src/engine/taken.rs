//! Commands that were carried out lately: the same id again changes nothing.
//!
//! A ring of rows (`Change::Meta`), so that writing one costs one small row, and there are never
//! more than [`KEPT`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{Action, Change, Command, Loaded, Refusal, Replied, Reply, Time, Ts};

/// So many are remembered.
const KEPT: u64 = 256;
/// Prefix of the rows' names; the place in the ring follows.
const ROW: &str = "command/";

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    number: u64,
    id: String,
    what: Action,
    /// Wall time.
    at: Ts,
    reply: Reply,
}

/// All that are remembered.
#[derive(Debug, Default)]
pub(super) struct Taken {
    by_id: BTreeMap<String, Entry>,
    /// Ids by number.
    order: BTreeMap<u64, String>,
}

impl Taken {
    /// Goes on where a former process was.
    pub(super) fn restore(loaded: &Loaded) -> Taken {
        let mut taken = Taken::default();
        let rows = loaded.meta.iter().filter(|(name, _)| name.starts_with(ROW));
        for entry in rows.filter_map(|(_, body)| serde_json::from_str::<Entry>(body).ok()) {
            taken.insert(entry);
        }
        taken
    }

    /// What was replied to this id before.
    pub(super) fn reply(&self, command: &Command) -> Option<Replied> {
        let known = self.by_id.get(&command.id)?;
        if known.what == command.what {
            return Some(Ok(Reply { repeated: true, changed: false, ..known.reply.clone() }));
        }
        Some(Err(Refusal::Conflict(format!(
            "the id `{}` was given to another command before; choose a new one",
            command.id
        ))))
    }

    /// Remembers one, in place of the oldest.
    pub(super) fn keep(&mut self, time: Time, command: &Command, reply: &Reply) -> Change {
        let number = self.order.last_key_value().map_or(0, |(last, _)| last + 1);
        let entry = Entry {
            number,
            id: command.id.clone(),
            what: command.what.clone(),
            at: time.wall,
            reply: reply.clone(),
        };
        let value = serde_json::to_string(&entry).unwrap_or_default();
        self.insert(entry);
        while self.order.len() as u64 > KEPT {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            self.by_id.remove(&oldest);
        }
        Change::Meta { key: format!("{ROW}{:03}", number % KEPT), value }
    }

    fn insert(&mut self, entry: Entry) {
        self.order.insert(entry.number, entry.id.clone());
        self.by_id.insert(entry.id.clone(), entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(id: &str, incident: u64) -> Command {
        let what = Action::Ack { incident, comment: String::new() };
        Command { id: id.to_owned(), actor: "ops".to_owned(), what }
    }

    fn rows(changes: Vec<Change>) -> Loaded {
        let mut meta = BTreeMap::new();
        for change in changes {
            if let Change::Meta { key, value } = change {
                meta.insert(key, value);
            }
        }
        Loaded { meta: meta.into_iter().collect(), ..Loaded::default() }
    }

    #[test]
    fn an_id_counts_once_also_after_a_restart_and_the_oldest_go() {
        let mut taken = Taken::default();
        let said = |n: u64| Reply { said: n.to_string(), changed: true, ..Reply::default() };
        let mut changes = Vec::new();
        for n in 0..KEPT + 10 {
            let command = command(&format!("id{n}"), n);
            assert_eq!(taken.reply(&command), None);
            changes.push(taken.keep(Time::at(1), &command, &said(n)));
        }
        let loaded = rows(changes);
        assert_eq!(loaded.meta.len() as u64, KEPT);
        for taken in [taken, Taken::restore(&loaded)] {
            assert_eq!(taken.reply(&command("id9", 9)), None, "forgotten");
            let again = taken.reply(&command("id10", 10)).unwrap().unwrap();
            assert!(again.repeated && !again.changed && again.said == "10");
            assert!(taken.reply(&command("id10", 11)).unwrap().is_err(), "another command");
        }
        let mut restored = Taken::restore(&loaded);
        let next = restored.keep(Time::at(2), &command("new", 1), &said(1));
        let Change::Meta { key, .. } = next else { panic!("{next:?}") };
        assert_eq!(key, format!("{ROW}{:03}", (KEPT + 10) % KEPT), "in place of the oldest");
    }
}
