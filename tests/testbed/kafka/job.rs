//! A real job of Flink's that reads from Kafka and writes to Redis, without checkpoints.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::super::control::Control;
use super::super::flink::Flink;
use super::super::flink_conf::Version;
use super::super::maven::Jars;
use super::super::redis::Redis;
use super::super::{cache, download, job, python, tools};
use super::Kafka;

/// Flink's connector with the client it is built for, which speaks with later brokers too.
const CONNECTOR: Jars = Jars {
    name: "flink-connector-kafka",
    megabytes: 6,
    list: "
        0deab094f7f54df9e8cb7c77c15b4392e1f9923f98f8972b4346f6ff384bf5e6  \
        org.apache.flink:flink-connector-kafka:3.4.0-1.20
        48f38dede69bf2ed3709e270afb6b72fac869651fc258997727dba350333ac64  \
        org.apache.kafka:kafka-clients:3.4.0
    ",
};
/// The one this connector is for.
pub(crate) const RELEASE: Version = Version(1, 20);

const MAIN: &str = "com.example.game.GameConsume";

/// One submission.
#[derive(Debug, Clone)]
pub(crate) struct GameJob {
    pub(crate) name: String,
    pub(crate) topic: String,
    pub(crate) group: String,
    pub(crate) control: Control,
}

impl GameJob {
    /// Submits it and returns its id; submitted is not running.
    ///
    /// # Errors
    /// When it does not compile or Flink refuses it.
    pub(crate) async fn submit(
        &self,
        flink: &Flink,
        kafka: &Kafka,
        redis: &Redis,
    ) -> Result<String> {
        ensure!(flink.release() == RELEASE, "the connector is for {RELEASE:?}");
        let jar = jar(flink.version(), "kafka/GameConsume.java", &CONNECTOR, MAIN).await?;
        let bytes = std::fs::read(&jar).with_context(|| format!("no {}", jar.display()))?;
        let jar_id = flink.rest().upload_jar("game.jar", &bytes).await?;
        let redis = redis.address();
        let redis_port = redis.rsplit(':').next().context("no port")?;
        let bootstrap = kafka.bootstrap();
        let folder = self.control.folder().display().to_string();
        let args = [
            ["--name", self.name.as_str()],
            ["--bootstrap", &bootstrap],
            ["--topic", &self.topic],
            ["--group", &self.group],
            ["--redis", redis_port],
            ["--control", &folder],
        ];
        let request = json!({
            "entryClass": MAIN,
            "parallelism": 1,
            "programArgsList": args.concat(),
        });
        let answer = flink.rest().post(&format!("/jars/{jar_id}/run"), &request).await?;
        Ok(answer["jobid"].as_str().context("run without a job id")?.to_owned())
    }
}

/// A job with its connectors inside, compiled on first use.
///
/// # Errors
/// When a tool is missing, the download fails or it does not compile.
pub(super) async fn jar(
    version: &str,
    source: &str,
    connectors: &Jars,
    main_class: &str,
) -> Result<PathBuf> {
    tools::require(&["javac", "jar"])?;
    let sources = [source, "jobs/Control.java"].map(cache::source_file).to_vec();
    let connector = connectors.folder().await?;
    let lib = download::flink_lib(version).await?;
    let mut all = connector.display().to_string().into_bytes();
    for source in &sources {
        all.extend(std::fs::read(source).with_context(|| format!("no {}", source.display()))?);
    }
    let name = format!("game-{version}-{}", python::short_hash(&all));
    let place = cache::root().join("jobs").join(&name);
    let jar = place.join("game.jar");
    let _lock = cache::lock(&format!("job-{name}")).await?;
    if jar.is_file() {
        return Ok(jar);
    }
    let building = cache::root().join("jobs").join(format!("{name}.partial"));
    cache::remove_dir(&building)?;
    let classes = building.join("classes");
    // Flink puts the jars in this folder of a job's jar on the job's class path.
    let inside = classes.join("lib");
    cache::create_dir(&inside)?;
    for entry in std::fs::read_dir(&connector)? {
        let entry = entry?;
        std::fs::copy(entry.path(), inside.join(entry.file_name()))?;
    }
    let class_path = format!("{}/*:{}/*", lib.display(), connector.display());
    job::compile(&class_path, &sources, &classes).await?;
    let made = building.join("game.jar").display().to_string();
    let classes_arg = classes.display().to_string();
    tools::run("jar", &["cfe", &made, main_class, "-C", &classes_arg, "."]).await?;
    cache::remove_dir(&classes)?;
    cache::publish(&building, &place)?;
    Ok(jar)
}
