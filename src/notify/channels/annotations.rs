//! What machines are told in words: the annotations of an incident's worst alert, in the language of
//! the receiver.

use std::collections::BTreeMap;

use crate::model::Incident;
use crate::notify::Language;

/// The Chinese twin of `summary` is `summary_zh`.
const CHINESE: &str = "_zh";

/// Each text under its plain name, in this language where it was written in it. What was written in
/// Chinese only is a text for those who read it.
pub(super) fn spoken(incident: &Incident, language: Language) -> BTreeMap<String, String> {
    let worst = incident
        .members
        .iter()
        .max_by_key(|m| (m.rule.alert == incident.rule, m.firing, m.rule.severity));
    let mut texts = BTreeMap::new();
    // A twin comes after its plain name, and takes its place.
    for (key, text) in worst.iter().flat_map(|m| &m.annotations) {
        let (name, fits) = match (key.strip_suffix(CHINESE), language) {
            (Some(name), Language::Zh) => (name, !text.trim().is_empty()),
            (Some(_), Language::En) => continue,
            (None, _) => (key.as_str(), true),
        };
        if fits {
            texts.insert(name.to_owned(), text.clone());
        }
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::render::probe;

    #[test]
    fn each_text_in_the_receivers_language_under_its_plain_name() {
        let mut incident = probe::failing(128, "orders").incident;
        let written = [
            ("summary", "fails"),
            ("summary_zh", "失败"),
            ("runbook", "https://wiki/7"),
            ("note", "look"),
            ("note_zh", " "),
            ("only_zh", "值班"),
        ];
        let texts = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        incident.members[0].annotations = texts(&written);
        incident.members.truncate(1);
        let english = [("summary", "fails"), ("runbook", "https://wiki/7"), ("note", "look")];
        assert_eq!(spoken(&incident, Language::En), texts(&english));
        let chinese = [
            ("summary", "失败"),
            ("runbook", "https://wiki/7"),
            ("note", "look"),
            ("only", "值班"),
        ];
        assert_eq!(spoken(&incident, Language::Zh), texts(&chinese));
        incident.members.clear();
        assert!(spoken(&incident, Language::Zh).is_empty());
    }
}
