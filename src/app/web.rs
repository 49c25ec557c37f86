//! Joins the page, the API and the metrics to the running engine.

use std::sync::Arc;

use anyhow::Result;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::error;

use super::reload::{LastReload, ReloadHandle};
use crate::config::{Access, Config};
use crate::engine::{Asker, Commander, Health, View};
use crate::metrics;
use crate::notify::LinkKey;
use crate::store::Store;
use crate::web::{Reload, Scope, TokenConfig, Web, WebConfig};

/// Takes the address before anything else is started.
pub(super) async fn bind(config: &Config) -> Result<TcpListener> {
    Ok(crate::web::bind(&web_config(config)).await?)
}

/// What the web side shows and asks.
pub(super) struct Shown {
    pub(super) views: watch::Receiver<Arc<View>>,
    pub(super) health: watch::Receiver<Health>,
    pub(super) store: Arc<dyn Store>,
    pub(super) asker: Asker,
    pub(super) commander: Commander,
    pub(super) links: Option<LinkKey>,
    pub(super) reload: Option<ReloadHandle>,
    pub(super) reloads: watch::Receiver<LastReload>,
}

pub(super) fn spawn(
    config: &Config,
    listener: TcpListener,
    shown: Shown,
    tasks: &TaskTracker,
    stop: CancellationToken,
) -> Result<()> {
    let Shown {
        views: view,
        mut health,
        store,
        asker,
        commander,
        links,
        reload,
        reloads: mut last,
    } = shown;
    let shown = watch::Sender::new(Arc::new(metrics::Health::default()));
    let reload = reload.map(|handle| -> Reload {
        Arc::new(move || {
            let handle = handle.clone();
            Box::pin(async move { handle.reload().await })
        })
    });
    let web = Web { view, store, health: shown.subscribe(), asker, commander, links, reload };
    let router = crate::web::router(&web_config(config), web)?;
    tasks.spawn(async move {
        loop {
            let next = {
                let (health, last) = (health.borrow_and_update(), last.borrow_and_update());
                metrics::Health {
                    store_error: health.store_error.clone(),
                    reload_error: last.error.clone(),
                    reloaded_at: last.taken_at,
                }
            };
            shown.send_if_modified(|known| {
                let differs = **known != next;
                if differs {
                    *known = Arc::new(next);
                }
                differs
            });
            let changed = tokio::select! {
                changed = health.changed() => changed,
                // Gone where nothing can be reloaded.
                Ok(()) = last.changed() => Ok(()),
            };
            if changed.is_err() {
                return;
            }
        }
    });
    tasks.spawn(async move {
        if let Err(error) = crate::web::serve(listener, router, stop).await {
            error!(%error, "the page and the api are gone");
        }
    });
    Ok(())
}

fn web_config(config: &Config) -> WebConfig {
    let mut tokens = Vec::new();
    for token in &config.web.tokens {
        let (value, file): (Option<SecretString>, _) = match &token.secret {
            crate::config::de::Secret::Value(value) => (Some(value.clone()), None),
            crate::config::de::Secret::File(path) => (None, Some(path.clone())),
        };
        tokens.push(TokenConfig {
            name: token.name.clone(),
            token: value,
            token_file: file,
            scope: match token.access {
                Access::Alert => Scope::Alert,
                Access::Read => Scope::Read,
                Access::Operate => Scope::Operate,
            },
            matchers: token.matchers.clone(),
        });
    }
    WebConfig {
        listen: config.web.listen,
        external_url: config.web.external_url.clone(),
        tokens,
        metrics_open: config.web.metrics_open,
    }
}
