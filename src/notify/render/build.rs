//! From a view to what templates see.

use std::collections::BTreeMap;

use super::data::{ItemData, MessageData};
use super::escape::{cut, plain, short, url};
use super::words::{self, pick};
use super::{headline, summary, title, when};
use crate::model::{Incident, MessageKind, Subject};
use crate::notify::{Affected, HELD_DIGEST, ItemView, Language, MessageView};

/// Affected jobs named at most.
const AFFECTED: usize = 5;

/// How much is said; channels with a size limit say less until it fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detail {
    /// Items that are named; the rest is counted.
    pub named: usize,
    /// Characters of a long text: root cause, path, advice.
    pub text: usize,
    /// Characters of a title.
    pub title: usize,
    /// Links are given.
    pub links: bool,
}

impl Detail {
    /// Everything, within reason.
    pub const FULL: Detail = Detail { named: 100, text: 600, title: 400, links: true };
}

/// What templates see of a message.
pub fn message_data(view: &MessageView, detail: Detail) -> MessageData {
    let language = view.language;
    let count = view.items.len();
    let named = count.min(detail.named);
    let mut items: Vec<ItemData> =
        view.items.iter().take(named).map(|item| item_data(item, view, detail)).collect();
    let common_cause = common_cause(view, detail, &mut items);
    let more = count - named;
    let now = when::clock(view.now, view.now, &view.zone);
    let receiver = short(&view.receiver, 80);
    MessageData {
        kind: kind(view.kind),
        language: words::code(language),
        title: title::message(view, detail.title),
        intro: intro(view),
        single: single(view),
        common_cause,
        items,
        count,
        more,
        more_line: (more > 0).then(|| match (language, named) {
            (Language::En, 0) => format!("{more} in all"),
            (Language::En, _) => format!("…and {more} more"),
            (Language::Zh, 0) => format!("共 {more} 条"),
            (Language::Zh, _) => format!("……另有 {more} 条"),
        }),
        severity: title::worst(view).map(crate::model::Severity::as_str),
        all_over: count > 0 && title::worst(view).is_none(),
        page_url: detail.links.then(|| page_url(view, "#/incidents")).flatten(),
        summary: view.summary.as_ref().map(|s| summary::data(view, s)),
        footer: format!("Weir {} · {now} · {receiver}", words::keyword(language)),
        now,
        receiver,
    }
}

/// One incident, told in full. A digest, a storm or a first report of one is still a list.
fn single(view: &MessageView) -> bool {
    view.items.len() == 1 && matches!(view.kind, MessageKind::Incident | MessageKind::Group)
}

/// What most of them have in common is said once, above the list, instead of on every line.
fn common_cause(view: &MessageView, detail: Detail, items: &mut [ItemData]) -> Option<String> {
    let mut counts = BTreeMap::<String, usize>::new();
    for item in view.items.iter().filter(|i| i.incident.is_open()) {
        if let Some(cause) = &item.incident.root_cause {
            *counts.entry(short(&cause_line(cause), detail.text)).or_default() += 1;
        }
    }
    let (cause, count) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    let all = view.items.len();
    if count < 3 || count * 2 < all {
        return None;
    }
    for item in items.iter_mut().filter(|i| i.root_cause.as_ref() == Some(&cause)) {
        item.root_cause = None;
    }
    Some(pick(
        view.language,
        format!("{count} of {all}: {cause}"),
        format!("{all} 条中的 {count} 条：{cause}"),
    ))
}

fn kind(kind: MessageKind) -> &'static str {
    match kind {
        MessageKind::Incident => "incident",
        MessageKind::Group => "group",
        MessageKind::Digest => "digest",
        MessageKind::Storm => "storm",
        MessageKind::FirstLook => "first_look",
        MessageKind::Summary => "summary",
        MessageKind::Test => "test",
    }
}

fn page_url(view: &MessageView, path: &str) -> Option<String> {
    url(&format!("{}/{path}", view.external_url.as_deref()?.trim_end_matches('/')))
}

fn intro(view: &MessageView) -> Option<String> {
    let language = view.language;
    let text = match view.kind {
        MessageKind::Incident | MessageKind::Group => return None,
        // All over: there is nothing to look for any more.
        MessageKind::Storm if view.items.iter().all(|i| !i.incident.is_open()) => return None,
        MessageKind::Digest if view.group_key == HELD_DIGEST => pick(
            language,
            "Kept for this hour, as the route says. What ended before is not in it.",
            "按路由设置保留到此时统一发送，其间已结束的告警不再列出。",
        )
        .to_owned(),
        MessageKind::Digest => pick(
            language,
            "The sending limit held these back; nothing was dropped.",
            "以下消息因发送上限被合并，没有丢弃。",
        )
        .to_owned(),
        MessageKind::Storm => pick(
            language,
            "Many incidents at once. Look for what they have in common first.",
            "短时间内大量告警，请先排查共同原因。",
        )
        .to_owned(),
        MessageKind::FirstLook => pick(
            language,
            "This was wrong before Weir looked for the first time.",
            "以下问题在 Weir 首次巡检之前就已存在。",
        )
        .to_owned(),
        MessageKind::Summary => return view.summary.as_ref().map(|s| summary::sentence(view, s)),
        MessageKind::Test => pick(
            language,
            "If you can read this, alerts reach you. Nothing is wrong.",
            "收到此消息说明告警可以送达，没有任何问题。",
        )
        .to_owned(),
    };
    Some(text)
}

fn item_data(item: &ItemView, view: &MessageView, detail: Detail) -> ItemData {
    let (language, incident) = (view.language, &item.incident);
    let long = |text: &str| short(text, detail.text);
    let label = |name: &str| Some(incident.labels.get(name)).filter(|v| !v.is_empty()).map(long);
    let open = incident.is_open();
    let cause = incident.root_cause.as_ref();
    let field = |text: Option<&String>| text.map(|t| long(t)).filter(|t| !t.is_empty());
    let ended = incident.resolved_at.unwrap_or(view.now);
    ItemData {
        id: incident.id,
        number: format!("#{}", incident.id),
        reason: item.reason.as_str(),
        reason_text: open.then(|| title::why(item, language)).flatten(),
        over: !open,
        recovered: !open && title::end_reason(incident) == crate::model::EndReason::Recovered,
        severity: incident.severity.as_str(),
        tag: title::tag(incident, language).to_owned(),
        title: title::item(item, view, detail.title),
        name: short(&item.name, detail.title),
        subject: match incident.subject {
            Subject::Job(_) => "job",
            Subject::Cluster(..) => "cluster",
            Subject::Source(_) => "source",
            Subject::Channel(_) => "channel",
            Subject::External(_) => "external",
        },
        outside: incident.is_external(),
        job: incident.job().map(|key| long(&key.0)),
        cluster: label("cluster"),
        namespace: label("namespace"),
        headline: title::headline_text(incident, language),
        affected: affected(item, language).filter(|_| open).map(|text| long(&text)),
        first_step: headline::first_step(incident, language)
            .filter(|_| open)
            .map(|text| cut(plain(&cut(&text, detail.text)).trim(), detail.text)),
        rule: long(&incident.rule),
        aspect: long(incident.aspect.as_str()),
        state: long(&incident.subject_state),
        given_up: incident.given_up && open,
        // In a list only what still needs somebody is explained.
        root_cause: cause
            .filter(|_| open || single(view))
            .map(|c| long(&cause_line(c)))
            .filter(|t| !t.is_empty()),
        frame: cause.and_then(|c| field(c.frame.as_ref())),
        task: cause.and_then(|c| field(c.task.as_ref())),
        taskmanager: cause.and_then(|c| field(c.taskmanager.as_ref())),
        since: when::since(language, incident.opened_at, view.now, &view.zone),
        duration: when::duration(language, ended.since(incident.opened_at)),
        occurrences: incident.occurrences,
        occurrences_text: title::failures(incident).map(|count| {
            let count = words::times(language, count);
            pick(language, format!("failed {count}"), format!("已失败 {count}"))
        }),
        checkpoint: incident.subject.job().map(|_| checkpoint(incident, view)),
        checkpoint_path: incident.checkpoint.as_ref().map(|c| long(&c.path)),
        restorable: incident.checkpoint.is_some(),
        acknowledged: acknowledged(incident, view).filter(|_| open),
        action: match (&item.action, &incident.doing) {
            (Some(text), _) if open => Some(long(text)),
            (None, _) if open => Some(words::no_action(language).to_owned()),
            // It is over because Weir did something about it.
            (Some(text), Some(doing)) if doing.was_sent() => Some(long(text)),
            _ => None,
        },
        owner: label("owner"),
        team: label("team"),
        end_text: (!open).then(|| title::end_text(incident, language).to_owned()),
        restored_from: incident.restored_from.as_ref().filter(|_| !open).map(|p| long(p)),
        ui_url: incident.ui_url.as_deref().filter(|_| detail.links).and_then(url),
        ack_url: item.link.as_deref().filter(|_| detail.links && open).and_then(url),
        approve_url: item.approve_link.as_deref().filter(|_| detail.links && open).and_then(url),
        page_url: detail
            .links
            .then(|| page_url(view, &format!("#/incidents/{}", incident.id)))
            .flatten(),
    }
}

/// `ann, 11-21 03:20 +08:00`.
fn acknowledged(incident: &Incident, view: &MessageView) -> Option<String> {
    let taken = incident.acknowledged.as_ref()?;
    let comma = pick(view.language, ", ", "，");
    let at = when::clock(taken.at, view.now, &view.zone);
    Some(format!("{}{comma}{at}", short(&taken.by, 80)))
}

/// `12 jobs (a, b, c …)`.
fn affected(item: &ItemView, language: Language) -> Option<String> {
    let Affected { names, mixed } = &item.affected;
    let count = names.len();
    if count == 0 {
        return None;
    }
    let shown: Vec<String> = names.iter().take(AFFECTED).map(|name| short(name, 40)).collect();
    let what = match (language, mixed) {
        (Language::En, false) if count == 1 => "1 job".to_owned(),
        (Language::En, false) => format!("{count} jobs"),
        (Language::En, true) => format!("{count} others"),
        (Language::Zh, false) => format!("{count} 个作业"),
        (Language::Zh, true) => format!("{count} 项"),
    };
    let more = count > shown.len();
    Some(match language {
        Language::En => format!("{what} ({}{})", shown.join(", "), if more { " …" } else { "" }),
        Language::Zh => format!("{what}（{}{}）", shown.join("、"), if more { " 等" } else { "" }),
    })
}

/// Class and message; the frame is said on its own line.
fn cause_line(cause: &crate::model::RootCause) -> String {
    crate::model::RootCause { frame: None, ..cause.clone() }.line()
}

/// `chk-42, restorable · 11-21 03:10 +08:00, 20 min ago`.
fn checkpoint(incident: &Incident, view: &MessageView) -> String {
    let language = view.language;
    let Some(last) = &incident.checkpoint else {
        return pick(
            language,
            "none known; it would start without state",
            "没有已知的可恢复 checkpoint，重启将丢失状态",
        )
        .to_owned();
    };
    let name = match (last.savepoint, last.id) {
        (true, _) => "savepoint".to_owned(),
        (false, Some(id)) => format!("chk-{id}"),
        (false, None) => "checkpoint".to_owned(),
    };
    let since = when::since(language, last.completed_at, view.now, &view.zone);
    pick(language, format!("{name}, restorable · {since}"), format!("{name}，可恢复 · {since}"))
}

/// Sample data that takes every branch of a template: to try a user's own templates on.
pub(super) fn probes() -> Vec<MessageData> {
    super::probe::views().iter().map(|view| message_data(view, Detail::FULL)).collect()
}
