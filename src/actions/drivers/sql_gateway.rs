//! A job in SQL: its statements are given to a SQL Gateway in a session of their own, the last one with
//! a job id of our own, which Flink refuses to start twice.
//!
//! That id is Flink's internal option `$internal.pipeline.job-id`; gateways of 1.17 and 2.2 were seen to
//! heed it, as a setting of the one statement.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reqwest::Url;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::examine::{Finding, Sight, reach};
use super::flink_jar::{ClaimMode, is_before};
use super::flink_rest::{Cluster, Clusters, Row, bounded, failure, is_unreadable};
use super::gateway::{Gateway, Outcome};
use super::sql_script::{Script, chosen};
use super::{BuildError, Driver, LookedUp, Order, Parts, Settings, Started, Stopped, Traits};
use crate::http::{AuthConfig, HttpClient, HttpConfig, TlsConfig, redact_url};

/// Longest time of one request; none of them waits for a job.
const TIMEOUT: Duration = Duration::from_secs(10);
/// All statements together: the last one plans the job and submits it.
const START_WITHIN: Duration = Duration::from_mins(2);
/// Larger files are no statements of one job.
const LARGEST_SCRIPT: u64 = 1 << 20;

/// A job in SQL that is started by a SQL Gateway.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address of the gateway, such as `http://sql-gateway:8083`.
    pub url: String,
    /// Statements: the last one starts the job (`INSERT`, or `EXECUTE STATEMENT SET BEGIN … END`), all
    /// before it prepare (`CREATE`, `USE`, `SET`, …). Restore path, name and id of the job are set by
    /// Weir.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub statements: Vec<SecretString>,
    /// File with the statements instead, each ended by `;`, read anew for each start.
    pub file: Option<PathBuf>,
    /// Source of kind `flink` whose cluster the gateway submits to. Default: the one that shows the
    /// job.
    pub source: Option<String>,
    /// Settings of the session, such as `execution.checkpointing.interval`.
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
    /// Start although some state of the checkpoint belongs to no operator any more.
    #[serde(default)]
    pub allow_non_restored_state: bool,
    /// Who owns the checkpoint after the restore. Default: `no_claim`.
    #[serde(default)]
    pub claim_mode: ClaimMode,
    /// Longest time of all statements together. Default: 2m.
    #[serde(default, with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional")]
    #[schemars(with = "Option<String>")]
    pub start_within: Option<Duration>,
    /// Credentials.
    pub auth: Option<AuthConfig>,
    /// Certificates.
    pub tls: Option<TlsConfig>,
    /// HTTP proxy, such as `http://user:password@proxy:3128`. The environment is not looked at.
    #[schemars(with = "Option<String>")]
    pub proxy_url: Option<SecretString>,
    /// Extra request headers.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub headers: BTreeMap<String, SecretString>,
    /// Longest time of one request. Default: 10s.
    #[serde(default, with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional")]
    #[schemars(with = "Option<String>")]
    pub timeout: Option<Duration>,
    /// Folder of the savepoint a sick job is stopped with. Default: the cluster's.
    pub savepoint_dir: Option<String>,
    /// A sick job that has no savepoint after so long is cancelled. Default: 2m.
    #[serde(default, with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional")]
    #[schemars(with = "Option<String>")]
    pub savepoint_within: Option<Duration>,
}

impl Config {
    fn script(&self) -> Result<Script, String> {
        Script::read(self.statements.iter().map(ExposeSecret::expose_secret))
    }
}

impl Settings for Config {
    fn traits(&self) -> Traits {
        Traits { one_program: true, handle: true, stops: true, ..Traits::default() }
    }

    fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut add = |what: String, hint: &str| found.push((what, hint.to_owned()));
        match Url::parse(&self.url) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.host().is_some() => {}
            _ => add("`url` cannot be read".to_owned(), "write it as http://sql-gateway:8083"),
        }
        match (self.statements.is_empty(), &self.file) {
            (true, None) => add(
                "there is no job".to_owned(),
                "write its `statements`, or the `file` that has them",
            ),
            (false, Some(_)) => {
                add("`statements` and `file` are both set".to_owned(), "keep one");
            }
            (false, None) => {
                if let Err(why) = self.script() {
                    add(format!("`statements` cannot be used: {why}"), "see the README");
                }
            }
            (true, Some(_)) => {}
        }
        for key in self.properties.keys().filter_map(|key| chosen(key)) {
            add(format!("`properties` has `{key}`, which each restart sets"), "leave it out");
        }
        for (key, value) in [
            ("timeout", self.timeout),
            ("start_within", self.start_within),
            ("savepoint_within", self.savepoint_within),
        ] {
            if value.is_some_and(|value| value.is_zero()) {
                add(format!("`{key}` is zero"), "write a time such as 1m");
            }
        }
        found
    }

    fn build(&self, parts: &Parts) -> Result<Arc<dyn Driver>, BuildError> {
        let timeout = self.timeout.unwrap_or(TIMEOUT);
        let http = HttpConfig {
            auth: self.auth.clone(),
            tls: self.tls.clone(),
            proxy_url: self.proxy_url.clone(),
            headers: self.headers.clone(),
            timeout: Some(timeout),
            ..HttpConfig::default()
        };
        let client = HttpClient::build(&http).map_err(|error| BuildError(error.explain()))?;
        Ok(Arc::new(SqlGateway {
            config: self.clone(),
            gateway: Gateway::new(client, &self.url),
            clusters: Clusters::new(parts, self.source.as_deref(), timeout)?,
        }))
    }
}

struct SqlGateway {
    config: Config,
    gateway: Gateway,
    clusters: Clusters,
}

impl SqlGateway {
    async fn begin(&self, order: &Order) -> Result<Started, Started> {
        let cluster = self.clusters.of(order).map_err(refused)?;
        if let Some(begun) = look(cluster, order, &[]).await? {
            return Ok(begun);
        }
        let script = self.script().await.map_err(refused)?;
        let within = self.config.start_within.unwrap_or(START_WITHIN);
        let api = self.gateway.api().await.map_err(refused)?;
        let settings = self.settings(order, &api.version);
        let name = format!("weir-{}", order.restart);
        let sent = AtomicBool::new(false);
        let session = self.gateway.open(&api, &name, &self.config.properties).await;
        let session = session.map_err(refused)?;
        let running = async {
            for statement in &script.before {
                let text = statement.expose_secret();
                match self.gateway.run(&session, text, &BTreeMap::new()).await {
                    Outcome::Done(_) => {}
                    Outcome::Failed(body) => return Err(refused(failure(500, &body).error)),
                    Outcome::Refused(error) | Outcome::Unclear(error) => {
                        return Err(refused(error));
                    }
                }
            }
            let there = if is_before(&api.version, 1, 17) {
                Vec::new()
            } else {
                self.gateway.jobs(&session).await.map_err(refused)?
            };
            // Catalogs may have taken their time.
            if let Some(begun) = look(cluster, order, &there).await? {
                return Ok(begun);
            }
            let job = script.job.expose_secret();
            sent.store(true, Ordering::Relaxed);
            let outcome = self.gateway.run(&session, job, &settings).await;
            self.judge(cluster, order, outcome).await
        };
        let ended = tokio::time::timeout(within, running).await;
        self.gateway.close(&session).await;
        let ended = ended.unwrap_or_else(|_| {
            let limit = within.as_secs();
            let error =
                format!("the statements were not done within {limit} s (raise `start_within`)");
            let is_sent = sent.load(Ordering::Relaxed);
            Err(if is_sent { Started::Unclear { error } } else { refused(error) })
        });
        ended.map_err(|ended| scrubbed(ended, &script))
    }

    /// What came of the statement that starts the job.
    async fn judge(
        &self,
        cluster: &Cluster,
        order: &Order,
        outcome: Outcome,
    ) -> Result<Started, Started> {
        let body = match outcome {
            Outcome::Done(answer) => {
                let job_id = answer["jobID"].as_str().map(str::to_owned);
                return Ok(Started::Accepted { job_id });
            }
            Outcome::Refused(error) => return Err(refused(error)),
            Outcome::Unclear(error) => return Err(Started::Unclear { error }),
            Outcome::Failed(body) => body,
        };
        let error = failure(500, &body).error;
        // The cluster may have taken the job, and its answer was lost.
        let Ok((_, rows)) = cluster.jobs().await else {
            return Err(Started::Unclear { error });
        };
        if rows.iter().any(|row| row.jid == order.handle && row.lives()) {
            return Ok(Started::Accepted { job_id: Some(order.handle.clone()) });
        }
        let trace = String::from_utf8_lossy(&body);
        if !is_decided(&trace) {
            return Err(Started::Unclear { error });
        }
        let unreadable = is_unreadable(&trace, order.from.as_deref());
        Err(Started::Refused { error, unreadable })
    }

    async fn look_over(&self, jobs: &[Sight]) -> Vec<Finding> {
        let gateway = self.gateway.api().await;
        let at = redact_url(&self.config.url);
        let gateway =
            gateway.map(|api| format!("the SQL Gateway of Flink {} answers at {at}", api.version));
        let script = self.script().await;
        let script = script.map(|script| {
            let count = script.before.len() + 1;
            format!("its script can be read ({count} statements)")
        });
        let mut found = vec![gateway, script];
        found.extend(reach(&self.clusters, jobs).await.1);
        found
    }

    async fn script(&self) -> Result<Script, String> {
        let Some(file) = &self.config.file else { return self.config.script() };
        let said = |error: &dyn std::fmt::Display| {
            bounded(&format!("the statements cannot be used: {}: {error}", file.display()))
        };
        let size = tokio::fs::metadata(file).await.map_err(|error| said(&error))?.len();
        if size > LARGEST_SCRIPT {
            return Err(said(&format!("{size} bytes are too many")));
        }
        let text = tokio::fs::read_to_string(file).await.map_err(|error| said(&error))?;
        Script::read([text.as_str()].into_iter()).map_err(|error| said(&error))
    }

    /// What the last statement is run with; of two names the one its version knows.
    fn settings(&self, order: &Order, version: &str) -> BTreeMap<&'static str, String> {
        let named = [&order.flink_job_name, &order.job_name];
        let name = named.into_iter().find(|name| !name.is_empty());
        let mut all = BTreeMap::from([
            ("$internal.pipeline.job-id", order.handle.clone()),
            ("pipeline.name", name.cloned().unwrap_or_default()),
        ]);
        let Some(path) = &order.from else { return all };
        let keys = if is_before(version, 1, 20) {
            [
                "execution.savepoint.path",
                "execution.savepoint-restore-mode",
                "execution.savepoint.ignore-unclaimed-state",
            ]
        } else {
            [
                "execution.state-recovery.path",
                "execution.state-recovery.claim-mode",
                "execution.state-recovery.ignore-unclaimed-state",
            ]
        };
        let values = [
            path.clone(),
            self.config.claim_mode.as_str().to_owned(),
            self.config.allow_non_restored_state.to_string(),
        ];
        all.extend(keys.into_iter().zip(values));
        all
    }
}

fn refused(error: String) -> Started {
    Started::Refused { error, unreadable: false }
}

/// The run of this order if it is there already; an error if the job lives. What is proven of the
/// cluster proves nothing if the gateway submits elsewhere: `there` are the jobs that it sees.
async fn look(cluster: &Cluster, order: &Order, there: &[Row]) -> Result<Option<Started>, Started> {
    let looked = cluster.jobs().await;
    let (base, here) = looked.map_err(|error| refused(bounded(&error.explain())))?;
    if here.iter().any(|row| row.jid == order.handle) {
        return Ok(Some(Started::Accepted { job_id: Some(order.handle.clone()) }));
    }
    if let Some(seen) = Cluster::alive(&here, order).or_else(|| Cluster::alive(there, order)) {
        return Err(Started::Alive { seen });
    }
    let is_here = |row: &Row| here.iter().any(|known| known.jid == row.jid);
    match there.iter().find(|row| row.lives() && !is_here(row)) {
        None => Ok(None),
        Some(row) => Err(refused(bounded(&format!(
            "the SQL Gateway submits to another cluster than {base}: it shows a job {} which is not \
             there (name its cluster under `source`)",
            row.jid
        )))),
    }
}

/// The statement itself has failed. Else the gateway lost it, or its way to the cluster, which may have
/// begun all the same.
fn is_decided(trace: &str) -> bool {
    let lost = [
        "TimeoutException",
        "ConnectException",
        "ConnectionClosedException",
        "RetryException",
        "Connection reset",
        "Connection refused",
        "Service temporarily unavailable",
    ];
    trace.contains("SqlExecutionException") && !lost.iter().any(|sign| trace.contains(sign))
}

/// Errors repeat parts of statements, and those hold passwords.
fn scrubbed(ended: Started, script: &Script) -> Started {
    match ended {
        Started::Refused { error, unreadable } => {
            Started::Refused { error: script.scrub(&error), unreadable }
        }
        Started::Unclear { error } => Started::Unclear { error: script.scrub(&error) },
        other => other,
    }
}

impl Driver for SqlGateway {
    fn start<'a>(&'a self, order: &'a Order) -> BoxFuture<'a, Started> {
        self.begin(order).map(|begun| begun.unwrap_or_else(|ended| ended)).boxed()
    }

    fn look_up<'a>(&'a self, order: &'a Order) -> BoxFuture<'a, LookedUp> {
        self.clusters.look_up(order).boxed()
    }

    fn examine<'a>(&'a self, jobs: &'a [Sight]) -> BoxFuture<'a, Vec<Finding>> {
        self.look_over(jobs).boxed()
    }

    fn stop<'a>(&'a self, order: &'a Order) -> BoxFuture<'a, Stopped> {
        let (folder, within) = (self.config.savepoint_dir.as_deref(), self.config.savepoint_within);
        self.clusters.stop(order, folder, within).boxed()
    }

    fn cancel<'a>(
        &'a self,
        order: &'a Order,
        job_id: &'a str,
    ) -> BoxFuture<'a, Result<(), String>> {
        self.clusters.cancel(order, job_id).boxed()
    }
}

#[cfg(test)]
#[path = "sql_gateway_tests.rs"]
mod tests;
