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

impl fmt::Display for Truth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Truth::True => "true",
            Truth::False => "false",
            Truth::Unknown => "unknown",
            Truth::NotApplicable => "n/a",
        })
    }
}

/// The values that made a condition what it is; they travel with the alert.
pub type Evidence = BTreeMap<String, Value>;

/// A judgement with its reasons.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// What was judged.
    pub truth: Truth,
    /// The values that made it true; those of any judgement where somebody asked why.
    pub evidence: Evidence,
    /// For who asks why; else nothing.
    pub why: Option<Box<Why>>,
}

/// Why a judgement is what it is, for `weir explain`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Why {
    /// The values that were judged, their windows and limits.
    pub evidence: Evidence,
    /// In words: what is so, and what would change the judgement.
    pub words: String,
    /// How near to true, 0 … 1 (1: true), where that can be said.
    pub near: Option<f64>,
}

impl From<Evidence> for Why {
    fn from(evidence: Evidence) -> Why {
        Why { evidence, ..Why::default() }
    }
}

impl Why {
    /// With words.
    #[must_use]
    pub fn words(mut self, words: impl Into<String>) -> Why {
        self.words = words.into();
        self
    }

    /// With how near a value is to its limit, which it fires above.
    #[must_use]
    pub fn near(mut self, value: f64, limit: f64) -> Why {
        let near = if limit > 0.0 { value / limit } else { f64::from(value > limit) };
        self.near = near.is_finite().then(|| near.clamp(0.0, 1.0));
        self
    }
}

impl Verdict {
    /// A judgement without values.
    pub fn bare(truth: Truth) -> Verdict {
        Verdict { truth, evidence: Evidence::new(), why: None }
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
    /// Its condition became another one while it was firing, and has not been true since: it stands
    /// on what the rule said before.
    #[serde(default)]
    pub outdated: bool,
    /// Print of the condition it was last true under; unknown in rows of older versions.
    #[serde(default)]
    pub condition: Option<String>,
    /// The values that made it true, as of the last true judgement.
    pub evidence: Evidence,
    /// All labels, the subject's and the rule's.
    pub labels: Labels,
    /// Rendered annotations.
    pub annotations: BTreeMap<String, String>,
}
