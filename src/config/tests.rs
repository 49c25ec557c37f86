//! Broken files and what is said about them stand in `tests/fixtures/config`; to accept what is
//! said now, delete the `.expected` file and run the test twice.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::*;
use crate::model::Labels;
use crate::notify::GroupBy;

const FULL: &str = include_str!("../../tests/fixtures/config/full.yaml");
const MINIMAL: &str = include_str!("../../tests/fixtures/config/minimal.yaml");

fn none(_: &str) -> Option<String> {
    None
}

fn said(text: &str, env: Env<'_>) -> Vec<String> {
    let problems = match parse(text, "weir.yaml", env) {
        Ok((_, warnings)) => warnings,
        Err(problems) => problems,
    };
    problems.iter().map(ToString::to_string).collect()
}

fn valid(text: &str) -> Config {
    match parse(text, "weir.yaml", &none) {
        Ok((config, _)) => config,
        Err(problems) => panic!("{problems:#?}"),
    }
}

#[test]
fn broken_files_get_all_their_mistakes_named() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config");
    let env = |name: &str| match name {
        "DB_URL" => Some("sqlite:\"quoted\"\nstore: { url: x }".to_owned()),
        "INTERVAL" => Some("hunter2".to_owned()),
        "SECRET_ZONE" => Some("s3cr3t-zone".to_owned()),
        _ => None,
    };
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "yaml"));
    files.retain(|path| path.file_name().is_some_and(|n| n != "full.yaml"));
    files.sort();
    assert!(files.len() >= 9);
    let mut wrong = String::new();
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let (verdict, problems) = match parse(&text, &name, &env) {
            Ok((_, warnings)) => ("ok", warnings),
            Err(problems) => ("refused", problems),
        };
        let mut said = format!("{verdict}\n");
        for problem in &problems {
            writeln!(said, "{problem}").unwrap();
        }
        for secret in ["hunter2", "s3cr3t", "quoted"] {
            let shown = format!("{said}{problems:?}");
            assert!(!shown.contains(secret), "{name} tells a secret:\n{said}");
        }
        let expected = path.with_extension("expected");
        if expected.exists() {
            let before = std::fs::read_to_string(&expected).unwrap();
            if before != said {
                writeln!(wrong, "--- {name} was\n{before}--- is\n{said}").unwrap();
            }
        } else {
            std::fs::write(&expected, &said).unwrap();
            writeln!(wrong, "--- {name} is new\n{said}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_history_fits_into_its_store_and_is_not_tiny() {
    let read = |text: &str| parse(&format!("{MINIMAL}{text}\n"), "weir.yaml", &|_| None);
    let problems = read("history: { max_size: 15MiB }").unwrap_err();
    assert!(problems[0].to_string().contains("`max_size` of the history is too small"));
    assert!(problems[0].line > 1, "{}", problems[0]);
    let warned = |text: &str| {
        let (_, warnings) = read(text).unwrap();
        warnings.iter().any(|w| w.what.contains("more than half of `store.max_size`"))
    };
    assert!(!warned("history: { max_size: 1GiB }"));
    assert!(warned("history: { max_size: 1025MiB }"));
    assert!(!warned("history: { max_size: 1025MiB, enabled: false }"));
}

#[test]
fn durations_of_channels_have_bounds() {
    let channels = |channel: &str| {
        let receivers = format!("receivers:\n  - name: me\n    channels:\n      - {channel}\n");
        let sources = "sources:\n  - flink: { name: a, urls: [\"http://a:1\"], timeout: 10m }\n";
        said(&format!("{sources}{receivers}"), &none)
    };
    let email = "from: a@b.c, to: [a@b.c], smtp_url: \"smtps://m:465\"";
    for (channel, says) in [
        (
            "webhook: { url: \"http://h\", timeout: 10m }",
            "weir.yaml:6:46: `timeout: 10m` is too long (write at least `100ms` and at most `2m`)",
        ),
        ("command: { argv: [a], timeout: 121s }", "`timeout: 2m1s` is too long"),
        (&format!("email: {{ {email}, timeout: 50ms }}"), "`timeout: 50ms` is too short"),
        ("feishu_bot: { url: \"http://h\", timeout: 1h }", "`timeout: 1h` is too long"),
        (
            "austin: { url: \"http://h\", template: 1, receivers: [a], confirm_within: 5m }",
            "`confirm_within: 5m` is too long (write at least `1s` and at most `2m`)",
        ),
        (
            "alertmanager: { urls: [\"http://h\"], resend_interval: 1h }",
            "`resend_interval: 1h` is too long (write at least `1s` and at most `10m`)",
        ),
        ("slack: { channel: C1, token_file: weir.db, edit_every: 2h }", "`edit_every: 2h` is too"),
    ] {
        let said = channels(channel);
        assert!(said.iter().any(|said| said.contains(says)), "{channel}: {said:#?}");
    }
    for fine in [
        "webhook: { url: \"http://h\", timeout: 2m }",
        "alertmanager: { urls: [\"http://h\"], resend_interval: 10m }",
        "command: { argv: [a], timeout: 100ms }",
    ] {
        let said = channels(fine);
        assert!(said.iter().all(|said| said.contains("warning:")), "{fine}: {said:#?}");
    }
}

#[test]
fn the_least_that_is_needed_is_a_source_and_a_receiver() {
    let config = valid(MINIMAL);
    assert_eq!(config.poll, Poll { interval: Duration::from_secs(10), ..Poll::default() });
    assert_eq!(config.store.url.expose_secret(), "sqlite://weir.db");
    assert_eq!(config.store.max_size, 2 << 30);
    assert_eq!(config.web.listen.to_string(), "127.0.0.1:9321");
    assert_eq!(config.notify.route.receiver, "me");
    assert_eq!(config.notify.route.group_wait, Duration::from_secs(30));
    assert_eq!(config.incidents, crate::incidents::Settings::default());
    assert_eq!(config.receivers[0].channels[0].0.to_string(), "me/console");
    assert_eq!(config.delivery, Delivery::Live);
}

#[test]
fn the_full_example_loads() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["feishu_url", "feishu_secret", "smtp", "hook", "token"] {
        std::fs::write(dir.path().join(name), "https://hooks.example.com/x\n").unwrap();
    }
    std::fs::create_dir_all(dir.path().join("rules")).unwrap();
    std::fs::create_dir(dir.path().join("templates")).unwrap();
    for name in ["b.yaml", "a.yaml", "a.txt"] {
        std::fs::write(dir.path().join("rules").join(name), "").unwrap();
    }
    let path = dir.path().join("weir.yaml");
    std::fs::write(&path, FULL).unwrap();
    let env = |name: &str| (name == "EXTERNAL").then(|| "https://weir.example.com/".to_owned());
    let (config, warnings) = load(&path, &env).unwrap();
    assert_eq!(warnings, []);
    let rules = |name| dir.path().join("rules").join(name);
    assert_eq!(config.rule_files, [rules("a.yaml"), rules("b.yaml")].map(RuleFile::plain));
    assert_eq!(config.notify.external_url.as_deref(), Some("https://weir.example.com"));
    assert_eq!(config.web.tokens[0].access, Access::Operate);
    assert_eq!(config.web.tokens[0].secret.read().unwrap().expose_secret().len(), 27);
    let route = &config.notify.route;
    assert_eq!(route.group_by, GroupBy::Labels(vec!["cluster".to_owned()]));
    let ids: Vec<&str> = route.routes.iter().map(|r| r.id.as_str()).collect();
    assert_eq!(ids, ["0.0", "0.1"]);
    let child = &route.routes[1].routes[0];
    assert_eq!(child.id, "0.1.0");
    assert_eq!(child.receiver, "night");
    assert_eq!(child.group_by, GroupBy::All);
    assert_eq!(child.group_wait, Duration::ZERO);
    assert_eq!(child.group_interval, Duration::from_mins(10));
    assert_eq!(config.incidents.release_after, Duration::from_mins(5));
    assert!(config.notify.receivers["night"].shadow);
    assert_eq!(config.receivers[0].channels.len(), 4);
    assert_eq!(config.heartbeat.as_ref().unwrap().interval, Duration::from_secs(30));

    let mut labels = Labels::from([("job_name", "ro-cn-sync")]);
    config.job_labels.apply(&mut labels);
    let expected = Labels::from([
        ("job_name", "ro-cn-sync"),
        ("team", "ro"),
        ("region", "cn"),
        ("owner", "duyao"),
    ]);
    assert_eq!(labels, expected);
    let mut other = Labels::from([("job_name", "orders")]);
    config.job_labels.apply(&mut other);
    assert_eq!(other, Labels::from([("job_name", "orders")]));
}

#[test]
fn a_variable_stays_one_value() {
    let evil = "x\", urls: [a] } }\n  - flink: { name: \"injected: ${NAME} # *a &b {{";
    let env = |name: &str| match name {
        "NAME" => Some(evil.to_owned()),
        "N" => Some("7".to_owned()),
        _ => None,
    };
    let text = MINIMAL.replace("prod", "\"${NAME}\"") + "storm:\n  incidents: ${N}\n";
    let (config, _) = parse(&text, "weir.yaml", &env).unwrap();
    assert_eq!(config.sources.len(), 1);
    assert_eq!(config.sources[0].name(), evil);
    assert_eq!(config.notify.storm.incidents, 7);
}

#[test]
fn numbers_keep_the_spelling_of_names() {
    let config = valid(&MINIMAL.replace("prod", "0010").replace("name: me", "name: 1.10"));
    assert_eq!(config.sources[0].name(), "0010");
    assert_eq!(config.receivers[0].name, "1.10");
}

#[test]
fn anchors_work_and_bombs_do_not() {
    let config = valid(
        "x: 1\n"
            .replace("x: 1\n", MINIMAL)
            .replace("[\"http://jm:8081\"]", "&u [\"http://jm:8081\"]")
            .as_str(),
    );
    assert_eq!(config.sources.len(), 1);
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..12 {
        let refs = vec![format!("*a{}", i - 1); 10].join(", ");
        writeln!(bomb, "a{i}: &a{i} [{refs}]").unwrap();
    }
    let problems = said(&bomb, &none);
    assert_eq!(problems.len(), 1, "{problems:?}");
    let deep = "[".repeat(100_000);
    assert_eq!(said(&deep, &none).len(), 1);
    let deep: String = (0..5_000).fold(String::new(), |mut text, i| {
        writeln!(text, "{}a:", " ".repeat(i)).unwrap();
        text
    });
    assert_eq!(said(&deep, &none).len(), 1);
    assert!(said(&"#".repeat(5 << 20), &none)[0].contains("larger than 4 MiB"));
}

#[test]
fn a_long_file_with_many_mistakes_is_bounded() {
    let mut text = MINIMAL.to_owned();
    for i in 0..10_000 {
        writeln!(text, "  - {{ name: r{i}, channels: [console], bad{i}: 1 }}").unwrap();
    }
    let problems = said(&text, &none);
    assert_eq!(problems.len(), 100);
    assert!(problems[0].starts_with("weir.yaml:6:38: unknown key `bad0`"), "{}", problems[0]);
    let good = MINIMAL.to_owned()
        + &(0..10_000).fold(String::new(), |mut text, i| {
            writeln!(text, "  - {{ name: r{i}, channels: [console] }}").unwrap();
            text
        })
        + "route: { receiver: me }\n";
    assert_eq!(valid(&good).receivers.len(), 10_001);
}

#[test]
fn maintenance_is_a_command_and_no_section() {
    let text = MINIMAL.to_owned() + "route: { receiver: me }\nmaintenance: { job: orders }\n";
    let problems = said(&text, &none);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("`weir maintenance JOB --for 6h`"), "{problems:?}");
    assert!(!problems[0].contains("not built"), "{problems:?}");
}

#[test]
fn several_matchers_in_one_text_are_several() {
    let routes = |matcher: &str| {
        let text = format!(
            "{MINIMAL}route: {{ receiver: me, routes: [{{ receiver: me, matchers: [{matcher}] }}] }}\n"
        );
        let route = valid(&text).notify.route.routes[0].clone();
        route.matchers.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    for written in ["'team=ads,env=prod'", "'{team=ads, env=prod}'", "team=ads, env=prod"] {
        assert_eq!(routes(written), ["team=ads", "env=prod"], "{written}");
    }
}

#[test]
fn a_token_is_never_wider_than_it_says() {
    let web = "web: { tokens: [{ name: a, token_file: t, matchers: ['env=\"prod\"', 'severity=\"info\"'] }] }\n";
    let problems = said(&(web.to_owned() + MINIMAL + "route: { receiver: me }\n"), &none);
    assert!(problems.iter().any(|p| p.contains("jobs have no label `severity`")), "{problems:?}");
}

/// As `weir run` would refuse it after the next start.
#[test]
fn a_token_that_opens_nothing_or_too_much_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(dir.path().join(name), text).unwrap();
        dir.path().join(name).display().to_string()
    };
    let (good, short, empty) =
        (file("good", "0123456789abcdef\n"), file("short", "x\n"), file("empty", ""));
    let long = "fedcba9876543210";
    for (tokens, expected) in [
        (format!("{{ name: a, token: {long} }}, {{ name: b, token_file: {good} }}"), ""),
        ("{ name: a, token: hunter2 }".to_owned(), "token `a` is shorter than 16 characters"),
        (format!("{{ name: a, token_file: {short} }}"), "token `a` is shorter than 16 characters"),
        (format!("{{ name: a, token_file: {empty} }}"), "token `a` "),
        (
            format!("{{ name: a, token: {long} }}, {{ name: a, token_file: {good} }}"),
            "there are two tokens `a`",
        ),
        (
            format!("{{ name: a, token: {long} }}, {{ name: b, token: {long}, access: operate }}"),
            "tokens `a` and `b` are the same secret",
        ),
    ] {
        let text = format!("{MINIMAL}route: {{ receiver: me }}\nweb: {{ tokens: [{tokens}] }}\n");
        let problems = said(&text, &none);
        let ours: Vec<_> = problems.iter().filter(|p| p.contains(" token")).collect();
        assert_eq!(ours.len(), usize::from(!expected.is_empty()), "{tokens}: {problems:?}");
        assert!(ours.iter().all(|p| p.contains(expected)), "{problems:?}");
        assert!(!format!("{problems:?}").contains("hunter2"), "{problems:?}");
    }
}

#[test]
fn secrets_are_never_shown() {
    let text = r#"
store: { url: "sqlite://hunter2.db" }
web: { tokens: [{ name: a, token: hunter2-hunter2-hunter2 }] }
sources:
  - flink: { name: prod, urls: ["http://jm:8081"] }
heartbeat: { url: "https://h/hunter2" }
receivers:
  - name: me
    channels:
      - webhook: { url: "https://h/hunter2", secret: hunter2 }
      - email: { smtp_url: "smtps://u:hunter2@h", password: hunter2, from: "a@example.com", to: ["b@example.com"] }
"#;
    let (config, warnings) = parse(text, "weir.yaml", &none).unwrap();
    assert!(!format!("{config:?} {warnings:?}").contains("hunter2"));
    for (from, to) in [
        ("secret: hunter2", "secret: [hunter2]"),
        ("password: hunter2", "password: { hunter2: 1 }"),
        ("https://h/hunter2", "hunter2"),
        ("sqlite://", "hunter2://"),
        ("name: a,", "nam: a,"),
    ] {
        let problems = parse(&text.replace(from, to), "weir.yaml", &none).unwrap_err();
        let shown = format!("{problems:?}");
        assert!(!shown.replace("unknown key `hunter2`", "").contains("hunter2"), "{shown}");
    }
}

#[test]
fn watch_needs_no_file() {
    let urls = ["http://jm-1:8081/".to_owned(), "jm-2:8081".to_owned(), "jm-2:8081".to_owned()];
    let config = for_watch(&urls);
    let names: Vec<&str> = config.sources.iter().map(SourceConfig::name).collect();
    assert_eq!(names, ["jm-1:8081", "jm-2:8081"]);
    assert_eq!(config.receivers[0].channels[0].1.kind(), "console");
    assert_eq!(config.notify.receivers["terminal"].channels.len(), 1);
    assert!(config.store.url.expose_secret().starts_with("sqlite://"));
}

#[test]
fn the_schema_names_every_section() {
    let schema = schema();
    let properties = schema["properties"].as_object().unwrap();
    for section in ["store", "web", "sources", "route", "receivers", "heartbeat", "storm"] {
        assert!(properties.contains_key(section), "{section}");
    }
    assert_eq!(schema["additionalProperties"], false);
}

#[test]
fn a_file_that_is_none_is_said_to_be() {
    let dir = tempfile::tempdir().unwrap();
    let problems = load(&dir.path().join("none.yaml"), &none).unwrap_err();
    assert!(problems[0].to_string().contains("cannot read the file"));
    let path = dir.path().join("latin.yaml");
    std::fs::write(&path, b"a: \xff").unwrap();
    assert!(load(&path, &none).unwrap_err()[0].what.contains("UTF-8"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn nothing_makes_it_panic(text in "\\PC{0,200}") {
        let _problems = said(&text, &none);
    }

    #[test]
    fn nor_does_a_damaged_file(at in 0..FULL.len(), len in 0..60_usize, insert in "[ -~\n]{0,12}") {
        let keep = |c: &(usize, char)| c.0 < at || c.0 >= at + len;
        let mut text: String = FULL.char_indices().filter(keep).map(|c| c.1).collect();
        let cut = (0..=at.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        text.insert_str(cut, &insert);
        let problems = said(&text, &none);
        prop_assert!(problems.len() <= 100);
    }
}
