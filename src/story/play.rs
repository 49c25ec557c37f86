//! Plays a story: the step of production in virtual time, and a log of what it did.

use std::collections::BTreeMap;

use super::build::Story;
use super::times::Moment;
use crate::engine::{Effect, Engine, Input};
use crate::model::{
    Alert, AlertState, Change, Incident, Loaded, Message, RuleId, SendOutcome, Subject, Time, Ts,
};
use crate::notify::Composers;

/// A turn never makes more turns than this.
const MAX_TURNS_PER_LOOK: usize = 1_000;

/// Something that happened, and when.
#[derive(Debug, Clone)]
pub struct Event {
    /// When.
    pub at: Moment,
    /// What.
    pub what: What,
}

/// What happens in a story.
#[derive(Debug, Clone)]
pub enum What {
    /// An alert is pending or firing.
    Alert(Box<Alert>),
    /// An alert is over.
    AlertEnded(RuleId, Subject),
    /// An incident opened or changed.
    Incident(Box<Incident>),
    /// A message was sent.
    Message(Box<Message>),
}

/// What came of a story.
#[derive(Debug, Clone, Default)]
pub(super) struct Played {
    pub(super) events: Vec<Event>,
    pub(super) incidents: BTreeMap<u64, Incident>,
    /// When the next message would go out that waits at the end.
    pub(super) waits_until: Option<Moment>,
}

impl Played {
    /// Alerts after everything that happened until `t`.
    pub(super) fn alerts_at(&self, t: i64) -> BTreeMap<(RuleId, Subject), &Alert> {
        let mut alerts = BTreeMap::new();
        for event in self.events.iter().take_while(|e| e.at.0 <= t) {
            match &event.what {
                What::Alert(alert) => {
                    alerts.insert((alert.rule.clone(), alert.subject.clone()), &**alert);
                }
                What::AlertEnded(rule, subject) => {
                    alerts.remove(&(rule.clone(), subject.clone()));
                }
                What::Incident(_) | What::Message(_) => {}
            }
        }
        alerts
    }

    /// Firings, in order.
    pub(super) fn firings(&self) -> impl Iterator<Item = (Moment, &Alert)> {
        self.events.iter().filter_map(|event| match &event.what {
            What::Alert(alert) if alert.state == AlertState::Firing => Some((event.at, &**alert)),
            _ => None,
        })
    }

    /// Messages, in order.
    pub(super) fn messages(&self) -> Vec<(Moment, &Message)> {
        self.events
            .iter()
            .filter_map(|event| match &event.what {
                What::Message(message) => Some((event.at, &**message)),
                _ => None,
            })
            .collect()
    }
}

/// Plays it.
pub(super) fn play(story: &Story, composers: Composers) -> Played {
    let loaded = Loaded { installation: "story".to_owned(), ..Loaded::default() };
    let engine = Engine::new(story.settings.clone(), story.rules.clone(), composers, &loaded);
    let demand = engine.demand();
    let epoch = story.world.epoch;
    let mut stage = Stage { engine, epoch, deadline: None, played: Played::default() };
    let mut t = 0;
    while t <= story.until {
        for source in 0..story.world.sources.len() {
            if let Some(look) = story.world.look(source, t, &demand) {
                stage.turn(t, Input::Snapshot(Box::new(look)));
            }
        }
        let next = t + story.poll;
        for _ in 0..MAX_TURNS_PER_LOOK {
            let due = stage.deadline.filter(|at| at.0 - epoch < next);
            let Some(at) = due.map(|at| at.0 - epoch).filter(|at| *at <= story.until) else {
                break;
            };
            stage.turn(at, Input::Deadline);
        }
        t = next;
    }
    let end = Time::at(epoch + story.until);
    let news = stage.engine.pipeline().next_news(end, stage.engine.incidents());
    stage.played.waits_until = news.map(|at| Moment(at.0 - epoch));
    stage.played
}

struct Stage {
    engine: Engine,
    epoch: i64,
    deadline: Option<Ts>,
    played: Played,
}

impl Stage {
    fn turn(&mut self, t: i64, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            self.deadline = None;
            for effect in self.engine.step(Time::at(self.epoch + t), input) {
                match effect {
                    Effect::Persist(changes) => self.note(t, changes),
                    Effect::Send(message) => {
                        let outcome = SendOutcome::Delivered;
                        inputs.push(Input::Delivery { message: message.id, outcome });
                        self.log(t, What::Message(message));
                    }
                    Effect::Resend(message) => inputs.push(Input::Delivery {
                        message: message.id,
                        outcome: SendOutcome::Delivered,
                    }),
                    Effect::Deadline(at) => self.deadline = Some(at),
                    Effect::Act(_) | Effect::Publish(_) | Effect::Answer(_) => {}
                }
            }
        }
    }

    fn note(&mut self, t: i64, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Alert(alert) => self.log(t, What::Alert(alert)),
                Change::ForgetAlert { rule, subject } => {
                    self.log(t, What::AlertEnded(rule, subject));
                }
                Change::Incident(incident) => {
                    self.played.incidents.insert(incident.id, (*incident).clone());
                    self.log(t, What::Incident(incident));
                }
                _ => {}
            }
        }
    }

    fn log(&mut self, t: i64, what: What) {
        self.played.events.push(Event { at: Moment(t), what });
    }
}
