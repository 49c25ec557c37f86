//! The `web` section of the configuration.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use crate::model::Matcher;

/// Where the status page, the API and the metrics are served, and who may read them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WebConfig {
    /// Address and port to listen on, such as `127.0.0.1:9321` or `[::]:9321`. Anything but a
    /// loopback address needs `tokens`.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// Where people reach Weir from outside, for links in messages and for a reverse proxy.
    pub external_url: Option<String>,
    /// Who may read or operate when `listen` is not a loopback address.
    pub tokens: Vec<TokenConfig>,
    /// Serve `/metrics` without a token.
    pub metrics_open: bool,
}

impl Default for WebConfig {
    fn default() -> Self {
        WebConfig {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9321),
            external_url: None,
            tokens: Vec::new(),
            metrics_open: false,
        }
    }
}

/// One bearer token.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    /// Whose it is; shown where an action is recorded.
    pub name: String,
    /// The token itself, at least 16 characters.
    #[schemars(with = "Option<String>")]
    pub token: Option<SecretString>,
    /// A file that holds the token; read again when it changes.
    pub token_file: Option<PathBuf>,
    /// What it allows.
    #[serde(default)]
    pub scope: Scope,
    /// Only what belongs to jobs with these labels; none: everything.
    #[serde(skip)]
    pub matchers: Vec<Matcher>,
}

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Post alerts, and nothing else.
    Alert,
    /// Look at everything.
    #[default]
    Read,
    /// Change things too.
    Operate,
}

impl WebConfig {
    /// What is wrong with the section, each with its way out; empty: nothing.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !self.listen.ip().is_loopback() && self.tokens.is_empty() {
            problems.push(format!(
                "web.listen {} can be reached from other machines but web.tokens is empty; add a \
                 token (web.tokens: [{{ name: ops, token_file: /run/secrets/weir_token }}]) or \
                 listen on 127.0.0.1:{}",
                self.listen,
                self.listen.port()
            ));
        }
        if let Some(url) = &self.external_url
            && host_of(url).is_none()
        {
            problems.push(
                "web.external_url is not an http(s) url; write it like https://weir.example.com/"
                    .to_owned(),
            );
        }
        for token in &self.tokens {
            let name = &token.name;
            match (&token.token, &token.token_file) {
                (Some(_), Some(_)) => problems.push(format!(
                    "token `{name}` of web.tokens has both token and token_file; keep one"
                )),
                (None, None) => problems.push(format!(
                    "token `{name}` of web.tokens has neither token nor token_file; add one"
                )),
                _ => {}
            }
        }
        problems
    }
}

/// Host of an http(s) URL, lowercase.
pub(super) fn host_of(url: &str) -> Option<String> {
    let url = reqwest::Url::parse(url).ok()?;
    matches!(url.scheme(), "http" | "https").then(|| url.host_str().map(str::to_lowercase))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_door_is_refused() {
        let mut config = WebConfig::default();
        assert!(config.problems().is_empty());
        config.listen = "0.0.0.0:9321".parse().unwrap();
        config.external_url = Some("weir.example.com".into());
        config.tokens = Vec::new();
        let problems = config.problems().join("\n");
        assert!(problems.contains("web.tokens is empty; add a token"), "{problems}");
        assert!(problems.contains("external_url is not an http(s) url"), "{problems}");
        config.tokens = vec![TokenConfig {
            name: "ops".into(),
            token: None,
            token_file: None,
            scope: Scope::Read,
            matchers: Vec::new(),
        }];
        assert!(config.problems().join("\n").contains("neither token nor token_file"));
    }
}
