//! What a user writes about a YARN cluster.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use super::YarnSource;
use crate::http::{AuthConfig, HttpConfig, TlsConfig};
use crate::sources::flink::address_problem;
use crate::sources::{Allowance, BuildError, Settings, Source};

/// What Flink calls its applications unless `yarn.application.type` says otherwise.
const FLINK: &str = "Apache Flink";
/// A pair is usual; more than this is a list of something else.
const MAX_MASTERS: usize = 4;
/// As long as YARN waits for an `ApplicationMaster` (`yarn.am.liveness-monitor.expiry-interval-ms`).
const GRACE: Duration = Duration::from_mins(10);

/// A YARN cluster: its Flink applications are found at the ResourceManager and looked into by
/// Flink's own REST API.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct YarnConfig {
    /// Name of the source; the `cluster` of its jobs.
    pub name: String,
    /// Web addresses of the `ResourceManagers` of this one cluster, such as `http://rm-1:8088`, at
    /// most four; the active one is found by itself. Through Knox:
    /// `https://knox:8443/gateway/default/resourcemanager`.
    pub resource_managers: Vec<String>,
    /// Address of YARN's web UI as people reach it. Default: the first of `resource_managers`.
    pub ui_url: Option<String>,
    /// Labels of everything seen here.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Who Weir is for YARN where nobody proves who they are (`user.name`). Default: YARN's
    /// anonymous user.
    pub user: Option<String>,
    /// Only applications in these queues, by full path or last part, with what is below them.
    /// Default: all.
    #[serde(default)]
    pub queues: Vec<String>,
    /// Only applications of these users. Default: all.
    #[serde(default)]
    pub users: Vec<String>,
    /// Only applications with one of these tags (`yarn.tags`). Default: all.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Application types that are Flink's (`yarn.application.type`). Default: `Apache Flink`.
    #[serde(default = "flink")]
    pub application_types: Vec<String>,
    /// How long applications may be missing after the ResourceManager was restarted, or many at
    /// once, before they count as gone, such as `10m` (the default).
    #[serde(default, with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional")]
    #[schemars(with = "Option<String>")]
    pub grace: Option<Duration>,
    /// How the `JobManagers` of the applications are reached.
    #[serde(default)]
    pub jobmanagers: JobManagersConfig,
    /// How Weir identifies itself to YARN. Never sent to `JobManagers`.
    pub auth: Option<AuthConfig>,
    /// Certificates for YARN.
    pub tls: Option<TlsConfig>,
    /// HTTP proxy to YARN. The environment is not looked at.
    #[schemars(with = "Option<String>")]
    pub proxy_url: Option<SecretString>,
    /// Longest time one request may take, such as `5s`. Default: `poll.timeout`.
    #[serde(default, with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional")]
    #[schemars(with = "Option<String>")]
    pub timeout: Option<Duration>,
    /// Requests in a second at most, of YARN and of each `JobManager`. Default:
    /// `poll.requests_per_second`.
    pub requests_per_second: Option<NonZeroU32>,
    /// Headers sent with every request to YARN.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub headers: BTreeMap<String, SecretString>,
}

/// How the `JobManagers` of applications are reached.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct JobManagersConfig {
    /// `auto`: at their own addresses, and through YARN's web proxy where these cannot be reached.
    pub via: Via,
    /// They speak TLS (`security.ssl.rest.enabled`).
    pub https: bool,
    /// Address of a stand-alone web proxy (`yarn.web-proxy.address`). Default: the ResourceManager.
    pub web_proxy_url: Option<String>,
    /// How Weir identifies itself to them.
    pub auth: Option<AuthConfig>,
    /// Certificates for them.
    pub tls: Option<TlsConfig>,
    /// HTTP proxy to them.
    #[schemars(with = "Option<String>")]
    pub proxy_url: Option<SecretString>,
    /// Headers sent with every request to them.
    #[schemars(with = "BTreeMap<String, String>")]
    pub headers: BTreeMap<String, SecretString>,
}

/// A way to a `JobManager`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// Directly, else through the proxy.
    #[default]
    Auto,
    /// At the address it registered with YARN.
    Direct,
    /// Through YARN's web proxy, which lets nothing but reading pass.
    Proxy,
}

fn flink() -> Vec<String> {
    vec![FLINK.to_owned()]
}

impl YarnConfig {
    /// A cluster at these addresses with nothing else to say about it.
    pub fn at(name: &str, resource_managers: Vec<String>) -> YarnConfig {
        YarnConfig {
            name: name.to_owned(),
            resource_managers,
            ui_url: None,
            labels: BTreeMap::new(),
            user: None,
            queues: Vec::new(),
            users: Vec::new(),
            tags: Vec::new(),
            application_types: flink(),
            grace: None,
            jobmanagers: JobManagersConfig::default(),
            auth: None,
            tls: None,
            proxy_url: None,
            timeout: None,
            requests_per_second: None,
            headers: BTreeMap::new(),
        }
    }

    /// How long applications may be missing.
    pub(super) fn grace(&self) -> Duration {
        self.grace.unwrap_or(GRACE)
    }

    /// What the HTTP client for YARN needs; `allowance` hold where this source has none.
    pub(super) fn http(&self, allowance: impl Into<Allowance>) -> HttpConfig {
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

    /// What the HTTP client for `JobManagers` needs.
    pub(super) fn jobmanagers_http(&self, allowance: impl Into<Allowance>) -> HttpConfig {
        let allowance = allowance.into();
        let own = &self.jobmanagers;
        HttpConfig {
            auth: own.auth.clone(),
            tls: own.tls.clone(),
            proxy_url: own.proxy_url.clone(),
            timeout: Some(self.timeout.unwrap_or(allowance.timeout)),
            headers: own.headers.clone(),
            pace: allowance.pace(self.requests_per_second),
        }
    }

    /// What is wrong beyond the shape, each with the way out.
    pub fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut add = |what: &str, hint: &str| found.push((what.to_owned(), hint.to_owned()));
        if self.name.is_empty() {
            add("`name` is empty", "name the cluster as people do");
        }
        if self.resource_managers.is_empty() {
            let hint = "name its ResourceManagers, such as http://rm-1:8088";
            add("`resource_managers` is empty", hint);
        }
        if self.resource_managers.len() > MAX_MASTERS {
            let hint = "a source is one YARN cluster: give every cluster its own";
            add("`resource_managers` has more than four addresses", hint);
        }
        if self.application_types.iter().all(String::is_empty) {
            let hint = "leave it out for `Apache Flink`";
            add("`application_types` is empty", hint);
        }
        if self.grace.is_some_and(|grace| grace < Duration::from_mins(1)) {
            let hint = "YARN takes minutes to recover: write at least `1m`";
            add("`grace` is shorter than a minute", hint);
        }
        let masters = self.resource_managers.iter().map(|url| ("resource_managers", url));
        let proxy = self.jobmanagers.web_proxy_url.iter().map(|url| ("web_proxy_url", url));
        let others = self.ui_url.iter().map(|url| ("ui_url", url)).chain(proxy);
        for (key, url) in masters.chain(others) {
            found.extend(address_problem(key, url, "http://rm-1:8088"));
        }
        found
    }
}

impl Settings for YarnConfig {
    fn name(&self) -> &str {
        &self.name
    }

    fn labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }

    fn problems(&self) -> Vec<(String, String)> {
        YarnConfig::problems(self)
    }

    fn build(&self, allowance: Allowance, poller: &str) -> Result<Box<dyn Source>, BuildError> {
        let source = YarnSource::new(self.clone(), allowance, poller)
            .map_err(|error| BuildError(error.explain()))?;
        Ok(Box::new(source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_reads_as_documented() {
        let config: YarnConfig = serde_saphyr::from_str(
            "name: emr\nresource_managers: ['http://rm-1:8088', 'http://rm-2:8088']\n\
             labels: { env: prod }\nuser: weir\nqueues: [root.prod]\ngrace: 5m\n\
             jobmanagers: { via: proxy, https: true }\ntimeout: 3s",
        )
        .unwrap();
        assert!(config.problems().is_empty(), "{:?}", config.problems());
        assert_eq!(config.application_types, ["Apache Flink"]);
        assert_eq!(config.jobmanagers.via, Via::Proxy);
        assert_eq!(config.grace(), Duration::from_mins(5));
        let unknown = serde_saphyr::from_str::<YarnConfig>("name: a\nresource_manager: b");
        assert!(unknown.unwrap_err().to_string().contains("resource_manager"));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let at = |urls: &[&str]| {
            YarnConfig::at("emr", urls.iter().map(|url| (*url).to_owned()).collect())
        };
        let short = Some(Duration::from_secs(5));
        for (config, what) in [
            (at(&[]), "`resource_managers` is empty"),
            (at(&["http://a"; 5]), "more than four"),
            (at(&["rm-1:8088"]), "`resource_managers` is neither http nor https"),
            (at(&["http://u:p@rm-1"]), "holds credentials"),
            (at(&["http://rm-1/?user.name=a"]), "has a query"),
            (YarnConfig { application_types: vec![], ..at(&["http://a"]) }, "application_types"),
            (YarnConfig { grace: short, ..at(&["http://a"]) }, "`grace` is shorter"),
            (YarnConfig { name: String::new(), ..at(&["http://a"]) }, "`name` is empty"),
        ] {
            let found = config.problems();
            assert!(found.len() == 1 && found[0].0.contains(what), "{what}: {found:?}");
        }
    }

    #[test]
    fn credentials_for_yarn_are_not_for_jobmanagers() {
        let secret = serde_saphyr::from_str::<YarnConfig>(
            "name: a\nresource_managers: ['http://a']\nheaders: { X-Token: hush }\n\
             auth: { bearer: { token: hush } }",
        );
        let config = secret.unwrap();
        let (yarn, jobmanagers) =
            (config.http(Duration::ZERO), config.jobmanagers_http(Duration::ZERO));
        assert!(yarn.auth.is_some() && yarn.headers.len() == 1);
        assert!(jobmanagers.auth.is_none() && jobmanagers.headers.is_empty());
    }
}
