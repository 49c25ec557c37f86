//! What is being done about an incident, for people.

use serde::{Deserialize, Serialize};

use super::Ts;

/// Words in the languages of messages.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Both {
    /// English.
    pub en: String,
    /// Chinese.
    pub zh: String,
}

impl Both {
    /// Words in both.
    pub fn new(en: impl Into<String>, zh: impl Into<String>) -> Both {
        Both { en: en.into(), zh: zh.into() }
    }
}

/// Where the restart of a job stands, as its incident says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doing {
    /// `mode: dry_run`: what would be done. `from`: `chk-42`; none: nothing is known to restore from.
    Would {
        /// What it would be restored from.
        from: Option<String>,
        /// What would hold it.
        held: Option<Both>,
    },
    /// It will be restarted.
    Planned {
        /// Wall time.
        at: Ts,
        /// What it will be restored from, as far as is known.
        from: Option<String>,
        /// Which attempt.
        attempt: u32,
        /// Of how many.
        of: u32,
    },
    /// It would be, once somebody says so.
    Approval {
        /// Number of the restart.
        restart: u64,
        /// What it will be restored from, as far as is known.
        from: Option<String>,
    },
    /// Something holds it back for now.
    Held(Both),
    /// The sick run is being stopped.
    Stopping,
    /// The order was given; it is not known yet whether it was taken.
    Starting {
        /// What it is restored from; none: nothing.
        from: Option<String>,
        /// Which attempt.
        attempt: u32,
        /// Of how many.
        of: u32,
    },
    /// It was taken; the new run is being watched.
    Watching {
        /// What it is restored from; none: nothing.
        from: Option<String>,
        /// Which attempt.
        attempt: u32,
        /// Of how many.
        of: u32,
    },
    /// It runs again, and has completed a checkpoint.
    Restarted {
        /// What it was restored from; none: nothing.
        from: Option<String>,
        /// Which attempt.
        attempt: u32,
    },
    /// An attempt came to nothing.
    Failed {
        /// Which attempt.
        attempt: u32,
        /// Of how many.
        of: u32,
        /// Why.
        why: String,
    },
    /// Weir does no more: a person is needed.
    GaveUp(Both),
}

impl Doing {
    /// A person is needed, and will be told so once.
    pub fn gave_up(&self) -> bool {
        matches!(self, Doing::GaveUp(_))
    }
}
