//! The one thing serde stops at: what it is, and which part of the tree to pass over next time.

use std::fmt;

use serde::de::{Error, Expected, Unexpected};

use super::suggest;
use super::tree::{Kind, Node, Place};

/// An error of reading a type from the tree.
#[derive(Debug)]
pub(crate) struct Fault {
    what: What,
    at: Option<(u32, Place)>,
}

#[derive(Debug)]
enum What {
    Message(String),
    Unknown {
        name: String,
        expected: &'static [&'static str],
        noun: &'static str,
    },
    Missing(&'static str),
    /// Follows from something that was reported already.
    Follows,
}

impl Fault {
    pub(crate) fn follows() -> Fault {
        Fault { what: What::Follows, at: None }
    }

    /// The node to pass over, and where the fault is shown.
    pub(crate) fn at(&self) -> Option<(u32, Place)> {
        self.at
    }

    /// Places the fault, unless something inside `node` was placed already.
    pub(crate) fn inside(mut self, node: &Node, dropped: impl Fn(u32) -> bool) -> Fault {
        if self.at.is_some() {
            return self;
        }
        let mut place = node.place;
        match (&mut self.what, &node.kind) {
            (What::Message(text), Kind::Scalar(scalar)) => {
                if let Some(shown) = &scalar.shown {
                    *text = without(text, &scalar.text, shown);
                }
            }
            (What::Unknown { name, .. }, Kind::Scalar(scalar)) => {
                if let Some(shown) = &scalar.shown {
                    name.clone_from(shown);
                }
            }
            // What a flattened struct does not know is found by its name.
            (What::Message(text), Kind::Map(entries)) => {
                let name = text.strip_prefix("unknown field `").and_then(|t| t.split_once('`'));
                if let Some(entry) = name.and_then(|(n, _)| entries.iter().find(|e| e.key == n)) {
                    *text = format!("unknown key `{}`", entry.key);
                    self.at = Some((entry.value.id, entry.place));
                    return self;
                }
            }
            (What::Missing(field), Kind::Map(entries)) => {
                // It is there, with a mistake in it or in its name.
                let meant = |key: &str| suggest::nearest(key, [*field]).is_some();
                if entries.iter().any(|e| dropped(e.value.id) && meant(&e.key)) {
                    self.what = What::Follows;
                }
                // A block mapping starts at its first key, an empty one where it stands.
                if let Some(first) = entries.first() {
                    place = first.place.min(place);
                }
            }
            _ => {}
        }
        self.at = Some((node.id, place));
        self
    }

    /// Places the fault at a key.
    pub(crate) fn at_key(mut self, value: &Node, key: Place) -> Fault {
        self.at.get_or_insert((value.id, key));
        self
    }

    /// A word that is none of the expected ones names something else than a key.
    pub(crate) fn naming(mut self, noun: &'static str) -> Fault {
        if let What::Unknown { noun: n, .. } = &mut self.what {
            *n = noun;
        }
        self
    }

    /// What to say, and the way out; nothing when it was said already.
    pub(crate) fn words(self) -> Option<(String, Option<String>)> {
        match self.what {
            What::Follows => None,
            What::Message(text) => Some((text, None)),
            What::Missing(field) => {
                Some((format!("`{field}` is missing"), Some(format!("add `{field}:`"))))
            }
            What::Unknown { name, expected, noun } => {
                let list = expected.iter().map(|e| format!("`{e}`")).collect::<Vec<_>>().join(", ");
                let hint = match suggest::nearest(&name, expected.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`? expected: {list}"),
                    None if expected.is_empty() => "nothing is expected here".to_owned(),
                    None => format!("expected: {list}"),
                };
                Some((format!("unknown {noun} `{}`", super::tree::excerpt(&name)), Some(hint)))
            }
        }
    }
}

/// `text` without a value that must not be shown.
fn without(text: &str, value: &str, shown: &str) -> String {
    let escaped = format!("{value:?}");
    let escaped = escaped.trim_matches('"');
    let short = super::tree::excerpt(value);
    let mut clean = text.to_owned();
    for secret in [value, escaped, short.as_str()] {
        if !secret.is_empty() {
            clean = clean.replace(secret, shown);
        }
    }
    clean
}

impl Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Fault { what: What::Message(message.to_string()), at: None }
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match unexpected {
            Unexpected::Unit | Unexpected::Option => "nothing",
            Unexpected::Seq => "a list",
            Unexpected::Map | Unexpected::StructVariant | Unexpected::Enum => "a mapping",
            Unexpected::Bool(_) => "true or false",
            Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "a number",
            _ => "text",
        };
        Fault::custom(format_args!("expected {}, found {found}", words_of(expected)))
    }

    // Values may be secrets: only the expectation is repeated.
    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Fault::custom(format_args!("invalid value: expected {}", words_of(expected)))
    }

    fn unknown_field(name: &str, expected: &'static [&'static str]) -> Self {
        let name = name.to_owned();
        Fault { what: What::Unknown { name, expected, noun: "key" }, at: None }
    }

    fn unknown_variant(name: &str, expected: &'static [&'static str]) -> Self {
        let name = name.to_owned();
        Fault { what: What::Unknown { name, expected, noun: "value" }, at: None }
    }

    fn missing_field(field: &'static str) -> Self {
        Fault { what: What::Missing(field), at: None }
    }
}

/// Rust's words in the user's.
fn words_of(expected: &dyn Expected) -> String {
    let text = expected.to_string();
    if text.starts_with("struct ") || text == "a map" {
        return "a mapping".to_owned();
    }
    match text.as_str() {
        "a sequence" => "a list".to_owned(),
        "a string" | "a borrowed string" | "path string" | "str" => "text".to_owned(),
        "a boolean" => "true or false".to_owned(),
        _ => text,
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Message(text) => f.write_str(text),
            What::Unknown { name, noun, .. } => write!(f, "unknown {noun} `{name}`"),
            What::Missing(field) => write!(f, "`{field}` is missing"),
            What::Follows => f.write_str("follows from another error"),
        }
    }
}

impl std::error::Error for Fault {}
