use serde_json::{Value, json};

use super::client;
use crate::testbed::robot::Robot;
use crate::testbed::wecom::{self, WeCom};

fn message(text: &str) -> Value {
    json!({ "msgtype": "markdown", "markdown": { "content": text } })
}

async fn code(robot: &Robot<WeCom>, query: &str, body: &Value) -> i64 {
    let response = client().post(robot.url(query)).json(body).send().await.unwrap();
    assert_eq!(response.status(), 200, "the vendor refuses with HTTP 200");
    response.json::<Value>().await.unwrap()["errcode"].as_i64().unwrap()
}

#[tokio::test]
async fn a_good_text_is_accepted_and_bad_ones_are_not() {
    let robot = WeCom::start("k").await.unwrap();
    let good = "### <font color=\"warning\">告警</font>\n<@zhangsan>";
    assert_eq!(code(&robot, "?key=k", &message(good)).await, 0);
    assert_eq!(code(&robot, "?key=x", &message(good)).await, wecom::NO_KEY);
    assert_eq!(code(&robot, "", &message(good)).await, wecom::NO_KEY);
    for (bad, want) in [
        (json!({ "msgtype": "news" }), wecom::BAD_TYPE),
        (message(""), wecom::EMPTY),
        (message("<@all>"), wecom::BAD_PARAMETER),
        (message("<b>x</b>"), wecom::BAD_PARAMETER),
        (
            json!({ "msgtype": "markdown", "markdown": { "content": "a", "mentioned_list": [] } }),
            wecom::BAD_PARAMETER,
        ),
    ] {
        assert_eq!(code(&robot, "?key=k", &bad).await, want, "{bad}");
    }
    let plain = client().post(robot.url("?key=k")).body(message("a").to_string());
    let answer: Value = plain.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["errcode"], wecom::BAD_PARAMETER);
    assert_eq!(robot.accepted().len(), 1);
}

#[tokio::test]
async fn bytes_are_counted_not_characters() {
    let robot = WeCom::start("k").await.unwrap();
    let most = "告".repeat(wecom::MAX_TEXT_BYTES / 3) + "x";
    assert_eq!(most.len(), wecom::MAX_TEXT_BYTES);
    assert_eq!(code(&robot, "?key=k", &message(&most)).await, 0);
    assert_eq!(code(&robot, "?key=k", &message(&(most + "x"))).await, wecom::BAD_PARAMETER);
}

#[tokio::test]
async fn more_than_twenty_in_a_minute_are_refused() {
    let robot = WeCom::start("k").await.unwrap();
    for n in 0..22 {
        let want = if n < 20 { 0 } else { wecom::TOO_FAST };
        assert_eq!(code(&robot, "?key=k", &message("a")).await, want, "message {n}");
    }
    assert_eq!(robot.rate_violations(), 2);
}
