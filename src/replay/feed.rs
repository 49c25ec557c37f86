//! Decodes on one thread and decides on another.

use std::sync::mpsc::{SyncSender, sync_channel};

use super::play::Player;
use super::{Plan, Replayed};
use crate::journal::{Event, ReadError, Reader};
use crate::model::{HistoryChunk, Time, Ts};

/// Events that are handed over together.
const TOGETHER: usize = 16;
/// How many of those wait.
const AHEAD: usize = 16;

enum Fed {
    Events(Vec<(Time, Event)>),
    Gap(ReadError),
}

/// Replays pieces in their order; `progress` hears the wall time it has come to, now and then.
pub fn run(
    plan: Plan,
    chunks: impl IntoIterator<Item = HistoryChunk> + Send,
    mut progress: impl FnMut(Ts),
) -> Replayed {
    let mut player = Player::new(plan);
    std::thread::scope(|scope| {
        let (feed, parts) = sync_channel(AHEAD);
        scope.spawn(move || decode(chunks, &feed));
        for (n, part) in parts.into_iter().enumerate() {
            match part {
                Fed::Events(events) => {
                    if n % 64 == 0
                        && let Some((at, _)) = events.first()
                    {
                        progress(at.wall);
                    }
                    for (at, event) in events {
                        player.event(at, event);
                    }
                }
                Fed::Gap(error) => player.gap(error.to_string()),
            }
        }
    });
    player.end()
}

fn decode(chunks: impl IntoIterator<Item = HistoryChunk>, feed: &SyncSender<Fed>) {
    let mut reader = Reader::default();
    for chunk in chunks {
        let (events, error) = reader.read(&chunk);
        let mut events = events.into_iter().peekable();
        while events.peek().is_some() {
            let part = events.by_ref().take(TOGETHER).collect();
            if feed.send(Fed::Events(part)).is_err() {
                return;
            }
        }
        if let Some(error) = error {
            let newer = matches!(error, ReadError::Newer(_));
            if feed.send(Fed::Gap(error)).is_err() || newer {
                return;
            }
        }
    }
}
