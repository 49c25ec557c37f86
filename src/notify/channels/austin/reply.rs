//! What the answer of `/send` means: its `code`, never its status. Pure.

use serde::Deserialize;

use crate::model::SendOutcome;
use crate::notify::channels::wire::{Reply, classify_status, excerpt};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    /// `status` where an advice wraps it.
    #[serde(alias = "status")]
    code: Option<String>,
    msg: Option<String>,
    #[serde(default)]
    data: Option<Vec<Task>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Task {
    message_id: Option<String>,
}

/// The id to ask with when it is in its queue (older ones give none), else what came of it.
pub(super) fn judge(reply: &Reply) -> Result<Option<String>, SendOutcome> {
    let after_ms = reply.retry_after_ms;
    let answer: Option<Answer> = serde_json::from_str(&reply.body).ok();
    let Some((code, answer)) = answer.and_then(|a| Some((a.code.clone()?, a))) else {
        return Err(match classify_status(reply) {
            // Something before austin answered in its place.
            SendOutcome::Delivered => SendOutcome::Retry {
                after_ms,
                error: format!(
                    "HTTP {} without a code: {} (check `url` and `proxy_url`)",
                    reply.status,
                    excerpt(&reply.body)
                ),
            },
            other => other,
        });
    };
    let said = format!("code {code}: {}", excerpt(&answer.msg.unwrap_or_default()));
    let refused = |hint: &str| SendOutcome::Rejected { error: format!("{said} ({hint})") };
    match code.as_str() {
        "0" if reply.status < 300 => {
            let mut tasks = answer.data.into_iter().flatten();
            Ok(tasks.find_map(|task| task.message_id).filter(|id| !id.is_empty()))
        }
        "A0001" => Err(refused("austin does not take this: check `receivers` and `variables`")),
        "A0002" => Err(refused("austin has no such template: check `template`")),
        "A0003" => Err(refused("too many `receivers`")),
        // Its service, or a code nobody knows: that must not lose a message.
        _ => Err(SendOutcome::Retry { after_ms, error: said }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, body: &str) -> String {
        let reply = Reply { status, retry_after_ms: None, body: body.to_owned() };
        match judge(&reply) {
            Ok(id) => format!("queued {id:?}"),
            Err(SendOutcome::Delivered) => "delivered".to_owned(),
            Err(SendOutcome::Retry { error, .. }) => format!("retry {error}"),
            Err(SendOutcome::Rejected { error }) => format!("rejected {error}"),
            Err(other) => format!("{other:?}"),
        }
    }

    #[test]
    fn the_code_decides() {
        let ok = r#"{"code":"0","msg":"操作成功","data":[{"bizId":"w-7","messageId":"V1StGXR8","businessId":2000000120261121}]}"#;
        for (status, body, expected) in [
            (200, ok, "queued Some(\"V1StGXR8\")"),
            (200, r#"{"code":"0","msg":"ok","data":null}"#, "queued None"),
            (200, r#"{"code":"0","msg":"ok"}"#, "queued None"),
            (200, r#"{"code":"-1","msg":"操作失败"}"#, "retry code -1: 操作失败"),
            (200, r#"{"code":"A0001","msg":"客户端参数错误"}"#, "rejected code A0001"),
            (200, r#"{"code":"A0002","msg":"找不到模板"}"#, "rejected code A0002"),
            (200, r#"{"code":"A0003","msg":"x"}"#, "rejected code A0003"),
            (200, r#"{"code":"B0001","msg":"服务执行异常"}"#, "retry code B0001"),
            (500, ok, "retry code 0"),
            (200, "<html>login</html>", "retry HTTP 200 without a code"),
            (404, "", "rejected HTTP 404"),
            (502, "<html>", "retry HTTP 502"),
        ] {
            let got = said(status, body);
            assert!(got.starts_with(expected), "{status} {body}: {got}");
        }
    }
}
