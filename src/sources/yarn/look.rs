//! One poll of a YARN cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::model::{ClusterObservation, Completeness, Demand, Snapshot, SourceClock, Time, Ts};
use crate::sources::flink::Wanted;

use super::errand::{self, Brought, Errand};
use super::grace::{Judgement, Signs};
use super::known::{Answer, Known, Shown, Turn};
use super::master::{Listing, NoListing};
use super::wire::Metrics;
use super::{Entry, YarnSource, ways};

/// A poll waits so many request timeouts for applications that answered before …
const PATIENCE: u32 = 3;
/// … and the first one, which meets metric stores that have to wake up, so many.
const FIRST_PATIENCE: u32 = 12;
/// What only a person can change is looked at again this often.
const HOPELESS: Duration = Duration::from_mins(5);
/// What ended so long before the last look is listed once more: clocks differ.
const OVERLAP_MS: i64 = 3_600_000;
/// At the first look: what ended longer ago is history.
const FIRST_MS: i64 = 24 * 3_600_000;

/// How a poll stands before the applications are looked into.
enum Standing {
    /// The listing, and what to make of it.
    Listed { metrics: Option<Metrics>, web: String, judgement: Judgement, left_out: usize },
    /// There is none.
    Blind(NoListing),
}

impl YarnSource {
    pub(super) async fn look(&mut self, demand: &Demand, now: Time) -> Snapshot {
        let started = self.errands.now();
        self.compile(demand);
        let is_first = self.listed_at.is_none();
        let standing = match &self.hopeless {
            Some((until, error)) if now.steady < *until => {
                Standing::Blind(NoListing { error: error.clone(), starting: false, hopeless: true })
            }
            _ => {
                let since = self.listed_at.map_or(now.wall.0 - FIRST_MS, |at| at.0 - OVERLAP_MS);
                match self.masters.list(since).await {
                    Ok(listing) => self.take(listing, now),
                    Err(why) => self.blind(why, now),
                }
            }
        };
        let back = self.visit(&standing, is_first, now, started).await;
        let mut snapshot = self.assemble(standing, back, now);
        snapshot.took_ms =
            u32::try_from(self.errands.now().since(started).as_millis()).unwrap_or(u32::MAX);
        let (requests, bytes) = self.masters.cost();
        snapshot.requests = snapshot.requests.saturating_add(requests);
        snapshot.bytes = snapshot.bytes.saturating_add(bytes);
        snapshot
    }

    fn compile(&mut self, demand: &Demand) {
        self.wanted_of_sessions = Wanted::renewed(&self.wanted_of_sessions, demand);
        // Of what fails to start in an application of its own, YARN itself tells.
        let plain = Demand { applications: false, ..demand.clone() };
        self.wanted = Wanted::renewed(&self.wanted, &plain);
    }

    fn blind(&mut self, why: NoListing, now: Time) -> Standing {
        self.hopeless = why.hopeless.then(|| (now.steady + HOPELESS, why.error.clone()));
        Standing::Blind(why)
    }

    /// Takes in a listing, and judges it.
    fn take(&mut self, listing: Listing, now: Time) -> Standing {
        self.hopeless = None;
        self.listed_at = Some(now.wall);
        let was_alive: BTreeSet<String> = self
            .apps
            .iter()
            .filter(|(_, entry)| entry.known.is_alive())
            .map(|(id, _)| id.clone())
            .collect();
        for entry in self.apps.values_mut() {
            entry.known.listed = false;
        }
        for app in listing.apps {
            if let Some(entry) = self.apps.get_mut(&app.id) {
                entry.known.update(app);
            } else {
                let id = app.id.clone();
                let entry = Entry { known: Known::new(app), reached: None, last: None };
                self.apps.insert(id, entry);
            }
        }
        // What had ended and is listed no more was told.
        self.apps.retain(|id, entry| entry.known.listed || was_alive.contains(id));
        let count = |is: &dyn Fn(&Known) -> bool| {
            let entries = was_alive.iter().filter_map(|id| self.apps.get(id));
            entries.filter(|entry| is(&entry.known)).count()
        };
        let signs = Signs {
            started_on: listing.info.started_on,
            active_nodes: listing.metrics.as_ref().and_then(|metrics| metrics.active_nodes),
            known: was_alive.len(),
            // One that answers all the same is no sign.
            vanished: count(&|known| !known.listed && !known.is_unmanaged()),
            waiting: count(&|known| known.listed && known.waits_again() && !known.is_unmanaged()),
        };
        let judgement = self.grace.judge(signs, now.steady, now.wall);
        if judgement == Judgement::Over {
            for entry in self.apps.values_mut().filter(|entry| !entry.known.listed) {
                entry.known.give_up();
            }
        }
        let Listing { web, metrics, left_out, .. } = listing;
        Standing::Listed { metrics, web, judgement, left_out }
    }

    /// Looks into the applications that are worth it; what is back in time.
    async fn visit(
        &mut self,
        standing: &Standing,
        is_first: bool,
        now: Time,
        started: Ts,
    ) -> BTreeMap<String, Brought> {
        let web = match standing {
            Standing::Listed { web, .. } => Some(web.as_str()),
            Standing::Blind(_) => None,
        };
        let under_way = self.errands.under_way();
        let mut awaited = Vec::new();
        for (id, entry) in &mut self.apps {
            let known = &entry.known;
            if !known.is_asked() {
                entry.reached = None;
                continue;
            }
            if known.silent == 0 {
                awaited.push(id.clone());
            }
            if under_way.contains(id) {
                continue;
            }
            let jobmanagers = &self.config.jobmanagers;
            let wanted = if known.is_session() { &self.wanted_of_sessions } else { &self.wanted };
            let errand = Errand {
                id: id.clone(),
                ways: ways::ways(jobmanagers, &known.app, entry.last.as_ref(), self.proxied, web),
                reached: entry.reached.take(),
                wanted: Arc::clone(wanted),
                asks_target: known.asks_target(),
                jobs: known.jobs().clone(),
                was_silent: known.silent > 0,
                source: self.config.name.clone(),
                ui: super::address::proxied(&self.ui, id),
            };
            self.errands.send(errand, now, started);
        }
        let patience = if is_first { FIRST_PATIENCE } else { PATIENCE };
        self.errands.gather(&awaited, self.timeout * patience).await
    }

    /// Puts together what this poll shows.
    fn assemble(
        &mut self,
        standing: Standing,
        mut back: BTreeMap<String, Brought>,
        now: Time,
    ) -> Snapshot {
        let mut snapshot = Snapshot::failed(&self.config.name, &self.poller, String::new(), false);
        self.summarize(&back, &mut snapshot, now);
        let (steady, metrics) = match &standing {
            Standing::Listed { metrics, judgement, .. } => {
                (!matches!(judgement, Judgement::Trouble(_)), metrics.as_ref())
            }
            Standing::Blind(_) => (false, None),
        };
        let is_blind = matches!(standing, Standing::Blind(_));
        let turn =
            Turn { cluster: &self.config.name, ui: &self.ui, steady, metrics, now: now.steady };
        let mut clusters: BTreeMap<String, ClusterObservation> = BTreeMap::new();
        let mut answered = 0_usize;
        let mut lost = Vec::new();
        for (id, entry) in &mut self.apps {
            let brought = back.remove(id);
            let answer = match brought {
                Some(brought) => {
                    if let Some(proxied) = brought.proxied {
                        self.proxied = proxied;
                        entry.last = brought.reached.as_ref().map(|(way, _)| way.clone());
                        answered += 1;
                    }
                    entry.reached = brought.reached;
                    brought.answer
                }
                None => Answer::NotYet,
            };
            if is_blind && !matches!(answer, Answer::Flink(..)) {
                // YARN's last word is old.
                if matches!(answer, Answer::Silent(_)) {
                    entry.known.stay_silent();
                }
                continue;
            }
            let Shown { runs, clusters: of_app, lost: is_lost } = entry.known.show(answer, turn);
            snapshot.runs.extend(runs);
            for cluster in of_app {
                merge(&mut clusters, cluster);
            }
            if is_lost {
                lost.push(id.clone());
            }
        }
        for id in lost {
            self.apps.remove(&id);
        }
        snapshot.clusters = clusters.into_values().collect();
        snapshot.completeness = match standing {
            Standing::Listed { judgement, left_out, .. } => completeness(judgement, left_out),
            Standing::Blind(NoListing { error, starting, .. }) if answered > 0 => {
                Completeness::Unlisted { error, starting }
            }
            Standing::Blind(NoListing { error, starting, .. }) => {
                Completeness::Failed { error, starting }
            }
        };
        snapshot
    }

    /// What the looks into Flinks say of all together: cost, clock, version.
    fn summarize(&mut self, back: &BTreeMap<String, Brought>, snapshot: &mut Snapshot, now: Time) {
        for brought in back.values() {
            snapshot.requests = snapshot.requests.saturating_add(brought.requests);
            snapshot.bytes = snapshot.bytes.saturating_add(brought.bytes);
        }
        let mut offsets: Vec<i64> =
            errand::snapshots(back).filter_map(|seen| Some(seen.clock?.offset_ms)).collect();
        offsets.sort_unstable();
        self.offset = offsets.get(offsets.len() / 2).copied().or(self.offset);
        snapshot.clock = self
            .offset
            .map(|offset_ms| SourceClock { now: now.wall.0.saturating_add(offset_ms), offset_ms });
        let version = errand::snapshots(back).filter_map(|seen| seen.version.clone()).max();
        self.version = version.or(self.version.take());
        snapshot.version.clone_from(&self.version);
        let mut frozen = errand::snapshots(back).map(|seen| seen.metrics_frozen).peekable();
        snapshot.metrics_frozen = frozen.peek().is_some() && frozen.all(|is_frozen| is_frozen);
    }
}

/// Absence counts only after a steady listing.
fn completeness(judgement: Judgement, left_out: usize) -> Completeness {
    match judgement {
        Judgement::Trouble(error) => Completeness::Unlisted { error, starting: true },
        Judgement::Young(reason) => Completeness::Partial { reason },
        Judgement::Steady | Judgement::Over if left_out > 0 => Completeness::Partial {
            reason: format!("{left_out} applications could not be taken in"),
        },
        Judgement::Steady | Judgement::Over => Completeness::Complete,
    }
}

/// Two applications of one name, the old one and its successor, are one Flink cluster: what was seen
/// of either counts more than what was not.
fn merge(clusters: &mut BTreeMap<String, ClusterObservation>, cluster: ClusterObservation) {
    match clusters.get(&cluster.flink_cluster) {
        Some(known) if known.unseen.is_none() && cluster.unseen.is_some() => {}
        _ => {
            clusters.insert(cluster.flink_cluster.clone(), cluster);
        }
    }
}
