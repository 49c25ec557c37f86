//! austin, the message platform: by its `/send`, with a template of its own. Its "ok" only says that
//! the message is in its queue. What became of it is read back by the message's own id: delivered,
//! failed, or swallowed by its night shield or deduplication (as shipped, the sixth message of a day
//! to one person is). Only delivered is delivered; anything else is refused, so that a fallback tells.

mod body;
mod reply;
#[cfg(test)]
mod tests;
mod trace;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::SignedDuration;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::options::{BudgetConfig, CONFIRM_BOUNDS, bounded, endpoint_hash, timeout};
use super::secret::Secret;
use super::{BuildError, Channel, Parts, Settings, wire};
use crate::http::{AuthConfig, HttpClient, HttpConfig, TlsConfig};
use crate::model::{Message, SendOutcome, Time, Ts};
use crate::notify::{Budget, Compose};

/// How long it is asked what became of a message when nothing is configured.
const CONFIRM: Duration = Duration::from_secs(30);
/// Between two questions.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// austin takes no more in one request.
const MAX_RECEIVERS: usize = 100;

/// Sends messages by austin.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the channel; its kind if there is none.
    pub name: Option<String>,
    /// Address of austin, such as `http://austin:8080`; taken for a secret.
    #[schemars(with = "Option<String>")]
    pub url: Option<SecretString>,
    /// File with the address.
    pub url_file: Option<std::path::PathBuf>,
    /// Number of the message template (`messageTemplateId`); one without night shield.
    pub template: u64,
    /// Whom the template sends to: phone numbers, mailboxes, user ids …, as its kind of id is.
    pub receivers: Vec<String>,
    /// The template's variables (`{$title}` is `title`), and what is put into each: `title`, `text`
    /// or `link`. Left out: `title` and `content`, which is the text.
    pub variables: Option<BTreeMap<String, body::Part>>,
    /// Read back whether it was delivered; yes if it is left out. Without it, what austin has queued
    /// counts as delivered. It needs austin's own Flink job, which writes what became of messages.
    pub confirm: Option<bool>,
    /// What is not known to be delivered after so long counts as refused; 30s, at most 2m.
    pub confirm_within: Option<SignedDuration>,
    /// Also tell when it is over; yes if it is left out.
    pub send_resolved: Option<bool>,
    /// Extra request headers.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub headers: BTreeMap<String, SecretString>,
    /// Credentials, for a gateway before it: austin itself has none.
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

    fn check(&self) -> Result<(), BuildError> {
        let plain = |one: &String| {
            !one.trim().is_empty() && !one.contains(',') && !one.contains(char::is_control)
        };
        let bad = |what: &str, hint: &str| Err(BuildError(format!("{what} ({hint})")));
        if self.receivers.is_empty() {
            return bad("`receivers` is empty", "name whom the template sends to");
        }
        if self.receivers.len() > MAX_RECEIVERS {
            return bad("`receivers` has more than 100 entries", "austin refuses more at once");
        }
        if !self.receivers.iter().all(plain) {
            return bad("`receivers` has an entry with a comma, or none", "one entry for each");
        }
        if self.variables.as_ref().is_some_and(BTreeMap::is_empty) {
            return bad("`variables` is empty", "leave it out for `title` and `content`");
        }
        Ok(())
    }

    fn composer(&self, parts: &Parts) -> body::Composer {
        body::Composer {
            templates: Arc::clone(&parts.templates),
            template: self.template,
            receivers: self.receivers.join(","),
            variables: self.variables.clone().unwrap_or_else(body::usual),
        }
    }

    /// How long it is asked; none: not at all.
    fn confirms(&self) -> Option<Duration> {
        let within = bounded(self.confirm_within, CONFIRM, CONFIRM_BOUNDS);
        self.confirm.unwrap_or(true).then_some(within)
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
        self.check()?;
        let url = self.url()?.read()?;
        let to = self.receivers.join(",");
        Ok(endpoint_hash("austin", &format!("{}\n{}\n{to}", url.expose_secret(), self.template)))
    }

    fn composer(&self, parts: &Parts) -> Result<Box<dyn Compose>, BuildError> {
        Ok(Box::new(self.composer(parts)))
    }

    fn build(&self, parts: &Parts) -> Result<Box<dyn Channel>, BuildError> {
        self.check()?;
        let url = self.url()?;
        wire::check_url(url.read()?.expose_secret())?;
        let client = wire::client(&HttpConfig {
            auth: self.auth.clone(),
            tls: self.tls.clone(),
            proxy_url: self.proxy_url.clone(),
            timeout: Some(timeout(self.timeout)),
            headers: self.headers.clone(),
            ..HttpConfig::default()
        })?;
        Ok(Box::new(Austin {
            composer: self.composer(parts),
            client,
            url,
            confirms: self.confirms(),
        }))
    }
}

struct Austin {
    composer: body::Composer,
    client: HttpClient,
    url: Secret,
    confirms: Option<Duration>,
}

impl Austin {
    async fn try_send(&self, message: &Message, now: Ts) -> Result<SendOutcome, BuildError> {
        let url = self.url.read()?;
        let send = address(&url, "/send");
        let body = message.frozen.body.clone();
        let queued = match wire::post_json(&self.client, &send, &[], body, now).await {
            Ok(reply) => reply::judge(&reply),
            Err(error) => Err(SendOutcome::Retry { after_ms: None, error }),
        };
        Ok(match (queued, self.confirms) {
            (Err(outcome), _) => outcome,
            (Ok(_), None) => SendOutcome::Delivered,
            (Ok(id), Some(within)) => self.confirm(&url, id, within, now).await,
        })
    }

    /// Asks what became of it until that is known, or the time is over.
    async fn confirm(
        &self,
        url: &SecretString,
        id: Option<String>,
        within: Duration,
        now: Ts,
    ) -> SendOutcome {
        let Some(id) = id else {
            let error = "austin queued it, and gave no messageId to ask with: nobody knows whether \
                         it was delivered (an austin this old needs `confirm: false`)";
            return SendOutcome::Rejected { error: error.to_owned() };
        };
        let mut last = None;
        let asking = async {
            loop {
                match self.ask(url, &id, now).await {
                    Ok(fate) => match fate.outcome() {
                        Some(outcome) => return outcome,
                        None => last = None,
                    },
                    Err(error) => last = Some(error),
                }
                tokio::time::sleep(ASK_EVERY).await;
            }
        };
        match tokio::time::timeout(within, asking).await {
            Ok(outcome) => outcome,
            Err(_) => SendOutcome::Rejected { error: trace::unknown(&id, within, last.as_deref()) },
        }
    }

    async fn ask(&self, url: &SecretString, id: &str, now: Ts) -> Result<trace::Fate, String> {
        let question = serde_json::json!({ "messageId": id }).to_string();
        let address = address(url, "/trace/message");
        let reply = wire::post_json(&self.client, &address, &[], question, now).await?;
        trace::read(&reply)
    }
}

fn address(base: &SecretString, path: &str) -> SecretString {
    SecretString::from(format!("{}{path}", base.expose_secret().trim_end_matches('/')))
}

impl Channel for Austin {
    fn composer(&self) -> &dyn Compose {
        &self.composer
    }

    fn send<'a>(
        &'a self,
        message: &'a Message,
        _: &'a str,
        now: Time,
    ) -> BoxFuture<'a, SendOutcome> {
        Box::pin(async move {
            self.try_send(message, now.wall)
                .await
                .unwrap_or_else(|e| SendOutcome::Retry { after_ms: None, error: e.0 })
        })
    }
}
