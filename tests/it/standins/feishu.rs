use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Value, json};

use super::{DEADLINE, client};
use crate::testbed::faults::Fault;
use crate::testbed::feishu::{self, Bot, Feishu};
use crate::testbed::time::now_ms;

fn card(text: &str) -> Value {
    json!({ "msg_type": "interactive", "card": {
        "config": { "wide_screen_mode": true },
        "header": { "template": "red", "title": { "tag": "plain_text", "content": "告警 orders" } },
        "elements": [
            { "tag": "markdown", "content": text },
            { "tag": "hr" },
            { "tag": "div", "fields": [
                { "is_short": true, "text": { "tag": "lark_md", "content": "**cluster** emr" } } ] },
            { "tag": "action", "actions": [ { "tag": "button", "type": "primary",
                "text": { "tag": "plain_text", "content": "Open" }, "url": "http://127.0.0.1/x" } ] },
            { "tag": "note", "elements": [ { "tag": "plain_text", "content": "weir" } ] },
        ],
    } })
}

fn signed(mut body: Value, timestamp: &str, sign: &str) -> Value {
    body["timestamp"] = json!(timestamp);
    body["sign"] = json!(sign);
    body
}

async fn code(url: &str, body: &Value) -> i64 {
    let response = client().post(url).json(body).send().await.unwrap();
    assert_eq!(response.status(), 200, "the vendor refuses with HTTP 200");
    response.json::<Value>().await.unwrap()["code"].as_i64().unwrap()
}

#[test]
fn the_signature_is_the_vendors() {
    let sign = feishu::sign(1_599_360_473, "demo");
    assert_eq!(sign, "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=");
}

#[tokio::test]
async fn a_good_card_is_accepted_and_readable() {
    let bot = Feishu::start([Bot::new("t").secret("demo").keywords(&["告警"])]).await.unwrap();
    let now_s = now_ms() / 1000;
    let body = signed(card("it broke"), &now_s.to_string(), &feishu::sign(now_s, "demo"));
    let answer: Value =
        client().post(bot.url("t")).json(&body).send().await.unwrap().json().await.unwrap();
    assert_eq!(
        answer,
        json!({ "code": 0, "msg": "success", "data": {}, "Extra": null, "StatusCode": 0,
                "StatusMessage": "success" })
    );
    let got = bot.wait_for(|r| r.text().contains("it broke"), DEADLINE).await.unwrap();
    for text in ["告警 orders", "**cluster** emr", "Open", "weir"] {
        assert!(got.text().contains(text), "{text} is in {}", got.text());
    }
    assert!(!got.text().contains("primary"));
    assert_eq!(bot.accepted().len(), 1);
}

#[tokio::test]
async fn other_kinds_of_message_are_accepted() {
    let bot = Feishu::start([Bot::new("t").keywords(&["告警"])]).await.unwrap();
    let text = json!({ "msg_type": "text", "content": { "text": "告警 a" } });
    let post = json!({ "msg_type": "post", "content": { "post": { "zh_cn": { "title": "告警",
        "content": [[{ "tag": "text", "text": "b" }]] } } } });
    let v2 = json!({ "msg_type": "interactive", "card": { "schema": "2.0", "body": {
        "elements": [{ "tag": "markdown", "content": "告警 c" }] } } });
    for body in [text, post, v2] {
        assert_eq!(code(&bot.url("t"), &body).await, feishu::OK, "{body}");
    }
}

#[tokio::test]
async fn a_bad_signature_is_refused() {
    let bot = Feishu::start([Bot::new("t").secret("demo").limits(99, 99)]).await.unwrap();
    let now_s = now_ms() / 1000;
    let at = |t: i64| signed(card("x"), &t.to_string(), &feishu::sign(t, "demo"));
    let cases = [
        ("no signature", card("x")),
        ("wrong secret", signed(card("x"), &now_s.to_string(), &feishu::sign(now_s, "other"))),
        ("older than an hour", at(now_s - 3700)),
        ("ahead by an hour", at(now_s + 3700)),
        ("milliseconds", at(now_ms())),
        ("not a number", signed(card("x"), "now", "x")),
    ];
    for (name, body) in cases {
        assert_eq!(code(&bot.url("t"), &body).await, feishu::SIGN_MISMATCH, "{name}");
    }
    assert_eq!(code(&bot.url("t"), &at(now_s - 3500)).await, feishu::OK);
    bot.set_clock_offset_ms(7_200_000);
    assert_eq!(code(&bot.url("t"), &at(now_s)).await, feishu::SIGN_MISMATCH);
    assert_eq!(bot.accepted().len(), 1);
    assert_eq!(bot.refused().len(), 7);
}

#[tokio::test]
async fn strangers_and_missing_keywords_are_refused() {
    let elsewhere: IpAddr = "192.0.2.1".parse().unwrap();
    let bots =
        [Bot::new("word").keywords(&["告警", "alert"]), Bot::new("far").allowed(&[elsewhere])];
    let bot = Feishu::start(bots).await.unwrap();
    let text = |t: &str| json!({ "msg_type": "text", "content": { "text": t } });
    assert_eq!(code(&bot.url("nobody"), &text("alert")).await, feishu::TOKEN_INVALID);
    assert_eq!(code(&bot.url("far"), &text("alert")).await, feishu::IP_NOT_ALLOWED);
    assert_eq!(code(&bot.url("word"), &text("news")).await, feishu::KEYWORD_MISSING);
    assert_eq!(code(&bot.url("word"), &text("an alert")).await, feishu::OK);
}

#[tokio::test]
async fn bad_shapes_are_refused() {
    let bot = Feishu::start([Bot::new("t").limits(99, 99)]).await.unwrap();
    let with = |path: &str, value: Value| {
        let mut body = card("x");
        *body.pointer_mut(path).unwrap() = value;
        body
    };
    let bad = [
        json!([]),
        json!({ "msg_type": "text", "content": { "text": "" } }),
        with("/msg_type", json!("carrier_pigeon")),
        with("/card", json!("{}")),
        with("/card/header/title/content", json!(1)),
        with("/card/elements", json!({})),
        with("/card/elements/0", json!("text")),
        with("/card/elements/0/tag", json!("blink")),
        card(&"x".repeat(feishu::MAX_BODY_BYTES)),
    ];
    for body in bad {
        assert_eq!(code(&bot.url("t"), &body).await, feishu::BAD_REQUEST);
    }
    let invalid = [
        with("/card/header/template", json!("plaid")),
        with("/card/elements/0/content", json!(null)),
        with("/card/elements/3/actions/0/url", json!("javascript:0")),
        json!({ "msg_type": "interactive", "card": { "schema": "2.0", "elements": [],
            "body": { "elements": [] } } }),
    ];
    for body in invalid {
        assert_eq!(code(&bot.url("t"), &body).await, feishu::CARD_INVALID, "{body}");
    }
    let not_json = client().post(bot.url("t")).body(card("x").to_string()).send().await.unwrap();
    assert_eq!(not_json.json::<Value>().await.unwrap()["code"], feishu::BAD_REQUEST);
    assert!(bot.accepted().is_empty());
}

#[tokio::test]
async fn twenty_kilobytes_are_the_limit_to_the_byte() {
    let bot = Feishu::start([Bot::new("t")]).await.unwrap();
    let rest = card("").to_string().len();
    assert_eq!(code(&bot.url("t"), &card(&"x".repeat(feishu::MAX_BODY_BYTES - rest))).await, 0);
    let over = card(&"x".repeat(feishu::MAX_BODY_BYTES - rest + 1));
    assert_eq!(code(&bot.url("t"), &over).await, feishu::BAD_REQUEST);
}

#[tokio::test]
async fn the_sixth_in_a_second_is_refused() {
    let bot = Feishu::start([Bot::new("t")]).await.unwrap();
    let client = client();
    let send = async || {
        let sent = client.post(bot.url("t")).json(&card("x")).send().await.unwrap();
        sent.json::<Value>().await.unwrap()["code"].as_i64().unwrap()
    };
    let codes = futures_util::future::join_all((0..6).map(|_| send())).await;
    assert_eq!(codes.iter().filter(|c| **c == feishu::OK).count(), 5);
    assert_eq!(codes.iter().filter(|c| **c == feishu::FREQUENCY_LIMITED).count(), 1);
    assert_eq!(bot.rate_violations(), 1);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(send().await, feishu::OK);
}

#[tokio::test]
async fn more_than_the_limit_in_a_minute_is_refused() {
    let bot = Feishu::start([Bot::new("t").limits(99, 7)]).await.unwrap();
    for i in 0..9 {
        let want = if i < 7 { feishu::OK } else { feishu::FREQUENCY_LIMITED };
        assert_eq!(code(&bot.url("t"), &card("x")).await, want, "message {i}");
    }
    assert_eq!(bot.rate_violations(), 2);
}

#[tokio::test]
async fn faults_happen_as_planned() {
    let bot = Feishu::start([Bot::new("t").limits(99, 99)]).await.unwrap();
    let post = || client().post(bot.url("t")).json(&card("x")).send();

    bot.faults().next(1, &Fault::code(feishu::FREQUENCY_LIMITED, "frequency limited"));
    assert_eq!(code(&bot.url("t"), &card("x")).await, feishu::FREQUENCY_LIMITED);
    bot.faults().next(1, &Fault::too_many(7));
    let limited = post().await.unwrap();
    assert_eq!(
        (limited.status().as_u16(), &limited.headers()["retry-after"]),
        (429, &"7".parse().unwrap())
    );
    bot.faults().next(1, &Fault::Drop);
    assert!(post().await.is_err());
    assert!(bot.accepted().is_empty(), "nothing was accepted so far");

    bot.faults().next(1, &Fault::AcceptThenDrop);
    assert!(post().await.is_err());
    assert_eq!(bot.accepted().len(), 1, "accepted although the sender saw an error");

    bot.faults().next(1, &Fault::Hang(Duration::from_millis(500)));
    let impatient = tokio::time::timeout(Duration::from_millis(100), post()).await;
    assert!(impatient.is_err());
    let late =
        bot.wait_for_any(|r| matches!(r.fault, Some(Fault::Hang(_))), Duration::from_secs(1));
    assert!(late.await.is_none(), "a sender that gave up was not heard");
    bot.faults().next(1, &Fault::Hang(Duration::from_millis(50)));
    assert_eq!(code(&bot.url("t"), &card("x")).await, feishu::OK);

    bot.faults().next(1, &Fault::SlowBody(Duration::from_millis(100)));
    assert_eq!(code(&bot.url("t"), &card("x")).await, feishu::OK);
    assert_eq!(bot.rate_violations(), 0);
}

#[test]
fn a_share_of_faults_is_the_same_for_the_same_seed() {
    let plan = |seed| {
        let faults = crate::testbed::faults::FaultPlan::default();
        faults.share(300, seed, Fault::status(500));
        (0..1000).map(|_| faults.take().is_some()).collect::<Vec<_>>()
    };
    assert_eq!(plan(1), plan(1));
    assert_ne!(plan(1), plan(2));
    let hits = plan(1).iter().filter(|hit| **hit).count();
    assert!((250..350).contains(&hits), "{hits} of 1000");
}
