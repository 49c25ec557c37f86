//! Requests, bytes, CPU, memory and time of quiet polls.

use std::collections::BTreeMap;

use anyhow::Result;

use super::POLL;
use super::scene::{Mark, Poll, Scene};
use super::server::Ask;
use crate::cost::{cpu_seconds, memory_mb};
use crate::peer;
use crate::server::Role;
use crate::table::{Goal, Table, spread};

/// Quiet polls that are measured, after one whose questions are written down.
const POLLS: u64 = 2;
/// Applications looked into at the same time, as Weir does it.
const AT_ONCE: usize = 96;
/// Bytes of a job that Weir may hold: 12 KB.
const MOST_KB: f64 = 12.0;

/// The first look at all of them, and when all were seen.
pub(super) fn start(apps: usize, first: Poll, all: (Poll, f64), table: &mut Table) {
    let (last, seconds) = all;
    let note = format!("every job seen {seconds:.1} s after the start, in {} polls", last.count);
    table.row(&format!("{apps} applications: first poll"), first.seconds, "s", Goal::None, &note);
}

/// Polls while nothing happens; what one of them asked for.
pub(super) async fn quiet(scene: &mut Scene, table: &mut Table) -> Result<Vec<String>> {
    // From the end of a poll to the end of the next.
    scene.polls(1).await?;
    scene.yarn.ask::<()>(&Ask::Record).await?;
    let mut marks = scene.polls(1).await?;
    let asked: Vec<String> = scene.yarn.ask(&Ask::Recorded).await?;
    marks.extend(scene.polls(POLLS).await?);
    let (Some(first), Some(last)) = (marks.first().copied(), marks.last().copied()) else {
        anyhow::bail!("no polls");
    };
    let polls = (last.poll.count - first.poll.count) as f64;
    let apps = scene.apps as f64;
    let size = scene.apps;

    let (before, after) = (first.counts, last.counts);
    let requests = (after.api.requests - before.api.requests) as f64 / polls;
    let single = after.single - before.single;
    let note = format!("{single} of them about a single application");
    let what = "  requests to the ResourceManager, per poll";
    table.row(what, requests, "", Goal::AtMost(4.0), &note);
    let bytes = (after.api.bytes - before.api.bytes) as f64 / polls / 1024.0;
    let note = format!("{:.2} KB per application", bytes / apps);
    table.row("  bytes from it, per poll", bytes, "KB", Goal::None, &note);
    let flink = (after.direct.requests - before.direct.requests) as f64 / polls / apps;
    let kilobytes = (after.direct.bytes - before.direct.bytes) as f64 / polls / apps / 1024.0;
    let through = (after.proxy.requests - before.proxy.requests) as f64 / polls;
    let note = format!("{kilobytes:.2} KB; {through:.0} per poll through the web proxy");
    table.row("  requests to Flink, per job-poll", flink, "", Goal::None, &note);
    let took: Vec<f64> = marks.iter().map(|mark| mark.poll.seconds).collect();
    let median = crate::table::quantile(&took, 0.5);
    let within = Goal::AtMost(POLL.as_secs_f64());
    table.row("  one poll", median, "s", within, &format!("min / median / max {}", spread(&took)));
    cpu(size, first, last, table);
    Ok(asked)
}

fn cpu(apps: usize, first: Mark, last: Mark, table: &mut Table) {
    let polls = (last.poll.count - first.poll.count) as f64;
    let used = (last.cpu - first.cpu) / polls;
    let note = format!("{:.0} µs per job-poll, all of Weir", used / apps as f64 * 1e6);
    table.row("  CPU per poll", used, "s", Goal::None, &note);
}

/// CPU of Weir and of the peer in the same seconds, each by the requests it made in them: where both
/// together ask for more than the machine has, neither keeps its pace.
pub(super) async fn beside_peer(
    scene: &mut Scene,
    asked: Vec<String>,
    table: &mut Table,
) -> Result<()> {
    let mut peer = Role::start(peer::ROLE)?;
    let sweep = peer::Ask::Sweep {
        interval: POLL,
        proxy: scene.url.clone(),
        at_once: AT_ONCE,
        clusters: by_host(asked),
    };
    peer.ask::<()>(&sweep).await?;
    let begin = scene.polls(1).await?;
    let answers_before: (u64, u64) = peer.ask(&peer::Ask::Counts).await?;
    let cpu_before = cpu_seconds(peer.pid()?)?;
    let end = scene.polls(POLLS).await?;
    let cpu = cpu_seconds(peer.pid()?)? - cpu_before;
    let (answers, failed): (u64, u64) = peer.ask(&peer::Ask::Counts).await?;
    peer.close().await?;
    let (Some(first), Some(last)) = (begin.last(), end.last()) else {
        anyhow::bail!("no polls beside the peer");
    };
    let made = |mark: &Mark| {
        let counts = mark.counts;
        counts.api.requests + counts.direct.requests + counts.proxy.requests
    };
    let ours = (last.cpu - first.cpu) / (made(last) - made(first)).max(1) as f64 * 1e6;
    let theirs = cpu / (answers - answers_before.0).max(1) as f64 * 1e6;
    let took: Vec<f64> = end.iter().map(|mark| mark.poll.seconds).collect();
    let note = format!(
        "per request {ours:.0} and {theirs:.0} µs; {failed} of the peer's failed; polls took {} s",
        spread(&took)
    );
    table.row("  CPU, Weir / peer", ours / theirs.max(1e-9), "×", Goal::AtMost(2.0), &note);
    Ok(())
}

/// What was asked, by whom it was asked of.
fn by_host(asked: Vec<String>) -> Vec<Vec<String>> {
    let mut hosts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for url in asked {
        let host = url.split('/').nth(2).unwrap_or_default().to_owned();
        hosts.entry(host).or_default().push(url);
    }
    hosts.into_values().collect()
}

/// Resident memory, MB.
pub(super) fn memory(scene: &Scene, table: &mut Table) -> Result<f64> {
    let pid = scene.pid()?;
    let (now, peak) = (memory_mb(pid, "VmRSS")?, memory_mb(pid, "VmHWM")?);
    let per_job = now * 1024.0 / scene.apps as f64;
    let note = format!("peak {peak:.0} MB; {per_job:.1} KB per job, with all of the process");
    table.row("  resident memory", now, "MB", Goal::None, &note);
    Ok(now)
}

/// What a job more costs in memory.
pub(super) fn growth((few, small): (usize, f64), (many, large): (usize, f64), table: &mut Table) {
    let per_job = (large - small) * 1024.0 / (many - few) as f64;
    let note = format!("from {few} to {many}; facts, alerts, the view and what YARN's side keeps");
    table.row("memory per further job", per_job, "KB", Goal::AtMost(MOST_KB), &note);
}
