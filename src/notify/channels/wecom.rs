//! WeCom group robot: one markdown message each. The robot answers HTTP 200 whatever happens, so
//! success is judged by the `errcode` of its reply; a text is within 4,096 bytes whatever is in it.

mod message;
mod reply;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::SignedDuration;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use super::options::{BudgetConfig, endpoint_hash, limits, timeout};
use super::secret::Secret;
use super::{BuildError, Channel, Parts, Settings, group_bot, wire};
use crate::http::{HttpClient, HttpConfig, TlsConfig};
use crate::model::{Message, SendOutcome, Time};
use crate::notify::{Budget, Compose};

/// The vendor takes 20 a minute.
const MOST: Budget = Budget { messages: 20, per: Duration::from_mins(1) };
/// What is safe, whatever the way there does to the times.
const SAFE: Budget = Budget { messages: 18, per: Duration::from_mins(1) };

/// Sends markdown to a group by its robot.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the channel; its kind if there is none.
    pub name: Option<String>,
    /// Address of the robot; it holds its key and is taken for a secret.
    #[schemars(with = "Option<String>")]
    pub url: Option<SecretString>,
    /// File with the address.
    pub url_file: Option<PathBuf>,
    /// Whom to mention when something critical is open: user ids.
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
        if self.at.iter().any(|name| name == "all") {
            let hint = "WeCom's robots cannot mention everybody in markdown: name user ids";
            return Err(BuildError(format!("`at` has \"all\" ({hint})")));
        }
        let id = |c: char| c.is_ascii_alphanumeric() || "_-.@".contains(c);
        group_bot::check_at(&self.at, id, "user ids such as zhangsan")?;
        self.budget.map_or(Ok(()), |own| own.check("WeCom", MOST))
    }

    fn endpoint(&self) -> Result<String, BuildError> {
        let url = self.url()?.read_plain()?;
        let key = wire::query_value(&url, "key").unwrap_or(url);
        Ok(endpoint_hash("wecom", &key))
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
        if wire::query_value(&now, "key").is_none() {
            let hint = "copy the whole address from the robot's page";
            return Err(BuildError(format!("`url` has no key ({hint})")));
        }
        let client = wire::client(&HttpConfig {
            tls: self.tls.clone(),
            proxy_url: self.proxy_url.clone(),
            timeout: Some(timeout(self.timeout)),
            ..HttpConfig::default()
        })?;
        Ok(Box::new(WeCom { composer: self.composer(parts), client, url }))
    }
}

struct WeCom {
    composer: message::Composer,
    client: HttpClient,
    url: Secret,
}

impl WeCom {
    async fn try_send(&self, message: &Message, now: Time) -> Result<SendOutcome, BuildError> {
        let (url, body) = (self.url.read()?, message.frozen.body.clone());
        Ok(match wire::post_json(&self.client, &url, &[], body, now.wall).await {
            Ok(reply) => reply::classify(&reply, message.attempts),
            Err(error) => SendOutcome::Retry { after_ms: None, error },
        })
    }
}

impl Channel for WeCom {
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
