//! What is known of one application, and what one look shows of it: pure.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::model::{
    ClusterObservation, JobState, Labels, RunId, RunObservation, Seen, Snapshot, TaskCounts, Ts,
};

use super::app::App;
use super::decide::{self, Fate, SILENT_LOOKS, Vanished};
use super::diagnostics;
use super::identity;
use super::naming::{self, Kind, Traits};
use super::wire::Metrics;

/// Runs of the last look that are remembered: what ends with the application.
const MAX_RUNS: usize = 8;
/// Tries to read what kind of Flink it is; then its name has to do.
const TRIES: u8 = 3;
/// What was told under a name that turned out to be another thing's is shown as over for so long.
const CLOSING: Duration = Duration::from_mins(10);
/// What was never seen alive and lasted longer has run, as far as anybody can tell.
const LASTED_MS: i64 = 300_000;

/// An application between polls.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    pub(super) app: App,
    /// In YARN's listing at the last look at it.
    pub(super) listed: bool,
    /// Its Flink has answered once.
    pub(super) answered: bool,
    /// YARN said once that it runs.
    ran: bool,
    /// Looks in a row it did not answer.
    pub(super) silent: u8,
    /// It answers though YARN does not say that it runs.
    unmanaged: bool,
    kind: Option<Kind>,
    target: Target,
    /// Tries in a row to read its settings that failed.
    unread: u8,
    names: BTreeSet<String>,
    /// Jobs it showed at the last look, to know it again.
    jobs: BTreeSet<String>,
    /// As last told; those of sessions are not kept.
    runs: Vec<RunObservation>,
    /// A run of YARN's own was told of it.
    told: bool,
    closing: Option<(RunObservation, Ts)>,
    flink_cluster: Option<String>,
}

/// `execution.target`, as far as it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Target {
    #[default]
    Unread,
    Read(Option<String>),
}

/// What its Flink said at this look.
#[derive(Debug)]
pub(super) enum Answer {
    /// A look, and the setting `execution.target` if its settings were asked for: an error, where
    /// they could not be read.
    Flink(Box<Snapshot>, Option<Result<Option<String>, ()>>),
    /// None, with why.
    Silent(String),
    /// It was asked, and may answer yet.
    NotYet,
}

/// Where and when a look is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn<'a> {
    /// Name of the source.
    pub(super) cluster: &'a str,
    /// YARN's pages as people reach them.
    pub(super) ui: &'a str,
    /// YARN's listing is to be believed.
    pub(super) steady: bool,
    pub(super) metrics: Option<&'a Metrics>,
    pub(super) now: Ts,
}

/// What one look shows of an application.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Shown {
    pub(super) runs: Vec<RunObservation>,
    pub(super) clusters: Vec<ClusterObservation>,
    /// There is nothing to wait for any more.
    pub(super) lost: bool,
}

impl Known {
    pub(super) fn new(app: App) -> Known {
        let ran = decide::fate(&app) == Fate::Runs;
        Known { app, listed: true, ran, ..Known::default() }
    }

    /// Takes in YARN's present word. Another attempt has another JobManager: what was read of the
    /// former one's configuration stays, it is the same application.
    pub(super) fn update(&mut self, app: App) {
        self.app = app;
        self.listed = true;
        self.ran |= self.fate() == Fate::Runs;
        self.unmanaged &= self.fate() == Fate::Waits;
    }

    pub(super) fn fate(&self) -> Fate {
        decide::fate(&self.app)
    }

    /// It was alive at the last look.
    pub(super) fn is_alive(&self) -> bool {
        matches!(self.fate(), Fate::Runs | Fate::Unknown) || self.waits_again()
    }

    /// It had an ApplicationMaster, and waits for the next one.
    pub(super) fn waits_again(&self) -> bool {
        self.fate() == Fate::Waits && (self.answered || self.ran)
    }

    /// It answered at the last look though YARN does not say that it runs.
    pub(super) fn is_unmanaged(&self) -> bool {
        self.unmanaged
    }

    /// It did not answer.
    pub(super) fn stay_silent(&mut self) {
        self.silent = self.silent.saturating_add(1);
        self.unmanaged = false;
    }

    /// Whether its Flink is worth asking.
    pub(super) fn is_asked(&self) -> bool {
        match self.fate() {
            Fate::Runs | Fate::Unknown => true,
            Fate::Waits => self.waits_again(),
            Fate::Ended(_) | Fate::Gone => false,
        }
    }

    /// Whether to ask what kind of Flink it is.
    pub(super) fn asks_target(&self) -> bool {
        self.target == Target::Unread && self.unread < TRIES
    }

    /// Jobs it showed at the last look.
    pub(super) fn jobs(&self) -> &BTreeSet<String> {
        &self.jobs
    }

    /// Its jobs come and go, and so may applications of Flink 2.3 that never had one.
    pub(super) fn is_session(&self) -> bool {
        self.kind == Some(Kind::Session)
    }

    /// What this look shows.
    pub(super) fn show(&mut self, answer: Answer, turn: Turn<'_>) -> Shown {
        let fate = self.fate();
        if self.listed {
            match fate {
                Fate::Ended(state) => return self.ended(state, turn),
                Fate::Gone => return self.gone(),
                Fate::Runs | Fate::Waits | Fate::Unknown => {}
            }
        }
        let why = match answer {
            Answer::Flink(snapshot, target) => match self.hear(*snapshot, target, turn) {
                Some(shown) => return shown,
                None => "its configuration could not be read".to_owned(),
            },
            Answer::Silent(why) => {
                self.stay_silent();
                why
            }
            Answer::NotYet => "it has not answered yet".to_owned(),
        };
        if !self.listed {
            let lost = decide::vanished(turn.steady, false, self.silent) == Vanished::Lost;
            return if lost {
                Shown { lost: true, ..Shown::default() }
            } else {
                self.unseen(format!("YARN does not list it, and its JobManager is silent: {why}"))
            };
        }
        match (fate, self.answered) {
            // YARN was restarted, and the ApplicationMaster has not reported again.
            (Fate::Waits, false) if self.ran && !turn.steady => self.running(why, turn),
            (Fate::Waits, false) => self.accepted(turn),
            (Fate::Waits, true) if turn.steady && !self.is_session() => self.again(turn),
            (Fate::Waits, true) => self.unseen("its ApplicationMaster is started again".to_owned()),
            // What may be a session is no job before its Flink had its chance to say so.
            (_, false) if self.silent > 0 || self.told => self.running(why, turn),
            _ => self.unseen(why),
        }
    }

    /// It was given time to come back.
    pub(super) fn give_up(&mut self) {
        self.silent = self.silent.max(SILENT_LOOKS);
    }

    /// Its Flink answered; `None` while nobody knows what to call its jobs.
    fn hear(
        &mut self,
        snapshot: Snapshot,
        target: Option<Result<Option<String>, ()>>,
        turn: Turn<'_>,
    ) -> Option<Shown> {
        match target {
            Some(Ok(target)) => (self.target, self.unread) = (Target::Read(target), 0),
            // Who it is, and what, has to do without after some tries.
            Some(Err(())) => {
                self.unread = self.unread.saturating_add(1);
                if self.unread < TRIES {
                    return None;
                }
            }
            None => {}
        }
        (self.silent, self.answered) = (0, true);
        self.jobs = identity::ids(&snapshot.runs);
        self.unmanaged = !self.listed || self.fate() == Fate::Waits;
        for run in &snapshot.runs {
            if self.names.len() < 2 {
                self.names.insert(run.flink_job_name.clone());
            }
        }
        let target = if let Target::Read(target) = &self.target { target.as_deref() } else { None };
        let traits = Traits { target, names: self.names.len() };
        let kind = naming::kind(&self.app.name, traits);
        if kind == Kind::Session {
            self.close(turn);
        }
        self.kind = Some(kind);
        let labels = labels(&self.app);
        let name = |run: RunObservation| {
            let named = naming::job(turn.cluster, &self.app.name, kind, &run.flink_job_name);
            let run = named.put(run);
            RunObservation { labels: labels.clone(), ..run }
        };
        let runs: Vec<RunObservation> = snapshot.runs.into_iter().map(name).collect();
        let flink_cluster = match kind {
            Kind::Single if !naming::is_named(&self.app.name) => {
                runs.last().map(|run| run.flink_cluster.clone())
            }
            _ => Some(self.app.name.clone()),
        };
        self.flink_cluster = flink_cluster.clone().or(self.flink_cluster.take());
        self.runs.clear();
        if kind == Kind::Single {
            let newest = runs.iter().rev().take(MAX_RUNS);
            self.runs.extend(newest.map(stripped));
            self.told = false;
        }
        let mut shown = Shown { runs, ..Shown::default() };
        if let Some(flink_cluster) = flink_cluster {
            let named = |c| ClusterObservation { flink_cluster: flink_cluster.clone(), ..c };
            shown.clusters.extend(snapshot.clusters.into_iter().take(1).map(named));
        }
        if self.closing.as_ref().is_some_and(|(_, since)| turn.now.since(*since) >= CLOSING) {
            self.closing = None;
        }
        shown.runs.extend(self.closing.iter().map(|(run, _)| run.clone()));
        Some(shown)
    }

    /// It is a session: what was told under its name, before that was known, is no job.
    fn close(&mut self, turn: Turn<'_>) {
        let mistaken = match self.kind {
            None if self.told => Some(self.own(JobState::Finished, turn)),
            Some(Kind::Single) => self.runs.first().cloned(),
            _ => None,
        };
        self.told = false;
        if let Some(run) = mistaken {
            let end_time = Some(run.end_time.unwrap_or(run.run.start_time));
            let run = RunObservation {
                state: JobState::Finished,
                end_time,
                batch: Seen::Fresh(true),
                ..run
            };
            self.closing = Some((run, turn.now));
        }
    }

    fn ended(&mut self, state: JobState, turn: Turn<'_>) -> Shown {
        if self.is_session() {
            // Whatever ran there went with it: missing, all at once.
            return Shown::default();
        }
        if self.runs.is_empty() && !naming::is_named(&self.app.name) && state != JobState::Failed {
            // Nobody has seen what ran there, and it has no name to tell it by.
            return Shown::default();
        }
        if self.runs.is_empty() {
            let own = self.own(state, turn);
            self.runs.push(own);
        }
        let failed = state == JobState::Failed;
        let cause = failed.then(|| diagnostics::cause(&self.app));
        let end_time = self.app.finished;
        for run in &mut self.runs {
            if !run.state.is_terminal() {
                run.state = state;
                run.waits = None;
            }
            run.end_time = run.end_time.or(end_time);
            if run.state == JobState::Failed
                && run.failures.fresh().is_none_or(Vec::is_empty)
                && let Some(cause) = &cause
            {
                run.failures = Seen::Fresh(vec![cause.clone()]);
            }
        }
        Shown { runs: self.runs.clone(), ..Shown::default() }
    }

    /// Nobody knows how it ended: what Flink had told of an end stays, the rest is missing.
    fn gone(&mut self) -> Shown {
        self.runs.retain(|run| run.state.is_terminal());
        Shown { runs: self.runs.clone(), ..Shown::default() }
    }

    /// YARN has taken it, and its JobManager is still to come.
    fn accepted(&mut self, turn: Turn<'_>) -> Shown {
        if !naming::is_named(&self.app.name) {
            return Shown::default();
        }
        let waits = Some(diagnostics::waits(&self.app, turn.metrics));
        let run = RunObservation { waits, ..self.own(JobState::Created, turn) };
        self.told = true;
        Shown { runs: vec![run], ..Shown::default() }
    }

    /// Its JobManager died, and the next one is still to come: nothing of it runs.
    fn again(&mut self, turn: Turn<'_>) -> Shown {
        let waits = Some(diagnostics::waits(&self.app, turn.metrics));
        let restarting = |run: &RunObservation| {
            if run.state.is_terminal() {
                return run.clone();
            }
            let tasks = TaskCounts::default();
            let waits = waits.clone();
            RunObservation { state: JobState::Restarting, tasks, waits, ..run.clone() }
        };
        Shown { runs: self.runs.iter().map(restarting).collect(), ..Shown::default() }
    }

    /// YARN says that it runs, and its Flink was never seen.
    fn running(&mut self, why: String, turn: Turn<'_>) -> Shown {
        let mut shown = self.unseen(why);
        if naming::is_named(&self.app.name) {
            self.told = true;
            shown.runs.push(self.own(JobState::Running, turn));
        }
        shown
    }

    /// It is there, and cannot be looked into.
    fn unseen(&self, why: String) -> Shown {
        let named = naming::is_named(&self.app.name).then(|| self.app.name.clone());
        let flink_cluster = self.flink_cluster.clone().or(named);
        let clusters = flink_cluster.map(|flink_cluster| ClusterObservation {
            flink_cluster,
            unseen: Some(why),
            ..ClusterObservation::default()
        });
        let closing = self.closing.iter().map(|(run, _)| run.clone());
        Shown { runs: closing.collect(), clusters: clusters.into_iter().collect(), lost: false }
    }

    /// The application as a run: what YARN alone knows of it.
    fn own(&self, state: JobState, turn: Turn<'_>) -> RunObservation {
        let app = &self.app;
        let ended = app.finished.filter(|_| state.is_terminal());
        // One that was not seen before may be known from an earlier process of Weir, by a start
        // Flink told: it is the newest then.
        let lasted = ended.filter(|end| end.saturating_sub(app.started) > LASTED_MS);
        let tasks = match (lasted, state) {
            (Some(_), JobState::Failed) => {
                TaskCounts { total: 1, failed: 1, ..TaskCounts::default() }
            }
            (Some(_), _) => TaskCounts { total: 1, finished: 1, ..TaskCounts::default() },
            _ => TaskCounts::default(),
        };
        let newest = lasted.filter(|_| !self.told);
        naming::alone(turn.cluster, &app.name).put(RunObservation {
            cluster: turn.cluster.to_owned(),
            flink_job_name: app.name.clone(),
            run: RunId { start_time: newest.unwrap_or(app.started), job_id: app.id.clone() },
            state,
            tasks,
            end_time: ended,
            labels: labels(app),
            ui_url: Some(format!("{}/cluster/app/{}", turn.ui, app.id)),
            ..RunObservation::default()
        })
    }
}

/// What YARN knows of whose it is.
fn labels(app: &App) -> Labels {
    Labels::from([
        ("yarn_user", app.user.as_str()),
        ("yarn_queue", app.queue.as_str()),
        ("yarn_tags", app.tags.as_str()),
    ])
}

/// A run without what was fetched of it; of one that ended, why stays.
fn stripped(run: &RunObservation) -> RunObservation {
    let failures = if run.state.is_terminal() { run.failures.clone() } else { Seen::NotAsked };
    RunObservation {
        counters: Seen::NotAsked,
        checkpoints: Seen::NotAsked,
        failures,
        failures_truncated: false,
        lag: Seen::NotAsked,
        batch: Seen::NotAsked,
        metrics: crate::model::Metrics::new(),
        ..run.clone()
    }
}

#[cfg(test)]
#[path = "known_tests.rs"]
mod tests;
