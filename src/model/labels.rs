//! Labels and matchers, with Alertmanager's syntax and semantics.

use std::collections::BTreeMap;
use std::fmt;

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use super::matcher_text::{self, Written};

/// Label names and values in order, so that everything derived from them is deterministic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Labels(pub BTreeMap<String, String>);

impl Labels {
    /// The value of `name`; a missing label equals an empty one, as in Prometheus.
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Sets a label; an empty value removes it.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        if value.is_empty() {
            self.0.remove(name);
        } else {
            self.0.insert(name.to_owned(), value);
        }
    }

    /// Adds all of `other`; the later one wins.
    pub fn extend(&mut self, other: &Labels) {
        for (name, value) in &other.0 {
            self.set(name, value.clone());
        }
    }

    /// `{a="b", c="d"}`, which reads as matchers that hold for them.
    pub fn display(&self) -> String {
        let parts: Vec<String> =
            self.0.iter().map(|(name, value)| matcher_text::equality(name, value)).collect();
        format!("{{{}}}", parts.join(", "))
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Labels {
    fn from(pairs: [(&str, &str); N]) -> Self {
        let mut labels = Labels::default();
        for (name, value) in pairs {
            labels.set(name, value);
        }
        labels
    }
}

/// Why a matcher could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MatcherError {
    /// Not `name="value"` with one of the four operators.
    #[error("matcher `{0}` is not of the form name=\"value\" (operators: =, !=, =~, !~)")]
    Shape(String),
    /// The second is what follows the comma.
    #[error("matcher `{0}`: `{1}` is no matcher; a value with a comma must be in double quotes")]
    Comma(String, String),
    /// The second is the name without a value.
    #[error("matcher `{0}`: `{1}` has no value; for jobs without such a label write {1}=\"\"")]
    Empty(String, String),
    /// A reserved character outside of quotes.
    #[error(
        "matcher `{0}`: names and values with spaces or one of {{ }} ! = ~ , \\ \" ' ` must be in \
         double quotes"
    )]
    Reserved(String),
    /// A quote that does not end, or bytes in it that are no text.
    #[error("matcher `{0}` has no closing quote, or bytes in quotes that are not UTF-8")]
    Open(String),
    /// One brace without the other.
    #[error("matcher `{0}`: braces go around all matchers, both or none")]
    Braces(String),
    /// More than one where one is wanted.
    #[error("`{0}` is more than one matcher")]
    Several(String),
    /// The regular expression does not compile.
    #[error("matcher `{0}` has an invalid regular expression: {1}")]
    Regex(String, String),
}

/// One condition on a label: `team="ads"`, `env!="dev"`, `job_name=~"ro-.*"`, `region!~"cn|sea"`.
/// Regular expressions are anchored on both sides and run in linear time.
#[derive(Debug, Clone)]
pub struct Matcher {
    /// Label name.
    pub name: String,
    /// The text it was written as.
    pub text: String,
    value: String,
    negated: bool,
    regex: Option<Regex>,
}

impl Matcher {
    /// It leaves one name for a job: `job_name="orders"`.
    pub fn names_one_job(&self) -> bool {
        let equal = self.regex.is_none() && !self.negated;
        self.name == "job_name" && equal && !self.value.is_empty()
    }

    /// Reads a matcher in Alertmanager's syntax, see [`Matcher::parse_all`].
    ///
    /// # Errors
    /// As those of [`Matcher::parse_all`], and when there are several.
    pub fn parse(text: &str) -> Result<Matcher, MatcherError> {
        let mut all = Matcher::parse_all(text)?;
        match (all.pop(), all.is_empty()) {
            (Some(matcher), true) => Ok(matcher),
            _ => Err(MatcherError::Several(text.to_owned())),
        }
    }

    /// Reads one or more matchers, separated by commas, in Alertmanager's UTF-8 syntax. Braces
    /// around them may be left out, quotes where nothing reserved stands inside of them.
    ///
    /// # Errors
    /// When there is none, one has no operator, label name or value, a reserved character stands
    /// outside of quotes, or a regular expression is invalid.
    pub fn parse_all(text: &str) -> Result<Vec<Matcher>, MatcherError> {
        matcher_text::read(text)?.into_iter().map(Matcher::build).collect()
    }

    fn build(written: Written<'_>) -> Result<Matcher, MatcherError> {
        let Written { text, name, operator, value } = written;
        let regex = if operator.is_regex {
            let built = RegexBuilder::new(&format!("^(?:{value})$")).size_limit(1 << 20).build();
            Some(
                built
                    .map_err(|e| MatcherError::Regex(text.to_owned(), one_line(&e.to_string())))?,
            )
        } else {
            None
        };
        Ok(Matcher { name, text: text.to_owned(), value, negated: operator.negated, regex })
    }

    /// `name="value"`, whatever either is.
    pub fn exact(name: &str, value: &str) -> Matcher {
        Matcher {
            name: name.to_owned(),
            text: matcher_text::equality(name, value),
            value: value.to_owned(),
            negated: false,
            regex: None,
        }
    }

    /// Whether `labels` satisfy this matcher.
    pub fn matches(&self, labels: &Labels) -> bool {
        let actual = labels.get(&self.name);
        let hit = match &self.regex {
            Some(regex) => regex.is_match(actual),
            None => actual == self.value,
        };
        hit != self.negated
    }

    /// The exact value this matcher asks for, if it is a plain equality.
    pub fn exact_value(&self) -> Option<&str> {
        (!self.negated && self.regex.is_none()).then_some(self.value.as_str())
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Matcher {
    /// Whether they mean the same, however they were written.
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.value, self.negated, self.regex.is_some())
            == (&other.name, &other.value, other.negated, other.regex.is_some())
    }
}

/// Whether all matchers hold; true for none at all.
pub fn matches_all(matchers: &[Matcher], labels: &Labels) -> bool {
    matchers.iter().all(|m| m.matches(labels))
}

fn one_line(text: &str) -> String {
    text.lines().last().unwrap_or_default().trim().trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exact_matcher_reads_as_it_is_written() {
        for value in ["ro", "e\u{301}", "a\"b\\c\nd\te", "\u{200b}", ""] {
            let exact = Matcher::exact("team", value);
            assert!(exact.matches(&Labels::from([("team", value)])), "{value:?}");
            assert!(!exact.matches(&Labels::from([("team", "x")])), "{value:?}");
            assert_eq!(Matcher::parse(&exact.text), Ok(exact), "{value:?}");
        }
    }

    #[test]
    fn matchers_follow_alertmanager() {
        let labels = Labels::from([("team", "ro"), ("env", "prod")]);
        for (text, expected) in [
            (r#"team="ro""#, true),
            ("team=ro", true),
            (r#"team!="ro""#, false),
            (r#"team=~"r.""#, true),
            (r#"team=~"r""#, false),
            (r#"team!~"ads|ro""#, false),
            (r#"missing="""#, true),
            (r#"missing!="x""#, true),
            (r#"env =~ "pr\w+""#, true),
        ] {
            let matcher = Matcher::parse(text).unwrap();
            assert_eq!(matcher.matches(&labels), expected, "{text}");
        }
        for bad in ["team", "=x", "a b=c", r#"a="b"#, "a=~\"(\"", r#"a=b"c"#, "a!b"] {
            assert!(Matcher::parse(bad).is_err(), "{bad}");
        }
    }
}
