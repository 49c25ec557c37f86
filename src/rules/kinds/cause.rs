//! Which failures a condition is about: by class, or by a pattern over the root cause.

use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::Error;

/// Compiled patterns may take this much memory.
const MAX_REGEX_BYTES: usize = 1 << 20;
/// Longest class or pattern.
const MAX_TEXT: usize = 1000;

/// An exception class: qualified (`java.io.IOException`), simple (`IOException`), or with `*` for
/// any characters (`org.apache.kafka.*`, `*TimeoutException`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ClassPattern(String);

impl ClassPattern {
    /// Whether a qualified class is meant: by its whole name, or by its simple one.
    pub fn matches(&self, class: &str) -> bool {
        let simple = class.rsplit(['.', '$']).next().unwrap_or(class);
        glob(&self.0, class) || glob(&self.0, simple)
    }

    /// What is wrong with it.
    pub fn problem(&self) -> Option<String> {
        let fits = |c: char| c.is_alphanumeric() || matches!(c, '.' | '$' | '_' | '*');
        if self.0.is_empty() || self.0.len() > MAX_TEXT || !self.0.chars().all(fits) {
            return Some(format!(
                "class `{}` is no class (a simple or qualified name, * for any characters)",
                crate::yaml::tree::excerpt(&self.0)
            ));
        }
        None
    }
}

/// Whether `*` for any characters makes `pattern` the text; in linear steps, without recursion.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

/// A regular expression (linear time, without look-around), found anywhere in
/// `class: message (frame)` of a root cause.
#[derive(Debug, Clone)]
pub struct TextPattern(Regex);

impl TextPattern {
    /// Whether the root cause is meant.
    pub fn matches(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

impl PartialEq for TextPattern {
    fn eq(&self, other: &TextPattern) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl<'de> Deserialize<'de> for TextPattern {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() || text.len() > MAX_TEXT {
            return Err(D::Error::custom(format!("a pattern has 1 … {MAX_TEXT} characters")));
        }
        let built = RegexBuilder::new(&text).size_limit(MAX_REGEX_BYTES).build();
        let short =
            |e: &regex::Error| e.to_string().lines().last().unwrap_or_default().trim().to_owned();
        built.map(TextPattern).map_err(|e| {
            let what = crate::yaml::tree::excerpt(&text);
            D::Error::custom(format!("`{what}` is no regular expression: {}", short(&e)))
        })
    }
}

impl JsonSchema for TextPattern {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TextPattern".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "regex", "description": "regular expression over `class: message (frame)`" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_match_by_simple_and_by_qualified_name() {
        for (pattern, class, hit) in [
            ("IOException", "java.io.IOException", true),
            ("java.io.IOException", "java.io.IOException", true),
            ("io.IOException", "java.io.IOException", false),
            ("Exception", "java.io.IOException", false),
            ("*Exception", "java.io.IOException", true),
            ("java.*", "java.io.IOException", true),
            ("java.*Timeout*", "java.util.concurrent.TimeoutException", true),
            ("org.apache.kafka.*", "java.io.IOException", false),
            ("Inner", "a.Outer$Inner", true),
            ("a*b*a", "aba", true),
            ("a*ba*a", "aba", false),
            ("*", "anything", true),
        ] {
            assert_eq!(ClassPattern(pattern.to_owned()).matches(class), hit, "{pattern} {class}");
        }
        for bad in ["", "java io", "^java", "a|b"] {
            assert!(ClassPattern(bad.to_owned()).problem().is_some(), "{bad}");
        }
    }

    #[test]
    fn patterns_are_refused_where_they_make_no_sense() {
        let read = |text: &str| serde_json::from_value::<TextPattern>(text.into());
        assert!(read("poison.*offset").unwrap().matches("a.B: poison at offset 5"));
        for bad in ["", "(", "(?=x)", "a{9999}{9999}"] {
            let error = read(bad).unwrap_err().to_string();
            assert!(!error.contains('\n'), "{error}");
        }
    }
}
