//! Whose job is it: labels that follow from other labels.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::de::At;
use crate::model::{Labels, Matcher, matches_all};
use crate::yaml::findings::Findings;
use crate::yaml::tree::excerpt;

/// As written.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct JobLabelConfig {
    /// Only jobs with these labels.
    pub matchers: Vec<At<String>>,
    /// Label the regular expression is applied to.
    pub from: Option<At<String>>,
    /// With named groups, `(?P<team>[a-z]+)`.
    pub regex: Option<At<String>>,
    /// Labels to set; `{{group}}` stands for what the group matched.
    pub labels: BTreeMap<String, At<String>>,
}

/// Labels that follow from other labels, in the order of the file.
#[derive(Debug, Clone, Default)]
pub struct JobLabels(Vec<JobLabel>);

#[derive(Debug, Clone)]
struct JobLabel {
    matchers: Vec<Matcher>,
    from: Option<(String, Regex)>,
    labels: Vec<(String, Vec<Part>)>,
}

#[derive(Debug, Clone)]
enum Part {
    Text(String),
    Group(String),
}

impl JobLabels {
    /// Names of the labels it may set.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|entry| entry.labels.iter().map(|(name, _)| name.as_str()))
    }

    /// Adds what follows from `labels`; later entries see and overwrite what earlier ones set, and
    /// an empty value removes a label.
    pub fn apply(&self, labels: &mut Labels) {
        for entry in &self.0 {
            entry.apply(labels);
        }
    }
}

impl JobLabel {
    fn apply(&self, labels: &mut Labels) {
        if !matches_all(&self.matchers, labels) {
            return;
        }
        let subject = self.from.as_ref().map(|(from, _)| labels.get(from).to_owned());
        let captures = match (&self.from, &subject) {
            (Some((_, regex)), Some(subject)) => match regex.captures(subject) {
                Some(captures) => Some(captures),
                None => return,
            },
            _ => None,
        };
        for (name, parts) in &self.labels {
            let mut value = String::new();
            for part in parts {
                match part {
                    Part::Text(text) => value.push_str(text),
                    Part::Group(group) => {
                        let found = captures.as_ref().and_then(|c| c.name(group));
                        value.push_str(found.map_or("", |m| m.as_str()));
                    }
                }
            }
            labels.set(name, value);
        }
    }
}

pub(in crate::config) fn build(
    written: Vec<At<JobLabelConfig>>,
    findings: &mut Findings,
) -> JobLabels {
    JobLabels(written.into_iter().map(|entry| build_one(entry, findings)).collect())
}

fn build_one(written: At<JobLabelConfig>, findings: &mut Findings) -> JobLabel {
    let At { value: raw, place } = written;
    let matchers = super::matchers(&raw.matchers, findings);
    let mut broken = false;
    let from = match (&raw.from, &raw.regex) {
        (Some(from), Some(regex)) => {
            match RegexBuilder::new(&regex.value).size_limit(1 << 20).build() {
                Ok(built) => Some((from.value.clone(), built)),
                Err(error) => {
                    let text = error.to_string();
                    let why = text.lines().last().unwrap_or_default().trim();
                    findings.error(
                        regex.place,
                        format!(
                            "invalid regular expression: {}",
                            why.trim_start_matches("error: ")
                        ),
                        Some("groups are written `(?P<team>[a-z]+)`".to_owned()),
                    );
                    broken = true;
                    None
                }
            }
        }
        (Some(at), None) => {
            findings.error(at.place, "`from` without `regex`", Some("add `regex:`".to_owned()));
            broken = true;
            None
        }
        (None, Some(at)) => {
            findings.error(
                at.place,
                "`regex` without `from`",
                Some("add `from: job_name`".to_owned()),
            );
            broken = true;
            None
        }
        (None, None) => None,
    };
    if raw.labels.is_empty() {
        findings.error(place, "this entry sets no `labels`", Some("add `labels:`".to_owned()));
    }
    let groups: Option<Vec<&str>> =
        (!broken).then(|| from.iter().flat_map(|(_, r)| r.capture_names().flatten()).collect());
    let mut labels = Vec::new();
    for (name, value) in &raw.labels {
        check_name(name, value, findings);
        if let Some(parts) = template(value, groups.as_deref(), findings) {
            labels.push((name.clone(), parts));
        }
    }
    JobLabel { matchers, from, labels }
}

fn check_name(name: &str, value: &At<String>, findings: &mut Findings) {
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(fine) || name.starts_with(|c: char| c.is_ascii_digit())
    {
        findings.error(
            value.place,
            format!("`{}` cannot be the name of a label", excerpt(name)),
            Some("use letters, digits and `_`".to_owned()),
        );
    } else if matches!(name, "alertname" | "severity") {
        findings.error(
            value.place,
            format!("label `{name}` belongs to the rule"),
            Some("choose another name".to_owned()),
        );
    }
}

/// Splits `ro-{{region}}`; `groups` is unknown when the expression is broken.
fn template(
    value: &At<String>,
    groups: Option<&[&str]>,
    findings: &mut Findings,
) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = value.value.as_str();
    while let Some((before, after)) = rest.split_once("{{") {
        parts.push(Part::Text(before.to_owned()));
        let Some((name, after)) = after.split_once("}}") else {
            findings.error(value.place, "`{{` without its `}}`", None);
            return None;
        };
        let name = name.trim();
        if let Some(groups) = groups
            && !groups.contains(&name)
        {
            findings.error(
                value.place,
                format!("`{{{{{}}}}}` is no group of the regular expression", excerpt(name)),
                Some(if groups.is_empty() {
                    "name groups with `(?P<name>…)` in `regex`".to_owned()
                } else {
                    format!("its groups: {}", groups.join(", "))
                }),
            );
            return None;
        }
        parts.push(Part::Group(name.to_owned()));
        rest = after;
    }
    parts.push(Part::Text(rest.to_owned()));
    Some(parts)
}
