//! `rules/README.md` tells every condition with every parameter, and every key of test files. It is
//! written from the doc comments (by way of the JSON schemas) and compared here, so that it cannot
//! go stale. `WEIR_UPDATE_GOLDEN=1` writes it.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Map, Value};
use weir::rules::kinds::{Condition, Scope};
use weir::rules::{RuleSet, RuleSource};

/// A condition of each kind, as somebody would write it.
const EXAMPLES: &[(&str, &str)] = &[
    ("job_state", "{ any_of: [RESTARTING, FAILING] }"),
    ("job_missing", "{}"),
    ("job_finished", "{ unknown_is: batch }"),
    ("job_absent", "{}"),
    ("job_outside_hours", "{}"),
    ("start_failed", "{}"),
    ("start_stuck", "{ after: 15m }"),
    ("crash_loop", "{ window: 30m }"),
    ("failure_rate", "{ count: 3, window: 30m, class: \"*TimeoutException\" }"),
    ("checkpoint_age", "{ above: 10m, intervals: 3 }"),
    ("checkpoint_failures", "{ count: 3 }"),
    ("checkpoint_stuck", "{ after: 2m, of_timeout: 0.5 }"),
    ("checkpointing_disabled", "{}"),
    ("restored_from_scratch", "{ within: 2h }"),
    ("lag", "{ above: 50000, growing_for: 10m, catch_up_above: 30m }"),
    ("consumer_stuck", "{ window: 15m }"),
    ("throughput_drop", "{ compare_to: same_time_yesterday, by: 0.7 }"),
    ("throughput_stalled", "{ compare_to: previous_hour }"),
    (
        "metric",
        "{ scope: taskmanager, id: Status.JVM.Memory.Heap.Used, of: Status.JVM.Memory.Heap.Max, \
         above: 0.9, window: 10m, over_window: min }",
    ),
    ("source_unreachable", "{}"),
    ("flink_cluster_unreachable", "{}"),
    ("duplicate_job", "{}"),
    ("inventory_drift", "{ any_of: [says_running_but_dead] }"),
    ("tasks_not_running", "{}"),
    ("taskmanagers_lost", "{}"),
    ("jobmanager_restarted", "{ within: 30m }"),
    ("all", "[{ lag: { above: 50000 } }, { not: { tasks_not_running: {} } }]"),
    ("any", "[{ lag: { above: 50000 } }, { checkpoint_age: { above: 30m } }]"),
    ("not", "{ job_state: { any_of: [RUNNING] } }"),
];

/// Defaults that say what a parameter does when left out, and are no value of its own.
const NOT_WRITTEN: [&str; 1] = ["lag.catch_up_over"];

fn path() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/README.md")
}

fn parsed(when: &str) -> RuleSet {
    let text = format!("groups: [{{ name: g, rules: [{{ alert: A, when: {{ {when} }} }}] }}]");
    weir::rules::parse(&[RuleSource { file: "example", text: &text }])
        .unwrap_or_else(|problems| panic!("{when}: {problems:#?}"))
}

fn condition(kind: &str, parameters: &str) -> Condition {
    parsed(&format!("{kind}: {parameters}")).rules.remove(0).when
}

fn resolve<'s>(schema: &'s Value, root: &'s Value) -> &'s Value {
    let pointer = schema["$ref"].as_str().and_then(|r| r.strip_prefix('#'));
    pointer.and_then(|p| root.pointer(p)).unwrap_or(schema)
}

/// A paragraph of a doc comment on one line; paragraphs stay apart by `between`.
fn words(schema: &Value, between: &str) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    let paragraphs = text.split("\n\n").map(|p| p.split_whitespace().collect::<Vec<_>>().join(" "));
    paragraphs.collect::<Vec<_>>().join(between)
}

/// For a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// What may be written there.
fn value(schema: &Value, root: &Value) -> String {
    let own = resolve(schema, root);
    let names = |list: &Value| -> Vec<String> {
        let list = list.as_array().into_iter().flatten();
        list.filter_map(Value::as_str).filter(|n| *n != "null").map(str::to_owned).collect()
    };
    if let Some(variants) = own["anyOf"].as_array() {
        let real = variants.iter().filter(|v| v["type"] != "null");
        let all: Vec<String> = real.map(|v| value(v, root)).collect();
        return match schema["$ref"].as_str() {
            Some(name) if name.ends_with("/Amount") => "number or duration".to_owned(),
            _ => all.join(" or "),
        };
    }
    if own["items"].is_object() && own["type"] == "array" {
        return format!("list of {}", value(&own["items"], root));
    }
    if let Some(variants) = own["oneOf"].as_array() {
        let of = variants.iter().filter_map(|v| v["const"].as_str());
        let all: Vec<String> = of.map(|word| format!("`{word}`")).collect();
        return if all.is_empty() { "condition".to_owned() } else { all.join(", ") };
    }
    if own["enum"].is_array() {
        let all: Vec<String> = names(&own["enum"]).iter().map(|n| format!("`{n}`")).collect();
        return all.join(", ");
    }
    let of_name = schema["$ref"].as_str().and_then(|r| r.rsplit('/').next()).unwrap_or_default();
    match of_name {
        "Duration" | "Span" => return "duration".to_owned(),
        "Moment" => return "time".to_owned(),
        "Spans" => return "span of time, or several".to_owned(),
        "Timeline" => return "timeline".to_owned(),
        "RawEnd" => return "time or `never`".to_owned(),
        "Texts" => return "text or list of texts".to_owned(),
        _ => {}
    }
    let types = own["type"].as_str().map_or_else(|| names(&own["type"]), |t| vec![t.to_owned()]);
    match types.first().map(String::as_str) {
        Some("string") => "text".to_owned(),
        Some("integer") => "whole number".to_owned(),
        Some("number") => "number".to_owned(),
        Some("boolean") => "`true`, `false`".to_owned(),
        Some("object") if PARTS.contains(&of_name) => format!("[{0}](#{0})", heading(of_name)),
        _ => "mapping".to_owned(),
    }
}

/// `RawCheckpoints` as `checkpoints`.
fn heading(name: &str) -> String {
    name.trim_start_matches("Raw")
        .trim_start_matches("Full")
        .trim_end_matches("Config")
        .to_lowercase()
}

fn properties(schema: &Value) -> Map<String, Value> {
    schema["properties"].as_object().cloned().unwrap_or_default()
}

fn is_required(schema: &Value, name: &str) -> bool {
    schema["required"].as_array().into_iter().flatten().any(|r| r == name)
}

fn table(out: &mut String, schema: &Value, root: &Value, first: &str) {
    writeln!(out, "| {first} | value | meaning |\n| --- | --- | --- |").unwrap();
    for (name, property) in properties(schema) {
        let needed = if is_required(schema, &name) { ", required" } else { "" };
        let (value, words) = (cell(&value(&property, root)), cell(&words(&property, " ")));
        writeln!(out, "| `{name}` | {value}{needed} | {words} |").unwrap();
    }
}

/// Schemas of all kinds in their order.
fn kinds() -> Vec<(&'static str, Value, Value)> {
    let root = weir::rules::schema();
    let variants = root["$defs"]["Condition"]["oneOf"].as_array().unwrap();
    let of = |kind: &str| {
        let variant = variants.iter().find(|v| v["properties"][kind].is_object());
        let variant = variant.unwrap_or_else(|| panic!("{kind} is not in the schema"));
        resolve(&variant["properties"][kind], &root).clone()
    };
    Condition::KINDS.iter().map(|kind| (*kind, of(kind), root.clone())).collect()
}

fn conditions() -> String {
    let mut out = String::new();
    for (kind, schema, root) in kinds() {
        let example = EXAMPLES.iter().find(|(name, _)| *name == kind);
        let (_, example) = example.unwrap_or_else(|| panic!("{kind} has no example"));
        let rule = condition(kind, example);
        writeln!(out, "### `{kind}`\n\n{}\n", words(&schema, "\n\n")).unwrap();
        if !properties(&schema).is_empty() {
            table(&mut out, &schema, &root, "parameter");
            out.push('\n');
        }
        writeln!(out, "- Example: `{kind}: {example}`").unwrap();
        if ["all", "any", "not"].contains(&kind) {
            out.push('\n');
            continue;
        }
        let about = match rule.scope() {
            Scope::Jobs => "each job",
            Scope::JobsAndClusters => "each job, and each Flink cluster",
            Scope::Clusters => "each Flink cluster",
            Scope::Sources => "each source",
        };
        let fetched = rule.demand().words();
        writeln!(out, "- About {about}; aspect `{}`; looks at: {fetched}", rule.aspect()).unwrap();
        let evidence: Vec<String> = rule.evidence().iter().map(|v| format!("`{v}`")).collect();
        if !evidence.is_empty() {
            writeln!(out, "- Values for annotations: {}", evidence.join(", ")).unwrap();
        }
        out.push('\n');
    }
    out
}

/// Parts of a test file, in the order in which they are met.
const PARTS: [&str; 13] = [
    "RawTest",
    "RawJob",
    "RawFailure",
    "RawCheckpoints",
    "RawTasks",
    "RawSource",
    "RawCluster",
    "RawReceiver",
    "RawExpect",
    "RawAt",
    "FullAlert",
    "RawIncident",
    "RawMessage",
];

fn tests() -> String {
    let root = weir::story::schema();
    let mut out = String::from("### File\n\n");
    table(&mut out, &root, &root, "key");
    for name in PARTS {
        let schema = &root["$defs"][name];
        assert!(schema.is_object(), "{name} is not in the schema");
        writeln!(out, "\n### {}\n\n{}\n", heading(name), words(schema, " ")).unwrap();
        table(&mut out, schema, &root, "key");
    }
    out.push('\n');
    out
}

/// The text with what stands between the marks replaced.
fn with(text: &str, mark: &str, part: &str) -> String {
    let (from, to) = (format!("<!-- {mark}: written from the code -->\n"), "<!-- to here -->");
    let (before, rest) = text.split_once(&from).unwrap_or_else(|| panic!("no {from}"));
    let (_, after) = rest.split_once(to).unwrap();
    format!("{before}{from}\n{part}{to}{after}")
}

#[test]
fn the_reference_is_fresh() {
    let text = std::fs::read_to_string(path()).unwrap();
    let now = with(&with(&text, "conditions", &conditions()), "tests", &tests());
    if std::env::var_os("WEIR_UPDATE_GOLDEN").is_some() {
        std::fs::write(path(), &now).unwrap();
        return;
    }
    let difference = text.lines().zip(now.lines()).find(|(a, b)| a != b);
    assert!(
        text == now,
        "rules/README.md is stale: run `WEIR_UPDATE_GOLDEN=1 cargo test --test it rule_reference`\n\
         {difference:?}"
    );
}

#[test]
fn defaults_are_told_and_true() {
    for (kind, schema, _) in kinds() {
        let (_, example) = EXAMPLES.iter().find(|(name, _)| *name == kind).unwrap();
        for (name, property) in properties(&schema) {
            if is_required(&schema, &name) {
                continue;
            }
            let words = words(&property, " ");
            assert!(words.contains("default"), "{kind}.{name} does not tell its default: {words}");
            let Some((_, rest)) = words.split_once("(default ") else {
                assert!(
                    words.contains(" by default)"),
                    "{kind}.{name}: (default …), or (none by default)"
                );
                continue;
            };
            let default = rest.split(')').next().unwrap().trim_matches('`');
            if NOT_WRITTEN.contains(&&*format!("{kind}.{name}")) {
                continue;
            }
            let inner = example.trim_start_matches('{').trim_end_matches('}').trim();
            let own = format!("{name}: ");
            let others: Vec<&str> =
                inner.split(", ").filter(|p| !p.is_empty() && !p.starts_with(&own)).collect();
            let written = [&others[..], &[&format!("{own}{default}")]].concat().join(", ");
            let left_out = format!("{{ {} }}", others.join(", "));
            assert_eq!(
                condition(kind, &left_out),
                condition(kind, &format!("{{ {written} }}")),
                "{kind}.{name}"
            );
        }
    }
}
