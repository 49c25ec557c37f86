//! The dead man's switch: a call that stops when Weir does, or when Weir can no longer do its work.

use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::clock::Clock;
use crate::config::{Heartbeat, HeartbeatMethod};
use crate::engine::Health;
use crate::http::{HttpClient, HttpConfig};

const REPLY_CAP: usize = 64 * 1024;
/// The loop turns at least once a minute; twice that without a turn is no life.
const ALIVE_WITHIN: Duration = Duration::from_mins(2);

/// Calls until told to stop. No call while the store cannot be written or the engine does not turn:
/// then somebody has to be told, and it will not be by Weir.
pub(super) async fn run(
    beat: Heartbeat,
    health: watch::Receiver<Health>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    let client = match HttpClient::build(&HttpConfig::default()) {
        Ok(client) => client,
        Err(error) => {
            warn!(error = error.explain(), "the heartbeat cannot be sent");
            return;
        }
    };
    let mut ticks = tokio::time::interval(beat.interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let alive = {
            let health = health.borrow();
            let turned =
                health.last_turn.is_none_or(|at| clock.now().wall.since(at) < ALIVE_WITHIN);
            health.store_writable && turned
        };
        if !alive {
            continue;
        }
        match call(&client, &beat).await {
            Ok(()) if failing => {
                failing = false;
                info!("the heartbeat is heard again");
            }
            Ok(()) => {}
            Err(error) => {
                if !failing {
                    warn!(error, "the heartbeat was not heard; whoever watches it will call");
                }
                failing = true;
            }
        }
    }
}

async fn call(client: &HttpClient, beat: &Heartbeat) -> Result<(), String> {
    let url = beat.url.read().map_err(|e| e.to_string())?;
    let url = url.expose_secret();
    let reply = match beat.method {
        HeartbeatMethod::Get => client.get(url, REPLY_CAP).await,
        HeartbeatMethod::Post => {
            client.post(url, axum::http::HeaderMap::new(), Vec::new(), REPLY_CAP).await
        }
    };
    reply.and_then(crate::http::Response::success).map(|_| ()).map_err(|e| e.explain())
}
