//! What is said of restarts, and small things they are made of.

use sha2::{Digest, Sha256};

use super::holds::Hold;
use super::world::World;
use crate::model::{Both, Doing, Restart, RestoreFrom, Time};
use crate::tracker::{Ledger, Recorded};

/// Longest note, in characters.
const LONGEST_NOTE: usize = 300;

/// Whether a row is begun although something holds it: what passes by itself, and soon.
pub(super) fn starts_waiting(holds: &[Hold]) -> bool {
    holds.iter().all(|hold| matches!(hold, Hold::Settling | Hold::Missing(_) | Hold::Busy { .. }))
}

pub(super) fn planned(row: &Restart, time: Time, from: Option<String>) -> Doing {
    let at = time.wall + row.due.since(time.steady);
    Doing::Planned { at, from, attempt: row.attempt, of: row.of }
}

pub(super) fn named(entry: &Recorded) -> RestoreFrom {
    RestoreFrom {
        path: entry.path.clone(),
        id: entry.id,
        savepoint: entry.savepoint,
        completed_at: entry.completed_at,
    }
}

/// Why there is nothing to restore from.
pub(super) fn no_checkpoint(row: &Restart, known: usize, world: &World<'_>) -> Both {
    if let Some(path) = &row.wanted {
        return Both::new(format!("{path} is not there"), format!("{path} 不存在"));
    }
    if known > 0 {
        return Both::new(
            format!("none of its {known} known checkpoints is there any more"),
            format!("已知的 {known} 个 checkpoint 均已不存在"),
        );
    }
    none_left(world.tracker.ledger(&row.job))
}

pub(super) fn none_left(ledger: Option<&Ledger>) -> Both {
    if ledger.is_some_and(|ledger| !ledger.is_empty()) {
        return Both::new(
            "no checkpoint of it is left to restore from",
            "没有可用于恢复的 checkpoint",
        );
    }
    Both::new(
        "no checkpoint of it was ever seen: name one with `weir restart --from`",
        "从未见过该作业的 checkpoint，可用 `weir restart --from` 指定",
    )
}

/// Flink's job id of the new run, or a mark: from what is never the same twice, and nothing else.
pub(super) fn handle(installation: &str, id: u64, time: Time) -> String {
    let digest = Sha256::digest(format!("{installation}/restart/{id}/{}", time.steady.0));
    let half = digest.iter().take(16).fold(0_u128, |sum, byte| (sum << 8) | u128::from(*byte));
    format!("{half:032x}")
}

pub(super) fn bounded(text: String) -> String {
    match text.char_indices().nth(LONGEST_NOTE) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
