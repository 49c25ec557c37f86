//! What the vendor's answers mean. Pure.

use serde::Deserialize;

use crate::model::SendOutcome;
use crate::notify::channels::wire::{Reply, classify_status, excerpt};

/// What the vendor suggests to wait when it takes no more for now.
const TOO_FAST_MS: u64 = 30_000;

#[derive(Deserialize)]
struct Answer {
    status: Option<String>,
    message: Option<String>,
    #[serde(default)]
    errors: Vec<String>,
}

/// An event was taken only if the vendor itself says so. `attempts` counts this try.
pub(super) fn classify(reply: &Reply, attempts: u32) -> SendOutcome {
    let answer = serde_json::from_str::<Answer>(&reply.body).ok();
    let words = answer.as_ref().map(|a| {
        let words = a.message.iter().chain(&a.errors).cloned().collect::<Vec<_>>();
        excerpt(&words.join("; "))
    });
    let words = words.filter(|w| !w.is_empty()).unwrap_or_else(|| excerpt(&reply.body));
    let said = format!("HTTP {}: {words}", reply.status);
    let reject = |hint: &str| SendOutcome::Rejected { error: format!("{said} ({hint})") };
    let about_the_key = || {
        let words = words.to_lowercase();
        ["routing", "integration key", "service key"].iter().any(|key| words.contains(key))
    };
    match reply.status {
        200..=299 if answer.is_some_and(|a| a.status.as_deref() == Some("success")) => {
            SendOutcome::Delivered
        }
        // Something between us and the vendor answered in its place.
        200..=299 => SendOutcome::Retry {
            after_ms: reply.retry_after_ms,
            error: format!("{said} (no answer of PagerDuty's: check `url` and `proxy_url`)"),
        },
        429 => {
            let after_ms = Some(reply.retry_after_ms.unwrap_or(TOO_FAST_MS));
            SendOutcome::Retry { after_ms, error: said }
        }
        // The key's file may just have been changed: once more, with what is in it now.
        400 | 401 | 403 if attempts <= 1 => {
            SendOutcome::Retry { after_ms: reply.retry_after_ms, error: said }
        }
        401 | 403 => reject("check `routing_key` and `proxy_url`"),
        400 if about_the_key() => {
            reject("check `routing_key`: the integration key of an Events API v2 integration")
        }
        400 => reject("PagerDuty does not take this event"),
        413 => reject("PagerDuty takes no event of this size"),
        _ => classify_status(reply),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(status: u16, body: &str, attempts: u32) -> String {
        let retry_after_ms = body.is_empty().then_some(7_000);
        match classify(&Reply { status, retry_after_ms, body: body.to_owned() }, attempts) {
            SendOutcome::Delivered => "delivered".to_owned(),
            SendOutcome::Retry { after_ms, error } => format!("retry {after_ms:?} {error}"),
            SendOutcome::Rejected { error } => format!("rejected {error}"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn only_the_vendors_own_success_is_one() {
        let success = r#"{"status":"success","message":"Event processed","dedup_key":"k"}"#;
        let invalid = r#"{"status":"invalid event","message":"Event object is invalid","errors":["Invalid routing key"]}"#;
        for (status, body, attempts, expected) in [
            (202, success, 1, "delivered"),
            (200, success, 1, "delivered"),
            (202, "", 1, "retry Some(7000) HTTP 202:  (no answer of PagerDuty's"),
            (200, "<html>login</html>", 1, "retry None HTTP 200: <html>login</html> (no answer"),
            (429, "", 1, "retry Some(7000) HTTP 429"),
            (429, r#"{"status":"throttle exceeded"}"#, 1, "retry Some(30000) HTTP 429"),
            (500, "oops", 1, "retry None HTTP 500: oops"),
            (503, "oops", 9, "retry None HTTP 503: oops"),
            (400, invalid, 1, "retry None HTTP 400: Event object is invalid; Invalid routing key"),
            (
                400,
                invalid,
                2,
                "rejected HTTP 400: Event object is invalid; Invalid routing key (check `routing_key`",
            ),
            (
                400,
                r#"{"status":"invalid event","message":"Event object is invalid","errors":["'payload.severity' is invalid"]}"#,
                2,
                "rejected HTTP 400: Event object is invalid; 'payload.severity' is invalid (PagerDuty",
            ),
            (403, "Forbidden", 2, "rejected HTTP 403: Forbidden (check `routing_key`"),
            (413, "too large", 1, "rejected HTTP 413: too large (PagerDuty takes no event"),
            (404, "gone", 1, "rejected HTTP 404: gone (check `url`"),
        ] {
            let got = class(status, body, attempts);
            assert!(got.starts_with(expected), "{status} {body}: {got}");
        }
    }
}
