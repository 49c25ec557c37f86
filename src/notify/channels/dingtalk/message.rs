//! The message: pure, built by serde, below 20,000 bytes whatever is in it.

use std::sync::Arc;

use serde::Serialize;

use crate::model::Frozen;
use crate::notify::channels::group_bot::{fitting, needs_somebody, owners, text};
use crate::notify::channels::people::People;
use crate::notify::render::{Detail, MessageData, Templates};
use crate::notify::{Compose, Composed, MessageView};

/// The vendor's limit is 20,000 bytes for the body.
const LIMIT: usize = 20_000 - 200;

/// Less and less is said until it fits.
const LEVELS: [Detail; 4] = [
    Detail { named: 50, text: 400, title: 300, links: true },
    Detail { named: 50, text: 160, title: 200, links: true },
    Detail { named: 50, text: 80, title: 120, links: false },
    Detail { named: 50, text: 40, title: 60, links: false },
];

/// How the vendor wants its lines broken.
const BREAK: &str = "  \n  ";

pub(super) struct Composer {
    pub(super) templates: Arc<Templates>,
    pub(super) at: Vec<String>,
    /// Owners to mention beside them.
    pub(super) people: People,
}

#[derive(Serialize)]
struct Body {
    msgtype: &'static str,
    markdown: Markdown,
    at: At,
}

#[derive(Serialize)]
struct Markdown {
    title: String,
    text: String,
}

/// Only who is named here is mentioned, whatever stands in the text.
#[derive(Serialize)]
struct At {
    #[serde(rename = "atMobiles")]
    mobiles: Vec<String>,
    #[serde(rename = "atUserIds", skip_serializing_if = "Vec::is_empty")]
    user_ids: Vec<String>,
    #[serde(rename = "isAtAll")]
    all: bool,
}

impl Composer {
    fn body(&self, view: &MessageView, data: &MessageData, mut text: String) -> String {
        let at = if needs_somebody(view) { &self.at[..] } else { &[] };
        let mut named: Vec<String> = at.iter().filter(|name| *name != "all").cloned().collect();
        for owner in owners(view, |owner| self.people.dingtalk(owner)) {
            if !named.contains(&owner) {
                named.push(owner);
            }
        }
        if !named.is_empty() {
            // They have to stand in the text, too.
            let numbers: Vec<String> = named.iter().map(|id| format!("@{id}")).collect();
            text = format!("{text}\n{}", numbers.join(" "));
        }
        let text = text.lines().collect::<Vec<_>>().join(BREAK);
        let (mobiles, user_ids) = named.into_iter().partition(|id| is_mobile(id));
        let all = at.iter().any(|name| name == "all");
        let body = Body {
            msgtype: "markdown",
            markdown: Markdown { title: data.title.clone(), text },
            at: At { mobiles, user_ids, all },
        };
        // Strings: this cannot fail.
        serde_json::to_string(&body).unwrap_or_default()
    }
}

/// Digits, perhaps with a country: user ids have letters.
fn is_mobile(id: &str) -> bool {
    id.chars().all(|c| c.is_ascii_digit() || c == '+' || c == '-')
}

impl Compose for Composer {
    fn compose(&self, view: &MessageView) -> Composed {
        let (body, data) = fitting(
            view,
            &LEVELS,
            |data| text(&self.templates, "dingtalk", view, data),
            |data, text| self.body(view, data, text),
            |body| body.len() <= LIMIT,
        );
        Composed { frozen: Frozen { body, title: data.title }, named: data.items.len() }
    }
}
