//! Commands: what people ask of a running Weir. An input like any other, with a reply.

use serde::{Deserialize, Serialize};

use super::{Posted, SilenceWish};

/// One order of a person or program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Chosen by who asks: the same id again changes nothing and gets the same reply.
    pub id: String,
    /// Who asks, for timelines: the name of a token, or what they call themselves.
    pub actor: String,
    /// What.
    pub what: Action,
}

/// What can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Somebody has it: reminders stop.
    Ack {
        /// The incident.
        incident: u64,
        /// In their words; may be empty.
        comment: String,
    },
    /// Nobody has it any more.
    Unack {
        /// The incident.
        incident: u64,
        /// In their words; may be empty.
        comment: String,
    },
    /// Nothing more is to be said of it.
    Close {
        /// The incident.
        incident: u64,
        /// In their words; may be empty.
        comment: String,
    },
    /// A job is gone for good.
    Retire {
        /// Any unambiguous part of its key.
        job: String,
        /// In their words; may be empty.
        comment: String,
    },
    /// Some alerts are not to be heard of for a while.
    Silence(Box<SilenceWish>),
    /// A job is to be restarted, or what waits for approval is approved.
    Restart {
        /// Any unambiguous part of its key.
        job: String,
        /// Path or number of what it is restored from; none: the newest that can be.
        from: Option<String>,
        /// In their words; may be empty.
        comment: String,
        /// Only say what would be done, and what would hold it.
        preview: bool,
    },
    /// A restart that was not sent yet is not to be sent.
    DeclineRestart {
        /// Any unambiguous part of the job's key.
        job: String,
        /// In their words; may be empty.
        comment: String,
    },
    /// One certain restart that was not sent yet goes on, or is not to be sent.
    DecideRestart {
        /// Its number.
        restart: u64,
        /// False: it is not to be sent.
        approve: bool,
        /// In their words; may be empty.
        comment: String,
    },
    /// Nothing is restarted automatically until that is taken back.
    PauseRestarts {
        /// False: it is taken back.
        pause: bool,
        /// In their words; may be empty.
        comment: String,
    },
    /// Alerts from outside: they fire, or they are over.
    Alerts(Vec<Posted>),
    /// They are to be heard of again.
    EndSilence {
        /// Its number.
        silence: u64,
        /// In their words; may be empty.
        comment: String,
    },
}

impl Action {
    /// The incident it is about, if it names one.
    pub fn incident(&self) -> Option<u64> {
        match self {
            Action::Ack { incident, .. }
            | Action::Unack { incident, .. }
            | Action::Close { incident, .. } => Some(*incident),
            Action::Retire { .. }
            | Action::Silence(_)
            | Action::Alerts(_)
            | Action::Restart { .. }
            | Action::DeclineRestart { .. }
            | Action::DecideRestart { .. }
            | Action::PauseRestarts { .. }
            | Action::EndSilence { .. } => None,
        }
    }
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reply {
    /// In words.
    pub said: String,
    /// False where it was so already.
    pub changed: bool,
    /// The incident it was about.
    pub incident: Option<u64>,
    /// Key of the job it was about.
    pub job: Option<String>,
    /// The silence it made or ended.
    #[serde(default)]
    pub silence: Option<u64>,
    /// What a silence hits.
    #[serde(default)]
    pub hits: Option<Hits>,
    /// The restart it was about.
    #[serde(default)]
    pub restart: Option<u64>,
    /// What would hold a restart: the guard and words for people.
    #[serde(default)]
    pub holds: Vec<(String, String)>,
    /// Alerts from outside there was no room for.
    #[serde(default)]
    pub no_room: usize,
    /// It had been done before under the same id: nothing was done now.
    #[serde(default)]
    pub repeated: bool,
}

/// What a silence hits at the moment; some are named, all are counted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Hits {
    /// Open incidents: number and title.
    pub incidents: Vec<(u64, String)>,
    /// How many.
    pub incidents_in_all: usize,
    /// Keys of watched jobs.
    pub jobs: Vec<String>,
    /// How many.
    pub jobs_in_all: usize,
}

/// Why a command was not carried out; nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// What it is about is not there.
    #[error("{0}")]
    NotFound(String),
    /// It does not fit how things are.
    #[error("{0}")]
    Conflict(String),
    /// It makes no sense.
    #[error("{0}")]
    Invalid(String),
}

/// A command's outcome.
pub type Replied = Result<Reply, Refusal>;
