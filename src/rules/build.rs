//! From a rule as written to one that can be judged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::file::Surroundings;
use super::intervals::{IntervalBook, named};
use super::kinds::Print;
use super::labels::{check_name, matchers};
use super::overrides::as_matchers;
use super::raw::RawRule;
use super::{Annotations, Rule, Variants, lint};
use crate::model::{Aspect, Labels, RuleId, Severity};
use crate::yaml::findings::Findings;
use crate::yaml::tree::{Node, excerpt};
use crate::yaml::{At, Place};

/// Builds the rules of one file.
pub(super) struct Builder<'a> {
    pub(super) file: Arc<str>,
    pub(super) around: &'a Surroundings,
    pub(super) enforce: &'a Labels,
    pub(super) intervals: &'a IntervalBook,
    pub(super) conditions: BTreeMap<Place, &'a Node>,
    pub(super) seen: &'a mut BTreeSet<RuleId>,
    pub(super) findings: &'a mut Findings,
}

impl Builder<'_> {
    /// The rule; what is wrong with it is reported.
    pub(super) fn build(&mut self, group: &str, raw: RawRule) -> Rule {
        let written = self.conditions.get(&raw.alert.place).map(|node| Arc::new((*node).clone()));
        let place = raw.alert.place;
        let name = raw.alert.value;
        let usable = |c: char| c.is_alphanumeric() || "_-".contains(c);
        if name.is_empty() || name.chars().count() > 200 || !name.chars().all(usable) {
            let hint = "letters, digits, _ and - only, such as JobFailed".to_owned();
            let what = format!("`{}` is not usable as a label", excerpt(&name));
            self.findings.error(place, what, hint);
        }
        let (labels, severity) = self.labels(raw.labels);
        let hold = raw.hold.as_ref().map(|s| s.value.0).unwrap_or_default();
        let poll = self.around.poll;
        let whole = written.as_ref().is_none_or(|node| !self.holds_dropped(node));
        if !whole {
            // What is left of it is not what was meant.
        } else if let Some(what) = raw.when.value.problem() {
            self.findings.error(raw.when.place, what, None);
        } else if let Some((what, hint)) = lint::impossible(&raw.when.value, hold, poll) {
            self.findings.error(raw.when.place, what, hint);
        } else if let Some(what) = poll.and_then(|poll| raw.when.value.hasty(poll)) {
            let hint = "what is over by the next look is told all the same".to_owned();
            self.findings.warn(raw.when.place, what, hint);
        }
        let matchers = matchers(&raw.matchers, self.findings);
        let id = RuleId { group: group.to_owned(), alert: name, severity };
        if !self.seen.insert(id.clone()) {
            let hint = "group, alert and severity together name a rule; change one of them";
            self.findings.error(place, format!("rule {id} exists twice"), hint.to_owned());
        }
        let aspect = raw.aspect.unwrap_or_else(|| raw.when.value.aspect().to_owned());
        lint::waits(raw.hold, raw.keep_firing_for, self.around.poll, self.findings);
        let mut rule = Rule {
            id,
            when: raw.when.value,
            print: Print::default(),
            matchers,
            hold,
            keep_firing_for: raw.keep_firing_for.map(|s| s.value.0).unwrap_or_default(),
            active: named(&raw.active_time_intervals, self.intervals, self.findings),
            labels,
            annotations: Annotations::default(),
            aspect: Aspect(aspect),
            enabled: true,
            variants: Variants::default(),
            written,
            origin: (Arc::clone(&self.file), place),
        };
        self.enforce(&mut rule, place);
        self.annotate(&mut rule, raw.annotations);
        lint::sources(&rule, &raw.matchers, self.around, self.findings);
        lint::matchers(&rule, &raw.matchers, self.around, self.findings);
        rule
    }

    fn labels(&mut self, written: BTreeMap<String, At<String>>) -> (Labels, Severity) {
        let mut labels = Labels::default();
        let mut severity = Severity::default();
        for (key, value) in written {
            if key != "severity" {
                if check_name(&key, value.place, self.findings) {
                    labels.set(&key, value.value);
                }
                continue;
            }
            match Severity::parse(&value.value) {
                Some(known) => severity = known,
                None => self.findings.error(
                    value.place,
                    format!("unknown severity `{}`", excerpt(&value.value)),
                    "critical, warning or info".to_owned(),
                ),
            }
        }
        (labels, severity)
    }

    /// Whether something inside was reported already.
    fn holds_dropped(&self, node: &Node) -> bool {
        self.findings.dropped().contains(&node.id)
            || node.items().iter().any(|item| self.holds_dropped(item))
            || node.entries().iter().any(|entry| self.holds_dropped(&entry.value))
    }

    /// A file that is read for somebody's jobs sees only those.
    fn enforce(&mut self, rule: &mut Rule, place: Place) {
        for (name, value) in &self.enforce.0 {
            let own = rule.labels.get(name);
            if !own.is_empty() && own != value {
                let what = format!("label {name}={own:?} contradicts `enforce` of this file");
                let hint = format!("its rules have {name}={value:?}: remove the label");
                self.findings.error(place, what, hint);
            }
            let only = Labels::from([(name.as_str(), value.as_str())]);
            let against = rule.matchers.iter().find(|m| m.name == *name && !m.matches(&only));
            if let Some(matcher) = against {
                let what = format!("matcher {matcher} contradicts `enforce` of this file");
                let hint =
                    format!("its rules are about {name}={value:?} alone: remove the matcher");
                self.findings.error(place, what, hint);
            }
        }
        rule.matchers.extend(as_matchers(self.enforce));
        rule.labels.extend(self.enforce);
    }

    fn annotate(&mut self, rule: &mut Rule, written: BTreeMap<String, At<String>>) {
        let mut places = BTreeMap::new();
        for (key, template) in written {
            match rule.annotations.add(&key, &template.value) {
                Ok(()) => {
                    places.insert(key, template.place);
                }
                Err(error) => {
                    let hint = "handlebars, e.g. {{job_name}} or {{duration age_seconds}}";
                    let what = format!("annotation {key}: {error}");
                    self.findings.error(template.place, what, hint.to_owned());
                }
            }
        }
        lint::names(rule, &places, self.around, self.findings);
    }
}
