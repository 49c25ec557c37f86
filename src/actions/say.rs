//! What an incident says of the restarts of its job, or of all its jobs, and that a person is needed.

use std::collections::{BTreeMap, BTreeSet};

use super::holds::Hold;
use super::restarts::{Restarts, Stepped};
use super::world::World;
use crate::model::{Both, Doing, Incident, JobKey, Loaded, Restart, RestartState, Tally};

/// What was said of each job, by incident: of incidents that are about more than one.
pub(super) type Said = BTreeMap<u64, BTreeMap<JobKey, Doing>>;

fn is_of_several(incident: &Incident) -> bool {
    incident.subject.job().is_none()
}

/// What a former process has said, as far as rows tell.
pub(super) fn said_before(loaded: &Loaded) -> Said {
    let open = loaded.incidents.iter().filter(|i| i.is_open() && is_of_several(i));
    let open: BTreeSet<u64> = open.map(|incident| incident.id).collect();
    let mut said = Said::new();
    for row in &loaded.restarts {
        let Some(id) = row.incident.filter(|id| open.contains(id)) else { continue };
        if let Some(doing) = as_said(row) {
            said.entry(id).or_default().insert(row.job.clone(), doing);
        }
    }
    said
}

/// What a row stands for, roughly: enough to count it.
fn as_said(row: &Restart) -> Option<Doing> {
    let (from, attempt, of) = (None, row.attempt, row.of);
    let words = || Both::new(row.note.clone().unwrap_or_default(), String::new());
    match row.state {
        RestartState::Planned => Some(Doing::Planned { at: row.at, from, attempt, of }),
        RestartState::Approval => Some(Doing::Approval { restart: row.id, from }),
        RestartState::Stopping => Some(Doing::Stopping),
        RestartState::Submitted => Some(Doing::Starting { from, attempt, of }),
        RestartState::Running => Some(Doing::Watching { from, attempt, of }),
        RestartState::Verified => Some(Doing::Restarted { from, attempt }),
        RestartState::Failed => Some(Doing::Failed { attempt, of, why: words().en }),
        RestartState::Unknown => Some(Doing::GaveUp(words())),
        RestartState::Dropped => None,
    }
}

impl Restarts {
    /// What an incident says from now on of one of its jobs, if that is something else than before.
    pub(super) fn say(
        &mut self,
        incident: &Incident,
        job: &JobKey,
        doing: Doing,
        out: &mut Stepped,
    ) {
        let doing = if is_of_several(incident) {
            let all = self.said.entry(incident.id).or_default();
            all.insert(job.clone(), doing);
            Doing::Several(Tally::of(all.values()))
        } else {
            doing
        };
        out.doing.retain(|(known, _)| *known != incident.id);
        if incident.doing.as_ref() != Some(&doing) {
            out.doing.push((incident.id, doing));
        }
    }

    /// What was said of this job last.
    pub(super) fn said<'a>(&'a self, incident: &'a Incident, job: &JobKey) -> Option<&'a Doing> {
        if is_of_several(incident) {
            return self.said.get(&incident.id)?.get(job);
        }
        incident.doing.as_ref()
    }

    /// What the incident of an attempt says from now on.
    pub(super) fn tell(
        &mut self,
        row: &Restart,
        world: &World<'_>,
        doing: Doing,
        out: &mut Stepped,
    ) {
        if let Some(incident) = row.incident.and_then(|id| world.incidents.get(id)) {
            self.say(incident, &row.job, doing, out);
        }
    }

    /// A person is needed; told once.
    pub(super) fn give_up(
        &mut self,
        incident: Option<&Incident>,
        job: &JobKey,
        hold: &Hold,
        out: &mut Stepped,
    ) {
        let Some(incident) = incident else { return };
        let doing = Doing::GaveUp(hold.words());
        let known = self.said(incident, job);
        if known == Some(&doing) {
            return;
        }
        let told = known.is_some_and(Doing::gave_up);
        if !self.was_counted(incident, job) {
            out.events.push((incident.id, format!("restarting given up: {}", hold.words().en)));
            // What was dead before anybody looked alarms nobody; the first report names it.
            let alarms = !matches!(hold, Hold::Declined(_) | Hold::FirstLook);
            if !told && alarms {
                out.gave_up.push((incident.id, job.clone()));
            }
        }
        self.say(incident, job, doing, out);
    }

    /// A former process has told of this job that a person is needed, and left no row that says so.
    fn was_counted(&self, incident: &Incident, job: &JobKey) -> bool {
        let Some(Doing::Several(before)) = incident.doing else { return false };
        let all = self.said.get(&incident.id);
        let now = all.map_or(0, |all| Tally::of(all.values()).gave_up);
        all.is_none_or(|all| !all.contains_key(job)) && before.gave_up > now
    }

    /// It waits for a person's word, who has to hear of that.
    pub(super) fn wants_approval(
        &mut self,
        row: &Restart,
        world: &World<'_>,
        from: Option<String>,
        out: &mut Stepped,
    ) {
        self.tell(row, world, Doing::Approval { restart: row.id, from }, out);
        out.wanted.extend(row.incident);
    }

    /// Of one incident and job it is told once that a person is needed, and of an incident that is
    /// over not at all.
    pub(super) fn tell_once(&mut self, world: &World<'_>, out: &mut Stepped) {
        let is_open = |id: u64| world.incidents.get(id).is_some_and(Incident::is_open);
        self.said.retain(|id, _| is_open(*id));
        self.told_of.retain(|(id, _)| is_open(*id));
        let told_of = &mut self.told_of;
        out.gave_up.retain(|told| is_open(told.0) && told_of.insert(told.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Subject;
    use crate::notify::render::probe;
    use crate::store::contract::samples;

    fn cluster() -> Incident {
        let mut incident = probe::failing(7, "prod").incident;
        incident.subject = Subject::Cluster("prod".to_owned(), "session".to_owned());
        incident
    }

    fn key(n: u32) -> JobKey {
        JobKey(format!("prod/session/job-{n}"))
    }

    fn restarted() -> Doing {
        Doing::Restarted { from: Some("chk-42".to_owned()), attempt: 1 }
    }

    fn needed() -> Hold {
        Hold::Exhausted(3)
    }

    #[test]
    fn an_incident_about_many_jobs_counts_them_and_tells_of_each_once() {
        let (mut restarts, mut incident) = (Restarts::default(), cluster());
        let mut out = Stepped::default();
        for n in 0..3 {
            let from = Some("chk-1".to_owned());
            restarts.say(&incident, &key(n), Doing::Starting { from, attempt: 1, of: 3 }, &mut out);
        }
        restarts.say(&incident, &key(0), restarted(), &mut out);
        restarts.give_up(Some(&incident), &key(1), &needed(), &mut out);
        let tally = Tally { restarted: 1, on_way: 1, gave_up: 1, ..Tally::default() };
        assert_eq!(out.doing, [(7, Doing::Several(tally))]);
        assert_eq!((out.gave_up.len(), out.events.len()), (1, 1));
        incident.doing = Some(Doing::Several(tally));
        // The same again says nothing, and another job is news of its own.
        let mut out = Stepped::default();
        restarts.give_up(Some(&incident), &key(1), &needed(), &mut out);
        assert!(out.doing.is_empty() && out.gave_up.is_empty() && out.events.is_empty());
        restarts.give_up(Some(&incident), &key(2), &needed(), &mut out);
        assert_eq!(out.gave_up, [(7, key(2))]);
    }

    #[test]
    fn a_new_process_counts_on_and_tells_nothing_again() {
        let mut incident = cluster();
        let tally = Tally { restarted: 1, gave_up: 1, on_way: 1, ..Tally::default() };
        incident.doing = Some(Doing::Several(tally));
        let row = |id, n, state| {
            let at = crate::model::Ts(5);
            Restart { incident: Some(7), ..samples::restart(id, &key(n).0, state, at) }
        };
        // The third was given up without a row: nothing was left to restore it from.
        let rows = vec![
            row(1, 0, RestartState::Failed),
            row(2, 0, RestartState::Verified),
            row(3, 1, RestartState::Running),
        ];
        let mut loaded = Loaded { restarts: rows, ..Loaded::default() };
        loaded.incidents = vec![incident.clone()];
        let mut restarts = Restarts::restore(crate::actions::Settings::default(), &loaded);
        let mut out = Stepped::default();
        restarts.give_up(Some(&incident), &key(2), &needed(), &mut out);
        assert!(out.doing.is_empty() && out.gave_up.is_empty() && out.events.is_empty(), "{out:?}");
        restarts.give_up(Some(&incident), &key(1), &needed(), &mut out);
        assert_eq!(out.gave_up, [(7, key(1))]);
        let tally = Tally { restarted: 1, gave_up: 2, ..Tally::default() };
        assert_eq!(out.doing, [(7, Doing::Several(tally))]);
    }
}
