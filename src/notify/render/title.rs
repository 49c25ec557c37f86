//! Titles: the one line people read at 3 a.m.

use super::escape::{cut, short};
use super::words::{self, pick};
use super::{headline, summary, when};
use crate::model::{Aspect, EndReason, Incident, MessageKind, NoticeReason, Severity, Subject};
use crate::notify::{HELD_DIGEST, ItemView, Language, MessageView};

/// Longest name inside a title, in characters.
const NAME: usize = 80;
/// Longest headline inside a title, in characters.
const HEADLINE: usize = 120;

/// `CRITICAL` or how it ended.
pub(super) fn tag(incident: &Incident, language: Language) -> &'static str {
    if incident.is_open() {
        words::severity(language, incident.severity)
    } else {
        words::end_tag(language, end_reason(incident))
    }
}

pub(super) fn end_reason(incident: &Incident) -> EndReason {
    incident.end_reason.unwrap_or(EndReason::Recovered)
}

fn bracket(language: Language, tag: &str, rest: &str) -> String {
    pick(language, format!("[{tag}] {rest}"), format!("【{tag}】{rest}"))
}

/// Headline of an open incident, with the alert's name where it has none.
pub(super) fn headline_text(incident: &Incident, language: Language) -> String {
    let text = headline::headline(incident, language).unwrap_or_else(|| incident.rule.clone());
    short(&text, HEADLINE)
}

fn what(item: &ItemView, language: Language) -> String {
    let name = short(&item.name, NAME);
    let incident = &item.incident;
    let told = headline::headline(incident, language).map(|text| short(&text, HEADLINE));
    let weir = match incident.subject {
        Subject::Source(_) => {
            pick(language, format!("Weir cannot reach {name}"), format!("Weir 无法访问 {name}"))
        }
        Subject::Channel(_) => pick(
            language,
            format!("Weir cannot deliver through {name}"),
            format!("Weir 无法通过 {name} 发送消息"),
        ),
        Subject::External(_) => return outside(item, language),
        Subject::Job(_) | Subject::Cluster(..) => {
            return format!("{name} {}", headline_text(incident, language));
        }
    };
    match told {
        // A rule's own words may be a whole sentence already.
        Some(text) if text.contains("Weir") => text,
        // The shipped rule says it again, for the page.
        Some(text) => {
            let again = pick(language, "unreachable · ", "无法访问 · ");
            format!("{weir} · {}", text.strip_prefix(again).unwrap_or(&text))
        }
        None => weir,
    }
}

/// An alert from outside: its own words behind its name.
fn outside(item: &ItemView, language: Language) -> String {
    let (name, incident) = (short(&item.name, NAME), &item.incident);
    let says = headline::headline(incident, language)
        .or_else(|| headline::first_step(incident, language))
        .map(|text| short(&text, HEADLINE));
    match says {
        None => name,
        // Many a summary begins with the name of its alert.
        Some(text) if text.starts_with(&incident.rule) => text,
        Some(text) => pick(language, format!("{name}: {text}"), format!("{name}：{text}")),
    }
}

/// How it ended, said after the name.
pub(super) fn end_text(incident: &Incident, language: Language) -> &'static str {
    match end_reason(incident) {
        // Nobody here knows whether anything is healthy.
        EndReason::Recovered if incident.is_external() => {
            pick(language, "does not fire any more", "已恢复")
        }
        reason => words::end(language, reason),
    }
}

fn over(item: &ItemView, language: Language) -> String {
    let name = short(&item.name, NAME);
    let reason = end_reason(&item.incident);
    let recovered = reason == EndReason::Recovered;
    match item.incident.subject {
        Subject::Source(_) if recovered => {
            pick(language, format!("Weir reaches {name} again"), format!("Weir 已恢复访问 {name}"))
        }
        Subject::Channel(_) if recovered => pick(
            language,
            format!("Weir delivers through {name} again"),
            format!("Weir 已恢复通过 {name} 发送消息"),
        ),
        _ => format!("{name} {}", end_text(&item.incident, language)),
    }
}

/// Why it is news, where the headline does not say it.
pub(super) fn why(item: &ItemView, language: Language) -> Option<String> {
    if let (NoticeReason::Escalated, Some(waited)) = (item.reason, item.unacknowledged) {
        let span = when::duration(language, waited);
        let en = format!("nobody acknowledged it for {span}");
        return Some(pick(language, en, format!("{span}无人认领")));
    }
    words::reason(language, item.reason).map(str::to_owned)
}

/// Title of one incident in at most `max` characters; its number is never cut off.
pub(super) fn item(item: &ItemView, view: &MessageView, max: usize) -> String {
    let (language, incident) = (view.language, &item.incident);
    let mut parts = Vec::new();
    if incident.is_open() {
        parts.push(what(item, language));
        if let Some(why) = why(item, language) {
            let span = when::duration(language, view.now.since(incident.opened_at));
            let repeat = item.reason == NoticeReason::Repeat;
            parts.push(if repeat { format!("{why} {span}") } else { why });
        }
    } else {
        parts.push(over(item, language));
        if let Some(count) = failures(incident) {
            let count = words::times(language, count);
            parts.push(pick(language, format!("failed {count}"), format!("共失败 {count}")));
        }
        let end = incident.resolved_at.unwrap_or(view.now);
        let span = when::duration(language, end.since(incident.opened_at));
        parts.push(pick(language, format!("took {span}"), format!("历时 {span}")));
    }
    let number = format!(" · #{}", incident.id);
    let rest = bracket(language, tag(incident, language), &parts.join(" · "));
    cut(&rest, max.saturating_sub(number.chars().count())) + &number
}

/// Distinct failures, where they are what the incident is about.
pub(super) fn failures(incident: &Incident) -> Option<u64> {
    let counted = incident.aspect.as_str() == Aspect::FAILURE;
    (counted && incident.occurrences > 0).then_some(incident.occurrences)
}

/// Title of a message in at most `max` characters.
pub(super) fn message(view: &MessageView, max: usize) -> String {
    match view.items.as_slice() {
        [only] if matches!(view.kind, MessageKind::Incident | MessageKind::Group) => {
            item(only, view, max)
        }
        _ => cut(&list(view), max),
    }
}

fn list(view: &MessageView) -> String {
    let language = view.language;
    let count = view.items.len();
    let open = view.items.iter().filter(|i| i.incident.is_open());
    let worst = open.clone().map(|i| i.incident.severity).max();
    let open = open.count();
    let tag = if let Some(severity) = worst {
        words::severity(language, severity)
    } else {
        let recovered = |i: &ItemView| end_reason(&i.incident) == EndReason::Recovered;
        let all = view.items.iter().all(recovered);
        words::end_tag(language, if all { EndReason::Recovered } else { EndReason::Ended })
    };
    match view.kind {
        MessageKind::Summary => match &view.summary {
            Some(said) => {
                let (tag, rest) = summary::title(view, said);
                bracket(language, tag, &rest)
            }
            None => String::new(),
        },
        MessageKind::Test => {
            let receiver = short(&view.receiver, NAME);
            let rest = pick(
                language,
                format!("Weir test alert for receiver {receiver}"),
                format!("Weir 告警测试消息 · 接收者 {receiver}"),
            );
            bracket(language, pick(language, "TEST", "测试"), &rest)
        }
        MessageKind::FirstLook => {
            let jobs = view.jobs_watched;
            let rest = pick(
                language,
                format!("{jobs} jobs watched, {count} {} already in trouble", were(count)),
                format!("已监控 {jobs} 个作业，其中 {count} 处此前已有问题"),
            );
            bracket(language, pick(language, "FIRST LOOK", "首次巡检"), &rest)
        }
        MessageKind::Storm if open > 0 => {
            let rest = pick(
                language,
                format!("alert storm: {count} incidents"),
                format!("告警风暴：{count} 起"),
            );
            bracket(language, tag, &with_group(view, rest))
        }
        MessageKind::Digest => {
            let rest = if view.group_key == HELD_DIGEST {
                pick(
                    language,
                    format!("{}, kept until now", alerts(count)),
                    format!("{count} 条告警（定时汇总）"),
                )
            } else {
                pick(
                    language,
                    format!("{} in one message (sending limit reached)", alerts(count)),
                    format!("{count} 条告警合并为一条（已达发送上限）"),
                )
            };
            bracket(language, pick(language, "DIGEST", "汇总"), &rest)
        }
        MessageKind::Incident | MessageKind::Group | MessageKind::Storm => {
            let over = count - open;
            let rest = match (open, over) {
                (open, 0) => pick(language, alerts(open), format!("{open} 条告警")),
                (0, over) => {
                    pick(language, format!("{} over", alerts(over)), format!("{over} 条告警已结束"))
                }
                _ => pick(
                    language,
                    format!("{}, {over} over", alerts(open)),
                    format!("{open} 条告警，{over} 条已结束"),
                ),
            };
            bracket(language, tag, &with_group(view, rest))
        }
    }
}

fn were(count: usize) -> &'static str {
    if count == 1 { "was" } else { "were" }
}

fn alerts(count: usize) -> String {
    if count == 1 { "1 alert".to_owned() } else { format!("{count} alerts") }
}

fn with_group(view: &MessageView, rest: String) -> String {
    if view.group_labels.0.is_empty() {
        return rest;
    }
    let labels: Vec<String> =
        view.group_labels.0.iter().map(|(k, v)| format!("{k}={}", short(v, NAME))).collect();
    format!("{rest} · {}", labels.join(" "))
}

/// What a mail thread is called: the same for every message about an incident.
pub fn thread_subject(item: &ItemView, language: Language) -> String {
    let name = short(&item.name, NAME);
    let aspect = short(item.incident.aspect.as_str(), NAME);
    let id = item.incident.id;
    match language {
        Language::En => format!("[Weir] {name}: {aspect} #{id}"),
        Language::Zh => {
            let aspect = match aspect.as_str() {
                "failure" => "作业失败",
                "checkpoints" => "checkpoint 异常",
                "lag" => "消费延迟",
                "resources" => "资源问题",
                "platform" => "平台问题",
                "external" => "外部告警",
                other => other,
            };
            format!("[Weir 告警] {name}：{aspect} #{id}")
        }
    }
}

/// Highest severity of what is not over.
pub(super) fn worst(view: &MessageView) -> Option<Severity> {
    view.items.iter().filter(|i| i.incident.is_open()).map(|i| i.incident.severity).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::render::probe;

    fn title(item: ItemView, language: Language) -> String {
        message(&probe::view(MessageKind::Incident, language, vec![item]), 400)
    }

    #[test]
    fn a_source_is_what_weir_cannot_reach() {
        let mut item = probe::failing(7, "YARN emr");
        item.incident.subject = Subject::Source("emr".to_owned());
        item.incident.aspect = Aspect::from(Aspect::PLATFORM);
        item.incident.severity = Severity::Warning;
        let annotations = &mut item.incident.members[0].annotations;
        annotations.insert("headline".to_owned(), "unreachable · 60 jobs unknown".to_owned());
        annotations.insert("headline_zh".to_owned(), "无法访问 · 60 个作业状态未知".to_owned());
        assert_eq!(
            title(item.clone(), Language::En),
            "[WARNING] Weir cannot reach YARN emr · 60 jobs unknown · #7"
        );
        assert_eq!(
            title(item.clone(), Language::Zh),
            "【警告】Weir 无法访问 YARN emr · 60 个作业状态未知 · #7"
        );
        item.incident.state = crate::model::IncidentState::Resolved;
        item.incident.resolved_at = Some(probe::NOW);
        assert_eq!(
            title(item, Language::En),
            "[RECOVERED] Weir reaches YARN emr again · took 18 min · #7"
        );
    }

    #[test]
    fn an_alert_from_outside_says_its_own_words() {
        let mut item = probe::external(7);
        let both = |item: &ItemView| {
            [title(item.clone(), Language::En), title(item.clone(), Language::Zh)]
        };
        assert_eq!(
            both(&item),
            [
                "[WARNING] HighLatency api-7:9090: p99 is 1.3 s · #7",
                "【警告】HighLatency api-7:9090：p99 is 1.3 s · #7"
            ]
        );
        let annotations = &mut item.incident.members[0].annotations;
        annotations.insert("summary_zh".to_owned(), "HighLatency：p99 为 1.3 秒".to_owned());
        assert_eq!(both(&item)[1], "【警告】HighLatency：p99 为 1.3 秒 · #7");
        item.incident.members[0].annotations.retain(|name, _| name == "description");
        assert!(both(&item)[0].contains("api-7:9090: The 99th percentile has"), "{item:?}");
        item.incident.members[0].annotations.clear();
        assert_eq!(both(&item)[0], "[WARNING] HighLatency api-7:9090 · #7");
        item.incident.state = crate::model::IncidentState::Resolved;
        item.incident.resolved_at = Some(probe::NOW);
        assert_eq!(
            both(&item),
            [
                "[RECOVERED] HighLatency api-7:9090 does not fire any more · took 18 min · #7",
                "【恢复】HighLatency api-7:9090 已恢复 · 历时 18 分钟 · #7"
            ]
        );
    }

    #[test]
    fn a_title_says_why_it_is_news() {
        let said = |reason, language| {
            let mut item = probe::failing(7, "a");
            item.reason = reason;
            title(item, language)
        };
        for (reason, en, zh) in [
            (NoticeReason::Repeat, "still open 18 min · #7", "仍未恢复 18 分钟 · #7"),
            (NoticeReason::Reopened, "back again · #7", "再次出现 · #7"),
            (NoticeReason::Worse, "got worse · #7", "加重 · #7"),
        ] {
            assert!(said(reason, Language::En).ends_with(en), "{}", said(reason, Language::En));
            assert!(said(reason, Language::Zh).ends_with(zh), "{}", said(reason, Language::Zh));
        }
    }

    #[test]
    fn annotations_fall_back_to_english_and_then_to_the_name() {
        let mut item = probe::failing(7, "a");
        item.incident.members[0].annotations.remove("headline_zh");
        assert_eq!(title(item.clone(), Language::Zh), "【紧急】a keeps failing · 4 in 30 min · #7");
        item.incident.members[0].annotations.clear();
        assert_eq!(title(item, Language::Zh), "【紧急】a JobFailingRepeatedly · #7");
    }

    #[test]
    fn the_number_survives_any_length() {
        let mut item = probe::failing(7, &"x".repeat(500));
        item.reason = NoticeReason::Worse;
        let view = probe::view(MessageKind::Incident, Language::Zh, vec![item]);
        let title = message(&view, 40);
        assert_eq!(title.chars().count(), 40);
        assert!(title.ends_with("… · #7"), "{title}");
    }
}
