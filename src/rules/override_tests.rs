//! Overrides and labels that change rules: which form counts, and what is said of mistakes.

use std::time::Duration;

use super::*;
use crate::model::{Labels, Problem};
use crate::rules::kinds::{Amount, Condition};

const RULES: &str = r"groups:
  - name: g
    rules:
      - alert: Behind
        when: { lag: { above: 1000, growing_for: 15m } }
        for: 5m
      - alert: Mixed
        when: { any: [ { lag: { above: 5 } }, { not: { checkpoint_age: { above: 10m } } } ] }
      - alert: Twice
        when: { any: [ { lag: { above: 5 } }, { lag: { above: 6, growing_for: 1m } } ] }
      - alert: Missing
        when: { job_missing: {} }
";

fn parse_both(overrides: &str) -> Result<RuleSet, Vec<Problem>> {
    let both = [
        RuleSource { file: "rules.yaml", text: RULES },
        RuleSource { file: "own.yaml", text: overrides },
    ];
    parse(&both)
}

fn set(overrides: &str) -> RuleSet {
    match parse_both(overrides) {
        Ok(set) => set,
        Err(problems) => panic!("{problems:#?}"),
    }
}

fn said(overrides: &str) -> Vec<String> {
    parse_both(overrides).unwrap_err().iter().map(ToString::to_string).collect()
}

fn rule<'s>(set: &'s RuleSet, alert: &str) -> &'s Rule {
    set.rules.iter().find(|r| r.id.alert == alert).unwrap()
}

fn above(rule: &Rule) -> (f64, bool) {
    let Condition::Lag(lag) = &rule.when else { panic!("{:?}", rule.when) };
    let Amount::Number(above) = lag.above else { panic!("{lag:?}") };
    (above, lag.growing_for.is_some())
}

#[test]
fn only_what_is_given_changes_and_the_later_wins() {
    let set = set(r#"
overrides:
  - { matchers: ['team="ro"'], alert: Behind, set: { when: { lag: { above: 7 } }, for: 1m } }
  - { matchers: ['job_name="x"'], alert: "Beh*", set: { when: { lag: { above: 8 } } } }
  - { matchers: ['job_name="off"'], alert: [Behind, Missing], set: { enabled: false } }
  - { matchers: ['job_name="crit"'], alert: Behind, set: { labels: { severity: critical, tier: "1" } } }
"#);
    let behind = rule(&set, "Behind");
    let form = |labels: &[(&str, &str)]| {
        let mut all = Labels::default();
        for (name, value) in labels {
            all.set(name, *value);
        }
        behind.variants.of(&all).map(|r| (**r).clone())
    };
    assert_eq!(form(&[("team", "ads")]), None);
    let ro = form(&[("team", "ro")]).unwrap();
    assert_eq!((above(&ro), ro.hold), ((7.0, true), Duration::from_mins(1)));
    let both = form(&[("team", "ro"), ("job_name", "x")]).unwrap();
    assert_eq!((above(&both), both.hold), ((8.0, true), Duration::from_mins(1)));
    let alone = form(&[("job_name", "x")]).unwrap();
    assert_eq!((above(&alone), alone.hold), ((8.0, true), Duration::from_mins(5)));
    assert!(!form(&[("job_name", "off")]).unwrap().enabled);
    let crit = form(&[("job_name", "crit")]).unwrap();
    assert_eq!(crit.id.severity, crate::model::Severity::Critical);
    assert_eq!(crit.labels.get("tier"), "1");
    assert!(behind.ids().any(|id| *id == crit.id));
    // Three jobs apart from each other, each with and without the team: no more forms than that.
    assert_eq!(behind.variants.rules().count(), 7);
    assert!(rule(&set, "Mixed").variants.is_empty());
}

#[test]
fn a_kind_inside_others_is_found_by_its_name() {
    let set =
        set("overrides: [{ alert: Mixed, set: { when: { checkpoint_age: { above: 1h } } } }]");
    let form = rule(&set, "Mixed").variants.of(&Labels::default()).unwrap();
    let text = format!("{:?}", form.when);
    assert!(text.contains("3600s") && text.contains("above: Number(5.0)"), "{text}");
}

#[test]
fn mistakes_are_told_where_they_stand() {
    for (text, expected) in [
        (
            "{ alert: Behin, set: { for: 1m } }",
            "own.yaml:2:14: no rule is named `Behin` (did you mean `Behind`?)",
        ),
        ("{ alert: 'X*', set: { for: 1m } }", "own.yaml:2:14: this override means no rule"),
        (
            "{ alert: Behind, set: { when: { lag: { abov: 1 } } } }",
            "own.yaml:2:44: unknown key `abov` (did you mean `above`?",
        ),
        (
            "{ alert: Behind, set: { when: { lag: { above: many } } } }",
            "own.yaml:2:51: `many` is neither a number nor a duration",
        ),
        (
            "{ alert: Behind, set: { when: { lag: { above: -1 } } } }",
            "own.yaml:2:44: for rule Behind: lag.above must be a number from 0 up",
        ),
        (
            "{ alert: Behind, set: { when: { job_state: { any_of: [FAILED] } } } }",
            "own.yaml:2:50: rule Behind has no `job_state` (its condition: lag)",
        ),
        (
            "{ alert: '*', set: { when: { job_state: { any_of: [FAILED] } } } }",
            "own.yaml:2:47: none of the rules it means has `job_state`",
        ),
        (
            "{ alert: Twice, set: { when: { lag: { above: 9 } } } }",
            "own.yaml:2:43: rule Twice has `lag` 2 times",
        ),
        (
            "{ alert: Mixed, set: { when: { any: [] } } }",
            "own.yaml:2:36: `any` has no parameters (name a kind inside of it",
        ),
        (
            "{ alert: Behind, set: { when: { lagg: { above: 9 } } } }",
            "own.yaml:2:37: unknown kind `lagg` (did you mean `lag`?",
        ),
        ("{ alert: Behind, set: {} }", "own.yaml:2:5: this override sets nothing"),
        (
            "{ alert: Behind, matchers: [team], set: { for: 1m } }",
            "own.yaml:2:33: matcher `team` is not of the form",
        ),
        (
            "{ alert: Behind, set: { labels: { severity: high } } }",
            "own.yaml:2:49: unknown severity `high`",
        ),
        (
            "{ alert: 5, set: { for: 1m } }",
            "own.yaml:2:14: expected a name or a list of names, found a number",
        ),
        (
            "{ alert: Behind, set: { active_time_intervals: [night] } }",
            "own.yaml:2:53: unknown time interval `night`",
        ),
    ] {
        let said = said(&format!("overrides:\n  - {text}\n"));
        assert!(said.iter().any(|s| s.starts_with(expected)), "{text}: {said:#?}");
        assert_eq!(said.len(), 1, "{text}: {said:#?}");
    }
}

#[test]
fn a_thousand_jobs_of_their_own_are_a_thousand_forms_and_no_more() {
    use std::fmt::Write as _;
    let mut text = "overrides:\n".to_owned();
    for n in 0..900 {
        let what = if n % 2 == 0 {
            format!("for: {n}s")
        } else {
            format!("when: {{ lag: {{ above: {n} }} }}")
        };
        writeln!(
            text,
            "  - {{ alert: Behind, matchers: ['job_name=\"j{n}\"'], set: {{ {what} }} }}"
        )
        .unwrap();
    }
    let set = set(&text);
    assert_eq!(rule(&set, "Behind").variants.rules().count(), 900);
    // What may hold together multiplies: refused before it does.
    let mut text = "overrides:\n".to_owned();
    for n in 0..40 {
        let name = format!("l{n}");
        writeln!(text, "  - {{ alert: Behind, matchers: ['{name}=~\".+\"'], set: {{ labels: {{ {name}: x }} }} }}").unwrap();
    }
    let said = said(&text);
    assert!(said[0].contains("more than 1000 forms"), "{said:?}");
}

#[test]
fn overrides_of_a_teams_file_change_its_jobs_alone() {
    let text = "overrides: [{ alert: Behind, set: { enabled: false } }]";
    let both =
        [RuleSource { file: "rules.yaml", text: RULES }, RuleSource { file: "own.yaml", text }];
    let mut around = Surroundings::default();
    around.enforce.insert("own.yaml".to_owned(), Labels::from([("team", "ro")]));
    let set = parse_in(&both, &around).unwrap();
    let forms = &rule(&set, "Behind").variants;
    assert!(forms.of(&Labels::from([("team", "ads")])).is_none());
    assert!(!forms.of(&Labels::from([("team", "ro")])).unwrap().enabled);
}

#[test]
fn a_teams_rules_see_only_its_jobs() {
    let text = r#"groups:
  - name: g
    rules:
      - alert: A
        when: { job_missing: {} }
      - alert: B
        when: { job_missing: {} }
        matchers: ['team="ads"']
      - alert: C
        when: { job_missing: {} }
        labels: { team: ads }
"#;
    let mut around = Surroundings::default();
    around.enforce.insert("t.yaml".to_owned(), Labels::from([("team", "ro")]));
    let said = parse_in(&[RuleSource { file: "t.yaml", text }], &around).unwrap_err();
    let said: Vec<String> = said.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 2, "{said:#?}");
    assert!(said[0].starts_with("t.yaml:6:16: matcher team=\"ads\" contradicts"), "{said:#?}");
    assert!(said[1].starts_with("t.yaml:9:16: label team=\"ads\" contradicts"), "{said:#?}");
    let fine = text.split("      - alert: B").next().unwrap();
    let set = parse_in(&[RuleSource { file: "t.yaml", text: fine }], &around).unwrap();
    let rule = &set.rules[0];
    assert!(crate::model::matches_all(&rule.matchers, &Labels::from([("team", "ro")])));
    assert!(!crate::model::matches_all(&rule.matchers, &Labels::from([("team", "ads")])));
    assert_eq!(rule.labels.get("team"), "ro");
}

#[test]
fn labels_of_a_job_change_its_rules() {
    let set = set("groups: []");
    let of = |pairs: &[(&str, &str)]| {
        let mut labels = Labels::default();
        for (name, value) in pairs {
            labels.set(name, *value);
        }
        let (wishes, mut problems) = by_label::wishes(&labels, &set.rules);
        let mut behind = rule(&set, "Behind").clone();
        for wish in &wishes {
            let base = rule(&set, &wish.alert);
            let from = if wish.alert == "Behind" { &behind } else { base };
            match by_label::apply(wish, from, base) {
                Ok(changed) if wish.alert == "Behind" => behind = changed,
                Ok(_) => {}
                Err(what) => problems.push(what),
            }
        }
        (behind, problems)
    };
    let (behind, problems) = of(&[
        ("weir/Behind.above", "7"),
        ("weir_Behind_for", "1m"),
        ("weir_other", "x"),
        ("weir/Mixed.lag.above", "8"),
    ]);
    assert_eq!(problems, [""; 0]);
    assert_eq!((above(&behind), behind.hold), ((7.0, true), Duration::from_mins(1)));
    for (label, value, expected) in [
        (
            "weir/Behnd.above",
            "7",
            "label `weir/Behnd.above` names no rule (did you mean weir/Behind.…?)",
        ),
        ("weir/Behind", "7", "label `weir/Behind` names no rule (did you mean weir/Behind.…?)"),
        (
            "weir/Behind.abov",
            "7",
            "label `weir/Behind.abov`: rule Behind has no parameter `abov` (it has above, catch_up_above, catch_up_over, growing_for, unit, for, keep_firing_for, enabled)",
        ),
        (
            "weir/Behind.above",
            "many",
            "label `weir/Behind.above`: `many` is neither a number nor a duration: write 10000, or 30s, 10m, 1h30m",
        ),
        (
            "weir/Behind.for",
            "soon",
            "label `weir/Behind.for`: `soon` is not a duration: write a number and a unit, e.g. 30s, 10m, 1h30m, 7d",
        ),
        (
            "weir/Twice.above",
            "7",
            "label `weir/Twice.above`: `above` is in more than one condition of the rule",
        ),
        ("weir/Missing.enabled", "maybe", "label `weir/Missing.enabled`: expected true or false"),
    ] {
        let (behind, problems) = of(&[(label, value)]);
        assert_eq!(problems, [expected]);
        assert_eq!(above(&behind), (1000.0, true), "a label with a mistake changes nothing");
    }
}
