//! How a whole cluster's REST endpoint misbehaves.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use super::super::net::Line;

/// What every request to a cluster meets while it is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// HTTP 200 with a proxy's login page.
    Html,
    /// HTTP 200 with the first half of the real answer.
    TruncatedJson,
    /// HTTP 200 with JSON that goes on for this many bytes, no length announced.
    HugeBody(usize),
    /// A redirect to a port nobody listens on.
    RedirectNowhere,
    /// No answer at all.
    Hang,
    /// 503 of a `JobManager` without a leader.
    Http503NoLeader,
    /// 500 with a stack trace.
    Http500,
    /// The connection closes without a byte. For a refused connection use
    /// [`super::Fleet::refused_url`]: one port serves all clusters.
    Refuse,
}

const NO_LEADER: &str = r#"{"errors":["Service temporarily unavailable due to an ongoing leader election. Please refresh."]}"#;
const INTERNAL: &str = r#"{"errors":["Internal server error.","<Exception on server side:\njava.util.concurrent.CompletionException: java.util.concurrent.TimeoutException: Invocation of [RemoteRpcInvocation(RestfulGateway.requestMultipleJobDetails(Duration))] timed out.\n\tat java.base/java.util.concurrent.CompletableFuture.encodeThrowable(CompletableFuture.java:332)\nEnd of exception on server side>"]}"#;
const LOGIN: &str = "<!DOCTYPE html><html><head><title>Sign in</title></head><body><form \
                     action=\"/login\" method=\"post\"></form></body></html>";

/// Answers as `fault` demands; `usual` is what the cluster would have said.
pub(super) async fn answer(fault: Fault, line: &Line, usual: Response) -> Response {
    match fault {
        Fault::Html => {
            ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], LOGIN).into_response()
        }
        Fault::TruncatedJson => truncated(usual).await,
        Fault::HugeBody(bytes) => {
            ([(header::CONTENT_TYPE, super::JSON_UTF8)], huge(bytes)).into_response()
        }
        Fault::RedirectNowhere => {
            (StatusCode::FOUND, [(header::LOCATION, "http://127.0.0.1:1/")]).into_response()
        }
        Fault::Hang => std::future::pending().await,
        Fault::Http503NoLeader => json(StatusCode::SERVICE_UNAVAILABLE, NO_LEADER),
        Fault::Http500 => json(StatusCode::INTERNAL_SERVER_ERROR, INTERNAL),
        Fault::Refuse => {
            line.cut();
            StatusCode::BAD_GATEWAY.into_response()
        }
    }
}

fn json(status: StatusCode, body: &'static str) -> Response {
    (status, [(header::CONTENT_TYPE, super::JSON_UTF8)], body).into_response()
}

async fn truncated(usual: Response) -> Response {
    let status = usual.status();
    let whole = axum::body::to_bytes(usual.into_body(), usize::MAX).await;
    let whole = whole.expect("the usual answer is in memory");
    let half = whole.slice(..whole.len() / 2);
    (status, [(header::CONTENT_TYPE, super::JSON_UTF8)], half).into_response()
}

fn huge(bytes: usize) -> Body {
    const CHUNK: usize = 64 * 1024;
    let filler = Bytes::from(vec![b' '; CHUNK]);
    let start = Bytes::from_static(br#"{"jobs":["#);
    Body::from_stream(stream::unfold((bytes, Some(start)), move |(left, start)| {
        let filler = filler.clone();
        async move {
            let chunk = match start {
                Some(start) => start,
                None if left == 0 => return None,
                None => filler.slice(..left.min(CHUNK)),
            };
            let left = left.saturating_sub(chunk.len());
            Some((Ok::<_, Infallible>(chunk), (left, None)))
        }
    }))
}
