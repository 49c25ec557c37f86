//! Lengths of time as people write them in rule files.

use std::borrow::Cow;
use std::time::Duration;

use jiff::SignedDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// A positive length of time: `30s`, `10m`, `1h30m`, `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl Span {
    /// Reads the text.
    ///
    /// # Errors
    /// When it is no length of time, negative, or beyond ten years.
    pub fn parse(text: &str) -> Result<Span, String> {
        let bad = || {
            format!(
                "`{text}` is not a duration: write a number and a unit, e.g. 30s, 10m, 1h30m, 7d"
            )
        };
        let text = text.trim();
        // Days are 24 hours here; the library leaves them to calendars.
        let (days, rest) = match text.split_once('d') {
            Some((days, rest)) if days.bytes().all(|b| b.is_ascii_digit()) && !days.is_empty() => {
                (days.parse::<u64>().map_err(|_| bad())?, rest.trim())
            }
            _ => (0, text),
        };
        let rest = if rest.is_empty() && text != rest {
            SignedDuration::ZERO
        } else {
            rest.parse::<SignedDuration>().map_err(|_| bad())?
        };
        let rest = Duration::try_from(rest).map_err(|_| bad())?;
        let days = days.checked_mul(86_400).map(Duration::from_secs).ok_or_else(bad)?;
        let total = days.checked_add(rest).ok_or_else(bad)?;
        if total > Duration::from_hours(10 * 366 * 24) {
            return Err(format!("`{text}` is longer than ten years"));
        }
        Ok(Span(total))
    }

    /// Whole milliseconds.
    pub fn millis(self) -> i64 {
        i64::try_from(self.0.as_millis()).unwrap_or(i64::MAX)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Span::parse(&text).map_err(D::Error::custom)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "duration: 30s, 10m, 1h30m, 7d" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, secs) in [
            ("0s", 0),
            ("30s", 30),
            ("10m", 600),
            ("1h30m", 5400),
            ("7d", 604_800),
            ("1d12h", 129_600),
        ] {
            assert_eq!(Span::parse(text).unwrap().0.as_secs(), secs, "{text}");
        }
        for bad in ["", "10", "-5m", "5 bananas", "d", "99999999999d", "20y5", "100000d"] {
            assert!(Span::parse(bad).is_err(), "{bad}");
        }
    }
}
