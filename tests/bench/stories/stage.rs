//! One story's own fleet, Weir, Alertmanager and bot.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::feed::Feed;
use super::plot::{Marks, Plot};
use super::relay;
use super::told::{Arrived, Edited, Outcome, Told};
use crate::testbed::alertmanager::Alertmanager;
use crate::testbed::feishu::{Bot, Feishu};
use crate::testbed::feishu_app::FeishuApp;
use crate::testbed::fleet::{Fleet, FleetOptions, Version};
use crate::testbed::story::{self, list};
use crate::testbed::time::wait_for;
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::{PORT, Weir};

/// A story that does not come to rest is given up.
const REST_WITHIN: Duration = Duration::from_mins(4);
/// A group interval, and a little.
const ECHO: Duration = Duration::from_mins(6);
const WEIR: &str = "weir";
const PEER: &str = "alertmanager";
/// The chat of an app, where messages can be edited.
const CHAT: &str = "oc_team";

/// The shipped rules that speak of jobs, with their waits scaled. `failure_rate` takes no window
/// below a minute, and is over no sooner than a minute after the last failure: that is not scaled.
fn rules(plot: Plot) -> String {
    let minutes = |minutes| plot.ms(Duration::from_mins(minutes));
    let window = minutes(30).max(60_000);
    let (missing, unreachable, not_running) = (minutes(1), minutes(2), minutes(5));
    format!(
        "groups:
  - name: flink-jobs
    rules:
      - alert: JobFailed
        when: {{ job_state: {{ any_of: [FAILED] }} }}
        labels: {{ severity: critical }}
        annotations: {{ headline: 'failed for good', summary: '{{{{job_name}}}} failed: {{{{root_cause}}}}' }}
      - alert: JobFailingRepeatedly
        when: {{ failure_rate: {{ count: 3, window: {window}ms }} }}
        labels: {{ severity: critical }}
        annotations: {{ headline: 'keeps failing', summary: '{{{{job_name}}}} failed {{{{count}}}} times' }}
      - alert: JobNotRunning
        when:
          any:
            - tasks_not_running: {{}}
            - job_state: {{ any_of: [INITIALIZING, CREATED, RESTARTING, RECONCILING, FAILING, CANCELLING, SUSPENDED] }}
        for: {not_running}ms
        labels: {{ severity: critical }}
      - alert: JobMissing
        when: {{ job_missing: {{}} }}
        for: {missing}ms
        labels: {{ severity: critical }}
  - name: flink-platform
    rules:
      - alert: ClusterUnreachable
        when: {{ source_unreachable: {{}} }}
        for: {unreachable}ms
        labels: {{ severity: critical }}
        annotations:
          headline: 'unreachable · {{{{jobs}}}} jobs unknown, not failed'
          summary: 'Weir cannot reach {{{{name}}}}; {{{{jobs}}}} jobs unknown, not failed: {{{{error}}}}'
"
    )
}

/// The real thing, and what it is put before.
pub(crate) struct Stage {
    plot: Plot,
    pub(crate) fleet: Fleet,
    feishu: Feishu,
    /// Where the story is also told to a chat whose messages can be edited.
    app: Option<FeishuApp>,
    weir: Weir,
    peer: Option<(Feed, Arc<Webhook>, JoinHandle<()>)>,
    _dir: tempfile::TempDir,
}

/// Of a fixed width: no name is a part of another.
fn job_name(cluster: usize, job: usize) -> String {
    format!("orders-{cluster:02}-{job:03}")
}

/// What either waits before it speaks of a group, and between two messages and two reminders of it.
fn waits(plot: Plot) -> String {
    let ms = |seconds| plot.ms(Duration::from_secs(seconds));
    format!(
        "group_wait: {}ms, group_interval: {}ms, repeat_interval: {}ms",
        ms(30),
        ms(300),
        ms(4 * 3_600)
    )
}

/// Alertmanager's defaults, scaled.
fn peer_config(plot: Plot, hook: &str) -> String {
    let waits = waits(plot);
    let resolve_timeout = plot.ms(Duration::from_mins(5));
    format!(
        "global: {{ resolve_timeout: {resolve_timeout}ms }}\n\
         route: {{ receiver: hook, group_by: [alertname, cluster], {waits} }}\n\
         receivers:\n  - name: hook\n    webhook_configs:\n      - url: {hook:?}\n"
    )
}

/// A second receiver that hears the same, by an app.
fn second_receiver(app: &FeishuApp) -> String {
    format!(
        "  - name: chat
    channels:
      - feishu_app: {{ app_id: cli_1, app_secret: s3cret, chat_id: {CHAT}, base_url: {:?}, edit_every: 1s }}
",
        app.url()
    )
}

/// Weir's defaults, scaled.
fn weir_config(plot: Plot, sources: &str, bot: &str, app: Option<&FeishuApp>) -> String {
    let ms = |seconds| plot.ms(Duration::from_secs(seconds));
    let (poll, waits) = (plot.ms(super::page::POLL), waits(plot));
    let (resolve_after, reopen_within, storm, failing) = (ms(120), ms(1_800), ms(30), ms(300));
    let second = app.map(second_receiver).unwrap_or_default();
    let both = "routes: [{ receiver: team, continue: true }, { receiver: chat }]";
    let routes = app.map_or_else(String::new, |_| format!(", {both}"));
    format!(
        r#"web: {{ listen: "127.0.0.1:{PORT}", external_url: "http://127.0.0.1:{PORT}/" }}
poll: {{ interval: {poll}ms, timeout: 1s }}
rule_files: ["rules.yaml"]
incidents: {{ resolve_after: {resolve_after}ms, reopen_within: {reopen_within}ms }}
storm: {{ incidents: 5, within: {storm}ms }}
self_monitoring: {{ failing_after: {failing}ms }}
route: {{ receiver: team, group_by: [cluster], {waits}{routes} }}
receivers:
  - name: team
    channels:
      - feishu_bot: {{ url: {bot:?} }}
{second}sources:
{sources}"#
    )
}

impl Stage {
    /// Starts all of it, and waits until Weir has looked twice.
    pub(crate) async fn open(plot: Plot, unpacked: Option<&Path>) -> Result<Stage> {
        let dir = tempfile::tempdir()?;
        let (clusters, jobs) = plot.size();
        let options = FleetOptions { job_name, ..FleetOptions::of(clusters, jobs, Version::V1_20) };
        let fleet = Fleet::start(options).await?;
        let feishu = Feishu::start([Bot::new(WEIR), Bot::new(PEER)]).await?;
        let app = match plot {
            Plot::CrashLoop => Some(FeishuApp::start("cli_1", "s3cret", &[CHAT]).await?),
            _ => None,
        };
        let mut sources = String::new();
        for cluster in 0..clusters {
            let name = if clusters == 1 { "prod".to_owned() } else { format!("app-{cluster:02}") };
            let url = fleet.url(cluster);
            writeln!(sources, "  - flink: {{ name: {name}, urls: [{url:?}] }}")?;
        }
        std::fs::write(dir.path().join("rules.yaml"), rules(plot))?;
        let binary = Path::new(env!("CARGO_BIN_EXE_weir"));
        let config = weir_config(plot, &sources, &feishu.url(WEIR), app.as_ref());
        let weir = Weir::start_logging(binary, dir.path(), &config, "warn").await?;
        story::ready(&weir).await?;
        story::after_polls(&weir, 2).await?;
        let peer = match unpacked {
            None => None,
            Some(unpacked) => {
                let hook = Arc::new(Webhook::start(WebhookOptions::default()).await?);
                let alertmanager =
                    Alertmanager::start(unpacked, &peer_config(plot, &hook.url())).await?;
                let relay = relay::start(Arc::clone(&hook), feishu.url(PEER));
                Some((Feed::start(alertmanager, plot), hook, relay))
            }
        };
        Ok(Stage { plot, fleet, feishu, app, weir, peer, _dir: dir })
    }

    /// A time of the story as it is played.
    pub(crate) fn scaled(&self, real: Duration) -> Duration {
        self.plot.scaled(real)
    }

    /// An event of a job, as an alert.
    pub(crate) fn alert(&self, cluster: usize, job: usize, name: &str, lasts: Option<Duration>) {
        if let Some((feed, ..)) = &self.peer {
            // Application clusters share what they stand on: that is the label people group by.
            feed.fire("prod", &job_name(cluster, job), name, lasts);
        }
    }

    /// The end of it.
    pub(crate) fn well(&self, cluster: usize, job: usize, name: &str) {
        if let Some((feed, ..)) = &self.peer {
            feed.well(&job_name(cluster, job), name);
        }
    }

    /// Jobs whose state Weir says it does not know now.
    pub(crate) async fn unknown_jobs(&self) -> Result<usize> {
        let jobs = list(&self.weir, "jobs").await?;
        Ok(jobs.iter().filter(|job| job["stale"] == true).count())
    }

    /// Waits until both have nothing left to say.
    pub(crate) async fn settle(&self, plot: Plot) -> Result<()> {
        let resting = || async {
            let pending = list(&self.weir, "notices?state=pending").await?;
            let due = list(&self.weir, "messages?state=due").await?;
            let incidents = list(&self.weir, "incidents").await?;
            let over = !plot.ends_well() || incidents.iter().all(|i| i["state"] == "resolved");
            let quiet = self.peer.as_ref().is_none_or(|(feed, ..)| feed.is_quiet());
            let rests = pending.is_empty() && due.is_empty() && over;
            Ok((rests && (quiet || !plot.ends_well())).then_some(()))
        };
        wait_for("end of the story", REST_WITHIN, resting).await?;
        tokio::time::sleep(self.scaled(ECHO)).await;
        Ok(())
    }

    /// What people got.
    pub(crate) async fn outcome(&self, plot: Plot, marks: Marks) -> Result<Outcome> {
        let received = self.feishu.received();
        let of = |token: &str| -> Vec<Arrived> {
            received.iter().filter(|r| r.token == token).cloned().map(Arrived::from).collect()
        };
        let weir = self.found(plot, marks, of(WEIR)).await?;
        let (mut peer, mut peer_version) = (None, None);
        if let Some((feed, hook, _)) = &self.peer {
            let bytes = hook.accepted().iter().map(|r| r.raw.len()).collect();
            let told = Told { messages: of(PEER), ..Told::default() };
            let named = self.named(&told.messages).len();
            peer = Some((Told { found: named, named, ..told }, bytes));
            peer_version = Some(feed.version().await?);
        }
        let edited = self.app.as_ref().map(|app| {
            let chat = app.chat();
            Edited {
                messages: chat.len(),
                replies: app.replies().len(),
                edits: chat.iter().map(|message| message.edits).sum(),
                refused: app.refused().len(),
            }
        });
        Ok(Outcome { marks, weir, edited, peer, peer_version })
    }

    /// Jobs that stand in what people saw.
    fn named(&self, messages: &[Arrived]) -> Vec<String> {
        let (clusters, jobs) = self.plot.size();
        let names = (0..clusters).flat_map(|c| (0..jobs).map(move |job| job_name(c, job)));
        let shown = |name: &String| messages.iter().any(|m| m.accepted && m.text.contains(name));
        names.filter(shown).collect()
    }

    /// A job is found when it stands in a message, or when a message counts it, links to Weir, and
    /// Weir lists it as told in that very message.
    async fn found(&self, plot: Plot, marks: Marks, messages: Vec<Arrived>) -> Result<Told> {
        let mut found = self.named(&messages);
        let named = found.len();
        let rows = list(&self.weir, "messages?receiver=team").await?;
        let incidents = list(&self.weir, "incidents").await?;
        for notice in list(&self.weir, "notices?receiver=team").await? {
            let told = notice["outcome"] == "sent" || notice["outcome"] == "folded";
            let incident = incidents.iter().find(|i| i["id"] == notice["incident"]);
            let job = incident.and_then(|i| i["labels"]["job_name"].as_str());
            let row = rows.iter().find(|m| m["id"] == notice["message"] && m["state"] == "sent");
            if let (true, Some(job), Some(row)) = (told, job, row)
                && messages.iter().any(|m| counts(m, row))
                && !found.iter().any(|known| known == job)
            {
                found.push(job.to_owned());
            }
        }
        let mut count = found.len();
        let jobs = plot.size().1;
        if plot == Plot::Unreachable
            && messages.iter().any(|m| m.accepted && m.text.contains(&format!("{jobs} jobs")))
        {
            count = marks.unknown;
        }
        Ok(Told { messages, found: count, named })
    }

    /// Ends all of it.
    pub(crate) async fn close(self) -> Result<()> {
        if let Some((feed, _, relay)) = self.peer {
            relay.abort();
            feed.close().await?;
        }
        self.weir.stop().await
    }
}

/// Whether this is that message of Weir's list, says how many it stands for, and where they are.
fn counts(arrived: &Arrived, row: &Value) -> bool {
    let title = row["title"].as_str().unwrap_or_default();
    let count = row["notices"].as_array().map_or(0, Vec::len);
    arrived.accepted
        && arrived.links
        && arrived.text.contains(title)
        && arrived.text.contains(&count.to_string())
}
