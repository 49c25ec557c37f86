use proptest::prelude::*;
use serde_json::{Value, json};

use super::run::PER_TRY;
use crate::model::{Frozen, Message, MessageKind, NoticeReason, SendOutcome};
use crate::notify::channels::testing::{
    any_items, assert_title, build, good, hostile_views, message, now, serve,
};
use crate::notify::channels::{Channel, ChannelConfig};
use crate::notify::render::{probe, words};
use crate::notify::{ItemView, Known, Language, MessageView};

const KEY: &str = "hush567890123456789012345678901x";
const TAKEN: &str = r#"{"status":"success","message":"Event processed","dedup_key":"k"}"#;

fn pager() -> Box<dyn Channel> {
    build(json!({"pagerduty": {"routing_key": KEY}})).0
}

/// Checks what must hold for every message and returns its events.
fn events(view: &MessageView) -> Vec<Value> {
    let composed = pager().composer().compose(view);
    assert_title(&composed.frozen.title);
    assert_eq!(composed.named, view.items.len());
    let events: Vec<Value> = serde_json::from_str(&composed.frozen.body).unwrap();
    for event in &events {
        assert!(event.to_string().len() < 512 * 1024 - 100, "{} bytes", event.to_string().len());
        assert_eq!(event.get("routing_key"), None, "no secret is stored");
        let key = event["dedup_key"].as_str().unwrap();
        assert!(key.starts_with("weir-") && key.len() <= 255, "{key}");
        match event["event_action"].as_str().unwrap() {
            "trigger" => {
                let payload = &event["payload"];
                let summary = payload["summary"].as_str().unwrap();
                assert!(!summary.is_empty() && summary.chars().count() <= 1_024, "{summary}");
                assert_title(summary);
                assert!(!payload["source"].as_str().unwrap().is_empty());
                let severity = payload["severity"].as_str().unwrap();
                assert!(["critical", "warning", "info"].contains(&severity), "{severity}");
                payload["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
                assert!(payload["custom_details"].is_object());
                for link in event["links"].as_array().into_iter().flatten() {
                    assert!(link["href"].as_str().unwrap().starts_with("https://"), "{link}");
                }
            }
            "resolve" | "acknowledge" => assert_eq!(event.as_object().unwrap().len(), 2, "{event}"),
            other => panic!("{other}"),
        }
    }
    events
}

fn actions(view: &MessageView) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    events(view).iter().map(|e| (text(&e["event_action"]), text(&e["dedup_key"]))).collect()
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(a, k)| ((*a).to_owned(), (*k).to_owned())).collect()
}

#[test]
fn events_say_it_all_in_both_languages() {
    for language in [Language::En, Language::Zh] {
        let all: Vec<Value> = good(language)
            .into_iter()
            .map(|(name, view)| {
                let mut events = events(&view);
                // A summary is no alert: nothing goes out.
                let first = events.first_mut();
                let list = first.and_then(|e| e.pointer_mut("/payload/custom_details/incidents"));
                if let Some(list) = list.and_then(Value::as_array_mut) {
                    list.truncate(3);
                }
                json!({name: events})
            })
            .collect();
        insta::assert_json_snapshot!(format!("events_{}", words::code(language)), all);
    }
}

#[test]
fn hostile_text_is_bounded_json() {
    for view in hostile_views() {
        events(&view);
    }
}

fn known(id: u64, known: Known, reason: NoticeReason) -> ItemView {
    let item = match reason {
        NoticeReason::Resolved => probe::recovered(id, "a"),
        _ => probe::failing(id, "a"),
    };
    ItemView { known, reason, sequence: 2, ..item }
}

#[test]
fn each_alert_is_closed_by_the_key_it_was_opened_with() {
    use NoticeReason::{Acknowledged, Opened, Repeat, Resolved, Unacknowledged, Worse};
    let view = |kind, items| probe::view(kind, Language::En, items);
    let together = |open| Known::Together { message: 5, open };
    let one = |item| actions(&view(MessageKind::Incident, vec![item]));
    assert_eq!(one(known(1, Known::New, Opened)), pairs(&[("trigger", "weir-k3p9-1")]));
    assert_eq!(one(known(1, Known::Alone, Worse)), pairs(&[("trigger", "weir-k3p9-1")]));
    let back = one(known(1, Known::Alone, Unacknowledged));
    assert_eq!(back, pairs(&[("trigger", "weir-k3p9-1")]));
    let taken = one(known(1, Known::Alone, Acknowledged));
    assert_eq!(taken, pairs(&[("acknowledge", "weir-k3p9-1")]));
    let taken = one(known(1, together(3), Acknowledged));
    assert_eq!(taken, pairs(&[("acknowledge", "weir-k3p9-m5")]));
    assert_eq!(one(known(1, Known::Alone, Resolved)), pairs(&[("resolve", "weir-k3p9-1")]));
    assert_eq!(one(known(1, together(3), Repeat)), pairs(&[("trigger", "weir-k3p9-m5")]));
    assert_eq!(one(known(1, together(3), Resolved)), []);
    assert_eq!(one(known(1, together(0), Resolved)), pairs(&[("resolve", "weir-k3p9-m5")]));
    // It is over before this is written: nothing is opened that nobody would close.
    let mut over = probe::recovered(1, "a");
    (over.reason, over.known, over.sequence) = (Opened, Known::New, 1);
    assert_eq!(one(over), []);

    let storm = vec![
        known(1, Known::New, Opened),
        known(2, Known::New, Opened),
        known(3, Known::Alone, Worse),
        known(4, together(1), Worse),
        known(5, Known::Alone, Resolved),
        known(6, together(1), Resolved),
        known(7, Known::Together { message: 6, open: 0 }, Resolved),
        known(8, Known::Together { message: 6, open: 0 }, Resolved),
    ];
    for kind in [MessageKind::Storm, MessageKind::Digest, MessageKind::FirstLook] {
        assert_eq!(
            actions(&view(kind, storm.clone())),
            pairs(&[
                ("trigger", "weir-k3p9-m7"),
                ("trigger", "weir-k3p9-3"),
                ("trigger", "weir-k3p9-m5"),
                ("resolve", "weir-k3p9-5"),
                ("resolve", "weir-k3p9-m6"),
            ])
        );
    }
    let group = vec![known(1, Known::New, Opened), known(2, Known::New, Opened)];
    assert_eq!(
        actions(&view(MessageKind::Group, group)),
        pairs(&[("trigger", "weir-k3p9-1"), ("trigger", "weir-k3p9-2")])
    );
}

#[test]
fn a_test_leaves_nothing_open() {
    let view = probe::view(MessageKind::Test, Language::Zh, Vec::new());
    assert_eq!(actions(&view), pairs(&[("trigger", "weir-k3p9-7"), ("resolve", "weir-k3p9-7")]));
    assert_eq!(events(&view)[0]["payload"]["severity"], "info");
}

fn list(count: usize) -> Message {
    let one = |n: usize| json!({"event_action": "resolve", "dedup_key": format!("weir-k3p9-{n}")});
    let body = Value::from((0..count).map(one).collect::<Vec<_>>()).to_string();
    message(Frozen { body, title: "t".to_owned() })
}

#[tokio::test]
async fn an_event_goes_out_with_the_key_of_now() {
    let (url, mut rx) = serve(202, TAKEN).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key");
    std::fs::write(&file, format!("{KEY}\n")).unwrap();
    let (pager, _) = build(json!({"pagerduty": {"routing_key_file": file, "url": url}}));
    let (_, view) = good(Language::Zh).swap_remove(0);
    let message = message(pager.composer().compose(&view).frozen);
    for key in [KEY.to_owned(), KEY.replace("hush", "rush")] {
        std::fs::write(&file, &key).unwrap();
        assert_eq!(pager.send(&message, "k", now()).await, SendOutcome::Delivered);
        let (headers, body) = rx.recv().await.unwrap();
        assert_eq!(headers["content-type"], "application/json");
        let mut body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["routing_key"], key);
        body.as_object_mut().unwrap().remove("routing_key");
        let frozen: Value = serde_json::from_str(&message.frozen.body).unwrap();
        assert_eq!(body, frozen[0], "nothing else changes");
    }
}

#[tokio::test]
async fn a_long_list_takes_several_tries_and_no_event_goes_twice() {
    let (url, mut rx) = serve(202, TAKEN).await;
    let (pager, _) = build(json!({"pagerduty": {"routing_key": KEY, "url": url}}));
    let mut message = list(PER_TRY + 3);
    let receive = tokio::spawn(async move {
        let mut keys = Vec::new();
        while keys.len() < PER_TRY + 3 {
            let body: Value = serde_json::from_str(&rx.recv().await.unwrap().1).unwrap();
            keys.push(body["dedup_key"].as_str().unwrap().to_owned());
        }
        keys
    });
    let SendOutcome::Retry { after_ms, error } = pager.send(&message, "k", now()).await else {
        panic!("not all of them at once")
    };
    assert_eq!(after_ms, Some(60_000));
    assert!(error.starts_with("50 of 53 events were taken"), "{error}");
    message.attempts = 2;
    assert_eq!(pager.send(&message, "k", now()).await, SendOutcome::Delivered);
    let keys = receive.await.unwrap();
    assert!(keys.iter().enumerate().all(|(n, key)| *key == format!("weir-k3p9-{n}")), "{keys:?}");
}

#[tokio::test]
async fn nothing_to_close_yet_needs_no_request() {
    let (pager, _) = build(json!({"pagerduty": {"routing_key": KEY, "url": "http://127.0.0.1:9"}}));
    assert_eq!(pager.send(&list(0), "k", now()).await, SendOutcome::Delivered);
}

#[tokio::test]
async fn a_wrong_key_is_refused_without_telling_it() {
    let answer = r#"{"status":"invalid event","message":"Event object is invalid","errors":["Invalid routing key"]}"#;
    let (url, _rx) = serve(400, answer).await;
    let (pager, _) = build(json!({"pagerduty": {"routing_key": KEY, "url": url}}));
    let mut message = list(1);
    let end = message.frozen.body.clone();
    message.frozen.body = end.replace("resolve", "trigger");
    assert!(matches!(pager.send(&message, "k", now()).await, SendOutcome::Retry { .. }));
    message.attempts = 2;
    let SendOutcome::Rejected { error } = pager.send(&message, "k", now()).await else {
        panic!("a wrong key must end")
    };
    assert!(error.contains("check `routing_key`") && !error.contains("hush"), "{error}");
    // What closes an alert is tried again: nobody else would.
    message.frozen.body = end;
    message.attempts = 9;
    let SendOutcome::Retry { error, .. } = pager.send(&message, "k", now()).await else {
        panic!("an end must be told")
    };
    assert!(error.contains("check `routing_key`") && !error.contains("hush"), "{error}");
}

#[tokio::test]
async fn what_a_refused_message_opened_is_closed_again() {
    // The first is taken, all others are not.
    let (tx, mut rx) = tokio::sync::mpsc::unbounded_channel();
    let app = axum::Router::new().fallback(move |body: String| {
        let body: Value = serde_json::from_str(&body).unwrap();
        let refused = body["dedup_key"] == "weir-k3p9-bad";
        tx.send(format!("{} {}", body["event_action"], body["dedup_key"])).unwrap();
        let status = if refused { 400 } else { 202 };
        async move { (axum::http::StatusCode::from_u16(status).unwrap(), TAKEN) }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let (pager, _) = build(json!({"pagerduty": {"routing_key": KEY, "url": url}}));
    let mut message = list(0);
    message.attempts = 2;
    message.frozen.body = json!([
        {"event_action": "trigger", "dedup_key": "weir-k3p9-m7"},
        {"event_action": "trigger", "dedup_key": "weir-k3p9-1"},
        {"event_action": "trigger", "dedup_key": "weir-k3p9-bad"},
    ])
    .to_string();
    let outcome = pager.send(&message, "k", now()).await;
    let SendOutcome::Rejected { error } = outcome else { panic!("{outcome:?}") };
    assert!(error.starts_with("2 of 3 events were taken"), "{error}");
    let mut seen = Vec::new();
    while let Ok(event) = rx.try_recv() {
        seen.push(event);
    }
    assert_eq!(seen.len(), 4, "{seen:?}");
    assert_eq!(seen[3], r#""resolve" "weir-k3p9-m7""#, "its own alert, and no other's");
}

#[tokio::test]
async fn that_the_store_works_again_is_said_by_the_next_message() {
    let (url, mut rx) = serve(202, TAKEN).await;
    let (pager, _) = build(json!({"pagerduty": {"routing_key": KEY, "url": url}}));
    let mut trouble = list(1);
    trouble.id = 0;
    trouble.frozen.body =
        json!([{"event_action": "trigger", "dedup_key": "weir-k3p9-0"}]).to_string();
    for message in [&trouble, &list(0), &list(0)] {
        assert_eq!(pager.send(message, "k", now()).await, SendOutcome::Delivered);
    }
    for action in ["trigger", "resolve"] {
        let body: Value = serde_json::from_str(&rx.recv().await.unwrap().1).unwrap();
        assert_eq!(
            (&body["event_action"], &body["dedup_key"]),
            (&json!(action), &json!("weir-k3p9-0"))
        );
    }
    assert!(rx.try_recv().is_err(), "once is enough");
}

#[tokio::test]
async fn a_key_is_never_told() {
    let config = json!({"routing_key": KEY, "url": "http://127.0.0.1:9/v2/enqueue"});
    let (pager, _) = build(json!({ "pagerduty": config }));
    let SendOutcome::Retry { error, .. } = pager.send(&list(1), "k", now()).await else {
        panic!("nobody answers there")
    };
    assert!(error.contains("cannot connect") && !error.contains("hush"), "{error}");
}

#[test]
fn options_are_checked() {
    let config = |value: Value| {
        serde_json::from_value::<ChannelConfig>(json!({"pagerduty": value})).unwrap()
    };
    let plain = config(json!({"routing_key": KEY}));
    assert_eq!((plain.kind(), plain.name()), ("pagerduty", "pagerduty"));
    assert!(plain.per_incident() && plain.send_resolved());
    let limits = |config: &ChannelConfig| {
        config.budgets().iter().map(|b| (b.messages, b.per.as_secs())).collect::<Vec<_>>()
    };
    assert_eq!(limits(&plain), [(60, 60)]);
    assert!(!format!("{plain:?}").contains("hush"));
    let much = config(json!({"routing_key": KEY, "budget": {"messages": 121, "per": "1m"}}));
    assert!(much.check().unwrap_err().0.contains("more than PagerDuty takes (120 in 60 s"));
    let other = config(json!({"routing_key": KEY.replace("hush", "rush")}));
    assert_ne!(plain.endpoint().unwrap(), other.endpoint().unwrap());
    for (bad, why) in [
        (json!({"routing_key": "hush"}), "32 letters and digits"),
        (json!({"routing_key": KEY, "url": "events.example.com"}), "no http(s) address"),
        (json!({}), "routing_key_file"),
    ] {
        let parts = crate::notify::channels::testing::parts().0;
        let error = config(bad).build(&parts).err().unwrap().0;
        assert!(error.contains(why) && !error.contains("hush"), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_message_about_many_opens_one_alert(
        items in any_items(),
        kind in prop::sample::select(vec![MessageKind::Storm, MessageKind::Digest]),
        zh in any::<bool>(),
    ) {
        let language = if zh { Language::Zh } else { Language::En };
        let open = items.iter().filter(|item| item.incident.is_open()).count();
        let events = events(&probe::view(kind, language, items));
        let opened: Vec<&Value> = events.iter().filter(|e| e["event_action"] == "trigger").collect();
        prop_assert_eq!(opened.len(), usize::from(open > 0));
        if let Some(event) = opened.first() {
            let details = &event["payload"]["custom_details"];
            prop_assert_eq!(&details["count"], &json!(open));
            prop_assert_eq!(details["incidents"].as_array().unwrap().len(), open.min(50));
            prop_assert_eq!(details.get("more").is_some(), open > 50);
        }
    }
}
