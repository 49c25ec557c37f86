//! Restarts: one row per attempt, written before anything is done.

use serde::{Deserialize, Serialize};

use super::{JobKey, RootCause, RunId, Ts};

/// Where an attempt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestartState {
    /// Decided; waits for its time, or for what holds it.
    Planned,
    /// Decided; waits for a person's word.
    Approval,
    /// The job that is to be replaced is being stopped.
    Stopping,
    /// The order was given, or may have been: whether it was taken is not known yet.
    Submitted,
    /// It was taken; whether the job runs as it should is being watched.
    Running,
    /// It runs, from the checkpoint that was asked for, and has completed a new one.
    Verified,
    /// It was not taken, or does not run as it should.
    Failed,
    /// Nobody can tell whether it was taken.
    Unknown,
    /// Never sent: not needed any more, or not wanted.
    Dropped,
}

impl RestartState {
    /// All of them, for metrics and for error messages.
    pub const ALL: [RestartState; 9] = [
        RestartState::Planned,
        RestartState::Approval,
        RestartState::Stopping,
        RestartState::Submitted,
        RestartState::Running,
        RestartState::Verified,
        RestartState::Failed,
        RestartState::Unknown,
        RestartState::Dropped,
    ];

    /// The word in API, metrics and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            RestartState::Planned => "planned",
            RestartState::Approval => "approval",
            RestartState::Stopping => "stopping",
            RestartState::Submitted => "submitted",
            RestartState::Running => "running",
            RestartState::Verified => "verified",
            RestartState::Failed => "failed",
            RestartState::Unknown => "unknown",
            RestartState::Dropped => "dropped",
        }
    }

    /// Something is still to be done about it.
    pub fn is_open(self) -> bool {
        matches!(
            self,
            RestartState::Planned
                | RestartState::Approval
                | RestartState::Stopping
                | RestartState::Submitted
                | RestartState::Running
        )
    }

    /// Something was asked of the platform, or may have been.
    pub fn was_sent(self) -> bool {
        !matches!(self, RestartState::Planned | RestartState::Approval | RestartState::Dropped)
    }
}

/// What a run is to be restored from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreFrom {
    /// External path of the checkpoint or savepoint.
    pub path: String,
    /// Its number, where known.
    #[serde(default)]
    pub id: Option<u64>,
    /// A savepoint.
    #[serde(default)]
    pub savepoint: bool,
    /// Wall time of its completion, where known.
    #[serde(default)]
    pub completed_at: Option<Ts>,
}

impl RestoreFrom {
    /// `chk-42`, `savepoint-1a2b3c`: the last part of its path, as people call it.
    pub fn name(&self) -> &str {
        self.path.trim_end_matches('/').rsplit('/').next().unwrap_or(&self.path)
    }
}

/// Who wants a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AskedBy {
    /// An alert of this name.
    Alert(String),
    /// A person, by command.
    Person(String),
}

/// One attempt to make a job run again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Restart {
    /// Growing number.
    pub id: u64,
    /// The job.
    pub job: JobKey,
    /// What fails together: its source.
    pub cluster: String,
    /// The incident it belongs to, if there is one.
    pub incident: Option<u64>,
    /// Name of the entry under `restarts`.
    pub policy: String,
    /// Kind of the driver.
    pub driver: String,
    /// Who wants it.
    pub asked_by: AskedBy,
    /// Which attempt since the job was last well; the first is 1.
    pub attempt: u32,
    /// Attempts there are.
    pub of: u32,
    /// Where it stands.
    pub state: RestartState,
    /// What the new run is known by before it exists: Flink's job id (32 hex digits) where the
    /// driver can choose it, else a mark.
    pub handle: String,
    /// The run it takes the place of, and its state when that was decided.
    pub dead: Option<RunId>,
    /// That run lives and is to be stopped first.
    #[serde(default)]
    pub replaces: bool,
    /// What the new run is restored from; none: from nothing, or not chosen yet.
    pub from: Option<RestoreFrom>,
    /// What a person wants it restored from, by path.
    #[serde(default)]
    pub wanted: Option<String>,
    /// Starting from nothing was allowed.
    #[serde(default)]
    pub from_nothing: bool,
    /// What broke the job.
    pub cause: Option<RootCause>,
    /// Wall time of the decision.
    pub at: Ts,
    /// Steady time of the decision.
    pub at_steady: Ts,
    /// Steady time before which it is not sent.
    pub due: Ts,
    /// Steady time of the first order.
    #[serde(default)]
    pub submitted: Option<Ts>,
    /// Wall time of the first order.
    #[serde(default)]
    pub submitted_at: Option<Ts>,
    /// Steady time when it was known to be taken.
    #[serde(default)]
    pub taken: Option<Ts>,
    /// Flink's id of the run it started, once known.
    #[serde(default)]
    pub started: Option<String>,
    /// Wall time of the end.
    #[serde(default)]
    pub done_at: Option<Ts>,
    /// Steady time of the end.
    #[serde(default)]
    pub done: Option<Ts>,
    /// What was said last: the driver's error, what holds it, why it was dropped. Bounded, redacted.
    #[serde(default)]
    pub note: Option<String>,
    /// What it was restored from could not be read.
    #[serde(default)]
    pub unreadable: bool,
    /// Its new run ran with all tasks at some time.
    #[serde(default)]
    pub ran: bool,
    /// The job has been well for long since: it does not count any more.
    #[serde(default)]
    pub settled: bool,
    /// Who said that it is not to be restarted.
    #[serde(default)]
    pub declined: Option<String>,
    /// Who let it go on.
    #[serde(default)]
    pub approved: Option<String>,
    /// An order went out of which nobody knows what became: it may still come to something.
    #[serde(default)]
    pub unclear: bool,
    /// The run it started is being cancelled, for the reason that is noted.
    #[serde(default)]
    pub cancelling: bool,
    /// Steady time since when the sick run is being stopped.
    #[serde(default)]
    pub stopping: Option<Ts>,
}

impl Restart {
    /// A person wants it: asked for it, or let it go on.
    pub fn by_person(&self) -> bool {
        self.approved.is_some() || matches!(self.asked_by, AskedBy::Person(_))
    }
}
