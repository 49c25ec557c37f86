//! The dead man's switch: an address Weir calls while it is well, so that somebody else notices
//! when the calls stop.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use crate::config::de::{At, Secret};
use crate::yaml::findings::Findings;

/// As written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeartbeatConfig {
    /// Address to call.
    #[schemars(with = "Option<String>")]
    pub url: Option<SecretString>,
    /// File with the address.
    pub url_file: Option<PathBuf>,
    /// How it is called.
    #[serde(default)]
    pub method: HeartbeatMethod,
    /// How often.
    #[serde(default = "every_minute", with = "crate::config::de::duration")]
    #[schemars(with = "String")]
    pub interval: Duration,
}

/// How the address is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HeartbeatMethod {
    /// GET.
    #[default]
    Get,
    /// POST without a body.
    Post,
}

const fn every_minute() -> Duration {
    Duration::from_mins(1)
}

/// A configured dead man's switch.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    /// Address to call.
    pub url: Secret,
    /// How it is called.
    pub method: HeartbeatMethod,
    /// How often.
    pub interval: Duration,
}

impl HeartbeatConfig {
    pub(in crate::config) fn build(
        written: At<HeartbeatConfig>,
        findings: &mut Findings,
    ) -> Option<Heartbeat> {
        let At { value: raw, place } = written;
        let Some(url) = Secret::from_twins(raw.url, raw.url_file) else {
            findings.error(place, "`heartbeat` has no address", Some("add `url:`".to_owned()));
            return None;
        };
        Some(Heartbeat { url, method: raw.method, interval: raw.interval })
    }
}
