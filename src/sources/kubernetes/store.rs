//! What the watches have told, bounded. A poll reads it and asks the API server nothing. Pure.

use std::collections::BTreeMap;

use super::names::Id;
use super::pod_memory::PodMemory;
use super::trouble::{Kind, Trouble};
use super::views::{Custom, EventView, JobManager, PodView, ServiceView, SnapshotView};
use super::what::What;

/// Objects of one watch.
const MAX_OBJECTS: usize = 50_000;
/// Failures in a row after which a watch that worked is in trouble: one alone is a connection that
/// was closed, and the next try follows at once.
const TOLERATED: u32 = 1;
/// Failures in a row after which a kind that was there is gone: an API server that starts does not
/// know the kinds of the operator yet.
const REMOVED: u32 = 6;

/// One thing a watch told.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change<V> {
    /// A listing begins; what was known stays until it is whole.
    Begin,
    /// It holds this.
    Listed(Id, Option<V>),
    /// It is whole.
    Whole,
    /// New or changed; `None`: of no interest any more.
    Put(Id, Option<V>),
    /// Deleted, as it was last.
    Gone(Id, Option<V>),
}

/// What one watch knows.
#[derive(Debug)]
pub(super) struct Part<V> {
    rows: BTreeMap<Id, V>,
    incoming: Option<BTreeMap<Id, V>>,
    over: bool,
}

impl<V> Default for Part<V> {
    fn default() -> Self {
        Part { rows: BTreeMap::new(), incoming: None, over: false }
    }
}

/// The watches of one kind, each with its part.
pub(super) type Table<V> = BTreeMap<usize, Part<V>>;

impl<V> Part<V> {
    pub(super) fn take(&mut self, change: Change<V>) {
        match change {
            Change::Begin => self.incoming = Some(BTreeMap::new()),
            Change::Listed(id, Some(view)) => {
                let incoming = self.incoming.get_or_insert_default();
                self.over |= !put(incoming, id, view);
            }
            Change::Listed(_, None) => {}
            Change::Whole => {
                if let Some(rows) = self.incoming.take() {
                    self.over = rows.len() >= MAX_OBJECTS;
                    self.rows = rows;
                }
            }
            Change::Put(id, Some(view)) => self.over |= !put(&mut self.rows, id, view),
            Change::Put(id, None) | Change::Gone(id, _) => {
                self.rows.remove(&id);
            }
        }
    }
}

fn put<V>(rows: &mut BTreeMap<Id, V>, id: Id, view: V) -> bool {
    let fits = rows.len() < MAX_OBJECTS || rows.contains_key(&id);
    if fits {
        rows.insert(id, view);
    }
    fits
}

/// How a watch does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Health {
    pub(super) what: What,
    /// Where; `None`: everywhere.
    namespace: Option<String>,
    /// It was whole at least once.
    pub(super) synced: bool,
    /// So it was by a listing, and not because there is no such kind.
    listed: bool,
    pub(super) trouble: Option<Trouble>,
    failures: u32,
}

/// All that is known.
#[derive(Debug, Default)]
pub(super) struct Store {
    pub(super) health: Vec<Health>,
    pub(super) jobmanagers: Table<JobManager>,
    pub(super) deployments: Table<Custom>,
    pub(super) session_jobs: Table<Custom>,
    pub(super) snapshots: Table<SnapshotView>,
    pub(super) pods: Table<PodView>,
    pub(super) services: Table<ServiceView>,
    pub(super) events: Table<EventView>,
    pub(super) past: PodMemory,
}

/// The rows of all watches of a kind.
pub(super) fn rows<V>(table: &Table<V>) -> impl Iterator<Item = (&Id, &V)> {
    table.values().flat_map(|part| part.rows.iter())
}

/// One row.
pub(super) fn row<'a, V>(table: &'a Table<V>, id: &Id) -> Option<&'a V> {
    table.values().find_map(|part| part.rows.get(id))
}

/// Puts a row in by hand.
#[cfg(test)]
pub(super) fn set<V>(table: &mut Table<V>, id: &Id, view: V) {
    table.entry(0).or_default().take(Change::Put(id.clone(), Some(view)));
}

impl Store {
    /// Makes room for a watch that begins; its number. What an earlier one of that number knew
    /// stays until the new one is whole.
    pub(super) fn make_room(&mut self, watch: usize, what: What, namespace: Option<&str>) {
        if self.health.len() <= watch {
            let new = Health {
                what,
                namespace: namespace.map(str::to_owned),
                synced: false,
                listed: false,
                trouble: None,
                failures: 0,
            };
            self.health.resize(watch + 1, new);
        }
    }

    /// A watch has listed everything; whether it will be told of changes is not known yet.
    pub(super) fn is_listed(&mut self, watch: usize) {
        if let Some(health) = self.health.get_mut(watch) {
            (health.synced, health.listed) = (true, true);
        }
    }

    /// A watch works.
    pub(super) fn is_well(&mut self, watch: usize) {
        if let Some(health) = self.health.get_mut(watch) {
            health.trouble = None;
            health.failures = 0;
        }
    }

    /// A watch failed.
    pub(super) fn is_not(&mut self, watch: usize, trouble: Trouble) {
        let Some(health) = self.health.get_mut(watch) else { return };
        if trouble.kind == Kind::Outdated {
            return;
        }
        health.failures = health.failures.saturating_add(1);
        let removed = !health.listed || health.failures >= REMOVED;
        if trouble.kind == Kind::Absent && health.what.may_be_absent() && removed {
            // Not installed: that is known, and nothing is missing.
            (health.synced, health.trouble) = (true, None);
            self.clear(watch);
            return;
        }
        if !health.synced || health.failures > TOLERATED {
            health.trouble = Some(trouble);
        }
    }

    fn clear(&mut self, watch: usize) {
        self.deployments.remove(&watch);
        self.session_jobs.remove(&watch);
        self.snapshots.remove(&watch);
    }

    /// Every watch has said something: that it is whole, or why not.
    pub(super) fn is_settled(&self) -> bool {
        self.health.iter().all(|health| health.synced || health.trouble.is_some())
    }

    /// Whether anything was ever seen of what makes a Flink cluster.
    pub(super) fn is_seen(&self) -> bool {
        let mut needed = self.health.iter().filter(|health| health.what.is_needed()).peekable();
        needed.peek().is_some()
            && needed.all(|health| health.synced || health.trouble.is_some())
            && self.health.iter().any(|health| health.what == What::Deployments && health.synced)
    }

    /// Namespaces of which nobody knows which Flink clusters there are: what else is seen of them
    /// says nothing.
    pub(super) fn is_blind(&self, namespace: &str) -> bool {
        let here = |health: &Health| health.namespace.as_deref().is_none_or(|n| n == namespace);
        let mut deployments = self.health.iter().filter(|h| h.what == What::Deployments);
        deployments.any(|health| here(health) && !health.synced)
    }

    /// What keeps needed watches from working, each line once.
    pub(super) fn troubles(&self, needed: bool) -> Vec<&Trouble> {
        let mut found: Vec<&Trouble> = Vec::new();
        for health in self.health.iter().filter(|health| health.what.is_needed() == needed) {
            if let Some(trouble) = &health.trouble
                && found.iter().all(|known| known.line != trouble.line)
            {
                found.push(trouble);
            }
        }
        found
    }

    /// The credentials are refused wherever Flink clusters are looked for.
    pub(super) fn is_refused(&self) -> bool {
        self.all_deployments(|health| {
            health.trouble.as_ref().is_some_and(|trouble| trouble.kind == Kind::Unauthorized)
        })
    }

    /// The API server does not tell any more which Flink clusters there are.
    pub(super) fn is_cut_off(&self) -> bool {
        self.all_deployments(|health| health.trouble.is_some())
    }

    fn all_deployments(&self, are: impl Fn(&Health) -> bool) -> bool {
        let mut found = self.health.iter().filter(|h| h.what == What::Deployments).peekable();
        found.peek().is_some() && found.all(are)
    }

    /// More objects than are kept: what is not there may be there.
    pub(super) fn is_over(&self) -> bool {
        self.jobmanagers.values().any(|part| part.over)
            || self.deployments.values().any(|part| part.over)
            || self.session_jobs.values().any(|part| part.over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(kind: Kind) -> Trouble {
        Trouble { kind, line: format!("{kind:?}"), wait: None }
    }

    fn names(part: &Part<u8>) -> Vec<&str> {
        part.rows.keys().map(|id| id.name.as_str()).collect()
    }

    #[test]
    fn a_listing_replaces_what_was_known_only_when_it_is_whole() {
        let id = |name: &str| Id::new("flink", name);
        let mut part = Part::default();
        for change in
            [Change::Begin, Change::Listed(id("a"), Some(1)), Change::Listed(id("b"), Some(1))]
        {
            part.take(change);
        }
        assert_eq!(names(&part), [""; 0]);
        part.take(Change::Whole);
        assert_eq!(names(&part), ["a", "b"]);
        part.take(Change::Put(id("c"), Some(1)));
        part.take(Change::Gone(id("a"), None));
        part.take(Change::Put(id("b"), None));
        assert_eq!(names(&part), ["c"]);
        // Expired: listed anew, and cut off on the way.
        part.take(Change::Begin);
        part.take(Change::Listed(id("d"), Some(1)));
        part.take(Change::Begin);
        assert_eq!(names(&part), ["c"], "nothing is lost while it is listed anew");
        part.take(Change::Listed(id("e"), Some(1)));
        part.take(Change::Whole);
        assert_eq!(names(&part), ["e"]);
    }

    #[test]
    fn more_than_fits_is_named_rather_than_kept() {
        let mut part = Part::default();
        part.take(Change::Begin);
        for number in 0..=MAX_OBJECTS {
            part.take(Change::Listed(Id::new("flink", &number.to_string()), Some(1)));
        }
        part.take(Change::Whole);
        assert_eq!((part.rows.len(), part.over), (MAX_OBJECTS, true));
        part.take(Change::Begin);
        part.take(Change::Whole);
        assert!(!part.over);
    }

    #[test]
    fn one_closed_connection_is_no_trouble_and_a_missing_operator_neither() {
        let mut store = Store::default();
        store.make_room(0, What::Deployments, None);
        store.make_room(1, What::FlinkDeployments, None);
        assert!(!store.is_settled() && !store.is_seen());
        store.is_not(0, trouble(Kind::Unreachable));
        assert_eq!(store.troubles(true).len(), 1, "it never worked");
        store.is_not(1, trouble(Kind::Absent));
        assert!(store.is_settled() && !store.is_seen());
        store.is_listed(0);
        assert_eq!(store.troubles(true).len(), 1, "a listing is half of it");
        store.is_well(0);
        assert!(store.is_seen() && store.troubles(true).is_empty());
        store.is_not(0, trouble(Kind::Unreachable));
        assert!(store.troubles(true).is_empty() && !store.is_cut_off(), "it worked before");
        store.is_not(0, trouble(Kind::Outdated));
        assert!(store.troubles(true).is_empty(), "it is listed anew");
        store.is_not(0, trouble(Kind::Unreachable));
        assert_eq!(store.troubles(true).len(), 1);
        assert!(store.is_seen() && store.is_cut_off(), "what it knew is known");
        store.is_well(0);
        assert!(store.troubles(true).is_empty() && !store.is_cut_off());
    }

    #[test]
    fn an_operator_that_was_there_is_not_gone_at_once() {
        let mut store = Store::default();
        store.make_room(0, What::FlinkDeployments, None);
        store.is_listed(0);
        let id = Id::new("flink", "orders");
        set(&mut store.deployments, &id, Custom::default());
        for _ in 1..REMOVED {
            store.is_not(0, trouble(Kind::Absent));
            assert!(row(&store.deployments, &id).is_some(), "the API server may be starting");
        }
        assert_eq!(store.troubles(true).len(), 1, "and that is said");
        store.is_not(0, trouble(Kind::Absent));
        assert!(row(&store.deployments, &id).is_none() && store.troubles(true).is_empty());
    }

    #[test]
    fn one_namespace_that_tells_is_not_all_of_them() {
        let mut store = Store::default();
        assert!(!store.is_cut_off(), "nothing was asked yet");
        store.make_room(0, What::Deployments, Some("a"));
        store.make_room(1, What::Deployments, Some("b"));
        store.is_listed(1);
        store.is_not(0, trouble(Kind::Forbidden));
        assert!(!store.is_cut_off());
    }

    #[test]
    fn refused_everywhere_is_another_matter_than_forbidden() {
        let mut store = Store::default();
        store.make_room(0, What::Deployments, None);
        store.make_room(1, What::Pods, None);
        store.make_room(2, What::FlinkDeployments, None);
        store.is_not(2, trouble(Kind::Absent));
        store.is_not(1, trouble(Kind::Unauthorized));
        assert!(!store.is_refused());
        store.is_not(0, trouble(Kind::Forbidden));
        assert!(!store.is_refused());
        assert_eq!(store.troubles(false).len(), 1, "pods only say why");
        store.is_not(0, trouble(Kind::Unauthorized));
        assert!(store.is_refused(), "whatever was said of the operator before");
    }

    #[test]
    fn where_deployments_cannot_be_seen_nothing_is_known() {
        let mut store = Store::default();
        assert!(!store.is_blind("a"), "a store filled by hand");
        store.make_room(0, What::Deployments, Some("a"));
        store.make_room(1, What::Deployments, Some("b"));
        store.is_listed(0);
        assert!(!store.is_blind("a") && store.is_blind("b"));
        store.is_not(0, trouble(Kind::Forbidden));
        assert!(!store.is_blind("a"), "what it knew is known");
    }
}
