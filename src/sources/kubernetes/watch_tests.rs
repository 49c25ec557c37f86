use serde_json::json;

use super::super::fake::{Fake, deployment};
use super::super::store::rows;
use super::*;
use crate::http::install_tls;

fn watch(fake: &Fake) -> (Arc<Shared>, Watches) {
    install_tls();
    let server = format!("http://{}", fake.address);
    let mut config = kube::Config::new(server.parse().unwrap());
    config.default_retry = false;
    let client = kube::Client::try_from(config).unwrap();
    let shared = Arc::<Shared>::default();
    let watches = start(&Connection { client, server }, &["flink".to_owned()], &shared);
    (shared, watches)
}

/// Waits until the store is so.
async fn until(shared: &Shared, is_so: impl Fn(&Store) -> bool) {
    let wait = async {
        loop {
            let changed = shared.changed.notified();
            if is_so(&shared.lock()) {
                return;
            }
            changed.await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(20), wait).await;
    assert!(in_time.is_ok(), "never so: {:?}", shared.lock());
}

fn names(store: &Store) -> Vec<&str> {
    rows(&store.jobmanagers).map(|(id, _)| id.name.as_str()).collect()
}

#[tokio::test]
async fn changes_are_followed_and_an_outdated_watch_lists_anew() {
    let fake = Fake::start().await;
    fake.holds("deployments", vec![deployment("a", 1)]);
    let (shared, watches) = watch(&fake);
    assert_eq!(watches.len(), WATCHES.len());
    tokio::time::timeout(Duration::from_secs(20), shared.settled()).await.unwrap();
    assert_eq!(names(&shared.lock()), ["a"]);
    fake.tells("deployments", "ADDED", &deployment("b", 1));
    until(&shared, |store| names(store) == ["a", "b"]).await;
    fake.tells("deployments", "DELETED", &deployment("a", 1));
    until(&shared, |store| names(store) == ["b"]).await;
    fake.holds("deployments", vec![deployment("b", 1), deployment("c", 1)]);
    let gone = json!({ "kind": "Status", "status": "Failure", "code": 410, "reason": "Expired",
                       "message": "too old resource version" });
    fake.tells("deployments", "ERROR", &gone);
    until(&shared, |store| names(store) == ["b", "c"]).await;
    assert_eq!(fake.lists("deployments"), 2);
    assert!(shared.lock().troubles(true).is_empty());
}

#[tokio::test]
async fn a_refusal_is_known_and_so_is_its_end() {
    let fake = Fake::start().await;
    fake.refuses("deployments", 403, "cannot list resource");
    fake.refuses("flinkdeployments", 404, "404 page not found");
    let (shared, _watches) = watch(&fake);
    tokio::time::timeout(Duration::from_secs(20), shared.settled()).await.unwrap();
    {
        let store = shared.lock();
        assert!(!store.is_seen());
        let [trouble] = store.troubles(true)[..] else { panic!("{store:?}") };
        assert!(trouble.line.contains("may not list deployments.apps in namespace flink"));
    }
    fake.allows("deployments");
    until(&shared, |store| store.is_seen() && store.troubles(true).is_empty()).await;
}

#[tokio::test]
async fn who_may_list_and_not_watch_is_told_so() {
    let fake = Fake::start().await;
    fake.holds("deployments", vec![deployment("a", 1)]);
    let said = "deployments.apps is forbidden: User \"weir\" cannot watch resource \"deployments\"";
    fake.refuses_to_watch("deployments", 403, said);
    let (shared, _watches) = watch(&fake);
    let is_named = |store: &Store| {
        let line = |line: &str| line.contains("weir may not watch deployments.apps");
        store.troubles(true).iter().any(|trouble| line(&trouble.line))
    };
    until(&shared, is_named).await;
    assert_eq!(names(&shared.lock()), ["a"], "what was listed is known");
    let lists = fake.lists("deployments");
    until(&shared, |_| fake.lists("deployments") > lists).await;
    assert!(is_named(&shared.lock()), "another listing does not unsay it");
    fake.allows("deployments");
    until(&shared, |store| store.troubles(true).is_empty()).await;
}

#[tokio::test]
async fn a_watch_that_is_always_too_late_does_not_spin() {
    let fake = Fake::start().await;
    fake.holds("deployments", vec![deployment("a", 1)]);
    fake.refuses_to_watch("deployments", 410, "too old resource version");
    let (shared, _watches) = watch(&fake);
    until(&shared, |_| fake.lists("deployments") >= 2).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(fake.lists("deployments"), 2, "it is listed anew once at once, then not so soon");
}
