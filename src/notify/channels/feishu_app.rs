//! An app of Feishu's (or Lark's): one card per incident, edited in place, and replies below it.
//! It needs an access token of two hours; success is judged by the `code` of each answer. The
//! vendor absorbs a repeated send with the same `uuid` within an hour, and answers it alike.

mod api;
mod reply;
#[cfg(test)]
mod tests;
mod token;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::SignedDuration;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::feishu_bot::check_at;
use super::feishu_card;
use super::options::{BudgetConfig, check_budget, edit_every, endpoint_hash, limits, timeout};
use super::secret::Secret;
use super::{BuildError, Channel, Parts, Settings, wire};
use crate::http::{HttpConfig, TlsConfig};
use crate::model::{Message, SendOutcome, Time};
use crate::notify::{Budget, Compose, Edits};

/// The vendor takes 5 a second of all bots of one chat. Of one app it takes 1,000 a minute and 50 a
/// second in all its chats, which are not counted together here: ten busy chats stay below it.
const MOST: [Budget; 2] = [
    Budget { messages: 300, per: Duration::from_mins(1) },
    Budget { messages: 5, per: Duration::from_secs(1) },
];
/// What leaves room for other bots and chats …
const PER_MINUTE: Budget = Budget { messages: 100, per: Duration::from_mins(1) };
/// … and this beside whatever is configured.
const PER_SECOND: Budget = Budget { messages: 4, per: Duration::from_secs(1) };
/// Edits are counted apart: 1,000 a minute and 50 a second of one app, 5 a second of one message.
const EDITS: [Budget; 2] = [
    Budget { messages: 300, per: Duration::from_mins(1) },
    Budget { messages: 5, per: Duration::from_secs(1) },
];
/// A card can be edited for 14 days; an hour less, since clocks differ.
const EDITABLE: Duration = Duration::from_hours(14 * 24 - 1);
/// The vendor takes 30 KB with everything around the card.
const LIMIT: usize = 30 * 1024 - 512;
const BASE_URL: &str = "https://open.feishu.cn";

/// What `receive_id` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReceiveIdType {
    /// A chat, `oc_…`.
    ChatId,
    /// A person as this app knows them, `ou_…`.
    OpenId,
    /// A person by the tenant's own id.
    UserId,
    /// A person as all apps of one developer know them, `on_…`.
    UnionId,
    /// A person by mail address.
    Email,
}

impl ReceiveIdType {
    fn as_str(self) -> &'static str {
        match self {
            ReceiveIdType::ChatId => "chat_id",
            ReceiveIdType::OpenId => "open_id",
            ReceiveIdType::UserId => "user_id",
            ReceiveIdType::UnionId => "union_id",
            ReceiveIdType::Email => "email",
        }
    }

    /// From how ids look.
    fn of(id: &str) -> Option<ReceiveIdType> {
        match id.get(..3) {
            Some("oc_") => Some(ReceiveIdType::ChatId),
            Some("ou_") => Some(ReceiveIdType::OpenId),
            Some("on_") => Some(ReceiveIdType::UnionId),
            _ => id.contains('@').then_some(ReceiveIdType::Email),
        }
    }
}

/// Sends cards as an app's bot, and edits them as their incidents change.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the channel; its kind if there is none.
    pub name: Option<String>,
    /// The app, `cli_…`.
    pub app_id: String,
    /// Its secret.
    #[schemars(with = "Option<String>")]
    pub app_secret: Option<SecretString>,
    /// File with the secret, read again for every token.
    pub app_secret_file: Option<PathBuf>,
    /// The chat the bot is a member of, `oc_…`.
    pub chat_id: Option<String>,
    /// Instead of `chat_id`: a person or a chat.
    pub receive_id: Option<String>,
    /// What `receive_id` is; seen from the id if it is left out.
    pub receive_id_type: Option<ReceiveIdType>,
    /// `https://open.feishu.cn` if it is left out; `https://open.larksuite.com` for Lark.
    pub base_url: Option<String>,
    /// Whom to mention when something critical is open, beside the owner in `people`: open ids
    /// (`ou_…`), or `all`.
    #[serde(default)]
    pub at: Vec<String>,
    /// Also tell when it is over; yes if it is left out.
    pub send_resolved: Option<bool>,
    /// Say below the card when it is over, so that somebody notices; no if it is left out.
    #[serde(default)]
    pub reply_resolved: bool,
    /// A card is not edited more often for changes that are no news; 30s if it is left out.
    pub edit_every: Option<SignedDuration>,
    /// TLS.
    pub tls: Option<TlsConfig>,
    /// Proxy to go through.
    #[schemars(with = "Option<String>")]
    pub proxy_url: Option<SecretString>,
    /// Time limit of one request, at most 2m; 10s if it is left out.
    pub timeout: Option<SignedDuration>,
    /// Hard limit of messages; 100 per minute if it is left out. The vendor's 5 per second of a
    /// chat hold beside it. Edits are counted apart.
    pub budget: Option<BudgetConfig>,
}

impl Config {
    fn target(&self) -> Result<(String, ReceiveIdType), BuildError> {
        let wrong = |text: &str| Err(BuildError(text.to_owned()));
        match (&self.chat_id, &self.receive_id) {
            (Some(_), Some(_)) => wrong("`chat_id` and `receive_id` are both set (keep one)"),
            (None, None) => wrong("`chat_id` is missing (set it, or `receive_id`)"),
            (Some(_), None) if self.receive_id_type.is_some() => {
                wrong("`receive_id_type` goes with `receive_id`, not with `chat_id`")
            }
            (Some(id), None) => Ok((id.clone(), ReceiveIdType::ChatId)),
            (None, Some(id)) => match self.receive_id_type.or_else(|| ReceiveIdType::of(id)) {
                Some(kind) => Ok((id.clone(), kind)),
                None => wrong("`receive_id_type` is missing (`receive_id` could be several)"),
            },
        }
    }

    fn base_url(&self) -> &str {
        self.base_url.as_deref().unwrap_or(BASE_URL).trim_end_matches('/')
    }

    fn writer(&self, parts: &Parts) -> feishu_card::Writer {
        feishu_card::Writer {
            templates: Arc::clone(&parts.templates),
            at: self.at.clone(),
            people: parts.people.clone(),
            acknowledge: true,
            wrap: feishu_card::for_an_app,
            fits: |card| api::as_string(card).len() <= LIMIT,
        }
    }
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
        check_budget(self.budget, "a chat of Feishu's", &MOST)
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
        let (id, _) = self.target()?;
        let address = format!("{}\n{}\n{id}", self.base_url(), self.app_id);
        Ok(endpoint_hash("feishu_app", &address))
    }

    fn composer(&self, parts: &Parts) -> Result<Box<dyn Compose>, BuildError> {
        self.check()?;
        Ok(Box::new(self.writer(parts)))
    }

    fn build(&self, parts: &Parts) -> Result<Box<dyn Channel>, BuildError> {
        self.check()?;
        wire::check_url(self.base_url())?;
        let (receive_id, kind) = self.target()?;
        let secret = Secret::required(
            "app_secret",
            self.app_secret.as_ref(),
            self.app_secret_file.as_ref(),
        )?;
        secret.read()?;
        let client = wire::client(&HttpConfig {
            tls: self.tls.clone(),
            proxy_url: self.proxy_url.clone(),
            timeout: Some(timeout(self.timeout)),
            ..HttpConfig::default()
        })?;
        let base_url = self.base_url().to_owned();
        let tokens = token::Tokens::new(&base_url, self.app_id.clone(), secret);
        let api = api::Api { client, base_url, tokens, receive_id, kind: kind.as_str() };
        Ok(Box::new(FeishuApp { writer: self.writer(parts), api }))
    }
}

struct FeishuApp {
    writer: feishu_card::Writer,
    api: api::Api,
}

impl Channel for FeishuApp {
    fn composer(&self) -> &dyn Compose {
        &self.writer
    }

    fn send<'a>(
        &'a self,
        message: &'a Message,
        key: &'a str,
        now: Time,
    ) -> BoxFuture<'a, SendOutcome> {
        Box::pin(self.api.send(message, key, now))
    }
}

/// For the body of a request.
fn exposed(secret: &SecretString) -> &str {
    secret.expose_secret()
}
