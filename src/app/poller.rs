//! Looks at one source again and again; polls of one source never overlap.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::clock::Clock;
use crate::engine::Input;
use crate::model::{Demand, Snapshot};
use crate::sources::Source;

/// Clocks that differ by less are nobody's worry.
const SKEW_MS: u64 = 30_000;

/// One source's poller.
pub(super) struct Poller {
    pub(super) source: Box<dyn Source>,
    pub(super) demand: watch::Receiver<Demand>,
    pub(super) interval: Duration,
    pub(super) delay: Duration,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) inputs: mpsc::Sender<Input>,
}

impl Poller {
    /// Until told to stop. While the engine cannot take a look it waits with the next one: facts
    /// that were fetched are never dropped.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(self.delay) => {}
        }
        let mut ticks = tokio::time::interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut skew_ms = 0;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let now = self.clock.now();
            let demand = self.demand.borrow_and_update().clone();
            let snapshot = tokio::select! {
                () = stop.cancelled() => return,
                snapshot = self.source.poll(&demand, now) => snapshot,
            };
            warn_of_skew(&snapshot, &mut skew_ms);
            tokio::select! {
                () = stop.cancelled() => return,
                sent = self.inputs.send(Input::Snapshot(Box::new(snapshot))) => {
                    if sent.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

/// Says once that the source's clock is not ours, and again when it steps. Nothing else follows:
/// ages are computed in the source's time, and windows shift its times by the offset.
fn warn_of_skew(snapshot: &Snapshot, told_ms: &mut i64) {
    let Some(clock) = &snapshot.clock else { return };
    if clock.offset_ms.abs_diff(*told_ms) < SKEW_MS {
        return;
    }
    *told_ms = clock.offset_ms;
    let source = &snapshot.source;
    let offset_s = clock.offset_ms / 1_000;
    if clock.offset_ms.unsigned_abs() >= SKEW_MS {
        warn!(source, offset_s, "clock_skew: its clock is not this machine's (check NTP on both)");
    } else {
        tracing::info!(source, offset_s, "its clock is this machine's again");
    }
}

/// Spreads the sources over the interval, so that they are not all asked in the same instant; a
/// few are asked at once.
pub(super) fn stagger(index: usize, count: usize, interval: Duration) -> Duration {
    let step = (interval / u32::try_from(count.max(1)).unwrap_or(u32::MAX))
        .min(Duration::from_millis(200));
    step * u32::try_from(index).unwrap_or(u32::MAX)
}
