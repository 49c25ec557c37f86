//! Weir in trouble says so: channels and sources of its own that have failed for long.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::incidents::{Incidents, OWN_GROUP};
use crate::model::{
    Alert, AlertState, Aspect, Evidence, Incident, Labels, RuleId, Severity, Subject, Time, Ts,
};
use crate::notify::Pipeline;
use crate::tracker::Tracker;

const CHANNEL_FAILING: &str = "WeirChannelFailing";
const CANNOT_REACH: &str = "WeirCannotReach";

/// What has been told of ourselves and is not over.
#[derive(Debug, Default)]
pub(super) struct OwnTrouble {
    told: BTreeSet<Subject>,
}

impl OwnTrouble {
    /// Goes on where a former process was: what it has told and not seen the end of.
    pub(super) fn restore(incidents: &Incidents) -> OwnTrouble {
        let is_own = |i: &&Incident| {
            let word = |name: &str| name == CHANNEL_FAILING || name == CANNOT_REACH;
            i.is_open() && word(&i.rule)
        };
        OwnTrouble { told: incidents.iter().filter(is_own).map(|i| i.subject.clone()).collect() }
    }

    /// Alerts about ourselves that hold (`Some`) or are over (`None`).
    pub(super) fn step(
        &mut self,
        time: Time,
        after: Duration,
        tracker: &Tracker,
        pipeline: &Pipeline,
        sources_have_a_rule: bool,
    ) -> Vec<(Subject, Option<Alert>)> {
        let mut found = Vec::new();
        for (id, health) in pipeline.health() {
            if !pipeline.sends(id) {
                continue;
            }
            let subject = Subject::Channel(id.clone());
            let error = health.error.clone().unwrap_or_default();
            let text = Text {
                alert: CHANNEL_FAILING,
                headline: "Weir cannot deliver to it".to_owned(),
                headline_zh: "Weir 无法投递".to_owned(),
                severity: Severity::Critical,
                summary: format!("Weir cannot deliver alerts to {id}: {error}"),
                summary_zh: format!("Weir 无法向 {id} 投递告警：{error}"),
            };
            let mut labels = Labels::from([("receiver", &*id.receiver), ("channel", &*id.channel)]);
            labels.set("job_name", "");
            // A channel that has not been tried in this process is not known to work again.
            let known = health.failing_since.is_some() || health.sent > 0;
            let since = health.failing_since;
            self.judge(time, after, subject, since, known, labels, &text, &mut found);
        }
        for (name, source) in tracker.sources() {
            // The rule tells of it; what was told before there was one still has to end.
            let is_told = sources_have_a_rule && !source.is_inventory;
            if is_told && source.failing_since.is_some() {
                continue;
            }
            let error = source.error.clone().unwrap_or_default();
            let text = Text::cannot_reach(name, source.is_inventory, &error);
            let labels = Labels::from([("source", name.as_str()), ("cluster", name.as_str())]);
            let subject = Subject::Source(name.clone());
            let known = source.failing_since.is_some() || source.is_up();
            let since = source.failing_since;
            self.judge(time, after, subject, since, known, labels, &text, &mut found);
        }
        found
    }

    #[expect(clippy::too_many_arguments, reason = "one row of a table")]
    fn judge(
        &mut self,
        time: Time,
        after: Duration,
        subject: Subject,
        failing_since: Option<Time>,
        known: bool,
        labels: Labels,
        text: &Text,
        found: &mut Vec<(Subject, Option<Alert>)>,
    ) {
        let long = failing_since.filter(|since| time.steady.since(since.steady) >= after);
        match long {
            Some(since) => {
                let alert = text.alert(&subject, labels, since);
                self.told.insert(subject.clone());
                found.push((subject, Some(alert)));
            }
            // Asked on until the incident has had its quiet time.
            None if known && self.told.contains(&subject) => found.push((subject, None)),
            None => {}
        }
    }

    /// Its incident is over.
    pub(super) fn forget(&mut self, subject: &Subject) {
        self.told.remove(subject);
    }

    /// Forgets what is not watched any more.
    pub(super) fn retain(&mut self, is_watched: impl Fn(&Subject) -> bool) {
        self.told.retain(is_watched);
    }

    /// When a channel that fails now will have failed for long.
    pub(super) fn next_deadline(&self, after: Duration, pipeline: &Pipeline) -> Option<Ts> {
        pipeline
            .health()
            .iter()
            .filter(|(id, _)| pipeline.sends(id))
            .filter(|(id, _)| !self.told.contains(&Subject::Channel((*id).clone())))
            .filter_map(|(_, h)| Some(h.failing_since?.steady + after))
            .min()
    }
}

struct Text {
    alert: &'static str,
    severity: Severity,
    headline: String,
    headline_zh: String,
    summary: String,
    summary_zh: String,
}

impl Text {
    /// Without a platform its jobs are not known; without an inventory, only what it says of them.
    fn cannot_reach(name: &str, is_inventory: bool, error: &str) -> Text {
        let (severity, headline, headline_zh) = if is_inventory {
            let headline = "Weir cannot read it; jobs are watched with what it said last";
            (Severity::Warning, headline, "Weir 无法读取，作业监控照常，沿用其上次的信息")
        } else {
            let headline = "Weir cannot reach it; its jobs are unknown, not failed";
            (Severity::Critical, headline, "Weir 无法访问，其作业状态未知，并非失败")
        };
        Text {
            alert: CANNOT_REACH,
            severity,
            headline: headline.to_owned(),
            headline_zh: headline_zh.to_owned(),
            summary: format!("Weir cannot reach {name}: {error}"),
            summary_zh: format!("Weir 无法访问 {name}：{error}"),
        }
    }

    fn alert(&self, subject: &Subject, mut labels: Labels, since: Time) -> Alert {
        let rule = RuleId {
            group: OWN_GROUP.to_owned(),
            alert: self.alert.to_owned(),
            severity: self.severity,
        };
        labels.set("alertname", self.alert);
        labels.set("severity", self.severity.as_str());
        let pairs = [
            ("headline", &self.headline),
            ("headline_zh", &self.headline_zh),
            ("summary", &self.summary),
            ("summary_zh", &self.summary_zh),
        ];
        Alert {
            rule,
            subject: subject.clone(),
            aspect: Aspect::from(Aspect::PLATFORM),
            state: AlertState::Firing,
            since: since.steady,
            last_true: since.steady,
            first_look: false,
            unknown_since: None,
            outdated: false,
            condition: None,
            evidence: Evidence::new(),
            labels,
            annotations: pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).clone()))
                .collect::<BTreeMap<_, _>>(),
        }
    }
}
