//! Pieces of the words of judgements.

use std::time::Duration;

use crate::model::{Time, Ts};

/// `45 s`, `12 min`, `1 h 30 min`, `3 days`: rounded down, as short as it can be said.
pub(super) fn span(length: Duration) -> String {
    let seconds = length.as_secs();
    let (big, small) = match seconds {
        0..120 => return format!("{seconds} s"),
        120..7_200 => return format!("{} min", seconds / 60),
        7_200..172_800 => (seconds / 3_600, seconds / 60 % 60),
        _ => return format!("{} days", seconds / 86_400),
    };
    if small == 0 { format!("{big} h") } else { format!("{big} h {small} min") }
}

/// A steady time as people's clocks show it: RFC 3339 in whole seconds, UTC.
pub(super) fn at(now: Time, steady: Ts) -> String {
    let wall = now.wall.shifted(steady.0.saturating_sub(now.steady.0));
    let moment = jiff::Timestamp::from_second(wall.0.div_euclid(1000));
    moment.map_or_else(|_| "an unknown time".to_owned(), |moment| moment.to_string())
}

/// `1 failure`, `2 failures`.
pub(super) fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// `2nd`.
pub(super) fn ordinal(number: usize) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_short() {
        for (seconds, expected) in [
            (0, "0 s"),
            (119, "119 s"),
            (120, "2 min"),
            (5_400, "90 min"),
            (9_000, "2 h 30 min"),
            (86_400, "24 h"),
            (200_000, "2 days"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), expected);
        }
        assert_eq!([1, 2, 3, 4, 11, 21].map(ordinal), ["1st", "2nd", "3rd", "4th", "11th", "21st"]);
        let now = Time { steady: Ts(5_000), wall: Ts(1_700_000_000_500) };
        assert_eq!(at(now, Ts(65_000)), "2023-11-14T22:14:20Z");
    }
}
