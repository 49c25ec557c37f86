//! Why a notice ended unsent, where neither a hold nor a vendor's answer says so. Like a hold it is
//! text in the store and the API; what is read back from there is read here.

use std::fmt;

/// Why a notice came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Closed {
    /// Its channel is in the configuration no more.
    NoChannel,
    /// Nobody remembers its incident.
    LongOver,
    /// The incident was back before its end was told.
    Back,
    /// The incident was over before this was told.
    Over,
    /// Its channel refused what there was to tell of the incident before.
    Unheard,
    /// It only reminds, and somebody has the incident.
    Acknowledged,
    /// It says who has the incident, which no other channel has to know.
    NobodyElse,
    /// It says who has the incident, or that nobody has, and that changed again.
    Outdated,
    /// This channel stood in.
    Fallback(String),
    /// The channel that would stand in is told of it anyway.
    ToldAnyway(String),
}

const NO_CHANNEL: &str = "its channel left the configuration";
const LONG_OVER: &str = "its incident is long over";
const BACK: &str = "it was back before this was told";
const OVER: &str = "it was over before this was told";
const UNHEARD: &str = "nothing of it was told before";
const ACKNOWLEDGED: &str = "acknowledged";
const NOBODY_ELSE: &str = "it says who has it, which is news for nobody else";
const OUTDATED: &str = "it is otherwise again";
const FALLBACK: &str = "sent by fallback ";
const TOLD_ANYWAY: &str = " is told of it anyway";

impl Closed {
    /// What is recorded.
    pub(super) fn parse(text: &str) -> Option<Closed> {
        if let Some(stand_in) = text.strip_prefix(FALLBACK) {
            return Some(Closed::Fallback(stand_in.to_owned()));
        }
        if let Some(stand_in) = text.strip_suffix(TOLD_ANYWAY) {
            return Some(Closed::ToldAnyway(stand_in.to_owned()));
        }
        match text {
            NO_CHANNEL => Some(Closed::NoChannel),
            LONG_OVER => Some(Closed::LongOver),
            BACK => Some(Closed::Back),
            OVER => Some(Closed::Over),
            UNHEARD => Some(Closed::Unheard),
            ACKNOWLEDGED => Some(Closed::Acknowledged),
            NOBODY_ELSE => Some(Closed::NobodyElse),
            OUTDATED => Some(Closed::Outdated),
            _ => None,
        }
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Closed::NoChannel => f.write_str(NO_CHANNEL),
            Closed::LongOver => f.write_str(LONG_OVER),
            Closed::Back => f.write_str(BACK),
            Closed::Over => f.write_str(OVER),
            Closed::Unheard => f.write_str(UNHEARD),
            Closed::Acknowledged => f.write_str(ACKNOWLEDGED),
            Closed::NobodyElse => f.write_str(NOBODY_ELSE),
            Closed::Outdated => f.write_str(OUTDATED),
            Closed::Fallback(stand_in) => write!(f, "{FALLBACK}{stand_in}"),
            Closed::ToldAnyway(stand_in) => write!(f, "{stand_in}{TOLD_ANYWAY}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use regex::Regex;

    use super::*;

    /// Whoever closes a notice with new words has to say them here, and so in every language.
    #[test]
    fn every_reason_given_to_close_is_known() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/notify");
        let call =
            Regex::new(r#"self\.close\(\s*[*\w]+,\s*Outcome::\w+,\s*("[^"]*"|\w+)"#).unwrap();
        let mut seen = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|kind| kind != "rs") {
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap();
            for found in call.captures_iter(&source) {
                let said = found[1].to_owned();
                let text = if said.starts_with('"') {
                    said.trim_matches('"').to_owned()
                } else {
                    let constant = format!(r#"const {said}: &str =\s*"([^"]*)";"#);
                    let constant = Regex::new(&constant).unwrap();
                    let value = constant.captures(&source);
                    value.unwrap_or_else(|| panic!("{}: {said}", path.display()))[1].to_owned()
                };
                assert!(Closed::parse(&text).is_some(), "{}: {text:?}", path.display());
                seen += 1;
            }
        }
        assert!(seen >= 5, "{seen}");
    }
}
