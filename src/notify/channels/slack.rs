//! Slack by a bot's token: one message per incident, edited in place (`chat.update`), and replies
//! in its thread. Slack answers HTTP 200 whatever happens, so success is judged by `ok`.
//!
//! It has no documented idempotency key: where an answer is lost, a message may come twice. The
//! key is sent as `client_msg_id`, which Slack's own programs use for that.

mod blocks;
mod reply;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::SignedDuration;
use reqwest::Method;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::options::{BudgetConfig, check_budget, edit_every, endpoint_hash, hex, limits, timeout};
use super::people::is_id;
use super::secret::Secret;
use super::{BuildError, Channel, Parts, Settings, wire};
use crate::http::{HttpClient, HttpConfig, TlsConfig};
use crate::model::{Manner, Message, SendOutcome, Time};
use crate::notify::{Budget, Compose, Edits};
use reply::{Call, classify};

/// Slack takes about one message a second in a channel …
const PER_SECOND: Budget = Budget { messages: 1, per: Duration::from_secs(1) };
/// … which is as many as this a minute …
const MOST: Budget = Budget { messages: 60, per: Duration::from_mins(1) };
/// … and some hundred a minute in all of them.
const PER_MINUTE: Budget = Budget { messages: 40, per: Duration::from_mins(1) };
/// `chat.update` is of tier 3: about fifty a minute.
const EDITS: [Budget; 2] = [
    Budget { messages: 40, per: Duration::from_mins(1) },
    Budget { messages: 2, per: Duration::from_secs(1) },
];
/// Slack sets no limit itself; a workspace may, and then says so.
const EDITABLE: Duration = Duration::from_hours(365 * 24);
const BASE_URL: &str = "https://slack.com/api";
/// People and groups mentioned in one message.
const MAX_AT: usize = 20;

/// Posts to a Slack channel as an app's bot, and edits what it posted.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the channel; its kind if there is none.
    pub name: Option<String>,
    /// The bot's token, `xoxb-…`; it needs the scope `chat:write`.
    #[schemars(with = "Option<String>")]
    pub token: Option<SecretString>,
    /// File with the token, read again for every message.
    pub token_file: Option<PathBuf>,
    /// Channel the bot is a member of: its id (`C…`), or `#name`.
    pub channel: String,
    /// `https://slack.com/api` if it is left out.
    pub base_url: Option<String>,
    /// Whom to mention when something critical is open, beside the owner in `people`: member ids
    /// (`U…`), group ids (`S…`), `here` or `channel`.
    #[serde(default)]
    pub at: Vec<String>,
    /// Also tell when it is over; yes if it is left out.
    pub send_resolved: Option<bool>,
    /// Say in the thread when it is over, so that somebody notices; no if it is left out.
    #[serde(default)]
    pub reply_resolved: bool,
    /// A message is not edited more often for changes that are no news; 30s if it is left out.
    pub edit_every: Option<SignedDuration>,
    /// TLS.
    pub tls: Option<TlsConfig>,
    /// Proxy to go through.
    #[schemars(with = "Option<String>")]
    pub proxy_url: Option<SecretString>,
    /// Time limit of one request, at most 2m; 10s if it is left out.
    pub timeout: Option<SignedDuration>,
    /// Hard limit of messages; 40 per minute if it is left out. Slack's one per second holds
    /// beside it. Edits are counted apart.
    pub budget: Option<BudgetConfig>,
}

impl Config {
    fn base_url(&self) -> &str {
        self.base_url.as_deref().unwrap_or(BASE_URL).trim_end_matches('/')
    }

    fn writer(&self, parts: &Parts) -> Result<blocks::Writer, BuildError> {
        let name = self.channel.strip_prefix('#').unwrap_or(&self.channel);
        if name.is_empty() || name.len() > 100 || name.chars().any(char::is_whitespace) {
            let hint = "it is an id such as C0123ABCD, or #name";
            return Err(BuildError(format!("`channel` has {:?} ({hint})", self.channel)));
        }
        if let Some(bad) = self.at.iter().find(|id| !is_id(id)) {
            let hint = "a bot can mention U… and S… ids, here and channel";
            return Err(BuildError(format!("`at` has {bad:?} ({hint})")));
        }
        if self.at.len() > MAX_AT {
            return Err(BuildError(format!("`at` names more than {MAX_AT} (mention a group)")));
        }
        let (templates, people) = (Arc::clone(&parts.templates), parts.people.clone());
        Ok(blocks::Writer { templates, at: self.at.clone(), people })
    }

    fn token(&self) -> Result<Secret, BuildError> {
        Secret::required("token", self.token.as_ref(), self.token_file.as_ref())
    }
}

impl Settings for Config {
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn budgets(&self) -> Vec<Budget> {
        let mut all = limits(self.budget, PER_MINUTE, MOST);
        all.push(PER_SECOND);
        all
    }

    fn check(&self) -> Result<(), BuildError> {
        check_budget(self.budget, "a channel of Slack's", &[MOST, PER_SECOND])
    }

    fn send_resolved(&self) -> bool {
        self.send_resolved.unwrap_or(true)
    }

    fn per_incident(&self) -> bool {
        true
    }

    fn edits(&self) -> Option<Edits> {
        Some(Edits {
            budgets: EDITS.to_vec(),
            within: EDITABLE,
            debounce: edit_every(self.edit_every),
            reply_resolved: self.reply_resolved,
        })
    }

    fn endpoint(&self) -> Result<String, BuildError> {
        // The token may be rotated, and another app's counts apart: the channel is what is shared.
        let address = format!("{}\n{}", self.base_url(), self.channel.trim_start_matches('#'));
        Ok(endpoint_hash("slack", &address))
    }

    fn composer(&self, parts: &Parts) -> Result<Box<dyn Compose>, BuildError> {
        self.check()?;
        Ok(Box::new(self.writer(parts)?))
    }

    fn build(&self, parts: &Parts) -> Result<Box<dyn Channel>, BuildError> {
        self.check()?;
        wire::check_url(self.base_url())?;
        let token = self.token()?;
        token.read()?;
        let client = wire::client(&HttpConfig {
            tls: self.tls.clone(),
            proxy_url: self.proxy_url.clone(),
            timeout: Some(timeout(self.timeout)),
            ..HttpConfig::default()
        })?;
        let writer = self.writer(parts)?;
        let (base_url, channel) = (self.base_url().to_owned(), self.channel.clone());
        Ok(Box::new(Slack { writer, client, token, base_url, channel }))
    }
}

struct Slack {
    writer: blocks::Writer,
    client: HttpClient,
    token: Secret,
    base_url: String,
    channel: String,
}

/// The frozen parts, with where they go in front.
#[derive(Serialize)]
struct Body<'a> {
    channel: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread_ts: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_broadcast: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_msg_id: Option<String>,
    #[serde(flatten)]
    content: BTreeMap<String, Value>,
}

impl Slack {
    /// The method of a message, and its body.
    fn call(&self, message: &Message, key: &str) -> Result<(Call, String), SendOutcome> {
        let lost = |why: String| SendOutcome::Gone { error: why };
        let content = serde_json::from_str(&message.frozen.body)
            .map_err(|e| SendOutcome::Rejected { error: format!("its bytes are broken: {e}") })?;
        let mut body = Body {
            channel: &self.channel,
            ts: None,
            thread_ts: None,
            reply_broadcast: None,
            client_msg_id: Some(client_msg_id(key)),
            content,
        };
        let call = match &message.manner {
            Manner::Fresh => Call::Post,
            Manner::Edit { receipt, .. } | Manner::Reply { receipt, .. } => {
                let Some((channel, ts)) = receipt.split_once('/') else {
                    return Err(lost(format!("{receipt:?} is no channel and time")));
                };
                body.channel = channel;
                if let Manner::Reply { loud, .. } = &message.manner {
                    body.thread_ts = Some(ts);
                    body.reply_broadcast = Some(*loud);
                    Call::Reply
                } else {
                    body.ts = Some(ts);
                    body.client_msg_id = None;
                    Call::Update
                }
            }
        };
        let body = serde_json::to_string(&body)
            .map_err(|e| SendOutcome::Rejected { error: format!("its bytes are broken: {e}") })?;
        Ok((call, body))
    }

    async fn try_send(&self, message: &Message, key: &str, now: Time) -> SendOutcome {
        let (call, body) = match self.call(message, key) {
            Ok(call) => call,
            Err(outcome) => return outcome,
        };
        let token = match self.token.read() {
            Ok(token) => wire::bearer(&token),
            // A file that cannot be read may be on its way.
            Err(e) => return SendOutcome::Retry { after_ms: None, error: e.0 },
        };
        let url = format!("{}/{}", self.base_url, call.method());
        let headers = [
            ("authorization", token.expose_secret()),
            ("content-type", "application/json; charset=utf-8"),
        ];
        match wire::send_json(&self.client, Method::POST, &url, &headers, body, now.wall).await {
            Ok(reply) => classify(&reply, call, message.attempts),
            Err(error) => SendOutcome::Retry { after_ms: None, error },
        }
    }
}

/// A UUID that follows from the idempotency key.
fn client_msg_id(key: &str) -> String {
    let digest = Sha256::digest(key.as_bytes());
    let mut bytes: [u8; 16] = std::array::from_fn(|i| digest[i]);
    // Version 8: made of one's own.
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let digits = hex(&bytes);
    let part = |from, to| digits.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

impl Channel for Slack {
    fn composer(&self) -> &dyn Compose {
        &self.writer
    }

    fn send<'a>(
        &'a self,
        message: &'a Message,
        key: &'a str,
        now: Time,
    ) -> BoxFuture<'a, SendOutcome> {
        Box::pin(self.try_send(message, key, now))
    }
}
