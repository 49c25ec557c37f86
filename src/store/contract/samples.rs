//! Rows of every kind, for tests.

use std::collections::BTreeMap;

use crate::model::{
    Alert, AlertState, AskedBy, Aspect, Attempt, Change, ChannelId, CheckpointRef, EndReason,
    Frozen, Incident, IncidentState, JobKey, Labels, Manner, Member, Message, MessageKind,
    MessageState, Notice, NoticeReason, Outcome, Restart, RestartState, RestoreFrom, RootCause,
    RuleId, RunId, Severity, Step, Subject, Ts,
};

/// Text that breaks what is quoted by hand.
pub(crate) const NASTY: &str = "o'b\"rien \\ \n </script> {{x}} 作业 \u{0} ; DROP TABLE jobs; --";

pub(crate) fn rule(alert: &str) -> RuleId {
    RuleId { group: "flink-jobs".into(), alert: alert.into(), severity: Severity::Critical }
}

pub(crate) fn channel() -> ChannelId {
    ChannelId { receiver: "platform".into(), channel: "feishu_bot".into() }
}

pub(crate) fn alert(name: &str, job: &str) -> Alert {
    Alert {
        rule: rule(name),
        subject: Subject::Job(JobKey::new("prod", "", "", job)),
        aspect: Aspect::from(Aspect::FAILURE),
        state: AlertState::Firing,
        since: Ts(10),
        last_true: Ts(20),
        first_look: false,
        unknown_since: None,
        outdated: false,
        condition: Some("00c0ffee00c0ffee".into()),
        evidence: BTreeMap::from([("count".into(), 3.into()), ("text".into(), NASTY.into())]),
        labels: Labels::from([("job_name", job)]),
        annotations: BTreeMap::from([("summary".into(), NASTY.into())]),
    }
}

pub(crate) fn incident(id: u64, job: &str, state: IncidentState, at: Ts) -> Incident {
    let over = state == IncidentState::Resolved;
    Incident {
        id,
        subject: Subject::Job(JobKey::new("prod", "", "", job)),
        aspect: Aspect::from(Aspect::FAILURE),
        severity: Severity::Critical,
        state,
        end_reason: over.then_some(EndReason::Recovered),
        opened_at: at,
        resolved_at: over.then_some(at.shifted(60_000)),
        quiet_since: None,
        opened_steady: at,
        resolved_steady: over.then_some(at.shifted(60_000)),
        occurrences: 3,
        occurrences_base: 7,
        given_up: true,
        peak_rank: 0,
        reopened: 0,
        flapping: false,
        first_look: false,
        members: vec![Member {
            rule: rule("JobFailed"),
            firing: !over,
            since: at,
            until: None,
            annotations: BTreeMap::from([("summary".into(), format!("{job} failed"))]),
            labels: Labels::from([("job_name", job), ("team", "ro")]),
        }],
        rule: "JobFailed".into(),
        labels: Labels::from([("job_name", job), ("cluster", "prod"), ("team", "ro")]),
        root_cause: Some(RootCause {
            class: "com.example.PoisonRecordException".into(),
            message: NASTY.into(),
            frame: Some("OrderParser.parse(OrderParser.java:42)".into()),
            taskmanager: None,
            task: None,
        }),
        checkpoint: Some(CheckpointRef {
            id: Some(42),
            path: "s3://b/chk-42".into(),
            completed_at: at,
            savepoint: false,
            run: RunId { start_time: 5, job_id: "ab".into() },
        }),
        restored_from: None,
        run: None,
        subject_state: "FAILED".into(),
        ui_url: None,
        inhibited_by: None,
        inhibited_until: None,
        acknowledged: None,
        named_job: None,
        nobodys_since: None,
        doing: None,
    }
}

pub(crate) fn notice(id: u64, incident: u64, outcome: Outcome, at: Ts) -> Notice {
    Notice {
        id,
        incident,
        to: channel(),
        reason: NoticeReason::Opened,
        rank: 4,
        outcome,
        held_by: Some("group_wait".into()),
        group: "0:{}".into(),
        message: None,
        moved_to: None,
        known: None,
        unacknowledged_ms: None,
        at,
        at_steady: at,
        done_at: None,
        attempts: 0,
        error: Some(NASTY.into()),
        steps: vec![Step { at, by: Some(NASTY.into()) }, Step { at, by: None }],
    }
}

pub(crate) fn message(id: u64, state: MessageState, at: Ts) -> Message {
    Message {
        id,
        to: channel(),
        endpoint: "e1".into(),
        channel_kind: "webhook".into(),
        kind: MessageKind::Incident,
        group: "0:{}".into(),
        notices: vec![1, 2],
        named: 2,
        urgent: true,
        frozen: Frozen { body: format!("{{\"text\":{NASTY:?}}}"), title: NASTY.into() },
        state,
        at,
        at_steady: at,
        attempts: 1,
        next_attempt: Some(at),
        done_at: None,
        error: None,
        manner: Manner::Fresh,
        receipt: None,
        print: 0,
    }
}

pub(crate) fn attempt(message: u64, number: u32, at: Ts) -> Change {
    Change::Attempt(Attempt { message, number, endpoint: "e1".into(), at })
}

pub(crate) fn job(key: &str, body: &str) -> Change {
    Change::Job { key: key.into(), body: body.into() }
}

pub(crate) fn event(incident: u64, at: i64, what: &str) -> Change {
    Change::Event { incident, at: Ts(at), what: what.into() }
}

/// A restart of a job, at both times alike.
pub(crate) fn restart(id: u64, job: &str, state: RestartState, at: Ts) -> Restart {
    let path = format!("file:/ck/chk-7 {NASTY}");
    Restart {
        id,
        job: JobKey(job.to_owned()),
        cluster: "prod".into(),
        incident: Some(5),
        policy: "orders".into(),
        driver: "flink_jar".into(),
        asked_by: AskedBy::Alert("JobFailed".into()),
        attempt: 1,
        of: 3,
        state,
        handle: "ab".repeat(16),
        dead: Some(RunId { start_time: 5, job_id: "cd".repeat(16) }),
        replaces: false,
        from: Some(RestoreFrom { path, id: Some(7), savepoint: false, completed_at: Some(at) }),
        wanted: None,
        from_nothing: false,
        cause: None,
        at,
        at_steady: at,
        due: at,
        submitted: None,
        submitted_at: None,
        taken: None,
        started: None,
        done_at: None,
        done: None,
        note: Some(NASTY.into()),
        unreadable: false,
        ran: false,
        settled: false,
        declined: None,
        approved: None,
        unclear: false,
        cancelling: false,
        stopping: None,
    }
}
