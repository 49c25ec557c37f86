//! The way of one notice, from the alert that fired to what the vendor said: why a message came, or
//! why none did.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::escape::short;
use super::held::{closed_words, held_words};
use super::title::end_reason;
use super::when;
use super::words::{end, pick};
use crate::model::{
    Incident, Member, Message, MessageKind, MessageState, Notice, NoticeReason, Outcome, Ts,
};
use crate::notify::Language;

/// Longest text of others inside a line, in characters.
const TEXT: usize = 300;

/// One station of the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Station {
    /// Wall time; none where it is not a moment.
    pub at: Option<Ts>,
    /// What happened there.
    pub what: String,
}

/// The way of a notice about `incident`, in `message` if it went into one. Either may be older than
/// what is kept. Hours in it are said in the reader's zone.
pub fn path(
    language: Language,
    zone: &TimeZone,
    notice: &Notice,
    incident: Option<&Incident>,
    message: Option<&Message>,
) -> Vec<Station> {
    let mut way = Way { language, zone: zone.clone(), stations: Vec::new() };
    if let Some(incident) = incident {
        way.fired(notice, incident);
    }
    way.news(notice, incident);
    way.held(notice);
    if let Some(message) = message {
        way.composed(notice, message);
    } else if let Some(id) = notice.message {
        let said = format!("in message {id}, which is no longer kept");
        way.say(None, pick(language, said, format!("进入消息 {id}（已不再保留）")));
    }
    way.ended(notice, message);
    way.stations
}

struct Way {
    language: Language,
    zone: TimeZone,
    stations: Vec<Station>,
}

impl Way {
    fn say(&mut self, at: Option<Ts>, what: String) {
        self.stations.push(Station { at, what });
    }

    fn pick(&self, en: String, zh: String) -> String {
        pick(self.language, en, zh)
    }

    fn held_words(&self, by: &str) -> String {
        held_words(self.language, by, &self.zone)
    }

    /// The alert that made it news, where it is still known since when it fires.
    fn fired(&mut self, notice: &Notice, incident: &Incident) {
        let known = incident.members.iter().filter(|m| m.since <= notice.at);
        let by_time = |m: &&Member| m.since;
        let alert = match notice.reason {
            NoticeReason::Resolved
            | NoticeReason::Repeat
            | NoticeReason::Escalated
            | NoticeReason::Approval
            | NoticeReason::GaveUp
            | NoticeReason::Acknowledged
            | NoticeReason::Unacknowledged => return,
            NoticeReason::Opened | NoticeReason::FirstLook => known.min_by_key(by_time),
            _ => known.max_by_key(by_time),
        };
        if let Some(alert) = alert {
            let name = short(&alert.rule.alert, TEXT);
            let said = self.pick(format!("{name} fired"), format!("{name} 触发"));
            self.say(Some(alert.since), said);
        }
    }

    fn news(&mut self, notice: &Notice, incident: Option<&Incident>) {
        let id = notice.incident;
        let said = match notice.reason {
            NoticeReason::Opened => {
                self.pick(format!("opened incident #{id}"), format!("产生告警 #{id}"))
            }
            NoticeReason::FirstLook => self.pick(
                format!("incident #{id} was there at the first look"),
                format!("首次巡检时已有告警 #{id}"),
            ),
            NoticeReason::Worse => {
                self.pick(format!("incident #{id} got worse"), format!("告警 #{id} 加重"))
            }
            NoticeReason::Reopened => {
                self.pick(format!("incident #{id} is back"), format!("告警 #{id} 再次出现"))
            }
            NoticeReason::Flapping => self.pick(
                format!("incident #{id} comes and goes, quiet until it settles"),
                format!("告警 #{id} 时好时坏，稳定前不再提醒"),
            ),
            NoticeReason::Repeat => self.pick(
                format!("incident #{id} still open: a reminder"),
                format!("告警 #{id} 仍未恢复，再次提醒"),
            ),
            NoticeReason::Approval => self.pick(
                format!("a restart waits for approval, incident #{id}"),
                format!("告警 #{id} 的重启等待批准"),
            ),
            NoticeReason::GaveUp => self.pick(
                format!("restarting given up, incident #{id}"),
                format!("告警 #{id} 不再自动重启"),
            ),
            NoticeReason::Escalated => {
                let to = short(&notice.to.receiver, TEXT);
                let waited = Duration::from_millis(notice.unacknowledged_ms.unwrap_or(0));
                let span = when::duration(self.language, waited);
                self.pick(
                    format!("escalated to {to} after {span} without acknowledgement"),
                    format!("{span}无人认领，升级通知 {to}"),
                )
            }
            NoticeReason::Acknowledged => self
                .pick(format!("incident #{id} was acknowledged"), format!("告警 #{id} 已被认领")),
            NoticeReason::Unacknowledged => self.pick(
                format!("incident #{id} was given back: nobody has it"),
                format!("告警 #{id} 已取消认领，暂无人处理"),
            ),
            NoticeReason::Resolved => {
                let over = incident.filter(|i| !i.is_open()).map(end_reason);
                let how = over.map_or("", |reason| end(self.language, reason));
                let how = if how.is_empty() { String::new() } else { format!(": {how}") };
                self.pick(
                    format!("incident #{id} ended{how}"),
                    format!("告警 #{id} 结束{}", how.replace(": ", "：")),
                )
            }
        };
        self.say(Some(notice.at), said);
    }

    fn held(&mut self, notice: &Notice) {
        for step in &notice.steps {
            let said = match &step.by {
                Some(by) => {
                    let by = self.held_words(by);
                    self.pick(format!("held back: {by}"), format!("暂缓：{by}"))
                }
                None => self.pick("no longer held back".to_owned(), "不再暂缓".to_owned()),
            };
            self.say(Some(step.at), said);
        }
    }

    fn composed(&mut self, notice: &Notice, message: &Message) {
        let waited = message.at.since(notice.at);
        if notice.steps.is_empty() && waited >= Duration::from_secs(1) {
            let span = when::duration(self.language, waited);
            let said = self.pick(format!("grouped for {span}"), format!("分组等待 {span}"));
            self.say(None, said);
        }
        let place = message.notices.iter().position(|id| *id == notice.id);
        let others = message.notices.len().saturating_sub(1);
        let kind = kind(self.language, message.kind);
        let mut said =
            self.pick(format!("in {kind} {}", message.id), format!("进入{kind} {}", message.id));
        if others > 0 {
            said += &self.pick(format!(" with {others} more"), format!("，同条另有 {others} 条"));
        }
        if others > 0 && place.is_some_and(|at| at >= message.named as usize) {
            said += &self.pick(", counted and not named".to_owned(), "，只计数未列名".to_owned());
        }
        self.say(Some(message.at), said);
    }

    fn ended(&mut self, notice: &Notice, message: Option<&Message>) {
        let to = short(&notice.to.to_string(), TEXT);
        let attempts = notice.attempts.max(message.map_or(0, |m| m.attempts));
        let error = notice.error.as_ref().or(message.and_then(|m| m.error.as_ref()));
        let words = |text: &String| closed_words(self.language, text);
        let error = error.map(|text| words(text).unwrap_or_else(|| short(text, TEXT)));
        let held = notice.held_by.as_ref().map(|by| self.held_words(by));
        let colon = pick(self.language, ": ", "：");
        let after = |text: Option<String>| text.map(|t| format!("{colon}{t}")).unwrap_or_default();
        let said = match notice.outcome {
            Outcome::Sent | Outcome::Folded => {
                let tries = nth(self.language, attempts);
                self.pick(format!("accepted by {to}{tries}"), format!("{to} 已接受{tries}"))
            }
            Outcome::Failed => {
                let mut why: Vec<String> = error.into_iter().chain(held).collect();
                why.dedup();
                let why = why.join(pick(self.language, "; ", "；"));
                let why = after(Some(why).filter(|why| !why.is_empty()));
                let tries = nth(self.language, attempts);
                self.pick(
                    format!("given up for {to}{tries}{why}"),
                    format!("{to} 发送失败，已放弃{tries}{why}"),
                )
            }
            Outcome::Shadow => self.pick(
                format!("not sent to {to}: its delivery is shadow"),
                format!("未发送给 {to}：投递模式为 shadow"),
            ),
            Outcome::Brief => self.pick(
                "over before it was due: brief, not told".to_owned(),
                "到发送时间前已结束，属短暂告警，未发送".to_owned(),
            ),
            Outcome::Muted => {
                let why = after(held);
                self.pick(format!("not told{why}"), format!("未发送{why}"))
            }
            Outcome::Pending => return self.pending(notice, message, error),
        };
        self.say(notice.done_at, said);
    }

    fn pending(&mut self, notice: &Notice, message: Option<&Message>, error: Option<String>) {
        let to = short(&notice.to.to_string(), TEXT);
        let said = match message.filter(|m| m.state == MessageState::Due) {
            Some(message) if message.attempts > 0 => {
                let n = message.attempts;
                let why = error.unwrap_or_default();
                if why.is_empty() {
                    self.pick(format!("being sent to {to}"), format!("正在发送给 {to}"))
                } else {
                    self.pick(
                        format!("{n} tries failed at {to}, will try again: {why}"),
                        format!("向 {to} 发送 {n} 次未成功，将重试：{why}"),
                    )
                }
            }
            Some(_) => self.pick(format!("about to be sent to {to}"), format!("即将发送给 {to}")),
            None if notice.held_by.is_some() => {
                self.pick("still held back".to_owned(), "仍在暂缓".to_owned())
            }
            None => self.pick("waits for its group".to_owned(), "等待分组".to_owned()),
        };
        self.say(None, said);
    }
}

fn nth(language: Language, attempts: u32) -> String {
    match attempts {
        0 => String::new(),
        1 => pick(language, " at the first try".to_owned(), "（第 1 次尝试）".to_owned()),
        n => pick(language, format!(" at try {n}"), format!("（第 {n} 次尝试）")),
    }
}

/// What kind of message it is, in words.
fn kind(language: Language, kind: MessageKind) -> &'static str {
    match kind {
        MessageKind::Digest => pick(language, "digest", "汇总消息"),
        MessageKind::Storm => pick(language, "storm message", "告警风暴消息"),
        MessageKind::FirstLook => pick(language, "first report", "首次巡检报告"),
        _ => pick(language, "message", "消息"),
    }
}

#[cfg(test)]
#[path = "path_tests.rs"]
mod tests;
