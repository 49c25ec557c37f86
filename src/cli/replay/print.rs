//! A replay as text and as JSON.

use std::fmt::Write;

use serde_json::json;

use crate::model::Ts;
use crate::notify::render::escape::line;
use crate::replay::{Line, Mark, Replayed, Share, Texts};

/// A wall time, in UTC.
pub(super) fn time(at: Ts) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |t| t.to_string())
}

/// For people.
pub(super) fn text(
    done: &Replayed,
    lines: &[Line<'_>],
    texts: &Texts,
    rule_files: &[String],
) -> String {
    let mut out = String::new();
    let Some((first, last)) = done.span else {
        return "nothing was recorded in that span".to_owned();
    };
    writeln!(
        out,
        "{} to {}: {} looks, {} starts of weir; rules from {}",
        time(first.wall),
        time(last.wall),
        done.looks,
        done.starts,
        rule_files.join(", "),
    )
    .ok();
    for one in lines {
        let said = one.said;
        let (sign, to, at) = (one.mark.sign(), &said.note.to, time(said.at.wall));
        writeln!(out, "{sign} {at}  {to}  {}", line(&said.note.title)).ok();
        let words =
            (one.mark != Mark::Live).then(|| texts.of(said.note.id, said.at.wall)).flatten();
        for text in words.iter().flat_map(|words| words.text.lines()) {
            writeln!(out, "    {}", line(text)).ok();
        }
    }
    let count = |mark: Mark| lines.iter().filter(|line| line.mark == mark).count();
    writeln!(
        out,
        "{} messages in the replay, {} sent live: {} the same (=), {} alike (~), {} only in the \
         replay (+), {} only live (-)",
        done.said.len(),
        done.live.len(),
        count(Mark::Same),
        count(Mark::Alike),
        count(Mark::Replay),
        count(Mark::Live),
    )
    .ok();
    out.push_str("share of the span in which the facts of a rule were recorded:");
    for share in &done.shares {
        write!(out, "\n  {:>3} %  {}{}", percent(share), share.rule, missing(share)).ok();
    }
    out
}

/// Whole percent; 100 only for all of it.
fn percent(share: &Share) -> u32 {
    (share.recorded * 100.0).floor() as u32
}

fn missing(share: &Share) -> String {
    if share.missing.is_empty() {
        return String::new();
    }
    let verb = if share.missing.len() == 1 { "was" } else { "were" };
    format!(" ({} {verb} not recorded)", share.missing.join(", "))
}

/// For programs.
pub(super) fn json(done: &Replayed, lines: &[Line<'_>], texts: &Texts) -> String {
    let messages: Vec<_> = lines
        .iter()
        .map(|one| {
            let (said, note) = (one.said, &one.said.note);
            let words = (one.mark != Mark::Live).then(|| texts.of(note.id, said.at.wall)).flatten();
            json!({
                "mark": one.mark.word(),
                "at": time(said.at.wall),
                "id": note.id,
                "receiver": note.to.receiver,
                "channel": note.to.channel,
                "kind": note.kind,
                "title": note.title,
                "text": words.map(|words| words.text),
                "body": note.body,
            })
        })
        .collect();
    let rules: Vec<_> = done
        .shares
        .iter()
        .map(|share| {
            json!({
                "rule": share.rule.to_string(),
                "recorded": share.recorded,
                "missing": share.missing,
            })
        })
        .collect();
    let whole = json!({
        "from": done.span.map(|(first, _)| time(first.wall)),
        "to": done.span.map(|(_, last)| time(last.wall)),
        "looks": done.looks,
        "starts": done.starts,
        "messages": messages,
        "rules": rules,
        "remarks": done.remarks,
    });
    format!("{whole:#}")
}
