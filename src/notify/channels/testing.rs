//! What tests of several channels share: hostile input and built channels.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::{Channel, ChannelConfig, Handles, Parts, People};
use crate::model::{
    ChannelId, Frozen, IncidentState, Manner, Message, MessageKind, MessageState, Subject, Ts,
};
use crate::notify::render::{Templates, probe};
use crate::notify::{ItemView, Language, MessageView};

/// What strangers' programs may be called, and may throw.
pub(crate) const HOSTILE: &str = "a\"'`\r\nBcc: all@example.com\n\n</script><script>x()</script> \
     {{title}} {{{body}}} <at id=all></at> **b** _i_ ~~s~~ [l](javascript:x) \\ \u{202E}rtl\u{2069} \
     👩‍👧 告 \u{0}\u{7}\u{1b}[31m %s $(x) &amp; ]]> --> #";

/// `HOSTILE` in every field, and 100 KB of it where a program can write that much.
pub(crate) fn hostile(id: u64) -> ItemView {
    let mut item = if id.is_multiple_of(2) {
        probe::failing(id, HOSTILE)
    } else {
        probe::recovered(id, HOSTILE)
    };
    let long = HOSTILE.repeat(100 * 1024 / HOSTILE.len() + 1);
    let incident = &mut item.incident;
    incident.subject_state = HOSTILE.to_owned();
    incident.rule = HOSTILE.to_owned();
    incident.ui_url = Some(format!("https://x/{HOSTILE}"));
    incident.restored_from = Some(long.clone());
    if let Some(cause) = &mut incident.root_cause {
        cause.class = HOSTILE.to_owned();
        cause.message = long.clone();
        cause.frame = Some(long.clone());
        cause.task = Some(HOSTILE.to_owned());
        cause.taskmanager = Some(HOSTILE.to_owned());
    }
    if let Some(checkpoint) = &mut incident.checkpoint {
        checkpoint.path = long.clone();
    }
    for name in ["owner", "team", "cluster", "namespace"] {
        incident.labels.set(name, HOSTILE);
    }
    for member in &mut incident.members {
        for text in member.annotations.values_mut() {
            long.clone_into(text);
        }
    }
    if id.is_multiple_of(3) {
        incident.subject = Subject::Source(HOSTILE.to_owned());
    }
    if incident.state == IncidentState::Open {
        item.action = Some(HOSTILE.to_owned());
    }
    item
}

/// Messages of hostile items, of every kind, in both languages.
pub(crate) fn hostile_views() -> Vec<MessageView> {
    let mut views = Vec::new();
    for language in [Language::En, Language::Zh] {
        for kind in [
            MessageKind::Incident,
            MessageKind::Group,
            MessageKind::Digest,
            MessageKind::Storm,
            MessageKind::FirstLook,
            MessageKind::Test,
        ] {
            let counts: &[u64] = match kind {
                MessageKind::Incident => &[1],
                MessageKind::Test => &[0],
                _ => &[1, 7, 60],
            };
            for count in counts {
                let mut view = probe::view(
                    kind,
                    language,
                    (0..*count).map(|id| hostile(id + *count)).collect(),
                );
                view.receiver = HOSTILE.to_owned();
                view.group_labels.set("cluster", HOSTILE);
                view.external_url = Some(format!("https://weir/{HOSTILE}"));
                views.push(view);
            }
        }
        let mut week = probe::week(language);
        week.receiver = HOSTILE.to_owned();
        for job in week.summary.iter_mut().flat_map(|s| &mut s.jobs) {
            job.name = HOSTILE.repeat(1_000);
        }
        views.push(week);
    }
    views
}

/// The messages people see most, for snapshots.
pub(crate) fn good(language: Language) -> Vec<(&'static str, MessageView)> {
    let name = "ro-cn-sync";
    let three = || {
        vec![
            probe::failing(128, name),
            probe::failing(129, "ads-sea-join"),
            probe::recovered(127, "dim-users"),
        ]
    };
    let two = || three().into_iter().take(2).collect();
    let mut given_up = probe::failing(128, name);
    given_up.reason = crate::model::NoticeReason::Worse;
    given_up.incident.given_up = true;
    let mut dead = given_up.incident.members[0].clone();
    dead.rule.alert = "JobFailed".to_owned();
    for (key, text) in [("headline", "failed for good"), ("headline_zh", "彻底失败")] {
        dead.annotations.insert(key.to_owned(), text.to_owned());
    }
    given_up.incident.members.push(dead);
    given_up.action = Some(match language {
        Language::En => "restart from chk-42 at 03:34, attempt 1 of 3".to_owned(),
        Language::Zh => "03:34 从 chk-42 自动重启，第 1/3 次".to_owned(),
    });
    let storm = (0..60).map(|n| probe::failing(200 + n, &format!("job-{n:02}"))).collect();
    let one = |item| probe::view(MessageKind::Incident, language, vec![item]);
    let mut waits = probe::failing(128, name);
    waits.action = Some(match language {
        Language::En => "restart 7 from chk-42 waits for approval".to_owned(),
        Language::Zh => "重启 7（从 chk-42）等待批准".to_owned(),
    });
    waits.approve_link = Some("https://weir.example.com/l/r7-1-0-c0de".to_owned());
    vec![
        ("card", one(probe::failing(128, name))),
        ("worse", one(given_up)),
        ("recovery", one(probe::recovered(128, name))),
        ("group", probe::view(MessageKind::Group, language, three())),
        ("digest", probe::view(MessageKind::Digest, language, three())),
        ("storm", probe::view(MessageKind::Storm, language, storm)),
        ("first_look", probe::view(MessageKind::FirstLook, language, two())),
        ("test", probe::view(MessageKind::Test, language, Vec::new())),
        ("summary", probe::week(language)),
        ("quiet", probe::quiet_week(language)),
        ("approval", one(waits)),
    ]
}

/// What a console channel wrote.
pub(crate) type Written = Arc<Mutex<Vec<String>>>;

/// Shipped templates, and a sink that remembers.
pub(crate) fn parts() -> (Parts, Written) {
    let lines = Written::default();
    let written = Arc::clone(&lines);
    let templates = Arc::new(Templates::shipped());
    let sink: super::Sink = Arc::new(move |text| written.lock().unwrap().push(text.to_owned()));
    (Parts { templates, sink, people: people() }, lines)
}

/// The owner of the sample jobs.
fn people() -> People {
    let id = |text: &str| Some(text.to_owned());
    let handles = Handles {
        feishu: id("ou_duyao"),
        slack: id("UDUYAO"),
        dingtalk: id("13900002222"),
        wecom: id("du.yao"),
        email: id("duyao@example.com"),
    };
    People::new([("duyao".to_owned(), handles)])
}

/// A channel as the configuration builds it, and what its console writes.
pub(crate) fn build(config: serde_json::Value) -> (Box<dyn Channel>, Written) {
    let config: ChannelConfig = serde_json::from_value(config).unwrap();
    let (parts, lines) = parts();
    (config.build(&parts).unwrap(), lines)
}

/// A server that answers everything alike, and what it got; the query as header `x-query`.
pub(crate) async fn serve(
    status: u16,
    answer: &'static str,
) -> (String, tokio::sync::mpsc::Receiver<(axum::http::HeaderMap, String)>) {
    let (tx, rx) = tokio::sync::mpsc::channel(4);
    let app = axum::Router::new().fallback(
        move |uri: axum::http::Uri, mut headers: axum::http::HeaderMap, body: String| {
            let tx = tx.clone();
            let query = uri.query().unwrap_or_default().parse().unwrap();
            headers.insert("x-query", query);
            async move {
                tx.send((headers, body)).await.unwrap();
                (axum::http::StatusCode::from_u16(status).unwrap(), [("retry-after", "9")], answer)
            }
        },
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hush", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (url, rx)
}

/// A message around frozen bytes.
pub(crate) fn message(frozen: Frozen) -> Message {
    Message {
        id: 7,
        to: ChannelId { receiver: "platform".to_owned(), channel: "c".to_owned() },
        endpoint: String::new(),
        channel_kind: String::new(),
        kind: MessageKind::Incident,
        group: String::new(),
        notices: vec![1],
        named: 1,
        urgent: true,
        frozen,
        state: MessageState::Due,
        at: probe::NOW,
        at_steady: probe::NOW,
        attempts: 1,
        next_attempt: None,
        done_at: None,
        manner: Manner::Fresh,
        receipt: None,
        print: 0,
        error: None,
    }
}

/// What `check` says of a channel with this `budget` besides its other settings.
pub(crate) fn budget_said(
    kind: &str,
    settings: &serde_json::Value,
    messages: u32,
    per: &str,
) -> String {
    let mut settings = settings.clone();
    settings["budget"] = serde_json::json!({"messages": messages, "per": per});
    let config = serde_json::from_value::<ChannelConfig>(serde_json::json!({ kind: settings }));
    let config = config.unwrap();
    let said = config.check().err().map(|e| e.0).unwrap_or_default();
    // Whoever sends by it is told the same.
    assert_eq!(said.is_empty(), config.composer(&parts().0).is_ok(), "{said}");
    said
}

/// Any few items of strangers' jobs, repeated up to five hundred times: as many different ones are
/// slow to make and find no more.
pub(crate) fn any_items() -> impl Strategy<Value = Vec<ItemView>> {
    let name = prop_oneof![
        "[a-z]{1,12}(-[a-z0-9]{1,8}){0,3}",
        "\\PC{0,200}",
        "[告警作业，：]{0,60}",
        Just(HOSTILE.to_owned()),
        "[*_<>&`\"\\\\|@\\[\\]()#!~-]{0,300}",
    ];
    let item = (name.clone(), name, any::<bool>(), 0_usize..3_000).prop_map(
        |(name, message, open, times)| {
            let mut item = if open { probe::failing(0, &name) } else { probe::recovered(0, &name) };
            if let Some(cause) = &mut item.incident.root_cause {
                cause.message = message.repeat(times / message.len().max(1));
            }
            item
        },
    );
    (prop::collection::vec(item, 1..12), 1_usize..500).prop_map(|(shapes, count)| {
        let numbered = |n: usize| {
            let mut item = shapes[n % shapes.len()].clone();
            item.incident.id = 1_000_000 + n as u64;
            item
        };
        (0..count).map(numbered).collect()
    })
}

/// In markdown that knows no escape nothing of a stranger's formats, mentions or links: what is
/// left of it without our own marks holds none of the characters that do.
pub(crate) fn assert_bare(text: &str, mentions: &str) {
    // Also the owner of the samples.
    let rest = text.replace(mentions, "").replace("@13900002222", "").replace("<@du.yao>", "");
    let mut rest = rest.replace("</font>", "");
    for colour in ["info", "comment", "warning"] {
        rest = rest.replace(&format!("<font color=\"{colour}\">"), "");
    }
    for label in [
        "Flink UI",
        "Weir",
        "Open in Weir",
        "Acknowledge",
        "Approve restart",
        "批准重启",
        "Flink 界面",
        "Weir 详情",
        "在 Weir 中查看",
        "认领",
    ] {
        let link = format!("[{label}](https://");
        while let Some((before, after)) = rest.clone().split_once(&link) {
            let (url, after) = after.split_once(')').unwrap();
            assert!(!url.contains(|c: char| c.is_whitespace() || "<>[]()\"".contains(c)), "{url}");
            rest = format!("{before}{after}");
        }
    }
    let rest = rest.replace("**", "");
    let bad = rest.chars().find(|c| "*`~[]<>&\\|@".contains(*c));
    assert!(bad.is_none(), "{bad:?} in {text}");
    for line in rest.lines() {
        let line = line.trim_start().trim_start_matches("### ");
        assert!(!line.starts_with(['#', '-', '+', '=']), "{line}");
    }
}

/// Header lines must stay single lines and every message must carry the word bots demand.
pub(crate) fn assert_title(title: &str) {
    assert!(!title.chars().any(char::is_control), "{title:?}");
    assert!(!title.contains('\u{202E}'), "{title:?}");
    assert!(title.chars().count() <= 400, "{title:?}");
}

/// The time sends are made at.
pub(crate) fn now() -> crate::model::Time {
    crate::model::Time { steady: Ts(1), wall: Ts(1_599_360_473_000) }
}
