//! A real Flink session cluster: one `JobManager`, some `TaskManagers`, all on loopback.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::flink_conf::{self as conf, Version};
use super::job::{self, JobSpec};
use super::process::Leashed;
use super::rest::FlinkRest;
use super::{cache, download, http, time, tools};

/// The release used where the version does not matter, unless `WEIR_TESTBED_FLINK` names another.
pub(crate) const DEFAULT_VERSION: &str = "1.20.5";

/// Two cores shared with a compiler make this slow; an idle machine needs a tenth.
const START_LIMIT: Duration = Duration::from_mins(2);
const START_TRIES: usize = 3;

const JOBMANAGER_HEAP_MB: u32 = 400;
/// `task.heap` and `framework.heap` of [`conf::taskmanager`] together.
const TASKMANAGER_HEAP_MB: u32 = 384;

/// Which cluster to start.
#[derive(Debug, Clone)]
pub(crate) struct FlinkOptions {
    pub(crate) version: String,
    pub(crate) taskmanagers: usize,
    /// Per `TaskManager`.
    pub(crate) slots: u32,
    /// Further cluster options, which win.
    pub(crate) conf: Vec<(String, String)>,
    /// The one job of an application cluster; none: a session cluster.
    pub(crate) application: Option<JobSpec>,
    /// Where everything the cluster writes is kept. None: a folder that goes with the cluster.
    pub(crate) dir: Option<PathBuf>,
}

impl Default for FlinkOptions {
    fn default() -> Self {
        Self::version(&release(DEFAULT_VERSION))
    }
}

/// The release `WEIR_TESTBED_FLINK` names, or else this one.
pub(crate) fn release(otherwise: &str) -> String {
    let chosen = std::env::var_os("WEIR_TESTBED_FLINK");
    chosen.map_or_else(|| otherwise.to_owned(), |version| version.to_string_lossy().into_owned())
}

impl FlinkOptions {
    /// One `TaskManager` with eight slots of this release.
    pub(crate) fn version(version: &str) -> Self {
        let version = version.to_owned();
        Self { version, taskmanagers: 1, slots: 8, conf: Vec::new(), application: None, dir: None }
    }
}

/// A running cluster. Dropping it kills its processes.
#[derive(Debug)]
pub(crate) struct Flink {
    options: FlinkOptions,
    version: Version,
    lib: PathBuf,
    root: PathBuf,
    ports: (u16, u16),
    rest: FlinkRest,
    jobmanager: Option<Leashed>,
    /// A killed one leaves its place empty, so that numbers stay what they were.
    taskmanagers: Vec<Option<Leashed>>,
    /// Of the present `JobManager`: uploaded jars go with it.
    jar_id: OnceCell<String>,
    _temp: Option<TempDir>,
}

impl Flink {
    /// Starts a cluster and waits until all its `TaskManagers` are registered.
    ///
    /// # Errors
    /// When a tool is missing, the download fails, or the cluster does not come up.
    pub(crate) async fn start(options: FlinkOptions) -> Result<Self> {
        tools::require(&["java", "javac", "jar", "python3", "kill"])?;
        let version = Version::parse(&options.version)?;
        let lib = download::flink_lib(&options.version).await?;
        let (root, temp) = if let Some(dir) = &options.dir {
            cache::create_dir(dir)?;
            (std::path::absolute(dir)?, None)
        } else {
            let temp = tempfile::Builder::new().prefix("weir-flink-").tempdir()?;
            (temp.path().to_owned(), Some(temp))
        };
        for name in ["tmp", "web", "logs", "checkpoints", "savepoints"] {
            cache::create_dir(&root.join(name))?;
        }
        let mut flink = Self {
            options,
            version,
            lib,
            root,
            ports: (0, 0),
            rest: FlinkRest::new(""),
            jobmanager: None,
            taskmanagers: Vec::new(),
            jar_id: OnceCell::new(),
            _temp: temp,
        };
        flink.start_first_jobmanager().await?;
        for _ in 0..flink.options.taskmanagers {
            flink.spawn_taskmanager().await?;
        }
        flink.wait_for_taskmanagers(flink.options.taskmanagers).await?;
        Ok(flink)
    }

    /// A port found free may be taken by another process before Flink binds it.
    async fn start_first_jobmanager(&mut self) -> Result<()> {
        for attempt in 1.. {
            self.ports = (http::free_port()?, http::free_port()?);
            self.rest = FlinkRest::new(&format!("http://127.0.0.1:{}", self.ports.0));
            match self.start_jobmanager().await {
                Err(error) if attempt < START_TRIES && format!("{error:#}").contains("BindExc") => {
                    tools::note("a port was taken by another process, trying others");
                }
                result => return result,
            }
        }
        Ok(())
    }

    async fn start_jobmanager(&mut self) -> Result<()> {
        self.jar_id = OnceCell::new();
        let process = self.spawn_jobmanager().await?;
        let process = self.jobmanager.insert(process);
        let rest = &self.rest;
        let own_folder = conf::tmp_dir(&self.root);
        let own_folder = own_folder.as_str();
        let up = time::wait_for("answer of the JobManager", START_LIMIT, || {
            let alive = process.is_running();
            async move {
                if !alive? {
                    return Ok(Some(false));
                }
                rest.get("/overview").await?;
                // Another cluster may have been quicker to take the port.
                let conf = rest.get("/jobmanager/config").await?;
                let mut entries = conf.as_array().into_iter().flatten();
                let ours = entries.any(|entry| entry["value"] == own_folder);
                Ok(ours.then_some(true))
            }
        });
        let up = up.await.unwrap_or(false);
        if up {
            return Ok(());
        }
        bail!("the JobManager did not come up: {}", process.log_tail(60))
    }

    async fn spawn_jobmanager(&self) -> Result<Leashed> {
        let Some(job) = &self.options.application else {
            return self.spawn("jobmanager", conf::JOBMANAGER, &[], JOBMANAGER_HEAP_MB, None).await;
        };
        let own = job.conf(self.version);
        let mut args = vec!["--job-classname".to_owned(), job::ENTRY_CLASS.to_owned()];
        args.extend(job.args());
        let jar = job::jar(&self.options.version).await?;
        let application = Some((jar.as_path(), args.as_slice()));
        self.spawn("jobmanager", conf::APPLICATION, &own, JOBMANAGER_HEAP_MB, application).await
    }

    async fn spawn(
        &self,
        name: &str,
        main_class: &str,
        own: &[(String, String)],
        heap_mb: u32,
        application: Option<(&Path, &[String])>,
    ) -> Result<Leashed> {
        let (rest_port, rpc_port) = self.ports;
        let mut all = conf::cluster(self.version, &self.root, rest_port, rpc_port);
        all.extend_from_slice(own);
        all.extend_from_slice(&self.options.conf);
        let folder = self.root.join("conf").join(name);
        conf::write(&folder, self.version, &all)?;
        let jar = application.map(|(jar, _)| jar);
        let mut argv = conf::command(&self.lib, &folder, main_class, heap_mb, jar);
        argv.extend(application.into_iter().flat_map(|(_, args)| args.iter().cloned()));
        let log = self.root.join("logs").join(format!("{name}.log"));
        Leashed::spawn(name, &argv, &[], &log).await
    }

    async fn spawn_taskmanager(&mut self) -> Result<usize> {
        let index = self.taskmanagers.len();
        let name = format!("taskmanager-{index}");
        let own = conf::taskmanager(&name, self.options.slots);
        // An application's processes all have its jar, as their image would.
        let jar = match &self.options.application {
            Some(_) => Some(job::jar(&self.options.version).await?),
            None => None,
        };
        let application = jar.as_deref().map(|jar| (jar, [].as_slice()));
        let heap = TASKMANAGER_HEAP_MB;
        let process = self.spawn(&name, conf::TASKMANAGER, &own, heap, application).await?;
        self.taskmanagers.push(Some(process));
        Ok(index)
    }

    async fn wait_for_taskmanagers(&self, count: usize) -> Result<()> {
        let what = format!("{count} TaskManagers");
        let waiting = time::wait_for(&what, START_LIMIT, || async {
            let answer = self.rest.get("/taskmanagers").await?;
            let registered = answer["taskmanagers"].as_array().map_or(0, Vec::len);
            Ok((registered >= count).then_some(()))
        });
        waiting.await.with_context(|| {
            let logs = self.taskmanagers.iter().flatten().map(|process| process.log_tail(30));
            format!("the cluster is not complete: {}", logs.collect::<Vec<_>>().join("\n---\n"))
        })
    }

    /// Flink's version.
    pub(crate) fn version(&self) -> &str {
        &self.options.version
    }

    /// What the next process of the cluster is started with.
    pub(crate) const fn options_mut(&mut self) -> &mut FlinkOptions {
        &mut self.options
    }

    /// Major and minor.
    pub(crate) const fn release(&self) -> Version {
        self.version
    }

    /// The folder with all the cluster writes: `logs`, `checkpoints`, `savepoints`, `conf`.
    pub(crate) fn dir(&self) -> &Path {
        &self.root
    }

    /// The REST API.
    pub(crate) const fn rest(&self) -> &FlinkRest {
        &self.rest
    }

    /// Where its `TaskManagers` speak to it, and no browser can.
    pub(crate) const fn rpc_port(&self) -> u16 {
        self.ports.1
    }

    /// The REST addresses, as a source's `urls` wants them.
    pub(crate) fn rest_urls(&self) -> Vec<String> {
        vec![self.rest.url().to_owned()]
    }

    /// The same behind an address where nobody listens: a `JobManager` that is gone for good.
    ///
    /// # Errors
    /// When the system has no free port.
    pub(crate) fn rest_urls_after_a_dead_one(&self) -> Result<Vec<String>> {
        let dead = format!("http://127.0.0.1:{}", http::free_port()?);
        Ok(vec![dead, self.rest.url().to_owned()])
    }

    /// Submits the test job and returns its id. Submitted is not running: see
    /// [`FlinkRest::wait_until_healthy`].
    ///
    /// # Errors
    /// When the job does not compile or Flink refuses it.
    pub(crate) async fn submit(&self, spec: &JobSpec) -> Result<String> {
        let jar_id = self.jar_id.get_or_try_init(|| async { self.upload_job().await }).await?;
        let request = spec.run_request(self.version);
        let answer = self.rest.post(&format!("/jars/{jar_id}/run"), &request).await?;
        Ok(answer["jobid"].as_str().context("run without a job id")?.to_owned())
    }

    /// Uploads the test job's jar and returns its id.
    ///
    /// # Errors
    /// When the job does not compile or Flink refuses it.
    pub(crate) async fn upload_job(&self) -> Result<String> {
        let jar = job::jar(&self.options.version).await?;
        let bytes =
            std::fs::read(&jar).with_context(|| format!("cannot read {}", jar.display()))?;
        self.rest.upload_jar("orders.jar", &bytes).await
    }

    /// Cancels a job and does not wait for its end.
    ///
    /// # Errors
    /// When Flink refuses.
    pub(crate) async fn cancel(&self, job_id: &str) -> Result<()> {
        self.rest.cancel(job_id).await
    }

    /// A job's state, such as `RUNNING`.
    ///
    /// # Errors
    /// When Flink does not answer or does not know the job.
    pub(crate) async fn job_state(&self, job_id: &str) -> Result<String> {
        self.rest.job_state(job_id).await
    }

    /// A job's exception history, newest first.
    ///
    /// # Errors
    /// When Flink does not answer or does not know the job.
    pub(crate) async fn exceptions(&self, job_id: &str) -> Result<Vec<Value>> {
        self.rest.exceptions(job_id).await
    }

    /// SIGKILL for a `TaskManager`, which keeps its number.
    ///
    /// # Errors
    /// When there is no such `TaskManager`.
    pub(crate) async fn kill_taskmanager(&mut self, index: usize) -> Result<()> {
        let place = self.taskmanagers.get_mut(index).and_then(Option::take);
        place.with_context(|| format!("no TaskManager {index}"))?.kill9_child().await
    }

    /// One more `TaskManager`; waits until it is registered and returns its number.
    ///
    /// # Errors
    /// When it does not come up.
    pub(crate) async fn start_taskmanager(&mut self) -> Result<usize> {
        let index = self.spawn_taskmanager().await?;
        let name = format!("taskmanager-{index}");
        let waiting = time::wait_for(&name, START_LIMIT, || async {
            let answer = self.rest.get("/taskmanagers").await?;
            let mut registered = answer["taskmanagers"].as_array().into_iter().flatten();
            Ok(registered.any(|taskmanager| taskmanager["id"] == *name).then_some(()))
        });
        waiting.await?;
        Ok(index)
    }

    /// SIGKILL for the `JobManager`. Without high availability its jobs are gone.
    ///
    /// # Errors
    /// When it is not running.
    pub(crate) async fn kill_jobmanager(&mut self) -> Result<()> {
        let mut process = self.jobmanager.take().context("the JobManager is not running")?;
        process.kill9_child().await
    }

    /// Starts the `JobManager` at its old address and waits until the `TaskManagers` are back.
    ///
    /// # Errors
    /// When it is running or does not come up.
    pub(crate) async fn restart_jobmanager(&mut self) -> Result<()> {
        if self.jobmanager.is_some() {
            bail!("the JobManager is running");
        }
        self.start_jobmanager().await?;
        self.wait_for_taskmanagers(self.taskmanagers.iter().flatten().count()).await
    }

    /// Ends all processes in order. Dropping the cluster kills them instead.
    ///
    /// # Errors
    /// When one does not end.
    pub(crate) async fn stop(mut self) -> Result<()> {
        let taskmanagers = self.taskmanagers.drain(..).flatten();
        let mut all: Vec<Leashed> = taskmanagers.chain(self.jobmanager.take()).collect();
        let ends = all.iter_mut().map(Leashed::stop);
        for end in futures_util::future::join_all(ends).await {
            end?;
        }
        Ok(())
    }
}

impl Drop for Flink {
    fn drop(&mut self) {
        // At once, or they would write into a folder that is being removed.
        let taskmanagers = self.taskmanagers.iter_mut().flatten();
        taskmanagers.chain(self.jobmanager.as_mut()).for_each(Leashed::kill9_now);
    }
}
