//! Webhook: Alertmanager's version 4 body, so that existing receivers work unchanged, plus our
//! fields under `weir`, signed and with an idempotency key.

pub(super) mod body;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use hmac::{Hmac, KeyInit, Mac};
use jiff::SignedDuration;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha2::Sha256;

use super::options::{BudgetConfig, endpoint_hash, hex, timeout};
use super::secret::Secret;
use super::{BuildError, Channel, Parts, Settings, wire};
use crate::http::{AuthConfig, HttpClient, HttpConfig, TlsConfig};
use crate::model::{Message, SendOutcome, Time};
use crate::notify::{Budget, Compose};

/// POSTs Alertmanager's webhook body, version 4, with our fields.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the channel; its kind if there is none.
    pub name: Option<String>,
    /// Address; taken for a secret.
    #[schemars(with = "Option<String>")]
    pub url: Option<SecretString>,
    /// File with the address.
    pub url_file: Option<PathBuf>,
    /// Key of the signature `X-Weir-Signature`; unsigned without one.
    #[schemars(with = "Option<String>")]
    pub secret: Option<SecretString>,
    /// File with the key.
    pub secret_file: Option<PathBuf>,
    /// Also tell when it is over; yes if it is left out.
    pub send_resolved: Option<bool>,
    /// At most so many alerts in one body, 0 for all; the rest is counted in `truncatedAlerts`.
    #[serde(default)]
    pub max_alerts: usize,
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
    /// Hard limit; none if it is left out.
    pub budget: Option<BudgetConfig>,
}

impl Config {
    fn url(&self) -> Result<Secret, BuildError> {
        Secret::required("url", self.url.as_ref(), self.url_file.as_ref())
    }
}

impl Config {
    fn composer(&self, parts: &Parts) -> body::Composer {
        body::Composer { templates: Arc::clone(&parts.templates), max_alerts: self.max_alerts }
    }
}

impl Settings for Config {
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn budgets(&self) -> Vec<Budget> {
        self.budget.map(BudgetConfig::budget).into_iter().collect()
    }

    fn send_resolved(&self) -> bool {
        self.send_resolved.unwrap_or(true)
    }

    fn endpoint(&self) -> Result<String, BuildError> {
        Ok(endpoint_hash("webhook", self.url()?.read()?.expose_secret()))
    }

    fn composer(&self, parts: &Parts) -> Result<Box<dyn Compose>, BuildError> {
        Ok(Box::new(self.composer(parts)))
    }

    fn build(&self, parts: &Parts) -> Result<Box<dyn Channel>, BuildError> {
        let url = self.url()?;
        wire::check_url(url.read()?.expose_secret())?;
        let secret = Secret::of("secret", self.secret.as_ref(), self.secret_file.as_ref())?;
        let client = wire::client(&HttpConfig {
            auth: self.auth.clone(),
            tls: self.tls.clone(),
            proxy_url: self.proxy_url.clone(),
            timeout: Some(timeout(self.timeout)),
            headers: self.headers.clone(),
            ..HttpConfig::default()
        })?;
        let composer = self.composer(parts);
        Ok(Box::new(Webhook { composer, client, url, secret }))
    }
}

struct Webhook {
    composer: body::Composer,
    client: HttpClient,
    url: Secret,
    secret: Option<Secret>,
}

impl Webhook {
    async fn try_send(
        &self,
        message: &Message,
        key: &str,
        now: Time,
    ) -> Result<SendOutcome, BuildError> {
        let body = &message.frozen.body;
        let mut headers = vec![("idempotency-key", key)];
        let signature = match &self.secret {
            None => None,
            Some(secret) => {
                Some(signature(secret.read()?.expose_secret(), now.wall.0 / 1_000, body))
            }
        };
        if let Some(value) = &signature {
            headers.push(("x-weir-signature", value));
        }
        let url = self.url.read()?;
        Ok(match wire::post_json(&self.client, &url, &headers, body.clone(), now.wall).await {
            Ok(reply) => wire::classify_status(&reply),
            Err(error) => SendOutcome::Retry { after_ms: None, error },
        })
    }
}

impl Channel for Webhook {
    fn composer(&self) -> &dyn Compose {
        &self.composer
    }

    fn send<'a>(
        &'a self,
        message: &'a Message,
        key: &'a str,
        now: Time,
    ) -> BoxFuture<'a, SendOutcome> {
        Box::pin(async move {
            // A secret file that cannot be read may be on its way.
            self.try_send(message, key, now)
                .await
                .unwrap_or_else(|e| SendOutcome::Retry { after_ms: None, error: e.0 })
        })
    }
}

/// `t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`.
fn signature(secret: &str, seconds: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
        .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body.as_bytes());
    format!("t={seconds},v1={}", hex(&mac.finalize().into_bytes()))
}
