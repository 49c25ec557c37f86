use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use futures_util::FutureExt;

use super::*;
use crate::http::HttpConfig;
use crate::sources::kubernetes::views::JobManager;

/// A `JobManager` without jobs; `hangs`: it takes the question and never answers.
async fn jobmanager(hangs: bool) -> SocketAddr {
    let answer = move || async move {
        if hangs {
            std::future::pending::<()>().await;
        }
        r#"{"jobs":[]}"#
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/jobs/overview", get(answer));
    tokio::spawn(axum::serve(listener, router).into_future().map(drop));
    address
}

fn cluster(name: &str, address: &str) -> (Id, Cluster) {
    let id = Id::new("flink", name);
    let cluster = Cluster {
        id: id.clone(),
        jobmanager: Some(JobManager { replicas: 1, ready: 1, ..JobManager::default() }),
        addresses: vec![address.to_owned()],
        ..Cluster::default()
    };
    (id, cluster)
}

#[tokio::test]
async fn one_that_hangs_delays_no_other() {
    let (good, bad) = (jobmanager(false).await, jobmanager(true).await);
    let timeout = Some(Duration::from_secs(30));
    let http = HttpClient::build(&HttpConfig { timeout, ..HttpConfig::default() }).unwrap();
    let mut seats =
        Seats::new(Manners { source: "tke".to_owned(), poller: "test".to_owned(), http, ui: None });
    let clusters: BTreeMap<Id, Cluster> =
        [cluster("a-hangs", &format!("http://{bad}")), cluster("good", &format!("http://{good}"))]
            .into();
    let demand = Demand::default();
    for round in 0..3 {
        let look = seats.look(&clusters, &demand, Time::at(1), Duration::from_millis(500));
        let heard = tokio::time::timeout(Duration::from_secs(10), look).await.unwrap();
        let answered: Vec<&str> = heard.looks.keys().map(|id| id.name.as_str()).collect();
        assert_eq!(answered, ["good"], "round {round}");
        let silent: Vec<&str> = heard.silent.keys().map(|id| id.name.as_str()).collect();
        assert_eq!(silent, ["a-hangs"], "round {round}");
    }
    assert!(matches!(seats.taken[&Id::new("flink", "a-hangs")].state, State::Asked(_)));
    let only_good = clusters.into_iter().filter(|(id, _)| id.name == "good").collect();
    let heard = seats.look(&only_good, &demand, Time::at(1), Duration::from_secs(5)).await;
    assert!(heard.silent.is_empty() && seats.taken.len() == 1, "who is gone is not asked");
}

#[tokio::test]
async fn an_address_that_changes_is_followed() {
    let good = jobmanager(false).await;
    let timeout = Some(Duration::from_secs(5));
    let mut seats = Seats::new(Manners {
        source: "tke".to_owned(),
        poller: "test".to_owned(),
        http: HttpClient::build(&HttpConfig { timeout, ..HttpConfig::default() }).unwrap(),
        ui: None,
    });
    let demand = Demand::default();
    let wrong = [cluster("orders", "http://127.0.0.1:1")].into();
    let heard = seats.look(&wrong, &demand, Time::at(1), Duration::from_secs(30)).await;
    assert!(heard.looks.is_empty() && heard.silent.len() == 1);
    let right = [cluster("orders", &format!("http://{good}"))].into();
    let heard = seats.look(&right, &demand, Time::at(1), Duration::from_secs(30)).await;
    assert!(heard.looks.len() == 1 && heard.silent.is_empty(), "{heard:?}");
}
