//! A real Flink with two Weirs that watch it: one with the rules as shipped, one with short waits.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::expect::{self, Expected};
use super::verdict::Seen;
use super::watch::Watch;
use crate::testbed::control::Control;
use crate::testbed::flink::{Flink, FlinkOptions};
use crate::testbed::flink_conf::Version;
use crate::testbed::job::{JobSpec, RestartStrategy};
use crate::testbed::zookeeper::ZooKeeper;
use crate::testbed::{story, time};

/// Longest wait for anything of Flink's; two busy cores are slow.
pub(crate) const SOON: Duration = Duration::from_secs(90);

/// What is the same for every scenario of a run.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) weir: PathBuf,
    pub(crate) version: String,
    pub(crate) poll: Duration,
    pub(crate) expected: Expected,
}

/// Which cluster a scenario wants.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wish {
    pub(crate) taskmanagers: usize,
    pub(crate) slots: u32,
    pub(crate) conf: Vec<(String, String)>,
    /// High availability by a `ZooKeeper` of its own.
    pub(crate) ha: bool,
    /// An application cluster with the job of this name.
    pub(crate) application: Option<&'static str>,
}

impl Wish {
    /// A session cluster.
    pub(crate) fn session(taskmanagers: usize, slots: u32) -> Wish {
        Wish { taskmanagers, slots, ..Wish::default() }
    }

    /// With a cluster option.
    pub(crate) fn with(mut self, key: &str, value: &str) -> Wish {
        self.conf.push((key.to_owned(), value.to_owned()));
        self
    }
}

/// Flink and who watches it.
pub(crate) struct Stage {
    pub(crate) flink: Flink,
    pub(crate) zookeeper: Option<ZooKeeper>,
    pub(crate) poll: Duration,
    shipped: Watch,
    short: Watch,
    controls: tempfile::TempDir,
}

impl Stage {
    /// Starts all of it.
    ///
    /// # Errors
    /// When something does not come up.
    pub(crate) async fn open(setting: &Setting, wish: &Wish) -> Result<Stage> {
        let controls = tempfile::Builder::new().prefix("weir-control-").tempdir()?;
        let version = Version::parse(&setting.version)?;
        let mut options = FlinkOptions::version(&setting.version);
        (options.taskmanagers, options.slots) = (wish.taskmanagers, wish.slots);
        options.conf.clone_from(&wish.conf);
        let zookeeper =
            if wish.ha { Some(ZooKeeper::start(&setting.version).await?) } else { None };
        if let Some(zookeeper) = &zookeeper {
            options.conf.extend(zookeeper.conf("first")?);
        }
        if let Some(name) = wish.application {
            let control = Control::new(&controls.path().join(name))?;
            let spec = spec(name, &control);
            options.conf.extend(spec.conf(version));
            options.application = Some(spec);
        }
        let flink = Flink::start(options).await?;
        let urls = flink.rest_urls();
        let short = expect::shortened_rules(&setting.expected)?;
        let (shipped, short) = tokio::try_join!(
            Watch::start(&setting.weir, &urls, setting.poll, &[]),
            Watch::start(&setting.weir, &urls, setting.poll, &short),
        )?;
        Ok(Stage { flink, zookeeper, poll: setting.poll, shipped, short, controls })
    }

    /// The control folder of a job.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn control(&self, job: &str) -> Result<Control> {
        Control::new(&self.controls.path().join(job))
    }

    /// Where the cluster's jobs keep their control folders.
    pub(crate) fn controls(&self) -> &Path {
        self.controls.path()
    }

    /// Submits a job and waits until both Weirs have seen it well, twice.
    ///
    /// # Errors
    /// When it does not come to run.
    pub(crate) async fn run(&self, spec: &JobSpec) -> Result<String> {
        let id = self.flink.submit(spec).await?;
        self.flink.rest().wait_until_healthy(&id, SOON).await?;
        if spec.checkpoint_interval.is_some() {
            self.flink.rest().wait_for_checkpoints(&id, 1, SOON).await?;
        }
        self.known(&spec.name, &id).await?;
        Ok(id)
    }

    /// Waits until both Weirs show this run RUNNING, and for one more poll of each.
    ///
    /// # Errors
    /// When that takes too long.
    pub(crate) async fn known(&self, name: &str, id: &str) -> Result<()> {
        let well = |job: &Value| job["job_id"] == id && job["state"] == "RUNNING";
        self.shown(name, &format!("{name} in Weir's list"), well).await
    }

    /// Waits until both Weirs know how much a job has still to read, and for one more poll of each:
    /// Flink collects the numbers of a new job only every ten seconds.
    ///
    /// # Errors
    /// When that takes too long.
    pub(crate) async fn lag_known(&self, name: &str) -> Result<()> {
        let known = |job: &Value| job["lag_records"].is_number();
        self.shown(name, &format!("the lag of {name} in Weir's list"), known).await
    }

    async fn shown(&self, name: &str, what: &str, is: impl Fn(&Value) -> bool) -> Result<()> {
        for watch in [&self.shipped, &self.short] {
            let shown = |all: &[Value]| all.iter().any(|job| job["name"] == name && is(job));
            story::until(watch.weir(), what, "jobs", shown).await?;
        }
        self.polls(1).await
    }

    /// Waits for so many polls of both Weirs, whether Flink answers or not.
    ///
    /// # Errors
    /// When that takes too long.
    pub(crate) async fn polls(&self, more: u64) -> Result<()> {
        let (shipped, short) = (self.shipped.weir(), self.short.weir());
        let both = (story::after_polls(shipped, more), story::after_polls(short, more));
        tokio::try_join!(both.0, both.1).map(|_| ())
    }

    /// When the job failed for the n-th time, by its own account.
    ///
    /// # Errors
    /// When that takes too long.
    pub(crate) async fn failure(&self, control: &Control, n: usize) -> Result<i64> {
        time::wait_for(&format!("failure {n}"), SOON, || async {
            Ok(control.failure_times_ms()?.get(n - 1).map(|at| *at as i64))
        })
        .await
    }

    /// What fired so far.
    pub(crate) fn seen(&self) -> Seen {
        Seen { shipped: self.shipped.sightings(), short: self.short.sightings() }
    }

    /// Cancels every live run of these jobs and waits for their end.
    ///
    /// # Errors
    /// When one does not end.
    pub(crate) async fn cancel(&self, names: &[String]) -> Result<()> {
        let rest = self.flink.rest();
        time::wait_for("end of the scenario's jobs", SOON, || async {
            let overview = rest.get("/jobs/overview").await?;
            let jobs = overview["jobs"].as_array().cloned().unwrap_or_default();
            let mut live = 0;
            for job in &jobs {
                let ours = names.iter().any(|name| job["name"] == *name);
                let state = job["state"].as_str().unwrap_or_default();
                if ours && !["FAILED", "FINISHED", "CANCELED"].contains(&state) {
                    live += 1;
                    if state != "CANCELLING" {
                        rest.cancel(job["jid"].as_str().context("job without an id")?).await?;
                    }
                }
            }
            Ok((live == 0).then_some(()))
        })
        .await
    }

    /// Ends all of it. The Weirs first: the end of the cluster is no news.
    ///
    /// # Errors
    /// When something does not end.
    pub(crate) async fn close(self) -> Result<Seen> {
        let seen = Seen { shipped: self.shipped.stop().await?, short: self.short.stop().await? };
        self.flink.stop().await?;
        if let Some(zookeeper) = self.zookeeper {
            zookeeper.stop().await?;
        }
        Ok(seen)
    }
}

/// A healthy job that Flink restarts for ever.
pub(crate) fn spec(name: &str, control: &Control) -> JobSpec {
    let delay = Duration::from_secs(1);
    let restart = RestartStrategy::FixedDelay { attempts: 1_000_000, delay };
    JobSpec { restart, ..JobSpec::new(name, control) }
}

/// An epoch time in milliseconds of a Flink answer.
///
/// # Errors
/// When it is not there.
pub(crate) fn epoch_ms(value: &Value) -> Result<i64> {
    let at = value.as_i64().with_context(|| format!("{value} is no time"))?;
    ensure!(at > 0, "{value} is no time");
    Ok(at)
}
