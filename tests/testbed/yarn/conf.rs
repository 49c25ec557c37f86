//! What the processes of the YARN cluster read: `core-site.xml`, `yarn-site.xml` and the queues.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::super::{cache, http};

/// Where the processes listen, all on 127.0.0.1.
#[derive(Debug, Clone)]
pub(crate) struct Ports {
    /// Per `ResourceManager`: web, clients, scheduler, trackers, admin.
    pub(crate) managers: Vec<[u16; 5]>,
    /// Of the `NodeManager`: itself, localizer, web, collector.
    pub(crate) node: [u16; 4],
}

impl Ports {
    /// Ports that are free now.
    ///
    /// # Errors
    /// When the system has none.
    pub(crate) fn free(managers: usize) -> Result<Self> {
        let all = http::free_ports::<14>()?;
        let (node, rest) = all.split_first_chunk::<4>().context("four of fourteen")?;
        let managers = rest.as_chunks::<5>().0.iter().take(managers).copied().collect();
        Ok(Self { managers, node: *node })
    }

    /// The web address of one `ResourceManager`.
    pub(crate) fn web(&self, manager: usize) -> Option<String> {
        self.managers.get(manager).map(|ports| format!("http://127.0.0.1:{}", ports[0]))
    }
}

/// The name of a `ResourceManager` among several.
pub(crate) fn manager_id(index: usize) -> String {
    format!("rm{}", index + 1)
}

/// What the cluster is made of.
#[derive(Debug)]
pub(crate) struct Site<'a> {
    /// The folder of the whole cluster.
    pub(crate) root: &'a Path,
    /// Where Hadoop's jars are.
    pub(crate) jars: &'a Path,
    pub(crate) ports: &'a Ports,
    /// `host:port` of the `ZooKeeper` that picks the active one of several.
    pub(crate) zookeeper: Option<&'a str>,
    /// What one node offers.
    pub(crate) node_memory_mb: u32,
    /// Further options, which win.
    pub(crate) more: &'a [(String, String)],
}

const ADDRESSES: [&str; 5] =
    ["webapp.address", "address", "scheduler.address", "resource-tracker.address", "admin.address"];

/// Two queues: all else, and one of a fifth that is soon full.
const QUEUES: [(&str, &str); 6] = [
    ("yarn.scheduler.capacity.root.queues", "default,small"),
    ("yarn.scheduler.capacity.root.default.capacity", "80"),
    ("yarn.scheduler.capacity.root.small.capacity", "20"),
    ("yarn.scheduler.capacity.root.small.maximum-capacity", "20"),
    // The ApplicationMaster of Flink is half of its memory; the default of a tenth starts none.
    ("yarn.scheduler.capacity.maximum-am-resource-percent", "1.0"),
    ("yarn.scheduler.capacity.node-locality-delay", "-1"),
];

const FULLEST_DISK: &str =
    "yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage";

const LOG4J: &str = "\
log4j.rootLogger=INFO,console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d{ISO8601} %-5p %c{1} - %m%n
";

impl Site<'_> {
    /// Writes the configuration folder of one process; `manager` is the `ResourceManager` it is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn write(&self, name: &str, manager: Option<usize>) -> Result<()> {
        let folder = folder(self.root, name);
        cache::create_dir(&folder)?;
        let core = [("fs.defaultFS", "file:///".to_owned()), ("hadoop.tmp.dir", self.at("tmp"))];
        let mut core = owned(core);
        if let Some(zookeeper) = self.zookeeper {
            core.extend(owned([
                ("hadoop.zk.address", zookeeper.to_owned()),
                // An active ResourceManager that was killed is followed this soon.
                ("hadoop.zk.timeout-ms", "4000".to_owned()),
            ]));
        }
        let mut yarn = self.yarn();
        if let (Some(index), true) = (manager, self.zookeeper.is_some()) {
            yarn.push(("yarn.resourcemanager.ha.id".to_owned(), manager_id(index)));
        }
        yarn.extend_from_slice(self.more);
        let queues = QUEUES.map(|(key, value)| (key.to_owned(), value.to_owned()));
        for (name, text) in [
            ("core-site.xml", xml(&core)?),
            ("yarn-site.xml", xml(&yarn)?),
            ("capacity-scheduler.xml", xml(&queues)?),
            ("log4j.properties", LOG4J.to_owned()),
        ] {
            let path = folder.join(name);
            std::fs::write(&path, text)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }

    fn at(&self, name: &str) -> String {
        self.root.join(name).display().to_string()
    }

    fn yarn(&self) -> Vec<(String, String)> {
        let [node, localizer, web, collector] = self.ports.node.map(|p| format!("127.0.0.1:{p}"));
        let class_path =
            format!("{},{}/*", folder(self.root, CLIENT).display(), self.jars.display());
        let mut conf = owned([
            ("yarn.resourcemanager.hostname", "127.0.0.1".to_owned()),
            ("yarn.resourcemanager.recovery.enabled", "true".to_owned()),
            ("yarn.resourcemanager.fs.state-store.uri", format!("file://{}", self.at("rmstore"))),
            ("yarn.resourcemanager.max-completed-applications", "1000".to_owned()),
            ("yarn.resourcemanager.nodemanagers.heartbeat-interval-ms", "300".to_owned()),
            ("yarn.resourcemanager.connect.retry-interval.ms", "500".to_owned()),
            ("yarn.client.failover-sleep-base-ms", "100".to_owned()),
            ("yarn.client.failover-sleep-max-ms", "1000".to_owned()),
            // Whoever says nothing for so long is given up; the default is ten minutes.
            ("yarn.am.liveness-monitor.expiry-interval-ms", "20000".to_owned()),
            ("yarn.nm.liveness-monitor.expiry-interval-ms", "20000".to_owned()),
            ("yarn.scheduler.minimum-allocation-mb", "128".to_owned()),
            ("yarn.scheduler.maximum-allocation-mb", self.node_memory_mb.to_string()),
            ("yarn.nodemanager.hostname", "127.0.0.1".to_owned()),
            ("yarn.nodemanager.address", node),
            ("yarn.nodemanager.localizer.address", localizer),
            ("yarn.nodemanager.webapp.address", web),
            ("yarn.nodemanager.collector-service.address", collector),
            ("yarn.nodemanager.local-dirs", self.at("nm/local")),
            ("yarn.nodemanager.log-dirs", self.at("nm/logs")),
            ("yarn.nodemanager.resource.memory-mb", self.node_memory_mb.to_string()),
            ("yarn.nodemanager.resource.cpu-vcores", "32".to_owned()),
            // No guess at what a JVM may use, and none at how full a disk may be.
            ("yarn.nodemanager.pmem-check-enabled", "false".to_owned()),
            ("yarn.nodemanager.vmem-check-enabled", "false".to_owned()),
            (FULLEST_DISK, "100".to_owned()),
            ("yarn.nodemanager.env-whitelist", "JAVA_HOME,HADOOP_CONF_DIR".to_owned()),
            ("yarn.application.classpath", class_path),
        ]);
        let store =
            if self.zookeeper.is_some() { "ZKRMStateStore" } else { "FileSystemRMStateStore" };
        let package = "org.apache.hadoop.yarn.server.resourcemanager.recovery";
        conf.push(("yarn.resourcemanager.store.class".to_owned(), format!("{package}.{store}")));
        if let Some(zookeeper) = self.zookeeper {
            let ids: Vec<String> = (0..self.ports.managers.len()).map(manager_id).collect();
            conf.extend(owned([
                // The store looks into core-site.xml; the election knows only this.
                ("yarn.resourcemanager.zk-address", zookeeper.to_owned()),
                ("yarn.resourcemanager.ha.enabled", "true".to_owned()),
                ("yarn.resourcemanager.cluster-id", "weir".to_owned()),
                ("yarn.resourcemanager.ha.rm-ids", ids.join(",")),
            ]));
        }
        for (index, ports) in self.ports.managers.iter().enumerate() {
            let id = self.zookeeper.map(|_| format!(".{}", manager_id(index))).unwrap_or_default();
            for (address, port) in ADDRESSES.iter().zip(ports) {
                let key = format!("yarn.resourcemanager.{address}{id}");
                conf.push((key, format!("127.0.0.1:{port}")));
            }
            if !id.is_empty() {
                let key = format!("yarn.resourcemanager.hostname{id}");
                conf.push((key, "127.0.0.1".to_owned()));
            }
        }
        conf
    }
}

/// The configuration that clients and the node share.
pub(crate) const CLIENT: &str = "client";

/// The configuration folder of one process.
pub(crate) fn folder(root: &Path, name: &str) -> std::path::PathBuf {
    root.join("conf").join(name)
}

fn owned<const N: usize>(pairs: [(&str, String); N]) -> Vec<(String, String)> {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// Later pairs win, as they do for Hadoop.
fn xml(pairs: &[(String, String)]) -> Result<String> {
    let mut text = String::from("<?xml version=\"1.0\"?>\n<configuration>\n");
    for (key, value) in pairs {
        let value = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        writeln!(text, "<property><name>{key}</name><value>{value}</value></property>")?;
    }
    text.push_str("</configuration>\n");
    Ok(text)
}
