//! The message: a line that notifications show, and an attachment whose bar has the colour of the
//! state, with blocks inside. Pure, below Slack's limits whatever is in it.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use super::MAX_AT;
use crate::model::{Frozen, IncidentState, MessageKind, NoticeReason, Severity};
use crate::notify::channels::people::People;
use crate::notify::render::escape::{cut, mrkdwn, short};
use crate::notify::render::words::{self, acknowledged_lines, pick};
use crate::notify::render::{Detail, MessageData, Templates, message_data};
use crate::notify::{Compose, Composed, ItemView, MessageView};

/// Slack takes 3,000 characters in a section …
const SECTION: usize = 2_900;
/// … and 50 blocks in a message; nobody reads more than these.
const SECTIONS: usize = 6;
/// Most of a list that is named at the last level of detail.
const FEWEST: usize = 20;

/// Less and less is said until it fits.
const LEVELS: [Detail; 4] = [
    Detail { named: 50, text: 400, title: 300, links: true },
    Detail { named: 50, text: 160, title: 200, links: true },
    Detail { named: 50, text: 80, title: 120, links: false },
    Detail { named: FEWEST, text: 40, title: 60, links: false },
];
/// A reply names no more than these.
const REPLY: Detail = Detail { named: FEWEST, text: 300, title: 200, links: false };

/// Writes messages.
pub(super) struct Writer {
    pub(super) templates: Arc<Templates>,
    pub(super) at: Vec<String>,
    pub(super) people: People,
}

#[derive(Serialize)]
struct Body {
    text: String,
    attachments: Vec<Value>,
    unfurl_links: bool,
}

impl Writer {
    fn written(&self, view: &MessageView, data: &MessageData, sections: Vec<String>) -> String {
        let section =
            |text: String| json!({"type": "section", "text": {"type": "mrkdwn", "text": text}});
        let mut blocks: Vec<Value> = sections.into_iter().map(section).collect();
        if !view.is_reply {
            let buttons = buttons(view, data);
            if !buttons.is_empty() {
                blocks.push(json!({"type": "actions", "elements": buttons}));
            }
        }
        let footer = mrkdwn(&short(&data.footer, 300));
        blocks.push(json!({"type": "context", "elements": [{"type": "mrkdwn", "text": footer}]}));
        let mut text = format!("*{}*", mrkdwn(&data.title));
        for mention in self.mentions(view) {
            text.push(' ');
            text.push_str(&mention);
        }
        let attachments = vec![json!({"color": colour(view, data), "blocks": blocks})];
        // Strings and lists: this cannot fail.
        serde_json::to_string(&Body { text, attachments, unfurl_links: false }).unwrap_or_default()
    }

    fn body(&self, view: &MessageView, data: &MessageData) -> String {
        let text = self.templates.render("slack", view.language, "body.mrkdwn.hbs", data);
        let mut text = text
            .unwrap_or_else(|| data.fallback().lines().map(mrkdwn).collect::<Vec<_>>().join("\n"));
        for line in acknowledged_lines(data, view.language, |text| format!("*{text}*"), mrkdwn) {
            text.push('\n');
            text.push_str(&line);
        }
        text
    }

    fn reply(&self, view: &MessageView) -> (String, MessageData) {
        let data = message_data(view, REPLY);
        let mut lines: Vec<String> = match data.items.as_slice() {
            [only] => only.root_cause.iter().filter(|_| !only.over).map(|c| mrkdwn(c)).collect(),
            several => several.iter().map(|item| mrkdwn(&item.title)).collect(),
        };
        lines.extend(data.more_line.as_deref().map(mrkdwn));
        let sections = sections(&lines.join("\n")).unwrap_or_default();
        (self.written(view, &data, sections), data)
    }

    fn mentions(&self, view: &MessageView) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for item in view.items.iter().filter(|item| needs_somebody(view, item)) {
            let owner = self.people.slack(item.incident.labels.get("owner"));
            for id in self.at.iter().chain(owner) {
                let mention = mention(id);
                if !found.contains(&mention) && found.len() < MAX_AT {
                    found.push(mention);
                }
            }
        }
        found
    }
}

impl Compose for Writer {
    fn compose(&self, view: &MessageView) -> Composed {
        let composed = |(body, data): (String, MessageData)| Composed {
            named: data.items.len(),
            frozen: Frozen { body, title: data.title },
        };
        if view.is_reply {
            return composed(self.reply(view));
        }
        for detail in LEVELS {
            let data = message_data(view, detail);
            if let Some(sections) = sections(&self.body(view, &data)) {
                return composed((self.written(view, &data, sections), data));
            }
        }
        // Only a template of the user's own can be that long.
        let [.., lowest] = LEVELS;
        let data = message_data(view, Detail { named: 0, ..lowest });
        composed((self.written(view, &data, Vec::new()), data))
    }
}

/// Cuts a text between lines into what one section takes each; `None`: it takes too many.
fn sections(text: &str) -> Option<Vec<String>> {
    let mut sections: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let line = cut(line, SECTION);
        let fits = |last: &&mut String| last.chars().count() + line.chars().count() < SECTION;
        match sections.last_mut().filter(fits) {
            Some(last) => {
                last.push('\n');
                last.push_str(&line);
            }
            None => sections.push(line),
        }
    }
    (sections.len() <= SECTIONS).then_some(sections)
}

/// `<@U1>`, `<!here>`, `<!subteam^S1>`.
fn mention(id: &str) -> String {
    match id {
        "here" | "channel" | "everyone" => format!("<!{id}>"),
        group if group.starts_with('S') => format!("<!subteam^{group}>"),
        member => format!("<@{member}>"),
    }
}

/// As in Feishu's cards: news about something critical that is open and nobody's yet.
fn needs_somebody(view: &MessageView, item: &ItemView) -> bool {
    view.kind != MessageKind::FirstLook
        && item.incident.state == IncidentState::Open
        && item.incident.severity == Severity::Critical
        && item.reason != NoticeReason::Repeat
}

fn colour(view: &MessageView, data: &MessageData) -> &'static str {
    if data.all_over {
        let recovered = data.items.iter().all(|item| item.recovered);
        return if recovered { "#2eb67d" } else { "#868686" };
    }
    match (view.kind, data.severity) {
        (MessageKind::Test, _) => "#36c5f0",
        (MessageKind::Summary, _) if data.summary.as_ref().is_some_and(|s| s.quiet) => "#2eb67d",
        (_, Some("critical")) => "#e01e5a",
        (_, Some("warning")) => "#ecb22e",
        _ => "#36c5f0",
    }
}

fn buttons(view: &MessageView, data: &MessageData) -> Vec<Value> {
    let button = |id: &str, style: Option<&str>, text: &str, url: &str| {
        let mut button = json!({
            "type": "button",
            "action_id": id,
            "text": {"type": "plain_text", "text": text},
            "url": url,
        });
        if let (Some(style), Some(fields)) = (style, button.as_object_mut()) {
            fields.insert("style".to_owned(), json!(style));
        }
        button
    };
    let item = data.items.first().filter(|_| data.single);
    let page = match item {
        Some(item) => item.page_url.as_ref(),
        None => data.page_url.as_ref(),
    };
    let open = view.items.iter().any(|i| i.incident.state == IncidentState::Open);
    let language = view.language;
    let mut buttons = Vec::new();
    // The page asks before it acknowledges: whatever fetches links must not.
    let link = item.and_then(|item| item.ack_url.as_ref());
    if let Some(url) = link.or(page).filter(|_| item.is_some() && open) {
        let text = pick(language, "Acknowledge", "认领");
        buttons.push(button("acknowledge", Some("danger"), text, url));
    }
    if let Some(url) = item.and_then(|item| item.approve_url.as_ref()) {
        buttons.push(button("approve", None, pick(language, "Approve restart", "批准重启"), url));
    }
    if let Some(url) = item.and_then(|item| item.ui_url.as_ref()) {
        let text = words::ui(language, item.is_some_and(|item| item.outside));
        buttons.push(button("flink", Some("primary"), text, url));
    }
    if let Some(url) = page {
        buttons.push(button("weir", None, pick(language, "Weir", "Weir 详情"), url));
    }
    buttons
}
