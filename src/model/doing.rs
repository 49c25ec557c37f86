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
    /// The incident is about more than one job: how many stand where.
    Several(Tally),
}

/// Jobs of one incident, by where their restarts stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Would be restarted, without `mode: dry_run`.
    pub would: u32,
    /// Their turn is still to come, or something holds them.
    pub waiting: u32,
    /// Wait for a person's word.
    pub approval: u32,
    /// The order was given.
    pub on_way: u32,
    /// Run again.
    pub restarted: u32,
    /// A person is needed.
    pub gave_up: u32,
}

impl Tally {
    /// Counts them.
    pub fn of<'a>(all: impl Iterator<Item = &'a Doing>) -> Tally {
        let mut tally = Tally::default();
        for doing in all {
            *match doing {
                Doing::Would { held: None, .. } => &mut tally.would,
                Doing::Approval { .. } => &mut tally.approval,
                Doing::Stopping | Doing::Starting { .. } | Doing::Watching { .. } => {
                    &mut tally.on_way
                }
                Doing::Restarted { .. } => &mut tally.restarted,
                Doing::GaveUp(_) => &mut tally.gave_up,
                Doing::Would { .. }
                | Doing::Planned { .. }
                | Doing::Held(_)
                | Doing::Failed { .. }
                | Doing::Several(_) => &mut tally.waiting,
            } += 1;
        }
        tally
    }

    /// How many there are.
    pub fn all(self) -> u32 {
        self.would + self.waiting + self.approval + self.on_way + self.restarted + self.gave_up
    }
}

impl Doing {
    /// Weir has given the order to restart it: that it ends is its work.
    pub fn was_sent(&self) -> bool {
        match self {
            Doing::Starting { .. } | Doing::Watching { .. } | Doing::Restarted { .. } => true,
            Doing::Several(tally) => tally.on_way + tally.restarted > 0,
            _ => false,
        }
    }

    /// A person is needed, and will be told so once.
    pub fn gave_up(&self) -> bool {
        matches!(self, Doing::GaveUp(_))
    }
}
