//! What the bot's answers mean. Pure.

use serde::Deserialize;

use crate::model::SendOutcome;
use crate::notify::channels::wire::{Reply, classify_status, excerpt};

#[derive(Deserialize)]
struct Answer {
    code: Option<i64>,
    #[serde(rename = "StatusCode")]
    status_code: Option<i64>,
    msg: Option<String>,
    #[serde(rename = "StatusMessage")]
    status_message: Option<String>,
}

/// The `code` of the body decides, since refusals come with HTTP 200 too. `size` is that of the
/// request, `attempts` counts this one.
pub(super) fn classify(reply: &Reply, size: usize, attempts: u32) -> SendOutcome {
    let after_ms = reply.retry_after_ms;
    let answer = serde_json::from_str::<Answer>(&reply.body).ok();
    let code = answer.as_ref().and_then(|a| a.code.or(a.status_code));
    let (Some(answer), Some(code)) = (answer, code) else {
        return match classify_status(reply) {
            // Something between us and the bot answered in its place.
            SendOutcome::Delivered => SendOutcome::Retry {
                after_ms,
                error: format!(
                    "HTTP {} without a code: {} (check `url` and `proxy_url`)",
                    reply.status,
                    excerpt(&reply.body)
                ),
            },
            other => other,
        };
    };
    let text = answer.msg.or(answer.status_message).unwrap_or_default();
    let said = format!("code {code}: {}", excerpt(&text));
    let retry = || SendOutcome::Retry { after_ms, error: said.clone() };
    let reject = |hint: &str| SendOutcome::Rejected { error: format!("{said} ({hint})") };
    match code {
        0 if reply.status < 300 => SendOutcome::Delivered,
        // Rate limits, the bot's, the app's and the chat's.
        11232 | 99_991_400 | 230_020 => retry(),
        9499 if text.to_lowercase().contains("too many") => retry(),
        9499 if size > 20 * 1024 => reject("the card is over 20 KB: shorten the template"),
        9499 => reject("the bot does not take this body: check the template"),
        19001 => reject("the bot does not exist or its token is wrong: check `url`"),
        // The clock may have been stepped, or the secret just rotated: once more, signed anew.
        19021 if attempts <= 1 => retry(),
        19021 => reject("wrong signature: check `secret`, and this machine's clock to the hour"),
        19022 => reject("this machine's address is not on the bot's allow list: add it there"),
        19024 => reject("the bot demands a keyword: set 告警 (zh) or alert (en) as one of them"),
        200_000..=200_999 | 230_000..=230_999 => {
            reject("the bot does not take this card: check the template")
        }
        // A code nobody knows must not lose a message.
        _ => retry(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(status: u16, body: &str, size: usize, attempts: u32) -> String {
        let retry_after_ms = (status == 429).then_some(2_000);
        let reply = Reply { status, retry_after_ms, body: body.to_owned() };
        match classify(&reply, size, attempts) {
            SendOutcome::Delivered => "delivered".to_owned(),
            SendOutcome::Retry { after_ms, error } => format!("retry {after_ms:?} {error}"),
            SendOutcome::Rejected { error } => format!("rejected {error}"),
            other => panic!("no edits here: {other:?}"),
        }
    }

    #[test]
    fn the_code_decides_not_the_status() {
        let limited = r#"{"code":11232,"data":{},"msg":"frequency limited psm[x]appID[1500]"}"#;
        let ok = r#"{"code":0,"msg":"success","data":{},"Extra":null,"StatusCode":0,"StatusMessage":"success"}"#;
        for (status, body, expected) in [
            (200, ok, "delivered"),
            (200, r#"{"StatusCode":0,"StatusMessage":"success"}"#, "delivered"),
            (200, limited, "retry None code 11232: frequency limited"),
            (400, limited, "retry None code 11232"),
            (200, r#"{"code":9499,"msg":"Too Many Request"}"#, "retry None code 9499"),
            (
                400,
                r#"{"code":9499,"msg":"Bad Request"}"#,
                "rejected code 9499: Bad Request (the bot does",
            ),
            (
                200,
                r#"{"code":19001,"msg":"param invalid"}"#,
                "rejected code 19001: param invalid (the bot does not exist",
            ),
            (
                200,
                r#"{"code":19022,"msg":"Ip Not Allowed"}"#,
                "rejected code 19022: Ip Not Allowed (this machine",
            ),
            (200, r#"{"code":19024,"msg":"Key Words Not Found"}"#, "rejected code 19024"),
            (200, r#"{"code":200621,"msg":"parse card json err"}"#, "rejected code 200621"),
            (200, r#"{"code":230099,"msg":"x"}"#, "rejected code 230099"),
            (200, r#"{"code":4711,"msg":"new"}"#, "retry None code 4711: new"),
            (429, "slow down", "retry Some(2000) HTTP 429: slow down"),
            (502, "<html>", "retry None HTTP 502"),
            (404, "", "rejected HTTP 404 (check `url`"),
            (200, "<html>login</html>", "retry None HTTP 200 without a code"),
            (200, "{}", "retry None HTTP 200 without a code"),
        ] {
            let got = class(status, body, 900, 1);
            assert!(got.starts_with(expected), "{status} {body}: {got}");
        }
        assert!(class(400, r#"{"code":9499,"msg":"Bad"}"#, 30_000, 1).contains("over 20 KB"));
    }

    #[test]
    fn a_wrong_signature_is_tried_once_more() {
        let body = r#"{"code":19021,"msg":"sign match fail or timestamp is not within one hour"}"#;
        assert!(class(200, body, 900, 1).starts_with("retry None code 19021"));
        assert!(class(200, body, 900, 2).starts_with("rejected code 19021"));
    }
}
