//! `weir rules test`: the stories of the shipped rules, what mistakes and differences look like,
//! and that a story fails when its rule is broken.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use weir::rules::RuleSource;
use weir::story;

const RULES: &str = include_str!("../../rules/jobs.yaml");
const STORIES: &str = include_str!("../../rules/jobs_test.yaml");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn test(args: &[&str]) -> Output {
    let mut command = Command::new(crate::binary());
    command.current_dir(root()).args(["rules", "test"]).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Compares with a file beside the input; `WEIR_UPDATE_GOLDEN=1` writes it.
fn golden(name: &str, came: &str) {
    let path = root().join("tests/fixtures/rules_test").join(name);
    if std::env::var_os("WEIR_UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, came).unwrap();
    }
    assert_eq!(came, std::fs::read_to_string(&path).unwrap(), "{}", path.display());
}

#[test]
fn the_stories_of_the_shipped_rules_hold() {
    let mut files: Vec<PathBuf> = std::fs::read_dir(root().join("rules"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with("_test.yaml"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    let names: Vec<&str> = files.iter().map(|f| f.to_str().unwrap()).collect();
    let output = test(&names);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", text(&output.stderr));
    assert!(said.trim_end().ends_with(" passed, 0 failed"), "{said}");
}

#[test]
fn every_mistake_is_told_at_once() {
    let output = test(&["tests/fixtures/rules_test/mistakes.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    golden("mistakes.expected", &text(&output.stderr));
    // What reads well and makes no sense.
    let output = test(&["tests/fixtures/rules_test/slips.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    golden("slips.expected", &text(&output.stderr));
}

#[test]
fn what_differs_is_shown_with_its_place_and_time() {
    let output = test(&["tests/fixtures/rules_test/differs.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    golden("differs.expected", &text(&output.stdout));
}

#[test]
fn programs_and_the_curious_are_served_too() {
    let file = "tests/fixtures/rules_test/differs.yaml";
    let output = test(&["--output", "json", "--run", "passes", file]);
    assert!(output.status.success());
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["passed"], &json["failed"]), (&1.into(), &0.into()));
    assert_eq!(json["files"][0]["tests"][0]["name"], "passes");
    let verbose = text(&test(&["-v", "--run", "passes", file]).stdout);
    for sign in ["4m        alert    firing   Behind", "4m30s     message  to team", "open     #1"]
    {
        assert!(verbose.contains(sign), "{sign} not in:\n{verbose}");
    }
    let none = test(&["--run", "no such test", file]);
    assert_eq!(none.status.code(), Some(1));
}

/// Each rule broken once: its stories must not hold any more.
#[test]
fn a_broken_rule_fails_its_stories() {
    let stories = story::TestFile::read("jobs_test.yaml", STORIES).unwrap();
    let failed = |rules: &str, filter: &str| {
        let rules = weir::rules::parse(&[RuleSource { file: "jobs.yaml", text: rules }]).unwrap();
        stories.run(&rules, filter).unwrap().counts()
    };
    for (right, wrong, filter) in [
        ("any_of: [FAILED]", "any_of: [FAILED, FINISHED]", "did not fail"),
        ("count: 3, window: 30m", "count: 4, window: 30m", "third failure"),
        ("count: 3, window: 30m", "count: 3, window: 35m", "too far apart"),
        ("count: 6, window: 24h", "count: 7, window: 24h", "slow loop"),
        ("count: 6, window: 24h", "count: 6, window: 26h", "slow loop"),
        ("when: { taskmanagers_lost: {} }", "when: { duplicate_job: {} }", "lost TaskManager"),
        ("RESTARTING, RECONCILING", "RECONCILING", "five minutes"),
        ("            - tasks_not_running: {}\n", "", "five minutes"),
        ("for: 5m", "for: 4m", "five minutes"),
        ("for: 1m", "for: 2m", "complete listing"),
        (
            "when: { job_missing: {} }",
            "when: { job_state: { any_of: [UNKNOWN] } }",
            "complete listing",
        ),
        ("for: 30s", "for: 10s", "no duplicate"),
        ("severity: critical", "severity: warning", "gives up"),
    ] {
        assert!(RULES.contains(right), "{right}");
        let broken = RULES.replacen(right, wrong, 1);
        assert!(failed(&broken, filter).1 > 0, "`{wrong}` went unnoticed");
    }
}
