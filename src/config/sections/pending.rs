//! Stand-ins with the shape of `notify::channels::ChannelConfig` and `sources::flink::FlinkConfig`,
//! until those are part of this tree: then this file goes, and its two names are imported from there.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use crate::notify::Budget;

/// A channel of a receiver.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChannelConfig {
    /// Writes to the terminal.
    Console(Options),
    /// Posts to an address.
    Webhook(Options),
    /// A Feishu bot.
    FeishuBot(Options),
    /// E-mail.
    Email(Options),
}

/// What they share.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    name: Option<String>,
    #[schemars(with = "Option<String>")]
    url: Option<SecretString>,
    url_file: Option<PathBuf>,
    #[schemars(with = "Option<String>")]
    secret: Option<SecretString>,
    secret_file: Option<PathBuf>,
    #[schemars(with = "Option<String>")]
    smtp_url: Option<SecretString>,
    #[schemars(with = "Option<String>")]
    password: Option<SecretString>,
    password_file: Option<PathBuf>,
    from: Option<String>,
    to: Vec<String>,
    send_resolved: Option<bool>,
    timeout: Option<String>,
    budget: Option<BudgetConfig>,
}

/// A hard limit.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetConfig {
    messages: u32,
    #[serde(with = "crate::config::de::duration")]
    #[schemars(with = "String")]
    per: std::time::Duration,
}

impl ChannelConfig {
    fn options(&self) -> &Options {
        let (Self::Console(o) | Self::Webhook(o) | Self::FeishuBot(o) | Self::Email(o)) = self;
        o
    }

    /// Its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Console(_) => "console",
            Self::Webhook(_) => "webhook",
            Self::FeishuBot(_) => "feishu_bot",
            Self::Email(_) => "email",
        }
    }

    /// Its name inside the receiver.
    pub fn name(&self) -> &str {
        self.options().name.as_deref().unwrap_or_else(|| self.kind())
    }

    /// Hard limits of its endpoint.
    pub fn budgets(&self) -> Vec<Budget> {
        let budget = self.options().budget.as_ref();
        budget.map(|b| Budget { messages: b.messages, per: b.per }).into_iter().collect()
    }

    /// Also tell when it is over.
    pub fn send_resolved(&self) -> bool {
        self.options().send_resolved.unwrap_or(true)
    }

    /// One message per incident.
    pub fn per_incident(&self) -> bool {
        matches!(self, Self::Email(_))
    }

    /// Hash of its endpoint.
    ///
    /// # Errors
    /// Never here.
    pub fn endpoint(&self) -> Result<String, std::convert::Infallible> {
        Ok(self.kind().to_owned())
    }
}

/// A Flink cluster.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlinkConfig {
    /// Name of the source.
    pub name: String,
    /// REST addresses.
    pub urls: Vec<String>,
    /// Address of the web UI as people reach it.
    pub ui_url: Option<String>,
    /// Labels of everything seen here.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

impl FlinkConfig {
    /// A cluster at these addresses.
    pub fn at(name: &str, urls: Vec<String>) -> FlinkConfig {
        FlinkConfig { name: name.to_owned(), urls, ui_url: None, labels: BTreeMap::new() }
    }

    /// What is wrong beyond the shape, each with the way out.
    pub fn problems(&self) -> Vec<(String, String)> {
        if self.urls.is_empty() {
            return vec![(
                "`urls` is empty".to_owned(),
                "name a JobManager, such as http://jm-1:8081".to_owned(),
            )];
        }
        Vec::new()
    }
}
