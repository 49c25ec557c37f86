//! The calls themselves: paths, body caps, and what a failed call means for its fact.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use serde::de::DeserializeOwned;

use crate::http::{HttpClient, HttpError};
use crate::model::{CheckpointStats, Counters, Demand, Failure, JobState, Lag, Seen, Ts};

use super::observe::{self, CheckpointPolicy, Row};
use super::plan::{Look, MANY, RunMemory};
use super::wire;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
/// `web.exception-history-size`: more entries than this are never listed.
const HISTORY: usize = 16;

/// The one metrics call of a live job; ids a version does not know are left out of its answer.
const METRICS: &str = "metrics?get=numRestarts,numRescales,numberOfCompletedCheckpoints,\
    numberOfFailedCheckpoints,lastCompletedCheckpointId,lastCheckpointExternalPath,\
    lastCheckpointCompletedTimestamp";

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

    /// The `JobManager`'s CPU time; `Ok(None)`: not reported.
    pub(super) async fn pulse(&self) -> Result<Option<i64>, HttpError> {
        let path = "jobmanager/metrics?get=Status.JVM.CPU.Time";
        let metrics: Vec<wire::Metric> = self.get(path, 64 * KIB).await?;
        Ok(observe::cpu_time(&metrics))
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

/// What one poll learned about one run.
#[derive(Debug, Default)]
pub(super) struct JobFacts {
    pub(super) counters: Seen<Counters>,
    pub(super) checkpoints: Seen<CheckpointStats>,
    pub(super) failures: Seen<Vec<Failure>>,
    pub(super) failures_truncated: bool,
    pub(super) lag: Seen<Lag>,
    pub(super) policy: Option<CheckpointPolicy>,
    pub(super) lag_paths: Option<Vec<String>>,
    /// What `/jobs/:id` says about the job's type.
    pub(super) job_type: Seen<bool>,
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
    demand: &Demand,
    frozen: bool,
    now: Ts,
) -> JobFacts {
    let mut facts = JobFacts::default();
    if memory.wants_metrics(row, demand, frozen) {
        facts.counters = match api.job::<Vec<wire::Metric>>(row, METRICS, MIB).await {
            Ok(metrics) => match observe::counters(&metrics) {
                Some(fresh) if memory.believes(&fresh, now) => Seen::Fresh(fresh),
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
    if calls.lag && facts.look.timed_out {
        facts.lag = Seen::Unknown;
    } else if calls.lag && !facts.look.gone {
        look_at_lag(api, memory, row, &mut facts).await;
    } else if demand.lag && !row.state.is_terminal() && (frozen || !row.is_healthy()) {
        facts.lag = Seen::Unknown;
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
    let list = observe::failures(answer);
    let full = list.len() >= (asked as usize).min(HISTORY);
    Ok((list, full))
}

async fn look_at_lag(api: Api<'_>, memory: &RunMemory, row: &Row, facts: &mut JobFacts) {
    if facts.look.calls.discover_lag {
        match discover_lag(api, row).await {
            Ok(paths) => {
                facts.look.lag_discovered = true;
                facts.lag_paths = Some(paths);
            }
            Err(error) => {
                facts.lag = Seen::Unknown;
                debug_failed("lag", row, &error);
                return;
            }
        }
    }
    let paths = facts.lag_paths.as_ref().unwrap_or(&memory.lag.paths);
    if paths.is_empty() {
        facts.lag = Seen::NotApplicable;
        return;
    }
    let mut sum = 0.0;
    for path in paths {
        match api.job::<Vec<wire::Aggregate>>(row, path, MIB).await {
            Ok(metrics) => {
                let Some(records) = observe::pending(&metrics) else {
                    facts.look.lag_lost = true;
                    facts.lag = Seen::Unknown;
                    return;
                };
                sum += records;
            }
            Err(error) => {
                facts.lag = Seen::Unknown;
                debug_failed("lag", row, &error);
                return;
            }
        }
    }
    facts.lag = Seen::Fresh(Lag { records: Some(sum) });
}

/// Which paths tell the lag of a job's sources: those of every `pendingRecords` there is.
async fn discover_lag(api: Api<'_>, row: &Row) -> Result<Vec<String>, HttpError> {
    let detail: wire::JobDetail = api.job(row, "", 16 * MIB).await?;
    let mut paths = Vec::new();
    for vertex in observe::source_vertices(&detail) {
        let list = format!("vertices/{vertex}/subtasks/metrics");
        let metrics: Vec<wire::Aggregate> = api.job(row, &list, 4 * MIB).await?;
        let ids = observe::lag_ids(&metrics);
        if !ids.is_empty() {
            let ids: Vec<String> = ids.iter().map(|id| encode(id)).collect();
            paths.push(format!("{list}?get={}&agg=sum", ids.join(",")));
        }
    }
    Ok(paths)
}

/// Percent-encodes a metric id; SQL puts brackets, plus signs and Chinese into them.
fn encode(id: &str) -> String {
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
