//! Which Flink clusters there are: objects that belong together, and the way to each. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::endpoint::{self, Way};
use super::names::{Id, Template};
use super::operator;
use super::pod_memory::Past;
use super::selector::Selector;
use super::store::{Store, row, rows};
use super::views::{Custom, JobManager, PodView};

/// Pods of one cluster that are looked at: its `JobManagers`, and others in trouble.
const MAX_PODS: usize = 64;

/// What the configuration says about all of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Choice {
    pub(super) selector: Selector,
    pub(super) rest: Option<Template>,
}

/// A Flink cluster.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Cluster {
    /// Namespace and `cluster-id`, which is the name of its `FlinkDeployment`.
    pub(super) id: Id,
    /// Of the `FlinkDeployment`, else of the `Deployment`.
    pub(super) labels: BTreeMap<String, String>,
    /// Its `FlinkDeployment`.
    pub(super) custom: Option<Custom>,
    /// Its `FlinkSessionJob`s by name.
    pub(super) session_jobs: BTreeMap<String, Custom>,
    /// Its `Deployment`.
    pub(super) jobmanager: Option<JobManager>,
    pub(super) pods: Vec<PodView>,
    pub(super) past: Past,
    /// Where its REST API may be, the best first.
    pub(super) addresses: Vec<String>,
    /// Somebody changes it on purpose.
    pub(super) planned: bool,
}

impl Cluster {
    /// One job belongs to it, and it to the job; where that is not known, it is taken for a session.
    pub(super) fn is_application(&self) -> bool {
        match (&self.custom, &self.jobmanager) {
            (Some(custom), _) => !custom.is_session,
            (None, Some(jobmanager)) => jobmanager.session == Some(false),
            (None, None) => false,
        }
    }

    /// A `JobManager` is meant to run.
    pub(super) fn is_wanted(&self) -> bool {
        self.jobmanager.as_ref().is_some_and(|jobmanager| jobmanager.replicas > 0)
    }

    /// Whether a `JobManager` should answer now.
    pub(super) fn should_answer(&self) -> bool {
        let jobmanagers = || self.pods.iter().filter(|pod| pod.jobmanager);
        // Where no pods can be seen, the Deployment has to do.
        let unseen = jobmanagers().next().is_none();
        let ready = self.jobmanager.as_ref().is_some_and(|jm| jm.ready > 0);
        self.is_wanted() && (jobmanagers().any(|pod| pod.ready) || (unseen && ready))
    }
}

/// All of them that are selected.
pub(super) fn clusters(store: &Store, choice: &Choice, now: i64) -> BTreeMap<Id, Cluster> {
    let mut found: BTreeMap<Id, Cluster> = BTreeMap::new();
    for (id, custom) in rows(&store.deployments) {
        let cluster = found.entry(id.clone()).or_default();
        cluster.labels.clone_from(&custom.labels);
        cluster.custom = Some(custom.clone());
    }
    for (id, jobmanager) in rows(&store.jobmanagers) {
        let app = jobmanager.labels.get("app").map_or(id.name.as_str(), String::as_str);
        let cluster = found.entry(Id::new(&id.namespace, app)).or_default();
        if cluster.custom.is_none() {
            cluster.labels.clone_from(&jobmanager.labels);
        }
        cluster.jobmanager = Some(jobmanager.clone());
    }
    found.retain(|id, cluster| {
        choice.selector.selects(&cluster.labels) && !store.is_blind(&id.namespace)
    });
    for (id, job) in rows(&store.session_jobs) {
        let session = job.on.as_deref().map(|on| Id::new(&id.namespace, on));
        if let Some(cluster) = session.and_then(|session| found.get_mut(&session)) {
            cluster.session_jobs.insert(id.name.clone(), job.clone());
        }
    }
    for (id, pod) in rows(&store.pods).filter(|(_, pod)| pod.jobmanager || pod.trouble.is_some()) {
        if let Some(cluster) = found.get_mut(&Id::new(&id.namespace, &pod.of))
            && (pod.jobmanager || cluster.pods.len() < MAX_PODS)
        {
            cluster.pods.push(pod.clone());
        }
    }
    let changing = changing(store, now);
    for (id, cluster) in &mut found {
        cluster.id = id.clone();
        cluster.past = store.past.of(id).cloned().unwrap_or_default();
        let service = row(&store.services, &Id::new(&id.namespace, &format!("{}-rest", id.name)));
        cluster.addresses = endpoint::addresses(Way {
            id,
            service,
            pods: &cluster.pods,
            tls: cluster.custom.as_ref().is_some_and(|custom| custom.tls),
            template: choice.rest.as_ref(),
        });
        cluster.planned = changing.contains(&("FlinkDeployment", id))
            || cluster.custom.as_ref().is_some_and(|c| operator::is_changing(c) || c.deleting);
    }
    found
}

/// Objects of the operator of which events or savepoints say that they are being changed.
fn changing(store: &Store, now: i64) -> BTreeSet<(&'static str, &Id)> {
    let mut named: BTreeSet<(&str, Id)> = BTreeSet::new();
    for (id, event) in rows(&store.events) {
        if operator::tell_of_change(std::iter::once(event), now) {
            named.insert((event.kind.as_str(), Id::new(&id.namespace, &event.of)));
        }
    }
    for (id, snapshot) in rows(&store.snapshots) {
        named.insert((snapshot.kind.as_str(), Id::new(&id.namespace, &snapshot.of)));
    }
    let of = |kind: &str, id: &Id| named.contains(&(kind, id.clone()));
    let deployments = rows(&store.deployments).map(|(id, _)| ("FlinkDeployment", id));
    deployments.filter(|(kind, id)| of(kind, id)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::store::set;
    use super::super::trouble_of_pod::PodTrouble;
    use super::super::views::{EventView, ServiceView, SnapshotView};
    use super::*;

    fn id(name: &str) -> Id {
        Id::new("flink", name)
    }

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn native(name: &str, session: bool) -> JobManager {
        let labels = labels(&[("app", name), ("type", "flink-native-kubernetes")]);
        JobManager { labels, session: Some(session), replicas: 1, ..JobManager::default() }
    }

    fn all(store: &Store) -> BTreeMap<Id, Cluster> {
        clusters(store, &Choice::default(), 0)
    }

    #[test]
    fn what_belongs_together_is_one_cluster() {
        let mut store = Store::default();
        set(&mut store.jobmanagers, &id("native"), native("native", false));
        set(&mut store.jobmanagers, &id("orders"), native("orders", false));
        set(&mut store.jobmanagers, &Id::new("dev", "orders"), native("orders", true));
        set(&mut store.deployments, &id("orders"), Custom { tls: true, ..Custom::default() });
        set(&mut store.deployments, &id("new"), Custom::default());
        let session = Custom { is_session: true, ..Custom::default() };
        set(&mut store.deployments, &id("sess"), session);
        let job = Custom { on: Some("sess".to_owned()), ..Custom::default() };
        set(&mut store.session_jobs, &id("j1"), job.clone());
        set(&mut store.session_jobs, &Id::new("dev", "j2"), job);
        let pod = PodView {
            of: "orders".to_owned(),
            jobmanager: true,
            ready: true,
            ..PodView::default()
        };
        set(&mut store.pods, &id("orders-abc"), pod);
        let service =
            ServiceView { kind: "ClusterIP".to_owned(), port: 9000, ..ServiceView::default() };
        set(&mut store.services, &id("orders-rest"), service);
        let found = all(&store);
        let names: Vec<String> =
            found.keys().map(|i| format!("{}/{}", i.namespace, i.name)).collect();
        assert_eq!(
            names,
            ["dev/orders", "flink/native", "flink/new", "flink/orders", "flink/sess"]
        );
        let orders = &found[&id("orders")];
        assert!(orders.is_application() && orders.custom.is_some() && orders.jobmanager.is_some());
        assert_eq!(
            (orders.pods.len(), orders.addresses[0].as_str()),
            (1, "https://orders-rest.flink.svc:9000")
        );
        assert!(!found[&Id::new("dev", "orders")].is_application());
        assert!(found[&Id::new("dev", "orders")].pods.is_empty());
        assert_eq!(found[&id("sess")].session_jobs.keys().collect::<Vec<_>>(), ["j1"]);
        assert!(!found[&id("sess")].is_application() && found[&id("new")].is_application());
    }

    #[test]
    fn only_what_is_selected_is_looked_at() {
        let mut store = Store::default();
        let ads = Custom { labels: labels(&[("team", "ads")]), ..Custom::default() };
        set(&mut store.deployments, &id("ads"), ads);
        set(&mut store.deployments, &id("shop"), Custom::default());
        // What the operator made carries none of the labels of its FlinkDeployment.
        set(&mut store.jobmanagers, &id("ads"), native("ads", false));
        set(&mut store.jobmanagers, &id("shop"), native("shop", false));
        let selector = Selector::parse("team=ads").unwrap();
        let choice = Choice { selector, ..Choice::default() };
        let found = clusters(&store, &choice, 0);
        assert_eq!(found.keys().collect::<Vec<_>>(), [&id("ads")]);
        assert!(found[&id("ads")].jobmanager.is_some());
    }

    #[test]
    fn a_change_is_planned_by_its_status_its_events_or_its_savepoint() {
        let planned = |fill: &dyn Fn(&mut Store)| {
            let mut store = Store::default();
            set(&mut store.deployments, &id("orders"), Custom::default());
            fill(&mut store);
            all(&store)[&id("orders")].planned
        };
        assert!(!planned(&|_| {}));
        assert!(planned(&|s| set(
            &mut s.deployments,
            &id("orders"),
            Custom { behind: true, ..Custom::default() }
        )));
        let scaling = |of: &str| EventView {
            kind: "FlinkDeployment".to_owned(),
            of: of.to_owned(),
            reason: "Scaling".to_owned(),
            ..EventView::default()
        };
        assert!(planned(&|s| set(&mut s.events, &id("e"), scaling("orders"))));
        assert!(!planned(&|s| set(&mut s.events, &id("e"), scaling("other"))));
        assert!(!planned(&|s| set(&mut s.events, &Id::new("dev", "e"), scaling("orders"))));
        let upgrade = SnapshotView { kind: "FlinkDeployment".to_owned(), of: "orders".to_owned() };
        assert!(planned(&|s| set(&mut s.snapshots, &id("s"), upgrade.clone())));
    }

    #[test]
    fn an_answer_is_expected_where_a_jobmanager_is_ready() {
        let cluster = |replicas: i64, pods: &[bool]| Cluster {
            jobmanager: Some(JobManager { replicas, ready: 1, ..JobManager::default() }),
            pods: pods
                .iter()
                .map(|ready| PodView { jobmanager: true, ready: *ready, ..PodView::default() })
                .collect(),
            ..Cluster::default()
        };
        for (replicas, pods, expected) in [
            (1, &[true][..], true),
            (2, &[false, true], true),
            (1, &[false], false),
            (1, &[], true),
            (0, &[], false),
        ] {
            assert_eq!(cluster(replicas, pods).should_answer(), expected, "{replicas} {pods:?}");
        }
        assert!(!Cluster::default().should_answer(), "nothing was made yet");
        let trouble = PodTrouble {
            pod: String::new(),
            reason: String::new(),
            message: String::new(),
            at: 0,
            blocks: true,
        };
        let taskmanager = PodView { trouble: Some(trouble), ..PodView::default() };
        let mut well = cluster(1, &[true]);
        well.pods.push(taskmanager);
        assert!(well.should_answer());
    }
}
