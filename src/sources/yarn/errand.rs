//! Looks into applications by Flink's own REST API: many at a time, each in a task of its own, so
//! that one that hangs delays nobody. What is not back when a poll ends is taken by the next one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::{Id, JoinSet};

use crate::clock::{Clock, SystemClock};
use crate::http::{HttpClient, one_line};
use crate::model::{Completeness, Snapshot, Time, Ts};
use crate::sources::flink::{FlinkConfig, FlinkSource, Wanted};

use super::identity;
use super::known::Answer;
use super::ways::Way;

/// Applications looked into at the same time.
const AT_ONCE: usize = 96;
/// Of those that were silent before, who may take long, so many.
const SILENT_AT_ONCE: usize = 16;
/// Those nobody has to wait for are waited for so long: most that are silent say so at once.
const COURTESY: Duration = Duration::from_millis(250);
/// The setting that tells what an application is.
const TARGET: &str = "execution.target";
/// An error is one line of this many characters.
const MAX_ERROR: usize = 300;

/// A Flink that was looked into, and by which way.
pub(super) type Reached = (Way, FlinkSource);

/// What to do at one application.
#[derive(Debug)]
pub(super) struct Errand {
    pub(super) id: String,
    /// In the order in which they are tried.
    pub(super) ways: Vec<Way>,
    /// From the last look.
    pub(super) reached: Option<Reached>,
    pub(super) wanted: Arc<Wanted>,
    /// What its Flink is has still to be asked.
    pub(super) asks_target: bool,
    /// Jobs it showed at the last look.
    pub(super) jobs: BTreeSet<String>,
    /// It did not answer last time.
    pub(super) was_silent: bool,
    /// Name of the source.
    pub(super) source: String,
    /// The application's page of Flink as people reach it.
    pub(super) ui: String,
}

/// What it brought.
#[derive(Debug)]
pub(super) struct Brought {
    pub(super) reached: Option<Reached>,
    pub(super) answer: Answer,
    /// It answered through the proxy.
    pub(super) proxied: Option<bool>,
    pub(super) requests: u32,
    pub(super) bytes: u64,
}

/// How the Flinks are talked to.
#[derive(Debug)]
pub(super) struct Clients {
    /// Straight: each gets one of its own.
    pub(super) direct: HttpClient,
    /// Through the proxy: that is YARN, with YARN's credentials.
    pub(super) proxied: Arc<HttpClient>,
    pub(super) poller: String,
}

/// Those under way.
#[derive(Debug)]
pub(super) struct Errands {
    clients: Arc<Clients>,
    tasks: JoinSet<Brought>,
    /// Whose they are.
    under_way: HashMap<Id, String>,
    places: Arc<Semaphore>,
    silent_places: Arc<Semaphore>,
    stopwatch: Arc<SystemClock>,
}

impl Errands {
    pub(super) fn new(clients: Clients) -> Errands {
        Errands {
            clients: Arc::new(clients),
            tasks: JoinSet::new(),
            under_way: HashMap::new(),
            places: Arc::new(Semaphore::new(AT_ONCE)),
            silent_places: Arc::new(Semaphore::new(SILENT_AT_ONCE)),
            stopwatch: Arc::new(SystemClock::anchored(None)),
        }
    }

    /// The applications that are still being looked into.
    pub(super) fn under_way(&self) -> BTreeSet<String> {
        self.under_way.values().cloned().collect()
    }

    /// Sends one off. `now`: that of the poll, which began at `started` by the stopwatch.
    pub(super) fn send(&mut self, errand: Errand, now: Time, started: Ts) {
        let id = errand.id.clone();
        let places = if errand.was_silent { &self.silent_places } else { &self.places };
        let (places, clients) = (Arc::clone(places), Arc::clone(&self.clients));
        let stopwatch = Arc::clone(&self.stopwatch);
        let task = self.tasks.spawn(async move {
            // Closed never, and if it were, one more at a time would do no harm.
            let _place = places.acquire().await.ok();
            let waited = stopwatch.now().steady.since(started);
            let now = Time { steady: now.steady + waited, wall: now.wall + waited };
            run(errand, &clients, now).await
        });
        self.under_way.insert(task.id(), id);
    }

    /// The stopwatch's now.
    pub(super) fn now(&self) -> Ts {
        self.stopwatch.now().steady
    }

    /// Waits until those named are back, or the time is up, and for the others a moment; takes all
    /// that are back by then.
    pub(super) async fn gather(
        &mut self,
        awaited: &[String],
        patience: Duration,
    ) -> BTreeMap<String, Brought> {
        let mut back = BTreeMap::new();
        let under_way = self.under_way();
        let awaited: BTreeSet<&String> =
            awaited.iter().filter(|id| under_way.contains(*id)).collect();
        let mut missing = awaited.len();
        let time_is_up = tokio::time::sleep(patience);
        let mut time_is_up = std::pin::pin!(time_is_up);
        while missing > 0 {
            let joined = tokio::select! {
                biased;
                joined = self.tasks.join_next_with_id() => joined,
                () = time_is_up.as_mut() => break,
            };
            let Some(joined) = joined else { break };
            if let Some((id, brought)) = self.take(joined) {
                missing -= usize::from(awaited.contains(&id));
                back.insert(id, brought);
            }
        }
        let enough = tokio::time::sleep(COURTESY);
        let mut enough = std::pin::pin!(enough);
        while !self.tasks.is_empty() {
            let joined = tokio::select! {
                biased;
                joined = self.tasks.join_next_with_id() => joined,
                () = enough.as_mut() => break,
            };
            let Some(joined) = joined else { break };
            back.extend(self.take(joined));
        }
        back
    }

    fn take(
        &mut self,
        joined: Result<(Id, Brought), tokio::task::JoinError>,
    ) -> Option<(String, Brought)> {
        let (task, brought) = match joined {
            Ok((task, brought)) => (task, brought),
            Err(error) => {
                tracing::error!(%error, "a look into an application broke");
                let broken = Brought::nothing("the look into it broke");
                (error.id(), broken)
            }
        };
        Some((self.under_way.remove(&task)?, brought))
    }
}

impl Brought {
    fn nothing(why: &str) -> Brought {
        Brought {
            reached: None,
            answer: Answer::Silent(one_line(why, MAX_ERROR)),
            proxied: None,
            requests: 0,
            bytes: 0,
        }
    }
}

/// Tries the ways one after the other until one answers.
async fn run(mut errand: Errand, clients: &Clients, now: Time) -> Brought {
    let mut first: Option<String> = None;
    // Whatever happens now, what is remembered of it serves when it is back.
    let mut kept = errand.reached.take();
    let (mut requests, mut bytes) = (0_u32, 0_u64);
    for way in &errand.ways {
        let known = kept.take_if(|(known, _)| *known == *way).map(|(_, source)| source);
        let is_new = known.is_none();
        let mut source = match known.map_or_else(|| source(&errand, way, clients), Ok) {
            Ok(source) => source,
            Err(error) => {
                first.get_or_insert(error);
                continue;
            }
        };
        let snapshot = source.look_for(&errand.wanted, now).await;
        requests = requests.saturating_add(snapshot.requests);
        bytes = bytes.saturating_add(snapshot.bytes);
        if let Completeness::Failed { error, .. } = &snapshot.completeness {
            first.get_or_insert_with(|| error.clone());
            kept.get_or_insert((way.clone(), source));
            continue;
        }
        let is_doubtful =
            is_new || errand.was_silent || identity::is_doubtful(&errand.jobs, &snapshot.runs);
        let target = if errand.asks_target || is_doubtful {
            requests = requests.saturating_add(1);
            let settings = source.settings().await.map_err(drop);
            let stranger = settings.as_ref().ok().and_then(|s| identity::stranger(s, &errand.id));
            if let Some(other) = stranger {
                // Nothing of what it said is this application's.
                first.get_or_insert_with(|| format!("{other} answers at its address"));
                continue;
            }
            Some(settings.map(target))
        } else {
            None
        };
        return Brought {
            answer: Answer::Flink(Box::new(snapshot), target),
            proxied: Some(way.proxied),
            reached: Some((way.clone(), source)),
            requests,
            bytes,
        };
    }
    let why = first.unwrap_or_else(|| "YARN names no address of its JobManager".to_owned());
    Brought { reached: kept, requests, bytes, ..Brought::nothing(&why) }
}

fn target(settings: Vec<(String, String)>) -> Option<String> {
    settings.into_iter().find(|(key, _)| key == TARGET).map(|(_, value)| value)
}

fn source(errand: &Errand, way: &Way, clients: &Clients) -> Result<FlinkSource, String> {
    let config = FlinkConfig {
        ui_url: Some(errand.ui.clone()),
        ..FlinkConfig::at(&errand.source, vec![way.base.clone()])
    };
    let client =
        if way.proxied { Arc::clone(&clients.proxied) } else { Arc::new(clients.direct.sibling()) };
    if let Some((what, _)) = config.problems().into_iter().next() {
        return Err(what);
    }
    Ok(FlinkSource::over(config, client, &clients.poller))
}

/// The looks of a poll that succeeded, for what they say of all together.
pub(super) fn snapshots(back: &BTreeMap<String, Brought>) -> impl Iterator<Item = &Snapshot> {
    back.values().filter_map(|brought| match &brought.answer {
        Answer::Flink(snapshot, _) => Some(&**snapshot),
        Answer::Silent(_) | Answer::NotYet => None,
    })
}
