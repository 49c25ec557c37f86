use serde_json::{Value, json};

use super::client;
use crate::testbed::dingtalk::{self, DingTalk, sign};
use crate::testbed::faults::Fault;
use crate::testbed::robot::Robot;
use crate::testbed::time::now_ms;

fn message(text: &str) -> Value {
    json!({
        "msgtype": "markdown",
        "markdown": { "title": "告警 orders", "text": text },
        "at": { "atMobiles": [], "isAtAll": false },
    })
}

fn query(at_ms: i64, secret: &str) -> String {
    let sign = sign(at_ms, secret).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    format!("?access_token=t&timestamp={at_ms}&sign={sign}")
}

async fn code(robot: &Robot<DingTalk>, query: &str, body: &Value) -> i64 {
    let response = client().post(robot.url(query)).json(body).send().await.unwrap();
    assert_eq!(response.status(), 200, "the vendor refuses with HTTP 200");
    response.json::<Value>().await.unwrap()["errcode"].as_i64().unwrap()
}

#[test]
fn the_signature_is_the_vendors() {
    // printf '1599360473000\ndemo' | openssl dgst -sha256 -hmac demo -binary | base64
    assert_eq!(sign(1_599_360_473_000, "demo"), "eblRZvilBzXa6Ce18IeBM4pMy1rYNWKicaCg6VMwQe0=");
}

#[tokio::test]
async fn signatures_and_keywords_are_checked() {
    let robot = DingTalk::start("t", Some("demo"), Some("告警")).await.unwrap();
    let now = now_ms();
    for (name, query) in [
        ("none", "?access_token=t".to_owned()),
        ("another secret", query(now, "other")),
        ("older than an hour", query(now - 3_700_000, "demo")),
        ("seconds", query(now / 1000, "demo")),
    ] {
        assert_eq!(code(&robot, &query, &message("a")).await, dingtalk::REFUSED, "{name}");
    }
    assert_eq!(code(&robot, &query(now - 3_500_000, "demo"), &message("a")).await, 0);
    let mut other = message("a");
    other["markdown"]["title"] = json!("news");
    assert_eq!(code(&robot, &query(now, "demo"), &other).await, dingtalk::REFUSED);
    assert_eq!(code(&robot, "?access_token=x", &message("a")).await, dingtalk::NO_TOKEN);
    assert_eq!((robot.accepted().len(), robot.refused().len()), (1, 6));
}

#[tokio::test]
async fn bad_shapes_are_refused() {
    let robot = DingTalk::start("t", None, None).await.unwrap();
    let with = |path: &str, value: Value| {
        let mut body = message("a");
        *body.pointer_mut(path).unwrap() = value;
        body
    };
    for bad in [
        json!([]),
        with("/msgtype", json!("text")),
        with("/markdown/text", json!("")),
        with("/markdown/title", json!("")),
        with("/at", json!({ "isAtEverybody": true })),
        with("/at/atMobiles", json!(["13800001111"])),
        with("/markdown", json!({ "title": "a", "text": "b", "content": "c" })),
    ] {
        assert_eq!(code(&robot, "?access_token=t", &bad).await, dingtalk::BAD_PARAMETER, "{bad}");
    }
    let rest = message("").to_string().len();
    let full = message(&"x".repeat(dingtalk::MAX_BODY_BYTES - rest));
    assert_eq!(code(&robot, "?access_token=t", &full).await, 0);
    let over = message(&"x".repeat(dingtalk::MAX_BODY_BYTES - rest + 1));
    assert_eq!(code(&robot, "?access_token=t", &over).await, dingtalk::TOO_LONG);
    let plain = client().post(robot.url("?access_token=t")).body(message("a").to_string());
    let answer: Value = plain.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["errcode"], dingtalk::CONTENT_TYPE);
}

#[tokio::test]
async fn who_sends_too_many_is_not_heard_for_a_while() {
    let robot = DingTalk::start("t", None, None).await.unwrap();
    for n in 0..25 {
        let want = if n < 20 { 0 } else { dingtalk::TOO_FAST };
        assert_eq!(code(&robot, "?access_token=t", &message("a")).await, want, "message {n}");
    }
    assert_eq!(robot.rate_violations(), 5);
}

#[tokio::test]
async fn faults_happen_as_planned() {
    let robot = DingTalk::start("t", None, None).await.unwrap();
    let post = || client().post(robot.url("?access_token=t")).json(&message("a")).send();
    robot.faults().next(1, &Fault::code(dingtalk::BUSY, "系统繁忙"));
    assert_eq!(code(&robot, "?access_token=t", &message("a")).await, dingtalk::BUSY);
    robot.faults().next(1, &Fault::too_many(7));
    assert_eq!(post().await.unwrap().headers()["retry-after"], "7");
    robot.faults().next(1, &Fault::Drop);
    assert!(post().await.is_err());
    assert!(robot.accepted().is_empty());
    robot.faults().next(1, &Fault::AcceptThenDrop);
    assert!(post().await.is_err());
    assert_eq!(robot.accepted().len(), 1);
}
