use serde_json::{Value, json};

use super::client;
use crate::testbed::slack::Slack;

fn content(text: &str) -> Value {
    json!({ "channel": "#alerts", "text": text, "attachments": [{ "color": "#e01e5a", "blocks": [
        { "type": "section", "text": { "type": "mrkdwn", "text": text } } ] }] })
}

async fn call(slack: &Slack, token: &str, method: &str, body: &Value) -> Value {
    let url = format!("{}/{method}", slack.url());
    let answer = client().post(url).bearer_auth(token).json(body).send().await.unwrap();
    answer.json().await.unwrap()
}

#[tokio::test]
async fn it_keeps_what_a_reader_sees() {
    let slack = Slack::start("xoxb-1", &[("C1", "alerts")]).await.unwrap();
    let posted = call(&slack, "xoxb-1", "chat.postMessage", &content("one")).await;
    assert_eq!((&posted["ok"], &posted["channel"]), (&json!(true), &json!("C1")));
    let mut edit = content("two");
    edit["channel"] = json!("C1");
    edit["ts"] = posted["ts"].clone();
    assert_eq!(call(&slack, "xoxb-1", "chat.update", &edit).await["ok"], true);
    let mut reply = content("below");
    reply["thread_ts"] = posted["ts"].clone();
    reply["reply_broadcast"] = json!(true);
    assert_eq!(call(&slack, "xoxb-1", "chat.postMessage", &reply).await["ok"], true);
    let shown = slack.channel();
    assert_eq!((shown.len(), shown[0].edits, shown[0].title()), (1, 1, "two"));
    assert!(slack.replies()[0].broadcast);
}

#[tokio::test]
async fn it_refuses_what_the_vendor_refuses() {
    let slack = Slack::start("xoxb-1", &[("C1", "alerts")]).await.unwrap();
    let refused = |answer: Value| {
        assert_eq!(answer["ok"], false, "{answer}");
        answer["error"].as_str().unwrap().to_owned()
    };
    let post = "chat.postMessage";
    assert_eq!(refused(call(&slack, "xoxb-2", post, &content("x")).await), "invalid_auth");
    let mut elsewhere = content("x");
    elsewhere["channel"] = json!("#other");
    assert_eq!(refused(call(&slack, "xoxb-1", post, &elsewhere).await), "channel_not_found");
    let long = content(&"x".repeat(3_001));
    assert_eq!(refused(call(&slack, "xoxb-1", post, &long).await), "invalid_blocks");
    assert_eq!(refused(call(&slack, "xoxb-1", post, &json!({ "channel": "C1" })).await), "no_text");
    let mut edit = content("x");
    edit["ts"] = json!("1.2");
    assert_eq!(
        refused(call(&slack, "xoxb-1", "chat.update", &edit).await),
        "channel_not_found",
        "a name"
    );
    edit["channel"] = json!("C1");
    assert_eq!(refused(call(&slack, "xoxb-1", "chat.update", &edit).await), "message_not_found");
    let mut errors = Vec::new();
    for _ in 0..4 {
        errors.push(call(&slack, "xoxb-1", post, &content("x")).await["error"].clone());
    }
    assert!(errors.contains(&json!("ratelimited")) && errors.contains(&Value::Null), "{errors:?}");
}
