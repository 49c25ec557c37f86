//! Lists of sources in files of their own, which a script or an inventory writes: read with the
//! configuration, and again when they change.
//!
//! A list is YAML or JSON. An entry is one as under `sources`, of any kind, or a group of targets as
//! Prometheus' `file_sd_configs` have them: each target a Flink cluster named by its address, or all
//! of them the `JobManagers` of the one cluster that the label `cluster` names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Deserialize;

use super::rule_files::shown;
use super::sources;
use crate::config::de::At;
use crate::config::env::Env;
use crate::config::fingerprint::Fingerprints;
use crate::config::glob::matching;
use crate::config::{checks, env, load};
use crate::sources::SourceConfig;
use crate::sources::flink::FlinkConfig;
use crate::yaml::findings::Findings;
use crate::yaml::reader;
use crate::yaml::tree::{Entry, Kind, Node, Place, excerpt};

/// Lists that are read.
const MAX_FILES: usize = 1_000;
/// Sources of all lists; each is looked at by a task of its own.
const MAX_SOURCES: usize = 5_000;
/// The label that names a cluster of several `JobManagers`.
const CLUSTER: &str = "cluster";

/// Where lists are, to be looked at for changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceFiles {
    patterns: Vec<PathBuf>,
    /// How they looked just before they were read.
    pub read: ListStamp,
}

/// How the lists look from outside: another one when a list came, went or was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListStamp(Vec<(PathBuf, u64, Option<SystemTime>)>);

impl SourceFiles {
    /// Nothing to look at.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// How they look now. Reads folders, no file.
    pub fn stamp(&self) -> ListStamp {
        let found = self.patterns.iter().flat_map(|pattern| matching(pattern)).take(MAX_FILES);
        let stamp = |path: PathBuf| {
            let meta = std::fs::metadata(&path).ok().filter(std::fs::Metadata::is_file)?;
            Some((path, meta.len(), meta.modified().ok()))
        };
        ListStamp(found.filter_map(stamp).collect())
    }
}

/// What the configuration says of lists.
pub(in crate::config) struct Lists<'a> {
    pub(in crate::config) patterns: &'a [At<String>],
    /// Folder of the configuration.
    pub(in crate::config) base: &'a Path,
    pub(in crate::config) env: Env<'a>,
}

/// A group of targets as Prometheus writes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetGroup {
    targets: Vec<At<String>>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

/// What stands in a list besides groups.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Listed {
    sources: Vec<At<SourceConfig>>,
}

impl Lists<'_> {
    /// Where they are, and how they look before they are read.
    pub(in crate::config) fn watched(&self) -> SourceFiles {
        let patterns = self.patterns.iter().map(|pattern| self.base.join(&pattern.value));
        let files = SourceFiles { patterns: patterns.collect(), read: ListStamp::default() };
        SourceFiles { read: files.stamp(), ..files }
    }

    /// The sources in all of them. `names`: of all sources there are.
    pub(in crate::config) fn read(
        &self,
        names: &mut BTreeSet<String>,
        prints: &mut Fingerprints,
        findings: &mut Findings,
    ) -> Vec<SourceConfig> {
        let mut sources = Vec::new();
        for (path, place) in self.files(findings) {
            let mut of_file = Findings::new(&path.display().to_string());
            sources.extend(self.file(&path, names, prints, &mut of_file));
            findings.absorb(of_file);
            if sources.len() > MAX_SOURCES {
                let what = format!("the lists name more than {MAX_SOURCES} sources");
                findings.error(place, what, "split them among several weirs".to_owned());
                return Vec::new();
            }
        }
        sources
    }

    /// The lists, each once, and where they are named.
    fn files(&self, findings: &mut Findings) -> Vec<(PathBuf, Place)> {
        let mut files: Vec<(PathBuf, Place)> = Vec::new();
        for At { value: pattern, place } in self.patterns {
            let mut found = matching(&self.base.join(pattern));
            found.retain(|path| path.is_file());
            if found.is_empty() {
                let what = format!("no list of sources matches `{}`", excerpt(pattern));
                let hint = format!("patterns are relative to `{}`", shown(self.base));
                if pattern.contains(['*', '?']) {
                    findings.warn(*place, what, hint);
                } else {
                    // Its clusters would be forgotten while somebody writes it anew.
                    findings.error(*place, what, hint);
                }
            }
            for path in found {
                if files.len() < MAX_FILES && files.iter().all(|(known, _)| *known != path) {
                    files.push((path, *place));
                }
            }
        }
        files
    }

    fn file(
        &self,
        path: &Path,
        names: &mut BTreeSet<String>,
        prints: &mut Fingerprints,
        findings: &mut Findings,
    ) -> Vec<SourceConfig> {
        let text = match load::text(path, "weir must be allowed to read it") {
            Ok(text) => text,
            Err(problems) => {
                for problem in problems {
                    findings.error(Place::default(), problem.what, problem.hint);
                }
                return Vec::new();
            }
        };
        let Some(mut tree) = load::tree_of(&text, findings) else { return Vec::new() };
        env::expand(&mut tree, self.env, findings);
        let Kind::List(items) = tree.kind else {
            let hint = "write `- flink: { name: …, urls: [\"http://…\"] }`, `- targets: [\"host:8081\"]`, \
                        or `[]` for none";
            findings.error(tree.place, "expected a list of sources", hint.to_owned());
            return Vec::new();
        };
        let (groups, items): (Vec<Node>, Vec<Node>) =
            items.into_iter().partition(|item| item.get("targets").is_some());
        let list = Node { id: tree.id, place: tree.place, kind: Kind::List(items) };
        let entry = Entry { key: "sources".to_owned(), place: tree.place, value: list };
        let mut root = Node { id: u32::MAX, place: tree.place, kind: Kind::Map(vec![entry]) };
        let folder = path.parent().unwrap_or(Path::new(""));
        checks::prepare(&mut root, folder, (self.env)("HOME").as_deref());
        checks::check(&root, findings);
        prints.add_sources(&root);
        let listed: Option<Listed> = reader::read(&root, findings);
        let mut written = listed.unwrap_or_default().sources;
        for group in &groups {
            if let Some(group) = reader::read::<TargetGroup>(group, findings) {
                written.extend(of_group(group, prints, findings));
            }
        }
        sources::build(written, names, findings)
    }
}

/// The clusters of a group.
fn of_group(
    group: TargetGroup,
    prints: &mut Fingerprints,
    findings: &mut Findings,
) -> Vec<At<SourceConfig>> {
    let TargetGroup { targets, mut labels } = group;
    let cluster = labels.remove(CLUSTER).filter(|name| !name.is_empty());
    // What Prometheus keeps for itself.
    labels.retain(|name, _| !name.starts_with("__"));
    let mut clusters: Vec<(String, Place, Vec<String>)> = Vec::new();
    for At { value: target, place } in targets {
        let url = address(&target);
        let Some(own) = named(&url) else {
            let what = format!("target `{}` is no address", excerpt(&target));
            findings.error(place, what, "write `host:8081` or `https://host/path`".to_owned());
            continue;
        };
        match (&cluster, clusters.first_mut()) {
            (Some(_), Some(of_all)) => of_all.2.push(url),
            (Some(name), None) => clusters.push((name.clone(), place, vec![url])),
            (None, _) => clusters.push((own, place, vec![url])),
        }
    }
    let source = |(name, place, urls): (String, Place, Vec<String>)| {
        let of_labels = labels.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
        prints.add_source(&name, urls.iter().map(String::as_str).chain([""]).chain(of_labels));
        let config = FlinkConfig { labels: labels.clone(), ..FlinkConfig::at(&name, urls) };
        At { value: SourceConfig::Flink(config), place }
    };
    clusters.into_iter().map(source).collect()
}

fn address(target: &str) -> String {
    if target.contains("://") { target.to_owned() } else { format!("http://{target}") }
}

/// Host, port and path, which tells clusters behind one gateway apart; without what belongs to
/// nobody's eyes.
fn named(url: &str) -> Option<String> {
    let rest = url.split_once("://")?.1;
    let rest = rest.split(['?', '#']).next()?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let path = path.trim_end_matches('/');
    let glue = if path.is_empty() { "" } else { "/" };
    (!host.is_empty()).then(|| format!("{host}{glue}{path}"))
}

#[cfg(test)]
#[path = "source_files_tests.rs"]
mod tests;
