//! Rule files as they are named on the command line.

use std::path::PathBuf;

use super::Failure;
use crate::config;

/// Rule files: those named, and those of the folders named, without tests.
pub(super) fn rule_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let before = files.len();
        let unreadable = |e| anyhow::anyhow!("{} cannot be read: {e}", path.display());
        for entry in std::fs::read_dir(path).map_err(unreadable)? {
            let file = entry.map_err(unreadable)?.path();
            let is_yaml = file.extension().is_some_and(|e| e == "yaml" || e == "yml");
            if is_yaml && !config::is_test(&file) {
                files.push(file);
            }
        }
        files.get_mut(before..).unwrap_or_default().sort();
        if files.len() == before {
            return Err(anyhow::anyhow!("{} holds no rule file (*.yaml)", path.display()).into());
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_rules_are_read_in_order_of_names() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.yaml", "a.yml", "a_test.yaml", "notes.md"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let files = rule_files(&[dir.path().to_owned()]).unwrap_or_default();
        assert_eq!(files, [dir.path().join("a.yml"), dir.path().join("b.yaml")]);
        let empty = tempfile::tempdir().unwrap();
        assert!(rule_files(&[empty.path().to_owned()]).is_err());
    }
}
