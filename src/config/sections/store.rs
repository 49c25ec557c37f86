//! Where Weir remembers.

use std::time::Duration;

use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::config::de::{At, ByteSize};
use crate::yaml::findings::Findings;

/// As written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// `sqlite://weir.db`.
    #[schemars(with = "String")]
    pub url: At<SecretString>,
    /// How long ended incidents and their messages are kept.
    #[serde(with = "crate::config::de::duration")]
    #[schemars(with = "String")]
    pub retention: Duration,
    /// Most bytes on disk.
    pub max_size: ByteSize,
}

impl Default for StoreConfig {
    fn default() -> Self {
        StoreConfig {
            url: At::nowhere(SecretString::from("sqlite://weir.db")),
            retention: Duration::from_hours(30 * 24),
            max_size: ByteSize(2 << 30),
        }
    }
}

/// Where Weir remembers, and how much.
#[derive(Debug, Clone)]
pub struct Store {
    /// `sqlite://…`; other databases carry a password in it.
    pub url: SecretString,
    /// How long ended incidents and their messages are kept.
    pub retention: Duration,
    /// Most bytes on disk.
    pub max_size: u64,
}

impl StoreConfig {
    pub(in crate::config) fn build(self, findings: &mut Findings) -> Store {
        let url = self.url.value.expose_secret();
        let example = Some("write `sqlite://weir.db`".to_owned());
        let scheme = url.split_once("://").map(|(scheme, _)| scheme);
        match scheme {
            Some("sqlite") if url.len() > "sqlite://".len() => {}
            Some("sqlite") => findings.error(self.url.place, "`url` names no file", example),
            Some("postgres" | "postgresql") => findings.error(
                self.url.place,
                "store `postgres` is not built yet",
                Some("use `sqlite://weir.db`".to_owned()),
            ),
            Some(_) => findings.error(self.url.place, "unknown kind of store", example),
            None => findings.error(self.url.place, "`url` has no scheme", example),
        }
        Store { url: self.url.value, retention: self.retention, max_size: self.max_size.0 }
    }
}
