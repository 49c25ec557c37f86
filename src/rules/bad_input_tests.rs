//! What is said of rule files with mistakes: `tests/fixtures/bad_rules`, one file per kind of
//! mistake. To accept what is said now, delete the `.expected` file and run the test twice.

#![expect(clippy::disallowed_methods, reason = "reading has to end in bounded time")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::app::read_files;
use crate::config::RuleFile;
use crate::model::Problem;

fn around() -> Surroundings {
    Surroundings { poll: Some(Duration::from_secs(10)), ..Surroundings::default() }
}

/// The verdict and everything that was said, the folder cut off.
fn said(path: &Path) -> (String, Vec<Problem>) {
    let (verdict, mut problems) = match read_files(&[RuleFile::plain(path)], around()) {
        Ok(book) => ("ok", book.set.warnings),
        Err(problems) => ("refused", problems),
    };
    let mut text = format!("{verdict}\n");
    for problem in &mut problems {
        let name = path.file_name().unwrap().to_str().unwrap();
        if problem.file.ends_with(name) {
            name.clone_into(&mut problem.file);
        }
        writeln!(text, "{problem}").unwrap();
    }
    (text, problems)
}

#[test]
fn every_kind_of_mistake_is_told_with_its_place() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bad_rules");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "yaml"));
    files.sort();
    assert!(files.len() >= 35);
    let mut wrong = String::new();
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let started = Instant::now();
        let (text, problems) = said(&path);
        assert!(started.elapsed() < Duration::from_secs(10), "{name} took too long");
        for problem in problems.iter().filter(|p| !p.warning) {
            assert!(problem.line > 0 && problem.column > 0, "{name} without a place: {problem}");
        }
        let longest = text.lines().map(str::len).max().unwrap_or_default();
        assert!(longest < 1_000, "{name}: a line of {longest} bytes");
        let expected = path.with_extension("expected");
        if expected.exists() {
            let before = std::fs::read_to_string(&expected).unwrap();
            if before != text {
                writeln!(wrong, "--- {name} was\n{before}--- is\n{text}").unwrap();
            }
        } else {
            std::fs::write(&expected, &text).unwrap();
            writeln!(wrong, "--- {name} is new\n{text}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// A file of `count` rules, two lines each.
fn many(count: usize) -> String {
    let mut text = "groups:\n  - name: g\n    rules:\n".to_owned();
    for n in 0..count {
        writeln!(text, "      - alert: A{n}\n        when: {{ lag: {{ above: {n} }} }}").unwrap();
    }
    text
}

#[test]
fn files_of_ten_thousand_lines_are_read_in_bounded_time() {
    let started = Instant::now();
    let text = many(5_000);
    let set = parse(&[RuleSource { file: "many.yaml", text: &text }]).unwrap();
    assert_eq!(set.rules.len(), 5_000);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    let text = many(10_001);
    let said = parse(&[RuleSource { file: "many.yaml", text: &text }]).unwrap_err();
    assert!(said[0].to_string().contains("more than 10000 rules"), "{said:?}");
    // Every one of them wrong: told of the first hundred, and not a hundred times as slow.
    let started = Instant::now();
    let text = many(5_000).replace("above", "abov");
    let said = parse(&[RuleSource { file: "many.yaml", text: &text }]).unwrap_err();
    assert!(said.len() <= 200, "{}", said.len());
    assert!(started.elapsed() < Duration::from_mins(1), "{:?}", started.elapsed());
}

/// One change to a text.
#[derive(Debug, Clone)]
enum Mutation {
    Remove(usize, usize),
    Insert(usize, String),
    Swap(usize, usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = 0_usize..20_000;
    let bits = proptest::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        "- ",
        "\n",
        "\t",
        "\"",
        "'",
        "&a ",
        "*a",
        "!x ",
        "%",
        "---\n",
        "|",
        ">",
        "\0",
        "\u{feff}",
        "{{",
        "}}",
        "{{#if ",
        "\\",
        "-1",
        "99999999999999999999",
        "~",
        "null",
        "when: ",
        "any: ",
        "not: ",
        "0s",
        "作业",
        "\r\n",
        "<<: ",
        "? ",
        "#",
        ",",
    ]);
    prop_oneof![
        (at.clone(), 1_usize..40).prop_map(|(at, len)| Mutation::Remove(at, len)),
        (at.clone(), bits).prop_map(|(at, bits)| Mutation::Insert(at, bits.to_owned())),
        (at.clone(), at).prop_map(|(a, b)| Mutation::Swap(a, b)),
    ]
}

fn mutated(text: &str, mutations: &[Mutation]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for one in mutations {
        let len = chars.len().max(1);
        match one {
            Mutation::Remove(at, count) => {
                let at = at % len;
                chars.drain(at..(at + count).min(chars.len()));
            }
            Mutation::Insert(at, bits) => {
                let at = at % len;
                chars.splice(at..at, bits.chars());
            }
            Mutation::Swap(a, b) if !chars.is_empty() => chars.swap(a % len, b % len),
            Mutation::Swap(..) => {}
        }
    }
    chars.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn shipped_files_with_mistakes_never_panic_and_always_give_a_place(
        file in 0..SHIPPED.len(),
        mutations in proptest::collection::vec(mutation(), 1..6),
    ) {
        let text = mutated(SHIPPED[file].1, &mutations);
        let read = parse_in(&[RuleSource { file: "m.yaml", text: &text }], &around());
        for problem in read.err().unwrap_or_default().iter().filter(|p| !p.warning) {
            let lines = u32::try_from(text.lines().count()).unwrap_or(u32::MAX) + 1;
            prop_assert!((1..=lines).contains(&problem.line) && problem.column > 0, "{problem}\n{text}");
        }
    }
}

#[test]
fn schemas_are_fresh() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/schema");
    let schemas = [
        ("config", crate::config::schema()),
        ("rules", schema()),
        ("tests", crate::story::schema()),
    ];
    for (name, now) in schemas {
        let path = root.join(format!("{name}.schema.json"));
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let kept: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        assert!(
            kept == now,
            "rules/schema/{name}.schema.json is stale: run \
             `cargo run -- config schema --{name} > rules/schema/{name}.schema.json`"
        );
    }
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    for path in std::fs::read_dir(rules).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.extension().is_none_or(|e| e != "yaml") {
            continue;
        }
        let schema = if name.ends_with("_test.yaml") { "tests" } else { "rules" };
        let modeline = format!("# yaml-language-server: $schema=schema/{schema}.schema.json\n");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with(&modeline), "{name} does not name its schema: {modeline}");
    }
}
