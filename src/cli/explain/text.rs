//! Explanations for people.

use std::fmt::Write;

use jiff::Timestamp;

use crate::notify::render::escape::line;
use crate::web::explain::{Explained, Item};
use crate::web::schedule;

/// Longer words are cut in the table.
const WORDS: usize = 160;

/// All rules of one job or source: firing and pending, the nearest, unknown, and n/a in one line.
pub(super) fn one(answer: &Explained, with_values: bool) -> String {
    let mut text = answer.schedule.as_ref().map(hours).unwrap_or_default();
    let mut subject = "";
    let mut items: Vec<&Item> = answer.explanations.iter().collect();
    items.sort_by(|a, b| a.subject.cmp(&b.subject));
    for item in items {
        if item.truth == "n/a" && item.state == "inactive" && !with_values {
            continue;
        }
        if item.subject != subject {
            if !subject.is_empty() {
                text.push('\n');
            }
            subject = &item.subject;
            writeln!(text, "{}", line(subject)).ok();
        }
        writeln!(text, "  {}", head(item, &answer.at)).ok();
        if !item.words.is_empty() {
            writeln!(text, "      {}", line(&item.words)).ok();
        }
        if with_values && !item.values.is_empty() {
            writeln!(text, "      {}", values(item)).ok();
        }
    }
    if !with_values {
        let silent =
            answer.explanations.iter().filter(|i| i.truth == "n/a" && i.state == "inactive");
        let (excluded, impossible): (Vec<&Item>, Vec<&Item>) =
            silent.partition(|item| item.excluded_by.is_some());
        for (word, items) in [("n/a", impossible), ("kept out by matchers", excluded)] {
            let mut names: Vec<&str> = items.iter().map(|item| item.alert.as_str()).collect();
            names.dedup();
            if !names.is_empty() {
                writeln!(text, "  {word}: {}", names.join(", ")).ok();
            }
        }
    }
    if answer.explanations.is_empty() {
        text.push_str("no rule is about this\n");
    }
    more(answer, &mut text);
    text.truncate(text.trim_end().len());
    text
}

/// `schedule Mon-Fri 08:00-24:00 Asia/Shanghai: outside now, until 2026-11-23T00:00:00Z`.
fn hours(schedule: &schedule::Item) -> String {
    let now = match schedule.now.as_str() {
        "either" => "the clock jumps at an end of it now",
        "inside" => "inside now",
        _ => "outside now",
    };
    let until = schedule.until.as_ref().map(|at| format!(", until {at}")).unwrap_or_default();
    format!("schedule {}: {now}{until}\n", line(&schedule.hours))
}

/// What is firing, pending, and nearest to it, over everything.
pub(super) fn nearest(answer: &Explained, all: bool) -> String {
    let counts = answer.counts;
    let mut text = format!(
        "{} firing, {} pending, {} not true, {} unknown, {} n/a\n",
        counts.firing,
        counts.pending,
        counts.not_true,
        counts.unknown,
        counts.not_applicable + counts.excluded,
    );
    let shown = |item: &&Item| {
        all || item.state != "inactive"
            || item.truth == "true"
            || item.near.is_some_and(|n| n >= 0.01)
    };
    let rows: Vec<[String; 4]> = answer
        .explanations
        .iter()
        .filter(shown)
        .map(|item| {
            let words = line(&item.words);
            let cut: String = words.chars().take(WORDS).collect();
            let cut = if cut.len() < words.len() { format!("{cut}…") } else { cut };
            let name = if item.job.is_some() { item.name() } else { &item.subject };
            [nearness(item), line(name), item.alert.clone(), state_words(item, &answer.at, &cut)]
        })
        .collect();
    if rows.is_empty() {
        text.push_str("nothing is near to firing");
        return text;
    }
    let titles = ["near", "job", "rule", "what would change it"].map(str::to_owned);
    let mut widths = [0; 4];
    for row in std::iter::once(&titles).chain(&rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in std::iter::once(&titles).chain(&rows) {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        writeln!(text, "{}", cells.join("  ").trim_end()).ok();
    }
    text.truncate(text.trim_end().len());
    text
}

/// `FIRING CheckpointsStalled (warning) …`.
fn head(item: &Item, now: &str) -> String {
    let mut text = format!("{:<8} {} ({})", nearness(item), item.alert, item.severity);
    let state = state_words(item, now, "");
    if !state.is_empty() {
        write!(text, "  {state}").ok();
    }
    text
}

/// `firing`, `pending`, `67 %`, `no`, `unknown`, `n/a`.
fn nearness(item: &Item) -> String {
    match (item.state.as_str(), item.truth.as_str()) {
        ("firing" | "pending", _) => item.state.clone(),
        (_, "true") => "true".to_owned(),
        (_, "false") => match item.near {
            // Not there yet is never 100 %.
            Some(near) => format!("{} %", ((near * 100.0).floor() as i64).clamp(0, 99)),
            None => "no".to_owned(),
        },
        (_, other) => other.to_owned(),
    }
}

/// Since when, until when, in which incident; then `words`.
fn state_words(item: &Item, now: &str, words: &str) -> String {
    let mut parts = Vec::new();
    if let Some(since) = &item.since {
        parts.push(format!("true since {}", moment(since, now)));
    }
    match (item.state.as_str(), item.truth.as_str()) {
        ("pending", "true") => {
            if let Some(at) = &item.fires_at {
                parts.push(format!("fires {} if still true", moment(at, now)));
            }
        }
        ("pending", "unknown") => parts.push("fires only once it is known to be true".to_owned()),
        ("pending", _) => parts.push("not true now: the next look ends it".to_owned()),
        ("firing", "false") => {
            let until = item.kept_until.as_deref().map(|at| moment(at, now)).unwrap_or_default();
            parts.push(format!("not true any more, kept until {until}"));
        }
        ("firing", "unknown") => parts.push("unknown now, stays until it is known".to_owned()),
        ("inactive", "true") => {
            parts.push("since the last look: the next one takes it in".to_owned());
        }
        _ => {}
    }
    if let Some(incident) = &item.incident {
        let mut said = format!("incident #{} {}", incident.id, incident.state);
        if let Some(root) = incident.inhibited_by {
            write!(said, ", muted by #{root}").ok();
        }
        parts.push(said);
    }
    if !words.is_empty() {
        parts.push(words.to_owned());
    }
    parts.join("; ")
}

/// `2026-08-23T14:20:00Z (in 3 min)`.
fn moment(at: &str, now: &str) -> String {
    let (Ok(then), Ok(now)) = (at.parse::<Timestamp>(), now.parse::<Timestamp>()) else {
        return line(at);
    };
    let seconds = then.as_second() - now.as_second();
    let length = match seconds.unsigned_abs() {
        s @ 0..120 => format!("{s} s"),
        s @ 120..7_200 => format!("{} min", s / 60),
        s @ 7_200..172_800 => format!("{} h", s / 3_600),
        s => format!("{} days", s / 86_400),
    };
    let whole = Timestamp::from_second(then.as_second()).unwrap_or(then);
    if seconds < 0 { format!("{whole} ({length} ago)") } else { format!("{whole} (in {length})") }
}

/// `age_seconds=312, above_seconds=600`.
fn values(item: &Item) -> String {
    let plain = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => format!("{:?}", line(text)),
        other => other.to_string(),
    };
    let pairs = item.values.iter().map(|(name, value)| format!("{name}={}", plain(value)));
    pairs.collect::<Vec<_>>().join(", ")
}

/// What was left out is named.
fn more(answer: &Explained, text: &mut String) {
    let c = answer.counts;
    let all = c.firing + c.pending + c.not_true + c.unknown + c.not_applicable + c.excluded;
    if all > answer.explanations.len() {
        let left = all - answer.explanations.len();
        writeln!(text, "… and {left} more (--limit)").ok();
    }
    if c.not_judged > 0 {
        let left = c.not_judged;
        writeln!(text, "… and {left} not judged: name a job, a source or a rule").ok();
    }
}

#[cfg(test)]
mod tests;
