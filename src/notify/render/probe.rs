//! Sample messages. Templates are tried on them when they are loaded, and tests start from them.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::model::{
    Aspect, BySeverity, CheckpointRef, EndReason, Incident, IncidentState, JobKey, Labels, Member,
    MessageKind, Noisy, NoticeReason, RootCause, RuleId, RunId, Severity, Subject, Ts,
};
use crate::notify::{Affected, ItemView, Known, Language, MessageView, SummaryView};

/// 2026-11-21 03:30 in Shanghai.
pub(crate) const NOW: Ts = Ts(1_795_203_000_000);

fn minutes(count: u64) -> Duration {
    Duration::from_mins(count)
}

/// A job that keeps failing.
pub(crate) fn failing(id: u64, name: &str) -> ItemView {
    let annotations = [
        ("headline", "keeps failing · 4 in 30 min"),
        ("headline_zh", "反复失败 · 30 分钟 4 次"),
        ("summary", "keeps failing"),
        ("description", "Look at the root cause; a bad record fails again after every restart."),
        ("description_zh", "先看根因；坏数据会在每次重启后再次失败。"),
    ];
    let labels = Labels::from([
        ("alertname", "JobFailingRepeatedly"),
        ("severity", "critical"),
        ("source", "emr"),
        ("cluster", "emr"),
        ("job_name", name),
        ("owner", "duyao"),
        ("team", "ro"),
    ]);
    let rule = RuleId {
        group: "flink-jobs".to_owned(),
        alert: "JobFailingRepeatedly".to_owned(),
        severity: Severity::Critical,
    };
    let since = NOW - minutes(18);
    let run = RunId { start_time: NOW.0 - 7_200_000, job_id: "a".repeat(32) };
    let incident = Incident {
        id,
        subject: Subject::Job(JobKey::new("emr", "", "", name)),
        aspect: Aspect::from(Aspect::FAILURE),
        severity: Severity::Critical,
        state: IncidentState::Open,
        end_reason: None,
        opened_at: since,
        resolved_at: None,
        quiet_since: None,
        opened_steady: since,
        resolved_steady: None,
        occurrences: 4,
        occurrences_base: 0,
        given_up: false,
        peak_rank: 0,
        reopened: 0,
        flapping: false,
        first_look: false,
        members: vec![Member {
            rule,
            firing: true,
            since,
            until: None,
            annotations: annotations
                .into_iter()
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .collect::<BTreeMap<_, _>>(),
            labels: labels.clone(),
        }],
        rule: "JobFailingRepeatedly".to_owned(),
        labels,
        root_cause: Some(RootCause {
            class: "com.example.PoisonRecordException".to_owned(),
            message: "bad price \"-1\" in <order 42>".to_owned(),
            frame: Some("com.example.OrderParser.parse(OrderParser.java:42)".to_owned()),
            taskmanager: Some("tm-1:6122-a1b2".to_owned()),
            task: Some("Source: orders -> Parse (3/8)".to_owned()),
        }),
        checkpoint: Some(CheckpointRef {
            id: Some(42),
            path: "s3://flink/checkpoints/ro-cn-sync/chk-42".to_owned(),
            completed_at: NOW - minutes(20),
            savepoint: false,
            run,
        }),
        restored_from: None,
        run: None,
        subject_state: "RESTARTING".to_owned(),
        ui_url: Some("https://flink.example.com/#/job/aaaa/overview".to_owned()),
        inhibited_by: None,
        inhibited_until: None,
        acknowledged: None,
        named_job: None,
        nobodys_since: None,
        doing: None,
    };
    ItemView {
        reason: NoticeReason::Opened,
        incident,
        name: name.to_owned(),
        sequence: 1,
        action: None,
        affected: Affected::default(),
        unacknowledged: None,
        link: Some(format!("https://weir.example.com/l/{id}-1-0-c0de")),
        approve_link: None,
        known: Known::New,
    }
}

/// What Prometheus sent.
pub(crate) fn external(id: u64) -> ItemView {
    let mut item = failing(id, "api");
    let incident = &mut item.incident;
    incident.labels = Labels::from([
        ("alertname", "HighLatency"),
        ("severity", "warning"),
        ("instance", "api-7:9090"),
        ("team", "ro"),
    ]);
    incident.subject = Subject::External("d2a3ac8cbf2c5f1e".to_owned());
    incident.aspect = Aspect::from(Aspect::EXTERNAL);
    incident.severity = Severity::Warning;
    "HighLatency".clone_into(&mut incident.rule);
    let texts = [
        ("summary", "p99 is 1.3 s"),
        ("description", "The 99th percentile has been above 1 s for 10 min."),
    ];
    let rule = RuleId {
        group: "inbound".to_owned(),
        alert: incident.rule.clone(),
        severity: Severity::Warning,
    };
    incident.members = vec![Member {
        rule,
        firing: true,
        since: incident.opened_at,
        until: None,
        annotations: texts.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
        labels: incident.labels.clone(),
    }];
    incident.root_cause = None;
    incident.checkpoint = None;
    incident.subject_state = String::new();
    incident.occurrences = 1;
    incident.ui_url = Some("https://prometheus.example.com/graph?g0.expr=x".to_owned());
    item.name = item.incident.external_name();
    item
}

/// The same job, healthy again.
pub(crate) fn recovered(id: u64, name: &str) -> ItemView {
    let mut item = failing(id, name);
    item.reason = NoticeReason::Resolved;
    item.known = Known::Alone;
    item.sequence = 2;
    item.incident.state = IncidentState::Resolved;
    item.incident.end_reason = Some(EndReason::Recovered);
    item.incident.resolved_at = Some(NOW);
    item.incident.occurrences = 8;
    item.incident.restored_from = Some("s3://flink/checkpoints/ro-cn-sync/chk-42".to_owned());
    "RUNNING".clone_into(&mut item.incident.subject_state);
    item
}

/// A message of these items.
pub(crate) fn view(kind: MessageKind, language: Language, items: Vec<ItemView>) -> MessageView {
    MessageView {
        id: 7,
        installation: "k3p9".to_owned(),
        key: "k3p9-7".to_owned(),
        kind,
        receiver: "platform".to_owned(),
        group_key: "0:{cluster=\"emr\"}".to_owned(),
        group_labels: Labels::from([("cluster", "emr")]),
        language,
        // UTC+8 by hand: samples must not depend on a time zone database.
        zone: TimeZone::fixed(jiff::tz::offset(8)),
        now: NOW,
        external_url: Some("https://weir.example.com".to_owned()),
        items,
        jobs_watched: 62,
        is_reply: false,
        summary: None,
    }
}

/// What a week brought.
pub(crate) fn week(language: Language) -> MessageView {
    let noisy = |name: &str, incidents, failures| Noisy {
        name: name.to_owned(),
        incidents,
        failures,
        notices: 0,
    };
    let summary = SummaryView {
        since: NOW - Duration::from_hours(7 * 24),
        weekly: true,
        failures: 412,
        failing_jobs: 23,
        mended_jobs: 11,
        opened: BySeverity { critical: 9, warning: 20, info: 2 },
        ended: 29,
        brief: 5,
        open: BySeverity { critical: 1, warning: 1, info: 0 },
        sent: 64,
        shadow: 3,
        unsent: 1,
        jobs: vec![noisy("emr/ro-cn-sync", 4, 300), noisy("emr/ads-sea-join", 1, 0)],
    };
    MessageView { summary: Some(summary), ..view(MessageKind::Summary, language, Vec::new()) }
}

/// A week in which nothing happened.
pub(crate) fn quiet_week(language: Language) -> MessageView {
    let since = NOW - Duration::from_hours(7 * 24);
    let summary = SummaryView { since, weekly: true, ..SummaryView::default() };
    MessageView { summary: Some(summary), ..week(language) }
}

/// Messages that take every branch of a template, in both languages.
pub(super) fn views() -> Vec<MessageView> {
    let mut views = Vec::new();
    for language in [Language::En, Language::Zh] {
        let mut bare = failing(3, "bare");
        bare.incident.root_cause = None;
        bare.incident.checkpoint = None;
        bare.incident.members.clear();
        bare.incident.labels = Labels::default();
        bare.incident.ui_url = None;
        bare.incident.subject = Subject::Source("emr".to_owned());
        let names = ["a", "b", "c", "d", "e", "f"].map(str::to_owned).to_vec();
        bare.affected = Affected { names, mixed: false };
        let one = || vec![failing(1, "a")];
        let all = || vec![failing(1, "a"), recovered(2, "b"), bare.clone()];
        views.push(view(MessageKind::Incident, language, one()));
        views.push(view(MessageKind::Incident, language, vec![recovered(2, "b")]));
        views.push(view(MessageKind::Incident, language, vec![bare.clone()]));
        views.push(view(MessageKind::Incident, language, vec![external(4)]));
        for kind in
            [MessageKind::Group, MessageKind::Digest, MessageKind::Storm, MessageKind::FirstLook]
        {
            views.push(view(kind, language, all()));
        }
        views.push(view(MessageKind::Storm, language, vec![failing(1, "a"); 150]));
        views.push(view(MessageKind::Test, language, Vec::new()));
        views.push(week(language));
        views.push(quiet_week(language));
    }
    views
}
