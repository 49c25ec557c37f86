//! Kubernetes as a source: watches tell which Flink clusters there are and how they do, each of them
//! is asked by Flink's own REST API, and both together are one snapshot.
//!
//! - What is seen of the API server: `what` is watched (`watch`, by `connect`), read leniently
//!   (`objects`), reduced (`views`) and kept (`store`, `pod_memory`). A poll asks it nothing.
//! - What that means: Flink clusters (`clusters`) and the way to each (`endpoint`), why pods do not
//!   run (`trouble_of_pod`), what the operator says (`operator`), what it refuses (`trouble`).
//! - What Flink says: every cluster on its own (`seats`), by the source `flink`.
//! - Both together: whose run it is (`household`), with the reasons pods give (`explain`, `lately`),
//!   what jobs are whose Flink does not answer (`unseen`), and what became of those whose Flink is
//!   gone (`gone`, `ends`): `assemble`, and `sum` for all of them.

mod assemble;
mod clusters;
mod config;
mod connect;
mod endpoint;
mod ends;
mod explain;
#[cfg(test)]
#[path = "fake_tests.rs"]
mod fake;
mod gone;
mod household;
mod lately;
mod names;
mod objects;
mod operator;
mod pod_memory;
mod seats;
mod selector;
mod store;
mod sum;
#[cfg(test)]
mod tests;
mod trouble;
mod trouble_of_pod;
mod unseen;
mod views;
mod watch;
mod what;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::clock::{Clock, SystemClock};
use crate::http::HttpClient;
use crate::model::{Demand, Snapshot, Time, Ts};

use super::{Allowance, BuildError, Source};
use assemble::Memory;
use clusters::{Choice, Cluster};
use gone::Gone;
use names::{Id, Template};
use pod_memory::Past;
use seats::{Manners, Seats};
use selector::Selector;
use sum::{Limits, Sum, Trouble};
use watch::{Shared, Watches};

pub use config::KubernetesConfig;

/// Flink is waited for so many request timeouts: a look takes several requests.
const LOOK_TIMEOUTS: u32 = 2;
/// Credentials that are refused are read again after this long.
const READ_AGAIN: Duration = Duration::from_mins(1);
/// Flink clusters that are asked.
const MAX_CLUSTERS: usize = 20_000;

/// A Kubernetes cluster.
pub struct KubernetesSource {
    config: KubernetesConfig,
    poller: String,
    timeout: Duration,
    choice: Choice,
    shared: Arc<Shared>,
    link: Option<Link>,
    seats: Seats,
    memories: BTreeMap<Id, Memory>,
    gone: BTreeMap<Id, Gone>,
    /// Lines that were logged, as long as they hold.
    told: BTreeSet<String>,
    stopwatch: SystemClock,
}

/// Watches, and since when there are these.
struct Link {
    _watches: Watches,
    since: Ts,
}

/// What the store says at a poll.
struct Picture {
    clusters: BTreeMap<Id, Cluster>,
    /// Of clusters that are not among them.
    past: BTreeMap<Id, Past>,
    /// What keeps Weir from saying that something is not there.
    troubles: Vec<String>,
    /// What costs only reasons.
    minor: Vec<String>,
    seen: bool,
    /// The API server tells nothing any more: what is known of it is old.
    cut_off: bool,
}

impl KubernetesSource {
    /// A source for `config`. `allowance` holds where the source has none; `poller` names this
    /// process in its snapshots. Nobody is asked before the first poll.
    ///
    /// # Errors
    /// When a setting makes no sense, or certificates cannot be read.
    pub fn new(
        config: KubernetesConfig,
        allowance: impl Into<Allowance>,
        poller: &str,
    ) -> Result<KubernetesSource, BuildError> {
        if let Some((what, hint)) = config.problems().into_iter().next() {
            return Err(BuildError(format!("{what} ({hint})")));
        }
        let template = |text: &Option<String>| {
            text.as_deref().map(Template::parse).transpose().map_err(BuildError)
        };
        let allowance = allowance.into();
        let http = HttpClient::build_for_many(&config.http(allowance))
            .map_err(|error| BuildError(error.explain()))?;
        let selector = config.selector.as_deref().map(Selector::parse).transpose();
        let choice = Choice {
            selector: selector.map_err(BuildError)?.unwrap_or_default(),
            rest: template(&config.rest_url)?,
        };
        let manners = Manners {
            source: config.name.clone(),
            poller: poller.to_owned(),
            ui: template(&config.ui_url)?,
            http,
        };
        Ok(KubernetesSource {
            poller: poller.to_owned(),
            timeout: config.timeout.unwrap_or(allowance.timeout),
            choice,
            shared: Arc::default(),
            link: None,
            seats: Seats::new(manners),
            memories: BTreeMap::new(),
            gone: BTreeMap::new(),
            told: BTreeSet::new(),
            stopwatch: SystemClock::anchored(None),
            config,
        })
    }

    async fn look(&mut self, demand: &Demand, now: Time) -> Snapshot {
        let started = self.stopwatch.now().steady;
        let mut snapshot = match self.link(started).await {
            // What is known of clusters is known, whoever is unreachable now.
            Err(line) if !self.shared.lock().is_seen() => self.failed(line),
            linked => self.picture_and_look(linked.err(), demand, now, started).await,
        };
        let took = self.stopwatch.now().steady.since(started);
        snapshot.took_ms = u32::try_from(took.as_millis()).unwrap_or(u32::MAX);
        snapshot
    }

    /// Begins to watch; begins anew with credentials read again where they are refused.
    async fn link(&mut self, now: Ts) -> Result<(), String> {
        let refused = || self.shared.lock().is_refused();
        if let Some(link) = &self.link
            && (now.since(link.since) < READ_AGAIN || !refused())
        {
            return Ok(());
        }
        let connection = connect::connect(&self.config, self.timeout).await?;
        let watches = watch::start(&connection, &self.config.namespaces, &self.shared);
        self.link = Some(Link { _watches: watches, since: now });
        Ok(())
    }

    async fn picture_and_look(
        &mut self,
        unlinked: Option<String>,
        demand: &Demand,
        now: Time,
        started: Ts,
    ) -> Snapshot {
        tokio::time::timeout(self.timeout, self.shared.settled()).await.ok();
        let mut picture = self.picture(now);
        picture.troubles.extend(unlinked);
        self.tell_once(&picture);
        if !picture.seen {
            let line = picture.troubles.into_iter().next();
            return self.failed(line.unwrap_or_else(|| {
                "the API server has not answered yet (check the address in the kubeconfig and the \
                 network path)"
                    .to_owned()
            }));
        }
        let waited = self.stopwatch.now().steady.since(started);
        let at = Time { steady: now.steady + waited, wall: now.wall + waited };
        let limit = self.timeout * LOOK_TIMEOUTS;
        let heard = self.seats.look(&picture.clusters, demand, at, limit).await;
        self.sum(picture, heard, now)
    }

    fn picture(&self, now: Time) -> Picture {
        let mut store = self.shared.lock();
        store.past.forget(now.wall.0);
        let mut clusters = clusters::clusters(&store, &self.choice, now.wall.0);
        let mut troubles: Vec<String> =
            store.troubles(true).into_iter().map(|trouble| trouble.line.clone()).collect();
        if store.is_over() || clusters.len() > MAX_CLUSTERS {
            let line = "there are more Flink clusters than Weir looks at (name `namespaces`, or set \
                        `selector`)";
            troubles.push(line.to_owned());
            clusters = clusters.into_iter().take(MAX_CLUSTERS).collect();
        }
        let known = self.memories.keys().chain(self.gone.keys());
        let gone = known.filter(|id| !clusters.contains_key(*id));
        let past = |id: &Id| store.past.of(id).cloned().unwrap_or_default();
        Picture {
            past: gone.map(|id| (id.clone(), past(id))).collect(),
            troubles,
            minor: store.troubles(false).into_iter().map(|t| t.line.clone()).collect(),
            seen: store.is_seen(),
            cut_off: store.is_cut_off(),
            clusters,
        }
    }

    /// Logs what is wrong, once as long as it lasts.
    fn tell_once(&mut self, picture: &Picture) {
        let lines = || picture.troubles.iter().chain(&picture.minor);
        for line in lines().filter(|line| !self.told.contains(*line)) {
            tracing::warn!(source = %self.config.name, "{line}");
        }
        self.told = lines().cloned().collect();
    }

    /// All clusters together.
    fn sum(&mut self, picture: Picture, mut heard: seats::Heard, now: Time) -> Snapshot {
        let wall = now.wall.0;
        let one_namespace = self.config.namespaces.len() == 1;
        let mut sum = Sum::default();
        for (id, memory) in std::mem::take(&mut self.memories) {
            if picture.clusters.contains_key(&id) {
                self.memories.insert(id, memory);
            } else {
                self.gone.insert(id, Gone { since: wall, memory });
            }
        }
        for (id, cluster) in &picture.clusters {
            self.gone.remove(id);
            let memory = self.memories.entry(id.clone()).or_default();
            let household = household::Household {
                source: &self.config.name,
                cluster,
                flink_cluster: &names::flink_cluster(id, one_namespace),
                object_labels: &self.config.object_labels,
                several: false,
            };
            let mut look = heard.looks.remove(id);
            let silent = heard.silent.remove(id);
            if picture.cut_off && look.is_none() {
                // What pods and the operator said before is no news.
                continue;
            }
            let told = assemble::tell(household, look.as_mut(), silent.as_deref(), memory, wall);
            sum.add(told, look, silent.map(|why| Trouble { id: id.clone(), why }));
        }
        self.gone.retain(|id, gone| {
            let past = picture.past.get(id).cloned().unwrap_or_default();
            let told = gone::told(gone, &past, wall);
            let goes_on = told.is_some();
            if let Some(told) = told {
                sum.add(told, None, None);
            }
            goes_on
        });
        let by_file = self.config.kubeconfig_file.is_some() || self.config.context.is_some();
        let limits = Limits {
            troubles: picture.troubles,
            unlisted: picture.cut_off,
            outside: by_file && self.config.rest_url.is_none(),
        };
        sum.finish(&self.config.name, &self.poller, limits)
    }

    fn failed(&self, error: String) -> Snapshot {
        Snapshot::failed(&self.config.name, &self.poller, error, false)
    }
}

impl Source for KubernetesSource {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn poll<'a>(&'a mut self, demand: &'a Demand, now: Time) -> BoxFuture<'a, Snapshot> {
        self.look(demand, now).boxed()
    }
}
