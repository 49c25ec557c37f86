//! What must follow from a story, as it is written.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::times::{Moment, Spans};
use crate::yaml::At;

/// What must follow.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawExpect {
    /// Alerts at certain times.
    #[serde(default)]
    pub alerts: Vec<At<RawAt>>,
    /// Alerts that never fire in this story; `*`: none does.
    #[serde(default)]
    pub never: Vec<At<String>>,
    /// All incidents of the story, in the order they open.
    #[serde(default)]
    pub incidents: Option<At<Vec<At<RawIncident>>>>,
    /// All messages of the story, in order.
    #[serde(default)]
    pub messages: Option<At<Vec<At<RawMessage>>>>,
}

/// Alerts at a time, or during one.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawAt {
    /// When: after the look at that time, or the last one before it.
    #[serde(default)]
    pub at: Option<Moment>,
    /// After every look in this time.
    #[serde(default)]
    pub during: Option<Spans>,
    /// Exactly these fire; none: an empty list.
    #[serde(default)]
    pub firing: Option<Vec<At<RawAlert>>>,
    /// Exactly these are pending.
    #[serde(default)]
    pub pending: Option<Vec<At<RawAlert>>>,
}

/// An alert: its name, or its name and what it is about.
#[derive(Debug, Clone, Default)]
pub struct RawAlert {
    /// Name of the alert.
    pub alert: String,
    /// The job.
    pub job: Option<String>,
    /// The Flink cluster.
    pub cluster: Option<String>,
    /// The source.
    pub source: Option<String>,
    /// `critical`, `warning` or `info`.
    pub severity: Option<String>,
    /// Labels it has, among others.
    pub labels: std::collections::BTreeMap<String, String>,
    /// The English `summary`.
    pub summary: Option<String>,
}

/// An alert and what it is about; what is left out may be anything.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FullAlert {
    /// Name of the alert.
    alert: String,
    /// The job.
    #[serde(default)]
    job: Option<String>,
    /// The Flink cluster.
    #[serde(default)]
    cluster: Option<String>,
    /// The source.
    #[serde(default)]
    source: Option<String>,
    /// `critical`, `warning` or `info`.
    #[serde(default)]
    severity: Option<String>,
    /// Labels it has, among others.
    #[serde(default)]
    labels: std::collections::BTreeMap<String, String>,
    /// The English `summary`.
    #[serde(default)]
    summary: Option<String>,
}

impl<'de> Deserialize<'de> for RawAlert {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = RawAlert;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the name of an alert, or { alert: …, job: … }")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<RawAlert, E> {
                Ok(RawAlert { alert: text.to_owned(), ..RawAlert::default() })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawAlert, A::Error> {
                let full = FullAlert::deserialize(MapAccessDeserializer::new(map))?;
                let FullAlert { alert, job, cluster, source, severity, labels, summary } = full;
                Ok(RawAlert { alert, job, cluster, source, severity, labels, summary })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for RawAlert {
    fn schema_name() -> Cow<'static, str> {
        "RawAlert".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let full = generator.subschema_for::<FullAlert>();
        json_schema!({ "anyOf": [{ "type": "string" }, full] })
    }
}

/// An incident; what is left out may be anything.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawIncident {
    /// The job it is about.
    pub job: Option<String>,
    /// The Flink cluster it is about.
    pub cluster: Option<String>,
    /// The source it is about.
    pub source: Option<String>,
    /// In which respect: failure, checkpoints, lag, …
    pub aspect: Option<String>,
    /// At the end: `critical`, `warning` or `info`.
    pub severity: Option<String>,
    /// When it opened.
    pub opened: Option<Moment>,
    /// When it ended; `never`: it is open at the end of the story.
    pub resolved: Option<RawEnd>,
    /// How it ended: recovered, ended.
    pub reason: Option<String>,
    /// Names of its alerts, in any order.
    pub alerts: Option<Vec<String>>,
    /// How often it was reopened.
    pub reopened: Option<u32>,
    /// Distinct failures in it.
    pub failures: Option<u64>,
}

/// When an incident ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawEnd {
    /// Not in this story.
    Never,
    /// Then.
    At(Moment),
}

impl<'de> Deserialize<'de> for RawEnd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        match text.trim() {
            "never" => Ok(RawEnd::Never),
            text => Moment::parse(text).map(RawEnd::At).map_err(D::Error::custom),
        }
    }
}

impl JsonSchema for RawEnd {
    fn schema_name() -> Cow<'static, str> {
        "RawEnd".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "A time of the story, or `never`." })
    }
}

/// A message.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawMessage {
    /// When it is sent; any time if left out.
    pub at: Option<Moment>,
    /// To whom; anybody if left out.
    pub receiver: Option<String>,
    /// The whole text, as the console channel writes it; blanks at line ends do not matter.
    pub text: Option<String>,
    /// Its first line.
    pub title: Option<String>,
    /// Texts it contains.
    pub contains: Texts,
    /// Texts it does not contain.
    pub lacks: Texts,
}

/// One text or several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts(pub Vec<String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Texts;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text, or a list of texts")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Texts, E> {
                Ok(Texts(vec![text.to_owned()]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Texts, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = seq.next_element()? {
                    texts.push(text);
                }
                Ok(Texts(texts))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl JsonSchema for Texts {
    fn schema_name() -> Cow<'static, str> {
        "Texts".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "array"], "items": { "type": "string" } })
    }
}
