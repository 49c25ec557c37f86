//! A limit that is a number or a length of time.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

use super::Span;

/// `10000`, or `10m`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Amount {
    /// A number.
    Number(f64),
    /// A length of time.
    Time(Span),
}

struct Reader;

impl Visitor<'_> for Reader {
    type Value = Amount;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or a length of time such as 10m")
    }
    fn visit_i64<E: Error>(self, number: i64) -> Result<Amount, E> {
        Ok(Amount::Number(number as f64))
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<Amount, E> {
        Ok(Amount::Number(number as f64))
    }
    fn visit_f64<E: Error>(self, number: f64) -> Result<Amount, E> {
        Ok(Amount::Number(number))
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Amount, E> {
        match text.trim().parse::<f64>() {
            Ok(number) => Ok(Amount::Number(number)),
            Err(_) => Span::parse(text).map(Amount::Time).map_err(|_| {
                E::custom(format!(
                    "`{text}` is neither a number nor a duration: write 10000, or 30s, 10m, 1h30m"
                ))
            }),
        }
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for Amount {
    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [{ "type": "number" }, { "type": "string" }],
            "description": "a number, or a duration: 30s, 10m, 1h30m, 7d"
        })
    }
}
