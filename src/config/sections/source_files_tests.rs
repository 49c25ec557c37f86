//! Lists of sources, right and wrong.

use std::path::Path;

use crate::config::{Config, SourceConfig, parse};
use crate::model::Problem;

const REST: &str = "receivers: [{ name: me, channels: [console] }]\n";

fn read(dir: &Path, lists: &str) -> Result<(Config, Vec<Problem>), Vec<Problem>> {
    let text = format!("source_files: [{lists}]\n{REST}");
    let env = |name: &str| (name == "ENV").then(|| "prod".to_owned());
    parse(&text, &dir.join("weir.yaml").display().to_string(), &env)
}

fn shown(config: &Config) -> Vec<String> {
    let one = |source: &SourceConfig| {
        let SourceConfig::Flink(flink) = source else { return source.name().to_owned() };
        let labels: Vec<String> = flink.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
        format!("{} {} {}", flink.name, flink.urls.join(","), labels.join(","))
    };
    config.sources.iter().map(one).collect()
}

#[test]
fn lists_are_sources() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write(
        "a.yaml",
        "- flink: { name: prod, urls: [\"http://jm:1\"], labels: { env: \"${ENV}\" } }\n",
    );
    write(
        "b.json",
        r#"[{"targets": ["h1:8081", "https://h2/x"], "labels": {"team": "ro", "__meta_a": "b"}},
            {"targets": ["j1:1", "j2:1"], "labels": {"cluster": "ha"}}, {"targets": []}]"#,
    );
    let (config, _) = read(dir.path(), "'*.yaml', '*.json'").unwrap_or_else(|p| panic!("{p:?}"));
    let expected = [
        "prod http://jm:1 env=prod",
        "h1:8081 http://h1:8081 team=ro",
        "h2/x https://h2/x team=ro",
        "ha http://j1:1,http://j2:1 ",
    ];
    assert_eq!(shown(&config), expected);

    // One that changes is another source, and the others are the same.
    let before = config.fingerprints;
    assert_eq!(config.source_files.stamp(), config.source_files.read);
    write("b.json", r#"[{"targets": ["h1:8081", "http://h2/x/"], "labels": {"team": "ro"}}]"#);
    assert_ne!(config.source_files.stamp(), config.source_files.read);
    let (config, _) = read(dir.path(), "'*.yaml', '*.json'").unwrap();
    let same = |name: &str| before.same_source(&config.fingerprints, name);
    assert!(same("prod") && same("h1:8081") && !same("h2/x") && !same("ha"));
}

#[test]
fn what_is_wrong_with_a_list_is_named_with_its_file() {
    let cases = [
        (
            "- flink: { name: a, urls: [jm] }",
            "list.yaml:1:28: `urls` is an address without a scheme",
        ),
        ("- flink: { nam: a }", "list.yaml:1:12: unknown key `nam`"),
        ("- { targets: [h], port: 1 }", "list.yaml:1:19: unknown key `port`"),
        ("- { targets: ['http://'] }", "list.yaml:1:15: target `http://` is no address"),
        ("- { targets: [h, h] }", "list.yaml:1:18: two sources are named `h`"),
        ("", "list.yaml:1:1: expected a list of sources"),
        ("{ targets: [h] }", "list.yaml:1:1: expected a list of sources"),
        ("- [", "list.yaml:"),
    ];
    for (text, said) in cases {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("list.yaml"), text).unwrap();
        let problems = read(dir.path(), "list.yaml").unwrap_err();
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let found = lines.iter().any(|line| line.contains(said));
        assert!(found, "{text}: {lines:#?}");
    }
    let dir = tempfile::tempdir().unwrap();
    let problems = read(dir.path(), "none.yaml").unwrap_err();
    assert!(problems[0].to_string().contains("no list of sources matches `none.yaml`"));
    let (config, warnings) = read(dir.path(), "'*.yaml'").unwrap();
    assert!(config.sources.is_empty());
    let warned = warnings.iter().any(|w| w.to_string().contains("no list of sources matches"));
    assert!(warned, "{warnings:?}");
}
