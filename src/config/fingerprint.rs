//! What differs between two configurations, where the values themselves cannot be compared: they
//! hold secrets, or are running by now.

use std::collections::BTreeMap;
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use crate::yaml::tree::{Kind, Node};

type Print = [u8; 32];

/// Hashes of the parts of a configuration file: equal for equal values, wherever they stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fingerprints {
    /// By path of the key, such as `heartbeat` and `web.listen`.
    keys: BTreeMap<String, Print>,
    /// By name of the source, with the files it names.
    sources: BTreeMap<String, Print>,
}

impl Fingerprints {
    pub(super) fn of(tree: &Node) -> Fingerprints {
        let mut prints = Fingerprints::default();
        for section in tree.entries() {
            prints.keys.insert(section.key.clone(), print(&section.value, false));
            for entry in section.value.entries() {
                let key = format!("{}.{}", section.key, entry.key);
                prints.keys.insert(key, print(&entry.value, false));
            }
        }
        prints.add_sources(tree);
        prints
    }

    /// Adds what stands under `sources`.
    pub(super) fn add_sources(&mut self, tree: &Node) {
        for source in tree.get("sources").map_or(&[][..], Node::items) {
            let name = source.entries().first().and_then(|kind| kind.value.get("name")?.text());
            if let Some(name) = name {
                self.sources.insert(name.to_owned(), print(source, true));
            }
        }
    }

    /// Adds a source that follows from these words alone.
    pub(super) fn add_source<'a>(&mut self, name: &str, words: impl Iterator<Item = &'a str>) {
        let mut hasher = Sha256::new();
        for word in words {
            hasher.update((word.len() as u64).to_le_bytes());
            hasher.update(word);
        }
        self.sources.insert(name.to_owned(), hasher.finalize().into());
    }

    /// Whether a key of the file, such as `heartbeat` or `web.listen`, has the same value in both.
    pub fn same_key(&self, other: &Fingerprints, key: &str) -> bool {
        self.keys.get(key) == other.keys.get(key)
    }

    /// Whether a source is set up alike in both, its certificates included.
    pub fn same_source(&self, other: &Fingerprints, name: &str) -> bool {
        let ours = self.sources.get(name);
        ours.is_some() && ours == other.sources.get(name)
    }
}

fn print(node: &Node, with_files: bool) -> Print {
    let mut hasher = Sha256::new();
    add(node, with_files, &mut hasher);
    hasher.finalize().into()
}

fn add(node: &Node, with_files: bool, hasher: &mut Sha256) {
    let mut text = |text: &str| {
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text);
    };
    match &node.kind {
        Kind::Scalar(scalar) => {
            text("scalar");
            text(&scalar.text);
        }
        Kind::List(items) => {
            text(&format!("list {}", items.len()));
            for item in items {
                add(item, with_files, hasher);
            }
        }
        Kind::Map(entries) => {
            text(&format!("map {}", entries.len()));
            for entry in entries {
                hasher.update((entry.key.len() as u64).to_le_bytes());
                hasher.update(&entry.key);
                add(&entry.value, with_files, hasher);
                if with_files && entry.key.ends_with("_file") {
                    hasher.update(version(entry.value.text().unwrap_or_default()));
                }
            }
        }
    }
}

/// Size and age of a file: what a new certificate changes.
fn version(path: &str) -> [u8; 24] {
    let mut bytes = [0; 24];
    if let Ok(meta) = std::fs::metadata(path) {
        let age =
            meta.modified().ok().and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
        bytes[..8].copy_from_slice(&meta.len().to_le_bytes());
        bytes[8..].copy_from_slice(&age.map_or(0, |age| age.as_nanos()).to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Fingerprints {
        Fingerprints::of(&crate::yaml::tree::read(text).unwrap().0)
    }

    #[test]
    fn places_do_not_matter_and_values_do() {
        let one = of("web: { listen: a }\nsources: [{ flink: { name: p, urls: [u] } }]");
        let two =
            of("# moved\nsources:\n  - flink:\n      name: p\n      urls: [u]\nweb:\n  listen: a");
        assert_eq!(one, two);
        let other = of("web: { listen: b }\nsources: [{ flink: { name: p, urls: [u, v] } }]");
        assert!(!one.same_key(&other, "web.listen") && !one.same_key(&other, "web"));
        assert!(!one.same_source(&other, "p") && one.same_source(&two, "p"));
        assert!(one.same_key(&other, "heartbeat"), "in neither");
        assert!(!one.same_source(&two, "q"), "a source in neither is no source");
    }

    #[test]
    fn a_new_certificate_is_another_source() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ca.pem");
        std::fs::write(&file, "a").unwrap();
        let text = format!("sources: [{{ flink: {{ name: p, ca_file: '{}' }} }}]", file.display());
        let before = of(&text);
        assert_eq!(before, of(&text));
        std::fs::write(&file, "another").unwrap();
        assert!(!before.same_source(&of(&text), "p"));
    }
}
