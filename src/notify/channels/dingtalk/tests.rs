use proptest::prelude::*;
use serde_json::{Value, json};

use super::{sign, signed};
use crate::model::{MessageKind, NoticeReason, SendOutcome};
use crate::notify::channels::testing::{
    any_items, assert_bare, assert_title, build, good, hostile_views, message, now, serve,
};
use crate::notify::channels::{Channel, ChannelConfig};
use crate::notify::render::escape::mark;
use crate::notify::render::{probe, words};
use crate::notify::{Composed, Language, MessageView};

const URL: &str = "https://oapi.dingtalk.com/robot/send?access_token=hush";

fn robot() -> Box<dyn Channel> {
    build(json!({"dingtalk": {"url": URL, "at": ["13800001111"]}})).0
}

/// Checks what must hold for every message and returns it.
fn checked(view: &MessageView, composed: &Composed) -> Value {
    assert!(composed.frozen.body.len() <= 20_000, "{} bytes", composed.frozen.body.len());
    let body: Value = serde_json::from_str(&composed.frozen.body).unwrap();
    assert_eq!(body["msgtype"], "markdown");
    assert_title(body["markdown"]["title"].as_str().unwrap());
    assert_eq!(body["markdown"]["title"], composed.frozen.title);
    assert_eq!(body["at"]["isAtAll"], false);
    let text = body["markdown"]["text"].as_str().unwrap();
    assert!(text.contains(words::keyword(view.language)), "{text}");
    assert_bare(text, "@13800001111");
    // Whoever is mentioned stands in the text, and nobody else.
    let mobiles = body["at"]["atMobiles"].as_array().unwrap().iter();
    let mobiles: Vec<String> = mobiles.map(|m| format!("@{}", m.as_str().unwrap())).collect();
    assert!(text.ends_with(&mobiles.join(" ")), "{text}");
    let named = composed.named;
    assert!(named <= view.items.len());
    for item in view.items.iter().take(named).filter(|_| view.items.len() > 1) {
        assert!(text.contains(&format!("#{}", item.incident.id)), "{text}");
    }
    let more = view.items.len() - named;
    let counted = match view.language {
        Language::En if named > 0 => format!("…and {more} more"),
        Language::En => format!("{more} in all"),
        Language::Zh if named > 0 => format!("……另有 {more} 条"),
        Language::Zh => format!("共 {more} 条"),
    };
    assert_eq!(text.contains(&counted), more > 0, "{counted}");
    body
}

#[test]
fn messages_read_well_in_both_languages() {
    let robot = robot();
    for language in [Language::En, Language::Zh] {
        let texts: Vec<String> = good(language)
            .into_iter()
            .map(|(name, view)| {
                let body = checked(&view, &robot.composer().compose(&view));
                format!("---- {name}\n{}", body["markdown"]["text"].as_str().unwrap())
            })
            .collect();
        let all = texts.join("\n\n").replace("  \n  ", "⏎\n");
        insta::assert_snapshot!(format!("messages_{}", words::code(language)), all);
    }
    let (_, view) = good(Language::Zh).swap_remove(0);
    let body: Value = serde_json::from_str(&robot.composer().compose(&view).frozen.body).unwrap();
    insta::assert_json_snapshot!("message_json", body);
}

#[test]
fn hostile_text_is_harmless_and_fits() {
    let robot = robot();
    for view in hostile_views() {
        checked(&view, &robot.composer().compose(&view));
    }
}

#[test]
fn names_are_escaped_and_can_still_be_read() {
    let name = "[x](https://evil.example.com) @all <b>_orders_";
    let view = probe::view(MessageKind::Incident, Language::En, vec![probe::failing(1, name)]);
    let body = checked(&view, &robot().composer().compose(&view));
    let text = body["markdown"]["text"].as_str().unwrap();
    assert!(text.contains(&mark(name)), "{text}");
    assert!(mark(name).contains("［x］(https://evil.example.com) ＠all ＜b＞＿orders＿"));
}

#[test]
fn people_are_mentioned_for_critical_news_only() {
    let robot = robot();
    let mentions = |reason, item: crate::notify::ItemView| {
        let item = crate::notify::ItemView { reason, ..item };
        let view = probe::view(MessageKind::Incident, Language::En, vec![item]);
        checked(&view, &robot.composer().compose(&view))["at"]["atMobiles"] != json!([])
    };
    assert!(mentions(NoticeReason::Opened, probe::failing(1, "a")));
    assert!(mentions(NoticeReason::Worse, probe::failing(1, "a")));
    assert!(!mentions(NoticeReason::Repeat, probe::failing(1, "a")));
    assert!(!mentions(NoticeReason::Resolved, probe::recovered(1, "a")));
    let all = build(json!({"dingtalk": {"url": URL, "at": ["all"]}})).0;
    let view = probe::view(MessageKind::Incident, Language::En, vec![probe::failing(1, "a")]);
    let body: Value = serde_json::from_str(&all.composer().compose(&view).frozen.body).unwrap();
    // The owner, too, who is in `people`.
    assert_eq!(body["at"], json!({"atMobiles": ["13900002222"], "isAtAll": true}));
    assert!(body["markdown"]["text"].as_str().unwrap().ends_with("@13900002222"), "{body}");
}

#[test]
fn the_signature_is_the_vendors() {
    // printf '1599360473000\ndemo' | openssl dgst -sha256 -hmac demo -binary | base64
    assert_eq!(sign("demo", 1_599_360_473_000), "eblRZvilBzXa6Ce18IeBM4pMy1rYNWKicaCg6VMwQe0=");
    assert_eq!(
        signed("https://x/send?access_token=a", "demo", 1_599_360_473_000),
        "https://x/send?access_token=a&timestamp=1599360473000&\
         sign=eblRZvilBzXa6Ce18IeBM4pMy1rYNWKicaCg6VMwQe0%3D"
    );
    // The same with python's urllib.parse.quote_plus, for a signature that has + and /.
    assert!(signed("u", "SEC4", 1_700_000_000_004).ends_with(PLUS_AND_SLASH), "{PLUS_AND_SLASH}");
}

/// Of `1700000000004` with `SEC4`.
const PLUS_AND_SLASH: &str = "&sign=GKqRUH%2F083iYF60%2FkwU3zH%2BegRpB53wljhXN%2FF85LLM%3D";

#[tokio::test]
async fn a_refusal_with_status_200_is_a_refusal() {
    let (url, mut rx) = serve(200, r#"{"errcode":310000,"errmsg":"sign not match"}"#).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secret");
    std::fs::write(&file, "first\n").unwrap();
    let url = format!("{url}?access_token=token-hush");
    let (robot, _) = build(json!({"dingtalk": {"url": url, "secret_file": file}}));
    let (_, view) = good(Language::Zh).swap_remove(0);
    let mut message = message(robot.composer().compose(&view).frozen);
    assert!(matches!(robot.send(&message, "k", now()).await, SendOutcome::Retry { .. }));
    // A secret that was changed meanwhile is taken up by the next try.
    std::fs::write(&file, "second\n").unwrap();
    message.attempts = 2;
    let SendOutcome::Rejected { error } = robot.send(&message, "k", now()).await else {
        panic!("a wrong secret must end")
    };
    assert!(error.contains("check `secret`") && !error.contains("hush"), "{error}");
    for secret in ["first", "second"] {
        let (headers, body) = rx.recv().await.unwrap();
        assert_eq!(headers["content-type"], "application/json");
        assert_eq!(body, message.frozen.body, "not a byte changes");
        let query = headers["x-query"].to_str().unwrap().to_owned();
        assert_eq!(format!("?{query}"), signed("?access_token=token-hush", secret, now().wall.0));
    }
}

#[tokio::test]
async fn an_address_is_never_told() {
    let url = "http://127.0.0.1:9/send?access_token=token-hush";
    let (robot, _) = build(json!({"dingtalk": {"url": url, "secret": "key-hush"}}));
    let (_, view) = good(Language::Zh).swap_remove(0);
    let message = message(robot.composer().compose(&view).frozen);
    let SendOutcome::Retry { error, .. } = robot.send(&message, "k", now()).await else {
        panic!("nobody answers there")
    };
    assert!(error.starts_with("cannot connect") && !error.contains("hush"), "{error}");
}

#[test]
fn options_are_checked() {
    let config =
        |value: Value| serde_json::from_value::<ChannelConfig>(json!({"dingtalk": value})).unwrap();
    let plain = config(json!({"url": URL}));
    assert_eq!((plain.kind(), plain.name()), ("dingtalk", "dingtalk"));
    let limits = |config: &ChannelConfig| {
        config.budgets().iter().map(|b| (b.messages, b.per.as_secs())).collect::<Vec<_>>()
    };
    assert_eq!(limits(&plain), [(18, 60)]);
    assert!(!format!("{plain:?}").contains("hush"));
    let own = config(json!({"url": URL, "budget": {"messages": 100, "per": "1h"}}));
    own.check().unwrap();
    assert_eq!(limits(&own), [(100, 3600), (20, 60)]);
    let much = config(json!({"url": URL, "budget": {"messages": 21, "per": "1m"}}));
    assert!(much.check().unwrap_err().0.contains("more than DingTalk takes (20 in 60 s"));
    // One robot, one budget, however its address is written.
    let same = config(json!({"url": "http://127.0.0.1/x?a=b&access_token=hush"}));
    assert_eq!(plain.endpoint().unwrap(), same.endpoint().unwrap());
    let other = config(json!({"url": format!("{URL}2")}));
    assert_ne!(plain.endpoint().unwrap(), other.endpoint().unwrap());
    for (bad, why) in [
        (json!({"url": URL, "at": ["me"]}), "mobile numbers"),
        (json!({"url": "https://oapi.dingtalk.com/robot/send"}), "no access_token"),
        (json!({}), "url_file"),
    ] {
        let parts = crate::notify::channels::testing::parts().0;
        let error = config(bad).build(&parts).err().unwrap().0;
        assert!(error.contains(why), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_message_fits_and_accounts_for_every_item(
        items in any_items(),
        kind in prop::sample::select(vec![MessageKind::Group, MessageKind::Storm, MessageKind::Digest]),
        zh in any::<bool>(),
    ) {
        let language = if zh { Language::Zh } else { Language::En };
        let view = probe::view(kind, language, items);
        checked(&view, &robot().composer().compose(&view));
    }
}

#[test]
fn a_template_of_the_users_own_cannot_make_a_message_too_long_or_lose_the_word() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("dingtalk/zh");
    std::fs::create_dir_all(&folder).unwrap();
    let compose = |template: String| {
        std::fs::write(folder.join("body.mark.hbs"), template).unwrap();
        let templates = crate::notify::render::Templates::load(Some(dir.path())).unwrap();
        let writer = super::message::Composer {
            templates: std::sync::Arc::new(templates),
            at: Vec::new(),
            people: crate::notify::channels::People::default(),
        };
        let view = probe::view(MessageKind::Storm, Language::Zh, vec![probe::failing(1, "a"); 9]);
        crate::notify::Compose::compose(&writer, &view)
    };
    let long = compose("x".repeat(30_000));
    assert!(long.frozen.body.len() < 20_000);
    assert_eq!(long.named, 0);
    assert!(long.frozen.body.contains("9 起"), "the count is in the title");
    assert!(compose("short".to_owned()).frozen.body.contains("告警"));
}
