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

fn failed(id: &str, start_time: i64) -> RunId {
    RunId { start_time, job_id: id.into() }
}

#[test]
fn what_failed_before_this_process_began_is_over_too() {
    let look = |applications: &mut Applications, second: i64, rows: &[String]| {
        applications.skip();
        applications.take(of(rows), Some(second * 1000), Ts(second * 1000));
        told(applications)
    };
    let well = |start| [row("b", start, "RUNNING", r#"{"RUNNING":1}"#)];
    let mut applications = Applications::default();
    applications.recall("com.example.Main", &failed("a", 10_000));
    // Flink has forgotten the failure, and the fixed program began a while ago or just now.
    assert_eq!(look(&mut applications, 20_000, &[]), "");
    assert_eq!(look(&mut applications, 20_010, &well(20_009_000)), "Kb");
    assert_eq!(look(&mut applications, 20_609, &well(20_009_000)), "Kb");
    assert_eq!(look(&mut applications, 20_610, &well(20_009_000)), "Kb");
    assert_eq!(look(&mut applications, 20_611, &well(20_009_000)), "");

    // What began before it says nothing, and nothing is told of a name that never failed.
    for (name, start) in [("com.example.Main", 9_000), ("com.example.Other", 20_009_000)] {
        let mut applications = Applications::default();
        applications.recall(name, &failed("a", 10_000));
        assert_eq!(look(&mut applications, 20_010, &well(start)), "", "{name}");
    }
    // It is listed still: it is told as ever, and once.
    let mut applications = Applications::default();
    applications.recall("com.example.Main", &failed("a", 10_000));
    assert_eq!(look(&mut applications, 20, &[threw("a", 10_000)]), "Fa");
}

#[test]
fn of_many_names_none_of_the_last_thousand_is_lost() {
    let mut applications = Applications::default();
    for n in 0..2 * MAX_TROUBLES {
        applications.recall(&format!("M{n}"), &failed("a", 1_000 + i64::try_from(n).unwrap()));
    }
    assert_eq!(applications.troubles.len(), MAX_TROUBLES);
    let rows: Vec<String> = [0, MAX_TROUBLES - 1, MAX_TROUBLES, 2 * MAX_TROUBLES - 1]
        .map(|n| {
            row(&format!("{n:032x}"), 9_000, "RUNNING", r#"{"RUNNING":1}"#)
                .replace("com.example.Main", &format!("M{n}"))
        })
        .into();
    applications.take(of(&rows), Some(9_001), Ts(9_001));
    assert_eq!(told(&applications), format!("K{MAX_TROUBLES:032x} K{:032x}", 2 * MAX_TROUBLES - 1));
}

#[test]
fn a_shared_main_class_is_told_by_two_at_work_at_once() {
    let (hour, running) = (3_600_000, r#"{"RUNNING":1}"#);
    let live = |id: &str, start| row(id, start, "RUNNING", running);
    // An end is 90 ms after the start.
    let over = |id: &str, start| row(id, start, "FINISHED", r#"{"FINISHED":1}"#);
    for (name, rows, is_shared) in [
        ("alone", vec![live("a", 0)], false),
        ("both for long", vec![live("a", 0), live("b", hour)], true),
        ("the other way round", vec![live("b", hour), live("a", 0)], true),
        ("a handover", vec![live("a", 0), live("b", 2 * hour - HANDOVER)], false),
        ("a short one beside it", vec![live("a", 0), over("b", hour)], false),
        ("a short one between", vec![live("a", 0), over("b", 1_000), live("c", hour)], true),
        ("one threw", vec![live("a", 0), threw("b", hour)], false),
        ("other names", vec![live("a", 0), live("b", 0).replace("Main", "Other")], false),
    ] {
        let all: Vec<_> = of(&rows).applications.into_iter().filter_map(read).collect();
        assert_eq!(shared::shared(&all, 2 * hour).count(), usize::from(is_shared), "{name}");
    }
}

const HANDOVER: i64 = 600_000;

#[test]
fn another_program_of_a_shared_main_class_ends_nothing() {
    let live = |id: &str, start: i64| row(id, start * 1000, "RUNNING", r#"{"RUNNING":1}"#);
    let stopped = |id: &str, start: i64, end: i64| {
        row(id, start * 1000, "CANCELED", r#"{"CANCELED":1}"#)
            .replace(&(start * 1000 + 90).to_string(), &(end * 1000).to_string())
    };
    let threw = |start: i64| threw("f", start * 1000);
    // a and b have run side by side; a is stopped, and its next version throws.
    let begun = (900, vec![live("a", 10), live("b", 20)]);
    let fails = (920, vec![stopped("a", 10, 910), live("b", 20), threw(915)]);
    let b_anew = vec![stopped("a", 10, 910), stopped("b", 20, 930), threw(915), live("c", 940)];
    let forgotten = vec![live("c", 940)];
    let mut fixed = b_anew.clone();
    fixed.push(live("d", 6_000));
    let seen = looks(&[begun, fails, (950, b_anew), (5_990, forgotten), (6_010, fixed)]);
    assert_eq!(seen, ["", "Ff", "Ff", "", "Kd"]);
}

#[test]
fn a_failure_that_cannot_be_read_does_not_keep_others_from_being_read() {
    let mut applications = Applications::default();
    let rows: Vec<String> = (0..9).map(|n| threw(&format!("{n}"), 10_000 + n)).collect();
    applications.take(of(&rows), Some(11_000), Ts(11_000));
    let mut asked = Vec::new();
    for _ in 0..3 {
        for run in applications.unexplained().into_iter().take(EXPLAINED_AT_ONCE) {
            applications.explain(&run, None);
            asked.push(run.job_id);
        }
    }
    assert_eq!(asked.join(""), "876543210", "the newest first, each once");
}
