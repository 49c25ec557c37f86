//! A real Kafka of one node, without `ZooKeeper`: broker and controller in one process.

pub(crate) mod job;
pub(crate) mod sql;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use super::maven::Jars;
use super::process::Leashed;
use super::{cache, flink_conf, http, time, tools};

/// Kafka 4.1.2: the closure of `kafka_2.13`, and what writes its log.
const JARS: Jars = Jars { name: "kafka", megabytes: 43, list: include_str!("kafka/jars.txt") };

const FORMAT: &str = "kafka.tools.StorageTool";
const BROKER: &str = "kafka.Kafka";
/// Any will do, in Kafka's own writing of 16 bytes.
const CLUSTER_ID: &str = "V2VpclRlc3RCZWRLYWZrYQ";

const UP_WITHIN: Duration = Duration::from_mins(2);

/// A running broker. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Kafka {
    jars: PathBuf,
    port: u16,
    process: Option<Leashed>,
    temp: TempDir,
}

impl Kafka {
    /// Starts an empty one.
    ///
    /// # Errors
    /// When a tool is missing, the download fails, or it does not come up.
    pub(crate) async fn start() -> Result<Self> {
        tools::require(&["java", "python3", "kill"])?;
        let jars = JARS.folder().await?;
        let temp = tempfile::Builder::new().prefix("weir-kafka-").tempdir()?;
        let [port, controller] = http::free_ports::<2>()?;
        let data = temp.path().join("data");
        for (name, text) in [
            ("server.properties", properties(port, controller, &data)),
            ("log4j.properties", flink_conf::LOG4J.to_owned()),
        ] {
            let path = temp.path().join(name);
            std::fs::write(&path, text)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        let mut kafka = Self { jars, port, process: None, temp };
        let file = kafka.file("server.properties");
        let mut argv = kafka.java(&[], FORMAT);
        argv.extend(["format", "-t", CLUSTER_ID, "-c", file.as_str()].map(str::to_owned));
        run(&argv).await?;
        kafka.start_again().await?;
        Ok(kafka)
    }

    /// Starts it where it was, with what it had.
    ///
    /// # Errors
    /// When it runs or does not come up.
    pub(crate) async fn start_again(&mut self) -> Result<()> {
        if self.process.is_some() {
            bail!("the broker is running");
        }
        let config = format!("-Dlog4j.configurationFile={}", self.file("log4j.properties"));
        let mut argv = self.java(&[config], BROKER);
        argv.push(self.file("server.properties"));
        let log = self.temp.path().join("kafka.log");
        let process = self.process.insert(Leashed::spawn("Kafka", &argv, &[], &log).await?);
        let port = self.port;
        let up = time::wait_for("Kafka", UP_WITHIN, || {
            let alive = process.is_running();
            async move {
                if !alive? {
                    return Ok(Some(false));
                }
                tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
                Ok(Some(true))
            }
        });
        if up.await.unwrap_or(false) {
            return Ok(());
        }
        bail!("Kafka did not come up: {}", process.log_tail(40))
    }

    /// SIGKILL; whoever reads or writes waits for it from then on.
    ///
    /// # Errors
    /// When it is not running.
    pub(crate) async fn kill9(&mut self) -> Result<()> {
        self.process.take().context("the broker is not running")?.kill9_child().await
    }

    /// Ends it in order.
    ///
    /// # Errors
    /// When it does not end.
    pub(crate) async fn stop(mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            process.stop().await?;
        }
        Ok(())
    }

    /// Its release, by the name of its jar.
    ///
    /// # Errors
    /// When there is no such jar.
    pub(crate) fn version(&self) -> Result<String> {
        let mut names =
            std::fs::read_dir(&self.jars)?.filter_map(Result::ok).map(|e| e.file_name());
        let version = |name: std::ffi::OsString| {
            let name = name.into_string().ok()?;
            Some(name.strip_prefix("kafka_2.13-")?.strip_suffix(".jar")?.to_owned())
        };
        names.find_map(version).context("no jar of Kafka's")
    }

    /// What clients connect to.
    pub(crate) fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Creates a topic.
    ///
    /// # Errors
    /// When it is there already or the broker does not answer.
    pub(crate) async fn create_topic(&self, topic: &str, partitions: u32) -> Result<()> {
        self.tool(&["create", topic, &partitions.to_string()]).await?;
        Ok(())
    }

    /// Writes these records, a line each, and returns when the broker has them all.
    ///
    /// # Errors
    /// When the broker does not take them.
    pub(crate) async fn produce(&self, topic: &str, records: &[String]) -> Result<()> {
        let file = tempfile::NamedTempFile::new_in(self.temp.path())?;
        std::fs::write(file.path(), records.join("\n"))
            .with_context(|| format!("cannot write {}", file.path().display()))?;
        self.tool(&["produce", topic, &file.path().display().to_string()]).await?;
        Ok(())
    }

    /// How many records were ever written to a topic.
    ///
    /// # Errors
    /// When there is no such topic or the broker does not answer.
    pub(crate) async fn count(&self, topic: &str) -> Result<u64> {
        let text = self.tool(&["count", topic]).await?;
        let last = tools::tail(&text, 1);
        last.parse().with_context(|| format!("{text:?} is no count"))
    }

    async fn tool(&self, words: &[&str]) -> Result<String> {
        let tool = cache::source_file("kafka/KafkaTool.java").display().to_string();
        let mut argv = self.java(&[], &tool);
        argv.push(self.bootstrap());
        argv.extend(words.iter().map(|&word| word.to_owned()));
        run(&argv).await.with_context(|| self.tail())
    }

    fn tail(&self) -> String {
        self.process.as_ref().map(|process| process.log_tail(30)).unwrap_or_default()
    }

    fn file(&self, name: &str) -> String {
        self.temp.path().join(name).display().to_string()
    }

    fn java(&self, options: &[String], main: &str) -> Vec<String> {
        let small = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
        let mut argv: Vec<String> = small.iter().map(|&word| word.to_owned()).collect();
        argv.extend_from_slice(options);
        let class_path = format!("{}/*", self.jars.display());
        argv.extend(["-cp".to_owned(), class_path, main.to_owned()]);
        argv
    }
}

async fn run(argv: &[String]) -> Result<String> {
    let (program, rest) = argv.split_first().context("no program")?;
    tools::run(program, rest).await
}

fn properties(port: u16, controller: u16, data: &Path) -> String {
    [
        "process.roles=broker,controller",
        "node.id=1",
        &format!("controller.quorum.voters=1@127.0.0.1:{controller}"),
        "controller.listener.names=CONTROLLER",
        &format!("listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}"),
        &format!("advertised.listeners=PLAINTEXT://127.0.0.1:{port}"),
        &format!("log.dirs={}", data.display()),
        // One broker holds everything once, and a group waits for nobody.
        "offsets.topic.replication.factor=1",
        "offsets.topic.num.partitions=1",
        "transaction.state.log.replication.factor=1",
        "transaction.state.log.num.partitions=1",
        "transaction.state.log.min.isr=1",
        "share.coordinator.state.topic.replication.factor=1",
        "share.coordinator.state.topic.min.isr=1",
        "group.initial.rebalance.delay.ms=0",
        "",
    ]
    .join("\n")
}
