//! One turn: `tracker → rules → incidents → notify`, synchronous and deterministic.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::own::OwnTrouble;
use super::picture::Picture;
use super::taken::Taken;
use super::{Reload, View};
use crate::actions::{self, Restarts};
use crate::incidents::{self, Incidents};
use crate::model::{
    Alert, AlertState, Change, Command, Demand, Errand, FailedRun, InventoryEntry, JobKey,
    JobState, Loaded, Message, Replied, Schedules, SendOutcome, Snapshot, Subject, Time, Told, Ts,
};
use crate::notify::{self, Composers, Pipeline};
use crate::rules::{LabelBook, RuleSet, Rules};
use crate::tracker::{JobTrack, Tracker};

/// The first report waits no longer than this for sources that cannot be seen.
const FIRST_LOOKS_WITHIN: Duration = Duration::from_mins(1);

/// What happened in the world.
#[derive(Debug)]
pub enum Input {
    /// A look at a source.
    Snapshot(Box<Snapshot>),
    /// The deadline the last step named has come.
    Deadline,
    /// A channel's word on a try.
    Delivery {
        /// Which message.
        message: u64,
        /// What came of it.
        outcome: SendOutcome,
    },
    /// What a driver tells of a restart.
    Acted {
        /// Which restart.
        restart: u64,
        /// What.
        told: Box<Told>,
    },
    /// Other rules and settings come into force, as a whole.
    Reload(Box<Reload>),
    /// Somebody wants something done.
    Command(Box<Command>),
}

/// What is to be done about it, in this order.
#[derive(Debug)]
pub enum Effect {
    /// Commit this, before any other effect of this step and before the next step.
    Persist(Vec<Change>),
    /// Try to send this.
    Send(Box<Message>),
    /// Send again what was told, so that it is not forgotten there: no news, and not kept.
    Resend(Box<Message>),
    /// Have a driver do this.
    Act(Box<Errand>),
    /// Show this.
    Publish(Arc<View>),
    /// Come back at this steady time at the latest.
    Deadline(Ts),
    /// Tell who gave the command; only after the commit.
    Answer(Box<Replied>),
}

/// Validated settings of the engine.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// Sources by name, with their kind.
    pub sources: BTreeMap<String, String>,
    /// Incidents.
    pub incidents: incidents::Settings,
    /// Notification pipeline.
    pub notify: notify::Settings,
    /// Labels.
    pub labels: LabelBook,
    /// When jobs are meant to run.
    pub schedules: Schedules,
    /// A source or channel of our own failing for so long is told.
    pub failing_after: Duration,
    /// Restarts.
    pub restarts: actions::Settings,
}

impl EngineSettings {
    /// Names of the sources that are inventories.
    pub(super) fn inventories(&self) -> BTreeSet<String> {
        self.of_kinds(&InventoryEntry::KINDS)
    }

    /// Names of the sources that are platforms.
    pub(super) fn platforms(&self) -> BTreeSet<String> {
        self.of_kinds(&Snapshot::PLATFORM_KINDS)
    }

    fn of_kinds(&self, kinds: &[&str]) -> BTreeSet<String> {
        let is_one = |kind: &String| kinds.contains(&kind.as_str());
        self.sources.iter().filter(|(_, kind)| is_one(kind)).map(|(n, _)| n.clone()).collect()
    }
}

/// The state of the whole, and the step.
pub struct Engine {
    pub(super) settings: EngineSettings,
    pub(super) tracker: Tracker,
    pub(super) rules: Rules,
    pub(super) incidents: Incidents,
    pub(super) pipeline: Pipeline,
    pub(super) own: OwnTrouble,
    pub(super) picture: Picture,
    pub(super) taken: Taken,
    pub(super) restarts: Restarts,
    /// What restarts want done, of a command.
    pub(super) errands: Vec<Errand>,
    /// The process is about to end: nothing new is begun.
    pub(super) closing: bool,
    /// Nobody looks at the picture.
    unseen: bool,
    started: Option<Time>,
    /// Sources that left by a reload: a look at one of them may still be on its way.
    pub(super) gone: BTreeMap<String, Ts>,
    /// Changes of the restore itself, for the first step.
    leftover: Vec<Change>,
}

/// What rules and restarts need from the sources.
pub(super) fn demand_of(rules: &RuleSet, settings: &EngineSettings) -> Demand {
    let demand = rules.demand();
    if settings.restarts.policies.is_empty() {
        return demand;
    }
    // What a job can be restored from, why it died, and how its new run does.
    demand.union(&Demand { counters: true, checkpoints: true, failures: true, ..Demand::default() })
}

impl Engine {
    /// Goes on where a former process was, or begins.
    pub fn new(
        settings: EngineSettings,
        rules: RuleSet,
        composers: Composers,
        loaded: &Loaded,
    ) -> Engine {
        let names: BTreeSet<String> = settings.sources.keys().cloned().collect();
        let mut tracker = Tracker::restore(loaded);
        tracker.set_demand(&demand_of(&rules, &settings));
        tracker.set_inventories(settings.inventories());
        tracker.set_platforms(settings.platforms());
        let mut leftover = tracker.retain_sources(&names);
        let (rules, changes) = Rules::restore(rules, settings.labels.clone(), loaded);
        leftover.extend(changes);
        let mut engine = Engine {
            incidents: Incidents::restore(settings.incidents.clone(), loaded),
            pipeline: Pipeline::restore(settings.notify.clone(), composers, loaded),
            own: OwnTrouble::default(),
            picture: Picture::new(&settings.sources),
            taken: Taken::restore(loaded),
            restarts: Restarts::restore(settings.restarts.clone(), loaded),
            errands: Vec::new(),
            closing: false,
            unseen: false,
            tracker,
            rules,
            settings,
            started: None,
            gone: BTreeMap::new(),
            leftover,
        };
        engine.schedule_all();
        engine.picture.begin_restarts(engine.restarts.rows());
        engine
    }

    /// For replay: decides as ever, but makes no picture, which takes a good part of a step.
    pub fn unseen(mut self) -> Engine {
        self.unseen = true;
        self
    }

    /// The process is about to end: from now on no restart is begun.
    pub fn close(&mut self) {
        self.closing = true;
    }

    /// How often the guard on the wire had to step in, for the metrics.
    pub fn set_guard_trips(&mut self, trips: u64) {
        self.picture.set_guard_trips(trips);
    }

    /// What the rules need from the sources.
    pub fn demand(&self) -> Demand {
        demand_of(&self.rules.set, &self.settings)
    }

    /// Jobs whose newest run failed, for sources that begin to look.
    pub fn failed_runs(&self) -> Vec<FailedRun> {
        let failed = |job: &JobTrack| {
            let run = job.current().filter(|run| run.state == JobState::Failed)?;
            Some(FailedRun {
                source: job.source.clone(),
                name: job.flink_job_name.clone(),
                run: run.id.clone(),
                ui_url: run.ui_url.clone(),
            })
        };
        self.tracker.jobs().filter_map(|(_, job)| failed(job)).collect()
    }

    /// One turn.
    pub fn step(&mut self, time: Time, input: Input) -> Vec<Effect> {
        let mut changes = std::mem::take(&mut self.leftover);
        if self.started.is_none() {
            self.started = Some(time);
            self.unwatch(time, &mut changes);
            self.own = OwnTrouble::restore(&self.incidents);
            self.incidents.begin_inbound(time);
        }
        self.note_silences(time, &mut changes);
        let (mut replied, mut told) = (None, None);
        let is_delivery = matches!(input, Input::Delivery { .. });
        match input {
            Input::Command(command) => {
                replied = Some(self.command(time, &command, &mut changes));
                self.tick(time, &mut changes);
            }
            Input::Reload(new) => self.reload(time, *new, &mut changes),
            Input::Snapshot(snapshot) => self.look(time, &snapshot, &mut changes),
            Input::Acted { restart, told: said } => told = Some((restart, *said)),
            Input::Deadline => self.tick(time, &mut changes),
            Input::Delivery { message, outcome } => {
                changes.extend(self.pipeline.delivered(time, message, &outcome));
                self.tick(time, &mut changes);
            }
        }
        let ended = self.incidents.step_inbound(time, &self.tracker);
        self.take(time, ended, &mut changes);
        self.watch_ourselves(time, &mut changes);
        let mut errands = std::mem::take(&mut self.errands);
        if !is_delivery {
            errands.extend(self.restarts(time, told, &mut changes));
        }
        self.prepare_first_report(time);
        let flushed = self.pipeline.flush(time, &self.incidents);
        changes.extend(flushed.changes);
        self.pipeline.note_steps(time, &mut changes);
        let (tracker, rules) = (&self.tracker, &self.rules);
        let labels = |key: &JobKey| tracker.job(key).map(|job| rules.book().of_job(job));
        self.pipeline.count_for_summaries(time, &self.incidents, &labels, &mut changes);

        let view = (!self.unseen).then(|| {
            self.picture.note_restarts(&changes, self.restarts.paused().is_some());
            self.picture.update(
                time,
                &changes,
                &self.tracker,
                &self.incidents,
                &self.pipeline,
                &self.rules,
            )
        });
        let mut effects = Vec::new();
        if !changes.is_empty() {
            let steady = time.steady.0.to_string();
            changes.push(Change::Meta { key: "steady".to_owned(), value: steady });
            effects.push(Effect::Persist(changes));
        }
        effects.extend(flushed.sends.into_iter().map(|m| Effect::Send(Box::new(m))));
        effects.extend(flushed.resends.into_iter().map(|m| Effect::Resend(Box::new(m))));
        effects.extend(errands.into_iter().map(|errand| Effect::Act(Box::new(errand))));
        effects.extend(view.map(Effect::Publish));
        effects.extend(self.next_deadline(time).map(Effect::Deadline));
        effects.extend(replied.map(|replied| Effect::Answer(Box::new(replied))));
        effects
    }

    fn look(&mut self, time: Time, snapshot: &Snapshot, changes: &mut Vec<Change>) {
        if self.gone.contains_key(&snapshot.source) {
            return;
        }
        self.pipeline.note_look(time, Duration::from_secs(snapshot.took_s().into()));
        let incidents = &self.incidents;
        let in_trouble = |key: &JobKey| incidents.is_open(&Subject::Job(key.clone()));
        let mut folded = self.tracker.step_beside(time, snapshot, &in_trouble);
        self.schedule(&folded.jobs);
        self.picture.note_failures(folded.failures);
        changes.append(&mut folded.changes);
        let mut judged = self.rules.step(time, &self.tracker, &snapshot.source, &folded);
        changes.append(&mut judged.changes);
        for key in folded.forgotten {
            let subject = Subject::Job(key);
            changes.extend(self.rules.forget_subject(&subject));
            judged.subjects.push(subject);
        }
        for cluster in self.incidents.open_clusters(&snapshot.source) {
            if !judged.subjects.contains(&cluster) {
                judged.subjects.push(cluster);
            }
        }
        self.incidents.keep(self.pipeline.untold());
        self.tracker.set_in_work(self.restarts.in_work(&self.incidents));
        let stepped = self.incidents.step(time, &judged.subjects, &self.rules, &self.tracker);
        self.take(time, stepped, changes);
        let labels = |job: &JobTrack| self.rules.book().of_job(job);
        let reminded = self.incidents.remind(time, &folded.jobs, &self.tracker, &labels);
        self.take(time, reminded, changes);
        if !self.unseen {
            self.picture.look(time, &snapshot.source, &folded.jobs, &self.tracker, &self.rules);
        }
    }

    /// Time has passed without a look.
    fn tick(&mut self, time: Time, changes: &mut Vec<Change>) {
        let stepped = self.incidents.tick(time, &self.tracker);
        self.take(time, stepped, changes);
    }

    pub(super) fn take(
        &mut self,
        time: Time,
        stepped: incidents::Stepped,
        changes: &mut Vec<Change>,
    ) {
        changes.extend(stepped.changes);
        changes.extend(self.pipeline.take_news(time, &stepped.news, &self.incidents));
    }

    /// A source or channel of our own that has failed for long is an incident like any other.
    fn watch_ourselves(&mut self, time: Time, changes: &mut Vec<Change>) {
        let covers =
            |r: &crate::rules::Rule| r.when.name() == "source_unreachable" && r.matchers.is_empty();
        let has_rule = self.rules.set.rules.iter().any(covers);
        let after = self.settings.failing_after;
        let found = self.own.step(time, after, &self.tracker, &self.pipeline, has_rule);
        for (subject, alert) in found {
            let fires = |alert: &Alert| alert.state == AlertState::Firing;
            if alert.is_none() && self.rules.alerts_of(&subject).any(fires) {
                // A rule holds the same incident, and says when it is over.
                continue;
            }
            let stepped = self.incidents.step_own(time, &subject, alert.as_ref());
            if alert.is_none() && !self.incidents.is_open(&subject) {
                self.own.forget(&subject);
            }
            self.take(time, stepped, changes);
        }
    }

    /// Ends what belongs to sources and channels that left the configuration.
    pub(super) fn unwatch(&mut self, time: Time, changes: &mut Vec<Change>) {
        let sources = &self.settings.sources;
        let (tracker, pipeline) = (&self.tracker, &self.pipeline);
        let watched = |subject: &Subject| match subject {
            Subject::Job(key) => tracker.job(key).is_some(),
            Subject::Source(name) | Subject::Cluster(name, _) => sources.contains_key(name),
            Subject::Channel(id) => pipeline.sends(id),
            // Its sender says when it is over, or says nothing more.
            Subject::External(_) => true,
        };
        let stepped = self.incidents.unwatch(time, &watched);
        let gone: Vec<Subject> = self.rules.subjects().filter(|s| !watched(s)).cloned().collect();
        for subject in gone {
            changes.extend(self.rules.forget_subject(&subject));
        }
        self.take(time, stepped, changes);
    }

    fn prepare_first_report(&mut self, time: Time) {
        let looks: Vec<Option<Ts>> = self
            .settings
            .sources
            .keys()
            .map(|name| Some(self.tracker.source(name)?.first_look?.steady))
            .collect();
        let all: Option<Vec<Ts>> = looks.iter().copied().collect();
        let started = self.started.unwrap_or(time).steady;
        let ready = match all {
            Some(looks) => looks.into_iter().max(),
            None => Some(started + FIRST_LOOKS_WITHIN),
        };
        let jobs = self.tracker.job_count();
        self.pipeline.set_first_look_ready(ready, jobs);
    }

    fn next_deadline(&self, time: Time) -> Option<Ts> {
        let own = self.own.next_deadline(self.settings.failing_after, &self.pipeline);
        let pipeline = self.pipeline.next_deadline(time, &self.incidents);
        // Silences go by the calendar; the way there is measured anew at each turn.
        let silence = self.incidents.silences().next_change(time.wall);
        let silence = silence.map(|at| time.steady + at.since(time.wall));
        let inbound = self.incidents.next_inbound();
        let restarts = self.restarts.next_deadline(time.steady);
        let next = [pipeline, own, self.pipeline.next_summary(time), silence, inbound, restarts];
        // A deadline that is already past would spin: what it was for has just been looked at.
        next.into_iter().flatten().filter(|at| *at > time.steady).min()
    }

    /// For tests and reports.
    pub fn incidents(&self) -> &Incidents {
        &self.incidents
    }

    /// For tests and reports.
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// The rules and their alerts.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// For tests and reports.
    pub fn tracker(&self) -> &Tracker {
        &self.tracker
    }
}

#[cfg(test)]
#[path = "step_tests.rs"]
mod tests;
