//! Every Flink cluster is asked on its own: what one takes is no other's time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;

use super::clusters::Cluster;
use super::names::{Id, Template};
use crate::clock::{Clock, SystemClock};
use crate::http::HttpClient;
use crate::model::{Completeness, Demand, Snapshot, Time};
use crate::sources::Source;
use crate::sources::flink::{FlinkConfig, FlinkSource};

/// Clusters asked at the same time.
const AT_ONCE: usize = 128;
/// Of those that did not answer last time: they must not take the turns of others.
const SILENT_AT_ONCE: usize = 8;
/// Those are waited for a fraction of the time.
const PATIENCE: u32 = 5;

/// What all clusters have in common.
pub(super) struct Manners {
    pub(super) source: String,
    pub(super) poller: String,
    pub(super) http: HttpClient,
    pub(super) ui: Option<Template>,
}

/// The clusters that are asked.
pub(super) struct Seats {
    manners: Manners,
    taken: BTreeMap<Id, Seat>,
    turns: Arc<Semaphore>,
    silent_turns: Arc<Semaphore>,
}

struct Seat {
    state: State,
    /// Why it did not answer last time.
    silent: Option<String>,
}

enum State {
    Idle(Box<FlinkSource>),
    Asked(AbortOnDropHandle<(Box<FlinkSource>, Snapshot)>),
    /// What was asked never came back.
    Lost,
}

/// What the clusters said.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) looks: BTreeMap<Id, Snapshot>,
    /// Those that were asked and said nothing of use, with the reason.
    pub(super) silent: BTreeMap<Id, String>,
}

impl Seats {
    pub(super) fn new(manners: Manners) -> Seats {
        Seats {
            manners,
            taken: BTreeMap::new(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            silent_turns: Arc::new(Semaphore::new(SILENT_AT_ONCE)),
        }
    }

    /// Asks those that should answer, and takes what comes within `limit`. Whoever takes longer is
    /// heard at a later look.
    pub(super) async fn look(
        &mut self,
        clusters: &BTreeMap<Id, Cluster>,
        demand: &Demand,
        now: Time,
        limit: Duration,
    ) -> Heard {
        self.taken.retain(|id, _| clusters.get(id).is_some_and(Cluster::should_answer));
        let demand = Arc::new(demand.clone());
        for (id, cluster) in clusters.iter().filter(|(_, cluster)| cluster.should_answer()) {
            self.ask(id, cluster, &demand, now);
        }
        let mut heard = Heard::default();
        let patient = tokio::time::sleep(limit).deadline();
        self.take(patient, false, &mut heard).await;
        let impatient = tokio::time::sleep(limit / PATIENCE).deadline();
        self.take(impatient, true, &mut heard).await;
        heard
    }

    fn ask(&mut self, id: &Id, cluster: &Cluster, demand: &Arc<Demand>, now: Time) {
        let seat = self
            .taken
            .entry(id.clone())
            .or_insert_with(|| Seat { state: State::Lost, silent: None });
        let mut source = match std::mem::replace(&mut seat.state, State::Lost) {
            State::Idle(source) => source,
            State::Lost => Box::new(source(&self.manners, id, cluster)),
            asked @ State::Asked(_) => {
                seat.state = asked;
                return;
            }
        };
        source.ask_at(&cluster.addresses);
        let turns = if seat.silent.is_some() { &self.silent_turns } else { &self.turns };
        let (turns, demand) = (Arc::clone(turns), Arc::clone(demand));
        let stopwatch = SystemClock::anchored(None);
        let asked = stopwatch.now().steady;
        seat.state = State::Asked(AbortOnDropHandle::new(tokio::spawn(async move {
            // Never closed: without a permit it only goes out of turn.
            let _turn = turns.acquire_owned().await.ok();
            let waited = stopwatch.now().steady.since(asked);
            let now = Time { steady: now.steady + waited, wall: now.wall + waited };
            let snapshot = source.poll(&demand, now).await;
            (source, snapshot)
        })));
    }

    /// Takes what has come, of those that were silent or of the others.
    async fn take(&mut self, until: tokio::time::Instant, silent: bool, heard: &mut Heard) {
        for (id, seat) in &mut self.taken {
            if seat.silent.is_some() != silent || heard.silent.contains_key(id) {
                continue;
            }
            let State::Asked(asked) = &mut seat.state else { continue };
            match tokio::time::timeout_at(until, asked).await {
                Ok(Ok((source, snapshot))) => {
                    seat.state = State::Idle(source);
                    match &snapshot.completeness {
                        Completeness::Failed { error, .. } => seat.silent = Some(error.clone()),
                        Completeness::Complete
                        | Completeness::Partial { .. }
                        | Completeness::Unlisted { .. } => {
                            seat.silent = None;
                            heard.looks.insert(id.clone(), snapshot);
                        }
                    }
                }
                Ok(Err(_)) => {
                    seat.state = State::Lost;
                    seat.silent = Some("it could not be asked".to_owned());
                }
                Err(_) => {
                    let slow = || "it has not answered yet".to_owned();
                    seat.silent.get_or_insert_with(slow);
                }
            }
            if let Some(why) = &seat.silent {
                heard.silent.insert(id.clone(), why.clone());
            }
        }
    }
}

fn source(manners: &Manners, id: &Id, cluster: &Cluster) -> FlinkSource {
    let config = FlinkConfig {
        ui_url: manners.ui.as_ref().map(|ui| ui.fill(id)),
        flink_cluster: Some(id.name.clone()),
        ..FlinkConfig::at(&manners.source, cluster.addresses.clone())
    };
    FlinkSource::over(config, Arc::new(manners.http.sibling()), &manners.poller)
}

#[cfg(test)]
#[path = "seats_tests.rs"]
mod tests;
