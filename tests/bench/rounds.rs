//! CPU, bytes, memory, scrape and store of a Weir that watches a quiet fleet.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::cost::{cpu_seconds, memory_mb};
use crate::peer;
use crate::scenario::{Plan, Scene};
use crate::server::{Ask, Role};
use crate::table::{Goal, Table, quantile, spread};
use crate::testbed::{http, time};

const SCRAPES: usize = 30;

/// CPU of both in the same seconds, and the bytes of a quiet poll.
pub(crate) async fn measure(
    plan: &Plan,
    scene: &mut Scene,
    with_lag: &mut Scene,
    table: &mut Table,
) -> Result<()> {
    let weir = scene.weir.pid().context("weir does not run")?;
    tokio::time::sleep(plan.poll * plan.warm_up).await;

    // What one poll asks for, before the peer comes and asks for the same.
    let (before, lag_before) = (scene.counts().await?, with_lag.counts().await?);
    scene.fleet.ask::<()>(&Ask::Record).await?;
    tokio::time::sleep(plan.poll).await;
    let asked: Vec<String> = scene.fleet.ask(&Ask::Recorded).await?;
    let (after, lag_after) = (scene.counts().await?, with_lag.counts().await?);
    let kilobytes = |bytes: u64| plan.per_job_poll(bytes as f64, 1) / 1024.0;
    let bytes = kilobytes(after.bytes - before.bytes);
    let requests = plan.per_job_poll((after.requests - before.requests) as f64, 1);
    let note = format!("{requests:.2} requests");
    table.row("bytes per job-poll, quiet", bytes, "KB", Goal::AtMost(1.2), &note);
    let total = kilobytes(lag_after.bytes - lag_before.bytes);
    let lag = kilobytes(lag_after.lag_bytes - lag_before.lag_bytes);
    let requests = plan.per_job_poll((lag_after.requests - lag_before.requests) as f64, 1);
    let note = format!("{lag:.2} KB of it lag, {requests:.2} requests");
    table.row("  with lag of every job", total, "KB", Goal::None, &note);

    let mut peer = Role::start(peer::ROLE)?;
    let clusters = by_cluster(&scene.urls, &asked);
    let (fewest, most) = (clusters.iter().map(Vec::len).min(), clusters.iter().map(Vec::len).max());
    ensure!(fewest > Some(0), "a cluster was not asked at all: {fewest:?}..{most:?}");
    peer.ask::<()>(&peer::Ask::Fetch { interval: plan.poll, clusters }).await?;
    tokio::time::sleep(plan.poll * 2).await;

    let lag_weir = with_lag.weir.pid().context("weir does not run")?;
    let pids = [weir, peer.pid()?, lag_weir];
    let commits = [commits(scene).await?];
    let began = time::now();
    let (mut ours, mut theirs, mut lags) = (Vec::new(), Vec::new(), Vec::new());
    let mut last = read(pids)?;
    let first = last;
    for _ in 0..plan.rounds {
        tokio::time::sleep(plan.poll * plan.polls_per_round).await;
        let now = read(pids)?;
        let used = |i: usize| plan.per_job_poll((now[i] - last[i]) * 1e6, plan.polls_per_round);
        ours.push(used(0));
        theirs.push(used(1));
        lags.push(used(2));
        last = now;
    }
    let elapsed = time::since(began).as_secs_f64();
    let ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(a, b)| a / b.max(1e-9)).collect();
    let ratio = (last[0] - first[0]) / (last[1] - first[1]).max(1e-9);
    let (answered, failed): (u64, u64) = peer.ask(&peer::Ask::Counts).await?;
    peer.close().await?;
    let of = |values: &[f64]| format!("min / median / max of rounds: {}", spread(values));
    table.row("CPU, Weir / peer", ratio, "×", Goal::AtMost(2.0), &of(&ratios));
    let median = quantile(&ours, 0.5);
    table.row("  Weir, per job-poll", median, "µs", Goal::None, &of(&ours));
    let note = format!("{}; {answered} answers, {failed} failed", of(&theirs));
    table.row("  peer, per job-poll", quantile(&theirs, 0.5), "µs", Goal::None, &note);
    let median = quantile(&lags, 0.5);
    table.row("  Weir with lag of every job", median, "µs", Goal::None, &of(&lags));
    let rate = (self::commits(scene).await? - commits[0]) / elapsed;
    table.row("commits per second, quiet", rate, "/s", Goal::None, "");
    memory(weir, "quiet", table)?;
    memory(lag_weir, "with lag", table)
}

fn memory(pid: u32, when: &str, table: &mut Table) -> Result<()> {
    let peak = memory_mb(pid, "VmHWM")?;
    let what = format!("resident memory, {when}");
    let note = format!("peak {peak:.1}");
    table.row(&what, memory_mb(pid, "VmRSS")?, "MB", Goal::AtMost(60.0), &note);
    Ok(())
}

/// After the failures: what is left of memory, and a scrape.
pub(crate) async fn after(plan: &Plan, scene: &Scene, table: &mut Table) -> Result<()> {
    memory(scene.weir.pid().context("weir does not run")?, "after the failures", table)?;
    let client = http::client();
    let (mut took, mut size) = (Vec::new(), 0);
    for _ in 0..SCRAPES {
        let began = time::now();
        let body = client.get(scene.weir.url("/metrics")).send().await?.bytes().await?;
        took.push(time::since(began).as_secs_f64() * 1e3);
        size = body.len();
    }
    let note = format!("{} KB, {} jobs, {}", size / 1024, plan.jobs(), spread(&took));
    table.row("scrape of /metrics", quantile(&took, 0.5), "ms", Goal::AtMost(5.0), &note);
    Ok(())
}

/// After Weir has stopped and folded its log into the file.
pub(crate) fn store(plan: &Plan, dir: &Path, table: &mut Table) -> Result<()> {
    let size = std::fs::metadata(dir.join("weir.db"))?.len() as f64 / 1024.0;
    let note = format!("{size:.0} KB with {} incidents", plan.failures);
    table.row("SQLite per job", size / plan.jobs() as f64, "KB", Goal::None, &note);
    Ok(())
}

fn read(pids: [u32; 3]) -> Result<[f64; 3]> {
    Ok([cpu_seconds(pids[0])?, cpu_seconds(pids[1])?, cpu_seconds(pids[2])?])
}

/// Batches so far, as the store numbers them.
async fn commits(scene: &Scene) -> Result<f64> {
    scene.weir.commits().await.map(|n| n as f64)
}

/// What was asked of each cluster, as whole addresses.
fn by_cluster(urls: &[String], asked: &[String]) -> Vec<Vec<String>> {
    let of = |base: &String| {
        let path = base.find("/c/").map_or("", |at| base.get(at..).unwrap_or_default());
        let prefix = format!("{path}/");
        let origin = base.strip_suffix(path).unwrap_or(base);
        asked.iter().filter(|p| p.starts_with(&prefix)).map(|p| format!("{origin}{p}")).collect()
    };
    urls.iter().map(of).collect()
}
