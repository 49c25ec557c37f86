//! The log of starts: which jobs' last start failed, and why.

use std::collections::BTreeMap;

use super::super::row::Row;
use super::SPARK;
use crate::http::one_line;

/// Characters kept of a reason.
const MAX_REASON: usize = 300;

/// Reasons by the job's id, from rows with the newest first: only a job's newest start counts.
pub(in crate::sources::inventory) fn failures<'r>(
    rows: impl Iterator<Item = Row<'r>>,
) -> BTreeMap<String, String> {
    let mut newest: BTreeMap<String, Option<String>> = BTreeMap::new();
    for row in rows {
        if row.number("l.job_type") == Some(SPARK) {
            continue;
        }
        if let Some(app) = row.owned("l.app_id") {
            let failed = row.flag("l.success") == Some(false);
            let reason = || reason(row.text("l.exception").unwrap_or_default());
            newest.entry(app).or_insert_with(|| failed.then(reason));
        }
    }
    newest.into_iter().filter_map(|(app, reason)| Some((app, reason?))).collect()
}

/// The innermost cause in a stack trace, on one line.
fn reason(trace: &str) -> String {
    let cause =
        trace.lines().filter_map(|line| line.trim().strip_prefix("Caused by: ")).next_back();
    let first = || trace.lines().map(str::trim).find(|line| !line.is_empty());
    let line = cause.or_else(first).unwrap_or("no reason was kept");
    one_line(line, MAX_REASON)
}

#[cfg(test)]
mod tests {
    use super::super::super::row::Made;
    use super::*;

    #[test]
    fn jobs_of_spark_have_numbers_of_their_own() {
        let row = |kind| Made::of(&[("l.app_id", "1"), ("l.success", "0"), ("l.job_type", kind)]);
        for (kind, expected) in [("2", false), ("1", true), ("", true)] {
            let made = row(kind);
            assert_eq!(failures([made.row()].into_iter()).contains_key("1"), expected, "{kind}");
        }
    }

    #[test]
    fn only_the_newest_start_counts() {
        let trace = "java.util.concurrent.CompletionException: x\n\tat a.B.c(B.java:1)\n\
                     Caused by: java.lang.RuntimeException: outer\n\
                     Caused by: java.io.FileNotFoundException: no jar\n\tat a.B";
        let rows = [
            [("l.app_id", "1"), ("l.success", "0"), ("l.exception", trace)],
            [("l.app_id", "2"), ("l.success", "true"), ("l.exception", "")],
            [("l.app_id", "1"), ("l.success", "1"), ("l.exception", "")],
            [("l.app_id", "2"), ("l.success", "false"), ("l.exception", "old")],
            [("l.app_id", "3"), ("l.success", "f"), ("l.exception", "")],
            [("l.app_id", "4"), ("l.success", ""), ("l.exception", "who knows")],
        ];
        let made: Vec<Made> = rows.iter().map(|row| Made::of(row)).collect();
        let found = failures(made.iter().map(Made::row));
        let expected =
            [("1", "java.io.FileNotFoundException: no jar"), ("3", "no reason was kept")];
        let expected = expected.map(|(app, why)| (app.to_owned(), why.to_owned()));
        assert_eq!(found, BTreeMap::from(expected));
    }
}
