//! The forms a rule has where overrides change it, compiled ahead: a subject's form is found by
//! trying its labels once against the matchers of each override.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::overrides::{Delta, Meant, Override};
use super::{Rule, lint};
use crate::model::{Labels, Matcher, Problem, matches_all};
use crate::yaml::Place;

/// A rule in more forms than this is several rules.
const MAX_FORMS: usize = 1_000;

/// All forms of a rule but its own.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Variants {
    steps: Vec<Step>,
    rules: Vec<Arc<Rule>>,
}

/// An override: from the form so far to the next one, where its matchers hold. Form 0 is the
/// rule's own, form n is `rules[n - 1]`.
#[derive(Debug, Clone, PartialEq)]
struct Step {
    matchers: Vec<Matcher>,
    next: Vec<usize>,
}

/// What is known of the subjects in a form: labels that have one value for sure.
type Sure = BTreeMap<String, String>;

impl Variants {
    /// The form for a subject; none: the rule's own.
    pub fn of(&self, labels: &Labels) -> Option<&Arc<Rule>> {
        let mut form = 0;
        for step in &self.steps {
            if matches_all(&step.matchers, labels) {
                form = step.next.get(form).copied().unwrap_or(form);
            }
        }
        form.checked_sub(1).and_then(|at| self.rules.get(at))
    }

    /// Whether the same subjects get forms that judge alike.
    pub(super) fn judge_like(&self, other: &Variants) -> bool {
        self.steps == other.steps
            && self.rules.len() == other.rules.len()
            && self.rules.iter().zip(&other.rules).all(|(a, b)| a.judges_like(b))
    }

    /// All forms.
    pub fn rules(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.rules.iter()
    }

    /// There is none but the rule's own.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// All forms the overrides make of a rule. Two of them with different values for one label are
    /// never together; equal changes are one form, whatever led there.
    /// `poll`: how often sources are looked at.
    pub(super) fn build(
        rule: &Rule,
        overrides: &[Override],
        poll: Option<Duration>,
    ) -> Result<Variants, Vec<Problem>> {
        let mut forms: Vec<(Delta, Sure)> = vec![(Delta::default(), Sure::new())];
        let mut known = BTreeMap::from([(Delta::default().key(), 0)]);
        let mut steps = Vec::new();
        for one in overrides {
            let delta = match (one.means(rule), &rule.written) {
                (None, _) => continue,
                (Some(Meant::ByPattern), Some(written)) => one.delta.fitting(written),
                _ => one.delta.clone(),
            };
            if delta.is_empty() {
                continue;
            }
            let sure = sure(&one.matchers);
            let before = forms.len();
            let mut next = Vec::with_capacity(before);
            for form in 0..before {
                let Some((so_far, of_form)) = forms.get(form) else { break };
                let apart = |(name, value): (&String, &String)| {
                    of_form.get(name).is_some_and(|other| other != value)
                };
                if sure.iter().any(apart) {
                    next.push(form);
                    continue;
                }
                let changed = so_far.then(&delta);
                let mut of_both = of_form.clone();
                of_both.extend(sure.clone());
                let key = changed.key();
                if let Some(at) = known.get(&key) {
                    if let Some((_, of_known)) = forms.get_mut(*at) {
                        of_known.retain(|name, value| of_both.get(name) == Some(value));
                    }
                    next.push(*at);
                    continue;
                }
                if forms.len() > MAX_FORMS {
                    let what = format!(
                        "rule {} would have more than {MAX_FORMS} forms by overrides that may hold together",
                        rule.id.alert
                    );
                    let hint =
                        "give them matchers that exclude one another, such as job_name=\"…\"";
                    return Err(vec![one.problem(what, Some(hint.to_owned()))]);
                }
                known.insert(key, forms.len());
                next.push(forms.len());
                forms.push((changed, of_both));
            }
            steps.push(Step { matchers: one.matchers.clone(), next });
        }
        let mut problems: Vec<Problem> = Vec::new();
        let mut rules = Vec::with_capacity(forms.len() - 1);
        for (delta, _) in forms.iter().skip(1) {
            match delta.apply(rule) {
                Ok(form) => {
                    problems.extend(impossible(rule, &form, delta, overrides, poll));
                    rules.push(Arc::new(form));
                }
                Err(found) => {
                    problems.extend(found);
                    problems.sort();
                    problems.dedup();
                }
            }
        }
        problems.sort();
        problems.dedup();
        if problems.is_empty() { Ok(Variants { steps, rules }) } else { Err(problems) }
    }
}

/// What makes a form one that can never fire, where the rule itself can: told at the parameter, or
/// at the override, that made it so.
fn impossible(
    rule: &Rule,
    form: &Rule,
    delta: &Delta,
    overrides: &[Override],
    poll: Option<Duration>,
) -> Option<Problem> {
    let of = |rule: &Rule| lint::impossible(&rule.when, rule.hold, poll);
    let (what, hint) = of(form).filter(|_| of(rule).is_none())?;
    let alert = &rule.id.alert;
    // The one that does it alone, else the last that has a part in it.
    let of_rule = || overrides.iter().rev().filter(|one| one.means(rule).is_some());
    let has_part = |one: &&Override| {
        let sets_hold = delta.hold.is_some() && one.delta.hold == delta.hold;
        sets_hold || !one.delta.params.is_empty()
    };
    let key = delta.key();
    let cause =
        of_rule().find(|one| one.delta.key() == key).or_else(|| of_rule().find(has_part))?;
    let problem = cause.problem(format!("for rule {alert}: {what}"), Some(hint));
    let Some(param) = delta.params.values().next() else { return Some(problem) };
    let Place { line, column } = param.place;
    Some(Problem { file: param.file.to_string(), line, column, ..problem })
}

fn sure(matchers: &[Matcher]) -> Sure {
    let exact = |m: &Matcher| Some((m.name.clone(), m.exact_value()?.to_owned()));
    matchers.iter().filter_map(exact).collect()
}
