//! Sections with a name but without a house: accepted while they are empty, refused when somebody
//! writes something there and believes it works.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, IgnoredAny};

use crate::yaml::findings::Findings;
use crate::yaml::tree::Node;

/// Anything; whether it is empty is checked in the tree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NotBuiltYet;

impl<'de> Deserialize<'de> for NotBuiltYet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_ignored_any(IgnoredAny).map(|_| NotBuiltYet)
    }
}

impl JsonSchema for NotBuiltYet {
    fn schema_name() -> Cow<'static, str> {
        "NotBuiltYet".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "not built yet: leave it out or empty",
            "type": ["array", "object", "null"],
            "maxItems": 0,
            "maxProperties": 0
        })
    }
}

/// Reports what is used and not built.
pub(in crate::config) fn check(root: &Node, findings: &mut Findings) {
    for entry in root.entries().iter().filter(|e| e.key == "maintenance" && !e.value.is_empty()) {
        let hint = "remove it; maintenance is begun when it is: `weir maintenance JOB --for 6h`";
        let what = "`maintenance` is no part of the configuration";
        findings.error(entry.place, what.to_owned(), Some(hint.to_owned()));
        findings.drop_node(entry.value.id);
    }
}
