//! When the row of a ledger is written: what a thousand jobs write is bounded, whatever their
//! checkpoints do.

use super::Ledger;
use crate::model::Ts;

/// A row is written at most this often; the end of a run at once.
const ROW_EVERY_MS: i64 = 30_000;
/// The same where checkpoints come faster: what such a row names is soon deleted either way.
const FAST_ROW_EVERY_MS: i64 = 120_000;

impl Ledger {
    /// Its checkpoints come faster than rows are written.
    fn is_fast(&self) -> bool {
        let periodic = self.entries.iter().filter(|entry| !entry.savepoint);
        let mut times: Vec<Ts> = periodic.filter_map(|entry| entry.completed_at).collect();
        times.sort_unstable();
        let newest = times.pop().zip(times.pop());
        newest.is_some_and(|(last, before)| last.0 - before.0 < ROW_EVERY_MS)
    }

    /// The row, if it is time to write it.
    pub(in crate::tracker) fn take_row(&mut self, now: Ts) -> Option<String> {
        let every = if self.is_fast() { FAST_ROW_EVERY_MS } else { ROW_EVERY_MS };
        let due = self.written.is_none_or(|at| now.since(at).as_millis() as i64 >= every);
        if !self.dirty || self.is_empty() || !(due || self.urgent) {
            return None;
        }
        (self.dirty, self.urgent, self.written) = (false, false, Some(now));
        serde_json::to_string(self).ok()
    }
}
