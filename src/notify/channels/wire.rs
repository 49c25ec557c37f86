//! Where channels speak HTTP: a POST through [`HttpClient`], bounded replies, and errors that never
//! tell an address, since a bot's holds its token in the path.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use secrecy::{ExposeSecret, SecretString};

use super::BuildError;
use crate::http::{HttpClient, HttpConfig, HttpError};
use crate::model::{SendOutcome, Ts};
use crate::notify::render::escape::{cut, line};

/// Largest reply that is read.
const MAX_REPLY: usize = 64 * 1024;
/// Longest wait a vendor may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(1);

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// `Retry-After`, in ms.
    pub(super) retry_after_ms: Option<u64>,
    pub(super) body: String,
}

/// The client of one channel.
pub(super) fn client(config: &HttpConfig) -> Result<HttpClient, BuildError> {
    HttpClient::build(config).map_err(|error| {
        let hint = match &error {
            HttpError::Config { hint, .. } => format!(" ({hint})"),
            _ => String::new(),
        };
        BuildError(format!("{error}{hint}"))
    })
}

/// Checks an address without telling it.
pub(super) fn check_url(url: &str) -> Result<(), BuildError> {
    let hint = "`url` is no http(s) address (it looks like https://host/path)";
    let parsed = reqwest::Url::parse(url).map_err(|_| BuildError(hint.to_owned()))?;
    match (parsed.scheme(), parsed.host_str()) {
        ("http" | "https", Some(_)) => Ok(()),
        _ => Err(BuildError(hint.to_owned())),
    }
}

/// A value of an address' query, such as a bot's token.
pub(super) fn query_value(url: &str, name: &str) -> Option<String> {
    let url = reqwest::Url::parse(url).ok()?;
    let found = url.query_pairs().find(|(key, _)| key == name)?;
    Some(found.1.into_owned()).filter(|value| !value.is_empty())
}

/// Posts JSON and reads a bounded reply.
///
/// # Errors
/// The network's, without the address.
pub(super) async fn post_json(
    client: &HttpClient,
    url: &SecretString,
    headers: &[(&'static str, &str)],
    body: String,
    now: Ts,
) -> Result<Reply, String> {
    let mut map = HeaderMap::new();
    map.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in headers {
        let value = HeaderValue::from_str(value).map_err(|_| format!("header {name} is broken"))?;
        map.insert(HeaderName::from_static(name), value);
    }
    match client.post(url.expose_secret(), map, body.into_bytes(), MAX_REPLY).await {
        Ok(reply) => Ok(Reply {
            status: reply.status,
            retry_after_ms: reply
                .headers
                .get(RETRY_AFTER)
                .and_then(|value| value.to_str().ok())
                .and_then(|text| retry_after(text, now)),
            body: String::from_utf8_lossy(&reply.body).into_owned(),
        }),
        // Taken, with more to say than anybody reads.
        Err(HttpError::TooLarge { .. }) => Ok(bare(200)),
        Err(HttpError::Redirect { .. }) => Ok(bare(307)),
        Err(error) => Err(without_address(&error)),
    }
}

fn bare(status: u16) -> Reply {
    Reply { status, retry_after_ms: None, body: String::new() }
}

fn without_address(error: &HttpError) -> String {
    match error {
        HttpError::Timeout { after, .. } => format!("no answer within {} s", after.as_secs_f32()),
        HttpError::Connect { why, .. } => format!("cannot connect: {why}"),
        HttpError::Tls { why, .. } => format!("TLS handshake failed: {why} (check `tls`)"),
        HttpError::Broken { why, .. } => format!("the connection broke: {why}"),
        HttpError::Config { what, hint } => format!("{what} ({hint})"),
        HttpError::Auth { what } => format!("cannot get credentials: {what}"),
        _ => "no usable answer".to_owned(),
    }
}

/// Seconds or an HTTP date, capped.
pub(super) fn retry_after(text: &str, now: Ts) -> Option<u64> {
    let span = if let Ok(seconds) = text.trim().parse::<u64>() {
        Duration::from_secs(seconds)
    } else {
        let date = jiff::fmt::rfc2822::parse(text.trim()).ok()?;
        Ts(date.timestamp().as_millisecond()).since(now)
    };
    u64::try_from(span.min(MAX_RETRY_AFTER).as_millis()).ok()
}

/// By status alone: 2xx, worth another try, or never like this.
pub(super) fn classify_status(reply: &Reply) -> SendOutcome {
    let error = |hint: &str| {
        let body = excerpt(&reply.body);
        let mut text = format!("HTTP {}", reply.status);
        if !body.is_empty() {
            text = format!("{text}: {body}");
        }
        if hint.is_empty() { text } else { format!("{text} ({hint})") }
    };
    match reply.status {
        200..=299 => SendOutcome::Delivered,
        408 | 425 | 429 | 500..=599 => {
            SendOutcome::Retry { after_ms: reply.retry_after_ms, error: error("") }
        }
        status => SendOutcome::Rejected {
            error: error(match status {
                300..=399 => "the address moved: put the new one into `url`",
                401 | 403 => "check `auth`, `secret` and the receiver's allow list",
                404 | 410 => "check `url`: nothing answers there",
                413 => "the receiver takes no body of this size: set `max_alerts`",
                _ => "the receiver does not take this body",
            }),
        },
    }
}

/// A short, single-line piece of a reply, for errors.
pub(super) fn excerpt(body: &str) -> String {
    cut(&line(&cut(body, 2_000)), 200)
}

/// An error with its causes; addresses were taken out by the caller.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    cut(&line(&text), 300)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_takes_seconds_and_dates() {
        let now = Ts(1_795_203_000_000);
        assert_eq!(retry_after("7", now), Some(7_000));
        assert_eq!(retry_after("86400", now), Some(3_600_000));
        assert_eq!(retry_after("Fri, 20 Nov 2026 19:31:00 GMT", now), Some(60_000));
        assert_eq!(retry_after("Fri, 20 Nov 2026 19:00:00 GMT", now), Some(0));
        assert_eq!(retry_after("soon", now), None);
    }

    #[test]
    fn statuses_have_a_class() {
        let outcome = |status, retry_after_ms| {
            classify_status(&Reply { status, retry_after_ms, body: "no\nway".to_owned() })
        };
        for status in [200, 202, 204] {
            assert_eq!(outcome(status, None), SendOutcome::Delivered);
        }
        for status in [408, 425, 429, 500, 502, 503, 504] {
            let after_ms = Some(5_000);
            let error = format!("HTTP {status}: no way");
            assert_eq!(outcome(status, after_ms), SendOutcome::Retry { after_ms, error });
        }
        for status in [301, 307, 400, 401, 403, 404, 410, 413, 422] {
            let SendOutcome::Rejected { error } = outcome(status, None) else {
                panic!("{status} must be rejected")
            };
            assert!(error.starts_with(&format!("HTTP {status}: no way (")), "{error}");
        }
    }

    #[test]
    fn addresses_are_checked_but_never_told() {
        for bad in ["", "hooks.example.com/secret", "ftp://x/secret", "http://"] {
            let error = check_url(bad).unwrap_err().0;
            assert!(!error.contains("secret"), "{error}");
        }
        check_url("https://hooks.example.com/flink").unwrap();
    }
}
