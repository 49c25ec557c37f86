//! Checks that hold wherever a key of a certain name stands, so that no source or channel has to
//! repeat them: twins of secrets, files, addresses, time limits. They know every value's place.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::de::duration;
use crate::notify::channels::BOUNDS;
use crate::yaml::findings::Findings;
use crate::yaml::tree::{Entry, Kind, Node, Place, Style, excerpt};

/// Mappings whose keys are the user's own words.
const FREE: [&str; 4] = ["labels", "people", "headers", "env"];
/// Time limits and the like of sources and channels.
const SPANS: [&str; 6] =
    ["timeout", "grace", "per", "resend_interval", "confirm_within", "edit_every"];

/// What a mapping is part of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Section,
    Source,
    Channel,
}

/// Makes paths absolute to the configuration's folder and hides what must not be shown.
pub(super) fn prepare(node: &mut Node, base: &Path, home: Option<&str>) {
    match &mut node.kind {
        Kind::List(items) => items.iter_mut().for_each(|i| prepare(i, base, home)),
        Kind::Map(entries) => {
            for Entry { key, value, .. } in entries {
                if key == "headers" || key == "env" {
                    hide_all(value);
                }
                if FREE.contains(&key.as_str()) {
                    continue;
                }
                let url = is_url(key);
                match &mut value.kind {
                    Kind::Scalar(scalar) if scalar.style == Style::Null => {}
                    Kind::Scalar(scalar) if key.ends_with("_file") => {
                        let path = located(&scalar.text, base, home);
                        if let Some(path) = path.to_str() {
                            scalar.shown.get_or_insert_with(|| excerpt(&scalar.text));
                            path.clone_into(&mut scalar.text);
                        }
                    }
                    Kind::Scalar(_) if url || is_secret(key) => hide_all(value),
                    Kind::List(_) if url => hide_all(value),
                    _ => prepare(value, base, home),
                }
            }
        }
        Kind::Scalar(_) => {}
    }
}

fn hide_all(node: &mut Node) {
    match &mut node.kind {
        Kind::Scalar(scalar) => {
            scalar.shown.get_or_insert_with(|| "…".to_owned());
        }
        Kind::List(items) => items.iter_mut().for_each(hide_all),
        Kind::Map(entries) => entries.iter_mut().for_each(|e| hide_all(&mut e.value)),
    }
}

fn located(text: &str, base: &Path, home: Option<&str>) -> PathBuf {
    match (text.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => Path::new(home).join(rest),
        _ => base.join(text),
    }
}

fn is_url(key: &str) -> bool {
    key == "url" || key == "urls" || key.ends_with("_url") || key.ends_with("_urls")
}

fn is_secret(key: &str) -> bool {
    ["secret", "password", "token", "routing_key"]
        .iter()
        .any(|s| key == *s || key.ends_with(&format!("_{s}")))
}

/// Checks the sections whose entries others read.
pub(super) fn check(root: &Node, findings: &mut Findings) {
    for key in ["web", "heartbeat"] {
        if let Some(section) = root.get(key) {
            mapping(section, Within::Section, findings);
        }
    }
    let sources = root.get("sources").map_or(&[][..], Node::items);
    let receivers = root.get("receivers").map_or(&[][..], Node::items);
    let channels = receivers.iter().flat_map(|r| r.get("channels").map_or(&[][..], Node::items));
    let sources = sources.iter().map(|source| (Within::Source, source));
    for (within, item) in sources.chain(channels.map(|channel| (Within::Channel, channel))) {
        let before = findings.count();
        for entry in item.entries() {
            mapping(&entry.value, within, findings);
        }
        if findings.count() > before || holds_dropped(item, findings) {
            findings.mark(item.place);
        }
    }
}

/// Whether something inside was reported before these checks.
fn holds_dropped(node: &Node, findings: &Findings) -> bool {
    findings.dropped().contains(&node.id)
        || node.items().iter().any(|i| holds_dropped(i, findings))
        || node.entries().iter().any(|e| holds_dropped(&e.value, findings))
}

fn mapping(node: &Node, within: Within, findings: &mut Findings) {
    let limits = within != Within::Section;
    for item in node.items() {
        mapping(item, within, findings);
    }
    for Entry { key, value, place } in node.entries() {
        if findings.dropped().contains(&value.id) {
            continue;
        }
        if let Some(plain) = key.strip_suffix("_file") {
            if let Some(twin) =
                node.entries().iter().find(|e| e.key == plain && !e.value.is_empty())
            {
                findings.error(
                    twin.place.max(*place),
                    format!("both `{plain}` and `{key}` are given"),
                    Some("keep one of them".to_owned()),
                );
            }
            file(key, value, findings);
        } else if is_url(key) {
            for url in value.items() {
                address(key, url, findings);
            }
            address(key, value, findings);
        } else if is_secret(key) {
            clear(key, value, *place, findings);
        } else if limits && SPANS.contains(&key.as_str()) {
            match value.text().map(duration::parse) {
                Some(Err(what)) => {
                    findings.error(value.place, what, None);
                    findings.drop_node(value.id);
                }
                Some(Ok(span)) if within == Within::Channel => bounds(key, span, value, findings),
                _ => {}
            }
        } else if limits && key == "messages" && value.text() == Some("0") {
            findings.error(
                value.place,
                "a budget of 0 messages never sends",
                Some("use `delivery: shadow` to send nothing".to_owned()),
            );
        } else if !FREE.contains(&key.as_str()) {
            mapping(value, within, findings);
        }
    }
}

/// What a channel would cut down in silence is an error.
fn bounds(key: &str, span: Duration, value: &Node, findings: &mut Findings) {
    let Some((_, least, most)) = BOUNDS.into_iter().find(|(bounded, ..)| *bounded == key) else {
        return;
    };
    if span < least || span > most {
        let what = if span > most { "too long" } else { "too short" };
        let shown = duration::format(span);
        let (least, most) = (duration::format(least), duration::format(most));
        let hint = format!("write at least `{least}` and at most `{most}`");
        findings.error(value.place, format!("`{key}: {shown}` is {what}"), Some(hint));
    }
}

fn file(key: &str, value: &Node, findings: &mut Findings) {
    let Some(path) = value.text() else { return };
    // A glance, as reading would block on a pipe.
    let why = match std::fs::metadata(path) {
        Ok(meta) if meta.is_dir() => "it is a folder".to_owned(),
        Ok(_) => return,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => "no such file".to_owned(),
        Err(error) => error.kind().to_string(),
    };
    findings.error(
        value.place,
        format!("`{key}` names {} that cannot be read: {why}", value.describe()),
        Some("paths are relative to the configuration file".to_owned()),
    );
}

fn address(key: &str, value: &Node, findings: &mut Findings) {
    let Some(text) = value.text().filter(|_| !findings.dropped().contains(&value.id)) else {
        return;
    };
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    let fine = |s: &str| !s.is_empty() && s.chars().all(|c| c.is_ascii_alphanumeric() || c == '+');
    if !scheme.is_some_and(fine) {
        let example = if key == "smtp_url" { "smtps://…" } else { "https://…" };
        findings.error(
            value.place,
            format!("`{key}` is an address without a scheme"),
            Some(format!("write it as `{example}`")),
        );
    }
}

fn clear(key: &str, value: &Node, place: Place, findings: &mut Findings) {
    let Kind::Scalar(scalar) = &value.kind else { return };
    if !matches!(scalar.style, Style::Null | Style::Expanded) {
        findings.warn(
            place,
            format!("`{key}` stands in the file in clear"),
            Some(format!("use `{key}_file`, or `${{ENV}}`")),
        );
    }
}
