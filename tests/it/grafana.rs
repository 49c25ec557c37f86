//! The shipped dashboard and rules only name metrics that exist.

use std::collections::BTreeSet;

use serde_json::Value;
use weir::metrics::METRICS;

const DASHBOARD: &str = include_str!("../../grafana/weir-overview.json");
const ALERTS: &str = include_str!("../../grafana/weir-alerts.yaml");

fn metrics_in(text: &str) -> BTreeSet<&str> {
    let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    text.split(word).filter(|part| part.starts_with("weir_")).collect()
}

fn all_exist(text: &str) {
    let known: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
    let named = metrics_in(text);
    assert!(named.len() > 3);
    for name in named {
        assert!(known.contains(name), "{name} is no metric of weir");
    }
}

#[test]
fn the_dashboard_is_valid_and_names_real_metrics() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 38);
    assert_eq!(dashboard["templating"]["list"][0]["type"], "datasource");
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        if panel["type"] == "row" {
            continue;
        }
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{panel}");
        assert!(!panel["targets"].as_array().unwrap().is_empty(), "{panel}");
        for target in panel["targets"].as_array().unwrap() {
            all_labels_exist(target["expr"].as_str().unwrap());
        }
    }
    all_exist(DASHBOARD);
}

/// `by (…)` clauses and legends must use labels some metric has.
fn all_labels_exist(expr: &str) {
    let labels: BTreeSet<&str> = METRICS.iter().flat_map(|m| m.labels).copied().collect();
    for clause in expr.split("by (").skip(1) {
        let (inside, _) = clause.split_once(')').unwrap();
        for label in inside.split(',').map(str::trim) {
            assert!(labels.contains(label), "{label} in {expr}");
        }
    }
}

#[test]
fn the_rules_are_valid_and_name_real_metrics() {
    let rules: Value = serde_saphyr::from_str(ALERTS).unwrap();
    let mut alerts = BTreeSet::new();
    for rule in rules["groups"][0]["rules"].as_array().unwrap() {
        let name = rule["alert"].as_str().unwrap();
        assert!(alerts.insert(name), "{name} twice");
        assert!(rule["annotations"]["summary"].is_string(), "{name}");
        assert!(rule["annotations"]["description"].is_string(), "{name}");
        assert!(rule["labels"]["severity"].is_string(), "{name}");
        all_labels_exist(rule["expr"].as_str().unwrap());
    }
    assert!(ALERTS.contains("absent(weir_build_info)"));
    all_exist(ALERTS);
}
