//! The pollers of all sources: started, replaced and stopped by name.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::poller::{Poller, stagger};
use crate::clock::Clock;
use crate::engine::Input;
use crate::model::Demand;
use crate::sources::Source;

/// What pollers have in common, and those that run.
pub(super) struct Pollers {
    pub(super) demand: watch::Sender<Demand>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) inputs: mpsc::Sender<Input>,
    pub(super) stop: CancellationToken,
    pub(super) tasks: TaskTracker,
    pub(super) running: BTreeMap<String, (CancellationToken, JoinHandle<()>)>,
}

impl Pollers {
    /// Starts these, spread over the interval. Where there is one of that name, it ends first:
    /// polls of one source never overlap.
    pub(super) async fn start(&mut self, sources: Vec<Box<dyn Source>>, interval: Duration) {
        let count = sources.len();
        for (index, source) in sources.into_iter().enumerate() {
            let name = source.name().to_owned();
            self.end(&name).await;
            let poller = Poller {
                source,
                demand: self.demand.subscribe(),
                interval,
                delay: stagger(index, count, interval),
                clock: Arc::clone(&self.clock),
                inputs: self.inputs.clone(),
            };
            let stop = self.stop.child_token();
            let task = self.tasks.spawn(poller.run(stop.clone()));
            self.running.insert(name, (stop, task));
        }
    }

    /// Ends those whose name is not among these.
    pub(super) async fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        let gone: Vec<String> = self.running.keys().filter(|name| !keep(name)).cloned().collect();
        for name in gone {
            self.end(&name).await;
        }
    }

    /// What is asked for from the next poll on.
    pub(super) fn ask_for(&self, demand: Demand) {
        self.demand.send_if_modified(|known| {
            let differs = *known != demand;
            if differs {
                *known = demand;
            }
            differs
        });
    }

    async fn end(&mut self, name: &str) {
        if let Some((stop, task)) = self.running.remove(name) {
            stop.cancel();
            task.await.ok();
        }
    }
}
