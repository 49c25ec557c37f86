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
}
