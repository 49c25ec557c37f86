//! The test bed's Kafka does what other tests rely on, and Weir sees how far a real job is behind.
//!
//! Downloads 50 MB: a part of `make e2e`, not of `make test`.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::testbed::control::Control;
use crate::testbed::flink::{Flink, FlinkOptions};
use crate::testbed::kafka::Kafka;
use crate::testbed::kafka::job::GameJob;
use crate::testbed::redis::Redis;
use crate::testbed::story::{self, SOON};
use crate::testbed::table::Rows;
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;
use crate::testbed::{time, tools};

const TOPIC: &str = "game_consume_log";
const JOB: &str = "game-recharge-sum";
/// Records, at first and in all.
const FIRST: u32 = 1_000;
const ALL: u32 = 91_000;
/// The release the Kafka connector of the test bed is for.
const FLINK: &str = "1.20.5";

#[tokio::test]
#[ignore = "make e2e: downloads Kafka"]
async fn kafka_keeps_what_it_was_given() -> Result<()> {
    let mut kafka = Kafka::start().await?;
    kafka.create_topic(TOPIC, 3).await?;
    let records: Vec<String> =
        (0..500).map(|number| format!("{{\"id\":{number},\"玩家\":\"甲\"}}")).collect();
    kafka.produce(TOPIC, &records).await?;
    assert_eq!(kafka.count(TOPIC).await?, 500);
    kafka.kill9().await?;
    kafka.start_again().await?;
    assert_eq!(kafka.count(TOPIC).await?, 500);
    kafka.stop().await
}

const RULES: &str = r#"
groups:
  - name: game
    rules:
      - alert: FallingBehind
        when: { lag: { above: 5000 } }
        labels: { severity: warning }
      - alert: ConsumerLag
        when:
          metric:
            scope: operator
            vertices: sources
            across: max
            id: "Source__*.KafkaSourceReader.KafkaConsumer.records-lag-max"
            above: 1000
        aspect: consumer
        labels: { severity: warning }
      - alert: ConsumerStuck
        when: { consumer_stuck: { states: [stop, stall], window: 2m, allowed_lag: 1000 } }
        aspect: stuck
        labels: { severity: critical }
      - alert: CheckpointsStalled
        when: { checkpoint_age: { above: 20s } }
        labels: { severity: warning }
"#;

/// What Flink itself says of the job's source: records pending, and the consumer's own lag.
async fn truth(flink: &Flink, job: &str) -> Result<(f64, f64)> {
    let plan = flink.rest().get(&format!("/jobs/{job}")).await?;
    let vertex = plan["vertices"][0]["id"].as_str().context("no vertex")?.to_owned();
    let base = format!("/jobs/{job}/vertices/{vertex}/subtasks/metrics");
    let ids = flink.rest().get(&base).await?;
    let find = |end: &str| -> Result<String> {
        let mut all = ids.as_array().into_iter().flatten().filter_map(|id| id["id"].as_str());
        let found = all.find(|id| id.starts_with("Source__") && id.ends_with(end));
        Ok(found.with_context(|| format!("no {end}"))?.to_owned())
    };
    let (pending, max) = (find(".pendingRecords")?, find(".KafkaConsumer.records-lag-max")?);
    let values = flink.rest().get(&format!("{base}?get={pending},{max}&agg=sum")).await?;
    let of = |id: &str| {
        let mut all = values.as_array().into_iter().flatten();
        let value = all.find(|value| value["id"] == id).and_then(|value| value["sum"].as_f64());
        value.with_context(|| format!("no {id} in {values}"))
    };
    Ok((of(&pending)?, of(&max)?))
}

async fn job_in(weir: &Weir) -> Result<Value> {
    let jobs = story::list(weir, "jobs").await?;
    jobs.into_iter().find(|job| job["name"] == JOB).context("no such job")
}

async fn sum(redis: &Redis) -> Result<u64> {
    Ok(redis.command(&["GET", "sum"]).await?.parse().unwrap_or(0))
}

#[tokio::test]
#[ignore = "make e2e: downloads Kafka and Redis, takes minutes"]
async fn a_real_job_falls_behind_and_is_seen_to() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let kafka = Kafka::start().await?;
    let redis = Redis::start().await?;
    kafka.create_topic(TOPIC, 3).await?;
    kafka.produce(TOPIC, &vec!["5".to_owned(); FIRST as usize]).await?;
    let flink = Flink::start(FlinkOptions::version(FLINK)).await?;
    let control = Control::new(&flink.dir().join("control"))?;
    let group = "gamegroup".to_owned();
    let game = GameJob { name: JOB.to_owned(), topic: TOPIC.to_owned(), group, control };
    let job = game.submit(&flink, &kafka, &redis).await?;
    flink.rest().wait_until_healthy(&job, SOON).await?;
    time::wait_for("sum of all records", SOON, || async {
        Ok((sum(&redis).await? == 5_000).then_some(()))
    })
    .await?;

    let hook = Webhook::start(WebhookOptions::default()).await?;
    std::fs::write(dir.path().join("rules.yaml"), RULES)?;
    let config = format!(
        r#"
poll: {{ interval: 1s, timeout: 5s }}
rule_files: ["rules.yaml"]
sources:
  - flink: {{ name: prod, urls: {:?} }}
incidents: {{ resolve_after: 15s }}
route: {{ receiver: team, group_by: [cluster], group_wait: 0s, group_interval: 1s }}
receivers:
  - name: team
    channels:
      - webhook: {{ url: "{}" }}
"#,
        flink.rest_urls(),
        hook.url()
    );
    let weir = Weir::start(crate::binary(), dir.path(), &config).await?;
    story::ready(&weir).await?;
    time::wait_for("no lag", SOON, || async {
        Ok((job_in(&weir).await?["lag_records"] == 0.0).then_some(()))
    })
    .await
    .with_context(|| weir.log_tail())?;

    // What Flink calls pending is the backlog of the partitions as each was fetched last: a source
    // that takes some hundreds a second fetches them all soon, and still has minutes to go.
    let slow_ms = time::now_ms();
    game.control.slow_sink(Duration::from_millis(4))?;
    kafka.produce(TOPIC, &vec!["7".to_owned(); (ALL - FIRST) as usize]).await?;
    story::until(&weir, "backlog by two ways", "incidents?state=open", |all| {
        let is = |rule: &str| all.iter().any(|incident| incident["rule"] == rule);
        is("FallingBehind") && is("ConsumerLag")
    })
    .await?;
    let (pending, max) = truth(&flink, &job).await?;
    let seen = time::wait_for("the lag that Flink reports", SOON, || async {
        let now = truth(&flink, &job).await?.0;
        let seen = job_in(&weir).await?["lag_records"].as_f64().context("no lag")?;
        // The consumer fetches 500 at a time, and Weir is a poll behind.
        Ok(((seen - now).abs() <= 1_000.0 && seen > 5_000.0).then_some(seen))
    })
    .await?;
    tools::note(&format!("pendingRecords {pending}, records-lag-max {max}, Weir says {seen}"));
    // The largest of a window of Kafka's own, so it may be above what is pending now.
    ensure!(max > 1_000.0 && max <= f64::from(ALL), "{max} of {pending}");

    // Nothing is read at all, and the metrics stand still; what was reported is not read as news.
    game.control.slow_sink(Duration::from_hours(1))?;
    let (stuck, stuck_ms) = (time::now(), time::now_ms());
    story::until_within(&weir, 4 * SOON, "stuck consumer", "incidents?state=open", |all| {
        all.iter().any(|incident| incident["rule"] == "ConsumerStuck")
    })
    .await?;
    tools::note(&format!("stuck: told after {:?}", time::since(stuck)));

    game.control.slow_sink(Duration::ZERO)?;
    let mut produced = u64::from(ALL);
    let over = loop {
        let over = story::list(&weir, "incidents").await?;
        if over.iter().all(|incident| incident["state"] == "resolved") {
            break over;
        }
        ensure!(time::since(stuck) < 10 * SOON, "{over:#?}\n{}", weir.log_tail());
        // Where nothing at all arrives any more, records-lag-max is no number: the input goes on.
        kafka.produce(TOPIC, &["7".to_owned()]).await?;
        produced += 1;
        story::after_polls(&weir, 5).await?;
    };
    let mut rules: Vec<&str> = over.iter().filter_map(|i| i["rule"].as_str()).collect();
    rules.sort_unstable();
    // No checkpoint was ever asked for, so none is overdue.
    assert_eq!(rules, ["ConsumerLag", "ConsumerStuck", "FallingBehind"]);
    let first = u64::from(FIRST);
    let all = 5 * first + 7 * (produced - first);
    time::wait_for("sum of all records", SOON, || async {
        Ok((sum(&redis).await? == all).then_some(()))
    })
    .await?;
    let heard = hook.accepted();
    let told: Vec<_> = heard.iter().flat_map(story::told).collect();
    let of = |reason: &str| told.iter().filter(|told| told.1 == reason).count();
    ensure!(of("opened") == 3 && of("resolved") == 3, "{told:?}");
    let job = job_in(&weir).await?;
    ensure!(job["state"] == "RUNNING" && job["last_checkpoint"].is_null(), "{job:#}");
    let mut rows = Rows::of("Kafka, Flink and Redis", &format!("{}, {FLINK}", kafka.version()?));
    let what = "records wait, the job takes 250 a second at most";
    story::record(&mut rows, what, &hook, ("FallingBehind", false), slow_ms).await?;
    let what = "the same by the consumer's records-lag-max";
    story::record(&mut rows, what, &hook, ("ConsumerLag", false), slow_ms).await?;
    let what = "nothing is read any more";
    story::record(&mut rows, what, &hook, ("ConsumerStuck", false), stuck_ms).await?;
    weir.stop().await?;
    flink.stop().await?;
    redis.kill9().await?;
    kafka.stop().await?;
    rows.write()
}
