//! What holds for every request: the host it names, its time, the headers of its answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::config::{WebConfig, host_of};
use super::error::ApiError;

/// No answer takes longer; a store that hangs must not pile up requests.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Hosts a request may name. A web site that points its own name at 127.0.0.1 (DNS rebinding)
/// could otherwise read everything through the browser of somebody on this machine.
#[derive(Debug)]
pub(super) struct Hosts {
    only_local: bool,
    external: Option<String>,
}

impl Hosts {
    pub(super) fn new(config: &WebConfig) -> Hosts {
        let external = config.external_url.as_deref().and_then(host_of);
        Hosts { only_local: config.listen.ip().is_loopback(), external }
    }

    fn allows(&self, host: &str) -> bool {
        if !self.only_local {
            return true;
        }
        let name = without_port(host).to_lowercase();
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        let loopback = bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        let localhost = name == "localhost" || name.ends_with(".localhost");
        loopback || localhost || self.external.as_deref() == Some(name.as_str())
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => {
            name
        }
        _ => host,
    }
}

/// Refuses requests that name a stranger's host.
pub(super) async fn host(
    State(hosts): State<Arc<Hosts>>,
    request: Request,
    next: Next,
) -> Response {
    let header = request.headers().get(header::HOST).and_then(|value| value.to_str().ok());
    let named = request.uri().authority().map(axum::http::uri::Authority::as_str).or(header);
    if named.is_some_and(|name| hosts.allows(name)) {
        return next.run(request).await;
    }
    let error = "the request names a host that is not this one; use localhost, or set \
                 web.external_url to the name a proxy serves weir under";
    ApiError::new(StatusCode::FORBIDDEN, error).into_response()
}

/// Bounds the time of a request.
pub(super) async fn timeout(request: Request, next: Next) -> Response {
    tokio::time::timeout(TIMEOUT, next.run(request)).await.unwrap_or_else(|_| {
        ApiError::new(StatusCode::GATEWAY_TIMEOUT, "the answer took too long; try again")
            .into_response()
    })
}

/// Headers of every answer; the page brings its own, wider policy.
pub(super) async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_let_in() {
        let external_url = Some("https://Weir.example.com/sub/".to_owned());
        let hosts = Hosts::new(&WebConfig { external_url, ..WebConfig::default() });
        for good in [
            "localhost",
            "localhost:9321",
            "LOCALHOST:1",
            "127.0.0.1",
            "127.0.0.1:9321",
            "127.8.8.8:80",
            "[::1]:9321",
            "[::1]",
            "weir.example.com",
            "weir.example.com:443",
        ] {
            assert!(hosts.allows(good), "{good}");
        }
        for bad in [
            "",
            "evil.example",
            "evil.example:9321",
            "127.0.0.1.evil.example",
            "10.0.0.1:9321",
            "localhost.evil.example",
            "weir.example.com.evil",
            "0.0.0.0:9321",
            "notlocalhost",
        ] {
            assert!(!hosts.allows(bad), "{bad}");
        }
    }
}
