use proptest::prelude::*;
use serde_json::{Value, json};

use super::{sign, signed};
use crate::model::{MessageKind, NoticeReason, SendOutcome};
use crate::notify::channels::testing::{
    HOSTILE, assert_title, budget_said, build, good, hostile_views, message, now, serve,
};
use crate::notify::channels::{Channel, ChannelConfig};
use crate::notify::render::{probe, words};
use crate::notify::{Composed, Language, MessageView};

fn bot() -> Box<dyn Channel> {
    build(json!({"feishu_bot": {"url": "https://bot.example.com/hush", "at": ["ou_1"]}})).0
}

/// Checks what must hold for every card and returns it.
fn checked(view: &MessageView, composed: &Composed) -> Value {
    let body = signed(&composed.frozen.body, "demo", 1_599_360_473);
    assert!(body.len() < 20 * 1024, "{} bytes", body.len());
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["msg_type"], "interactive");
    let card = &body["card"];
    assert_title(card["header"]["title"]["content"].as_str().unwrap());
    assert_eq!(card["header"]["title"]["content"], composed.frozen.title);
    let text = composed.frozen.body.clone();
    assert!(text.contains(words::keyword(view.language)), "{text}");
    let named = composed.named;
    assert!(named <= view.items.len());
    let markdown = card["elements"][0]["content"].as_str().unwrap_or_default();
    for item in view.items.iter().take(named).filter(|_| view.items.len() > 1) {
        let number = format!("&#35;{}", item.incident.id);
        assert!(markdown.contains(&number), "{number} is not named");
    }
    let more = view.items.len() - named;
    let counted = match view.language {
        Language::En if named > 0 => format!("…and {more} more"),
        Language::En => format!("{more} in all"),
        Language::Zh if named > 0 => format!("……另有 {more} 条"),
        Language::Zh => format!("共 {more} 条"),
    };
    assert_eq!(markdown.contains(&counted), more > 0, "{counted}");
    body
}

#[test]
fn cards_read_well_in_both_languages() {
    let bot = bot();
    for language in [Language::En, Language::Zh] {
        let mut texts = Vec::new();
        for (name, view) in good(language) {
            let composed = bot.composer().compose(&view);
            let card = &checked(&view, &composed)["card"];
            let title = card["header"]["title"]["content"].as_str().unwrap();
            let colour = card["header"]["template"].as_str().unwrap();
            let mut lines = vec![format!("## {name} ({colour})"), title.to_owned()];
            for element in card["elements"].as_array().unwrap() {
                match element["content"].as_str() {
                    Some(text) => lines.push(text.to_owned()),
                    None => lines.push(element.to_string()),
                }
            }
            texts.push(lines.join("\n"));
        }
        insta::assert_snapshot!(format!("cards_{}", words::code(language)), texts.join("\n\n"));
    }
    let (_, view) = good(Language::Zh).swap_remove(0);
    let body: Value = serde_json::from_str(&bot.composer().compose(&view).frozen.body).unwrap();
    insta::assert_json_snapshot!("card_json", body);
}

#[test]
fn hostile_text_is_harmless_and_fits() {
    let bot = bot();
    for view in hostile_views() {
        let composed = bot.composer().compose(&view);
        let body = checked(&view, &composed);
        for element in body["card"]["elements"].as_array().unwrap() {
            let text = element["content"].as_str().unwrap_or_default();
            assert!(!text.contains("<at id=all>"), "{text}");
            assert!(!text.contains("</script>") && !text.contains("](javascript"), "{text}");
            for action in element["actions"].as_array().into_iter().flatten() {
                let url = action["url"].as_str().unwrap();
                assert!(url.starts_with("https://") && !url.contains('<'), "{url}");
            }
        }
    }
}

#[test]
fn people_are_mentioned_for_critical_news_only() {
    let bot = bot();
    let mentions = |reason, item: crate::notify::ItemView| {
        let item = crate::notify::ItemView { reason, ..item };
        let view = probe::view(MessageKind::Incident, Language::En, vec![item]);
        bot.composer()
            .compose(&view)
            .frozen
            .body
            .contains("<at id=ou_1></at> <at id=ou_duyao></at>")
    };
    assert!(mentions(NoticeReason::Opened, probe::failing(1, "a")));
    assert!(mentions(NoticeReason::Worse, probe::failing(1, "a")));
    assert!(!mentions(NoticeReason::Repeat, probe::failing(1, "a")));
    assert!(!mentions(NoticeReason::Resolved, probe::recovered(1, "a")));
}

#[test]
fn the_signature_is_the_vendors() {
    assert_eq!(sign("demo", 1_599_360_473), "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=");
    let body = signed(r#"{"msg_type":"interactive","card":{"a":1}}"#, "demo", 1_599_360_473);
    assert!(body.ends_with(r#","msg_type":"interactive","card":{"a":1}}"#), "{body}");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["timestamp"], "1599360473");
    assert_eq!(body["sign"], "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=");
}

#[tokio::test]
async fn a_refusal_with_status_200_is_a_refusal() {
    let (url, mut rx) = serve(200, r#"{"code":19021,"msg":"sign match fail"}"#).await;
    let (bot, _) = build(json!({"feishu_bot": {"url": url, "secret": "demo"}}));
    let (_, view) = good(Language::Zh).swap_remove(0);
    let mut message = message(bot.composer().compose(&view).frozen);
    assert!(matches!(bot.send(&message, "k", now()).await, SendOutcome::Retry { .. }));
    message.attempts = 2;
    let SendOutcome::Rejected { error } = bot.send(&message, "k", now()).await else {
        panic!("a wrong secret must end")
    };
    assert!(error.contains("check `secret`") && !error.contains("hush"), "{error}");
    let (_, body) = rx.recv().await.unwrap();
    assert_eq!(body, signed(&message.frozen.body, "demo", 1_599_360_473));
}

#[test]
fn options_are_checked() {
    let config = |value: Value| {
        serde_json::from_value::<ChannelConfig>(json!({"feishu_bot": value})).unwrap()
    };
    let plain = config(json!({"url": "https://x/hush"}));
    assert_eq!((plain.kind(), plain.name()), ("feishu_bot", "feishu_bot"));
    let limits: Vec<_> = plain.budgets().iter().map(|b| (b.messages, b.per.as_secs())).collect();
    assert_eq!(limits, [(80, 60), (4, 1)]);
    let own = config(json!({"url": "https://x/", "budget": {"messages": 20, "per": "1m"}}));
    let limits: Vec<_> = own.budgets().iter().map(|b| (b.messages, b.per.as_secs())).collect();
    assert_eq!(limits, [(20, 60), (100, 60), (4, 1)]);
    let said =
        |messages, per| budget_said("feishu_bot", &json!({"url": "https://x/"}), messages, per);
    assert_eq!((said(100, "1m"), said(1_000, "1h")), (String::new(), String::new()));
    assert!(said(1_000, "1m").contains("a bot of Feishu's takes (100 in 60 s"));
    assert!(said(6, "1s").contains("(5 in 1 s"));
    assert_ne!(plain.endpoint().unwrap(), own.endpoint().unwrap());
    assert!(!format!("{plain:?}").contains("hush"));
    let bad = config(json!({"url": "https://x/", "at": ["ou_1></at><at id=all"]}));
    assert!(
        super::Settings::build(
            match &bad {
                ChannelConfig::FeishuBot(config) => config,
                _ => unreachable!(),
            },
            &crate::notify::channels::testing::parts().0
        )
        .is_err()
    );
}

fn items() -> impl Strategy<Value = Vec<crate::notify::ItemView>> {
    let name = prop_oneof![
        "[a-z]{1,12}(-[a-z0-9]{1,8}){0,3}",
        "\\PC{0,200}",
        Just(HOSTILE.to_owned()),
        "[*_<>&`\"\\\\|]{0,300}",
    ];
    let item = (name.clone(), name, any::<bool>(), 0_usize..3_000).prop_map(
        |(name, message, open, times)| {
            let mut item = if open { probe::failing(0, &name) } else { probe::recovered(0, &name) };
            if let Some(cause) = &mut item.incident.root_cause {
                cause.message = message.repeat(times / message.len().max(1));
            }
            item
        },
    );
    // A few shapes, repeated: five hundred different ones are slow to make and find no more.
    (prop::collection::vec(item, 1..12), 1_usize..500).prop_map(|(shapes, count)| {
        (0..count)
            .map(|n| {
                let mut item = shapes[n % shapes.len()].clone();
                item.incident.id = 1_000_000 + n as u64;
                item
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_card_fits_and_accounts_for_every_item(
        items in items(),
        kind in prop::sample::select(vec![MessageKind::Group, MessageKind::Storm, MessageKind::Digest]),
        zh in any::<bool>(),
    ) {
        let language = if zh { Language::Zh } else { Language::En };
        let view = probe::view(kind, language, items);
        checked(&view, &bot().composer().compose(&view));
    }
}

#[test]
fn a_template_of_the_users_own_cannot_make_a_card_too_long() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("feishu_bot/en");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("body.md.hbs"), "x".repeat(30_000)).unwrap();
    let templates = crate::notify::render::Templates::load(Some(dir.path())).unwrap();
    let templates = std::sync::Arc::new(templates);
    let (parts, _) = crate::notify::channels::testing::parts();
    let config: super::Config =
        serde_json::from_value(json!({"url": "https://bot.example.com/hush"})).unwrap();
    let writer = config.composer(&crate::notify::channels::Parts { templates, ..parts });
    let view = probe::view(MessageKind::Storm, Language::En, vec![probe::failing(1, "a"); 9]);
    let composed = crate::notify::Compose::compose(&writer, &view);
    assert!(composed.frozen.body.len() < 20 * 1024);
    assert_eq!(composed.named, 0);
    assert!(composed.frozen.body.contains("9 incidents"), "the count is in the title");
}
