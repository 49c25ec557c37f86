//! Watches that fill the store: listed once, then told of changes, listed anew when the API server
//! has forgotten where they were (410). All of them are cheap: a watch is one request a minute.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use k8s_openapi::NamespaceResourceScope;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

use super::connect::Connection;
use super::objects;
use super::store::{Change, Store, Table};
use super::trouble::{self, Asked, Kind, Trouble};
use super::views::{self, Custom, EventView, JobManager, PodView, ServiceView, SnapshotView};
use super::what::{WATCHES, Watch, What};
use crate::clock::{Clock, SystemClock};
use crate::model::Ts;

/// The API server ends a watch after so long, s; that it is gone is noticed no later.
const LASTS_S: u32 = 60;
/// Nothing is silent for longer.
pub(super) const QUIET: Duration = Duration::from_secs(90);
/// Between tries: at first, and at most.
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);
/// Whether the operator was installed meanwhile, at most.
const ABSENT: Duration = Duration::from_mins(5);
/// A watch that was begun and not refused within this time works.
const REFUSED_WITHIN: Duration = Duration::from_secs(2);
/// What is too old is listed anew at once, but not more often than this.
const LISTED_ANEW: Duration = Duration::from_secs(10);

/// The store, and word that it changed.
#[derive(Debug, Default)]
pub(super) struct Shared {
    store: Mutex<Store>,
    pub(super) changed: Notify,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when every watch has said something.
    pub(super) async fn settled(&self) {
        loop {
            let changed = self.changed.notified();
            if self.lock().is_settled() {
                return;
            }
            changed.await;
        }
    }
}

/// A kind of objects, and where its views are kept.
trait Kept:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Send
    + 'static
{
    type View: Send;

    /// What is kept of it; `None`: nothing.
    fn view(self) -> Option<Self::View>;
    fn table(store: &mut Store) -> &mut Table<Self::View>;

    /// Before it is kept.
    fn hear(_: &mut Store, _: &Change<Self::View>, _now: i64) {}
}

macro_rules! kept {
    ($($object:ident => $view:ty, $of:path, $table:ident $(, $hear:path)?;)*) => {$(
        impl Kept for objects::$object {
            type View = $view;

            fn view(self) -> Option<$view> {
                $of(self).into()
            }
            fn table(store: &mut Store) -> &mut Table<$view> {
                &mut store.$table
            }
            $(fn hear(store: &mut Store, change: &Change<$view>, now: i64) {
                $hear(store, change, now);
            })?
        }
    )*};
}

kept! {
    Deployment => JobManager, views::jobmanager, jobmanagers, hear_deployment;
    FlinkDeployment => Custom, views::deployment, deployments;
    FlinkSessionJob => Custom, views::session_job, session_jobs;
    FlinkStateSnapshot => SnapshotView, views::snapshot, snapshots;
    Pod => PodView, views::pod, pods, hear_pod;
    Service => ServiceView, views::service, services;
    Event => EventView, views::event, events;
}

fn hear_pod(store: &mut Store, change: &Change<PodView>, now: i64) {
    let (Change::Listed(id, Some(pod)) | Change::Put(id, Some(pod)) | Change::Gone(id, Some(pod))) =
        change
    else {
        return;
    };
    store.past.note(&id.namespace, pod, now);
}

fn hear_deployment(store: &mut Store, change: &Change<JobManager>, _now: i64) {
    if let Change::Put(id, Some(new)) | Change::Listed(id, Some(new)) = change
        && super::store::row(&store.jobmanagers, id).is_none_or(|old| old.created != new.created)
    {
        store.past.begin_anew(id, new.created);
    }
}

/// Watches that run until they are dropped.
pub(super) type Watches = Vec<AbortOnDropHandle<()>>;

/// Starts all of them. No namespaces: all there are.
pub(super) fn start(
    connection: &Connection,
    namespaces: &[String],
    shared: &Arc<Shared>,
) -> Watches {
    let scopes: Vec<Option<String>> = match namespaces {
        [] => vec![None],
        named => named.iter().cloned().map(Some).collect(),
    };
    let mut tasks = Vec::with_capacity(scopes.len() * WATCHES.len());
    for scope in scopes {
        for watch in WATCHES {
            let number = tasks.len();
            shared.lock().make_room(number, watch.what, scope.as_deref());
            let follow = Follow {
                client: connection.client.clone(),
                server: connection.server.clone(),
                namespace: scope.clone(),
                watch,
                number,
                shared: Arc::clone(shared),
            };
            tasks.push(AbortOnDropHandle::new(match watch.what {
                What::Deployments => tokio::spawn(follow.run::<objects::Deployment>()),
                What::FlinkDeployments => tokio::spawn(follow.run::<objects::FlinkDeployment>()),
                What::FlinkSessionJobs => tokio::spawn(follow.run::<objects::FlinkSessionJob>()),
                What::FlinkStateSnapshots => {
                    tokio::spawn(follow.run::<objects::FlinkStateSnapshot>())
                }
                What::Pods => tokio::spawn(follow.run::<objects::Pod>()),
                What::Services => tokio::spawn(follow.run::<objects::Service>()),
                What::Events => tokio::spawn(follow.run::<objects::Event>()),
            }));
        }
    }
    tasks
}

/// One watch.
struct Follow {
    client: kube::Client,
    server: String,
    namespace: Option<String>,
    watch: Watch,
    number: usize,
    shared: Arc<Shared>,
}

impl Follow {
    async fn run<K: Kept>(self) {
        let clock = SystemClock::anchored(None);
        let mut config = watcher::Config::default().timeout(LASTS_S);
        if let Some(labels) = self.watch.labels {
            config = config.labels(labels);
        }
        if let Some(fields) = self.watch.fields {
            config = config.fields(fields);
        }
        let (mut wait, mut outdated) = (FIRST, None::<Ts>);
        loop {
            let api: Api<K> = match &self.namespace {
                Some(namespace) => Api::namespaced(self.client.clone(), namespace),
                None => Api::all(self.client.clone()),
            };
            let mut told = std::pin::pin!(watcher::watcher(api, config.clone()));
            let mut begun = false;
            loop {
                let event = if begun {
                    tokio::time::timeout(REFUSED_WITHIN, told.next()).await
                } else {
                    Ok(told.next().await)
                };
                match event {
                    Err(_) => {
                        // Who may list and not watch hears of that at once.
                        self.is_well();
                        (begun, wait) = (false, FIRST);
                    }
                    Ok(Some(Ok(event))) => {
                        begun = matches!(event, Event::InitDone);
                        if self.take::<K>(event, clock.now().wall.0) {
                            wait = FIRST;
                        }
                    }
                    Ok(Some(Err(error))) => {
                        let trouble = self.fail(&error);
                        let now = clock.now().steady;
                        let longest = if trouble.kind == Kind::Absent { ABSENT } else { LONGEST };
                        wait = wait.min(longest);
                        let pause = match trouble.kind {
                            Kind::Outdated => {
                                let before = outdated.replace(now);
                                before.map_or(Duration::ZERO, |at| {
                                    LISTED_ANEW.saturating_sub(now.since(at))
                                })
                            }
                            _ => trouble.wait.unwrap_or(wait).max(wait),
                        };
                        tokio::time::sleep(pause).await;
                        wait *= 2;
                        break;
                    }
                    Ok(None) => break,
                }
            }
        }
    }

    fn is_well(&self) {
        self.shared.lock().is_well(self.number);
        self.shared.changed.notify_waiters();
    }

    /// True if the watch works: it told of a change.
    fn take<K: Kept>(&self, event: Event<K>, now: i64) -> bool {
        let known = |object: K| {
            let id = views::id(object.meta());
            id.map(|id| (id, object.view()))
        };
        let (change, works) = match event {
            Event::Init => (Some(Change::Begin), false),
            Event::InitApply(object) => (known(object).map(|(id, v)| Change::Listed(id, v)), false),
            Event::InitDone => (Some(Change::Whole), false),
            Event::Apply(object) => (known(object).map(|(id, v)| Change::Put(id, v)), true),
            Event::Delete(object) => (known(object).map(|(id, v)| Change::Gone(id, v)), true),
        };
        let whole = matches!(change, Some(Change::Whole));
        {
            let mut store = self.shared.lock();
            if let Some(change) = change {
                K::hear(&mut store, &change, now);
                K::table(&mut store).entry(self.number).or_default().take(change);
            }
            if whole {
                store.is_listed(self.number);
            }
            if works {
                store.is_well(self.number);
            }
        }
        if whole || works {
            self.shared.changed.notify_waiters();
        }
        works
    }

    fn fail(&self, error: &watcher::Error) -> Trouble {
        let asked = Asked {
            what: self.watch.what,
            namespace: self.namespace.as_deref(),
            server: &self.server,
        };
        let trouble = trouble::of_watcher(error, asked);
        tracing::debug!(watch = self.watch.what.resource(), why = %trouble.line, "a watch failed");
        self.shared.lock().is_not(self.number, trouble.clone());
        self.shared.changed.notify_waiters();
        trouble
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
