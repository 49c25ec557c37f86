//! What robots of a group that take markdown and know no escape have in common (DingTalk, WeCom):
//! writing until it fits, whom to mention, what an answer in JSON says. Pure.

use serde::Deserialize;

use super::BuildError;
use super::wire::{Reply, classify_status, excerpt};
use crate::model::{IncidentState, MessageKind, NoticeReason, SendOutcome, Severity};
use crate::notify::MessageView;
use crate::notify::render::escape::{mark, short};
use crate::notify::render::{Detail, MessageData, Templates, message_data, words};

/// The file of a channel's templates.
const FILE: &str = "body.mark.hbs";
/// People mentioned in one message.
const MAX_AT: usize = 20;
/// Longest name of somebody to mention.
const MAX_NAME: usize = 64;
/// How long to wait when a robot was too fast and does not say for how long: it counts by the
/// minute, and every further try may prolong the block.
const TOO_FAST_MS: u64 = 30_000;

/// What is sent, by `body` of a text, with less and less detail and then fewer items until it
/// `fits`. Where no text by `text` does, a user's own template being that long, the plain one does.
pub(super) fn fitting<T>(
    view: &MessageView,
    levels: &[Detail],
    text: impl Fn(&MessageData) -> String,
    body: impl Fn(&MessageData, String) -> T,
    fits: impl Fn(&T) -> bool,
) -> (T, MessageData) {
    let written = |detail: Detail| {
        let data = message_data(view, detail);
        let body = body(&data, text(&data));
        (body, data)
    };
    for detail in levels {
        let (body, data) = written(*detail);
        if fits(&body) {
            return (body, data);
        }
    }
    let lowest = levels.last().copied().unwrap_or(Detail::FULL);
    let (mut best, mut low, mut high) = (None, 0, view.items.len().min(lowest.named));
    while low <= high {
        let named = low.midpoint(high);
        let (body, data) = written(Detail { named, ..lowest });
        if fits(&body) {
            best = Some((body, data));
            low = named + 1;
        } else if named == 0 {
            break;
        } else {
            high = named - 1;
        }
    }
    best.unwrap_or_else(|| {
        let mut data = message_data(view, Detail { named: 0, ..lowest });
        data.title = short(&data.title, lowest.title);
        (body(&data, plain(&data)), data)
    })
}

/// The text by the channel's template, with the word robots may demand whatever is in the template.
pub(super) fn text(
    templates: &Templates,
    channel: &str,
    view: &MessageView,
    data: &MessageData,
) -> String {
    let text = templates.render(channel, view.language, FILE, data).unwrap_or_else(|| plain(data));
    if text.contains(words::keyword(view.language)) {
        return text;
    }
    format!("{text}\n{}", mark(&data.footer))
}

/// The text without a template.
fn plain(data: &MessageData) -> String {
    data.fallback().lines().map(mark).collect::<Vec<_>>().join("\n")
}

/// People are mentioned for news about something critical that is open, not for reminders, and
/// not for the first report, which is no alarm.
pub(super) fn needs_somebody(view: &MessageView) -> bool {
    view.items.iter().any(|item| {
        view.kind != MessageKind::FirstLook
            && item.incident.is_open()
            && item.incident.severity == Severity::Critical
            && item.reason != NoticeReason::Repeat
    })
}

/// Ids of the owners of what is critical, open and nobody's, each once.
pub(super) fn owners<'a>(
    view: &MessageView,
    id: impl Fn(&str) -> Option<&'a String>,
) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let calls = view.items.iter().filter(|item| {
        view.kind != MessageKind::FirstLook
            && item.incident.state == IncidentState::Open
            && item.incident.severity == Severity::Critical
            && item.reason != NoticeReason::Repeat
    });
    for item in calls {
        let owner = id(item.incident.labels.get("owner"));
        if let Some(id) = owner.filter(|id| found.len() < MAX_AT && !found.contains(id)) {
            found.push(id.clone());
        }
    }
    found
}

/// Checks whom to mention; `valid` besides being short, `like` an example.
pub(super) fn check_at(
    at: &[String],
    valid: impl Fn(char) -> bool,
    like: &str,
) -> Result<(), BuildError> {
    let is_fine = |name: &String| {
        !name.is_empty() && name.chars().count() <= MAX_NAME && name.chars().all(&valid)
    };
    if let Some(bad) = at.iter().find(|name| !is_fine(name)) {
        return Err(BuildError(format!("`at` has {bad:?} (it takes {like})")));
    }
    if at.len() > MAX_AT {
        return Err(BuildError(format!("`at` names more than {MAX_AT}")));
    }
    Ok(())
}

/// What robots answer, whatever the HTTP status.
#[derive(Deserialize)]
struct Answer {
    errcode: Option<i64>,
    errmsg: Option<String>,
    /// Of the vendor's gateway, in place of a code.
    punish: Option<String>,
    /// With it: minutes.
    wait: Option<u64>,
}

/// An answer with a code.
pub(super) struct Said {
    pub(super) code: i64,
    /// The vendor's words, in lower case.
    pub(super) words: String,
    /// For people.
    text: String,
    after_ms: Option<u64>,
}

impl Said {
    /// Not this time.
    pub(super) fn retry(&self) -> SendOutcome {
        SendOutcome::Retry { after_ms: self.after_ms, error: self.text.clone() }
    }

    /// Too fast: not before the time the vendor names.
    pub(super) fn too_fast(&self) -> SendOutcome {
        self.retry_after(self.after_ms.unwrap_or(TOO_FAST_MS))
    }

    /// Not before this time has passed.
    pub(super) fn retry_after(&self, ms: u64) -> SendOutcome {
        SendOutcome::Retry { after_ms: Some(ms), error: self.text.clone() }
    }

    /// Never like this; `hint` is the way out.
    pub(super) fn reject(&self, hint: &str) -> SendOutcome {
        SendOutcome::Rejected { error: format!("{} ({hint})", self.text) }
    }

    /// Once more before it is refused: a secret in a file may just have been changed, a clock set.
    pub(super) fn reject_again(&self, attempts: u32, hint: &str) -> SendOutcome {
        if attempts <= 1 { self.retry() } else { self.reject(hint) }
    }
}

/// The code of an answer, or what an answer without one means: a status, a gateway in between, a
/// block of this machine's address.
///
/// # Errors
/// The outcome of a try that was not answered with a code.
pub(super) fn code(reply: &Reply) -> Result<Said, SendOutcome> {
    let answer = serde_json::from_str::<Answer>(&reply.body).ok();
    if let Some(wait) = answer.as_ref().filter(|a| a.punish.is_some()).map(|a| a.wait) {
        let after_ms = wait.map_or(TOO_FAST_MS, |minutes| minutes.saturating_mul(60_000));
        let error = "too many requests from this machine's address: blocked for a while";
        return Err(SendOutcome::Retry { after_ms: Some(after_ms), error: error.to_owned() });
    }
    let Some((code, answer)) = answer.and_then(|a| Some((a.errcode?, a))) else {
        return Err(match classify_status(reply) {
            // Something between us and the robot answered in its place.
            SendOutcome::Delivered => SendOutcome::Retry {
                after_ms: reply.retry_after_ms,
                error: format!(
                    "HTTP {} without an errcode: {} (check `url` and `proxy_url`)",
                    reply.status,
                    excerpt(&reply.body)
                ),
            },
            other => other,
        });
    };
    let words = answer.errmsg.unwrap_or_default();
    Ok(Said {
        code,
        text: format!("errcode {code}: {}", excerpt(&words)),
        words: words.to_lowercase(),
        after_ms: reply.retry_after_ms,
    })
}
