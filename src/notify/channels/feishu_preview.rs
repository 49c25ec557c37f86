//! A card as people read it, for previews.

use serde_json::Value;

/// Title and texts of a card, as Feishu shows them.
pub(super) fn as_read(body: &str, title: &str) -> String {
    let read: Value = serde_json::from_str(body).unwrap_or_default();
    // What a bot takes has the card inside, an app's is the card.
    let card = read.get("card").unwrap_or(&read);
    let elements = card["elements"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut lines = vec![title.to_owned()];
    for element in elements {
        let nested =
            ["elements", "actions"].into_iter().filter_map(|name| element[name].as_array());
        let texts = nested.flatten().map(|inner| {
            let text = inner["content"].as_str().or(inner["text"]["content"].as_str());
            match inner["url"].as_str() {
                Some(url) => format!("[{}] {url}", text.unwrap_or_default()),
                None => text.unwrap_or_default().to_owned(),
            }
        });
        lines.extend(element["content"].as_str().map(unescaped));
        lines.extend(texts);
    }
    lines.join("\n")
}

/// Card markdown without its marks and entities.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let plain = text.replace("**", "");
    let mut rest = plain.as_str();
    while let Some((before, after)) = rest.split_once("&#") {
        out.push_str(before);
        let entity = after
            .split_once(';')
            .and_then(|(code, left)| Some((char::from_u32(code.parse().ok()?)?, left)));
        let Some((character, left)) = entity else {
            out.push_str("&#");
            rest = after;
            continue;
        };
        out.push(character);
        rest = left;
    }
    out + rest
}
