//! An inventory as a source: looks at its database, shows entries and no runs.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::config::InventoryConfig;
use super::kind::{Kind, MAX_JOBS};
use super::look::{self, Seen};
use crate::clock::{Clock, SystemClock};
use crate::model::{Completeness, Demand, InventoryCheckpoint, Snapshot, Time, Ts};
use crate::sources::{BuildError, Shows, Source};

/// What is recorded of checkpoints is read at most this often: Flink tells of them too, and there may
/// be many.
const RECORDED_EVERY: Duration = Duration::from_mins(2);

/// The database of an inventory.
#[derive(Debug)]
pub struct InventorySource {
    kind: Kind,
    config: InventoryConfig,
    timeout: Duration,
    poller: String,
    stopwatch: SystemClock,
    recorded: Vec<InventoryCheckpoint>,
    /// Steady time at which they were read.
    recorded_at: Option<Ts>,
    lacks: Option<String>,
}

impl InventorySource {
    /// A source for `config`. `timeout` holds where it has none; `poller` names this process in its
    /// snapshots.
    ///
    /// # Errors
    /// When the address makes no sense. Whether it leads anywhere is seen at the first look.
    pub fn new(
        kind: Kind,
        config: InventoryConfig,
        timeout: Duration,
        poller: &str,
    ) -> Result<InventorySource, BuildError> {
        config.place().map_err(BuildError)?;
        if let Some((what, hint)) = config.problems().into_iter().next() {
            return Err(BuildError(format!("{what} ({hint})")));
        }
        Ok(InventorySource {
            kind,
            config,
            timeout,
            poller: poller.to_owned(),
            stopwatch: SystemClock::anchored(None),
            recorded: Vec::new(),
            recorded_at: None,
            lacks: None,
        })
    }

    async fn look(&mut self, now: Time) -> Snapshot {
        let started = self.stopwatch.now().steady;
        let due = self.recorded_at.is_none_or(|at| now.steady.since(at) >= RECORDED_EVERY);
        let mut seen = look::look(self.kind, &self.config, self.timeout, due).await;
        let took = self.stopwatch.now().steady.since(started);
        if let Ok(seen) = &mut seen
            && due
        {
            self.recorded_at = Some(now.steady);
            self.note_lack(seen.lacks.take());
            self.recorded = seen.recorded.take().unwrap_or(std::mem::take(&mut self.recorded));
        }
        let snapshot = self.snapshot(seen);
        Snapshot { took_ms: u32::try_from(took.as_millis()).unwrap_or(u32::MAX), ..snapshot }
    }

    /// What is lacking is logged once.
    fn note_lack(&mut self, lacks: Option<String>) {
        if let Some(lack) = lacks.as_ref().filter(|_| lacks != self.lacks) {
            tracing::warn!("{lack}");
        }
        self.lacks = lacks;
    }

    fn snapshot(&self, seen: Result<Seen, String>) -> Snapshot {
        let name = &self.config.name;
        let seen = match seen {
            Ok(seen) => seen,
            Err(error) => return Snapshot::failed(name, &self.poller, error, false),
        };
        let completeness = if seen.more {
            let reason = format!(
                "{} has more than {MAX_JOBS} jobs, of which no more are looked at (name the `teams`)",
                self.kind.name()
            );
            Completeness::Partial { reason }
        } else {
            Completeness::Complete
        };
        Snapshot {
            completeness,
            inventory: seen.entries,
            recorded: self.recorded.clone(),
            requests: seen.requests,
            bytes: seen.bytes,
            ..Snapshot::failed(name, &self.poller, String::new(), false)
        }
    }
}

impl Source for InventorySource {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn interval(&self) -> Option<Duration> {
        Some(self.config.interval())
    }

    fn shows(&self) -> Shows {
        Shows::Inventory
    }

    fn lacks(&self) -> Option<&str> {
        self.lacks.as_deref()
    }

    fn poll<'a>(&'a mut self, _: &'a Demand, now: Time) -> BoxFuture<'a, Snapshot> {
        self.look(now).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::InventoryEntry;

    fn source(url: &str) -> Result<InventorySource, BuildError> {
        let text = format!("{{\"name\":\"sp\",\"database_url\":\"{url}\"}}");
        let config = serde_json::from_str(&text).unwrap();
        InventorySource::new(Kind::Streampark, config, Duration::from_millis(500), "t")
    }

    #[test]
    fn too_many_jobs_are_said_to_be_too_many() {
        let source = source("mysql://weir:p4ss@db/sp").unwrap();
        let seen =
            |more| Seen { entries: vec![InventoryEntry::default()], more, ..Seen::default() };
        assert_eq!(source.snapshot(Ok(seen(false))).completeness, Completeness::Complete);
        let partial = source.snapshot(Ok(seen(true)));
        assert_eq!(partial.inventory.len(), 1);
        let Completeness::Partial { reason } = partial.completeness else { panic!() };
        assert!(reason.contains("more than 20000 jobs") && reason.contains("`teams`"), "{reason}");
    }

    #[test]
    fn an_address_without_sense_is_no_source() {
        let error = source("jdbc:mysql://weir:p4ss@db/sp").unwrap_err().to_string();
        assert!(error.contains("jdbc") && !error.contains("p4ss"), "{error}");
    }

    #[tokio::test]
    async fn a_database_that_is_not_there_is_a_failed_look_without_secrets() {
        for scheme in ["mysql", "postgres"] {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            drop(listener);
            let url = format!("{scheme}://weir:p4ss@127.0.0.1:{port}/sp");
            let mut source = source(&url).unwrap();
            let look = source.poll(&Demand::default(), Time::at(0)).await;
            let Completeness::Failed { error, .. } = &look.completeness else { panic!("{look:?}") };
            let start = format!("StreamPark at {scheme}://127.0.0.1:{port}/sp: cannot be reached");
            assert!(error.starts_with(&start) && !error.contains("p4ss"), "{error}");
        }
    }
}
