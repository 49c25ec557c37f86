//! Every kind declares the values its judgements carry: annotations are checked against them.

#![expect(clippy::string_slice, reason = "our own source, cut where something was found")]

use std::collections::BTreeSet;

use regex::Regex;

/// The text between the brackets that open at `from`.
fn block(text: &str, from: usize) -> &str {
    let mut depth = 0_usize;
    for (at, c) in text[from..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 && c == '}' {
            return &text[from..from + at];
        }
    }
    panic!("no end: {}", &text[from..]);
}

fn names(text: &str, pattern: &str) -> BTreeSet<String> {
    let pattern = Regex::new(pattern).unwrap();
    pattern.captures_iter(text).map(|c| c[1].to_owned()).collect()
}

fn carried(code: &str) -> BTreeSet<String> {
    let mut found = names(code, r#"evidence\s*\.insert\(\s*"(\w+)""#);
    for (at, _) in code.match_indices("evidence! {") {
        found.extend(names(block(code, at + "evidence! ".len()), r#""(\w+)":"#));
    }
    found
}

fn declared(code: &str) -> BTreeSet<String> {
    let Some(at) = code.find("fn evidence(&self)") else { return BTreeSet::new() };
    let open = at + code[at..].find('{').unwrap();
    names(block(code, open), r#""(\w+)""#)
}

#[test]
fn every_kind_declares_the_values_it_carries() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/rules/kinds");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for path in files.iter().filter(|p| p.extension().is_some_and(|e| e == "rs")) {
        let name = path.file_stem().unwrap().to_str().unwrap();
        if ["mod", "compare", "named", "words", "watch", "testing"].contains(&name)
            || name.contains("tests")
        {
            continue;
        }
        let text = std::fs::read_to_string(path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        let (carried, declared) = (carried(code), declared(code));
        seen += carried.len();
        // Some names depend on parameters, or are put together elsewhere: those may be more.
        if !carried.is_subset(&declared) {
            wrong.push(format!("{name}.rs carries {carried:?}, `fn evidence` says {declared:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 15, "the test does not see what it is for");
}
