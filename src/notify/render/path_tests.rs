use super::*;
use crate::model::{ChannelId, Step};
use crate::notify::render::probe;
use crate::store::contract::samples;

const T: i64 = 1_000_000;

fn told(outcome: Outcome) -> (Notice, Incident, Message) {
    let mut incident = probe::failing(12, "orders").incident;
    incident.members[0].since = Ts(T - 4_000);
    let notice = Notice {
        to: ChannelId { receiver: "ro".to_owned(), channel: "bot".to_owned() },
        outcome,
        held_by: None,
        message: Some(88),
        done_at: Some(Ts(T + 31_000)),
        attempts: 1,
        error: None,
        steps: Vec::new(),
        ..samples::notice(31, 12, outcome, Ts(T))
    };
    let message = Message {
        notices: vec![30, 31],
        named: 2,
        error: None,
        ..samples::message(88, MessageState::Sent, Ts(T + 30_000))
    };
    (notice, incident, message)
}

fn said(language: Language, notice: &Notice, about: Option<(&Incident, &Message)>) -> String {
    let way = path(language, &TimeZone::UTC, notice, about.map(|a| a.0), about.map(|a| a.1));
    let station = |s: &Station| match s.at {
        Some(at) => format!("{} {}", (at.0 - T) / 1000, s.what),
        None => s.what.clone(),
    };
    way.iter().map(station).collect::<Vec<_>>().join(" → ")
}

#[test]
fn what_was_sent_is_told_from_the_alert_to_the_answer() {
    let (notice, incident, message) = told(Outcome::Sent);
    assert_eq!(
        said(Language::En, &notice, Some((&incident, &message))),
        "-4 JobFailingRepeatedly fired → 0 opened incident #12 → grouped for 30 s → 30 in message \
         88 with 1 more → 31 accepted by ro/bot at the first try"
    );
    assert_eq!(
        said(Language::Zh, &notice, Some((&incident, &message))),
        "-4 JobFailingRepeatedly 触发 → 0 产生告警 #12 → 分组等待 30 秒 → 30 进入消息 88，同条另有 1 条 \
         → 31 ro/bot 已接受（第 1 次尝试）"
    );
}

#[test]
fn what_was_held_and_folded_says_so() {
    let (mut notice, incident, mut message) = told(Outcome::Folded);
    notice.steps = vec![Step { at: Ts(T + 9_000), by: Some("budget 80/60s".to_owned()) }];
    message.kind = MessageKind::Digest;
    message.named = 1;
    notice.attempts = 3;
    assert_eq!(
        said(Language::En, &notice, Some((&incident, &message))),
        "-4 JobFailingRepeatedly fired → 0 opened incident #12 → 9 held back: budget 80/60s → 30 in \
         digest 88 with 1 more, counted and not named → 31 accepted by ro/bot at try 3"
    );
    assert!(
        said(Language::Zh, &notice, Some((&incident, &message))).contains(
            "9 暂缓：已达发送上限 80/60s → 30 进入汇总消息 88，同条另有 1 条，只计数未列名"
        )
    );
}

#[test]
fn every_other_end_has_its_reason() {
    for (outcome, held, error, en, zh) in [
        (Outcome::Brief, None, None, "over before it was due: brief", "属短暂告警"),
        (
            Outcome::Muted,
            Some("silenced by #3 until 09:00"),
            None,
            "not told: silenced by #3 until 09:00",
            "未发送：静默 #3 生效中，至 09:00",
        ),
        (
            Outcome::Muted,
            Some("muted by time: night"),
            None,
            "not told: muted by time: night",
            "按时段静音：night",
        ),
        (Outcome::Muted, Some("inhibited by #7"), None, "inhibited by #7", "被抑制，根因是 #7"),
        (
            Outcome::Failed,
            Some("its channel left the configuration"),
            Some("its channel left the configuration"),
            "given up for ro/bot at the first try: its channel left the configuration",
            "已放弃（第 1 次尝试）：其渠道已从配置中移除",
        ),
        (
            Outcome::Failed,
            Some("sent by fallback backup/b"),
            Some("code 19021"),
            ": code 19021; sent by fallback backup/b",
            "：code 19021；已由备用渠道 backup/b 发送",
        ),
        (Outcome::Failed, None, Some("code 19021"), "given up for ro/bot at the", "已放弃"),
        (Outcome::Failed, None, Some("code 19021"), ": code 19021", "：code 19021"),
        (Outcome::Shadow, None, None, "its delivery is shadow", "投递模式为 shadow"),
        (Outcome::Pending, None, None, "waits for its group", "等待分组"),
        (Outcome::Pending, Some("storm"), None, "still held back", "仍在暂缓"),
    ] {
        let (mut notice, ..) = told(outcome);
        notice.message = None;
        notice.held_by = held.map(str::to_owned);
        notice.error = error.map(str::to_owned);
        for (language, part) in [(Language::En, en), (Language::Zh, zh)] {
            let way = said(language, &notice, None);
            assert!(way.contains(part), "{outcome:?}: {way}");
        }
    }
}

#[test]
fn a_send_that_fails_says_why_and_goes_on() {
    let (mut notice, incident, mut message) = told(Outcome::Pending);
    message.state = MessageState::Due;
    message.attempts = 2;
    message.error = Some("no answer within 10 s\nBcc: x".to_owned());
    notice.attempts = 0;
    let way = said(Language::En, &notice, Some((&incident, &message)));
    let end = "2 tries failed at ro/bot, will try again: no answer within 10 s Bcc: x";
    assert!(way.ends_with(end), "{way}");
    message.error = None;
    assert!(
        said(Language::Zh, &notice, Some((&incident, &message))).ends_with("正在发送给 ro/bot")
    );
    notice.message = Some(7);
    assert!(said(Language::En, &notice, None).contains("in message 7, which is no longer kept"));
}
