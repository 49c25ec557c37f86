//! What the vendor's answers mean. Pure.

use serde::Deserialize;

use crate::model::SendOutcome;
use crate::notify::channels::wire::{Reply, classify_status, excerpt};

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Send,
    Reply,
    Edit,
}

#[derive(Deserialize)]
struct Answer {
    code: i64,
    #[serde(default)]
    msg: String,
    #[serde(default)]
    data: Option<Data>,
}

#[derive(Deserialize)]
struct Data {
    #[serde(default)]
    message_id: Option<String>,
}

fn answer(reply: &Reply) -> Option<Answer> {
    serde_json::from_str(&reply.body).ok()
}

/// The token is unknown or over: a new one helps.
pub(super) fn is_token_refused(reply: &Reply) -> bool {
    let codes = [99_991_661, 99_991_663, 99_991_664, 99_991_668, 99_991_671, 99_991_677];
    answer(reply).is_some_and(|a| codes.contains(&a.code))
}

/// The `code` of the body decides; refusals come with HTTP 400, and with 200 too.
pub(super) fn classify(reply: &Reply, call: Call) -> SendOutcome {
    let after_ms = reply.retry_after_ms;
    let Some(answer) = answer(reply) else {
        return match classify_status(reply) {
            // Something between us and the vendor answered in its place.
            SendOutcome::Delivered | SendOutcome::Rejected { .. } => SendOutcome::Retry {
                after_ms,
                error: format!(
                    "HTTP {} without a code: {} (check `base_url` and `proxy_url`)",
                    reply.status,
                    excerpt(&reply.body)
                ),
            },
            other => other,
        };
    };
    let code = answer.code;
    let said = format!("code {code}: {}", excerpt(&answer.msg));
    let retry = || SendOutcome::Retry { after_ms, error: said.clone() };
    let reject = |hint: &str| SendOutcome::Rejected { error: format!("{said} ({hint})") };
    // What no edit and no reply can mend may still be told in a message of its own.
    let of_a_message = |hint: &str| match call {
        Call::Send => reject(hint),
        Call::Reply | Call::Edit => SendOutcome::Gone { error: said.clone() },
    };
    match code {
        0 if reply.status < 300 => match answer.data.and_then(|data| data.message_id) {
            Some(receipt) if call == Call::Send => SendOutcome::Accepted { receipt },
            _ => SendOutcome::Delivered,
        },
        // Rate limits: the app's, the chat's, the tenant's; a repeat while the first is on its way.
        99_991_400 | 230_020 | 11_232 | 230_049 => retry(),
        99_991_672 | 230_027 => {
            of_a_message("the app lacks a permission: give it im:message:send_as_bot")
        }
        230_006 => reject("the app has no bot: enable it and publish the app"),
        230_002 => of_a_message("the bot is not in this chat: add it there"),
        230_013 => of_a_message("this person may not use the app: widen its availability"),
        230_025 => reject("the card is over 30 KB: shorten the template"),
        230_028 => reject("the tenant's audit refuses what the card says"),
        230_099 | 200_000..=200_999 => {
            reject("the vendor does not take this card: check the template")
        }
        230_001 => of_a_message("check `chat_id` or `receive_id` and its type"),
        // Recalled, deleted, older than 14 days, of somebody else, not to be replied to.
        230_000..=230_999 => of_a_message("check `chat_id` and the app's rights in it"),
        // A code nobody knows must not lose a message.
        _ => retry(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Call, Reply, classify, is_token_refused};
    use crate::model::SendOutcome;

    fn class(status: u16, body: &str, call: Call) -> String {
        let retry_after_ms = (status == 429).then_some(3_000);
        let reply = Reply { status, retry_after_ms, body: body.to_owned() };
        match classify(&reply, call) {
            SendOutcome::Delivered => "delivered".to_owned(),
            SendOutcome::Accepted { receipt } => format!("accepted {receipt}"),
            SendOutcome::Retry { after_ms, error } => format!("retry {after_ms:?} {error}"),
            SendOutcome::Rejected { error } => format!("rejected {error}"),
            SendOutcome::Gone { error } => format!("gone {error}"),
        }
    }

    #[test]
    fn the_code_decides_and_what_cannot_be_edited_is_gone() {
        let ok = r#"{"code":0,"msg":"success","data":{"message_id":"om_1"}}"#;
        let limited = r#"{"code":99991400,"msg":"request trigger frequency limit"}"#;
        for (status, body, call, expected) in [
            (200, ok, Call::Send, "accepted om_1"),
            (200, ok, Call::Reply, "delivered"),
            (200, r#"{"code":0,"msg":"success","data":{}}"#, Call::Edit, "delivered"),
            (200, r#"{"code":0,"msg":"success"}"#, Call::Send, "delivered"),
            (429, limited, Call::Send, "retry Some(3000) code 99991400"),
            (400, limited, Call::Edit, "retry None code 99991400"),
            (400, r#"{"code":230020,"msg":"limit"}"#, Call::Edit, "retry None code 230020"),
            (400, r#"{"code":230049,"msg":"sending"}"#, Call::Send, "retry None code 230049"),
            (400, r#"{"code":230011,"msg":"recalled"}"#, Call::Edit, "gone code 230011: recalled"),
            (400, r#"{"code":230031,"msg":"14 days"}"#, Call::Edit, "gone code 230031"),
            (400, r#"{"code":230011,"msg":"recalled"}"#, Call::Reply, "gone code 230011"),
            (400, r#"{"code":230001,"msg":"bad id"}"#, Call::Edit, "gone code 230001"),
            (
                400,
                r#"{"code":230001,"msg":"bad id"}"#,
                Call::Send,
                "rejected code 230001: bad id (",
            ),
            (400, r#"{"code":230002,"msg":"not in chat"}"#, Call::Send, "rejected code 230002"),
            (400, r#"{"code":230025,"msg":"long"}"#, Call::Edit, "rejected code 230025: long (the"),
            (400, r#"{"code":230099,"msg":"card"}"#, Call::Edit, "rejected code 230099: card ("),
            (200, r#"{"code":4711,"msg":"new"}"#, Call::Edit, "retry None code 4711: new"),
            (502, "<html>", Call::Send, "retry None HTTP 502"),
            (404, "<html>", Call::Send, "retry None HTTP 404 without a code"),
            (200, "<html>login</html>", Call::Send, "retry None HTTP 200 without a code"),
        ] {
            let got = class(status, body, call);
            assert!(got.starts_with(expected), "{status} {body} {call:?}: {got}");
        }
    }

    #[test]
    fn a_refused_token_is_recognised_whatever_the_status() {
        for status in [200, 400, 401] {
            let body = r#"{"code":99991663,"msg":"Invalid access token"}"#.to_owned();
            assert!(is_token_refused(&Reply { status, retry_after_ms: None, body }));
        }
        let body = r#"{"code":0}"#.to_owned();
        assert!(!is_token_refused(&Reply { status: 200, retry_after_ms: None, body }));
    }
}
