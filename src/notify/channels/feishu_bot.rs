//! Feishu (Lark) custom bot: one interactive card per message. The bot answers HTTP 200 whatever
//! happens, so success is judged by the `code` of its reply; a card is below 20 KB whatever is in
//! it; the signature is made when it is sent, since it expires.

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

use super::feishu_card::{self, MAX_AT};
use super::options::{BudgetConfig, check_budget, endpoint_hash, limits, timeout};
use super::people::is_id;
use super::secret::Secret;
use super::{BuildError, Channel, Parts, Settings, wire};
use crate::http::{HttpClient, HttpConfig, TlsConfig};
use crate::model::{Message, SendOutcome, Time};
use crate::notify::{Budget, Compose};

/// The vendor takes 100 a minute and 5 a second.
const MOST: [Budget; 2] = [
    Budget { messages: 100, per: Duration::from_mins(1) },
    Budget { messages: 5, per: Duration::from_secs(1) },
];
/// What is safe, whatever the way there does to the times …
const PER_MINUTE: Budget = Budget { messages: 80, per: Duration::from_mins(1) };
/// … and this beside whatever is configured.
const PER_SECOND: Budget = Budget { messages: 4, per: Duration::from_secs(1) };
/// The vendor's limit is 20 KB with time and signature, which take about 100 bytes.
const LIMIT: usize = 20 * 1024 - 256;

/// Sends cards to a group by its custom bot.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the channel; its kind if there is none.
    pub name: Option<String>,
    /// Address of the bot; it holds its token and is taken for a secret.
    #[schemars(with = "Option<String>")]
    pub url: Option<SecretString>,
    /// File with the address.
    pub url_file: Option<PathBuf>,
    /// Key of the signature, where the bot demands one.
    #[schemars(with = "Option<String>")]
    pub secret: Option<SecretString>,
    /// File with the key.
    pub secret_file: Option<PathBuf>,
    /// Whom to mention when something critical is open: open ids (`ou_…`), or `all`.
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
    /// Hard limit; 80 per minute if it is left out. The vendor's 100 per minute and 4 per
    /// second hold beside it.
    pub budget: Option<BudgetConfig>,
}

impl Config {
    fn url(&self) -> Result<Secret, BuildError> {
        Secret::required("url", self.url.as_ref(), self.url_file.as_ref())
    }

    fn composer(&self, parts: &Parts) -> feishu_card::Writer {
        feishu_card::Writer {
            templates: Arc::clone(&parts.templates),
            at: self.at.clone(),
            people: parts.people.clone(),
            acknowledge: false,
            wrap: feishu_card::for_a_bot,
            fits: |body| body.len() <= LIMIT,
        }
    }
}

/// Ids that can be mentioned, and not too many.
pub(super) fn check_at(at: &[String]) -> Result<(), BuildError> {
    if let Some(bad) = at.iter().find(|id| !is_id(id)) {
        let hint = "a bot can mention open ids such as ou_1a2b, or all";
        return Err(BuildError(format!("`at` has {bad:?} ({hint})")));
    }
    if at.len() > MAX_AT {
        return Err(BuildError(format!("`at` names more than {MAX_AT} (mention all instead)")));
    }
    Ok(())
}

impl Settings for Config {
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn budgets(&self) -> Vec<Budget> {
        let mut all = limits(self.budget, PER_MINUTE, MOST[0]);
        all.push(PER_SECOND);
        all
    }

    fn check(&self) -> Result<(), BuildError> {
        check_at(&self.at)?;
        check_budget(self.budget, "a bot of Feishu's", &MOST)
    }

    fn send_resolved(&self) -> bool {
        self.send_resolved.unwrap_or(true)
    }

    fn endpoint(&self) -> Result<String, BuildError> {
        Ok(endpoint_hash("feishu_bot", self.url()?.read()?.expose_secret()))
    }

    fn composer(&self, parts: &Parts) -> Result<Box<dyn Compose>, BuildError> {
        self.check()?;
        Ok(Box::new(self.composer(parts)))
    }

    fn build(&self, parts: &Parts) -> Result<Box<dyn Channel>, BuildError> {
        self.check()?;
        let url = self.url()?;
        wire::check_url(url.read()?.expose_secret())?;
        let secret = Secret::of("secret", self.secret.as_ref(), self.secret_file.as_ref())?;
        let client = wire::client(&HttpConfig {
            tls: self.tls.clone(),
            proxy_url: self.proxy_url.clone(),
            timeout: Some(timeout(self.timeout)),
            ..HttpConfig::default()
        })?;
        let composer = self.composer(parts);
        Ok(Box::new(FeishuBot { composer, client, url, secret }))
    }
}

struct FeishuBot {
    composer: feishu_card::Writer,
    client: HttpClient,
    url: Secret,
    secret: Option<Secret>,
}

impl FeishuBot {
    async fn try_send(&self, message: &Message, now: Time) -> Result<SendOutcome, BuildError> {
        let mut body = message.frozen.body.clone();
        if let Some(secret) = &self.secret {
            body = signed(&body, secret.read()?.expose_secret(), now.wall.0 / 1_000);
        }
        let size = body.len();
        let url = self.url.read()?;
        Ok(match wire::post_json(&self.client, &url, &[], body, now.wall).await {
            Ok(reply) => reply::classify(&reply, size, message.attempts),
            Err(error) => SendOutcome::Retry { after_ms: None, error },
        })
    }
}

impl Channel for FeishuBot {
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

/// Base64 of HMAC-SHA256 with the key `"<seconds>\n<secret>"` over nothing: the vendor's scheme.
fn sign(secret: &str, seconds: i64) -> String {
    let key = format!("{seconds}\n{secret}");
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes())
        .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
    base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
}

/// The frozen object with time and signature in front; not a byte of the card changes.
fn signed(body: &str, secret: &str, seconds: i64) -> String {
    let rest = body.strip_prefix('{').unwrap_or(body);
    format!(r#"{{"timestamp":"{seconds}","sign":"{}",{rest}"#, sign(secret, seconds))
}
