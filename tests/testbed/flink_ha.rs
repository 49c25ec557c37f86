//! A real Flink session cluster with high availability: two `JobManagers`, of which a `ZooKeeper`
//! picks one, and a `TaskManager`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use super::flink_conf::{self as conf, Version};
use super::job::{self, JobSpec};
use super::process::Leashed;
use super::rest::FlinkRest;
use super::zookeeper::ZooKeeper;
use super::{cache, download, http, time, tools};

const MANAGERS: usize = 2;
const SLOTS: u32 = 8;
const MANAGER_HEAP_MB: u32 = 400;
const TASKMANAGER_HEAP_MB: u32 = 384;
const UP_WITHIN: Duration = Duration::from_mins(2);
/// What the `JobManager` that was picked writes into its log.
const PICKED: &str = "DefaultDispatcherRunner was granted leadership";

/// A running cluster. Dropping it kills its processes.
#[derive(Debug)]
pub(crate) struct FlinkHa {
    release: String,
    version: Version,
    lib: PathBuf,
    root: PathBuf,
    /// REST and RPC of each `JobManager`.
    ports: Vec<[u16; 2]>,
    /// A killed one leaves its place empty.
    managers: Vec<Option<Leashed>>,
    taskmanager: Option<Leashed>,
    zookeeper: ZooKeeper,
    _temp: TempDir,
}

impl FlinkHa {
    /// Starts a cluster of this release, and waits until its first `JobManager` leads, the second
    /// stands by, and the `TaskManager` is known.
    ///
    /// # Errors
    /// When a tool is missing, the download fails, or the cluster does not come up.
    pub(crate) async fn start(release: &str) -> Result<Self> {
        tools::require(&["java", "javac", "jar", "python3", "kill"])?;
        let version = Version::parse(release)?;
        let lib = download::flink_lib(release).await?;
        let zookeeper = ZooKeeper::start(release).await?;
        let temp = tempfile::Builder::new().prefix("weir-flink-ha-").tempdir()?;
        let root = temp.path().to_owned();
        for name in ["tmp", "web", "logs", "checkpoints", "savepoints"] {
            cache::create_dir(&root.join(name))?;
        }
        let ports = http::free_ports::<{ 2 * MANAGERS }>()?.as_chunks::<2>().0.to_vec();
        let release = release.to_owned();
        let managers = (0..MANAGERS).map(|_| None).collect();
        let taskmanager = None;
        let mut flink = Self {
            release,
            version,
            lib,
            root,
            ports,
            managers,
            taskmanager,
            zookeeper,
            _temp: temp,
        };
        flink.start_manager(0).await?;
        flink.wait_for_leader(0).await?;
        flink.start_manager(1).await?;
        let own = conf::taskmanager("taskmanager-0", SLOTS);
        let (name, heap) = ("taskmanager-0", TASKMANAGER_HEAP_MB);
        flink.taskmanager = Some(flink.spawn(name, conf::TASKMANAGER, 0, own, heap).await?);
        for index in 0..MANAGERS {
            let rest = flink.rest(index);
            let known = time::wait_for("TaskManager", UP_WITHIN, || async {
                let answer = rest.get("/taskmanagers").await?;
                Ok(answer["taskmanagers"]
                    .as_array()
                    .is_some_and(|all| !all.is_empty())
                    .then_some(()))
            });
            known.await.with_context(|| flink.logs())?;
        }
        Ok(flink)
    }

    async fn spawn(
        &self,
        name: &str,
        main_class: &str,
        manager: usize,
        own: Vec<(String, String)>,
        heap_mb: u32,
    ) -> Result<Leashed> {
        let [rest, rpc] = *self.ports.get(manager).context("no such JobManager")?;
        let mut all = conf::cluster(self.version, &self.root, rest, rpc);
        all.extend(self.zookeeper.conf("ha")?);
        all.extend(own);
        let folder = self.root.join("conf").join(name);
        conf::write(&folder, self.version, &all)?;
        let argv = conf::command(&self.lib, &folder, main_class, heap_mb, None);
        let log = self.root.join("logs").join(format!("{name}.log"));
        Leashed::spawn(name, &argv, &[], &log).await
    }

    /// Starts a `JobManager` at its own address, and waits until it serves what the leader says.
    async fn start_manager(&mut self, index: usize) -> Result<()> {
        let (name, heap) = (format!("jobmanager-{index}"), MANAGER_HEAP_MB);
        let process = self.spawn(&name, conf::JOBMANAGER, index, Vec::new(), heap).await?;
        self.managers[index] = Some(process);
        let rest = self.rest(index);
        let up =
            time::wait_for(&name, UP_WITHIN, || async { rest.get("/overview").await.map(Some) });
        up.await.with_context(|| self.logs())?;
        Ok(())
    }

    /// SIGKILL for a `JobManager`.
    ///
    /// # Errors
    /// When it is not running.
    pub(crate) async fn kill_manager(&mut self, index: usize) -> Result<()> {
        let process = self.managers.get_mut(index).and_then(Option::take);
        process.with_context(|| format!("JobManager {index} is not running"))?.kill9_child().await
    }

    /// The running `JobManager` that was picked last.
    ///
    /// # Errors
    /// When none was.
    pub(crate) fn leader(&self) -> Result<usize> {
        let leads = |process: &Leashed| {
            let log = std::fs::read(process.log()).unwrap_or_default();
            String::from_utf8_lossy(&log).contains(PICKED)
        };
        let running = self.managers.iter().enumerate();
        let mut leaders = running
            .filter(|(_, process)| process.as_ref().is_some_and(leads))
            .map(|(index, _)| index);
        match (leaders.next(), leaders.next()) {
            (Some(one), None) => Ok(one),
            (None, _) => bail!("no JobManager leads: {}", self.logs()),
            (Some(_), Some(_)) => bail!("more than one JobManager has led: {}", self.logs()),
        }
    }

    /// Waits until this one leads.
    ///
    /// # Errors
    /// When it does not come to that.
    pub(crate) async fn wait_for_leader(&self, index: usize) -> Result<()> {
        time::wait_for(&format!("JobManager {index} to lead"), UP_WITHIN, || async {
            Ok((self.leader()? == index).then_some(()))
        })
        .await
    }

    /// The REST API of one `JobManager`, running or not.
    pub(crate) fn rest(&self, index: usize) -> FlinkRest {
        let port = self.ports.get(index).map_or(0, |ports| ports[0]);
        FlinkRest::new(&format!("http://127.0.0.1:{port}"))
    }

    /// The REST addresses of all, as a source's `urls` wants them.
    pub(crate) fn rest_urls(&self) -> Vec<String> {
        (0..MANAGERS).map(|index| self.rest(index).url().to_owned()).collect()
    }

    /// The folder with all the cluster writes.
    pub(crate) fn dir(&self) -> &Path {
        &self.root
    }

    /// Submits the test job by way of one `JobManager` and returns its id.
    ///
    /// # Errors
    /// When the job does not compile or Flink refuses it.
    pub(crate) async fn submit(&self, manager: usize, spec: &JobSpec) -> Result<String> {
        let jar = job::jar(&self.release).await?;
        let bytes = std::fs::read(&jar).with_context(|| format!("no {}", jar.display()))?;
        let rest = self.rest(manager);
        let jar_id = rest.upload_jar("orders.jar", &bytes).await?;
        let request = spec.run_request(self.version);
        let answer = rest.post(&format!("/jars/{jar_id}/run"), &request).await?;
        Ok(answer["jobid"].as_str().context("run without a job id")?.to_owned())
    }

    fn logs(&self) -> String {
        let all = self.managers.iter().flatten().chain(self.taskmanager.as_ref());
        let tails: Vec<String> =
            all.map(|process| format!("{}: {}", process.name(), process.log_tail(30))).collect();
        tails.join("\n---\n")
    }

    /// Ends all processes in order.
    ///
    /// # Errors
    /// When one does not end.
    pub(crate) async fn stop(mut self) -> Result<()> {
        let managers = self.managers.iter_mut().filter_map(Option::take);
        let mut all: Vec<Leashed> = self.taskmanager.take().into_iter().chain(managers).collect();
        let ends = all.iter_mut().map(Leashed::stop);
        for end in futures_util::future::join_all(ends).await {
            end?;
        }
        Ok(())
    }
}

impl Drop for FlinkHa {
    fn drop(&mut self) {
        // At once, or they would write into a folder that is being removed.
        let managers = self.managers.iter_mut().flatten();
        self.taskmanager.iter_mut().chain(managers).for_each(Leashed::kill9_now);
    }
}
