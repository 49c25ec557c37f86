//! Many jobs on a real session cluster, each with an entry under `restarts` of its own, and a Weir that
//! restarts them.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::testbed::control::Control;
use crate::testbed::flink::{Flink, FlinkOptions};
use crate::testbed::job::{self, JobSpec, RestartStrategy};
use crate::testbed::story::{self, SOON};
use crate::testbed::table::Rows;
use crate::testbed::time;
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;

/// One job and its entry under `restarts`.
pub(super) struct Job {
    pub(super) name: &'static str,
    pub(super) control: Control,
    pub(super) id: String,
}

/// The cluster with its jobs.
pub(super) struct Cluster {
    pub(super) flink: Flink,
    pub(super) jobs: Vec<Job>,
    /// Their entries, as YAML takes them.
    written: Vec<String>,
}

/// The same beside a Weir.
pub(super) struct Bed {
    pub(super) flink: Flink,
    pub(super) weir: Weir,
    pub(super) hook: Webhook,
    pub(super) jobs: Vec<Job>,
    pub(super) rows: Rows,
    _dir: tempfile::TempDir,
}

impl Cluster {
    /// Starts them; `entries` are names, and what differs in their entries.
    pub(super) async fn start(
        version: &str,
        entries: Vec<(&'static str, Value)>,
    ) -> Result<Cluster> {
        let mut options = FlinkOptions::version(version);
        options.slots = 20;
        options.conf = vec![
            ("state.checkpoints.num-retained".to_owned(), "3".to_owned()),
            ("metrics.fetcher.update-interval".to_owned(), "1000".to_owned()),
        ];
        let flink = Flink::start(options).await?;
        let jar = job::jar(version).await?.display().to_string();
        let (mut jobs, mut written) = (Vec::new(), Vec::new());
        for (name, more) in entries {
            let control = Control::new(&flink.dir().join(format!("control-{name}")))?;
            let spec = JobSpec { restart: RestartStrategy::None, ..JobSpec::new(name, &control) };
            let id = flink.submit(&spec).await?;
            let conf: serde_json::Map<String, Value> =
                spec.conf(flink.release()).into_iter().map(|(k, v)| (k, Value::from(v))).collect();
            let mut entry = json!({
                "name": name,
                "matchers": [format!("job_name=\"{name}\"")],
                "mode": "automatic",
                "backoff": { "initial": "0s", "max": "1s" },
                "missing_for": "3s",
                "driver": { "flink_jar": {
                    "jar": "orders.jar",
                    "jar_file": jar,
                    "entry_class": job::ENTRY_CLASS,
                    "args": spec.args(),
                    "configuration": conf,
                } },
            });
            for (key, value) in more.as_object().into_iter().flatten() {
                if key == "driver" {
                    entry[key]["flink_jar"] = value.clone();
                } else {
                    entry[key] = value.clone();
                }
            }
            written.push(entry.to_string());
            jobs.push(Job { name, control, id });
        }
        for job in &jobs {
            flink.rest().wait_for_checkpoints(&job.id, 3, 2 * SOON).await?;
        }
        Ok(Cluster { flink, jobs, written })
    }

    /// A configuration with this source, which is to be named `prod`.
    pub(super) fn config(&self, source: &str, hook: &Webhook) -> String {
        format!(
            r#"
poll: {{ interval: 1s, timeout: 5s }}
sources:
  - flink: {source}
incidents: {{ resolve_after: 3s }}
storm: {{ incidents: 100 }}
route: {{ receiver: team, group_by: [cluster, job_name], group_wait: 1s, group_interval: 2s }}
receivers:
  - name: team
    channels:
      - webhook: {{ url: "{}" }}
restart_limits: {{ concurrent: 20, per_cluster: 20 }}
restarts:
  - {}
"#,
            hook.url(),
            self.written.join("\n  - ")
        )
    }

    /// Starts a Weir beside it, which reaches it by this source.
    pub(super) async fn watched(self, source: &str) -> Result<Bed> {
        let dir = tempfile::tempdir()?;
        let hook = Webhook::start(WebhookOptions::default()).await?;
        let config = self.config(source, &hook);
        let weir = Weir::start(crate::binary(), dir.path(), &config).await?;
        story::ready(&weir).await?;
        story::after_polls(&weir, 3).await?;
        let Cluster { flink, jobs, .. } = self;
        let rows = Rows::of("Flink, restarts", flink.version());
        Ok(Bed { flink, weir, hook, jobs, rows, _dir: dir })
    }
}

impl Bed {
    pub(super) async fn new(version: &str, entries: Vec<(&'static str, Value)>) -> Result<Bed> {
        let cluster = Cluster::start(version, entries).await?;
        let source = format!("{{ name: prod, urls: {:?} }}", cluster.flink.rest_urls());
        cluster.watched(&source).await
    }

    pub(super) fn job(&self, name: &str) -> &Job {
        self.jobs.iter().find(|job| job.name == name).unwrap()
    }

    /// Restarts of a job, oldest first.
    pub(super) async fn restarts(&self, name: &str) -> Result<Vec<Value>> {
        let mut all = story::list(&self.weir, &format!("restarts?job=prod/{name}")).await?;
        all.reverse();
        Ok(all)
    }

    pub(super) async fn until(
        &self,
        name: &str,
        what: &str,
        wanted: impl Fn(&[Value]) -> bool,
    ) -> Result<Vec<Value>> {
        let what = format!("{name}: {what}");
        let found = time::wait_for(&what, 2 * SOON, || async {
            let all = self.restarts(name).await?;
            Ok(wanted(&all).then_some(all))
        });
        match found.await {
            Ok(found) => Ok(found),
            Err(error) => {
                let rows = serde_json::to_string_pretty(&self.restarts(name).await?)?;
                let tail = self.weir.log_tail();
                Err(error.context(format!("{rows}\n{:#}\n{tail}", self.incident(name).await?)))
            }
        }
    }

    pub(super) async fn incident(&self, name: &str) -> Result<Value> {
        let all = story::list(&self.weir, "incidents").await?;
        let of_job = |i: &&Value| i["labels"]["job_name"] == name;
        Ok(all.iter().find(of_job).cloned().unwrap_or_default())
    }

    /// What the incident of a job says is being done.
    pub(super) async fn until_doing(&self, name: &str, words: &str) -> Result<String> {
        time::wait_for(&format!("{name}: {words}"), 2 * SOON, || async {
            let incident = self.incident(name).await?;
            let said = incident["action"].as_str().unwrap_or_default();
            Ok(said.contains(words).then(|| said.to_owned()))
        })
        .await
        .with_context(|| self.weir.log_tail())
    }

    pub(super) async fn order(&self, path: &str, body: &Value) -> Result<(u16, Value)> {
        let answer = crate::testbed::http::client()
            .post(self.weir.url(&format!("/api/v1/{path}")))
            .json(body)
            .send()
            .await?;
        let status = answer.status().as_u16();
        Ok((status, answer.json().await?))
    }

    /// Live runs of a job, by Flink's own account.
    pub(super) async fn live(&self, name: &str) -> Result<Vec<String>> {
        let overview = self.flink.rest().get("/jobs/overview").await?;
        let jobs = overview["jobs"].as_array().cloned().unwrap_or_default();
        let dead = ["FAILED", "CANCELED", "FINISHED"];
        let lives = |job: &&Value| {
            job["name"] == name && !dead.contains(&job["state"].as_str().unwrap_or_default())
        };
        let id = |job: &Value| job["jid"].as_str().unwrap_or_default().to_owned();
        Ok(jobs.iter().filter(lives).map(id).collect())
    }

    /// Makes one attempt of a job fail.
    pub(super) async fn fail_once(&self, name: &str) -> Result<()> {
        let control = &self.job(name).control;
        let before = control.failures()?;
        control.crash_times(1, Duration::ZERO)?;
        time::wait_for("the failure", SOON, || async {
            Ok((control.failures()? > before).then_some(()))
        })
        .await?;
        control.crash_off()
    }

    /// What the timeline says of a restart.
    pub(super) async fn said(&self, row: &Value) -> Result<String> {
        timeline(&self.weir, row, self.flink.dir()).await
    }

    /// It was restarted once, runs once, and has counted on where it was.
    pub(super) async fn is_back(&mut self, name: &str, scenario: &str) -> Result<()> {
        let began = time::now();
        let done =
            self.until(name, "a verified restart", |all| state_of(all) == "verified").await?;
        let last = done.last().context("no restart")?.clone();
        ensure!(self.live(name).await? == [last["job_id"].as_str().unwrap_or_default()]);
        let counted = self.job(name).control.restored()?;
        ensure!(counted.last().is_some_and(|n| *n > 0), "{name}: {counted:?}");
        let miscounts = self.job(name).control.miscounts()?;
        ensure!(miscounts.is_empty(), "{name}: {miscounts:?}");
        let path = last["from"].as_str().unwrap_or_default();
        let from = path.rsplit('/').next().unwrap_or_default();
        let (attempt, of) = (&last["attempt"], &last["of"]);
        let said = format!("restarted from {from}, attempt {attempt} of {of}; the count goes on");
        self.rows.add(scenario, &said, time::since(began));
        Ok(())
    }
}

/// State of the newest.
pub(super) fn state_of(all: &[Value]) -> &str {
    all.last().and_then(|row| row["state"].as_str()).unwrap_or_default()
}

/// What the timeline says of a restart of this Weir, without the folder.
pub(super) async fn timeline(weir: &Weir, row: &Value, folder: &Path) -> Result<String> {
    let incident = weir.get(&format!("/api/v1/incidents/{}", row["incident"])).await?;
    let mine = format!("restart {}:", row["id"]);
    let lines = incident["timeline"].as_array().cloned().unwrap_or_default();
    let texts = lines.iter().filter_map(|line| line["what"].as_str());
    let of_row = texts.filter_map(|text| text.split_once(&mine));
    let said: Vec<String> = of_row.map(|(_, text)| hide(text.trim(), folder)).collect();
    ensure!(!said.is_empty(), "nothing is said of {row:#}: {incident:#}");
    Ok(said.join("; "))
}

/// A text without the folder and the ids of runs, which are others each time.
pub(super) fn hide(text: &str, folder: &Path) -> String {
    let text = text.replace(&folder.display().to_string(), "…");
    let mut hidden = String::new();
    for part in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let word = part.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let is_id = word.len() == 32 && word.bytes().all(|b| b.is_ascii_hexdigit());
        hidden += if is_id { "RUN" } else { word };
        hidden += part.strip_prefix(word).unwrap_or_default();
    }
    hidden
}
