use serde_json::json;

use crate::model::SendOutcome;
use crate::notify::Language;
use crate::notify::channels::testing::{assert_title, build, good, hostile_views, message, now};
use crate::notify::render::words;

#[test]
fn texts_read_well_in_both_languages() {
    let (channel, _) = build(json!({"console": {}}));
    for language in [Language::En, Language::Zh] {
        let texts: Vec<String> = good(language)
            .iter()
            .map(|(name, view)| {
                format!("## {name}\n{}", channel.composer().compose(view).frozen.body)
            })
            .collect();
        insta::assert_snapshot!(format!("console_{}", words::code(language)), texts.join("\n\n"));
    }
}

#[test]
fn hostile_text_stays_on_its_line() {
    let (channel, _) = build(json!({"console": {}}));
    for view in hostile_views() {
        let composed = channel.composer().compose(&view);
        assert_title(&composed.frozen.title);
        let body = &composed.frozen.body;
        assert!(body.contains(words::keyword(view.language)), "{body}");
        assert!(!body.chars().any(|c| c.is_control() && c != '\n'), "{body:?}");
        assert!(!body.lines().any(|line| line.starts_with("Bcc:")), "{body}");
        assert!(composed.named <= view.items.len());
    }
}

#[tokio::test]
async fn what_was_frozen_is_written() {
    let (channel, lines) = build(json!({"console": {"name": "screen"}}));
    let (_, view) = good(Language::En).swap_remove(0);
    let message = message(channel.composer().compose(&view).frozen);
    assert_eq!(channel.send(&message, "k", now()).await, SendOutcome::Delivered);
    assert_eq!(*lines.lock().unwrap(), [message.frozen.body]);
}
