//! Rule files as written; also the source of their JSON schema.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, Error, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, de};

use super::intervals::RawTimeIntervals;
use super::kinds::{Condition, Span};
use crate::model::Severity;
use crate::yaml::At;

/// A rule file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawFile {
    /// Groups of rules.
    #[serde(default)]
    pub groups: Vec<RawGroup>,
    /// Changes for some jobs to rules of any file.
    #[serde(default)]
    pub overrides: Vec<At<RawOverride>>,
    /// Hours this file's rules refer to, beside those of the configuration.
    #[serde(default)]
    pub time_intervals: Vec<RawTimeIntervals>,
}

/// A group: a name that is part of its rules' identity.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawGroup {
    /// Name.
    pub name: String,
    /// Rules.
    pub rules: Vec<RawRule>,
}

/// One rule.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawRule {
    /// Name of the alert, in `CamelCase` by custom.
    pub alert: At<String>,
    /// Exactly one kind of condition.
    pub when: At<Condition>,
    /// Only subjects whose labels match, in Alertmanager's syntax: `env="prod"`.
    #[serde(default)]
    pub matchers: Vec<At<String>>,
    /// Must hold for so long before it fires.
    #[serde(default, rename = "for")]
    pub hold: Option<At<Span>>,
    /// Keeps firing for so long after it was last true.
    #[serde(default)]
    pub keep_firing_for: Option<At<Span>>,
    /// Names of `time_intervals`: outside of them it starts nothing, and only a condition that no
    /// longer holds ends what it started.
    #[serde(default)]
    pub active_time_intervals: Vec<At<String>>,
    /// Aspect of its incidents, where it is not the kind's.
    #[serde(default)]
    pub aspect: Option<String>,
    /// Labels added to the subject's; `severity` is `critical`, `warning` (default) or `info`.
    #[serde(default)]
    pub labels: BTreeMap<String, At<String>>,
    /// Templates; a key ending in `_zh` is the Chinese of the key before it.
    #[serde(default)]
    pub annotations: BTreeMap<String, At<String>>,
}

/// A change for some jobs to one rule or several; where several overrides set the same, the later
/// one wins.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawOverride {
    /// Only subjects whose labels match.
    #[serde(default)]
    pub matchers: Vec<At<String>>,
    /// Name of a rule, or several; `*` stands for any characters.
    pub alert: At<Names>,
    /// Only rules of this group.
    #[serde(default)]
    pub group: Option<String>,
    /// Only rules of this severity.
    #[serde(default)]
    pub severity: Option<Severity>,
    /// What is different; all else stays as the rule has it.
    pub set: RawSet,
}

/// What an override changes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawSet {
    /// Parameters by kind: `{ lag: { above: 1000000 } }`. Inside `all`, `any` and `not` the kind
    /// is found by its name.
    #[serde(default)]
    pub when: Option<At<Parameters>>,
    /// Must hold for so long before it fires.
    #[serde(default, rename = "for")]
    pub hold: Option<At<Span>>,
    /// Keeps firing for so long after it was last true.
    #[serde(default)]
    pub keep_firing_for: Option<At<Span>>,
    /// Names of `time_intervals`, in the place of the rule's.
    #[serde(default)]
    pub active_time_intervals: Option<Vec<At<String>>>,
    /// Labels added to the rule's, `severity` among them; an empty one removes.
    #[serde(default)]
    pub labels: BTreeMap<String, At<String>>,
    /// `false`: the rule is not judged for these.
    #[serde(default)]
    pub enabled: Option<bool>,
}

/// One name or a list of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names(pub Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NamesVisitor)
    }
}

struct NamesVisitor;

impl<'de> Visitor<'de> for NamesVisitor {
    type Value = Names;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name or a list of names")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Names, E> {
        Ok(Names(vec![name.to_owned()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Names, A::Error> {
        Vec::deserialize(de::value::SeqAccessDeserializer::new(seq)).map(Names)
    }
}

impl JsonSchema for Names {
    fn schema_name() -> Cow<'static, str> {
        "Names".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "a name or a list of names; `*` stands for any characters",
            "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }]
        })
    }
}

/// Parameters by kind. What they are is read where the rule they change is known.
#[derive(Debug, Clone, Copy)]
pub struct Parameters;

impl<'de> Deserialize<'de> for Parameters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_ignored_any(IgnoredAny).map(|_| Parameters)
    }
}

impl JsonSchema for Parameters {
    fn schema_name() -> Cow<'static, str> {
        "Parameters".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "parameters by kind, such as { lag: { above: 1000000 } }",
            "type": "object",
            "additionalProperties": { "type": ["object", "array"] }
        })
    }
}
