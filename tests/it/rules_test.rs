//! `weir rules test`: the stories of the shipped rules, and what mistakes and differences look like.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

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
    let folders = ["rules", "rules/optional"].map(|folder| root().join(folder));
    let mut files: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).unwrap())
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
fn the_stories_of_routes_and_stops_hold() {
    let output = test(&["tests/fixtures/rules_test/routing.yaml"]);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", text(&output.stderr));
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
