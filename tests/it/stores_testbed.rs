//! The test bed's databases do what other tests rely on.
//!
//! Debian's packages, up to 32 MB: a part of `make e2e`, not of `make test`.

use anyhow::{Result, ensure};

use crate::testbed::mariadb::MariaDb;
use crate::testbed::postgres::Postgres;
use crate::testbed::redis::Redis;

/// `release` is a reserved word of one of them; the name wants more than ASCII.
const ROW: &str = "INSERT INTO t_flink_app (id, job_name) VALUES (7, '订单'), (8, NULL)";
const ROWS: &str = "SELECT id, COALESCE(job_name, '-') FROM t_flink_app ORDER BY id";

#[tokio::test]
#[ignore = "make e2e: downloads MariaDB"]
async fn mariadb_keeps_its_rows() -> Result<()> {
    let mut server = MariaDb::start().await?;
    server.sql("", "CREATE DATABASE streampark CHARACTER SET utf8mb4").await?;
    let table = "CREATE TABLE t_flink_app (id BIGINT PRIMARY KEY, job_name VARCHAR(255), \
                 `release` TINYINT)";
    server.sql("streampark", table).await?;
    server.sql("streampark", ROW).await?;
    assert_eq!(server.sql("streampark", ROWS).await?, "7\t订单\n8\t-");
    server.kill9().await?;
    server.start_again().await?;
    assert_eq!(server.sql("streampark", ROWS).await?, "7\t订单\n8\t-");
    let error = server.sql("streampark", "SELECT * FROM nowhere").await.err();
    let error = error.map(|error| format!("{error:#}")).unwrap_or_default();
    ensure!(error.contains("nowhere"), "{error}");
    // A user of the network, not of the machine.
    let tcp = tokio::net::TcpStream::connect(("127.0.0.1", server.port())).await;
    ensure!(tcp.is_ok(), "{tcp:?}");
    Ok(())
}

#[tokio::test]
#[ignore = "make e2e: downloads PostgreSQL"]
async fn postgres_keeps_its_rows() -> Result<()> {
    let mut server = Postgres::start().await?;
    server.sql("postgres", "CREATE DATABASE streampark").await?;
    let table = "CREATE TABLE t_flink_app (id int8 PRIMARY KEY, job_name varchar(255))";
    server.sql("streampark", table).await?;
    server.sql("streampark", ROW).await?;
    assert_eq!(server.sql("streampark", ROWS).await?, "7\t订单\n8\t-");
    server.kill9().await?;
    server.start_again().await?;
    assert_eq!(server.sql("streampark", ROWS).await?, "7\t订单\n8\t-");
    let error = server.sql("streampark", "SELECT * FROM nowhere").await.err();
    let error = error.map(|error| format!("{error:#}")).unwrap_or_default();
    ensure!(error.contains("nowhere"), "{error}");
    ensure!(server.port() > 0);
    Ok(())
}

#[tokio::test]
#[ignore = "make e2e: downloads Redis"]
async fn redis_answers() -> Result<()> {
    let server = Redis::start().await?;
    server.command(&["SET", "sum", "42"]).await?;
    assert_eq!(server.command(&["GET", "sum"]).await?, "42");
    ensure!(server.command(&["NO-SUCH-COMMAND"]).await.is_err(), "an error is an error");
    ensure!(server.address().starts_with("127.0.0.1:"));
    server.kill9().await
}
