//! The one HTTP client: every request of Weir has a time limit, a body cap, known credentials and
//! an error that names the way out without naming a secret.

mod auth;
mod build;
mod config;
mod error;
mod pace;
mod redact;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION};
use reqwest::{Client, Method, Url};
use secrecy::ExposeSecret;
use serde::Deserialize;

pub use config::{AuthConfig, BasicAuth, BearerAuth, HttpConfig, TlsConfig};
pub use error::HttpError;
pub use pace::{Pace, REQUESTS_PER_SECOND};
pub use redact::{one_line, redact_url};

use crate::clock::{Clock, SystemClock};
use auth::{Auth, Credentials, Stamp};
use build::{Pool, new_client, stamps};

/// Time limit where none is configured.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
/// Bodies of errors are read up to here.
const ERROR_CAP: usize = 64 * 1024;
const MAX_REDIRECTS: u32 = 3;

/// Makes rustls with ring the TLS of the whole process. May be called any number of times.
pub fn install_tls() {
    // A second call finds the provider of the first.
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        drop(rustls::crypto::ring::default_provider().install_default());
    }
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// Body, within the cap.
    pub body: Vec<u8>,
    url: String,
}

impl Response {
    /// Reads the body as JSON, without copying what `T` can borrow.
    ///
    /// # Errors
    /// When it is not JSON, is cut short or has another shape.
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, HttpError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let url = redact_url(&self.url);
            let content_type = self
                .headers
                .get(CONTENT_TYPE)
                .and_then(|v| v.to_str().ok())
                .map_or_else(|| "an unnamed content type".to_owned(), |v| one_line(v, 80));
            let first = self.body.iter().find(|b| !b.is_ascii_whitespace());
            if matches!(first, Some(b'{' | b'[')) {
                HttpError::Json { url, why: one_line(&error.to_string(), 200) }
            } else {
                let excerpt = redact::excerpt(&self.body);
                HttpError::NotJson { url, content_type, excerpt }
            }
        })
    }

    /// The answer if its status is 2xx, else an error with the start of its body.
    ///
    /// # Errors
    /// When the status is not 2xx.
    pub fn success(self) -> Result<Response, HttpError> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        Err(HttpError::Status {
            url: redact_url(&self.url),
            code: self.status,
            excerpt: redact::excerpt(&self.body),
        })
    }
}

/// A client for one endpoint or a group of endpoints with the same settings.
#[derive(Debug)]
pub struct HttpClient {
    config: HttpConfig,
    timeout: Duration,
    pool: Pool,
    auth: Arc<Auth>,
    client: Arc<Mutex<(Vec<Option<Stamp>>, Client)>>,
    clock: Arc<SystemClock>,
    /// Each source has its own client: whatever the number of jobs, a cluster is never asked faster.
    rate: DefaultDirectRateLimiter,
}

impl HttpClient {
    /// Builds a client.
    ///
    /// # Errors
    /// When a setting makes no sense, or a certificate or key cannot be read.
    pub fn build(config: &HttpConfig) -> Result<HttpClient, HttpError> {
        HttpClient::pooled(config, Pool::Few)
    }

    /// Builds a client for any number of hosts: it holds no connection open from one poll to the
    /// next.
    ///
    /// # Errors
    /// As [`HttpClient::build`].
    pub fn build_for_many(config: &HttpConfig) -> Result<HttpClient, HttpError> {
        HttpClient::pooled(config, Pool::Many)
    }

    /// Another one of the same settings, credentials and certificates, with a rate of its own: one
    /// per cluster where many clusters are reached alike.
    #[must_use]
    pub fn sibling(&self) -> HttpClient {
        HttpClient {
            config: self.config.clone(),
            timeout: self.timeout,
            pool: self.pool,
            auth: Arc::clone(&self.auth),
            client: Arc::clone(&self.client),
            clock: Arc::clone(&self.clock),
            rate: RateLimiter::direct(Quota::per_second(self.config.pace.requests_per_second)),
        }
    }

    fn pooled(config: &HttpConfig, pool: Pool) -> Result<HttpClient, HttpError> {
        install_tls();
        let timeout = config.timeout.unwrap_or(DEFAULT_TIMEOUT);
        if timeout.is_zero() {
            return Err(HttpError::Config {
                what: "`timeout` is zero".to_owned(),
                hint: "set it to some seconds, such as 5s".to_owned(),
            });
        }
        if let Some(auth) = &config.auth {
            auth::check(auth)?;
        }
        let client = (stamps(config), new_client(config, timeout, pool)?);
        Ok(HttpClient {
            config: config.clone(),
            timeout,
            pool,
            auth: Arc::new(Auth::new(config.auth.clone())),
            client: Arc::new(Mutex::new(client)),
            clock: Arc::new(SystemClock::anchored(None)),
            rate: RateLimiter::direct(Quota::per_second(config.pace.requests_per_second)),
        })
    }

    /// Longest time one request may take.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Requests that fit between two looks.
    pub fn requests_per_look(&self) -> u32 {
        self.config.pace.per_look()
    }

    /// Fetches `url`, which must answer 2xx within `cap` bytes.
    ///
    /// # Errors
    /// Whatever keeps that from happening.
    pub async fn get(&self, url: &str, cap: usize) -> Result<Response, HttpError> {
        self.request(Method::GET, url, HeaderMap::new(), None, cap).await?.success()
    }

    /// Fetches `url` as JSON.
    ///
    /// # Errors
    /// Whatever keeps that from happening.
    pub async fn get_json<T: serde::de::DeserializeOwned>(
        &self,
        url: &str,
        cap: usize,
    ) -> Result<T, HttpError> {
        self.get(url, cap).await?.json()
    }

    /// Posts `body`. Any status is an answer; redirects are not followed.
    ///
    /// # Errors
    /// When there is no answer, or one larger than `cap`.
    pub async fn post(
        &self,
        url: &str,
        headers: HeaderMap,
        body: Vec<u8>,
        cap: usize,
    ) -> Result<Response, HttpError> {
        self.request(Method::POST, url, headers, Some(body), cap).await
    }

    /// Makes a request. Any status is an answer, except a redirect that cannot be followed. A
    /// refusal (401, 403) is tried once more if the credentials changed.
    ///
    /// # Errors
    /// When there is no answer, or one larger than `cap`.
    pub async fn request(
        &self,
        method: Method,
        url: &str,
        headers: HeaderMap,
        body: Option<Vec<u8>>,
        cap: usize,
    ) -> Result<Response, HttpError> {
        let credentials = self.auth.credentials().await?;
        let first = self.follow(&method, url, &headers, body.as_deref(), cap, &credentials).await?;
        if !matches!(first.status, 401 | 403)
            || !self.auth.refused(&credentials, self.clock.now().steady).await
        {
            return Ok(first);
        }
        let credentials = self.auth.credentials().await?;
        self.follow(&method, url, &headers, body.as_deref(), cap, &credentials).await
    }

    async fn follow(
        &self,
        method: &Method,
        url: &str,
        headers: &HeaderMap,
        body: Option<&[u8]>,
        cap: usize,
        credentials: &Credentials,
    ) -> Result<Response, HttpError> {
        let mut target = Url::parse(url).map_err(|error| HttpError::Config {
            what: format!("an address cannot be read: {error}"),
            hint: "addresses look like http://host:8081".to_owned(),
        })?;
        let client = self.client();
        for _ in 0..=MAX_REDIRECTS {
            let mut request = client.request(method.clone(), target.clone());
            if !headers.is_empty() {
                request = request.headers(headers.clone());
            }
            if !credentials.headers.is_empty() {
                request = request.headers((*credentials.headers).clone());
            }
            if let Some(body) = body {
                request = request.body(body.to_vec());
            }
            self.rate.until_ready().await;
            let mut answer = self.read(request, &target, cap).await?;
            if !(200..300).contains(&answer.status) {
                self.scrub(&mut answer.body, credentials);
            }
            if !is_redirect(answer.status) {
                return Ok(answer);
            }
            let refuse = |to: String| HttpError::Redirect { url: redact_url(url), target: to };
            let next = redirect_of(&answer, &target).map_err(refuse)?;
            if *method != Method::GET || !same_host(&target, &next) {
                return Err(refuse(redact_url(next.as_str())));
            }
            target = next;
        }
        Err(HttpError::Redirect { url: redact_url(url), target: redact_url(target.as_str()) })
    }

    async fn read(
        &self,
        request: reqwest::RequestBuilder,
        url: &Url,
        cap: usize,
    ) -> Result<Response, HttpError> {
        let fail = |error: &reqwest::Error| {
            HttpError::from_reqwest(error, redact_url(url.as_str()), self.timeout)
        };
        let mut answer = request.send().await.map_err(|e| fail(&e))?;
        let ok = answer.status().is_success();
        let cap = if ok { cap } else { cap.min(ERROR_CAP) };
        let announced = answer.content_length().and_then(|n| usize::try_from(n).ok());
        let too_large = || HttpError::TooLarge { url: redact_url(url.as_str()), cap };
        if ok && announced.is_some_and(|n| n > cap) {
            return Err(too_large());
        }
        let mut body = Vec::with_capacity(announced.unwrap_or(0).min(cap));
        while let Some(chunk) = answer.chunk().await.map_err(|e| fail(&e))? {
            if body.len() + chunk.len() > cap {
                if ok {
                    return Err(too_large());
                }
                body.extend_from_slice(chunk.get(..cap - body.len()).unwrap_or_default());
                break;
            }
            body.extend_from_slice(&chunk);
        }
        let status = answer.status().as_u16();
        let headers = std::mem::take(answer.headers_mut());
        Ok(Response { status, headers, body, url: url.as_str().to_owned() })
    }

    /// Takes our own secrets out of the body of an error that repeats them.
    fn scrub(&self, body: &mut Vec<u8>, credentials: &Credentials) {
        let sent = credentials.headers.values().filter_map(|v| v.to_str().ok());
        let fixed = self.config.headers.values().map(ExposeSecret::expose_secret);
        for value in sent.chain(fixed) {
            let bare = value.rsplit(' ').next().unwrap_or(value);
            if bare.len() >= 4 && find(body, bare.as_bytes()) {
                let text = String::from_utf8_lossy(body).replace(bare, "…");
                *body = text.into_bytes();
            }
        }
    }

    /// The client, built anew when one of its certificate files changed.
    fn client(&self) -> Client {
        let mut built = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if self.config.tls.is_some() {
            let now = stamps(&self.config);
            if now != built.0 {
                match new_client(&self.config, self.timeout, self.pool) {
                    Ok(client) => *built = (now, client),
                    // Half-written files: the old ones serve until the new ones can be read.
                    Err(error) => tracing::warn!(%error, "changed certificates are not usable yet"),
                }
            }
        }
        built.1.clone()
    }
}

fn find(body: &[u8], part: &[u8]) -> bool {
    body.windows(part.len()).any(|w| w == part)
}

/// Where a redirect leads; an empty answer is one to nowhere.
fn redirect_of(answer: &Response, from: &Url) -> Result<Url, String> {
    let location = answer.headers.get(LOCATION).map(|v| String::from_utf8_lossy(v.as_bytes()));
    let Some(location) = location else { return Err("nowhere".to_owned()) };
    from.join(&location).map_err(|_| "an address that cannot be read".to_owned())
}

fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// Credentials may go there: the same host and port, or the same host by TLS.
fn same_host(from: &Url, to: &Url) -> bool {
    let same_port =
        from.scheme() == to.scheme() && from.port_or_known_default() == to.port_or_known_default();
    from.host_str() == to.host_str()
        && (same_port || (from.scheme() == "http" && to.scheme() == "https"))
}
