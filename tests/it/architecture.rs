//! Who may import whom: reads `src/` and holds it against the table of the design.

use std::fs;
use std::path::{Path, PathBuf};

/// A place in the tree, and the parts of the crate it may use. The longest matching place counts.
const TABLE: &[(&str, &[&str])] = &[
    // Nouns.
    ("model", &["model"]),
    ("clock.rs", &["model"]),
    ("yaml", &["model", "yaml"]),
    // Decisions: pure and synchronous, each knows only what comes before it.
    ("tracker", &["model"]),
    ("rules", &["model", "tracker", "yaml"]),
    ("incidents", &["model", "tracker", "rules"]),
    ("notify", &["model", "incidents"]),
    ("actions", &["model", "tracker", "incidents", "actions"]),
    // How inputs are written down.
    ("journal", &["model", "journal"]),
    ("engine/step.rs", &["model", "tracker", "rules", "incidents", "notify", "actions", "engine"]),
    ("engine/restart.rs", &["model", "tracker", "incidents", "actions", "engine"]),
    ("engine/by_hand.rs", &["model", "incidents", "actions", "engine"]),
    ("engine/checkpoints.rs", &["model", "tracker", "engine"]),
    ("engine/reload.rs", &["model", "tracker", "rules", "incidents", "notify", "engine"]),
    ("engine/command.rs", &["model", "incidents", "engine"]),
    ("engine/taken.rs", &["model"]),
    ("engine/silence.rs", &["model", "incidents", "engine"]),
    ("engine/inbound.rs", &["model", "incidents", "engine"]),
    ("engine/schedule.rs", &["model", "engine"]),
    ("engine/own.rs", &["model", "tracker", "incidents", "notify"]),
    ("engine/picture.rs", &["model", "tracker", "rules", "incidents", "notify", "engine"]),
    ("engine/view.rs", &["model"]),
    ("engine/explain.rs", &["model", "tracker", "rules", "incidents", "engine"]),
    ("engine/find.rs", &["model", "yaml"]),
    ("engine/routes.rs", &["model", "notify", "engine"]),
    ("engine/why.rs", &["model", "rules", "notify", "engine"]),
    ("engine/mod.rs", &["engine"]),
    // Edges: never each other.
    ("http", &["clock", "model", "http"]),
    ("program", &["program"]),
    ("sources", &["clock", "model", "http", "sources"]),
    ("notify/render", &["model", "notify"]),
    ("notify/channels", &["clock", "model", "http", "program", "notify"]),
    ("actions/drivers", &["clock", "model", "http", "program", "actions"]),
    ("actions/stores", &["clock", "model", "http", "actions"]),
    ("store", &["model", "store"]),
    // What components declare beside themselves, read from files.
    (
        "config",
        &[
            "actions",
            "model",
            "yaml",
            "config",
            "incidents",
            "notify",
            "http",
            "sources",
            "rules",
            "web",
        ],
    ),
    // Shell.
    ("engine/guard.rs", &["notify"]),
    ("engine/commander.rs", &["model"]),
    ("engine/ask.rs", &["clock", "model", "engine"]),
    ("engine/errands.rs", &["clock", "model", "actions"]),
    ("engine/run.rs", &["clock", "model", "notify", "actions", "store", "engine", "journal"]),
    ("engine/record.rs", &["model", "engine", "journal"]),
    ("replay", &["model", "journal", "rules", "notify", "engine", "store", "replay"]),
    ("metrics", &["model", "engine", "store"]),
    (
        "web",
        &[
            "clock", "model", "tracker", "rules", "engine", "store", "metrics", "web", "notify",
            "journal",
        ],
    ),
    ("story", &["actions", "model", "yaml", "config", "engine", "notify", "rules", "story"]),
    // Root.
    ("app", ROOT),
    ("cli", ROOT),
    ("lifecycle.rs", &[]),
    ("lib.rs", ROOT),
    ("main.rs", &["cli"]),
];

const ROOT: &[&str] = &[
    "actions",
    "app",
    "cli",
    "clock",
    "config",
    "engine",
    "http",
    "incidents",
    "journal",
    "lifecycle",
    "metrics",
    "model",
    "notify",
    "program",
    "replay",
    "rules",
    "sources",
    "store",
    "story",
    "tracker",
    "web",
];

/// Crates a decision never touches: their use is I/O, or hides time or chance.
const NOT_FOR_DECISIONS: &[&str] =
    &["tokio", "reqwest", "sqlx", "governor", "tracing", "axum", "lettre", "std::fs", "std::net"];

const DECISIONS: &[&str] = &[
    "model",
    "tracker",
    "rules",
    "incidents",
    "actions",
    "journal",
    "engine/step.rs",
    "engine/reload.rs",
    "engine/own.rs",
    "engine/picture.rs",
    "engine/view.rs",
    "engine/explain.rs",
    "engine/find.rs",
    "engine/command.rs",
    "engine/taken.rs",
    "engine/routes.rs",
    "engine/why.rs",
    "engine/silence.rs",
    "engine/inbound.rs",
    "engine/schedule.rs",
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The code of a file: without comments, and without the tests at its end.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().take_while(|line| line.trim() != "#[cfg(test)]");
    let code = lines.enumerate().map(|(n, line)| (n + 1, line));
    code.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// The crate's own modules a line of code names.
fn named(line: &str) -> Vec<String> {
    let module = |rest: &str| {
        rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>()
    };
    line.split("crate::").skip(1).map(module).collect()
}

fn is_under(file: &str, place: &str) -> bool {
    file == place || file.starts_with(&format!("{place}/")) || file == format!("{place}.rs")
}

#[test]
fn imports_follow_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut wrong = Vec::new();
    for path in files {
        let file = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        // Tests may use anything.
        if file.contains("test") || file.contains("contract") || file.ends_with("probe.rs") {
            continue;
        }
        let place = TABLE
            .iter()
            .filter(|(place, _)| is_under(&file, place))
            .max_by_key(|(place, _)| place.len());
        let Some((place, allowed)) = place else {
            wrong.push(format!("src/{file} stands in no row of the table"));
            continue;
        };
        let own = place.split('/').next().unwrap().trim_end_matches(".rs");
        let text = fs::read_to_string(&path).unwrap();
        for (number, line) in code(&text) {
            for module in named(line) {
                let is_module = ROOT.contains(&module.as_str());
                if is_module && module != own && !allowed.contains(&module.as_str()) {
                    wrong.push(format!("src/{file}:{number} uses crate::{module}"));
                }
            }
            let decides = DECISIONS.iter().any(|decision| is_under(&file, decision));
            let is_edge = ["actions/drivers", "actions/stores"].iter().any(|e| is_under(&file, e));
            if decides && !is_edge {
                for banned in NOT_FOR_DECISIONS {
                    if line.contains(&format!("{banned}::")) {
                        wrong.push(format!(
                            "src/{file}:{number} uses {banned}, a decision must not"
                        ));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "imports against the design:\n{}", wrong.join("\n"));
}

#[test]
fn the_test_sees_what_it_is_for() {
    assert_eq!(named("use crate::store::Store;"), ["store"]);
    assert_eq!(named("let x = crate::http::get(crate::model::Ts(1));"), ["http", "model"]);
    let text = "use crate::a;\n// crate::b\n#[cfg(test)]\nuse crate::c;";
    assert_eq!(code(text).count(), 1);
}
