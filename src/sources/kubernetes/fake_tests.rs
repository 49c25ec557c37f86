//! An API server in the process: lists what it is given, and its watches tell what they are told to.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::FutureExt;
use serde_json::{Value, json};
use tokio::sync::Notify;

/// One kind of objects, by its plural.
#[derive(Default)]
struct Kind {
    items: Vec<Value>,
    refused: Option<(u16, String)>,
    /// It may be listed and not watched.
    only_listed: bool,
    events: VecDeque<Value>,
    lists: u32,
}

#[derive(Default)]
struct Shared {
    kinds: Mutex<BTreeMap<String, Kind>>,
    told: Notify,
}

#[derive(Clone)]
pub(super) struct Fake {
    shared: Arc<Shared>,
    pub(super) address: SocketAddr,
}

impl Fake {
    pub(super) async fn start() -> Fake {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::<Shared>::default();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        tokio::spawn(axum::serve(listener, router).into_future().map(drop));
        Fake { shared, address }
    }

    fn with<T>(&self, plural: &str, change: impl FnOnce(&mut Kind) -> T) -> T {
        change(self.shared.kinds.lock().unwrap().entry(plural.to_owned()).or_default())
    }

    /// What a listing holds from now on.
    pub(super) fn holds(&self, plural: &str, items: Vec<Value>) {
        self.with(plural, |kind| kind.items = items);
    }

    /// Every request for it is answered so.
    pub(super) fn refuses(&self, plural: &str, code: u16, said: &str) {
        self.with(plural, |kind| kind.refused = Some((code, said.to_owned())));
    }

    /// It may be listed, and watching it is answered so.
    pub(super) fn refuses_to_watch(&self, plural: &str, code: u16, said: &str) {
        self.refuses(plural, code, said);
        self.with(plural, |kind| kind.only_listed = true);
    }

    pub(super) fn allows(&self, plural: &str) {
        self.with(plural, |kind| kind.refused = None);
    }

    /// A watch tells this.
    pub(super) fn tells(&self, plural: &str, event: &str, object: &Value) {
        self.with(plural, |kind| {
            kind.events.push_back(json!({ "type": event, "object": object }));
        });
        self.shared.told.notify_waiters();
    }

    /// How often it was listed.
    pub(super) fn lists(&self, plural: &str) -> u32 {
        self.with(plural, |kind| kind.lists)
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let plural = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    let watches = request.uri().query().is_some_and(|query| query.contains("watch=true"));
    let refused = {
        let mut kinds = shared.kinds.lock().unwrap();
        let kind = kinds.entry(plural.clone()).or_default();
        kind.lists += u32::from(!watches);
        kind.refused.clone().filter(|_| watches || !kind.only_listed)
    };
    if let Some((code, said)) = refused {
        let status = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure",
                             "message": said, "reason": "Refused", "code": code });
        return json_response(code, &status);
    }
    if watches {
        let events =
            futures_util::stream::unfold((shared, plural), |(shared, plural)| async move {
                loop {
                    let told = shared.told.notified();
                    let next = {
                        let mut kinds = shared.kinds.lock().unwrap();
                        kinds.get_mut(&plural).and_then(|kind| kind.events.pop_front())
                    };
                    if let Some(event) = next {
                        drop(told);
                        let line = Ok::<_, std::convert::Infallible>(format!("{event}\n"));
                        return Some((line, (shared, plural)));
                    }
                    told.await;
                }
            });
        return Response::new(Body::from_stream(events));
    }
    let items = shared.kinds.lock().unwrap().get(&plural).map(|kind| kind.items.clone());
    let list = json!({ "kind": "List", "apiVersion": "v1",
                       "metadata": { "resourceVersion": "10" }, "items": items });
    json_response(200, &list)
}

fn json_response(code: u16, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    response.headers_mut().insert("content-type", "application/json".parse().unwrap());
    response
}

/// A native application's `Deployment`.
pub(super) fn deployment(name: &str, ready: u32) -> Value {
    json!({
        "metadata": {
            "name": name, "namespace": "flink", "resourceVersion": "5", "uid": name,
            "creationTimestamp": "2023-11-14T22:13:20Z",
            "labels": { "app": name, "component": "jobmanager", "type": "flink-native-kubernetes",
                        "team": "shop" }
        },
        "spec": { "replicas": 1, "template": { "spec": { "containers": [
            { "args": ["bash", "-c", "kubernetes-jobmanager.sh kubernetes-application"] } ] } } },
        "status": { "readyReplicas": ready }
    })
}

/// A pod of a `JobManager` that runs, or one that was told why not.
pub(super) fn pod(name: &str, of: &str, waits_for: Option<&str>) -> Value {
    let state = match waits_for {
        None => json!({ "running": {} }),
        Some(reason) => json!({ "waiting": { "reason": reason, "message": "as it is" } }),
    };
    let ready = if waits_for.is_none() { "True" } else { "False" };
    json!({
        "metadata": { "name": name, "namespace": "flink", "resourceVersion": "5",
                      "labels": { "app": of, "component": "jobmanager" } },
        "status": {
            "startTime": "2023-11-14T22:13:20Z",
            "conditions": [ { "type": "Ready", "status": ready } ],
            "containerStatuses": [ { "name": "flink-main-container", "state": state } ]
        }
    })
}
