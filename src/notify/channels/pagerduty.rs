//! PagerDuty, Events API version 2: an alert per incident, opened, updated and resolved by events
//! with its `dedup_key`; one alert for all that a storm, a digest or a first report tells of
//! together, resolved with the last of it. Nothing stays open that Weir believes to be over.
//!
//! A message is a list of events. The vendor takes one per request, so a long list takes several
//! tries; what was taken before is not sent again, and would be absorbed if it were.

mod event;
mod reply;
mod run;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::SignedDuration;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::options::{BudgetConfig, endpoint_hash, limits, timeout};
use super::secret::Secret;
use super::{BuildError, Channel, Parts, Settings, wire};
use crate::http::{HttpClient, HttpConfig, TlsConfig};
use crate::model::{Message, SendOutcome, Time};
use crate::notify::{Budget, Compose};
use event::Composer;
use run::{Owed, Progress};

/// The vendor takes about 120 events a minute per integration.
const MOST: Budget = Budget { messages: 120, per: Duration::from_mins(1) };
/// Messages; a few of them are of several events.
const SAFE: Budget = Budget { messages: 60, per: Duration::from_mins(1) };
/// Where events go, unless the account is in another region.
const URL: &str = "https://events.pagerduty.com/v2/enqueue";

/// Opens and resolves alerts of a PagerDuty service by its Events API, version 2.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the channel; its kind if there is none.
    pub name: Option<String>,
    /// Integration key of the service: 32 letters and digits.
    #[schemars(with = "Option<String>")]
    pub routing_key: Option<SecretString>,
    /// File with the key.
    pub routing_key_file: Option<PathBuf>,
    /// Where events go; `https://events.pagerduty.com/v2/enqueue` if it is left out. Accounts in
    /// the EU have `https://events.eu.pagerduty.com/v2/enqueue`.
    pub url: Option<String>,
    /// TLS.
    pub tls: Option<TlsConfig>,
    /// Proxy to go through.
    #[schemars(with = "Option<String>")]
    pub proxy_url: Option<SecretString>,
    /// Time limit of one request, at most 2m; 10s if it is left out.
    pub timeout: Option<SignedDuration>,
    /// Hard limit; 60 messages per minute if it is left out. The vendor's 120 per minute hold
    /// beside it.
    pub budget: Option<BudgetConfig>,
}

impl Config {
    fn key(&self) -> Result<Secret, BuildError> {
        Secret::required("routing_key", self.routing_key.as_ref(), self.routing_key_file.as_ref())
    }
}

impl Settings for Config {
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn budgets(&self) -> Vec<Budget> {
        limits(self.budget, SAFE, MOST)
    }

    fn per_incident(&self) -> bool {
        true
    }

    fn marks(&self) -> bool {
        true
    }

    fn check(&self) -> Result<(), BuildError> {
        self.budget.map_or(Ok(()), |own| own.check("PagerDuty", MOST))
    }

    fn endpoint(&self) -> Result<String, BuildError> {
        Ok(endpoint_hash("pagerduty", self.key()?.read()?.expose_secret()))
    }

    fn composer(&self, _: &Parts) -> Result<Box<dyn Compose>, BuildError> {
        self.check()?;
        Ok(Box::new(Composer))
    }

    fn build(&self, _: &Parts) -> Result<Box<dyn Channel>, BuildError> {
        self.check()?;
        let url = self.url.clone().unwrap_or_else(|| URL.to_owned());
        wire::check_url(&url)?;
        let key = self.key()?;
        check_key(key.read()?.expose_secret())?;
        let client = wire::client(&HttpConfig {
            tls: self.tls.clone(),
            proxy_url: self.proxy_url.clone(),
            timeout: Some(timeout(self.timeout)),
            ..HttpConfig::default()
        })?;
        let url = SecretString::from(url);
        let (progress, owed) = (Progress::default(), Owed::default());
        Ok(Box::new(PagerDuty { client, url, key, progress, owed }))
    }
}

fn check_key(key: &str) -> Result<(), BuildError> {
    if key.len() == 32 && key.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Ok(());
    }
    let hint = "copy the integration key of an Events API v2 integration: 32 letters and digits";
    Err(BuildError(format!("`routing_key` is no integration key ({hint})")))
}

struct PagerDuty {
    client: HttpClient,
    url: SecretString,
    key: Secret,
    progress: Progress,
    owed: Owed,
}

impl Channel for PagerDuty {
    fn composer(&self) -> &dyn Compose {
        &Composer
    }

    fn send<'a>(
        &'a self,
        message: &'a Message,
        _key: &'a str,
        now: Time,
    ) -> BoxFuture<'a, SendOutcome> {
        Box::pin(async move {
            // A key file that cannot be read may be on its way.
            self.try_send(message, now)
                .await
                .unwrap_or_else(|e| SendOutcome::Retry { after_ms: None, error: e.0 })
        })
    }
}
