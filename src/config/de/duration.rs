//! Durations as people write them: `500ms`, `30s`, `5m`, `1h30m`, `7d`, `2w`.
//!
//! For a field: `#[serde(with = "crate::config::de::duration")]`; optional ones take
//! `#[serde(default, with = "crate::config::de::duration::optional")]`, and both
//! `#[schemars(with = …)]` of a string.

use std::fmt;
use std::time::Duration;

use serde::Serializer;
use serde::de::{Deserializer, Error, Visitor};

/// Ten years: nothing here waits longer, and sums cannot overflow.
const LONGEST: Duration = Duration::from_hours(10 * 366 * 24);
const HOW: &str = "write it as `500ms`, `30s`, `5m`, `1h30m` or `7d`";

/// Reads a duration that is longer than nothing.
///
/// # Errors
/// When the text is not a duration, is zero, negative or absurdly long.
pub fn parse(text: &str) -> Result<Duration, String> {
    let shown = crate::yaml::tree::excerpt(text);
    let bad = || format!("invalid duration `{shown}`: {HOW}");
    if text.starts_with('-') {
        return Err(format!("duration `{shown}` is negative: {HOW}"));
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    let mut smallest = u64::MAX;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let millis: u64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 7 * 86_400_000,
            _ => return Err(bad()),
        };
        // Units from large to small, each once.
        if number.is_empty() || millis >= smallest {
            return Err(bad());
        }
        smallest = millis;
        let part = number.parse::<u64>().ok().and_then(|n| n.checked_mul(millis));
        total = part
            .and_then(|part| total.checked_add(Duration::from_millis(part)))
            .filter(|total| *total <= LONGEST)
            .ok_or_else(|| format!("duration `{shown}` is too long: ten years are the most"))?;
        rest = after;
    }
    if text.is_empty() {
        return Err(bad());
    }
    if total.is_zero() {
        return Err(format!("duration `{shown}` is zero: {HOW}"));
    }
    Ok(total)
}

/// Like [`parse`], and `0s` means none.
///
/// # Errors
/// When the text is not a duration, is negative or absurdly long.
pub fn parse_or_zero(text: &str) -> Result<Duration, String> {
    match text {
        "0" | "0s" | "0m" | "0ms" | "0h" => Ok(Duration::ZERO),
        other => parse(other),
    }
}

struct DurationVisitor(fn(&str) -> Result<Duration, String>);

impl Visitor<'_> for DurationVisitor {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as `30s` or `5m`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
        (self.0)(text).map_err(E::custom)
    }
}

/// For `#[serde(with)]`.
///
/// # Errors
/// As [`parse`].
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    deserializer.deserialize_str(DurationVisitor(parse))
}

/// A duration as [`parse`] reads it: `1h30m`.
pub fn format(duration: Duration) -> String {
    let mut millis = duration.as_millis();
    if millis == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, size) in
        [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)]
    {
        if millis >= size {
            text.push_str(&(millis / size).to_string());
            text.push_str(unit);
            millis %= size;
        }
    }
    text
}

/// For `#[serde(with)]`: defaults in the schema.
///
/// # Errors
/// When the serializer fails.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format(*duration))
}

/// Durations that may be left out.
pub mod optional {
    use super::{Duration, DurationVisitor, format, parse};
    use serde::Serializer;
    use serde::de::{Deserialize, Deserializer};

    struct Wrapped(Duration);

    impl<'de> Deserialize<'de> for Wrapped {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_str(DurationVisitor(parse)).map(Wrapped)
        }
    }

    /// For `#[serde(default, with)]`.
    ///
    /// # Errors
    /// As [`super::parse`].
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<Wrapped>::deserialize(deserializer)?.map(|w| w.0))
    }

    /// For `#[serde(with)]`: defaults in the schema.
    ///
    /// # Errors
    /// When the serializer fails.
    pub fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => serializer.serialize_str(&format(*duration)),
            None => serializer.serialize_none(),
        }
    }
}

/// Durations that may be left out, or be zero: `group_wait: 0s`.
pub mod optional_or_zero {
    pub use super::optional::serialize;
    use super::{Duration, DurationVisitor, parse_or_zero};
    use serde::de::{Deserialize, Deserializer};

    struct Wrapped(Duration);

    impl<'de> Deserialize<'de> for Wrapped {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_str(DurationVisitor(parse_or_zero)).map(Wrapped)
        }
    }

    /// For `#[serde(default, with)]`.
    ///
    /// # Errors
    /// As [`super::parse_or_zero`].
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<Wrapped>::deserialize(deserializer)?.map(|w| w.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_written() {
        for (text, millis) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("7d", 7 * 86_400_000),
            ("1w2d", 9 * 86_400_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for bad in [
            "",
            "5",
            "m",
            "5 m",
            "-5m",
            "0s",
            "5x",
            "1m1h",
            "1m1m",
            "99999999999999999999s",
            "20000w",
            "1.5h",
            "５m",
            "5min",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert_eq!(parse_or_zero("0s"), Ok(Duration::ZERO));
        for text in ["500ms", "30s", "1h30m", "7d", "1d1ms"] {
            assert_eq!(parse(text).map(format).as_deref(), Ok(text));
        }
    }
}
