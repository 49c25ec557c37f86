//! What is asked of a driver, and what it answers: the words between deciding and doing.

use serde::{Deserialize, Serialize};

use super::{JobKey, Labels, Ts};

/// One job to be started, stopped or looked for. It has all a driver needs; nothing in it is a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Number of the restart.
    pub restart: u64,
    /// What the new run is to be known by: Flink's job id (32 hex digits) where the driver can
    /// choose it, else a mark for a tag or a name.
    pub handle: String,
    /// The job.
    pub job: JobKey,
    /// Its name: the last part of the key, not encoded.
    pub job_name: String,
    /// Flink's own name of it, where it was ever seen.
    pub flink_job_name: String,
    /// Name of the source that shows it.
    pub cluster: String,
    /// Kubernetes namespace, else empty.
    pub namespace: String,
    /// Stable name of its Flink cluster.
    pub flink_cluster: String,
    /// Its labels.
    pub labels: Labels,
    /// Flink's id of the run that is taken the place of.
    pub dead: Option<String>,
    /// Path to restore from; none: from nothing, which somebody has allowed.
    pub from: Option<String>,
    /// Flink's version where known, such as `1.20.5`.
    pub version: Option<String>,
    /// The inventory that knows it.
    pub inventory: Option<OfInventory>,
    /// A cancel leaves its checkpoints where they are: what cannot be stopped with a savepoint may be
    /// cancelled.
    #[serde(default)]
    pub may_cancel: bool,
}

/// A job as an inventory names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfInventory {
    /// Configured name of the inventory.
    pub source: String,
    /// Its number there.
    pub id: String,
    /// Number of its team there.
    pub team_id: Option<String>,
}

/// One thing to be done now, for one restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errand {
    /// Name of the entry under `restarts` whose driver does it.
    pub policy: String,
    /// About which job.
    pub order: Order,
    /// What.
    pub task: Task,
    /// Steady time of the decision: what is begun long after that is decided anew.
    pub since: Ts,
}

/// What a driver can be asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Look whether these paths can be restored from.
    Check(Vec<String>),
    /// Start the job; with the same handle as before where it may have been started already.
    Start,
    /// Was it started?
    LookUp,
    /// Stop the run that is to be replaced, with a savepoint if that can be had in time.
    Stop,
    /// Cancel the run of this handle or id, which this restart has started itself.
    Cancel(String),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// Of each path, whether it is there; none: nobody could look.
    Checked(Vec<(String, Option<bool>)>),
    /// Of a start.
    Started(Started),
    /// Of a look.
    LookedUp(LookedUp),
    /// Of a stop.
    Stopped(Stopped),
    /// Of a cancel; an error: it may still run.
    Cancelled(Option<String>),
    /// Too late to be begun: the process stood still meanwhile.
    Expired,
}

/// What came of an order to start. Texts are bounded and without secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Started {
    /// It was taken; that it runs is another matter.
    Accepted {
        /// Flink's id of the new run, where it is known already.
        job_id: Option<String>,
    },
    /// Nothing was started, and nothing will be.
    Refused {
        /// Why, and the way out.
        error: String,
        /// It was what it was to be restored from that could not be used.
        unreadable: bool,
    },
    /// The job is there after all, or somebody is starting it: nothing was sent.
    Alive {
        /// What was seen.
        seen: String,
    },
    /// Nobody knows: no answer, or one that tells nothing.
    Unclear {
        /// What went wrong.
        error: String,
    },
}

/// Whether an order had come to something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LookedUp {
    /// A run of this handle is there.
    Found {
        /// Flink's id of it, where it is known.
        job_id: Option<String>,
    },
    /// None is there: the same order may be given again.
    Absent,
    /// It cannot be told now.
    Undecided {
        /// Why.
        error: String,
    },
    /// It can never be told: this driver has nothing to go by.
    Never,
}

/// What came of a stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stopped {
    /// The run has ended, or is ending.
    Ending {
        /// The savepoint it left.
        savepoint: Option<String>,
    },
    /// It runs on.
    Runs {
        /// Why.
        error: String,
    },
    /// Nobody knows; asked again.
    Unclear {
        /// What went wrong.
        error: String,
    },
}

/// What it says passes by itself: a store or a cluster that does not answer now. Nothing is concluded
/// from it.
pub fn passes(error: &str) -> bool {
    let error = error.to_ascii_lowercase();
    [
        "timed out",
        "timeout",
        "connection",
        "connect to",
        "unreachable",
        "unable to execute http",
        "throttl",
        "slow down",
        "service unavailable",
        "too many requests",
        "safe mode",
        "standby",
    ]
    .iter()
    .any(|sign| error.contains(sign))
}
