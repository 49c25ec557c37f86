//! Applications: the only trace of a program that threw before it had a job.
//!
//! Flink 2.3 keeps a list of them (REST API of 2.3, `/applications/overview`,
//! `/applications/:applicationid/exceptions`); before it such a submission leaves nothing. As a
//! real 2.3.0 shows them:
//!
//! - `POST /jars/:id/run-application` and application mode make one before `main()` is called. Its
//!   name is the main class, whatever the jobs are called, and nobody can choose another.
//! - When `main()` throws, or ends without a job, it is FAILED with `"jobs": {}`. Whatever else
//!   fails has a job: a savepoint that is not there, a job that dies (`"jobs": {"FAILED": 1}`), and
//!   `main()` as well where `execution.submit-failed-job-on-application-error` is set with high
//!   availability. Those are listed as jobs and are told there. (With that option and without high
//!   availability it stays RUNNING without a job for ever, which tells nobody anything.)
//! - A job submitted by itself (`POST /jars/:id/run`) gets one called `SingleJobApplication(job)`;
//!   a program that throws there is refused with a 400 and leaves nothing.
//! - `start-time` in the listing is when it was made. The entry of its exceptions bears a time
//!   between that and its end. Ended ones are forgotten after
//!   `completed-application-store.expiration-time`.
//!
//! Such a start (`start`) becomes a FAILED run of a job with the application's name, and one that
//! comes after it and gets as far as a job becomes a FINISHED one: the start, not the job, which has
//! a name of its own. Nothing here is ever alive, so that nothing of it can go missing.
//!
//! Programs may share a main class. Where two of a name were seen at work at once, for longer than a
//! replacement takes (`shared`), a later start is told only when there are more of them then than
//! there were when the one failed: any other may have come in the place of another program.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::http::HttpError;
use crate::model::{Failure, JobState, RunId, Seen, Ts};

use super::fetch::Api;
use super::shared;
use super::start::{Application, Start, read};
use super::wire;

/// What failed longer ago is history: Flink's own measure, unless it is told to keep more.
const RECENT_MS: i64 = 3_600_000;
/// Failed starts told at once, the newest first.
const MAX_STARTS: usize = 20;
/// Names of which a failed start is remembered until another one succeeds.
const MAX_TROUBLES: usize = 1024;
/// Failures asked for at one look.
const EXPLAINED_AT_ONCE: usize = 3;
/// Names known to be shared.
const MAX_SHARED: usize = 1024;
/// Tries to read why one failed: an answer may be one Flink has cached from before.
const TRIES: u8 = 4;
/// An endpoint that is slow, or says too much, is left alone for so long.
const LEFT_ALONE: Duration = Duration::from_mins(1);
/// A version that says it keeps no list is believed for so long: it may have been a proxy that
/// answered while the cluster was moved.
const TAKEN_AT_ITS_WORD: Duration = Duration::from_hours(1);
/// A start that succeeded so long ago is not news to anybody: the failure before it was over
/// before it was seen.
const LONG_AGO_MS: i64 = 300_000;
/// A start that succeeded is shown for so long; then its job stays as it was last seen.
const SHOWN_FOR: Duration = Duration::from_mins(10);

/// What is remembered of applications between polls.
#[derive(Debug, Default)]
pub(super) struct Applications {
    /// Since when which version says it keeps no list.
    without: Option<(Ts, Option<String>)>,
    left_alone: Option<Ts>,
    reasons: BTreeMap<RunId, Reason>,
    troubles: BTreeMap<String, Trouble>,
    /// Names several programs were seen to have.
    shared: BTreeSet<String>,
    starts: Vec<Start>,
}

/// Why one failed, as far as it was read.
#[derive(Debug, Default)]
struct Reason {
    failures: Option<Vec<Failure>>,
    tries: u8,
}

/// The newest failed start of a name.
#[derive(Debug, Clone)]
struct Trouble {
    failed: RunId,
    /// When it was seen first.
    seen: Ts,
    /// When a later start was first seen to have succeeded.
    over: Option<Ts>,
    /// How many of that name were there with a job meanwhile; counted where the name is shared.
    beside: usize,
}

impl Applications {
    /// One that failed, as it is remembered from before this source began to look.
    pub(super) fn recall(&mut self, name: &str, failed: &RunId) {
        // It was seen by somebody: a start that succeeded later is news at the first look.
        self.note(name, failed, Ts(i64::MIN));
    }

    /// A later start of this name would be told.
    #[cfg(test)]
    pub(super) fn is_waiting_for(&self, name: &str) -> bool {
        self.troubles.contains_key(name)
    }

    /// Another `JobManager` answers.
    pub(super) fn ask_again(&mut self) {
        self.without = None;
        self.left_alone = None;
    }

    /// Nothing was asked at this poll.
    pub(super) fn skip(&mut self) {
        self.starts.clear();
    }

    /// Reads the listing, and why those failed that did. `source_now`: by Flink's clock, where it is
    /// known.
    pub(super) async fn look(
        &mut self,
        api: Api<'_>,
        version: Option<&str>,
        source_now: Option<i64>,
        now: Ts,
    ) {
        self.skip();
        if !self.asks(version, now) {
            return;
        }
        match api.applications().await {
            Ok(listing) => self.take(listing, source_now, now),
            Err(error) => {
                tracing::debug!(%error, "applications could not be read");
                self.refused(&error, version, now);
                return;
            }
        }
        for run in self.unexplained().into_iter().take(EXPLAINED_AT_ONCE) {
            let why = api.why_failed(&run.job_id).await;
            if let Err(error) = &why {
                tracing::debug!(application = %run.job_id, %error, "its failure could not be read");
            }
            let timed_out = matches!(why, Err(HttpError::Timeout { .. }));
            self.explain(&run, why.ok());
            if timed_out {
                break;
            }
        }
    }

    /// What this poll showed.
    pub(super) fn starts(&self) -> &[Start] {
        &self.starts
    }

    fn asks(&self, version: Option<&str>, now: Ts) -> bool {
        let no_list = self.without.as_ref().is_some_and(|(since, without)| {
            without.as_deref() == version && now.since(*since) < TAKEN_AT_ITS_WORD
        });
        !no_list && self.left_alone.is_none_or(|until| now >= until)
    }

    /// An older Flink answers 404; a proxy in front of it may put it in other words.
    fn refused(&mut self, error: &HttpError, version: Option<&str>, now: Ts) {
        match error {
            HttpError::Status { code: 403 | 404 | 405 | 410 | 501, .. }
            | HttpError::NotJson { .. }
            | HttpError::Json { .. }
            | HttpError::Redirect { .. } => {
                self.without = Some((now, version.map(str::to_owned)));
            }
            HttpError::Timeout { .. } | HttpError::TooLarge { .. } => {
                self.left_alone = Some(now + LEFT_ALONE);
            }
            _ => {}
        }
    }

    fn take(&mut self, listing: wire::ApplicationsOverview, source_now: Option<i64>, now: Ts) {
        let all: Vec<Application> = listing.applications.into_iter().filter_map(read).collect();
        // Without a clock of Flink's own, its newest word is as good.
        let newest = all.iter().map(Application::last_word).max().unwrap_or(0);
        let source_now = source_now.unwrap_or(newest);
        let recent = |a: &&Application| {
            a.failed_to_start && source_now.saturating_sub(a.last_word()) <= RECENT_MS
        };
        let mut failed: Vec<&Application> = all.iter().filter(recent).collect();
        failed.sort_by(|a, b| b.run.cmp(&a.run));
        failed.truncate(MAX_STARTS);
        self.reasons.retain(|run, _| failed.iter().any(|a| a.run == *run));
        for application in &failed {
            self.reasons.entry(application.run.clone()).or_default();
            self.note(&application.name, &application.run, now);
        }
        self.starts = failed.iter().map(|a| Start::of(a, JobState::Failed)).collect();
        for name in shared::shared(&all, source_now) {
            if self.shared.len() < MAX_SHARED && !self.shared.contains(name) {
                self.shared.insert(name.to_owned());
            }
        }
        self.troubles.retain(|name, trouble| {
            let is_shared = self.shared.contains(name);
            if is_shared {
                // Flink forgets those that ended: what was counted once stays.
                let then = shared::there(&all, name, trouble.failed.start_time);
                trouble.beside = trouble.beside.max(then);
            }
            let later = |a: &&Application| {
                let start = a.run.start_time;
                a.has_started
                    && a.name == *name
                    && start > trouble.failed.start_time
                    // Or it may have come in the place of another program.
                    && (!is_shared || shared::there(&all, name, start) > trouble.beside)
            };
            if let Some(successor) = all.iter().filter(later).min_by_key(|a| &a.run) {
                // One look at least shows the failure: that another program of the same main class
                // was started right after it says nothing about this one.
                let age = source_now.saturating_sub(successor.run.start_time);
                if trouble.seen < now || age >= LONG_AGO_MS {
                    trouble.over.get_or_insert(now);
                    self.starts.push(Start::of(successor, JobState::Finished));
                }
            }
            let listed = failed.iter().any(|a| a.run == trouble.failed);
            listed || trouble.over.is_none_or(|since| now.since(since) < SHOWN_FOR)
        });
        self.fill_in_reasons();
    }

    /// Remembers the newest failure of a name.
    fn note(&mut self, name: &str, failed: &RunId, now: Ts) {
        if self.troubles.get(name).is_some_and(|trouble| trouble.failed >= *failed) {
            return;
        }
        let trouble = Trouble { failed: failed.clone(), seen: now, over: None, beside: 0 };
        self.troubles.insert(name.to_owned(), trouble);
        if self.troubles.len() > MAX_TROUBLES {
            let oldest = self.troubles.iter().min_by_key(|(_, trouble)| &trouble.failed);
            if let Some(name) = oldest.map(|(name, _)| name.clone()) {
                self.troubles.remove(&name);
            }
        }
    }

    /// Those whose failure was not read yet: those asked for least come first, then the newest.
    fn unexplained(&self) -> Vec<RunId> {
        let open = |reason: &Reason| reason.failures.is_none() && reason.tries < TRIES;
        let mut runs: Vec<_> =
            self.reasons.iter().rev().filter(|(_, reason)| open(reason)).collect();
        runs.sort_by_key(|(_, reason)| reason.tries);
        runs.into_iter().map(|(run, _)| run.clone()).collect()
    }

    fn explain(&mut self, run: &RunId, answer: Option<Vec<Failure>>) {
        let Some(reason) = self.reasons.get_mut(run) else { return };
        reason.tries = reason.tries.saturating_add(1);
        reason.failures = answer.filter(|failures| !failures.is_empty());
        self.fill_in_reasons();
    }

    fn fill_in_reasons(&mut self) {
        for start in self.starts.iter_mut().filter(|s| s.state == JobState::Failed) {
            let known = self.reasons.get(&start.run).and_then(|reason| reason.failures.clone());
            start.failures = known.map_or(Seen::Unknown, Seen::Fresh);
        }
    }
}

#[cfg(test)]
#[path = "applications_tests.rs"]
mod tests;
