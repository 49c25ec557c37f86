//! Incidents: one episode of trouble of one subject in one aspect, however many alerts, failures
//! and resubmissions it has.
//!
//! Decides: that something is news. Never decides when it is told, or together with what.

mod absent;
mod causality;
mod describe;
mod inbound;
mod inhibit;
mod operate;
mod settings;
mod shut;
mod silences;
mod transition;

use std::collections::{BTreeMap, BTreeSet};

pub use inbound::{InboundSettings, Sender};
pub use inhibit::InhibitRule;
pub use operate::{Done, Word};
pub use settings::Settings;
pub use silences::Silences;

use inbound::{Ending, Inbound};
use inhibit::Inhibitions;
use shut::Shut;

use crate::model::{
    Alert, AlertState, Aspect, Change, Doing, EndReason, Incident, IncidentState, Loaded, Member,
    NoticeReason, RuleId, Subject, Time, Ts,
};
use crate::rules::Rules;
use crate::tracker::Tracker;

/// Resolved incidents kept in memory at most; the store has all.
const MAX_RESOLVED: usize = 2_000;

/// Rule group of what Weir says about itself.
pub const OWN_GROUP: &str = "weir";

/// The newest incident of each subject and aspect.
type Current = BTreeMap<Subject, BTreeMap<Aspect, u64>>;

/// All incidents that can still change.
#[derive(Debug, Default)]
pub struct Incidents {
    settings: Settings,
    by_id: BTreeMap<u64, Incident>,
    current: Current,
    inhibitions: Inhibitions,
    next_id: u64,
    /// Ended, but somebody still has to hear of it: kept however long that takes.
    untold: BTreeSet<u64>,
    /// Closed by a person while it was still true.
    shut: Shut,
    silences: Silences,
    /// Alerts from outside that fire.
    inbound: Inbound,
    /// Those that do not any more.
    ending: Ending,
}

/// One piece of news, for whoever the routes name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct News {
    /// About this incident.
    pub incident: u64,
    /// Why.
    pub reason: NoticeReason,
}

/// What a step of incidents wants.
#[derive(Debug, Default)]
pub struct Stepped {
    /// Rows to keep.
    pub changes: Vec<Change>,
    /// News, in order.
    pub news: Vec<News>,
}

/// How a subject is, as far as its incidents' end is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Fresh facts, nothing speaks against quiet.
    Well,
    /// Cannot be judged now, or not yet healthy: quiet does not begin.
    NotYet,
    /// Cancelled or finished on purpose.
    Ended,
    /// Not watched any more.
    Gone,
}

impl Incidents {
    /// Goes on where a former process was.
    pub fn restore(settings: Settings, loaded: &Loaded) -> Incidents {
        let mut incidents =
            Incidents { settings, next_id: loaded.max_incident + 1, ..Incidents::default() };
        incidents.shut = Shut::restore(loaded);
        incidents.silences = Silences::restore(loaded);
        incidents.inbound = Inbound::restore(loaded);
        for incident in &loaded.incidents {
            if incident.end_reason == Some(EndReason::Retired) {
                incidents.by_id.insert(incident.id, incident.clone());
                continue;
            }
            let of_subject = incidents.current.entry(incident.subject.clone()).or_default();
            let newest = of_subject.entry(incident.aspect.clone()).or_insert(incident.id);
            *newest = incident.id.max(*newest);
            // Quiet nobody looked at is none.
            let incident = Incident { quiet_since: None, ..incident.clone() };
            incidents.by_id.insert(incident.id, incident);
        }
        incidents
    }

    /// An incident.
    pub fn get(&self, id: u64) -> Option<&Incident> {
        self.by_id.get(&id)
    }

    /// All that are in memory, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Incident> {
        self.by_id.values()
    }

    /// What nobody wants to hear of now.
    pub fn silences(&self) -> &Silences {
        &self.silences
    }

    /// For commands.
    pub fn silences_mut(&mut self) -> &mut Silences {
        &mut self.silences
    }

    /// Names those whose news still wait to be told.
    pub fn keep(&mut self, untold: BTreeSet<u64>) {
        self.untold = untold;
    }

    /// Whether anything is wrong with a subject.
    pub fn is_open(&self, subject: &Subject) -> bool {
        self.open_aspects(subject).next().is_some()
    }

    /// Open incidents that are muted by another one, by the id of that one.
    pub fn mutes(&self) -> BTreeMap<u64, Vec<u64>> {
        let mut found: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for incident in self.by_id.values().filter(|i| i.is_open()) {
            if let Some(root) = incident.inhibited_by {
                found.entry(root).or_default().push(incident.id);
            }
        }
        found
    }

    /// What is being done about one from now on.
    pub fn set_doing(&mut self, id: u64, doing: Doing) -> Option<Change> {
        let incident = self.by_id.get_mut(&id).filter(|i| i.doing.as_ref() != Some(&doing))?;
        incident.doing = Some(doing);
        Some(Change::Incident(Box::new(incident.clone())))
    }

    /// Settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes in the alerts of the subjects that were just judged.
    pub fn step(
        &mut self,
        time: Time,
        subjects: &[Subject],
        rules: &Rules,
        tracker: &Tracker,
    ) -> Stepped {
        let mut out = Stepped::default();
        for subject in subjects {
            let mut firing: BTreeMap<Aspect, Vec<&Alert>> = BTreeMap::new();
            for alert in rules.alerts_of(subject).filter(|a| a.state == AlertState::Firing) {
                firing.entry(alert.aspect.clone()).or_default().push(alert);
            }
            let by_rules = |rule: &RuleId| rule.group != OWN_GROUP || rules.knows(rule);
            self.shut.heed(time, subject, &by_rules, &mut firing, &mut out);
            let aspects: BTreeSet<Aspect> =
                firing.keys().chain(self.open_aspects(subject)).cloned().collect();
            for aspect in aspects {
                let alerts = firing.get(&aspect).map(Vec::as_slice).unwrap_or_default();
                if alerts.is_empty() && self.is_own(subject, &aspect, rules) {
                    continue;
                }
                let health = describe::health(time, subject, &aspect, tracker);
                let orphan = alerts.is_empty() && self.is_orphan(subject, &aspect, rules, tracker);
                let health = if orphan { Health::Gone } else { health };
                self.apply(time, subject, &aspect, alerts, health, Some(tracker), &mut out);
            }
        }
        self.settle_causes(time, tracker, &mut out);
        self.forget_old(time, &out.news);
        out
    }

    /// Time has passed without a look: what a root muted may be released.
    pub fn tick(&mut self, time: Time, tracker: &Tracker) -> Stepped {
        let mut out = Stepped::default();
        self.settle_causes(time, tracker, &mut out);
        out
    }

    fn settle_causes(&mut self, time: Time, tracker: &Tracker, out: &mut Stepped) {
        let Incidents { settings, by_id, current, inhibitions, shut, .. } = self;
        causality::update(time, settings, by_id, current, inhibitions, shut, tracker, out);
    }

    fn newest(&self, subject: &Subject, aspect: &Aspect) -> Option<&Incident> {
        self.by_id.get(self.current.get(subject)?.get(aspect)?)
    }

    /// Weir's own trouble, which no rule judges: see [`Incidents::step_own`].
    fn is_own(&self, subject: &Subject, aspect: &Aspect, rules: &Rules) -> bool {
        let own = |m: &Member| m.rule.group == OWN_GROUP && !rules.knows(&m.rule);
        self.newest(subject, aspect).is_some_and(|i| i.members.iter().all(own))
    }

    /// All that fired in it, or in its quiet time all that ever did, were rules that are no longer
    /// in force, or no longer about this subject: nobody looks whether it is over.
    fn is_orphan(
        &self,
        subject: &Subject,
        aspect: &Aspect,
        rules: &Rules,
        tracker: &Tracker,
    ) -> bool {
        let Some(incident) = self.newest(subject, aspect) else { return false };
        let any_fires = incident.members.iter().any(|m| m.firing);
        let mut holding = incident.members.iter().filter(|m| m.firing || !any_fires);
        holding.all(|m| !rules.is_about(&m.rule, subject, aspect, tracker))
    }

    /// Other settings, from the next turn on.
    pub fn reload(&mut self, settings: Settings) {
        self.settings = settings;
        self.inhibitions.forget();
    }

    /// Flink clusters of a source with open incidents: they are looked at even when no rule speaks
    /// of them any more.
    pub fn open_clusters(&self, source: &str) -> BTreeSet<Subject> {
        let from = Subject::Cluster(source.to_owned(), String::new());
        let of_source = |s: &Subject| matches!(s, Subject::Cluster(name, _) if name == source);
        self.current
            .range(from..)
            .map(|(subject, _)| subject)
            .take_while(|subject| of_source(subject))
            .filter(|subject| self.is_open(subject))
            .cloned()
            .collect()
    }

    /// Takes in one alert about Weir itself: `firing` while it holds, empty when it is over.
    pub fn step_own(&mut self, time: Time, subject: &Subject, firing: Option<&Alert>) -> Stepped {
        let mut out = Stepped::default();
        let aspect = Aspect::from(Aspect::PLATFORM);
        let mut by_aspect = BTreeMap::new();
        by_aspect.extend(firing.map(|alert| (aspect.clone(), vec![alert])));
        let by_ourselves = |rule: &RuleId| rule.group == OWN_GROUP;
        self.shut.heed(time, subject, &by_ourselves, &mut by_aspect, &mut out);
        let alerts: Vec<&Alert> = by_aspect.remove(&aspect).unwrap_or_default();
        self.apply(time, subject, &aspect, &alerts, Health::Well, None, &mut out);
        out
    }

    /// Ends what belongs to subjects that are not watched any more.
    pub fn unwatch(&mut self, time: Time, is_watched: &dyn Fn(&Subject) -> bool) -> Stepped {
        let mut out = Stepped::default();
        let ids: Vec<u64> = self.by_id.values().filter(|i| i.is_open()).map(|i| i.id).collect();
        for id in ids {
            if let Some(incident) = self.by_id.get_mut(&id)
                && !is_watched(&incident.subject)
            {
                transition::end(incident, time, EndReason::Unwatched);
                let what = transition::over(incident);
                out.changes.push(Change::Event { incident: id, at: time.wall, what });
                out.news.push(News { incident: id, reason: NoticeReason::Resolved });
                out.changes.push(Change::Incident(Box::new(incident.clone())));
            }
        }
        self.shut.retain(is_watched, &mut out.changes);
        out
    }

    #[expect(clippy::too_many_arguments, reason = "the facts about one identity at one turn")]
    fn apply(
        &mut self,
        time: Time,
        subject: &Subject,
        aspect: &Aspect,
        alerts: &[&Alert],
        health: Health,
        tracker: Option<&Tracker>,
        out: &mut Stepped,
    ) {
        let known = self.current.get(subject).and_then(|of_subject| of_subject.get(aspect));
        let known = known.and_then(|id| self.by_id.get_mut(id));
        // Failures an earlier incident has counted are not counted again.
        let counted = known.as_ref().map_or(0, |i| match i.occurrences {
            // Trouble without a failure counts one, too.
            ..=1 => i.occurrences_base,
            more => i.occurrences_base + more,
        });
        let within = self.settings.reopen_within;
        let reopenable = |i: &Incident| {
            let ended = i.resolved_steady.unwrap_or(Ts(i64::MIN));
            time.steady.since(ended) <= self.settings.reopen_within
                && i.end_reason != Some(EndReason::Unwatched)
        };
        match known {
            Some(incident)
                if incident.is_open() || (!alerts.is_empty() && reopenable(incident)) =>
            {
                let before = incident.clone();
                let news =
                    transition::update(incident, time, alerts, health, tracker, &self.settings);
                if *incident != before {
                    self.inhibitions.forget();
                    transition::events(&before, incident, time, out);
                    out.changes.push(Change::Incident(Box::new(incident.clone())));
                }
                out.news.extend(news.map(|reason| News { incident: incident.id, reason }));
            }
            _ if alerts.is_empty() => {}
            _ => {
                let id = self.next_id;
                self.next_id += 1;
                let mut incident = transition::open(id, time, subject, aspect, alerts, tracker);
                describe::count(&mut incident, time, alerts, tracker, counted, within);
                let reason = if incident.first_look {
                    NoticeReason::FirstLook
                } else {
                    NoticeReason::Opened
                };
                self.inhibitions.forget();
                let what = format!("opened by {}", incident.rule);
                out.changes.push(Change::Incident(Box::new(incident.clone())));
                out.changes.push(Change::Event { incident: id, at: time.wall, what });
                out.news.push(News { incident: id, reason });
                let of_subject = self.current.entry(subject.clone()).or_default();
                of_subject.insert(aspect.clone(), id);
                self.by_id.insert(id, incident);
            }
        }
    }

    fn open_aspects(&self, subject: &Subject) -> impl Iterator<Item = &Aspect> {
        let of_subject = self.current.get(subject).into_iter().flatten();
        of_subject
            .filter(|(_, id)| self.by_id.get(id).is_some_and(Incident::is_open))
            .map(|(aspect, _)| aspect)
    }

    /// Forgets what is long over, and the oldest of too much; not what is `news`, which is yet to be
    /// told.
    fn forget_old(&mut self, time: Time, news: &[News]) {
        if self.by_id.len() <= 64 {
            return;
        }
        let keep = self.settings.reopen_within + self.settings.release_after;
        let resolved = |i: &Incident| i.state == IncidentState::Resolved;
        let news: BTreeSet<u64> = news.iter().map(|news| news.incident).collect();
        let mut over: Vec<(Option<Ts>, u64)> = self
            .by_id
            .values()
            .filter(|i| resolved(i) && !self.untold.contains(&i.id) && !news.contains(&i.id))
            .filter(|i| !self.may_remind(i, time))
            .map(|i| (i.resolved_steady, i.id))
            .collect();
        over.sort_unstable();
        // The oldest go first; what has just ended may still have to be told.
        let surplus = over.len().saturating_sub(MAX_RESOLVED);
        let is_old = |at: Option<Ts>| at.is_none_or(|at| time.steady.since(at) > keep * 4);
        let gone: Vec<u64> = over
            .into_iter()
            .enumerate()
            .filter(|(position, (at, _))| *position < surplus || is_old(*at))
            .map(|(_, (_, id))| id)
            .collect();
        for id in gone {
            if let Some(incident) = self.by_id.remove(&id) {
                let Some(of_subject) = self.current.get_mut(&incident.subject) else { continue };
                if of_subject.get(&incident.aspect) == Some(&id) {
                    of_subject.remove(&incident.aspect);
                }
                if of_subject.is_empty() {
                    self.current.remove(&incident.subject);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
