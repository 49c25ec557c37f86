use serde_json::{Value, json};

use super::signature;
use crate::model::{Message, SendOutcome};
use crate::notify::Language;
use crate::notify::channels::testing::{
    assert_title, build, good, hostile_views, message, now, serve,
};
use crate::notify::channels::wire;
use crate::notify::render::words;

#[test]
fn body_is_alertmanagers_with_our_fields() {
    let (channel, _) = build(json!({"webhook": {"url": "http://hook.example.com/x"}}));
    for (name, view) in good(Language::En) {
        if !["card", "recovery", "group", "test", "summary"].contains(&name) {
            continue;
        }
        let body = channel.composer().compose(&view).frozen.body;
        let body: Value = serde_json::from_str(&body).unwrap();
        insta::assert_json_snapshot!(format!("webhook_{name}"), body);
    }
}

#[test]
fn annotations_are_in_the_receivers_language() {
    let (channel, _) = build(json!({"webhook": {"url": "http://hook.example.com/x"}}));
    let (_, view) = good(Language::Zh).swap_remove(0);
    let body: Value = serde_json::from_str(&channel.composer().compose(&view).frozen.body).unwrap();
    let texts = &body["alerts"][0]["annotations"];
    assert_eq!(texts["headline"], "反复失败 · 30 分钟 4 次");
    assert_eq!(texts["summary"], "keeps failing", "no Chinese one was written");
    assert_eq!(texts.get("headline_zh"), None);
    assert_eq!(body["commonAnnotations"], *texts);
}

#[test]
fn hostile_bodies_are_bounded_json() {
    let (channel, _) = build(json!({"webhook": {"url": "http://x/", "max_alerts": 50}}));
    for view in hostile_views() {
        let composed = channel.composer().compose(&view);
        assert_title(&composed.frozen.title);
        let body: Value = serde_json::from_str(&composed.frozen.body).unwrap();
        let alerts = body["alerts"].as_array().unwrap().len();
        // A summary is an alert of its own.
        assert_eq!(alerts, composed.named + usize::from(view.summary.is_some()));
        assert_eq!(body["truncatedAlerts"], view.items.len() - composed.named);
        assert!(composed.frozen.body.len() < 100_000 * (alerts + 2));
        let text = body["weir"]["text"].as_str().unwrap();
        assert!(text.contains(words::keyword(view.language)), "{text}");
    }
}

#[test]
fn fingerprints_survive_reopening() {
    let (channel, _) = build(json!({"webhook": {"url": "http://x/"}}));
    let fingerprint = |index: usize| {
        let (_, view) = good(Language::En).swap_remove(index);
        let body: Value =
            serde_json::from_str(&channel.composer().compose(&view).frozen.body).unwrap();
        body["alerts"][0]["fingerprint"].as_str().unwrap().to_owned()
    };
    assert_eq!(fingerprint(0), fingerprint(2));
    assert_eq!(fingerprint(0).len(), 16);
}

#[test]
fn signature_covers_time_and_body() {
    // printf '1700000000.{}' | openssl dgst -sha256 -hmac demo
    assert_eq!(
        signature("demo", 1_700_000_000, "{}"),
        "t=1700000000,v1=8f46215db098231161e132a5b0080fd1ba78f13161d03982f2ff99a43a4d4a13"
    );
}

fn frozen(channel: &dyn crate::notify::channels::Channel) -> Message {
    let (_, view) = good(Language::Zh).swap_remove(0);
    message(channel.composer().compose(&view).frozen)
}

#[tokio::test]
async fn sends_the_frozen_bytes_signed() {
    let (url, mut rx) = serve(200, "").await;
    let (channel, _) = build(json!({"webhook": {
        "url": url, "secret": "demo", "headers": {"X-Team": "ro"},
        "auth": {"bearer": {"token": "tok"}},
    }}));
    let message = frozen(&*channel);
    assert_eq!(channel.send(&message, "k3p9-7", now()).await, SendOutcome::Delivered);
    let (headers, body) = rx.recv().await.unwrap();
    assert_eq!(body, message.frozen.body);
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(headers["idempotency-key"], "k3p9-7");
    assert_eq!(headers["x-team"], "ro");
    assert_eq!(headers["authorization"], "Bearer tok");
    let expected = signature("demo", 1_599_360_473, &body);
    assert_eq!(headers["x-weir-signature"], expected.as_str());
}

#[tokio::test]
async fn refusals_have_a_class_and_hide_the_address() {
    let (url, _rx) = serve(503, "said no").await;
    let (channel, _) = build(json!({"webhook": {"url": url}}));
    let outcome = channel.send(&frozen(&*channel), "k", now()).await;
    let error = "HTTP 503: said no".to_owned();
    assert_eq!(outcome, SendOutcome::Retry { after_ms: Some(9_000), error });

    let (channel, _) = build(json!({"webhook": {"url": "http://127.0.0.1:1/hush"}}));
    match channel.send(&frozen(&*channel), "k", now()).await {
        SendOutcome::Retry { error, .. } => assert!(!error.contains("hush"), "{error}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn broken_options_are_named() {
    let config = |value: Value| {
        serde_json::from_value::<crate::notify::channels::ChannelConfig>(json!({"webhook": value}))
    };
    assert!(config(json!({"url": "http://x/", "secrets": "x"})).is_err());
    let error = config(json!({})).unwrap().endpoint().unwrap_err().0;
    assert!(error.contains("url_file"), "{error}");
    assert!(wire::check_url("nope").is_err());
}
