//! Inventories in real databases, with the documented schema of each version and exactly the rights
//! that the documentation says.
//!
//! Debian's packages: a part of `make e2e`, not of `make test`.

use std::future::Future;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use weir::model::{
    Completeness, Demand, DeployMode, InventoryCheckpoint, InventoryEntry, Says, Snapshot, Time,
};
use weir::sources::Source as _;
use weir::sources::inventory::{
    Dialect, Draft, Import, InventoryConfig, InventorySource, Kind, grant, read_for_import,
};

use crate::testbed::mariadb::MariaDb;
use crate::testbed::postgres::Postgres;
use crate::testbed::table::Rows;
use crate::testbed::time;

mod recorded;

const TIMEOUT: Duration = Duration::from_secs(10);
const APP: &str = "application_1700000000000_0042";

/// A schema as the test bed has it.
macro_rules! ddl {
    ($name:literal) => {
        include_str!(concat!("../testbed/inventory/", $name, ".sql"))
    };
}

/// Version, its schema in MariaDB and in PostgreSQL.
const STREAMPARK: [(&str, &str, &str); 3] = [
    ("2.1.2", ddl!("streampark-2.1.2.mysql"), ddl!("streampark-2.1.2.postgres")),
    ("2.1.7", ddl!("streampark-2.1.7.mysql"), ddl!("streampark-2.1.7.postgres")),
    ("2.2", ddl!("streampark-2.2.mysql"), ddl!("streampark-2.2.postgres")),
];

/// Rows in the columns a version has; `yes` and `no` are how the database writes flags.
fn rows(version: &str, [yes, no]: [&str; 2]) -> String {
    let (mode, application) = match version {
        "2.1.2" => ("execution_mode", "app_id"),
        "2.1.7" => ("execution_mode", "cluster_id"),
        _ => ("deploy_mode", "cluster_id"),
    };
    let log = if version == "2.2" { "t_app_log" } else { "t_flink_log" };
    format!(
        "INSERT INTO t_team (id, team_name) VALUES (1, 'ads');
         INSERT INTO t_user (user_id, username, nick_name, password, email)
           VALUES (7, 'duyao', '杜瑶', 'never read', 'duyao@example.com');
         INSERT INTO t_alert_config (id, alert_name, alert_type, lark_params, email_params)
           VALUES (3, 'ops', 17, '{{\"token\":\"tok\",\"secretEnable\":false}}',
                   '{{\"contacts\":\"a@x.com\"}}');
         INSERT INTO t_setting (setting_key, setting_value) VALUES
           ('alert.email.host', 'smtp.x.com'), ('alert.email.port', '465'),
           ('alert.email.userName', 'ops@x.com'), ('alert.email.from', 'ops@x.com'),
           ('alert.email.ssl', 'true'), ('docker.register.password', 'never read');
         INSERT INTO t_flink_app
           (id, job_name, {mode}, state, {application}, team_id, user_id, alert_id, tags, restart_size)
           VALUES (100001, 'orders', 4, 5, '{APP}', 1, 7, 3, 'cn,critical', 3);
         INSERT INTO t_flink_app (id, team_id, job_name, {mode}, state, k8s_namespace, option_state)
           VALUES (100002, 1, '订单', 6, 13, 'flink', 0);
         INSERT INTO t_flink_app (id, team_id) VALUES (100003, 0);
         INSERT INTO {log} (id, app_id, success, exception, option_name) VALUES
           (1, 100002, {yes}, NULL, 1),
           (2, 100002, {no}, 'java.lang.RuntimeException: x\nCaused by: java.io.IOException: no jar', 1),
           (3, 100002, {yes}, NULL, 3);
         INSERT INTO t_flink_savepoint (id, app_id, chk_id, type, path, latest, trigger_time) VALUES
           (1, 100001, 41, 1, 'hdfs://nn/ck/ab/chk-41', {no}, '2026-11-22 10:00:00'),
           (2, 100001, NULL, 2, 'hdfs://nn/sp/savepoint-ab', {yes}, '2026-11-22 10:00:05'),
           (3, 100009, 7, 1, 'hdfs://nn/ck/cd/chk-7', {yes}, '2026-11-22 10:00:06');"
    )
}

fn config(url: &str) -> Result<InventoryConfig> {
    Ok(serde_json::from_value(json!({ "name": "sp", "database_url": url }))?)
}

async fn look(kind: Kind, url: &str) -> Result<Snapshot> {
    let mut source = InventorySource::new(kind, config(url)?, TIMEOUT, "t")?;
    Ok(source.poll(&Demand::default(), Time::at(0)).await)
}

async fn error(url: &str) -> Result<String> {
    match look(Kind::Streampark, url).await?.completeness {
        Completeness::Failed { error, .. } => Ok(error),
        other => anyhow::bail!("{other:?}"),
    }
}

fn check(version: &str, seen: &Snapshot) -> Result<()> {
    ensure!(seen.completeness == Completeness::Complete, "{version}: {:?}", seen.completeness);
    let [orders, lost, bare] = seen.inventory.as_slice() else {
        anyhow::bail!("{version}: {:?}", seen.inventory)
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        *orders,
        InventoryEntry {
            id: "100001".to_owned(),
            name: "orders".to_owned(),
            application_id: text(APP),
            mode: DeployMode::YarnApplication,
            says: Says::Runs,
            state: "RUNNING".to_owned(),
            owner: text("duyao"),
            owner_name: text("杜瑶"),
            owner_mail: text("duyao@example.com"),
            team: text("ads"),
            team_id: text("1"),
            tags: text("cn,critical"),
            alert_id: text("3"),
            own_restarts: 3,
            ..InventoryEntry::default()
        },
        "{version}"
    );
    assert_eq!((lost.name.as_str(), lost.says), ("订单", Says::Lost), "{version}");
    assert_eq!(lost.cluster_id, text("订单"), "{version}: its cluster-id is its name");
    assert_eq!(lost.start_failure, text("java.io.IOException: no jar"), "{version}");
    assert_eq!(bare.id, "100003", "{version}");
    let recorded = |id, path: &str, savepoint, local_ms| InventoryCheckpoint {
        entry: "100001".to_owned(),
        id,
        path: path.to_owned(),
        savepoint,
        local_ms: Some(local_ms),
    };
    let expected = [
        recorded(None, "hdfs://nn/sp/savepoint-ab", true, 1_795_341_605_000),
        recorded(Some(41), "hdfs://nn/ck/ab/chk-41", false, 1_795_341_600_000),
    ];
    assert_eq!(seen.recorded, expected, "{version}");
    Ok(())
}

/// What the import finds with its own rights: the channel, and the mail server without the other
/// secrets that lie beside it.
fn check_import(version: &str, import: Result<Import, String>) -> Result<()> {
    let import = import.map_err(anyhow::Error::msg)?;
    let [way] = import.ways.as_slice() else { anyhow::bail!("{version}: {:?}", import.ways) };
    let [Draft::FeishuBot { .. }, Draft::Email { smtp: Some(smtp), .. }] = way.drafts.as_slice()
    else {
        anyhow::bail!("{version}: {way:?}")
    };
    ensure!(smtp.url == "smtps://ops%40x.com@smtp.x.com:465", "{version}: {}", smtp.url);
    Ok(())
}

#[tokio::test]
#[ignore = "make e2e: downloads MariaDB"]
async fn streampark_in_mariadb() -> Result<()> {
    let server = MariaDb::start().await?;
    let mut table = Rows::of("MariaDB", &server.sql("", "SELECT VERSION()").await?);
    let url = format!("mariadb://weir:p4ss@127.0.0.1:{}/streampark", server.port());
    for (version, ddl, _) in STREAMPARK {
        server.sql("", "DROP DATABASE IF EXISTS streampark").await?;
        server.sql("", "CREATE DATABASE streampark CHARACTER SET utf8mb4").await?;
        // Rights outlive the tables they are for.
        server.sql("", "CREATE OR REPLACE USER 'weir'@'%' IDENTIFIED BY 'p4ss'").await?;
        server.sql("streampark", ddl).await?;
        server.sql("streampark", &rows(version, ["1", "0"])).await?;
        let started = time::now();
        let said = error(&url).await?;
        ensure!(said.contains("--print-grant") && !said.contains("p4ss"), "{version}: {said}");
        table.add(&format!("StreamPark {version}, no rights yet"), &said, time::since(started));
        let vintage = Kind::Streampark.vintage(version).context("a version")?;
        server.sql("", &grant(Kind::Streampark, vintage, Dialect::MySql, false)).await?;
        check(version, &look(Kind::Streampark, &url).await?)?;
        // What holds secrets is for the import alone, and with its rights it reads it.
        let started = time::now();
        let import = read_for_import(Kind::Streampark, &config(&url)?, TIMEOUT).await;
        let said = import.err().unwrap_or_default();
        ensure!(said.contains("no table t_alert_config that may be read"), "{version}: {said}");
        let what = format!("StreamPark {version}, import with the rights of a look");
        table.add(&what, &said, time::since(started));
        server.sql("", &grant(Kind::Streampark, vintage, Dialect::MySql, true)).await?;
        let import = read_for_import(Kind::Streampark, &config(&url)?, TIMEOUT).await;
        check_import(version, import)?;
    }
    let wrong = url.replace("p4ss", "other");
    let said = error(&wrong).await?;
    ensure!(said.contains("1045") && said.contains("check user and password"), "{said}");
    let said = error(&url.replace("/streampark", "/elsewhere")).await?;
    ensure!(said.contains("elsewhere") || said.contains("--print-grant"), "{said}");
    let said = error(&format!("{url}?ssl-mode=REQUIRED")).await?;
    ensure!(said.contains("no TLS") && !said.contains("p4ss"), "{said}");
    table.write()
}

#[tokio::test]
#[ignore = "make e2e: downloads PostgreSQL"]
async fn streampark_in_postgres() -> Result<()> {
    let server = Postgres::start().await?;
    server.sql("postgres", "CREATE USER weir").await?;
    let url = format!("postgres://weir:p4ss@127.0.0.1:{}/streampark", server.port());
    for (version, _, ddl) in STREAMPARK {
        server.sql("postgres", "DROP DATABASE IF EXISTS streampark").await?;
        server.sql("postgres", "CREATE DATABASE streampark").await?;
        server.sql("streampark", ddl).await?;
        server.sql("streampark", &rows(version, ["true", "false"])).await?;
        let said = error(&url).await?;
        ensure!(said.contains("--print-grant"), "{version}: {said}");
        let vintage = Kind::Streampark.vintage(version).context("a version")?;
        let rights = |import| grant(Kind::Streampark, vintage, Dialect::Postgres, import);
        server.sql("streampark", &rights(false)).await?;
        check(version, &look(Kind::Streampark, &url).await?)?;
        server.sql("streampark", &rights(true)).await?;
        let import = read_for_import(Kind::Streampark, &config(&url)?, TIMEOUT).await;
        check_import(version, import)?;
    }
    let said = error(&url.replace("/streampark", "/elsewhere")).await?;
    ensure!(said.contains("3D000") && said.contains("name of the database"), "{said}");
    let said = error(&format!("{url}?sslmode=require")).await?;
    ensure!(said.contains("no TLS") && !said.contains("p4ss"), "{said}");
    Ok(())
}

/// 2.0 does not log what was tried, so that nothing is said of starts; the rest is as later.
#[tokio::test]
#[ignore = "make e2e: downloads MariaDB"]
async fn the_first_streampark_has_no_log_of_starts() -> Result<()> {
    let server = MariaDb::start().await?;
    server.sql("", "CREATE DATABASE streampark CHARACTER SET utf8mb4").await?;
    server.sql("streampark", STREAMPARK[0].1).await?;
    server.sql("streampark", &rows("2.1.2", ["1", "0"])).await?;
    server.sql("streampark", "ALTER TABLE t_flink_log DROP COLUMN option_name").await?;
    server.sql("", "CREATE USER 'weir'@'%' IDENTIFIED BY 'p4ss'").await?;
    let vintage = Kind::Streampark.vintage("2.0.0").context("a version")?;
    server.sql("", &grant(Kind::Streampark, vintage, Dialect::MySql, false)).await?;
    let url = format!("mysql://weir:p4ss@127.0.0.1:{}/streampark", server.port());
    let seen = look(Kind::Streampark, &url).await?;
    ensure!(seen.completeness == Completeness::Complete, "{:?}", seen.completeness);
    let [orders, lost, _] = seen.inventory.as_slice() else { anyhow::bail!("{seen:?}") };
    ensure!(orders.application_id.as_deref() == Some(APP) && lost.says == Says::Lost);
    ensure!(lost.start_failure.is_none(), "{lost:?}");
    Ok(())
}

/// Statements that lock the jobs, and the address of their database.
struct Locked<'s> {
    lock: &'s str,
    url: String,
    code: &'s str,
}

/// While somebody else holds the table, a look ends in its time and says that it was too slow.
async fn slow(
    table: &mut Rows,
    locked: Locked<'_>,
    holds: impl Future<Output = Result<String>>,
) -> Result<()> {
    let started = time::now();
    let config = serde_json::from_value(
        json!({ "name": "sp", "database_url": locked.url, "timeout": "1s" }),
    )?;
    let source = InventorySource::new(Kind::Streampark, config, TIMEOUT, "t")?;
    let source = tokio::sync::Mutex::new(source);
    let said = time::wait_for("a slow look", Duration::from_secs(20), || async {
        let seen = source.lock().await.poll(&Demand::default(), Time::at(0)).await;
        ensure!(seen.took_ms < 6_000, "took {} ms", seen.took_ms);
        match seen.completeness {
            Completeness::Failed { error, .. } => Ok(Some(error)),
            _ => Ok(None),
        }
    });
    let said = tokio::select! {
        said = said => said?,
        held = holds => anyhow::bail!("{} is over: {held:?}", locked.lock),
    };
    ensure!(said.contains(locked.code) && said.contains("too slow"), "{said}");
    table.add("StreamPark 2.1.7, its table is locked", &said, time::since(started));
    Ok(())
}

/// Ten thousand jobs are read whole, and a table that is locked is named.
#[tokio::test]
#[ignore = "make e2e: downloads MariaDB"]
async fn many_jobs_and_a_locked_table_in_mariadb() -> Result<()> {
    let server = MariaDb::start().await?;
    server.sql("", "CREATE DATABASE streampark CHARACTER SET utf8mb4").await?;
    server.sql("streampark", STREAMPARK[1].1).await?;
    let many = "INSERT INTO t_flink_app (id, team_id, job_name, state, execution_mode) \
                SELECT seq, 1, CONCAT('job-', seq), 5, 4 FROM seq_100001_to_110000";
    server.sql("streampark", many).await?;
    server.sql("", "CREATE USER 'weir'@'%' IDENTIFIED BY 'p4ss'").await?;
    let vintage = Kind::Streampark.vintage("2.1.7").context("a version")?;
    server.sql("", &grant(Kind::Streampark, vintage, Dialect::MySql, false)).await?;
    let url = format!("mysql://weir:p4ss@127.0.0.1:{}/streampark", server.port());
    let seen = look(Kind::Streampark, &url).await?;
    ensure!(seen.completeness == Completeness::Complete, "{:?}", seen.completeness);
    ensure!(seen.inventory.len() == 10_000 && seen.inventory[9_999].name == "job-110000");
    ensure!(seen.requests == 4, "{} requests", seen.requests);
    let lock = "LOCK TABLES t_flink_app WRITE; SELECT SLEEP(60)";
    let mut table = Rows::of("MariaDB", &server.sql("", "SELECT VERSION()").await?);
    let locked = Locked { lock, url, code: "1969" };
    slow(&mut table, locked, server.sql("streampark", lock)).await?;
    table.write()
}

#[tokio::test]
#[ignore = "make e2e: downloads PostgreSQL"]
async fn many_jobs_and_a_locked_table_in_postgres() -> Result<()> {
    let server = Postgres::start().await?;
    server.sql("postgres", "CREATE DATABASE streampark").await?;
    server.sql("streampark", STREAMPARK[1].2).await?;
    let many = "INSERT INTO t_flink_app (id, team_id, job_name, state, execution_mode) \
                SELECT n, 1, 'job-' || n, 5, 4 FROM generate_series(100001, 110000) n";
    server.sql("streampark", many).await?;
    server.sql("postgres", "CREATE USER weir").await?;
    let vintage = Kind::Streampark.vintage("2.1.7").context("a version")?;
    server.sql("streampark", &grant(Kind::Streampark, vintage, Dialect::Postgres, false)).await?;
    let url = format!("postgres://weir@127.0.0.1:{}/streampark", server.port());
    let seen = look(Kind::Streampark, &url).await?;
    ensure!(seen.completeness == Completeness::Complete, "{:?}", seen.completeness);
    ensure!(seen.inventory.len() == 10_000 && seen.inventory[9_999].name == "job-110000");
    let lock = "BEGIN; LOCK TABLE t_flink_app IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(60)";
    let version = server.sql("postgres", "SHOW server_version").await?;
    let mut table = Rows::of("PostgreSQL", version.split(' ').next().unwrap_or_default());
    let locked = Locked { lock, url, code: "57014" };
    slow(&mut table, locked, server.sql("streampark", lock)).await?;
    table.write()
}

/// Dinky, with two channels of which one is switched off, and a task that is no job.
fn dinky_rows() -> String {
    format!(
        "INSERT INTO dinky_tenant VALUES (1, 'ads');
         INSERT INTO dinky_user VALUES (7, 'duyao', '杜瑶');
         INSERT INTO dinky_cluster (id, name, type) VALUES (2, '{APP}', 'yarn-application');
         INSERT INTO dinky_job_instance (id, task_id, cluster_id, jid, status) VALUES (5, 12, 2, 'ab', 'UNKNOWN');
         INSERT INTO dinky_task
           (id, name, dialect, step, tenant_id, first_level_owner, job_instance_id, alert_group_id) VALUES
           (12, 'orders', 'FlinkSql', 2, 1, 7, 5, 3),
           (13, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
           (14, 'report', 'Doris', 2, 1, 7, NULL, 3);
         INSERT INTO dinky_alert_instance (id, name, type, params, enabled) VALUES
           (8, 'bot', 'FeiShu', '{{\"webhook\":\"https://f/hook/x\"}}', 1),
           (9, 'off', 'FeiShu', '{{\"webhook\":\"https://f/hook/y\"}}', 0);
         INSERT INTO dinky_alert_group VALUES (3, 'ops', '8,9');"
    )
}

async fn check_dinky(url: &str) -> Result<()> {
    let seen = look(Kind::Dinky, url).await?;
    let [orders, bare] = seen.inventory.as_slice() else { anyhow::bail!("{seen:?}") };
    assert_eq!((orders.application_id.as_deref(), orders.says), (Some(APP), Says::Lost));
    assert_eq!((orders.owner.as_deref(), orders.team.as_deref()), (Some("duyao"), Some("ads")));
    assert_eq!(bare.id, "13");
    let import = read_for_import(Kind::Dinky, &config(url)?, TIMEOUT).await;
    let ways = import.map_err(anyhow::Error::msg)?.ways;
    ensure!(matches!(ways.as_slice(), [way] if way.drafts.len() == 1), "{ways:?}");
    ensure!(ways[0].notes == ["channel `off` is switched off there"], "{ways:?}");
    Ok(())
}

#[tokio::test]
#[ignore = "make e2e: downloads MariaDB"]
async fn dinky_in_mariadb() -> Result<()> {
    let server = MariaDb::start().await?;
    server.sql("", "CREATE DATABASE dinky CHARACTER SET utf8mb4").await?;
    server.sql("dinky", ddl!("dinky-1.x.mysql")).await?;
    server.sql("dinky", &dinky_rows()).await?;
    server.sql("", "CREATE USER 'weir'@'%' IDENTIFIED BY 'p4ss'").await?;
    let vintage = Kind::Dinky.vintage("1.2").context("a version")?;
    server.sql("", &grant(Kind::Dinky, vintage, Dialect::MySql, true)).await?;
    check_dinky(&format!("mysql://weir:p4ss@127.0.0.1:{}/dinky", server.port())).await
}

#[tokio::test]
#[ignore = "make e2e: downloads PostgreSQL"]
async fn dinky_in_postgres() -> Result<()> {
    let server = Postgres::start().await?;
    server.sql("postgres", "CREATE DATABASE dinky").await?;
    server.sql("dinky", ddl!("dinky-1.x.postgres")).await?;
    server.sql("dinky", &dinky_rows()).await?;
    server.sql("postgres", "CREATE USER weir").await?;
    let vintage = Kind::Dinky.vintage("1.2").context("a version")?;
    server.sql("dinky", &grant(Kind::Dinky, vintage, Dialect::Postgres, true)).await?;
    check_dinky(&format!("postgres://weir@127.0.0.1:{}/dinky", server.port())).await
}
