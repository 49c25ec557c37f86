//! Printing, and nothing else prints.

use std::io::{IsTerminal, Write};

use crate::model::{Problem, Ts};

/// How a table is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Language of what is printed for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Words {
    /// English.
    En,
    /// Chinese.
    Zh,
}

impl Words {
    /// As the API writes it.
    pub(super) fn code(self) -> &'static str {
        self.pick("en", "zh")
    }

    /// A word of the API for an outcome, a state or a kind, as people read it.
    pub(super) fn of(self, word: &str) -> &str {
        if self == Words::En {
            return word;
        }
        match word {
            "sent" => "已发送",
            "folded" => "已合并",
            "muted" => "已屏蔽",
            "brief" => "短暂",
            "shadow" => "仅记录",
            "failed" => "失败",
            "pending" => "等待中",
            "due" => "待发送",
            "incident" => "单条",
            "group" => "分组",
            "digest" => "汇总",
            "storm" => "告警风暴",
            "first_look" => "首次巡检",
            "summary" => "定期报告",
            "test" => "测试",
            other => other,
        }
    }

    /// The English or the Chinese one.
    pub(super) fn pick<T>(self, en: T, zh: T) -> T {
        match self {
            Words::En => en,
            Words::Zh => zh,
        }
    }
}

/// A time as the API takes it; `what` names where it was given.
pub(super) fn rfc3339(at: Ts, what: &str) -> anyhow::Result<String> {
    let at = jiff::Timestamp::from_millisecond(at.0);
    Ok(at.map_err(|_| anyhow::anyhow!("{what} lies outside of any calendar"))?.to_string())
}

/// A line of data.
pub(super) fn say(line: &str) {
    // Whoever reads it may stop reading: `weir check | head`.
    writeln!(std::io::stdout(), "{line}").ok();
}

/// A line for people, beside the data.
#[expect(clippy::print_stderr, reason = "the command line's words to people")]
pub(super) fn complain(line: &str) {
    eprintln!("{line}");
}

/// A line that replaces itself on a terminal; nothing elsewhere.
#[expect(clippy::print_stderr, reason = "the command line's words to people")]
pub(super) fn progress(line: &str) {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[2K{line}");
        std::io::stderr().flush().ok();
    }
}

/// Ends the line of [`progress`].
#[expect(clippy::print_stderr, reason = "the command line's words to people")]
pub(super) fn end_progress() {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[2K");
    }
}

/// All problems, and a word on what follows from them.
pub(super) fn problems(problems: &[Problem]) {
    for problem in problems {
        complain(&problem.to_string());
    }
}

/// Logs go to stderr.
pub(super) fn start_log(filter: &str, json: bool) {
    // What the client of Kubernetes has to say is said once, with the way out, by the source.
    let filter = format!("kube_client=off,kube_runtime=off,{filter}");
    let filter = tracing_subscriber::EnvFilter::try_new(filter)
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = if json { log.json().try_init() } else { log.with_target(false).try_init() };
    if started.is_err() {
        complain("warning: logging was set up twice");
    }
}
