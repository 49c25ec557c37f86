//! Validated settings of the incident stage.

use std::time::Duration;

use super::{InboundSettings, InhibitRule};

/// How long quiet has to last, and how soon trouble counts as the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// No member fires on fresh facts for so long: resolved.
    pub resolve_after: Duration,
    /// The same identity within so long continues the old incident.
    pub reopen_within: Duration,
    /// Symptoms stay muted for so long after their root ended (the root route's `group_interval`).
    pub release_after: Duration,
    /// A job that somebody stopped and is still absent is reminded of after so long; zero: never.
    pub remind_after: Duration,
    /// What mutes what, beside what is built in.
    pub inhibit: Vec<InhibitRule>,
    /// Alerts from outside.
    pub inbound: InboundSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            resolve_after: Duration::from_mins(2),
            reopen_within: Duration::from_mins(30),
            release_after: Duration::from_mins(5),
            remind_after: Duration::from_hours(12),
            inhibit: Vec::new(),
            inbound: InboundSettings::default(),
        }
    }
}
