//! The engine between a world and a vendor, with a store that survives what the process does not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use weir::clock::anchor;
use weir::engine::{Effect, Engine, EngineSettings, Input, Reload, base, outgoing};
use weir::journal::{Base, Writer};
use weir::model::*;
use weir::notify::{
    Budget, ChannelPlan, Compose, Composed, Composers, Edits, GroupBy, Language, MessageView,
    ReceiverPlan, Route, Settings, Storm,
};
use weir::replay::{self, Mode, Plan, Replayed};
use weir::rules::{LabelBook, RuleSet, RuleSource, SHIPPED, parse};
use weir::store::MemoryStore;

use super::chat::Chat;
use super::world::World;

/// What a message says: (incident, reason) of those named, how many were only counted.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Text {
    pub(super) named: Vec<(u64, NoticeReason)>,
    pub(super) subjects: Vec<String>,
    pub(super) counted: usize,
    pub(super) occurrences: Vec<u64>,
    /// Kind of the channel that wrote it.
    pub(super) by: String,
    /// What the named incidents are: open or not.
    #[serde(default)]
    pub(super) open: Vec<bool>,
}

/// Names at most so many; writes for a channel of this kind.
struct Plain(usize, String);

impl Compose for Plain {
    fn compose(&self, view: &MessageView) -> Composed {
        let named = view.items.len().min(self.0);
        let items = &view.items[..named];
        let text = Text {
            named: items.iter().map(|i| (i.incident.id, i.reason)).collect(),
            subjects: items.iter().map(|i| i.name.clone()).collect(),
            counted: view.items.len() - named,
            occurrences: items.iter().map(|i| i.incident.occurrences).collect(),
            by: self.1.clone(),
            open: items.iter().map(|i| i.incident.is_open()).collect(),
        };
        let body = serde_json::to_string(&text).unwrap();
        Composed { frozen: Frozen { body, title: String::new() }, named }
    }
}

/// One message as the vendor took it.
#[derive(Debug, Clone)]
pub(super) struct Received {
    pub(super) at: i64,
    pub(super) channel: String,
    pub(super) id: u64,
    pub(super) kind: MessageKind,
    pub(super) text: Text,
}

/// How far a turn gets before the process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kill {
    BeforeCommit,
    BeforeSend,
    AfterSend,
}

/// How the story is set up.
#[derive(Debug, Clone)]
pub(super) struct Setup {
    pub(super) poll_ms: i64,
    pub(super) group_wait_ms: u64,
    pub(super) hold_ms: u64,
    pub(super) budget: Option<Budget>,
    pub(super) names: usize,
    /// Every job is its own group, and no number of them is a storm.
    pub(super) apart: bool,
    /// This rule has left the rule files.
    pub(super) without: Option<&'static str>,
    /// The second channel is configured.
    pub(super) mail: bool,
    /// Kind of the first channel.
    pub(super) bot_kind: &'static str,
    /// The first channel can edit what it sent.
    pub(super) edits: Option<Edits>,
    /// `delivery: shadow`.
    pub(super) shadow: bool,
    /// More receivers, and whether each is in shadow; all is routed to the first of them. Each has
    /// one channel of its own name.
    pub(super) more: &'static [(&'static str, bool)],
    /// Somebody looks at the picture, which takes most of a step.
    pub(super) seen: bool,
    /// What else was changed in the rule files.
    pub(super) edit: fn(&mut RuleSet),
    /// What else is configured otherwise.
    pub(super) shape: fn(&mut Settings),
}

impl Default for Setup {
    fn default() -> Self {
        Setup {
            poll_ms: 10_000,
            group_wait_ms: 30_000,
            hold_ms: 0,
            budget: None,
            names: 1_000,
            apart: false,
            without: None,
            mail: true,
            bot_kind: "bot",
            edits: None,
            shadow: false,
            more: &[],
            seen: true,
            edit: |_| {},
            shape: |_| {},
        }
    }
}

/// The whole.
pub(super) struct Bench {
    pub(super) setup: Setup,
    pub(super) worlds: Vec<World>,
    engine: Engine,
    /// What was committed.
    pub(super) kept: MemoryStore,
    pub(super) received: Vec<Received>,
    /// What commands came to.
    pub(super) replies: Vec<Replied>,
    /// Answers on their way: (when, message, outcome).
    answers: Vec<(i64, u64, SendOutcome)>,
    deadline: Option<i64>,
    next_poll: Vec<i64>,
    pub(super) turns: u64,
    /// What the next turns die of.
    pub(super) kills: BTreeMap<u64, Kill>,
    /// After these turns the same configuration is loaded again.
    pub(super) reloads: BTreeSet<u64>,
    /// How a vendor answers.
    pub(super) answer: fn(&Message) -> SendOutcome,
    /// Channels that cannot be reached between two times.
    pub(super) down: Vec<(&'static str, i64, i64)>,
    /// What was tried: steady time and endpoint.
    pub(super) tries: Vec<(Ts, String)>,
    /// What stands in the chat of the channel that can edit.
    pub(super) chat: Chat,
    /// The wall clock is set: from these times on it is so far off.
    pub(super) jumps: Vec<(i64, i64)>,
    /// Steady time less the time of the story: what a start took from a clock that was off.
    steady: i64,
    /// Everything every step said, for comparison.
    pub(super) journal: Option<String>,
    /// What a shell would leave of the history: the open segment, and what was committed.
    pub(super) history: Option<(Writer, Vec<HistoryChunk>)>,
}

fn settings(setup: &Setup, worlds: &[World]) -> (EngineSettings, RuleSet, Composers) {
    let channel = |name: &str, kind: &str, per_incident| ChannelPlan {
        id: ChannelId { receiver: "team".to_owned(), channel: name.to_owned() },
        kind: kind.to_owned(),
        endpoint: kind.to_owned(),
        budgets: setup.budget.into_iter().collect(),
        send_resolved: true,
        per_incident,
        resend: None,
        standby: false,
        marks: false,
        fallback: None,
        edits: None,
    };
    let bot = channel("bot", setup.bot_kind, setup.edits.is_some());
    let mut channels = vec![ChannelPlan { edits: setup.edits.clone(), ..bot }];
    if setup.mail {
        channels.push(channel("mail", "mail", true));
    }
    let receiver = |name: &str, shadow, channels| ReceiverPlan {
        storm: None,
        summary: None,
        name: name.to_owned(),
        language: Language::En,
        zone: TimeZone::UTC,
        shadow,
        channels,
    };
    let mut receivers =
        BTreeMap::from([("team".to_owned(), receiver("team", setup.shadow, channels))]);
    for (name, shadow) in setup.more {
        let mut only = channel(name, name, false);
        (*name).clone_into(&mut only.id.receiver);
        receivers.insert((*name).to_owned(), receiver(name, *shadow, vec![only]));
    }
    let composer = |c: &ChannelPlan| Arc::new(Plain(setup.names, c.kind.clone()));
    let composers = receivers
        .values()
        .flat_map(|r| &r.channels)
        .map(|c| (c.id.clone(), composer(c) as Arc<dyn Compose>))
        .collect();
    let mut route = Route {
        id: "0".to_owned(),
        receiver: "team".to_owned(),
        matchers: Vec::new(),
        continues: false,
        group_by: if setup.apart {
            GroupBy::All
        } else {
            GroupBy::Labels(vec!["cluster".to_owned()])
        },
        group_wait: Duration::from_millis(setup.group_wait_ms),
        group_interval: Duration::from_mins(5),
        repeat_interval: Duration::from_hours(4),
        hours: Hours::default(),
        hold_until: None,
        escalate: Vec::new(),
        routes: Vec::new(),
    };
    if let Some((name, _)) = setup.more.first() {
        let to = Route { id: "0/0".to_owned(), receiver: (*name).to_owned(), ..route.clone() };
        route.routes.push(to);
    }
    let mut settings = EngineSettings {
        sources: worlds.iter().map(|w| (w.source.clone(), "flink".to_owned())).collect(),
        incidents: weir::incidents::Settings::default(),
        notify: Settings {
            receivers,
            shadow: setup.shadow,
            route,
            storm: if setup.apart {
                Storm { incidents: 10_000, ..Storm::default() }
            } else {
                Storm::default()
            },
            external_url: None,
            links: None,
        },
        labels: LabelBook::default(),
        schedules: weir::model::Schedules::default(),
        restarts: weir::actions::Settings::default(),
        failing_after: Duration::from_mins(5),
    };
    let files: Vec<_> = SHIPPED.iter().map(|(file, text)| RuleSource { file, text }).collect();
    let mut rules = parse(&files).unwrap();
    rules.rules.retain(|r| Some(r.id.alert.as_str()) != setup.without);
    for rule in &mut rules.rules {
        rule.hold = rule.hold.max(Duration::from_millis(setup.hold_ms));
    }
    (setup.edit)(&mut rules);
    (setup.shape)(&mut settings.notify);
    (settings, rules, composers)
}

impl Bench {
    pub(super) fn new(setup: Setup, worlds: Vec<World>) -> Bench {
        let (settings, rules, composers) = settings(&setup, &worlds);
        let kept = MemoryStore::new("w");
        let engine = Engine::new(settings, rules, composers, &kept.load(Ts(0)));
        Bench {
            engine: if setup.seen { engine } else { engine.unseen() },
            next_poll: vec![0; worlds.len()],
            setup,
            worlds,
            kept,
            received: Vec::new(),
            replies: Vec::new(),
            answers: Vec::new(),
            deadline: None,
            turns: 0,
            kills: BTreeMap::new(),
            reloads: BTreeSet::new(),
            answer: |_| SendOutcome::Delivered,
            down: Vec::new(),
            tries: Vec::new(),
            chat: Chat::default(),
            jumps: Vec::new(),
            steady: 0,
            journal: None,
            history: None,
        }
    }

    /// Polls begin at this time, a little apart.
    pub(super) fn begin(&mut self, start: i64) {
        for (n, at) in self.next_poll.iter_mut().enumerate() {
            *at = start + n as i64 * 7 % 1_000;
        }
    }

    /// Lets virtual time pass until `end`.
    pub(super) fn run(&mut self, end: i64) {
        loop {
            let poll = self.next_poll.iter().copied().min().unwrap_or(i64::MAX);
            let answer = self.answers.iter().map(|a| a.0).min().unwrap_or(i64::MAX);
            let now = poll.min(answer).min(self.deadline.unwrap_or(i64::MAX));
            if now > end {
                return;
            }
            let input = if answer == now {
                let index = self.answers.iter().position(|a| a.0 == now).unwrap();
                let (_, message, outcome) = self.answers.remove(index);
                Input::Delivery { message, outcome }
            } else if poll == now {
                let index = self.next_poll.iter().position(|p| *p == now).unwrap();
                self.next_poll[index] = now + self.setup.poll_ms;
                self.worlds[index].wall = self.wall_offset(now);
                Input::Snapshot(Box::new(self.worlds[index].poll(now)))
            } else {
                self.deadline = None;
                Input::Deadline
            };
            self.turn(now, input);
            if self.reloads.remove(&self.turns) {
                let reload = Input::Reload(self.configuration());
                for effect in self.engine.step(self.time(now), reload) {
                    let harmless = match &effect {
                        Effect::Publish(_) => true,
                        Effect::Deadline(at) => {
                            self.deadline.is_none_or(|known| known == at.0 - self.steady)
                        }
                        Effect::Persist(_)
                        | Effect::Send(_)
                        | Effect::Act(_)
                        | Effect::Answer(_)
                        | Effect::Resend(_) => false,
                    };
                    assert!(harmless, "the same configuration again at {now}: {effect:?}");
                }
            }
        }
    }

    fn configuration(&self) -> Box<Reload> {
        let (settings, rules, composers) = settings(&self.setup, &self.worlds);
        Box::new(Reload { settings, rules, composers })
    }

    /// Loads what the setup and the worlds are now.
    pub(super) fn reload(&mut self, now: i64) {
        self.next_poll.resize(self.worlds.len(), now + 500);
        let reload = Input::Reload(self.configuration());
        self.turn(now, reload);
    }

    /// Somebody gives a command.
    pub(super) fn command(&mut self, now: i64, id: &str, what: Action) -> Option<Replied> {
        let (id, actor) = (id.to_owned(), "ops".to_owned());
        let before = self.replies.len();
        self.turn(now, Input::Command(Box::new(Command { id, actor, what })));
        self.replies.get(before).cloned()
    }

    /// A look that was on its way.
    pub(super) fn look(&mut self, now: i64, look: Snapshot) {
        self.turn(now, Input::Snapshot(Box::new(look)));
    }

    fn wall_offset(&self, now: i64) -> i64 {
        self.jumps.iter().rev().find(|(from, _)| *from <= now).map_or(0, |(_, offset)| *offset)
    }

    /// What clocks show.
    pub(super) fn time(&self, now: i64) -> Time {
        Time { steady: Ts(now + self.steady), wall: Ts(now + self.wall_offset(now)) }
    }

    fn turn(&mut self, now: i64, input: Input) {
        self.turns += 1;
        assert!(self.turns < 3_000_000, "the engine wakes itself without end");
        let kill = self.kills.remove(&self.turns);
        let at = self.time(now);
        if let Some((writer, _)) = &mut self.history {
            match &input {
                Input::Snapshot(snapshot) => writer.snapshot(at, snapshot),
                Input::Deadline => writer.deadline(at),
                Input::Delivery { message, outcome } => writer.delivery(at, *message, outcome),
                Input::Reload(new) => writer.reload(at, &new.rules.demand()),
                Input::Command(command) => writer.command(at, command),
                Input::Acted { restart, told } => writer.acted(at, *restart, told),
            }
        }
        let effects = self.engine.step(at, input);
        if let Some((writer, chunks)) = &mut self.history {
            for message in outgoing(&effects) {
                writer.sent(at, message);
            }
            let persists = effects.iter().any(|e| matches!(e, Effect::Persist(_)));
            if kill != Some(Kill::BeforeCommit) && (persists || writer.is_due(at.steady)) {
                chunks.extend(writer.cut());
            }
        }
        if let Some(journal) = &mut self.journal {
            for effect in &effects {
                if !matches!(effect, Effect::Publish(_)) {
                    writeln!(journal, "{now} {effect:?}").unwrap();
                }
            }
        }
        for effect in effects {
            match effect {
                Effect::Persist(_) if kill == Some(Kill::BeforeCommit) => break,
                Effect::Persist(changes) => self.kept.apply(changes),
                Effect::Send(_) if kill == Some(Kill::BeforeSend) => break,
                Effect::Send(message) => {
                    self.tries.push((at.steady, message.endpoint.clone()));
                    let mut outcome = self.answer_to(now, &message);
                    let taken = outcome == SendOutcome::Delivered;
                    if taken && self.setup.edits.is_some() && message.to.channel == "bot" {
                        outcome = self.chat.take(now, &message);
                    }
                    if taken && message.manner == Manner::Fresh {
                        self.received.push(Received {
                            at: now,
                            channel: message.to.channel.clone(),
                            id: message.id,
                            kind: message.kind,
                            text: serde_json::from_str(&message.frozen.body).unwrap(),
                        });
                    }
                    self.answers.push((now + 300, message.id, outcome));
                }
                Effect::Resend(message) => {
                    self.answers.push((now + 300, message.id, SendOutcome::Delivered));
                }
                Effect::Publish(_) | Effect::Act(_) => {}
                Effect::Answer(replied) => self.replies.push(*replied),
                Effect::Deadline(due) => {
                    assert!(due > at.steady, "a deadline in the past");
                    self.deadline = Some(due.0 - self.steady);
                }
            }
        }
        if kill.is_some() {
            self.restart(now);
        }
    }

    fn answer_to(&self, now: i64, message: &Message) -> SendOutcome {
        let is_down = |(channel, from, until): &(&str, i64, i64)| {
            *channel == message.to.channel && (*from..*until).contains(&now)
        };
        if self.down.iter().any(is_down) {
            return SendOutcome::Retry { after_ms: None, error: "no route to host".to_owned() };
        }
        (self.answer)(message)
    }

    /// A new process over what was committed, by what the clock of the machine shows then.
    pub(super) fn restart(&mut self, now: i64) {
        let (settings, rules, composers) = settings(&self.setup, &self.worlds);
        let wall = self.time(now).wall;
        let mut loaded = self.kept.load(wall);
        let steady = anchor(wall, loaded.steady());
        loaded.clamp(steady);
        self.steady = steady.0 - now;
        let engine = Engine::new(settings, rules, composers, &loaded);
        self.engine = if self.setup.seen { engine } else { engine.unseen() };
        self.begin_history(now);
        self.answers.clear();
        self.deadline = Some(now + 1);
        for world in &mut self.worlds {
            world.forget();
        }
    }

    /// Keeps a history from here on, as after the start of a process.
    pub(super) fn keep_history(&mut self, now: i64) {
        let nothing = Base {
            version: String::new(),
            from_start: true,
            demand: (&Demand::default()).into(),
            loaded: Loaded::default(),
        };
        self.history = Some((Writer::new(0, u64::MAX, Time::at(now), &nothing), Vec::new()));
        self.begin_history(now);
    }

    fn begin_history(&mut self, now: i64) {
        if let Some((writer, _)) = &mut self.history {
            let base = base(true, &self.engine.demand(), self.kept.load(Ts(now)));
            *writer = writer.next(Time::at(now), &base);
        }
    }

    /// The history again.
    pub(super) fn replay(&self, mode: Mode, since: i64) -> Replayed {
        let (settings, rules, composers) = settings(&self.setup, &self.worlds);
        let chunks = self.history.as_ref().map(|(_, chunks)| chunks.clone()).unwrap_or_default();
        let plan = Plan { mode, since: Ts(since), settings, rules, composers };
        replay::run(plan, chunks, |_| {})
    }

    /// Lets time pass until a message is on the wire; returns when that is.
    pub(super) fn run_until_sending(&mut self, from: i64) -> i64 {
        let mut now = from;
        while self.answers.is_empty() {
            now += 100;
            assert!(now < from + 3_600_000, "nothing is sent");
            self.run(now);
        }
        now
    }

    /// Messages a channel took, each once, in order.
    pub(super) fn told(&self, channel: &str) -> Vec<&Received> {
        let mut seen = BTreeSet::new();
        self.received.iter().filter(|r| r.channel == channel && seen.insert(r.id)).collect()
    }

    /// How often a channel was told something of any incident.
    pub(super) fn count(&self, channel: &str, reason: NoticeReason) -> usize {
        let texts = self.told(channel).into_iter().flat_map(|r| r.text.named.clone());
        texts.filter(|(_, r)| *r == reason).count()
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }
}

/// Both channels.
pub(super) const CHANNELS: [&str; 2] = ["bot", "mail"];
