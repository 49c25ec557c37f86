//! What a user writes about a Flink cluster.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use super::FlinkSource;
use crate::http::{AuthConfig, HttpConfig, TlsConfig};
use crate::sources::{Allowance, BuildError, Settings, Source};

/// A Flink cluster, reached by the REST API of its `JobManagers`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlinkConfig {
    /// Name of the source; the `cluster` of its jobs.
    pub name: String,
    /// REST addresses of the `JobManagers` of this one cluster, such as `http://jm-1:8081`. The last
    /// one that answered is asked first.
    pub urls: Vec<String>,
    /// Address of Flink's web UI as people reach it. Default: the first of `urls`.
    pub ui_url: Option<String>,
    /// Labels of everything seen here.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Stable name of the Flink cluster. Default: `name`.
    pub flink_cluster: Option<String>,
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
}

impl FlinkConfig {
    /// A cluster at these addresses with nothing else to say about it.
    pub fn at(name: &str, urls: Vec<String>) -> FlinkConfig {
        FlinkConfig {
            name: name.to_owned(),
            urls,
            ui_url: None,
            labels: BTreeMap::new(),
            flink_cluster: None,
            auth: None,
            tls: None,
            proxy_url: None,
            timeout: None,
            requests_per_second: None,
            headers: BTreeMap::new(),
        }
    }

    /// What the HTTP client needs; `allowance` holds where this source has none.
    pub fn http(&self, allowance: impl Into<Allowance>) -> HttpConfig {
        let allowance = allowance.into();
        HttpConfig {
            auth: self.auth.clone(),
            tls: self.tls.clone(),
            proxy_url: self.proxy_url.clone(),
            timeout: Some(self.timeout.unwrap_or(allowance.timeout)),
            headers: self.headers.clone(),
            pace: allowance.pace(self.requests_per_second),
        }
    }

    /// What is wrong beyond the shape, each with the way out.
    pub fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut add = |what: String, hint: &str| found.push((what, hint.to_owned()));
        if self.name.is_empty() {
            add("`name` is empty".to_owned(), "name the cluster as people do");
        }
        if self.urls.is_empty() {
            add("`urls` is empty".to_owned(), "name a JobManager, such as http://jm-1:8081");
        }
        let urls = self.urls.iter().map(|u| ("urls", u));
        for (key, url) in urls.chain(self.ui_url.iter().map(|u| ("ui_url", u))) {
            found.extend(address_problem(key, url, "http://jm-1:8081"));
        }
        found
    }
}

/// What is wrong with an address, and the way out. `key` is where it stands; `example` is what one
/// looks like.
pub(in crate::sources) fn address_problem(
    key: &str,
    url: &str,
    example: &str,
) -> Option<(String, String)> {
    let say =
        |what: &str, hint: &str| Some((format!("an address in `{key}` {what}"), hint.to_owned()));
    let like = format!("addresses look like {example}");
    match reqwest::Url::parse(url) {
        Ok(u) if !matches!(u.scheme(), "http" | "https") || !u.has_host() => {
            say("is neither http nor https", &like)
        }
        Ok(u) if !u.username().is_empty() || u.password().is_some() => {
            say("holds credentials", "put them under `auth.basic`")
        }
        // A page for people may have a fragment.
        Ok(u) if u.query().is_some() || (key != "ui_url" && u.fragment().is_some()) => say(
            "has a query or fragment",
            "write the address up to where the API's own paths begin",
        ),
        Ok(_) => None,
        Err(error) => say(&format!("cannot be read: {error}"), &like),
    }
}

impl Settings for FlinkConfig {
    fn name(&self) -> &str {
        &self.name
    }

    fn labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }

    fn problems(&self) -> Vec<(String, String)> {
        FlinkConfig::problems(self)
    }

    fn build(&self, allowance: Allowance, poller: &str) -> Result<Box<dyn Source>, BuildError> {
        let source = FlinkSource::new(self.clone(), allowance, poller)
            .map_err(|error| BuildError(error.explain()))?;
        Ok(Box::new(source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_reads_as_documented() {
        let config: FlinkConfig = serde_saphyr::from_str(
            "name: prod\nurls: ['http://jm-1:8081', 'http://jm-2:8081']\nui_url: https://f/\n\
             labels: { env: prod }\nauth: { bearer: { token_file: /t } }\n\
             tls: { ca_file: /ca.pem }\ntimeout: 3s",
        )
        .unwrap();
        assert!(config.problems().is_empty());
        let http = config.http(Duration::from_secs(5));
        assert_eq!(http.timeout, Some(Duration::from_secs(3)));
        assert!(http.auth.is_some() && http.tls.is_some());
        let unknown = serde_saphyr::from_str::<FlinkConfig>("name: a\nurls: []\nurl: b");
        assert!(unknown.unwrap_err().to_string().contains("url"));
        let schema = serde_json::to_value(schemars::schema_for!(FlinkConfig)).unwrap();
        assert_eq!(schema["additionalProperties"], false);
    }

    #[test]
    fn addresses_are_checked() {
        for (url, what) in [
            ("jm:8081", "neither http nor https"),
            ("ftp://jm", "neither http nor https"),
            ("jm", "cannot be read"),
            ("http://u:p@jm", "holds credentials"),
            ("http://jm/?x=1", "has a query"),
        ] {
            let found = FlinkConfig::at("a", vec![url.to_owned()]).problems();
            assert!(found.len() == 1 && found[0].0.contains(what), "{url}: {found:?}");
        }
        assert_eq!(FlinkConfig::at("", vec![]).problems().len(), 2);
    }
}
