//! The one place where channels speak HTTP: client, POST, bounded replies, redacted errors.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret;

use super::BuildError;
use super::options::{Auth, Headers, Tls};
use super::secret::Secret;
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

/// How to connect.
pub(super) struct Options<'a> {
    pub(super) tls: Option<&'a Tls>,
    pub(super) proxy_url: Option<&'a str>,
    pub(super) timeout: Duration,
    pub(super) headers: Option<&'a Headers>,
}

/// Builds the client. No redirects: a POST that moves is a wrong address.
#[expect(clippy::disallowed_methods, reason = "channels' only client builder")]
pub(super) fn client(options: &Options<'_>) -> Result<reqwest::Client, BuildError> {
    // Fails only when it is installed already.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(options.timeout)
        .connect_timeout(options.timeout.min(Duration::from_secs(5)))
        .pool_max_idle_per_host(2)
        .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")));
    if let Some(tls) = options.tls {
        if let Some(path) = &tls.ca_file {
            for certificate in certificates(path)? {
                builder = builder.add_root_certificate(certificate);
            }
        }
        if let (Some(cert), Some(key)) = (&tls.cert_file, &tls.key_file) {
            let mut pem = read(cert)?;
            pem.push(b'\n');
            pem.extend(read(key)?);
            let identity = reqwest::Identity::from_pem(&pem).map_err(|_| {
                BuildError(format!("{} is no PEM certificate with its key", cert.display()))
            })?;
            builder = builder.identity(identity);
        } else if tls.cert_file.is_some() || tls.key_file.is_some() {
            return Err(BuildError("tls needs both cert_file and key_file".to_owned()));
        }
    }
    if let Some(url) = options.proxy_url {
        let proxy = reqwest::Proxy::all(url)
            .map_err(|_| BuildError("`proxy_url` is no address of a proxy".to_owned()))?;
        builder = builder.proxy(proxy);
    }
    if let Some(Headers(headers)) = options.headers {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let bad = || BuildError(format!("header `{}` cannot be sent", line(name)));
            let key = HeaderName::try_from(name.as_str()).map_err(|_| bad())?;
            let mut value = HeaderValue::from_str(value.expose_secret()).map_err(|_| bad())?;
            value.set_sensitive(true);
            map.insert(key, value);
        }
        builder = builder.default_headers(map);
    }
    builder.build().map_err(|e| BuildError(format!("http client: {}", chain(&e.without_url()))))
}

fn read(path: &std::path::Path) -> Result<Vec<u8>, BuildError> {
    std::fs::read(path).map_err(|e| BuildError(format!("{} cannot be read: {e}", path.display())))
}

fn certificates(path: &std::path::Path) -> Result<Vec<reqwest::Certificate>, BuildError> {
    let found = reqwest::Certificate::from_pem_bundle(&read(path)?).unwrap_or_default();
    if found.is_empty() {
        return Err(BuildError(format!("{} holds no PEM certificate", path.display())));
    }
    Ok(found)
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

/// Adds credentials, read now.
pub(super) fn authorize(
    request: reqwest::RequestBuilder,
    auth: Option<&Auth>,
) -> Result<reqwest::RequestBuilder, BuildError> {
    Ok(match auth {
        None => request,
        Some(Auth::Basic(basic)) => {
            let password =
                Secret::of("password", basic.password.as_ref(), basic.password_file.as_ref())?;
            let password = password.map(|p| p.read_plain()).transpose()?;
            request.basic_auth(&basic.username, password)
        }
        Some(Auth::Bearer(bearer)) => {
            let token =
                Secret::required("token", bearer.token.as_ref(), bearer.token_file.as_ref())?;
            request.bearer_auth(token.read_plain()?)
        }
    })
}

/// Sends JSON and reads a bounded reply.
///
/// # Errors
/// The network's, without the address.
pub(super) async fn post_json(
    request: reqwest::RequestBuilder,
    body: String,
    now: Ts,
) -> Result<Reply, String> {
    let request = request.header(reqwest::header::CONTENT_TYPE, "application/json").body(body);
    let mut response = request.send().await.map_err(|e| chain(&e.without_url()))?;
    let retry_after_ms = response
        .headers()
        .get(reqwest::header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| retry_after(text, now));
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while body.len() < MAX_REPLY {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Err(error) if status < 300 => return Err(chain(&error.without_url())),
            // A refusal counts without its whole body.
            Ok(None) | Err(_) => break,
        }
    }
    body.truncate(MAX_REPLY);
    Ok(Reply { status, retry_after_ms, body: String::from_utf8_lossy(&body).into_owned() })
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
