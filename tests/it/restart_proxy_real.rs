//! Restarts through a reverse proxy before a real Flink, which swallows orders, denies what it has
//! passed on, wants another token, and loses answers. And two Weirs that do not know of each other.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tokio::sync::Barrier;

use crate::restart_bed::{Bed, Cluster};
use crate::testbed::proxy::{Proxy, Trick};
use crate::testbed::story::{self, SOON};
use crate::testbed::time;
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;

const FIRST: &str = "first-token";
const SECOND: &str = "second-token";

/// A Weir that reaches its Flink by a proxy, with the token in this file.
async fn behind(cluster: Cluster, proxy: &Proxy, token: &std::path::Path) -> Result<Bed> {
    std::fs::write(token, FIRST)?;
    let source = format!(
        "{{ name: prod, urls: [\"{}\"], auth: {{ bearer: {{ token_file: {:?} }} }} }}",
        proxy.url(),
        token.display().to_string()
    );
    cluster.watched(&source).await
}

fn note(row: &Value) -> &str {
    row["note"].as_str().unwrap_or_default()
}

#[tokio::test]
#[ignore = "minutes on a real Flink; part of `make components`"]
async fn a_proxy_that_loses_and_denies_orders_real() -> Result<()> {
    let version = crate::testbed::flink::release("1.20.5");
    let entries = vec![
        ("swallowed", json!({ "start_within": "8s" })),
        ("denied", json!({})),
        ("denied-early", json!({})),
        ("dropped", json!({})),
        ("expired", json!({})),
    ];
    let cluster = Cluster::start(&version, entries).await?;
    let proxy = Proxy::start(cluster.flink.rest().url(), FIRST).await?;
    let dir = tempfile::tempdir()?;
    let token = dir.path().join("token");
    let mut bed = behind(cluster, &proxy, &token).await?;

    // The proxy says that it is done, and nothing starts.
    proxy.next("swallowed", Trick::Swallow);
    proxy.next("denied", Trick::DenyAfter);
    proxy.next("denied-early", Trick::DenyBefore(Duration::from_secs(2)));
    proxy.next("dropped", Trick::Drop);
    for name in ["swallowed", "denied", "denied-early", "dropped"] {
        bed.fail_once(name).await?;
    }
    let rows = bed.until("swallowed", "one attempt failed", |all| all.len() > 1).await?;
    ensure!(rows[0]["state"] == "failed" && note(&rows[0]).contains("did not appear"), "{rows:#?}");
    let said = bed.said(&rows[0]).await?;
    bed.rows.add("a proxy answers 200 and keeps the order", &said, Duration::ZERO);
    bed.is_back("swallowed", "the order after it arrives").await?;
    ensure!(proxy.passed("swallowed") == 1 && bed.restarts("swallowed").await?.len() == 2);

    // It says no to what it has passed on: what runs is Weir's, and there is no second.
    for (name, scenario) in [
        ("denied", "a proxy answers 400 to what Flink took"),
        ("denied-early", "a proxy answers 400, and Flink gets the order 2 s later"),
        ("dropped", "a proxy loses the answer"),
    ] {
        ensure!(proxy.has_met(name), "{name}");
        bed.is_back(name, scenario).await?;
        let rows = bed.restarts(name).await?;
        ensure!(rows.len() == 1 && rows[0]["job_id"] == rows[0]["handle"], "{rows:#?}");
    }

    // The token runs out with the order: nothing is begun until there is another one.
    proxy.next("expired", Trick::Expire(SECOND));
    bed.fail_once("expired").await?;
    let refused = |all: &[Value]| all.len() == 1 && note(&all[0]).contains("401");
    let rows = bed.until("expired", "a line about the token", refused).await?;
    ensure!(rows[0]["state"] == "submitted" && bed.live("expired").await?.is_empty(), "{rows:#?}");
    let said = format!("{}: {}", rows[0]["state"].as_str().unwrap_or_default(), note(&rows[0]));
    bed.rows.add("the token expires with the order", &said, Duration::ZERO);
    ensure!(proxy.refused() > 0 && proxy.passed("expired") == 0);
    std::fs::write(&token, SECOND)?;
    bed.is_back("expired", "the token is renewed").await?;
    let rows = bed.restarts("expired").await?;
    ensure!(rows.len() == 1 && proxy.passed("expired") == 1, "{rows:#?}");

    for job in &bed.jobs {
        let miscounts = job.control.miscounts()?;
        ensure!(bed.live(job.name).await?.len() == 1, "{}", job.name);
        ensure!(miscounts.is_empty(), "{}: {miscounts:?}", job.name);
    }
    bed.rows.write()?;
    bed.weir.stop().await?;
    bed.flink.stop().await
}

/// Rows of a Weir about the one job there is.
async fn rows_of(weir: &Weir) -> Result<Vec<Value>> {
    let mut all = story::list(weir, "restarts").await?;
    all.reverse();
    Ok(all)
}

/// Two Weirs with a store each restart the same job. One store for both is refused at once, with the
/// process id of the first (`bad_store`).
#[tokio::test]
#[ignore = "minutes on a real Flink; part of `make components`"]
async fn two_weirs_with_two_stores_real() -> Result<()> {
    let version = crate::testbed::flink::release("1.20.5");
    // Each time they collide is an attempt.
    let attempts = json!({ "attempts": { "max": 9, "per": "1h" }, "same_cause": 9 });
    let cluster = Cluster::start(&version, vec![("shared", attempts)]).await?;
    let proxies = [
        Proxy::start(cluster.flink.rest().url(), FIRST).await?,
        Proxy::start(cluster.flink.rest().url(), FIRST).await?,
    ];
    let dir = tempfile::tempdir()?;
    let token = dir.path().join("token");
    std::fs::write(&token, FIRST)?;
    let hook = Webhook::start(WebhookOptions::default()).await?;
    let source = |proxy: &Proxy| {
        let token = token.display().to_string();
        let url = proxy.url();
        format!(
            "{{ name: prod, urls: [\"{url}\"], auth: {{ bearer: {{ token_file: {token:?} }} }} }}"
        )
    };
    let other_dir = tempfile::tempdir()?;
    let config = cluster.config(&source(&proxies[1]), &hook);
    let config = config.replace("resolve_after: 3s", "resolve_after: 30s");
    let mut bed = cluster.watched(&source(&proxies[0])).await?;
    let other = Weir::start(crate::binary(), other_dir.path(), &config).await?;
    story::ready(&other).await?;
    story::after_polls(&other, 3).await?;

    // Left to themselves: whoever is later sees that it runs.
    let began = time::now();
    bed.fail_once("shared").await?;
    one_is_left(&bed, &other, 0).await?;
    let starts = proxies.iter().map(|proxy| proxy.passed("shared")).sum::<usize>();
    let said = format!("{starts} starts, one run is left; the count goes on");
    bed.rows.add("two Weirs with two stores restart one job", &said, time::since(began));

    // Both orders are held until both were given: both are taken.
    let barrier = Arc::new(Barrier::new(2));
    let before = given_way(&bed, &other).await?;
    let runs = bed.job("shared").control.restored()?.len();
    for proxy in &proxies {
        proxy.next("shared", Trick::Together(barrier.clone()));
    }
    let began = time::now();
    bed.fail_once("shared").await?;
    time::wait_for("both orders", SOON, || async {
        Ok(proxies.iter().all(|proxy| proxy.has_met("shared")).then_some(()))
    })
    .await
    .with_context(|| format!("{}\n---\n{}", bed.weir.log_tail(), other.log_tail()))?;
    one_is_left(&bed, &other, runs + 2).await?;
    let gave_way = given_way(&bed, &other).await? - before;
    ensure!(gave_way >= 1, "nobody gave way: {:#?}", rows_of(&other).await?);
    let said = format!("both are taken, {gave_way} cancel their own run; one run is left");
    bed.rows.add("two Weirs with two stores order at the same instant", &said, time::since(began));
    bed.rows.write()?;
    bed.weir.stop().await?;
    other.stop().await?;
    bed.flink.stop().await
}

/// How often either cancelled its own run because of somebody else's.
async fn given_way(bed: &Bed, other: &Weir) -> Result<usize> {
    let rows = [rows_of(&bed.weir).await?, rows_of(other).await?].concat();
    Ok(rows.iter().filter(|row| note(row).contains("somebody else started it")).count())
}

/// After all that was done there is one healthy run, and both Weirs rest.
async fn one_is_left(bed: &Bed, other: &Weir, begun: usize) -> Result<()> {
    let open = ["planned", "approval", "stopping", "submitted", "running"];
    let what = "one run and two Weirs at rest";
    let found = time::wait_for(what, 2 * SOON, || async {
        if bed.job("shared").control.restored()?.len() < begun {
            return Ok(None);
        }
        for weir in [&bed.weir, other] {
            let rows = rows_of(weir).await?;
            let jobs = story::list(weir, "jobs").await?;
            let well = |job: &Value| {
                job["state"] == "RUNNING" && job["live_runs"] == 1 && job["stale"] == false
            };
            if rows.iter().any(|row| open.iter().any(|state| row["state"] == *state))
                || !jobs.iter().any(well)
            {
                return Ok(None);
            }
        }
        Ok((bed.live("shared").await?.len() == 1).then_some(()))
    });
    if let Err(error) = found.await {
        let overview = bed.flink.rest().get("/jobs/overview").await?;
        let rows = [rows_of(&bed.weir).await?, rows_of(other).await?];
        let incidents = story::list(&bed.weir, "incidents").await?;
        let said = format!("{overview:#}\n{rows:#?}\n{incidents:#?}");
        return Err(error.context(said));
    }
    Ok(())
}
