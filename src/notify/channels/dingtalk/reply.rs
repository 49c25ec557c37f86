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
    let has = |words: &[&str]| words.iter().any(|word| said.words.contains(word));
    match said.code {
        0 if reply.status < 300 => SendOutcome::Delivered,
        130_101 | 410_100 | 410_101 => said.too_fast(),
        // Three refusals share one code; only the words tell which.
        310_000 if has(&["keyword", "关键词"]) => {
            said.reject("the robot demands a keyword: set 告警 (zh) or alert (en) as one of them")
        }
        310_000 if has(&["sign", "timestamp", "签名"]) => said.reject_again(
            attempts,
            "wrong signature: check `secret`, and this machine's clock to the hour",
        ),
        310_000 if has(&["whitelist", "白名单"]) => said.reject(
            "this machine's address is not on the robot's list: add it in the robot's settings",
        ),
        310_000 => said.reject("check the robot's security settings: keyword, signature, address"),
        40_035 | 300_001 | 300_005 | 400_101 => said.reject_again(
            attempts,
            "the robot's token is wrong: copy the address from its settings into `url`",
        ),
        400_102 | 400_103 => said.reject("the robot is switched off: switch it on in the group"),
        400_013 | 400_106 | 400_107 => {
            said.reject("the group or the robot is gone: add one to a group, and set `url`")
        }
        101_002 | 460_101 => said.reject("the message is over 20,000 bytes: shorten the template"),
        // So many a day, where the organisation has not bought more.
        90_030 => said.retry_after(600_000),
        43_004 | 400_105 => said.reject("the robot does not take this body: check `url`"),
        430_101..=430_105 => {
            said.reject("DingTalk does not like what is in the text: check the template and links")
        }
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
        let limited = r#"{"errcode":130101,"errmsg":"send too fast, exceed 20 times per minute"}"#;
        for (status, body, expected) in [
            (200, r#"{"errcode":0,"errmsg":"ok"}"#, "delivered"),
            (200, limited, "retry Some(30000) errcode 130101: send too fast"),
            (429, limited, "retry Some(2000) errcode 130101"),
            (200, r#"{"errcode":410100,"errmsg":"x"}"#, "retry Some(30000) errcode 410100"),
            (200, r#"{"errcode":-1,"errmsg":"系统繁忙"}"#, "retry None errcode -1: 系统繁忙"),
            (200, r#"{"errcode":90030,"errmsg":"webhook over limit"}"#, "retry Some(600000)"),
            (
                200,
                r#"{"status":1111,"wait":5,"source":"x5","punish":"deny","uuid":"u"}"#,
                "retry Some(300000) too many requests",
            ),
            (
                200,
                r#"{"errcode":310000,"errmsg":"keywords not in content, more: [https://x]"}"#,
                "rejected errcode 310000: keywords not in content, more: [https://x] (the robot \
                 demands a keyword: set 告警",
            ),
            (
                200,
                r#"{"errcode":310000,"errmsg":"ip 1.2.3.4 not in whitelist"}"#,
                "rejected errcode 310000: ip 1.2.3.4 not in whitelist (this machine's address",
            ),
            (
                200,
                r#"{"errcode":310000,"errmsg":"description:机器人发送签名过期;solution:签名生成时间和发送时间请保持在 timestampms 以内"}"#,
                "retry None errcode 310000",
            ),
            (
                200,
                r#"{"errcode":460101,"errmsg":"message too long, exceed 20000 bytes"}"#,
                "rejected errcode 460101: message too long, exceed 20000 bytes (the message is over",
            ),
            (200, r#"{"errcode":400102,"errmsg":"x"}"#, "rejected errcode 400102"),
            (200, r#"{"errcode":400013,"errmsg":"x"}"#, "rejected errcode 400013"),
            (200, r#"{"errcode":430101,"errmsg":"x"}"#, "rejected errcode 430101"),
            (200, r#"{"errcode":4711,"errmsg":"new"}"#, "retry None errcode 4711: new"),
            (429, "slow down", "retry Some(2000) HTTP 429: slow down"),
            (502, "<html>", "retry None HTTP 502"),
            (404, "", "rejected HTTP 404 (check `url`"),
            (200, "<html>login</html>", "retry None HTTP 200 without an errcode"),
            (200, "{}", "retry None HTTP 200 without an errcode"),
        ] {
            let got = class(status, body, 1);
            assert!(got.starts_with(expected), "{status} {body}: {got}");
        }
    }

    #[test]
    fn what_a_fresh_secret_may_heal_is_tried_once_more() {
        for body in [
            r#"{"errcode":310000,"errmsg":"sign not match"}"#,
            r#"{"errcode":300005,"errmsg":"token is not exist"}"#,
            r#"{"errcode":300001,"errmsg":"token is not exist"}"#,
        ] {
            assert!(class(200, body, 1).starts_with("retry None"), "{body}");
            assert!(class(200, body, 2).starts_with("rejected errcode 3"), "{body}");
        }
    }
}
