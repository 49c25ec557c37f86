//! The words Weir itself uses, in both languages.

use super::data::MessageData;
use crate::model::{EndReason, NoticeReason, Severity};
use crate::notify::Language;

/// Incidents of one message of which it is said who has them.
const TAKEN: usize = 10;

/// The word chat bots may demand; it stands in every message.
pub fn keyword(language: Language) -> &'static str {
    pick(language, "alert", "告警")
}

/// The English or the Chinese one.
pub fn pick<T>(language: Language, en: T, zh: T) -> T {
    match language {
        Language::En => en,
        Language::Zh => zh,
    }
}

/// `en` or `zh`, also the name of the templates' folder.
pub fn code(language: Language) -> &'static str {
    pick(language, "en", "zh")
}

/// What a title starts with.
pub fn severity(language: Language, severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => pick(language, "CRITICAL", "紧急"),
        Severity::Warning => pick(language, "WARNING", "警告"),
        Severity::Info => pick(language, "INFO", "提示"),
    }
}

/// What a title starts with when it is over.
pub fn end_tag(language: Language, reason: EndReason) -> &'static str {
    match reason {
        EndReason::Recovered => pick(language, "RECOVERED", "恢复"),
        EndReason::Closed => pick(language, "CLOSED", "关闭"),
        EndReason::Ended | EndReason::Retired | EndReason::Unwatched => {
            pick(language, "ENDED", "结束")
        }
    }
}

/// How it ended, said after the name.
pub fn end(language: Language, reason: EndReason) -> &'static str {
    match reason {
        EndReason::Recovered => pick(language, "is healthy again", "已恢复"),
        EndReason::Ended => pick(language, "was cancelled or finished", "已取消或已结束"),
        EndReason::Retired => pick(language, "was retired by a person", "已由人工下线"),
        EndReason::Closed => pick(language, "was closed by a person", "已由人工关闭"),
        EndReason::Unwatched => pick(language, "is no longer watched", "已不再监控"),
    }
}

/// Why it is news, where the headline does not say it.
pub fn reason(language: Language, reason: NoticeReason) -> Option<&'static str> {
    match reason {
        NoticeReason::Opened | NoticeReason::Resolved | NoticeReason::FirstLook => None,
        NoticeReason::Worse => Some(pick(language, "got worse", "加重")),
        NoticeReason::Reopened => Some(pick(language, "back again", "再次出现")),
        NoticeReason::Flapping => Some(pick(
            language,
            "comes and goes, quiet until it settles",
            "时好时坏，稳定前不再提醒",
        )),
        NoticeReason::Repeat => Some(pick(language, "still open", "仍未恢复")),
        NoticeReason::Approval => {
            Some(pick(language, "a restart waits for approval", "重启等待批准"))
        }
        NoticeReason::GaveUp => {
            Some(pick(language, "not restarted, a person has to act", "不再自动重启，需要人工介入"))
        }
        NoticeReason::Escalated => Some(pick(language, "nobody acknowledged it", "无人认领")),
        NoticeReason::Acknowledged => Some(pick(language, "acknowledged", "已有人认领")),
        NoticeReason::Unacknowledged => {
            Some(pick(language, "given back, nobody has it", "已取消认领，暂无人处理"))
        }
    }
}

/// What the link to Flink's page is called, or to where an alert from outside comes from.
pub fn ui(language: Language, outside: bool) -> &'static str {
    if outside {
        pick(language, "Origin", "告警出处")
    } else {
        pick(language, "Flink UI", "Flink 界面")
    }
}

/// Who has what in a message: a line for each incident somebody has, each once, bounded.
pub fn acknowledged_lines(
    data: &MessageData,
    language: Language,
    strong: impl Fn(&str) -> String,
    escape: impl Fn(&str) -> String,
) -> Vec<String> {
    let word = strong(pick(language, "Acknowledged", "已有人认领"));
    let taken = data.items.iter().filter_map(|item| {
        let by = escape(item.acknowledged.as_ref()?);
        let number = if data.single { String::new() } else { format!("{} ", item.number) };
        Some(format!("{word} {number}{by}"))
    });
    taken.take(TAKEN).collect()
}

/// `4 times`, `1 time`, `4 次`.
pub fn times(language: Language, count: u64) -> String {
    match language {
        Language::En if count == 1 => "once".to_owned(),
        Language::En => format!("{count} times"),
        Language::Zh => format!("{count} 次"),
    }
}

/// What Weir does when nothing was configured to be done.
pub fn no_action(language: Language) -> &'static str {
    pick(language, "nothing automatic; a person has to act", "没有自动处理，需要人工介入")
}
