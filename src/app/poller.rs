//! Looks at one source again and again; polls of one source never overlap.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{ends, pace};
use crate::clock::Clock;
use crate::engine::Input;
use crate::engine::View;
use crate::model::{Demand, Snapshot};
use crate::sources::{Shows, Source};

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
    pub(super) views: watch::Receiver<Arc<View>>,
}

impl Poller {
    /// Until told to stop. While the engine cannot take a look it waits with the next one: facts
    /// that were fetched are never dropped.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(self.delay) => {}
        }
        let phase = pace::phase(self.source.name(), self.interval);
        let mut wait = Duration::ZERO;
        let mut skew_ms = 0;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            let now = self.clock.now();
            let mut demand = self.demand.borrow_and_update().clone();
            if self.source.shows() == Shows::Ends {
                let view = Arc::clone(&self.views.borrow());
                demand.ends = ends::wanted(view.jobs.values().map(|job| &**job));
            }
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
            // From beginning to beginning: one that took longer than that is followed at once.
            let took = self.clock.now().steady.since(now.steady);
            wait = pace::until_next(now.steady, phase, self.interval).saturating_sub(took);
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
