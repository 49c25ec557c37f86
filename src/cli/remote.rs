//! Asks a running weir over HTTP: where it is, with which token, and what to do when it does not
//! answer.

use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};

use reqwest::Method;
use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{ConfigFile, Failure, output};
use crate::config::de::Secret;
use crate::config::{self, Web};
use crate::http::{
    AuthConfig, BearerAuth, HttpClient, HttpConfig, HttpError, Response, redact_url,
};
use crate::notify::render::escape;

/// Where weir listens unless it is told otherwise.
const DEFAULT_URL: &str = "http://127.0.0.1:9321";
/// No answer of the API is larger.
const CAP: usize = 64 << 20;
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Which running weir is meant.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Target {
    /// Address of the running weir, such as `http://weir:9321`. Without it: the address in the
    /// configuration.
    #[arg(long, env = "WEIR_URL", value_name = "URL")]
    url: Option<String>,
    /// File with a token of the running weir's `web.tokens`; needed unless it listens on this
    /// machine only.
    #[arg(long, env = "WEIR_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) file: ConfigFile,
}

/// A running weir, as far as one knows before asking.
pub(super) struct Remote {
    /// Where to ask, in this order, without a trailing slash.
    addresses: Vec<String>,
    /// Where the addresses come from, for people.
    from: String,
    /// Token files the configuration names, for people.
    known_tokens: Vec<PathBuf>,
    has_token: bool,
    http: HttpClient,
}

impl Remote {
    /// Reads where to ask; asks nothing yet.
    pub(super) fn find(target: &Target) -> Result<Remote, Failure> {
        let (addresses, from, known_tokens) = match &target.url {
            Some(url) => (vec![base_of(url)?], "--url or WEIR_URL".to_owned(), Vec::new()),
            None => from_config(&target.file.config)?,
        };
        let bearer = |file: &PathBuf| {
            AuthConfig::Bearer(BearerAuth { token: None, token_file: Some(file.clone()) })
        };
        let auth = target.token_file.as_ref().map(bearer);
        let has_token = auth.is_some();
        let http = HttpClient::build(&HttpConfig {
            auth,
            timeout: Some(std::time::Duration::from_secs(20)),
            ..HttpConfig::default()
        })
        .map_err(|error| anyhow::anyhow!(error.explain()))?;
        Ok(Remote { addresses, from, known_tokens, has_token, http })
    }

    /// Fetches a resource of the API as JSON; `path` such as `/api/v1/jobs`.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, Failure> {
        let (base, answer) = self.fetch(path, query, CAP).await?;
        match answer.json() {
            Ok(read) => Ok(read),
            Err(error) => Err(self.unreadable(&base, &error.to_string()).await.into()),
        }
    }

    /// Gives a command; `body` has its id, so that it is done once however often it arrives.
    pub(super) async fn post<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, Failure> {
        let body = Some(serde_json::to_vec(body)?);
        self.change(Method::POST, path, body).await
    }

    /// Takes something away, as [`Remote::post`] gives.
    pub(super) async fn delete<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, Failure> {
        let body = Some(serde_json::to_vec(body)?);
        self.change(Method::DELETE, path, body).await
    }

    /// Makes a request that changes something.
    async fn change<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<T, Failure> {
        let (base, answer) = self.request(method, path, &[], body, CAP).await?;
        if !(200..300).contains(&answer.status) {
            return Err(self.refusal(&base, path, &answer).await.into());
        }
        match answer.json() {
            Ok(read) => Ok(read),
            Err(error) => Err(self.unreadable(&base, &error.to_string()).await.into()),
        }
    }

    /// Fetches a resource as it is, within `cap` bytes, and says whose answer it is.
    pub(super) async fn fetch(
        &self,
        path: &str,
        query: &[(&str, &str)],
        cap: usize,
    ) -> Result<(String, Response), Failure> {
        let (base, answer) = self.request(Method::GET, path, query, None, cap).await?;
        if (200..300).contains(&answer.status) {
            return Ok((base, answer));
        }
        Err(self.refusal(&base, path, &answer).await.into())
    }

    /// Asks at each address until one answers at all.
    async fn request(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<Vec<u8>>,
        cap: usize,
    ) -> Result<(String, Response), Failure> {
        let mut headers = HeaderMap::new();
        if body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let mut tried = Vec::new();
        for base in &self.addresses {
            let url = Url::parse_with_params(&format!("{base}{path}"), query)?;
            let (headers, body) = (headers.clone(), body.clone());
            let asked = self.http.request(method.clone(), url.as_str(), headers, body, cap);
            match asked.await {
                Ok(answer) => return Ok((base.clone(), answer)),
                Err(error @ (HttpError::Connect { .. } | HttpError::Timeout { .. })) => {
                    tried.push(error.to_string());
                }
                Err(error @ (HttpError::Config { .. } | HttpError::Auth { .. })) => {
                    return Err(anyhow::anyhow!(error.explain()).into());
                }
                Err(error) => {
                    return Err(
                        anyhow::anyhow!("{error}; is {base} a weir? name it with --url").into()
                    );
                }
            }
        }
        Err(anyhow::anyhow!(
            "no running weir answers (address from {}): {}; start it with `weir run`, or name \
             another one with --url",
            self.from,
            tried.join("; ")
        )
        .into())
    }

    /// What an answer that is no 2xx means.
    async fn refusal(&self, base: &str, path: &str, answer: &Response) -> anyhow::Error {
        let said = error_of(answer);
        match answer.status {
            401 if said.is_some() && self.has_token => anyhow::anyhow!(
                "{} does not know the token; give --token-file a file with one of its web.tokens \
                 (access: read is enough to look)",
                redact_url(base)
            ),
            401 | 403 if said.is_none() => anyhow::anyhow!(
                "{} answered {}, and not as a weir does; a proxy may want its own login: ask weir \
                 itself with --url",
                redact_url(base),
                answer.status
            ),
            401 => anyhow::anyhow!(
                "{} wants a token; give --token-file a file with one of its web.tokens (access: \
                 read is enough to look){}",
                redact_url(base),
                self.token_hint()
            ),
            404 | 405 if said.as_deref().is_none_or(is_no_such_page) => {
                match self.version_at(base).await {
                    Some(version) if version == VERSION => {
                        anyhow::anyhow!("{} has no {path}; this is a bug", redact_url(base))
                    }
                    Some(version) => anyhow::anyhow!(
                        "weir {version} at {} does not know {path}, which this weir {VERSION} asks \
                         for; use the same version on both sides",
                        redact_url(base)
                    ),
                    None => not_a_weir(base, &format!("it answered {}", answer.status)),
                }
            }
            // Weir's own word for it has the way out.
            status => match said {
                Some(said) => anyhow::anyhow!("{said}"),
                None => not_a_weir(base, &format!("it answered {status}")),
            },
        }
    }

    /// A 2xx that cannot be read.
    async fn unreadable(&self, base: &str, error: &str) -> anyhow::Error {
        match self.version_at(base).await {
            Some(version) if version != VERSION => anyhow::anyhow!(
                "weir {version} at {} answers otherwise than this weir {VERSION} expects; use the \
                 same version on both sides ({error})",
                redact_url(base)
            ),
            Some(_) => anyhow::anyhow!("{error}; this is a bug"),
            None => not_a_weir(base, error),
        }
    }

    /// The version of the weir there, if it is one.
    async fn version_at(&self, base: &str) -> Option<String> {
        #[derive(Deserialize)]
        struct Status {
            version: String,
            #[serde(rename = "ready")]
            _ready: bool,
        }
        let url = format!("{base}/api/v1/status");
        self.http.get_json::<Status>(&url, CAP).await.ok().map(|status| status.version)
    }

    fn token_hint(&self) -> String {
        let files: Vec<String> =
            self.known_tokens.iter().map(|path| path.display().to_string()).collect();
        if files.is_empty() {
            String::new()
        } else {
            format!("; the configuration names {}", files.join(", "))
        }
    }
}

fn not_a_weir(base: &str, why: &str) -> anyhow::Error {
    anyhow::anyhow!("{} is not a weir: {why}; name the right address with --url", redact_url(base))
}

/// An id nobody else has.
pub(super) fn any_id() -> String {
    let random = || std::collections::hash_map::RandomState::new().build_hasher().finish();
    format!("cli-{:016x}{:016x}", random(), random())
}

/// A text as one segment of a path.
pub(super) fn segment(text: &str) -> String {
    let encoded = |byte: u8| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(encoded).collect()
}

/// The text of weir's own errors.
fn error_of(answer: &Response) -> Option<String> {
    #[derive(Deserialize)]
    struct Said {
        error: String,
    }
    // Names of jobs are in it, which strangers chose.
    answer.json::<Said>().ok().map(|said| escape::plain(&said.error))
}

/// Weir's word for a path it does not have, unlike one for a thing that is not there.
fn is_no_such_page(said: &str) -> bool {
    said.starts_with("no such page") || said.starts_with("this page does not take")
}

fn from_config(path: &Path) -> Result<(Vec<String>, String, Vec<PathBuf>), Failure> {
    if !path.exists() && path == Path::new("weir.yaml") {
        let from = "the default, for there is no weir.yaml here".to_owned();
        return Ok((vec![DEFAULT_URL.to_owned()], from, Vec::new()));
    }
    let (config, _) = config::load(path, &config::process_env).map_err(|problems| {
        output::problems(&problems);
        output::complain("error: the address of the running weir cannot be read; give --url");
        Failure::Refused
    })?;
    let tokens = config.web.tokens.iter().filter_map(|token| match &token.secret {
        Secret::File(path) => Some(path.clone()),
        Secret::Value(_) => None,
    });
    Ok((addresses(&config.web), path.display().to_string(), tokens.collect()))
}

/// Where a weir with this configuration can be reached from here: on this machine first, then
/// where people reach it.
fn addresses(web: &Web) -> Vec<String> {
    let mut listen = web.listen;
    match listen.ip() {
        std::net::IpAddr::V4(ip) if ip.is_unspecified() => {
            listen.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
        }
        // `[::]` takes both families, unless the system says otherwise.
        std::net::IpAddr::V6(ip) if ip.is_unspecified() => {
            listen.set_ip(std::net::Ipv6Addr::LOCALHOST.into());
        }
        _ => {}
    }
    let mut all = vec![format!("http://{listen}")];
    all.extend(web.external_url.as_deref().map(|url| url.trim_end_matches('/').to_owned()));
    all
}

/// The address without its trailing slash; a missing scheme is http.
fn base_of(url: &str) -> Result<String, Failure> {
    let full = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    let good = Url::parse(&full)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some());
    if good {
        return Ok(full.trim_end_matches('/').to_owned());
    }
    output::complain(&format!(
        "error: `{}` is no address of a weir (write it like {DEFAULT_URL})",
        redact_url(url)
    ));
    Err(Failure::Refused)
}

#[cfg(test)]
#[path = "remote/tests.rs"]
mod tests;
