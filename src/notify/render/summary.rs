//! What a summary says, line by line.

use serde::Serialize;

use super::escape::short;
use super::when;
use super::words::pick;
use crate::model::{BySeverity, Noisy};
use crate::notify::{Language, MessageView, SummaryView};

/// Longest name of a job, in characters.
const NAME: usize = 120;

/// What templates see of a summary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SummaryData {
    /// `7 days`.
    pub span: String,
    /// Nothing happened and nothing is open.
    pub quiet: bool,
    /// `Failures`: `412 of 23 jobs; 11 jobs recovered by themselves` and the like.
    pub lines: Vec<SummaryLine>,
    /// What stands above the jobs; null without any.
    pub jobs_title: Option<String>,
    /// `prod/orders: 4 incidents, 300 failures`, the loudest first.
    pub jobs: Vec<String>,
}

/// One line of a summary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SummaryLine {
    /// What is counted.
    pub label: String,
    /// The counts.
    pub text: String,
}

/// `7 days, 0 incidents, 83 jobs watched`, and the word before it.
pub(super) fn title(view: &MessageView, summary: &SummaryView) -> (&'static str, String) {
    let language = view.language;
    let (span, opened, jobs) = (span(view, summary), summary.opened.total(), view.jobs_watched);
    let tag = match (language, summary.weekly) {
        (Language::En, _) => "SUMMARY",
        (Language::Zh, true) => "周报",
        (Language::Zh, false) => "日报",
    };
    let rest = pick(
        language,
        format!("{span}, {}, {} watched", count(opened, "incident"), count(jobs as u64, "job")),
        format!("{span}，{opened} 起告警，监控 {jobs} 个作业"),
    );
    (tag, rest)
}

/// All of it in one sentence, for templates that know no summary.
pub(super) fn sentence(view: &MessageView, summary: &SummaryView) -> String {
    if summary.is_quiet() {
        return pick(view.language, "All was quiet.", "一切平稳，没有告警。").to_owned();
    }
    let lines = lines(view.language, summary);
    let (colon, between, end) = pick(view.language, (": ", ". ", "."), ("：", "；", "。"));
    let parts: Vec<String> =
        lines.into_iter().map(|line| format!("{}{colon}{}", line.label, line.text)).collect();
    parts.join(between) + end
}

pub(super) fn data(view: &MessageView, summary: &SummaryView) -> SummaryData {
    let language = view.language;
    let jobs: Vec<String> = summary.jobs.iter().map(|job| noisy(language, job)).collect();
    let title = pick(language, "Most trouble", "问题最多的作业").to_owned();
    SummaryData {
        span: span(view, summary),
        quiet: summary.is_quiet(),
        lines: lines(language, summary),
        jobs_title: (!jobs.is_empty()).then_some(title),
        jobs,
    }
}

fn lines(language: Language, s: &SummaryView) -> Vec<SummaryLine> {
    let mut lines = Vec::new();
    let mut say = |en: &str, zh: &str, text: String| {
        lines.push(SummaryLine { label: pick(language, en, zh).to_owned(), text });
    };
    let mended = if s.mended_jobs > 0 {
        pick(
            language,
            format!("; {} recovered without an incident", count(s.mended_jobs, "job")),
            format!("；{} 个作业自行恢复，未产生告警", s.mended_jobs),
        )
    } else {
        String::new()
    };
    let failures = match (s.failures, language) {
        (0, _) => pick(language, "none", "无").to_owned(),
        (n, Language::En) => format!("{n} in {}{mended}", count(s.failing_jobs, "job")),
        (n, Language::Zh) => format!("{n} 次，涉及 {} 个作业{mended}", s.failing_jobs),
    };
    say("Failures", "失败", failures);
    let opened = severities(language, s.opened);
    let mut incidents = pick(
        language,
        format!("{} opened{opened}, {} over", s.opened.total(), s.ended),
        format!("新增 {} 起{opened}，结束 {} 起", s.opened.total(), s.ended),
    );
    if s.brief > 0 {
        incidents += &pick(
            language,
            format!(", {} too brief to tell", s.brief),
            format!("，{} 起过于短暂未通知", s.brief),
        );
    }
    say("Incidents", "告警", incidents);
    let open = match s.open.total() {
        0 => pick(language, "none", "无").to_owned(),
        n => pick(language, format!("{n}"), format!("{n} 起")) + &severities(language, s.open),
    };
    say("Open now", "未恢复", open);
    let mut messages = pick(language, format!("{} sent", s.sent), format!("已发送 {} 条", s.sent));
    if s.shadow > 0 {
        messages += &pick(
            language,
            format!(", {} would have gone (shadow)", s.shadow),
            format!("，本应发送 {} 条（shadow）", s.shadow),
        );
    }
    if s.unsent > 0 {
        messages += &pick(
            language,
            format!(", {} could not be delivered", s.unsent),
            format!("，{} 条未能送达", s.unsent),
        );
    }
    say("Messages", "消息", messages);
    lines
}

fn noisy(language: Language, job: &Noisy) -> String {
    let name = short(&job.name, NAME);
    let mut parts = Vec::new();
    if job.incidents > 0 {
        let n = job.incidents;
        parts.push(pick(language, count(n, "incident"), format!("{n} 起告警")));
    }
    if job.failures > 0 {
        let n = job.failures;
        parts.push(pick(language, count(n, "failure"), format!("失败 {n} 次")));
    }
    let (colon, comma) = pick(language, (": ", ", "), ("：", "，"));
    format!("{name}{colon}{}", parts.join(comma))
}

/// ` (2 critical, 1 warning)`.
fn severities(language: Language, counts: BySeverity) -> String {
    let named = [
        (counts.critical, "critical", "紧急"),
        (counts.warning, "warning", "警告"),
        (counts.info, "info", "提示"),
    ];
    let parts: Vec<String> = named
        .into_iter()
        .filter(|(n, ..)| *n > 0)
        .map(|(n, en, zh)| pick(language, format!("{n} {en}"), format!("{zh} {n}")))
        .collect();
    match (parts.is_empty(), language) {
        (true, _) => String::new(),
        (false, Language::En) => format!(" ({})", parts.join(", ")),
        (false, Language::Zh) => format!("（{}）", parts.join("，")),
    }
}

/// Whole days where it is about days: a week with a change of clocks is seven of them.
fn span(view: &MessageView, summary: &SummaryView) -> String {
    let span = view.now.since(summary.since);
    let hours = span.as_secs() / 3_600;
    if hours < 20 {
        return when::duration(view.language, span);
    }
    let days = (hours + 12) / 24;
    pick(view.language, count(days, "day"), format!("{days} 天"))
}

fn count(n: u64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
