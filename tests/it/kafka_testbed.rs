//! The test bed's Kafka does what other tests rely on.
//!
//! Downloads 43 MB: a part of `make e2e`, not of `make test`.

use anyhow::Result;

use crate::testbed::kafka::Kafka;

#[tokio::test]
#[ignore = "make e2e: downloads Kafka"]
async fn kafka_keeps_what_it_was_given() -> Result<()> {
    let mut kafka = Kafka::start().await?;
    kafka.create_topic("game_consume_log", 3).await?;
    let records: Vec<String> =
        (0..500).map(|number| format!("{{\"id\":{number},\"玩家\":\"甲\"}}")).collect();
    kafka.produce("game_consume_log", &records).await?;
    assert_eq!(kafka.count("game_consume_log").await?, 500);
    kafka.kill9().await?;
    kafka.start_again().await?;
    assert_eq!(kafka.count("game_consume_log").await?, 500);
    kafka.stop().await
}
