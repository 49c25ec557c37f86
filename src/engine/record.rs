//! What the loop leaves in the journal: every input of every step, before the step's effects.

use super::{Effect, Input};
use crate::journal::{Base, Writer};
use crate::model::{Change, Demand, Loaded, Message, MessageState, Time, Ts};

/// The journal of the loop; none where history is not kept.
pub(super) struct Recorder(Option<Writer>);

impl Recorder {
    pub(super) fn new(writer: Option<Writer>) -> Recorder {
        Recorder(writer)
    }

    /// A step is about to be taken with this.
    pub(super) fn input(&mut self, time: Time, input: &Input) {
        let Some(writer) = &mut self.0 else { return };
        match input {
            Input::Snapshot(snapshot) => writer.snapshot(time, snapshot),
            Input::Deadline => writer.deadline(time),
            Input::Delivery { message, outcome } => writer.delivery(time, *message, outcome),
            Input::Reload(new) => writer.reload(time, &new.rules.demand()),
            Input::Command(command) => writer.command(time, command),
            Input::Acted { restart, told } => writer.acted(time, *restart, told),
        }
    }

    /// What the step wants sent, in the same transaction as its changes.
    pub(super) fn sends(&mut self, time: Time, effects: &[Effect]) {
        let Some(writer) = &mut self.0 else { return };
        for message in outgoing(effects) {
            writer.sent(time, message);
        }
    }

    /// It has waited long enough for a step that writes anyway.
    pub(super) fn is_due(&self, now: Ts) -> bool {
        self.0.as_ref().is_some_and(|writer| writer.is_due(now))
    }

    /// What waits, to be written with the changes of a step.
    pub(super) fn cut(&mut self) -> Option<Change> {
        self.0.as_mut()?.cut().map(|chunk| Change::History(Box::new(chunk)))
    }

    /// The segment is long enough.
    pub(super) fn is_full(&self, now: Ts) -> bool {
        self.0.as_ref().is_some_and(|writer| writer.is_full(now))
    }

    /// Begins the next segment; the engine goes on.
    pub(super) fn next(&mut self, time: Time, demand: &Demand, loaded: Loaded) {
        if let Some(writer) = &mut self.0 {
            *writer = writer.next(time, &base(false, demand, loaded));
        }
    }
}

/// Messages a step lets out for the first time, or would but for `delivery: shadow`.
pub fn outgoing(effects: &[Effect]) -> Vec<&Message> {
    let mut found: Vec<&Message> = Vec::new();
    for effect in effects {
        match effect {
            // What carries no news says nothing.
            Effect::Send(message) if message.attempts == 1 && !message.is_live() => {
                found.push(message);
            }
            Effect::Persist(changes) => {
                found.extend(changes.iter().filter_map(|change| match change {
                    Change::Message(message) if message.state == MessageState::Shadow => {
                        Some(&**message)
                    }
                    _ => None,
                }));
            }
            _ => {}
        }
    }
    found
}

/// How a segment begins.
pub fn base(from_start: bool, demand: &Demand, loaded: Loaded) -> Base {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    Base { version, from_start, demand: demand.into(), loaded }
}
