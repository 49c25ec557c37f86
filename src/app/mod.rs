//! The composition root: from a checked configuration to running parts.

mod heartbeat;
mod housekeeping;
mod poller;
mod rulebook;
mod trouble;
mod web;

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use rulebook::{Rulebook, read_files, read_rules};

use crate::clock::{Clock, SystemClock};
use crate::config::{Config, SourceConfig};
use crate::engine::{Engine, EngineSettings, Shell, ShellParts, View};
use crate::model::ChannelId;
use crate::notify::channels::{Channel, Parts, Sink};
use crate::notify::render::Templates;
use crate::notify::{Compose, Composers};
use crate::rules::{LabelBook, RuleSet};
use crate::sources::Source;
use crate::store::SqliteStore;
use crate::store::Store;

/// Everything that was read and checked, and where the console channel writes.
pub struct Blueprint {
    /// The configuration.
    pub config: Config,
    /// The rules.
    pub rules: RuleSet,
    /// The templates.
    pub templates: Arc<Templates>,
    /// For the console channel.
    pub sink: Sink,
    /// Serve the page, the API and the metrics.
    pub serve: bool,
}

/// A running Weir.
pub struct Running {
    /// The picture after each step.
    pub views: watch::Receiver<Arc<View>>,
    /// Where it listens.
    pub listens: Option<std::net::SocketAddr>,
    shell: tokio::task::JoinHandle<()>,
    tasks: TaskTracker,
}

impl Running {
    /// Until everything has stopped.
    ///
    /// # Errors
    /// When the engine's task died: a bug.
    pub async fn join(self) -> Result<()> {
        self.shell.await.context("the engine stopped unexpectedly")?;
        self.tasks.close();
        self.tasks.wait().await;
        Ok(())
    }
}

/// Starts everything; it runs until `stop`.
///
/// # Errors
/// When the store, a channel, a source or the listener cannot be set up; the text says what to do.
pub async fn start(blueprint: Blueprint, stop: CancellationToken) -> Result<Running> {
    let Blueprint { config, rules, templates, sink, serve } = blueprint;
    crate::http::install_tls();
    let listener = if serve { Some(web::bind(&config).await?) } else { None };
    let listens = listener.as_ref().and_then(|l| l.local_addr().ok());

    let url = secrecy::ExposeSecret::expose_secret(&config.store.url).to_owned();
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&url).await?);
    let wall = SystemClock::anchored(None).now().wall;
    let mut loaded = store.load(wall).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::anchored(loaded.steady()));
    loaded.clamp(clock.now().steady);

    let channels = channels(&config, &Parts { templates, sink })?;
    let composers: Composers = channels
        .iter()
        .map(|(id, channel)| {
            (id.clone(), Arc::new(ComposedBy(Arc::clone(channel))) as Arc<dyn Compose>)
        })
        .collect();
    let settings = engine_settings(&config);
    let engine = Engine::new(settings, rules, composers.clone(), &loaded);
    let demand = engine.demand();
    let sources = sources(&config)?;

    let (inputs_tx, inputs) = mpsc::channel(sources.len().max(1));
    let installation = loaded.installation.clone();
    let in_trouble = trouble::teller(config.notify.clone(), composers, installation.clone());
    let shell = Shell::new(ShellParts {
        engine,
        store: Arc::clone(&store),
        channels,
        clock: Arc::clone(&clock),
        inputs,
        installation,
        in_trouble,
    });
    let views = shell.views();
    let health = shell.health();

    let tasks = TaskTracker::new();
    let count = sources.len();
    for (index, source) in sources.into_iter().enumerate() {
        let poller = poller::Poller {
            source,
            demand: demand.clone(),
            interval: config.poll.interval,
            delay: poller::stagger(index, count, config.poll.interval),
            clock: Arc::clone(&clock),
            inputs: inputs_tx.clone(),
        };
        tasks.spawn(poller.run(stop.clone()));
    }
    if let Some(beat) = config.heartbeat.clone() {
        tasks.spawn(heartbeat::run(beat, health.clone(), Arc::clone(&clock), stop.clone()));
    }
    tasks.spawn(housekeeping::run(
        config.store.clone(),
        Arc::clone(&store),
        Arc::clone(&clock),
        stop.clone(),
    ));
    if let Some(listener) = listener {
        web::spawn(&config, listener, views.clone(), health, store, &tasks, stop.clone())?;
    }
    let shell = tokio::spawn(shell.run(stop));
    Ok(Running { views, listens, shell, tasks })
}

/// What the engine needs of the configuration.
pub fn engine_settings(config: &Config) -> EngineSettings {
    let mut labels = LabelBook::default();
    for source in &config.sources {
        let mut own = crate::model::Labels::default();
        for (name, value) in source.labels() {
            own.set(name, value.as_str());
        }
        labels.sources.insert(source.name().to_owned(), own);
    }
    let job_labels = config.job_labels.clone();
    labels.job_labels = Arc::new(move |labels| job_labels.apply(labels));
    EngineSettings {
        sources: config
            .sources
            .iter()
            .map(|s| (s.name().to_owned(), s.kind().to_owned()))
            .collect(),
        incidents: config.incidents,
        notify: config.notify.clone(),
        labels,
        failing_after: config.self_monitoring.failing_after,
    }
}

/// The running channels of a configuration.
///
/// # Errors
/// Names the channel that cannot be built, and why.
pub fn channels(config: &Config, parts: &Parts) -> Result<BTreeMap<ChannelId, Arc<dyn Channel>>> {
    let mut channels: BTreeMap<ChannelId, Arc<dyn Channel>> = BTreeMap::new();
    for (id, channel) in config.receivers.iter().flat_map(|r| &r.channels) {
        let built = channel.build(parts).map_err(|e| anyhow!("channel {id}: {e}"))?;
        channels.insert(id.clone(), Arc::from(built));
    }
    Ok(channels)
}

/// The sources of a configuration.
///
/// # Errors
/// Names the source that cannot be set up, and why.
pub fn sources(config: &Config) -> Result<Vec<Box<dyn Source>>> {
    let poller = std::process::id().to_string();
    let build = |source: &SourceConfig| {
        let built = source.build(config.poll.timeout, &poller);
        built.map_err(|e| anyhow!("source {}: {e}", source.name()))
    };
    config.sources.iter().map(build).collect()
}

/// A channel as the writer of its messages.
pub struct ComposedBy(pub Arc<dyn Channel>);

impl Compose for ComposedBy {
    fn compose(&self, view: &crate::notify::MessageView) -> crate::notify::Composed {
        self.0.composer().compose(view)
    }
}
