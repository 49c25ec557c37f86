//! Files a pattern names.

use std::path::{Path, PathBuf};

use crate::yaml::wild;

/// Of a larger folder only so many entries are looked at.
const MAX_ENTRIES: usize = 10_000;

/// Paths that match, sorted; `*` and `?` stay inside one part of the path.
pub(super) fn matching(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        let text = part.as_os_str().to_string_lossy();
        if !text.contains(['*', '?']) {
            for path in &mut found {
                path.push(part);
            }
            continue;
        }
        let mut next = Vec::new();
        for folder in &found {
            let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            let Ok(entries) = std::fs::read_dir(here) else { continue };
            for entry in entries.flatten().take(MAX_ENTRIES) {
                let name = entry.file_name();
                let name_text = name.to_string_lossy();
                if !name_text.starts_with('.') && wild::matches(&text, &name_text) {
                    next.push(folder.join(&name));
                }
            }
        }
        next.sort();
        found = next;
    }
    found
}
