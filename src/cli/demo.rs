//! `weir demo`: what came in beside what went out, with simulated jobs and a clock that runs fast.
//! The engine, the shipped rules and the texts are the real ones; nothing is sent.

use std::io::{IsTerminal, stdout};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::tz::TimeZone;

use super::story::{LENGTH, Story};
use super::{Failure, output};
use crate::app::{self, read_rules};
use crate::clock::{Clock, SystemClock};
use crate::config;
use crate::engine::{Effect, Engine, Input, View};
use crate::model::{Loaded, Message, Time, Ts};
use crate::notify::channels::Parts;
use crate::notify::render::Templates;
use crate::notify::{Compose, Composers, Language};

/// Time between two looks.
const STEP: i64 = 10_000;

/// Plays a two-hour story.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Language of the messages: en or zh.
    #[arg(long, default_value = "en", value_parser = ["en", "zh"])]
    language: String,
    /// Play at once instead of in about ten seconds.
    #[arg(long)]
    fast: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut config = config::for_watch(&["http://prod".to_owned()]);
    for receiver in config.notify.receivers.values_mut() {
        receiver.language = if args.language == "zh" { Language::Zh } else { Language::En };
        receiver.zone = TimeZone::UTC;
    }
    let rules = read_rules(&config).map_err(|problems| {
        output::problems(&problems);
        Failure::Refused
    })?;
    let sink = Arc::new(|_: &str| {});
    let templates = Arc::new(Templates::shipped());
    let channels = app::channels(&config, &Parts { templates, sink, people: config.mentions() })?;
    let composers: Composers = channels
        .iter()
        .map(|(id, c)| (id.clone(), Arc::new(app::ComposedBy(Arc::clone(c))) as Arc<dyn Compose>))
        .collect();
    let loaded = Loaded { installation: "demo".to_owned(), ..Loaded::default() };
    let mut engine = Engine::new(app::engine_settings(&config), rules.set, composers, &loaded);
    let start = SystemClock::anchored(None).now().wall.0 - LENGTH;
    let mut stage = Stage { engine: &mut engine, view: Arc::default(), sent: 0, deadline: None };
    let mut story = Story::new(start);
    let mut now = start;
    output::say("two hours of four simulated jobs; the alerts are what your group would get\n");
    while now <= start + LENGTH {
        let look = story.look(now);
        stage.turn(now, Input::Snapshot(Box::new(look)));
        while let Some(at) = stage.deadline.filter(|at| at.0 < now + STEP) {
            stage.deadline = None;
            stage.turn(at.0, Input::Deadline);
        }
        if !args.fast && stdout().is_terminal() {
            pause();
        }
        now += STEP;
    }
    let incidents = stage.view.incidents.len();
    output::say(&format!(
        "\n{} failures seen → {incidents} incidents → {} messages",
        stage.view.failures_seen, stage.sent
    ));
    output::say("next: `weir watch http://your-jobmanager:8081`");
    Ok(())
}

struct Stage<'a> {
    engine: &'a mut Engine,
    view: Arc<View>,
    sent: u64,
    deadline: Option<Ts>,
}

impl Stage<'_> {
    fn turn(&mut self, at: i64, input: Input) {
        let before = self.view.failures_seen;
        let mut sends: Vec<Message> = Vec::new();
        for effect in self.engine.step(Time::at(at), input) {
            match effect {
                Effect::Send(message) => sends.push(*message),
                Effect::Publish(view) => self.view = view,
                Effect::Deadline(at) => self.deadline = Some(at),
                Effect::Persist(_) | Effect::Act(_) | Effect::Answer(_) | Effect::Resend(_) => {}
            }
        }
        if self.view.failures_seen > before {
            output::say(&format!("{}  a job failed", clock(at)));
        }
        for message in sends {
            self.sent += 1;
            output::say(&format!("{}  ── message {} ──", clock(at), self.sent));
            output::say(message.frozen.body.trim_end());
            output::say("");
            let outcome = message.taken();
            self.turn(at, Input::Delivery { message: message.id, outcome });
        }
    }
}

fn clock(millis: i64) -> String {
    let minutes = millis.div_euclid(60_000).rem_euclid(1_440);
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// A moment to read; waits on a condition nobody ever signals.
fn pause() {
    let never = Mutex::new(());
    let guard = never.lock().unwrap_or_else(PoisonError::into_inner);
    let moment = std::time::Duration::from_millis(14);
    drop(std::sync::Condvar::new().wait_timeout(guard, moment));
}
