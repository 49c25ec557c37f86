//! Waiting for events, and the one place of the test bed that reads a clock.

use std::future::Future;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Result, bail};

const POLL: Duration = Duration::from_millis(100);

/// A point in time to measure from.
#[expect(clippy::disallowed_methods, reason = "the test bed measures real processes")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Milliseconds since the epoch.
#[expect(clippy::disallowed_methods, reason = "the test bed compares with real logs")]
pub(crate) fn epoch_ms() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
}

/// The same, signed: what Flink's JSON and the stand-ins count in.
pub(crate) fn now_ms() -> i64 {
    epoch_ms() as i64
}

/// How long ago `start` was.
pub(crate) fn since(start: Instant) -> Duration {
    now().duration_since(start)
}

/// Asks `look` again and again until it has an answer. An error counts as "not yet" and is only
/// shown when `limit` is over.
///
/// # Errors
/// When there is no answer within `limit`.
pub(crate) async fn wait_for<T, F, Fut>(what: &str, limit: Duration, mut look: F) -> Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<Option<T>>>,
{
    let mut last_error = None;
    let polling = async {
        loop {
            match look().await {
                Ok(Some(answer)) => return answer,
                Ok(None) => {}
                Err(error) => last_error = Some(error),
            }
            tokio::time::sleep(POLL).await;
        }
    };
    if let Ok(answer) = tokio::time::timeout(limit, polling).await {
        return Ok(answer);
    }
    match last_error {
        Some(error) => Err(error.context(format!("no {what} within {limit:?}, last error"))),
        None => bail!("no {what} within {limit:?}"),
    }
}
