//! How much of what was seen is kept, for `weir replay`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::de::{At, ByteSize};
use crate::yaml::findings::Findings;

/// With less, a segment would hold little more than the state it begins with.
const LEAST: u64 = 16 << 20;

/// As written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HistoryConfig {
    /// `false`: nothing is kept.
    pub enabled: bool,
    /// How long looks and answers are kept, by the day.
    #[serde(with = "crate::config::de::duration")]
    #[schemars(with = "String")]
    pub retention: Duration,
    /// Most bytes of them, inside `store.max_size`.
    pub max_size: At<ByteSize>,
}

impl Default for HistoryConfig {
    fn default() -> Self {
        HistoryConfig {
            enabled: true,
            retention: Duration::from_hours(7 * 24),
            max_size: At::nowhere(ByteSize(512 << 20)),
        }
    }
}

/// How much history is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// It is kept at all.
    pub enabled: bool,
    /// How long.
    pub retention: Duration,
    /// At most so many bytes.
    pub max_size: u64,
}

impl HistoryConfig {
    pub(in crate::config) fn build(&self, findings: &mut Findings) -> History {
        let HistoryConfig { enabled, retention, max_size: At { value: max_size, place } } = self;
        if max_size.0 < LEAST {
            let hint = "write 16MiB or more; to keep none: `enabled: false`".to_owned();
            findings.error(*place, "`max_size` of the history is too small", hint);
        }
        History { enabled: *enabled, retention: *retention, max_size: max_size.0 }
    }
}

/// Segments are at most this part of the whole, since only whole ones are dropped.
const SEGMENTS: u64 = 8;

impl History {
    /// When a segment has so many bytes the next one begins.
    pub fn segment_size(&self) -> u64 {
        (self.max_size / SEGMENTS).max(1)
    }
}
