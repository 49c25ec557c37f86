use std::time::Duration;

use serde_json::{Value, json};

use super::check_exists;
use crate::model::SendOutcome;
use crate::notify::Language;
use crate::notify::channels::ChannelConfig;
use crate::notify::channels::testing::{build, good, hostile_views, message, now};

async fn run(script: &str, more: Value) -> SendOutcome {
    let mut config = json!({"argv": ["/bin/sh", "-c", script]});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let (channel, _) = build(json!({ "command": config }));
    let (_, view) = good(Language::En).swap_remove(0);
    let message = message(channel.composer().compose(&view).frozen);
    channel.send(&message, "k3p9-7", now()).await
}

fn said(outcome: &SendOutcome) -> &str {
    match outcome {
        SendOutcome::Delivered | SendOutcome::Accepted { .. } => "delivered",
        SendOutcome::Retry { error, .. }
        | SendOutcome::Rejected { error }
        | SendOutcome::Gone { error } => error,
    }
}

#[tokio::test]
async fn the_program_gets_the_message_and_what_scripts_need() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("got");
    let script = format!("cat > {0}; env >> {0}", path.display());
    let outcome = run(&script, json!({"env": {"GATEWAY": "https://g"}})).await;
    assert_eq!(outcome, SendOutcome::Delivered);
    let got = std::fs::read_to_string(&path).unwrap();
    let end = got.rfind('}').unwrap();
    let body: Value = serde_json::from_str(got.get(..=end).unwrap()).unwrap();
    assert_eq!(body["version"], "4");
    assert_eq!(body["weir"]["key"], "k3p9-7");
    let mut names: Vec<&str> = got
        .get(end + 1..)
        .unwrap()
        .lines()
        .filter_map(|line| line.split_once('=').map(|(name, _)| name))
        // The shell's own.
        .filter(|name| !["PWD", "SHLVL", "_", "OLDPWD"].contains(name))
        .collect();
    names.sort_unstable();
    let mut expected = vec!["GATEWAY", "PATH"];
    expected.extend(std::env::var_os("HOME").map(|_| "HOME"));
    expected.extend(["WEIR_ATTEMPT", "WEIR_KEY", "WEIR_KIND", "WEIR_SEVERITY", "WEIR_STATUS"]);
    expected.push("WEIR_TITLE");
    expected.sort_unstable();
    assert_eq!(names, expected);
    for line in ["WEIR_STATUS=firing", "WEIR_SEVERITY=critical", "WEIR_KEY=k3p9-7"] {
        assert!(got.contains(line), "{line}: {got}");
    }
}

#[tokio::test]
async fn the_exit_code_decides() {
    assert_eq!(run("exit 0", json!({})).await, SendOutcome::Delivered);
    let later = run("echo busy >&2; echo later >&2; exit 75", json!({})).await;
    let busy = "exit code 75: busy".to_owned();
    assert_eq!(later, SendOutcome::Retry { after_ms: None, error: busy });
    let refused = run("printf '\\n\\033[31mno such number\\a\\n' >&2; exit 3", json!({})).await;
    let SendOutcome::Rejected { error } = &refused else { panic!("{refused:?}") };
    assert!(error.starts_with("exit code 3:") && error.contains("no such number"), "{error}");
    assert!(!error.chars().any(char::is_control), "{error:?}");
    let mute = run("exit 1", json!({})).await;
    assert!(said(&mute).contains("without a word"), "{mute:?}");
    let killed = run("kill -9 $$", json!({})).await;
    assert!(matches!(&killed, SendOutcome::Retry { .. }), "{killed:?}");
}

#[tokio::test]
async fn secrets_it_repeats_are_not_told() {
    let script = "echo \"cannot log in with $TOKEN\" >&2; exit 1";
    let outcome = run(script, json!({"env": {"TOKEN": "hush-hush"}})).await;
    assert_eq!(said(&outcome), "exit code 1: cannot log in with …");
}

#[tokio::test]
async fn what_it_says_is_bounded_and_does_not_block_it() {
    // More than a pipe holds, on both outputs, and no line break.
    let script = "head -c 1000000 /dev/zero | tr '\\0' x >&2; head -c 1000000 /dev/zero; exit 1";
    let outcome = run(script, json!({})).await;
    assert!(said(&outcome).starts_with("exit code 1: xxx"), "{}", said(&outcome).len());
    assert!(said(&outcome).len() < 400, "{}", said(&outcome).len());
}

#[tokio::test]
async fn a_program_that_hangs_is_killed_with_all_it_started() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("child");
    // The child of its child writes its id, and would write that it lived on.
    let script =
        format!("sh -c 'echo $$ > {0}; sleep 60; echo alive >> {0}' & wait", path.display());
    let outcome = run(&script, json!({"timeout": "1s"})).await;
    assert!(said(&outcome).contains("took more than 1 s"), "{outcome:?}");
    let id: u32 = std::fs::read_to_string(&path).unwrap().trim().parse().unwrap();
    gone(id).await;
}

#[tokio::test]
async fn programs_that_hang_stall_no_other_channel() {
    let dir = tempfile::tempdir().unwrap();
    let mut hanging = tokio::task::JoinSet::new();
    let began = |n: i32| dir.path().join(n.to_string());
    for n in 0..6 {
        let script = format!("echo > {}; sleep 60", began(n).display());
        hanging.spawn(async move { run(&script, json!({})).await });
    }
    // As many as once were all that ran at a time.
    until(|| (0..4).all(|n| began(n).exists())).await;
    let works = tokio::time::timeout(Duration::from_secs(20), run("exit 0", json!({}))).await;
    assert_eq!(works.unwrap(), SendOutcome::Delivered);
    assert!(hanging.try_join_next().is_none(), "they still hang");
}

async fn until(mut done: impl FnMut() -> bool) {
    for _ in 0..400 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("it did not happen");
}

#[tokio::test]
async fn what_it_leaves_running_is_killed_too_and_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("child");
    let script = format!("sleep 60 & echo $! > {}", path.display());
    let outcome = tokio::time::timeout(Duration::from_secs(20), run(&script, json!({}))).await;
    assert_eq!(outcome.unwrap(), SendOutcome::Delivered);
    let id: u32 = std::fs::read_to_string(&path).unwrap().trim().parse().unwrap();
    gone(id).await;
}

/// Until a process is gone, or only waits to be reaped by whoever is its parent now.
async fn gone(id: u32) {
    let alive = || {
        std::fs::read_to_string(format!("/proc/{id}/stat"))
            .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or("").trim().starts_with('Z'))
    };
    for _ in 0..200 {
        if !alive() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("process {id} lives on");
}

#[tokio::test]
async fn one_that_does_not_read_and_a_message_larger_than_a_pipe() {
    let (channel, _) = build(json!({"command": {"argv": ["/bin/true"]}}));
    for view in hostile_views().into_iter().rev().take(3) {
        let message = message(channel.composer().compose(&view).frozen);
        assert_eq!(channel.send(&message, "k", now()).await, SendOutcome::Delivered);
    }
}

#[tokio::test]
async fn a_program_that_went_away_is_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tool");
    std::fs::copy("/bin/true", &path).unwrap();
    let (channel, _) = build(json!({"command": {"argv": [path]}}));
    std::fs::remove_file(&path).unwrap();
    let (_, view) = good(Language::En).swap_remove(0);
    let message = message(channel.composer().compose(&view).frozen);
    let outcome = channel.send(&message, "k", now()).await;
    assert!(matches!(&outcome, SendOutcome::Retry { .. }), "{outcome:?}");
}

#[test]
fn mistakes_are_named() {
    let endpoint = |value: Value| {
        let config: ChannelConfig = serde_json::from_value(json!({ "command": value })).unwrap();
        config.endpoint().map_err(|e| e.0)
    };
    for (value, word) in [
        (json!({"argv": []}), "no program"),
        (json!({"argv": [""]}), "no program"),
        (json!({"argv": ["a\u{0}b"]}), "zero byte"),
        (json!({"argv": ["a"], "env": {"A B": "x"}}), "A B"),
    ] {
        let error = endpoint(value).unwrap_err();
        assert!(error.contains(word), "{error}");
    }
    endpoint(json!({"argv": ["notify", "--now"]})).unwrap();
    check_exists("/bin/sh", None).unwrap();
    check_exists("sh", Some("/nowhere:/bin".as_ref())).unwrap();
    let error = check_exists("no-such-program", Some("/bin".as_ref())).unwrap_err().0;
    assert!(error.contains("no-such-program"), "{error}");
}
