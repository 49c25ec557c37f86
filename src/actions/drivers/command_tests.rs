use std::time::Duration;

use super::*;
use crate::actions::drivers::testing::{config, order, told};

const PATH: &str = "hdfs://nn/ck/orders/3f/chk-42";

/// Starts what this script of the shell does; it gets its arguments from `$1` on.
fn yaml(script: &str, args: &str, more: &str) -> String {
    let script = serde_json::to_string(script).unwrap();
    format!("command: {{ argv: [/bin/sh, -c, {script}, sh{args}]{more} }}")
}

fn built(yaml: &str) -> Arc<dyn Driver> {
    let config = config(yaml);
    assert_eq!(config.problems(), []);
    config.build(&Parts::default()).unwrap()
}

async fn run(script: &str, more: &str) -> Started {
    let yaml = yaml(script, ", '{{checkpoint}}'", more);
    built(&yaml).start(&order(Some(PATH))).await
}

#[tokio::test]
async fn each_value_is_one_argument_whatever_is_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let got = dir.path().join("got");
    let script = format!("printf '%s\\0' \"$@\" > {}", got.display());
    let args = ", run, '{{checkpoint_args}}', 'n={{job_name}}', '{{label.team}}', \
                '{{cluster}}/{{ job_id }}', '{{handle}}'";
    let yaml = yaml(&script, args, ", checkpoint_args: [-s, '{{checkpoint}}']");
    assert!(!config(&yaml).traits().one_program);
    let driver = built(&yaml);
    let name = "or ders'; touch x \"$(id)\"\n`id` * ~ 订单 {{handle}}";
    let mut order = order(Some("s3://b/a b/chk-1"));
    order.job_name = name.to_owned();
    order.labels.set("team", "a d s");
    assert_eq!(driver.start(&order).await, Started::Accepted { job_id: None });
    let read = || {
        let text = std::fs::read_to_string(&got).unwrap();
        text.trim_end_matches('\0').split('\0').map(str::to_owned).collect::<Vec<_>>()
    };
    let (run, handle) = (format!("emr/{}", "cd".repeat(16)), "ab".repeat(16));
    let name = format!("n={name}");
    assert_eq!(read(), ["run", "-s", "s3://b/a b/chk-1", &name, "a d s", &run, &handle]);
    order.from = None;
    assert_eq!(driver.start(&order).await, Started::Accepted { job_id: None });
    assert_eq!(read(), ["run", &name, "a d s", &run, &handle]);
}

#[tokio::test]
async fn only_what_it_is_given_is_in_its_environment() {
    let dir = tempfile::tempdir().unwrap();
    let got = dir.path().join("got");
    let script = format!("env > {}", got.display());
    run(&script, ", env: { HADOOP_CONF_DIR: /etc/hadoop }").await;
    let text = std::fs::read_to_string(&got).unwrap();
    let own = ["PWD", "SHLVL", "_", "OLDPWD"];
    let names = text.lines().filter_map(|line| line.split_once('=').map(|(name, _)| name));
    let mut names: Vec<&str> = names.filter(|name| !own.contains(name)).collect();
    names.sort_unstable();
    let mut expected = vec!["HADOOP_CONF_DIR", "PATH"];
    expected.extend(std::env::var_os("HOME").map(|_| "HOME"));
    expected.push("WEIR_HANDLE");
    expected.sort_unstable();
    assert_eq!(names, expected);
}

#[tokio::test]
async fn what_its_end_means() {
    let id = "0123456789abcdef".repeat(2);
    let submitted = format!("echo 'Job has been submitted with JobID {id}'");
    let some = || Started::Accepted { job_id: Some(id.clone()) };
    assert_eq!(run("exit 0", "").await, Started::Accepted { job_id: None });
    assert_eq!(run(&submitted, "").await, some());
    // Taken, and something went wrong later.
    assert_eq!(run(&format!("{submitted}; exit 1"), "").await, some());
    assert_eq!(run(&format!("{submitted} >&2; exit 75"), "").await, some());
    assert_eq!(run(&format!("{submitted}; kill -9 $$"), "").await, some());
    let late = format!("{submitted}; sleep 60");
    assert_eq!(run(&late, ", timeout: 3s").await, some());
    let half = run("echo 'Job has been submitted with JobID 0123'; exit 1", "").await;
    assert!(matches!(half, Started::Unclear { .. }), "{half:?}");

    let runs = run("echo it runs as application_1_2; exit 3", "").await;
    let seen = "exit code 3: it runs as application_1_2".to_owned();
    assert_eq!(runs, Started::Alive { seen });
    let later = run("echo busy >&2; exit 75", "").await;
    let error = "exit code 75: busy".to_owned();
    assert_eq!(later, Started::Refused { error, unreadable: false });
    let known = run("exit 12", ", refused_exit_codes: [11, 12]").await;
    let error = "exit code 12, without a word".to_owned();
    assert_eq!(known, Started::Refused { error, unreadable: false });
    for (script, word) in [("exit 1", "exit code 1"), ("kill -9 $$", "signal 9"), ("exit 12", "12")]
    {
        let started = run(script, "").await;
        assert!(matches!(&started, Started::Unclear { .. }), "{script}: {started:?}");
        assert!(told(&started).contains(word), "{started:?}");
    }
}

#[tokio::test]
async fn the_cause_is_told_and_a_checkpoint_that_cannot_be_read() {
    let trace = "cat >&2 <<'E'\norg.apache.flink.client.program.ProgramInvocationException: no\n\
                 \tat a.B.c(B.java:1)\nCaused by: java.io.FileNotFoundException: Cannot find meta \
                 data file '_metadata'\n\tat a.B.c(B.java:2)\n\t... 12 more\nE\necho done\n";
    let started = run(&format!("{trace}exit 9"), ", refused_exit_codes: [9]").await;
    let Started::Refused { error, unreadable: true } = &started else { panic!("{started:?}") };
    assert_eq!(
        error,
        "exit code 9: java.io.FileNotFoundException: Cannot find meta data file '_metadata'"
    );
    // Without knowing that nothing was started, it is no reason to take an older one.
    assert!(matches!(run(&format!("{trace}exit 1"), "").await, Started::Unclear { .. }));
    let yaml = yaml(
        &format!("{trace}exit 9"),
        ", '{{checkpoint_args}}'",
        ", checkpoint_args: ['{{checkpoint}}'], refused_exit_codes: [9]",
    );
    let started = built(&yaml).start(&order(None)).await;
    assert!(matches!(started, Started::Refused { unreadable: false, .. }), "{started:?}");
    let plain = run("echo first; echo; echo last; printf '\\tat x\\n\\t... 3 more\\n'; exit 1", "");
    assert_eq!(told(&plain.await), "exit code 1: last");
}

#[tokio::test]
async fn what_it_says_is_bounded_and_without_its_secrets() {
    let script = "head -c 3000000 /dev/zero | tr '\\0' x; head -c 3000000 /dev/zero | tr '\\0' y >&2; \
                  echo; echo \"cannot log in with $TOKEN\" >&2; exit 1";
    let started = run(script, ", env: { TOKEN: hush-hush }").await;
    assert!(matches!(started, Started::Unclear { .. }), "{}", told(&started).len());
    assert!(told(&started).chars().count() <= 301, "{}", told(&started).len());
    let started = run("echo; echo \"no $TOKEN\" >&2; exit 1", ", env: { TOKEN: hush-hush }").await;
    assert_eq!(told(&started), "exit code 1: no …");
    // The line is as long as what is kept, and begins within the secret.
    let cut = "printf %s \"$TOKEN\" >&2; head -c 65530 /dev/zero | tr '\\0' y >&2; exit 1";
    let started = run(cut, ", env: { TOKEN: hush-hush }").await;
    assert!(told(&started).starts_with("exit code 1: yyyy"), "{}", told(&started));
    // The id is the last thing said.
    let id = "ab".repeat(16);
    let long = format!(
        "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo 'Job has been submitted with JobID {id}'"
    );
    assert_eq!(run(&long, "").await, Started::Accepted { job_id: Some(id) });
}

#[tokio::test]
async fn one_that_hangs_is_killed_with_all_it_started() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("child");
    let script = format!("sh -c 'echo $$ > {0}; echo begun; sleep 60' & wait", path.display());
    let started = run(&script, ", timeout: 3s").await;
    assert!(matches!(started, Started::Unclear { .. }), "{started:?}");
    assert_eq!(told(&started), "it took more than 3 s and was killed: begun");
    let id: u32 = std::fs::read_to_string(&path).unwrap().trim().parse().unwrap();
    gone(id).await;
    // Nor is one waited for that was left behind.
    let script = format!("sleep 60 & echo $! > {}", path.display());
    let ended = tokio::time::timeout(Duration::from_secs(20), run(&script, "")).await;
    assert_eq!(ended.unwrap(), Started::Accepted { job_id: None });
    let id: u32 = std::fs::read_to_string(&path).unwrap().trim().parse().unwrap();
    gone(id).await;
}

#[tokio::test]
async fn an_order_that_is_given_up_ends_the_program() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("child");
    let script = format!("sleep 60 & echo $! > {0}.new; mv {0}.new {0}; wait", path.display());
    let running = tokio::spawn(async move { run(&script, "").await });
    until(|| path.exists()).await;
    running.abort();
    let id: u32 = std::fs::read_to_string(&path).unwrap().trim().parse().unwrap();
    gone(id).await;
}

async fn until(mut done: impl FnMut() -> bool) {
    for _ in 0..800 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("it did not happen");
}

/// Until a process is gone, or only waits to be reaped by whoever is its parent now.
async fn gone(id: u32) {
    until(|| {
        std::fs::read_to_string(format!("/proc/{id}/stat"))
            .is_ok_and(|stat| stat.rsplit(')').next().unwrap_or("").trim().starts_with('Z'))
            || !std::path::Path::new(&format!("/proc/{id}")).exists()
    })
    .await;
}

#[tokio::test]
async fn what_an_order_lacks_is_named_and_nothing_is_run() {
    let dir = tempfile::tempdir().unwrap();
    let mark = dir.path().join("ran");
    let script = format!("touch {}", mark.display());
    let with = |args: &str| yaml(&script, &format!(", '{{{{checkpoint}}}}', {args}"), "");
    let bad_name = |name: &str| {
        let mut order = order(Some(PATH));
        order.job_name = name.to_owned();
        order
    };
    for (args, order, word) in [
        ("'{{namespace}}'", order(Some(PATH)), "{{namespace}} of emr/orders is not there"),
        ("'{{label.team}}'", order(Some(PATH)), "{{label.team}} of emr/orders is not there"),
        ("x", order(None), "write it in `checkpoint_args`"),
        ("x", order(Some("-Dexecution.x=y")), "an option"),
        ("'{{job_name}}'", bad_name("-c"), "an option"),
        ("'{{job_name}}.jar'", bad_name("--fromSavepoint"), "an option"),
        ("'/opt/{{job_name}}.jar'", bad_name("../tmp/x"), "another path"),
        ("'/opt/{{job_name}}/job.jar'", bad_name(".."), "another path"),
        ("'{{job_name}}'", bad_name("a\0b"), "zero byte"),
        ("'{{job_name}}'", bad_name(&"x".repeat(200_000)), "too long"),
    ] {
        let started = built(&with(args)).start(&order).await;
        let Started::Refused { error, unreadable: false } = &started else { panic!("{started:?}") };
        assert!(error.contains(word) && error.len() < 300, "{error}");
        assert!(!mark.exists(), "{args}");
    }
    for (args, name) in
        [("'-n={{job_name}}'", "-c"), ("'{{job_name}}'", "a/b"), ("'/opt/{{job_name}}'", "a..b")]
    {
        let started = built(&with(args)).start(&bad_name(name)).await;
        assert!(matches!(started, Started::Accepted { .. }) && mark.exists(), "{started:?}");
    }
}

#[tokio::test]
async fn a_look_decides_by_its_exit_code() {
    let look = |script: &str| {
        let script = serde_json::to_string(script).unwrap();
        let more = format!(", look_up_argv: [/bin/sh, -c, {script}, sh, 'weir-{{{{handle}}}}']");
        built(&yaml("exit 0", ", '{{checkpoint}}'", &more))
    };
    // Orders of other tests are being carried out meanwhile.
    let mark = "0f".repeat(16);
    let order = Order { handle: mark.clone(), ..order(Some(PATH)) };
    let found = look(&format!("test \"$1\" = weir-{mark} || exit 99")).look_up(&order).await;
    assert_eq!(found, LookedUp::Found { job_id: None });
    assert_eq!(look("exit 4").look_up(&order).await, LookedUp::Absent);
    for script in ["exit 1", "exit 2", "kill -9 $$", "exit 75"] {
        let looked = look(script).look_up(&order).await;
        assert!(matches!(looked, LookedUp::Undecided { .. }), "{script}: {looked:?}");
    }
    let without = built(&yaml("exit 0", ", '{{checkpoint}}'", ""));
    assert_eq!(without.look_up(&order).await, LookedUp::Never);
}

/// A Weir that is killed does not take its program with it, which may submit the job at any time.
#[tokio::test]
async fn an_order_that_is_still_being_carried_out_is_not_absent() {
    let more = ", look_up_argv: [/bin/sh, -c, 'exit 4', '{{handle}}']";
    let driver = built(&yaml("exit 0", ", '{{checkpoint}}'", more));
    let mut order = order(Some(PATH));
    order.handle = format!("still-at-it-{}", std::process::id());
    let mut left = std::process::Command::new("/bin/sh")
        .args(["-c", "echo begun; sleep 60 & wait"])
        .env("WEIR_HANDLE", &order.handle)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut begun = [0; 5];
    std::io::Read::read_exact(left.stdout.as_mut().unwrap(), &mut begun).unwrap();
    let looked = driver.look_up(&order).await;
    let LookedUp::Undecided { error } = &looked else { panic!("{looked:?}") };
    assert!(error.contains("still at it"), "{error}");
    let other = Order { handle: "another".to_owned(), ..order.clone() };
    assert_eq!(driver.look_up(&other).await, LookedUp::Absent);
    left.kill().unwrap();
    left.wait().unwrap();
    // What it has started is as good as it.
    let sleeping = program::living_with("WEIR_HANDLE", &order.handle).await.unwrap();
    let id = rustix::process::Pid::from_raw(i32::try_from(sleeping).unwrap()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::KILL).unwrap();
    gone(sleeping).await;
    assert_eq!(driver.look_up(&order).await, LookedUp::Absent);
}

#[tokio::test]
async fn a_program_that_went_away_has_started_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tool");
    std::fs::copy("/bin/true", &path).unwrap();
    let yaml = format!("command: {{ argv: [{}, '{{{{checkpoint}}}}'] }}", path.display());
    let driver = built(&yaml);
    std::fs::remove_file(&path).unwrap();
    let started = driver.start(&order(Some(PATH))).await;
    assert!(matches!(&started, Started::Refused { .. }), "{started:?}");
    assert!(told(&started).contains("cannot be started"), "{started:?}");
    let error = config(&yaml).build(&Parts::default()).err().unwrap();
    assert!(error.0.contains("is not there"), "{error}");
}

#[test]
fn mistakes_are_told_with_the_way_out() {
    let good = "argv: [/bin/true, '{{checkpoint}}']";
    assert!(config(&format!("command: {{ {good} }}")).problems().is_empty());
    for (yaml, word) in [
        (format!("{good}, timeout: 0s"), "`timeout`"),
        (format!("{good}, timeout: 2h"), "`timeout`"),
        (format!("{good}, refused_exit_codes: [0]"), "`refused_exit_codes`"),
        (format!("{good}, env: {{ 'A B': x }}"), "A B"),
        (
            format!("{good}, look_up_argv: ['', '{{{{handle}}}}']"),
            "`look_up_argv` names no program",
        ),
        ("argv: ['', '{{checkpoint}}']".to_owned(), "names no program"),
    ] {
        let problems = config(&format!("command: {{ {yaml} }}")).problems();
        assert!(problems.len() == 1 && problems[0].0.contains(word), "{yaml}: {problems:?}");
    }
    let shown = format!("{:?}", config(&format!("command: {{ {good}, env: {{ A: p4ss }} }}")));
    assert!(!shown.contains("p4ss"), "{shown}");
}

#[test]
fn the_examples_are_as_they_are_written() {
    let text: Vec<&str> = include_str!("command.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("//!"))
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    let text = text.join("\n");
    let blocks: Vec<&str> =
        text.split("```yaml\n").skip(1).filter_map(|part| part.split("```").next()).collect();
    assert_eq!(blocks.len(), 2);
    for block in blocks {
        let read: BTreeMap<String, crate::actions::drivers::DriverConfig> =
            serde_saphyr::from_str(block).unwrap();
        let driver = &read["driver"];
        assert_eq!(driver.problems(), [], "{block}");
        assert!(!driver.traits().one_program, "{block}");
    }
}

#[tokio::test]
async fn its_programs_are_looked_for_and_not_run() {
    let dir = tempfile::tempdir().unwrap();
    let (program, ran) = (dir.path().join("start-it"), dir.path().join("ran"));
    std::fs::write(&program, format!("#!/bin/sh\ntouch {}\n", ran.display())).unwrap();
    let yaml = format!(
        "command: {{ argv: ['{0}', '{{{{checkpoint}}}}'], look_up_argv: [sh, -c, 'exit 4', \
         '{{{{handle}}}}'] }}",
        program.display()
    );
    let driver = built(&yaml);
    let mode = |mode| std::fs::set_permissions(&program, std::fs::Permissions::from_mode(mode));
    mode(0o644).unwrap();
    let found = driver.examine(&[]).await;
    assert!(found[0].as_ref().unwrap_err().ends_with("may not be run (make it executable)"));
    assert!(found[1].as_ref().unwrap().ends_with("/sh is there and may be run"), "{found:?}");
    mode(0o755).unwrap();
    let found = driver.examine(&[]).await;
    assert!(found.iter().all(Result::is_ok), "{found:?}");
    std::fs::remove_file(&program).unwrap();
    let found = driver.examine(&[]).await;
    assert!(found[0].as_ref().unwrap_err().contains("which is not there"), "{found:?}");
    assert!(!ran.exists());
}
