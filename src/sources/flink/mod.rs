//! Flink's REST API as a source: one listing per poll, one metrics call per live job, and the rest
//! only for a reason (`plan`). What the answers mean is decided by pure functions (`observe`,
//! `root_cause`, `freeze`); this file only makes the calls and keeps what the next poll needs.

mod applications;
pub(in crate::sources) mod archive;
mod cluster;
mod config;
mod cost;
mod ease;
mod fetch;
mod freeze;
pub(in crate::sources) mod lenient;
mod named;
mod observe;
mod order;
mod plan;
#[cfg(test)]
mod poll_tests;
pub(in crate::sources) mod root_cause;
mod shared;
mod start;
#[cfg(test)]
mod tests;
mod turns;
mod wanted;
mod wire;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::clock::{Clock, SystemClock};
use crate::http::{HttpClient, HttpError};
use crate::model::{
    Completeness, Demand, FailedRun, JobKey, RunId, RunObservation, Seen, Snapshot, Time, Ts,
};

use super::{Allowance, Source};
use applications::Applications;
use cluster::ClusterMemory;
use ease::Ease;
use fetch::{Api, JobFacts, Pulse, Traffic};
use freeze::FreezeDetector;
use observe::Row;
use plan::RunMemory;
use turns::Terms;

pub use config::FlinkConfig;
pub(in crate::sources) use config::address_problem;
pub use cost::{Cost, cost};
pub(in crate::sources) use fetch::encode;
pub(in crate::sources) use wanted::Wanted;

/// A poll takes at most so many request timeouts.
const POLL_TIMEOUTS: u32 = 4;

/// Metrics nobody asked for as long as this are refreshed before they are read.
const COLD: Duration = Duration::from_mins(2);
/// A refresh takes about as long.
const WARM_UP: Duration = Duration::from_secs(1);

/// A Flink cluster seen through its `JobManagers`.
#[derive(Debug)]
pub struct FlinkSource {
    config: FlinkConfig,
    poller: String,
    client: Arc<HttpClient>,
    /// `JobManagers`, without trailing slashes.
    bases: Vec<String>,
    ui: String,
    /// The one that answered last.
    current: usize,
    /// Read from `/config` since the last reconnect.
    version: Option<String>,
    offset: Option<i64>,
    freeze: FreezeDetector,
    /// Steady time of the last poll that read metrics of the present `JobManager`.
    warm_at: Option<Ts>,
    /// It had a live job once.
    had_jobs: bool,
    memory: HashMap<RunId, RunMemory>,
    cluster: ClusterMemory,
    applications: Applications,
    ease: Ease,
    /// It was said that there are more jobs than a look has room for.
    told_short: bool,
    /// The last demand, compiled.
    wanted: Arc<Wanted>,
    stopwatch: SystemClock,
}

/// What the listing of a cluster said, and when.
struct Listing {
    rows: Vec<Row>,
    nameless: usize,
    wall: Ts,
}

impl FlinkSource {
    /// A source for `config`. `allowance` holds where the source has none; `poller` names this
    /// process in its snapshots.
    ///
    /// # Errors
    /// When an address or a setting makes no sense, or certificates cannot be read.
    pub fn new(
        config: FlinkConfig,
        allowance: impl Into<Allowance>,
        poller: &str,
    ) -> Result<FlinkSource, HttpError> {
        if let Some((what, hint)) = config.problems().into_iter().next() {
            return Err(HttpError::Config { what, hint });
        }
        let client = Arc::new(HttpClient::build(&config.http(allowance))?);
        Ok(FlinkSource::over(config, client, poller))
    }

    /// A source for one of the clusters another source has found: asked by `client`, whatever
    /// `config` says of it.
    pub(in crate::sources) fn over(
        config: FlinkConfig,
        client: Arc<HttpClient>,
        poller: &str,
    ) -> FlinkSource {
        let trim = |url: &String| url.trim_end_matches('/').to_owned();
        let bases: Vec<String> = config.urls.iter().map(trim).collect();
        let ui = config.ui_url.as_ref().or(config.urls.first()).map(trim).unwrap_or_default();
        FlinkSource {
            client,
            poller: poller.to_owned(),
            bases,
            ui,
            config,
            current: 0,
            version: None,
            offset: None,
            freeze: FreezeDetector::default(),
            warm_at: None,
            had_jobs: false,
            memory: HashMap::new(),
            cluster: ClusterMemory::default(),
            applications: Applications::default(),
            ease: Ease::default(),
            told_short: false,
            wanted: Arc::default(),
            stopwatch: SystemClock::anchored(None),
        }
    }

    /// From now on the cluster is asked at these addresses.
    pub(in crate::sources) fn ask_at(&mut self, urls: &[String]) {
        let trim = |url: &String| url.trim_end_matches('/').to_owned();
        let bases: Vec<String> = urls.iter().map(trim).collect();
        if bases == self.bases {
            return;
        }
        let known = self.bases.get(self.current);
        let place = bases.iter().position(|base| Some(base) == known);
        self.current = place.unwrap_or(0);
        self.bases = bases;
        if place.is_none() {
            self.version = None;
            self.warm_at = None;
            self.freeze.reset();
            self.cluster.reset();
            self.applications.ask_again();
        }
    }

    /// The configuration it was made from.
    pub fn config(&self) -> &FlinkConfig {
        &self.config
    }

    async fn look(&mut self, demand: &Demand, now: Time) -> Snapshot {
        self.wanted = Wanted::renewed(&self.wanted, demand);
        let wanted = Arc::clone(&self.wanted);
        self.look_for(&wanted, now).await
    }

    /// One look for what is wanted.
    pub(in crate::sources) async fn look_for(&mut self, wanted: &Wanted, now: Time) -> Snapshot {
        let started = self.stopwatch.now().steady;
        let traffic = Traffic::default();
        let deadline = tokio::time::sleep(self.client.timeout() * POLL_TIMEOUTS);
        let mut deadline = std::pin::pin!(deadline);
        let listing = {
            let list = self.list(&traffic, now, started);
            tokio::select! {
                biased;
                listing = list => listing,
                () = deadline.as_mut() => Err((too_slow(), false)),
            }
        };
        let mut snapshot = match listing {
            Ok(listing) => self.details(listing, wanted, now, &traffic, deadline).await,
            Err((error, starting)) => {
                self.version = None;
                self.warm_at = None;
                self.freeze.reset();
                Snapshot::failed(&self.config.name, &self.poller, error, starting)
            }
        };
        let took = self.stopwatch.now().steady.since(started);
        snapshot.took_ms = u32::try_from(took.as_millis()).unwrap_or(u32::MAX);
        snapshot.requests = traffic.requests();
        snapshot.bytes = traffic.bytes();
        snapshot
    }

    /// The settings of the `JobManager` that answered last, by name.
    ///
    /// # Errors
    /// When it does not answer with its settings.
    pub(in crate::sources) async fn settings(&self) -> Result<Vec<(String, String)>, HttpError> {
        let base = self.bases.get(self.current).map_or("", String::as_str);
        let traffic = Traffic::default();
        let api = Api { client: &self.client, base, traffic: &traffic };
        Ok(api.settings().await?.into_iter().filter_map(|s| Some((s.key?, s.value?))).collect())
    }

    /// Lists the jobs of the first `JobManager` that answers, the last good one first.
    async fn list(
        &mut self,
        traffic: &Traffic,
        now: Time,
        started: Ts,
    ) -> Result<Listing, (String, bool)> {
        let mut first: Option<HttpError> = None;
        let mut starting = None;
        for step in 0..self.bases.len() {
            let index = (self.current + step) % self.bases.len();
            let base = self.bases.get(index).map_or("", String::as_str);
            let asked = self.stopwatch.now().steady;
            match (Api { client: &self.client, base, traffic }).jobs().await {
                Ok(answer) => {
                    let answered = self.stopwatch.now().steady;
                    if index != self.current {
                        self.current = index;
                        self.version = None;
                        self.warm_at = None;
                        self.freeze.reset();
                        self.cluster.reset();
                        self.applications.ask_again();
                    }
                    let total = answer.jobs.len();
                    let rows: Vec<Row> = answer.jobs.into_iter().filter_map(observe::row).collect();
                    // The answer was made somewhere between the question and its arrival.
                    let half = answered.since(asked) / 2;
                    let wall = now.wall + asked.since(started) + half;
                    return Ok(Listing { nameless: total - rows.len(), rows, wall });
                }
                Err(error) => {
                    if is_starting(&error) {
                        starting.get_or_insert_with(|| error.explain());
                    }
                    first.get_or_insert(error);
                }
            }
        }
        let others = match self.bases.len() {
            0 | 1 => String::new(),
            n => format!("; {} more tried", n - 1),
        };
        match (starting, first) {
            (Some(error), _) => Err((format!("{error}{others}"), true)),
            (None, Some(error)) => Err((format!("{}{others}", error.explain()), false)),
            (None, None) => Err(("no address configured".to_owned(), false)),
        }
    }

    /// Fills in what the listing does not say.
    async fn details(
        &mut self,
        listing: Listing,
        wanted: &Wanted,
        now: Time,
        traffic: &Traffic,
        mut deadline: std::pin::Pin<&mut tokio::time::Sleep>,
    ) -> Snapshot {
        let Listing { rows, nameless, wall } = listing;
        let base = self.bases.get(self.current).map_or("", String::as_str);
        let api = Api { client: &self.client, base, traffic };
        let any_live = rows.iter().any(|r| !r.state.is_terminal());
        // Where there were jobs, the pulse also tells a new JobManager that has lost them.
        self.had_jobs |= any_live;
        let wants_pulse =
            (self.had_jobs && wanted.asks_metrics_of_jobs()) || wanted.asks_metrics_of_cluster();
        self.cluster.prepare(api, wanted).await;
        let known = self.cluster.jobmanager_ids.as_deref().unwrap_or_default();
        let pulse_path = wanted.pulse_path(known);
        let (overview, config, pulse) = tokio::join!(
            api.overview(),
            async { if self.version.is_none() { api.config().await.ok() } else { None } },
            async { if wants_pulse { api.pulse(&pulse_path).await.ok() } else { None } },
        );
        let pulse = pulse.unwrap_or_default();
        let overview = overview.ok();
        let cold = self.warm_at.is_none_or(|at| now.steady.since(at) > COLD);
        let (pulse, trusted) = if wants_pulse && cold {
            warm_up(api, &pulse_path, pulse).await
        } else {
            (pulse, true)
        };
        self.warm_at = wants_pulse.then_some(now.steady);
        if let Some(config) = config {
            if config.features.and_then(|f| f.web_history) == Some(true) {
                let error = "this is a history server, which shows no running jobs (use the \
                             addresses of the JobManagers)";
                return self.failed(error);
            }
            self.version = config.flink_version;
        }
        let version = self.version.clone().or_else(|| overview.as_ref()?.flink_version.clone());
        let frozen = if wants_pulse {
            self.freeze.observe(pulse.cpu, now.steady)
        } else {
            self.freeze.reset();
            false
        };
        let clock = observe::clock(&rows, wall, self.offset);
        self.offset = clock.map(|c| c.offset_ms).or(self.offset);

        let source_now = clock.map_or(wall.0, |c| c.now);
        turns::remember(&mut self.memory, &rows, source_now, now.steady);
        let in_doubt = frozen || !trusted;
        let of_cluster = tokio::select! {
            biased;
            found = self.cluster.look(api, wanted, &pulse, !in_doubt, now.steady) => found,
            () = deadline.as_mut() => cluster::unknown(wanted),
        };
        let end = deadline.deadline();
        let applications = async {
            if !wanted.demand.applications {
                return self.applications.skip();
            }
            // `/overview` tells the version at every poll, also after an upgrade nobody noticed.
            let now_is = overview.as_ref().and_then(|o| o.flink_version.as_deref());
            let asked = now_is.or(version.as_deref());
            let look = self.applications.look(api, asked, clock.map(|c| c.now), now.steady);
            tokio::time::timeout_at(end, look).await.ok();
        };
        let terms = Terms {
            at_once: self.ease.at_once(),
            requests: self.client.requests_per_look(),
            frozen: in_doubt,
            now: now.steady,
        };
        // At the same time: however slow the applications are, they take nothing from the jobs.
        let ((), gathered) = tokio::join!(
            applications,
            turns::gather(api, &self.memory, &rows, wanted, terms, &mut deadline),
        );
        self.ease = self.ease.after(gathered.turns, gathered.too_slow);
        let mut facts = gathered.facts;
        self.tell_of_shortage(facts.iter().filter(|facts| facts.is_none()).count());
        let mut runs = Vec::with_capacity(rows.len());
        for (row, facts) in rows.into_iter().zip(facts.drain(..)) {
            runs.push(self.observation(row, facts, wanted, now.steady));
        }
        let starts = self.applications.starts();
        runs.extend(starts.iter().map(|start| start.fill(self.blank(&start.name), &self.ui)));
        let mut cluster = observe::cluster(self.flink_cluster(), overview.as_ref());
        cluster.metrics = of_cluster;
        cluster.jobmanager_cpu = pulse.cpu.filter(|_| trusted && !frozen);
        Snapshot {
            source: self.config.name.clone(),
            poller: self.poller.clone(),
            completeness: match nameless {
                0 => Completeness::Complete,
                n => Completeness::Partial { reason: format!("{n} jobs listed without an id") },
            },
            clock,
            version,
            metrics_frozen: frozen,
            clusters: vec![cluster],
            runs,
            inventory: Vec::new(),
            recorded: Vec::new(),
            took_ms: 0,
            requests: 0,
            bytes: 0,
        }
    }

    /// Says once that a look has no room for all jobs.
    fn tell_of_shortage(&mut self, waiting: usize) {
        if waiting == 0 || self.told_short {
            return;
        }
        self.told_short = true;
        let source = &self.config.name;
        tracing::warn!(
            source,
            waiting,
            "jobs wait for the next look, those that changed or are sick the least (raise \
             `requests_per_second` if the cluster can bear it, or `poll.interval`)"
        );
    }

    fn failed(&self, error: &str) -> Snapshot {
        Snapshot::failed(&self.config.name, &self.poller, error.to_owned(), false)
    }

    fn flink_cluster(&self) -> &str {
        self.config.flink_cluster.as_deref().unwrap_or(&self.config.name)
    }

    /// One run as the rest of Weir sees it; its memory takes in what was learned.
    fn observation(
        &mut self,
        row: Row,
        facts: Option<JobFacts>,
        wanted: &Wanted,
        now: Ts,
    ) -> RunObservation {
        let mut batch = Seen::NotAsked;
        let facts = match (facts, self.memory.get_mut(&row.run)) {
            (Some(mut facts), Some(memory)) => {
                memory.remember(&row, facts.counters.fresh(), &facts.look, now);
                if let Some(policy) = facts.policy {
                    memory.policy = Some(policy);
                }
                if facts.job_type != Seen::NotAsked {
                    memory.job_type = std::mem::take(&mut facts.job_type);
                }
                batch = memory.job_type.clone();
                let restarts = facts.counters.fresh().and_then(|c| c.restarts);
                memory.named.remember(&facts.named, restarts, &row.run.job_id, wanted, now);
                facts
            }
            (None, Some(_)) => turns::cut_off(&row, wanted),
            (facts, None) => facts.unwrap_or_default(),
        };
        let page = if row.state.is_terminal() { "completed" } else { "running" };
        RunObservation {
            ui_url: Some(format!("{}/#/job/{page}/{}/overview", self.ui, row.run.job_id)),
            run: row.run,
            state: row.state,
            end_time: row.end_time,
            tasks: row.tasks,
            last_modification: row.last_modification,
            counters: facts.counters,
            checkpoints: facts.checkpoints,
            failures: facts.failures,
            failures_truncated: facts.failures_truncated,
            lag: facts.lag,
            batch,
            metrics: facts.metrics,
            ..self.blank(&row.name)
        }
    }

    /// A run of a job of this name of which nothing is known yet.
    fn blank(&self, name: &str) -> RunObservation {
        RunObservation {
            key: JobKey::new(&self.config.name, "", "", name),
            name: name.to_owned(),
            cluster: self.config.name.clone(),
            flink_cluster: self.flink_cluster().to_owned(),
            flink_job_name: name.to_owned(),
            ..RunObservation::default()
        }
    }
}

/// Flink refreshes its metrics because they are asked for, after it has answered: the first answer
/// is as old as the last question anybody asked. Asks until the pulse moves; the numbers are to be
/// trusted if it did.
async fn warm_up(api: Api<'_>, path: &str, first: Pulse) -> (Pulse, bool) {
    let asleep = first.cpu;
    let mut pulse = first;
    for _ in 0..2 {
        tokio::time::sleep(WARM_UP.min(api.client.timeout())).await;
        pulse = api.pulse(path).await.ok().filter(|p| p.cpu.is_some()).unwrap_or(pulse);
        if pulse.cpu != asleep {
            return (pulse, true);
        }
    }
    (pulse, false)
}

fn is_starting(error: &HttpError) -> bool {
    match error {
        HttpError::Status { code: 503, .. } => true,
        HttpError::Status { excerpt, .. } => excerpt.contains("leader election"),
        _ => false,
    }
}

fn too_slow() -> String {
    "no address answered before the poll had to end (check the addresses and the network path)"
        .to_owned()
}

impl Source for FlinkSource {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn recall(&mut self, failed: &[FailedRun]) {
        for run in failed.iter().filter(|run| run.source == self.config.name) {
            // Jobs tell themselves how they do.
            if run.ui_url.as_deref().is_some_and(start::is_page) {
                self.applications.recall(&run.name, &run.run);
            }
        }
    }

    fn poll<'a>(&'a mut self, demand: &'a Demand, now: Time) -> BoxFuture<'a, Snapshot> {
        self.look(demand, now).boxed()
    }
}
