//! What a replay says beside what was really said.

use std::collections::BTreeMap;

use super::Said;
use crate::model::ChannelId;

/// Two messages of one title that are further apart are two messages.
const NEAR_MS: u64 = 60_000;

/// How a message stands to the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// On both, byte for byte, at the same instant.
    Same,
    /// On both, the same channel and title within a minute, not the same bytes or instant.
    Alike,
    /// Only what was really said.
    Live,
    /// Only what the replay says.
    Replay,
}

impl Mark {
    /// As it is shown.
    pub fn sign(self) -> char {
        match self {
            Mark::Same => '=',
            Mark::Alike => '~',
            Mark::Live => '-',
            Mark::Replay => '+',
        }
    }

    /// As programs read it.
    pub fn word(self) -> &'static str {
        match self {
            Mark::Same => "same",
            Mark::Alike => "alike",
            Mark::Live => "live",
            Mark::Replay => "replay",
        }
    }
}

/// A message of one side or of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// How it stands.
    pub mark: Mark,
    /// The message: of the replay where it has one.
    pub said: &'a Said,
}

/// All messages in order of time.
pub fn compare<'a>(said: &'a [Said], live: &'a [Said]) -> Vec<Line<'a>> {
    let mut open: BTreeMap<&ChannelId, Vec<&Said>> = BTreeMap::new();
    for one in live {
        open.entry(&one.note.to).or_default().push(one);
    }
    let mut take = |one: &Said, fits: &dyn Fn(&Said) -> bool| {
        let Some(of_channel) = open.get_mut(&one.note.to) else { return false };
        let found = of_channel.iter().position(|other| fits(other));
        found.map(|index| of_channel.remove(index)).is_some()
    };
    let mut marks: Vec<Mark> = said
        .iter()
        .map(|one| {
            let same = |other: &Said| other.at == one.at && other.note.body == one.note.body;
            if take(one, &same) { Mark::Same } else { Mark::Replay }
        })
        .collect();
    for (one, mark) in said.iter().zip(&mut marks) {
        let near = |other: &Said| {
            other.note.title == one.note.title && other.at.wall.0.abs_diff(one.at.wall.0) <= NEAR_MS
        };
        if *mark == Mark::Replay && take(one, &near) {
            *mark = Mark::Alike;
        }
    }
    let mut lines: Vec<Line<'a>> =
        said.iter().zip(marks).map(|(said, mark)| Line { mark, said }).collect();
    lines.extend(open.into_values().flatten().map(|said| Line { mark: Mark::Live, said }));
    lines.sort_by(|a, b| {
        let key = |line: &Line<'a>| (line.said.at.wall, line.said.at.steady);
        key(a)
            .cmp(&key(b))
            .then_with(|| a.said.note.to.cmp(&b.said.note.to))
            .then(a.mark.cmp(&b.mark))
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::SentNote;
    use crate::model::{MessageKind, Time};

    fn said(at: i64, channel: &str, title: &str, body: &str) -> Said {
        let to = ChannelId { receiver: "team".to_owned(), channel: channel.to_owned() };
        let (title, body) = (title.to_owned(), body.to_owned());
        let note = SentNote { id: 1, to, kind: MessageKind::Incident, title, body };
        Said { at: Time::at(at), note }
    }

    #[test]
    fn messages_find_their_like() {
        let live = [
            said(1_000, "bot", "A", "a1"),
            said(2_000, "bot", "B", "b1"),
            said(3_000, "bot", "C", "c1"),
            said(9_000_000, "bot", "D", "d1"),
        ];
        let replayed = [
            said(1_000, "bot", "A", "a1"),
            said(2_300, "bot", "B", "b2"),
            said(3_000, "mail", "C", "c1"),
            said(10_000, "bot", "D", "d1"),
        ];
        let marks: Vec<(char, i64)> = compare(&replayed, &live)
            .iter()
            .map(|line| (line.mark.sign(), line.said.at.wall.0))
            .collect();
        let expected = [
            ('=', 1_000),
            ('~', 2_300),
            ('-', 3_000),
            ('+', 3_000),
            ('+', 10_000),
            ('-', 9_000_000),
        ];
        assert_eq!(marks, expected);
    }
}
