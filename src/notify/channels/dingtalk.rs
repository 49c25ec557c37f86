//! DingTalk custom robot: one markdown message each. The robot answers HTTP 200 whatever happens,
//! so success is judged by the `errcode` of its reply; a body is below 20,000 bytes whatever is in
//! it; the signature is made when it is sent, since it expires.

mod message;
mod reply;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use futures_util::future::BoxFuture;
use hmac::{Hmac, KeyInit, Mac};
use jiff::SignedDuration;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha2::Sha256;

use super::options::{BudgetConfig, endpoint_hash, limits, timeout};
use super::secret::Secret;
use super::{BuildError, Channel, Parts, Settings, group_bot, wire};
use crate::http::{HttpClient, HttpConfig, TlsConfig};
use crate::model::{Message, SendOutcome, Time};
use crate::notify::{Budget, Compose};

/// The vendor takes 20 a minute, and blocks a robot that sends more for ten minutes.
const MOST: Budget = Budget { messages: 20, per: Duration::from_mins(1) };
/// What is safe, whatever the way there does to the times.
const SAFE: Budget = Budget { messages: 18, per: Duration::from_mins(1) };

/// Sends markdown to a group by its custom robot.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the channel; its kind if there is none.
    pub name: Option<String>,
    /// Address of the robot; it holds its token and is taken for a secret.
    #[schemars(with = "Option<String>")]
    pub url: Option<SecretString>,
    /// File with the address.
    pub url_file: Option<PathBuf>,
    /// Key of the signature (`SEC…`), where the robot demands one.
    #[schemars(with = "Option<String>")]
    pub secret: Option<SecretString>,
    /// File with the key.
    pub secret_file: Option<PathBuf>,
    /// Whom to mention when something critical is open: mobile numbers, or `all`.
    #[serde(default)]
    pub at: Vec<String>,
    /// Also tell when it is over; yes if it is left out.
    pub send_resolved: Option<bool>,
    /// TLS.
    pub tls: Option<TlsConfig>,
    /// Proxy to go through.
    #[schemars(with = "Option<String>")]
    pub proxy_url: Option<SecretString>,
    /// Time limit of one request, at most 2m; 10s if it is left out.
    pub timeout: Option<SignedDuration>,
    /// Hard limit; 18 per minute if it is left out. The vendor's 20 per minute hold beside it.
    pub budget: Option<BudgetConfig>,
}

impl Config {
    fn url(&self) -> Result<Secret, BuildError> {
        Secret::required("url", self.url.as_ref(), self.url_file.as_ref())
    }

    fn composer(&self, parts: &Parts) -> message::Composer {
        let (templates, people) = (Arc::clone(&parts.templates), parts.people.clone());
        message::Composer { templates, at: self.at.clone(), people }
    }
}

impl Settings for Config {
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn budgets(&self) -> Vec<Budget> {
        limits(self.budget, SAFE, MOST)
    }

    fn send_resolved(&self) -> bool {
        self.send_resolved.unwrap_or(true)
    }

    fn check(&self) -> Result<(), BuildError> {
        let others: Vec<String> = self.at.iter().filter(|name| *name != "all").cloned().collect();
        let number = |c: char| c.is_ascii_digit() || c == '+' || c == '-';
        group_bot::check_at(&others, number, "mobile numbers such as 13800001111, or all")?;
        self.budget.map_or(Ok(()), |own| own.check("DingTalk", MOST))
    }

    fn endpoint(&self) -> Result<String, BuildError> {
        let url = self.url()?.read_plain()?;
        let token = wire::query_value(&url, "access_token").unwrap_or(url);
        Ok(endpoint_hash("dingtalk", &token))
    }

    fn composer(&self, parts: &Parts) -> Result<Box<dyn Compose>, BuildError> {
        self.check()?;
        Ok(Box::new(self.composer(parts)))
    }

    fn build(&self, parts: &Parts) -> Result<Box<dyn Channel>, BuildError> {
        self.check()?;
        let url = self.url()?;
        let now = url.read_plain()?;
        wire::check_url(&now)?;
        if wire::query_value(&now, "access_token").is_none() {
            let hint = "copy the whole address from the robot's settings";
            return Err(BuildError(format!("`url` has no access_token ({hint})")));
        }
        let secret = Secret::of("secret", self.secret.as_ref(), self.secret_file.as_ref())?;
        let client = wire::client(&HttpConfig {
            tls: self.tls.clone(),
            proxy_url: self.proxy_url.clone(),
            timeout: Some(timeout(self.timeout)),
            ..HttpConfig::default()
        })?;
        let composer = self.composer(parts);
        Ok(Box::new(DingTalk { composer, client, url, secret }))
    }
}

struct DingTalk {
    composer: message::Composer,
    client: HttpClient,
    url: Secret,
    secret: Option<Secret>,
}

impl DingTalk {
    async fn try_send(&self, message: &Message, now: Time) -> Result<SendOutcome, BuildError> {
        let mut url = self.url.read()?;
        if let Some(secret) = &self.secret {
            let signed = signed(url.expose_secret(), secret.read()?.expose_secret(), now.wall.0);
            url = SecretString::from(signed);
        }
        let body = message.frozen.body.clone();
        Ok(match wire::post_json(&self.client, &url, &[], body, now.wall).await {
            Ok(reply) => reply::classify(&reply, message.attempts),
            Err(error) => SendOutcome::Retry { after_ms: None, error },
        })
    }
}

impl Channel for DingTalk {
    fn composer(&self) -> &dyn Compose {
        &self.composer
    }

    fn send<'a>(
        &'a self,
        message: &'a Message,
        _key: &'a str,
        now: Time,
    ) -> BoxFuture<'a, SendOutcome> {
        Box::pin(async move {
            self.try_send(message, now)
                .await
                .unwrap_or_else(|e| SendOutcome::Retry { after_ms: None, error: e.0 })
        })
    }
}

/// Base64 of HMAC-SHA256 with the secret as key over `"<milliseconds>\n<secret>"`: the vendor's
/// scheme.
fn sign(secret: &str, milliseconds: i64) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
        .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
    mac.update(format!("{milliseconds}\n{secret}").as_bytes());
    base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
}

/// The address with time and signature in its query.
fn signed(url: &str, secret: &str, milliseconds: i64) -> String {
    // All of base64 that means something in a query.
    let sign = sign(secret, milliseconds).replace('+', "%2B").replace('/', "%2F");
    format!("{url}&timestamp={milliseconds}&sign={}", sign.replace('=', "%3D"))
}
