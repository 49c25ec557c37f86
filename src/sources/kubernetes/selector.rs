//! Selection by labels, as `kubectl -l` takes it, less the sets. Pure.
//!
//! It is judged here rather than by the API server: what a selected `FlinkDeployment` owns carries
//! other labels than it does.

use std::collections::BTreeMap;

/// All of these have to hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Selector(Vec<Requirement>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Requirement {
    Equals(String, String),
    Differs(String, String),
    Exists(String),
    Lacks(String),
}

impl Selector {
    /// Reads `team=ads,env!=dev,owner,!batch`.
    pub(super) fn parse(text: &str) -> Result<Selector, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(requirement).collect::<Result<Vec<_>, _>>().map(Selector)
    }

    /// Whether these labels are selected; a label that is not there differs from every value.
    pub(super) fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0.iter().all(|requirement| match requirement {
            Requirement::Equals(key, value) => labels.get(key) == Some(value),
            Requirement::Differs(key, value) => labels.get(key) != Some(value),
            Requirement::Exists(key) => labels.contains_key(key),
            Requirement::Lacks(key) => !labels.contains_key(key),
        })
    }
}

fn requirement(part: &str) -> Result<Requirement, String> {
    let fits = |text: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/');
        text.chars().all(allowed)
    };
    let checked = |key: &str, value: &str| {
        let (key, value) = (key.trim(), value.trim());
        if key.is_empty() || !fits(key) || !fits(value) {
            return Err(format!("`{part}` is no requirement"));
        }
        Ok((key.to_owned(), value.to_owned()))
    };
    if let Some((key, value)) = part.split_once("!=") {
        return checked(key, value).map(|(key, value)| Requirement::Differs(key, value));
    }
    if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return checked(key, value).map(|(key, value)| Requirement::Equals(key, value));
    }
    match part.strip_prefix('!') {
        Some(key) => checked(key, "").map(|(key, _)| Requirement::Lacks(key)),
        None => checked(part, "").map(|(key, _)| Requirement::Exists(key)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_selected_as_kubectl_does() {
        let labels = BTreeMap::from([
            ("team".to_owned(), "ads".to_owned()),
            ("example.com/env".to_owned(), "prod".to_owned()),
        ]);
        for (text, selected) in [
            ("", true),
            ("team=ads", true),
            ("team==ads, example.com/env=prod", true),
            ("team=shop", false),
            ("team!=shop", true),
            ("owner!=me", true),
            ("team!=ads", false),
            ("team", true),
            ("owner", false),
            ("!owner", true),
            ("team=ads,!team", false),
        ] {
            assert_eq!(Selector::parse(text).unwrap().selects(&labels), selected, "{text}");
        }
        for text in ["team in (ads)", "=ads", "!", "a b"] {
            assert!(Selector::parse(text).is_err(), "{text}");
        }
    }
}
