//! What a user may write about an HTTP endpoint: the same five keys for every source and channel.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use super::Pace;

/// How to reach an HTTP endpoint.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// How Weir identifies itself.
    pub auth: Option<AuthConfig>,
    /// Certificates.
    pub tls: Option<TlsConfig>,
    /// HTTP proxy, such as `http://user:password@proxy:3128`. The environment is not looked at.
    #[schemars(with = "Option<String>")]
    pub proxy_url: Option<SecretString>,
    /// Longest time one request may take, such as `5s`.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional")]
    #[schemars(with = "Option<String>")]
    pub timeout: Option<Duration>,
    /// Headers sent with every request.
    #[schemars(with = "BTreeMap<String, String>")]
    pub headers: BTreeMap<String, SecretString>,
    /// How often it is asked; not a setting of its own.
    #[serde(skip)]
    pub pace: Pace,
}

/// How Weir identifies itself.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AuthConfig {
    /// HTTP basic authentication.
    Basic(BasicAuth),
    /// A bearer token.
    Bearer(BearerAuth),
    /// Secret headers by name.
    #[schemars(with = "BTreeMap<String, String>")]
    Headers(BTreeMap<String, SecretString>),
    /// A file of `Name: value` lines, read again when it changes.
    HeadersFile(PathBuf),
    /// A program and its arguments; it prints `Name: value` lines within ten seconds. Its answer
    /// is kept until the endpoint refuses it.
    Command(Vec<String>),
}

/// HTTP basic authentication.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BasicAuth {
    /// User name.
    pub username: String,
    /// Password.
    #[schemars(with = "Option<String>")]
    pub password: Option<SecretString>,
    /// File with the password, read again when it changes.
    pub password_file: Option<PathBuf>,
}

/// A bearer token.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BearerAuth {
    /// Token.
    #[schemars(with = "Option<String>")]
    pub token: Option<SecretString>,
    /// File with the token, read again when it changes.
    pub token_file: Option<PathBuf>,
}

/// Certificates, as PEM files. There is no switch that turns verification off: name the CA.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// CA certificates the endpoint's certificate is checked against, instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Client certificate (chain); needs `key_file`.
    pub cert_file: Option<PathBuf>,
    /// Private key of the client certificate.
    pub key_file: Option<PathBuf>,
}

impl TlsConfig {
    /// The files it names.
    pub(super) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.ca_file, &self.cert_file, &self.key_file].into_iter().flatten()
    }
}
