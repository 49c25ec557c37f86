//! A DingTalk custom robot as strict as the vendor's, and stricter about fields nobody knows.
//!
//! It answers HTTP 200 to a refusal, wants its signature in the query and in milliseconds, takes 20
//! messages a minute, and whoever sends more is not heard for ten minutes.

use std::sync::atomic::{AtomicI64, Ordering};

use base64::Engine as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

use super::robot::{Answer, Rate, Request, Robot, Vendor, errcode, only};

/// The largest body the vendor takes.
pub const MAX_BODY_BYTES: usize = 20_000;
/// The robot's own security refuses: keyword or signature; the text says which.
pub const REFUSED: i64 = 310_000;
/// Too many messages.
pub const TOO_FAST: i64 = 130_101;
/// No such robot.
pub const NO_TOKEN: i64 = 300_005;
/// Body too large.
pub const TOO_LONG: i64 = 460_101;
/// A parameter is missing or unknown.
pub const BAD_PARAMETER: i64 = 40_035;
/// Not JSON by its header.
pub const CONTENT_TYPE: i64 = 43_004;
/// The vendor is busy.
pub const BUSY: i64 = -1;

const PER_MINUTE: usize = 20;
const BLOCK_MS: i64 = 600_000;
const HOUR_MS: i64 = 3_600_000;

/// One robot.
pub struct DingTalk {
    token: String,
    secret: Option<String>,
    keyword: Option<String>,
    blocked_until: AtomicI64,
}

impl DingTalk {
    /// A robot that demands what is given.
    pub async fn start(
        token: &str,
        secret: Option<&str>,
        keyword: Option<&str>,
    ) -> anyhow::Result<Robot<DingTalk>> {
        let own = |text: Option<&str>| text.map(str::to_owned);
        let (secret, keyword) = (own(secret), own(keyword));
        let blocked_until = AtomicI64::new(0);
        Robot::start(DingTalk { token: token.to_owned(), secret, keyword, blocked_until }).await
    }
}

/// What the vendor expects as `sign`, before it is put into the query.
pub fn sign(timestamp_ms: i64, secret: &str) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key length will do");
    mac.update(format!("{timestamp_ms}\n{secret}").as_bytes());
    base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
}

/// All text a reader sees.
pub fn text(body: &Value) -> String {
    let part = |name: &str| body["markdown"][name].as_str().unwrap_or_default();
    format!("{}\n{}", part("title"), part("text"))
}

impl Vendor for DingTalk {
    const PATH: &'static str = "/robot/send";

    fn judge(&self, request: &Request, rate: &Rate) -> Result<Answer, Answer> {
        let refuse = |code, text: &str| Err(errcode(code, text));
        if request.query.get("access_token") != Some(&self.token) {
            return refuse(NO_TOKEN, "token is not exist");
        }
        if !rate.allows(&self.token, request.at_ms, PER_MINUTE) {
            self.blocked_until.store(request.at_ms + BLOCK_MS, Ordering::SeqCst);
        }
        if request.at_ms < self.blocked_until.load(Ordering::SeqCst) {
            return refuse(TOO_FAST, "send too fast, exceed 20 times per minute");
        }
        if !request.is_json {
            return refuse(CONTENT_TYPE, "无效的HTTP HEADER Content-Type");
        }
        if let Some(secret) = &self.secret {
            let get = |name: &str| request.query.get(name).map_or("", String::as_str);
            let at: i64 = get("timestamp").parse().unwrap_or(0);
            if (request.at_ms - at).abs() > HOUR_MS {
                return refuse(REFUSED, "invalid timestamp");
            }
            if get("sign") != sign(at, secret) {
                return refuse(REFUSED, "sign not match");
            }
        }
        if request.raw.len() > MAX_BODY_BYTES {
            return refuse(TOO_LONG, "message too long, exceed 20000 bytes");
        }
        let Some(body) = request.body.as_ref().filter(|body| is_message(body)) else {
            return refuse(BAD_PARAMETER, "缺少参数 json");
        };
        if self.keyword.as_ref().is_some_and(|word| !text(body).contains(word.as_str())) {
            return refuse(REFUSED, "keywords not in content, more: [https://open.dingtalk.com]");
        }
        Ok(errcode(0, "ok"))
    }

    fn code(&self, code: i64, text: &str) -> Answer {
        errcode(code, text)
    }
}

/// A markdown message, and everybody it mentions stands in its text.
fn is_message(body: &Value) -> bool {
    let filled = |name: &str| body["markdown"][name].as_str().is_some_and(|t| !t.is_empty());
    let at = &body["at"];
    let mut mobiles = at["atMobiles"].as_array().cloned().unwrap_or_default();
    mobiles.extend(at["atUserIds"].as_array().cloned().unwrap_or_default());
    let stands = |mobile: &Value| {
        let number = mobile.as_str().unwrap_or_default();
        !number.is_empty() && text(body).contains(&format!("@{number}"))
    };
    body["msgtype"] == "markdown"
        && only(body, &["msgtype", "markdown", "at"])
        && only(&body["markdown"], &["title", "text"])
        && (at.is_null() || only(at, &["atMobiles", "atUserIds", "isAtAll"]))
        && filled("title")
        && filled("text")
        && mobiles.iter().all(stands)
}
