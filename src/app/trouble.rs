//! What receivers are told when Weir cannot write its store, past the store.

use std::collections::BTreeMap;

use crate::clock::{Clock, SystemClock};
use crate::engine::TroubleTeller;
use crate::model::{
    Aspect, Incident, IncidentState, Labels, Manner, Member, Message, MessageKind, MessageState,
    NoticeReason, RuleId, Severity, Subject, Ts,
};
use crate::notify::{Affected, Composers, ItemView, Known, MessageView, Settings};

/// Writes one message per receiver, for its first channel that does not only stand in.
pub(super) fn teller(
    settings: Settings,
    composers: Composers,
    installation: String,
) -> TroubleTeller {
    Box::new(move |error| {
        let now = SystemClock::anchored(None).now().wall;
        let incident = incident(error, now);
        let write = |receiver: &crate::notify::ReceiverPlan| {
            let plan = receiver.channels.iter().find(|c| !c.standby && !receiver.shadow)?;
            let view = MessageView {
                id: 0,
                installation: installation.clone(),
                key: format!("{installation}-store-{}", now.0),
                kind: MessageKind::Incident,
                receiver: receiver.name.clone(),
                group_key: "weir:".to_owned(),
                group_labels: Labels::default(),
                language: receiver.language,
                zone: receiver.zone.clone(),
                now,
                external_url: settings.external_url.clone(),
                items: vec![ItemView {
                    reason: NoticeReason::Opened,
                    incident: incident.clone(),
                    name: "Weir".to_owned(),
                    sequence: 1,
                    action: None,
                    affected: Affected::default(),
                    unacknowledged: None,
                    link: None,
                    approve_link: None,
                    known: Known::New,
                }],
                jobs_watched: 0,
                is_reply: false,
                summary: None,
            };
            let composed = composers.get(&plan.id)?.compose(&view);
            Some(Message {
                id: 0,
                to: plan.id.clone(),
                endpoint: plan.endpoint.clone(),
                channel_kind: plan.kind.clone(),
                kind: MessageKind::Incident,
                group: "weir:".to_owned(),
                notices: Vec::new(),
                named: 1,
                urgent: true,
                frozen: composed.frozen,
                state: MessageState::Due,
                at: now,
                at_steady: now,
                attempts: 1,
                next_attempt: None,
                done_at: None,
                manner: Manner::Fresh,
                receipt: None,
                print: 0,
                error: None,
            })
        };
        settings.receivers.values().filter_map(write).collect()
    })
}

fn incident(error: &str, now: Ts) -> Incident {
    let rule = RuleId {
        group: "weir".to_owned(),
        alert: "WeirCannotWriteItsStore".to_owned(),
        severity: Severity::Critical,
    };
    let labels = Labels::from([("alertname", "WeirCannotWriteItsStore"), ("severity", "critical")]);
    let texts = [
        ("headline", "weir cannot write its store; nothing is watched until it can".to_owned()),
        ("headline_zh", "weir 无法写入存储，恢复之前不会监控任何作业".to_owned()),
        ("summary", error.to_owned()),
        ("summary_zh", error.to_owned()),
    ];
    Incident {
        id: 0,
        subject: Subject::Source("weir".to_owned()),
        aspect: Aspect::from(Aspect::PLATFORM),
        severity: Severity::Critical,
        state: IncidentState::Open,
        end_reason: None,
        opened_at: now,
        resolved_at: None,
        quiet_since: None,
        opened_steady: now,
        resolved_steady: None,
        occurrences: 1,
        occurrences_base: 0,
        given_up: false,
        peak_rank: 0,
        reopened: 0,
        flapping: false,
        first_look: false,
        members: vec![Member {
            rule: rule.clone(),
            firing: true,
            since: now,
            until: None,
            annotations: texts
                .into_iter()
                .map(|(k, v)| (k.to_owned(), v))
                .collect::<BTreeMap<_, _>>(),
            labels: labels.clone(),
        }],
        rule: rule.alert,
        labels,
        root_cause: None,
        checkpoint: None,
        restored_from: None,
        run: None,
        subject_state: String::new(),
        ui_url: None,
        inhibited_by: None,
        inhibited_until: None,
        acknowledged: None,
        named_job: None,
        nobodys_since: None,
        doing: None,
    }
}
