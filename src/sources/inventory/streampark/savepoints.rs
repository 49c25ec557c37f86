//! `t_flink_savepoint`: checkpoints and savepoints StreamPark has seen complete.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::super::row::Row;
use crate::model::{InventoryCheckpoint, InventoryEntry};

/// Rows kept of one job, the newest.
const MOST: usize = 10;
/// `type` of a checkpoint (`CheckPointType`).
const CHECKPOINT: i64 = 1;

/// Those of these jobs, of each the newest, from rows with the newest first. `latest` of a row is not
/// looked at: it is taken from all rows of a job that StreamPark has lost.
pub(in crate::sources::inventory) fn recorded<'r>(
    rows: impl Iterator<Item = Row<'r>>,
    entries: &[InventoryEntry],
) -> Vec<InventoryCheckpoint> {
    let ids: BTreeSet<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
    let mut found: BTreeMap<&str, Vec<InventoryCheckpoint>> = BTreeMap::new();
    for row in rows {
        let Some(entry) = row.text("p.app_id").filter(|id| ids.contains(id)) else { continue };
        let of_job = found.entry(entry).or_default();
        if of_job.len() < MOST {
            of_job.extend(one(entry, &row));
        }
    }
    found.into_values().flatten().collect()
}

fn one(entry: &str, row: &Row<'_>) -> Option<InventoryCheckpoint> {
    // `<checkpoint-not-externally-addressable>` is no path.
    let path = row.text("p.path").filter(|path| path.contains('/'))?;
    Some(InventoryCheckpoint {
        entry: entry.to_owned(),
        id: row.number("p.chk_id").and_then(|id| u64::try_from(id).ok()),
        path: path.to_owned(),
        savepoint: match row.number("p.type") {
            Some(kind) => kind != CHECKPOINT,
            None => path.contains("/savepoint-"),
        },
        local_ms: row.text("p.trigger_time").and_then(local_ms),
    })
}

/// A time as both databases write it, such as `2026-11-22 11:49:43.5`.
fn local_ms(text: &str) -> Option<i64> {
    let local: DateTime = text.parse().ok()?;
    let utc = local.to_zoned(TimeZone::UTC).ok()?;
    Some(utc.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::super::super::row::Made;
    use super::*;

    #[test]
    fn each_job_has_its_newest_and_others_none() {
        let row = |n: usize, app: &str, path: &str| {
            Made::of(&[
                ("p.id", &n.to_string()),
                ("p.app_id", app),
                ("p.chk_id", &n.to_string()),
                ("p.type", if n.is_multiple_of(2) { "1" } else { "2" }),
                ("p.path", path),
                ("p.trigger_time", "2026-11-22 11:49:43.5"),
            ])
        };
        let mut made: Vec<Made> =
            (0..15).rev().map(|n| row(n, "100001", &format!("s3://b/chk-{n}"))).collect();
        made.push(row(40, "100002", "<checkpoint-not-externally-addressable>"));
        made.push(row(41, "100002", ""));
        made.push(row(42, "100003", "s3://b/chk-42"));
        let entry = |id: &str| InventoryEntry { id: id.to_owned(), ..InventoryEntry::default() };
        let entries = [entry("100001"), entry("100002")];
        let found = recorded(made.iter().map(Made::row), &entries);
        let ids: Vec<_> = found.iter().map(|row| row.id.unwrap()).collect();
        assert_eq!(ids, [14, 13, 12, 11, 10, 9, 8, 7, 6, 5]);
        assert_eq!(
            found[1],
            InventoryCheckpoint {
                entry: "100001".to_owned(),
                id: Some(13),
                path: "s3://b/chk-13".to_owned(),
                savepoint: true,
                local_ms: Some(1_795_348_183_500),
            }
        );
        assert!(!found[0].savepoint);
    }

    #[test]
    fn times_are_read_as_the_databases_write_them() {
        for (text, expected) in [
            ("1970-01-02 00:00:00", Some(86_400_000)),
            ("1970-01-01 00:00:01.000000", Some(1_000)),
            ("1970-01-01 00:00:01.25", Some(1_250)),
            ("0000-00-00 00:00:00", None),
            ("yesterday", None),
        ] {
            assert_eq!(local_ms(text), expected, "{text}");
        }
    }
}
