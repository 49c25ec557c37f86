//! A jar on a session cluster: `POST /jars/:id/run` with a job id of our own, which Flink refuses to
//! start twice.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::examine::{Finding, Reached, Sight, reach, readable};
use super::flink_rest::{Cluster, Clusters, bounded, failure, is_unreadable};
use crate::clock::{Clock as _, SystemClock};
use crate::http::HttpError;
use crate::model::passes;

use super::{BuildError, Driver, LookedUp, Order, Parts, Settings, Started, Stopped, Traits};

/// A start runs the program's `main`, which may read and plan for long.
const TIMEOUT: Duration = Duration::from_mins(1);
/// What was seen dead longer ago is looked at again before the order is given.
const STILL_DEAD: Duration = Duration::from_secs(3);
/// So often.
const MOST_LOOKS: u32 = 3;
/// Larger files are no jars of jobs.
const LARGEST_JAR: u64 = 512 << 20;

/// A jar that is run on a session cluster.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the jar, as it was uploaded: of several of that name the newest is run.
    pub jar: String,
    /// File of that jar, from which it is uploaded again when the cluster has lost it. Default: a
    /// lost jar is an error.
    pub jar_file: Option<PathBuf>,
    /// Class with the `main` method. Default: the one its manifest names.
    pub entry_class: Option<String>,
    /// Arguments of `main`.
    #[serde(default)]
    pub args: Vec<String>,
    /// Parallelism. Default: the cluster's.
    pub parallelism: Option<u32>,
    /// Start although some state of the checkpoint belongs to no operator any more.
    #[serde(default)]
    pub allow_non_restored_state: bool,
    /// Who owns the checkpoint after the restore. Default: `no_claim`.
    #[serde(default)]
    pub claim_mode: ClaimMode,
    /// Flink settings of this job (Flink 1.17 and later).
    #[serde(default)]
    pub configuration: BTreeMap<String, String>,
    /// Source of kind `flink` whose cluster runs it. Default: the one that shows the job.
    pub source: Option<String>,
    /// Longest time of one request, such as `1m`: a start runs `main`. Default: 1m.
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

/// Who owns a checkpoint after a restore (`execution.state-recovery.claim-mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClaimMode {
    /// Nobody: it stays as it is.
    #[default]
    NoClaim,
    /// The new run, which deletes it when it is not needed any more.
    Claim,
    /// As Flink did before 1.15.
    Legacy,
}

impl ClaimMode {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            ClaimMode::NoClaim => "NO_CLAIM",
            ClaimMode::Claim => "CLAIM",
            ClaimMode::Legacy => "LEGACY",
        }
    }
}

impl Settings for Config {
    fn traits(&self) -> Traits {
        Traits { one_program: true, handle: true, stops: true, ..Traits::default() }
    }

    fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut add = |what: &str, hint: &str| found.push((what.to_owned(), hint.to_owned()));
        if self.jar.is_empty() || self.jar.contains('/') {
            add(
                "`jar` is no name of a jar",
                "write its name as `GET /jars` lists it, such as orders.jar; its path goes under \
                 `jar_file`",
            );
        }
        if self.parallelism == Some(0) {
            add("`parallelism` is zero", "leave it out for the cluster's own");
        }
        for (key, value) in [("timeout", self.timeout), ("savepoint_within", self.savepoint_within)]
        {
            if value.is_some_and(|value| value.is_zero()) {
                add(&format!("`{key}` is zero"), "write a time such as 1m");
            }
        }
        found
    }

    fn build(&self, parts: &Parts) -> Result<Arc<dyn Driver>, BuildError> {
        let timeout = self.timeout.unwrap_or(TIMEOUT);
        let clusters = Clusters::new(parts, self.source.as_deref(), timeout)?;
        Ok(Arc::new(FlinkJar { config: self.clone(), clusters }))
    }
}

struct FlinkJar {
    config: Config,
    clusters: Clusters,
}

impl FlinkJar {
    async fn begin(&self, order: &Order) -> Result<Started, Started> {
        let refused = |error: String| Started::Refused { error, unreadable: false };
        // Nothing is sent yet, and nobody can be reached: the same order is given again later.
        let later = |error: HttpError| Started::Unclear { error: bounded(&error.explain()) };
        let cluster = self.clusters.of(order).map_err(refused)?;
        let (base, _) = cluster.jobs().await.map_err(later)?;
        let version = cluster.version(&base).await.map_err(later)?;
        let jar = self.jar(cluster, &base).await?;
        let body = self.body(order, &version);
        let path = format!("jars/{jar}/run");
        let clock = SystemClock::anchored(None);
        let mut looked_at = clock.now().steady;
        for look in 0.. {
            // The proof of death is the last thing before the order, however long this process stood
            // still in between.
            let (_, rows) = cluster.jobs().await.map_err(later)?;
            if rows.iter().any(|row| row.jid == order.handle) {
                return Ok(Started::Accepted { job_id: Some(order.handle.clone()) });
            }
            if let Some(seen) = Cluster::alive(&rows, order) {
                return Err(Started::Alive { seen });
            }
            let took = clock.now().steady.since(looked_at);
            if took <= STILL_DEAD {
                break;
            }
            if look >= MOST_LOOKS {
                let error = format!("its cluster takes {} s to list its jobs", took.as_secs());
                return Err(refused(error));
            }
            looked_at = clock.now().steady;
        }
        let answer = match cluster.post(&base, &path, &body).await {
            Ok(answer) => answer,
            Err(error) => return Err(Started::Unclear { error: bounded(&error.to_string()) }),
        };
        if answer.status < 300 {
            let said: Value = answer.json().unwrap_or_default();
            let job_id = said["jobid"].as_str().map(str::to_owned);
            return Ok(Started::Accepted { job_id });
        }
        let failed = failure(answer.status, &answer.body);
        // A dispatcher that was too slow to say so may take it yet.
        if failed.unclear || (answer.status >= 500 && passes(&failed.error)) {
            return Err(Started::Unclear { error: failed.error });
        }
        // A program may start its job and fail afterwards: then it runs, whatever was answered.
        match cluster.jobs().await {
            Ok((_, rows)) => {
                let lives = |row: &super::flink_rest::Row| row.jid == order.handle && row.lives();
                if rows.iter().any(lives) {
                    return Ok(Started::Accepted { job_id: Some(order.handle.clone()) });
                }
                let trace = String::from_utf8_lossy(&answer.body);
                let unreadable = is_unreadable(&trace, order.from.as_deref());
                Err(Started::Refused { error: failed.error, unreadable })
            }
            Err(_) => Err(Started::Unclear { error: failed.error }),
        }
    }

    /// The newest jar of the name, uploaded again where there is none.
    async fn jar(&self, cluster: &Cluster, base: &str) -> Result<String, Started> {
        let listed = cluster.get(base, "jars").await;
        let listed =
            listed.map_err(|error| Started::Unclear { error: bounded(&error.explain()) })?;
        self.jar_among(&listed, cluster, base)
            .await
            .map_err(|error| Started::Refused { error, unreadable: false })
    }

    async fn jar_among(
        &self,
        listed: &Value,
        cluster: &Cluster,
        base: &str,
    ) -> Result<String, String> {
        if let Some(id) = newest(listed, &self.config.jar) {
            return Ok(id);
        }
        let name = &self.config.jar;
        let Some(file) = &self.config.jar_file else {
            return Err(no_jar(name));
        };
        let said =
            |error: std::io::Error| format!("the jar cannot be read: {}: {error}", file.display());
        let size = tokio::fs::metadata(file).await.map_err(said)?.len();
        if size > LARGEST_JAR {
            return Err(format!("{} has {size} bytes: too large for a jar", file.display()));
        }
        let bytes = tokio::fs::read(file).await.map_err(said)?;
        let (kind, body) = form(name, &bytes);
        let answer = cluster.post_bytes(base, "jars/upload", &kind, body).await;
        let answer = answer.map_err(|error| bounded(&error.explain()))?;
        if answer.status >= 300 {
            return Err(failure(answer.status, &answer.body).error);
        }
        let said: Value = answer.json().unwrap_or_default();
        let id = said["filename"].as_str().and_then(|path| path.rsplit('/').next());
        id.map(str::to_owned).ok_or_else(|| "Flink took the jar and did not name it".to_owned())
    }

    /// Whether it is on this cluster, or could be brought there.
    async fn jar_at(&self, there: &Reached<'_>) -> Finding {
        let name = &self.config.jar;
        if there.config["features"]["web-submit"] == false {
            return Err("this cluster takes no jars (set `web.submit.enable: true` in its \
                        configuration)"
                .to_owned());
        }
        let listed = there.cluster.get(&there.base, "jars").await;
        let listed = listed.map_err(|error| bounded(&error.explain()))?;
        match (newest(&listed, name), &self.config.jar_file) {
            (Some(_), _) => Ok(format!("the cluster has {name}")),
            (None, Some(_)) => Ok(format!("the cluster has no {name} yet: it would be uploaded")),
            (None, None) => Err(no_jar(name)),
        }
    }

    async fn look_over(&self, jobs: &[Sight]) -> Vec<Finding> {
        let (reached, mut found) = reach(&self.clusters, jobs).await;
        for there in &reached {
            found.push(self.jar_at(there).await);
        }
        if let Some(file) = &self.config.jar_file {
            found.push(readable(file, LARGEST_JAR).await);
        }
        found
    }

    /// Body of `/jars/:id/run`. Unknown fields are ignored, a known one by another name is not
    /// heard: the claim mode is `restoreMode` up to 1.19.
    fn body(&self, order: &Order, version: &str) -> Value {
        let config = &self.config;
        let mut body = json!({
            "jobId": order.handle,
            "programArgsList": config.args,
            "allowNonRestoredState": config.allow_non_restored_state,
        });
        if let Some(class) = &config.entry_class {
            body["entryClass"] = json!(class);
        }
        if let Some(parallelism) = config.parallelism {
            body["parallelism"] = json!(parallelism);
        }
        if !config.configuration.is_empty() {
            body["flinkConfiguration"] = json!(config.configuration);
        }
        if let Some(path) = &order.from {
            body["savepointPath"] = json!(path);
            let key = if is_before(version, 1, 20) { "restoreMode" } else { "claimMode" };
            body[key] = json!(config.claim_mode.as_str());
        }
        body
    }
}

fn no_jar(name: &str) -> String {
    format!("the cluster has no jar named {name} (upload it, or name its file under `jar_file`)")
}

/// Whether a version is older than this one; what cannot be read is new.
pub(super) fn is_before(version: &str, major: u32, minor: u32) -> bool {
    let mut parts = version.split(['.', '-']).map(str::parse::<u32>);
    match (parts.next(), parts.next()) {
        (Some(Ok(a)), Some(Ok(b))) => (a, b) < (major, minor),
        _ => false,
    }
}

fn newest(listed: &Value, name: &str) -> Option<String> {
    let jars = listed["files"].as_array()?.iter();
    let of_name = jars.filter(|jar| jar["name"].as_str() == Some(name));
    let newest = of_name.max_by_key(|jar| jar["uploaded"].as_i64().unwrap_or(0))?;
    newest["id"].as_str().map(str::to_owned)
}

/// `multipart/form-data` with the one field `jarfile`, and its content type.
fn form(name: &str, bytes: &[u8]) -> (String, Vec<u8>) {
    let mut boundary = "weir-jar".to_owned();
    while bytes.windows(boundary.len()).any(|part| part == boundary.as_bytes()) {
        boundary.push('x');
    }
    let name = name.replace(['"', '\r', '\n'], "_");
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"jarfile\"; filename=\"{name}\"\r\n\
         Content-Type: application/x-java-archive\r\n\r\n"
    );
    let mut body = Vec::with_capacity(head.len() + bytes.len() + boundary.len() + 8);
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(bytes);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={boundary}"), body)
}

impl Driver for FlinkJar {
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
#[path = "flink_jar_tests.rs"]
mod tests;
