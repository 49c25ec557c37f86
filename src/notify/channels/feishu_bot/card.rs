//! The card: pure, built by serde, below 20 KB whatever is in it.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use crate::model::{Frozen, MessageKind, NoticeReason, Severity};
use crate::notify::render::escape::{md, short};
use crate::notify::render::words::pick;
use crate::notify::render::{Detail, MessageData, Templates, message_data};
use crate::notify::{Compose, Composed, Language, MessageView};

/// The vendor's limit is 20 KB with time and signature, which take about 100 bytes.
const LIMIT: usize = 20 * 1024 - 256;

/// Less and less is said until it fits.
const LEVELS: [Detail; 4] = [
    Detail { named: 50, text: 400, title: 300, links: true },
    Detail { named: 50, text: 160, title: 200, links: true },
    Detail { named: 50, text: 80, title: 120, links: false },
    Detail { named: 50, text: 40, title: 60, links: false },
];

pub(super) struct Composer {
    pub(super) templates: Arc<Templates>,
    pub(super) at: Vec<String>,
}

#[derive(Serialize)]
struct Body {
    msg_type: &'static str,
    card: Value,
}

impl Composer {
    fn body(&self, view: &MessageView, detail: Detail) -> (String, MessageData) {
        let data = message_data(view, detail);
        let mut elements = Vec::new();
        let text = self
            .templates
            .render("feishu_bot", view.language, "body.md.hbs", &data)
            .unwrap_or_else(|| data.fallback().lines().map(md).collect::<Vec<_>>().join("\n"));
        if !text.is_empty() {
            elements.push(json!({"tag": "markdown", "content": text}));
        }
        if !self.at.is_empty() && needs_somebody(view) {
            let at: Vec<String> = self.at.iter().map(|id| format!("<at id={id}></at>")).collect();
            elements.push(json!({"tag": "markdown", "content": at.join(" ")}));
        }
        let buttons = buttons(&data, view.language);
        if !buttons.is_empty() {
            elements.push(json!({"tag": "action", "actions": buttons}));
        }
        (self.card(view, &data, elements), data)
    }

    #[expect(clippy::unused_self, reason = "beside body(), whose second half it is")]
    fn card(&self, view: &MessageView, data: &MessageData, mut elements: Vec<Value>) -> String {
        elements.push(json!({
            "tag": "note",
            "elements": [{"tag": "plain_text", "content": data.footer}],
        }));
        let card = json!({
            "config": {"wide_screen_mode": true, "update_multi": true},
            "header": {
                "template": colour(view, data),
                "title": {"tag": "plain_text", "content": data.title},
            },
            "elements": elements,
        });
        // Strings and string-keyed maps: this cannot fail.
        serde_json::to_string(&Body { msg_type: "interactive", card }).unwrap_or_default()
    }

    /// As many items as fit at the lowest level of detail.
    fn fewer(&self, view: &MessageView, lowest: Detail) -> Option<(String, MessageData)> {
        let (mut fits, mut low, mut high) = (None, 0, view.items.len().min(lowest.named));
        while low <= high {
            let named = low.midpoint(high);
            let (body, data) = self.body(view, Detail { named, ..lowest });
            if body.len() <= LIMIT {
                fits = Some((body, data));
                low = named + 1;
            } else if named == 0 {
                break;
            } else {
                high = named - 1;
            }
        }
        fits
    }

    fn fitting(&self, view: &MessageView) -> (String, MessageData) {
        for detail in LEVELS {
            let (body, data) = self.body(view, detail);
            if body.len() <= LIMIT {
                return (body, data);
            }
        }
        let [.., lowest] = LEVELS;
        self.fewer(view, lowest).unwrap_or_else(|| {
            // Only a template of the user's own can be that long.
            let mut data = message_data(view, Detail { named: 0, ..lowest });
            data.title = short(&data.title, lowest.title);
            (self.card(view, &data, Vec::new()), data)
        })
    }
}

impl Compose for Composer {
    fn compose(&self, view: &MessageView) -> Composed {
        let (body, data) = self.fitting(view);
        Composed { frozen: Frozen { body, title: data.title }, named: data.items.len() }
    }

    fn preview(&self, view: &MessageView) -> Vec<(&'static str, String)> {
        let (body, data) = self.fitting(view);
        let text = as_read(&body, &data.title);
        vec![("json", body), ("txt", text)]
    }
}

/// Title and texts of a card, as Feishu shows them.
fn as_read(body: &str, title: &str) -> String {
    let read: Value = serde_json::from_str(body).unwrap_or_default();
    let elements = read["card"]["elements"].as_array().map(Vec::as_slice).unwrap_or_default();
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

/// People are mentioned for news about something critical that is open, not for reminders, and
/// not for the first report, which is no alarm.
fn needs_somebody(view: &MessageView) -> bool {
    view.items.iter().any(|item| {
        view.kind != MessageKind::FirstLook
            && item.incident.is_open()
            && item.incident.severity == Severity::Critical
            && item.reason != NoticeReason::Repeat
    })
}

fn colour(view: &MessageView, data: &MessageData) -> &'static str {
    if data.all_over {
        let recovered = data.items.iter().all(|item| item.recovered);
        return if recovered { "green" } else { "grey" };
    }
    match (view.kind, data.severity) {
        (MessageKind::Test, _) => "blue",
        (MessageKind::Summary, _) if data.summary.as_ref().is_some_and(|s| s.quiet) => "green",
        (_, Some("critical")) => "red",
        (_, Some("warning")) => "orange",
        _ => "blue",
    }
}

fn buttons(data: &MessageData, language: Language) -> Vec<Value> {
    let item = data.items.first().filter(|_| data.single);
    let weir = match item {
        Some(item) => item.page_url.as_ref(),
        None => data.page_url.as_ref(),
    };
    let flink = item.and_then(|item| item.ui_url.as_ref());
    let button = |text: &str, kind: &str, url: &String| {
        json!({
            "tag": "button",
            "type": kind,
            "text": {"tag": "plain_text", "content": text},
            "url": url,
        })
    };
    let mut buttons = Vec::new();
    if let Some(url) = flink {
        buttons.push(button(pick(language, "Flink UI", "Flink 界面"), "primary", url));
    }
    if let Some(url) = weir {
        buttons.push(button(pick(language, "Weir", "Weir 详情"), "default", url));
    }
    buttons
}
