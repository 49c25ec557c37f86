//! `inhibit_rules`, as Alertmanager's: what is open mutes something else.
//!
//! They are about alerts; an incident is muted when each of its alerts is. Two sides of one alert do
//! not count: what matches both cannot be muted by another that does, so that none of them vanishes.

use std::collections::BTreeMap;

use crate::model::{Incident, Labels, Matcher, Subject, matches_all};

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct InhibitRule {
    /// For people.
    pub name: String,
    /// What mutes.
    pub source: Vec<Matcher>,
    /// What is muted.
    pub target: Vec<Matcher>,
    /// Labels both must have alike; one that is missing is an empty one.
    pub equal: Vec<String>,
}

impl InhibitRule {
    fn shared<'a>(&self, labels: &'a Labels) -> Vec<&'a str> {
        self.equal.iter().map(|name| labels.get(name)).collect()
    }
}

/// The oldest incidents with an alert on the source side of a rule: two, for none mutes itself.
#[derive(Debug, Default)]
struct Oldest([Option<u64>; 2]);

impl Oldest {
    /// Ids must come in order.
    fn add(&mut self, id: u64) {
        if self.0.contains(&Some(id)) {
            return;
        }
        if let Some(free) = self.0.iter_mut().find(|place| place.is_none()) {
            *free = Some(id);
        }
    }

    fn other_than(&self, id: u64) -> Option<u64> {
        self.0.iter().flatten().copied().find(|one| *one != id)
    }
}

/// Sources of a rule that have the same labels of `equal`.
#[derive(Debug, Default)]
struct Sources {
    all: Oldest,
    /// Those that are no targets themselves.
    one_sided: Oldest,
}

/// Who mutes whom by the rules; kept until something about an incident changes.
#[derive(Debug, Default)]
pub(super) struct Inhibitions {
    by_target: BTreeMap<u64, u64>,
    fresh: bool,
}

impl Inhibitions {
    /// Something about an incident or the rules has changed.
    pub(super) fn forget(&mut self) {
        self.fresh = false;
    }

    /// Who mutes this one, if it is still open: the oldest that does.
    pub(super) fn of(&self, target: u64) -> Option<u64> {
        self.by_target.get(&target).copied()
    }

    /// Finds out anew if need be.
    pub(super) fn refresh(&mut self, rules: &[InhibitRule], by_id: &BTreeMap<u64, Incident>) {
        if self.fresh {
            return;
        }
        self.fresh = true;
        self.by_target.clear();
        if rules.is_empty() {
            return;
        }
        let open: Vec<(&Incident, Vec<Labels>)> =
            by_id.values().filter(|i| i.is_open()).map(|i| (i, alerts(i))).collect();
        let sources: Vec<BTreeMap<Vec<&str>, Sources>> =
            rules.iter().map(|rule| sources(rule, &open)).collect();
        for (incident, alerts) in &open {
            // That people are not reached is never kept from them.
            if matches!(incident.subject, Subject::Channel(_)) {
                continue;
            }
            let muted_by = |alert: &Labels| {
                let found = rules.iter().zip(&sources).filter_map(|(rule, sources)| {
                    if !matches_all(&rule.target, alert) {
                        return None;
                    }
                    let sources = sources.get(&rule.shared(alert))?;
                    let both = matches_all(&rule.source, alert);
                    let from = if both { &sources.one_sided } else { &sources.all };
                    from.other_than(incident.id)
                });
                found.min()
            };
            let all: Option<Vec<u64>> = alerts.iter().map(muted_by).collect();
            if let Some(oldest) = all.and_then(|all| all.into_iter().min()) {
                self.by_target.insert(incident.id, oldest);
            }
        }
    }
}

fn sources<'a>(
    rule: &InhibitRule,
    open: &'a [(&Incident, Vec<Labels>)],
) -> BTreeMap<Vec<&'a str>, Sources> {
    let mut found: BTreeMap<Vec<&str>, Sources> = BTreeMap::new();
    for (incident, alerts) in open {
        for alert in alerts.iter().filter(|alert| matches_all(&rule.source, alert)) {
            let sources = found.entry(rule.shared(alert)).or_default();
            sources.all.add(incident.id);
            if !matches_all(&rule.target, alert) {
                sources.one_sided.add(incident.id);
            }
        }
    }
    found
}

/// Labels of the alerts that fire in it; in its quiet time, of the last that did.
fn alerts(incident: &Incident) -> Vec<Labels> {
    let firing = incident.members.iter().filter(|m| m.firing);
    let firing: Vec<Labels> = firing.map(|m| m.labels.clone()).collect();
    if !firing.is_empty() {
        return firing;
    }
    let mut last = incident.labels.clone();
    last.set("alertname", incident.rule.as_str());
    last.set("severity", incident.severity.as_str());
    vec![last]
}

/// Follows who explains whom to the incident behind it all. Where they explain each other in a
/// circle, the oldest of them is told, and explains the others.
pub(super) fn roots(explained_by: &BTreeMap<u64, u64>) -> BTreeMap<u64, u64> {
    // What each ends at; itself: nothing explains it.
    let mut ends: BTreeMap<u64, u64> = BTreeMap::new();
    for start in explained_by.keys() {
        let mut path: Vec<u64> = Vec::new();
        let mut places: BTreeMap<u64, usize> = BTreeMap::new();
        let mut at = *start;
        let end = loop {
            if let Some(known) = ends.get(&at) {
                break *known;
            }
            if let Some(place) = places.get(&at) {
                let circle = path.get(*place..).unwrap_or_default();
                break circle.iter().copied().min().unwrap_or(at);
            }
            let Some(next) = explained_by.get(&at) else { break at };
            places.insert(at, path.len());
            path.push(at);
            at = *next;
        };
        ends.extend(path.into_iter().map(|id| (id, end)));
    }
    ends.retain(|id, end| id != end);
    ends
}

#[cfg(test)]
#[path = "inhibit_tests.rs"]
mod tests;
