//! What the tests of drivers share: an order, and servers that misbehave.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{ApiAccess, DriverConfig, OfInventory, Order, Parts, Sight, Started};
use crate::http::HttpConfig;
use crate::model::{JobKey, Labels};

/// An order for the job `orders`, not known by any inventory.
pub(super) fn order(from: Option<&str>) -> Order {
    Order {
        restart: 1,
        handle: "ab".repeat(16),
        job: JobKey::new("emr", "", "", "orders"),
        job_name: "orders".to_owned(),
        flink_job_name: "orders".to_owned(),
        cluster: "emr".to_owned(),
        namespace: String::new(),
        flink_cluster: "orders".to_owned(),
        labels: Labels::default(),
        dead: Some("cd".repeat(16)),
        from: from.map(str::to_owned),
        version: None,
        inventory: None,
        may_cancel: true,
    }
}

/// The same, known by this inventory.
pub(super) fn known(source: &str, id: &str, from: Option<&str>) -> Order {
    let team_id = Some("100000".to_owned());
    let inventory = OfInventory { source: source.to_owned(), id: id.to_owned(), team_id };
    Order { inventory: Some(inventory), ..order(from) }
}

/// The job of this name, shown by `emr`.
pub(super) fn sight(name: &str, inventory: Option<&str>) -> Sight {
    Sight {
        job: JobKey::new("emr", "", "", name),
        job_name: name.to_owned(),
        cluster: "emr".to_owned(),
        namespace: String::new(),
        inventory: inventory.map(str::to_owned),
    }
}

/// An inventory of this kind, reached like this.
pub(super) fn parts(kind: &str, url: Option<&str>, token_file: Option<PathBuf>) -> Parts {
    let access = ApiAccess {
        kind: kind.to_owned(),
        url: url.map(str::to_owned),
        token: None,
        token_file,
        http: HttpConfig::default(),
    };
    Parts { inventories: BTreeMap::from([("inv".to_owned(), access)]), ..Parts::default() }
}

pub(super) fn config(yaml: &str) -> DriverConfig {
    serde_saphyr::from_str(yaml).unwrap()
}

/// What is said of an order.
pub(super) fn told(started: &Started) -> &str {
    match started {
        Started::Accepted { .. } => "accepted",
        Started::Refused { error: told, .. }
        | Started::Alive { seen: told }
        | Started::Unclear { error: told } => told,
    }
}

/// Serves until the test ends; its address.
pub(super) async fn serve(router: axum::Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

/// Hears each request to its end, counts those of this path, and gives this answer, byte for byte:
/// with none it closes the connection, with an unfinished one it says nothing more.
pub(super) async fn rude(path: &'static str, answer: Vec<u8>) -> (String, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let heard = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&heard);
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let (request, body) = hear(&mut stream).await;
            let whole = format!("{request}{body}");
            if whole.contains(path) {
                counter.fetch_add(1, Ordering::SeqCst);
            }
            // The client may have gone by then.
            stream.write_all(&answer).await.ok();
            if answer.ends_with(b"...") {
                held.push(stream);
            }
        }
    });
    (url, heard)
}

async fn hear(stream: &mut tokio::net::TcpStream) -> (String, String) {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().unwrap())
            });
            if body.len() >= length.unwrap_or(0) {
                return (head.to_owned(), body.to_owned());
            }
        }
        let mut part = [0; 4096];
        match stream.read(&mut part).await {
            Ok(read) if read > 0 => bytes.extend_from_slice(&part[..read]),
            _ => return (String::new(), String::new()),
        }
    }
}

/// An answer with this status line, type and body.
pub(super) fn answer(status: &str, kind: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

pub(super) const LOGIN_PAGE: &str =
    "<!doctype html><html><head><title>Sign in</title></head><body>…</body></html>";
