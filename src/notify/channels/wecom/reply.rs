//! What the robot's answers mean. Pure.

use crate::model::SendOutcome;
use crate::notify::channels::group_bot::code;
use crate::notify::channels::wire::Reply;

/// The `errcode` of the body decides, since refusals come with HTTP 200 too. `attempts` counts this
/// one.
pub(super) fn classify(reply: &Reply, attempts: u32) -> SendOutcome {
    let said = match code(reply) {
        Ok(said) => said,
        Err(outcome) => return outcome,
    };
    let too_long = said.words.contains("exceed max length");
    match said.code {
        0 if reply.status < 300 => SendOutcome::Delivered,
        45_009 | 45_033 => said.too_fast(),
        45_002 => said.reject("the text is over 4,096 bytes: shorten the template"),
        40_058 | 93_000 if too_long => {
            said.reject("the text is over 4,096 bytes: shorten the template")
        }
        93_000 => said.reject_again(
            attempts,
            "the robot's key is wrong: copy the address from the robot's page into `url`",
        ),
        93_004 | 93_008 => {
            said.reject("the robot was taken out of the group: add one, and set `url`")
        }
        40_008 | 40_058 | 44_004 => {
            said.reject("the robot does not take this text: check the template")
        }
        60_020 => said.reject("this machine's address is not allowed: add it in WeCom's console"),
        // -1 is "busy", and a code nobody knows must not lose a message.
        _ => said.retry(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(status: u16, body: &str, attempts: u32) -> String {
        let retry_after_ms = (status == 429).then_some(2_000);
        match classify(&Reply { status, retry_after_ms, body: body.to_owned() }, attempts) {
            SendOutcome::Delivered => "delivered".to_owned(),
            SendOutcome::Retry { after_ms, error } => format!("retry {after_ms:?} {error}"),
            SendOutcome::Rejected { error } => format!("rejected {error}"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn the_code_decides_not_the_status() {
        let limited = r#"{"errcode":45009,"errmsg":"api freq out of limit, hint: [1]"}"#;
        let long = r#"{"errcode":40058,"errmsg":"markdown.content exceed max length 4096. invalid Request Parameter"}"#;
        for (status, body, expected) in [
            (200, r#"{"errcode":0,"errmsg":"ok"}"#, "delivered"),
            (200, limited, "retry Some(30000) errcode 45009: api freq out of limit"),
            (429, limited, "retry Some(2000) errcode 45009"),
            (200, r#"{"errcode":-1,"errmsg":"system busy"}"#, "retry None errcode -1"),
            (200, long, "rejected errcode 40058: markdown.content exceed max length 4096."),
            (200, r#"{"errcode":40008,"errmsg":"invalid message type"}"#, "rejected errcode 40008"),
            (200, r#"{"errcode":93008,"errmsg":"not in group"}"#, "rejected errcode 93008"),
            (200, r#"{"errcode":4711,"errmsg":"new"}"#, "retry None errcode 4711: new"),
            (429, "slow down", "retry Some(2000) HTTP 429: slow down"),
            (502, "<html>", "retry None HTTP 502"),
            (404, "", "rejected HTTP 404 (check `url`"),
            (200, "<html>login</html>", "retry None HTTP 200 without an errcode"),
        ] {
            let got = class(status, body, 1);
            assert!(got.starts_with(expected), "{status} {body}: {got}");
        }
        assert!(
            class(200, long, 1).ends_with("(the text is over 4,096 bytes: shorten the template)")
        );
    }

    #[test]
    fn a_wrong_key_is_tried_once_more() {
        let body =
            r#"{"errcode":93000,"errmsg":"invalid webhook url, hint: [1], from ip: 1.2.3.4"}"#;
        assert!(class(200, body, 1).starts_with("retry None errcode 93000"));
        assert!(class(200, body, 2).contains("copy the address"));
    }
}
