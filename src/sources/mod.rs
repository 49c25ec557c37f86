//! Sources: where jobs are looked at. A source turns wire answers into a [`Snapshot`] by pure
//! functions and never decides anything about alerts.

pub mod flink;

use futures_util::future::BoxFuture;

use crate::model::{Demand, Snapshot, Time};

/// One configured source. Polls of one source never overlap.
pub trait Source: Send {
    /// Its configured name.
    fn name(&self) -> &str;

    /// Looks once. Never fails: what went wrong is in the snapshot. Bounded in time and memory.
    fn poll<'a>(&'a mut self, demand: &'a Demand, now: Time) -> BoxFuture<'a, Snapshot>;
}
