//! Incidents: one episode of trouble of one subject in one aspect.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Aspect, Doing, JobKey, Labels, RuleId, RunId, Severity, Subject, Ts};

/// Where an incident stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentState {
    /// Trouble, nobody has said "I have it".
    Open,
    /// Somebody has it.
    Acknowledged,
    /// Over; see the end reason.
    Resolved,
}

/// How an incident ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Healthy again on fresh facts.
    Recovered,
    /// Cancelled or finished on purpose.
    Ended,
    /// A person said the job is gone for good.
    Retired,
    /// A person closed it.
    Closed,
    /// Its source or rule left the configuration.
    Unwatched,
}

impl EndReason {
    /// The word in API, metrics and templates.
    pub fn as_str(self) -> &'static str {
        match self {
            EndReason::Recovered => "recovered",
            EndReason::Ended => "ended",
            EndReason::Retired => "retired",
            EndReason::Closed => "closed",
            EndReason::Unwatched => "unwatched",
        }
    }
}

/// What broke, as short as it can be said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RootCause {
    /// Exception class, fully qualified.
    pub class: String,
    /// Its message, one line.
    pub message: String,
    /// First frame in the user's own code.
    pub frame: Option<String>,
    /// Where it happened.
    pub taskmanager: Option<String>,
    /// Which task.
    pub task: Option<String>,
}

impl RootCause {
    /// `PoisonRecordException: bad price (OrderParser.java:42)`, with the short class name.
    pub fn line(&self) -> String {
        let class = self.class.rsplit(['.', '$']).next().unwrap_or(&self.class);
        let mut line = class.to_owned();
        if !self.message.is_empty() {
            line.push_str(": ");
            line.push_str(&self.message);
        }
        if let Some(frame) = &self.frame {
            line.push_str(" @ ");
            line.push_str(frame);
        }
        line
    }
}

/// The last checkpoint a job could be restored from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointRef {
    /// Checkpoint id, where known (Flink ≥ 1.17 or from the history).
    pub id: Option<u64>,
    /// External path.
    pub path: String,
    /// Wall time of completion.
    pub completed_at: Ts,
    /// A savepoint.
    pub savepoint: bool,
    /// The run that wrote it.
    pub run: RunId,
}

/// One alert of an incident, as long as the incident lives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// Which rule.
    pub rule: RuleId,
    /// Firing now.
    pub firing: bool,
    /// Wall time since when it has fired (last time it started to).
    pub since: Ts,
    /// Wall time when it stopped.
    pub until: Option<Ts>,
    /// Rendered annotations.
    pub annotations: BTreeMap<String, String>,
    /// The alert's labels.
    pub labels: Labels,
}

/// Somebody has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// Who.
    pub by: String,
    /// Wall time.
    pub at: Ts,
    /// In their words; may be empty.
    pub comment: String,
}

/// One episode of trouble.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Number, growing by one; people say "#128".
    pub id: u64,
    /// About what.
    pub subject: Subject,
    /// In which respect.
    pub aspect: Aspect,
    /// Highest severity of its firing members; kept from the last firing one at the end.
    pub severity: Severity,
    /// Where it stands.
    pub state: IncidentState,
    /// How it ended.
    pub end_reason: Option<EndReason>,
    /// Wall time of the opening.
    pub opened_at: Ts,
    /// Wall time of the end.
    pub resolved_at: Option<Ts>,
    /// Steady time since when no member has fired on fresh facts; resolution waits from here.
    pub quiet_since: Option<Ts>,
    /// Steady time of the opening.
    pub opened_steady: Ts,
    /// Steady time of the last end; what reopens soon after continues this incident.
    pub resolved_steady: Option<Ts>,
    /// Distinct failures since it opened, those that opened it included.
    pub occurrences: u64,
    /// Failure counter of the job when the count began, so that occurrences survive restarts.
    pub occurrences_base: u64,
    /// The job's run is dead for good: no retry will follow.
    pub given_up: bool,
    /// Highest rank so far: a rise is news once.
    pub peak_rank: u8,
    /// How often it was reopened.
    pub reopened: u32,
    /// Comes and goes: nothing is said until it settles.
    pub flapping: bool,
    /// Opened by the first look at its source.
    pub first_look: bool,
    /// Its alerts, by rule.
    pub members: Vec<Member>,
    /// The worst member's alertname.
    pub rule: String,
    /// Labels of the worst member, the newest of several; kept from the last firing one at the end.
    pub labels: Labels,
    /// What broke.
    pub root_cause: Option<RootCause>,
    /// Last restorable checkpoint as of the last fresh look.
    pub checkpoint: Option<CheckpointRef>,
    /// What the current healthy run was restored from, for the resolution.
    pub restored_from: Option<String>,
    /// The job's run when it was last looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// State word of the subject when last seen.
    pub subject_state: String,
    /// Link to the run in Flink's UI.
    pub ui_url: Option<String>,
    /// The open incident that explains this one.
    pub inhibited_by: Option<u64>,
    /// Steady time until which it stays muted after its root ended.
    pub inhibited_until: Option<Ts>,
    /// Who has it, or had it when it ended.
    #[serde(default)]
    pub acknowledged: Option<Acknowledgement>,
    /// The watched job that an alert from outside names by its labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named_job: Option<JobKey>,
    /// Steady time when it became nobody's again: given back, or back after it was over. Escalation
    /// waits from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nobodys_since: Option<Ts>,
    /// What Weir does about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doing: Option<Doing>,
}

impl Incident {
    /// Not over.
    pub fn is_open(&self) -> bool {
        self.state != IncidentState::Resolved
    }

    /// The job it is about, or that its labels name.
    pub fn job(&self) -> Option<&JobKey> {
        self.subject.job().or(self.named_job.as_ref())
    }

    /// It is about an alert from outside.
    pub fn is_external(&self) -> bool {
        matches!(self.subject, Subject::External(_))
    }

    /// Labels routes and receivers go by: the severity is what it has come to. An alert from outside
    /// keeps the word it was sent with, which routes may ask for.
    pub fn routing_labels(&self) -> Labels {
        let mut labels = self.labels.clone();
        if !self.is_external() || labels.get("severity").is_empty() {
            labels.set("severity", self.severity.as_str());
        }
        labels
    }

    /// What an alert from outside is called: its name, and where it fires if it says so.
    pub fn external_name(&self) -> String {
        let places = ["job_name", "instance", "pod"];
        match places.map(|place| self.labels.get(place)).into_iter().find(|at| !at.is_empty()) {
            Some(place) => format!("{} {place}", self.rule),
            None => self.rule.clone(),
        }
    }

    /// What a rise is measured by: severity, then whether the job is dead for good.
    pub fn rank(&self) -> u8 {
        self.severity.rank() + u8::from(self.given_up)
    }
}
