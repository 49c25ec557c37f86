//! Alerts that others send, as Alertmanager's API (version 2) takes them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Labels, Severity, Ts};

/// Labels of one at most.
const MAX_LABELS: usize = 100;
/// Bytes of all its labels at most: they are its identity, so none is cut.
const MAX_LABEL_BYTES: usize = 8 * 1024;
/// What stands for the name of an alert without one.
const UNNAMED: &str = "unnamed";

/// One alert, as somebody sent it. The set of its labels is its identity.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Posted {
    /// Its labels; none is empty.
    pub labels: Labels,
    /// What it says.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// Wall time since when it fires, by its sender's clock; none: it did not say.
    #[serde(default)]
    pub starts_at: Option<Ts>,
    /// Wall time at which it ends unless it is sent again, by its sender's clock; what lies in the
    /// past is over. None: it did not say.
    #[serde(default)]
    pub ends_at: Option<Ts>,
    /// Where it comes from: a web address.
    #[serde(default)]
    pub generator_url: Option<String>,
}

impl Posted {
    /// What Alertmanager 0.25 would refuse it for, in its words; and what has no bound there.
    ///
    /// # Errors
    /// In words, for its sender.
    pub fn check(&self) -> Result<(), String> {
        if let (Some(starts), Some(ends)) = (self.starts_at, self.ends_at)
            && ends < starts
        {
            return Err("start time must be before end time".to_owned());
        }
        if self.labels.0.is_empty() {
            return Err("at least one label pair required".to_owned());
        }
        if let Some(name) = self.labels.0.keys().find(|name| !is_label_name(name)) {
            return Err(format!("invalid label set: invalid name {name:?}"));
        }
        if let Some(name) = self.annotations.keys().find(|name| !is_label_name(name)) {
            return Err(format!("invalid annotations: invalid name {name:?}"));
        }
        if self.labels.0.len() > MAX_LABELS {
            return Err(format!("more than {MAX_LABELS} labels"));
        }
        let bytes: usize = self.labels.0.iter().map(|(name, value)| name.len() + value.len()).sum();
        if bytes > MAX_LABEL_BYTES {
            return Err(format!("labels of more than {MAX_LABEL_BYTES} bytes"));
        }
        Ok(())
    }

    /// Its identity in short, the same as Alertmanager's and Prometheus': 64 bits FNV-1a of the
    /// sorted labels.
    pub fn fingerprint(&self) -> String {
        const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0000_0100_0000_01b3;
        const END: u8 = 0xff;
        let texts = self.labels.0.iter().flat_map(|(name, value)| [name, value]);
        let bytes = texts.flat_map(|text| text.bytes().chain([END]));
        let hash = bytes.fold(BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
        format!("{hash:016x}")
    }

    /// Its `alertname`; Alertmanager takes alerts without one.
    pub fn name(&self) -> &str {
        match self.labels.get("alertname") {
            "" => UNNAMED,
            name => name,
        }
    }

    /// What its label `severity` means here; without one, and with a word nobody knows: a warning.
    pub fn severity(&self) -> Severity {
        let word = self.labels.get("severity").to_ascii_lowercase();
        Severity::parse(&word).unwrap_or(Severity::Warning)
    }

    /// The word of its severity, where nobody knows it.
    pub fn unknown_severity(&self) -> Option<&str> {
        let word = self.labels.get("severity");
        let unknown = Severity::parse(&word.to_ascii_lowercase()).is_none();
        (unknown && !word.is_empty()).then_some(word)
    }
}

/// A name as Prometheus has had them: `[a-zA-Z_][a-zA-Z0-9_]*`.
fn is_label_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn posted(labels: Labels) -> Posted {
        Posted { labels, ..Posted::default() }
    }

    #[test]
    fn what_alertmanager_refuses_is_refused() {
        let up = posted(Labels::from([("alertname", "Up")]));
        assert_eq!(up.check(), Ok(()));
        let at = |starts, ends| Posted { starts_at: starts, ends_at: ends, ..up.clone() };
        assert_eq!(at(Some(Ts(5)), Some(Ts(5))).check(), Ok(()));
        assert_eq!(at(None, Some(Ts(5))).check(), Ok(()));
        let texts = |key: &str| {
            let annotations = BTreeMap::from([(key.to_owned(), "x".to_owned())]);
            Posted { annotations, ..up.clone() }
        };
        let long = "x".repeat(MAX_LABEL_BYTES);
        let many = (0..=MAX_LABELS).map(|n| (format!("l{n}"), "x".to_owned())).collect();
        for (bad, said) in [
            (at(Some(Ts(6)), Some(Ts(5))), "start time must be before end time"),
            (posted(Labels::default()), "at least one label pair required"),
            (posted(Labels::from([("a-b", "x")])), "invalid label set: invalid name \"a-b\""),
            (posted(Labels::from([("1a", "x")])), "invalid label set: invalid name \"1a\""),
            (posted(Labels::from([("作业", "x")])), "invalid label set: invalid name \"作业\""),
            (texts("a b"), "invalid annotations: invalid name \"a b\""),
            (posted(Labels::from([("a", long.as_str())])), "labels of more than 8192 bytes"),
            (posted(Labels(many)), "more than 100 labels"),
        ] {
            assert_eq!(bad.check(), Err(said.to_owned()));
        }
    }

    #[test]
    fn the_severity_of_what_nobody_knows_is_a_warning() {
        for (word, severity, unknown) in [
            ("critical", Severity::Critical, None),
            ("Critical", Severity::Critical, None),
            ("info", Severity::Info, None),
            ("", Severity::Warning, None),
            ("page", Severity::Warning, Some("page")),
        ] {
            let posted = posted(Labels::from([("alertname", "Up"), ("severity", word)]));
            assert_eq!((posted.severity(), posted.unknown_severity()), (severity, unknown));
        }
    }

    #[test]
    fn a_fingerprint_is_of_the_labels_alone() {
        let one = posted(Labels::from([("alertname", "Up"), ("b", "c")]));
        let other = Posted { starts_at: Some(Ts(1)), ..one.clone() };
        assert_eq!(one.fingerprint(), other.fingerprint());
        // Where a name ends and its value begins matters.
        let apart = posted(Labels::from([("alertname", "Upb"), ("b", "")]));
        assert_ne!(one.fingerprint(), apart.fingerprint());
        // Of no labels it is the basis of the hash, as in Prometheus.
        assert_eq!(posted(Labels::default()).fingerprint(), "cbf29ce484222325");
    }
}
