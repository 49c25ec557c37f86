//! What a user writes about a store of checkpoints.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use super::place::{Place, place};
use crate::http::TlsConfig;

/// A store of checkpoints that speaks S3's protocol. Folders of this host need no entry.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoreConfig {
    /// What paths in it begin with, such as `s3://bucket/flink`. `s3`, `s3a` and `s3p` are the same;
    /// of several entries the longest that fits counts.
    pub prefix: String,
    /// Its address, such as `https://minio.example.com:9000`. Default: Amazon's of the region.
    pub endpoint: Option<String>,
    /// Its region. Default: us-east-1.
    pub region: Option<String>,
    /// The bucket is a part of the path, not of the host name. Default: true with an `endpoint`.
    pub path_style: Option<bool>,
    /// Access key. It has to read objects and to list the bucket: without the latter S3 does not
    /// tell what is missing from what is forbidden.
    #[schemars(with = "Option<String>")]
    pub access_key: Option<SecretString>,
    /// File with the access key, read anew for each look.
    pub access_key_file: Option<PathBuf>,
    /// Secret of the access key.
    #[schemars(with = "Option<String>")]
    pub secret_key: Option<SecretString>,
    /// File with that secret, read anew for each look.
    pub secret_key_file: Option<PathBuf>,
    /// Token of temporary credentials.
    #[schemars(with = "Option<String>")]
    pub session_token: Option<SecretString>,
    /// File with that token, read anew for each look.
    pub session_token_file: Option<PathBuf>,
    /// Certificates.
    pub tls: Option<TlsConfig>,
    /// HTTP proxy, such as `http://user:password@proxy:3128`. The environment is not looked at.
    #[schemars(with = "Option<String>")]
    pub proxy_url: Option<SecretString>,
    /// Longest time of one request. Default: 5s.
    #[serde(default, with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional")]
    #[schemars(with = "Option<String>")]
    pub timeout: Option<Duration>,
}

impl StoreConfig {
    /// What is wrong beyond the shape: what, and the way out.
    pub fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut add = |what: String, hint: &str| found.push((what, hint.to_owned()));
        if !matches!(place(&self.prefix), Place::Object { .. }) {
            add(
                format!("`prefix` {} names no bucket", self.prefix),
                "write what paths in it begin with, such as s3://bucket/flink; folders of this host \
                 need no entry",
            );
        }
        if let Some(endpoint) = &self.endpoint {
            match Url::parse(endpoint) {
                Ok(url) if matches!(url.scheme(), "http" | "https") && url.host().is_some() => {
                    if !url.username().is_empty() || url.password().is_some() {
                        add(
                            "`endpoint` holds a user name or password".to_owned(),
                            "write them as `access_key` and `secret_key`",
                        );
                    }
                }
                _ => add(
                    "`endpoint` cannot be read".to_owned(),
                    "write it as https://minio.example.com:9000",
                ),
            }
        }
        if self.region.as_ref().is_some_and(String::is_empty) {
            add("`region` is empty".to_owned(), "leave it out for us-east-1");
        }
        let twins = [
            ("access_key", self.access_key.is_some(), self.access_key_file.is_some(), true),
            ("secret_key", self.secret_key.is_some(), self.secret_key_file.is_some(), true),
            (
                "session_token",
                self.session_token.is_some(),
                self.session_token_file.is_some(),
                false,
            ),
        ];
        for (key, value, file, needed) in twins {
            if value && file {
                add(format!("`{key}` and `{key}_file` are both set"), "keep one");
            }
            if needed && !value && !file {
                add(format!("`{key}_file` is missing"), "the environment is not looked at");
            }
        }
        if self.timeout.is_some_and(|timeout| timeout.is_zero()) {
            add("`timeout` is zero".to_owned(), "write a time such as 5s");
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_told_with_the_way_out() {
        let problems = |text: &str| {
            let found = serde_saphyr::from_str::<StoreConfig>(text).unwrap().problems();
            found.into_iter().map(|(what, _)| what).collect::<Vec<_>>()
        };
        let keys = "access_key_file: a, secret_key_file: s";
        assert!(problems(&format!("{{ prefix: 's3a://b/flink/', {keys} }}")).is_empty());
        let table = [
            (format!("prefix: /data, {keys}"), "`prefix` /data names no bucket"),
            (format!("prefix: 's3:///x', {keys}"), "`prefix` s3:///x names no bucket"),
            (format!("prefix: 'hdfs://nn/ck', {keys}"), "`prefix` hdfs://nn/ck names no bucket"),
            (
                format!("prefix: 's3://b', endpoint: 'minio:9000', {keys}"),
                "`endpoint` cannot be read",
            ),
            (
                format!("prefix: 's3://b', endpoint: 'http://u:p@h', {keys}"),
                "`endpoint` holds a user name or password",
            ),
            (format!("prefix: 's3://b', region: '', {keys}"), "`region` is empty"),
            (format!("prefix: 's3://b', timeout: 0s, {keys}"), "`timeout` is zero"),
            ("prefix: 's3://b', secret_key_file: s".to_owned(), "`access_key_file` is missing"),
            (
                format!("prefix: 's3://b', secret_key: x, {keys}"),
                "`secret_key` and `secret_key_file` are both set",
            ),
        ];
        for (text, expected) in table {
            assert_eq!(problems(&format!("{{ {text} }}")), [expected], "{text}");
        }
        let unknown = serde_saphyr::from_str::<StoreConfig>("{ prefix: 's3://b', bucket: b }");
        assert!(unknown.is_err());
    }

    #[test]
    fn secrets_are_not_shown() {
        let text =
            "{ prefix: 's3://b', access_key: AKIA1, secret_key: hidden1, session_token: t0p }";
        let shown = format!("{:?}", serde_saphyr::from_str::<StoreConfig>(text).unwrap());
        assert!(!shown.contains("hidden1") && !shown.contains("t0p"), "{shown}");
    }
}
