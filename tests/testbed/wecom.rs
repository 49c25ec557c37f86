//! A WeCom group robot as strict as the vendor's, and stricter about fields and tags nobody knows.
//!
//! It answers HTTP 200 to a refusal, and takes 20 messages a minute with 4,096 bytes of text.

use serde_json::Value;

use super::robot::{Answer, Rate, Request, Robot, Vendor, errcode, only};

/// The longest text, in bytes.
pub const MAX_TEXT_BYTES: usize = 4_096;
/// Too many messages.
pub const TOO_FAST: i64 = 45_009;
/// No such robot.
pub const NO_KEY: i64 = 93_000;
/// A parameter is bad, such as a text that is too long.
pub const BAD_PARAMETER: i64 = 40_058;
/// Nothing in it.
pub const EMPTY: i64 = 44_004;
/// No such kind of message.
pub const BAD_TYPE: i64 = 40_008;
/// The vendor is busy.
pub const BUSY: i64 = -1;

const PER_MINUTE: usize = 20;

/// One robot.
pub struct WeCom {
    key: String,
}

impl WeCom {
    /// A robot with this key.
    pub async fn start(key: &str) -> anyhow::Result<Robot<WeCom>> {
        Robot::start(WeCom { key: key.to_owned() }).await
    }
}

/// All text a reader sees, with its marks.
pub fn text(body: &Value) -> &str {
    body["markdown"]["content"].as_str().unwrap_or_default()
}

impl Vendor for WeCom {
    const PATH: &'static str = "/cgi-bin/webhook/send";

    fn judge(&self, request: &Request, rate: &Rate) -> Result<Answer, Answer> {
        let refuse = |code, text: &str| {
            let hint = "hint: [1700000000], from ip: 127.0.0.1";
            Err(errcode(code, &format!("{text}, {hint}")))
        };
        if request.query.get("key") != Some(&self.key) {
            return refuse(NO_KEY, "invalid webhook url");
        }
        if !rate.allows(&self.key, request.at_ms, PER_MINUTE) {
            return refuse(TOO_FAST, "api freq out of limit");
        }
        let Some(body) = request.body.as_ref().filter(|_| request.is_json) else {
            return refuse(BAD_PARAMETER, "invalid Request Parameter");
        };
        if body["msgtype"] != "markdown" {
            return refuse(BAD_TYPE, "invalid message type");
        }
        if !only(body, &["msgtype", "markdown"]) || !only(&body["markdown"], &["content"]) {
            return refuse(BAD_PARAMETER, "invalid Request Parameter");
        }
        let content = text(body);
        if content.is_empty() {
            return refuse(EMPTY, "empty content");
        }
        if content.len() > MAX_TEXT_BYTES {
            return refuse(BAD_PARAMETER, "markdown.content exceed max length 4096");
        }
        if let Some(tag) = strange_tag(content) {
            return refuse(BAD_PARAMETER, &format!("markdown.content has {tag}"));
        }
        Ok(errcode(0, "ok"))
    }

    fn code(&self, code: i64, text: &str) -> Answer {
        errcode(code, text)
    }
}

/// A tag that is neither a colour nor a mention.
fn strange_tag(content: &str) -> Option<&str> {
    let tags = content.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or(rest));
    let known = |tag: &&str| {
        let colour = tag.strip_prefix("font color=\"").and_then(|c| c.strip_suffix('"'));
        colour.is_some_and(|c| ["info", "comment", "warning"].contains(&c))
            || *tag == "/font"
            || (tag.starts_with('@') && *tag != "@all")
    };
    let mut strange = tags.filter(|tag| !known(tag));
    strange.next()
}
