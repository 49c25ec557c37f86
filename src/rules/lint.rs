//! What is possible to write and cannot be meant.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Rule;
use super::file::Surroundings;
use super::kinds::Span;
use super::labels::KNOWN;
use crate::model::{Labels, Problem};
use crate::yaml::findings::Findings;
use crate::yaml::{At, Place, suggest};

/// Longer waits are a typing mistake.
const LONGEST_WAIT: Duration = Duration::from_hours(30 * 24);
/// An alert that stays for longer after its end tells nobody anything.
const LONG_KEEP: Duration = Duration::from_hours(24);

/// `for` and `keep_firing_for`.
pub(super) fn waits(
    hold: Option<At<Span>>,
    keep: Option<At<Span>>,
    poll: Option<Duration>,
    findings: &mut Findings,
) {
    for (name, wait) in [("for", hold), ("keep_firing_for", keep)] {
        if let Some(At { value, place }) = wait.filter(|w| w.value.0 > LONGEST_WAIT) {
            let days = value.0.as_secs() / 86_400;
            findings.error(place, format!("`{name}` of {days} days"), "30d at most".to_owned());
        }
    }
    if let Some(At { value, place }) = hold
        && let Some(poll) = poll
        && !value.0.is_zero()
        && value.0 < poll
    {
        let what = format!("`for` of {:?} is shorter than a poll of {poll:?}", value.0);
        let hint = "it waits for the next look all the same; 0s fires at the first".to_owned();
        findings.warn(place, what, hint);
    }
    if let Some(At { value, place }) = keep
        && (LONG_KEEP..=LONGEST_WAIT).contains(&value.0)
        && value.0 > LONG_KEEP
    {
        let hint = "the end is told so much later".to_owned();
        findings.warn(place, "`keep_firing_for` of more than a day", hint);
    }
}

/// Values that annotations name and the rule does not have: they would be left out.
pub(super) fn names(
    rule: &Rule,
    places: &BTreeMap<String, Place>,
    around: &Surroundings,
    findings: &mut Findings,
) {
    let mut known: BTreeSet<&str> = KNOWN.into_iter().collect();
    known.extend(rule.when.evidence());
    known.extend(rule.labels.0.keys().map(String::as_str));
    known.extend(rule.matchers.iter().map(|m| m.name.as_str()));
    known.extend(around.labels.iter().flatten().map(String::as_str));
    for (key, names) in rule.annotations.names() {
        let place = places.get(key).copied().unwrap_or_default();
        for name in names.iter().filter(|name| !known.contains(name.as_str())) {
            let values = rule.when.evidence();
            if let Some(near) = suggest::nearest(name, known.iter().copied()) {
                let what = format!("annotation {key}: this rule never has a value `{name}`");
                findings.error(place, what, format!("did you mean `{near}`?"));
            } else if around.labels.is_some() {
                let what = format!("annotation {key}: this rule never has a value `{name}`");
                let hint = said(rule, &values);
                findings.error(place, what, hint);
            } else {
                let what = format!(
                    "annotation {key} names `{name}`, which is no value of this rule nor a label that is known"
                );
                let hint = format!(
                    "it is left out for jobs without such a label; {}",
                    said(rule, &values)
                );
                findings.warn(place, what, hint);
            }
        }
    }
}

/// What its annotations can name.
fn said(rule: &Rule, values: &[&str]) -> String {
    let labels = "every job: job_name, cluster, flink_cluster, state, root_cause";
    format!("{} has: {}; {labels}", rule.when.name(), values.join(", "))
}

/// Labels every subject may have; the rest is known by the configuration.
const OF_SUBJECTS: [&str; 5] = ["source", "cluster", "namespace", "flink_cluster", "job_name"];

/// Matchers of labels that no job can have: the rule would be about nothing.
pub(super) fn matchers(
    rule: &Rule,
    written: &[At<String>],
    around: &Surroundings,
    findings: &mut Findings,
) {
    let Some(labels) = &around.labels else { return };
    let mut known: BTreeSet<&str> = OF_SUBJECTS.into_iter().collect();
    known.extend(labels.iter().map(String::as_str));
    for matcher in &rule.matchers {
        let Some(at) = written.iter().find(|w| w.value == matcher.text) else { continue };
        if known.contains(matcher.name.as_str()) || matcher.matches(&Labels::default()) {
            continue;
        }
        let name = &matcher.name;
        let what = format!("no job has a label `{name}`: {} is about nothing", rule.id.alert);
        let list = known.iter().copied().collect::<Vec<_>>().join(", ");
        let hint = match suggest::nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`? labels: {list}"),
            None => format!("labels: {list}; set it by `job_labels` or at the source"),
        };
        findings.warn(at.place, what, hint);
    }
}

/// Rules about sources that are not there.
pub(super) fn sources(
    rule: &Rule,
    written: &[At<String>],
    around: &Surroundings,
    findings: &mut Findings,
) {
    let Some(sources) = &around.sources else { return };
    for matcher in rule.matchers.iter().filter(|m| m.name == "cluster" || m.name == "source") {
        let any = sources.iter().any(|name| {
            let labels = [(matcher.name.as_str(), name.as_str())];
            matcher.matches(&Labels::from(labels))
        });
        if !any {
            let place = written.iter().find(|w| w.value == matcher.text).map(|w| w.place);
            let names: Vec<&str> = sources.iter().map(String::as_str).collect();
            findings.warn(
                place.unwrap_or_default(),
                format!("no configured source can feed {}: none fits {matcher}", rule.id.alert),
                format!("sources: {}", names.join(", ")),
            );
        }
    }
}

/// Rules that say the same as others, and names that stand for two.
pub(super) fn alike(rules: &[Rule]) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut by_kind: BTreeMap<String, Vec<&Rule>> = BTreeMap::new();
    for rule in rules {
        let texts: Vec<&str> = rule.matchers.iter().map(|m| m.text.as_str()).collect();
        let key = format!("{:?}{texts:?}{:?}", rule.when, rule.hold);
        let same = by_kind.entry(key).or_default();
        if let Some(first) = same.iter().find(|r| r.active == rule.active) {
            let (file, place) = &rule.origin;
            found.push(Problem {
                file: file.to_string(),
                line: place.line,
                column: place.column,
                what: format!("{} and {} ask the same of the same jobs", first.id, rule.id),
                hint: Some("remove one, or tell them apart by `matchers` or `for`".to_owned()),
                warning: true,
            });
        }
        same.push(rule);
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::rules::{RuleSource, Surroundings, parse_in};

    #[test]
    fn matchers_of_labels_no_job_has_are_told() {
        let labels = Some(["team".to_owned()].into());
        let around = Surroundings { labels, ..Surroundings::default() };
        for (matcher, said) in [
            (r#"team="payments""#, None),
            (r#"job_name=~"orders.*""#, None),
            (r#"owner!="nobody""#, None),
            (r#"teem="payments""#, Some("did you mean `team`?")),
            (r#"name="orders""#, Some("no job has a label `name`")),
        ] {
            let text = format!(
                "groups: [{{ name: g, rules: [{{ alert: A, when: job_missing, matchers: ['{matcher}'] }}] }}]"
            );
            let set = parse_in(&[RuleSource { file: "r", text: &text }], &around).unwrap();
            let told: Vec<String> = set.warnings.iter().map(ToString::to_string).collect();
            match said {
                None => assert!(told.is_empty(), "{matcher}: {told:?}"),
                Some(said) => assert!(told.concat().contains(said), "{matcher}: {told:?}"),
            }
        }
    }
}
