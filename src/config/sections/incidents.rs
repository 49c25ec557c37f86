//! How long quiet has to last, and how soon trouble counts as the same.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::incidents::Settings;

/// As written.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct IncidentsConfig {
    /// No member fires on fresh facts for so long: resolved.
    #[serde(with = "crate::config::de::duration")]
    #[schemars(with = "String")]
    pub resolve_after: Duration,
    /// The same identity within so long continues the old incident.
    #[serde(with = "crate::config::de::duration")]
    #[schemars(with = "String")]
    pub reopen_within: Duration,
    /// One reminder if a job that was stopped with a savepoint, or cancelled in the middle of
    /// trouble, is still absent after so long, at most 24h; `0s`: none.
    #[serde(with = "crate::config::de::duration::optional_or_zero")]
    #[schemars(with = "Option<String>")]
    pub remind_after: Option<Duration>,
}

impl Default for IncidentsConfig {
    fn default() -> Self {
        let Settings { resolve_after, reopen_within, .. } = Settings::default();
        IncidentsConfig { resolve_after, reopen_within, remind_after: None }
    }
}

impl IncidentsConfig {
    pub(crate) fn build(self, group_interval: Duration) -> Settings {
        let IncidentsConfig { resolve_after, reopen_within, remind_after } = self;
        let usual = Settings::default();
        Settings {
            resolve_after,
            reopen_within,
            release_after: group_interval,
            remind_after: remind_after.unwrap_or(usual.remind_after),
            ..usual
        }
    }
}
