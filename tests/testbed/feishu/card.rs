//! Shapes of a message body, and the text in it.

use serde_json::{Map, Value};

/// Why a body is refused.
pub(super) enum Flaw {
    /// Not a message at all.
    Shape,
    /// A card, but one that cannot be shown.
    Content,
}

const TEMPLATES: [&str; 13] = [
    "blue",
    "wathet",
    "turquoise",
    "green",
    "yellow",
    "orange",
    "red",
    "carmine",
    "violet",
    "purple",
    "indigo",
    "grey",
    "default",
];
/// Tags of card JSON 1.0.
const TAGS_V1: [&str; 14] = [
    "markdown",
    "div",
    "hr",
    "note",
    "action",
    "img",
    "column_set",
    "chart",
    "table",
    "form",
    "collapsible_panel",
    "person",
    "person_list",
    "interactive_container",
];
/// Tags of card JSON 2.0: containers for actions and notes are gone, the buttons stand alone.
const TAGS_V2: [&str; 14] = [
    "markdown",
    "div",
    "hr",
    "button",
    "img",
    "column_set",
    "chart",
    "table",
    "form",
    "collapsible_panel",
    "person",
    "person_list",
    "interactive_container",
    "overflow",
];
const V2_FIELDS: [&str; 6] = ["schema", "config", "card_link", "header", "body", "i18n_header"];

/// Checks a whole request body.
pub(super) fn check(body: &Value) -> Result<(), Flaw> {
    let body = body.as_object().ok_or(Flaw::Shape)?;
    let content = |name: &str| body.get("content").and_then(|c| c.get(name));
    let filled = |v: Option<&Value>| v.and_then(Value::as_str).is_some_and(|s| !s.is_empty());
    match body.get("msg_type").and_then(Value::as_str) {
        Some("text") if filled(content("text")) => Ok(()),
        Some("image") if filled(content("image_key")) => Ok(()),
        Some("share_chat") if filled(content("share_chat_id")) => Ok(()),
        Some("post") => check_post(content("post")),
        Some("interactive") => {
            check_card(body.get("card").and_then(Value::as_object).ok_or(Flaw::Shape)?)
        }
        _ => Err(Flaw::Shape),
    }
}

fn check_post(post: Option<&Value>) -> Result<(), Flaw> {
    let languages = post.and_then(Value::as_object).ok_or(Flaw::Shape)?;
    if languages.is_empty() {
        return Err(Flaw::Shape);
    }
    for post in languages.values() {
        for line in post.get("content").and_then(Value::as_array).ok_or(Flaw::Shape)? {
            for item in line.as_array().ok_or(Flaw::Shape)? {
                let tag = item.get("tag").and_then(Value::as_str).ok_or(Flaw::Shape)?;
                if !["text", "a", "at", "img", "md"].contains(&tag) {
                    return Err(Flaw::Shape);
                }
            }
        }
    }
    Ok(())
}

fn check_card(card: &Map<String, Value>) -> Result<(), Flaw> {
    let v2 = match card.get("schema") {
        None => false,
        Some(schema) if schema == "1.0" => false,
        Some(schema) if schema == "2.0" => true,
        Some(_) => return Err(Flaw::Content),
    };
    if v2 && card.keys().any(|k| !V2_FIELDS.contains(&k.as_str())) {
        return Err(Flaw::Content);
    }
    if card.get("config").is_some_and(|c| !c.is_object()) {
        return Err(Flaw::Shape);
    }
    if let Some(header) = card.get("header") {
        let title = header.get("title").ok_or(Flaw::Shape)?;
        title.get("content").and_then(Value::as_str).ok_or(Flaw::Shape)?;
        if let Some(tag) = title.get("tag")
            && tag != "plain_text"
            && tag != "lark_md"
        {
            return Err(Flaw::Content);
        }
        match header.get("template") {
            None => {}
            Some(Value::String(t)) if TEMPLATES.contains(&t.as_str()) => {}
            Some(_) => return Err(Flaw::Content),
        }
    }
    let (elements, tags) = if v2 {
        (card.get("body").and_then(|b| b.get("elements")), &TAGS_V2)
    } else {
        (card.get("elements"), &TAGS_V1)
    };
    let elements = elements.and_then(Value::as_array).ok_or(Flaw::Shape)?;
    elements.iter().try_for_each(|e| check_element(e, tags))
}

fn check_element(element: &Value, tags: &[&str]) -> Result<(), Flaw> {
    let element = element.as_object().ok_or(Flaw::Shape)?;
    let tag = element.get("tag").and_then(Value::as_str).ok_or(Flaw::Shape)?;
    if !tags.contains(&tag) {
        return Err(Flaw::Shape);
    }
    match tag {
        "markdown" if !element.get("content").is_some_and(Value::is_string) => Err(Flaw::Content),
        "div" => {
            let fields = element.get("fields").map(|f| f.as_array().ok_or(Flaw::Shape));
            let fields = fields.transpose()?;
            if element.get("text").is_none() && fields.is_none_or(Vec::is_empty) {
                return Err(Flaw::Content);
            }
            let texts = fields.into_iter().flatten().map(|f| f.get("text"));
            texts.chain(element.get("text").map(Some)).try_for_each(check_text)
        }
        "note" => {
            let parts = element.get("elements").and_then(Value::as_array).ok_or(Flaw::Shape)?;
            if parts.is_empty() {
                return Err(Flaw::Content);
            }
            parts
                .iter()
                .filter(|p| p.get("tag").is_none_or(|t| t != "img"))
                .map(Some)
                .try_for_each(check_text)
        }
        "action" => {
            let actions = element.get("actions").and_then(Value::as_array).ok_or(Flaw::Shape)?;
            if actions.is_empty() {
                return Err(Flaw::Content);
            }
            actions
                .iter()
                .filter(|a| a.get("tag").is_some_and(|t| t == "button"))
                .try_for_each(check_button)
        }
        "button" => check_button(&Value::Object(element.clone())),
        "img" if !element.get("img_key").is_some_and(Value::is_string) => Err(Flaw::Content),
        _ => Ok(()),
    }
}

fn check_text(text: Option<&Value>) -> Result<(), Flaw> {
    let text = text.ok_or(Flaw::Content)?;
    let tag = text.get("tag").and_then(Value::as_str).ok_or(Flaw::Content)?;
    if ["plain_text", "lark_md", "standard_icon"].contains(&tag)
        && text.get("content").is_some_and(Value::is_string)
    {
        Ok(())
    } else {
        Err(Flaw::Content)
    }
}

fn check_button(button: &Value) -> Result<(), Flaw> {
    check_text(button.get("text"))?;
    match button.get("url") {
        None => Ok(()),
        Some(Value::String(u)) if u.starts_with("http://") || u.starts_with("https://") => Ok(()),
        Some(_) => Err(Flaw::Content),
    }
}

/// All text a reader sees (titles, markdown, button labels), one piece per line, document order
/// with the title first.
pub fn plain_text(body: &Value) -> String {
    let mut lines = Vec::new();
    if let Some(header) = body.get("card").and_then(|c| c.get("header")) {
        collect(header, &mut lines);
    }
    for part in ["content", "card"] {
        match body.get(part) {
            Some(Value::Object(map)) => {
                map.iter()
                    .filter(|(k, _)| *k != "header")
                    .for_each(|(_, v)| collect_under(v, &mut lines));
                if let Some(Value::String(text)) = map.get("text") {
                    lines.push(text.clone());
                }
            }
            Some(other) => collect(other, &mut lines),
            None => {}
        }
    }
    lines.join("\n")
}

fn collect_under(value: &Value, lines: &mut Vec<String>) {
    if value.is_object() || value.is_array() {
        collect(value, lines);
    }
}

fn collect(value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|v| collect(v, lines)),
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(text) if ["content", "text", "title"].contains(&key.as_str()) => {
                        lines.push(text.clone());
                    }
                    other => collect_under(other, lines),
                }
            }
        }
        _ => {}
    }
}
