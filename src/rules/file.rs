//! Rule files: Prometheus' envelope with typed conditions.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use super::kinds::{Condition, Span};
use super::{Annotations, Rule, RuleSet};
use crate::model::{Aspect, Labels, Matcher, Problem, RuleId, Severity};
use crate::yaml::findings::Findings;
use crate::yaml::{self, At, Place};

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
    pub alert: At<String>,
    /// Exactly one kind of condition.
    pub when: At<Condition>,
    /// Only subjects whose labels match, in Alertmanager's syntax: `env="prod"`.
    #[serde(default)]
    pub matchers: Vec<At<String>>,
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
    pub labels: BTreeMap<String, At<String>>,
    /// Templates; a key ending in `_zh` is the Chinese of the key before it.
    #[serde(default)]
    pub annotations: BTreeMap<String, At<String>>,
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
        let mut findings = Findings::new(source.file);
        let file: Option<RawFile> = yaml::read(source.text, &mut findings);
        for group in file.map(|f| f.groups).unwrap_or_default() {
            for rule in group.rules {
                set.rules.extend(build(&group.name, rule, &mut seen, &mut findings));
            }
        }
        if set.rules.len() > MAX_RULES {
            let what = format!("more than {MAX_RULES} rules in all files together");
            let hint = "use matchers and labels instead of a rule per job".to_owned();
            findings.error(Place::default(), what, hint);
        }
        if let Err(found) = findings.finish(Some(())) {
            problems.extend(found);
        }
    }
    if problems.is_empty() { Ok(set) } else { Err(problems) }
}

fn build(
    group: &str,
    raw: RawRule,
    seen: &mut BTreeSet<RuleId>,
    findings: &mut Findings,
) -> Option<Rule> {
    let name = raw.alert.value;
    let usable = |c: char| c.is_alphanumeric() || "_-".contains(c);
    if name.is_empty() || !name.chars().all(usable) {
        let hint = "letters, digits, _ and - only, such as JobFailed".to_owned();
        findings.error(raw.alert.place, format!("`{name}` is not usable as a label"), hint);
    }
    let mut labels = Labels::default();
    let mut severity = Severity::default();
    for (key, value) in raw.labels {
        if key != "severity" {
            labels.set(&key, value.value);
            continue;
        }
        match Severity::parse(&value.value) {
            Some(known) => severity = known,
            None => findings.error(
                value.place,
                format!("unknown severity `{}`", value.value),
                "critical, warning or info".to_owned(),
            ),
        }
    }
    if let Some(what) = raw.when.value.problem() {
        findings.error(raw.when.place, what, None);
    }
    let mut matchers = Vec::new();
    for matcher in raw.matchers {
        match Matcher::parse(&matcher.value) {
            Ok(matcher) => matchers.push(matcher),
            Err(error) => findings.error(matcher.place, error.to_string(), None),
        }
    }
    let mut annotations = Annotations::default();
    for (key, template) in raw.annotations {
        if let Err(error) = annotations.add(&key, &template.value) {
            let hint = "handlebars, e.g. {{job_name}} or {{duration age_seconds}}".to_owned();
            findings.error(template.place, format!("annotation {key}: {error}"), hint);
        }
    }
    let id = RuleId { group: group.to_owned(), alert: name, severity };
    if !seen.insert(id.clone()) {
        let hint = "group, alert and severity together name a rule; change one of them".to_owned();
        findings.error(raw.alert.place, format!("rule {id} exists twice"), hint);
    }
    let aspect = raw.aspect.unwrap_or_else(|| raw.when.value.aspect().to_owned());
    findings.only_warnings().then(|| Rule {
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
    fn one_mistake_does_not_hide_another() {
        let found = problems(
            "groups:\n  - name: g\n    rules:\n      - alert: A\n        when: { job_stat: {} }\n      - alert: B\n        wen: 1\n        for: 5\n",
        );
        assert_eq!(found.len(), 3, "{found:#?}");
        assert!(found[0].contains("did you mean `job_state`"), "{found:#?}");
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
        assert!(key[0].contains("`when` is missing"), "{key:?}");
        assert!(key[1].starts_with("r.yaml:5:9: unknown key `if`"), "{key:?}");
    }
}
