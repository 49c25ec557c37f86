//! A report for people.

use std::collections::BTreeMap;
use std::fmt::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::cli::output::Words;
use crate::model::{BySeverity, Held, Noisy, ReceiverReport};
use crate::notify::Language;
use crate::notify::render::escape::line;
use crate::notify::render::held_kind;
use crate::web::report::Reported;

/// Everything, the whole first, then who heard of it, then what was loud.
pub(super) fn report(reported: &Reported, words: Words, zone: &TimeZone) -> String {
    let mut text = String::new();
    let at = |time: &Option<String>| {
        let parsed = time.as_deref().and_then(|t| t.parse::<Timestamp>().ok());
        parsed.map_or_else(String::new, |t| {
            t.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %:z").to_string()
        })
    };
    let (since, until) = (at(&reported.since), at(&reported.until));
    let jobs = reported.jobs_watched;
    writeln!(
        text,
        "{}",
        words.pick(
            format!("{since} to {until} · {jobs} jobs watched"),
            format!("{since} 至 {until} · 监控 {jobs} 个作业"),
        )
    )
    .ok();
    whole(reported, words, &mut text);
    for receiver in &reported.report.receivers {
        told(receiver, words, &mut text);
    }
    held(&reported.report.held, words, zone, &mut text);
    let title = words.pick("noisiest jobs", "告警最多的作业");
    noisy(title, &reported.report.jobs, words, &mut text);
    let title = words.pick("noisiest rules", "告警最多的规则");
    noisy(title, &reported.report.rules, words, &mut text);
    text.truncate(text.trim_end().len());
    text
}

fn whole(reported: &Reported, words: Words, text: &mut String) {
    let r = &reported.report;
    let failures = words.pick(
        format!(
            "failures   {} in {}; {} recovered without an incident",
            r.failures,
            many(r.failing_jobs, "job"),
            many(r.mended_jobs, "job"),
        ),
        format!(
            "失败   {} 次，涉及 {} 个作业；{} 个作业自行恢复，未产生告警",
            r.failures, r.failing_jobs, r.mended_jobs
        ),
    );
    let opened = severities(r.opened, words);
    let open = severities(r.open, words);
    let incidents = words.pick(
        format!(
            "incidents  {} opened{opened}, {} over, {} too brief to tell, {} open now{open}",
            r.opened.total(),
            r.ended,
            r.brief,
            r.open.total(),
        ),
        format!(
            "告警   新增 {} 起{opened}，结束 {} 起，短暂未通知 {} 起，当前未恢复 {} 起{open}",
            r.opened.total(),
            r.ended,
            r.brief,
            r.open.total(),
        ),
    );
    let count = |state: &str| -> u64 {
        r.receivers.iter().filter_map(|receiver| receiver.messages.get(state)).sum()
    };
    let (sent, shadow, failed, due) =
        (count("sent"), count("shadow"), count("failed"), count("due"));
    let mut messages =
        words.pick(format!("messages   {sent} sent"), format!("消息   已发送 {sent} 条"));
    for (number, en, zh) in [
        (shadow, "would have gone (shadow)", "本应发送（shadow）"),
        (failed, "failed", "发送失败"),
        (due, "not sent yet", "待发送"),
    ] {
        if number > 0 {
            messages += &words.pick(format!(", {number} {en}"), format!("，{zh} {number} 条"));
        }
    }
    for part in [failures, incidents, messages] {
        writeln!(text, "  {part}").ok();
    }
}

fn many(n: u64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// ` (2 critical, 1 warning)`.
fn severities(counts: BySeverity, words: Words) -> String {
    let parts: Vec<String> = [
        (counts.critical, "critical", "紧急"),
        (counts.warning, "warning", "警告"),
        (counts.info, "info", "提示"),
    ]
    .into_iter()
    .filter(|(count, ..)| *count > 0)
    .map(|(count, en, zh)| words.pick(format!("{count} {en}"), format!("{zh} {count}")))
    .collect();
    if parts.is_empty() {
        return String::new();
    }
    words.pick(format!(" ({})", parts.join(", ")), format!("（{}）", parts.join("，")))
}

fn told(receiver: &ReceiverReport, words: Words, text: &mut String) {
    let name = line(&receiver.receiver);
    writeln!(text, "\n{}", words.pick(format!("receiver {name}"), format!("接收者 {name}"))).ok();
    let n = receiver.incidents;
    let notices = list(&receiver.notices, words);
    writeln!(
        text,
        "  {}",
        words.pick(
            format!("{}; notices: {notices}", many(n, "incident")),
            format!("{n} 起告警；通知：{notices}")
        )
    )
    .ok();
    if !receiver.messages.is_empty() {
        let (states, kinds) = (list(&receiver.messages, words), list(&receiver.kinds, words));
        writeln!(
            text,
            "  {}",
            words.pick(
                format!("messages: {states}; by kind: {kinds}"),
                format!("消息：{states}；类型：{kinds}")
            )
        )
        .ok();
    }
}

fn list(counts: &BTreeMap<String, u64>, words: Words) -> String {
    let mut rows: Vec<(&String, &u64)> = counts.iter().collect();
    rows.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let parts: Vec<String> = rows
        .into_iter()
        .map(|(word, count)| {
            words.pick(format!("{count} {word}"), format!("{} {count}", words.of(word)))
        })
        .collect();
    if parts.is_empty() {
        words.pick("none", "无").to_owned()
    } else {
        parts.join(words.pick(", ", "，"))
    }
}

fn held(rows: &[Held], words: Words, zone: &TimeZone, text: &mut String) {
    if rows.is_empty() {
        return;
    }
    let title = words.pick("not simply sent, and why", "未直接发送的通知及原因");
    writeln!(text, "\n{title}").ok();
    let language = words.pick(Language::En, Language::Zh);
    for row in rows {
        let outcome = line(words.of(&row.outcome));
        let by = match row.by.as_str() {
            "" => String::new(),
            // Which one is said by `weir notices`.
            by => format!(" · {}", line(&held_kind(language, by, zone))),
        };
        writeln!(text, "  {:>6}  {outcome}{by}", row.notices).ok();
    }
}

fn noisy(title: &str, rows: &[Noisy], words: Words, text: &mut String) {
    if rows.is_empty() {
        return;
    }
    writeln!(text, "\n{title}").ok();
    for row in rows {
        let name = line(&row.name);
        let (notices, incidents, failures) = (row.notices, row.incidents, row.failures);
        let mut said = words.pick(
            format!(
                "{notices:>6} {}, {}",
                if notices == 1 { "notice" } else { "notices" },
                many(incidents, "incident")
            ),
            format!("{notices:>6} 条通知，{incidents} 起告警"),
        );
        if failures > 0 {
            said += &words
                .pick(format!(", {}", many(failures, "failure")), format!("，失败 {failures} 次"));
        }
        writeln!(text, "{said}  {name}").ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Report;

    fn reported() -> Reported {
        let counts = |rows: &[(&str, u64)]| -> BTreeMap<String, u64> {
            rows.iter().map(|(word, count)| ((*word).to_owned(), *count)).collect()
        };
        let noisy = |name: &str, notices, incidents, failures| Noisy {
            name: name.to_owned(),
            incidents,
            failures,
            notices,
        };
        let held = |outcome: &str, by: &str, notices| Held {
            outcome: outcome.to_owned(),
            by: by.to_owned(),
            notices,
        };
        Reported {
            since: Some("2026-11-14T01:30:00Z".to_owned()),
            until: Some("2026-11-21T01:30:00Z".to_owned()),
            jobs_watched: 83,
            report: Report {
                failures: 412,
                failing_jobs: 23,
                mended_jobs: 11,
                opened: BySeverity { critical: 9, warning: 20, info: 2 },
                ended: 29,
                brief: 5,
                open: BySeverity { critical: 1, warning: 1, info: 0 },
                receivers: vec![ReceiverReport {
                    receiver: "ops".to_owned(),
                    incidents: 31,
                    notices: counts(&[("sent", 40), ("folded", 12), ("muted", 3)]),
                    messages: counts(&[("sent", 44), ("shadow", 2)]),
                    kinds: counts(&[("incident", 40), ("digest", 6)]),
                }],
                held: vec![
                    held("folded", "budget 80/60s", 12),
                    held("muted", "inhibited by", 3),
                    held("brief", "", 1),
                ],
                jobs: vec![noisy("prod/orders\u{1b}", 20, 4, 300)],
                rules: vec![noisy("JobFailed", 30, 9, 0)],
            },
        }
    }

    #[test]
    fn a_report_reads_well_in_both_languages() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        insta::assert_snapshot!("report_en", report(&reported(), Words::En, &zone));
        insta::assert_snapshot!("report_zh", report(&reported(), Words::Zh, &zone));
    }

    #[test]
    fn a_quiet_time_has_no_empty_tables() {
        let quiet = Reported { report: Report::default(), ..reported() };
        let text = report(&quiet, Words::En, &TimeZone::UTC);
        assert_eq!(text.lines().count(), 4, "{text}");
    }
}
