//! What Slack's answers mean. Pure.

use serde::Deserialize;

use crate::model::SendOutcome;
use crate::notify::channels::wire::{Reply, classify_status, excerpt};

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Post,
    Reply,
    Update,
}

impl Call {
    pub(super) fn method(self) -> &'static str {
        match self {
            Call::Post | Call::Reply => "chat.postMessage",
            Call::Update => "chat.update",
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    ok: bool,
    #[serde(default)]
    error: String,
    #[serde(default)]
    channel: String,
    #[serde(default)]
    ts: String,
    #[serde(default)]
    response_metadata: Metadata,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    messages: Vec<String>,
}

/// `ok` of the body decides, since refusals come with HTTP 200. `attempts` counts this one.
pub(super) fn classify(reply: &Reply, call: Call, attempts: u32) -> SendOutcome {
    let after_ms = reply.retry_after_ms;
    let Ok(answer) = serde_json::from_str::<Answer>(&reply.body) else {
        return match classify_status(reply) {
            // Something between us and Slack answered in its place.
            SendOutcome::Delivered | SendOutcome::Rejected { .. } => SendOutcome::Retry {
                after_ms,
                error: format!(
                    "HTTP {} without `ok`: {} (check `base_url` and `proxy_url`)",
                    reply.status,
                    excerpt(&reply.body)
                ),
            },
            other => other,
        };
    };
    if answer.ok {
        let receipt = format!("{}/{}", answer.channel, answer.ts);
        let known = !answer.channel.is_empty() && !answer.ts.is_empty();
        return if call == Call::Post && known {
            SendOutcome::Accepted { receipt }
        } else {
            SendOutcome::Delivered
        };
    }
    let said = match answer.response_metadata.messages.first() {
        Some(more) => format!("{}: {}", excerpt(&answer.error), excerpt(more)),
        None => excerpt(&answer.error),
    };
    let retry = || SendOutcome::Retry { after_ms, error: said.clone() };
    let reject = |hint: &str| SendOutcome::Rejected { error: format!("{said} ({hint})") };
    let gone = || SendOutcome::Gone { error: said.clone() };
    let edits = call != Call::Post;
    match answer.error.as_str() {
        // A repeat of what Slack has already: it is there, if without a name we know.
        "duplicate_client_msg_id" => SendOutcome::Delivered,
        "message_not_found"
        | "cant_update_message"
        | "edit_window_closed"
        | "thread_not_found"
        | "cannot_reply_to_message"
        | "restricted_action_thread_locked"
        | "is_inactive"
            if edits =>
        {
            gone()
        }
        "channel_not_found" | "not_in_channel" | "is_archived" if edits => gone(),
        "channel_not_found" => reject("check `channel`, and that the bot may see it"),
        "not_in_channel" => reject("invite the bot into the channel"),
        "is_archived" => reject("the channel is archived: name another one in `channel`"),
        // The token's file may just have been rotated.
        "token_expired" | "invalid_auth" | "token_revoked" if attempts <= 1 => retry(),
        "invalid_auth"
        | "not_authed"
        | "account_inactive"
        | "token_revoked"
        | "token_expired"
        | "no_permission"
        | "org_login_required"
        | "not_allowed_token_type" => reject("check `token`"),
        "missing_scope" => reject("give the app the scope chat:write, and install it again"),
        "restricted_action"
        | "restricted_action_read_only_channel"
        | "restricted_action_non_threadable_channel"
        | "ekm_access_denied" => reject("the workspace does not let the bot post there"),
        "msg_too_long"
        | "too_many_attachments"
        | "msg_blocks_too_long"
        | "no_text"
        | "invalid_blocks"
        | "invalid_blocks_format"
        | "invalid_attachments"
        | "invalid_json"
        | "json_not_object"
        | "invalid_arguments"
        | "invalid_form_data" => reject("Slack does not take this message: check the template"),
        // `ratelimited`, `internal_error`, … A word nobody knows must not lose a message.
        _ => retry(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Call, Reply, classify};
    use crate::model::SendOutcome;

    fn class(status: u16, body: &str, call: Call, attempts: u32) -> String {
        let retry_after_ms = (status == 429).then_some(30_000);
        let reply = Reply { status, retry_after_ms, body: body.to_owned() };
        match classify(&reply, call, attempts) {
            SendOutcome::Delivered => "delivered".to_owned(),
            SendOutcome::Accepted { receipt } => format!("accepted {receipt}"),
            SendOutcome::Retry { after_ms, error } => format!("retry {after_ms:?} {error}"),
            SendOutcome::Rejected { error } => format!("rejected {error}"),
            SendOutcome::Gone { error } => format!("gone {error}"),
        }
    }

    #[test]
    fn ok_decides_not_the_status() {
        let ok = r#"{"ok":true,"channel":"C1","ts":"1503435956.000247","message":{}}"#;
        let error = |word: &str| format!(r#"{{"ok":false,"error":"{word}"}}"#);
        let blocks = r#"{"ok":false,"error":"invalid_blocks","response_metadata":{"messages":["[ERROR] must be less than 3001"]}}"#;
        for (status, body, call, attempts, expected) in [
            (200, ok.to_owned(), Call::Post, 1, "accepted C1/1503435956.000247"),
            (200, ok.to_owned(), Call::Update, 1, "delivered"),
            (200, r#"{"ok":true}"#.to_owned(), Call::Post, 1, "delivered"),
            (429, error("ratelimited"), Call::Post, 1, "retry Some(30000) ratelimited"),
            (200, error("internal_error"), Call::Post, 1, "retry None internal_error"),
            (200, error("brand_new"), Call::Update, 1, "retry None brand_new"),
            (200, error("message_not_found"), Call::Update, 1, "gone message_not_found"),
            (200, error("edit_window_closed"), Call::Update, 1, "gone edit_window_closed"),
            (200, error("message_not_found"), Call::Post, 1, "retry None message_not_found"),
            (200, error("channel_not_found"), Call::Update, 1, "gone channel_not_found"),
            (200, error("channel_not_found"), Call::Post, 1, "rejected channel_not_found (check"),
            (200, error("not_in_channel"), Call::Post, 1, "rejected not_in_channel (invite"),
            (200, error("invalid_auth"), Call::Post, 1, "retry None invalid_auth"),
            (200, error("invalid_auth"), Call::Post, 2, "rejected invalid_auth (check `token`"),
            (200, error("missing_scope"), Call::Post, 1, "rejected missing_scope (give"),
            (200, blocks.to_owned(), Call::Post, 1, "rejected invalid_blocks: [ERROR] must"),
            (503, "<html>".to_owned(), Call::Post, 1, "retry None HTTP 503"),
            (200, "ok".to_owned(), Call::Post, 1, "retry None HTTP 200 without `ok`"),
        ] {
            let got = class(status, &body, call, attempts);
            assert!(got.starts_with(expected), "{status} {body} {call:?}: {got}");
        }
    }
}
