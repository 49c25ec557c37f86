//! A real YARN cluster: one `ResourceManager`, or an active one and a standby, and one
//! `NodeManager`, all on loopback.
//!
//! There is no HDFS: the file system is the machine's. Nobody logs in: whoever calls says who they
//! are (`user.name`), as on most clusters without Kerberos.

pub(crate) mod conf;
mod containers;
pub(crate) mod flink;
pub(crate) mod launcher;
pub(crate) mod rest;
pub(crate) mod unmanaged;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;

use self::rest::YarnRest;
use super::maven::Jars;
use super::process::Leashed;
use super::zookeeper::ZooKeeper;
use super::{cache, flink_conf, time, tools};

/// Hadoop 3.5.0's daemons and clients: the closure of its three modules `yarn-server-resourcemanager`,
/// `yarn-server-nodemanager` and `yarn-client`, with the versions of `hadoop-project`.
const JARS: Jars = Jars { name: "hadoop-yarn", megabytes: 90, list: include_str!("yarn/jars.txt") };

const MANAGER: &str = "org.apache.hadoop.yarn.server.resourcemanager.ResourceManager";
const NODE: &str = "org.apache.hadoop.yarn.server.nodemanager.NodeManager";

/// Two cores shared with a compiler have taken more than two minutes over it.
const UP_WITHIN: Duration = Duration::from_mins(5);
const START_TRIES: usize = 3;

/// Which cluster to start.
#[derive(Debug, Clone)]
pub(crate) struct YarnOptions {
    /// With a second one, a `ZooKeeper` says who is active.
    pub(crate) standby: bool,
    /// The release of Flink that the `ZooKeeper` is taken from.
    pub(crate) flink: String,
    /// What the one node says it has; the scheduler counts, nobody measures.
    pub(crate) node_memory_mb: u32,
    /// Further options of `yarn-site.xml`, which win.
    pub(crate) conf: Vec<(String, String)>,
}

impl Default for YarnOptions {
    fn default() -> Self {
        Self {
            standby: false,
            flink: super::flink::release(super::flink::DEFAULT_VERSION),
            node_memory_mb: 16_384,
            conf: Vec::new(),
        }
    }
}

/// A running cluster. Dropping it kills its processes and all containers.
#[derive(Debug)]
pub(crate) struct Yarn {
    jars: PathBuf,
    root: PathBuf,
    ports: conf::Ports,
    /// A stopped or killed one leaves its place empty.
    managers: Vec<Option<Leashed>>,
    node: Option<Leashed>,
    zookeeper: Option<ZooKeeper>,
    /// Of clients, for the names of their logs.
    submitted: std::sync::atomic::AtomicUsize,
    _temp: TempDir,
}

impl Yarn {
    /// Starts a cluster and waits until one `ResourceManager` is active and the node is known.
    ///
    /// # Errors
    /// When a tool is missing, the download fails, or the cluster does not come up.
    pub(crate) async fn start(options: YarnOptions) -> Result<Self> {
        tools::require(&["java", "bash", "python3", "kill"])?;
        let jars = JARS.folder().await?;
        let zookeeper =
            if options.standby { Some(ZooKeeper::start(&options.flink).await?) } else { None };
        let temp = tempfile::Builder::new().prefix("weir-yarn-").tempdir()?;
        let root = temp.path().to_owned();
        for name in ["tmp", "logs", "staging", "rmstore"] {
            cache::create_dir(&root.join(name))?;
        }
        let mut yarn = Self {
            jars,
            root,
            ports: conf::Ports { managers: Vec::new(), node: [0; 4] },
            managers: Vec::new(),
            node: None,
            zookeeper,
            submitted: 0.into(),
            _temp: temp,
        };
        for attempt in 1.. {
            match yarn.start_all(&options).await {
                Err(error) if attempt < START_TRIES && format!("{error:#}").contains("BindExc") => {
                    tools::note("a port was taken by another process, trying others");
                    yarn.kill_all().await?;
                }
                result => {
                    result?;
                    break;
                }
            }
        }
        Ok(yarn)
    }

    async fn start_all(&mut self, options: &YarnOptions) -> Result<()> {
        let managers = if options.standby { 2 } else { 1 };
        self.ports = conf::Ports::free(managers)?;
        let zookeeper = self.zookeeper.as_ref().map(ZooKeeper::address);
        let site = conf::Site {
            root: &self.root,
            jars: &self.jars,
            ports: &self.ports,
            zookeeper: zookeeper.as_deref(),
            node_memory_mb: options.node_memory_mb,
            more: &options.conf,
        };
        site.write(conf::CLIENT, None)?;
        for index in 0..managers {
            site.write(&conf::manager_id(index), Some(index))?;
        }
        self.managers = (0..managers).map(|_| None).collect();
        for index in 0..managers {
            self.spawn_manager(index).await?;
        }
        self.start_node_manager().await
    }

    async fn kill_all(&mut self) -> Result<()> {
        for process in self.managers.iter_mut().chain(std::iter::once(&mut self.node)) {
            if let Some(mut process) = process.take() {
                process.kill9_child().await?;
            }
        }
        Ok(())
    }

    /// A daemon's command line with the configuration folder of this name.
    fn daemon(&self, conf_name: &str, heap_mb: u32, main_class: &str) -> Vec<String> {
        let mut argv = self.java(heap_mb);
        let folder = conf::folder(&self.root, conf_name);
        argv.push(format!("-Dlog4j.configuration=file:{}/log4j.properties", folder.display()));
        argv.push(format!("-Dhadoop.log.dir={}", self.root.join("logs").display()));
        argv.extend(["-cp".to_owned(), self.class_path(conf_name), main_class.to_owned()]);
        argv
    }

    fn java(&self, heap_mb: u32) -> Vec<String> {
        let mut argv = vec![
            "java".to_owned(),
            format!("-Xmx{heap_mb}m"),
            "-XX:+UseSerialGC".to_owned(),
            "-XX:TieredStopAtLevel=1".to_owned(),
            "-Djava.net.preferIPv4Stack=true".to_owned(),
            format!("-Djava.io.tmpdir={}", self.root.join("tmp").display()),
        ];
        argv.extend(flink_conf::opens());
        argv
    }

    fn class_path(&self, conf_name: &str) -> String {
        let folder = conf::folder(&self.root, conf_name);
        format!("{}:{}/*", folder.display(), self.jars.display())
    }

    /// What Hadoop's programs look for in the environment.
    fn env(&self, conf_name: &str) -> Result<Vec<(String, String)>> {
        let folder = conf::folder(&self.root, conf_name).display().to_string();
        Ok(vec![
            ("JAVA_HOME".to_owned(), tools::java_home()?.display().to_string()),
            ("HADOOP_CONF_DIR".to_owned(), folder),
        ])
    }

    async fn spawn_manager(&mut self, index: usize) -> Result<()> {
        let name = conf::manager_id(index);
        let argv = self.daemon(&name, 320, MANAGER);
        let log = self.root.join("logs").join(format!("{name}.log"));
        let process = Leashed::spawn(&name, &argv, &self.env(&name)?, &log).await?;
        let place = self.managers.get_mut(index);
        *place.with_context(|| format!("no ResourceManager {index}"))? = Some(process);
        Ok(())
    }

    /// Starts a `ResourceManager` that was stopped or killed, at its old address, and waits until it
    /// says what it is: `ACTIVE` or `STANDBY`. Applications come back after that.
    ///
    /// # Errors
    /// When it runs already or does not come up.
    pub(crate) async fn start_resource_manager(&mut self, index: usize) -> Result<String> {
        ensure!(
            self.managers.get(index).is_some_and(Option::is_none),
            "no ResourceManager {index}, or it is running"
        );
        self.spawn_manager(index).await?;
        let rest = self.rest(index);
        let up = time::wait_for("ResourceManager", UP_WITHIN, || async {
            let state = rest.ha_state().await?;
            Ok((state == "ACTIVE" || state == "STANDBY").then_some(state))
        });
        up.await.with_context(|| self.logs())
    }

    /// Ends a `ResourceManager` in order; its port refuses from then on.
    ///
    /// # Errors
    /// When it is not running or does not end.
    pub(crate) async fn stop_resource_manager(&mut self, index: usize) -> Result<()> {
        self.take_manager(index)?.stop().await?;
        Ok(())
    }

    /// SIGKILL for a `ResourceManager`.
    ///
    /// # Errors
    /// When it is not running.
    pub(crate) async fn kill_resource_manager(&mut self, index: usize) -> Result<()> {
        self.take_manager(index)?.kill9_child().await
    }

    fn take_manager(&mut self, index: usize) -> Result<Leashed> {
        let place = self.managers.get_mut(index).and_then(Option::take);
        place.with_context(|| format!("ResourceManager {index} is not running"))
    }

    /// Starts the `NodeManager` and waits until the active `ResourceManager` counts it.
    ///
    /// # Errors
    /// When it runs already or does not come up.
    pub(crate) async fn start_node_manager(&mut self) -> Result<()> {
        ensure!(self.node.is_none(), "the NodeManager is running");
        let argv = self.daemon(conf::CLIENT, 256, NODE);
        let log = self.root.join("logs").join("node.log");
        let env = self.env(conf::CLIENT)?;
        self.node = Some(Leashed::spawn_tree("NodeManager", &argv, &env, &log).await?);
        let up = time::wait_for("active ResourceManager with a node", UP_WITHIN, || async {
            let active = self.active().await?;
            let metrics = self.rest(active).get("/metrics").await?;
            let nodes = metrics["clusterMetrics"]["activeNodes"].as_u64();
            Ok((nodes >= Some(1)).then_some(()))
        });
        up.await.with_context(|| self.logs())
    }

    /// SIGKILL for the `NodeManager` and everything in its containers: the machine is gone.
    ///
    /// # Errors
    /// When it is not running.
    pub(crate) async fn kill_node(&mut self) -> Result<()> {
        let mut node = self.node.take().context("the NodeManager is not running")?;
        node.kill9_child().await
    }

    fn logs(&self) -> String {
        let all = self.managers.iter().flatten().chain(self.node.as_ref());
        let tails: Vec<String> =
            all.map(|process| format!("{}: {}", process.name(), process.log_tail(40))).collect();
        format!("the cluster is not complete: {}", tails.join("\n---\n"))
    }

    /// The number of the `ResourceManager` that is active.
    ///
    /// # Errors
    /// When none is.
    pub(crate) async fn active(&self) -> Result<usize> {
        let mut last = None;
        for index in 0..self.managers.len() {
            match self.rest(index).ha_state().await {
                Ok(state) if state == "ACTIVE" => return Ok(index),
                Ok(_) => {}
                Err(error) => last = Some(error),
            }
        }
        match last {
            Some(error) => Err(error.context("no ResourceManager is active")),
            None => bail!("no ResourceManager is active"),
        }
    }

    /// Hadoop's release, as it says itself.
    ///
    /// # Errors
    /// When no `ResourceManager` is active.
    pub(crate) async fn version(&self) -> Result<String> {
        let info = self.rest(self.active().await?).get("/info").await?;
        let version = info["clusterInfo"]["hadoopVersion"].as_str();
        Ok(version.context("no hadoopVersion")?.to_owned())
    }

    /// The web address of one `ResourceManager`, running or not.
    pub(crate) fn rest(&self, index: usize) -> YarnRest {
        YarnRest::new(&self.ports.web(index).unwrap_or_default())
    }

    /// Where Hadoop's own clients speak to one `ResourceManager`.
    ///
    /// # Errors
    /// When there is no such `ResourceManager`.
    pub(crate) fn client_port(&self, index: usize) -> Result<u16> {
        let ports = self.ports.managers.get(index);
        Ok(ports.with_context(|| format!("no ResourceManager {index}"))?[1])
    }

    /// The web addresses of all, as a source's `resource_managers` wants them.
    pub(crate) fn urls(&self) -> Vec<String> {
        (0..self.managers.len()).map(|index| self.rest(index).url().to_owned()).collect()
    }

    /// The `ZooKeeper` of a cluster with a standby.
    pub(crate) const fn zookeeper(&self) -> Option<&ZooKeeper> {
        self.zookeeper.as_ref()
    }

    /// The folder with all the cluster writes: `logs`, `nm/logs/<application>/<container>`, `conf`.
    pub(crate) fn dir(&self) -> &Path {
        &self.root
    }

    /// Ends all processes in order, and what runs in containers.
    ///
    /// # Errors
    /// When one does not end.
    pub(crate) async fn stop(mut self) -> Result<()> {
        let mut all: Vec<Leashed> =
            self.node.take().into_iter().chain(self.managers.drain(..).flatten()).collect();
        let ends = all.iter_mut().map(Leashed::stop);
        for end in futures_util::future::join_all(ends).await {
            end?;
        }
        match self.zookeeper.take() {
            Some(zookeeper) => zookeeper.stop().await,
            None => Ok(()),
        }
    }
}

impl Drop for Yarn {
    fn drop(&mut self) {
        // At once, or they would write into a folder that is being removed.
        let managers = self.managers.iter_mut().flatten();
        self.node.iter_mut().chain(managers).for_each(Leashed::kill9_now);
    }
}
