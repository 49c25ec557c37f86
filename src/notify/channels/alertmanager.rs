//! Alertmanager: one alert per incident by its API, version 2. It keeps no alert that nobody repeats,
//! so what is open is sent again each `resend_interval`, and what is over for some minutes more;
//! the pipeline does that (`notify::standing`), since only it knows what was told.

mod body;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use jiff::SignedDuration;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::options::{RESEND_BOUNDS, bounded, endpoint_hash, timeout};
use super::{BuildError, Channel, Parts, Settings, wire};
use crate::http::{AuthConfig, HttpClient, HttpConfig, TlsConfig};
use crate::model::{Message, SendOutcome, Time};
use crate::notify::{Budget, Compose};

/// As Prometheus' own default.
const RESEND: Duration = Duration::from_mins(1);
/// An open alert ends by itself after so many intervals without a word: Weir is dead.
const OUTLIVES: u32 = 4;
/// Members of one cluster.
const MAX_URLS: usize = 16;

/// Sends alerts to Alertmanager.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the channel; its kind if there is none.
    pub name: Option<String>,
    /// Addresses of all members of one cluster, such as `http://alertmanager:9093`; each is told,
    /// since members do not tell each other of alerts.
    #[schemars(with = "Vec<String>")]
    pub urls: Vec<SecretString>,
    /// How often an open alert is sent again, at most 10m; 1m if it is left out. One that is not
    /// sent for four times as long ends by itself.
    pub resend_interval: Option<SignedDuration>,
    /// Extra request headers.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub headers: BTreeMap<String, SecretString>,
    /// Credentials.
    pub auth: Option<AuthConfig>,
    /// TLS.
    pub tls: Option<TlsConfig>,
    /// Proxy to go through.
    #[schemars(with = "Option<String>")]
    pub proxy_url: Option<SecretString>,
    /// Time limit of one request, at most 2m; 10s if it is left out.
    pub timeout: Option<SignedDuration>,
}

impl Config {
    fn interval(&self) -> Duration {
        bounded(self.resend_interval, RESEND, RESEND_BOUNDS)
    }

    /// Addresses of the API.
    fn addresses(&self) -> Result<Vec<SecretString>, BuildError> {
        if self.urls.is_empty() {
            let hint = "name Alertmanager, such as http://alertmanager:9093";
            return Err(BuildError(format!("`urls` is empty ({hint})")));
        }
        if self.urls.len() > MAX_URLS {
            return Err(BuildError(format!("`urls` has more than {MAX_URLS} addresses")));
        }
        self.urls.iter().map(|url| address(url.expose_secret())).collect()
    }
}

/// Where alerts are posted, with or without the path in the configuration.
fn address(url: &str) -> Result<SecretString, BuildError> {
    const PATH: &str = "/api/v2/alerts";
    wire::check_url(url).map_err(|e| BuildError(e.0.replace("`url`", "an address in `urls`")))?;
    if url.contains(['?', '#']) {
        let hint = "give the address of Alertmanager only, such as http://alertmanager:9093";
        return Err(BuildError(format!("an address in `urls` has a query or fragment ({hint})")));
    }
    let bare = url.trim_end_matches('/');
    Ok(SecretString::from(format!("{}{PATH}", bare.strip_suffix(PATH).unwrap_or(bare))))
}

impl Settings for Config {
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// None: it takes what comes, and nobody reads it there.
    fn budgets(&self) -> Vec<Budget> {
        Vec::new()
    }

    fn resend(&self) -> Option<Duration> {
        Some(self.interval())
    }

    fn endpoint(&self) -> Result<String, BuildError> {
        let addresses = self.addresses()?;
        let all: Vec<&str> = addresses.iter().map(ExposeSecret::expose_secret).collect();
        Ok(endpoint_hash("alertmanager", &all.join("\n")))
    }

    fn composer(&self, _: &Parts) -> Result<Box<dyn Compose>, BuildError> {
        Ok(Box::new(body::Composer))
    }

    fn build(&self, _: &Parts) -> Result<Box<dyn Channel>, BuildError> {
        let client = wire::client(&HttpConfig {
            auth: self.auth.clone(),
            tls: self.tls.clone(),
            proxy_url: self.proxy_url.clone(),
            timeout: Some(timeout(self.timeout)),
            headers: self.headers.clone(),
            ..HttpConfig::default()
        })?;
        let (urls, outlives) = (self.addresses()?, self.interval() * OUTLIVES);
        Ok(Box::new(Alertmanager { client, urls, outlives }))
    }
}

struct Alertmanager {
    client: HttpClient,
    urls: Vec<SecretString>,
    outlives: Duration,
}

impl Alertmanager {
    async fn post(&self, url: &SecretString, key: &str, body: String, now: Time) -> SendOutcome {
        let headers = [("idempotency-key", key)];
        match wire::post_json(&self.client, url, &headers, body, now.wall).await {
            Ok(reply) => wire::classify_status(&reply),
            Err(error) => SendOutcome::Retry { after_ms: None, error },
        }
    }
}

impl Channel for Alertmanager {
    fn composer(&self) -> &dyn Compose {
        &body::Composer
    }

    fn send<'a>(
        &'a self,
        message: &'a Message,
        key: &'a str,
        now: Time,
    ) -> BoxFuture<'a, SendOutcome> {
        Box::pin(async move {
            let body = body::stamped(&message.frozen.body, now.wall + self.outlives);
            let each = self.urls.iter().map(|url| self.post(url, key, body.clone(), now));
            verdict(&join_all(each).await)
        })
    }
}

/// One member that took it is enough: the others get it with the next round.
fn verdict(answers: &[SendOutcome]) -> SendOutcome {
    let worth = |outcome: &&SendOutcome| match outcome {
        SendOutcome::Delivered | SendOutcome::Accepted { .. } => 2,
        SendOutcome::Retry { .. } => 1,
        SendOutcome::Rejected { .. } | SendOutcome::Gone { .. } => 0,
    };
    let none = || SendOutcome::Rejected { error: "`urls` is empty".to_owned() };
    answers.iter().max_by_key(worth).cloned().unwrap_or_else(none)
}
