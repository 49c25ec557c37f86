//! Keeps the immutable [`View`] that web, metrics and CLI see; only what changed is built anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::view::{
    ChannelView, InventoryView, JobView, JobViews, RuleView, SourceView, View, Waiting,
};
use crate::incidents::Incidents;
use crate::model::{
    AlertState, Change, JobKey, Restart, RestartState, RuleId, Schedules, SeenBy, Silence, Time,
};
use crate::notify::Pipeline;
use crate::rules::Rules;
use crate::tracker::{InventoryTrack, JobFacts, Tracker};

/// The view in the making.
#[derive(Debug, Default)]
pub(super) struct Picture {
    view: Arc<View>,
    kinds: BTreeMap<String, String>,
    /// Restarts that are not over, by number.
    restarts: BTreeMap<u64, RestartState>,
}

impl Picture {
    /// Nothing seen yet.
    pub(super) fn new(sources: &BTreeMap<String, String>) -> Picture {
        let mut view = View::default();
        for (name, kind) in sources {
            let source = SourceView { kind: kind.clone(), ..SourceView::default() };
            view.sources.insert(name.clone(), Arc::new(source));
        }
        Picture { view: Arc::new(view), kinds: sources.clone(), restarts: BTreeMap::new() }
    }

    /// Other sources, labels and rules are in force.
    pub(super) fn reload(
        &mut self,
        time: Time,
        sources: &BTreeMap<String, String>,
        tracker: &Tracker,
        rules: &Rules,
        pipeline: &Pipeline,
    ) {
        self.kinds.clone_from(sources);
        let view = Arc::make_mut(&mut self.view);
        view.sources.retain(|name, _| sources.contains_key(name));
        // A source that is new is shown from its first look on: until then Weir is as ready as before.
        for (name, source) in &mut view.sources {
            if let Some(kind) = sources.get(name).filter(|kind| **kind != source.kind) {
                Arc::make_mut(source).kind.clone_from(kind);
            }
        }
        view.channels.retain(|id, _| pipeline.health().contains_key(id));
        view.rules = rule_views(rules);
        // Before the first turn nothing has been shown yet; it shows all.
        if view.at.is_some() {
            view.jobs = JobViews::default();
            for (key, _) in tracker.jobs() {
                if let Some(facts) = tracker.job_facts(key, time) {
                    view.jobs.insert(Arc::new(job_view(key, &facts, None, rules)));
                }
            }
        }
    }

    /// Other schedules are in force.
    pub(super) fn set_schedules(&mut self, schedules: &Schedules) {
        Arc::make_mut(&mut self.view).schedules = schedules.clone();
    }

    /// A job is not watched any more.
    pub(super) fn forget_job(&mut self, key: &JobKey) {
        Arc::make_mut(&mut self.view).jobs.retain(|job| job.key != *key);
    }

    /// Counts distinct failures.
    pub(super) fn note_failures(&mut self, count: u64) {
        if count > 0 {
            Arc::make_mut(&mut self.view).failures_seen += count;
        }
    }

    /// Goes on with the restarts of a former process; what ended then is not counted.
    pub(super) fn begin_restarts<'a>(&mut self, rows: impl Iterator<Item = &'a Restart>) {
        let open: Vec<&Restart> = rows.filter(|row| row.state.is_open()).collect();
        self.restarts = open.iter().map(|row| (row.id, row.state)).collect();
        self.count_open_restarts();
        for row in open {
            self.note_waiting(row);
        }
    }

    /// Counts restarts that went on or ended.
    pub(super) fn note_restarts(&mut self, changes: &[Change], paused: bool) {
        let mut moved = false;
        for change in changes {
            let Change::Restart(row) = change else { continue };
            self.note_waiting(row);
            if row.state.is_open() {
                moved |= self.restarts.insert(row.id, row.state) != Some(row.state);
            } else if self.restarts.remove(&row.id).is_some() {
                // A row is written again long after its end, and has ended once.
                moved = true;
                let view = Arc::make_mut(&mut self.view);
                *view.restarts.ended.entry(row.state).or_default() += 1;
            }
        }
        if moved {
            self.count_open_restarts();
        }
        if self.view.restarts.paused != paused {
            Arc::make_mut(&mut self.view).restarts.paused = paused;
        }
    }

    fn note_waiting(&mut self, row: &Restart) {
        let waits = row.state == RestartState::Approval;
        if waits == self.view.restarts.waiting.contains_key(&row.id) {
            return;
        }
        let waiting = Arc::make_mut(&mut Arc::make_mut(&mut self.view).restarts.waiting);
        if waits {
            waiting.insert(row.id, Waiting { job: row.job.clone(), incident: row.incident });
        } else {
            waiting.remove(&row.id);
        }
    }

    fn count_open_restarts(&mut self) {
        let mut open = BTreeMap::new();
        for state in self.restarts.values() {
            *open.entry(*state).or_default() += 1;
        }
        Arc::make_mut(&mut self.view).restarts.open = open;
    }

    /// Counts the guard's interventions.
    pub(super) fn set_guard_trips(&mut self, trips: u64) {
        if self.view.guard_trips != trips {
            Arc::make_mut(&mut self.view).guard_trips = trips;
        }
    }

    /// After a look at a source.
    pub(super) fn look(
        &mut self,
        time: Time,
        name: &str,
        jobs: &[JobKey],
        tracker: &Tracker,
        rules: &Rules,
    ) {
        let view = Arc::make_mut(&mut self.view);
        let Some(source) = tracker.source(name) else { return };
        let kind = self.kinds.get(name).cloned().unwrap_or_default();
        view.sources.insert(
            name.to_owned(),
            Arc::new(SourceView {
                kind,
                up: source.is_up(),
                error: source.error.clone(),
                version: source.version.clone(),
                last_success: source.last_success.map(|t| t.wall),
                failing_since: source.failing_since.map(|t| t.wall),
                metrics_frozen: source.frozen,
                clock_offset_ms: source.offset_ms,
                jobs: tracker.job_count_of(name),
                taskmanagers: sum(source.clusters.iter().map(|c| c.taskmanagers)),
                slots_available: sum(source.clusters.iter().map(|c| c.slots_available)),
                poll_ms: source.polls.took_ms,
                poll_requests: source.polls.requests,
                poll_bytes: source.polls.bytes,
                polls_ok: source.polls.ok,
                polls_failed: source.polls.failed,
                inventory: tracker.inventory(name).map(inventory_view),
            }),
        );
        for key in jobs {
            let Some(facts) = tracker.job_facts(key, time) else { continue };
            let known = view.jobs.get(key);
            if known.is_none_or(|known| !is_same(known, &facts)) {
                let next = job_view(key, &facts, known, rules);
                view.jobs.insert(Arc::new(next));
            }
        }
        let problems = || rules.set.label_problems().map(|(key, said)| format!("{key}: {said}"));
        if !problems().eq(view.label_problems.iter().cloned()) {
            view.label_problems = problems().collect();
        }
        // Only a job that was forgotten leaves more here than there are.
        if view.jobs.len() > tracker.job_count() {
            view.jobs.retain(|job| tracker.job(&job.key).is_some());
        }
    }

    /// After a turn.
    pub(super) fn update(
        &mut self,
        time: Time,
        changes: &[Change],
        tracker: &Tracker,
        incidents: &Incidents,
        pipeline: &Pipeline,
        rules: &Rules,
    ) -> Arc<View> {
        let view = Arc::make_mut(&mut self.view);
        let first = view.at.is_none();
        view.at = Some(time);
        if first {
            for incident in incidents.iter() {
                view.incidents.insert(incident.id, Arc::new(incident.clone()));
            }
            let known = tracker
                .jobs()
                .filter_map(|(key, _)| Some((key.clone(), tracker.job_facts(key, time)?)));
            for (key, facts) in known {
                view.jobs.insert(Arc::new(job_view(&key, &facts, None, rules)));
            }
        }
        let (mut alerts_changed, mut incidents_changed) = (first, first);
        let mut silences_changed = first;
        for change in changes {
            match change {
                Change::Incident(incident) => {
                    incidents_changed = true;
                    view.incidents.insert(incident.id, Arc::new((**incident).clone()));
                }
                Change::Meta { key, .. } => silences_changed |= key.starts_with(Silence::ROW),
                Change::Alert(_) | Change::ForgetAlert { .. } => alerts_changed = true,
                _ => {}
            }
        }
        if view.incidents.len() > 64 {
            view.incidents.retain(|id, _| incidents.get(*id).is_some());
        }
        if silences_changed {
            view.silences = incidents.silences().iter().cloned().collect();
        }
        if alerts_changed {
            view.rules = rule_views(rules);
        }
        for (id, health) in pipeline.health() {
            let kind = pipeline.plan(id).map(|c| c.kind.clone()).unwrap_or_default();
            view.channels.insert(
                id.clone(),
                ChannelView {
                    kind,
                    failing_since: health.failing_since.map(|t| t.wall),
                    error: health.error.clone(),
                    sent: health.sent,
                    attempts: health.attempts,
                },
            );
        }
        let muted = pipeline.muted();
        if view.muted != muted {
            view.muted = muted;
        }
        if incidents_changed {
            view.mutes = incidents.mutes();
        }
        view.notice_counts.clone_from(pipeline.counts());
        (view.pending_notices, view.due_messages) = pipeline.backlog();
        Arc::clone(&self.view)
    }
}

fn sum(values: impl Iterator<Item = Option<u32>>) -> Option<u32> {
    values.flatten().reduce(|a, b| a + b)
}

fn inventory_view(track: &InventoryTrack) -> InventoryView {
    InventoryView {
        entries: track.entries.len(),
        matched: track.matched,
        unseen: track.unseen.clone(),
        conflicts: track.conflicts.clone(),
    }
}

fn rule_views(rules: &Rules) -> Vec<RuleView> {
    let mut counts: BTreeMap<&RuleId, (usize, usize)> = BTreeMap::new();
    for alert in rules.alerts() {
        let entry = counts.entry(&alert.rule).or_default();
        match alert.state {
            AlertState::Pending => entry.0 += 1,
            AlertState::Firing => entry.1 += 1,
        }
    }
    let view = |rule: &crate::rules::Rule| {
        let counted = rule.ids().filter_map(|id| counts.get(id));
        let (pending, firing) = counted.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
        RuleView {
            group: rule.id.group.clone(),
            alert: rule.id.alert.clone(),
            severity: rule.id.severity.as_str().to_owned(),
            kind: rule.when.name().to_owned(),
            pending,
            firing,
        }
    };
    rules.set.rules.iter().map(view).collect()
}

/// Whether a picture of the job would be the one that is there: most looks change nothing, and a
/// comparison costs less than a picture.
fn is_same(known: &JobView, facts: &JobFacts<'_>) -> bool {
    let job = facts.job;
    let Some(run) = job.current() else { return false };
    known.state == job.state()
        && known.all_running == run.is_healthy()
        && known.stale != facts.is_fresh()
        && known.missing == job.missing_since.is_some()
        && known.live_runs == job.live_runs
        && known.job_id == run.id.job_id
        && known.start_time == facts.source.to_wall(run.id.start_time)
        && known.failures_total == job.failures_total
        && known.restarts == run.restarts
        && known.last_checkpoint == job.checkpoint
        && known.checkpoint_from == facts.checkpoint_from().known()
        && known.lag_records == facts.lag().known()
        && known.ui_url == run.ui_url
        && known.flink_cluster == job.flink_cluster
        && said_the_same(&known.seen_by, &job.seen_by)
        && known.schedule.as_ref().map(Arc::as_ptr) == job.schedule.as_ref().map(Arc::as_ptr)
        && known.inventory.as_ref() == job.inventory.as_ref().map(|found| &found.entry)
        && job.labels.0.iter().all(|(name, value)| known.labels.get(name) == value)
}

fn said_the_same(known: &[SeenBy], now: &[SeenBy]) -> bool {
    known.len() == now.len() && known.iter().zip(now).all(|(known, now)| known.is_same(now))
}

fn job_view(
    key: &JobKey,
    facts: &JobFacts<'_>,
    before: Option<&Arc<JobView>>,
    rules: &Rules,
) -> JobView {
    let job = facts.job;
    let run = job.current();
    // Labels depend on the configuration and on what the source found out; both rarely change.
    let labels = match before {
        Some(known)
            if known.flink_cluster == job.flink_cluster
                && known.inventory.is_none()
                && job.labels.0.is_empty() =>
        {
            known.labels.clone()
        }
        _ => rules.book().of_job(job),
    };
    JobView {
        key: key.clone(),
        source: job.source.clone(),
        cluster: job.cluster.clone(),
        namespace: job.namespace.clone(),
        flink_cluster: job.flink_cluster.clone(),
        name: job.name.clone(),
        flink_job_name: job.flink_job_name.clone(),
        state: job.state(),
        all_running: run.is_some_and(crate::tracker::Run::is_healthy),
        stale: !facts.is_fresh(),
        missing: job.missing_since.is_some(),
        live_runs: job.live_runs,
        job_id: run.map(|r| r.id.job_id.clone()).unwrap_or_default(),
        start_time: facts.source.to_wall(run.map_or(0, |r| r.id.start_time)),
        failures_total: job.failures_total,
        restarts: run.and_then(|r| r.restarts),
        last_checkpoint: job.checkpoint.clone(),
        checkpoint_from: facts.checkpoint_from().known(),
        lag_records: facts.lag().known(),
        labels,
        inventory: job.inventory.as_ref().map(|found| Arc::clone(&found.entry)),
        seen_by: job.seen_by.clone(),
        schedule: job.schedule.clone(),
        ui_url: run.and_then(|r| r.ui_url.clone()),
    }
}

#[cfg(test)]
#[path = "picture_tests.rs"]
mod tests;
