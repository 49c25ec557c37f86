//! One event after the other into an engine.

use std::collections::BTreeSet;

use super::coverage::Coverage;
use super::{Mode, Plan, Replayed, Said};
use crate::engine::{Effect, Engine, Input, outgoing};
use crate::journal::{Event, SentNote};
use crate::model::{Change, Demand, Loaded, Silence, Time, Ts};
use crate::store::MemoryStore;

/// A replay in progress.
pub(super) struct Player {
    plan: Plan,
    engine: Option<Engine>,
    /// What would be stored; only without the real one.
    memory: MemoryStore,
    deadline: Option<Ts>,
    coverage: Coverage,
    done: Replayed,
    /// The engine began where the real one merely went on.
    inexact: Option<Time>,
    /// Other versions that wrote the history.
    versions: BTreeSet<String>,
}

impl Player {
    pub(super) fn new(plan: Plan) -> Player {
        let coverage = Coverage::new(&plan.rules);
        Player {
            plan,
            engine: None,
            memory: MemoryStore::default(),
            deadline: None,
            coverage,
            done: Replayed::default(),
            inexact: None,
            versions: BTreeSet::new(),
        }
    }

    /// Something is missing from the history here.
    pub(super) fn gap(&mut self, why: String) {
        self.done.remarks.push(why);
        self.coverage.pause();
        if self.plan.mode == Mode::AsItWas {
            self.engine = None;
        }
    }

    /// The next event.
    pub(super) fn event(&mut self, at: Time, event: Event) {
        let counts = at.wall >= self.plan.since;
        let afresh = self.plan.mode == Mode::Afresh;
        if counts {
            self.done.span = Some((self.done.span.map_or(at, |span| span.0), at));
        }
        if let Event::Base(base) = event {
            if base.from_start {
                self.coverage.pause();
                self.done.starts += u64::from(counts);
            }
            self.coverage.demand(Demand::from(base.demand));
            self.heed_version(&base.version);
            if afresh {
                self.memory.installation = base.loaded.installation;
                if self.engine.is_none() {
                    // What people wanted is not for rules to decide; with the numbers they know.
                    let rows = base.loaded.meta.into_iter();
                    let silences = rows.filter(|(key, _)| key.starts_with(Silence::ROW));
                    let keep = |(key, value)| Change::Meta { key, value };
                    self.memory.apply(silences.map(keep).collect());
                }
                if base.from_start && self.engine.is_some() {
                    let loaded = self.memory.load(at.steady);
                    self.restart(&loaded);
                    // A process begins with a look at what is due.
                    self.deadline = Some(at.steady);
                }
            } else if base.from_start || self.engine.is_none() {
                self.inexact = self.inexact.or((!base.from_start).then_some(at));
                self.restart(&base.loaded);
            }
            if counts {
                self.coverage.event(at);
            }
            return;
        }
        if counts {
            self.coverage.event(at);
            self.done.looks += u64::from(matches!(event, Event::Snapshot(_)));
        }
        if afresh && counts && self.engine.is_none() {
            let loaded = self.memory.load(at.steady);
            self.restart(&loaded);
        }
        let input = match event {
            Event::Snapshot(snapshot) => Input::Snapshot(snapshot),
            Event::Deadline | Event::Delivery { .. } if afresh => return,
            Event::Deadline => Input::Deadline,
            Event::Delivery { message, outcome } => Input::Delivery { message, outcome },
            Event::Command(command) if afresh && command.what.incident().is_some() => {
                return self.leave_out(counts);
            }
            // Numbers of restarts are others with other rules, as those of incidents are.
            Event::Acted { .. } if afresh => return self.leave_out(counts),
            Event::Acted { restart, told } => Input::Acted { restart, told },
            Event::Command(command) => Input::Command(command),
            Event::Reload(demand) => {
                self.coverage.demand(*demand);
                if !afresh && counts {
                    self.done.remarks.push(format!(
                        "the configuration was loaded anew at {}: before that others were in force, \
                         and what was said with them may not be repeated exactly",
                        time(at)
                    ));
                }
                if afresh {
                    return;
                }
                // The engine tells what waits when it goes on with another configuration.
                Input::Deadline
            }
            Event::Sent(note) => {
                if counts {
                    self.done.live.push(Said { at, note: *note });
                }
                return;
            }
            Event::Base(_) => return,
        };
        if afresh {
            self.pass_time(at);
        }
        self.step(at, input);
    }

    /// Another Weir may have decided otherwise.
    fn heed_version(&mut self, version: &str) {
        let ours = env!("CARGO_PKG_VERSION");
        if version != ours && self.versions.insert(version.to_owned()) {
            let what = if self.plan.mode == Mode::Afresh { "seen" } else { "seen and said" };
            self.done.remarks.push(format!(
                "part of it was {what} by weir {version}, this is {ours}: it may decide otherwise"
            ));
        }
    }

    fn restart(&mut self, loaded: &Loaded) {
        let (settings, rules) = (self.plan.settings.clone(), self.plan.rules.clone());
        let engine = Engine::new(settings, rules, self.plan.composers.clone(), loaded);
        self.engine = Some(engine.unseen());
        self.deadline = None;
    }

    /// The deadlines that come before this.
    fn pass_time(&mut self, at: Time) {
        let apart = at.wall.0.saturating_sub(at.steady.0);
        while let Some(due) = self.deadline.filter(|due| *due <= at.steady) {
            self.deadline = None;
            let time = Time { steady: due, wall: due.shifted(apart) };
            self.step(time, Input::Deadline);
        }
    }

    fn step(&mut self, at: Time, input: Input) {
        let afresh = self.plan.mode == Mode::Afresh;
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let Some(engine) = &mut self.engine else { return };
            let effects = engine.step(at, input);
            if at.wall >= self.plan.since {
                let said =
                    outgoing(&effects).into_iter().map(|m| Said { at, note: SentNote::from(m) });
                self.done.said.extend(said);
            }
            if !afresh {
                continue;
            }
            for effect in effects {
                match effect {
                    Effect::Persist(changes) => self.memory.apply(changes),
                    Effect::Send(message) | Effect::Resend(message) => inputs
                        .push(Input::Delivery { message: message.id, outcome: message.taken() }),
                    Effect::Deadline(due) => self.deadline = Some(due),
                    Effect::Act(_) | Effect::Publish(_) | Effect::Answer(_) => {}
                }
            }
        }
    }

    /// Incidents have other numbers with other rules: who acknowledged or closed one is not known to
    /// have meant that one.
    fn leave_out(&mut self, counts: bool) {
        const LEFT_OUT: &str = "incidents were acknowledged or closed by hand meanwhile; that is \
                                left out, for with other rules they would be others";
        if counts && !self.done.remarks.iter().any(|said| said == LEFT_OUT) {
            self.done.remarks.push(LEFT_OUT.to_owned());
        }
    }

    /// How far it is.
    pub(super) fn end(mut self) -> Replayed {
        if let Some((first, last)) = self.done.span {
            let span_ms = last.steady.since(first.steady).as_millis() as u64;
            self.done.shares = self.coverage.shares(span_ms);
        }
        if let Some(at) = self.inexact {
            self.done.remarks.push(format!(
                "the history begins at {} in the middle of a process: what rules knew before that \
                 beyond the stored state is not in it",
                time(at)
            ));
        }
        self.done
    }
}

fn time(at: Time) -> String {
    jiff::Timestamp::from_millisecond(at.wall.0)
        .map_or_else(|_| at.wall.0.to_string(), |t| t.to_string())
}
