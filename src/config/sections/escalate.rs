//! Who is told next of what nobody acknowledges.

use std::collections::BTreeSet;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::route;
use crate::config::de::At;
use crate::model::Severity;
use crate::notify::Escalation;
use crate::yaml::findings::Findings;
use crate::yaml::tree::excerpt;

/// One step, as written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EscalateConfig {
    /// So long after the route's receiver was told, if nobody acknowledged the incident.
    #[serde(with = "crate::config::de::duration")]
    #[schemars(with = "String")]
    pub after: Duration,
    /// Who is told then.
    pub receiver: At<String>,
    /// Only what is at least so severe; critical.
    #[serde(default)]
    pub severity: EscalateSeverity,
}

/// What is worth escalating.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EscalateSeverity {
    /// A person is needed now.
    #[default]
    Critical,
    /// That, and what somebody should look at today.
    Warning,
    /// Everything.
    Info,
}

impl From<EscalateSeverity> for Severity {
    fn from(severity: EscalateSeverity) -> Severity {
        match severity {
            EscalateSeverity::Critical => Severity::Critical,
            EscalateSeverity::Warning => Severity::Warning,
            EscalateSeverity::Info => Severity::Info,
        }
    }
}

/// The steps of a route; the inherited ones where it says nothing.
pub(super) fn build(
    written: Option<&[At<EscalateConfig>]>,
    inherited: &[Escalation],
    own: &str,
    known: &BTreeSet<String>,
    findings: &mut Findings,
) -> Vec<Escalation> {
    let Some(written) = written else { return inherited.to_vec() };
    let mut steps: Vec<Escalation> = Vec::new();
    for At { value: raw, place } in written {
        let name = raw.receiver.value.as_str();
        route::check_receiver(&raw.receiver, known, findings);
        if name == own {
            findings.error(
                raw.receiver.place,
                format!("`{}` is the receiver of this route itself", excerpt(name)),
                Some("escalate to somebody else".to_owned()),
            );
        }
        if steps.iter().any(|step| step.receiver == name) {
            findings.error(
                raw.receiver.place,
                format!("it is escalated to `{}` twice", excerpt(name)),
                Some("each receiver is told once; keep the first step".to_owned()),
            );
        }
        if steps.last().is_some_and(|before| before.after >= raw.after) {
            findings.error(
                *place,
                "this step comes no later than the one before it",
                Some("write the steps in order; `after` counts from when the route's receiver was told".to_owned()),
            );
        }
        steps.push(Escalation {
            after: raw.after,
            receiver: name.to_owned(),
            severity: raw.severity.into(),
        });
    }
    steps
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::config::{Config, parse};
    use crate::model::Severity;

    fn read(route: &str) -> Result<Config, String> {
        let names = ["team", "lead", "boss"];
        let receivers: Vec<String> =
            names.iter().map(|n| format!("  - {{ name: {n}, channels: [console] }}\n")).collect();
        let text = format!(
            "sources: [{{ flink: {{ name: prod, urls: [\"http://jm:8081\"] }} }}]\n\
             route:\n{route}receivers:\n{}",
            receivers.concat()
        );
        parse(&text, "weir.yaml", &|_| None)
            .map(|(config, problems)| {
                let unused = problems.iter().any(|p| p.to_string().contains("no route leads"));
                assert!(!unused, "{problems:?}");
                config
            })
            .map_err(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }

    const LEAD: &str = "{ after: 15m, receiver: lead }";
    const BOSS: &str = "{ after: 45m, receiver: boss, severity: warning }";

    #[test]
    fn steps_are_inherited_replaced_and_taken_back() {
        let config = read(&format!(
            "  receiver: team\n  escalate: [{LEAD}, {BOSS}]\n  routes:\n    \
             - {{ matchers: ['a=\"1\"'], receiver: lead }}\n    \
             - {{ matchers: ['a=\"2\"'], escalate: [] }}\n    \
             - {{ matchers: ['a=\"3\"'], escalate: [{{ after: 1m, receiver: boss }}] }}\n",
        ))
        .unwrap();
        let root = &config.notify.route;
        assert_eq!(root.escalate.len(), 2);
        assert_eq!(root.escalate[0].after, Duration::from_mins(15));
        assert_eq!(root.escalate[0].severity, Severity::Critical);
        assert_eq!(root.escalate[1].severity, Severity::Warning);
        let to = |n: usize, severity| {
            let steps = root.routes[n].escalations(severity);
            steps.map(|step| step.receiver.clone()).collect::<Vec<_>>()
        };
        // Its own receiver is told anyway.
        assert_eq!(to(0, Severity::Critical), ["boss"]);
        assert_eq!(to(1, Severity::Critical), Vec::<String>::new());
        assert_eq!(to(2, Severity::Critical), ["boss"]);
        assert_eq!(to(2, Severity::Warning), Vec::<String>::new());
        assert_eq!(root.escalations(Severity::Warning).count(), 1);
    }

    #[test]
    fn mistakes_are_said_where_they_stand() {
        for (steps, words) in [
            (
                "{ after: 15m, receiver: leed }",
                "4:38: unknown receiver `leed` (did you mean `lead`?)",
            ),
            ("{ after: 15m, receiver: team }", "4:38: `team` is the receiver of this route itself"),
            (
                "{ after: 15m, receiver: lead }, { after: 15m, receiver: boss }",
                "4:46: this step comes no later than the one before it",
            ),
            (
                "{ after: 15m, receiver: lead }, { after: 20m, receiver: lead }",
                "it is escalated to `lead` twice",
            ),
            ("{ after: 0s, receiver: lead }", "0s"),
            ("{ receiver: lead }", "after"),
            ("{ after: 15m, receiver: lead, severity: high }", "high"),
        ] {
            let said = read(&format!(
                "  receiver: team\n  escalate: [{steps}]\n  \
                 routes: [{{ matchers: ['a=\"1\"'], receiver: lead }}, \
                 {{ matchers: ['a=\"2\"'], receiver: boss }}]\n"
            ));
            let Err(said) = said else { panic!("{steps} was taken") };
            assert!(said.contains(words), "{steps}: {said}");
        }
    }
}
