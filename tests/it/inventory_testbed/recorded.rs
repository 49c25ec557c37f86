//! What StreamPark has recorded of checkpoints, from real databases to `weir checkpoints`.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use weir::model::{Completeness, Demand, Time};
use weir::sources::Source as _;
use weir::sources::inventory::{Dialect, InventorySource, Kind, grant};

use super::{STREAMPARK, TIMEOUT, config, rows};
use crate::bad_cli::ask;
use crate::testbed::fleet::{Fleet, FleetOptions, Version};
use crate::testbed::mariadb::MariaDb;
use crate::testbed::postgres::Postgres;
use crate::testbed::story::{self, SOON};
use crate::testbed::time;
use crate::testbed::weir::Weir;

/// A run that nobody but StreamPark saw.
const OLD: &str = "5fb8c1a2d3e4f5061728394a5b6c7d8e";

/// Two jobs of a session cluster, one with rows of a table whose clock is eight hours ahead.
fn two_jobs(fleet: &Fleet, clock: &str, [yes, no]: [&str; 2]) -> String {
    let jid = |job| fleet.jid(0, job);
    let (first, second) = (jid(0), jid(1));
    format!(
        "INSERT INTO t_team (id, team_name) VALUES (1, 'ads');
         INSERT INTO t_flink_app (id, team_id, job_name, execution_mode, state, job_id) VALUES
           (100001, 1, 'job-0', 3, 5, '{first}'), (100002, 1, 'job-1', 3, 5, '{second}');
         INSERT INTO t_flink_savepoint (id, app_id, chk_id, type, path, latest, trigger_time) VALUES
           (1, 100001, 3, 1, 'hdfs://nn/ck/{OLD}/chk-3', {no}, {clock} - INTERVAL '2' HOUR),
           (2, 100001, 4, 2, 'hdfs://nn/sp/savepoint-5fb8c1-0123456789ab', {yes},
            {clock} - INTERVAL '10' SECOND),
           (3, 100001, 5, 1, '<checkpoint-not-externally-addressable>', {no}, {clock});"
    )
}

/// The rights as a Weir had them that did not read this table.
fn without_recorded(rights: &str) -> String {
    rights.lines().filter(|line| !line.contains("t_flink_savepoint")).collect::<Vec<_>>().join("\n")
}

/// A Weir that watches both.
struct Bed {
    weir: Weir,
    dir: tempfile::TempDir,
}

impl Bed {
    async fn open(fleet: &Fleet, url: &str) -> Result<Bed> {
        let dir = tempfile::tempdir()?;
        let config = format!(
            "poll: {{ interval: 500ms, timeout: 5s }}
sources:
  - flink: {{ name: prod, urls: [\"{}\"] }}
  - streampark: {{ name: sp, database_url: \"{url}\", interval: 5s }}
receivers: [{{ name: me, channels: [console] }}]
",
            fleet.url(0)
        );
        let weir = Weir::start(crate::binary(), dir.path(), &config).await?;
        story::ready(&weir).await?;
        Ok(Bed { weir, dir })
    }

    async fn checkpoints(&self, job: &str) -> Result<Vec<Value>> {
        story::list(&self.weir, &format!("checkpoints?job={job}")).await
    }

    /// Without the right, all is seen but this, and it is said once and by the doctor.
    async fn lacks(&self) -> Result<()> {
        time::wait_for("an inventoried job", SOON, || async {
            let jobs = story::list(&self.weir, "jobs").await?;
            Ok(jobs.iter().any(|job| job["labels"]["team"] == "ads").then_some(()))
        })
        .await
        .with_context(|| self.weir.log_tail())?;
        let told = |item: &Value| item["told_by"].is_string();
        ensure!(!self.checkpoints("job-0").await?.iter().any(told));
        let log = std::fs::read_to_string(self.dir.path().join("weir.log"))?;
        let said = log.lines().filter(|line| line.contains("t_flink_savepoint may not be read"));
        ensure!(said.count() == 1, "{log}");
        let (code, out, err) = ask(self.dir.path(), &["doctor"]).await?;
        ensure!(code == 0, "{code} {out} {err}");
        ensure!(out.contains("ok      sp (streampark): 2 jobs in its tables"), "{out}");
        for words in ["t_flink_savepoint may not be read", "--print-grant"] {
            ensure!(out.contains(words), "{out}");
        }
        ensure!(!out.contains("p4ss"), "{out}");
        Ok(())
    }

    /// With it, the job's ledger has them, in its own time, and no other job's has.
    async fn knows(&self) -> Result<()> {
        let all = time::wait_for("recorded checkpoints", SOON, || async {
            let all = self.checkpoints("job-0").await?;
            let told = all.iter().filter(|item| item["told_by"] == "sp").count();
            let shown = all.iter().any(|item| item["told_by"].is_null());
            Ok((told == 2 && shown).then_some(all))
        })
        .await
        .with_context(|| self.weir.log_tail())?;
        let find = |end: &str| {
            let ends = |item: &&Value| item["path"].as_str().is_some_and(|p| p.ends_with(end));
            all.iter().find(ends).context("it is not there")
        };
        let (old, savepoint) = (find("chk-3")?, find("0123456789ab")?);
        ensure!(old["kind"] == "checkpoint" && old["id"] == 3 && old["job_id"] == OLD, "{old}");
        ensure!(savepoint["kind"] == "savepoint" && savepoint["state"] == "maybe", "{savepoint}");
        let age = |item: &Value| -> Result<i64> {
            let at: jiff::Timestamp = item["completed_at"].as_str().context("no time")?.parse()?;
            Ok((time::now_ms() - at.as_millisecond()) / 1_000)
        };
        ensure!((7_200..7_500).contains(&age(old)?), "{} s", age(old)?);
        ensure!((10..300).contains(&age(savepoint)?), "{} s", age(savepoint)?);
        let other = self.checkpoints("job-1").await?;
        ensure!(other.iter().all(|item| item["told_by"].is_null()), "{other:?}");
        let (code, out, err) = ask(self.dir.path(), &["checkpoints", "job-0"]).await?;
        ensure!(code == 0, "{code} {out} {err}");
        let line = out.lines().find(|line| line.contains("/chk-3 ")).context("not listed")?;
        ensure!(line.contains(" maybe ") && line.ends_with("(told by sp)"), "{out}");
        let (code, out, err) = ask(self.dir.path(), &["doctor"]).await?;
        ensure!(code == 0 && !out.contains("t_flink_savepoint"), "{out}{err}");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "make e2e: downloads MariaDB"]
async fn what_streampark_recorded_in_mariadb_is_in_the_ledger() -> Result<()> {
    let fleet = Fleet::start(FleetOptions::of(1, 2, Version::V1_20)).await?;
    let server = MariaDb::start().await?;
    server.sql("", "CREATE DATABASE streampark CHARACTER SET utf8mb4").await?;
    server.sql("streampark", STREAMPARK[1].1).await?;
    let clock = "UTC_TIMESTAMP() + INTERVAL 8 HOUR";
    server.sql("streampark", &two_jobs(&fleet, clock, ["1", "0"])).await?;
    server.sql("", "CREATE USER 'weir'@'%' IDENTIFIED BY 'p4ss'").await?;
    let vintage = Kind::Streampark.vintage("2.1.7").context("a version")?;
    let rights = grant(Kind::Streampark, vintage, Dialect::MySql, false);
    server.sql("", &without_recorded(&rights)).await?;
    let url = format!("mysql://weir:p4ss@127.0.0.1:{}/streampark", server.port());
    let mut bed = Bed::open(&fleet, &url).await?;
    bed.lacks().await?;
    server.sql("", &rights).await?;
    bed.weir.kill9().await?;
    bed.weir.resume().await?;
    bed.knows().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "make e2e: downloads PostgreSQL"]
async fn what_streampark_recorded_in_postgres_is_in_the_ledger() -> Result<()> {
    let fleet = Fleet::start(FleetOptions::of(1, 2, Version::V1_20)).await?;
    let server = Postgres::start().await?;
    server.sql("postgres", "CREATE DATABASE streampark").await?;
    server.sql("streampark", STREAMPARK[1].2).await?;
    let clock = "timezone('UTC', now()) + INTERVAL '8' HOUR";
    server.sql("streampark", &two_jobs(&fleet, clock, ["true", "false"])).await?;
    server.sql("postgres", "CREATE USER weir").await?;
    let vintage = Kind::Streampark.vintage("2.1.7").context("a version")?;
    let rights = grant(Kind::Streampark, vintage, Dialect::Postgres, false);
    server.sql("streampark", &without_recorded(&rights)).await?;
    let url = format!("postgres://weir@127.0.0.1:{}/streampark", server.port());
    let mut bed = Bed::open(&fleet, &url).await?;
    bed.lacks().await?;
    server.sql("streampark", &rights).await?;
    bed.weir.kill9().await?;
    bed.weir.resume().await?;
    bed.knows().await
}

/// A version to come may name a column otherwise: the jobs are seen all the same.
#[tokio::test]
#[ignore = "make e2e: downloads MariaDB"]
async fn a_table_without_a_column_costs_nothing_else() -> Result<()> {
    let server = MariaDb::start().await?;
    server.sql("", "CREATE DATABASE streampark CHARACTER SET utf8mb4").await?;
    server.sql("streampark", STREAMPARK[1].1).await?;
    server.sql("streampark", &rows("2.1.7", ["1", "0"])).await?;
    server.sql("", "CREATE USER 'weir'@'%' IDENTIFIED BY 'p4ss'").await?;
    let vintage = Kind::Streampark.vintage("2.1.7").context("a version")?;
    server.sql("", &grant(Kind::Streampark, vintage, Dialect::MySql, false)).await?;
    let url = format!("mysql://weir:p4ss@127.0.0.1:{}/streampark", server.port());
    let mut source = InventorySource::new(Kind::Streampark, config(&url)?, TIMEOUT, "t")?;
    let mut look = async |seconds: i64| {
        let seen = source.poll(&Demand::default(), Time::at(seconds * 1_000)).await;
        (seen, source.lacks().map(str::to_owned))
    };
    let (seen, lacks) = look(0).await;
    ensure!(seen.recorded.len() == 2 && lacks.is_none(), "{lacks:?} {seen:?}");
    server.sql("streampark", "ALTER TABLE t_flink_savepoint RENAME COLUMN path TO place").await?;
    // They are not read at each look.
    let (seen, lacks) = look(30).await;
    ensure!(seen.recorded.len() == 2 && lacks.is_none(), "{lacks:?}");
    let (seen, lacks) = look(150).await;
    ensure!(seen.completeness == Completeness::Complete && seen.inventory.len() == 3, "{seen:?}");
    ensure!(seen.recorded.len() == 2, "what was read before");
    let said = lacks.context("it says nothing")?;
    ensure!(said.contains("column path of t_flink_savepoint may not be read"), "{said}");
    Ok(())
}
