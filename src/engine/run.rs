//! The shell around [`Engine::step`]: reads the time once per turn, commits first, then performs
//! the effects. Sends are spawned, never awaited by the loop.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use super::guard::WireGuard;
use super::{Effect, Engine, Input, View};
use crate::clock::Clock;
use crate::model::{Change, ChannelId, Message, SendOutcome, Time, Ts};
use crate::notify::channels::Channel;
use crate::store::Store;

/// Deliveries that may wait for the loop.
const DELIVERIES: usize = 1_024;
/// Between tries of a commit, at most.
const COMMIT_RETRY: Duration = Duration::from_secs(2);
/// A store that cannot be written for so long is told directly.
const TELL_STORE_AFTER: Duration = Duration::from_mins(1);
/// No send takes longer, whatever its channel does.
const SEND_WITHIN: Duration = Duration::from_mins(3);
/// Sends on the wire get this long to end when Weir stops.
const DRAIN: Duration = Duration::from_secs(10);

/// What readiness and metrics need to know of the loop.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// The last commit succeeded, or there was nothing to commit.
    pub store_writable: bool,
    /// Why not.
    pub store_error: Option<String>,
    /// Wall time of the loop's last turn.
    pub last_turn: Option<Ts>,
}

/// Writes what receivers are told, past the store, when the store cannot be written: one message
/// per receiver, from the error.
pub type TroubleTeller = Box<dyn Fn(&str) -> Vec<Message> + Send + Sync>;

/// What the shell works with.
pub struct ShellParts {
    /// The core.
    pub engine: Engine,
    /// Where it commits.
    pub store: Arc<dyn Store>,
    /// How it sends.
    pub channels: BTreeMap<ChannelId, Arc<dyn Channel>>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Looks, from the pollers.
    pub inputs: mpsc::Receiver<Input>,
    /// Name of the installation, for idempotency keys.
    pub installation: String,
    /// Told of a store that cannot be written.
    pub in_trouble: TroubleTeller,
}

/// The running engine.
pub struct Shell {
    parts: ShellParts,
    view: watch::Sender<Arc<View>>,
    health: watch::Sender<Health>,
    deliveries: (mpsc::Sender<Input>, mpsc::Receiver<Input>),
    sends: TaskTracker,
    guard: Arc<WireGuard>,
    deadline: Option<Ts>,
    batch: u64,
    started: Time,
}

impl Shell {
    /// Takes its parts; nothing runs yet.
    pub fn new(parts: ShellParts) -> Shell {
        let started = parts.clock.now();
        let health = Health { store_writable: true, ..Health::default() };
        Shell {
            guard: WireGuard::new(parts.engine.pipeline().settings()),
            parts,
            view: watch::Sender::new(Arc::new(View::default())),
            health: watch::Sender::new(health),
            deliveries: mpsc::channel(DELIVERIES),
            sends: TaskTracker::new(),
            deadline: Some(started.steady),
            batch: 0,
            started,
        }
    }

    /// The picture after each step.
    pub fn views(&self) -> watch::Receiver<Arc<View>> {
        self.view.subscribe()
    }

    /// How the loop does.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    /// Runs until told to stop; sends on the wire may end first.
    pub async fn run(mut self, stop: CancellationToken) {
        while let Some(input) = self.select(&stop).await {
            self.turn(input, &stop).await;
        }
        self.drain().await;
    }

    async fn select(&mut self, stop: &CancellationToken) -> Option<Input> {
        let now = self.parts.clock.now();
        let wait = self.deadline.map_or(Duration::from_mins(1), |at| at.since(now.steady));
        tokio::select! {
            biased;
            () = stop.cancelled() => None,
            Some(delivery) = self.deliveries.1.recv() => Some(delivery),
            () = tokio::time::sleep(wait.min(Duration::from_mins(1))) => {
                self.deadline = None;
                Some(Input::Deadline)
            }
            input = self.parts.inputs.recv() => input,
        }
    }

    async fn turn(&mut self, input: Input, stop: &CancellationToken) {
        let time = self.parts.clock.now();
        self.parts.engine.set_guard_trips(self.guard.trips());
        for effect in self.parts.engine.step(time, input) {
            match effect {
                Effect::Persist(changes) => {
                    if !self.commit(&changes, stop).await {
                        return;
                    }
                }
                Effect::Send(message) => self.send(*message, time),
                Effect::Publish(view) => {
                    let before = self.view.send_replace(Arc::clone(&view));
                    let known = |said: &&String| before.label_problems.contains(said);
                    for said in view.label_problems.iter().filter(|said| !known(said)) {
                        warn!("the rule stays as it is for {said}");
                    }
                }
                Effect::Deadline(at) => self.deadline = Some(at),
            }
        }
        self.health.send_if_modified(|health| {
            let before = health.last_turn;
            health.last_turn = Some(time.wall);
            before.is_none_or(|at| time.wall.since(at) > Duration::from_secs(1))
        });
    }

    /// Commits, however often it takes; false when told to stop meanwhile.
    async fn commit(&mut self, changes: &[Change], stop: &CancellationToken) -> bool {
        self.batch += 1;
        let batch = format!("{}-{}-{}", self.parts.installation, self.started.wall.0, self.batch);
        let began = self.parts.clock.now();
        let mut told = false;
        let mut wait = Duration::from_millis(50);
        loop {
            let error = match self.parts.store.commit(&batch, changes).await {
                Ok(()) => break,
                Err(error) => error.to_string(),
            };
            if self.health.borrow().store_writable {
                warn!(error, "nothing is decided or sent until this can be written");
            }
            self.health.send_modify(|health| {
                health.store_writable = false;
                health.store_error = Some(error.clone());
            });
            let waited = self.parts.clock.now().steady.since(began.steady);
            if waited >= TELL_STORE_AFTER && !told {
                told = true;
                self.tell_directly(&error);
            }
            tokio::select! {
                () = stop.cancelled() => return false,
                () = tokio::time::sleep(wait) => {}
            }
            wait = (wait * 2).min(COMMIT_RETRY);
        }
        if !self.health.borrow().store_writable {
            info!("the store can be written again");
            self.health.send_modify(|health| {
                health.store_writable = true;
                health.store_error = None;
            });
        }
        true
    }

    /// One message per receiver past the store: without it, nobody would know.
    fn tell_directly(&self, error: &str) {
        let time = self.parts.clock.now();
        for message in (self.parts.in_trouble)(error) {
            if let Some(channel) = self.parts.channels.get(&message.to).cloned() {
                let key = format!("{}-store-{}", self.parts.installation, time.wall.0);
                self.sends.spawn(async move {
                    if let SendOutcome::Retry { error, .. } | SendOutcome::Rejected { error } =
                        channel.send(&message, &key, time).await
                    {
                        warn!(channel = %message.to, error, "could not tell of the store");
                    }
                });
            }
        }
    }

    fn send(&self, message: Message, time: Time) {
        let Some(channel) = self.parts.channels.get(&message.to).cloned() else {
            warn!(channel = %message.to, "message for a channel that is not configured");
            return;
        };
        let key = format!("{}-{}", self.parts.installation, message.id);
        let deliveries = self.deliveries.0.clone();
        let guard = Arc::clone(&self.guard);
        self.sends.spawn(async move {
            guard.pass(&message.endpoint).await;
            // Channels bound their sends themselves; one that does not may not hold a message up.
            let send = tokio::time::timeout(SEND_WITHIN, channel.send(&message, &key, time));
            let outcome = send.await.unwrap_or_else(|_| SendOutcome::Retry {
                after_ms: None,
                error: format!("no answer within {} s", SEND_WITHIN.as_secs()),
            });
            match &outcome {
                SendOutcome::Delivered => {
                    info!(id = message.id, channel = %message.to, title = message.frozen.title, "sent");
                }
                // Said once per message and kind of failure; the notice has every one.
                SendOutcome::Retry { error, .. } if message.error.as_deref() != Some(error) => {
                    warn!(id = message.id, channel = %message.to, attempt = message.attempts, error, "not sent yet, will try again");
                }
                SendOutcome::Retry { .. } => {}
                SendOutcome::Rejected { error } => {
                    warn!(id = message.id, channel = %message.to, error, "refused, given up");
                }
            }
            let id = message.id;
            if deliveries.send(Input::Delivery { message: id, outcome }).await.is_err() {
                warn!(id, "the result of a send came too late to be kept");
            }
        });
    }

    /// Lets sends on the wire end and keeps their results.
    async fn drain(&mut self) {
        self.sends.close();
        let until = tokio::time::sleep(DRAIN);
        tokio::pin!(until);
        while !self.sends.is_empty() || !self.deliveries.1.is_empty() {
            let delivery = tokio::select! {
                () = &mut until => break,
                Some(delivery) = self.deliveries.1.recv() => delivery,
                () = self.sends.wait(), if self.deliveries.1.is_empty() => continue,
            };
            let time = self.parts.clock.now();
            for effect in self.parts.engine.step(time, delivery) {
                // What would be sent now is due in the store and goes out at the next start.
                if let Effect::Persist(changes) = effect {
                    self.batch += 1;
                    let batch = format!(
                        "{}-{}-{}",
                        self.parts.installation, self.started.wall.0, self.batch
                    );
                    if let Err(error) = self.parts.store.commit(&batch, &changes).await {
                        warn!(%error, "could not keep the result of a send");
                    }
                }
            }
        }
    }
}
