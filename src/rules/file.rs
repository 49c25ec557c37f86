//! Rule files: Prometheus' envelope with typed conditions.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::build::Builder;
use super::intervals::{IntervalBook, build_intervals};
use super::lint;
use super::overrides::{self, Meant, Override, build_overrides};
use super::raw::RawFile;
use super::{Rule, RuleSet, Variants};
use crate::model::{Labels, Problem};
use crate::yaml::findings::Findings;
use crate::yaml::tree::{Node, Place, excerpt};
use crate::yaml::{self, reader, suggest};

/// Most rules in all files together: a bound on a mistake, not on people.
const MAX_RULES: usize = 10_000;
/// Most overrides in all files together.
const MAX_OVERRIDES: usize = 1_000;
/// Most problems of all files together that are told.
const MAX_PROBLEMS: usize = 500;

/// The text of a rule file and the name people know it by.
#[derive(Debug, Clone, Copy)]
pub struct RuleSource<'a> {
    /// For messages.
    pub file: &'a str,
    /// YAML.
    pub text: &'a str,
}

/// What surrounds the rule files: nothing of it is needed to read them.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// How often sources are looked at: rules that can never be true then are refused.
    pub poll: Option<Duration>,
    /// Time intervals of the configuration.
    pub intervals: IntervalBook,
    /// Overrides of the configuration: after those of the files.
    pub overrides: Vec<Override>,
    /// Files read for somebody's jobs only, by name: every rule gets these labels, and is about
    /// subjects with them alone.
    pub enforce: BTreeMap<String, Labels>,
    /// Labels that jobs can have beside the standard ones, where all of them are known.
    pub labels: Option<BTreeSet<String>>,
    /// Names of the sources, where they are known.
    pub sources: Option<BTreeSet<String>>,
}

/// Reads rule files; reports everything that is wrong with them at once.
///
/// # Errors
/// All problems, with their places.
pub fn parse(sources: &[RuleSource<'_>]) -> Result<RuleSet, Vec<Problem>> {
    parse_in(sources, &Surroundings::default())
}

/// Reads the rule files of a configuration.
///
/// # Errors
/// All problems, with their places; warnings among them.
pub fn parse_in(
    sources: &[RuleSource<'_>],
    around: &Surroundings,
) -> Result<RuleSet, Vec<Problem>> {
    let mut set = RuleSet::default();
    let mut problems = Vec::new();
    let mut seen = BTreeSet::new();
    let mut changes: Vec<Override> = Vec::new();
    // As written, so that a rule with a mistake is not unknown as well.
    let mut written = BTreeSet::new();
    let none = Labels::default();
    for source in sources {
        let mut findings = Findings::new(source.file);
        let tree = yaml::tree(source.text, &mut findings);
        if let Some(tests) =
            tree.as_ref().filter(|t| t.get("groups").is_none()).and_then(|t| t.get("tests"))
        {
            let hint =
                "play it with `weir rules test`; patterns in `rule_files` leave out *_test.yaml";
            findings.error(tests.place, "this is a test file, not a rule file", hint.to_owned());
            problems.extend(findings.finish(Some(())).err().unwrap_or_default());
            continue;
        }
        if let Some(tree) = &tree {
            elsewhere(tree, &mut findings);
        }
        let file = tree.as_ref().and_then(|t| reader::read::<RawFile>(t, &mut findings));
        if let (Some(file), Some(tree)) = (file, &tree) {
            written.extend(alerts(tree));
            let has = |key: &str| tree.get(key).is_some();
            if !has("groups") && !has("overrides") && !has("time_intervals") {
                let hint = "write `groups: [{ name: …, rules: […] }]`".to_owned();
                findings.error(Place { line: 1, column: 1 }, "`groups` is missing", hint);
            }
            let mut intervals = IntervalBook::new();
            build_intervals(file.time_intervals, &mut intervals, &mut findings);
            for (name, interval) in &around.intervals {
                intervals.entry(name.clone()).or_insert_with(|| interval.clone());
            }
            let enforce = around.enforce.get(source.file).unwrap_or(&none);
            let mut builder = Builder {
                file: source.file.into(),
                around,
                enforce,
                intervals: &intervals,
                conditions: conditions(tree),
                seen: &mut seen,
                findings: &mut findings,
            };
            for group in file.groups {
                for rule in group.rules {
                    set.rules.push(builder.build(&group.name, rule));
                }
            }
            let mut own =
                build_overrides(file.overrides, tree, source.file, &intervals, &mut findings);
            overrides::enforce(&mut own, &overrides::as_matchers(enforce));
            changes.extend(own);
        }
        if set.rules.len() > MAX_RULES {
            let what = format!("more than {MAX_RULES} rules in all files together");
            let hint = "use matchers and labels instead of a rule per job".to_owned();
            findings.error(Place::default(), what, hint);
        }
        problems.extend(match findings.finish(Some(())) {
            Ok(((), warnings)) => warnings,
            Err(all) => all,
        });
    }
    changes.extend(around.overrides.iter().cloned());
    if set.rules.len() <= MAX_RULES {
        problems.extend(vary(&mut set.rules, &changes, &written, around.poll));
        if problems.iter().all(|p| p.warning) {
            problems.extend(lint::alike(&set.rules));
        }
    }
    Problem::in_order(&mut problems);
    problems.truncate(MAX_PROBLEMS);
    if problems.iter().all(|p| p.warning) {
        set.warnings = problems;
        return Ok(set);
    }
    Err(problems)
}

/// Gives every rule its forms.
fn vary(
    rules: &mut [Rule],
    changes: &[Override],
    written: &BTreeSet<String>,
    poll: Option<Duration>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(last) = changes.get(MAX_OVERRIDES) {
        let what = format!("more than {MAX_OVERRIDES} overrides in all files together");
        let hint = "use labels of the jobs: weir/<alert>.<parameter>".to_owned();
        return vec![last.problem(what, Some(hint))];
    }
    for one in changes {
        for name in one.alerts.iter().filter(|name| !name.contains(['*', '?'])) {
            if !written.contains(name) {
                let hint = match suggest::nearest(name, written.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "name the `alert` of a rule that is read together with this".to_owned(),
                };
                problems
                    .push(one.problem(format!("no rule is named `{}`", excerpt(name)), Some(hint)));
            }
        }
        let meant: Vec<&Rule> = rules.iter().filter(|r| one.means(r).is_some()).collect();
        let all_known = one.alerts.iter().all(|name| written.contains(name));
        if meant.is_empty() && (all_known || one.alerts.iter().any(|n| n.contains(['*', '?']))) {
            let hint = "look at `alert`, `group` and `severity`".to_owned();
            problems.push(one.problem("this override means no rule".to_owned(), Some(hint)));
        }
        // By pattern, a rule without the kind is passed over: one at least must have it.
        for ((kind, _), param) in &one.delta.params {
            let has =
                |r: &&&Rule| r.written.as_ref().is_some_and(|w| overrides::kinds(w).contains(kind));
            let by_name = meant.iter().any(|r| one.means(r) == Some(Meant::ByName));
            if !meant.is_empty() && !by_name && !meant.iter().any(|r| has(&r)) {
                let Place { line, column } = param.place;
                let what = format!("none of the rules it means has `{kind}`");
                problems.push(Problem { line, column, ..one.problem(what, None) });
            }
        }
    }
    let mut ids: BTreeMap<_, usize> =
        rules.iter().enumerate().map(|(n, r)| (r.id.clone(), n)).collect();
    for (index, rule) in rules.iter_mut().enumerate() {
        match Variants::build(rule, changes, poll) {
            Ok(variants) => {
                for form in variants.rules().filter(|form| form.id != rule.id) {
                    let other = *ids.entry(form.id.clone()).or_insert(index);
                    if other != index {
                        let what =
                            format!("an override makes rule {} a second {}", rule.id, form.id);
                        let hint = Some("use another severity".to_owned());
                        let cause = changes.iter().find(|c| {
                            c.means(rule).is_some() && c.delta.severity == Some(form.id.severity)
                        });
                        problems.extend(cause.map(|c| c.problem(what, hint)));
                    }
                }
                rule.variants = variants;
            }
            Err(found) => problems.extend(found),
        }
    }
    problems.sort();
    problems.dedup();
    problems
}

/// Keys people bring along from Prometheus, or put one level too high, and where they belong.
const ELSEWHERE: [(&str, &str); 5] = [
    ("expr", "write a condition instead: `when: { lag: { above: 10000 } }`"),
    ("severity", "write `labels: { severity: … }`"),
    ("headline", "write `annotations: { headline: … }`"),
    ("summary", "write `annotations: { summary: … }`"),
    ("description", "write `annotations: { description: … }`"),
];

/// Says where keys belong that stand in a rule and have no business there.
fn elsewhere(tree: &Node, findings: &mut Findings) {
    for entry in rules(tree).flat_map(Node::entries) {
        if let Some((key, hint)) = ELSEWHERE.iter().find(|(key, _)| *key == entry.key) {
            findings.error(entry.place, format!("unknown key `{key}`"), (*hint).to_owned());
            findings.drop_node(entry.value.id);
        }
    }
}

/// Names of all alerts as written.
fn alerts(tree: &Node) -> impl Iterator<Item = String> {
    rules(tree).filter_map(|rule| rule.get("alert")?.text().map(str::to_owned))
}

/// Conditions as written, by the place of their rule's name.
fn conditions(tree: &Node) -> BTreeMap<Place, &Node> {
    rules(tree).filter_map(|rule| Some((rule.get("alert")?.place, rule.get("when")?))).collect()
}

fn rules(tree: &Node) -> impl Iterator<Item = &Node> {
    let groups = tree.get("groups").map_or(&[][..], Node::items);
    groups.iter().flat_map(|g| g.get("rules").map_or(&[][..], Node::items))
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
