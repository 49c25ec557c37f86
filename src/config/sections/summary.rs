//! When a receiver is told what happened.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::de::At;
use crate::notify::SummaryAt;
use crate::yaml::findings::Findings;

/// As written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SummaryConfig {
    /// `"09:30"` daily, `"Mon-Fri 09:30"` on some days, or `"Mon 09:30"` weekly; in the zone of the receiver.
    pub at: At<String>,
}

impl SummaryConfig {
    pub(in crate::config) fn build(self, findings: &mut Findings) -> Option<SummaryAt> {
        match self.at.value.parse() {
            Ok(at) => Some(at),
            Err(error) => {
                let hint = "write \"09:30\" for every day, \"Mon-Fri 09:30\" for some, or \"Mon 09:30\" for \
                     one day of the week";
                findings.error(self.at.place, error.to_string(), Some(hint.to_owned()));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    fn parse(at: &str) -> Result<Option<String>, String> {
        let text = format!(
            "sources:\n  - flink: {{ name: a, urls: [\"http://a:1\"] }}\nreceivers:\n  - name: me\n    \
             summary: {{ {at} }}\n    channels: [console]\n"
        );
        match crate::config::parse(&text, "weir.yaml", &|_| None) {
            Ok((config, _)) => Ok(config.notify.receivers["me"].summary.map(|at| at.to_string())),
            Err(problems) => Err(problems.iter().map(ToString::to_string).collect()),
        }
    }

    #[test]
    fn a_time_is_read_and_what_is_none_is_named_with_its_place() {
        assert_eq!(parse("at: \"Mon 09:30\""), Ok(Some("Mon 09:30".to_owned())));
        assert_eq!(parse("at: \"09:30\""), Ok(Some("09:30".to_owned())));
        let some = parse("at: \"Mon-Fri 09:30\"");
        assert_eq!(some, Ok(Some("Mon,Tue,Wed,Thu,Fri 09:30".to_owned())));
        let error = parse("at: \"Montag 09:30\"").unwrap_err();
        assert!(error.starts_with("weir.yaml:5:20: `Montag 09:30` is no time"), "{error}");
        assert!(error.contains("write \"09:30\" for every day"), "{error}");
        assert!(parse("at: \"09:30\", every: 1d").is_err());
    }
}
