//! Credentials as headers: read once, again when their file changes, again when they are refused.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use tokio::io::AsyncReadExt;
use tokio::sync::Mutex;

use super::config::AuthConfig;
use super::error::HttpError;
use crate::model::Ts;

/// How long a command may take to print its headers.
const COMMAND_LIMIT: Duration = Duration::from_secs(10);
/// Credentials that were refused are asked for again at most this often.
const REFRESH_EVERY: Duration = Duration::from_secs(10);
/// No credential is longer.
const MAX_BYTES: u64 = 64 * 1024;

/// A set of credentials and which reading of them it is.
#[derive(Debug, Clone, Default)]
pub(super) struct Credentials {
    pub(super) headers: Arc<HeaderMap>,
    generation: u64,
}

#[derive(Debug)]
pub(super) struct Auth {
    config: Option<AuthConfig>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    current: Option<Credentials>,
    stamp: Option<Stamp>,
    refreshed_at: Option<Ts>,
}

/// Tells one version of a file from the next.
pub(super) type Stamp = (Option<SystemTime>, u64);

/// The present version of a file; `None` when it is not there.
pub(super) fn stamp(path: &Path) -> Option<Stamp> {
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.modified().ok(), meta.len()))
}

impl Auth {
    pub(super) fn new(config: Option<AuthConfig>) -> Auth {
        Auth { config, state: Mutex::default() }
    }

    /// Current credentials.
    pub(super) async fn credentials(&self) -> Result<Credentials, HttpError> {
        let Some(config) = &self.config else { return Ok(Credentials::default()) };
        let mut state = self.state.lock().await;
        let seen = config.file().and_then(stamp);
        if let Some(current) = &state.current
            && (seen.is_none() || seen == state.stamp)
        {
            return Ok(current.clone());
        }
        let headers = Arc::new(config.read().await?);
        let generation = state.current.as_ref().map_or(1, |c| c.generation + 1);
        let fresh = Credentials { headers, generation };
        state.stamp = seen;
        state.current = Some(fresh.clone());
        Ok(fresh)
    }

    /// Reads refused credentials again; true when there are others now, worth another try.
    pub(super) async fn refused(&self, refused: &Credentials, now: Ts) -> bool {
        let Some(config) = &self.config else { return false };
        if config.is_fixed() {
            return false;
        }
        let mut state = self.state.lock().await;
        if state.current.as_ref().is_some_and(|c| c.generation != refused.generation) {
            return true;
        }
        if state.refreshed_at.is_some_and(|at| now.since(at) < REFRESH_EVERY) {
            return false;
        }
        state.refreshed_at = Some(now);
        let seen = config.file().and_then(stamp);
        match config.read().await {
            Ok(headers) if headers != *refused.headers => {
                let generation = refused.generation + 1;
                state.current = Some(Credentials { headers: Arc::new(headers), generation });
                state.stamp = seen;
                true
            }
            Ok(_) => false,
            Err(error) => {
                tracing::warn!(%error, "refused credentials could not be read again");
                false
            }
        }
    }
}

impl AuthConfig {
    fn file(&self) -> Option<&Path> {
        match self {
            AuthConfig::Basic(basic) => basic.password_file.as_deref(),
            AuthConfig::Bearer(bearer) => bearer.token_file.as_deref(),
            AuthConfig::HeadersFile(path) => Some(path),
            AuthConfig::Headers(_) | AuthConfig::Command(_) => None,
        }
    }

    fn is_fixed(&self) -> bool {
        !matches!(self, AuthConfig::Command(_)) && self.file().is_none()
    }

    async fn read(&self) -> Result<HeaderMap, HttpError> {
        match self {
            AuthConfig::Basic(basic) => {
                let password = secret(basic.password.as_ref(), basic.password_file.as_deref())?;
                let pair = format!("{}:{}", basic.username, password.expose_secret());
                authorization(&format!("Basic {}", BASE64.encode(pair)))
            }
            AuthConfig::Bearer(bearer) => {
                let token = secret(bearer.token.as_ref(), bearer.token_file.as_deref())?;
                authorization(&format!("Bearer {}", token.expose_secret()))
            }
            AuthConfig::Headers(headers) => {
                let mut map = HeaderMap::new();
                for (name, value) in headers {
                    insert(&mut map, name, value.expose_secret())?;
                }
                Ok(map)
            }
            AuthConfig::HeadersFile(path) => parse_headers(&read_file(path)?),
            AuthConfig::Command(argv) => parse_headers(&run(argv).await?),
        }
    }
}

/// Checks what can be checked without reading anything.
pub(super) fn check(config: &AuthConfig) -> Result<(), HttpError> {
    let twins = |what: &str, inline: bool, file: bool| match (inline, file) {
        (true, true) => Err(HttpError::Config {
            what: format!("both `{what}` and `{what}_file` are set"),
            hint: "keep one of them".to_owned(),
        }),
        (false, false) => Err(HttpError::Config {
            what: format!("neither `{what}` nor `{what}_file` is set"),
            hint: "set one of them".to_owned(),
        }),
        _ => Ok(()),
    };
    match config {
        AuthConfig::Basic(b) => twins("password", b.password.is_some(), b.password_file.is_some()),
        AuthConfig::Bearer(b) => twins("token", b.token.is_some(), b.token_file.is_some()),
        AuthConfig::Headers(headers) => {
            let mut map = HeaderMap::new();
            headers.iter().try_for_each(|(n, v)| insert(&mut map, n, v.expose_secret()))
        }
        AuthConfig::Command(argv) if argv.is_empty() => Err(HttpError::Config {
            what: "`auth.command` is empty".to_owned(),
            hint: "name a program and its arguments".to_owned(),
        }),
        AuthConfig::HeadersFile(_) | AuthConfig::Command(_) => Ok(()),
    }
}

/// Adds a header, marked as a secret.
pub(super) fn insert(map: &mut HeaderMap, name: &str, value: &str) -> Result<(), HttpError> {
    let bad = |what: String| HttpError::Config {
        what,
        hint: "names are ASCII letters, digits and dashes, values have no line breaks".to_owned(),
    };
    let header = HeaderName::try_from(name).map_err(|_| bad(format!("`{name}` is no header")))?;
    let mut value =
        HeaderValue::try_from(value).map_err(|_| bad(format!("bad value of header `{name}`")))?;
    value.set_sensitive(true);
    map.insert(header, value);
    Ok(())
}

fn authorization(value: &str) -> Result<HeaderMap, HttpError> {
    let mut map = HeaderMap::new();
    insert(&mut map, AUTHORIZATION.as_str(), value)?;
    Ok(map)
}

fn secret(inline: Option<&SecretString>, file: Option<&Path>) -> Result<SecretString, HttpError> {
    match (inline, file) {
        (_, Some(path)) => Ok(read_file(path)?.trim_end_matches(['\r', '\n']).to_owned().into()),
        (Some(value), None) => Ok(value.clone()),
        (None, None) => Err(HttpError::Auth { what: "no secret configured".to_owned() }),
    }
}

fn read_file(path: &Path) -> Result<String, HttpError> {
    let fail = |why: String| HttpError::Auth { what: format!("{}: {why}", path.display()) };
    let size = std::fs::metadata(path).map_err(|e| fail(e.to_string()))?.len();
    if size > MAX_BYTES {
        return Err(fail(format!("larger than {MAX_BYTES} bytes")));
    }
    std::fs::read_to_string(path).map_err(|e| fail(e.to_string()))
}

/// Reads `Name: value` lines; empty ones are skipped. Values never show up in errors.
fn parse_headers(text: &str) -> Result<HeaderMap, HttpError> {
    let mut map = HeaderMap::new();
    for (i, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let Some((name, value)) = line.split_once(':') else {
            return Err(HttpError::Auth { what: format!("line {} is not `Name: value`", i + 1) });
        };
        insert(&mut map, name.trim(), value.trim())
            .map_err(|_| HttpError::Auth { what: format!("line {} is no header", i + 1) })?;
    }
    if map.is_empty() {
        return Err(HttpError::Auth { what: "no `Name: value` line was given".to_owned() });
    }
    Ok(map)
}

async fn run(argv: &[String]) -> Result<String, HttpError> {
    let fail = |program: &str, why: String| HttpError::Auth { what: format!("`{program}` {why}") };
    let Some((program, rest)) = argv.split_first() else {
        return Err(HttpError::Auth { what: "`auth.command` is empty".to_owned() });
    };
    let mut child = tokio::process::Command::new(program)
        .args(rest)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| fail(program, format!("cannot be started: {e}")))?;
    let work = async {
        let mut out = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            stdout.take(MAX_BYTES).read_to_end(&mut out).await.map_err(|e| e.to_string())?;
        }
        let status = child.wait().await.map_err(|e| e.to_string())?;
        if !status.success() {
            return Err(format!("failed ({status})"));
        }
        String::from_utf8(out).map_err(|_| "printed something that is not text".to_owned())
    };
    match tokio::time::timeout(COMMAND_LIMIT, work).await {
        Ok(result) => result.map_err(|why| fail(program, why)),
        Err(_) => Err(fail(program, format!("took more than {} s", COMMAND_LIMIT.as_secs()))),
    }
}
