//! Which form of each rule counts for which job: chosen by its labels, kept until they change.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::by_label::{self, Wish};
use super::{LabelBook, Rule};
use crate::model::{JobKey, Labels, matches_all};
use crate::tracker::JobTrack;

/// Forms by labels that are kept: jobs with the same labels share one.
const MAX_LABELLED: usize = 2_000;
/// Jobs whose labels are complained about.
const MAX_PROBLEMS: usize = 100;

/// Lists of picks that are kept to be shared: most jobs have the same one.
const MAX_SHARED: usize = 64;

/// How one rule stands to one subject.
#[derive(Debug, Clone)]
pub(super) enum Pick {
    /// It is not about it.
    No,
    /// As it is.
    Own,
    /// In another form.
    Form(Arc<Rule>),
}

/// All picks of the jobs of all sources.
#[derive(Debug, Clone, Default)]
pub(super) struct Picks {
    jobs: BTreeMap<String, BTreeMap<JobKey, OfJob>>,
    labelled: BTreeMap<(usize, String), Result<Arc<Rule>, String>>,
    problems: BTreeMap<JobKey, String>,
    shared: Vec<Arc<[Pick]>>,
}

impl Pick {
    fn is(&self, other: &Pick) -> bool {
        match (self, other) {
            (Pick::No, Pick::No) | (Pick::Own, Pick::Own) => true,
            (Pick::Form(a), Pick::Form(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

#[derive(Debug, Clone)]
struct OfJob {
    /// All that its labels are made of and may change.
    flink_cluster: String,
    labels: Labels,
    picks: Arc<[Pick]>,
}

impl Picks {
    /// The picks of a job, in the order of the rules.
    pub(super) fn of_job(
        &mut self,
        key: &JobKey,
        job: &JobTrack,
        book: &LabelBook,
        rules: &[Rule],
    ) -> Arc<[Pick]> {
        if let Some(known) = self.jobs.get(&job.source).and_then(|jobs| jobs.get(key))
            && known.labels == job.labels
            && known.flink_cluster == job.flink_cluster
            && known.picks.len() == rules.len()
        {
            return Arc::clone(&known.picks);
        }
        let labels = book.of_job(job);
        let mut picks = of_labels(rules, &labels);
        self.wishes(key, rules, &labels, &mut picks);
        let picks = self.shared(picks);
        let known = OfJob {
            flink_cluster: job.flink_cluster.clone(),
            labels: job.labels.clone(),
            picks: Arc::clone(&picks),
        };
        self.jobs.entry(job.source.clone()).or_default().insert(key.clone(), known);
        picks
    }

    /// The same list, in the one copy of it there is.
    fn shared(&mut self, picks: Vec<Pick>) -> Arc<[Pick]> {
        let same = |known: &&Arc<[Pick]>| {
            known.len() == picks.len() && known.iter().zip(&picks).all(|(a, b)| a.is(b))
        };
        if let Some(known) = self.shared.iter().find(same) {
            return Arc::clone(known);
        }
        let picks: Arc<[Pick]> = picks.into();
        if self.shared.len() >= MAX_SHARED {
            // What nobody has any more makes room.
            self.shared.retain(|known| Arc::strong_count(known) > 1);
        }
        if self.shared.len() < MAX_SHARED {
            self.shared.push(Arc::clone(&picks));
        }
        picks
    }

    /// What was picked for a job at its last look: its form of one rule, or the rule's own.
    pub(super) fn known(&self, source: &str, key: &JobKey, rule: usize) -> Option<Pick> {
        let known = self.jobs.get(source)?.get(key)?;
        known.picks.get(rule).cloned()
    }

    /// Forgets the jobs of a source that are not among these.
    pub(super) fn keep(&mut self, source: &str, jobs: &[JobKey]) {
        let Some(known) = self.jobs.get_mut(source).filter(|known| known.len() > jobs.len()) else {
            return;
        };
        let kept: std::collections::BTreeSet<&JobKey> = jobs.iter().collect();
        known.retain(|key, _| kept.contains(key));
        let still: std::collections::BTreeSet<&JobKey> =
            self.jobs.values().flat_map(BTreeMap::keys).collect();
        self.problems.retain(|key, _| still.contains(key));
    }

    pub(super) fn problems(&self) -> impl Iterator<Item = (&JobKey, &String)> {
        self.problems.iter()
    }

    fn wishes(&mut self, key: &JobKey, rules: &[Rule], labels: &Labels, picks: &mut [Pick]) {
        let (wishes, mut problems) = by_label::wishes(labels, rules);
        for (index, rule) in rules.iter().enumerate() {
            let mine: Vec<&Wish<'_>> = wishes.iter().filter(|w| w.alert == rule.id.alert).collect();
            // What led to a form, so that jobs that went the same way share it.
            let mut way = match picks.get(index) {
                Some(Pick::Form(form)) => {
                    let at = rule.variants.rules().position(|r| Arc::ptr_eq(r, form));
                    format!("{at:?}")
                }
                _ => String::new(),
            };
            for wish in mine {
                let Some(pick) = picks.get_mut(index) else { continue };
                let base = match pick {
                    Pick::No => continue,
                    Pick::Own => rule,
                    Pick::Form(form) => form,
                };
                way = format!("{way} {wish:?}");
                let id = (index, way.clone());
                let changed = match self.labelled.get(&id) {
                    Some(known) => known.clone(),
                    None if self.labelled.len() >= MAX_LABELLED => {
                        Err(format!("more than {MAX_LABELLED} different changes by labels"))
                    }
                    None => {
                        let changed = by_label::apply(wish, base, rule).map(Arc::new);
                        self.labelled.insert(id, changed.clone());
                        changed
                    }
                };
                match changed {
                    Ok(form) => *pick = Pick::Form(form),
                    Err(what) => problems.push(what),
                }
            }
        }
        self.problems.remove(key);
        if !problems.is_empty() && self.problems.len() < MAX_PROBLEMS {
            problems.sort();
            problems.dedup();
            self.problems.insert(key.clone(), problems.join("; "));
        }
    }
}

/// The picks for a subject with these labels.
pub(super) fn of_labels(rules: &[Rule], labels: &Labels) -> Vec<Pick> {
    let pick = |rule: &Rule| {
        if !matches_all(&rule.matchers, labels) {
            return Pick::No;
        }
        rule.variants.of(labels).map_or(Pick::Own, |form| Pick::Form(Arc::clone(form)))
    };
    rules.iter().map(pick).collect()
}
