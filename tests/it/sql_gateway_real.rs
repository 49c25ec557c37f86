//! The driver `sql_gateway` with a real gateway and a real Flink: a job in SQL is restarted from its last
//! checkpoint, once, and what the gateway says of mistakes is understood.
//!
//! Starts three JVMs a release: a part of `make e2e`, not of `make test`.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use axum::{Json, Router};
use serde_json::{Value, json};
use weir::actions::drivers::{Driver, DriverConfig, FlinkAccess, Parts};
use weir::http::HttpConfig;
use weir::model::JobKey;
use weir::model::{LookedUp, Order, Started};

use crate::testbed::flink::{Flink, FlinkOptions};
use crate::testbed::net::Served;
use crate::testbed::sql_gateway::{RELEASES, SqlGateway};
use crate::testbed::story::SOON;
use crate::testbed::{time, tools};

/// Two sinks, so that it has to be a statement set.
const SCRIPT: &str = "
    -- players; and what they spend
    CREATE TABLE spent (player INT, amount INT) WITH (
      'connector' = 'datagen', 'rows-per-second' = '20', 'fields.player.min' = '1', 'fields.player.max' = '9');
    CREATE TABLE sums (player INT, total BIGINT) WITH ('connector' = 'blackhole');
    CREATE TABLE counts (player INT, n BIGINT) WITH ('connector' = 'blackhole');
    SET 'table.exec.state.ttl' = '1 h';
    EXECUTE STATEMENT SET BEGIN
      INSERT INTO sums SELECT player, SUM(CASE WHEN amount > 0 THEN amount ELSE 0 END) FROM spent GROUP BY player;
      INSERT INTO counts SELECT player, COUNT(*) FROM spent /*+ OPTIONS('rows-per-second' = '10') */ GROUP BY player;
    END;
";

fn order(restart: u64, dead: Option<String>, from: Option<String>) -> Order {
    Order {
        restart,
        handle: format!("{:032x}", 0xabcd_0000 + restart),
        job: JobKey::new("prod", "", "", "spending"),
        job_name: "spending".to_owned(),
        flink_job_name: "spending".to_owned(),
        cluster: "prod".to_owned(),
        namespace: String::new(),
        flink_cluster: "prod".to_owned(),
        labels: weir::model::Labels::default(),
        dead,
        from,
        version: None,
        inventory: None,
        may_cancel: true,
    }
}

fn driver(
    flink: &Flink,
    urls: Vec<String>,
    gateway: &str,
    script: &str,
) -> Result<Arc<dyn Driver>> {
    let file = flink.dir().join("job.sql");
    std::fs::write(&file, script)?;
    let text = format!(
        "sql_gateway: {{ url: '{gateway}', file: '{}', properties: {{ execution.checkpointing.interval: \
         1s, execution.checkpointing.externalized-checkpoint-retention: RETAIN_ON_CANCELLATION }} }}",
        file.display()
    );
    let mut parts = Parts::default();
    let access = FlinkAccess { urls, http: HttpConfig::default() };
    parts.flink.insert("prod".to_owned(), access);
    Ok(serde_saphyr::from_str::<DriverConfig>(&text)?.build(&parts)?)
}

async fn all_jobs(flink: &Flink) -> Result<Vec<Value>> {
    let overview = flink.rest().get("/jobs/overview").await?;
    Ok(overview["jobs"].as_array().cloned().unwrap_or_default())
}

async fn on(release: &str) -> Result<()> {
    let flink = Flink::start(FlinkOptions::version(release)).await?;
    let gateway = SqlGateway::start(&flink).await?;
    let driver = driver(&flink, flink.rest_urls(), gateway.url(), SCRIPT)?;

    let found = driver.examine(&[]).await;
    let well = found[0].as_ref().map_err(|wrong| anyhow::anyhow!("{wrong}"))?;
    ensure!(well.contains(&format!("SQL Gateway of Flink {release} answers")), "{well}");
    ensure!(found[1].as_deref() == Ok("its script can be read (5 statements)"), "{found:?}");

    let first = order(1, None, None);
    ensure!(driver.look_up(&first).await == LookedUp::Absent);
    let run = Some(first.handle.clone());
    let started = driver.start(&first).await;
    ensure!(started == Started::Accepted { job_id: run.clone() }, "{started:?}");
    flink.rest().wait_until_healthy(&first.handle, SOON).await?;
    ensure!(driver.look_up(&first).await == LookedUp::Found { job_id: run.clone() });
    ensure!(driver.start(&first).await == Started::Accepted { job_id: run });
    let second = order(2, Some(first.handle.clone()), None);
    let alive = driver.start(&second).await;
    ensure!(matches!(alive, Started::Alive { .. }), "{alive:?}");
    let jobs = all_jobs(&flink).await?;
    ensure!(jobs.len() == 1 && jobs[0]["name"] == "spending", "{jobs:#?}");

    // A cluster where the job is not, while the gateway submits to the one where it is.
    let router = Router::new().fallback(|| async { Json(json!({ "jobs": [] })) });
    let empty = Served::start(router).await?;
    let elsewhere = vec![format!("http://{}", empty.addr())];
    let elsewhere = self::driver(&flink, elsewhere, gateway.url(), SCRIPT)?;
    let alive = elsewhere.start(&second).await;
    ensure!(matches!(&alive, Started::Alive { seen } if seen.contains("RUNNING")), "{alive:?}");
    let other =
        Order { flink_job_name: "x".to_owned(), job_name: "x".to_owned(), ..second.clone() };
    let other = Order { dead: None, ..other };
    let Started::Refused { error, .. } = elsewhere.start(&other).await else {
        bail!("another cluster");
    };
    ensure!(error.contains("submits to another cluster"), "{error}");
    ensure!(all_jobs(&flink).await?.len() == 1, "it was started twice");

    let path = format!("/jobs/{}/checkpoints", first.handle);
    let newest = || async {
        let answer = flink.rest().get(&path).await?;
        Ok(answer["latest"]["completed"]["external_path"].as_str().map(str::to_owned))
    };
    time::wait_for("a checkpoint", SOON, newest).await?;
    driver.cancel(&first, &first.handle).await.map_err(anyhow::Error::msg)?;
    flink.rest().wait_for_state(&first.handle, &["CANCELED"], SOON).await?;
    let from = newest().await?.context("no checkpoint")?;
    let second = Order { from: Some(from.clone()), ..second };
    let run = Some(second.handle.clone());
    let started = driver.start(&second).await;
    ensure!(started == Started::Accepted { job_id: run }, "{started:?}");
    flink.rest().wait_until_healthy(&second.handle, SOON).await?;
    let checkpoints = flink.rest().get(&format!("/jobs/{}/checkpoints", second.handle)).await?;
    let restored = &checkpoints["latest"]["restored"]["external_path"];
    ensure!(*restored == *from, "restored from {restored}");
    driver.cancel(&second, &second.handle).await.map_err(anyhow::Error::msg)?;
    flink.rest().wait_for_state(&second.handle, &["CANCELED"], SOON).await?;

    // A path where nothing is, and a statement that is wrong.
    let nowhere = order(3, Some(second.handle.clone()), Some(format!("{from}000")));
    let Started::Refused { error, unreadable: true } = driver.start(&nowhere).await else {
        bail!("there is nothing to read");
    };
    ensure!(error.contains("Cannot find checkpoint or savepoint"), "{error}");
    tools::note(&format!("{release}: {error}"));
    let wrong = "INSERT INTO nowhere SELECT 1";
    let wrong = self::driver(&flink, flink.rest_urls(), gateway.url(), wrong)?;
    let Started::Refused { error, unreadable: false } = wrong.start(&order(4, None, None)).await
    else {
        bail!("there is no such table");
    };
    ensure!(error.contains("Cannot find table"), "{error}");
    tools::note(&format!("{release}: {error}"));
    gateway.kill9().await?;
    let Started::Refused { error, .. } = driver.start(&order(5, None, Some(from))).await else {
        bail!("nobody could start it");
    };
    ensure!(error.contains("the SQL Gateway: cannot connect"), "{error}");
    let live = |job: &&Value| job["state"] == "RUNNING";
    ensure!(all_jobs(&flink).await?.iter().filter(live).count() == 0);
    flink.stop().await
}

#[tokio::test]
#[ignore = "make e2e: starts a Flink and its SQL Gateway"]
async fn a_job_in_sql_is_restarted_from_its_checkpoint_on_1_17() -> Result<()> {
    on(RELEASES[0]).await
}

#[tokio::test]
#[ignore = "make e2e: starts a Flink and its SQL Gateway"]
async fn a_job_in_sql_is_restarted_from_its_checkpoint_on_2_2() -> Result<()> {
    on(RELEASES[1]).await
}
