//! An inventory as a source: looks at its database, shows entries and no runs.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::config::InventoryConfig;
use super::kind::{Kind, MAX_JOBS};
use super::look::{self, Seen};
use crate::clock::{Clock, SystemClock};
use crate::model::{Completeness, Demand, Snapshot, Time};
use crate::sources::{BuildError, Shows, Source};

/// The database of an inventory.
#[derive(Debug)]
pub struct InventorySource {
    kind: Kind,
    config: InventoryConfig,
    timeout: Duration,
    poller: String,
    stopwatch: SystemClock,
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
        })
    }

    async fn look(&self) -> Snapshot {
        let started = self.stopwatch.now().steady;
        let seen = look::look(self.kind, &self.config, self.timeout).await;
        let took = self.stopwatch.now().steady.since(started);
        let snapshot = self.snapshot(seen);
        Snapshot { took_ms: u32::try_from(took.as_millis()).unwrap_or(u32::MAX), ..snapshot }
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

    fn poll<'a>(&'a mut self, _: &'a Demand, _: Time) -> BoxFuture<'a, Snapshot> {
        self.look().boxed()
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
