use serde_json::{Value, json};

use super::client;
use crate::testbed::feishu_app::{
    CARD, FeishuApp, NO_TOKEN, NOT_IN_CHAT, PARAMETER, RECALLED, TOKEN, TOO_FREQUENT, TOO_LARGE,
    TOO_OLD,
};

const SEND: &str = "/open-apis/im/v1/messages?receive_id_type=chat_id";

fn card(text: &str) -> Value {
    json!({ "config": { "update_multi": true },
        "header": { "template": "red", "title": { "tag": "plain_text", "content": text } },
        "elements": [ { "tag": "markdown", "content": text } ] })
}

fn message(chat: &str, card: &Value, uuid: &str) -> Value {
    json!({ "receive_id": chat, "msg_type": "interactive", "content": card.to_string(), "uuid": uuid })
}

struct Caller<'a>(&'a FeishuApp, String);

impl Caller<'_> {
    async fn call(&self, method: &str, path: &str, body: &Value) -> (i64, String) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = client().request(method, format!("{}{path}", self.0.url())).json(body);
        if !self.1.is_empty() {
            request = request.bearer_auth(&self.1);
        }
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        let id = answer["data"]["message_id"].as_str().unwrap_or_default().to_owned();
        (answer["code"].as_i64().unwrap(), id)
    }

    async fn send(&self, uuid: &str) -> (i64, String) {
        self.call("POST", SEND, &message("oc_1", &card(uuid), uuid)).await
    }

    async fn patch(&self, id: &str, card: &Value) -> i64 {
        let body = json!({ "content": card.to_string() });
        self.call("PATCH", &format!("/open-apis/im/v1/messages/{id}"), &body).await.0
    }
}

async fn caller(app: &FeishuApp) -> Caller<'_> {
    let ask = |secret: &str| {
        let body = json!({ "app_id": "cli_1", "app_secret": secret });
        let url = format!("{}/open-apis/auth/v3/tenant_access_token/internal", app.url());
        async move {
            client().post(url).json(&body).send().await.unwrap().json::<Value>().await.unwrap()
        }
    };
    assert_eq!(ask("wrong").await["code"], 10_014);
    let answer = ask("s3cret").await;
    assert_eq!((&answer["code"], &answer["expire"]), (&json!(0), &json!(7200)));
    Caller(app, answer["tenant_access_token"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn it_keeps_what_a_reader_sees() {
    let app = FeishuApp::start("cli_1", "s3cret", &["oc_1"]).await.unwrap();
    let caller = caller(&app).await;
    let (code, id) = caller.send("one").await;
    assert_eq!(code, 0);
    assert_eq!(caller.send("one").await, (0, id.clone()), "the same key, the same message");
    let below =
        json!({ "msg_type": "interactive", "content": card("below").to_string(), "uuid": "r" });
    let reply = format!("/open-apis/im/v1/messages/{id}/reply");
    assert_eq!(caller.call("POST", &reply, &below).await.0, 0);
    assert_eq!(caller.patch(&id, &card("two")).await, 0);
    let chat = app.chat();
    assert_eq!((chat.len(), app.replies().len()), (1, 1));
    assert_eq!(chat[0].titles, ["one", "two"]);
    assert!(chat[0].text().contains("two") && chat[0].edits == 1);
    assert_eq!(app.requests().iter().filter(|r| r.absorbed).count(), 1);
}

#[tokio::test]
async fn it_refuses_what_the_vendor_refuses() {
    let app = FeishuApp::start("cli_1", "s3cret", &["oc_1"]).await.unwrap();
    let caller = caller(&app).await;
    let (_, id) = caller.send("one").await;
    assert_eq!(Caller(&app, String::new()).send("x").await.0, NO_TOKEN);
    assert_eq!(Caller(&app, "t-0".to_owned()).send("x").await.0, TOKEN);
    let elsewhere = message("oc_2", &card("x"), "x");
    assert_eq!(caller.call("POST", SEND, &elsewhere).await.0, NOT_IN_CHAT);
    let object = json!({ "receive_id": "oc_1", "msg_type": "interactive", "content": card("x") });
    assert_eq!(caller.call("POST", SEND, &object).await.0, PARAMETER, "content is a string");
    let long = message("oc_1", &card(&"x".repeat(31_000)), "x");
    assert_eq!(caller.call("POST", SEND, &long).await.0, TOO_LARGE);
    let broken = message("oc_1", &json!({ "elements": [{ "tag": "nonsense" }] }), "x");
    assert_eq!(caller.call("POST", SEND, &broken).await.0, CARD);
    assert_eq!(caller.patch("om_none", &card("x")).await, PARAMETER);
    let mut own = card("x");
    own["config"]["update_multi"] = json!(false);
    assert_eq!(caller.patch(&id, &own).await, CARD, "not shared after");
    let (_, alone) = caller.call("POST", SEND, &message("oc_1", &own, "own")).await;
    assert_eq!(caller.patch(&alone, &card("x")).await, CARD, "not shared before");
    let mut codes = Vec::new();
    for _ in 0..6 {
        codes.push(caller.patch(&id, &card("x")).await);
    }
    assert!(codes.contains(&TOO_FREQUENT) && codes.contains(&0), "{codes:?}");
    app.age(&alone);
    assert_eq!(caller.patch(&alone, &card("x")).await, TOO_OLD);
    app.recall(&id);
    assert_eq!(caller.patch(&id, &card("x")).await, RECALLED);
    app.expire_tokens();
    assert_eq!(caller.patch(&id, &card("x")).await, TOKEN);
}
