//! What becomes of applications, on recorded answers of a real 2.3.0 and on made-up ones.

use super::super::observe;
use super::*;
use crate::model::RunObservation;

const LISTING: &str = include_str!("../../../tests/fixtures/flink-2.3.0/source-applications.json");
const WHY: &str =
    include_str!("../../../tests/fixtures/flink-2.3.0/source-application-threw.exceptions.json");
/// Just after the recorded listing.
const NOW: i64 = 1_795_251_316_000;

fn listing(json: &str) -> wire::ApplicationsOverview {
    serde_json::from_str(json).unwrap()
}

fn row(id: &str, start: i64, status: &str, jobs: &str) -> String {
    let end = if matches!(status, "FAILED" | "FINISHED" | "CANCELED") { start + 90 } else { -1 };
    format!(
        r#"{{"id":"{id}","name":"com.example.Main","start-time":{start},"end-time":{end},
            "duration":1,"status":"{status}","jobs":{jobs}}}"#
    )
}

fn threw(id: &str, start: i64) -> String {
    row(id, start, "FAILED", "{}")
}

fn of(rows: &[String]) -> wire::ApplicationsOverview {
    listing(&format!(r#"{{"applications":[{}]}}"#, rows.join(",")))
}

/// What was told of each: its id, and F for failed or K for a start that went well.
fn told(applications: &Applications) -> String {
    let letter = |start: &Start| if start.state == JobState::Failed { "F" } else { "K" };
    let words = applications.starts().iter().map(|s| format!("{}{}", letter(s), s.run.job_id));
    words.collect::<Vec<_>>().join(" ")
}

/// Looks one after the other, each at its second.
fn looks(steps: &[(i64, Vec<String>)]) -> Vec<String> {
    let mut applications = Applications::default();
    let look = |(second, rows): &(i64, Vec<String>)| {
        applications.skip();
        applications.take(of(rows), Some(second * 1000), Ts(second * 1000));
        told(&applications)
    };
    steps.iter().map(look).collect()
}

#[test]
fn of_the_recorded_ones_only_that_without_a_job_failed_to_start() {
    let mut applications = Applications::default();
    applications.take(listing(LISTING), Some(NOW), Ts(NOW));
    assert_eq!(told(&applications), "F4c8fa5c6d453d0f7db99395d850e70b1");
    let open = applications.unexplained();
    assert_eq!(open.len(), 1);
    let why = observe::failures(serde_json::from_str(WHY).unwrap());
    applications.explain(&open[0], Some(why));
    assert!(applications.unexplained().is_empty(), "read once");

    let start = &applications.starts()[0];
    let run = start.fill(RunObservation::default(), "http://jm:8081");
    assert_eq!((start.name.as_str(), run.state), ("com.example.orders.TestJob", JobState::Failed));
    assert_eq!((run.end_time, run.tasks.total), (Some(1_795_251_277_729), 0));
    let failures = run.failures.fresh().unwrap();
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].class, "java.lang.IllegalStateException");
    assert_eq!(failures[0].message, "no table orders_v2 in the catalog");
    assert_eq!(failures[0].frame.as_deref(), Some("TestJob.main(TestJob.java:38)"));
    assert!(failures[0].at >= run.run.start_time, "or it is not told as this run's cause");
    let page = "http://jm:8081/#/application/completed/4c8fa5c6d453d0f7db99395d850e70b1";
    assert_eq!(run.ui_url.as_deref(), Some(page));

    // At the next look the one that runs under the same name is the one that counts.
    applications.take(listing(LISTING), Some(NOW + 10_000), Ts(NOW + 10_000));
    let both = "F4c8fa5c6d453d0f7db99395d850e70b1 K06694d0195f1fc143230242a7f0b681d";
    assert_eq!(told(&applications), both);
    assert!(applications.starts()[0].failures.fresh().is_some(), "what was read is kept");
}

#[test]
fn a_later_start_with_a_job_ends_it() {
    let runs = |id: &str, start, jobs: &str| row(id, start, "RUNNING", jobs);
    for (name, later, ends) in [
        ("runs", runs("b", 20_000, r#"{"RUNNING":1}"#), true),
        ("still in main()", runs("b", 20_000, "{}"), false),
        ("waits for slots", runs("b", 20_000, r#"{"CREATED":1}"#), false),
        ("finished", row("b", 20_000, "FINISHED", r#"{"FINISHED":2}"#), true),
        ("its job failed", row("b", 20_000, "FAILED", r#"{"FAILED":1}"#), false),
        ("its job failed, and so it is told", row("b", 20_000, "FAILING", "{}"), false),
        ("began before", runs("b", 9_000, r#"{"RUNNING":1}"#), false),
        ("no numbers", runs("b", 20_000, r#"{"RUNNING":"many"}"#), false),
        ("another name", runs("b", 20_000, r#"{"RUNNING":1}"#).replace("Main", "Other"), false),
    ] {
        let seen = looks(&[(11, vec![threw("a", 10_000)]), (21, vec![threw("a", 10_000), later])]);
        assert_eq!(seen, ["Fa", if ends { "Fa Kb" } else { "Fa" }], "{name}");
    }
}

#[test]
fn a_failure_is_seen_before_it_is_over() {
    let well = row("b", 10_500, "RUNNING", r#"{"RUNNING":1}"#);
    let both = || vec![threw("a", 10_000), well.clone()];
    // Both happened between two looks: perhaps another program of the same main class.
    assert_eq!(looks(&[(11, both()), (13, both())]), ["Fa", "Fa Kb"]);
    // Long before Weir came.
    assert_eq!(looks(&[(900, both())]), ["Fa Kb"]);
}

#[test]
fn it_is_over_also_when_flink_has_forgotten_the_failure() {
    let well = || vec![row("c", 50_000_000, "RUNNING", r#"{"RUNNING":1}"#)];
    let seen = looks(&[
        (11, vec![threw("a", 10_000)]),
        (20, vec![threw("a", 10_000), threw("b", 15_000)]),
        (9_000, vec![]),
        (50_001, well()),
        (50_100, well()),
        (50_700, well()),
        (50_710, well()),
    ]);
    // After ten minutes nobody needs to be told any more.
    assert_eq!(seen, ["Fa", "Fb Fa", "", "Kc", "Kc", "Kc", ""]);
}

#[test]
fn the_same_application_begun_anew_is_another_start() {
    // In application mode with high availability the id stays.
    let seen = looks(&[(11, vec![threw("a", 10_000)]), (21, vec![threw("a", 20_000)])]);
    assert_eq!(seen, ["Fa", "Fa"]);
    let well = row("a", 30_000, "RUNNING", r#"{"RUNNING":1}"#);
    assert_eq!(looks(&[(21, vec![threw("a", 20_000)]), (31, vec![well])]), ["Fa", "Ka"]);
}

#[test]
fn only_recent_ones_and_not_too_many_are_told() {
    assert_eq!(looks(&[(3_609, vec![threw("a", 10_000)])]), ["Fa"]);
    assert_eq!(looks(&[(3_611, vec![threw("a", 10_000)])]), [""]);
    let mut applications = Applications::default();
    let names = |n: i64| threw(&format!("{n:032x}"), n * 1000).replace("Main", &format!("M{n}"));
    for wave in 0..10 {
        let rows: Vec<String> = (0..500).map(|n| names(wave * 500 + n)).collect();
        let now = wave * 500_000 + 500_000;
        applications.take(of(&rows), Some(now), Ts(now));
        assert_eq!(applications.starts().len(), MAX_STARTS);
        assert_eq!(applications.starts()[0].run.start_time, now - 1000, "the newest first");
        assert!(applications.reasons.len() <= MAX_STARTS);
        assert!(applications.troubles.len() <= MAX_TROUBLES);
    }
}

#[test]
fn without_a_clock_the_newest_word_of_flink_is_now() {
    let mut applications = Applications::default();
    let old = [threw("a", 10_000), threw("b", 10_000_000)];
    applications.take(of(&old), None, Ts(NOW));
    assert_eq!(told(&applications), "Fb");
}

#[test]
fn what_cannot_be_read_is_tried_again_a_few_times() {
    let mut applications = Applications::default();
    for try_no in 0..10 {
        applications.take(of(&[threw("a", 10_000)]), Some(11_000), Ts(11_000 + try_no));
        assert_eq!(applications.starts()[0].failures, Seen::Unknown);
        for run in applications.unexplained() {
            // An answer Flink has cached from before the failure.
            applications.explain(&run, Some(Vec::new()));
        }
    }
    assert_eq!(applications.reasons.values().next().unwrap().tries, TRIES);
}

#[test]
fn a_flink_without_applications_is_not_asked_at_every_poll() {
    let status = |code| HttpError::Status { url: String::new(), code, excerpt: String::new() };
    let mut applications = Applications::default();
    let (now, old) = (Ts(NOW), Some("1.20.5"));
    assert!(applications.asks(old, now));
    applications.refused(&status(500), old, now);
    assert!(applications.asks(old, now), "that says nothing about the version");
    applications.refused(&status(404), old, now);
    assert!(!applications.asks(old, now + Duration::from_mins(59)));
    assert!(applications.asks(old, now + Duration::from_hours(1)), "a proxy may have said it");
    assert!(applications.asks(Some("2.3.0"), now), "another version behind the same address");
    applications.ask_again();
    assert!(applications.asks(old, now), "another JobManager");
    let slow = HttpError::TooLarge { url: String::new(), cap: 1 };
    applications.refused(&slow, old, now);
    assert!(!applications.asks(old, now) && applications.asks(old, now + LEFT_ALONE));
}

#[test]
fn odd_rows_are_no_start_failures() {
    for odd in [
        r#"{"applications":[]}"#,
        r#"{"applications":[{}]}"#,
        r#"{"applications":[{"id":"../jobs","name":"x","status":"FAILED","jobs":{}}]}"#,
        r#"{"applications":[{"id":"a","name":"x","status":"FAILED"}]}"#,
        r#"{"applications":[{"id":"a","name":"x","status":"FAILED","jobs":[]}]}"#,
        r#"{"applications":[{"id":"a","name":"x","status":"FAILING","jobs":{}}]}"#,
        r#"{"applications":[{"id":"a","name":"x","status":"CANCELED","jobs":{}}]}"#,
    ] {
        let mut applications = Applications::default();
        applications.take(listing(odd), Some(NOW), Ts(NOW));
        assert_eq!(told(&applications), "", "{odd}");
    }
}
