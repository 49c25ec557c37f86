//! Rule files: Prometheus' envelope with typed conditions.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::{Location, Spanned};

use super::kinds::{Condition, Span};
use super::{Annotations, Rule, RuleSet};
use crate::model::{Aspect, Labels, Matcher, Problem, RuleId, Severity};

/// Most rules in all files together: a bound on a mistake, not on people.
const MAX_RULES: usize = 10_000;

/// The text of a rule file and the name people know it by.
#[derive(Debug, Clone, Copy)]
pub struct RuleSource<'a> {
    /// For messages.
    pub file: &'a str,
    /// YAML.
    pub text: &'a str,
}

/// A rule file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawFile {
    /// Groups of rules.
    #[schemars(with = "Vec<RawGroup>")]
    pub groups: Vec<RawGroup>,
}

/// A group: a name that is part of its rules' identity.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawGroup {
    /// Name.
    pub name: String,
    /// Rules.
    pub rules: Vec<RawRule>,
}

/// One rule.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawRule {
    /// Name of the alert, in `CamelCase` by custom.
    #[schemars(with = "String")]
    pub alert: Spanned<String>,
    /// Exactly one kind of condition.
    #[schemars(with = "Condition")]
    pub when: Spanned<Condition>,
    /// Only subjects whose labels match, in Alertmanager's syntax: `env="prod"`.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub matchers: Vec<Spanned<String>>,
    /// Must hold for so long before it fires.
    #[serde(default, rename = "for")]
    pub hold: Option<Span>,
    /// Keeps firing for so long after it was last true.
    #[serde(default)]
    pub keep_firing_for: Option<Span>,
    /// Aspect of its incidents, where it is not the kind's.
    #[serde(default)]
    pub aspect: Option<String>,
    /// Labels added to the subject's; `severity` is `critical`, `warning` (default) or `info`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub labels: BTreeMap<String, Spanned<String>>,
    /// Templates; a key ending in `_zh` is the Chinese of the key before it.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub annotations: BTreeMap<String, Spanned<String>>,
}

/// Reads rule files; reports everything that is wrong with them at once.
///
/// # Errors
/// All problems, with their places.
pub fn parse(sources: &[RuleSource<'_>]) -> Result<RuleSet, Vec<Problem>> {
    let mut set = RuleSet::default();
    let mut problems = Vec::new();
    let mut seen = BTreeSet::new();
    for source in sources {
        match serde_saphyr::from_str::<RawFile>(source.text) {
            Ok(file) => {
                for group in file.groups {
                    for rule in group.rules {
                        let mut reader = Reader { file: source.file, problems: &mut problems };
                        let rule = reader.rule(&group.name, rule, &mut seen);
                        set.rules.extend(rule);
                    }
                }
            }
            Err(error) => problems.push(syntax_problem(source.file, &error)),
        }
    }
    if set.rules.len() > MAX_RULES {
        problems.push(Problem {
            file: sources.last().map_or_else(String::new, |s| s.file.to_owned()),
            line: 0,
            column: 0,
            what: format!("{} rules are more than {MAX_RULES}", set.rules.len()),
            hint: Some("use matchers and labels instead of a rule per job".to_owned()),
            warning: false,
        });
    }
    if problems.is_empty() { Ok(set) } else { Err(problems) }
}

fn syntax_problem(file: &str, error: &serde_saphyr::Error) -> Problem {
    let place = error.location();
    let text = error.without_snippet().to_string();
    let what = text.split(" at line ").next().unwrap_or(&text).trim_start_matches("error: ");
    Problem {
        file: file.to_owned(),
        line: place.map_or(0, |l| l.line() as u32),
        column: place.map_or(0, |l| l.column() as u32),
        what: what.lines().next().unwrap_or_default().to_owned(),
        hint: what
            .contains("unknown variant")
            .then(|| format!("conditions: {}", Condition::KINDS.join(", "))),
        warning: false,
    }
}

struct Reader<'a> {
    file: &'a str,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn problem(&mut self, place: Location, what: String, hint: Option<&str>) {
        self.problems.push(Problem {
            file: self.file.to_owned(),
            line: place.line() as u32,
            column: place.column() as u32,
            what,
            hint: hint.map(str::to_owned),
            warning: false,
        });
    }

    fn rule(&mut self, group: &str, raw: RawRule, seen: &mut BTreeSet<RuleId>) -> Option<Rule> {
        let before = self.problems.len();
        let place = raw.alert.referenced;
        let name = raw.alert.value;
        if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || "_-".contains(c)) {
            let hint = Some("letters, digits, _ and - only, such as JobFailed");
            self.problem(place, format!("alert name `{name}` is not usable as a label"), hint);
        }
        let mut labels = Labels::default();
        let mut severity = Severity::default();
        for (key, value) in raw.labels {
            if key == "severity" {
                match Severity::parse(&value.value) {
                    Some(known) => severity = known,
                    None => self.problem(
                        value.referenced,
                        format!("unknown severity `{}`", value.value),
                        Some("critical, warning or info"),
                    ),
                }
            } else {
                labels.set(&key, value.value);
            }
        }
        if let Some(what) = raw.when.value.problem() {
            self.problem(raw.when.referenced, format!("{name}: {what}"), None);
        }
        let mut matchers = Vec::new();
        for matcher in raw.matchers {
            match Matcher::parse(&matcher.value) {
                Ok(matcher) => matchers.push(matcher),
                Err(error) => self.problem(matcher.referenced, error.to_string(), None),
            }
        }
        let mut annotations = Annotations::default();
        for (key, template) in raw.annotations {
            if let Err(error) = annotations.add(&key, &template.value) {
                let hint = Some("handlebars, e.g. {{job_name}} or {{duration age_seconds}}");
                self.problem(template.referenced, format!("annotation {key}: {error}"), hint);
            }
        }
        let id = RuleId { group: group.to_owned(), alert: name, severity };
        if !seen.insert(id.clone()) {
            let hint = Some("group, alert and severity together name a rule; change one of them");
            self.problem(place, format!("rule {id} exists twice"), hint);
        }
        if self.problems.len() > before {
            return None;
        }
        let aspect = raw.aspect.unwrap_or_else(|| raw.when.value.aspect().to_owned());
        Some(Rule {
            id,
            when: raw.when.value,
            matchers,
            hold: raw.hold.map_or_else(Default::default, |s| s.0),
            keep_firing_for: raw.keep_firing_for.map_or_else(Default::default, |s| s.0),
            labels,
            annotations,
            aspect: Aspect(aspect),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let source = RuleSource { file: "r.yaml", text };
        parse(&[source]).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        let found = problems(
            r#"groups:
  - name: g
    rules:
      - alert: A
        when: { failure_rate: { count: 1, window: 30m } }
        labels: { severity: urgent }
        matchers: ['team']
        annotations: { summary: "{{#if}" }
      - alert: "B b"
        when: { job_state: { any_of: [] } }
"#,
        );
        let text = found.join("\n");
        for sign in [
            "r.yaml:5:",
            "r.yaml:6:29",
            "r.yaml:7:20",
            "r.yaml:8:33",
            "r.yaml:9:16",
            "unknown severity",
        ] {
            assert!(text.contains(sign), "{sign} not in:\n{text}");
        }
    }

    #[test]
    fn unknown_kinds_and_keys_name_the_expected_ones() {
        let unknown = problems(
            "groups:\n  - name: g\n    rules:\n      - alert: A\n        when: { job_stat: {} }\n",
        );
        assert!(
            unknown[0].starts_with("r.yaml:5:") && unknown[0].contains("job_state"),
            "{unknown:?}"
        );
        let key = problems("groups:\n  - name: g\n    rules:\n      - alert: A\n        if: x\n");
        assert!(key[0].starts_with("r.yaml:5:9") && key[0].contains("when"), "{key:?}");
    }
}
