//! The mail: pure. The same view gives the same bytes, boundary and date included.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lettre::address::Address;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder, MultiPart, MultiPartKind, SinglePart};

use crate::model::{Frozen, MessageKind};
use crate::notify::channels::options::endpoint_hash;
use crate::notify::channels::people::People;
use crate::notify::render::{
    Detail, MessageData, Templates, escape, message_data, thread_subject, words,
};
use crate::notify::{Compose, Composed, ItemView, MessageView};

/// The last second of the year 9999: mail knows no later one.
const LAST: i64 = 253_402_300_799_000;
/// Owners who get a copy of one mail.
const MAX_COPIES: usize = 20;
/// A mail has room, but nobody reads more.
const DETAIL: Detail = Detail { named: 200, text: 2_000, title: 300, links: true };

pub(super) struct Composer {
    pub(super) templates: Arc<Templates>,
    pub(super) name: String,
    pub(super) from: Mailbox,
    pub(super) to: Vec<Mailbox>,
    pub(super) reply_to: Option<Mailbox>,
    /// Owners who get a copy.
    pub(super) owners: Option<People>,
}

/// Names of a mail and of the thread it belongs to.
struct Thread {
    id: String,
    root: Option<String>,
    subject: String,
}

impl Composer {
    /// Mails about one incident are a thread under a root that is never sent, so that it holds
    /// whatever order they arrive in.
    fn thread(&self, view: &MessageView, title: &str) -> Thread {
        let installation = word(&view.installation);
        match view.items.as_slice() {
            [item] if matches!(view.kind, MessageKind::Incident | MessageKind::Group) => {
                let ItemView { incident, sequence, .. } = item;
                let id = incident.id;
                // Two channels may reach one mailbox: their mails must not pass for each other.
                let to: Vec<&str> = self.to.iter().map(|to| to.email.as_ref()).collect();
                let who = format!("{}\n{}\n{}", view.receiver, self.name, to.join(","));
                let who = endpoint_hash("thread", &who);
                Thread {
                    id: format!("<weir-{installation}-inc-{id}.{sequence}.{who}@weir>"),
                    root: Some(format!("<weir-{installation}-inc-{id}.0@weir>")),
                    subject: thread_subject(item, view.language),
                }
            }
            _ => Thread {
                id: format!("<weir-{}@weir>", word(&view.key)),
                root: None,
                subject: format!("[Weir] {title}"),
            },
        }
    }

    fn bodies(&self, view: &MessageView, data: &MessageData) -> (String, String) {
        let render = |file| self.templates.render("email", view.language, file, data);
        let text = render("body.txt.hbs").unwrap_or_else(|| data.fallback());
        let html = render("body.html.hbs")
            .unwrap_or_else(|| format!("<pre>{}</pre>", escape::html(&data.fallback())));
        let keyword = words::keyword(view.language);
        let footer = &data.footer;
        (
            if text.contains(keyword) { text } else { format!("{text}\n\n{footer}") },
            if html.contains(keyword) {
                html
            } else {
                format!("{html}<p>{}</p>", escape::html(footer))
            },
        )
    }

    /// Addresses of the owners of what it is about, without those it goes to anyway. Whoever got one
    /// about an incident gets all of them, its end too.
    fn copies(&self, view: &MessageView) -> Vec<Address> {
        let mut found: Vec<Address> = Vec::new();
        let Some(people) = &self.owners else { return found };
        for item in &view.items {
            let owner = people.email(item.incident.labels.get("owner"));
            let Some(owner) = owner.and_then(|text| text.parse::<Address>().ok()) else { continue };
            let known = self.to.iter().any(|to| to.email == owner) || found.contains(&owner);
            if !known && found.len() < MAX_COPIES {
                found.push(owner);
            }
        }
        found
    }

    fn headers(&self, view: &MessageView, thread: &Thread, data: &MessageData) -> MessageBuilder {
        let millis = u64::try_from(view.now.0.clamp(0, LAST)).unwrap_or(0);
        let mut builder = lettre::Message::builder()
            .date(SystemTime::UNIX_EPOCH + Duration::from_millis(millis))
            .from(self.from.clone())
            .subject(thread.subject.clone())
            .message_id(Some(thread.id.clone()));
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        for owner in self.copies(view) {
            builder = builder.cc(Mailbox::new(None, owner));
        }
        if let Some(to) = &self.reply_to {
            builder = builder.reply_to(to.clone());
        }
        if let Some(root) = &thread.root {
            builder = builder.in_reply_to(root.clone()).references(root.clone());
        }
        let list = format!("<alerts.{}.weir>", word(&view.installation));
        let severity = data.severity.unwrap_or("none").to_owned();
        for (name, value) in [
            ("Auto-Submitted", "auto-generated".to_owned()),
            ("X-Auto-Response-Suppress", "All".to_owned()),
            ("List-Id", list),
            // The subject must not change within a thread; filters need the severity all the same.
            ("X-Weir-Severity", severity),
        ] {
            let name = HeaderName::new_from_ascii_str(name);
            builder = builder.raw_header(HeaderValue::new(name, value));
        }
        builder
    }
}

/// Whom a written mail goes to: everybody, and those it names as getting a copy.
pub(super) fn with_copies(everybody: &[Address], mail: &str) -> Vec<Address> {
    let mut copies = String::new();
    let mut inside = false;
    for line in mail.lines().take_while(|line| !line.is_empty()) {
        inside = match line.strip_prefix("Cc: ") {
            Some(first) => {
                copies.push_str(first);
                true
            }
            None => inside && line.starts_with([' ', '\t']),
        };
        if inside && line.starts_with([' ', '\t']) {
            copies.push_str(line);
        }
    }
    let mut to = everybody.to_vec();
    let copies = copies.split(',').filter_map(|text| text.trim().parse::<Address>().ok());
    for copy in copies {
        if !to.contains(&copy) {
            to.push(copy);
        }
    }
    to
}

/// What may stand in a Message-ID.
fn word(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(64).collect()
}

impl Compose for Composer {
    fn compose(&self, view: &MessageView) -> Composed {
        let data = message_data(view, DETAIL);
        let thread = self.thread(view, &data.title);
        let (text, html) = self.bodies(view, &data);
        let boundary = format!("weir-{}", endpoint_hash("boundary", &view.key));
        // The last part is the one to prefer.
        let parts = MultiPart::builder()
            .kind(MultiPartKind::Alternative)
            .boundary(boundary)
            .singlepart(SinglePart::plain(text))
            .singlepart(SinglePart::html(html));
        let body = match self.headers(view, &thread, &data).multipart(parts) {
            Ok(mail) => String::from_utf8_lossy(&mail.formatted()).into_owned(),
            // Sender and receivers were checked when the channel was built.
            Err(error) => format!("Subject: Weir alert\r\n\r\n{error}\r\n"),
        };
        Composed { frozen: Frozen { body, title: data.title }, named: data.items.len() }
    }

    fn preview(&self, view: &MessageView) -> Vec<(&'static str, String)> {
        let (text, html) = self.bodies(view, &message_data(view, DETAIL));
        vec![("eml", self.compose(view).frozen.body), ("html", html), ("txt", text)]
    }
}
