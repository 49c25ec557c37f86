//! `overrides`: changes for some subjects to one rule or several, as they were written, and what
//! one of them (or several together) makes of a rule.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Rule;
use super::intervals::{IntervalBook, named};
use super::kinds::Condition;
use super::labels::check_name;
use super::raw::RawOverride;
use crate::model::{Labels, Matcher, Problem, Severity, TimeIntervals};
use crate::yaml::findings::Findings;
use crate::yaml::tree::{Entry, Kind, Node, Place, Scalar, Style, excerpt};
use crate::yaml::{At, reader};

/// Conditions that are made of others: parameters are those of the kinds inside.
const COMPOSED: [&str; 3] = ["all", "any", "not"];

/// A change for some subjects.
#[derive(Debug, Clone)]
pub struct Override {
    /// The file it stands in.
    pub(super) file: Arc<str>,
    pub(super) place: Place,
    pub(super) matchers: Vec<Matcher>,
    pub(super) alerts: Vec<String>,
    group: Option<String>,
    severity: Option<Severity>,
    pub(super) delta: Delta,
}

/// A parameter as written.
#[derive(Debug, Clone)]
pub(super) struct Param {
    pub(super) file: Arc<str>,
    pub(super) place: Place,
    pub(super) node: Node,
}

/// What is different.
#[derive(Debug, Clone, Default)]
pub(super) struct Delta {
    /// By kind and parameter.
    pub(super) params: BTreeMap<(String, String), Param>,
    pub(super) hold: Option<Duration>,
    pub(super) keep: Option<Duration>,
    pub(super) active: Option<Vec<Arc<TimeIntervals>>>,
    pub(super) severity: Option<Severity>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) enabled: Option<bool>,
}

impl Delta {
    /// This, with what `later` sets in the place of the same.
    pub(super) fn then(&self, later: &Delta) -> Delta {
        let mut both = self.clone();
        both.params.extend(later.params.clone());
        both.labels.extend(later.labels.clone());
        both.hold = later.hold.or(both.hold);
        both.keep = later.keep.or(both.keep);
        both.active = later.active.clone().or(both.active);
        both.severity = later.severity.or(both.severity);
        both.enabled = later.enabled.or(both.enabled);
        both
    }

    /// Equal for equal changes.
    pub(super) fn key(&self) -> String {
        let params: Vec<_> = self.params.iter().map(|(at, p)| (at, text_of(&p.node))).collect();
        let active =
            self.active.as_ref().map(|all| all.iter().map(|i| &i.name).collect::<Vec<_>>());
        let Delta { hold, keep, severity, labels, enabled, .. } = self;
        format!("{params:?}{hold:?}{keep:?}{active:?}{severity:?}{labels:?}{enabled:?}")
    }

    /// Without parameters of kinds the condition does not have.
    pub(super) fn fitting(&self, written: &Node) -> Delta {
        let mut delta = self.clone();
        delta.params.retain(|(kind, _), _| count(written, kind) > 0);
        delta
    }

    /// Whether nothing is different.
    pub(super) fn is_empty(&self) -> bool {
        self.key() == Delta::default().key()
    }

    /// The rule with all of it changed.
    pub(super) fn apply(&self, rule: &Rule) -> Result<Rule, Vec<Problem>> {
        let mut changed = rule.clone();
        changed.variants = super::Variants::default();
        if let (Some(written), false) = (&rule.written, self.params.is_empty()) {
            let (when, node) = self.condition(rule, written)?;
            changed.when = when;
            changed.written = Some(Arc::new(node));
        }
        changed.hold = self.hold.unwrap_or(changed.hold);
        changed.keep_firing_for = self.keep.unwrap_or(changed.keep_firing_for);
        changed.active = self.active.clone().unwrap_or(changed.active);
        changed.id.severity = self.severity.unwrap_or(changed.id.severity);
        changed.enabled = self.enabled.unwrap_or(changed.enabled);
        for (name, value) in &self.labels {
            changed.labels.set(name, value.as_str());
        }
        Ok(changed)
    }

    fn condition(&self, rule: &Rule, written: &Node) -> Result<(Condition, Node), Vec<Problem>> {
        let mut tree = written.clone();
        let alert = &rule.id.alert;
        let Some(first) = self.params.values().next() else {
            return Ok((rule.when.clone(), tree));
        };
        let mut findings = Findings::new(&first.file);
        for ((kind, name), param) in &self.params {
            match count(written, kind) {
                0 => findings.error(
                    param.place,
                    format!("rule {alert} has no `{kind}`"),
                    format!("its condition: {}", kinds(written).join(", ")),
                ),
                1 => set(&mut tree, kind, name, param),
                many => findings.error(
                    param.place,
                    format!("rule {alert} has `{kind}` {many} times: which one is meant is not said"),
                    "copy the rule with `matchers` under another name, and switch this one off with \
                     `enabled: false` for them"
                        .to_owned(),
                ),
            }
        }
        let read = findings.only_warnings().then(|| {
            let mut next = 0;
            number(&mut tree, &mut next);
            reader::read::<Condition>(&tree, &mut findings)
        });
        let when = read.flatten();
        if let Some(what) = when.as_ref().and_then(Condition::problem)
            && findings.only_warnings()
        {
            findings.error(first.place, format!("for rule {alert}: {what}"), None);
        }
        let (when, _) = findings.finish(when)?;
        Ok((when, tree))
    }
}

impl Override {
    /// Whether it means this rule: by exact name, by pattern, or not at all.
    pub(super) fn means(&self, rule: &Rule) -> Option<Meant> {
        let fits = self.group.as_ref().is_none_or(|group| *group == rule.id.group)
            && self.severity.is_none_or(|severity| severity == rule.id.severity);
        if !fits {
            return None;
        }
        if self.alerts.contains(&rule.id.alert) {
            return Some(Meant::ByName);
        }
        let wild = |pattern: &String| crate::yaml::wild::matches(pattern, &rule.id.alert);
        self.alerts.iter().any(wild).then_some(Meant::ByPattern)
    }

    /// A problem at its place.
    pub(super) fn problem(&self, what: String, hint: Option<String>) -> Problem {
        let Place { line, column } = self.place;
        Problem { file: self.file.to_string(), line, column, what, hint, warning: false }
    }
}

/// How an override means a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meant {
    ByName,
    ByPattern,
}

/// Reads the overrides of a file whose tree this is; mistakes are reported.
pub(crate) fn build_overrides(
    written: Vec<At<RawOverride>>,
    tree: &crate::yaml::tree::Node,
    file: &str,
    intervals: &IntervalBook,
    findings: &mut Findings,
) -> Vec<Override> {
    let file: Arc<str> = file.into();
    let nodes = tree.get("overrides").map_or(&[][..], Node::items);
    let mut built = Vec::with_capacity(written.len());
    for At { value: raw, place } in written {
        let node = nodes.iter().find(|n| n.place == place).and_then(|n| n.get("set"));
        let mut delta = Delta {
            hold: raw.set.hold.map(|s| s.value.0),
            keep: raw.set.keep_firing_for.map(|s| s.value.0),
            enabled: raw.set.enabled,
            active: raw.set.active_time_intervals.map(|n| named(&n, intervals, findings)),
            ..Delta::default()
        };
        if let Some(when) = node.and_then(|n| n.get("when")) {
            params(when, &file, &mut delta, findings);
        }
        for (name, value) in raw.set.labels {
            if name == "severity" {
                delta.severity = Severity::parse(&value.value);
                if delta.severity.is_none() {
                    let what = format!("unknown severity `{}`", excerpt(&value.value));
                    findings.error(value.place, what, "critical, warning or info".to_owned());
                }
            } else if check_name(&name, value.place, findings) {
                delta.labels.insert(name, value.value);
            }
        }
        if delta.is_empty() && findings.only_warnings() {
            findings.error(place, "this override sets nothing", "add to `set:`".to_owned());
        }
        built.push(Override {
            file: Arc::clone(&file),
            place: raw.alert.place,
            matchers: super::labels::matchers(&raw.matchers, findings),
            alerts: raw.alert.value.0,
            group: raw.group,
            severity: raw.severity,
            delta,
        });
    }
    built
}

/// Only those subjects: what a file may do that is read for somebody's jobs.
pub(super) fn enforce(overrides: &mut [Override], matchers: &[Matcher]) {
    for one in overrides {
        one.matchers.extend(matchers.iter().cloned());
    }
}

fn params(when: &Node, file: &Arc<str>, delta: &mut Delta, findings: &mut Findings) {
    if !matches!(when.kind, Kind::Map(_)) {
        let what = format!("expected parameters by kind, found {}", when.describe());
        findings.error(when.place, what, "write `when: { lag: { above: 1000000 } }`".to_owned());
    }
    for entry in when.entries() {
        let kind = entry.key.as_str();
        if COMPOSED.contains(&kind) {
            findings.error(
                entry.place,
                format!("`{kind}` has no parameters"),
                "name a kind inside of it: `when: { lag: { above: 1000000 } }`".to_owned(),
            );
            continue;
        } else if !Condition::KINDS.contains(&kind) {
            let near = crate::yaml::suggest::nearest(kind, Condition::KINDS.iter().copied());
            let known = Condition::KINDS.join(", ");
            let hint = near.map_or_else(
                || format!("expected: {known}"),
                |near| format!("did you mean `{near}`? expected: {known}"),
            );
            findings.error(entry.place, format!("unknown kind `{}`", excerpt(kind)), hint);
            continue;
        } else if entry.value.entries().is_empty() {
            let what = format!("expected parameters of `{kind}`, found {}", entry.value.describe());
            findings.error(entry.value.place, what, None);
        }
        for Entry { key, place, value } in entry.value.entries() {
            let param = Param { file: Arc::clone(file), place: *place, node: value.clone() };
            delta.params.insert((kind.to_owned(), key.clone()), param);
        }
    }
}

/// Kinds in a condition as written.
pub(super) fn kinds(node: &Node) -> Vec<String> {
    let mut found = Vec::new();
    visit(node, &mut |kind| found.push(kind.to_owned()));
    found
}

fn count(node: &Node, kind: &str) -> usize {
    let mut count = 0;
    visit(node, &mut |found| count += usize::from(found == kind));
    count
}

fn visit(node: &Node, found: &mut dyn FnMut(&str)) {
    if let Some(word) = node.text() {
        found(word);
    }
    for Entry { key, value, .. } in node.entries() {
        if !COMPOSED.contains(&key.as_str()) {
            found(key);
        } else if key == "not" {
            visit(value, found);
        } else {
            value.items().iter().for_each(|item| visit(item, found));
        }
    }
}

/// Sets a parameter of the first (and only) condition of this kind.
fn set(node: &mut Node, kind: &str, name: &str, param: &Param) {
    if node.text() == Some(kind) {
        // The bare word stands for all defaults.
        let value = Node { kind: Kind::Map(Vec::new()), ..node.clone() };
        let entry = Entry { key: kind.to_owned(), place: node.place, value };
        node.kind = Kind::Map(vec![entry]);
    }
    let Kind::Map(entries) = &mut node.kind else { return };
    for Entry { key, value, .. } in entries {
        if key == kind {
            if !matches!(value.kind, Kind::Map(_)) {
                value.kind = Kind::Map(Vec::new());
            }
            let Kind::Map(params) = &mut value.kind else { return };
            params.retain(|p| p.key != name);
            let value = param.node.clone();
            params.push(Entry { key: name.to_owned(), place: param.place, value });
        } else if key == "not" {
            set(value, kind, name, param);
        } else if COMPOSED.contains(&key.as_str())
            && let Kind::List(items) = &mut value.kind
        {
            for item in items {
                set(item, kind, name, param);
            }
        }
    }
}

/// Gives every node its own number again.
fn number(node: &mut Node, next: &mut u32) {
    node.id = *next;
    *next += 1;
    match &mut node.kind {
        Kind::List(items) => items.iter_mut().for_each(|item| number(item, next)),
        Kind::Map(entries) => entries.iter_mut().for_each(|e| number(&mut e.value, next)),
        Kind::Scalar(_) => {}
    }
}

fn text_of(node: &Node) -> String {
    match &node.kind {
        Kind::Scalar(scalar) => format!("{:?}", scalar.text),
        Kind::List(items) => {
            let items: Vec<String> = items.iter().map(text_of).collect();
            format!("[{}]", items.join(","))
        }
        Kind::Map(entries) => {
            let text = |e: &Entry| format!("{:?}:{}", e.key, text_of(&e.value));
            format!("{{{}}}", entries.iter().map(text).collect::<Vec<_>>().join(","))
        }
    }
}

/// A value that was not written in a file: a number, a truth value or a word, whatever it reads as.
pub(super) fn scalar(text: &str) -> Node {
    let scalar = Scalar { text: text.to_owned(), style: Style::Expanded, shown: None };
    Node { id: 0, place: Place::default(), kind: Kind::Scalar(scalar) }
}

/// Labels every rule of a file gets, as matchers.
pub(super) fn as_matchers(labels: &Labels) -> Vec<Matcher> {
    labels.0.iter().map(|(name, value)| Matcher::exact(name, value)).collect()
}
