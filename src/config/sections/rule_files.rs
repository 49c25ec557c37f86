//! Which rule files and templates are read.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, de};

use crate::config::de::At;
use crate::config::glob::matching;
use crate::model::Labels;
use crate::yaml::findings::Findings;
use crate::yaml::tree::excerpt;

/// The word in `rule_files` that stands for the rules that come with Weir.
pub const SHIPPED: &str = "shipped";

/// The name in `shipped:NAME`, which stands for one file of the rules that come with Weir.
pub fn shipped_name(pattern: &str) -> Option<&str> {
    pattern.strip_prefix(SHIPPED)?.strip_prefix(':').map(str::trim)
}

/// What is wrong with a name of a shipped file, and which there are.
pub fn unknown_shipped(name: &str) -> (String, String) {
    let names = crate::rules::shipped_names();
    let near = crate::yaml::suggest::nearest(name, names.iter().copied());
    let all = names.join(", ");
    let hint = match near {
        Some(near) => format!("did you mean `{SHIPPED}:{near}`? there are {all}"),
        None => format!("there are {all}"),
    };
    (format!("no rule file `{}` comes with weir", excerpt(name)), hint)
}

/// More files are no rule set, and a pattern on a large folder is a mistake.
const MAX_FILES: usize = 1_000;

/// A pattern, or one with the labels that its rules are about.
#[derive(Debug, Clone)]
pub enum RuleFileConfig {
    /// `rules/*.yaml`.
    Pattern(String),
    /// Read for somebody's jobs only.
    Enforced(Enforced),
}

/// Rule files that are read for somebody's jobs only.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Enforced {
    /// Files, relative to this file, with `*`, which leaves out tests (`*_test.yaml`).
    pub path: At<String>,
    /// Labels every rule in them gets; it is about jobs with these labels alone.
    #[serde(default)]
    pub enforce: BTreeMap<String, At<String>>,
}

impl<'de> Deserialize<'de> for RuleFileConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RuleFileVisitor)
    }
}

struct RuleFileVisitor;

impl<'de> Visitor<'de> for RuleFileVisitor {
    type Value = RuleFileConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a path, or `{ path: …, enforce: { … } }`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<RuleFileConfig, E> {
        Ok(RuleFileConfig::Pattern(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RuleFileConfig, A::Error> {
        let map = de::value::MapAccessDeserializer::new(map);
        Enforced::deserialize(map).map(RuleFileConfig::Enforced)
    }
}

impl JsonSchema for RuleFileConfig {
    fn schema_name() -> Cow<'static, str> {
        "RuleFile".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string" }, generator.subschema_for::<Enforced>()] })
    }
}

/// A rule file that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFile {
    /// Where it is; [`SHIPPED`] for the rules that come with Weir, `shipped:NAME` for one file of
    /// them.
    pub path: PathBuf,
    /// Labels its rules get, and are about.
    pub enforce: Labels,
}

impl RuleFile {
    /// A file read for all jobs.
    pub fn plain(path: impl Into<PathBuf>) -> RuleFile {
        RuleFile { path: path.into(), enforce: Labels::default() }
    }
}

/// The files the patterns name, in their order and by name, each once.
pub(in crate::config) fn expand(
    patterns: &[At<RuleFileConfig>],
    base: &Path,
    findings: &mut Findings,
) -> Vec<RuleFile> {
    let mut files: Vec<RuleFile> = Vec::new();
    for At { value, place } in patterns {
        let (pattern, place, enforce) = match value {
            RuleFileConfig::Pattern(text) => (text, *place, Labels::default()),
            RuleFileConfig::Enforced(entry) => {
                (&entry.path.value, entry.path.place, enforced(entry, *place, findings))
            }
        };
        if pattern == SHIPPED {
            files.push(RuleFile { path: PathBuf::from(SHIPPED), enforce });
            continue;
        }
        if let Some(name) = shipped_name(pattern) {
            if crate::rules::shipped(name).is_none() {
                let (what, hint) = unknown_shipped(name);
                findings.error(place, what, Some(hint));
            } else {
                files.push(RuleFile { path: PathBuf::from(pattern), enforce });
            }
            continue;
        }
        let mut found = matching(&base.join(pattern));
        found.retain(|path| path.is_file());
        if pattern.contains(['*', '?']) {
            found.retain(|path| !is_test(path));
        }
        if found.is_empty() {
            findings.error(
                place,
                format!("no rule file matches `{}`", excerpt(pattern)),
                Some(format!("patterns are relative to `{}`", shown(base))),
            );
        }
        for path in found {
            match files.iter().find(|f| f.path == path) {
                Some(known) if known.enforce != enforce => findings.error(
                    place,
                    format!("`{}` is named twice, with different `enforce`", path.display()),
                    Some("name it once".to_owned()),
                ),
                None if files.len() < MAX_FILES => {
                    files.push(RuleFile { path, enforce: enforce.clone() });
                }
                _ => {}
            }
        }
    }
    files
}

/// Stories that stand beside the rules they are about: `orders_test.yaml`.
pub fn is_test(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("_test"))
}

fn enforced(entry: &Enforced, place: crate::yaml::Place, findings: &mut Findings) -> Labels {
    let mut labels = Labels::default();
    if entry.enforce.is_empty() {
        let hint = "add `enforce: { team: … }`, or write the path alone".to_owned();
        findings.error(place, "`enforce` is empty", hint);
    }
    for (name, value) in &entry.enforce {
        let fine = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(fine) {
            let what = format!("`{}` cannot be the name of a label", excerpt(name));
            findings.error(value.place, what, "use letters, digits and `_`".to_owned());
        } else if matches!(name.as_str(), "alertname" | "severity") {
            let hint = "enforce a label of jobs, such as `team`".to_owned();
            findings.error(value.place, format!("label `{name}` belongs to the rule"), hint);
        } else if value.value.is_empty() {
            let hint = "without a value it would be about jobs without the label".to_owned();
            findings.error(value.place, format!("`{name}` has no value"), hint);
        }
        labels.set(name, value.value.as_str());
    }
    labels
}

/// The folder of the user's own templates.
pub(in crate::config) fn templates(
    written: Option<&At<String>>,
    base: &Path,
    findings: &mut Findings,
) -> Option<PathBuf> {
    let written = written?;
    let path = base.join(&written.value);
    if !path.is_dir() {
        findings.error(
            written.place,
            format!("`{}` is not a folder", excerpt(&written.value)),
            Some(format!("it is relative to `{}`", shown(base))),
        );
    }
    Some(path)
}

/// The folder patterns are relative to, for people.
pub(super) fn shown(base: &Path) -> String {
    if base.as_os_str().is_empty() { ".".to_owned() } else { base.display().to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_leave_out_tests_and_names_do_not() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["own.yaml", "own_test.yaml"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        for (pattern, expected) in [("*.yaml", "own.yaml"), ("own_test.yaml", "own_test.yaml")] {
            let value = RuleFileConfig::Pattern(pattern.to_owned());
            let patterns = [At { value, place: crate::yaml::Place::default() }];
            let mut findings = Findings::new("weir.yaml");
            let files = expand(&patterns, dir.path(), &mut findings);
            assert_eq!(files, [RuleFile::plain(dir.path().join(expected))], "{pattern}");
        }
    }
}
