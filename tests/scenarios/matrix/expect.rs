//! What must and may fire, read from `expected.yaml`, and the shipped rules with shorter waits.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

const EXPECTED: &str = include_str!("../expected.yaml");

/// All of `expected.yaml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    /// How long a rule itself waits, where it does.
    waits: BTreeMap<String, Text>,
    /// Rules that wait too long for a run.
    pub(crate) shortened: BTreeMap<String, Shortened>,
    /// One row of the table each.
    pub(crate) scenarios: Vec<Row>,
}

/// A duration as written.
type Text = String;

/// What is replaced in a shipped rule.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shortened {
    replace: BTreeMap<String, String>,
    /// The wait as shipped.
    pub(crate) shipped: Text,
    /// The wait here.
    pub(crate) wait: Text,
}

/// One scenario.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Row {
    pub(crate) scenario: String,
    pub(crate) title: String,
    pub(super) must: Vec<String>,
    pub(super) must_on: BTreeMap<String, Vec<String>>,
    pub(crate) may: Vec<String>,
    pub(super) na: BTreeMap<String, String>,
}

impl Row {
    /// What has to fire on this release.
    pub(crate) fn must(&self, version: &str) -> &[String] {
        self.must_on.iter().find(|(on, _)| is_of(version, on)).map_or(&self.must, |(_, must)| must)
    }

    /// Why it cannot be played on this release.
    pub(crate) fn not_applicable(&self, version: &str) -> Option<&str> {
        let found = self.na.iter().find(|(on, _)| *on == "all" || is_of(version, on));
        found.map(|(_, why)| why.as_str())
    }
}

/// `1.17.2` is of `1.17`, and of itself.
fn is_of(version: &str, on: &str) -> bool {
    version.strip_prefix(on).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

impl Expected {
    /// The one table.
    ///
    /// # Errors
    /// When the file is wrong.
    pub(crate) fn read() -> Result<Expected> {
        let expected: Expected = serde_saphyr::from_str(EXPECTED).context("expected.yaml")?;
        for wait in expected.waits.values() {
            duration(wait)?;
        }
        for short in expected.shortened.values() {
            duration(&short.wait)?;
        }
        let names: BTreeSet<&str> =
            expected.scenarios.iter().map(|r| r.scenario.as_str()).collect();
        ensure!(names.len() == expected.scenarios.len(), "expected.yaml has a scenario twice");
        Ok(expected)
    }

    /// The row of a scenario.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn row(&self, scenario: &str) -> Result<&Row> {
        let found = self.scenarios.iter().find(|row| row.scenario == scenario);
        found.with_context(|| format!("expected.yaml has no scenario {scenario:?}"))
    }

    /// How long a rule itself waits in a run.
    pub(crate) fn wait(&self, alert: &str) -> Duration {
        let short = self.shortened.get(alert).map(|short| &short.wait);
        let wait = short.or_else(|| self.waits.get(alert));
        wait.and_then(|text| duration(text).ok()).unwrap_or_default()
    }

    /// The longest wait of any rule in a run.
    pub(crate) fn longest_wait(&self) -> Duration {
        let names = self.shortened.keys().chain(self.waits.keys());
        names.map(|alert| self.wait(alert)).max().unwrap_or_default()
    }
}

fn duration(text: &str) -> Result<Duration> {
    weir::config::de::duration::parse(text).map_err(|error| anyhow::anyhow!("{text:?}: {error}"))
}

/// The alerts of the shipped rules.
pub(crate) fn shipped_alerts() -> BTreeSet<String> {
    let lines = weir::rules::SHIPPED.iter().flat_map(|(_, text)| text.lines());
    lines.filter_map(alert_of).map(str::to_owned).collect()
}

/// The shipped rule files with the waits of some rules replaced, and nothing else.
///
/// # Errors
/// When a text to replace is not exactly once in its rule: the rule has changed.
pub(crate) fn shortened_rules(expected: &Expected) -> Result<Vec<(String, String)>> {
    let mut missing: BTreeSet<&str> = expected.shortened.keys().map(String::as_str).collect();
    let mut files = Vec::new();
    for (file, text) in weir::rules::SHIPPED {
        let mut blocks: Vec<String> = vec![String::new()];
        for line in text.lines() {
            if alert_of(line).is_some() {
                blocks.push(String::new());
            }
            let block = blocks.last_mut().context("there is one")?;
            block.push_str(line);
            block.push('\n');
        }
        for block in &mut blocks {
            let Some(alert) = block.lines().find_map(alert_of) else { continue };
            let Some((name, short)) = expected.shortened.get_key_value(alert) else { continue };
            missing.remove(name.as_str());
            for (from, to) in &short.replace {
                let times = block.matches(from.as_str()).count();
                ensure!(times == 1, "{name} has {from:?} {times} times: mend expected.yaml");
                *block = block.replacen(from.as_str(), to, 1);
            }
        }
        let name = file.rsplit('/').next().unwrap_or(file);
        files.push((name.to_owned(), blocks.concat()));
    }
    ensure!(missing.is_empty(), "no shipped rule is called {missing:?}: mend expected.yaml");
    Ok(files)
}

fn alert_of(line: &str) -> Option<&str> {
    line.trim_start().strip_prefix("- alert:").map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_of_its_line_only() {
        assert!(is_of("1.17.2", "1.17") && is_of("1.17.2", "1.17.2"));
        assert!(!is_of("1.17.2", "1.1") && !is_of("1.1", "1.17"));
    }

    #[test]
    fn only_the_numbers_of_some_rules_change() {
        let expected = Expected::read().unwrap();
        let files = shortened_rules(&expected).unwrap();
        let changed = |(name, text): &(String, String)| {
            let (_, shipped) = weir::rules::SHIPPED
                .iter()
                .find(|(file, _)| file.ends_with(name.as_str()))
                .unwrap();
            // Several numbers may stand in one line, between commas.
            let parts = |text: &str| -> Vec<String> {
                text.lines().flat_map(|line| line.split(", ")).map(str::to_owned).collect()
            };
            parts(shipped).iter().zip(&parts(text)).filter(|(a, b)| a != b).count()
        };
        let changed: usize = files.iter().map(changed).sum();
        let replaced: usize = expected.shortened.values().map(|s| s.replace.len()).sum();
        assert_eq!(changed, replaced);
    }

    #[test]
    fn every_expected_alert_is_judged_by_rules_that_are_known() {
        let expected = Expected::read().unwrap();
        for row in &expected.scenarios {
            assert!(!row.title.is_empty(), "{} has no title", row.scenario);
            let known = super::super::list::ALL.iter().any(|s| s.name == row.scenario);
            assert!(known || row.not_applicable("0").is_some(), "nobody plays {}", row.scenario);
        }
        for scenario in super::super::list::ALL {
            expected.row(scenario.name).unwrap();
        }
    }
}
