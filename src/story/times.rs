//! Times as a story writes them: `12m10s` from its beginning, `10m-12m`, `10m-` to its end.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::config::de::duration;

/// A time of the story, in ms from its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Moment(pub i64);

impl Moment {
    /// Reads `12m10s`; `0` is the beginning.
    ///
    /// # Errors
    /// When it is no duration.
    pub fn parse(text: &str) -> Result<Moment, String> {
        let read = duration::parse_or_zero(text.trim())?;
        Ok(Moment(i64::try_from(read.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let millis = u64::try_from(self.0).unwrap_or(0);
        f.write_str(&duration::format(Duration::from_millis(millis)))
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Moment;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a time from the beginning of the story, such as `12m` or `1h30m`")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Moment, E> {
                Moment::parse(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl JsonSchema for Moment {
    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "description": "Time from the beginning of the story: `0`, `30s`, `12m`, `1h30m`."
        })
    }
}

/// Spans of time, each from a moment up to another, which is no part of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spans(pub Vec<(Moment, Option<Moment>)>);

impl Spans {
    /// Whether `t` is in one of them.
    pub fn contain(&self, t: i64) -> bool {
        self.0.iter().any(|(from, to)| from.0 <= t && to.is_none_or(|to| t < to.0))
    }

    /// Whether each of them holds a multiple of `step` that is not after `until`.
    pub fn all_hold_one_of(&self, step: i64, until: i64) -> bool {
        let step = step.max(1);
        let first = |from: i64| from.saturating_add(step - 1) / step * step;
        self.0.iter().all(|(from, to)| {
            let first = first(from.0);
            first <= until && to.is_none_or(|to| first < to.0)
        })
    }

    /// The latest moment named.
    pub fn last(&self) -> Moment {
        self.0.iter().map(|(from, to)| to.unwrap_or(*from)).max().unwrap_or_default()
    }

    fn add(&mut self, text: &str) -> Result<(), String> {
        let how = || format!("`{text}` is no span of time: write `10m-12m`, or `10m-` to the end");
        let (from, to) = text.split_once('-').ok_or_else(how)?;
        let from = Moment::parse(from).map_err(|_| how())?;
        let to = match to.trim() {
            "" => None,
            to => Some(Moment::parse(to).map_err(|_| how())?),
        };
        if to.is_some_and(|to| to <= from) {
            return Err(format!("`{text}` ends before it begins"));
        }
        self.0.push((from, to));
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Spans {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;
        impl<'de> Visitor<'de> for Texts {
            type Value = Spans;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a span of time such as `10m-12m`, or a list of them")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Spans, E> {
                let mut spans = Spans::default();
                for part in text.split(',') {
                    spans.add(part.trim()).map_err(E::custom)?;
                }
                Ok(spans)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Spans, A::Error> {
                let mut spans = Spans::default();
                while let Some(text) = seq.next_element::<String>()? {
                    spans.add(text.trim()).map_err(A::Error::custom)?;
                }
                Ok(spans)
            }
        }
        deserializer.deserialize_any(Texts)
    }
}

impl JsonSchema for Spans {
    fn schema_name() -> Cow<'static, str> {
        "Spans".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "array"],
            "items": { "type": "string" },
            "description": "`10m-12m`, `10m-` to the end, or several."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_between_two_looks_holds_none() {
        for (text, expected) in [
            ("10s-20s", true),
            ("11s-20s", false),
            ("11s-21s", true),
            ("0-1s", true),
            ("10s-20s, 21s-29s", false),
            ("60s-", true),
            ("61s-", false),
        ] {
            let mut spans = Spans::default();
            text.split(',').for_each(|part| spans.add(part.trim()).unwrap());
            assert_eq!(spans.all_hold_one_of(10_000, 60_000), expected, "{text}");
        }
    }
}
