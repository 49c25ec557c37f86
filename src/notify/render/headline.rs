//! The words of an incident: from the annotations of its worst alert.

use crate::model::{Incident, Member, Severity};
use crate::notify::Language;

/// The alert an incident is told by: for a job that is dead for good the one that says so, else
/// a firing one before one that stopped, the more severe before the less severe.
fn worst(incident: &Incident) -> Option<&Member> {
    incident.members.iter().max_by_key(|member| {
        let says_dead = incident.given_up && member.rule.alert == "JobFailed";
        let severity: Severity = member.rule.severity;
        (says_dead, member.firing, severity, member.rule.alert == incident.rule)
    })
}

fn annotation(incident: &Incident, language: Language, keys: &[&str]) -> Option<String> {
    let annotations = &worst(incident)?.annotations;
    let get = |key: &str| annotations.get(key).filter(|text| !text.trim().is_empty()).cloned();
    keys.iter().find_map(|key| match language {
        Language::En => get(key),
        Language::Zh => get(&format!("{key}_zh")),
    })
}

/// `keeps failing · 4 in 30 min`.
pub(super) fn headline(incident: &Incident, language: Language) -> Option<String> {
    let keys = ["headline", "summary"];
    // A rule of the user's own may come without Chinese: its English beats its bare name.
    annotation(incident, language, &keys).or_else(|| annotation(incident, Language::En, &keys))
}

/// What to do first.
pub(super) fn first_step(incident: &Incident, language: Language) -> Option<String> {
    let keys = ["description"];
    annotation(incident, language, &keys).or_else(|| annotation(incident, Language::En, &keys))
}
