//! How a Flink process is configured and called, by version.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::cache;

/// Major and minor: what configuration keys depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(pub(crate) u32, pub(crate) u32);

impl Version {
    /// # Errors
    /// When the text does not start with two numbers.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut numbers = text.split('.').map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => Ok(Self(major, minor)),
            _ => anyhow::bail!("{text:?} is not a Flink version"),
        }
    }
}

/// Java 17 hides from Flink what Flink looks at.
const OPENS: &[&str] = &[
    "java.lang",
    "java.net",
    "java.io",
    "java.nio",
    "sun.nio.ch",
    "java.lang.reflect",
    "java.text",
    "java.time",
    "java.util",
    "java.util.concurrent",
    "java.util.concurrent.atomic",
    "java.util.concurrent.locks",
];

/// Options for `java` that show it again.
pub(crate) fn opens() -> impl Iterator<Item = String> {
    let exports = std::iter::once("--add-exports=java.base/sun.net.util=ALL-UNNAMED".to_owned());
    exports.chain(OPENS.iter().map(|open| format!("--add-opens=java.base/{open}=ALL-UNNAMED")))
}

/// Everything to the console, for version 2 of Log4j.
pub(crate) const LOG4J: &str = "\
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = Console
appender.console.name = Console
appender.console.type = CONSOLE
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %-5p %c{1} - %m%n
";

pub(crate) const JOBMANAGER: &str =
    "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint";
pub(crate) const APPLICATION: &str =
    "org.apache.flink.container.entrypoint.StandaloneApplicationClusterEntryPoint";
pub(crate) const TASKMANAGER: &str = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner";

/// The value of `io.tmp.dirs`, by which a cluster can be told from another.
pub(crate) fn tmp_dir(root: &Path) -> String {
    root.join("tmp").display().to_string()
}

/// What every process of the cluster shares: addresses, folders, and refresh intervals short
/// enough for tests.
pub(crate) fn cluster(
    version: Version,
    root: &Path,
    rest_port: u16,
    rpc_port: u16,
) -> Vec<(String, String)> {
    let folder = |name: &str| root.join(name).display().to_string();
    let (checkpoints, savepoints) = if version >= Version(1, 20) {
        ("execution.checkpointing.dir", "execution.checkpointing.savepoint-dir")
    } else {
        ("state.checkpoints.dir", "state.savepoints.dir")
    };
    let pairs = [
        ("jobmanager.rpc.address", "127.0.0.1".to_owned()),
        ("jobmanager.bind-host", "127.0.0.1".to_owned()),
        ("jobmanager.rpc.port", rpc_port.to_string()),
        ("rest.address", "127.0.0.1".to_owned()),
        ("rest.bind-address", "127.0.0.1".to_owned()),
        ("rest.port", rest_port.to_string()),
        ("taskmanager.host", "127.0.0.1".to_owned()),
        ("taskmanager.bind-host", "127.0.0.1".to_owned()),
        ("io.tmp.dirs", tmp_dir(root)),
        ("web.tmpdir", folder("web")),
        (checkpoints, format!("file://{}", folder("checkpoints"))),
        (savepoints, format!("file://{}", folder("savepoints"))),
        // Without units: older versions want plain milliseconds here.
        ("web.refresh-interval", "500".to_owned()),
        ("metrics.fetcher.update-interval", "1000".to_owned()),
        // A killed TaskManager is noticed in seconds, a slow machine is not taken for a dead one.
        // TaskManagers join a restarted JobManager only when this timeout is over.
        ("heartbeat.interval", "1500".to_owned()),
        ("heartbeat.timeout", "10000".to_owned()),
    ];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// What one `TaskManager` has on top. Without Flink's start scripts every memory part must be said.
pub(crate) fn taskmanager(name: &str, slots: u32) -> Vec<(String, String)> {
    let memory = "taskmanager.memory";
    let mut conf = vec![
        ("taskmanager.resource-id".to_owned(), name.to_owned()),
        ("taskmanager.numberOfTaskSlots".to_owned(), slots.to_string()),
        ("taskmanager.cpu.cores".to_owned(), "1.0".to_owned()),
    ];
    for (part, size) in [
        ("task.heap.size", "256m"),
        ("task.off-heap.size", "0m"),
        ("framework.heap.size", "128m"),
        ("framework.off-heap.size", "64m"),
        ("managed.size", "16m"),
        ("jvm-metaspace.size", "192m"),
        ("network.min", "64m"),
        ("network.max", "64m"),
        ("jvm-overhead.min", "64m"),
        ("jvm-overhead.max", "64m"),
    ] {
        conf.push((format!("{memory}.{part}"), size.to_owned()));
    }
    conf
}

/// Writes a configuration folder. Later pairs win.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn write(folder: &Path, version: Version, conf: &[(String, String)]) -> Result<()> {
    cache::create_dir(folder)?;
    // YAML knows JSON's strings; the older format is lines of raw text.
    let yaml = version >= Version(1, 19);
    let (name, quote) = if yaml { ("config.yaml", true) } else { ("flink-conf.yaml", false) };
    let mut text = String::new();
    for (index, (key, value)) in conf.iter().enumerate() {
        if conf.iter().skip(index + 1).any(|(later, _)| later == key) {
            continue;
        }
        let value = if quote { serde_json::to_string(value)? } else { value.clone() };
        writeln!(text, "{key}: {value}")?;
    }
    for (name, text) in [(name, text.as_str()), ("log4j.properties", LOG4J)] {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// The command line of a Flink process.
///
/// `user_jar` is what an application cluster has on its class path.
pub(crate) fn command(
    lib: &Path,
    folder: &Path,
    main_class: &str,
    heap_mb: u32,
    user_jar: Option<&Path>,
) -> Vec<String> {
    let folder = folder.display();
    let mut argv = vec![
        "java".to_owned(),
        format!("-Xmx{heap_mb}m"),
        // Many small processes on few cores: start fast, stay small.
        "-XX:+UseSerialGC".to_owned(),
        "-XX:TieredStopAtLevel=1".to_owned(),
    ];
    argv.extend(opens());
    argv.push(format!("-Dlog4j.configurationFile={folder}/log4j.properties"));
    let user = user_jar.map(|jar| format!(":{}", jar.display())).unwrap_or_default();
    argv.extend(["-cp".to_owned(), format!("{}/*{user}", lib.display()), main_class.to_owned()]);
    argv.extend(["--configDir".to_owned(), folder.to_string()]);
    argv
}
