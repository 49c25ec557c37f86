//! What holds a notice, or why it ended unsent, in a reader's words.

use jiff::tz::TimeZone;

use super::escape::short;
use super::when;
use super::words::pick;
use crate::notify::Language;
use crate::notify::closed::Closed;
use crate::notify::hold::Hold;

/// Longest text of others inside a line, in characters.
const TEXT: usize = 300;

/// What holds a notice or ended it, as recorded, in a reader's words and zone. What is not known
/// stays as it is.
pub fn held_words(language: Language, by: &str, zone: &TimeZone) -> String {
    if let Some(hold) = Hold::parse(by) {
        return hold_words(language, &hold, zone);
    }
    closed_words(language, by).unwrap_or_else(|| short(by, TEXT))
}

/// The same of many notices: which incident or silence it was is left out.
pub fn held_kind(language: Language, by: &str, zone: &TimeZone) -> String {
    let known = match by {
        "inhibited by" => pick(language, "inhibited by another incident", "被另一条告警抑制"),
        "silenced by" => pick(language, "silenced", "已静默"),
        "silenced by maintenance" => pick(language, "silenced by maintenance", "维护期间静默"),
        _ => return held_words(language, by, zone),
    };
    known.to_owned()
}

fn hold_words(language: Language, hold: &Hold, zone: &TimeZone) -> String {
    let say = |en: String, zh: String| pick(language, en, zh);
    match hold {
        Hold::Inhibited(root) => {
            say(format!("inhibited by #{root}"), format!("被抑制，根因是 #{root}"))
        }
        Hold::Silenced(by) => {
            let by = short(by, TEXT);
            let zh = silence_zh(&by);
            say(format!("silenced by {by}"), zh)
        }
        Hold::MutedByTime(name) => {
            let name = short(name, TEXT);
            let zh = match name.strip_prefix("outside of ") {
                Some(names) => format!("按时段静音，当前不在 {names} 内"),
                None => format!("按时段静音：{name}"),
            };
            say(format!("muted by time: {name}"), zh)
        }
        Hold::Until(at) => {
            let at = when::clock(*at, *at, zone);
            say(format!("kept until {at}"), format!("攒到 {at} 再发"))
        }
        Hold::Storm => {
            say("an alert storm was told just now".to_owned(), "刚发送过告警风暴消息".to_owned())
        }
        Hold::Budget(words) => {
            let words = short(words, TEXT);
            let zh = format!("已达发送上限{}", limit(&words));
            say(words, zh)
        }
        Hold::OnItsWay => say(
            "its message is still on its way".to_owned(),
            "要更新的那条消息仍在发送中".to_owned(),
        ),
        Hold::Edits(words) => {
            let words = short(words, TEXT);
            let limit = limit(&words);
            say(format!("limit of edits reached{limit}"), format!("已达编辑次数上限{limit}"))
        }
    }
}

/// `edits, budget 5/60s`: the figures alone, with a space before them.
fn limit(words: &str) -> String {
    let figures = words.trim_start_matches("edits, ").trim_start_matches("budget").trim();
    if figures.is_empty() { String::new() } else { format!(" {figures}") }
}

/// `maintenance #7 until 09:00`.
fn silence_zh(by: &str) -> String {
    let (what, rest) = match by.strip_prefix("maintenance ") {
        Some(rest) => ("维护", rest),
        None => ("静默", by),
    };
    match rest.split_once(" until ") {
        Some((number, until)) => format!("{what} {number} 生效中，至 {until}"),
        None => format!("{what} {rest} 生效中"),
    }
}

/// Why a notice ended unsent, if that is what this says.
pub(super) fn closed_words(language: Language, why: &str) -> Option<String> {
    let said = |en: String, zh: String| Some(pick(language, en, zh));
    let closed = Closed::parse(why)?;
    let en = short(&closed.to_string(), TEXT);
    match closed {
        Closed::NoChannel => said(en, "其渠道已从配置中移除".to_owned()),
        Closed::LongOver => said(en, "其告警早已结束".to_owned()),
        Closed::Back => said(en, "发送前告警再次出现".to_owned()),
        Closed::Over => said(en, "发送前告警已结束".to_owned()),
        Closed::Unheard => said(en, "此前的消息均未送达，无需再通知结束".to_owned()),
        Closed::Acknowledged => said(en, "已有人认领".to_owned()),
        Closed::NobodyElse => said(en, "只说明由谁处理，无需通知其他渠道".to_owned()),
        Closed::Outdated => said(en, "认领状态又变了".to_owned()),
        Closed::Fallback(to) => said(en, format!("已由备用渠道 {} 发送", short(&to, TEXT))),
        Closed::ToldAnyway(to) => said(en, format!("{} 本来就会收到", short(&to, TEXT))),
    }
}

#[cfg(test)]
#[path = "held_tests.rs"]
mod tests;
