//! From a failure that the REST answer shows to the webhook's receipt.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;

use crate::scenario::{Plan, Scene};
use crate::server::Ask;
use crate::table::{Goal, Table, quantile, spread};
use crate::testbed::webhook::Received;

/// Jobs die one by one, spread over time; each is one incident and one message.
pub(crate) async fn measure(plan: &Plan, scene: &mut Scene, table: &mut Table) -> Result<()> {
    let pause = plan.failing_for / u32::try_from(plan.failures.max(1))?;
    let mut ticks = tokio::time::interval(pause);
    // The clusters in turn, so that the failures of one lie far apart.
    let victims: Vec<(usize, usize)> =
        (0..plan.failures).map(|n| (n % plan.clusters, n / plan.clusters)).collect();
    for (cluster, job) in victims.iter().copied() {
        ticks.tick().await;
        let _: i64 = scene.fleet.ask(&Ask::Kill { cluster, job }).await?;
    }
    let wanted = plan.failures;
    let all_there = async {
        while opened(&scene.hook.accepted()).len() < wanted {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let late = tokio::time::timeout(plan.poll * 2, all_there).await.is_err();
    let received = opened(&scene.hook.accepted());
    let mut took = Vec::new();
    for (cluster, job) in victims {
        let shown: Option<i64> = scene.fleet.ask(&Ask::Shown { cluster, job }).await?;
        let arrived = received.get(&(format!("c{cluster:02}"), format!("job-{job}")));
        if let (Some(shown), Some(arrived)) = (shown, arrived) {
            took.push((arrived - shown) as f64);
        }
    }
    let lost = if late { ", the others never arrived" } else { "" };
    let note = format!(
        "{} of {wanted} failures, p50 {}, min / median / max {}{lost}",
        took.len(),
        quantile(&took, 0.5),
        spread(&took)
    );
    table.row(
        "shown failure to webhook, p99",
        quantile(&took, 0.99),
        "ms",
        Goal::AtMost(300.0),
        &note,
    );
    Ok(())
}

/// When the first firing alert of each job arrived.
fn opened(received: &[Received]) -> BTreeMap<(String, String), i64> {
    let mut first = BTreeMap::new();
    for request in received {
        let body = request.body();
        for alert in body["alerts"].as_array().into_iter().flatten() {
            let label = |name: &str| alert["labels"][name].as_str().map(str::to_owned);
            if let (Some(cluster), Some(job), Some("firing")) =
                (label("cluster"), label("job_name"), alert["status"].as_str())
            {
                first.entry((cluster, job)).or_insert(request.at_ms);
            }
        }
    }
    first
}
