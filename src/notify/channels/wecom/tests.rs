use proptest::prelude::*;
use serde_json::{Value, json};

use crate::model::{MessageKind, NoticeReason, SendOutcome};
use crate::notify::channels::testing::{
    any_items, assert_bare, assert_title, build, good, hostile_views, message, now, serve,
};
use crate::notify::channels::{Channel, ChannelConfig};
use crate::notify::render::escape::mark;
use crate::notify::render::{probe, words};
use crate::notify::{Composed, Language, MessageView};

const URL: &str = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=hush";

fn robot() -> Box<dyn Channel> {
    build(json!({"wecom": {"url": URL, "at": ["zhangsan"]}})).0
}

/// Checks what must hold for every message and returns its text.
fn checked(view: &MessageView, composed: &Composed) -> String {
    let body: Value = serde_json::from_str(&composed.frozen.body).unwrap();
    assert_eq!(body["msgtype"], "markdown");
    assert_title(&composed.frozen.title);
    let text = body["markdown"]["content"].as_str().unwrap();
    assert!(text.len() <= 4_096, "{} bytes", text.len());
    assert_eq!(body, json!({"msgtype": "markdown", "markdown": {"content": text}}));
    assert!(text.contains(words::keyword(view.language)), "{text}");
    assert_bare(text, "<@zhangsan>");
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
    text.to_owned()
}

#[test]
fn messages_read_well_in_both_languages() {
    let robot = robot();
    for language in [Language::En, Language::Zh] {
        let texts: Vec<String> = good(language)
            .into_iter()
            .map(|(name, view)| {
                let text = checked(&view, &robot.composer().compose(&view));
                format!("---- {name} ({} bytes)\n{text}", text.len())
            })
            .collect();
        let name = format!("messages_{}", words::code(language));
        insta::assert_snapshot!(name, texts.join("\n\n"));
    }
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
    let name = "[x](https://evil.example.com) <@all> <font>_orders_";
    let view = probe::view(MessageKind::Incident, Language::En, vec![probe::failing(1, name)]);
    let text = checked(&view, &robot().composer().compose(&view));
    assert!(text.contains(&mark(name)), "{text}");
    assert!(!text.contains("<@all>"), "{text}");
}

#[test]
fn people_are_mentioned_for_critical_news_only() {
    let robot = robot();
    let mentions = |reason, item: crate::notify::ItemView| {
        let item = crate::notify::ItemView { reason, ..item };
        let view = probe::view(MessageKind::Incident, Language::En, vec![item]);
        checked(&view, &robot.composer().compose(&view)).ends_with("\n<@zhangsan> <@du.yao>")
    };
    assert!(mentions(NoticeReason::Opened, probe::failing(1, "a")));
    assert!(mentions(NoticeReason::Worse, probe::failing(1, "a")));
    assert!(!mentions(NoticeReason::Repeat, probe::failing(1, "a")));
    assert!(!mentions(NoticeReason::Resolved, probe::recovered(1, "a")));
}

#[tokio::test]
async fn a_refusal_with_status_200_is_a_refusal() {
    let answer = r#"{"errcode":93000,"errmsg":"invalid webhook url, hint: [1], from ip: 1.2.3.4"}"#;
    let (url, mut rx) = serve(200, answer).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("url");
    std::fs::write(&file, format!("{url}?key=first-hush\n")).unwrap();
    let (robot, _) = build(json!({"wecom": {"url_file": file}}));
    let (_, view) = good(Language::Zh).swap_remove(0);
    let mut message = message(robot.composer().compose(&view).frozen);
    assert!(matches!(robot.send(&message, "k", now()).await, SendOutcome::Retry { .. }));
    // An address that was changed meanwhile is taken up by the next try.
    std::fs::write(&file, format!("{url}?key=second-hush\n")).unwrap();
    message.attempts = 2;
    let SendOutcome::Rejected { error } = robot.send(&message, "k", now()).await else {
        panic!("a wrong key must end")
    };
    assert!(error.contains("key is wrong") && !error.contains("hush"), "{error}");
    for key in ["first", "second"] {
        let (headers, body) = rx.recv().await.unwrap();
        assert_eq!(headers["content-type"], "application/json");
        assert_eq!(headers["x-query"], format!("key={key}-hush"));
        assert_eq!(body, message.frozen.body);
    }
}

#[tokio::test]
async fn an_address_is_never_told() {
    let (robot, _) = build(json!({"wecom": {"url": "http://127.0.0.1:9/send?key=key-hush"}}));
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
        |value: Value| serde_json::from_value::<ChannelConfig>(json!({"wecom": value})).unwrap();
    let plain = config(json!({"url": URL}));
    assert_eq!((plain.kind(), plain.name()), ("wecom", "wecom"));
    let limits = |config: &ChannelConfig| {
        config.budgets().iter().map(|b| (b.messages, b.per.as_secs())).collect::<Vec<_>>()
    };
    assert_eq!(limits(&plain), [(18, 60)]);
    assert!(!format!("{plain:?}").contains("hush"));
    let own = config(json!({"url": URL, "budget": {"messages": 5, "per": "10s"}}));
    own.check().unwrap();
    assert_eq!(limits(&own), [(5, 10), (20, 60)]);
    let much = config(json!({"url": URL, "budget": {"messages": 30, "per": "30s"}}));
    assert!(much.check().unwrap_err().0.contains("more than WeCom takes (20 in 60 s"));
    let same = config(json!({"url": "http://127.0.0.1/x?debug=1&key=hush"}));
    assert_eq!(plain.endpoint().unwrap(), same.endpoint().unwrap());
    for (bad, why) in [
        (json!({"url": URL, "at": ["all"]}), "cannot mention everybody"),
        (json!({"url": URL, "at": ["a> <@all"]}), "user ids such as"),
        (json!({"url": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send"}), "no key"),
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
fn a_template_of_the_users_own_cannot_make_a_message_too_long() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("wecom/zh");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("body.mark.hbs"), "长".repeat(2_000)).unwrap();
    let templates = crate::notify::render::Templates::load(Some(dir.path())).unwrap();
    let writer = super::message::Composer {
        templates: std::sync::Arc::new(templates),
        at: Vec::new(),
        people: crate::notify::channels::People::default(),
    };
    let view = probe::view(MessageKind::Storm, Language::Zh, vec![probe::failing(1, "a"); 9]);
    let composed = crate::notify::Compose::compose(&writer, &view);
    assert_eq!(composed.named, 0);
    assert!(composed.frozen.body.contains("9 起"), "the count is in the title");
}
