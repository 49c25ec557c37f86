use serde_json::{Value, json};

use super::client;
use crate::testbed::pagerduty::{MAX_BODY_BYTES, PagerDuty};
use crate::testbed::robot::Robot;

const KEY: &str = "0123456789abcdef0123456789abcdef";

fn trigger(key: &str) -> Value {
    json!({
        "routing_key": KEY, "event_action": "trigger", "dedup_key": key,
        "payload": {
            "summary": "orders failed", "source": "prod/orders", "severity": "critical",
            "timestamp": "2026-11-21T02:24:52.123Z", "custom_details": { "job": "orders" },
        },
        "links": [{ "href": "https://weir.example.com/", "text": "Weir" }], "client": "Weir",
    })
}

fn event(action: &str, key: &str) -> Value {
    json!({ "routing_key": KEY, "event_action": action, "dedup_key": key })
}

async fn status(pager: &Robot<PagerDuty>, body: &Value) -> u16 {
    client().post(pager.url("")).json(body).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn alerts_are_kept_by_key() {
    let pager = PagerDuty::start(KEY).await.unwrap();
    for (body, open) in [
        (trigger("a"), vec!["a"]),
        (trigger("a"), vec!["a"]),
        (trigger("b"), vec!["a", "b"]),
        (event("acknowledge", "b"), vec!["a", "b"]),
        (event("resolve", "a"), vec!["b"]),
        (event("resolve", "a"), vec!["b"]),
        (event("resolve", "c"), vec!["b"]),
        (trigger("a"), vec!["a", "b"]),
    ] {
        assert_eq!(status(&pager, &body).await, 202);
        assert_eq!(pager.vendor().open(), open, "{body}");
    }
    let alerts = pager.vendor().alerts();
    assert_eq!(alerts["a"].iter().map(|a| a.triggers).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(alerts["b"][0].summary, "orders failed");
}

#[tokio::test]
async fn bad_events_are_refused() {
    let pager = PagerDuty::start(KEY).await.unwrap();
    let with = |path: &str, value: Value| {
        let mut body = trigger("a");
        *body.pointer_mut(path).unwrap() = value;
        body
    };
    for bad in [
        json!([]),
        with("/routing_key", json!("short")),
        with("/routing_key", json!("x".repeat(32))),
        with("/event_action", json!("open")),
        with("/dedup_key", json!("")),
        with("/dedup_key", json!("k".repeat(256))),
        with("/payload/summary", json!("")),
        with("/payload/summary", json!("s".repeat(1025))),
        with("/payload/severity", json!("page")),
        with("/payload/timestamp", json!("yesterday")),
        with("/links/0/href", json!("javascript:0")),
        with("/payload", json!({})),
        json!({ "routing_key": KEY, "event_action": "resolve" }),
        json!({ "routing_key": KEY, "event_action": "resolve", "dedup_key": "a", "why": 1 }),
    ] {
        assert_eq!(status(&pager, &bad).await, 400, "{bad}");
    }
    let large = with("/payload/custom_details", json!("x".repeat(MAX_BODY_BYTES)));
    assert_eq!(status(&pager, &large).await, 413);
    let plain = client().post(pager.url("")).body(trigger("a").to_string()).send().await.unwrap();
    assert_eq!(plain.status(), 400);
    assert!(pager.vendor().alerts().is_empty());
}

#[tokio::test]
async fn more_than_the_limit_in_a_minute_is_refused() {
    let pager = PagerDuty::start(KEY).await.unwrap();
    for n in 0..122 {
        let want = if n < 120 { 202 } else { 429 };
        assert_eq!(status(&pager, &trigger("a")).await, want, "event {n}");
    }
    assert_eq!(pager.rate_violations(), 2);
}
