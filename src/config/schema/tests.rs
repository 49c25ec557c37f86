//! Files that Weir takes are valid by its schemas, checked by as much of JSON Schema as they use.

use serde_json::{Map, Value, json};

use super::*;
use crate::notify::channels::ChannelConfig;
use crate::rules::SHIPPED;
use crate::yaml::findings::Findings;

/// What says nothing about validity.
const SILENT: &[&str] = &["$schema", "$defs", "title", "description", "default", "format"];

/// What is wrong with a value by a schema; a keyword nobody taught it is wrong too.
fn check(value: &Value, schema: &Value, root: &Value, at: &str, wrong: &mut Vec<String>) {
    let Some(keywords) = schema.as_object() else {
        if *schema != json!(true) {
            wrong.push(format!("{at}: not allowed"));
        }
        return;
    };
    for (keyword, wanted) in keywords {
        let valid = match keyword.as_str() {
            "$ref" => {
                let pointer = wanted.as_str().unwrap().trim_start_matches('#');
                check(value, root.pointer(pointer).unwrap(), root, at, wrong);
                true
            }
            "type" => match wanted {
                Value::Array(types) => types.iter().any(|t| is_a(value, t)),
                one => is_a(value, one),
            },
            "enum" => wanted.as_array().unwrap().contains(value),
            "const" => value == wanted,
            "oneOf" => fitting(value, wanted, root) == 1,
            "anyOf" => fitting(value, wanted, root) > 0,
            "minimum" => value.as_f64().is_none_or(|v| v >= wanted.as_f64().unwrap()),
            "maxItems" => {
                value.as_array().is_none_or(|a| a.len() as u64 <= wanted.as_u64().unwrap())
            }
            "maxProperties" => {
                value.as_object().is_none_or(|o| o.len() as u64 <= wanted.as_u64().unwrap())
            }
            "pattern" => {
                let pattern = regex_lite(wanted.as_str().unwrap());
                value.as_str().is_none_or(|text| pattern.is_match(text))
            }
            "required" => value.as_object().is_none_or(|object| {
                wanted
                    .as_array()
                    .unwrap()
                    .iter()
                    .all(|key| object.contains_key(key.as_str().unwrap()))
            }),
            "items" => {
                for (n, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(item, wanted, root, &format!("{at}[{n}]"), wrong);
                }
                true
            }
            "properties" | "additionalProperties" => true,
            silent if SILENT.contains(&silent) => true,
            other => panic!("this test knows no keyword {other}"),
        };
        if !valid {
            wrong.push(format!("{at}: {keyword} {wanted}"));
        }
    }
    let none = Map::new();
    let properties = keywords.get("properties").and_then(Value::as_object).unwrap_or(&none);
    for (key, inner) in value.as_object().into_iter().flatten() {
        let schema = properties.get(key).or_else(|| keywords.get("additionalProperties"));
        if let Some(schema) = schema {
            check(inner, schema, root, &format!("{at}.{key}"), wrong);
        }
    }
}

fn regex_lite(pattern: &str) -> regex::Regex {
    regex::Regex::new(pattern).unwrap()
}

fn fitting(value: &Value, schemas: &Value, root: &Value) -> usize {
    let fits = |schema: &&Value| {
        let mut wrong = Vec::new();
        check(value, schema, root, "", &mut wrong);
        wrong.is_empty()
    };
    schemas.as_array().unwrap().iter().filter(fits).count()
}

fn is_a(value: &Value, kind: &Value) -> bool {
    match kind.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no type {other}"),
    }
}

/// What is wrong with the text of a file by a schema.
fn said(text: &str, schema: &Value) -> Vec<String> {
    let mut findings = Findings::new("file");
    let value: Value = crate::yaml::read(text, &mut findings).unwrap();
    let mut wrong = Vec::new();
    check(&value, schema, schema, "", &mut wrong);
    wrong
}

#[test]
fn files_that_are_taken_are_valid() {
    let config = schema();
    let nothing: [String; 0] = [];
    for text in [
        include_str!("../../../tests/fixtures/config/full.yaml"),
        include_str!("../../../tests/fixtures/config/minimal.yaml"),
    ] {
        assert_eq!(said(text, &config), nothing, "{text}");
    }
    for (file, text) in SHIPPED {
        assert_eq!(said(text, &crate::rules::schema()), nothing, "{file}");
    }
    let stories = include_str!("../../../rules/jobs_test.yaml");
    assert_eq!(said(stories, &crate::story::schema()), nothing);
}

#[test]
fn mistakes_are_no_valid_files() {
    let config = schema();
    for text in [
        "receivers: [{ name: a, channels: [consol] }]",
        "receivers: [{ name: a, channels: [email] }]",
        "recievers: []",
        "web: { metrics_open: maybe }",
    ] {
        assert!(!said(text, &config).is_empty(), "{text}");
    }
    let stories = "rule_files: [jobs.yaml]\ntests: [{ name: 7, jobbs: {} }]";
    assert!(!said(stories, &crate::story::schema()).is_empty());
}

#[test]
fn a_bare_word_is_a_channel_that_reads() {
    for word in BARE_CHANNELS {
        let mut findings = Findings::new("file");
        let read: Option<Vec<ChannelConfig>> =
            crate::yaml::read(&format!("[{word}]"), &mut findings);
        assert!(read.unwrap()[0].endpoint().is_ok(), "{word}");
    }
}
