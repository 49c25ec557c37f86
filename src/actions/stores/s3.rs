//! Checkpoints in a store that speaks S3's protocol: one byte of `_metadata` is asked for, by an
//! address that `rusty-s3` signs and our own HTTP client fetches.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{HeaderMap, HeaderValue, RANGE};
use reqwest::{Method, Url};
use rusty_s3::actions::{GetObject, S3Action};
use rusty_s3::{Bucket, Credentials, UrlStyle};
use secrecy::{ExposeSecret, SecretString};

use super::Look;
use super::config::StoreConfig;
use super::place::METADATA;
use crate::actions::drivers::BuildError;
use crate::clock::{Clock, SystemClock};
use crate::http::{HttpClient, HttpConfig, HttpError, one_line};

const REGION: &str = "us-east-1";
/// A signature is good for longer than one request takes.
const SIGNED_FOR: Duration = Duration::from_mins(5);
/// One byte is asked for; errors are small.
const CAP: usize = 64 * 1024;
/// No key or token is longer.
const LONGEST_SECRET: u64 = 16 * 1024;

/// One entry: a bucket, or a part of it.
#[derive(Debug)]
pub(super) struct Store {
    scheme: String,
    bucket: Bucket,
    /// Key its prefix ends with, without slashes at either end.
    below: String,
    shown: String,
    client: HttpClient,
    access_key: Secret,
    secret_key: Secret,
    session_token: Option<Secret>,
    clock: SystemClock,
}

/// What is at one key.
#[derive(Debug, PartialEq, Eq)]
enum Object {
    There,
    Empty,
    Missing,
    Unknown(String),
}

impl Store {
    pub(super) fn new(
        config: &StoreConfig,
        (scheme, bucket, below): (String, String, String),
    ) -> Result<Store, BuildError> {
        let region = config.region.clone().unwrap_or_else(|| REGION.to_owned());
        let endpoint = match &config.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => format!("https://s3.{region}.amazonaws.com"),
        };
        let endpoint: Url = endpoint.parse().map_err(|_| {
            let region = &region;
            BuildError(format!(
                "{}: no address for region {region} (set `endpoint`)",
                config.prefix
            ))
        })?;
        let by_path = config.path_style.unwrap_or(config.endpoint.is_some());
        let style = if by_path { UrlStyle::Path } else { UrlStyle::VirtualHost };
        let bucket = Bucket::new(endpoint, style, bucket, region).map_err(|error| {
            let hint = "set `path_style: true`, or check `endpoint`";
            BuildError(format!("{}: {error} ({hint})", config.prefix))
        })?;
        let http = HttpConfig {
            tls: config.tls.clone(),
            proxy_url: config.proxy_url.clone(),
            timeout: config.timeout,
            ..HttpConfig::default()
        };
        let client = HttpClient::build(&http)
            .map_err(|error| BuildError(format!("{}: {}", config.prefix, error.explain())))?;
        let needed = |key: &str, value, file| {
            Secret::of(value, file).ok_or_else(|| {
                BuildError(format!("{}: no `{key}` (set `{key}_file`)", config.prefix))
            })
        };
        Ok(Store {
            scheme,
            bucket,
            below,
            shown: config.prefix.clone(),
            client,
            access_key: needed(
                "access_key",
                config.access_key.as_ref(),
                config.access_key_file.as_ref(),
            )?,
            secret_key: needed(
                "secret_key",
                config.secret_key.as_ref(),
                config.secret_key_file.as_ref(),
            )?,
            session_token: Secret::of(
                config.session_token.as_ref(),
                config.session_token_file.as_ref(),
            ),
            clock: SystemClock::anchored(None),
        })
    }

    /// Its prefix, as it is written.
    pub(super) fn prefix(&self) -> &str {
        &self.shown
    }

    /// How long its prefix is, if this key is below it.
    pub(super) fn fits(&self, scheme: &str, bucket: &str, key: &str) -> Option<usize> {
        let is_ours = scheme == self.scheme && bucket == self.bucket.name();
        let rest = key.strip_prefix(&self.below)?;
        let at_border = rest.is_empty() || self.below.is_empty() || rest.starts_with('/');
        (is_ours && at_border).then_some(self.below.len())
    }

    /// Whether a folder of one of these names, or a file, can be restored from.
    pub(super) async fn look(&self, keys: &[String]) -> Look {
        let mut first = None;
        for key in keys {
            match self.look_at(key).await {
                Look::There => return Look::There,
                // Flink writes paths as they are: that spelling counts.
                seen => first = first.or(Some(seen)),
            }
        }
        first.unwrap_or_else(|| Look::Unknown("it has no key".to_owned()))
    }

    /// Whether it answers and takes the keys: what nobody writes is asked for.
    pub(super) async fn examine(&self) -> Result<String, String> {
        let key = format!("{}/weir-doctor", self.below);
        match self.object(key.trim_start_matches('/')).await {
            Object::Unknown(why) => {
                let own = format!("{}: ", self.shown);
                Err(why.strip_prefix(&own).unwrap_or(&why).to_owned())
            }
            Object::There | Object::Empty | Object::Missing => {
                Ok("it answers, and the keys may read and list".to_owned())
            }
        }
    }

    async fn look_at(&self, key: &str) -> Look {
        let inside = format!("{key}/{METADATA}");
        match self.object(inside.trim_start_matches('/')).await {
            Object::There => return Look::There,
            Object::Empty => return Look::Gone,
            Object::Unknown(why) => return Look::Unknown(why),
            Object::Missing => {}
        }
        // Buckets have marks of that name that are empty.
        match self.object(key).await {
            Object::There => Look::There,
            Object::Empty | Object::Missing => Look::Gone,
            Object::Unknown(why) => Look::Unknown(why),
        }
    }

    async fn object(&self, key: &str) -> Object {
        // Without a key the address is the bucket's.
        if key.is_empty() {
            return Object::Missing;
        }
        let credentials = match self.credentials().await {
            Ok(credentials) => credentials,
            Err(why) => return self.unknown(&why),
        };
        let now = Timestamp::from_millisecond(self.clock.now().wall.0).unwrap_or_default();
        let action = GetObject::new(&self.bucket, Some(&credentials), key);
        let url = action.sign_with_time(SIGNED_FOR, &now);
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, HeaderValue::from_static("bytes=0-0"));
        match self.client.request(Method::GET, url.as_str(), headers, None, CAP).await {
            Ok(answer) => match judge(answer.status, &answer.body) {
                Object::Unknown(why) => self.unknown(&why),
                seen => seen,
            },
            // Whoever does not know ranges sends all of it.
            Err(HttpError::TooLarge { .. }) => Object::There,
            Err(HttpError::Redirect { .. }) => {
                self.unknown("it is elsewhere (check `region` and `endpoint`)")
            }
            Err(error) => self.unknown(&error.explain()),
        }
    }

    fn unknown(&self, why: &str) -> Object {
        Object::Unknown(one_line(&format!("{}: {why}", self.shown), 400))
    }

    async fn credentials(&self) -> Result<Credentials, String> {
        let key = self.access_key.read().await?;
        let secret = self.secret_key.read().await?;
        Ok(match &self.session_token {
            None => Credentials::new(key, secret),
            Some(token) => Credentials::new_with_token(key, secret, token.read().await?),
        })
    }
}

/// What an answer says of the object. Only the store's own word makes it missing.
fn judge(status: u16, body: &[u8]) -> Object {
    if (200..300).contains(&status) {
        return if body.is_empty() { Object::Empty } else { Object::There };
    }
    let text = String::from_utf8_lossy(body);
    let code = element(&text, "Code").unwrap_or_default();
    match (status, code) {
        (404, "NoSuchKey") => return Object::Missing,
        (416, _) => return Object::Empty,
        _ => {}
    }
    let hint = match (status, code) {
        (_, "InvalidAccessKeyId" | "SignatureDoesNotMatch") => {
            "check `access_key` and `secret_key`"
        }
        (_, "ExpiredToken" | "InvalidToken") => "check `session_token`",
        (_, "RequestTimeTooSkewed" | "RequestExpired") => "set this host's clock right",
        (_, "NoSuchBucket") => "check the bucket in `prefix`",
        (
            _,
            "AuthorizationHeaderMalformed"
            | "AuthorizationQueryParametersError"
            | "IllegalLocationConstraintException"
            | "PermanentRedirect",
        ) => "check `region` and `endpoint`",
        (_, "InvalidObjectState") => "it is archived: bring it back first",
        (401 | 403, _) => {
            "let the access key read objects and list the bucket; else nobody tells missing from \
             forbidden"
        }
        (404, _) => "check `endpoint`",
        (500.., _) => "the store is in trouble",
        _ => "check `endpoint` and `region`",
    };
    let said = element(&text, "Message").unwrap_or_default();
    let code = if code.is_empty() { "no code of S3's" } else { code };
    let said = if said.is_empty() { String::new() } else { format!(": {}", one_line(said, 160)) };
    Object::Unknown(format!("answered {status} {}{said} ({hint})", one_line(code, 60)))
}

/// The text of the first element of this name; errors of S3 are flat.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(inner, _)| inner)
}

/// A secret, or the file that has it.
#[derive(Debug)]
enum Secret {
    Value(SecretString),
    File(PathBuf),
}

impl Secret {
    fn of(value: Option<&SecretString>, file: Option<&PathBuf>) -> Option<Secret> {
        match (value, file) {
            (Some(value), _) => Some(Secret::Value(value.clone())),
            (None, Some(file)) => Some(Secret::File(file.clone())),
            (None, None) => None,
        }
    }

    async fn read(&self) -> Result<String, String> {
        let file = match self {
            Secret::Value(value) => return Ok(value.expose_secret().to_owned()),
            Secret::File(file) => file,
        };
        let fail =
            |why: &str| format!("{} {why} (it holds the secret and nothing else)", file.display());
        let size = tokio::fs::metadata(file).await.map_err(|e| fail(&format!(": {e}")))?.len();
        if size > LONGEST_SECRET {
            return Err(fail("is too large"));
        }
        let text = tokio::fs::read_to_string(file).await.map_err(|e| fail(&format!(": {e}")))?;
        let text = text.trim();
        if text.is_empty() { Err(fail("is empty")) } else { Ok(text.to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>Because.\
             </Message><Resource>/b/k</Resource></Error>"
        )
    }

    #[test]
    fn only_the_stores_own_word_makes_an_object_missing() {
        let table = [
            (206, "x".to_owned(), "there", ""),
            (200, "xyz".to_owned(), "there", ""),
            (200, String::new(), "empty", ""),
            (416, error("InvalidRange"), "empty", ""),
            (404, error("NoSuchKey"), "missing", ""),
            (404, error("NoSuchBucket"), "unknown", "`prefix`"),
            (404, "<html>nginx</html>".to_owned(), "unknown", "`endpoint`"),
            (404, String::new(), "unknown", "`endpoint`"),
            (403, error("AccessDenied"), "unknown", "list the bucket"),
            (403, error("NoSuchKey"), "unknown", "list the bucket"),
            (403, error("SignatureDoesNotMatch"), "unknown", "`secret_key`"),
            (403, error("InvalidAccessKeyId"), "unknown", "`access_key`"),
            (403, error("RequestTimeTooSkewed"), "unknown", "clock"),
            (403, error("InvalidObjectState"), "unknown", "archived"),
            (400, error("AuthorizationQueryParametersError"), "unknown", "`region`"),
            (400, error("ExpiredToken"), "unknown", "`session_token`"),
            (503, error("SlowDown"), "unknown", "in trouble"),
            (302, String::new(), "unknown", "`endpoint`"),
        ];
        for (status, body, expected, hint) in table {
            let seen = judge(status, body.as_bytes());
            let (short, why) = match &seen {
                Object::There => ("there", ""),
                Object::Empty => ("empty", ""),
                Object::Missing => ("missing", ""),
                Object::Unknown(why) => ("unknown", why.as_str()),
            };
            assert_eq!(short, expected, "{status} {body}");
            assert!(why.contains(hint), "{why}");
        }
    }

    fn store(prefix: &str) -> Store {
        let text = format!("{{ prefix: '{prefix}', access_key: a, secret_key: s }}");
        let stores = super::super::Stores::build(&[serde_saphyr::from_str(&text).unwrap()]);
        stores.unwrap().s3.pop().unwrap()
    }

    #[test]
    fn a_prefix_ends_at_a_border() {
        let table = [
            ("s3://b", "b", "flink/j", Some(0)),
            ("s3://b/", "b", "flink/j", Some(0)),
            ("s3://b/flink", "b", "flink/j", Some(5)),
            ("s3a://b/flink/", "b", "flink", Some(5)),
            ("s3://b/flink", "b", "flink2/j", None),
            ("s3://b/flink", "other", "flink/j", None),
            ("s3://b/flink", "b", "", None),
        ];
        for (prefix, bucket, key, expected) in table {
            assert_eq!(store(prefix).fits("s3", bucket, key), expected, "{prefix} {bucket}/{key}");
        }
        assert_eq!(store("s3://b").fits("oss", "b", "k"), None);
    }

    #[test]
    fn addresses_are_amazons_unless_an_endpoint_is_named() {
        let store = |more: &str| {
            let text = format!("{{ prefix: 's3://b/f', access_key: a, secret_key: s, {more} }}");
            let stores = super::super::Stores::build(&[serde_saphyr::from_str(&text).unwrap()]);
            stores.map(|mut stores| stores.s3.pop().unwrap().bucket.object_url("f/k").to_string())
        };
        let table = [
            ("region: eu-west-1", "https://b.s3.eu-west-1.amazonaws.com/f/k"),
            ("path_style: true", "https://s3.us-east-1.amazonaws.com/b/f/k"),
            ("endpoint: 'http://127.0.0.1:9000'", "http://127.0.0.1:9000/b/f/k"),
            (
                "endpoint: 'https://cos.example.com', path_style: false",
                "https://b.cos.example.com/f/k",
            ),
        ];
        for (more, expected) in table {
            assert_eq!(store(more).as_deref(), Ok(expected), "{more}");
        }
        let error = store("endpoint: 'http://127.0.0.1:9000', path_style: false").unwrap_err();
        assert!(error.0.contains("path_style"), "{error}");
    }
}
