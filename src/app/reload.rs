//! Goes on with another configuration, as a whole or not at all.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use super::lists::Lists;
use super::pollers::Pollers;
use super::read::{Checked, read};
use super::{composers, engine_settings, heartbeat, housekeeping, trouble};
use crate::actions::Performer;
use crate::clock::Clock;
use crate::config::{Config, Fingerprints, History};
use crate::engine::{Health, Order, Reload};
use crate::model::{Problem, Ts};
use crate::notify::LinkKey;
use crate::notify::channels::{Channel, Parts, Sink};
use crate::sources::Source;
use crate::store::Store;
use crate::web::{ReloadError, Reloaded};

/// Keys that take effect only at a start.
const AT_START: &[&str] = &[
    "store.url",
    "history.enabled",
    "web.listen",
    "web.tokens",
    "web.metrics_open",
    "web.external_url",
];
/// Requests that may wait; all that wait when one begins are answered by it.
const WAITING: usize = 64;

type Answer = Result<Reloaded, ReloadError>;

/// How the last reload went.
#[derive(Debug, Clone, Default)]
pub(super) struct LastReload {
    /// Why it was refused.
    pub(super) error: Option<String>,
    /// Wall time of the last one that was taken; at first of the start.
    pub(super) taken_at: Option<Ts>,
}

/// Asks for a reload.
#[derive(Debug, Clone)]
pub struct ReloadHandle(mpsc::Sender<oneshot::Sender<Answer>>);

impl ReloadHandle {
    /// Reads everything again; returns when the new configuration is in force and committed.
    ///
    /// # Errors
    /// When something is wrong with it: the old one stays in force. When Weir is stopping.
    pub async fn reload(&self) -> Answer {
        let stopping = || ReloadError::Unavailable("weir is stopping".to_owned());
        let (answer, answered) = oneshot::channel();
        self.0.send(answer).await.map_err(|_| stopping())?;
        answered.await.unwrap_or_else(|_| Err(stopping()))
    }
}

/// A handle, and where its requests arrive.
pub(super) fn handle() -> (ReloadHandle, mpsc::Receiver<oneshot::Sender<Answer>>) {
    let (tx, rx) = mpsc::channel(WAITING);
    (ReloadHandle(tx), rx)
}

/// What can change while Weir runs.
pub(super) struct Reloader {
    pub(super) file: PathBuf,
    pub(super) requests: mpsc::Receiver<oneshot::Sender<Answer>>,
    pub(super) orders: mpsc::Sender<Order>,
    pub(super) last: watch::Sender<LastReload>,
    pub(super) sink: Sink,
    pub(super) installation: String,
    /// What makes links in messages.
    pub(super) links: Option<LinkKey>,
    /// Changed ones are taken without being asked.
    pub(super) lists: Lists,
    pub(super) side: SideTasks,
    pub(super) pollers: Pollers,
    /// What the process was started with.
    pub(super) started: Fingerprints,
    /// What is in force.
    pub(super) current: Fingerprints,
}

/// A new configuration with everything built that could have failed.
struct Ready {
    checked: Checked,
    channels: BTreeMap<crate::model::ChannelId, Arc<dyn Channel>>,
    sources: Vec<Box<dyn Source>>,
    performer: Arc<dyn Performer>,
}

impl Reloader {
    /// Until told to stop; one reload at a time.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        loop {
            let first = tokio::select! {
                () = stop.cancelled() => return,
                first = self.requests.recv() => Some(first),
                () = self.lists.changed() => None,
            };
            let mut waiting = match first {
                Some(Some(first)) => vec![first],
                Some(None) => return,
                None => {
                    info!("lists of sources changed");
                    Vec::new()
                }
            };
            while let Ok(more) = self.requests.try_recv() {
                waiting.push(more);
            }
            let answer = self.reload().await;
            self.tell(&answer);
            for asked in waiting {
                // Whoever asked may have gone.
                asked.send(answer.clone()).ok();
            }
        }
    }

    fn tell(&self, answer: &Answer) {
        match answer {
            Ok(done) => {
                for warning in &done.warnings {
                    warn!("{warning}");
                }
                for key in &done.needs_restart {
                    warn!(key, "`{key}` takes effect only at a start: restart weir");
                }
                info!(rules = done.rules, sources = done.sources, "the configuration was reloaded");
                let now = self.pollers.clock.now().wall;
                self.last.send_replace(LastReload { error: None, taken_at: Some(now) });
            }
            Err(ReloadError::Refused(problems)) => {
                for problem in problems {
                    error!("{problem}");
                }
                error!("the configuration was not reloaded; the old one stays in force");
                let first = problems.iter().find(|p| !p.warning).or(problems.first());
                let text = first.map_or_else(|| "refused".to_owned(), ToString::to_string);
                self.last.send_modify(|last| last.error = Some(text));
            }
            Err(ReloadError::Unavailable(why)) => warn!(why, "the configuration was not reloaded"),
        }
    }

    async fn reload(&mut self) -> Answer {
        let Ready { checked, channels, sources, performer } = self.prepare().await?;
        let config = checked.config;
        let mut settings = engine_settings(&config);
        settings.notify.links.clone_from(&self.links);
        let reload = Reload { settings, composers: composers(&channels), rules: checked.rules.set };
        let rules = reload.rules.rules.len();
        let installation = self.installation.clone();
        let in_trouble =
            trouble::teller(config.notify.clone(), reload.composers.clone(), installation);
        let (done, in_force) = oneshot::channel();
        let order = Order { reload: Box::new(reload), channels, performer, in_trouble, done };
        let stopping = || ReloadError::Unavailable("weir is stopping".to_owned());
        self.orders.send(order).await.map_err(|_| stopping())?;
        let in_force = in_force.await.map_err(|_| stopping())?;

        self.pollers.ask_for(in_force.demand);
        let kept = |name: &str| config.sources.iter().any(|s| s.name() == name);
        self.pollers.retain(kept).await;
        self.pollers.start(sources, &in_force.failed, config.poll.interval).await;
        self.side.switch(&config, &self.current);
        let differs = |key: &&&str| !config.fingerprints.same_key(&self.started, key);
        let needs_restart = AT_START.iter().filter(differs).map(|k| (*k).to_owned()).collect();
        self.lists = Lists::of(&config);
        self.current = config.fingerprints;
        Ok(Reloaded {
            rules,
            sources: config.sources.len(),
            warnings: checked.warnings,
            needs_restart,
        })
    }

    /// Reads, checks and builds everything new; nothing running is touched.
    async fn prepare(&self) -> Result<Ready, ReloadError> {
        let (file, sink, current) = (self.file.clone(), self.sink.clone(), self.current.clone());
        let work = move || -> Result<Ready, Vec<Problem>> {
            let checked = read(&file)?;
            let refuse = |error: anyhow::Error| {
                vec![Problem {
                    file: file.display().to_string(),
                    line: 0,
                    column: 0,
                    what: format!("{error:#}"),
                    hint: None,
                    warning: false,
                }]
            };
            let people = checked.config.mentions();
            let parts = Parts { templates: Arc::clone(&checked.templates), sink, people };
            let channels = super::channels(&checked.config, &parts).map_err(refuse)?;
            let sources = changed(&checked.config, &current).map_err(refuse)?;
            let performer = super::drivers::drivers(&checked.config).map_err(refuse)?;
            Ok(Ready { checked, channels, sources, performer })
        };
        let done = tokio::task::spawn_blocking(work).await;
        let done = done.map_err(|e| ReloadError::Unavailable(format!("reading it failed: {e}")))?;
        done.map_err(ReloadError::Refused)
    }
}

/// The sources that are new or set up in another way.
fn changed(config: &Config, current: &Fingerprints) -> anyhow::Result<Vec<Box<dyn Source>>> {
    let poll = config.fingerprints.same_key(current, "poll");
    let mut some = config.clone();
    some.sources.retain(|s| !poll || !config.fingerprints.same_source(current, s.name()));
    super::sources(&some)
}

/// Whether it is kept was settled at the start: what is still written is not dropped, either.
fn in_force(configured: History, enabled: bool) -> History {
    History { enabled, ..configured }
}

/// Heartbeat and housekeeping: replaced when their settings change.
pub(super) struct SideTasks {
    pub(super) health: watch::Receiver<Health>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) store: Arc<dyn Store>,
    /// Of the store that is open.
    pub(super) url: SecretString,
    /// History is written: settled at the start.
    pub(super) history: bool,
    pub(super) stop: CancellationToken,
    pub(super) tasks: TaskTracker,
    pub(super) beat: CancellationToken,
    pub(super) housekeeper: CancellationToken,
}

impl SideTasks {
    /// Starts both.
    pub(super) fn start(&mut self, config: &Config) {
        self.start_heartbeat(config);
        self.start_housekeeping(config);
    }

    fn switch(&mut self, config: &Config, before: &Fingerprints) {
        if !config.fingerprints.same_key(before, "heartbeat") {
            self.beat.cancel();
            self.start_heartbeat(config);
        }
        let same = |key: &str| config.fingerprints.same_key(before, key);
        if !same("store.retention") || !same("store.max_size") || !same("history") {
            self.housekeeper.cancel();
            self.start_housekeeping(config);
        }
    }

    fn start_heartbeat(&mut self, config: &Config) {
        self.beat = self.stop.child_token();
        if let Some(beat) = config.heartbeat.clone() {
            let (health, clock) = (self.health.clone(), Arc::clone(&self.clock));
            self.tasks.spawn(heartbeat::run(beat, health, clock, self.beat.clone()));
        }
    }

    fn start_housekeeping(&mut self, config: &Config) {
        self.housekeeper = self.stop.child_token();
        let mut settings = config.store.clone();
        settings.url = SecretString::from(self.url.expose_secret().to_owned());
        let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock));
        self.tasks.spawn(housekeeping::run(
            settings,
            in_force(config.history, self.history),
            store,
            clock,
            self.housekeeper.clone(),
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reload_neither_begins_nor_ends_the_history() {
        let retention = std::time::Duration::from_hours(1);
        for started in [true, false] {
            for enabled in [true, false] {
                let configured = History { enabled, retention, max_size: 7 };
                let expected = History { enabled: started, retention, max_size: 7 };
                assert_eq!(in_force(configured, started), expected);
            }
        }
    }
}
