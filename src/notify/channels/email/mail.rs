//! The mail: pure. The same view gives the same bytes, boundary and date included.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder, MultiPart, MultiPartKind, SinglePart};

use crate::model::{Frozen, MessageKind};
use crate::notify::channels::options::endpoint_hash;
use crate::notify::render::{
    Detail, MessageData, Templates, escape, message_data, thread_subject, words,
};
use crate::notify::{Compose, Composed, ItemView, MessageView};

/// The last second of the year 9999: mail knows no later one.
const LAST: i64 = 253_402_300_799_000;
/// A mail has room, but nobody reads more.
const DETAIL: Detail = Detail { named: 200, text: 2_000, title: 300, links: true };

pub(super) struct Composer {
    pub(super) templates: Arc<Templates>,
    pub(super) name: String,
    pub(super) from: Mailbox,
    pub(super) to: Vec<Mailbox>,
    pub(super) reply_to: Option<Mailbox>,
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
