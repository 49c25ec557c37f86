//! From an inventory's jobs and alert configurations to a part of a configuration. Pure: secrets are
//! given back as files to be written, and stand in no text.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::SecretString;

use crate::model::{InventoryEntry, Says};
use crate::sources::inventory::{Draft, Import, Kind, Smtp, Way};

/// Names in one regular expression: what is longer nobody reads.
const NAMES: usize = 40;
/// Jobs nobody hears of that are listed.
const MAX_LISTED: usize = 500;
/// Receiver of what belongs to nobody.
const NOBODY: &str = "nobody";
/// Label that leads to the receiver.
const LABEL: &str = "alert_group";

/// What was drafted.
#[derive(Debug, Default)]
pub(super) struct Drafted {
    /// A part of a configuration.
    pub(super) yaml: String,
    /// Secrets by the name of their file.
    pub(super) files: Vec<(String, SecretString)>,
    /// Jobs nobody hears of today.
    pub(super) unheard: Vec<String>,
}

/// Drafts receivers, routes and labels. `folder`: where the secrets will lie, as the configuration is
/// to name it.
pub(super) fn draft(kind: Kind, import: &Import, folder: &str) -> Drafted {
    let mut drafted = Drafted::default();
    let names = receivers(&import.ways);
    let mut lines = vec![
        format!(
            "# Drafted from {}: {} jobs, {} alert configurations. Read it before you use it.",
            kind.name(),
            import.entries.len(),
            import.ways.len()
        ),
        "receivers:".to_owned(),
    ];
    for (way, name) in import.ways.iter().zip(&names) {
        lines.extend(way.notes.iter().map(|note| format!("  # {}: {}", line(name), line(note))));
        if way.drafts.iter().any(|draft| matches!(draft, Draft::Email { smtp: None, .. })) {
            let todo = "its mail server could not be read: set `smtp_url` and `from`";
            lines.push(format!("  # {}: {todo}", line(name)));
        }
        lines.push(format!("  - name: {}", quoted(name)));
        let mut channels = Vec::new();
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for draft in &way.drafts {
            let count = seen.entry(word(draft)).or_default();
            *count += 1;
            let base = format!("{}-{}-{}", kind.word(), file_name(&way.id), word(draft));
            let base = if *count > 1 { format!("{base}-{count}") } else { base };
            let own = (*count > 1).then(|| format!("{}_{count}", word(draft)));
            channels.push(channel(draft, own.as_deref(), folder, &base, &mut drafted.files));
        }
        if channels.is_empty() {
            lines.push("    channels: []".to_owned());
        } else {
            lines.push("    channels:".to_owned());
            lines.extend(channels.into_iter().map(|channel| format!("      - {channel}")));
        }
    }
    lines.push(format!("  - {{ name: {NOBODY}, channels: [] }}"));
    lines.push("route:".to_owned());
    lines.push(format!("  receiver: {NOBODY}"));
    let bound = bound(import, &names);
    if !bound.is_empty() {
        lines.push("  routes:".to_owned());
    }
    for name in bound.keys() {
        let matcher = quoted(&format!("{LABEL}={}", quoted(name)));
        lines.push(format!("    - {{ matchers: [{matcher}], receiver: {} }}", quoted(name)));
    }
    let mut labels = Vec::new();
    for (name, jobs) in &bound {
        labels.extend(job_labels(jobs, &[(LABEL, *name)]));
    }
    for ((team, owner), jobs) in owned(&import.entries) {
        labels.extend(job_labels(&jobs, &[("team", team), ("owner", owner)]));
    }
    if !labels.is_empty() {
        lines.push("job_labels:".to_owned());
        lines.extend(labels);
    }
    drafted.unheard = unheard(import);
    lines.extend(told(kind, &drafted.unheard));
    drafted.yaml = lines.join("\n");
    drafted
}

/// A name for the receiver of each way, each its own.
fn receivers(ways: &[Way]) -> Vec<String> {
    let mut taken = BTreeSet::from([NOBODY.to_owned()]);
    let own = |way: &Way| {
        let name = line(&way.name);
        let name = if taken.contains(&name) { format!("{name}-{}", way.id) } else { name };
        taken.insert(name.clone());
        name
    };
    ways.iter().map(own).collect()
}

/// Names of jobs by the receiver that is to hear of them.
fn bound<'i>(import: &'i Import, names: &'i [String]) -> BTreeMap<&'i str, BTreeSet<&'i str>> {
    let mut bound: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for entry in import.entries.iter().filter(|entry| !entry.name.is_empty()) {
        let of = |(way, _): &(&Way, &String)| entry.alert_id.as_ref() == Some(&way.id);
        if let Some((_, name)) = import.ways.iter().zip(names).find(of) {
            bound.entry(name.as_str()).or_default().insert(entry.name.as_str());
        }
    }
    bound
}

/// Names of jobs by team and owner.
fn owned(entries: &[InventoryEntry]) -> BTreeMap<(&str, &str), BTreeSet<&str>> {
    let mut found: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| !entry.name.is_empty()) {
        let team = entry.team.as_deref().unwrap_or_default();
        let owner = entry.owner.as_deref().unwrap_or_default();
        if !(team.is_empty() && owner.is_empty()) {
            found.entry((team, owner)).or_default().insert(entry.name.as_str());
        }
    }
    found
}

fn job_labels(jobs: &BTreeSet<&str>, labels: &[(&str, &str)]) -> Vec<String> {
    let given = labels.iter().filter(|(_, value)| !value.is_empty());
    let labels: Vec<String> =
        given.map(|(name, value)| format!("{name}: {}", quoted(value))).collect();
    let labels = labels.join(", ");
    let names: Vec<String> = jobs.iter().map(|name| regex::escape(name)).collect();
    let entry = |names: &[String]| {
        let regex = quoted(&format!("^(?:{})$", names.join("|")));
        format!("  - {{ from: job_name, regex: {regex}, labels: {{ {labels} }} }}")
    };
    names.chunks(NAMES).map(entry).collect()
}

/// Jobs bound to no alert configuration, or to one without a channel that could be taken over. Of a
/// draft that was never started there is nothing to hear.
fn unheard(import: &Import) -> Vec<String> {
    let speaks = |entry: &&InventoryEntry| {
        let bound = |way: &&Way| entry.alert_id.as_ref() == Some(&way.id);
        import.ways.iter().find(bound).is_some_and(|way| !way.drafts.is_empty())
    };
    let ran = |entry: &InventoryEntry| entry.says != Says::Nothing || entry.job_id.is_some();
    let mut names: Vec<String> = import
        .entries
        .iter()
        .filter(|entry| ran(entry) && !speaks(entry))
        .map(|entry| line(&entry.name))
        .collect();
    names.sort();
    names
}

fn told(kind: Kind, unheard: &[String]) -> Vec<String> {
    if unheard.is_empty() {
        return Vec::new();
    }
    let (count, name) = (unheard.len(), kind.name());
    let mut lines =
        vec![format!("# Nobody hears of these {count} jobs today, as {name} has them:")];
    lines.extend(unheard.iter().take(MAX_LISTED).map(|job| format!("#   {job}")));
    if count > MAX_LISTED {
        lines.push(format!("#   and {} more", count - MAX_LISTED));
    }
    lines
}

fn word(draft: &Draft) -> &'static str {
    match draft {
        Draft::FeishuBot { .. } => "feishu_bot",
        Draft::Dingtalk { .. } => "dingtalk",
        Draft::Wecom { .. } => "wecom",
        Draft::Webhook { .. } => "webhook",
        Draft::Email { .. } => "email",
    }
}

/// One channel on one line; what is secret goes into files.
fn channel(
    draft: &Draft,
    own: Option<&str>,
    folder: &str,
    base: &str,
    files: &mut Vec<(String, SecretString)>,
) -> String {
    let mut keys: Vec<String> = own.iter().map(|own| format!("name: {}", quoted(own))).collect();
    let mut hidden = |key: &str, suffix: &str, secret: Option<&SecretString>| {
        let secret = secret?;
        let file = format!("{base}.{suffix}");
        let path = format!("{}/{file}", folder.trim_end_matches('/'));
        files.push((file, secret.clone()));
        Some(format!("{key}: {}", quoted(&path)))
    };
    match draft {
        Draft::FeishuBot { url, secret, at_all } => {
            keys.extend(hidden("url_file", "url", Some(url)));
            keys.extend(hidden("secret_file", "secret", secret.as_ref()));
            keys.extend(at_all.then(|| "at: [all]".to_owned()));
        }
        Draft::Dingtalk { url, secret, at } => {
            keys.extend(hidden("url_file", "url", Some(url)));
            keys.extend(hidden("secret_file", "secret", secret.as_ref()));
            keys.extend((!at.is_empty()).then(|| format!("at: {}", all(at))));
        }
        Draft::Wecom { url } | Draft::Webhook { url } => {
            keys.extend(hidden("url_file", "url", Some(url)));
        }
        Draft::Email { to, smtp } => {
            let unknown = Smtp {
                url: "smtps://name-your-mail-server:465".to_owned(),
                password: None,
                from: "weir@example.com".to_owned(),
            };
            let smtp = smtp.as_ref().unwrap_or(&unknown);
            keys.push(format!("smtp_url: {}", quoted(&smtp.url)));
            keys.extend(hidden("password_file", "password", smtp.password.as_ref()));
            keys.push(format!("from: {}", quoted(&smtp.from)));
            keys.push(format!("to: {}", all(to)));
        }
    }
    format!("{}: {{ {} }}", word(draft), keys.join(", "))
}

fn all(items: &[String]) -> String {
    let items: Vec<String> = items.iter().map(|item| quoted(item)).collect();
    format!("[{}]", items.join(", "))
}

/// A text as YAML reads it; JSON's quotes are YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// On one line, as comments and names are.
fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Letters and digits only: whatever an id is, it names no other folder.
fn file_name(id: &str) -> String {
    id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

#[cfg(test)]
#[path = "draft_tests.rs"]
mod tests;
