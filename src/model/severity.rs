//! How much an alert matters.

use super::words::words;

words! {
    /// `critical` (a person now) > `warning` (today) > `info` (summary only).
    #[derive(Default)]
    Severity {
        /// Summary only.
        Info = "info",
        /// Somebody should look today.
        #[default]
        Warning = "warning",
        /// A person is needed now.
        Critical = "critical",
    }
}

impl Severity {
    /// Reads the label value.
    pub fn parse(text: &str) -> Option<Severity> {
        let all = [Severity::Info, Severity::Warning, Severity::Critical];
        all.into_iter().find(|severity| severity.as_str() == text)
    }

    /// Its part of an incident's rank, with room between for what is dead for good.
    pub fn rank(self) -> u8 {
        match self {
            Severity::Info => 0,
            Severity::Warning => 2,
            Severity::Critical => 4,
        }
    }
}
