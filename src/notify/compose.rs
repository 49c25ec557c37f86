//! From due notices to one frozen message.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::pipeline::Pipeline;
use super::{About, Affected, ChannelPlan, Composed, ItemView, Known, Link, MessageView, print};
use crate::incidents::Incidents;
use crate::model::{
    Change, Doing, Incident, IncidentState, KnownBy, Labels, Manner, Message, MessageKind,
    MessageState, NoticeReason, Outcome, Subject, Time,
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
    manner: Manner,
    incidents: &Incidents,
    changes: &mut Vec<Change>,
) {
    let Some(receiver) = pipeline.receiver_of(&plan.id) else { return };
    let shadow = receiver.shadow;
    let id = pipeline.next_message;
    pipeline.next_message += 1;
    let mut items = items(pipeline, time, plan, ids, &shown_by(pipeline, &manner), incidents);
    if let Some(interval) = plan.resend {
        items = pipeline.standing.name(time, (&plan.id, interval), items, changes);
    }
    let print = print_of(plan, &manner, &items);
    let head = Head { id, kind, group, is_reply: matches!(manner, Manner::Reply { .. }) };
    let Some((view, written)) = write(pipeline, time, plan, &head, items) else { return };
    // Notices in the order of what is written about them: the named ones first.
    let places: BTreeMap<u64, usize> =
        view.items.iter().enumerate().map(|(place, item)| (item.incident.id, place)).collect();
    let place = |notice: &u64| {
        let notice = pipeline.notices.get(notice);
        notice.and_then(|n| places.get(&n.incident)).copied().unwrap_or(usize::MAX)
    };
    let mut ordered = ids.to_vec();
    ordered.sort_by_cached_key(|id| (place(id), *id));
    let named = ordered.iter().filter(|id| place(id) < written.named).count();
    let message = Message {
        id,
        to: plan.id.clone(),
        endpoint: if manner.is_edit() { plan.edit_endpoint() } else { plan.endpoint.clone() },
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
        manner,
        receipt: None,
        print,
        error: None,
    };
    let about: BTreeSet<u64> =
        ids.iter().filter_map(|id| pipeline.notices.get(id)).map(|n| n.incident).collect();
    changes.push(Change::Message(Box::new(message.clone())));
    if shadow {
        // Nobody will say that it was taken.
        pipeline.note_taken(time, &message, changes);
    }
    for notice_id in ids {
        let Some(notice) = pipeline.notices.get_mut(notice_id) else { continue };
        notice.message = Some(id);
        notice.held_by = None;
        let notice = notice.clone();
        let every = pipeline.settings.route.of_group(&notice.group).repeat_interval;
        let fold = is_fold(kind).then_some(id);
        pipeline.ledger.tell(&notice, time.steady, every, fold, shadow);
        let known = pipeline.ledger.get(notice.incident, &plan.id).map(|told| told.fold);
        let known = known.filter(|known| *known != fold);
        let notice = {
            let Some(kept) = pipeline.notices.get_mut(notice_id) else { continue };
            kept.known = known.map(|fold| fold.map_or(KnownBy::Itself, KnownBy::Message));
            kept.clone()
        };
        pipeline.escalations.told(&notice, time.steady);
        // The first report says nothing of a group: its next news need not wait for it. Nor does it
        // say anything of one who has what is in it.
        if notice.reason != NoticeReason::FirstLook && !notice.reason.is_mark() {
            let key = (plan.id.clone(), notice.group.clone());
            let state = pipeline.groups.entry(key).or_default();
            state.spoke(time.steady, &notice);
            state.next_flush = None;
        }
        if shadow {
            pipeline.finish(*notice_id, Outcome::Shadow, time, changes);
        } else {
            changes.push(Change::Notice(Box::new(notice)));
        }
    }
    end_settled_groups(pipeline, plan, ids, incidents);
    if plan.marks {
        for incident in about.iter().filter_map(|id| incidents.get(*id)) {
            pipeline.mark(time, incident, &plan.id, incidents, changes);
        }
    }
    if !shadow {
        pipeline.messages.insert(id, message);
    }
}

/// Messages of these kinds are about what happened to come together.
pub(super) fn is_fold(kind: MessageKind) -> bool {
    matches!(kind, MessageKind::Storm | MessageKind::Digest | MessageKind::FirstLook)
}

/// An edit without news.
pub(super) fn live(
    pipeline: &Pipeline,
    time: Time,
    plan: &ChannelPlan,
    root: u64,
    id: u64,
    incidents: &Incidents,
) -> Option<Message> {
    let card = pipeline.cards.get(root)?;
    let manner = Manner::Edit { of: root, receipt: card.receipt.clone() };
    let items = items(pipeline, time, plan, &[], &card.incidents, incidents);
    let print = print_of(plan, &manner, &items);
    let head = Head { id, kind: card.kind, group: &card.group, is_reply: false };
    let (_, written) = write(pipeline, time, plan, &head, items)?;
    Some(Message {
        id,
        to: plan.id.clone(),
        endpoint: plan.edit_endpoint(),
        channel_kind: plan.kind.clone(),
        kind: card.kind,
        group: card.group.clone(),
        notices: Vec::new(),
        named: 0,
        urgent: false,
        frozen: written.frozen,
        state: MessageState::Due,
        at: time.wall,
        at_steady: time.steady,
        attempts: card.tries,
        next_attempt: None,
        done_at: None,
        error: None,
        manner,
        receipt: None,
        print,
    })
}

/// What a message is, besides what it says.
struct Head<'a> {
    id: u64,
    kind: MessageKind,
    group: &'a str,
    is_reply: bool,
}

fn write(
    pipeline: &Pipeline,
    time: Time,
    plan: &ChannelPlan,
    head: &Head<'_>,
    mut items: Vec<ItemView>,
) -> Option<(MessageView, Composed)> {
    let receiver = pipeline.receiver_of(&plan.id)?;
    for item in items.iter_mut().filter(|_| !receiver.shadow && plan.resend.is_none()) {
        let link = |about| link(pipeline, time, plan, head.id, about);
        let incident = &item.incident;
        if incident.state == IncidentState::Open {
            item.link = link(About::Incident(incident.id));
        }
        if let Some(Doing::Approval { restart, .. }) = incident.doing.as_ref()
            && incident.is_open()
        {
            item.approve_link = link(About::Restart(*restart));
        }
    }
    let view = MessageView {
        id: head.id,
        installation: pipeline.installation.clone(),
        key: format!("{}-{}", pipeline.installation, head.id),
        kind: head.kind,
        receiver: plan.id.receiver.clone(),
        group_key: head.group.to_owned(),
        group_labels: group_labels(pipeline, head.group, items.first().map(|i| &i.incident)),
        language: receiver.language,
        zone: receiver.zone.clone(),
        now: time.wall,
        external_url: pipeline.settings.external_url.clone(),
        items,
        jobs_watched: pipeline.jobs_watched,
        is_reply: head.is_reply,
        summary: None,
    };
    let written = pipeline.composers.get(&plan.id)?.compose(&view);
    Some((view, written))
}

/// Where whoever reads the message can do something about it.
fn link(
    pipeline: &Pipeline,
    time: Time,
    plan: &ChannelPlan,
    message: u64,
    about: About,
) -> Option<String> {
    let key = pipeline.settings.links.as_ref()?;
    let base = pipeline.settings.external_url.as_deref()?;
    let receiver = plan.id.receiver.clone();
    let link = Link { about, message, written: time.wall, receiver };
    Some(format!("{base}/l/{}", key.token(&link)))
}

/// Incidents a message shows whether there is news of them or not.
fn shown_by(pipeline: &Pipeline, manner: &Manner) -> Vec<u64> {
    let edited = manner.of().filter(|_| manner.is_edit());
    edited.and_then(|of| pipeline.cards.get(of)).map_or(Vec::new(), |c| c.incidents.clone())
}

fn print_of(plan: &ChannelPlan, manner: &Manner, items: &[ItemView]) -> u64 {
    if plan.edits.is_none() || matches!(manner, Manner::Reply { .. }) {
        return 0;
    }
    let mut incidents: Vec<&Incident> = items.iter().map(|i| &i.incident).collect();
    incidents.sort_by_key(|i| i.id);
    print::of(incidents)
}

/// A group nobody in it is told open of any more is over: the next opening is a new group's.
fn end_settled_groups(
    pipeline: &mut Pipeline,
    plan: &ChannelPlan,
    ids: &[u64],
    incidents: &Incidents,
) {
    let groups: BTreeSet<String> =
        ids.iter().filter_map(|id| pipeline.notices.get(id)).map(|n| n.group.clone()).collect();
    // One walk for all groups: thousands may be told in one message.
    let open = pipeline.ledger.open().filter(|(_, to, _)| **to == plan.id);
    let open = open.filter_map(|(id, ..)| incidents.get(id)).filter(|i| i.is_open());
    let alive: BTreeSet<String> = open
        .flat_map(|i| {
            let routes = pipeline.settings.route.matching(&i.routing_labels());
            routes.into_iter().map(|route| route.group_key(&i.labels))
        })
        .collect();
    for group in groups.difference(&alive) {
        pipeline.groups.remove(&(plan.id.clone(), group.clone()));
    }
}

fn items(
    pipeline: &Pipeline,
    now: Time,
    plan: &ChannelPlan,
    ids: &[u64],
    shown: &[u64],
    incidents: &Incidents,
) -> Vec<ItemView> {
    let mut reasons: BTreeMap<u64, Vec<NoticeReason>> =
        shown.iter().map(|id| (*id, Vec::new())).collect();
    let mut unacknowledged = BTreeMap::new();
    for id in ids {
        if let Some(notice) = pipeline.notices.get(id) {
            reasons.entry(notice.incident).or_default().push(notice.reason);
            if let Some(ms) = notice.unacknowledged_ms {
                let since = now.steady.since(notice.at_steady);
                unacknowledged.insert(notice.incident, Duration::from_millis(ms) + since);
            }
        }
    }
    let mut mutes = incidents.mutes();
    let said = pipeline.receiver_of(&plan.id).map(|r| (r.language, r.zone.clone()));
    // What is neither over with this message nor has an end that could not be told.
    let others = pipeline.notices.values().filter(|n| n.to == plan.id && n.message.is_none());
    let waiting: BTreeSet<u64> = others.map(|n| n.incident).collect();
    let last = |id: u64| match reasons.get(&id) {
        Some(reasons) => foremost(reasons) != NoticeReason::Resolved,
        None => incidents.get(id).is_some_and(Incident::is_open) || waiting.contains(&id),
    };
    let open = pipeline.ledger.open_by_fold(&plan.id, &last);
    let mut items: Vec<ItemView> = reasons
        .iter()
        .filter_map(|(&id, reasons)| {
            let incident = incidents.get(id)?.clone();
            let told = pipeline.ledger.get(id, &plan.id);
            let known = match told.filter(|t| t.open).map(|t| t.fold) {
                None => Known::New,
                Some(None) => Known::Alone,
                Some(Some(message)) => {
                    Known::Together { message, open: open.get(&message).copied().unwrap_or(0) }
                }
            };
            let news = u32::from(!reasons.is_empty());
            Some(ItemView {
                known,
                reason: if reasons.is_empty() { standing(&incident) } else { foremost(reasons) },
                name: name_of(&incident),
                sequence: told.map_or(0, |t| t.sequence) + news,
                action: said.as_ref().and_then(|(language, zone)| {
                    let doing = incident.doing.as_ref()?;
                    Some(super::render::doing(doing, *language, now.wall, zone))
                }),
                link: None,
                approve_link: None,
                unacknowledged: unacknowledged.get(&id).copied(),
                affected: affected(&incident, &mutes.remove(&id).unwrap_or_default(), incidents),
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

/// What there is to say of an incident without news.
fn standing(incident: &Incident) -> NoticeReason {
    match (incident.is_open(), incident.flapping) {
        (false, _) => NoticeReason::Resolved,
        (true, true) => NoticeReason::Flapping,
        (true, false) => NoticeReason::Opened,
    }
}

/// Of several pieces of news about one incident, the one that says it all.
fn foremost(reasons: &[NoticeReason]) -> NoticeReason {
    let last = reasons.last().copied().unwrap_or(NoticeReason::Opened);
    if last == NoticeReason::Resolved {
        return last;
    }
    let opening = |r: &&NoticeReason| {
        matches!(
            r,
            NoticeReason::Opened
                | NoticeReason::FirstLook
                | NoticeReason::Reopened
                | NoticeReason::Escalated
        )
    };
    reasons.iter().find(opening).copied().unwrap_or(last)
}

/// What they are called; more of the subject itself is no news.
fn affected(by: &Incident, muted: &[u64], incidents: &Incidents) -> Affected {
    let mut found = Affected::default();
    let mut seen = BTreeSet::from([&by.subject]);
    for incident in muted.iter().filter_map(|id| incidents.get(*id)) {
        if seen.insert(&incident.subject) {
            found.mixed |= incident.subject.job().is_none();
            found.names.push(name_of(incident));
        }
    }
    found
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
        Subject::External(_) => incident.external_name(),
    }
}

fn group_labels(pipeline: &Pipeline, group: &str, first: Option<&Incident>) -> Labels {
    let id = group.split(':').next().unwrap_or_default();
    match (pipeline.settings.route.find(id), first) {
        (Some(route), Some(incident)) => route.group_labels(&incident.labels),
        _ => Labels::default(),
    }
}
