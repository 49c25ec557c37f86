//! The shell around [`Engine::step`]: reads the time once per turn, commits first, then performs
//! the effects. Sends are spawned, never awaited by the loop.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use super::ask::{Asked, Asker};
use super::commander::{Commander, Given};
use super::errands::carry_out;
use super::guard::WireGuard;
use super::record::Recorder;
use super::{Effect, Engine, Input, Reload, View};
use crate::actions::Performer;
use crate::clock::Clock;
use crate::journal::Writer;
use crate::model::{
    Action, Change, ChannelId, Demand, Errand, FailedRun, Message, SendOutcome, Time, Ts,
};
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

/// The order to go on with another configuration.
pub struct Order {
    /// For the core.
    pub reload: Box<Reload>,
    /// All channels of the new configuration.
    pub channels: BTreeMap<ChannelId, Arc<dyn Channel>>,
    /// Does what restarts want done.
    pub performer: Arc<dyn Performer>,
    /// Told of a store that cannot be written.
    pub in_trouble: TroubleTeller,
    /// Told what the rules need now, once the new configuration is in force and committed; dropped
    /// when Weir was stopped before that.
    pub done: oneshot::Sender<InForce>,
}

/// What sources are to know of the configuration that is in force.
#[derive(Debug)]
pub struct InForce {
    /// What the rules need.
    pub demand: Demand,
    /// Jobs whose newest run failed.
    pub failed: Vec<FailedRun>,
}

/// What the shell works with.
pub struct ShellParts {
    /// The core.
    pub engine: Engine,
    /// Where it commits.
    pub store: Arc<dyn Store>,
    /// How it sends.
    pub channels: BTreeMap<ChannelId, Arc<dyn Channel>>,
    /// Does what restarts want done.
    pub performer: Arc<dyn Performer>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Looks, from the pollers.
    pub inputs: mpsc::Receiver<Input>,
    /// Other configurations.
    pub orders: mpsc::Receiver<Order>,
    /// Name of the installation, for idempotency keys.
    pub installation: String,
    /// Told of a store that cannot be written.
    pub in_trouble: TroubleTeller,
    /// Where the history is written; none: nowhere.
    pub journal: Option<Writer>,
}

/// What the loop does next.
enum Work {
    Input(Input),
    Order(Order),
    Command(Given),
}

/// The running engine.
pub struct Shell {
    parts: ShellParts,
    journal: Recorder,
    view: watch::Sender<Arc<View>>,
    health: watch::Sender<Health>,
    deliveries: (mpsc::Sender<Input>, mpsc::Receiver<Input>),
    questions: (Asker, mpsc::Receiver<Asked>),
    commands: (Commander, mpsc::Receiver<Given>),
    sends: TaskTracker,
    guard: Arc<WireGuard>,
    deadline: Option<Ts>,
    batch: u64,
    started: Time,
}

impl Shell {
    /// Takes its parts; nothing runs yet.
    pub fn new(mut parts: ShellParts) -> Shell {
        let started = parts.clock.now();
        let health = Health { store_writable: true, ..Health::default() };
        Shell {
            guard: WireGuard::new(parts.engine.pipeline().plans()),
            journal: Recorder::new(parts.journal.take()),
            parts,
            view: watch::Sender::new(Arc::new(View::default())),
            health: watch::Sender::new(health),
            deliveries: mpsc::channel(DELIVERIES),
            questions: Asker::channel(),
            commands: Commander::channel(),
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

    /// Asks about the state, between turns.
    pub fn asker(&self) -> Asker {
        self.questions.0.clone()
    }

    /// Gives commands, each a turn of its own.
    pub fn commander(&self) -> Commander {
        self.commands.0.clone()
    }

    /// Runs until told to stop; sends on the wire may end first.
    pub async fn run(mut self, stop: CancellationToken) {
        while let Some(work) = self.select(&stop).await {
            match work {
                Work::Input(input) => self.turn(input, &stop).await,
                Work::Order(order) => self.reload(order, &stop).await,
                Work::Command(given) => self.obey(given, &stop).await,
            }
        }
        self.drain().await;
    }

    async fn select(&mut self, stop: &CancellationToken) -> Option<Work> {
        loop {
            let now = self.parts.clock.now();
            let wait = self.deadline.map_or(Duration::from_mins(1), |at| at.since(now.steady));
            tokio::select! {
                biased;
                () = stop.cancelled() => return None,
                Some(delivery) = self.deliveries.1.recv() => return Some(Work::Input(delivery)),
                Some(order) = self.parts.orders.recv() => return Some(Work::Order(order)),
                Some(given) = self.commands.1.recv() => return Some(Work::Command(given)),
                () = tokio::time::sleep(wait.min(Duration::from_mins(1))) => {
                    self.deadline = None;
                    return Some(Work::Input(Input::Deadline));
                }
                input = self.parts.inputs.recv() => return input.map(Work::Input),
                // Last: however many ask, looks are not held up by more than one answer.
                Some(asked) = self.questions.1.recv() => {
                    asked.answer(&self.parts.engine, self.parts.clock.as_ref());
                }
            }
        }
    }

    async fn turn(&mut self, input: Input, stop: &CancellationToken) {
        let time = self.parts.clock.now();
        self.parts.engine.set_guard_trips(self.guard.trips());
        self.journal.input(time, &input);
        let effects = self.parts.engine.step(time, input);
        self.journal.sends(time, &effects);
        self.perform(effects, time, stop).await;
    }

    /// One step with a command; who gave it hears of it after the commit.
    async fn obey(&mut self, given: Given, stop: &CancellationToken) {
        let Given { mut command, back } = given;
        if back.is_closed() {
            // Nobody waits any more, and has been told that it was not done.
            return;
        }
        let time = self.parts.clock.now();
        let left_out = self.parts.engine.thin(time, &mut command);
        if matches!(&command.what, Action::Alerts(posted) if posted.is_empty()) {
            back.send(Ok(left_out)).ok();
            return;
        }
        self.parts.engine.set_guard_trips(self.guard.trips());
        let input = Input::Command(Box::new(command));
        self.journal.input(time, &input);
        let mut effects = self.parts.engine.step(time, input);
        self.journal.sends(time, &effects);
        let replied = effects.pop_if(|effect| matches!(effect, Effect::Answer(_)));
        if !self.perform(effects, time, stop).await {
            return;
        }
        if let Some(Effect::Answer(mut replied)) = replied {
            if let Ok(reply) = &mut *replied {
                reply.no_room += left_out.no_room;
            }
            // Gone meanwhile: it is done all the same, and the same id again says so.
            back.send(*replied).ok();
        }
    }

    /// One step with the new configuration; after its commit, and before anything is sent, the
    /// channels change.
    async fn reload(&mut self, order: Order, stop: &CancellationToken) {
        let time = self.parts.clock.now();
        let input = Input::Reload(order.reload);
        self.journal.input(time, &input);
        let mut effects = self.parts.engine.step(time, input);
        self.journal.sends(time, &effects);
        let (first, rest): (Vec<Effect>, Vec<Effect>) =
            effects.drain(..).partition(|effect| matches!(effect, Effect::Persist(_)));
        if !self.perform(first, time, stop).await {
            return;
        }
        let pipeline = self.parts.engine.pipeline();
        self.guard = self.guard.reloaded(pipeline.plans());
        // Those that left and still owe something stay as they were built.
        self.parts.channels.extend(order.channels);
        self.parts.channels.retain(|id, _| pipeline.plan(id).is_some());
        self.parts.in_trouble = order.in_trouble;
        self.parts.performer = order.performer;
        self.perform(rest, time, stop).await;
        // Nobody may be waiting any more; it is in force all the same.
        let engine = &self.parts.engine;
        let in_force = InForce { demand: engine.demand(), failed: engine.failed_runs() };
        order.done.send(in_force).ok();
    }

    /// False when told to stop before all of it was done.
    async fn perform(
        &mut self,
        effects: Vec<Effect>,
        time: Time,
        stop: &CancellationToken,
    ) -> bool {
        for effect in effects {
            match effect {
                Effect::Persist(mut changes) => {
                    changes.extend(self.journal.cut());
                    if !self.commit(&changes, stop).await {
                        return false;
                    }
                }
                Effect::Send(message) | Effect::Resend(message) => self.send(*message, time),
                Effect::Act(errand) => self.act(*errand),
                Effect::Publish(view) => {
                    let before = self.view.send_replace(Arc::clone(&view));
                    let known = |said: &&String| before.label_problems.contains(said);
                    for said in view.label_problems.iter().filter(|said| !known(said)) {
                        warn!("the rule stays as it is for {said}");
                    }
                }
                Effect::Deadline(at) => self.deadline = Some(at),
                // See `obey`.
                Effect::Answer(_) => {}
            }
        }
        self.keep_history(time, stop).await;
        self.health.send_if_modified(|health| {
            let before = health.last_turn;
            health.last_turn = Some(time.wall);
            before.is_none_or(|at| time.wall.since(at) > Duration::from_secs(1))
        });
        true
    }

    /// Writes what no step has taken along for long, and begins a new segment where it is time.
    async fn keep_history(&mut self, time: Time, stop: &CancellationToken) {
        if self.journal.is_due(time.steady)
            && let Some(chunk) = self.journal.cut()
            && !self.commit(&[chunk], stop).await
        {
            return;
        }
        if self.journal.is_full(time.steady) {
            // Without it the segment grows on; the next turn tries again.
            match self.parts.store.load(time.steady).await {
                Ok(loaded) => {
                    // What waits belongs to the segment before.
                    if let Some(chunk) = self.journal.cut()
                        && !self.commit(&[chunk], stop).await
                    {
                        return;
                    }
                    self.journal.next(time, &self.parts.engine.demand(), loaded);
                }
                Err(error) => warn!(%error, "no new segment of the history could be begun"),
            }
        }
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
                    if let SendOutcome::Retry { error, .. }
                    | SendOutcome::Rejected { error }
                    | SendOutcome::Gone { error } = channel.send(&message, &key, time).await
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
            // What is only sent again has no first try.
            let again = message.attempts == 0;
            match &outcome {
                SendOutcome::Delivered | SendOutcome::Accepted { .. } if again => {}
                SendOutcome::Rejected { error } if again && message.error.as_deref() == Some(error) => {}
                SendOutcome::Delivered | SendOutcome::Accepted { .. } if message.is_live() => {
                    debug!(id = message.id, channel = %message.to, "brought up to date");
                }
                SendOutcome::Delivered | SendOutcome::Accepted { .. } => {
                    info!(id = message.id, channel = %message.to, title = message.frozen.title, "sent");
                }
                // Said once per message and kind of failure; the notice has every one.
                SendOutcome::Retry { error, .. } if message.error.as_deref() != Some(error) => {
                    warn!(id = message.id, channel = %message.to, attempt = message.attempts, error, "not sent yet, will try again");
                }
                SendOutcome::Retry { .. } => {}
                SendOutcome::Gone { error } => {
                    warn!(id = message.id, channel = %message.to, error, "its message cannot be edited any more");
                }
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

    /// Has a driver do something; what it tells is the next input.
    fn act(&self, errand: Errand) {
        let (performer, clock) = (Arc::clone(&self.parts.performer), Arc::clone(&self.parts.clock));
        let deliveries = self.deliveries.0.clone();
        self.sends.spawn(async move {
            let (restart, job) = (errand.order.restart, errand.order.job.clone());
            let told = carry_out(performer.as_ref(), clock.as_ref(), &errand).await;
            info!(restart, job = %job, task = ?errand.task, told = ?told, "restart");
            let told = Box::new(told);
            if deliveries.send(Input::Acted { restart, told }).await.is_err() {
                warn!(restart, "what became of a restart came too late to be kept");
            }
        });
    }

    /// Lets sends on the wire end and keeps their results.
    async fn drain(&mut self) {
        self.sends.close();
        self.parts.engine.close();
        let until = tokio::time::sleep(DRAIN);
        tokio::pin!(until);
        while !self.sends.is_empty() || !self.deliveries.1.is_empty() {
            let delivery = tokio::select! {
                () = &mut until => break,
                Some(delivery) = self.deliveries.1.recv() => delivery,
                () = self.sends.wait(), if self.deliveries.1.is_empty() => continue,
            };
            let time = self.parts.clock.now();
            self.journal.input(time, &delivery);
            let effects = self.parts.engine.step(time, delivery);
            self.journal.sends(time, &effects);
            for effect in effects {
                // What would be sent now is due in the store and goes out at the next start.
                if let Effect::Persist(mut changes) = effect {
                    changes.extend(self.journal.cut());
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
        if let Some(chunk) = self.journal.cut() {
            self.batch += 1;
            let batch =
                format!("{}-{}-{}", self.parts.installation, self.started.wall.0, self.batch);
            if let Err(error) = self.parts.store.commit(&batch, &[chunk]).await {
                warn!(%error, "the end of the history could not be kept");
            }
        }
    }
}
