//! Small settings: polling, language and zone, delivery, storms, Weir's own health, people.

use std::num::NonZeroU32;
use std::time::Duration;

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::de::At;
use crate::http::{Pace, REQUESTS_PER_SECOND};
use crate::notify::Storm;
use crate::sources::Allowance;
use crate::yaml::findings::Findings;
use crate::yaml::suggest;

/// How often sources are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Poll {
    /// Time between two polls of a source.
    #[serde(with = "crate::config::de::duration")]
    #[schemars(with = "String")]
    pub interval: Duration,
    /// Longest time one request of a poll may take.
    #[serde(with = "crate::config::de::duration")]
    #[schemars(with = "String")]
    pub timeout: Duration,
    /// Requests a watched cluster gets in a second at most. What does not fit between two looks is
    /// asked at the next, jobs that changed or are sick first.
    pub requests_per_second: NonZeroU32,
}

impl Default for Poll {
    fn default() -> Self {
        Poll {
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(5),
            requests_per_second: REQUESTS_PER_SECOND,
        }
    }
}

impl Poll {
    /// What a look may take.
    pub fn allowance(&self) -> Allowance {
        let pace = Pace { requests_per_second: self.requests_per_second, interval: self.interval };
        Allowance { timeout: self.timeout, pace }
    }
}

/// Whether messages leave the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Delivery {
    /// They are sent.
    #[default]
    Live,
    /// Everything but the sending.
    Shadow,
}

/// When many openings become one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StormConfig {
    /// So many openings …
    pub incidents: At<u32>,
    /// … within this time.
    #[serde(with = "crate::config::de::duration")]
    #[schemars(with = "String")]
    pub within: Duration,
}

impl Default for StormConfig {
    fn default() -> Self {
        let Storm { incidents, within } = Storm::default();
        StormConfig { incidents: At::nowhere(incidents), within }
    }
}

impl StormConfig {
    pub(crate) fn build(self, findings: &mut Findings) -> Storm {
        if self.incidents.value < 2 {
            findings.error(
                self.incidents.place,
                "a storm needs at least 2 incidents",
                Some("5 is the default".to_owned()),
            );
        }
        Storm { incidents: self.incidents.value.max(2), within: self.within }
    }
}

/// When Weir talks about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SelfMonitoring {
    /// A source or channel that has been failing for so long is told through the others.
    #[serde(with = "crate::config::de::duration")]
    #[schemars(with = "String")]
    pub failing_after: Duration,
}

impl Default for SelfMonitoring {
    fn default() -> Self {
        SelfMonitoring { failing_after: Duration::from_mins(5) }
    }
}

/// How somebody is reached who owns jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Person {
    /// Feishu's open id, `ou_…`.
    pub feishu: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Slack's member id, `U…`.
    pub slack: Option<String>,
    /// DingTalk's mobile number, or user id.
    pub dingtalk: Option<String>,
    /// WeCom's user id.
    pub wecom: Option<String>,
}

/// The zone with this name.
pub(in crate::config) fn zone(name: &At<String>, findings: &mut Findings) -> TimeZone {
    TimeZone::get(&name.value).unwrap_or_else(|_| {
        let known: Vec<String> = jiff::tz::db().available().map(|n| n.to_string()).collect();
        let near = suggest::nearest(&name.value, known.iter().map(String::as_str));
        findings.error(
            name.place,
            format!("unknown time zone `{}`", crate::yaml::tree::excerpt(&name.value)),
            Some(match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "use an IANA name such as `Asia/Shanghai` or `UTC`".to_owned(),
            }),
        );
        TimeZone::UTC
    })
}
