use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Value, json};

use crate::model::{IncidentState, Manner, Message, SendOutcome, Severity, Time, Ts};
use crate::notify::channels::testing::{
    assert_title, budget_said, build, good, hostile_views, message, now, parts,
};
use crate::notify::channels::{Channel, ChannelConfig};
use crate::notify::render::{probe, words};
use crate::notify::{Language, MessageView};

fn app(base_url: &str) -> Box<dyn Channel> {
    let config = json!({
        "app_id": "cli_1", "app_secret": "hush", "chat_id": "oc_1", "base_url": base_url,
        "at": ["ou_1"],
    });
    build(json!({ "feishu_app": config })).0
}

fn card(view: &MessageView) -> Value {
    let composed = app("https://x").composer().compose(view);
    assert!(super::api::as_string(&composed.frozen.body).len() + 300 < 30 * 1024);
    let card: Value = serde_json::from_str(&composed.frozen.body).unwrap();
    assert_eq!(card["config"]["update_multi"], true, "else nobody may edit it");
    assert_title(card["header"]["title"]["content"].as_str().unwrap());
    assert!(composed.frozen.body.contains(words::keyword(view.language)));
    card
}

fn one(item: crate::notify::ItemView) -> MessageView {
    probe::view(crate::model::MessageKind::Incident, Language::En, vec![item])
}

#[test]
fn cards_fit_and_can_be_edited_whatever_is_in_them() {
    for language in [Language::En, Language::Zh] {
        for (_, view) in good(language) {
            card(&view);
        }
    }
    for mut view in hostile_views() {
        for is_reply in [false, true] {
            view.is_reply = is_reply;
            let card = card(&view).to_string();
            assert!(!card.contains("<at id=all>"), "{card}");
        }
    }
}

#[test]
fn an_open_incident_has_a_button_to_acknowledge_and_mentions_its_owner() {
    let text = |item| card(&one(item)).to_string();
    let open = text(probe::failing(128, "a"));
    assert!(open.contains("Acknowledge\"") && open.contains("#/incidents/128"), "{open}");
    assert!(open.contains("<at id=ou_1></at> <at id=ou_duyao></at>"), "{open}");
    let mut taken = probe::failing(128, "a");
    taken.incident.state = IncidentState::Acknowledged;
    let (by, comment) = ("ann".to_owned(), String::new());
    let at = taken.incident.opened_at;
    taken.incident.acknowledged = Some(crate::model::Acknowledgement { by, at, comment });
    let taken = text(taken);
    assert!(taken.contains("**Acknowledged** ann, 11-21") && !taken.contains("<at id"), "{taken}");
    assert!(!taken.contains("Acknowledge\""), "{taken}");
    let over = text(probe::recovered(128, "a"));
    assert!(!over.contains("Acknowledge") && over.contains("\"green\""), "{over}");
    let mut mild = probe::failing(128, "a");
    mild.incident.severity = Severity::Warning;
    assert!(!text(mild).contains("<at id"));
}

#[test]
fn a_reply_is_short_and_names_whom_it_is_for() {
    let mut view = one(probe::failing(1, "orders"));
    let whole = card(&view).to_string();
    view.is_reply = true;
    let reply = card(&view).to_string();
    assert!(reply.len() * 2 < whole.len() + 400, "{reply}");
    assert!(
        reply.contains("orders") && reply.contains("PoisonRecord") && reply.contains("ou_duyao")
    );
    view.items.extend((2..40).map(|id| probe::failing(id, "orders")));
    let reply = card(&view).to_string();
    assert!(reply.contains("…and 19 more"), "{reply}");
}

#[test]
fn options_are_checked() {
    let config = |value: Value| {
        let mut all = json!({"app_id": "cli_1", "app_secret": "hush"});
        all.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
        serde_json::from_value::<ChannelConfig>(json!({ "feishu_app": all })).unwrap()
    };
    let plain = config(json!({"chat_id": "oc_1"}));
    assert_eq!(
        (plain.kind(), plain.name(), plain.per_incident()),
        ("feishu_app", "feishu_app", true)
    );
    let edits = plain.edits().unwrap();
    assert_eq!((edits.debounce.as_secs(), edits.within.as_secs() / 3_600), (30, 335));
    let limits: Vec<_> = plain.budgets().iter().map(|b| (b.messages, b.per.as_secs())).collect();
    assert_eq!(limits, [(100, 60), (4, 1)]);
    let chat = json!({"app_id": "cli_1", "app_secret": "hush", "chat_id": "oc_1"});
    let said = |messages, per| budget_said("feishu_app", &chat, messages, per);
    assert_eq!(said(300, "1m"), "");
    assert!(said(1_000, "1m").contains("a chat of Feishu's takes (300 in 60 s"));
    assert!(said(50, "1s").contains("(5 in 1 s"));
    let much = config(json!({"chat_id": "oc_1", "budget": {"messages": 5_000, "per": "1h"}}));
    let limits: Vec<_> = much.budgets().iter().map(|b| (b.messages, b.per.as_secs())).collect();
    assert_eq!(limits, [(5_000, 3_600), (300, 60), (4, 1)]);
    assert!(!format!("{plain:?}").contains("hush"));
    let by_id = config(json!({"receive_id": "oc_1"}));
    assert_eq!(plain.endpoint().unwrap(), by_id.endpoint().unwrap(), "the same chat");
    let lark = config(json!({"chat_id": "oc_1", "base_url": "https://open.larksuite.com/"}));
    assert_ne!(plain.endpoint().unwrap(), lark.endpoint().unwrap());
    for bad in [
        json!({}),
        json!({"chat_id": "oc_1", "receive_id": "ou_1"}),
        json!({"chat_id": "oc_1", "receive_id_type": "email"}),
        json!({"receive_id": "9f2"}),
        json!({"chat_id": "oc_1", "at": ["ou_1></at><at id=all"]}),
        json!({"chat_id": "oc_1", "base_url": "open.feishu.cn"}),
    ] {
        assert!(config(bad.clone()).build(&parts().0).is_err(), "{bad}");
    }
}

/// What a request was: method, path with query, token, body.
type Asked = (String, String, String, Value);

/// A vendor whose tokens are `t-1`, `t-2`, …, each good for two hours; `refuse` are not.
async fn vendor(
    refuse: &'static [&'static str],
    patch: &'static str,
) -> (String, Arc<Mutex<Vec<Asked>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (log, tokens) = (Arc::clone(&asked), Arc::new(AtomicU64::new(0)));
    let app = axum::Router::new().fallback(
        move |method: Method, uri: Uri, headers: HeaderMap, body: String| {
            let (log, tokens) = (Arc::clone(&log), Arc::clone(&tokens));
            async move {
                let token = headers.get("authorization").map_or("", |v| v.to_str().unwrap());
                let body: Value = serde_json::from_str(&body).unwrap();
                let asked = (method.to_string(), uri.to_string(), token.to_owned(), body);
                log.lock().unwrap().push(asked);
                if uri.path().ends_with("/internal") {
                    let n = tokens.fetch_add(1, Ordering::SeqCst) + 1;
                    let answer = json!({"code": 0, "msg": "ok", "expire": 7200,
                        "tenant_access_token": format!("t-{n}")});
                    return (StatusCode::OK, answer.to_string());
                }
                if refuse.iter().any(|t| token.ends_with(t)) {
                    let answer = r#"{"code":99991663,"msg":"Invalid access token"}"#;
                    return (StatusCode::BAD_REQUEST, answer.to_owned());
                }
                let answer = match method {
                    Method::PATCH => patch,
                    _ => r#"{"code":0,"msg":"success","data":{"message_id":"om_7"}}"#,
                };
                (StatusCode::OK, answer.to_owned())
            }
        },
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (url, asked)
}

fn paths(asked: &Mutex<Vec<Asked>>) -> Vec<String> {
    asked.lock().unwrap().iter().map(|(method, path, ..)| format!("{method} {path}")).collect()
}

const TOKEN: &str = "POST /open-apis/auth/v3/tenant_access_token/internal";
const MESSAGES: &str = "/open-apis/im/v1/messages";

fn the_message(app: &dyn Channel, manner: Manner) -> Message {
    let frozen = app.composer().compose(&one(probe::failing(1, "a"))).frozen;
    Message { manner, ..message(frozen) }
}

#[tokio::test]
async fn it_is_sent_edited_and_replied_to_with_one_token() {
    let (url, asked) = vendor(&[], r#"{"code":0,"msg":"success","data":{}}"#).await;
    let app = app(&url);
    let fresh = the_message(&*app, Manner::Fresh);
    let taken = app.send(&fresh, "k3p9-7", now()).await;
    assert_eq!(taken, SendOutcome::Accepted { receipt: "om_7".to_owned() });
    let receipt = "om_7".to_owned();
    let edit = the_message(&*app, Manner::Edit { of: 7, receipt: receipt.clone() });
    assert_eq!(app.send(&edit, "k3p9-8", now()).await, SendOutcome::Delivered);
    let reply = the_message(&*app, Manner::Reply { of: 7, receipt, loud: true });
    assert_eq!(app.send(&reply, "k3p9-9", now()).await, SendOutcome::Delivered);
    let send = format!("POST {MESSAGES}?receive_id_type=chat_id");
    let (patch, below) = (format!("PATCH {MESSAGES}/om_7"), format!("POST {MESSAGES}/om_7/reply"));
    assert_eq!(paths(&asked), [TOKEN, &send, &patch, &below]);
    let asked = asked.lock().unwrap();
    assert_eq!(asked[0].3, json!({"app_id": "cli_1", "app_secret": "hush"}));
    assert_eq!(asked[1].2, "Bearer t-1");
    assert_eq!(asked[1].3["receive_id"], "oc_1");
    assert_eq!(asked[1].3["uuid"], "k3p9-7");
    assert_eq!(asked[1].3["content"], fresh.frozen.body, "a string of JSON");
    assert_eq!(asked[2].3, json!({"content": edit.frozen.body}));
    assert_eq!(asked[3].3["uuid"], "k3p9-9");
}

#[tokio::test]
async fn a_token_is_fetched_anew_when_it_is_refused_or_old() {
    let (url, asked) = vendor(&["t-1"], r#"{"code":0}"#).await;
    let app = app(&url);
    let fresh = the_message(&*app, Manner::Fresh);
    assert!(matches!(app.send(&fresh, "k", now()).await, SendOutcome::Accepted { .. }));
    let send = format!("POST {MESSAGES}?receive_id_type=chat_id");
    assert_eq!(paths(&asked), [TOKEN, &send, TOKEN, &send]);
    let later = |seconds: i64| Time { steady: Ts(now().steady.0 + seconds * 1_000), ..now() };
    assert!(matches!(app.send(&fresh, "k", later(6_000)).await, SendOutcome::Accepted { .. }));
    assert_eq!(paths(&asked).len(), 5, "it is good for two hours");
    assert!(matches!(app.send(&fresh, "k", later(7_000)).await, SendOutcome::Accepted { .. }));
    assert_eq!(paths(&asked).len(), 7, "it would be over in three minutes");
}

#[tokio::test]
async fn a_token_refused_for_good_is_no_loop_and_tells_no_secret() {
    let (url, asked) = vendor(&["t-1", "t-2", "t-3"], "{}").await;
    let app = app(&url);
    let fresh = the_message(&*app, Manner::Fresh);
    let SendOutcome::Retry { error, .. } = app.send(&fresh, "k", now()).await else { panic!() };
    assert!(error.contains("99991663") && !error.contains("t-2") && !error.contains("hush"));
    assert_eq!(paths(&asked).len(), 4);
}

#[tokio::test]
async fn what_cannot_be_edited_is_gone() {
    let (url, _) = vendor(&[], r#"{"code":230031,"msg":"only within 14 days"}"#).await;
    let app = app(&url);
    let edit = the_message(&*app, Manner::Edit { of: 7, receipt: "om_7".to_owned() });
    assert!(matches!(app.send(&edit, "k", now()).await, SendOutcome::Gone { .. }));
    let strange = the_message(&*app, Manner::Edit { of: 7, receipt: "../x".to_owned() });
    assert!(matches!(app.send(&strange, "k", now()).await, SendOutcome::Gone { .. }));
}
