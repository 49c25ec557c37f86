//! Judges every rule for every subject of a source after a look at it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::applies::fits;
use super::first::FirstJudgements;
use super::kinds::{About, Facts, Scope};
use super::lifecycle::{Life, Waits, advance};
use super::outdated::{Outdated, mark, runs};
use super::picks::{Pick, of_labels};
use super::{Rule, RuleSet};
use crate::model::{Alert, AlertState, Change, Labels, Loaded, RuleId, Subject, Time, Verdict};
use crate::tracker::{ClusterFacts, Folded, JobFacts, JobTrack, Tracker};

/// What is true on the first judgement within this time of a source's first look was wrong before.
const FIRST_LOOK_GRACE: Duration = Duration::from_mins(1);
/// At the first look a `for` up to this long is waived: the first report does not wait for it.
const WAIVED_UP_TO: Duration = Duration::from_mins(2);

/// Where the labels of alerts come from, beyond what sources find out.
#[derive(Clone)]
pub struct LabelBook {
    /// Labels each source gives to all it shows.
    pub sources: BTreeMap<String, Labels>,
    /// `job_labels` of the configuration; sees the labels so far.
    pub job_labels: Arc<dyn Fn(&mut Labels) + Send + Sync>,
}

impl Default for LabelBook {
    fn default() -> Self {
        LabelBook { sources: BTreeMap::new(), job_labels: Arc::new(|_| {}) }
    }
}

impl std::fmt::Debug for LabelBook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LabelBook").field("sources", &self.sources).finish_non_exhaustive()
    }
}

impl LabelBook {
    /// Labels of everything about a job, without the rule's own.
    pub fn of_job(&self, job: &JobTrack) -> Labels {
        let mut labels = Labels::default();
        if let Some(found) = &job.inventory {
            self.add_source(&found.source, &mut labels);
        }
        labels.set("source", job.source.as_str());
        labels.set("cluster", job.cluster.as_str());
        labels.set("namespace", job.namespace.as_str());
        labels.set("flink_cluster", job.flink_cluster.as_str());
        labels.set("job_name", job.name.as_str());
        self.add_source(&job.source, &mut labels);
        labels.extend(&job.labels);
        (self.job_labels)(&mut labels);
        labels
    }

    /// Labels of everything about a source or a Flink cluster in it.
    pub fn of_source(&self, source: &str, flink_cluster: Option<&str>) -> Labels {
        let mut labels = Labels::default();
        labels.set("source", source);
        labels.set("cluster", source);
        labels.set("flink_cluster", flink_cluster.unwrap_or_default());
        self.add_source(source, &mut labels);
        labels
    }

    fn add_source(&self, source: &str, labels: &mut Labels) {
        if let Some(own) = self.sources.get(source) {
            labels.extend(own);
        }
    }
}

/// The rules and the alerts that are pending or firing.
#[derive(Debug, Default)]
pub struct Rules {
    /// The rules.
    pub set: RuleSet,
    pub(super) book: LabelBook,
    pub(super) alerts: BTreeMap<Subject, BTreeMap<RuleId, Alert>>,
    /// Sources whose first look was a moment ago.
    grace: BTreeSet<String>,
    /// Judged false (or true) once since the first look: what comes now is news.
    pub(super) judged: FirstJudgements,
    /// Rules that came or changed by a reload: what they find is news, however young the source.
    pub(super) late: BTreeSet<RuleId>,
    /// Alerts whose rule got other words since they were written.
    pub(super) reworded: BTreeSet<(Subject, RuleId)>,
    /// Alerts whose rule changed while they were firing and cannot be judged since.
    pub(super) outdated: Outdated,
}

/// What one round of judgements changed.
#[derive(Debug, Default)]
pub struct Judged {
    /// Rows to keep.
    pub changes: Vec<Change>,
    /// Subjects that were judged.
    pub subjects: Vec<Subject>,
}

impl Rules {
    /// Goes on where a former process was. Alerts of rules that are gone are dropped.
    pub fn restore(set: RuleSet, book: LabelBook, loaded: &Loaded) -> (Rules, Vec<Change>) {
        let mut rules = Rules { set, book, ..Rules::default() };
        let mut changes = Vec::new();
        // Until the next look, nobody knew whether they held.
        let stopped = loaded.steady();
        for alert in &loaded.alerts {
            if rules.knows(&alert.rule) {
                let of_subject = rules.alerts.entry(alert.subject.clone()).or_default();
                let unknown_since = alert.unknown_since.or(stopped);
                of_subject.insert(alert.rule.clone(), Alert { unknown_since, ..alert.clone() });
            } else {
                changes.push(Change::ForgetAlert {
                    rule: alert.rule.clone(),
                    subject: alert.subject.clone(),
                });
            }
        }
        (rules, changes)
    }

    /// Where labels come from.
    pub fn book(&self) -> &LabelBook {
        &self.book
    }

    /// Judges all rules for a source, its Flink clusters and its jobs.
    pub fn step(&mut self, time: Time, tracker: &Tracker, source: &str, folded: &Folded) -> Judged {
        let mut judged = Judged::default();
        let Some(track) = tracker.source(source) else { return judged };
        // Only where this process saw the first look: after a restart nothing is told apart that
        // happened meanwhile, and what is news must not pass for old.
        if folded.first_look {
            self.grace.insert(source.to_owned());
        }
        let young = track
            .first_look
            .is_some_and(|first| time.steady.since(first.steady) <= FIRST_LOOK_GRACE);
        if !young && self.grace.remove(source) && self.grace.is_empty() {
            self.judged.clear();
        }
        let rules = std::mem::take(&mut self.set.rules);

        let Some(facts) = tracker.source_facts(source, time) else { return judged };
        let subject = Subject::Source(source.to_owned());
        let book = std::mem::take(&mut self.book);
        let labels = || book.of_source(source, None);
        let values = || named(source);
        let picks = of_labels(&rules, &labels());
        let seen = track.is_up() && !track.frozen;
        let turn = Turn { time, rules: &rules, picks: &picks, first_look: false, seen };
        self.judge(
            turn,
            Scope::Sources,
            subject,
            &Facts::of(About::Source(facts)),
            &labels,
            &values,
            &mut judged,
        );

        let listed = track.clusters.iter().map(|c| &c.flink_cluster);
        let alerted: BTreeSet<String> = self.alerted_clusters(source);
        let clusters = listed.chain(track.emptied.keys()).chain(alerted.iter());
        for cluster in clusters.collect::<BTreeSet<_>>() {
            let facts = ClusterFacts { source: track, flink_cluster: cluster, time };
            let subject = Subject::Cluster(source.to_owned(), cluster.clone());
            let labels = || book.of_source(source, Some(cluster));
            let values = || named(cluster);
            let facts = Facts::of(About::Cluster(facts));
            let picks = of_labels(&rules, &labels());
            let is_it = |c: &crate::model::ClusterObservation| c.flink_cluster == *cluster;
            let seen = turn.seen
                && !track.unseen.contains_key(cluster)
                && track.clusters.iter().any(is_it);
            let turn = Turn { picks: &picks, seen, ..turn };
            self.judge(turn, Scope::Clusters, subject, &facts, &labels, &values, &mut judged);
        }

        for key in &folded.jobs {
            let Some(facts) = tracker.job_facts(key, time) else { continue };
            let labels = || book.of_job(facts.job);
            let values = || job_values(&facts);
            let picks = self.set.picks.of_job(key, facts.job, &book, &rules);
            let first_look = self.grace.contains(&facts.job.source) && facts.job.since_first_look;
            let seen = runs(&facts);
            let turn = Turn { picks: &picks, first_look, seen, ..turn };
            let subject = Subject::Job(key.clone());
            self.judge(
                turn,
                Scope::Jobs,
                subject,
                &Facts::of(About::Job(facts)).with_labels(&labels),
                &labels,
                &values,
                &mut judged,
            );
        }
        self.set.picks.keep(source, &folded.jobs);
        self.set.rules = rules;
        self.book = book;
        judged
    }

    #[expect(clippy::too_many_arguments, reason = "one call per scope, all of it needed")]
    fn judge(
        &mut self,
        turn: Turn<'_>,
        scope: Scope,
        subject: Subject,
        facts: &Facts<'_>,
        labels: &dyn Fn() -> Labels,
        values: &dyn Fn() -> Map<String, Value>,
        judged: &mut Judged,
    ) {
        let mut known_labels: Option<Labels> = None;
        let known = self.alerts.get_mut(&subject).map(std::mem::take);
        let was_known = known.is_some();
        let mut of_subject = known.unwrap_or_default();
        for (rule, pick) in turn.rules.iter().zip(turn.picks) {
            if !fits(rule, scope) {
                continue;
            }
            let form = match pick {
                Pick::Own => Some(rule),
                Pick::Form(form) => Some(&**form).filter(|form| form.enabled),
                Pick::No => None,
            };
            // What it said in another form of it, for the labels the subject had before.
            if !rule.variants.is_empty() || form.is_none() {
                for id in rule.ids().filter(|id| form.is_none_or(|form| form.id != **id)) {
                    if of_subject.remove(id).is_some() {
                        self.outdated.forget_alert(&subject, id);
                        judged.changes.push(forget(id, &subject));
                    }
                }
            }
            let Some(rule) = form else { continue };
            let verdict = rule.judge(facts, turn.time.wall);
            // A long `for` is not waived: nobody knows that it has been so for that long.
            let first_look = turn.first_look
                && !self.late.contains(&rule.id)
                && self.is_first_judgement(&subject, rule, &verdict)
                && rule.hold <= WAIVED_UP_TO;
            let mut before = of_subject.remove(&rule.id);
            let was = before.as_mut().map(|alert| {
                let was = (alert.state, alert.outdated, alert.condition.is_some());
                mark(alert, rule);
                was
            });
            let seen = turn.seen && rule.is_active(turn.time.wall);
            let alert = before.as_ref();
            if self.outdated.ends(turn.time.steady, rule, &subject, alert, verdict.truth, seen) {
                judged.changes.push(forget(&rule.id, &subject));
                continue;
            }
            if before.is_none() && verdict.truth != crate::model::Truth::True {
                continue;
            }
            let waits = Waits { hold: rule.hold, keep: rule.keep_firing_for, at_once: first_look };
            let life = before.as_ref().map(life_of);
            match advance(turn.time.steady, life, verdict.truth, waits) {
                None => judged.changes.extend(before.map(|_| forget(&rule.id, &subject))),
                Some(life) => {
                    let labels = known_labels.get_or_insert_with(labels);
                    let anew = !self.reworded.is_empty()
                        && verdict.truth == crate::model::Truth::True
                        && self.reworded.remove(&(subject.clone(), rule.id.clone()));
                    let before = Before { alert: before, was, anew };
                    let alert =
                        updated(before, rule, &subject, life, verdict, labels, values, first_look);
                    if let Some(change) = alert.1 {
                        judged.changes.push(change);
                    }
                    of_subject.insert(rule.id.clone(), alert.0);
                }
            }
        }
        if !of_subject.is_empty() {
            match self.alerts.get_mut(&subject) {
                Some(known) => *known = of_subject,
                None => drop(self.alerts.insert(subject.clone(), of_subject)),
            }
        } else if was_known {
            self.alerts.remove(&subject);
        }
        judged.subjects.push(subject);
    }

    /// Whether this rule has never come to a judgement on this subject since the first look.
    fn is_first_judgement(&mut self, subject: &Subject, rule: &Rule, verdict: &Verdict) -> bool {
        use crate::model::Truth;
        if matches!(verdict.truth, Truth::Unknown | Truth::NotApplicable) {
            return false;
        }
        self.judged.note(subject, &rule.id)
    }

    fn alerted_clusters(&self, source: &str) -> BTreeSet<String> {
        let from = Subject::Cluster(source.to_owned(), String::new());
        let of_source = |s: &Subject| match s {
            Subject::Cluster(name, cluster) if name == source => Some(cluster.clone()),
            _ => None,
        };
        self.alerts.range(from..).map_while(|(s, _)| of_source(s)).collect()
    }

    /// Alerts of a subject.
    pub fn alerts_of(&self, subject: &Subject) -> impl Iterator<Item = &Alert> {
        self.alerts.get(subject).into_iter().flat_map(BTreeMap::values)
    }

    /// Whether a rule is still in force.
    pub fn knows(&self, rule: &RuleId) -> bool {
        self.set.rules.iter().any(|r| r.ids().any(|id| id == rule))
    }

    /// Subjects with alerts.
    pub fn subjects(&self) -> impl Iterator<Item = &Subject> {
        self.alerts.keys()
    }

    /// All alerts.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.values().flat_map(BTreeMap::values)
    }

    /// Drops the alerts of a subject that is not watched any more.
    pub fn forget_subject(&mut self, subject: &Subject) -> Vec<Change> {
        self.outdated.forget(subject);
        let gone = self.alerts.remove(subject).unwrap_or_default();
        gone.keys().map(|rule| forget(rule, subject)).collect()
    }
}

#[derive(Clone, Copy)]
struct Turn<'a> {
    time: Time,
    rules: &'a [Rule],
    picks: &'a [Pick],
    first_look: bool,
    /// The subject can be seen, it runs if it is a job, and its metrics move.
    seen: bool,
}

pub(super) fn forget(rule: &RuleId, subject: &Subject) -> Change {
    Change::ForgetAlert { rule: rule.clone(), subject: subject.clone() }
}

fn life_of(alert: &Alert) -> Life {
    Life {
        state: alert.state,
        since: alert.since,
        last_true: alert.last_true,
        unknown_since: alert.unknown_since,
    }
}

/// An alert as it was, what of it is in the store, and whether its words are to be written anew.
struct Before {
    alert: Option<Alert>,
    was: Option<(AlertState, bool, bool)>,
    anew: bool,
}

#[expect(clippy::too_many_arguments, reason = "the parts of one alert")]
fn updated(
    before: Before,
    rule: &Rule,
    subject: &Subject,
    life: Life,
    verdict: Verdict,
    labels: &Labels,
    values: &dyn Fn() -> Map<String, Value>,
    first_look: bool,
) -> (Alert, Option<Change>) {
    let is_true = verdict.truth == crate::model::Truth::True;
    let Before { alert: before, was, mut anew } = before;
    let mut alert = before.unwrap_or_else(|| Alert {
        rule: rule.id.clone(),
        subject: subject.clone(),
        aspect: rule.aspect.clone(),
        state: life.state,
        since: life.since,
        last_true: life.last_true,
        first_look,
        unknown_since: None,
        outdated: false,
        condition: None,
        evidence: crate::model::Evidence::new(),
        labels: Labels::default(),
        annotations: BTreeMap::new(),
    });
    alert.state = life.state;
    alert.since = life.since;
    alert.last_true = life.last_true;
    alert.unknown_since = life.unknown_since;
    let mut moved = false;
    if is_true {
        alert.outdated = false;
        let as_before = alert.condition.as_deref() == Some(rule.print());
        moved = was.is_some() && !as_before;
        if !as_before {
            alert.condition = Some(rule.print().to_owned());
        }
        let mut all = labels.clone();
        all.extend(&rule.labels);
        all.set("alertname", rule.id.alert.as_str());
        all.set("severity", rule.id.severity.as_str());
        // Labels stand in annotations, too.
        anew |= alert.labels != all;
        alert.labels = all;
        if anew || alert.evidence != verdict.evidence || alert.annotations.is_empty() {
            alert.evidence = verdict.evidence;
            let mut context = values();
            for (name, value) in &alert.labels.0 {
                context.insert(name.clone(), Value::String(value.clone()));
            }
            for (name, value) in &alert.evidence {
                context.insert(name.clone(), value.clone());
            }
            alert.annotations = rule.annotations.render(&context);
        }
    }
    let is = (alert.state, alert.outdated, alert.condition.is_some());
    let change = (moved || was != Some(is)).then(|| Change::Alert(Box::new(alert.clone())));
    (alert, change)
}

fn named(name: &str) -> Map<String, Value> {
    let mut values = Map::new();
    values.insert("name".to_owned(), Value::String(name.to_owned()));
    values.insert("job_name".to_owned(), Value::String(name.to_owned()));
    values.insert("root_cause".to_owned(), Value::String(String::new()));
    values
}

fn job_values(facts: &JobFacts<'_>) -> Map<String, Value> {
    let mut values = named(&facts.job.name);
    let cause = facts.job.last_cause.as_ref().map(|(_, cause)| cause.line()).unwrap_or_default();
    values.insert("root_cause".to_owned(), Value::String(cause));
    let path = facts.job.checkpoint.as_ref().map(|c| c.path.clone()).unwrap_or_default();
    values.insert("checkpoint_path".to_owned(), Value::String(path));
    values.insert("state".to_owned(), Value::String(facts.job.state().as_str().to_owned()));
    values
}
