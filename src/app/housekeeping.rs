//! Keeps the store within its bounds: age first, then size.

use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::clock::Clock;
use crate::config::Store as StoreSettings;
use crate::store::Store;

const EVERY: Duration = Duration::from_mins(10);
/// However small the limit, the last day stays: open news need it.
const LEAST_KEPT: Duration = Duration::from_hours(24);

/// Until told to stop.
pub(super) async fn run(
    settings: StoreSettings,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    let mut ticks = tokio::time::interval(EVERY);
    let mut keep = settings.retention;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        keep = if size_of(&settings) > settings.max_size {
            (keep / 2).max(LEAST_KEPT)
        } else {
            settings.retention.min(keep * 2)
        };
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

fn size_of(settings: &StoreSettings) -> u64 {
    let url = settings.url.expose_secret();
    let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")).unwrap_or(url);
    let path = path.split('?').next().unwrap_or(path);
    std::fs::metadata(path).map_or(0, |m| m.len())
}
