//! Every shipped rule, broken in every way that matters: some story of its file must then fail.

#![expect(clippy::string_slice, reason = "our own files, cut where something was found")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use weir::rules::{RuleSet, RuleSource};
use weir::story::TestFile;

/// Mutations that are tried each time; the milder ones take as long again and are tried, and have
/// to be noticed too, where `WEIR_ALL_MUTATIONS` is set.
const ALWAYS: [&str; 4] = ["gone", "x10", "/10", "severity"];

/// A rule file and its stories.
struct Pack {
    /// The rule file.
    path: PathBuf,
    /// All rule files of its stories: (path, text).
    rules: Vec<(PathBuf, String)>,
    /// One test file per story.
    stories: Vec<(String, TestFile)>,
}

/// Every rule file with a test file beside it.
fn packs() -> Vec<Pack> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let mut found = Vec::new();
    for folder in [root.clone(), root.join("optional")] {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if let Some(name) = name.strip_suffix("_test.yaml") {
                let rules = path.with_file_name(format!("{name}.yaml"));
                if rules.exists() {
                    found.push(pack(&rules, &std::fs::read_to_string(&path).unwrap()));
                }
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn pack(path: &Path, tests: &str) -> Pack {
    let (head, rest) = tests.split_once("\ntests:\n").expect("`tests:` after the head");
    let mut stories: Vec<String> = Vec::new();
    for line in rest.lines() {
        if line.starts_with("  - name:") {
            stories.push(format!("{head}\ntests:\n"));
        }
        if let Some(story) = stories.last_mut() {
            writeln!(story, "{line}").unwrap();
        }
    }
    let read = |text: &String| TestFile::read("story", text).unwrap();
    let folder = path.parent().unwrap();
    let mut rules = BTreeMap::new();
    for file in read(&stories[0]).rule_files() {
        let file = folder.join(file).canonicalize().unwrap();
        rules.insert(file.clone(), std::fs::read_to_string(file).unwrap());
    }
    let path = path.canonicalize().unwrap();
    assert!(rules.contains_key(&path), "{} does not test its own rules", path.display());
    let stories = stories.into_iter().map(|text| (text.clone(), read(&text))).collect();
    Pack { path, rules: rules.into_iter().collect(), stories }
}

impl Pack {
    fn text(&self) -> &str {
        &self.rules.iter().find(|(path, _)| *path == self.path).unwrap().1
    }

    /// The rules with another text of the file; `None` if it is refused.
    fn with(&self, text: &str) -> Option<RuleSet> {
        let names: Vec<String> = self.rules.iter().map(|(p, _)| p.display().to_string()).collect();
        let sources: Vec<RuleSource<'_>> = self
            .rules
            .iter()
            .zip(&names)
            .map(|((path, own), file)| RuleSource {
                file,
                text: if *path == self.path { text } else { own },
            })
            .collect();
        weir::rules::parse(&sources).ok()
    }

    /// Whether some story fails with these rules: those that name the alert first.
    fn notices(&self, rules: &RuleSet, alert: &str) -> bool {
        let names = |text: &str| {
            let word = |c: char| !c.is_alphanumeric();
            text.split(word).any(|word| word == alert)
        };
        let (first, then): (Vec<_>, Vec<_>) = self.stories.iter().partition(|s| names(&s.0));
        first.into_iter().chain(then).any(|(_, story)| match story.run(rules, "") {
            Ok(report) => report.counts().1 > 0,
            Err(_) => true,
        })
    }
}

/// The lines of each rule: (alert, its text as it stands in the file).
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("      - alert: ") {
            found.push((name.trim().to_owned(), String::new()));
        }
        // A comment before the next rule belongs to that one.
        if let Some((_, block)) = found.last_mut().filter(|_| !line.starts_with("      #")) {
            writeln!(block, "{line}").unwrap();
        }
    }
    found.into_iter().map(|(name, block)| (name, block.trim_end().to_owned())).collect()
}

/// Numbers and durations of `when`, `for` and `keep_firing_for`: (start, end, value, unit).
fn numbers(block: &str) -> Vec<(usize, usize, f64, String)> {
    let mut found = Vec::new();
    let mut at = 0;
    let mut ours = false;
    for line in block.split_inclusive('\n') {
        if line.starts_with("        ") && !line.starts_with("         ") {
            let key = line.trim_start().split(':').next().unwrap_or_default();
            ours = matches!(key, "when" | "for" | "keep_firing_for");
        }
        let code = line.split(" #").next().unwrap_or(line);
        if ours && !line.trim_start().starts_with('#') {
            for (colon, _) in code.match_indices(": ") {
                let rest = &code[colon + 2..];
                let end = rest.find([',', ' ', '}', '\n']).unwrap_or(rest.len());
                let word = &rest[..end];
                let digits = word.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '-');
                let (value, unit) = word.split_at(digits.unwrap_or(word.len()));
                let is_unit = matches!(unit, "" | "ms" | "s" | "m" | "h" | "d" | "w");
                if let (Ok(value), true) = (value.parse::<f64>(), is_unit) {
                    let start = at + colon + 2;
                    found.push((start, start + word.len(), value, unit.to_owned()));
                }
            }
        }
        at += line.len();
    }
    found
}

/// A number changed: the finer unit keeps durations whole, counts stay whole.
fn scaled(value: f64, unit: &str, by: f64, whole: bool) -> Option<String> {
    let ms = |factor: f64| format!("{}ms", (value * factor * by).round().max(1.0));
    let text = match unit {
        "ms" => ms(1.0),
        "s" => ms(1e3),
        "m" => ms(6e4),
        "h" => ms(3.6e6),
        "d" => ms(8.64e7),
        "w" => ms(6.048e8),
        // From nothing to one, but never from below nothing to above it.
        _ if whole && value < 0.0 => format!("{}", (value * by).round() + 0.0),
        _ if whole => format!("{}", (value * by).round().max(1.0)),
        _ => format!("{}", value * by),
    };
    (text != format!("{value}")).then_some(text)
}

/// The mutations of a rule: (name, its text then).
fn mutations(block: &str) -> Vec<(String, String)> {
    // The rule is there, but about nobody: its stories may still name it.
    let gone = block.replacen('\n', "\n        matchers: ['source=\"nowhere\"']\n", 1);
    let mut all = vec![("gone".to_owned(), gone)];
    for (now, then) in [("critical", "warning"), ("warning", "info"), ("info", "warning")] {
        let (now, then) = (format!("severity: {now}"), format!("severity: {then}"));
        if block.contains(&now) {
            all.push(("severity".to_owned(), block.replacen(&now, &then, 1)));
        }
    }
    let numbers = numbers(block);
    for (by, name) in [(10.0, "x10"), (0.1, "/10"), (2.0, "x2"), (0.5, "/2")] {
        for (i, (start, end, value, unit)) in numbers.iter().enumerate() {
            let whole = value.fract() == 0.0;
            if let Some(to) = scaled(*value, unit, by, whole) {
                let text = format!("{}{to}{}", &block[..*start], &block[*end..]);
                all.push((format!("{name} of {} ({i})", &block[*start..*end]), text));
            }
        }
    }
    if let Some(line) = block.lines().find(|line| line.starts_with("        when: {")) {
        let inner = line.trim_start().trim_start_matches("when: ");
        let not = format!("        when: {{ not: {inner} }}");
        all.push(("not".to_owned(), block.replacen(line, &not, 1)));
    }
    all
}

#[test]
fn every_mutation_of_a_shipped_rule_fails_a_story() {
    let mut table = String::new();
    let mut unnoticed = Vec::new();
    let all = std::env::var_os("WEIR_ALL_MUTATIONS").is_some();
    for pack in packs() {
        let sound = pack.with(pack.text()).unwrap();
        assert!(!pack.notices(&sound, ""), "{}: fails as it is", pack.path.display());
        for (alert, block) in blocks(pack.text()) {
            let mut cells = Vec::new();
            for (name, broken) in mutations(&block) {
                let word = name.split(' ').next().unwrap_or_default();
                if !all && !ALWAYS.contains(&word) {
                    continue;
                }
                let cell = match pack.with(&pack.text().replacen(&block, &broken, 1)) {
                    None => "refused",
                    Some(rules) if pack.notices(&rules, &alert) => "fails",
                    Some(_) => {
                        unnoticed.push(format!("{alert}: {name}"));
                        "UNNOTICED"
                    }
                };
                cells.push(format!("{name}: {cell}"));
            }
            writeln!(table, "{alert}: {}", cells.join(" | ")).unwrap();
        }
    }
    println!("{table}");
    assert!(unnoticed.is_empty(), "no story fails with:\n{}\n\n{table}", unnoticed.join("\n"));
}
