//! What came of the tests, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};
use similar::{ChangeTag, TextDiff};

use super::play::{Event, What};
use super::times::Moment;
use crate::model::{AlertState, IncidentState};

/// What came of the tests of one file.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The file as its user named it.
    pub file: String,
    /// In the order of the file.
    pub tests: Vec<TestReport>,
}

/// What came of one test.
#[derive(Debug, Clone)]
pub struct TestReport {
    /// Its name.
    pub name: String,
    /// Line it stands in.
    pub line: u32,
    /// Nothing: it passed.
    pub mismatches: Vec<Mismatch>,
    /// Everything that happened, in order.
    pub events: Vec<Event>,
}

/// Something that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Line of the expectation.
    pub line: u32,
    /// When in the story.
    pub at: Option<Moment>,
    /// What is wrong, in words.
    pub what: String,
    /// What was expected; empty: nothing.
    pub expected: String,
    /// What came; empty: nothing.
    pub came: String,
}

impl TestReport {
    /// Everything was as expected.
    pub fn passed(&self) -> bool {
        self.mismatches.is_empty()
    }
}

impl Report {
    /// How many tests passed, and how many failed.
    pub fn counts(&self) -> (usize, usize) {
        let passed = self.tests.iter().filter(|t| t.passed()).count();
        (passed, self.tests.len() - passed)
    }

    /// One line per test, with what differs below those that failed; with the timeline of each
    /// where asked for. Ends with a line feed unless empty.
    pub fn text(&self, timeline: bool) -> String {
        let mut out = String::new();
        for test in &self.tests {
            let word = if test.passed() { "ok  " } else { "FAIL" };
            line(&mut out, &format!("{word} {}:{} {}", self.file, test.line, test.name));
            if timeline {
                timeline_of(&test.events, &mut out);
            }
            for mismatch in &test.mismatches {
                let at = mismatch.at.map(|at| format!("at {at}: ")).unwrap_or_default();
                let place = format!("{}:{}", self.file, mismatch.line);
                line(&mut out, &format!("  {place}: {at}{}", mismatch.what));
                indent(&mut out, "    ", &mismatch.diff());
            }
        }
        out
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let (passed, failed) = self.counts();
        let tests: Vec<Value> = self
            .tests
            .iter()
            .map(|test| {
                let mismatches: Vec<Value> = test
                    .mismatches
                    .iter()
                    .map(|m| {
                        json!({
                            "line": m.line,
                            "at_seconds": m.at.map(|at| at.0 as f64 / 1000.0),
                            "what": m.what,
                            "expected": m.expected,
                            "came": m.came,
                        })
                    })
                    .collect();
                json!({
                    "name": test.name,
                    "line": test.line,
                    "passed": test.passed(),
                    "mismatches": mismatches,
                })
            })
            .collect();
        json!({ "file": self.file, "passed": passed, "failed": failed, "tests": tests })
    }
}

impl Mismatch {
    /// `-` expected, `+` came.
    pub fn diff(&self) -> String {
        // A last line without its end would differ from the same line with one.
        let ended = |text: &str| if text.is_empty() { String::new() } else { format!("{text}\n") };
        let (expected, came) = (ended(&self.expected), ended(&self.came));
        let mut out = String::new();
        if self.expected.is_empty() {
            line(&mut out, "- nothing");
        }
        for change in TextDiff::from_lines(&expected, &came).iter_all_changes() {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            line(&mut out, format!("{sign} {}", change.value().trim_end()).trim_end());
        }
        if self.came.is_empty() {
            line(&mut out, "+ nothing");
        }
        out
    }
}

impl Event {
    /// A line for people; a message with its text below it.
    pub fn text(&self) -> String {
        let at = format!("{:<9}", self.at.to_string());
        match &self.what {
            What::Alert(alert) => {
                let word = match alert.state {
                    AlertState::Pending => "pending",
                    AlertState::Firing => "firing",
                };
                let summary = alert.annotations.get("summary").map_or("", String::as_str);
                format!("{at} alert    {word:<8} {} {} {summary}", alert.rule.alert, alert.subject)
            }
            What::AlertEnded(rule, subject) => {
                format!("{at} alert    over     {} {subject}", rule.alert)
            }
            What::Incident(incident) => {
                let word = match incident.state {
                    IncidentState::Open => "open",
                    IncidentState::Acknowledged => "acked",
                    IncidentState::Resolved => "resolved",
                };
                let mut names: Vec<&str> =
                    incident.members.iter().map(|m| m.rule.alert.as_str()).collect();
                names.sort_unstable();
                let (id, subject, severity) =
                    (incident.id, &incident.subject, incident.severity.as_str());
                format!("{at} incident {word:<8} #{id} {subject} {severity} {}", names.join(" "))
            }
            What::Message(message) => {
                let mut text = format!("{at} message  to {}\n", message.to.receiver);
                indent(&mut text, "  | ", &message.frozen.body);
                text
            }
        }
    }
}

/// What happened, without changes of incidents that show no difference.
fn timeline_of(events: &[Event], out: &mut String) {
    let mut known = std::collections::BTreeMap::new();
    for event in events {
        let text = event.text();
        if let What::Incident(incident) = &event.what {
            let shown = text.split_once(' ').map_or("", |(_, shown)| shown).to_owned();
            if known.insert(incident.id, shown.trim_start().to_owned()).as_deref()
                == Some(shown.trim_start())
            {
                continue;
            }
        }
        indent(out, "      ", &text);
    }
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

fn indent(out: &mut String, by: &str, text: &str) {
    for part in text.trim_end().lines() {
        // Writing to a string cannot fail.
        writeln!(out, "{}", format!("{by}{part}").trim_end()).ok();
    }
}
