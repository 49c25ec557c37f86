use serde_json::{Value, json};

use super::body::stamped;
use super::{address, verdict};
use crate::model::{Frozen, MessageKind, SendOutcome, Ts};
use crate::notify::Language;
use crate::notify::channels::ChannelConfig;
use crate::notify::channels::testing::{
    assert_title, build, good, hostile_views, message, now, serve,
};
use crate::notify::render::probe;
use secrecy::ExposeSecret;

fn alerts(language: Language, item: crate::notify::ItemView) -> Vec<Value> {
    let (channel, _) = build(json!({"alertmanager": {"urls": ["http://am:9093"]}}));
    let view = probe::view(MessageKind::Incident, language, vec![item]);
    let body = channel.composer().compose(&view).frozen.body;
    serde_json::from_str(&body).unwrap()
}

#[test]
fn one_alert_per_incident_under_the_incidents_labels() {
    let [alert] = &alerts(Language::En, probe::failing(128, "ro-cn-sync"))[..] else { panic!() };
    assert_eq!(alert["labels"]["alertname"], "JobFailingRepeatedly");
    assert_eq!(alert["labels"]["severity"], "critical");
    assert_eq!(alert["labels"]["job_name"], "ro-cn-sync");
    assert_eq!(alert["startsAt"], "2026-11-20T19:12:00Z");
    assert_eq!(alert.get("endsAt"), None, "put in when it is sent");
    assert_eq!(alert["generatorURL"], "https://weir.example.com/#/incidents/128");
    let texts = &alert["annotations"];
    assert_eq!(texts["headline"], "keeps failing · 4 in 30 min");
    assert!(texts["title"].as_str().unwrap().ends_with("#128"), "{texts}");
    assert!(texts["root_cause"].as_str().unwrap().starts_with("PoisonRecordException"));
    assert_eq!(texts.get("headline_zh"), None);
}

#[test]
fn annotations_are_in_the_receivers_language() {
    let [alert] = &alerts(Language::Zh, probe::failing(128, "ro-cn-sync"))[..] else { panic!() };
    assert_eq!(alert["annotations"]["headline"], "反复失败 · 30 分钟 4 次");
    assert_eq!(alert["annotations"]["summary"], "keeps failing", "no Chinese one was written");
}

#[test]
fn what_is_over_has_its_end_which_is_never_before_its_beginning() {
    let [alert] = &alerts(Language::En, probe::recovered(128, "a"))[..] else { panic!() };
    assert_eq!(alert["endsAt"], "2026-11-20T19:30:00Z");
    let mut stepped = probe::recovered(128, "a");
    stepped.incident.resolved_at = Some(Ts(1));
    let [alert] = &alerts(Language::En, stepped)[..] else { panic!() };
    assert_eq!(alert["endsAt"], alert["startsAt"]);
}

#[test]
fn names_are_ones_alertmanager_takes() {
    let mut item = probe::failing(1, "a");
    item.incident.labels.set("weir/x.y-z", "1");
    item.incident.labels.set("9", "2");
    item.incident.members[0].annotations.insert("look here".to_owned(), "3".to_owned());
    let [alert] = &alerts(Language::En, item)[..] else { panic!() };
    assert_eq!(alert["labels"]["weir_x_y_z"], "1");
    assert_eq!(alert["labels"]["_9"], "2");
    assert_eq!(alert["annotations"]["look_here"], "3");
}

#[test]
fn hostile_bodies_are_bounded_and_whole() {
    let (channel, _) = build(json!({"alertmanager": {"urls": ["http://am:9093"]}}));
    for view in hostile_views() {
        let composed = channel.composer().compose(&view);
        assert_title(&composed.frozen.title);
        assert_eq!(composed.named, view.items.len());
        let alerts: Vec<Value> = serde_json::from_str(&composed.frozen.body).unwrap();
        assert_eq!(alerts.len(), view.items.len().max(1));
        for alert in &alerts {
            for (name, value) in alert["labels"].as_object().unwrap() {
                assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{name}");
                assert!(!value.as_str().unwrap().is_empty());
            }
        }
        assert!(composed.frozen.body.len() < 120_000 * alerts.len());
    }
}

#[test]
fn the_end_is_ahead_when_it_is_sent_and_what_is_over_stays_over() {
    let body = r#"[{"labels":{"a":"b"}},{"labels":{"c":"d"},"endsAt":"2026-11-20T19:30:00Z"}]"#;
    let sent: Value = serde_json::from_str(&stamped(body, probe::NOW)).unwrap();
    assert_eq!(sent[0]["endsAt"], "2026-11-20T19:30:00Z");
    let later: Value = serde_json::from_str(&stamped(body, Ts(probe::NOW.0 + 60_000))).unwrap();
    assert_eq!(later[0]["endsAt"], "2026-11-20T19:31:00Z");
    assert_eq!(later[1]["endsAt"], "2026-11-20T19:30:00Z");
    assert_eq!(later[0]["labels"]["a"], "b");
}

#[tokio::test]
async fn every_member_is_told_and_one_that_takes_it_is_enough() {
    let (one, mut first) = serve(200, "").await;
    let (two, mut second) = serve(503, "starting").await;
    let (channel, _) = build(json!({"alertmanager": {"urls": [one, two]}}));
    let (_, view) = good(Language::En).swap_remove(0);
    let message = message(channel.composer().compose(&view).frozen);
    assert_eq!(channel.send(&message, "k", now()).await, SendOutcome::Delivered);
    let (headers, body) = first.recv().await.unwrap();
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(body, second.recv().await.unwrap().1);
    let body: Value = serde_json::from_str(&body).unwrap();
    // Four intervals of a minute after the time of the send.
    assert_eq!(body[0]["endsAt"], "2020-09-06T02:51:53Z");
}

#[tokio::test]
async fn refusals_have_a_class() {
    let (url, _rx) = serve(400, "\"start time must be before end time\"").await;
    let (channel, _) = build(json!({"alertmanager": {"urls": [url]}}));
    let message = message(Frozen { body: "[]".to_owned(), title: String::new() });
    match channel.send(&message, "k", now()).await {
        SendOutcome::Rejected { error } => assert!(error.contains("start time must"), "{error}"),
        other => panic!("{other:?}"),
    }
    let retry = SendOutcome::Retry { after_ms: None, error: "busy".to_owned() };
    let rejected = SendOutcome::Rejected { error: "no".to_owned() };
    assert_eq!(verdict(&[rejected.clone(), retry.clone()]), retry);
    assert_eq!(verdict(&[rejected.clone(), SendOutcome::Delivered]), SendOutcome::Delivered);
    assert_eq!(verdict(std::slice::from_ref(&rejected)), rejected);
}

#[test]
fn addresses_with_and_without_the_path() {
    for (given, used) in [
        ("http://am:9093", "http://am:9093/api/v2/alerts"),
        ("http://am:9093/", "http://am:9093/api/v2/alerts"),
        ("https://x/am/", "https://x/am/api/v2/alerts"),
        ("http://am:9093/api/v2/alerts", "http://am:9093/api/v2/alerts"),
    ] {
        assert_eq!(address(given).unwrap().expose_secret(), used);
    }
    assert!(address("am:9093").is_err());
    assert!(address("http://am:9093/?x=1").is_err());
    let config: ChannelConfig =
        serde_json::from_value(json!({"alertmanager": {"urls": []}})).unwrap();
    assert!(config.endpoint().unwrap_err().0.contains("empty"));
}

#[test]
fn a_test_is_an_alert_that_ends_by_itself() {
    let (channel, _) = build(json!({"alertmanager": {"urls": ["http://am:9093"]}}));
    let view = probe::view(MessageKind::Test, Language::En, Vec::new());
    let body: Value = serde_json::from_str(&channel.composer().compose(&view).frozen.body).unwrap();
    assert_eq!(body[0]["labels"]["alertname"], "WeirTest");
    assert_eq!(body[0]["endsAt"], "2026-11-20T19:35:00Z");
}
