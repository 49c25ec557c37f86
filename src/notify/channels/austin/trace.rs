//! What became of a message, as austin tells it: words for people, one row per run through its
//! pipeline. Pure.

use std::time::Duration;

use serde_json::Value;

use crate::model::SendOutcome;
use crate::notify::channels::wire::{Reply, classify_status, excerpt};

/// austin's words for the stations of a message, with their numbers.
const STATIONS: [(u64, &str, Station); 10] = [
    (10, "消息接收成功", Station::OnItsWay),
    (20, "消费被丢弃", Station::Lost("discarded: its template is on the list of `discard`")),
    (22, "夜间屏蔽", Station::Lost("held back by the night shield of its template")),
    (24, "夜间屏蔽(次日", Station::Lost("held back by the night shield until the morning")),
    (30, "消息被内容去重", Station::Lost("dropped: the same text within five minutes")),
    (
        40,
        "消息被频次去重",
        Station::Lost("dropped: more a day to one receiver than its `deduplicationRule` takes"),
    ),
    (50, "白名单过滤", Station::Lost("dropped: not on the white list of this environment")),
    (60, "消息下发成功", Station::Delivered),
    (64, "消息被点击", Station::Delivered),
    (70, "消息下发失败", Station::Lost("its channel refused it or did not answer")),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Station {
    OnItsWay,
    Delivered,
    /// Why.
    Lost(&'static str),
}

/// What is known of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing yet, or only that it is on its way.
    Unknown,
    /// It was handed to its channel.
    Delivered,
    /// It was not, for one of its receivers at least.
    Lost(String),
}

impl Fate {
    /// What came of the try, once it is known.
    pub(super) fn outcome(self) -> Option<SendOutcome> {
        match self {
            Fate::Unknown => None,
            Fate::Delivered => Some(SendOutcome::Delivered),
            Fate::Lost(why) => {
                Some(SendOutcome::Rejected { error: format!("austin took it, but {why}") })
            }
        }
    }
}

/// What is said when the time is over.
pub(super) fn unknown(id: &str, within: Duration, error: Option<&str>) -> String {
    let seconds = within.as_secs_f32();
    let why = match error {
        Some(error) => format!("cannot be asked: {}", excerpt(error)),
        None => "has not said what became of it (does its Flink job run?)".to_owned(),
    };
    format!("austin queued it as {} and for {seconds} s {why}", excerpt(id))
}

/// Reads an answer of `/trace/message`.
///
/// # Errors
/// When it is not one.
pub(super) fn read(reply: &Reply) -> Result<Fate, String> {
    if let SendOutcome::Retry { error, .. } | SendOutcome::Rejected { error } =
        classify_status(reply)
    {
        return Err(error);
    }
    let strange = || format!("HTTP {}: {}", reply.status, excerpt(&reply.body));
    let answer: Value = serde_json::from_str(&reply.body).map_err(|_| strange())?;
    let code = answer.get("status").or(answer.get("code")).and_then(Value::as_str);
    if code.is_some_and(|code| code != "0") {
        return Err(strange());
    }
    // Its page's rows, bare ones, or the stations themselves.
    let data = answer.get("data").unwrap_or(&answer);
    let rows = data.get("items").unwrap_or(data).as_array();
    let rows = match (rows, data) {
        (Some(rows), _) => rows.as_slice(),
        (None, Value::Null) => &[],
        (None, _) => return Err(strange()),
    };
    let mut stations = Vec::new();
    for row in rows {
        if let Some(number) = row.get("state").and_then(Value::as_u64) {
            stations.push(by_number(number));
        }
        for word in row.get("detail").and_then(Value::as_str).unwrap_or_default().split("==>") {
            stations.extend(by_word(word));
        }
    }
    Ok(fate(&stations))
}

fn by_number(number: u64) -> Station {
    let known = STATIONS.iter().find(|(n, ..)| *n == number);
    known.map_or(Station::Lost("ended at a station Weir does not know"), |(_, _, s)| *s)
}

/// `2026-11-21 03:30:00:消息接收成功`
fn by_word(word: &str) -> Option<Station> {
    let text = word.trim();
    if text.is_empty() {
        return None;
    }
    // The longest that fits: the two kinds of night shield begin alike.
    let known = STATIONS.iter().filter(|(_, words, _)| text.contains(words));
    let known = known.max_by_key(|(_, words, _)| words.len()).map(|(_, _, station)| *station);
    // The words of a vendor's error, say.
    Some(known.unwrap_or(Station::Lost("ended at a station Weir does not know")))
}

/// Whoever of several receivers was left out is reason enough to tell by another way.
fn fate(stations: &[Station]) -> Fate {
    let lost = stations.iter().find_map(|station| match station {
        Station::Lost(why) => Some(*why),
        _ => None,
    });
    match lost {
        Some(why) => Fate::Lost(why.to_owned()),
        None if stations.contains(&Station::Delivered) => Fate::Delivered,
        None => Fate::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(details: &[&str]) -> Result<Fate, String> {
        let items: Vec<Value> = details
            .iter()
            .map(|detail| {
                serde_json::json!({"businessId": "2000000120261121", "title": "告警",
                    "detail": detail, "sendType": "短信", "creator": "Java3y"})
            })
            .collect();
        let body = serde_json::json!({"status": "0", "msg": "操作成功", "data": {"items": items}});
        read(&Reply { status: 200, retry_after_ms: None, body: body.to_string() })
    }

    #[test]
    fn only_delivered_is_delivered() {
        let at = "2026-11-21 03:30:00:";
        for (words, part) in [
            ("消息下发失败", "refused"),
            ("消费被丢弃", "discard"),
            ("夜间屏蔽", "night shield of its template"),
            ("夜间屏蔽(次日早上9点发送)", "until the morning"),
            ("消息被内容去重", "same text"),
            ("消息被频次去重", "deduplicationRule"),
            ("白名单过滤", "white list"),
            ("不合法的secret参数", "does not know"),
        ] {
            let fate = told(&[&format!("{at}消息接收成功==>{at}{words}==>")]).unwrap();
            let outcome = fate.clone().outcome();
            assert!(matches!(outcome, Some(SendOutcome::Rejected { .. })), "{words}: {outcome:?}");
            let Fate::Lost(why) = fate else { panic!("{words}: {fate:?}") };
            assert!(why.contains(part), "{words}: {why}");
        }
        let sent = format!("{at}消息接收成功==>{at}消息下发成功==>");
        assert_eq!(told(&[&sent]), Ok(Fate::Delivered));
        assert_eq!(told(&[&format!("{at}消息接收成功==>")]), Ok(Fate::Unknown));
        assert_eq!(told(&[]), Ok(Fate::Unknown));
    }

    #[test]
    fn one_receiver_left_out_is_not_delivered() {
        let at = "2026-11-21 03:30:00:";
        let some = format!("{at}消息接收成功==>{at}消息被频次去重==>{at}消息下发成功==>");
        assert!(matches!(told(&[&some]), Ok(Fate::Lost(_))));
    }

    #[test]
    fn other_shapes_and_none() {
        let of = |status, body: &str| {
            read(&Reply { status, retry_after_ms: None, body: body.to_owned() })
        };
        let raw = r#"{"code":"0","data":[{"businessId":1,"state":10,"timestamp":1},{"state":60}]}"#;
        assert_eq!(of(200, raw), Ok(Fate::Delivered));
        assert!(matches!(of(200, r#"{"code":"0","data":[{"state":40}]}"#), Ok(Fate::Lost(_))));
        assert_eq!(of(200, r#"{"items":[]}"#), Ok(Fate::Unknown));
        assert_eq!(of(200, r#"{"status":"0","data":null}"#), Ok(Fate::Unknown));
        assert!(of(200, r#"{"status":"B0001","msg":"服务执行异常"}"#).is_err());
        assert!(of(200, "<html>").is_err());
        assert!(of(200, r#"{"data":"x"}"#).is_err());
        assert!(of(404, "").is_err());
    }
}
