//! The store: one transaction per step, before any other effect of that step.

#[cfg(test)]
pub(crate) mod contract;
mod memory;
mod sqlite;
pub(crate) mod words;

pub use memory::MemoryStore;
pub use sqlite::SqliteStore;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::model::{
    Change, HistoryChunk, HistoryPage, Incident, Loaded, Message, Notice, Report, Restart, Ts,
};

/// Restarts that are over and still known after a start: what was tried lately counts.
pub(crate) const RESTARTS: u16 = 2_000;

/// Why a commit or a query did not happen.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Locked, disk full, read-only, connection lost: the same batch may be tried again.
    #[error("store is not writable: {0}")]
    Unavailable(String),
    /// Written by a newer Weir, or not ours at all.
    #[error("store cannot be used: {0}")]
    Refused(String),
}

/// Where everything durable lives.
pub trait Store: Send + Sync {
    /// Everything the engine needs to go on. `now`: steady time; bounds what is read.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn load(&self, now: Ts) -> BoxFuture<'_, Result<Loaded, StoreError>>;

    /// Writes all or nothing. `batch` is unique per step: after an ambiguous failure the same
    /// batch is tried again and is a no-op if it was committed.
    ///
    /// # Errors
    /// When nothing was (or may not have been) written.
    fn commit<'a>(
        &'a self,
        batch: &'a str,
        changes: &'a [Change],
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Incidents, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn incidents<'a>(&'a self, page: &'a Page) -> BoxFuture<'a, Result<Vec<Incident>, StoreError>>;

    /// Notices, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn notices<'a>(&'a self, page: &'a Page) -> BoxFuture<'a, Result<Vec<Notice>, StoreError>>;

    /// Notices, newest first, each with its incident and its message.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn traced<'a>(&'a self, page: &'a Page) -> BoxFuture<'a, Result<Vec<Traced>, StoreError>>;

    /// Messages, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn messages<'a>(&'a self, page: &'a Page) -> BoxFuture<'a, Result<Vec<Message>, StoreError>>;

    /// Restarts, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn restarts<'a>(&'a self, page: &'a Page) -> BoxFuture<'a, Result<Vec<Restart>, StoreError>>;

    /// Timeline of an incident, at most `limit` lines of it.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn events(&self, incident: u64, limit: u32) -> BoxFuture<'_, Result<Timeline, StoreError>>;

    /// What happened since a wall time, counted where the rows are.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn report(&self, since: Ts) -> BoxFuture<'_, Result<Report, StoreError>>;

    /// Deletes what is older than `before` (wall time) and over, a bounded number of rows a call;
    /// returns how many. Open incidents and pending notices always stay.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn prune(&self, before: Ts) -> BoxFuture<'_, Result<u64, StoreError>>;

    /// The next pieces of the history in order, a few at a time; none: that was all. The first ones
    /// are those of the last start of a process before the time asked for, which is where a replay
    /// can begin.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn history(&self, page: HistoryPage) -> BoxFuture<'_, Result<Vec<HistoryChunk>, StoreError>>;

    /// The newest segment of the history; 0 without one.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn newest_segment(&self) -> BoxFuture<'_, Result<u64, StoreError>>;

    /// Drops the oldest segment of the history if it ended before `before` (wall time) or if the
    /// whole has more than `most` bytes, never the newest; returns how many rows went.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn prune_history(&self, before: Ts, most: u64) -> BoxFuture<'_, Result<u64, StoreError>>;
}

/// What happened to one incident, as much of it as was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Timeline {
    /// Wall time and words, oldest first: the newest, and always the first where two are asked for.
    pub lines: Vec<(Ts, String)>,
    /// So many more are kept, between the first and the second.
    pub left_out: u64,
}

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Page {
    /// At most so many rows (1 … 1000).
    pub limit: u32,
    /// Only ids below this one (they come newest first).
    pub after: Option<u64>,
    /// Only this incident state or notice outcome or message state.
    pub state: Option<String>,
    /// Only this job key (incidents), incident id (notices) or receiver, where it applies.
    pub job: Option<String>,
    /// Only this incident.
    pub incident: Option<u64>,
    /// Only this receiver.
    pub receiver: Option<String>,
    /// Only notices since this wall time.
    #[serde(default)]
    pub since: Option<Ts>,
    /// Only notices of incidents with an alert of this rule: `alert`, `group/alert` or
    /// `group/alert/severity`.
    #[serde(default)]
    pub rule: Option<String>,
}

/// A notice with what tells its way.
#[derive(Debug, Clone, PartialEq)]
pub struct Traced {
    /// The notice.
    pub notice: Notice,
    /// Its incident, if it is still kept.
    pub incident: Option<Incident>,
    /// The message it went into, if there is one and it is still kept; without its bytes.
    pub message: Option<Message>,
}
