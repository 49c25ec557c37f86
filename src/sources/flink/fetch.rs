//! The calls themselves: paths, body caps, and what a failed call means for its fact.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use serde::de::DeserializeOwned;

use crate::http::{HttpClient, HttpError};
use crate::model::{CheckpointStats, Counters, Failure, JobState, Lag, Metrics, Seen, Ts};

use super::named::{self, NamedLook, Node};
use super::observe::{self, CheckpointPolicy, Row};
use super::plan::{Look, MANY, RunMemory};
use super::wanted::{self, Wanted};
use super::wire;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
/// `web.exception-history-size`: more entries than this are never listed.
const HISTORY: usize = 16;

/// What a poll cost.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    requests: AtomicU32,
    bytes: AtomicU64,
}

impl Traffic {
    pub(super) fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// One `JobManager`'s REST API.
#[derive(Debug, Clone, Copy)]
pub(super) struct Api<'a> {
    pub(super) client: &'a HttpClient,
    pub(super) base: &'a str,
    pub(super) traffic: &'a Traffic,
}

impl Api<'_> {
    async fn get<T: DeserializeOwned>(&self, path: &str, cap: usize) -> Result<T, HttpError> {
        let mut url = String::with_capacity(self.base.len() + path.len() + 1);
        url.push_str(self.base);
        url.push('/');
        url.push_str(path);
        self.traffic.requests.fetch_add(1, Ordering::Relaxed);
        let answer = self.client.get(&url, cap).await?;
        self.traffic.bytes.fetch_add(answer.body.len() as u64, Ordering::Relaxed);
        answer.json()
    }

    pub(super) async fn jobs(&self) -> Result<wire::JobsOverview, HttpError> {
        self.get("jobs/overview", 16 * MIB).await
    }

    pub(super) async fn overview(&self) -> Result<wire::ClusterOverview, HttpError> {
        self.get("overview", 64 * KIB).await
    }

    pub(super) async fn config(&self) -> Result<wire::ClusterConfig, HttpError> {
        self.get("config", 64 * KIB).await
    }

    /// The configuration the `JobManager` runs with.
    pub(super) async fn settings(&self) -> Result<Vec<wire::Setting>, HttpError> {
        self.get("jobmanager/config", MIB).await
    }

    pub(super) async fn applications(&self) -> Result<wire::ApplicationsOverview, HttpError> {
        self.get("applications/overview", 4 * MIB).await
    }

    /// Why an application failed. Flink 2.3.0 keeps one entry and ignores `maxExceptions`
    /// (FLINK-39730).
    pub(super) async fn why_failed(&self, application: &str) -> Result<Vec<Failure>, HttpError> {
        let path = format!("applications/{application}/exceptions");
        Ok(observe::failures(self.get(&path, MIB).await?))
    }

    /// The `JobManager`'s numbers, its CPU time among them.
    pub(super) async fn pulse(&self, path: &str) -> Result<Pulse, HttpError> {
        let metrics: Vec<wire::Metric> = self.get(path, 64 * KIB).await?;
        Ok(Pulse { cpu: observe::cpu_time(&metrics), metrics })
    }

    /// Ids or numbers of the `JobManager` or of all `TaskManagers`.
    pub(super) async fn aggregates(&self, path: &str) -> Result<Vec<wire::Aggregate>, HttpError> {
        self.get(path, 4 * MIB).await
    }

    async fn job<T: DeserializeOwned>(
        &self,
        row: &Row,
        path: &str,
        cap: usize,
    ) -> Result<T, HttpError> {
        let slash = if path.is_empty() { "" } else { "/" };
        self.get(&format!("jobs/{}{slash}{path}", row.run.job_id), cap).await
    }

    /// Exceptions, and how many were asked for; fewer when their traces are huge.
    async fn exceptions(&self, row: &Row, max: u32) -> Result<(wire::Exceptions, u32), HttpError> {
        let path = format!("exceptions?maxExceptions={max}");
        match self.job(row, &path, 4 * MIB).await {
            Err(HttpError::TooLarge { .. }) if max > 1 => {
                let answer = self.job(row, "exceptions?maxExceptions=1", 4 * MIB).await?;
                Ok((answer, 1))
            }
            answer => Ok((answer?, max)),
        }
    }
}

/// The `JobManager`'s own numbers.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// Its CPU time, which never stands still; `None`: not reported.
    pub(super) cpu: Option<i64>,
    pub(super) metrics: Vec<wire::Metric>,
}

/// What one poll learned about one run.
#[derive(Debug, Default)]
pub(super) struct JobFacts {
    pub(super) counters: Seen<Counters>,
    pub(super) checkpoints: Seen<CheckpointStats>,
    pub(super) failures: Seen<Vec<Failure>>,
    pub(super) failures_truncated: bool,
    pub(super) lag: Seen<Lag>,
    /// Numbers rules ask for by name.
    pub(super) metrics: Metrics,
    pub(super) policy: Option<CheckpointPolicy>,
    /// What `/jobs/:id` says about the job's type.
    pub(super) job_type: Seen<bool>,
    pub(super) named: NamedLook,
    pub(super) look: Look,
}

/// Whether Flink says there is no such job, rather than that it has no such fact.
fn is_gone(error: &HttpError) -> bool {
    let HttpError::Status { code: 404, excerpt, .. } = error else { return false };
    let text = excerpt.to_ascii_lowercase();
    let disabled = text.contains("checkpointing") && text.contains("enabled");
    !disabled && (text.contains("not found") || text.contains("could not find"))
}

fn is_timeout(error: &HttpError) -> bool {
    matches!(error, HttpError::Timeout { .. })
}

/// Makes the calls a run needs, one after the other; each may fail alone.
pub(super) async fn look_at(
    api: Api<'_>,
    memory: &RunMemory,
    row: &Row,
    wanted: &Wanted,
    frozen: bool,
    now: Ts,
) -> JobFacts {
    let demand = &wanted.demand;
    let mut facts = JobFacts::default();
    if !row.state.is_terminal() {
        wanted::all_unknown(&wanted.job, &mut facts.metrics);
    }
    if memory.wants_metrics(row, wanted.asks_jobs(), frozen) {
        facts.counters = match api.job::<Vec<wire::Metric>>(row, &wanted.job_path, MIB).await {
            Ok(metrics) => match observe::counters(&metrics) {
                Some(fresh) if memory.believes(&fresh, now) => {
                    facts.metrics = wanted::from_texts(&wanted.job, Some(&metrics));
                    Seen::Fresh(fresh)
                }
                Some(_) => {
                    facts.look.held_back = true;
                    Seen::Unknown
                }
                None => Seen::Unknown,
            },
            Err(error) => {
                facts.look.gone = is_gone(&error);
                facts.look.timed_out = is_timeout(&error);
                debug_failed("metrics", row, &error);
                Seen::Unknown
            }
        };
    } else if !row.state.is_terminal() && demand.counters {
        facts.counters = Seen::Unknown;
    }
    if facts.look.gone {
        return facts;
    }
    let calls = memory.plan(row, facts.counters.fresh(), demand, frozen, now);
    facts.look.calls = calls;
    if calls.checkpoints && facts.look.timed_out {
        facts.checkpoints = Seen::Unknown;
    } else if calls.checkpoints {
        look_at_checkpoints(api, memory, row, &mut facts).await;
    }
    if let Some(max) = calls.exceptions.filter(|_| !facts.look.gone) {
        if facts.look.timed_out {
            facts.failures = Seen::Unknown;
        } else {
            look_at_exceptions(api, memory, row, max, &mut facts).await;
        }
    }
    if calls.job_type && !facts.look.timed_out && !facts.look.gone {
        match api.job::<wire::JobDetail>(row, "", 16 * MIB).await {
            Ok(detail) => {
                facts.job_type =
                    observe::is_batch(&detail).map_or(Seen::NotApplicable, Seen::Fresh);
            }
            Err(error) => {
                facts.job_type = Seen::Unknown;
                debug_failed("job type", row, &error);
            }
        }
    }
    look_at_named(api, memory, row, wanted, frozen, now, &mut facts).await;
    facts
}

async fn look_at_checkpoints(api: Api<'_>, memory: &RunMemory, row: &Row, facts: &mut JobFacts) {
    if facts.look.calls.checkpoint_config {
        let config = api.job::<wire::CheckpointConfig>(row, "checkpoints/config", 64 * KIB).await;
        match config {
            Ok(config) => facts.policy = Some(observe::policy(&config)),
            Err(error) => debug_failed("checkpoint configuration", row, &error),
        }
    }
    let policy = facts.policy.or(memory.policy);
    match api.job::<wire::Checkpoints>(row, "checkpoints", MIB).await {
        Ok(answer) => {
            facts.look.checkpoints_answered = true;
            facts.checkpoints =
                observe::checkpoints(answer, policy).map_or(Seen::NotApplicable, Seen::Fresh);
        }
        Err(error) => {
            facts.look.gone = is_gone(&error) && !row.state.is_terminal();
            facts.look.timed_out = is_timeout(&error);
            let none = error.status() == Some(404);
            // After the end of a job a 404 says nothing about the checkpoints it took, and before
            // its graph is made nothing about those it will take.
            let made = row.state == JobState::Running && row.is_settled();
            let off = none && !facts.look.gone && made;
            facts.look.checkpoints_answered =
                none && !facts.look.gone && (off || row.state.is_terminal());
            facts.checkpoints = if off { Seen::NotApplicable } else { Seen::Unknown };
            if off {
                facts.policy = Some(CheckpointPolicy { off: true, ..CheckpointPolicy::default() });
            } else {
                debug_failed("checkpoints", row, &error);
            }
        }
    }
}

async fn look_at_exceptions(
    api: Api<'_>,
    memory: &RunMemory,
    row: &Row,
    max: u32,
    facts: &mut JobFacts,
) {
    let joined = |list: &[Failure]| {
        let oldest = list.last().map(|f| f.at);
        memory.newest_failure.is_some_and(|seen| oldest <= Some(seen))
    };
    let mut answer = read_exceptions(api, row, max).await;
    if let Ok((list, true)) = &answer
        && max < MANY
        && memory.history_read
        && !joined(list)
    {
        // More happened since the last look than was asked for.
        answer = read_exceptions(api, row, MANY).await;
    }
    match answer {
        Ok((list, full)) => {
            facts.failures_truncated = full && !joined(&list);
            facts.look.exceptions_answered = true;
            facts.look.newest_failure = list.first().map(|f| f.at);
            facts.failures = Seen::Fresh(list);
        }
        Err(error) => {
            facts.look.gone = is_gone(&error) && !row.state.is_terminal();
            facts.look.timed_out = is_timeout(&error);
            facts.look.exceptions_answered = error.status() == Some(404);
            facts.failures = Seen::Unknown;
            debug_failed("exceptions", row, &error);
        }
    }
}

/// The newest failures, and whether there may be more.
async fn read_exceptions(
    api: Api<'_>,
    row: &Row,
    max: u32,
) -> Result<(Vec<Failure>, bool), HttpError> {
    let (answer, asked) = api.exceptions(row, max).await?;
    let listed = answer.history.as_ref().map_or(0, |history| history.entries.len());
    let full = listed >= (asked as usize).min(HISTORY);
    Ok((observe::failures(answer), full))
}

/// Numbers of vertices and operators, lag among them.
async fn look_at_named(
    api: Api<'_>,
    memory: &RunMemory,
    row: &Row,
    wanted: &Wanted,
    frozen: bool,
    now: Ts,
    facts: &mut JobFacts,
) {
    if wanted.vertex.is_empty() || row.state.is_terminal() {
        return;
    }
    let restarts = facts.counters.fresh().and_then(|c| c.restarts);
    let mut look = NamedLook::default();
    if !frozen && !facts.look.timed_out && !facts.look.gone {
        look.calls = memory.named.plan(row, restarts, wanted, now);
    } else {
        nothing_named(wanted, &mut facts.metrics, &mut facts.lag);
        return;
    }
    if !row.is_healthy() || look.calls.waits {
        nothing_named(wanted, &mut facts.metrics, &mut facts.lag);
        return;
    }
    if look.calls.discover {
        match discover(api, row, wanted).await {
            Ok(nodes) => look.nodes = Some(nodes),
            Err(error) => {
                debug_failed("where its metrics are", row, &error);
                look.failed = true;
                nothing_named(wanted, &mut facts.metrics, &mut facts.lag);
                facts.named = look;
                return;
            }
        }
    }
    let nodes = look.nodes.as_deref().unwrap_or_else(|| memory.named.nodes());
    let mut answers = Vec::with_capacity(nodes.len());
    let (mut lost, mut failed) = (false, false);
    for node in nodes {
        let answer = read_node(api, row, node, wanted, look.calls.slow).await;
        match answer {
            Ok(Some(numbers)) => answers.push(Some(numbers)),
            // One id that is gone empties the whole answer.
            Ok(None) => {
                lost = true;
                answers.push(None);
            }
            Err(error) => {
                debug_failed("metrics of a vertex", row, &error);
                failed = true;
                answers.push(None);
            }
        }
    }
    let (mut metrics, mut lag) = named::fold(wanted, nodes, &answers, look.calls);
    if memory.named.is_young(restarts, now) {
        // What is not there yet is not known to be missing.
        let absent = metrics.values_mut().filter(|seen| **seen == Seen::NotApplicable);
        absent.for_each(|seen| *seen = Seen::Unknown);
        if lag == Seen::NotApplicable {
            lag = Seen::Unknown;
        }
    }
    facts.metrics.extend(metrics);
    facts.lag = lag;
    (look.lost, look.failed) = (lost, failed);
    facts.named = look;
}

/// Nothing can be said about vertices and operators now.
pub(super) fn nothing_named(wanted: &Wanted, metrics: &mut Metrics, lag: &mut Seen<Lag>) {
    wanted::all_unknown(&wanted.vertex, metrics);
    if wanted.lag.is_some() {
        *lag = Seen::Unknown;
    }
}

/// `None`: an answer without numbers, because an id is not there any more.
async fn read_node(
    api: Api<'_>,
    row: &Row,
    node: &Node,
    wanted: &Wanted,
    slow: bool,
) -> Result<Option<Vec<wire::Aggregate>>, HttpError> {
    let mut all = Vec::new();
    let base = format!("vertices/{}/subtasks/metrics", node.id);
    for path in node.paths(&base, &wanted.vertex, slow) {
        let numbers: Vec<wire::Aggregate> = api.job(row, &path, MIB).await?;
        if numbers.is_empty() {
            return Ok(None);
        }
        all.extend(numbers);
    }
    Ok(Some(all))
}

/// The vertices something is wanted of, with the ids that are meant.
async fn discover(api: Api<'_>, row: &Row, wanted: &Wanted) -> Result<Vec<Node>, HttpError> {
    let detail: wire::JobDetail = api.job(row, "", 16 * MIB).await?;
    let mut nodes = named::interesting(&detail, wanted);
    for node in &mut nodes {
        let path = format!("vertices/{}/subtasks/metrics", node.id);
        let listed: Vec<wire::Aggregate> = api.job(row, &path, 4 * MIB).await?;
        node.choose(&wanted.vertex, &listed);
    }
    Ok(nodes)
}

/// Percent-encodes a metric id; SQL puts brackets, plus signs and Chinese into them.
pub(in crate::sources) fn encode(id: &str) -> String {
    let mut out = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                out.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
            }
        }
    }
    out
}

fn debug_failed(what: &str, row: &Row, error: &HttpError) {
    tracing::debug!(job_id = %row.run.job_id, what, %error, "a fact could not be read");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_percent_encoded() {
        assert_eq!(encode("Source__src[1].pendingRecords"), "Source__src%5B1%5D.pendingRecords");
        assert_eq!(encode("订"), "%E8%AE%A2");
    }

    #[test]
    fn a_missing_job_is_told_from_missing_checkpoints() {
        let status = |excerpt: &str| HttpError::Status {
            url: String::new(),
            code: 404,
            excerpt: excerpt.to_owned(),
        };
        assert!(is_gone(&status(
            "org.apache.flink.runtime.rest.NotFoundException: Job x not found"
        )));
        assert!(!is_gone(&status("RestHandlerException: Checkpointing has not been enabled.")));
        assert!(!is_gone(&status("")));
    }
}
