//! A reverse proxy before Flink's REST API, as companies have one. It wants a bearer token, passes on
//! what it is given, and treats the next start of a job badly when it is told to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tokio::sync::Barrier;

use super::http;
use super::net::{Line, Served};

/// Longest wait of one start for the other.
const TOGETHER_WITHIN: Duration = Duration::from_secs(30);

/// What becomes of the next `POST /jars/:id/run` of one job.
#[derive(Debug, Clone)]
pub(crate) enum Trick {
    /// It is answered as Flink does, and goes nowhere.
    Swallow,
    /// Flink has it and has answered: the caller hears 400.
    DenyAfter,
    /// The caller hears 400 first; Flink has it a moment later.
    DenyBefore(Duration),
    /// From now on another token is wanted, also for this.
    Expire(&'static str),
    /// Flink has it and has answered: the line is cut.
    Drop,
    /// It waits until as many starts have come, here or at another proxy.
    Together(Arc<Barrier>),
}

/// The running proxy.
pub(crate) struct Proxy {
    served: Served,
    shared: Arc<Shared>,
}

struct Shared {
    target: String,
    client: reqwest::Client,
    plan: Mutex<Plan>,
}

#[derive(Default)]
struct Plan {
    token: String,
    /// By the name of the job.
    next: BTreeMap<String, Trick>,
    /// Starts of a job that Flink was given.
    passed: BTreeMap<String, usize>,
    /// Calls with another token.
    refused: usize,
}

impl Proxy {
    /// Serves before this address on a loopback port; whoever calls must bear this token.
    ///
    /// # Errors
    /// When there is no port.
    pub(crate) async fn start(target: &str, token: &str) -> Result<Proxy> {
        let plan = Plan { token: token.to_owned(), ..Plan::default() };
        let shared = Arc::new(Shared {
            target: target.trim_end_matches('/').to_owned(),
            client: http::client(),
            plan: Mutex::new(plan),
        });
        let router = Router::new()
            .fallback(pass)
            .layer(DefaultBodyLimit::max(64 << 20))
            .with_state(shared.clone());
        Ok(Proxy { served: Served::start(router).await?, shared })
    }

    /// The address to configure.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.served.addr())
    }

    /// What becomes of the next start of this job.
    pub(crate) fn next(&self, job: &str, trick: Trick) {
        self.shared.plan().next.insert(job.to_owned(), trick);
    }

    /// Whether that start has come.
    pub(crate) fn has_met(&self, job: &str) -> bool {
        !self.shared.plan().next.contains_key(job)
    }

    /// How many starts of a job were passed on.
    pub(crate) fn passed(&self, job: &str) -> usize {
        self.shared.plan().passed.get(job).copied().unwrap_or(0)
    }

    /// How many calls had another token.
    pub(crate) fn refused(&self) -> usize {
        self.shared.plan().refused
    }
}

impl Shared {
    fn plan(&self) -> std::sync::MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn may(&self, headers: &HeaderMap) -> bool {
        let mut plan = self.plan();
        let said = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let may = said.and_then(|said| said.strip_prefix("Bearer ")) == Some(&plan.token);
        plan.refused += usize::from(!may);
        may
    }

    async fn pass(&self, call: &Call) -> Result<Response> {
        let path = call.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request =
            self.client.request(call.method.clone(), format!("{}{path}", self.target));
        if let Some(kind) = call.headers.get(header::CONTENT_TYPE) {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        let answer = request.body(call.body.clone()).send().await.context("Flink is silent")?;
        let mut response = Response::builder().status(answer.status());
        if let Some(kind) = answer.headers().get(header::CONTENT_TYPE) {
            response = response.header(header::CONTENT_TYPE, kind);
        }
        Ok(response.body(Body::from(answer.bytes().await?))?)
    }
}

#[derive(Debug, Clone)]
struct Call {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Call {
    /// The job that is to be started, if that is what it is about, and Flink's id of the run.
    fn start(&self) -> Option<(String, Value)> {
        let path = self.uri.path();
        if self.method != Method::POST || !path.starts_with("/jars/") || !path.ends_with("/run") {
            return None;
        }
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        let args = body["programArgsList"].as_array()?;
        let place = args.iter().position(|arg| arg == "--name")?;
        let name = args.get(place + 1)?.as_str()?;
        Some((name.to_owned(), body["jobId"].clone()))
    }
}

async fn pass(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(line): ConnectInfo<Line>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !shared.may(&headers) {
        return unauthorized();
    }
    let call = Call { method, uri, headers, body };
    let Some((job, id)) = call.start() else { return answered(shared.pass(&call).await) };
    let trick = shared.plan().next.remove(&job);
    if let Some(Trick::Together(barrier)) = &trick
        && tokio::time::timeout(TOGETHER_WITHIN, barrier.wait()).await.is_err()
    {
        return StatusCode::GATEWAY_TIMEOUT.into_response();
    }
    match trick {
        Some(Trick::Swallow) => return axum::Json(json!({ "jobid": id })).into_response(),
        Some(Trick::Expire(token)) => {
            token.clone_into(&mut shared.plan().token);
            return unauthorized();
        }
        Some(Trick::DenyBefore(after)) => {
            let shared = shared.clone();
            tokio::spawn(async move {
                tokio::time::sleep(after).await;
                *shared.plan().passed.entry(job).or_default() += 1;
                shared.pass(&call).await
            });
            return denied();
        }
        _ => {}
    }
    *shared.plan().passed.entry(job).or_default() += 1;
    let answer = answered(shared.pass(&call).await);
    match trick {
        Some(Trick::DenyAfter) => denied(),
        Some(Trick::Drop) => {
            line.cut();
            answer
        }
        _ => answer,
    }
}

fn answered(answer: Result<Response>) -> Response {
    answer.unwrap_or_else(|error| (StatusCode::BAD_GATEWAY, format!("{error:#}")).into_response())
}

fn unauthorized() -> Response {
    (StatusCode::UNAUTHORIZED, "token expired").into_response()
}

/// In a proxy's words, not in Flink's.
fn denied() -> Response {
    (StatusCode::BAD_REQUEST, "request blocked by policy 17").into_response()
}
