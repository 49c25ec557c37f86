//! What the READMEs say is true: every YAML block reads, every command exists, the snippet checks
//! signatures, the metrics are there.

use std::path::Path;
use std::process::Command;

use weir::metrics::METRICS;
use weir::rules::{RuleSet, RuleSource, SHIPPED};
use weir::story::TestFile;

const READMES: [(&str, &str); 2] = [
    ("README.md", include_str!("../../README.md")),
    ("README.zh-CN.md", include_str!("../../README.zh-CN.md")),
];
/// With the number of files somebody is told to write.
const DOCS: [(&str, &str, usize); 3] = [
    ("README.md", READMES[0].1, 9),
    ("README.zh-CN.md", READMES[1].1, 9),
    ("rules/README.md", include_str!("../../rules/README.md"), 5),
];
const MAKEFILE: &str = include_str!("../../Makefile");

/// The fenced blocks in this language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("\n```{language}\n");
    let starts = text.split(fence.as_str()).skip(1);
    starts.map(|rest| rest.split("\n```").next().unwrap()).collect()
}

/// The files a configuration names exist, as they would for somebody who follows the README.
fn write_secrets(dir: &Path, config: &str) {
    for line in config.lines() {
        if let Some((_, name)) = line.split_once("_file: ") {
            let name = name.split(" #").next().unwrap().trim();
            let path = dir.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "https://example.com/a-secret\n").unwrap();
        }
    }
}

/// The YAML blocks with the names they are to be saved under.
fn files(text: &str) -> Vec<(&str, &str)> {
    blocks(text, "yaml")
        .into_iter()
        .map(|block| (block.lines().next().unwrap().strip_prefix("# ").unwrap(), block))
        .collect()
}

/// The rules of a file as somebody would have them who follows the README: beside the shipped ones
/// where it only changes those of others.
fn read_rules(name: &str, text: &str) -> RuleSet {
    let own = RuleSource { file: name, text };
    let mut sources = vec![own];
    if !text.contains("\ngroups:") {
        sources.extend(SHIPPED.iter().map(|(file, text)| RuleSource { file, text }));
    }
    weir::rules::parse(&sources).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"))
}

#[test]
fn every_yaml_block_is_a_valid_configuration_rule_or_test_file() {
    for (readme, text, least) in DOCS {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["rules", "teams/payments", "clusters"] {
            std::fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        for (file, text) in SHIPPED.iter().chain([&("teams/payments/own.yaml", "groups: []")]) {
            std::fs::write(dir.path().join(file), text).unwrap();
        }
        let files = files(text);
        assert!(files.len() >= least, "{readme}");
        for (name, block) in files {
            if name == "weir.yaml" {
                write_secrets(dir.path(), block);
                let file = dir.path().join(name);
                let env = |_: &str| Some("https://weir.example.com/".to_owned());
                weir::config::parse(block, &file.display().to_string(), &env)
                    .unwrap_or_else(|problems| panic!("{readme}: {problems:#?}\n{block}"));
                continue;
            }
            std::fs::write(dir.path().join(name), block).unwrap();
            if Path::new(name).starts_with("clusters") {
                let config = format!(
                    "source_files: [{name}]\nreceivers: [{{ name: me, channels: [console] }}]"
                );
                let file = dir.path().join("weir.yaml");
                let (config, _) =
                    weir::config::parse(&config, &file.display().to_string(), &|_| None)
                        .unwrap_or_else(|problems| panic!("{readme}: {problems:#?}\n{block}"));
                assert!(config.sources.len() > 1, "{readme}: {name}");
                continue;
            }
            assert!(Path::new(name).starts_with("rules"), "{readme}: what is {name}?");
            if !name.ends_with("_test.yaml") {
                read_rules(name, block);
                continue;
            }
            let tests = TestFile::read(name, block).unwrap_or_else(|p| panic!("{readme}: {p:#?}"));
            let [rules] = &tests.rule_files()[..] else { panic!("{readme}: {name}") };
            let text = std::fs::read_to_string(dir.path().join("rules").join(rules)).unwrap();
            let report = tests.run(&read_rules(rules, &text), "").unwrap();
            assert!(matches!(report.counts(), (1.., 0)), "{readme}: {}", report.text(true));
        }
    }
}

#[test]
fn both_languages_say_the_same() {
    let shape = |text: &str| {
        let of = |mark: &str| text.lines().filter(|line| line.starts_with(mark)).count();
        [of("# "), of("## "), of("### "), of("| "), of("```")]
    };
    assert_eq!(shape(READMES[0].1), shape(READMES[1].1));
    for language in ["sh", "python", "text"] {
        let count = |text| blocks(text, language).len();
        assert_eq!(count(READMES[0].1), count(READMES[1].1), "{language}");
    }
}

#[test]
fn every_command_exists() {
    for (readme, text, _) in DOCS {
        for line in blocks(text, "sh").iter().flat_map(|block| block.lines()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["weir", command, rest @ ..] => {
                    // `weir rules check`: what can be said is in the help of the inner one.
                    let inner = rest.first().filter(|_| ["rules", "config"].contains(command));
                    let path: Vec<&str> = [*command].into_iter().chain(inner.copied()).collect();
                    let help = Command::new(env!("CARGO_BIN_EXE_weir"))
                        .args(&path)
                        .arg("--help")
                        .output()
                        .unwrap();
                    let help = String::from_utf8(help.stdout).unwrap();
                    let usage = format!("Usage: weir {}", path.join(" "));
                    assert!(help.contains(&usage), "{readme}: {line}");
                    for option in rest.iter().filter(|word| word.starts_with("--")) {
                        assert!(help.contains(option), "{readme}: {line}: no {option}");
                    }
                }
                ["make", target] => {
                    assert!(MAKEFILE.contains(&format!("\n{target}: ")), "{readme}: {line}");
                }
                ["cargo", "install", ..] => {}
                ["curl", "-X", "POST", url] => {
                    assert_eq!(*url, "http://127.0.0.1:9321/-/reload", "{readme}: {line}");
                }
                _ => panic!("{readme}: who checks {line:?}?"),
            }
        }
    }
}

#[test]
fn every_metric_is_named_and_exists() {
    for (readme, text) in READMES {
        let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
        let named = text.split(word).filter(|part| part.starts_with("weir_"));
        for name in named.filter(|name| *name != "weir_job_") {
            assert!(METRICS.iter().any(|m| m.name == name), "{readme}: {name} is no metric");
        }
        for metric in METRICS {
            assert!(text.contains(&format!("`{}`", metric.name)), "{readme} lacks {}", metric.name);
        }
    }
}

#[test]
fn every_condition_and_shipped_rule_is_named() {
    let sources: Vec<RuleSource<'_>> =
        SHIPPED.iter().map(|(file, text)| RuleSource { file, text }).collect();
    let shipped = weir::rules::parse(&sources).unwrap();
    for (readme, text, _) in DOCS {
        for kind in weir::rules::kinds::Condition::KINDS {
            assert!(text.contains(&format!("`{kind}`")), "{readme} lacks {kind}");
        }
    }
    for (readme, text) in READMES {
        for rule in &shipped.rules {
            assert!(text.contains(&format!("| `{}` |", rule.id.alert)), "{readme}: {}", rule.id);
        }
    }
}

#[test]
fn the_snippet_checks_our_signature() {
    // The signature of this body at this second with this key, as a webhook receives it.
    let header = "t=1700000000,v1=dbf225485a6050dcdd76bf39f33e9bbf2c608ea346b5db374a78057f5e3e8aa8";
    for (readme, text) in READMES {
        let [snippet] = blocks(text, "python")[..] else { panic!("{readme}") };
        let check = format!(
            "{snippet}\n\nheader = '{header}'\n\
             assert verify('hook-secret', header, b'{{}}', now=1700000100)\n\
             assert not verify('hook-secret', header, b'{{}} ', now=1700000100)\n\
             assert not verify('another', header, b'{{}}', now=1700000100)\n\
             assert not verify('hook-secret', header, b'{{}}', now=1700009000)\n"
        );
        let run = Command::new("python3").args(["-c", &check]).output().unwrap();
        assert!(run.status.success(), "{readme}: {}", String::from_utf8_lossy(&run.stderr));
    }
}
