//! Keeps the store within its bounds: age first, then size.

use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::clock::Clock;
use crate::config::{History, Store as StoreSettings};
use crate::model::Ts;
use crate::store::Store;

const EVERY: Duration = Duration::from_mins(10);
/// However small the limit, the last day stays: open news need it.
const LEAST_KEPT: Duration = Duration::from_hours(24);

/// Until told to stop.
pub(super) async fn run(
    settings: StoreSettings,
    history: History,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    let mut ticks = tokio::time::interval(EVERY);
    let mut keep = settings.retention;
    let mut most = history.max_size;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let now = clock.now().wall;
        if size_of(&settings) > settings.max_size {
            // Incidents are kept rather than looks.
            most = (most / 2).max(history.segment_size());
            if !drop_history(History { max_size: most, ..history }, store.as_ref(), now).await {
                keep = (keep / 2).max(LEAST_KEPT);
            }
        } else {
            most = history.max_size.min(most.saturating_mul(2));
            keep = settings.retention.min(keep * 2);
            drop_history(History { max_size: most, ..history }, store.as_ref(), now).await;
        }
        let before = clock.now().wall - keep;
        let mut deleted = 0;
        loop {
            match store.prune(before).await {
                Ok(0) => break,
                Ok(rows) => deleted += rows,
                Err(error) => {
                    warn!(%error, "old rows could not be deleted");
                    break;
                }
            }
        }
        if deleted > 0 {
            info!(rows = deleted, kept_hours = keep.as_secs() / 3600, "deleted old rows");
        }
    }
}

/// Drops segments one by one until the history is within its bounds; whether there was any.
async fn drop_history(history: History, store: &dyn Store, now: Ts) -> bool {
    let before = if history.enabled { now - history.retention } else { now };
    let mut segments = 0;
    loop {
        match store.prune_history(before, history.max_size).await {
            Ok(0) => break,
            Ok(_) => segments += 1,
            Err(error) => {
                warn!(%error, "old history could not be deleted");
                break;
            }
        }
    }
    if segments > 0 {
        info!(segments, "deleted old history");
    }
    segments > 0
}

fn size_of(settings: &StoreSettings) -> u64 {
    let url = settings.url.expose_secret();
    let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")).unwrap_or(url);
    let path = path.split('?').next().unwrap_or(path);
    std::fs::metadata(path).map_or(0, |m| m.len())
}
