//! A value over the time of a story, written as a series (one value per interval), as times with
//! the value from then on, or as one value for good.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::series::{self, Sample};
use super::times::Moment;

/// As written: `"900x20 100"`, `{ 0m: 900, 20m: 100 }` or `900`. The last value goes on.
#[derive(Debug, Clone, PartialEq)]
pub enum Timeline {
    /// One value per interval, from the beginning.
    Series(Vec<Sample>),
    /// From each time on.
    Steps(Vec<(Moment, Sample)>),
}

impl Timeline {
    /// The values with the times in ms from which they hold, in order.
    pub fn steps(&self, interval: i64) -> Vec<(i64, Sample)> {
        let mut steps: Vec<(i64, Sample)> = match self {
            Timeline::Series(samples) => {
                let at = |i: usize| interval.saturating_mul(i as i64);
                samples.iter().enumerate().map(|(i, s)| (at(i), s.clone())).collect()
            }
            Timeline::Steps(steps) => steps.iter().map(|(at, s)| (at.0, s.clone())).collect(),
        };
        steps.sort_by_key(|(at, _)| *at);
        steps.dedup_by(|next, before| next.1 == before.1);
        steps
    }

    /// The latest moment it says something about.
    pub fn last(&self, interval: i64) -> Moment {
        let last = match self {
            Timeline::Series(samples) => {
                interval.saturating_mul(samples.len().saturating_sub(1) as i64)
            }
            Timeline::Steps(steps) => steps.iter().map(|(at, _)| at.0).max().unwrap_or(0),
        };
        Moment(last)
    }

    /// All values.
    pub fn samples(&self) -> impl Iterator<Item = &Sample> {
        let (series, steps) = match self {
            Timeline::Series(samples) => (Some(samples.iter()), None),
            Timeline::Steps(steps) => (None, Some(steps.iter().map(|(_, s)| s))),
        };
        series.into_iter().flatten().chain(steps.into_iter().flatten())
    }
}

/// One value, of a step.
struct One(Sample);

impl<'de> Deserialize<'de> for One {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Value;
        impl Visitor<'_> for Value {
            type Value = One;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("one value: a number, a word, `_` or `stale`")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<One, E> {
                let mut samples = series::parse(text).map_err(E::custom)?;
                match (samples.pop(), samples.is_empty()) {
                    (Some(one), true) => Ok(One(one)),
                    _ => Err(E::custom("a step has one value, which holds until the next step")),
                }
            }
        }
        deserializer.deserialize_str(Value)
    }
}

impl<'de> Deserialize<'de> for Timeline {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Timeline;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(
                    "a series such as `1+0x6`, or times with values such as { 0m: 1, 6m: 2 }",
                )
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Timeline, E> {
                self.visit_f64(value as f64)
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Timeline, E> {
                self.visit_f64(value as f64)
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<Timeline, E> {
                Ok(Timeline::Series(vec![Sample::Number(value)]))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Timeline, E> {
                series::parse(text).map(Timeline::Series).map_err(E::custom)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Timeline, A::Error> {
                let mut steps = Vec::new();
                while let Some(at) = map.next_key::<String>()? {
                    let at = Moment::parse(&at).map_err(A::Error::custom)?;
                    steps.push((at, map.next_value::<One>()?.0));
                }
                if steps.is_empty() {
                    return Err(A::Error::custom("no times: write such as { 0m: 1, 6m: 2 }"));
                }
                Ok(Timeline::Steps(steps))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl JsonSchema for Timeline {
    fn schema_name() -> Cow<'static, str> {
        "Timeline".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "number", "object"],
            "additionalProperties": { "type": ["string", "number"] },
            "description": "A series with one value per interval (`1+0x6`, `_x3`, `stale`, \
                `RUNNINGx30 FAILED`), or times with the value from then on. The last value goes on."
        })
    }
}

/// A timeline ready to be asked.
#[derive(Debug, Clone, Default)]
pub(super) struct Line(Vec<(i64, Sample)>);

impl Line {
    /// From what is written.
    pub(super) fn new(timeline: &Timeline, interval: i64) -> Line {
        Line(timeline.steps(interval))
    }

    /// The value at `t`; nothing before the first.
    pub(super) fn at(&self, t: i64) -> Option<&Sample> {
        let after = self.0.partition_point(|(at, _)| *at <= t);
        self.0.get(after.checked_sub(1)?).map(|(_, sample)| sample)
    }

    /// The number at `t`, where there is one.
    pub(super) fn number(&self, t: i64) -> Option<f64> {
        match self.at(t) {
            Some(Sample::Number(value)) => Some(*value),
            _ => None,
        }
    }

    /// The values with their times.
    pub(super) fn steps(&self) -> &[(i64, Sample)] {
        &self.0
    }
}
