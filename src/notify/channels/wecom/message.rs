//! The message: pure, built by serde, its text within 4,096 bytes whatever is in it.

use std::sync::Arc;

use serde::Serialize;

use crate::model::Frozen;
use crate::notify::channels::group_bot::{fitting, needs_somebody, owners, text};
use crate::notify::channels::people::People;
use crate::notify::render::{Detail, Templates};
use crate::notify::{Compose, Composed, MessageView};

/// The vendor's limit for the text, in bytes; a Chinese character has three.
const LIMIT: usize = 4_096;

/// Less and less is said until it fits.
const LEVELS: [Detail; 5] = [
    Detail { named: 50, text: 300, title: 300, links: true },
    Detail { named: 50, text: 120, title: 200, links: true },
    Detail { named: 50, text: 60, title: 120, links: true },
    Detail { named: 50, text: 60, title: 120, links: false },
    Detail { named: 50, text: 40, title: 60, links: false },
];

pub(super) struct Composer {
    pub(super) templates: Arc<Templates>,
    pub(super) at: Vec<String>,
    /// Owners to mention beside them.
    pub(super) people: People,
}

#[derive(Serialize)]
struct Body<'a> {
    msgtype: &'static str,
    markdown: Markdown<'a>,
}

#[derive(Serialize)]
struct Markdown<'a> {
    content: &'a str,
}

impl Composer {
    fn mentions(&self, view: &MessageView) -> String {
        let at = if needs_somebody(view) { &self.at[..] } else { &[] };
        let mut at = at.to_vec();
        for owner in owners(view, |owner| self.people.wecom(owner)) {
            if !at.contains(&owner) {
                at.push(owner);
            }
        }
        at.iter().map(|id| format!("<@{id}>")).collect::<Vec<_>>().join(" ")
    }
}

impl Compose for Composer {
    fn compose(&self, view: &MessageView) -> Composed {
        let mentions = self.mentions(view);
        let (content, data) = fitting(
            view,
            &LEVELS,
            |data| text(&self.templates, "wecom", view, data),
            |_, text| if mentions.is_empty() { text } else { format!("{text}\n{mentions}") },
            |text| text.len() <= LIMIT,
        );
        let body = Body { msgtype: "markdown", markdown: Markdown { content: &content } };
        // Strings: this cannot fail.
        let body = serde_json::to_string(&body).unwrap_or_default();
        Composed { frozen: Frozen { body, title: data.title }, named: data.items.len() }
    }
}
