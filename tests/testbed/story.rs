//! What long stories of Weir have in common: questions to its API, and waiting for its polls.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::fleet::Fleet;
use super::table::Rows;
use super::time;
use super::webhook::{Received, Webhook};
use super::weir::Weir;

/// Longest wait for anything; two cores shared with a compiler are slow.
pub(crate) const SOON: Duration = Duration::from_secs(90);

/// A `sources` section with every cluster of a fleet, named `c0`, `c1`, ….
pub(crate) fn sources(fleet: &Fleet, clusters: usize) -> String {
    let line = |i: usize| format!("  - flink: {{ name: c{i}, urls: [\"{}\"] }}\n", fleet.url(i));
    format!("sources:\n{}", (0..clusters).map(line).collect::<String>())
}

/// One rule: a job that is dead.
pub(crate) const JOB_FAILED: &str = "
groups:
  - name: story
    rules:
      - alert: JobFailed
        when: { job_state: { any_of: [FAILED] } }
        labels: { severity: critical }
";

/// A configuration that watches clusters of a fleet, with `rules.yaml` beside it, and tells one
/// webhook soon. `poll` is that section; other sections can be put behind it.
pub(crate) fn config(
    hook: &Webhook,
    (fleet, clusters): (&Fleet, usize),
    poll: &str,
    group_wait: &str,
) -> String {
    format!(
        r#"
poll: {{ {poll} }}
rule_files: ["rules.yaml"]
incidents: {{ resolve_after: 1s, reopen_within: 1ms }}
route: {{ receiver: team, group_by: [cluster], group_wait: {group_wait}, group_interval: 1s }}
receivers:
  - name: team
    channels:
      - webhook: {{ url: "{}" }}
{}"#,
        hook.url(),
        sources(fleet, clusters)
    )
}

/// A list of the API, as many as one page has.
///
/// # Errors
/// When Weir does not answer with a list.
pub(crate) async fn list(weir: &Weir, what: &str) -> Result<Vec<Value>> {
    let glue = if what.contains('?') { '&' } else { '?' };
    let answer = weir.get(&format!("/api/v1/{what}{glue}limit=1000")).await?;
    answer.as_array().cloned().context("not a list")
}

/// All of a list, page by page.
///
/// # Errors
/// When Weir does not answer with a list.
pub(crate) async fn all(weir: &Weir, what: &str) -> Result<Vec<Value>> {
    let mut found: Vec<Value> = Vec::new();
    loop {
        let page = match found.last().and_then(|last| last["id"].as_u64()) {
            None => list(weir, what).await?,
            Some(last) => list(weir, &format!("{what}?after={last}")).await?,
        };
        if page.is_empty() {
            return Ok(found);
        }
        found.extend(page);
    }
}

/// Waits until every source was looked at.
///
/// # Errors
/// When that takes too long; with the end of the log.
pub(crate) async fn ready(weir: &Weir) -> Result<()> {
    let ready = time::wait_for("first look", SOON, || async {
        Ok((weir.answer("/-/ready").await?.0 == 200).then_some(()))
    });
    ready.await.with_context(|| weir.log_tail())
}

/// Polls of the source with the fewest.
///
/// # Errors
/// When Weir does not answer.
pub(crate) async fn polls(weir: &Weir) -> Result<u64> {
    let sources = list(weir, "sources").await?;
    let of =
        |s: &Value| s["polls_ok"].as_u64().unwrap_or(0) + s["polls_failed"].as_u64().unwrap_or(0);
    sources.iter().map(of).min().context("no sources")
}

/// Waits for so many more polls of every source.
///
/// # Errors
/// When that takes too long.
pub(crate) async fn after_polls(weir: &Weir, more: u64) -> Result<()> {
    let until = polls(weir).await? + more;
    time::wait_for(&format!("{more} more polls"), 2 * SOON, || async {
        Ok((polls(weir).await? >= until).then_some(()))
    })
    .await
    .with_context(|| weir.log_tail())
}

/// Waits until Weir's picture is what is wanted.
///
/// # Errors
/// When that takes too long; with the last list and the end of the log.
pub(crate) async fn until(
    weir: &Weir,
    what: &str,
    path: &str,
    wanted: impl Fn(&[Value]) -> bool,
) -> Result<Vec<Value>> {
    until_within(weir, 2 * SOON, what, path, wanted).await
}

/// The same for what takes its time.
///
/// # Errors
/// As [`until`].
pub(crate) async fn until_within(
    weir: &Weir,
    limit: Duration,
    what: &str,
    path: &str,
    wanted: impl Fn(&[Value]) -> bool,
) -> Result<Vec<Value>> {
    let found = time::wait_for(what, limit, || async {
        let found = list(weir, path).await?;
        Ok(wanted(&found).then_some(found))
    });
    match found.await {
        Ok(found) => Ok(found),
        Err(error) => {
            let last = list(weir, path).await.unwrap_or_default();
            Err(error.context(format!("{last:#?}\n{}", weir.log_tail())))
        }
    }
}

/// What a webhook heard: (incident, reason, job's name) of every alert of a body.
pub(crate) fn told(received: &Received) -> Vec<(u64, String, String)> {
    let body = received.body();
    let alerts = body["alerts"].as_array().cloned().unwrap_or_default();
    let of = |alert: &Value| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (
            alert["weir"]["incident"].as_u64().unwrap_or(0),
            text(&alert["weir"]["reason"]),
            text(&alert["labels"]["job_name"]),
        )
    };
    alerts.iter().map(of).collect()
}

/// What a message says of an alert of this name that opened, or (`over`) ended: its title, with the
/// root cause where it has one.
fn words(received: &Received, alert: &str, over: bool) -> Option<String> {
    let body = received.body();
    let of = |one: &&Value| {
        let ended = one["weir"]["reason"] == "resolved";
        one["labels"]["alertname"] == alert && ended == over
    };
    let found = body["alerts"].as_array()?.iter().find(of)?;
    let title = body["weir"]["title"].as_str()?;
    let cause = found["weir"]["root_cause"]["message"].as_str().filter(|_| !over);
    Some(cause.map_or_else(|| title.to_owned(), |cause| format!("{title} — {cause}")))
}

/// Adds a row with the words of the first message about an alert, present or to come, and the time
/// since `since_ms`.
///
/// # Errors
/// When nobody is told of it soon.
pub(crate) async fn record(
    rows: &mut Rows,
    scenario: &str,
    hook: &Webhook,
    (alert, over): (&str, bool),
    since_ms: i64,
) -> Result<()> {
    let found = hook.wait_for(|received| words(received, alert, over).is_some(), SOON).await;
    let found = found.with_context(|| format!("nobody was told of {alert}"))?;
    let said = words(&found, alert, over).unwrap_or_default();
    ensure!(found.at_ms >= since_ms, "{said:?} was said before it was done");
    rows.add(scenario, &said, Duration::from_millis((found.at_ms - since_ms).unsigned_abs()));
    Ok(())
}

/// A seeded source of small numbers: `SplitMix64`.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % limit
    }
}
