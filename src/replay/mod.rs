//! The history again, through the same engine: what would have been said with other rules, or
//! exactly what was said with the same.
//!
//! Nothing here can send or act: composers write messages, and there is nothing to give them to.

mod compare;
mod coverage;
mod feed;
mod play;
mod tee;

use crate::engine::EngineSettings;
use crate::journal::SentNote;
use crate::model::{RuleId, Time, Ts};
use crate::notify::Composers;
use crate::rules::RuleSet;

pub use compare::{Line, Mark, compare};
pub use feed::run;
pub use tee::{Texts, Words};

/// How the past is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// With the state each process really began with, and the answers the channels really gave.
    AsItWas,
    /// From nothing at the beginning of the span; channels take every message at once.
    Afresh,
}

/// What is to be replayed, and with what.
pub struct Plan {
    /// How the past is taken.
    pub mode: Mode,
    /// Only what is said from this wall time on counts.
    pub since: Ts,
    /// Settings of the engine.
    pub settings: EngineSettings,
    /// The rules.
    pub rules: RuleSet,
    /// What writes messages.
    pub composers: Composers,
}

/// A message, and when it would go out or went out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The time of the step.
    pub at: Time,
    /// The message.
    pub note: SentNote,
}

/// How much of the span a rule could see.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    /// The rule.
    pub rule: RuleId,
    /// Of the span, 0 … 1.
    pub recorded: f64,
    /// What was missing, for people.
    pub missing: Vec<String>,
}

/// What came of a replay.
#[derive(Debug, Clone, Default)]
pub struct Replayed {
    /// What the replay says.
    pub said: Vec<Said>,
    /// What was really said.
    pub live: Vec<Said>,
    /// Rules in order.
    pub shares: Vec<Share>,
    /// First and last event that counted.
    pub span: Option<(Time, Time)>,
    /// Looks at sources.
    pub looks: u64,
    /// Starts of a process.
    pub starts: u64,
    /// What is wrong with the history, or not exact about this replay.
    pub remarks: Vec<String>,
}
