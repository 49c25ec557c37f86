//! Which rule files and templates are read.

use std::path::{Path, PathBuf};

use crate::config::de::At;
use crate::yaml::findings::Findings;
use crate::yaml::tree::excerpt;

/// The word in `rule_files` that stands for the rules that come with Weir.
pub const SHIPPED: &str = "shipped";

/// More files are no rule set, and a pattern on a large folder is a mistake.
const MAX_FILES: usize = 1_000;

/// The files the patterns name, in their order and by name, each once.
pub(in crate::config) fn expand(
    patterns: &[At<String>],
    base: &Path,
    findings: &mut Findings,
) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = Vec::new();
    for pattern in patterns {
        if pattern.value == SHIPPED {
            files.push(PathBuf::from(SHIPPED));
            continue;
        }
        let mut found = matching(&base.join(&pattern.value));
        found.retain(|path| path.is_file());
        if found.is_empty() {
            findings.error(
                pattern.place,
                format!("no rule file matches `{}`", excerpt(&pattern.value)),
                Some(format!("patterns are relative to `{}`", shown(base))),
            );
        }
        for path in found {
            if !files.contains(&path) && files.len() < MAX_FILES {
                files.push(path);
            }
        }
    }
    files
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

fn shown(base: &Path) -> String {
    if base.as_os_str().is_empty() { ".".to_owned() } else { base.display().to_string() }
}

/// Paths that match, sorted; `*` and `?` stay inside one part of the path.
fn matching(pattern: &Path) -> Vec<PathBuf> {
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
            for entry in entries.flatten().take(10 * MAX_FILES) {
                let name = entry.file_name();
                let name_text = name.to_string_lossy();
                if !name_text.starts_with('.') && wild(text.as_bytes(), name_text.as_bytes()) {
                    next.push(folder.join(&name));
                }
            }
        }
        next.sort();
        found = next;
    }
    found
}

/// Whether `name` matches a pattern of `*` and `?`, in linear space and at most quadratic time.
fn wild(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    n = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stay_inside_a_name() {
        for (pattern, name, expected) in [
            ("*.yaml", "a.yaml", true),
            ("*.yaml", "a.yml", false),
            ("a*b*c", "a-b-b-c", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*", "", true),
        ] {
            assert_eq!(wild(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }
}
