//! The web interface of an inventory, as its drivers share it: whose token is sent, and what of a
//! failed request is known not to have been done.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize as _;
use serde_json::Value;
use tokio::io::AsyncReadExt as _;

use super::{BuildError, OfInventory, Order, Parts, Sight, Started};
use crate::http::{HttpClient, HttpConfig, HttpError, Response, one_line};

/// No answer to an order is longer.
const MAX_ANSWER: usize = 1 << 20;
/// No token is longer.
const MAX_TOKEN: u64 = 64 * 1024;
/// Longest text that is passed on, in characters.
const LONGEST: usize = 300;

/// The web interface of an inventory.
pub(super) struct Console {
    /// Configured name of the inventory.
    source: String,
    client: HttpClient,
    base: String,
    header: HeaderName,
    token: Token,
}

enum Token {
    None,
    Inline(SecretString),
    File(PathBuf),
}

/// What is to be sent.
pub(super) struct Request {
    pub(super) method: Method,
    /// Path and query, from the first `/`.
    pub(super) path: String,
    /// Its content type and itself.
    pub(super) body: Option<(&'static str, String)>,
}

/// A request without an answer.
#[derive(Debug)]
pub(super) struct Failure {
    /// It may have been done all the same.
    pub(super) unclear: bool,
    /// What went wrong, and the way out.
    pub(super) error: String,
}

impl Failure {
    fn before(error: &str) -> Failure {
        Failure { unclear: false, error: bounded(error) }
    }

    /// What it means for an order to start.
    pub(super) fn started(self) -> Started {
        if self.unclear { Started::Unclear { error: self.error } } else { refused(&self.error) }
    }
}

/// Nothing was started, for a reason that is not the checkpoint.
pub(super) fn refused(error: &str) -> Started {
    Started::Refused { error: bounded(error), unreadable: false }
}

pub(super) fn bounded(text: &str) -> String {
    one_line(text, LONGEST)
}

impl Console {
    /// That of the inventory `source`, which has to be of this kind; `header` carries the token.
    pub(super) fn new(
        kind: &str,
        source: &str,
        parts: &Parts,
        header: HeaderName,
        timeout: Duration,
    ) -> Result<Console, BuildError> {
        let fail = |text: String| Err(BuildError(text));
        let Some(access) = parts.inventories.get(source).filter(|access| access.kind == kind)
        else {
            let of_kind = parts.inventories.iter().filter(|(_, access)| access.kind == kind);
            let known: Vec<&str> = of_kind.map(|(name, _)| name.as_str()).collect();
            let known = known.join(", ");
            return fail(format!(
                "no source of kind {kind} is named `{source}` (there are: {known})"
            ));
        };
        let Some(url) = &access.url else {
            return fail(format!(
                "the source `{source}` has no `api_url` (write the address of its web interface)"
            ));
        };
        let token = match (&access.token_file, &access.token) {
            (Some(file), _) => Token::File(file.clone()),
            (None, Some(token)) => Token::Inline(token.clone()),
            (None, None) => Token::None,
        };
        let http = HttpConfig { timeout: Some(timeout), ..access.http.clone() };
        // Orders are rare: a connection of the last one would be a closed one, and an order lost.
        let client =
            HttpClient::build_for_many(&http).map_err(|error| BuildError(error.explain()))?;
        let base = url.trim_end_matches('/').to_owned();
        Ok(Console { source: source.to_owned(), client, base, header, token })
    }

    /// Whether it is known who asks.
    pub(super) fn has_token(&self) -> bool {
        !matches!(self.token, Token::None)
    }

    /// Configured name of the inventory.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// Where a token comes from, for whoever has to renew it.
    pub(super) fn token_place(&self) -> String {
        match &self.token {
            Token::File(file) => format!("renew the token in {}", file.display()),
            Token::Inline(_) => format!("renew `token` of the source `{}`", self.source),
            Token::None => format!("set `token_file` of the source `{}`", self.source),
        }
    }

    /// The job's entry in this inventory.
    pub(super) fn entry<'a>(&self, order: &'a Order) -> Result<&'a OfInventory, Started> {
        let (job, source) = (&order.job, &self.source);
        match &order.inventory {
            Some(entry) if entry.source == *source => Ok(entry),
            Some(entry) => Err(refused(&format!(
                "{job} is known by `{}`, not by `{source}` (name that one under `driver`)",
                entry.source
            ))),
            None => Err(refused(&format!(
                "{job} is not known by `{source}`, so it cannot be started there (create it \
                 there, or check `teams` of that source)"
            ))),
        }
    }

    /// Jobs that it would be asked to start and does not know.
    pub(super) fn strangers(&self, jobs: &[Sight]) -> Option<String> {
        let source = &self.source;
        let is_strange = |job: &&Sight| job.inventory.as_ref() != Some(source);
        let strange: Vec<&Sight> = jobs.iter().filter(is_strange).collect();
        let shown: Vec<&str> = strange.iter().take(5).map(|job| job.job.0.as_str()).collect();
        let (count, all, shown) = (strange.len(), jobs.len(), shown.join(", "));
        (count > 0).then(|| {
            bounded(&format!(
                "`{source}` does not know {count} of the {all} jobs this is about, such as {shown} \
                 (create them there, or check `teams` of that source)"
            ))
        })
    }

    /// The token of this moment: a file is read anew, so that a renewed one is used.
    pub(super) async fn token(&self) -> Result<Option<SecretString>, Failure> {
        let file = match &self.token {
            Token::None => return Ok(None),
            Token::Inline(token) => return Ok(Some(token.clone())),
            Token::File(file) => file,
        };
        let fail = |why: &str| {
            let file = file.display();
            Failure::before(&format!("the token cannot be read: {file}: {why}"))
        };
        let opened = tokio::fs::File::open(file).await.map_err(|e| fail(&e.to_string()))?;
        let mut text = String::new();
        let read = opened.take(MAX_TOKEN + 1).read_to_string(&mut text).await;
        read.map_err(|e| fail(&e.to_string()))?;
        match text.trim() {
            "" => Err(fail("it is empty (write the token into it)")),
            _ if text.len() as u64 > MAX_TOKEN => Err(fail("it is too long for a token")),
            token => Ok(Some(token.to_owned().into())),
        }
    }

    /// Sends one request, once. Any status but a redirect is an answer; it is without the token.
    pub(super) async fn ask(
        &self,
        request: Request,
        token: Option<&SecretString>,
    ) -> Result<Response, Failure> {
        let mut headers = HeaderMap::new();
        if let Some(token) = token {
            let Ok(mut value) = HeaderValue::from_str(token.expose_secret()) else {
                let way_out = self.token_place();
                return Err(Failure::before(&format!(
                    "the token has a character that no header may have ({way_out})"
                )));
            };
            value.set_sensitive(true);
            headers.insert(self.header.clone(), value);
        }
        let body = request.body.map(|(kind, body)| {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            body.into_bytes()
        });
        let url = format!("{}{}", self.base, request.path);
        let sent = self.client.request(request.method, &url, headers, body, MAX_ANSWER).await;
        let mut answer = sent.map_err(|error| Failure {
            unclear: may_have_arrived(&error),
            error: bounded(&error.explain()),
        })?;
        if let Some(token) = token.map(ExposeSecret::expose_secret).filter(|t| t.len() >= 4) {
            let text = String::from_utf8_lossy(&answer.body);
            if text.contains(token) {
                answer.body = text.replace(token, "…").into_bytes();
            }
        }
        Ok(answer)
    }
}

/// A number, also where it is written as a text: StreamPark's JSON writes every Java `Long` so.
pub(super) fn number<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    let value = Value::deserialize(from)?;
    Ok(value.as_i64().or_else(|| value.as_str()?.parse().ok()))
}

/// Whether the other side may have heard a request that got no answer.
fn may_have_arrived(error: &HttpError) -> bool {
    match error {
        // Neither of the inventories answers an order so: something before them turned it away.
        HttpError::Config { .. }
        | HttpError::Auth { .. }
        | HttpError::Connect { .. }
        | HttpError::Redirect { .. } => false,
        // No trust, no request. Other trouble may come in the middle of an answer.
        HttpError::Tls { why, .. } => !why.to_ascii_lowercase().contains("certificate"),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_never_sent_is_known_not_to_be_done() {
        let url = || "http://sp:10000/openapi/app/start".to_owned();
        let tls = |why: &str| HttpError::Tls { url: url(), why: why.to_owned() };
        let why = || "reset".to_owned();
        for (error, arrived) in [
            (HttpError::Connect { url: url(), why: why() }, false),
            (HttpError::Redirect { url: url(), target: "https://sso".to_owned() }, false),
            (tls("invalid peer certificate: UnknownIssuer"), false),
            (tls("received fatal alert: CertificateRequired"), false),
            (tls("peer closed connection without sending TLS close_notify"), true),
            (HttpError::Broken { url: url(), why: why() }, true),
            (HttpError::Timeout { url: url(), after: Duration::from_secs(5) }, true),
            (HttpError::TooLarge { url: url(), cap: 5 }, true),
        ] {
            assert_eq!(may_have_arrived(&error), arrived, "{error}");
        }
    }
}
