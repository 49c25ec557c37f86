//! What is possible to write and cannot be meant.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Rule;
use super::file::Surroundings;
use super::kinds::{Condition, Span};
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

/// Why an alert can never fire, and the way out, if so: by its condition alone where sources are
/// looked at this often, or together with `for`.
pub(super) fn impossible(
    when: &Condition,
    hold: Duration,
    poll: Option<Duration>,
) -> Option<(String, String)> {
    if let Some(what) = poll.and_then(|poll| when.impossible(poll)) {
        let hint = "widen it, or poll more often with `poll.interval`".to_owned();
        return Some((format!("can never be true: {what}"), hint));
    }
    let lasts = when.lasts().filter(|lasts| hold >= *lasts)?;
    let what = format!(
        "can never fire: {} is true for {lasts:?} at most, and `for` is {hold:?}",
        when.name()
    );
    Some((what, "shorten `for`".to_owned()))
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
    use crate::model::Problem;
    use crate::rules::{RuleSet, RuleSource, Surroundings, parse_in};

    use super::*;

    fn read(text: &str, poll_s: u64) -> Result<RuleSet, Vec<Problem>> {
        let around =
            Surroundings { poll: Some(Duration::from_secs(poll_s)), ..Surroundings::default() };
        parse_in(&[RuleSource { file: "r.yaml", text }], &around)
    }

    fn rule(when: &str, hold: &str) -> String {
        format!(
            "groups:\n  - name: g\n    rules:\n      - alert: A\n        when: {when}\n        for: {hold}\n"
        )
    }

    /// What is said of a rule alone, with a poll of 100 s.
    fn said(when: &str, hold: &str) -> String {
        let all = match read(&rule(when, hold), 100) {
            Ok(set) => set.warnings,
            Err(problems) => problems,
        };
        all.iter().flat_map(|p| [p.to_string(), "\n".to_owned()]).collect()
    }

    /// Nobody can mend a file that came with Weir.
    #[test]
    fn the_rules_that_come_with_weir_are_above_reproach() {
        let files: Vec<RuleSource<'_>> = [super::super::SHIPPED, super::super::OPTIONAL]
            .concat()
            .into_iter()
            .map(|(file, text)| RuleSource { file, text })
            .collect();
        let poll = Some(Duration::from_secs(10));
        let set = parse_in(&files, &Surroundings { poll, ..Surroundings::default() }).unwrap();
        assert_eq!(set.warnings, []);
    }

    #[test]
    fn what_can_never_be_true_is_named() {
        let short = "is shorter than two polls of 100s";
        for (when, sign) in [
            ("{ failure_rate: { count: 2, window: 3m } }", short),
            ("{ lag: { above: 1, growing_for: 3m } }", short),
            ("{ lag: { above: 1, catch_up_above: 1h, catch_up_over: 3m } }", short),
            (
                "{ lag: { above: 1, growing_for: 10m, catch_up_above: 1h, catch_up_over: 3m } }",
                short,
            ),
            ("{ consumer_stuck: { window: 3m } }", short),
            ("{ throughput_drop: { compare_to: previous_hour, window: 3m } }", short),
            ("{ throughput_stalled: { compare_to: same_time_yesterday, window: 1m } }", short),
            ("{ metric: { id: x, scope: job, window: 3m, above: 1 } }", short),
            ("{ restored_from_scratch: { within: 2m } }", short),
            ("{ any: [job_missing, { not: { consumer_stuck: { window: 3m } } }] }", short),
        ] {
            let said = said(when, "0s");
            assert!(said.starts_with("r.yaml:5:15: can never be true: "), "{when}: {said}");
            assert!(said.contains(sign) && said.lines().count() == 1, "{when}: {said}");
        }
        for when in [
            "{ failure_rate: { count: 2, window: 4m } }",
            "{ lag: { above: 1, growing_for: 4m } }",
            "{ consumer_stuck: {} }",
            "{ crash_loop: {} }",
            "{ throughput_stalled: { compare_to: same_time_last_week } }",
            "{ metric: { id: x, scope: job, above: 1 } }",
        ] {
            assert_eq!(said(when, "0s"), "", "{when}");
        }
    }

    #[test]
    fn an_alert_that_waits_longer_than_it_is_true_can_never_fire() {
        for (when, hold, sign) in [
            (
                "{ jobmanager_restarted: {} }",
                "10m",
                "jobmanager_restarted is true for 600s at most",
            ),
            ("{ restored_from_scratch: { within: 5m } }", "1h", "and `for` is 3600s"),
            (
                "{ all: [{ job_state: { any_of: [RUNNING] } }, { restored_from_scratch: {} }] }",
                "1h",
                "all is true for 3600s",
            ),
        ] {
            let said = said(when, hold);
            assert!(said.contains("can never fire: ") && said.contains(sign), "{when}: {said}");
        }
        for (when, hold) in [
            ("{ jobmanager_restarted: {} }", "5m"),
            ("{ any: [{ job_state: { any_of: [FAILED] } }, { restored_from_scratch: {} }] }", "2h"),
        ] {
            assert_eq!(said(when, hold), "", "{when}");
        }
    }

    #[test]
    fn limits_shorter_than_two_polls_are_worth_a_word() {
        for (when, name) in [
            ("{ start_stuck: { after: 3m } }", "start_stuck.after"),
            ("{ all: [{ checkpoint_stuck: { after: 3m } }] }", "checkpoint_stuck.after"),
        ] {
            let said = said(when, "0s");
            assert!(
                said.contains(&format!("warning: {name} of 180s is shorter")),
                "{when}: {said}"
            );
        }
        assert_eq!(said("{ start_stuck: {} }", "0s"), "");
        assert_eq!(said("{ checkpoint_stuck: { of_timeout: 0.5 } }", "0s"), "");
    }

    #[test]
    fn forms_by_overrides_are_looked_at_too() {
        let text = format!(
            "overrides:\n  - {{ matchers: ['team=\"a\"'], alert: A, set: {{ for: 20m }} }}\n  \
             - {{ matchers: ['team=\"b\"'], alert: B, set: {{ when: {{ consumer_stuck: {{ window: 2m }} }} }} }}\n  \
             - {{ matchers: ['team=\"c\"'], alert: A, set: {{ when: {{ jobmanager_restarted: {{ within: 30m }} }}, for: 20m }} }}\n{}      \
             - alert: B\n        when: consumer_stuck\n      - alert: B b\n        when: job_missing\n",
            rule("jobmanager_restarted", "0s")
        );
        let problems = read(&text, 100).unwrap_err();
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), 3, "{said:#?}");
        // By line, though the third was found while the rules were read.
        assert!(
            said[0].starts_with("r.yaml:2:") && said[0].contains("for rule A: can never fire"),
            "{said:#?}"
        );
        assert!(
            said[1].starts_with("r.yaml:3:") && said[1].contains("for rule B: can never be true"),
            "{said:#?}"
        );
        assert!(said[2].contains("`B b`"), "{said:#?}");
    }

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
