//! Alerts: one rule's judgement of one subject.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Aspect, Labels, Severity, Subject, Ts};

/// Four-valued truth: `unknown` freezes, `n/a` drops out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Truth {
    /// The condition holds, on fresh facts.
    True,
    /// It does not, on fresh facts.
    False,
    /// Not seen, frozen, or a window not filled yet.
    Unknown,
    /// This subject cannot have the fact.
    NotApplicable,
}

/// The values that made a condition what it is; they travel with the alert.
pub type Evidence = BTreeMap<String, Value>;

/// A judgement with its reasons.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// What was judged.
    pub truth: Truth,
    /// Why.
    pub evidence: Evidence,
}

impl Verdict {
    /// A judgement without values.
    pub fn bare(truth: Truth) -> Verdict {
        Verdict { truth, evidence: Evidence::new() }
    }

    /// True with the values that make it so, or false. Nearly every judgement is a false one, of
    /// which nobody asks the reason: its values are not even put together.
    pub fn of(holds: bool, evidence: impl FnOnce() -> Evidence) -> Verdict {
        if holds {
            Verdict { truth: Truth::True, evidence: evidence() }
        } else {
            Verdict::bare(Truth::False)
        }
    }
}

/// A rule's identity: (group, alert, severity).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RuleId {
    /// Name of the rule group.
    pub group: String,
    /// `alertname`.
    pub alert: String,
    /// Severity label.
    pub severity: Severity,
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.group, self.alert, self.severity.as_str())
    }
}

/// Prometheus' alert states; inactive alerts are not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// True, but not yet for `for`.
    Pending,
    /// True for `for`, or within `keep_firing_for`.
    Firing,
}

/// One rule that holds (or held) for one subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Which rule.
    pub rule: RuleId,
    /// About what.
    pub subject: Subject,
    /// In which respect.
    pub aspect: Aspect,
    /// Pending or firing.
    pub state: AlertState,
    /// Steady time since when the condition has held.
    pub since: Ts,
    /// Steady time of the last true judgement.
    pub last_true: Ts,
    /// Wrong already when its source was first seen.
    pub first_look: bool,
    /// Steady time since when the condition has been unknown without a break.
    #[serde(default)]
    pub unknown_since: Option<Ts>,
    /// The values that made it true, as of the last true judgement.
    pub evidence: Evidence,
    /// All labels, the subject's and the rule's.
    pub labels: Labels,
    /// Rendered annotations.
    pub annotations: BTreeMap<String, String>,
}
