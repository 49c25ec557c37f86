use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::model::{Labels, NoticeReason, Severity};
use crate::notify::channels::{ChannelConfig, testing};
use crate::notify::testing::{Bench, MINUTE, Mode, SECOND, plan};
use crate::notify::{ChannelPlan, Compose};

/// An Alertmanager that is told each minute.
fn bench() -> Bench {
    let config = json!({"alertmanager": {"urls": ["http://am:9093"]}});
    let config: ChannelConfig = serde_json::from_value(config).unwrap();
    let (parts, _) = testing::parts();
    let composer: Arc<dyn Compose> = Arc::from(config.composer(&parts).unwrap());
    let am = ChannelPlan { resend: Some(Duration::from_mins(1)), ..plan("team/am") };
    Bench::with(vec![am], vec!["team"], composer)
}

fn alerts(body: &str) -> Vec<Value> {
    serde_json::from_str(body).unwrap()
}

fn last(bench: &Bench) -> Vec<Value> {
    alerts(&bench.resent.last().unwrap().1.frozen.body)
}

#[test]
fn news_go_at_once_and_are_said_again_each_minute_without_a_row() {
    let mut bench = bench();
    bench.open(Severity::Critical);
    let begin = bench.now;
    assert_eq!(bench.taken.len(), 1, "no group_wait");
    assert_eq!(bench.taken[0].0, begin);
    bench.pass(10 * MINUTE);
    let at: Vec<i64> = bench.resent.iter().map(|(at, _)| at - begin).collect();
    assert_eq!(at, (1..=10).map(|n| n * MINUTE).collect::<Vec<_>>());
    assert_eq!(bench.notices().len(), 1, "no news");
    assert_eq!(bench.kept.messages.len(), 1, "no row");
    let first = alerts(&bench.taken[0].1.frozen.body);
    assert_eq!(first[0]["labels"], last(&bench)[0]["labels"]);
    assert_eq!(last(&bench)[0].get("endsAt"), None);
}

#[test]
fn many_at_once_are_no_storm_and_go_in_pieces() {
    let mut bench = bench();
    bench.set("team/am", Mode::Down);
    for _ in 0..300 {
        bench.open(Severity::Warning);
    }
    bench.set("team/am", Mode::Up);
    bench.pass(6 * MINUTE);
    let told: usize = bench.taken.iter().map(|(_, m)| alerts(&m.frozen.body).len()).sum();
    assert_eq!(told, 300);
    bench.resent.clear();
    bench.pass(MINUTE);
    let sizes: Vec<usize> =
        bench.resent.iter().map(|(_, m)| alerts(&m.frozen.body).len()).collect();
    assert_eq!(sizes, [256, 44]);
}

#[test]
fn its_name_stays_while_the_incident_changes() {
    let mut bench = bench();
    let id = bench.open(Severity::Critical);
    // Another member, and labels they do not share.
    bench.edit(id, NoticeReason::Worse, |incident| {
        incident.given_up = true;
        "JobFailed".clone_into(&mut incident.rule);
        incident.labels = Labels::from([("job_name", "job-1")]);
    });
    bench.pass(MINUTE);
    bench.restart();
    bench.pass(MINUTE);
    bench.resolve(id);
    let all = bench.taken.iter().chain(&bench.resent).map(|(_, m)| alerts(&m.frozen.body));
    let names: Vec<Value> = all.flatten().map(|alert| alert["labels"].clone()).collect();
    assert!(names.len() >= 5, "{names:?}");
    assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
    assert_eq!(names[0]["alertname"], "JobFailingRepeatedly");
}

#[test]
fn one_that_gets_more_severe_is_another_and_the_former_one_ends() {
    let mut bench = bench();
    let id = bench.open(Severity::Warning);
    bench.edit(id, NoticeReason::Worse, |incident| incident.severity = Severity::Critical);
    let told = alerts(&bench.taken[1].1.frozen.body);
    let [former, now] = &told[..] else { panic!("{told:?}") };
    assert_eq!(former["labels"]["severity"], "warning");
    assert!(former["endsAt"].is_string());
    assert_eq!(now["labels"]["severity"], "critical");
    assert_eq!(now.get("endsAt"), None);
    bench.pass(MINUTE);
    assert_eq!(last(&bench).len(), 1);
    assert_eq!(last(&bench)[0]["labels"]["severity"], "critical");
}

#[test]
fn its_end_is_said_for_five_minutes_and_then_it_is_forgotten() {
    let mut bench = bench();
    let id = bench.open(Severity::Critical);
    bench.pass(30 * SECOND);
    bench.resolve(id);
    bench.pass(20 * MINUTE);
    assert_eq!(bench.resent.len(), 5, "{:?}", bench.resent);
    assert!(bench.resent.iter().all(|(_, m)| alerts(&m.frozen.body)[0]["endsAt"].is_string()));
    let kept = bench.kept.load(crate::model::Ts(bench.now)).meta;
    assert!(kept.iter().all(|(_, value)| value.is_empty()), "{kept:?}");
    assert_eq!(bench.pipeline.untold().len(), 0);
}

#[test]
fn a_new_process_says_it_at_once_and_a_dead_one_is_found_again() {
    let mut bench = bench();
    bench.open(Severity::Critical);
    bench.pass(90 * SECOND);
    bench.resent.clear();
    bench.restart();
    assert_eq!(bench.resent.len(), 1, "at once");
    bench.set("team/am", Mode::Down);
    bench.pass(5 * MINUTE);
    let health = bench.pipeline.health().values().next().unwrap().clone();
    assert!(health.failing_since.is_some() && health.error.is_some(), "{health:?}");
    bench.set("team/am", Mode::Up);
    bench.pass(MINUTE);
    let health = bench.pipeline.health().values().next().unwrap().clone();
    assert_eq!(health.failing_since, None);
}

#[test]
fn what_it_never_took_is_not_kept_standing() {
    let mut bench = bench();
    bench.set("team/am", Mode::Refuses);
    bench.open(Severity::Critical);
    bench.pass(10 * MINUTE);
    assert_eq!(bench.resent.len(), 0, "{:?}", bench.resent);
}

#[test]
fn one_message_is_on_the_wire_at_a_time() {
    let mut bench = bench();
    let id = bench.open(Severity::Critical);
    bench.pass(59 * SECOND);
    // The round is on the wire when the end becomes news.
    bench.now += SECOND;
    let incidents = bench.kept.load(crate::model::Ts(bench.now));
    let incidents =
        crate::incidents::Incidents::restore(crate::incidents::Settings::default(), &incidents);
    let time = crate::model::Time::at(bench.now);
    let flushed = bench.pipeline.flush(time, &incidents);
    assert_eq!(flushed.resends.len(), 1);
    let again = flushed.resends[0].id;
    let later = crate::model::Time::at(bench.now + 2 * MINUTE);
    assert!(bench.pipeline.flush(later, &incidents).resends.is_empty(), "one at a time");
    bench.resolve(id);
    assert_eq!(bench.taken.len(), 1, "it waits for the answer");
    bench.pipeline.delivered(time, again, &crate::model::SendOutcome::Delivered);
    bench.turn();
    assert_eq!(bench.taken.len(), 2);
}
