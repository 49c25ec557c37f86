use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::model::SendOutcome;
use crate::notify::Language;
use crate::notify::channels::testing::{assert_title, build, good, hostile_views, message, now};
use crate::notify::channels::{Channel, ChannelConfig};
use crate::notify::render::words;

fn austin(more: &Value) -> Box<dyn Channel> {
    let mut config = json!({"url": "http://austin:8080", "template": 7,
        "receivers": ["13800000000", "13900000000"]});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    build(json!({ "austin": config })).0
}

fn body(channel: &dyn Channel, view: &crate::notify::MessageView) -> Value {
    serde_json::from_str(&channel.composer().compose(view).frozen.body).unwrap()
}

#[test]
fn the_request_is_austins() {
    let (_, view) = good(Language::Zh).swap_remove(0);
    let body = body(&*austin(&json!({})), &view);
    assert_eq!(body["code"], "send");
    assert_eq!(body["messageTemplateId"], 7);
    let param = &body["messageParam"];
    assert_eq!(param["bizId"], "k3p9-7");
    assert_eq!(param["receiver"], "13800000000,13900000000");
    assert_eq!(param["variables"]["title"], "【紧急】ro-cn-sync 反复失败 · 30 分钟 4 次 · #128");
    let text = param["variables"]["content"].as_str().unwrap();
    assert!(text.contains("PoisonRecordException"), "{text}");
    assert!(text.ends_with(" · m7"), "nothing else tells it from the one before: {text}");
    assert!(!text.contains("\n\n"), "{text}");
}

#[test]
fn variables_are_the_templates() {
    let variables = json!({"variables": {"t": "title", "u": "link", "contentValue": "text"}});
    let (_, view) = good(Language::En).swap_remove(0);
    let body = body(&*austin(&variables), &view);
    let filled = &body["messageParam"]["variables"];
    assert_eq!(filled["u"], "https://weir.example.com/#/incidents/128");
    assert!(filled["t"].as_str().unwrap().starts_with("[CRITICAL]"));
    assert!(filled["contentValue"].as_str().unwrap().contains("Root cause: "));
    let wrong = json!({"austin": {"url": "http://x", "template": 7, "receivers": ["a"],
        "variables": {"t": "titel"}}});
    assert!(serde_json::from_value::<ChannelConfig>(wrong).is_err());
}

#[test]
fn hostile_bodies_are_bounded_json_with_the_word() {
    let channel = austin(&json!({}));
    for view in hostile_views() {
        let composed = channel.composer().compose(&view);
        assert_title(&composed.frozen.title);
        let body: Value = serde_json::from_str(&composed.frozen.body).unwrap();
        let text = body["messageParam"]["variables"]["content"].as_str().unwrap();
        assert!(text.chars().count() <= 2_000, "{}", text.chars().count());
        assert!(text.contains(words::keyword(view.language)), "{text}");
    }
}

/// An austin whose trace says nothing at first, and then this.
async fn serve(sent: Value, then: &'static str, after: usize) -> String {
    let asked = Arc::new(AtomicUsize::new(0));
    let app = axum::Router::new()
        .route("/send", axum::routing::post(move || async move { axum::Json(sent) }))
        .route(
            "/trace/message",
            axum::routing::post(move |axum::Json(question): axum::Json<Value>| async move {
                assert_eq!(question, json!({"messageId": "V1"}));
                let known = asked.fetch_add(1, Ordering::SeqCst) >= after;
                let detail =
                    format!("2026-11-21 03:30:00:消息接收成功==>2026-11-21 03:30:01:{then}==>");
                let items = if known { json!([{ "detail": detail }]) } else { json!([]) };
                axum::Json(json!({"status": "0", "msg": "ok", "data": {"items": items}}))
            }),
        );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    url
}

fn queued() -> Value {
    json!({"code": "0", "msg": "ok", "data": [{"bizId": "k3p9-7", "messageId": "V1"}]})
}

async fn send(url: String, more: Value) -> SendOutcome {
    let mut config = json!({ "url": url });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let channel = austin(&config);
    let (_, view) = good(Language::En).swap_remove(0);
    let message = message(channel.composer().compose(&view).frozen);
    channel.send(&message, "k3p9-7", now()).await
}

#[tokio::test]
async fn delivered_is_what_austin_says_was_delivered() {
    let url = serve(queued(), "消息下发成功", 1).await;
    assert_eq!(send(url, json!({})).await, SendOutcome::Delivered);
    let url = serve(queued(), "消息被频次去重", 0).await;
    let SendOutcome::Rejected { error } = send(url, json!({})).await else { panic!() };
    assert!(error.contains("deduplicationRule"), "{error}");
}

#[tokio::test]
async fn unknown_is_not_delivered() {
    let url = serve(queued(), "", usize::MAX).await;
    let within = json!({"confirm_within": "1s"});
    let SendOutcome::Rejected { error } = send(url, within).await else { panic!() };
    assert!(error.contains("V1") && error.contains("Flink job"), "{error}");
    let old = json!({"code": "0", "msg": "ok"});
    let url = serve(old.clone(), "", 0).await;
    assert!(matches!(send(url, json!({})).await, SendOutcome::Rejected { .. }));
    let url = serve(old, "", 0).await;
    assert_eq!(send(url, json!({"confirm": false})).await, SendOutcome::Delivered);
}

#[test]
fn mistakes_are_named() {
    let endpoint = |more: Value| {
        let mut config = json!({"url": "http://austin:8080", "template": 7, "receivers": ["a"]});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let config: ChannelConfig = serde_json::from_value(json!({ "austin": config })).unwrap();
        config.endpoint().map_err(|e| e.0)
    };
    for (more, word) in [
        (json!({"receivers": []}), "empty"),
        (json!({"receivers": ["a,b"]}), "comma"),
        (json!({"receivers": vec!["a"; 101]}), "100"),
        (json!({"variables": {}}), "variables"),
        (json!({"url": null}), "url_file"),
    ] {
        let error = endpoint(more).unwrap_err();
        assert!(error.contains(word), "{error}");
    }
    endpoint(json!({})).unwrap();
}
