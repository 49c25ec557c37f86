//! Feishu's card: pure, built by serde, below the limit of who sends it whatever is in it. A
//! custom bot and an app send the same one; an app's can also be edited and replied to.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use super::feishu_preview;
use super::people::People;
use crate::model::{Frozen, IncidentState, MessageKind, NoticeReason, Severity};
use crate::notify::render::escape::{md, short};
use crate::notify::render::words::{self, acknowledged_lines, pick};
use crate::notify::render::{Detail, MessageData, Templates, message_data};
use crate::notify::{Compose, Composed, Language, MessageView};

/// People mentioned in one card.
pub(super) const MAX_AT: usize = 20;

/// Less and less is said until it fits.
const LEVELS: [Detail; 4] = [
    Detail { named: 50, text: 400, title: 300, links: true },
    Detail { named: 50, text: 160, title: 200, links: true },
    Detail { named: 50, text: 80, title: 120, links: false },
    Detail { named: 50, text: 40, title: 60, links: false },
];

/// A short reply names no more than these.
const REPLY: Detail = Detail { named: 20, text: 300, title: 300, links: false };

/// Writes cards.
pub(super) struct Writer {
    pub(super) templates: Arc<Templates>,
    /// Whom to mention when something critical is open.
    pub(super) at: Vec<String>,
    /// Owners to mention beside them.
    pub(super) people: People,
    /// Offers to acknowledge: the reader can see later that somebody did.
    pub(super) acknowledge: bool,
    /// What is sent of a card.
    pub(super) wrap: fn(&Value) -> String,
    /// Whether that is small enough for the vendor.
    pub(super) fits: fn(&str) -> bool,
}

#[derive(Serialize)]
struct Body<'a> {
    msg_type: &'static str,
    card: &'a Value,
}

/// The body a custom bot takes.
pub(super) fn for_a_bot(card: &Value) -> String {
    // Strings and string-keyed maps: this cannot fail.
    serde_json::to_string(&Body { msg_type: "interactive", card }).unwrap_or_default()
}

/// The card alone, which an app sends as a string inside of its body.
pub(super) fn for_an_app(card: &Value) -> String {
    serde_json::to_string(card).unwrap_or_default()
}

impl Writer {
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
        let taken = acknowledged_lines(&data, view.language, |text| format!("**{text}**"), md);
        if !taken.is_empty() {
            elements.push(json!({"tag": "markdown", "content": taken.join("\n")}));
        }
        let at = self.mentions(view);
        if !at.is_empty() {
            let at: Vec<String> = at.iter().map(|id| format!("<at id={id}></at>")).collect();
            elements.push(json!({"tag": "markdown", "content": at.join(" ")}));
        }
        let buttons = self.buttons(view, &data);
        if !buttons.is_empty() {
            elements.push(json!({"tag": "action", "actions": buttons}));
        }
        (self.card(view, &data, elements), data)
    }

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
        (self.wrap)(&card)
    }

    fn mentions(&self, view: &MessageView) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for item in view.items.iter().filter(|item| needs_somebody(view, item)) {
            let owner = self.people.feishu(item.incident.labels.get("owner"));
            for id in self.at.iter().chain(owner) {
                if !found.contains(id) && found.len() < MAX_AT {
                    found.push(id.clone());
                }
            }
        }
        found
    }

    fn buttons(&self, view: &MessageView, data: &MessageData) -> Vec<Value> {
        let mut buttons = Vec::new();
        let open = |i: &crate::notify::ItemView| i.incident.state == IncidentState::Open;
        let item = data.items.first().filter(|_| data.single && view.items.iter().any(open));
        // The page asks before it acknowledges: whatever fetches links must not.
        let page = item.and_then(|i| i.page_url.as_ref()).filter(|_| self.acknowledge);
        if let Some(url) = item.and_then(|i| i.ack_url.as_ref()).or(page) {
            buttons.push(button(pick(view.language, "Acknowledge", "认领"), "danger", url));
        }
        let single = data.items.first().filter(|_| data.single);
        if let Some(url) = single.and_then(|i| i.approve_url.as_ref()) {
            buttons.push(button(
                pick(view.language, "Approve restart", "批准重启"),
                "primary",
                url,
            ));
        }
        buttons.extend(links(data, view.language));
        buttons
    }

    /// A reply points at the card above: the news, and who is to hear of them.
    fn reply(&self, view: &MessageView, detail: Detail) -> (String, MessageData) {
        let data = message_data(view, detail);
        let mut elements = Vec::new();
        let mut lines: Vec<String> = match data.items.as_slice() {
            [only] => {
                only.root_cause.iter().filter(|_| !only.over).map(|cause| md(cause)).collect()
            }
            several => several.iter().map(|item| md(&item.title)).collect(),
        };
        lines.extend(data.more_line.as_deref().map(md));
        if !lines.is_empty() {
            elements.push(json!({"tag": "markdown", "content": lines.join("\n")}));
        }
        let at: Vec<String> =
            self.mentions(view).iter().map(|id| format!("<at id={id}></at>")).collect();
        if !at.is_empty() {
            elements.push(json!({"tag": "markdown", "content": at.join(" ")}));
        }
        (self.card(view, &data, elements), data)
    }

    /// As many items as fit at the lowest level of detail.
    fn fewer(&self, view: &MessageView, lowest: Detail) -> Option<(String, MessageData)> {
        let (mut fits, mut low, mut high) = (None, 0, view.items.len().min(lowest.named));
        while low <= high {
            let named = low.midpoint(high);
            let (body, data) = self.body(view, Detail { named, ..lowest });
            if (self.fits)(&body) {
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
        if view.is_reply {
            let (body, data) = self.reply(view, REPLY);
            if (self.fits)(&body) {
                return (body, data);
            }
        }
        for detail in LEVELS {
            let (body, data) = self.body(view, detail);
            if (self.fits)(&body) {
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

impl Compose for Writer {
    fn compose(&self, view: &MessageView) -> Composed {
        let (body, data) = self.fitting(view);
        Composed { frozen: Frozen { body, title: data.title }, named: data.items.len() }
    }

    fn preview(&self, view: &MessageView) -> Vec<(&'static str, String)> {
        let (body, data) = self.fitting(view);
        let text = feishu_preview::as_read(&body, &data.title);
        vec![("json", body), ("txt", text)]
    }
}

/// People are mentioned for news about something critical that is open, not for reminders, not
/// once somebody has it, and not for the first report, which is no alarm.
fn needs_somebody(view: &MessageView, item: &crate::notify::ItemView) -> bool {
    view.kind != MessageKind::FirstLook
        && item.incident.state == IncidentState::Open
        && item.incident.severity == Severity::Critical
        && item.reason != NoticeReason::Repeat
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

fn button(text: &str, kind: &str, url: &str) -> Value {
    json!({
        "tag": "button",
        "type": kind,
        "text": {"tag": "plain_text", "content": text},
        "url": url,
    })
}

fn links(data: &MessageData, language: Language) -> Vec<Value> {
    let item = data.items.first().filter(|_| data.single);
    let weir = match item {
        Some(item) => item.page_url.as_ref(),
        None => data.page_url.as_ref(),
    };
    let flink = item.and_then(|item| item.ui_url.as_ref());
    let mut buttons = Vec::new();
    if let Some(url) = flink {
        buttons.push(button(
            words::ui(language, item.is_some_and(|item| item.outside)),
            "primary",
            url,
        ));
    }
    if let Some(url) = weir {
        buttons.push(button(pick(language, "Weir", "Weir 详情"), "default", url));
    }
    buttons
}
