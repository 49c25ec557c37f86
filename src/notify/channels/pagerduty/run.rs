//! Sending a list of events, one after another, as far as the vendor's limits allow in one try.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::event::Action;
use super::{PagerDuty, reply};
use crate::model::{Message, MessageKind, SendOutcome, Time};
use crate::notify::channels::{BuildError, wire};

/// Events of one try: with the messages of a minute still below what the vendor takes.
pub(super) const PER_TRY: usize = 50;
/// Until the next ones.
const PAUSE_MS: u64 = 60_000;
/// How long one try may take in all.
const LONGEST: Duration = Duration::from_mins(1);

/// How many events of a message were taken already. After a restart they are sent again, which
/// changes nothing: an alert is opened and closed once.
#[derive(Default)]
pub(super) struct Progress(Mutex<BTreeMap<u64, usize>>);

/// Keys of alerts nobody keeps an incident for: that Weir cannot write its store. The next message
/// says that it can, and they are over.
#[derive(Default)]
pub(super) struct Owed(Mutex<Vec<String>>);

impl Progress {
    fn all(&self) -> MutexGuard<'_, BTreeMap<u64, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Owed {
    fn all(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A frozen event, as much as is looked at.
#[derive(Serialize, Deserialize)]
struct Event {
    #[serde(rename = "event_action")]
    action: Action,
    dedup_key: String,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl Event {
    fn resolve(dedup_key: &str) -> Event {
        Event { action: Action::Resolve, dedup_key: dedup_key.to_owned(), rest: Map::new() }
    }
}

fn closes(events: &[Event]) -> bool {
    events.iter().any(|event| event.action == Action::Resolve)
}

impl PagerDuty {
    /// Sends what was not taken yet.
    pub(super) async fn try_send(
        &self,
        message: &Message,
        now: Time,
    ) -> Result<SendOutcome, BuildError> {
        let key = self.key.read()?;
        let events: Vec<Event> = serde_json::from_str(&message.frozen.body)
            .map_err(|_| BuildError("the message is no list of events".to_owned()))?;
        if message.attempts <= 1 {
            self.progress.all().remove(&message.id);
        }
        let run = self.run(message, &events, &key, now);
        let stopped = match tokio::time::timeout(LONGEST, run).await {
            Ok(stopped) => stopped,
            Err(_) => Some(SendOutcome::Retry {
                after_ms: None,
                error: format!("took more than {} s", LONGEST.as_secs()),
            }),
        };
        let taken = self.progress.all().get(&message.id).copied().unwrap_or(0);
        let of = |text: String| match events.len() {
            0 | 1 => text,
            all => format!("{taken} of {all} events were taken: {text}"),
        };
        let outcome = match stopped {
            None if taken >= events.len() => SendOutcome::Delivered,
            None => SendOutcome::Retry {
                after_ms: Some(PAUSE_MS),
                error: of("the others follow in a minute".to_owned()),
            },
            // Nobody else would close it: somebody may put the key right.
            Some(SendOutcome::Rejected { error } | SendOutcome::Gone { error })
                if closes(&events[taken..]) =>
            {
                SendOutcome::Retry { after_ms: None, error: of(error) }
            }
            Some(SendOutcome::Rejected { error } | SendOutcome::Gone { error }) => {
                self.take_back(message, &events[..taken], &key, now).await;
                SendOutcome::Rejected { error: of(error) }
            }
            Some(SendOutcome::Retry { after_ms, error }) => {
                SendOutcome::Retry { after_ms, error: of(error) }
            }
            Some(SendOutcome::Delivered | SendOutcome::Accepted { .. }) => SendOutcome::Delivered,
        };
        if !matches!(outcome, SendOutcome::Retry { .. }) {
            self.progress.all().remove(&message.id);
        }
        if outcome == SendOutcome::Delivered {
            self.settle(message, &events, &key, now).await;
        }
        Ok(outcome)
    }

    /// Sends as many as may be sent now; what stopped it, if anything did.
    async fn run(
        &self,
        message: &Message,
        events: &[Event],
        key: &SecretString,
        now: Time,
    ) -> Option<SendOutcome> {
        let taken = self.progress.all().get(&message.id).copied().unwrap_or(0);
        for (at, event) in events.iter().enumerate().skip(taken).take(PER_TRY) {
            match self.post(event, key, now, message.attempts).await {
                SendOutcome::Delivered => {
                    self.progress.all().insert(message.id, at + 1);
                }
                other => return Some(other),
            }
        }
        None
    }

    async fn post(
        &self,
        event: &Event,
        key: &SecretString,
        now: Time,
        attempts: u32,
    ) -> SendOutcome {
        let mut body = serde_json::to_value(event).unwrap_or_default();
        body["routing_key"] = Value::from(key.expose_secret());
        match wire::post_json(&self.client, &self.url, &[], body.to_string(), now.wall).await {
            Ok(reply) => reply::classify(&reply, attempts),
            Err(error) => SendOutcome::Retry { after_ms: None, error },
        }
    }

    /// A message that was refused tells nobody of its incidents, so that nobody will hear of their
    /// end: what it opened is closed again, as far as that can be done.
    async fn take_back(&self, message: &Message, taken: &[Event], key: &SecretString, now: Time) {
        let own = format!("-m{}", message.id);
        for event in taken.iter().filter(|e| e.action == Action::Trigger) {
            if event.dedup_key.ends_with(&own) {
                self.post(&Event::resolve(&event.dedup_key), key, now, message.attempts).await;
            }
        }
    }

    /// After a message was taken: messages of no number are about the store, which works if there
    /// is one with a number.
    async fn settle(&self, message: &Message, events: &[Event], key: &SecretString, now: Time) {
        if message.id == 0 {
            if message.kind != MessageKind::Test {
                let keys = events.iter().map(|event| event.dedup_key.clone());
                self.owed.all().extend(keys);
            }
            return;
        }
        let owed = std::mem::take(&mut *self.owed.all());
        for dedup_key in owed {
            let resolve = Event::resolve(&dedup_key);
            if self.post(&resolve, key, now, message.attempts).await != SendOutcome::Delivered {
                self.owed.all().push(dedup_key);
            }
        }
    }
}
