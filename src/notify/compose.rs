//! From due notices to one frozen message.

use std::collections::BTreeMap;

use super::pipeline::Pipeline;
use super::{ChannelPlan, ItemView, MessageView};
use crate::incidents::Incidents;
use crate::model::{
    Change, Incident, Labels, Message, MessageKind, MessageState, NoticeReason, Outcome, Subject,
    Time,
};

/// Writes one message of these notices and commits to it.
#[expect(clippy::too_many_arguments, reason = "the parts of one message")]
pub(super) fn message(
    pipeline: &mut Pipeline,
    time: Time,
    plan: &ChannelPlan,
    kind: MessageKind,
    group: &str,
    ids: &[u64],
    urgent: bool,
    incidents: &Incidents,
    changes: &mut Vec<Change>,
) {
    let Some(receiver) = pipeline.receiver_of(&plan.id) else { return };
    let (language, zone, shadow) = (receiver.language, receiver.zone.clone(), receiver.shadow);
    let id = pipeline.next_message;
    pipeline.next_message += 1;
    let items = items(pipeline, plan, ids, incidents);
    let view = MessageView {
        id,
        installation: pipeline.installation.clone(),
        key: format!("{}-{id}", pipeline.installation),
        kind,
        receiver: plan.id.receiver.clone(),
        group_key: group.to_owned(),
        group_labels: group_labels(pipeline, group, items.first().map(|i| &i.incident)),
        language,
        zone,
        now: time.wall,
        external_url: pipeline.settings.external_url.clone(),
        items,
        jobs_watched: pipeline.jobs_watched,
        summary: None,
    };
    let Some(composer) = pipeline.composers.get(&plan.id).cloned() else { return };
    let written = composer.compose(&view);
    // Notices in the order of what is written about them: the named ones first.
    let place = |notice: &u64| {
        let incident = pipeline.notices.get(notice).map(|n| n.incident);
        view.items.iter().position(|i| Some(i.incident.id) == incident).unwrap_or(usize::MAX)
    };
    let mut ordered = ids.to_vec();
    ordered.sort_by_key(|id| (place(id), *id));
    let named = ordered.iter().filter(|id| place(id) < written.named).count();
    let message = Message {
        id,
        to: plan.id.clone(),
        endpoint: plan.endpoint.clone(),
        channel_kind: plan.kind.clone(),
        kind,
        group: group.to_owned(),
        notices: ordered,
        named: named as u32,
        urgent,
        frozen: written.frozen,
        state: if shadow { MessageState::Shadow } else { MessageState::Due },
        at: time.wall,
        at_steady: time.steady,
        attempts: 0,
        next_attempt: None,
        done_at: shadow.then_some(time.wall),
        error: None,
    };
    changes.push(Change::Message(Box::new(message.clone())));
    for notice_id in ids {
        let Some(notice) = pipeline.notices.get_mut(notice_id) else { continue };
        notice.message = Some(id);
        notice.held_by = None;
        let notice = notice.clone();
        let every = pipeline.settings.route.of_group(&notice.group).repeat_interval;
        pipeline.ledger.tell(&notice, time.steady, every);
        // The first report says nothing of a group: its next news need not wait for it.
        if notice.reason != NoticeReason::FirstLook {
            let key = (plan.id.clone(), notice.group.clone());
            let state = pipeline.groups.entry(key).or_default();
            state.last_flush = Some(time.steady);
            state.next_flush = None;
        }
        if shadow {
            pipeline.finish(*notice_id, Outcome::Shadow, time, changes);
        } else {
            changes.push(Change::Notice(Box::new(notice)));
        }
    }
    end_settled_groups(pipeline, plan, ids, incidents);
    if !shadow {
        pipeline.messages.insert(id, message);
    }
}

/// A group nobody in it is told open of any more is over: the next opening is a new group's.
fn end_settled_groups(
    pipeline: &mut Pipeline,
    plan: &ChannelPlan,
    ids: &[u64],
    incidents: &Incidents,
) {
    let groups: Vec<String> =
        ids.iter().filter_map(|id| pipeline.notices.get(id)).map(|n| n.group.clone()).collect();
    for group in groups {
        let alive = pipeline.ledger.open().any(|(id, to, _)| {
            *to == plan.id
                && incidents.get(id).filter(|i| i.is_open()).is_some_and(|i| {
                    let routes = pipeline.settings.route.matching(&i.labels);
                    routes.iter().any(|r| r.group_key(&i.labels) == group)
                })
        });
        if !alive {
            pipeline.groups.remove(&(plan.id.clone(), group));
        }
    }
}

fn items(
    pipeline: &Pipeline,
    plan: &ChannelPlan,
    ids: &[u64],
    incidents: &Incidents,
) -> Vec<ItemView> {
    let mut reasons: BTreeMap<u64, Vec<NoticeReason>> = BTreeMap::new();
    for id in ids {
        if let Some(notice) = pipeline.notices.get(id) {
            reasons.entry(notice.incident).or_default().push(notice.reason);
        }
    }
    let mut items: Vec<ItemView> = reasons
        .into_iter()
        .filter_map(|(id, reasons)| {
            let incident = incidents.get(id)?.clone();
            let told = pipeline.ledger.get(id, &plan.id);
            Some(ItemView {
                reason: foremost(&reasons),
                name: name_of(&incident),
                sequence: told.map_or(0, |t| t.sequence) + 1,
                action: None,
                incident,
            })
        })
        .collect();
    items.sort_by_key(|item| {
        let over = item.reason == NoticeReason::Resolved;
        (over, std::cmp::Reverse(item.incident.rank()), item.incident.id)
    });
    items
}

/// Of several pieces of news about one incident, the one that says it all.
fn foremost(reasons: &[NoticeReason]) -> NoticeReason {
    let last = reasons.last().copied().unwrap_or(NoticeReason::Opened);
    if last == NoticeReason::Resolved {
        return last;
    }
    let opening = |r: &&NoticeReason| {
        matches!(r, NoticeReason::Opened | NoticeReason::FirstLook | NoticeReason::Reopened)
    };
    reasons.iter().find(opening).copied().unwrap_or(last)
}

/// What a title starts with.
pub fn name_of(incident: &Incident) -> String {
    match &incident.subject {
        Subject::Job(key) => {
            let name = incident.labels.get("job_name");
            if name.is_empty() { key.0.clone() } else { name.to_owned() }
        }
        Subject::Cluster(_, name) | Subject::Source(name) => name.clone(),
        Subject::Channel(id) => id.to_string(),
    }
}

fn group_labels(pipeline: &Pipeline, group: &str, first: Option<&Incident>) -> Labels {
    let id = group.split(':').next().unwrap_or_default();
    match (pipeline.settings.route.find(id), first) {
        (Some(route), Some(incident)) => route.group_labels(&incident.labels),
        _ => Labels::default(),
    }
}
