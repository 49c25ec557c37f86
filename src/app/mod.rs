//! The composition root: from a checked configuration to running parts.

mod drivers;
mod ends;
mod heartbeat;
mod housekeeping;
mod links;
mod lists;
mod pace;
mod poller;
mod pollers;
mod read;
mod reload;
mod rulebook;
mod trouble;
mod web;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use drivers::{Built, each_driver};
use pollers::Pollers;
pub use read::{Checked, read};
pub use reload::ReloadHandle;
use reload::{LastReload, Reloader, SideTasks};
pub use rulebook::{Rulebook, read_files, read_rules, surroundings};

use crate::clock::{Clock, SystemClock};
use crate::config::{Config, SourceConfig};
use crate::engine::{Engine, EngineSettings, Shell, ShellParts, View};
use crate::journal::Writer;
use crate::model::{ChannelId, Demand, Loaded, Snapshot, Time};
use crate::notify::channels::{Channel, Parts, Sink};
use crate::notify::render::Templates;
use crate::notify::{Compose, Composers};
use crate::rules::{LabelBook, RuleSet};
use crate::sources::{Shows, Source};
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
    /// The file the configuration was read from, to be read again by a reload.
    pub file: Option<PathBuf>,
}

/// A running Weir.
pub struct Running {
    /// The picture after each step.
    pub views: watch::Receiver<Arc<View>>,
    /// Where it listens.
    pub listens: Option<std::net::SocketAddr>,
    /// Asks for a reload; none where there is no file.
    pub reload: Option<ReloadHandle>,
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
    let Blueprint { config, rules, templates, sink, serve, file } = blueprint;
    crate::http::install_tls();
    let listener = if serve { Some(web::bind(&config).await?) } else { None };
    let listens = listener.as_ref().and_then(|l| l.local_addr().ok());

    let url = secrecy::ExposeSecret::expose_secret(&config.store.url).to_owned();
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&url).await?);
    let wall = SystemClock::anchored(None).now().wall;
    let mut loaded = store.load(wall).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::anchored(loaded.steady()));
    loaded.clamp(clock.now().steady);

    let links = links::key(&config, store.as_ref(), &mut loaded).await?;
    let people = config.mentions();
    let channels = channels(&config, &Parts { templates, sink: Arc::clone(&sink), people })?;
    let composers = composers(&channels);
    let mut settings = engine_settings(&config);
    settings.notify.links.clone_from(&links);
    let engine = Engine::new(settings, rules, composers.clone(), &loaded);
    let (demand, failed) = (engine.demand(), engine.failed_runs());
    let journal = journal(&config, store.as_ref(), clock.now(), &demand, &loaded).await?;
    let sources = sources(&config)?;

    let (inputs_tx, inputs) = mpsc::channel(sources.len().max(1));
    let (orders_tx, orders) = mpsc::channel(1);
    let installation = loaded.installation.clone();
    let in_trouble = trouble::teller(config.notify.clone(), composers, installation.clone());
    let shell = Shell::new(ShellParts {
        engine,
        store: Arc::clone(&store),
        channels,
        performer: drivers::drivers(&config)?,
        clock: Arc::clone(&clock),
        inputs,
        orders,
        installation: installation.clone(),
        in_trouble,
        journal,
    });
    let (views, health, asker) = (shell.views(), shell.health(), shell.asker());
    let commander = shell.commander();

    let tasks = TaskTracker::new();
    let mut pollers = Pollers {
        demand: watch::Sender::new(demand),
        clock: Arc::clone(&clock),
        inputs: inputs_tx,
        views: views.clone(),
        stop: stop.clone(),
        tasks: tasks.clone(),
        running: BTreeMap::new(),
    };
    pollers.start(sources, &failed, config.poll.interval).await;
    let mut side = SideTasks {
        health: health.clone(),
        clock: Arc::clone(&clock),
        store: Arc::clone(&store),
        url: config.store.url.clone(),
        history: config.history.enabled,
        stop: stop.clone(),
        tasks: tasks.clone(),
        beat: stop.child_token(),
        housekeeper: stop.child_token(),
    };
    side.start(&config);
    let taken_at = Some(clock.now().wall);
    let last = watch::Sender::new(LastReload { error: None, taken_at });
    let reloads = last.subscribe();
    let reload = file.map(|file| {
        let (handle, requests) = reload::handle();
        let reloader = Reloader {
            file,
            requests,
            orders: orders_tx,
            last,
            sink,
            installation,
            links: links.clone(),
            lists: lists::Lists::of(&config),
            side,
            pollers,
            started: config.fingerprints.clone(),
            current: config.fingerprints.clone(),
        };
        tasks.spawn(reloader.run(stop.clone()));
        handle
    });
    if let Some(listener) = listener {
        let (views, reload) = (views.clone(), reload.clone());
        let shown = web::Shown { views, health, store, asker, commander, links, reload, reloads };
        web::spawn(&config, listener, shown, &tasks, stop.clone())?;
    }
    let shell = tokio::spawn(shell.run(stop));
    Ok(Running { views, listens, reload, shell, tasks })
}

/// What writes the messages of channels.
fn composers(channels: &BTreeMap<ChannelId, Arc<dyn Channel>>) -> Composers {
    let composer = |(id, channel): (&ChannelId, &Arc<dyn Channel>)| {
        (id.clone(), Arc::new(ComposedBy(Arc::clone(channel))) as Arc<dyn Compose>)
    };
    channels.iter().map(composer).collect()
}

/// Begins a segment of the history, if one is to be kept.
async fn journal(
    config: &Config,
    store: &dyn Store,
    now: Time,
    demand: &Demand,
    loaded: &Loaded,
) -> Result<Option<Writer>> {
    if !config.history.enabled {
        return Ok(None);
    }
    let segment = store.newest_segment().await? + 1;
    let base = crate::engine::base(true, demand, loaded.clone());
    Ok(Some(Writer::new(segment, config.history.segment_size(), now, &base)))
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
        incidents: config.incidents.clone(),
        notify: config.notify.clone(),
        labels,
        schedules: config.schedules.clone(),
        failing_after: config.self_monitoring.failing_after,
        restarts: crate::actions::Settings {
            policies: config.restarts.policies.clone(),
            limits: config.restarts.limits,
            fresh_for: (config.poll.interval * 3).max(std::time::Duration::from_secs(30)),
        },
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

/// What writes the messages of a configuration's channels, without anything that could send them.
///
/// # Errors
/// Names the channel whose configuration cannot be used, and why.
pub fn writers(config: &Config, parts: &Parts) -> Result<Composers> {
    let mut composers = Composers::new();
    for (id, channel) in config.receivers.iter().flat_map(|r| &r.channels) {
        let built = channel.composer(parts).map_err(|e| anyhow!("channel {id}: {e}"))?;
        composers.insert(id.clone(), Arc::from(built));
    }
    Ok(composers)
}

/// The sources of a configuration.
///
/// # Errors
/// Names the source that cannot be set up, and why.
pub fn sources(config: &Config) -> Result<Vec<Box<dyn Source>>> {
    let poller = std::process::id().to_string();
    let build = |source: &SourceConfig| {
        let built = source.build(config.poll.allowance(), &poller);
        built.map_err(|e| anyhow!("source {}: {e}", source.name()))
    };
    let mut configs: Vec<&SourceConfig> = config.sources.iter().collect();
    // The first is asked first: who knows whose a job is, then who names it.
    configs.sort_by_key(|source| !Snapshot::PLATFORM_KINDS.contains(&source.kind()));
    let mut sources: Vec<Box<dyn Source>> =
        configs.into_iter().map(build).collect::<Result<_>>()?;
    sources.sort_by_key(|source| source.shows() == Shows::Jobs);
    Ok(sources)
}

/// A channel as the writer of its messages.
pub struct ComposedBy(pub Arc<dyn Channel>);

impl Compose for ComposedBy {
    fn compose(&self, view: &crate::notify::MessageView) -> crate::notify::Composed {
        self.0.composer().compose(view)
    }

    fn preview(&self, view: &crate::notify::MessageView) -> Vec<(&'static str, String)> {
        self.0.composer().preview(view)
    }
}
