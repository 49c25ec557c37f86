//! A job's own labels as changes to rules: `weir/JobFallingBehind.above: "1000000"`, or
//! `weir_JobFallingBehind_above` where names are letters, digits and `_` only.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Rule;
use super::kinds::Span;
use super::overrides::{Delta, Param, kinds, scalar};
use super::schema;
use crate::model::Labels;
use crate::yaml::Place;
use crate::yaml::suggest;
use crate::yaml::tree::{Kind, Node, excerpt};

/// Labels of one job that are looked at; the rest is a mistake.
const MAX_LABELS: usize = 32;
/// A longer value is no parameter.
const MAX_VALUE_CHARS: usize = 200;

/// A label that means a rule.
#[derive(Debug, PartialEq)]
pub(super) struct Wish<'l> {
    pub(super) label: &'l str,
    pub(super) alert: String,
    param: String,
    value: &'l str,
}

/// The labels that mean rules, and what is wrong with those that seem to.
pub(super) fn wishes<'l>(labels: &'l Labels, rules: &[Rule]) -> (Vec<Wish<'l>>, Vec<String>) {
    let mut found = Vec::new();
    let mut problems = Vec::new();
    let ours = labels.0.range("weir".to_owned()..).take_while(|(name, _)| name.starts_with("weir"));
    for (label, value) in ours {
        let wish = match (label.strip_prefix("weir/"), label.strip_prefix("weir_")) {
            (Some(rest), _) => {
                let parts = rest.split_once('.');
                let known = parts.filter(|(alert, _)| rules.iter().any(|r| r.id.alert == *alert));
                if known.is_none() {
                    let alerts = rules.iter().map(|r| r.id.alert.as_str());
                    let near = suggest::nearest(parts.map_or(rest, |p| p.0), alerts);
                    let hint = near.map_or_else(
                        || "write weir/<alert>.<parameter>".to_owned(),
                        |near| format!("did you mean weir/{near}.…?"),
                    );
                    problems.push(format!("label `{}` names no rule ({hint})", excerpt(label)));
                }
                known.map(|(alert, param)| (alert.to_owned(), param.to_owned()))
            }
            // Others may have labels that begin so: what names no rule is theirs.
            (_, Some(rest)) => rules
                .iter()
                .filter_map(|r| Some((&r.id.alert, rest.strip_prefix(&r.id.alert)?)))
                .filter_map(|(alert, rest)| Some((alert, rest.strip_prefix('_')?)))
                .max_by_key(|(alert, _)| alert.len())
                .map(|(alert, param)| (alert.clone(), param.to_owned())),
            _ => None,
        };
        let Some((alert, param)) = wish else { continue };
        if value.chars().count() > MAX_VALUE_CHARS || found.len() >= MAX_LABELS {
            problems.push(format!("label `{}` is too long, or one too many", excerpt(label)));
            continue;
        }
        found.push(Wish { label, alert, param, value });
    }
    (found, problems)
}

/// The rule as one label wants it. What is fetched is fixed before labels are seen: a parameter
/// that would need more is refused.
pub(super) fn apply(wish: &Wish<'_>, rule: &Rule, fetched: &Rule) -> Result<Rule, String> {
    let label = excerpt(wish.label);
    let refuse = |what: String| format!("label `{label}`: {what}");
    let mut delta = Delta::default();
    match wish.param.as_str() {
        "for" => delta.hold = Some(Span::parse(wish.value).map_err(refuse)?.0),
        "keep_firing_for" => delta.keep = Some(Span::parse(wish.value).map_err(refuse)?.0),
        "enabled" => match wish.value {
            "true" => delta.enabled = Some(true),
            "false" => delta.enabled = Some(false),
            _ => return Err(refuse("expected true or false".to_owned())),
        },
        name => {
            let (kind, name, is_list) = parameter(rule, name).map_err(refuse)?;
            let node = if is_list {
                let items = wish.value.split([',', ' ']).filter(|w| !w.is_empty()).map(scalar);
                Node { kind: Kind::List(items.collect()), ..scalar("") }
            } else {
                scalar(wish.value)
            };
            let param = Param { file: Arc::from("label"), place: Place::default(), node };
            delta.params = BTreeMap::from([((kind, name), param)]);
        }
    }
    let changed = delta.apply(rule).map_err(|problems| {
        let what: Vec<&str> = problems.iter().map(|p| p.what.as_str()).collect();
        refuse(what.join("; "))
    })?;
    let demand = fetched.demand();
    if demand.clone().union(&changed.when.demand()) != demand {
        let what = "it changes what is fetched of every job: write it under `overrides:`";
        return Err(refuse(what.to_owned()));
    }
    Ok(changed)
}

/// The kind and parameter meant by `above` or `lag.above`, and whether it is a list.
fn parameter(rule: &Rule, text: &str) -> Result<(String, String, bool), String> {
    let of_rule = rule.written.as_ref().map(|w| kinds(w)).unwrap_or_default();
    let table = schema::parameters();
    let mut known = Vec::new();
    let mut found = Vec::new();
    for kind in of_rule {
        for (name, is_list) in table.get(&kind).into_iter().flatten() {
            if text == name || text == format!("{kind}.{name}") || text == format!("{kind}_{name}")
            {
                found.push((kind.clone(), name.clone(), *is_list));
            }
            known.push(name.clone());
        }
    }
    match found.len() {
        1 => found.pop().ok_or_else(String::new),
        0 => {
            known.extend(["for", "keep_firing_for", "enabled"].map(str::to_owned));
            let (rule, text) = (&rule.id.alert, excerpt(text));
            Err(format!("rule {rule} has no parameter `{text}` (it has {})", known.join(", ")))
        }
        _ => Err(format!("`{}` is in more than one condition of the rule", excerpt(text))),
    }
}
