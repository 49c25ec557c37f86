//! Who is asking: bearer tokens, compared in constant time.
//!
//! Browsers cannot send bearer tokens by themselves, so for reading a token is also taken as the
//! password of basic authentication. Never for changes: a browser would send it along with forms
//! other sites make it post. A token that opens nothing but the posting of alerts is safe from that:
//! no browser has it, and some senders have no other way.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use tracing::warn;

use super::config::{Scope, WebConfig};
use super::confined;
use super::error::{ApiError, WebError};
use super::links;
use super::v2::PATH as ALERTS;
use crate::model::Matcher;

/// Shorter tokens can be guessed.
pub const SHORTEST_TOKEN: usize = 16;

/// Who asked; in the request's extensions.
#[derive(Debug, Clone, PartialEq)]
pub struct Caller {
    /// The token's name, or `local` where none is needed.
    pub name: String,
    /// What they may do.
    pub scope: Scope,
    /// No token was needed: somebody on this machine.
    pub local: bool,
    /// Only what belongs to jobs with these labels; none: everything.
    pub only: Arc<[Matcher]>,
}

/// The name of whoever asks where no token is needed.
const LOCAL: &str = "local";

impl Caller {
    /// No token says who it is.
    pub(super) fn is_local(&self) -> bool {
        self.local
    }

    /// The answer to one who asks for more than to read.
    pub(super) fn may_only_read(&self) -> ApiError {
        let error = format!("token `{}` may only read; use one with access: operate", self.name);
        ApiError::new(StatusCode::FORBIDDEN, error)
    }

    /// Whether they may post alerts, or read or change anything else; the answer if not.
    fn may(&self, posts_alerts: bool, reads: bool) -> Result<(), ApiError> {
        let name = &self.name;
        let error = match (self.scope, posts_alerts) {
            (Scope::Operate, _) | (Scope::Alert, true) => return Ok(()),
            (Scope::Alert, false) => format!(
                "token `{name}` may only post alerts to {ALERTS}; use one with access: read or \
                 operate"
            ),
            (Scope::Read, true) => {
                format!("token `{name}` may only read; use one with access: alert")
            }
            (Scope::Read, false) if reads => return Ok(()),
            (Scope::Read, false) => return Err(self.may_only_read()),
        };
        Err(ApiError::new(StatusCode::FORBIDDEN, error))
    }
}

/// The doorman.
#[derive(Debug)]
pub(super) struct Auth {
    required: bool,
    metrics_open: bool,
    tokens: Vec<Token>,
}

#[derive(Debug)]
struct Token {
    caller: Caller,
    hash: Mutex<Option<[u8; 32]>>,
    file: Option<(PathBuf, Mutex<Option<SystemTime>>)>,
}

impl Auth {
    /// Reads all tokens once, so that a missing file is found at the start.
    pub(super) fn new(config: &WebConfig) -> Result<Auth, WebError> {
        let mut tokens = Vec::new();
        for entry in &config.tokens {
            let (secret, file) = match (&entry.token, &entry.token_file) {
                (Some(token), _) => (token.clone(), None),
                (None, Some(path)) => {
                    let secret = read(path).map_err(WebError::Config)?;
                    (secret, Some((path.clone(), Mutex::new(modified(path)))))
                }
                (None, None) => continue,
            };
            if secret.expose_secret().len() < SHORTEST_TOKEN {
                return Err(WebError::Config(format!(
                    "token `{}` of web.tokens is shorter than {SHORTEST_TOKEN} characters; make one with \
                     `openssl rand -hex 24`",
                    entry.name
                )));
            }
            let only = entry.matchers.clone().into();
            let caller =
                Caller { name: entry.name.clone(), scope: entry.scope, local: false, only };
            let hash = Mutex::new(Some(hash(secret.expose_secret())));
            tokens.push(Token { caller, hash, file });
        }
        let required = !config.listen.ip().is_loopback();
        Ok(Auth { required, metrics_open: config.metrics_open, tokens })
    }

    fn caller(&self, headers: &HeaderMap, reads: bool, posts_alerts: bool) -> Option<Caller> {
        let (presented, basic) = presented(headers)?;
        let presented = hash(&presented);
        let mut found: Option<Caller> = None;
        // All of them, whether or not one matched already: the time tells nothing.
        for token in &self.tokens {
            if token.current().is_some_and(|known| same(&presented, &known)) {
                found = Some(token.caller.clone());
            }
        }
        found.filter(|caller| !basic || reads || (posts_alerts && caller.scope == Scope::Alert))
    }
}

impl Token {
    /// The hash of the token as of now; a file that says none opens nothing.
    fn current(&self) -> Option<[u8; 32]> {
        let mut hash = self.hash.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((path, seen)) = &self.file {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            let now = modified(path);
            if now != *seen || (now.is_none() && hash.is_some()) {
                let secret = read(path).ok();
                let secret = secret.filter(|s| s.expose_secret().len() >= SHORTEST_TOKEN);
                if secret.is_none() && hash.is_some() {
                    let (name, file) = (&self.caller.name, path.display());
                    warn!(token = name, %file, "no token can be read there any more: it opens nothing");
                }
                *hash = secret.map(|secret| self::hash(secret.expose_secret()));
                *seen = now;
            }
        }
        *hash
    }
}

/// Lets nobody in without a token where one is needed.
pub(super) async fn check(
    State(auth): State<Arc<Auth>>,
    mut request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    // A link brings its own proof, for what it opens and nothing else.
    let link = path.starts_with(links::PATH);
    let open = link
        || matches!(path, "/-/healthy" | "/-/ready")
        || (auth.metrics_open && path == "/metrics");
    let reads = is_reading(request.method());
    let posts_alerts = path == ALERTS && *request.method() == Method::POST;
    let caller = if !auth.required || open {
        let scope = if open { Scope::Read } else { Scope::Operate };
        Caller { name: LOCAL.to_owned(), scope, local: true, only: Arc::new([]) }
    } else if let Some(caller) = auth.caller(request.headers(), reads, posts_alerts) {
        caller
    } else {
        let error =
            "a token is needed; send `Authorization: Bearer <token>` with one of web.tokens";
        let mut response = ApiError::new(StatusCode::UNAUTHORIZED, error).into_response();
        let headers = response.headers_mut();
        headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"weir\""));
        // Not for changes, where a password is not taken: a browser would only ask for one again.
        if reads {
            let basic = HeaderValue::from_static("Basic realm=\"weir\"");
            headers.append(header::WWW_AUTHENTICATE, basic);
        }
        return response;
    };
    if !reads && is_from_another_site(request.headers()) {
        let error = "a page of another site may not change anything here";
        return ApiError::new(StatusCode::FORBIDDEN, error).into_response();
    }
    if !link && let Err(refusal) = caller.may(posts_alerts, reads) {
        return refusal.into_response();
    }
    if caller.is_confined() && !confined::may_pass(request.method(), request.uri().path()) {
        return caller.sees_too_little().into_response();
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}

fn is_reading(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// A browser says where a request came from; nobody else has to. Where no token is needed, any page
/// somebody on this machine looks at could send a form.
fn is_from_another_site(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").and_then(|value| value.to_str().ok());
    site.is_some_and(|site| !matches!(site, "same-origin" | "none"))
}

/// The token, and whether it came as a password.
fn presented(headers: &HeaderMap) -> Option<(String, bool)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some((rest.trim().to_owned(), false));
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let decoded = String::from_utf8(BASE64_STANDARD.decode(rest.trim()).ok()?).ok()?;
        return decoded.split_once(':').map(|(_, password)| (password.to_owned(), true));
    }
    None
}

fn read(path: &Path) -> Result<SecretString, String> {
    std::fs::read_to_string(path)
        .map(|text| SecretString::from(text.trim()))
        .map_err(|e| format!("cannot read token_file {}: {e}", path.display()))
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|meta| meta.modified()).ok()
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// Compares without an early exit.
fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    std::hint::black_box(a.iter().zip(b).fold(0, |diff, (x, y)| diff | (x ^ y))) == 0
}
