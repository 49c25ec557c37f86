//! What a user writes about a `HistoryServer`.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use super::HistorySource;
use crate::http::{AuthConfig, HttpConfig, TlsConfig};
use crate::sources::flink::address_problem;
use crate::sources::{Allowance, BuildError, Settings, Source};

/// Flink's `HistoryServer`: how a run ended whose cluster is gone. It shows no jobs of its own, and is
/// asked only while one is missing or its cluster cannot be seen.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HistoryServerConfig {
    /// Name of the source.
    pub name: String,
    /// Addresses, such as `http://history:8082`. The first that answers counts.
    pub urls: Vec<String>,
    /// How Weir identifies itself.
    pub auth: Option<AuthConfig>,
    /// Certificates.
    pub tls: Option<TlsConfig>,
    /// HTTP proxy. The environment is not looked at.
    #[schemars(with = "Option<String>")]
    pub proxy_url: Option<SecretString>,
    /// Longest time one request may take, such as `5s`. Default: `poll.timeout`.
    #[serde(default, with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional")]
    #[schemars(with = "Option<String>")]
    pub timeout: Option<Duration>,
    /// Requests in a second at most. Default: `poll.requests_per_second`.
    pub requests_per_second: Option<NonZeroU32>,
    /// Headers sent with every request.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub headers: BTreeMap<String, SecretString>,
    /// It shows nothing that could have labels.
    #[serde(skip)]
    labels: BTreeMap<String, String>,
}

impl HistoryServerConfig {
    pub(super) fn http(&self, allowance: Allowance) -> HttpConfig {
        HttpConfig {
            auth: self.auth.clone(),
            tls: self.tls.clone(),
            proxy_url: self.proxy_url.clone(),
            timeout: Some(self.timeout.unwrap_or(allowance.timeout)),
            headers: self.headers.clone(),
            pace: allowance.pace(self.requests_per_second),
        }
    }
}

impl Settings for HistoryServerConfig {
    fn name(&self) -> &str {
        &self.name
    }

    fn labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }

    fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut add = |what: &str, hint: &str| found.push((what.to_owned(), hint.to_owned()));
        if self.name.is_empty() {
            add("`name` is empty", "name it, such as `history`");
        }
        if self.urls.is_empty() {
            add("`urls` is empty", "name the HistoryServer, such as http://history:8082");
        }
        let addresses = self.urls.iter();
        found.extend(
            addresses.filter_map(|url| address_problem("urls", url, "http://history:8082")),
        );
        found
    }

    fn build(&self, allowance: Allowance, poller: &str) -> Result<Box<dyn Source>, BuildError> {
        let source = HistorySource::new(self.clone(), allowance, poller)
            .map_err(|error| BuildError(error.explain()))?;
        Ok(Box::new(source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_as_documented_and_mistakes_are_named() {
        let read = |text: &str| serde_saphyr::from_str::<HistoryServerConfig>(text);
        let good = read("name: history\nurls: ['http://history:8082']\ntimeout: 3s").unwrap();
        assert!(good.problems().is_empty());
        let http = good.http(Duration::from_secs(9).into());
        assert_eq!(http.timeout, Some(Duration::from_secs(3)));
        for (text, what) in [
            ("name: ''\nurls: ['http://h:8082']", "`name` is empty"),
            ("name: h\nurls: []", "`urls` is empty"),
            ("name: h\nurls: ['h:8082']", "neither http nor https"),
        ] {
            let found = read(text).unwrap().problems();
            assert!(found.len() == 1 && found[0].0.contains(what), "{text}: {found:?}");
        }
        assert!(read("name: h\nurls: []\nlabels: {}").is_err(), "it has no labels");
    }
}
