//! Weir's own address, and who may use it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::config::de::{At, Secret};
use crate::model::Matcher;
use crate::web::SHORTEST_TOKEN;
use crate::yaml::findings::Findings;
use crate::yaml::tree::Place;

/// Labels alerts have and jobs do not.
const OF_ALERTS: [&str; 4] = ["alertname", "severity", "receiver", "channel"];

/// As written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WebConfig {
    /// Address and port to listen on.
    pub listen: At<String>,
    /// Where people reach Weir's page: for links in messages.
    pub external_url: Option<String>,
    /// Who may use the API off loopback.
    pub tokens: Vec<At<TokenConfig>>,
    /// `/metrics` needs no token.
    pub metrics_open: bool,
    /// Messages have links that acknowledge without a token, each once, where `external_url` is
    /// given; `false`: they have none.
    pub links: bool,
}

impl Default for WebConfig {
    fn default() -> Self {
        WebConfig {
            listen: At::nowhere("127.0.0.1:9321".to_owned()),
            external_url: None,
            tokens: Vec::new(),
            metrics_open: false,
            links: true,
        }
    }
}

/// A token of the API.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    /// Whose: for the log.
    pub name: String,
    /// The token.
    #[schemars(with = "Option<String>")]
    pub token: Option<SecretString>,
    /// File with the token.
    pub token_file: Option<PathBuf>,
    /// What it opens.
    #[serde(default)]
    pub access: Access,
    /// It sees jobs with these labels only, with their incidents, notices, messages and silences,
    /// and changes nothing else; none: everything.
    #[serde(default)]
    pub matchers: Vec<At<String>>,
}

/// What a token opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Posting alerts to `/api/v2/alerts`, and nothing else: for Prometheus.
    Alert,
    /// Looking.
    #[default]
    Read,
    /// Silences, acknowledgements, restarts, posted alerts too.
    Operate,
}

/// Weir's own address, and who may use it.
#[derive(Debug, Clone)]
pub struct Web {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// Where people reach Weir's page, without a trailing slash.
    pub external_url: Option<String>,
    /// Who may use the API off loopback.
    pub tokens: Vec<Token>,
    /// `/metrics` needs no token.
    pub metrics_open: bool,
    /// Messages have links that acknowledge.
    pub links: bool,
}

/// A token of the API.
#[derive(Debug, Clone)]
pub struct Token {
    /// Whose: for the log.
    pub name: String,
    /// The token.
    pub secret: Secret,
    /// What it opens.
    pub access: Access,
    /// Only for jobs with these labels; none: for everything.
    pub matchers: Vec<Matcher>,
}

impl WebConfig {
    pub(in crate::config) fn build(self, findings: &mut Findings) -> Web {
        let listen = address(&self.listen.value).unwrap_or_else(|| {
            findings.error(
                self.listen.place,
                format!("invalid address `{}`", crate::yaml::tree::excerpt(&self.listen.value)),
                Some("write it as `127.0.0.1:9321` or `0.0.0.0:9321`".to_owned()),
            );
            SocketAddr::from((Ipv4Addr::LOCALHOST, 9321))
        });
        if !listen.ip().is_loopback() && self.tokens.is_empty() {
            let what = format!("`{listen}` is open to the network, and there are no `tokens`");
            if self.metrics_open {
                findings.warn(
                    self.listen.place,
                    what,
                    Some("only health and metrics will answer; add `tokens`".to_owned()),
                );
            } else {
                findings.error(
                    self.listen.place,
                    what,
                    Some("add `tokens`, or listen on 127.0.0.1".to_owned()),
                );
            }
        }
        let tokens = self.tokens.into_iter();
        let tokens = tokens.filter_map(|t| Some((t.place, token(t, findings)?)));
        let tokens: Vec<(Place, Token)> = tokens.collect();
        twins(&tokens, findings);
        let tokens = tokens.into_iter().map(|(_, token)| token).collect();
        Web {
            listen,
            external_url: self.external_url.map(|u| u.trim_end_matches('/').to_owned()),
            tokens,
            metrics_open: self.metrics_open,
            links: self.links,
        }
    }
}

fn token(written: At<TokenConfig>, findings: &mut Findings) -> Option<Token> {
    let At { value: raw, place } = written;
    let matchers = super::matchers(&raw.matchers, findings);
    if let Some(first) = raw.matchers.first().filter(|_| raw.access == Access::Alert) {
        findings.error(
            first.place,
            "a token that posts alerts is not for some jobs only".to_owned(),
            Some("leave `matchers` out, or take `access: read` or `operate`".to_owned()),
        );
    }
    for text in &raw.matchers {
        let of_alerts = |m: &Matcher| OF_ALERTS.contains(&m.name.as_str());
        if let Some(matcher) = Matcher::parse(&text.value).ok().filter(of_alerts) {
            findings.error(
                text.place,
                format!("a token is for jobs, and jobs have no label `{}`", matcher.name),
                Some("match a label of jobs: `matchers: ['team=\"ads\"']`".to_owned()),
            );
        }
    }
    let Some(secret) = Secret::from_twins(raw.token, raw.token_file) else {
        findings.error(
            place,
            format!("token `{}` is empty", raw.name),
            Some("add `token_file:`".to_owned()),
        );
        return None;
    };
    if let Some(said) = too_short(&secret) {
        findings.error(
            place,
            format!("token `{}` {said}", raw.name),
            Some("make one with `openssl rand -hex 24`".to_owned()),
        );
    }
    Some(Token { name: raw.name, secret, access: raw.access, matchers })
}

/// What is wrong with a token, as far as it can be read; that a file is missing is said elsewhere.
fn too_short(secret: &Secret) -> Option<String> {
    if let Secret::File(path) = secret
        && !path.is_file()
    {
        return None;
    }
    match secret.read() {
        Ok(token) if token.expose_secret().len() >= SHORTEST_TOKEN => None,
        Ok(_) => Some(format!("is shorter than {SHORTEST_TOKEN} characters")),
        Err(error) => Some(error.to_string()),
    }
}

/// Two tokens with one name could not be told apart, and one secret would open what both do.
fn twins(tokens: &[(Place, Token)], findings: &mut Findings) {
    for (n, (place, token)) in tokens.iter().enumerate() {
        let earlier = || tokens.iter().take(n).map(|(_, earlier)| earlier);
        if earlier().any(|other| other.name == token.name) {
            let what = format!("there are two tokens `{}`", token.name);
            findings.error(*place, what, Some("give each a name of its own".to_owned()));
        }
        let secret = |token: &Token| token.secret.read().ok();
        let same = |other: &&Token| match (secret(other), secret(token)) {
            (Some(a), Some(b)) => a.expose_secret() == b.expose_secret(),
            _ => false,
        };
        if let Some(other) = earlier().find(same) {
            findings.error(
                *place,
                format!("tokens `{}` and `{}` are the same secret", other.name, token.name),
                Some("make one for each with `openssl rand -hex 24`".to_owned()),
            );
        }
    }
}

fn address(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.rsplit_once(':')?;
    match host {
        "localhost" => Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse().ok()?))),
        "" => Some(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port.parse().ok()?))),
        _ => text.parse().ok(),
    }
}
