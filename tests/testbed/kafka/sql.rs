//! Real jobs in Flink SQL that read a topic of Kafka's and write into `MariaDB`, without checkpoints.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::super::control::Control;
use super::super::flink::Flink;
use super::super::mariadb::MariaDb;
use super::super::maven::Jars;
use super::Kafka;
use super::job::{self, RELEASE};

/// Flink's connectors, Kafka's client, and the driver by which Flink speaks to `MySQL` and `MariaDB`.
const CONNECTORS: Jars = Jars {
    name: "flink-sql-connectors",
    megabytes: 9,
    list: "
        0deab094f7f54df9e8cb7c77c15b4392e1f9923f98f8972b4346f6ff384bf5e6  \
        org.apache.flink:flink-connector-kafka:3.4.0-1.20
        48f38dede69bf2ed3709e270afb6b72fac869651fc258997727dba350333ac64  \
        org.apache.kafka:kafka-clients:3.4.0
        50d243cf0e1aac67c2c81c9fb2e9b32bb7d7124b9594df009efa8122e3df1c75  \
        org.apache.flink:flink-connector-jdbc:3.3.0-1.20
        d77962877d010777cff997015da90ee689f0f4bb76848340e1488f2b83332af5  \
        com.mysql:mysql-connector-j:8.4.0
    ",
};

const MAIN: &str = "com.example.game.SqlJob";
/// The database its tables are in; user and password of the jobs.
pub(crate) const DATABASE: &str = "game";
const USER: &str = "flink";
const PASSWORD: &str = "p4ss";

/// One submission.
#[derive(Debug, Clone)]
pub(crate) struct SqlJob {
    pub(crate) name: String,
    pub(crate) topic: String,
    pub(crate) group: String,
    pub(crate) control: Control,
    /// Columns of the table in `MariaDB`, as Flink writes them; the first is its key.
    pub(crate) columns: &'static str,
    /// The table in `MariaDB`.
    pub(crate) table: &'static str,
    /// What is inserted: a query over `consume (game, player, amount)`.
    pub(crate) query: &'static str,
}

/// Makes the database, and the user the jobs write as.
///
/// # Errors
/// When the server refuses.
pub(crate) async fn prepare(server: &MariaDb) -> Result<()> {
    let statements = format!(
        "CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4;
         CREATE USER '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';
         GRANT ALL ON {DATABASE}.* TO '{USER}'@'%';"
    );
    server.sql("", &statements).await?;
    Ok(())
}

impl SqlJob {
    /// Submits it and returns its id; submitted is not running.
    ///
    /// # Errors
    /// When it does not compile or Flink refuses it.
    pub(crate) async fn submit(
        &self,
        flink: &Flink,
        kafka: &Kafka,
        server: &MariaDb,
    ) -> Result<String> {
        ensure!(flink.release() == RELEASE, "the connectors are for {RELEASE:?}");
        let jar = job::jar(flink.version(), "kafka/SqlJob.java", &CONNECTORS, MAIN).await?;
        let bytes = std::fs::read(&jar).with_context(|| format!("no {}", jar.display()))?;
        let jar_id = flink.rest().upload_jar("sql.jar", &bytes).await?;
        let folder = self.control.folder().display().to_string();
        let sql = self.statements(kafka, server);
        let args = [["--name", self.name.as_str()], ["--control", &folder], ["--sql", &sql]];
        let request =
            json!({ "entryClass": MAIN, "parallelism": 1, "programArgsList": args.concat() });
        let answer = flink.rest().post(&format!("/jars/{jar_id}/run"), &request).await?;
        Ok(answer["jobid"].as_str().context("run without a job id")?.to_owned())
    }

    fn statements(&self, kafka: &Kafka, server: &MariaDb) -> String {
        let Self { topic, group, columns, table, query, .. } = self;
        let (bootstrap, port) = (kafka.bootstrap(), server.port());
        let key = columns.split_whitespace().next().unwrap_or_default();
        format!(
            "CREATE TABLE consume (game STRING, player STRING, amount BIGINT) WITH (
               'connector' = 'kafka', 'topic' = '{topic}', 'format' = 'json',
               'properties.bootstrap.servers' = '{bootstrap}',
               'properties.group.id' = '{group}',
               -- What it says is pending is as old as its last fetch.
               'properties.max.poll.records' = '50',
               'scan.startup.mode' = 'earliest-offset');
             CREATE TABLE sums ({columns}, PRIMARY KEY ({key}) NOT ENFORCED) WITH (
               'connector' = 'jdbc', 'table-name' = '{table}',
               'url' = 'jdbc:mysql://127.0.0.1:{port}/{DATABASE}?useSSL=false',
               'username' = '{USER}', 'password' = '{PASSWORD}',
               'sink.buffer-flush.interval' = '200ms');
             INSERT INTO sums {query}"
        )
    }
}
