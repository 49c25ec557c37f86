//! Alerts that others send: Prometheus, or whatever else posts to Alertmanager's API.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::de::At;
use crate::incidents::InboundSettings;
use crate::yaml::findings::Findings;

/// More alerts than this cannot be kept in mind: each may have kilobytes of text.
const MOST: usize = 100_000;

/// As written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InboundConfig {
    /// An alert posted to `/api/v2/alerts` without `endsAt` is over after so long, unless it is posted
    /// again. After a start of Weir, every sender has so long to send again.
    #[serde(with = "crate::config::de::duration")]
    #[schemars(with = "String")]
    pub resolve_timeout: Duration,
    /// So many posted alerts may fire at once, at most 100000; what is more is refused with 429, and
    /// Prometheus sends it again.
    pub max_alerts: At<usize>,
}

impl Default for InboundConfig {
    fn default() -> Self {
        let InboundSettings { resolve_timeout, max_alerts } = InboundSettings::default();
        InboundConfig { resolve_timeout, max_alerts: At::nowhere(max_alerts) }
    }
}

impl InboundConfig {
    pub(in crate::config) fn build(self, findings: &mut Findings) -> InboundSettings {
        let InboundConfig { resolve_timeout, max_alerts: At { value: max_alerts, place } } = self;
        if max_alerts > MOST {
            let what = format!("`inbound.max_alerts` is more than {MOST}");
            let hint = "send fewer: by rules that speak of a service, not of each instance";
            findings.error(place, what, hint.to_owned());
        }
        InboundSettings { resolve_timeout, max_alerts }
    }
}
