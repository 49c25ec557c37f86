//! Whether programs share a main class, as those of a SQL runner do: Flink names their applications
//! alike, so that a good start of one may look as if it was the other's. Pure.

use std::collections::BTreeMap;

use super::start::Application;

/// Who replaces a program lets the old one run beside the new one for less than this.
const HANDOVER_MS: i64 = 600_000;

/// Names of which two had jobs at once for longer than a handover takes.
pub(super) fn shared(all: &[Application], source_now: i64) -> impl Iterator<Item = &str> {
    let mut by_name: BTreeMap<&str, Vec<(i64, i64)>> = BTreeMap::new();
    for application in all.iter().filter(|a| a.has_started) {
        let span = (application.run.start_time, application.end.unwrap_or(source_now));
        by_name.entry(&application.name).or_default().push(span);
    }
    by_name.into_iter().filter_map(|(name, mut spans)| {
        spans.sort_unstable();
        let mut longest = i64::MIN;
        let together = spans.into_iter().any(|(start, end)| {
            let both = end.min(longest).saturating_sub(start);
            longest = longest.max(end);
            both > HANDOVER_MS
        });
        together.then_some(name)
    })
}

/// How many of this name that got as far as a job were there at a time.
pub(super) fn there(all: &[Application], name: &str, at: i64) -> usize {
    let then = |a: &&Application| {
        let start = a.run.start_time;
        a.has_started && a.name == name && start <= at && a.end.is_none_or(|end| end > at)
    };
    all.iter().filter(then).count()
}
