//! The same applications through the ResourceManager's web proxy: one endpoint, one budget
//! (`requests_per_second`, as shipped) for its API and for all JobManagers behind it.

use std::time::Duration;

use anyhow::Result;

use super::changes;
use super::scene::{Scene, Way};
use crate::table::{Goal, Table, spread};
use crate::testbed::time;

/// Watched for so long, from when Weir starts.
const FOR: Duration = Duration::from_secs(150);
/// Applications fail after so long.
const CHANGES_AFTER: Duration = Duration::from_secs(75);
/// Requests in a second of one endpoint, as shipped, with those it may have saved up.
const RATE: f64 = 205.0;

/// What it brings.
pub(super) async fn measure(apps: usize, table: &mut Table) -> Result<()> {
    let mut scene = Scene::open(apps, Way::Proxy).await?;
    let began = time::now();
    let first = scene.settle_first(FOR).await?;
    let what = format!("{apps} applications, all through the web proxy: first poll");
    let note = format!("{} of {apps} jobs seen by then", first.jobs);
    table.row(&what, first.seconds, "s", Goal::None, &note);
    tokio::time::sleep(CHANGES_AFTER.saturating_sub(time::since(began))).await;

    let (before, from) = (scene.mark(scene.poll().await?).await?, time::now());
    let mut changed = Table::default();
    changes::measure(&mut scene, &mut changed).await?;
    let mut took = Vec::new();
    let mut all_after = None;
    let mut last = before.poll;
    while time::since(began) < FOR && all_after.is_none() {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let poll = scene.poll().await?;
        if poll.count > last.count {
            took.push(poll.seconds);
            last = poll;
        }
        if poll.jobs >= apps {
            all_after = Some(time::since(began).as_secs_f64());
        }
    }
    let seconds = time::since(from).as_secs_f64();
    let after = scene.mark(scene.poll().await?).await?;
    let of = |before: u64, after: u64| (after - before) as f64;
    let polls = of(before.poll.count, after.poll.count).max(1.0);
    let (asked, through) = (
        of(before.counts.api.requests, after.counts.api.requests),
        of(before.counts.proxy.requests, after.counts.proxy.requests),
    );
    let note = format!("{:.0} in all, of which {asked:.0} to its API", asked + through);
    table.row("  requests to it", (asked + through) / seconds, "/s", Goal::AtMost(RATE), &note);
    let note = format!("{:.1} requests to its API per poll", asked / polls);
    let note =
        format!("{note}; {polls:.0} polls in {seconds:.0} s, min / median / max {}", spread(&took));
    table.row(
        "  one poll",
        after.poll.seconds,
        "s",
        Goal::AtMost(super::POLL.as_secs_f64()),
        &note,
    );
    let note = match all_after {
        Some(after) => format!("all of them after {after:.0} s"),
        None => "the others wait for their turn".to_owned(),
    };
    let seen = after.poll.jobs as f64;
    let what = format!("  jobs seen after {:.0} s", time::since(began).as_secs_f64());
    table.row(&what, seen, "", Goal::None, &note);
    table.append(changed);
    scene.close().await
}
