use serde_json::{Value, json};

use crate::model::{IncidentState, Manner, Message, MessageKind, SendOutcome};
use crate::notify::channels::testing::{
    assert_title, budget_said, build, good, hostile_views, message, now, parts, serve,
};
use crate::notify::channels::{Channel, ChannelConfig};
use crate::notify::render::{probe, words};
use crate::notify::{Language, MessageView};

fn slack(base_url: &str) -> Box<dyn Channel> {
    let config = json!({"token": "xoxb-hush", "channel": "#alerts", "base_url": base_url,
        "at": ["here", "U1", "S2"]});
    build(json!({ "slack": config })).0
}

/// Checks what must hold for every message and returns it.
fn checked(view: &MessageView) -> Value {
    let composed = slack("https://x").composer().compose(view);
    let body: Value = serde_json::from_str(&composed.frozen.body).unwrap();
    assert!(composed.named <= view.items.len());
    let blocks = body["attachments"][0]["blocks"].as_array().unwrap();
    assert!((1..=50).contains(&blocks.len()));
    for block in blocks.iter().filter(|b| b["type"] == "section") {
        let text = block["text"]["text"].as_str().unwrap();
        assert!((1..=3_000).contains(&text.chars().count()), "{}", text.len());
    }
    assert_title(body["text"].as_str().unwrap());
    assert!(composed.frozen.body.contains(words::keyword(view.language)));
    body
}

fn one(item: crate::notify::ItemView) -> MessageView {
    probe::view(MessageKind::Incident, Language::En, vec![item])
}

#[test]
fn messages_read_well_in_both_languages() {
    for language in [Language::En, Language::Zh] {
        let mut texts = Vec::new();
        for (name, view) in good(language) {
            let body = checked(&view);
            let attachment = &body["attachments"][0];
            let colour = attachment["color"].as_str().unwrap();
            let mut lines = vec![format!("## {name} ({colour})")];
            lines.push(body["text"].as_str().unwrap().to_owned());
            for block in attachment["blocks"].as_array().unwrap() {
                match block["text"]["text"].as_str() {
                    Some(text) => lines.push(text.to_owned()),
                    None => lines.push(block["elements"].to_string()),
                }
            }
            texts.push(lines.join("\n"));
        }
        insta::assert_snapshot!(format!("slack_{}", words::code(language)), texts.join("\n\n"));
    }
}

#[test]
fn hostile_text_is_harmless_and_fits() {
    for mut view in hostile_views() {
        for is_reply in [false, true] {
            view.is_reply = is_reply;
            let body = checked(&view);
            let text = body.to_string();
            for bad in ["<at id", "<!channel", "</script", "<http"] {
                assert!(!text.contains(bad), "{bad}: {text}");
            }
            for block in body["attachments"][0]["blocks"].as_array().unwrap() {
                for button in block["elements"].as_array().into_iter().flatten() {
                    let url = button["url"].as_str().unwrap_or("https://");
                    assert!(url.starts_with("https://") && !url.contains('<'), "{url}");
                }
            }
        }
    }
}

#[test]
fn people_are_mentioned_once_and_only_while_it_is_nobodys() {
    let text = |item| checked(&one(item))["text"].as_str().unwrap().to_owned();
    let open = text(probe::failing(1, "a"));
    assert!(open.ends_with(" <!here> <@U1> <!subteam^S2> <@UDUYAO>"), "{open}");
    let mut taken = probe::failing(1, "a");
    taken.incident.state = IncidentState::Acknowledged;
    let (by, comment) = ("ann".to_owned(), String::new());
    let at = taken.incident.opened_at;
    taken.incident.acknowledged = Some(crate::model::Acknowledgement { by, at, comment });
    assert!(!text(taken.clone()).contains('<'));
    let body = checked(&one(taken)).to_string();
    assert!(
        body.contains("*Acknowledged* ann, 11-21") && !body.contains("\"acknowledge\""),
        "{body}"
    );
    assert!(!text(probe::recovered(1, "a")).contains('<'));
}

#[tokio::test]
async fn a_token_is_never_told() {
    let slack = slack("http://127.0.0.1:9");
    let (_, view) = good(Language::En).swap_remove(0);
    let message = message(slack.composer().compose(&view).frozen);
    let SendOutcome::Retry { error, .. } = slack.send(&message, "k", now()).await else {
        panic!("nobody answers there")
    };
    assert!(error.starts_with("cannot connect") && !error.contains("hush"), "{error}");
}

#[test]
fn options_are_checked() {
    let config = |value: Value| {
        let mut all = json!({"token": "xoxb-hush"});
        all.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
        serde_json::from_value::<ChannelConfig>(json!({ "slack": all })).unwrap()
    };
    let plain = config(json!({"channel": "C1"}));
    assert_eq!((plain.kind(), plain.name(), plain.per_incident()), ("slack", "slack", true));
    assert!(plain.edits().is_some() && !format!("{plain:?}").contains("hush"));
    let limits: Vec<_> = plain.budgets().iter().map(|b| (b.messages, b.per.as_secs())).collect();
    assert_eq!(limits, [(40, 60), (1, 1)]);
    let said = |messages, per| {
        budget_said("slack", &json!({"token": "xoxb-hush", "channel": "C1"}), messages, per)
    };
    assert_eq!((said(60, "1m"), said(1_000, "1h")), (String::new(), String::new()));
    assert!(said(1_000, "1m").contains("a channel of Slack's takes (60 in 60 s"));
    assert!(said(2, "1s").contains("(1 in 1 s"));
    for bad in [
        json!({"channel": ""}),
        json!({"channel": "a b"}),
        json!({"channel": "C1", "at": ["<!x>"]}),
    ] {
        assert!(config(bad.clone()).build(&parts().0).is_err(), "{bad}");
    }
}

async fn sent(answer: &'static str, manner: Manner) -> (SendOutcome, Value, Message) {
    let (url, mut rx) = serve(200, answer).await;
    let slack = slack(&url);
    let frozen = slack.composer().compose(&one(probe::failing(1, "a"))).frozen;
    let message = Message { manner, ..message(frozen) };
    let outcome = slack.send(&message, "k3p9-7", now()).await;
    let (headers, body) = rx.recv().await.unwrap();
    assert_eq!(headers["authorization"], "Bearer xoxb-hush");
    assert_eq!(headers["content-type"], "application/json; charset=utf-8");
    (outcome, serde_json::from_str(&body).unwrap(), message)
}

#[tokio::test]
async fn it_is_posted_edited_and_replied_to() {
    const OK: &str = r#"{"ok":true,"channel":"C9","ts":"1503435956.000247"}"#;
    let (outcome, body, message) = sent(OK, Manner::Fresh).await;
    assert_eq!(outcome, SendOutcome::Accepted { receipt: "C9/1503435956.000247".to_owned() });
    assert_eq!(body["channel"], "#alerts");
    let id = body["client_msg_id"].as_str().unwrap();
    assert!(id.len() == 36 && id == super::client_msg_id("k3p9-7"), "{id}");
    let frozen: Value = serde_json::from_str(&message.frozen.body).unwrap();
    assert_eq!(body["attachments"], frozen["attachments"]);
    assert_eq!(body.get("ts"), None);

    let receipt = "C9/1503435956.000247".to_owned();
    let (outcome, body, _) = sent(OK, Manner::Edit { of: 7, receipt: receipt.clone() }).await;
    assert_eq!(outcome, SendOutcome::Delivered);
    assert_eq!((&body["channel"], &body["ts"]), (&json!("C9"), &json!("1503435956.000247")));
    assert_eq!(body.get("thread_ts"), None);

    let (_, body, _) = sent(OK, Manner::Reply { of: 7, receipt, loud: true }).await;
    assert_eq!(body["thread_ts"], "1503435956.000247");
    assert_eq!(body["reply_broadcast"], true);

    let gone = r#"{"ok":false,"error":"message_not_found"}"#;
    let (outcome, ..) = sent(gone, Manner::Edit { of: 7, receipt: "C9/1.2".to_owned() }).await;
    assert!(matches!(outcome, SendOutcome::Gone { .. }), "{outcome:?}");
}
