//! A real Weir that watches, and what it says from start to end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::testbed::story;
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;

/// Between two looks at the incidents; the times are Weir's own.
const LOOK: Duration = Duration::from_millis(300);

/// An alert that fired.
#[derive(Debug, Clone)]
pub(crate) struct Sighting {
    /// Since when, for the first time, in milliseconds since the epoch.
    pub(crate) since_ms: i64,
    /// Its incident.
    pub(crate) incident: u64,
    /// Whether somebody was told of that incident, or it was explained by another one.
    pub(crate) told: bool,
}

/// By name of the job (empty: the cluster) and alert.
pub(crate) type Sightings = BTreeMap<(String, String), Sighting>;

/// A Weir, its receiver, and the notes taken of both.
pub(crate) struct Watch {
    weir: Arc<Weir>,
    hook: Webhook,
    seen: Arc<Mutex<Sightings>>,
    looking: JoinHandle<()>,
    _dir: TempDir,
}

impl Watch {
    /// Starts one on a cluster; `rules`: files instead of the shipped ones.
    ///
    /// # Errors
    /// When it does not come up or does not get its first look.
    pub(crate) async fn start(
        binary: &Path,
        urls: &[String],
        poll: Duration,
        rules: &[(String, String)],
    ) -> Result<Watch> {
        let dir = tempfile::Builder::new().prefix("weir-scenario-").tempdir()?;
        let hook = Webhook::start(WebhookOptions::default()).await?;
        let mut config = format!(
            r#"
poll: {{ interval: {poll}ms, timeout: 5s }}
sources:
  - flink: {{ name: prod, urls: {urls:?} }}
incidents: {{ resolve_after: 10s }}
storm: {{ incidents: 1000, within: 30s }}
route: {{ receiver: team, group_by: [cluster, job_name], group_wait: 0s, group_interval: 1s }}
receivers:
  - name: team
    channels:
      - webhook: {{ url: "{hook}" }}
"#,
            poll = poll.as_millis(),
            hook = hook.url(),
        );
        if !rules.is_empty() {
            let folder = dir.path().join("rules");
            std::fs::create_dir(&folder)?;
            for (name, text) in rules {
                std::fs::write(folder.join(name), text)?;
            }
            config.push_str("rule_files: [\"rules/*.yaml\"]\n");
        }
        let weir = Arc::new(Weir::start(binary, dir.path(), &config).await?);
        story::ready(&weir).await?;
        let seen = Arc::new(Mutex::new(Sightings::new()));
        let looking = tokio::spawn(look_on(weir.clone(), seen.clone()));
        Ok(Watch { weir, hook, seen, looking, _dir: dir })
    }

    /// The process.
    pub(crate) fn weir(&self) -> &Weir {
        &self.weir
    }

    /// Everything that fired so far.
    pub(crate) fn sightings(&self) -> Sightings {
        let told: BTreeSet<u64> = self
            .hook
            .accepted()
            .iter()
            .flat_map(story::told)
            .map(|(incident, ..)| incident)
            .collect();
        let mut all = self.seen.lock().map(|seen| seen.clone()).unwrap_or_default();
        for sighting in all.values_mut() {
            sighting.told = told.contains(&sighting.incident);
        }
        all
    }

    /// Ends it; what it said is complete then.
    ///
    /// # Errors
    /// When it does not end.
    pub(crate) async fn stop(self) -> Result<Sightings> {
        note(&self.weir, &self.seen).await?;
        let sightings = self.sightings();
        self.looking.abort();
        self.looking.await.ok();
        let weir = Arc::try_unwrap(self.weir).ok().context("somebody still asks this weir")?;
        weir.stop().await?;
        Ok(sightings)
    }
}

async fn look_on(weir: Arc<Weir>, seen: Arc<Mutex<Sightings>>) {
    loop {
        // It is asked again soon, and a last time at the end, when an error counts.
        note(&weir, &seen).await.ok();
        tokio::time::sleep(LOOK).await;
    }
}

/// Writes down what fires now. An alert that comes again keeps its first time.
async fn note(weir: &Weir, seen: &Mutex<Sightings>) -> Result<()> {
    let incidents = story::list(weir, "incidents").await?;
    let Ok(mut seen) = seen.lock() else { return Ok(()) };
    for incident in &incidents {
        let job = incident["labels"]["job_name"].as_str().unwrap_or_default();
        for alert in incident["alerts"].as_array().into_iter().flatten() {
            let Some((name, since_ms)) = fired(alert) else { continue };
            let key = (job.to_owned(), name);
            let id = incident["id"].as_u64().unwrap_or(0);
            let sighting = Sighting { since_ms, incident: id, told: false };
            seen.entry(key).or_insert(sighting);
        }
    }
    Ok(())
}

fn fired(alert: &Value) -> Option<(String, i64)> {
    let since: jiff::Timestamp = alert["since"].as_str()?.parse().ok()?;
    Some((alert["alertname"].as_str()?.to_owned(), since.as_millisecond()))
}
