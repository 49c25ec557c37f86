//! Two jobs in Flink SQL read one topic under one consumer group and write into `MariaDB`: one is
//! slowed and then stands still, and Weir tells it from the other, by the jobs' own metrics.
//!
//! Downloads 60 MB: a part of `make e2e`, not of `make test`.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::bad_cli::ask;
use crate::testbed::control::Control;
use crate::testbed::flink::{Flink, FlinkOptions};
use crate::testbed::kafka::Kafka;
use crate::testbed::kafka::sql::{self, DATABASE, SqlJob};
use crate::testbed::mariadb::MariaDb;
use crate::testbed::story::{self, SOON};
use crate::testbed::table::Rows;
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;
use crate::testbed::{time, tools};

const TOPIC: &str = "game_consume_log";
/// The release the connectors of the test bed are for.
const FLINK: &str = "1.20.5";
const RECHARGE: &str = "game-recharge-sum";
const VIEWS: &str = "game-pv-uv";
/// Records, at first and in all; each is 5, from one of so many players.
const FIRST: u64 = 1_000;
const ALL: u64 = 31_000;
const PLAYERS: u64 = 100;

/// The shipped conditions with waits that a test outlives.
const RULES: &str = "
groups:
  - name: game
    rules:
      - alert: JobFallingBehind
        when: { lag: { above: 5000 } }
        labels: { severity: warning }
      - alert: ConsumerStuck
        when: { consumer_stuck: { states: [stop, stall], window: 2m, allowed_lag: 1000 } }
        aspect: stuck
        labels: { severity: critical }
      - alert: CheckpointsStalled
        when: { checkpoint_age: { above: 20s } }
        labels: { severity: warning }
      - alert: CheckpointingDisabled
        when: { checkpointing_disabled: {} }
        for: 5s
        labels: { severity: info }
";

fn records(from: u64, to: u64) -> Vec<String> {
    let one = |n: u64| format!(r#"{{"game":"ro","player":"p{}","amount":5}}"#, n % PLAYERS);
    (from..to).map(one).collect()
}

async fn results(server: &MariaDb) -> Result<(String, String)> {
    let sum = server.sql(DATABASE, "SELECT total FROM recharge_sum WHERE game = 'ro'").await?;
    Ok((sum, server.sql(DATABASE, "SELECT pv, uv FROM pv_uv WHERE game = 'ro'").await?))
}

async fn wait_for_views(server: &MariaDb, count: u64) -> Result<()> {
    let wanted = format!("{count}\t{PLAYERS}");
    time::wait_for("page views and players", 2 * SOON, || async {
        Ok((results(server).await?.1 == wanted).then_some(()))
    })
    .await
}

async fn wait_for_sum(server: &MariaDb, count: u64) -> Result<()> {
    let wanted = (5 * count).to_string();
    time::wait_for("sum of all records", 2 * SOON, || async {
        Ok((results(server).await?.0 == wanted).then_some(()))
    })
    .await
}

fn named<'a>(all: &'a [Value], name: &str) -> Result<&'a Value> {
    all.iter().find(|job| job["name"] == name).with_context(|| format!("no job {name}"))
}

/// Rules of incidents by job, sorted.
fn rules_of(incidents: &[Value]) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut all: Vec<_> = incidents
        .iter()
        .map(|incident| (text(&incident["labels"]["job_name"]), text(&incident["rule"])))
        .collect();
    all.sort();
    all
}

fn jobs(flink: &Flink) -> Result<[SqlJob; 2]> {
    let control = |name: &str| Control::new(&flink.dir().join("control").join(name));
    let job = |name: &str, columns, table, query| -> Result<SqlJob> {
        Ok(SqlJob {
            name: name.to_owned(),
            topic: TOPIC.to_owned(),
            group: "gamegroup".to_owned(),
            control: control(name)?,
            columns,
            table,
            query,
        })
    };
    let sum = "SELECT game, SUM(PACED(amount)) FROM consume GROUP BY game";
    let views = "SELECT game, COUNT(*), COUNT(DISTINCT player) FROM consume GROUP BY game";
    Ok([
        job(RECHARGE, "game STRING, total BIGINT", "recharge_sum", sum)?,
        job(VIEWS, "game STRING, pv BIGINT, uv BIGINT", "pv_uv", views)?,
    ])
}

#[tokio::test]
#[ignore = "make e2e: downloads Kafka and MariaDB, takes minutes"]
async fn sql_jobs_of_one_group_are_told_apart_by_their_own_lag() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let kafka = Kafka::start().await?;
    let server = MariaDb::start().await?;
    sql::prepare(&server).await?;
    let tables = "CREATE TABLE recharge_sum (game VARCHAR(64) PRIMARY KEY, total BIGINT);
        CREATE TABLE pv_uv (game VARCHAR(64) PRIMARY KEY, pv BIGINT, uv BIGINT)";
    server.sql(DATABASE, tables).await?;
    kafka.create_topic(TOPIC, 3).await?;
    kafka.produce(TOPIC, &records(0, FIRST)).await?;
    let flink = Flink::start(FlinkOptions::version(FLINK)).await?;
    let [recharge, views] = jobs(&flink)?;
    for job in [&recharge, &views] {
        let id = job.submit(&flink, &kafka, &server).await?;
        flink.rest().wait_until_healthy(&id, SOON).await?;
    }
    wait_for_sum(&server, FIRST).await?;
    wait_for_views(&server, FIRST).await?;

    let hook = Webhook::start(WebhookOptions::default()).await?;
    std::fs::write(dir.path().join("rules.yaml"), RULES)?;
    let config = format!(
        r#"
poll: {{ interval: 1s, timeout: 5s }}
rule_files: ["rules.yaml"]
sources:
  - flink: {{ name: prod, urls: {:?} }}
incidents: {{ resolve_after: 15s }}
route: {{ receiver: team, group_by: [job_name], group_wait: 0s, group_interval: 1s }}
receivers:
  - name: team
    channels:
      - webhook: {{ url: "{}" }}
"#,
        flink.rest_urls(),
        hook.url()
    );
    let started = time::now_ms();
    let weir = Weir::start(crate::binary(), dir.path(), &config).await?;
    story::ready(&weir).await?;
    story::until(&weir, "both jobs without lag", "jobs", |jobs| {
        jobs.len() == 2 && jobs.iter().all(|job| job["lag_records"] == 0.0)
    })
    .await?;

    // Twenty a second leave the source of one with a backlog that hardly shrinks.
    let slow_ms = time::now_ms();
    recharge.control.slow_sink(Duration::from_millis(50))?;
    kafka.produce(TOPIC, &records(FIRST, ALL)).await?;
    let told = hook.wait_for(|r| r.raw.contains("JobFallingBehind"), 2 * SOON).await;
    ensure!(told.is_some(), "nobody was told\n{}", weir.log_tail());
    wait_for_views(&server, ALL).await?;
    let lag_is = |jobs: &[Value], name: &str, wanted: fn(f64) -> bool| {
        named(jobs, name).is_ok_and(|job| job["lag_records"].as_f64().is_some_and(wanted))
    };
    let seen = story::until(&weir, "lag of one and not of the other", "jobs", |jobs| {
        lag_is(jobs, RECHARGE, |lag| lag > 5_000.0) && lag_is(jobs, VIEWS, |lag| lag == 0.0)
    })
    .await?;
    tools::note(&format!(
        "one group, two jobs: lag {} and {}",
        named(&seen, RECHARGE)?["lag_records"],
        named(&seen, VIEWS)?["lag_records"]
    ));

    let stuck_ms = time::now_ms();
    recharge.control.slow_sink(Duration::from_hours(1))?;
    let told = hook.wait_for(|r| r.raw.contains("ConsumerStuck"), 4 * SOON).await;
    ensure!(told.is_some(), "nobody was told\n{}", weir.log_tail());

    // What takes no checkpoints is overdue with none, and that is said once.
    let started_explain = time::now();
    let words = ["explain", RECHARGE, "CheckpointsStalled", "--all"];
    let (code, explained, err) = ask(dir.path(), &words).await?;
    let explain_took = time::since(started_explain);
    tools::note(&explained);
    ensure!(code == 0 && explained.contains("n/a"), "{code}: {explained}{err}");
    let job = named(&story::list(&weir, "jobs").await?, RECHARGE)?.clone();
    ensure!(job["state"] == "RUNNING" && job["last_checkpoint"].is_null(), "{job:#}");

    recharge.control.slow_sink(Duration::ZERO)?;
    let healed = time::now();
    let mut produced = ALL;
    loop {
        let open = story::list(&weir, "incidents?state=open").await?;
        if open.iter().all(|incident| incident["rule"] == "CheckpointingDisabled") {
            break;
        }
        ensure!(time::since(healed) < 10 * SOON, "{open:#?}\n{}", weir.log_tail());
        // The input goes on, as it would.
        kafka.produce(TOPIC, &records(produced, produced + 1)).await?;
        produced += 1;
        story::after_polls(&weir, 5).await?;
    }
    wait_for_sum(&server, produced).await?;
    wait_for_views(&server, produced).await?;
    let over =
        hook.wait_for(|r| story::told(r).iter().any(|told| told.1 == "resolved"), SOON).await;
    ensure!(over.is_some(), "the end was not told\n{}", weir.log_tail());

    let all = rules_of(&story::list(&weir, "incidents").await?);
    let of = |job: &str, rule: &str| (job.to_owned(), rule.to_owned());
    let expected = [
        of(VIEWS, "CheckpointingDisabled"),
        of(RECHARGE, "CheckpointingDisabled"),
        of(RECHARGE, "ConsumerStuck"),
        of(RECHARGE, "JobFallingBehind"),
    ];
    ensure!(all == expected, "{all:#?}");
    let version = format!("{}, {FLINK}", kafka.version()?);
    let mut rows = Rows::of("Kafka, Flink SQL and MariaDB", &version);
    let what = "one of two SQL jobs of one group takes 20 records a second";
    story::record(&mut rows, what, &hook, ("JobFallingBehind", false), slow_ms).await?;
    let what = "that job reads nothing any more";
    story::record(&mut rows, what, &hook, ("ConsumerStuck", false), stuck_ms).await?;
    let what = "both jobs take no checkpoints";
    story::record(&mut rows, what, &hook, ("CheckpointingDisabled", false), started).await?;
    rows.add("weir explain of checkpoint_age for such a job", explained.trim(), explain_took);
    weir.stop().await?;
    flink.stop().await?;
    kafka.stop().await?;
    rows.write()
}
