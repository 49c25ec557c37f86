//! What every store must do, as functions over `&dyn Store`: each backend's tests call them with a
//! fresh, empty store.

pub(crate) mod samples;

use self::samples::{
    NASTY, alert, attempt, channel, event, incident, job, message, notice, restart, rule,
};
use super::{MemoryStore, Page, Store, Timeline, Traced};
use crate::model::{
    BySeverity, Change, HistoryChunk, HistoryPage, IncidentState, MessageKind, MessageState,
    Notice, Outcome, Report, RestartState, Severity, Step, Ts,
};

/// A day and a bit, so that `now` minus 24 hours is not negative.
pub(crate) const NOW: Ts = Ts(100 * 3_600_000);
const OLD: Ts = Ts(3_600_000);

fn page() -> Page {
    Page { limit: 100, ..Page::default() }
}

fn boxed_incident(id: u64, job: &str, state: IncidentState, at: Ts) -> Change {
    Change::Incident(Box::new(incident(id, job, state, at)))
}

fn boxed_notice(id: u64, incident: u64, outcome: Outcome, at: Ts) -> Change {
    Change::Notice(Box::new(notice(id, incident, outcome, at)))
}

fn boxed_restart(id: u64, job: &str, state: RestartState, at: Ts) -> Change {
    Change::Restart(Box::new(restart(id, job, state, at)))
}

fn boxed_message(id: u64, state: MessageState, at: Ts) -> Change {
    Change::Message(Box::new(message(id, state, at)))
}

/// Everything written comes back, byte for byte.
pub(crate) async fn round_trip(store: &dyn Store) {
    let empty = store.load(NOW).await.unwrap();
    assert_eq!(empty.installation.len(), 8, "{}", empty.installation);
    assert_eq!((empty.max_incident, empty.max_notice, empty.max_message), (0, 0, 0));

    let changes = [
        Change::Source { name: "prod".into(), body: NASTY.into() },
        job("prod/a", NASTY),
        job("prod/b", "{}"),
        Change::Alert(Box::new(alert("JobFailed", "a"))),
        Change::Alert(Box::new(alert("JobUnstable", "a"))),
        boxed_incident(5, "a", IncidentState::Open, NOW),
        event(5, 1, "opened"),
        event(5, 2, NASTY),
        boxed_notice(7, 5, Outcome::Pending, NOW),
        boxed_message(9, MessageState::Due, NOW),
        attempt(9, 1, NOW),
        boxed_restart(3, "a", RestartState::Submitted, NOW),
        Change::Meta { key: "steady".into(), value: NASTY.into() },
    ];
    store.commit("b1", &changes).await.unwrap();
    let loaded = store.load(NOW).await.unwrap();
    assert_eq!(loaded.installation, empty.installation);
    assert_eq!(loaded.sources, [("prod".to_owned(), NASTY.to_owned())]);
    assert_eq!(
        loaded.jobs,
        [("prod/a".to_owned(), NASTY.to_owned()), ("prod/b".to_owned(), "{}".to_owned())]
    );
    assert_eq!(loaded.alerts, [alert("JobFailed", "a"), alert("JobUnstable", "a")]);
    assert_eq!(loaded.incidents, [incident(5, "a", IncidentState::Open, NOW)]);
    assert_eq!(loaded.notices, [notice(7, 5, Outcome::Pending, NOW)]);
    assert_eq!(loaded.messages, [message(9, MessageState::Due, NOW)]);
    let attempts: Vec<_> = loaded.attempts.into_iter().map(Change::Attempt).collect();
    assert_eq!(attempts, [attempt(9, 1, NOW)]);
    assert_eq!(loaded.meta, [("steady".to_owned(), NASTY.to_owned())]);
    assert_eq!((loaded.max_incident, loaded.max_notice, loaded.max_message), (5, 7, 9));
    assert_eq!(loaded.restarts, [restart(3, "a", RestartState::Submitted, NOW)]);
    assert_eq!(loaded.max_restart, 3);
    assert_eq!(
        store.events(5, 10).await.unwrap().lines,
        [(Ts(1), "opened".to_owned()), (Ts(2), NASTY.to_owned())]
    );
    assert_eq!(store.events(5, 1).await.unwrap().lines, [(Ts(2), NASTY.to_owned())]);

    let forget = [
        Change::ForgetJob { key: "prod/a".into() },
        Change::ForgetJob { key: "never/seen".into() },
        Change::ForgetAlert { rule: rule("JobFailed"), subject: alert("JobFailed", "a").subject },
    ];
    store.commit("b2", &forget).await.unwrap();
    let loaded = store.load(NOW).await.unwrap();
    assert_eq!(loaded.jobs.len(), 1);
    assert_eq!(loaded.alerts, [alert("JobUnstable", "a")]);
}

/// A long timeline keeps its first line, whatever is asked for and however long it stays open.
pub(crate) async fn timelines_are_bounded(store: &dyn Store) {
    let open = [boxed_incident(1, "a", IncidentState::Open, OLD)];
    store.commit("b0", &open).await.unwrap();
    let all: Vec<Change> = (0..10_050).map(|n| event(1, n, &format!("line {n}"))).collect();
    store.commit("b1", &all).await.unwrap();
    store.commit("b2", &[event(2, 5, "another's")]).await.unwrap();
    let words = |timeline: Timeline| {
        let words: Vec<String> = timeline.lines.into_iter().map(|(_, what)| what).collect();
        (words, timeline.left_out)
    };
    let said = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    let newest = said(&["line 0", "line 10048", "line 10049"]);
    assert_eq!(words(store.events(1, 3).await.unwrap()), (newest, 10_047));
    assert_eq!(words(store.events(1, 1).await.unwrap()), (said(&["line 10049"]), 10_049));
    while store.prune(Ts(0)).await.unwrap() > 0 {}
    let (kept, left_out) = words(store.events(1, 20_000).await.unwrap());
    assert_eq!((kept.len(), left_out), (10_001, 0), "the newest and the first");
    assert_eq!(kept[..2], said(&["line 0", "line 50"]));
    assert_eq!(store.events(2, 10).await.unwrap().lines.len(), 1);
}

/// The same batch again writes nothing, whatever it says; an empty one is fine too.
pub(crate) async fn ambiguous_batch(store: &dyn Store) {
    store.commit("b1", &[job("k", "1"), event(1, 1, "once")]).await.unwrap();
    store.commit("b2", &[job("k", "2")]).await.unwrap();
    store.commit("b1", &[job("k", "1"), event(1, 1, "once")]).await.unwrap();
    store.commit("b3", &[]).await.unwrap();
    assert_eq!(store.load(NOW).await.unwrap().jobs, [("k".to_owned(), "2".to_owned())]);
    assert_eq!(store.events(1, 10).await.unwrap().lines.len(), 1);
}

/// Inside a batch the last word about a row wins.
pub(crate) async fn last_word_wins(store: &dyn Store) {
    let changes = [
        job("kept", "1"),
        Change::ForgetJob { key: "kept".into() },
        job("kept", "2"),
        job("gone", "1"),
        Change::ForgetJob { key: "gone".into() },
        boxed_incident(1, "a", IncidentState::Open, NOW),
        boxed_incident(1, "a", IncidentState::Resolved, NOW),
    ];
    store.commit("b1", &changes).await.unwrap();
    let loaded = store.load(NOW).await.unwrap();
    assert_eq!(loaded.jobs, [("kept".to_owned(), "2".to_owned())]);
    assert_eq!(loaded.incidents[0].state, IncidentState::Resolved);
    store.commit("b2", &[job("kept", "3")]).await.unwrap();
    assert_eq!(store.load(NOW).await.unwrap().jobs, [("kept".to_owned(), "3".to_owned())]);
}

/// What a start reads is bounded: incidents that are open, recent or not told to the end, their
/// notices, due messages.
pub(crate) async fn load_is_bounded(store: &dyn Store) {
    let changes = [
        boxed_incident(1, "a", IncidentState::Resolved, OLD),
        boxed_incident(2, "a", IncidentState::Open, OLD),
        boxed_incident(3, "a", IncidentState::Acknowledged, OLD),
        boxed_incident(4, "a", IncidentState::Resolved, NOW),
        boxed_incident(5, "a", IncidentState::Resolved, OLD),
        boxed_notice(1, 1, Outcome::Sent, OLD),
        boxed_notice(2, 1, Outcome::Pending, OLD),
        boxed_notice(3, 2, Outcome::Sent, OLD),
        boxed_notice(4, 4, Outcome::Muted, OLD),
        boxed_notice(5, 5, Outcome::Sent, OLD),
        boxed_message(1, MessageState::Sent, OLD),
        boxed_message(2, MessageState::Due, OLD),
        boxed_message(3, MessageState::Failed, NOW),
        attempt(1, 1, OLD),
        attempt(2, 1, NOW),
    ];
    store.commit("b1", &changes).await.unwrap();
    let loaded = store.load(NOW).await.unwrap();
    let ids: Vec<u64> = loaded.incidents.iter().map(|i| i.id).collect();
    assert_eq!(ids, [1, 2, 3, 4]);
    let ids: Vec<u64> = loaded.notices.iter().map(|n| n.id).collect();
    assert_eq!(ids, [1, 2, 3, 4]);
    let ids: Vec<u64> = loaded.messages.iter().map(|m| m.id).collect();
    assert_eq!(ids, [2, 3]);
    assert_eq!(loaded.attempts.len(), 1);
    assert_eq!((loaded.max_incident, loaded.max_notice, loaded.max_message), (5, 5, 3));
}

/// Pages come newest first, and filters hold.
pub(crate) async fn paging(store: &dyn Store) {
    let mut changes = Vec::new();
    for id in 1..=250 {
        let state = if id % 2 == 0 { IncidentState::Open } else { IncidentState::Resolved };
        changes.push(boxed_incident(id, if id % 5 == 0 { "five" } else { "a" }, state, NOW));
        let outcome = if id % 2 == 0 { Outcome::Sent } else { Outcome::Failed };
        changes.push(boxed_notice(id, id, outcome, NOW));
        changes.push(boxed_message(id, MessageState::Sent, NOW));
    }
    store.commit("b1", &changes).await.unwrap();

    let mut seen = Vec::new();
    let mut next = Page { limit: 60, ..Page::default() };
    loop {
        let rows = store.incidents(&next).await.unwrap();
        let Some(last) = rows.last() else { break };
        next.after = Some(last.id);
        seen.extend(rows.into_iter().map(|i| i.id));
    }
    assert_eq!(seen, (1..=250).rev().collect::<Vec<u64>>());

    let open = Page { state: Some("open".into()), ..page() };
    let rows = store.incidents(&open).await.unwrap();
    assert_eq!((rows.len(), rows[0].id), (100, 250));
    let five = Page { job: Some("prod/five".into()), ..page() };
    assert_eq!(store.incidents(&five).await.unwrap().len(), 50);
    assert_eq!(store.notices(&five).await.unwrap().len(), 50);
    let one = Page { incident: Some(17), ..page() };
    assert_eq!(store.incidents(&one).await.unwrap()[0].id, 17);
    assert_eq!(store.notices(&one).await.unwrap()[0].id, 17);
    let failed = Page { state: Some("failed".into()), after: Some(11), ..page() };
    assert_eq!(store.notices(&failed).await.unwrap().len(), 5);
    assert_eq!(store.messages(&page()).await.unwrap().len(), 100);
    for (receiver, rows) in [(channel().receiver, 100), ("nobody".to_owned(), 0)] {
        let page = Page { receiver: Some(receiver), ..page() };
        assert_eq!(store.incidents(&page).await.unwrap().len(), rows);
        assert_eq!(store.notices(&page).await.unwrap().len(), rows);
        assert_eq!(store.messages(&page).await.unwrap().len(), rows);
    }
    let hostile = Page { state: Some("' OR 1=1 --".into()), ..page() };
    assert!(store.incidents(&hostile).await.unwrap().is_empty());
    let beyond = Page { after: Some(u64::MAX), limit: 1, ..Page::default() };
    assert_eq!(store.incidents(&beyond).await.unwrap()[0].id, 250);
}

/// Notices come with what tells their way, and are found by time and by every name of a rule.
pub(crate) async fn notices_are_traced(store: &dyn Store) {
    let mut in_message = notice(2, 1, Outcome::Sent, NOW);
    in_message.message = Some(9);
    let mut orphan = notice(3, 77, Outcome::Sent, NOW);
    orphan.message = Some(78);
    let changes = [
        boxed_incident(1, "a", IncidentState::Open, NOW),
        boxed_notice(1, 1, Outcome::Pending, OLD),
        Change::Notice(Box::new(in_message.clone())),
        Change::Notice(Box::new(orphan.clone())),
        boxed_message(9, MessageState::Sent, NOW),
    ];
    store.commit("b1", &changes).await.unwrap();
    let mut without_bytes = message(9, MessageState::Sent, NOW);
    without_bytes.frozen.body.clear();
    let about = Some(incident(1, "a", IncidentState::Open, NOW));
    let first = notice(1, 1, Outcome::Pending, OLD);
    let expected = [
        Traced { notice: orphan, incident: None, message: None },
        Traced { notice: in_message, incident: about.clone(), message: Some(without_bytes) },
        Traced { notice: first, incident: about, message: None },
    ];
    assert_eq!(store.traced(&page()).await.unwrap(), expected);
    let found = async |page: Page| {
        let traced = store.traced(&page).await.unwrap();
        let notices = store.notices(&page).await.unwrap();
        let ids: Vec<u64> = notices.iter().map(|n| n.id).collect();
        assert_eq!(ids, traced.iter().map(|t| t.notice.id).collect::<Vec<u64>>());
        ids
    };
    assert_eq!(found(Page { since: Some(NOW), ..page() }).await, [3, 2]);
    assert_eq!(found(Page { since: Some(Ts(NOW.0 + 1)), ..page() }).await, [0; 0]);
    for (name, ids) in [
        ("JobFailed", vec![2, 1]),
        ("flink-jobs/JobFailed", vec![2, 1]),
        ("flink-jobs/JobFailed/critical", vec![2, 1]),
        ("flink-jobs/JobFailed/warning", vec![]),
        ("' OR 1=1 --", vec![]),
    ] {
        assert_eq!(found(Page { rule: Some(name.into()), ..page() }).await, ids, "{name}");
    }
}

/// Only what is old *and* over goes; ids are never given again.
pub(crate) async fn prune_keeps_what_matters(store: &dyn Store) {
    let changes = [
        boxed_incident(1, "a", IncidentState::Open, OLD),
        boxed_incident(2, "a", IncidentState::Resolved, OLD),
        boxed_incident(3, "a", IncidentState::Resolved, OLD),
        boxed_incident(4, "a", IncidentState::Resolved, NOW),
        event(1, 1, "opened"),
        event(2, 1, "opened"),
        boxed_notice(1, 1, Outcome::Sent, OLD),
        boxed_notice(2, 2, Outcome::Sent, OLD),
        boxed_notice(3, 3, Outcome::Pending, OLD),
        boxed_notice(4, 4, Outcome::Sent, NOW),
        boxed_message(1, MessageState::Due, OLD),
        boxed_message(2, MessageState::Sent, OLD),
        boxed_message(3, MessageState::Sent, NOW),
        attempt(1, 1, OLD),
        attempt(2, 1, OLD),
        boxed_restart(1, "a", RestartState::Running, OLD),
        boxed_restart(2, "a", RestartState::Verified, OLD),
        boxed_restart(3, "b", RestartState::Failed, NOW),
        job("prod/a", "{}"),
    ];
    store.commit("b1", &changes).await.unwrap();
    while store.prune(Ts(NOW.0 - 1)).await.unwrap() > 0 {}
    let ids = |rows: Vec<u64>| rows;
    let incidents = store.incidents(&page()).await.unwrap();
    assert_eq!(ids(incidents.iter().map(|i| i.id).collect()), [4, 3, 1]);
    let notices = store.notices(&page()).await.unwrap();
    assert_eq!(ids(notices.iter().map(|n| n.id).collect()), [4, 3, 1]);
    let restarts = store.restarts(&page()).await.unwrap();
    assert_eq!(ids(restarts.iter().map(|r| r.id).collect()), [3, 1]);
    let of_b = Page { job: Some("b".to_owned()), ..page() };
    assert_eq!(store.restarts(&of_b).await.unwrap().len(), 1);
    let messages = store.messages(&page()).await.unwrap();
    assert_eq!(ids(messages.iter().map(|m| m.id).collect()), [3, 1]);
    assert_eq!(store.events(1, 10).await.unwrap().lines.len(), 1);
    assert!(store.events(2, 10).await.unwrap().lines.is_empty());
    assert_eq!(store.load(NOW).await.unwrap().jobs.len(), 1);
    assert_eq!(store.load(OLD).await.unwrap().attempts.len(), 1);

    let over = [boxed_incident(1, "a", IncidentState::Resolved, OLD)];
    store.commit("b2", &over).await.unwrap();
    let done =
        [boxed_notice(3, 3, Outcome::Muted, OLD), boxed_message(1, MessageState::Failed, OLD)];
    store.commit("b3", &done).await.unwrap();
    while store.prune(Ts(i64::MAX)).await.unwrap() > 0 {}
    let loaded = store.load(NOW).await.unwrap();
    assert!(loaded.incidents.is_empty() && loaded.messages.is_empty());
    assert_eq!((loaded.max_incident, loaded.max_notice, loaded.max_message), (4, 4, 3));
}

fn piece(segment: u64, number: u32, from_start: bool, at: i64) -> HistoryChunk {
    let body = vec![0, 255, segment as u8, number as u8];
    HistoryChunk { segment, number, from_start, first: Ts(at), last: Ts(at + 9), body }
}

/// The history comes back in order, from where a replay can begin, and goes segment by segment.
pub(crate) async fn history(store: &dyn Store) {
    assert_eq!(store.newest_segment().await.unwrap(), 0);
    let all = [
        piece(1, 0, true, 100),
        piece(1, 1, true, 200),
        piece(2, 0, false, 300),
        piece(3, 0, true, 400),
        piece(4, 0, false, 500),
        piece(4, 1, false, 600),
    ];
    let changes = all.iter().cloned().map(|chunk| Change::History(Box::new(chunk)));
    let changes: Vec<Change> = changes.collect();
    store.commit("b1", &changes).await.unwrap();
    assert_eq!(store.newest_segment().await.unwrap(), 4);
    let from = |since, after| HistoryPage { since: Ts(since), after };
    for (since, first) in [(0, 0), (99, 0), (100, 0), (399, 0), (400, 3), (9_999, 3)] {
        let pieces = store.history(from(since, None)).await.unwrap();
        assert_eq!(pieces, all[first..], "since {since}");
    }
    assert_eq!(store.history(from(0, Some((3, 0)))).await.unwrap(), all[4..]);
    assert_eq!(store.history(from(0, Some((4, 1)))).await.unwrap(), []);

    assert_eq!(store.prune_history(Ts(209), 1_000).await.unwrap(), 0, "it ended at 209");
    assert_eq!(store.prune_history(Ts(210), 1_000).await.unwrap(), 2);
    assert_eq!(store.history(from(0, None)).await.unwrap(), all[2..]);
    assert_eq!(store.prune_history(Ts(0), 15).await.unwrap(), 1, "16 bytes are too many");
    assert_eq!(store.prune_history(Ts(0), 8).await.unwrap(), 1);
    assert_eq!(store.prune_history(Ts(9_999), 1).await.unwrap(), 0, "never the newest");
    assert_eq!(store.history(from(0, None)).await.unwrap(), all[4..]);
}

/// What the store in memory gives a start is what a real one gives.
pub(crate) async fn memory_is_like(store: &dyn Store) {
    let changes = vec![
        Change::Source { name: "prod".into(), body: "{}".into() },
        job("prod/a", "1"),
        job("prod/b", "1"),
        Change::ForgetJob { key: "prod/b".into() },
        Change::Alert(Box::new(alert("JobUnstable", "a"))),
        Change::Alert(Box::new(alert("JobFailed", "b"))),
        Change::Alert(Box::new(alert("JobFailed", "a"))),
        Change::ForgetAlert { rule: rule("JobFailed"), subject: alert("JobFailed", "b").subject },
        boxed_incident(1, "a", IncidentState::Resolved, OLD),
        boxed_incident(2, "a", IncidentState::Open, OLD),
        boxed_incident(4, "a", IncidentState::Resolved, NOW),
        boxed_incident(5, "a", IncidentState::Resolved, OLD),
        boxed_notice(1, 1, Outcome::Sent, OLD),
        boxed_notice(2, 1, Outcome::Pending, OLD),
        boxed_notice(3, 4, Outcome::Sent, OLD),
        boxed_message(1, MessageState::Sent, OLD),
        boxed_message(2, MessageState::Due, OLD),
        boxed_message(3, MessageState::Sent, NOW),
        attempt(3, 1, NOW),
        attempt(2, 1, NOW),
        attempt(1, 1, OLD),
        boxed_restart(1, "a", RestartState::Verified, OLD),
        boxed_restart(2, "a", RestartState::Planned, OLD),
        event(2, 1, "opened"),
        Change::Meta { key: "steady".into(), value: "5".into() },
    ];
    store.commit("b1", &changes).await.unwrap();
    let real = store.load(NOW).await.unwrap();
    let mut memory = MemoryStore::new(&real.installation);
    memory.apply(changes);
    assert_eq!(memory.load(NOW), real);
}

fn failed(job: &str, at: Ts, count: u64) -> Change {
    Change::Failures { job: format!("prod/{job}"), at, count }
}

/// A report counts what happened since then, and is what the store in memory comes to.
pub(crate) async fn report(store: &dyn Store) {
    assert_eq!(store.report(NOW).await.unwrap(), Report::default());
    let mut held = notice(5, 3, Outcome::Folded, NOW);
    held.held_by = None;
    held.steps = vec![Step { at: NOW, by: Some("budget 80/60s".into()) }];
    let mut inhibited = notice(6, 3, Outcome::Muted, NOW);
    inhibited.held_by = Some("inhibited by #12".into());
    let other = Notice { held_by: Some("inhibited by #7".into()), id: 7, ..inhibited.clone() };
    let mut digest = message(2, MessageState::Shadow, NOW);
    digest.kind = MessageKind::Digest;
    let mut mild = incident(3, "b", IncidentState::Resolved, NOW);
    mild.severity = Severity::Info;
    mild.rule = "JobOdd".into();
    let boxed = |notice: Notice| Change::Notice(Box::new(notice));
    let changes = vec![
        boxed_incident(1, "a", IncidentState::Open, OLD),
        boxed_incident(2, "a", IncidentState::Open, NOW),
        Change::Incident(Box::new(mild)),
        boxed_incident(4, "old", IncidentState::Resolved, OLD),
        boxed_notice(1, 1, Outcome::Sent, OLD),
        boxed_notice(2, 2, Outcome::Sent, NOW),
        boxed_notice(3, 2, Outcome::Pending, NOW),
        boxed_notice(4, 2, Outcome::Brief, NOW),
        boxed(held),
        boxed(inhibited),
        boxed(other),
        boxed_message(1, MessageState::Sent, OLD),
        Change::Message(Box::new(digest)),
        boxed_message(3, MessageState::Sent, NOW),
        failed("a", OLD, 9),
        failed("a", NOW, 2),
        failed("a", NOW, 1),
        failed("mended", NOW, 4),
        failed("old", NOW, 1),
    ];
    let mut memory = MemoryStore::new("m");
    memory.apply(changes.clone());
    store.commit("b1", &changes).await.unwrap();
    store.commit("b1", &changes).await.unwrap();
    let counted = store.report(NOW).await.unwrap();
    assert_eq!(counted, memory.report(NOW));
    assert_eq!((counted.failures, counted.failing_jobs, counted.mended_jobs), (8, 3, 2));
    let by = |critical, info| BySeverity { critical, info, ..BySeverity::default() };
    assert_eq!((counted.opened, counted.open), (by(1, 1), by(2, 0)));
    assert_eq!((counted.ended, counted.brief), (1, 1));
    let [told] = &counted.receivers[..] else { panic!("{counted:?}") };
    assert_eq!((told.incidents, told.notices["sent"], told.notices["muted"]), (2, 1, 2));
    assert_eq!((told.messages["sent"], told.messages["shadow"], told.kinds["digest"]), (1, 1, 1));
    let held: Vec<(&str, &str, u64)> =
        counted.held.iter().map(|h| (&*h.outcome, &*h.by, h.notices)).collect();
    assert_eq!(held[0], ("muted", "inhibited by", 2));
    assert!(held.contains(&("folded", "budget 80/60s", 1)), "{held:?}");
    assert_eq!(counted.jobs[0].name, "prod/a");
    assert_eq!((counted.jobs[0].incidents, counted.jobs[0].failures), (1, 3));
    assert_eq!(counted.rules[1].name, "JobOdd");
    store.commit("b2", &[failed("a", NOW, 5)]).await.unwrap();
    assert_eq!(store.report(NOW).await.unwrap().failures, 13, "an hour grows");
    let all = store.report(Ts(0)).await.unwrap();
    assert_eq!((all.failures, all.opened.total()), (22, 4));
    while store.prune(Ts(NOW.0 - 1)).await.unwrap() > 0 {}
    assert_eq!(store.report(Ts(0)).await.unwrap().failures, 13, "failures are pruned by age");
}
