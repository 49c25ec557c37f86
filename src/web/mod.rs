//! What people and programs see of Weir over HTTP: the status page, the API, probes, metrics.
//!
//! It shows the last immutable [`View`] and the store's history. It decides nothing, and it never
//! holds up the engine: a request that cannot be answered in time is given up.

mod api;
mod auth;
mod config;
mod confined;
mod error;
mod guard;
mod health;
mod links;
mod page;
mod query;
mod reload;
mod v2;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::auth::Auth;
use self::error::ApiError;
use self::guard::Hosts;
use crate::engine::{Asker, Commander, View};
use crate::metrics::{Exporter, Health};
use crate::notify::LinkKey;
use crate::store::Store;

pub use api::{
    checkpoints, command, explain, notices, report, restarts, routes, schedule, silences,
};
pub use auth::{Caller, SHORTEST_TOKEN};
pub use config::{Scope, TokenConfig, WebConfig};
pub use error::WebError;
pub use reload::{Reload, ReloadError, Reloaded};

/// No request needs a longer body.
const BODY_LIMIT: usize = 64 * 1024;

/// How long open requests may go on after the stop.
const GRACE: Duration = Duration::from_secs(5);

/// What the web side looks at.
pub struct Web {
    /// The picture after the last step.
    pub view: watch::Receiver<Arc<View>>,
    /// History.
    pub store: Arc<dyn Store>,
    /// Weir's own state.
    pub health: watch::Receiver<Arc<Health>>,
    /// The running engine, for questions about now.
    pub asker: Asker,
    /// The running engine, for commands.
    pub commander: Commander,
    /// What links in messages are checked with; none: there are none.
    pub links: Option<LinkKey>,
    /// Reads the configuration again; none where there is no file.
    pub reload: Option<Reload>,
}

/// State of every handler.
#[derive(Clone)]
struct Shared(Arc<Inner>);

struct Inner {
    web: Web,
    exporter: Exporter,
    said_once: v2::SaidOnce,
    gate: links::Gate,
}

impl std::ops::Deref for Shared {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Inner {
    fn view(&self) -> Arc<View> {
        self.web.view.borrow().clone()
    }

    fn health(&self) -> Arc<Health> {
        self.web.health.borrow().clone()
    }
}

/// The whole HTTP side as a router.
///
/// # Errors
/// When the configuration is unsafe ([`WebConfig::problems`]) or a token cannot be read.
pub fn router(config: &WebConfig, web: Web) -> Result<Router, WebError> {
    if let Some(problem) = config.problems().into_iter().next() {
        return Err(WebError::Config(problem));
    }
    let auth = Arc::new(Auth::new(config)?);
    let hosts = Arc::new(Hosts::new(config));
    let shared = Shared(Arc::new(Inner {
        web,
        exporter: Exporter::new(),
        said_once: v2::SaidOnce::default(),
        gate: links::Gate::new(),
    }));
    Ok(Router::new()
        .route("/", get(page::page))
        .route("/metrics", get(health::metrics))
        .route("/-/healthy", get(health::healthy))
        .route("/-/ready", get(health::ready))
        .route("/-/reload", post(reload::reload))
        .route("/l/{token}", get(links::show).post(links::act))
        .nest("/api/v1", api::router())
        .merge(v2::router())
        .fallback(|| async { ApiError::not_found("no such page; the api is under /api/v1/") })
        .method_not_allowed_fallback(|| async {
            let status = axum::http::StatusCode::METHOD_NOT_ALLOWED;
            ApiError::new(
                status,
                "this page does not take that method; use GET, or POST for what changes something",
            )
        })
        .with_state(shared)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn(guard::timeout))
        .layer(from_fn_with_state(auth, auth::check))
        .layer(from_fn_with_state(hosts, guard::host))
        .layer(from_fn(guard::headers)))
}

/// Takes the address.
///
/// # Errors
/// When somebody else has it or it is not this machine's.
pub async fn bind(config: &WebConfig) -> Result<TcpListener, WebError> {
    let address = config.listen;
    TcpListener::bind(address).await.map_err(|source| WebError::Listen { address, source })
}

/// Serves until `stop`; requests in flight then have five seconds.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let stopped = stop.clone();
    let server = axum::serve(listener, router)
        .with_graceful_shutdown(async move { stopped.cancelled().await });
    let deadline = async {
        stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        result = server.into_future() => result,
        () = deadline => {
            tracing::debug!("open requests were cut off at the end");
            Ok(())
        }
    }
}
