//! From the end of an application at the ResourceManager to the webhook's receipt.

use std::time::Duration;

use anyhow::Result;

use super::POLL;
use super::scene::Scene;
use super::server::Ask;
use crate::table::{Goal, Table, quantile, spread};

const CHANGES: usize = 6;
/// Between two of them: no part of the interval, so that they meet polls at all phases.
const PAUSE: Duration = Duration::from_millis(2_700);
/// Until the last one is there.
const PATIENCE: Duration = Duration::from_mins(1);

/// Applications fail one by one; each is one incident and one message.
pub(super) async fn measure(scene: &mut Scene, table: &mut Table) -> Result<()> {
    let victims: Vec<usize> = (0..CHANGES).map(|n| scene.apps * 4_321 / 5_000 + 7 * n).collect();
    let mut ended = Vec::new();
    for app in &victims {
        ended.push(scene.yarn.ask::<i64>(&Ask::Fail { app: *app }).await?);
        tokio::time::sleep(PAUSE).await;
    }
    let (mut took, mut waited, mut after) = (Vec::new(), Vec::new(), Vec::new());
    for (app, ended) in victims.into_iter().zip(ended) {
        let name = format!("orders-enrichment-{app:04}");
        let told = scene.hook.wait_for(|request| tells_of(&request.body(), &name), PATIENCE).await;
        let shown: Option<i64> = scene.yarn.ask(&Ask::Shown { app }).await?;
        if let (Some(told), Some(shown)) = (told, shown) {
            took.push((told.at_ms - ended) as f64 / 1e3);
            waited.push((shown - ended) as f64 / 1e3);
            after.push((told.at_ms - shown) as f64 / 1e3);
        }
    }
    let poll = scene.poll().await?;
    let note = format!(
        "{} of {CHANGES}, min / median / max {} s: until a listing showed it {}, from there to the \
         webhook {}",
        took.len(),
        spread(&took),
        spread(&waited),
        spread(&after)
    );
    // An application is listed at the beginning of a poll and told of at its end.
    let most = POLL.as_secs_f64() + poll.seconds;
    let what = "  an application fails, to the webhook";
    table.row(what, quantile(&took, 1.0), "s", Goal::AtMost(most), &note);
    Ok(())
}

fn tells_of(body: &serde_json::Value, name: &str) -> bool {
    body["alerts"].as_array().into_iter().flatten().any(|alert| {
        alert["labels"]["job_name"].as_str() == Some(name) && alert["status"] == "firing"
    })
}
