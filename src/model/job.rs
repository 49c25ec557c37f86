//! Jobs, their stable identity, and their runs.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The stable identity of a job: `cluster[/namespace][/session]/name`, with `%` and `/`
/// percent-encoded in each part. It survives resubmission, failover and redeployment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobKey(pub String);

impl JobKey {
    /// Builds a key from its parts; empty ones are left out.
    pub fn new(cluster: &str, namespace: &str, session: &str, name: &str) -> JobKey {
        let mut key = encode(cluster);
        for part in [namespace, session] {
            if !part.is_empty() {
                key.push('/');
                key.push_str(&encode(part));
            }
        }
        key.push('/');
        key.push_str(&encode(name));
        JobKey(key)
    }
}

impl fmt::Display for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn encode(part: &str) -> String {
    part.replace('%', "%25").replace('/', "%2F")
}

/// Flink's job status (`org.apache.flink.api.common.JobStatus`, the same in 1.15 … 2.3), plus
/// `Unknown` for a word this version of Weir has never heard of.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names are Flink's")]
pub enum JobState {
    Initializing,
    Created,
    Running,
    Failing,
    Failed,
    Cancelling,
    Canceled,
    Finished,
    Restarting,
    Suspended,
    Reconciling,
    #[default]
    Unknown,
}

impl JobState {
    /// All states, for metrics and for error messages.
    pub const ALL: [JobState; 12] = [
        JobState::Initializing,
        JobState::Created,
        JobState::Running,
        JobState::Failing,
        JobState::Failed,
        JobState::Cancelling,
        JobState::Canceled,
        JobState::Finished,
        JobState::Restarting,
        JobState::Suspended,
        JobState::Reconciling,
        JobState::Unknown,
    ];

    /// Flink's spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            JobState::Initializing => "INITIALIZING",
            JobState::Created => "CREATED",
            JobState::Running => "RUNNING",
            JobState::Failing => "FAILING",
            JobState::Failed => "FAILED",
            JobState::Cancelling => "CANCELLING",
            JobState::Canceled => "CANCELED",
            JobState::Finished => "FINISHED",
            JobState::Restarting => "RESTARTING",
            JobState::Suspended => "SUSPENDED",
            JobState::Reconciling => "RECONCILING",
            JobState::Unknown => "UNKNOWN",
        }
    }

    /// Reads Flink's spelling; anything else is `Unknown`.
    pub fn parse(text: &str) -> JobState {
        JobState::ALL.into_iter().find(|s| s.as_str() == text).unwrap_or(JobState::Unknown)
    }

    /// Globally terminal: Flink will not touch this run again.
    pub fn is_terminal(self) -> bool {
        matches!(self, JobState::Failed | JobState::Canceled | JobState::Finished)
    }

    /// A run that holds or will take resources.
    pub fn is_live(self) -> bool {
        !self.is_terminal() && self != JobState::Unknown
    }

    /// Ended on purpose (by a person, a savepoint stop, or bounded input).
    pub fn is_deliberate_end(self) -> bool {
        matches!(self, JobState::Canceled | JobState::Finished)
    }

    /// How bad a state is when two live runs share a name: the worse one counts.
    pub fn badness(self) -> u8 {
        match self {
            JobState::Running => 0,
            JobState::Finished | JobState::Canceled | JobState::Cancelling => 1,
            JobState::Initializing | JobState::Created | JobState::Reconciling => 2,
            JobState::Suspended | JobState::Unknown => 3,
            JobState::Restarting => 4,
            JobState::Failing => 5,
            JobState::Failed => 6,
        }
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One execution of a job. A newer `start_time` under the same job id is a `JobManager` failover:
/// counters and histories began anew.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct RunId {
    /// Raw source time in ms, as Flink reports it; first, so that runs sort by age.
    pub start_time: i64,
    /// Flink's job id (32 hex digits), or a platform's name of a run whose Flink was not heard yet.
    pub job_id: String,
}

impl RunId {
    /// It is a platform's name (`application_17_2`, `not-submitted`): no id of Flink's has such signs.
    pub fn is_platforms(&self) -> bool {
        self.job_id.contains(['_', '-'])
    }
}

/// Tasks of a run by execution state (`/jobs/overview`, `tasks`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are Flink's")]
pub struct TaskCounts {
    pub total: u32,
    pub running: u32,
    pub finished: u32,
    pub failed: u32,
    pub scheduled: u32,
    #[serde(default)]
    pub created: u32,
}

impl TaskCounts {
    /// Every task runs or has finished: with state RUNNING that is a healthy run. Later stages of a
    /// batch job stand at CREATED while the ones before them run; waiting for slots is SCHEDULED.
    pub fn all_running(self) -> bool {
        let later = if self.running > 0 { self.created } else { 0 };
        self.total > 0 && self.running + self.finished + later >= self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_encode_their_separators() {
        assert_eq!(JobKey::new("prod", "", "", "a/b%").0, "prod/a%2Fb%25");
        assert_eq!(JobKey::new("tke", "flink", "sess", "x").0, "tke/flink/sess/x");
    }

    #[test]
    fn later_stages_of_a_batch_job_are_not_waiting() {
        let tasks = |running, finished, scheduled, created| TaskCounts {
            total: 6,
            running,
            finished,
            scheduled,
            created,
            ..TaskCounts::default()
        };
        assert!(tasks(6, 0, 0, 0).all_running());
        assert!(tasks(2, 2, 0, 2).all_running());
        assert!(!tasks(2, 0, 4, 0).all_running(), "waits for slots");
        assert!(!tasks(0, 0, 0, 6).all_running(), "nothing has started");
    }

    #[test]
    fn every_state_reads_back() {
        for state in JobState::ALL {
            assert_eq!(JobState::parse(state.as_str()), state);
        }
        assert_eq!(JobState::parse("HIBERNATING"), JobState::Unknown);
    }
}
