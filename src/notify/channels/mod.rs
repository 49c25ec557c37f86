//! Channels: how a message reaches people. Each writes its body by a pure function
//! ([`Compose`]) and sends frozen bytes.
//!
//! To add one: a file with a `Config` that implements `Settings`, its `mod` and its line in
//! `channels!` below, and its templates.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::{Message, SendOutcome, Time};
use crate::notify::render::{Detail, Templates};
use crate::notify::{Budget, Compose, Edits, MessageView};

mod alertmanager;
mod annotations;
mod austin;
mod command;
mod console;
mod dingtalk;
mod email;
mod feishu_app;
mod feishu_bot;
mod feishu_card;
mod feishu_preview;
mod group_bot;
mod options;
mod pagerduty;
mod people;
mod secret;
mod slack;
mod webhook;
mod wecom;
mod wire;

pub use options::{BOUNDS, Bounds, BudgetConfig};
pub use people::{Handles, People};

/// One configured integration of a receiver.
pub trait Channel: Send + Sync {
    /// What writes its messages.
    fn composer(&self) -> &dyn Compose;

    /// Sends frozen bytes once. Never retries by itself: the outbox decides. Bounded in time.
    /// `key` is the idempotency key (`<installation>-<message id>`).
    fn send<'a>(
        &'a self,
        message: &'a Message,
        key: &'a str,
        now: Time,
    ) -> BoxFuture<'a, SendOutcome>;
}

/// Where the console channel writes; only the command line may print.
pub type Sink = Arc<dyn Fn(&str) + Send + Sync>;

/// What channels are built from besides their own configuration.
#[derive(Clone)]
pub struct Parts {
    /// Shipped or a user's own templates.
    pub templates: Arc<Templates>,
    /// For the console channel.
    pub sink: Sink,
    /// Owners that can be mentioned.
    pub people: People,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

/// Why a channel cannot be built, with the way out; never with a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BuildError(pub String);

/// What the configuration of every kind of channel can tell.
pub(crate) trait Settings {
    /// Name given by the user; needed when a receiver has two of a kind.
    fn name(&self) -> Option<&str>;
    /// Hard limits of its endpoint.
    fn budgets(&self) -> Vec<Budget>;
    /// Also tell when it is over.
    fn send_resolved(&self) -> bool {
        true
    }
    /// One message per incident even inside a group.
    fn per_incident(&self) -> bool {
        false
    }
    /// What can be told to be wrong without reading anything or reaching anybody.
    fn check(&self) -> Result<(), BuildError> {
        Ok(())
    }
    /// Its alerts have to be sent again so often, or they are forgotten.
    fn resend(&self) -> Option<Duration> {
        None
    }
    /// It keeps what it was told open elsewhere, and is told when somebody has it.
    fn marks(&self) -> bool {
        false
    }
    /// How its messages are edited in place; `None`: they cannot be.
    fn edits(&self) -> Option<Edits> {
        None
    }
    /// Hash of what the budget belongs to.
    fn endpoint(&self) -> Result<String, BuildError>;
    /// What writes its messages, without anything that could send them.
    fn composer(&self, parts: &Parts) -> Result<Box<dyn Compose>, BuildError>;
    /// The running channel.
    fn build(&self, parts: &Parts) -> Result<Box<dyn Channel>, BuildError>;
}

/// The one list of channels.
macro_rules! channels {
    ($($(#[doc = $doc:literal])* $kind:ident => $variant:ident),* $(,)?) => {
        /// A channel of a receiver: its kind and its configuration.
        #[derive(Debug, Clone, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum ChannelConfig {
            $($(#[doc = $doc])* $variant($kind::Config),)*
        }

        impl ChannelConfig {
            /// All kinds, for error messages and documentation.
            pub const KINDS: &'static [&'static str] = &[$(stringify!($kind)),*];

            /// Its kind, such as `webhook`; the default of its name.
            pub fn kind(&self) -> &'static str {
                match self { $(ChannelConfig::$variant(_) => stringify!($kind),)* }
            }

            fn settings(&self) -> &dyn Settings {
                match self { $(ChannelConfig::$variant(config) => config,)* }
            }
        }
    };
}

channels! {
    /// Alertmanager, by its API version 2.
    alertmanager => Alertmanager,
    /// The message platform austin, by its `/send`.
    austin => Austin,
    /// Runs a program with the message as JSON on its standard input.
    command => Command,
    /// Writes to the terminal.
    console => Console,
    /// A DingTalk group's custom robot: markdown.
    dingtalk => Dingtalk,
    /// Mail by SMTP, one thread per incident.
    email => Email,
    /// An app of Feishu's or Lark's: one card per incident, edited in place.
    feishu_app => FeishuApp,
    /// A Feishu or Lark group's custom bot: interactive cards.
    feishu_bot => FeishuBot,
    /// PagerDuty's Events API, version 2: one alert per incident, one for a storm.
    pagerduty => Pagerduty,
    /// A Slack app: one message per incident, edited in place.
    slack => Slack,
    /// Alertmanager's webhook, version 4, with our fields.
    webhook => Webhook,
    /// A WeCom group's robot: markdown.
    wecom => Wecom,
}

impl ChannelConfig {
    /// The console channel as it is without settings.
    pub fn terminal() -> ChannelConfig {
        ChannelConfig::Console(console::Config::default())
    }

    /// Its name inside the receiver.
    pub fn name(&self) -> &str {
        self.settings().name().unwrap_or_else(|| self.kind())
    }

    /// Hard limits of its endpoint, all of which hold.
    pub fn budgets(&self) -> Vec<Budget> {
        self.settings().budgets()
    }

    /// Also tell when it is over.
    pub fn send_resolved(&self) -> bool {
        self.settings().send_resolved()
    }

    /// One message per incident even inside a group (mail threads), up to a storm.
    pub fn per_incident(&self) -> bool {
        self.settings().per_incident()
    }

    /// Tells what is wrong with it as it is written, for `weir check`.
    ///
    /// # Errors
    /// When something in its configuration cannot be used; the text says what and the way out.
    pub fn check(&self) -> Result<(), BuildError> {
        self.settings().check()
    }

    /// Its alerts have to be sent again so often, or they are forgotten; its news go at once.
    pub fn resend(&self) -> Option<Duration> {
        self.settings().resend()
    }

    /// It keeps what it was told open elsewhere, and is told when somebody has it.
    pub fn marks(&self) -> bool {
        self.settings().marks()
    }

    /// How its messages are edited in place; `None`: they cannot be.
    pub fn edits(&self) -> Option<Edits> {
        self.settings().edits()
    }

    /// Hash of its endpoint: channels with the same one share its budgets.
    ///
    /// # Errors
    /// When the file that holds its address cannot be read.
    pub fn endpoint(&self) -> Result<String, BuildError> {
        self.settings().endpoint()
    }

    /// What writes its messages, for replay: it cannot send.
    ///
    /// # Errors
    /// As [`ChannelConfig::build`].
    pub fn composer(&self, parts: &Parts) -> Result<Box<dyn Compose>, BuildError> {
        self.settings().composer(parts)
    }

    /// Builds the running channel.
    ///
    /// # Errors
    /// When something in its configuration cannot be used; the text says what and the way out.
    pub fn build(&self, parts: &Parts) -> Result<Box<dyn Channel>, BuildError> {
        self.settings().build(parts)
    }
}

/// A message's title and its text as the console channel shows it, whatever channel it is for.
pub fn as_text(templates: &Templates, view: &MessageView) -> (String, String) {
    let (title, text, _) = console::text(templates, view, Detail::FULL);
    (title, text)
}

#[cfg(test)]
pub(crate) mod testing;
