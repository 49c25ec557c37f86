//! Restarts in a turn: what they are decided by, and what becomes of what they want.

use std::collections::BTreeSet;

use super::step::Engine;
use crate::actions::{Stepped, World};
use crate::incidents::{self, News};
use crate::model::{
    Change, Errand, JobKey, Labels, NoticeReason, Restart, RuleId, SilenceState, Subject, Time,
    Told, matches_all,
};
use crate::tracker::JobTrack;

impl Engine {
    /// What fires, what is planned and what is on its way goes on.
    pub(super) fn restarts(
        &mut self,
        time: Time,
        told: Option<(u64, Told)>,
        changes: &mut Vec<Change>,
    ) -> Vec<Errand> {
        let mut errands = Vec::new();
        if let Some((id, told)) = told {
            if let Told::Checked(found) = &told
                && let Some(job) = self.restarts.get(id).map(|row| row.job.clone())
            {
                for (path, there) in found {
                    if let Some(there) = there {
                        changes.extend(self.tracker.checked(time, &job, path, *there));
                    }
                }
            }
            let stepped =
                self.with_world(time, |restarts, world| restarts.told(time, world, id, told));
            self.take_restarts(time, stepped, &mut errands, changes);
        }
        // What is decided while the process ends would not be carried out.
        if !self.closing {
            let stepped = self.with_world(time, |restarts, world| restarts.step(time, world));
            self.take_restarts(time, stepped, &mut errands, changes);
        }
        errands
    }

    /// Lets restarts look at the rest.
    pub(super) fn with_world<T>(
        &mut self,
        time: Time,
        look: impl FnOnce(&mut crate::actions::Restarts, &World<'_>) -> T,
    ) -> T {
        let book = self.rules.book();
        let labels = |job: &JobTrack| book.of_job(job);
        let silences = self.incidents.silences();
        let held_by = |labels: &Labels| {
            let holds = silences.iter().find(|silence| {
                silence.hold_restarts
                    && silence.state(time.wall) == SilenceState::Active
                    && matches_all(&silence.matchers, labels)
            });
            holds.map(|silence| silence.id)
        };
        let rules = &self.rules;
        let last_true = |subject: &Subject, rule: &RuleId| {
            let of_rule = rules.alerts_of(subject).find(|alert| alert.rule == *rule);
            of_rule.map(|alert| alert.last_true)
        };
        let world = World {
            tracker: &self.tracker,
            incidents: &self.incidents,
            labels: &labels,
            held_by: &held_by,
            last_true: &last_true,
        };
        look(&mut self.restarts, &world)
    }

    pub(super) fn take_restarts(
        &mut self,
        time: Time,
        stepped: Stepped,
        errands: &mut Vec<Errand>,
        changes: &mut Vec<Change>,
    ) {
        let Stepped { changes: rows, errands: more, doing, events, gave_up, .. } = stepped;
        let Stepped { savepoints, stops, goes_on, began, wanted, .. } = stepped;
        for (job, run, from) in began {
            self.tracker.note_origin(&job, &run, from.as_deref());
        }
        for (job, run) in goes_on {
            changes.extend(self.tracker.forget_own_stop(&job, &run));
        }
        for (job, run) in stops {
            changes.extend(self.tracker.note_own_stop(&job, &run));
        }
        for (job, run, path) in savepoints {
            changes.extend(self.tracker.took_savepoint(time, &job, &run, &path));
        }
        let mut taken = incidents::Stepped { changes: rows, news: Vec::new() };
        for (incident, what) in events {
            taken.changes.push(Change::Event { incident, at: time.wall, what });
        }
        for (incident, doing) in doing {
            taken.changes.extend(self.incidents.set_doing(incident, doing));
        }
        let wanted: BTreeSet<u64> = wanted.into_iter().collect();
        let news = |incident, reason| News { incident, reason };
        taken.news.extend(wanted.into_iter().map(|id| news(id, NoticeReason::Approval)));
        // Of many jobs of one incident it is told once a turn.
        let gave_up: BTreeSet<u64> = gave_up.into_iter().map(|(id, _)| id).collect();
        taken.news.extend(gave_up.into_iter().map(|id| news(id, NoticeReason::GaveUp)));
        errands.extend(more);
        self.take(time, taken, changes);
    }

    /// Restarts of a job that are not over, for tests and reports.
    pub fn restart_of(&self, key: &JobKey) -> Option<&Restart> {
        self.restarts.open_of(key)
    }
}
