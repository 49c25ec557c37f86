//! A timeline that is too long for one answer: its first line, how much is left out, and the newest.

use crate::model::Ts;

/// At most `limit` lines of those there are, in order; `left_out` more follow the first already.
/// The first stays, for it says what it all began with, unless the limit leaves no room for it.
pub(super) fn fit<T>(
    mut lines: Vec<(Ts, T)>,
    left_out: u64,
    limit: usize,
    gap: impl Fn(String) -> T,
) -> Vec<(Ts, T)> {
    if left_out == 0 && lines.len() <= limit {
        return lines;
    }
    let newest = lines.len().saturating_sub(limit.saturating_sub(2)).max(1);
    if limit < 3 || newest >= lines.len() {
        return lines.split_off(lines.len().saturating_sub(limit));
    }
    let at = lines.first().map_or(Ts(0), |(at, _)| *at);
    let missing = left_out + (newest - 1) as u64;
    lines.splice(1..newest, [(at, gap(format!("({missing} lines left out)")))]);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(count: i64, left_out: u64, limit: usize) -> Vec<String> {
        let lines = (0..count).map(|n| (Ts(n), n.to_string())).collect();
        fit(lines, left_out, limit, |gap| gap).into_iter().map(|(_, what)| what).collect()
    }

    #[test]
    fn the_first_stays_and_what_is_missing_is_counted() {
        for (count, left_out, limit, expected) in [
            (0, 0, 3, vec![]),
            (3, 0, 3, vec!["0", "1", "2"]),
            (4, 0, 3, vec!["0", "(2 lines left out)", "3"]),
            (3, 7, 3, vec!["0", "(8 lines left out)", "2"]),
            (9, 0, 4, vec!["0", "(6 lines left out)", "7", "8"]),
            (4, 0, 2, vec!["2", "3"]),
            (2, 7, 2, vec!["0", "1"]),
            (4, 0, 1, vec!["3"]),
            (1, 7, 1, vec!["0"]),
        ] {
            assert_eq!(fitted(count, left_out, limit), expected, "{count} {left_out} {limit}");
        }
    }
}
