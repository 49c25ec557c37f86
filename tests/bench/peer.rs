//! The peer: a bare loop that fetches what Weir fetches, as often, and looks at none of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::time::MissedTickBehavior;

use crate::server::stdin_lines;
use crate::testbed::http;

/// First argument of the process.
pub(crate) const ROLE: &str = "--as-peer";

/// Requests of one cluster at the same time, as Weir makes them.
const CONCURRENT: usize = 8;

/// What the peer is asked.
#[derive(Serialize, Deserialize)]
pub(crate) enum Ask {
    /// Fetch these, per cluster, again and again.
    Fetch { interval: Duration, clusters: Vec<Vec<String>> },
    /// The same of clusters nobody counts on the fingers: one after the other, so many at a time,
    /// through an HTTP proxy, connections kept as briefly as Weir keeps those to many hosts.
    Sweep { interval: Duration, proxy: String, at_once: usize, clusters: Vec<Vec<String>> },
    /// Requests answered and failed so far.
    Counts,
}

/// The process: fetches until its stdin closes.
pub(crate) async fn run() -> Result<()> {
    let mut lines = stdin_lines();
    let counts = Arc::new((AtomicU64::new(0), AtomicU64::new(0)));
    while let Some(line) = lines.recv().await {
        match serde_json::from_str::<Ask>(&line)? {
            Ask::Fetch { interval, clusters } => {
                let step = interval / u32::try_from(clusters.len().max(1))?;
                for (index, urls) in clusters.into_iter().enumerate() {
                    let delay = step * u32::try_from(index)?;
                    tokio::spawn(fetch(urls, delay, interval, Arc::clone(&counts)));
                }
                println!("null");
            }
            Ask::Sweep { interval, proxy, at_once, clusters } => {
                let client = http::client_through(&proxy)?;
                tokio::spawn(sweep(client, clusters, interval, at_once, Arc::clone(&counts)));
                println!("null");
            }
            Ask::Counts => {
                let both = (counts.0.load(Ordering::Relaxed), counts.1.load(Ordering::Relaxed));
                println!("{}", serde_json::to_string(&both)?);
            }
        }
    }
    Ok(())
}

async fn sweep(
    client: reqwest::Client,
    clusters: Vec<Vec<String>>,
    interval: Duration,
    at_once: usize,
    counts: Arc<(AtomicU64, AtomicU64)>,
) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let one = async |urls: &Vec<String>| {
            for url in urls {
                let answer = async { client.get(url).send().await?.bytes().await };
                let is_ok = answer.await.is_ok();
                let count = if is_ok { &counts.0 } else { &counts.1 };
                count.fetch_add(1, Ordering::Relaxed);
            }
        };
        futures_util::stream::iter(&clusters).for_each_concurrent(at_once, one).await;
    }
}

async fn fetch(
    urls: Vec<String>,
    delay: Duration,
    interval: Duration,
    counts: Arc<(AtomicU64, AtomicU64)>,
) {
    let client = http::client();
    tokio::time::sleep(delay).await;
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let get = |url: &String| {
            let request = client.get(url);
            async { request.send().await?.bytes().await }
        };
        let mut answers = futures_util::stream::iter(&urls).map(get).buffer_unordered(CONCURRENT);
        while let Some(answer) = answers.next().await {
            let count = if answer.is_ok() { &counts.0 } else { &counts.1 };
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}
