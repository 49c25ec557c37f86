//! Secrets given inline or as a file. Files are read for every message: a rotated secret is taken
//! up at once, and after a refusal too.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::BuildError;

/// Largest secret file.
const MAX: u64 = 64 * 1024;

/// A secret, or where to read it.
#[derive(Debug, Clone)]
pub(super) enum Secret {
    Inline(SecretString),
    File(PathBuf),
}

impl Secret {
    /// Exactly one of the two; `None` for neither.
    pub(super) fn of(
        what: &str,
        inline: Option<&SecretString>,
        file: Option<&PathBuf>,
    ) -> Result<Option<Secret>, BuildError> {
        match (inline, file) {
            (Some(_), Some(_)) => {
                Err(BuildError(format!("`{what}` and `{what}_file` are both set (keep one)")))
            }
            (Some(text), None) => Ok(Some(Secret::Inline(text.clone()))),
            (None, Some(path)) => Ok(Some(Secret::File(path.clone()))),
            (None, None) => Ok(None),
        }
    }

    /// Like [`Secret::of`], but one must be there.
    pub(super) fn required(
        what: &str,
        inline: Option<&SecretString>,
        file: Option<&PathBuf>,
    ) -> Result<Secret, BuildError> {
        Secret::of(what, inline, file)?
            .ok_or_else(|| BuildError(format!("`{what}` is missing (set it, or `{what}_file`)")))
    }

    /// Its text now, without the line break editors add.
    pub(super) fn read(&self) -> Result<SecretString, BuildError> {
        match self {
            Secret::Inline(text) => Ok(text.clone()),
            Secret::File(path) => read_file(path),
        }
    }

    /// For the few who look at an inline or file secret while building.
    pub(super) fn read_plain(&self) -> Result<String, BuildError> {
        Ok(self.read()?.expose_secret().to_owned())
    }
}

fn read_file(path: &Path) -> Result<SecretString, BuildError> {
    use std::io::Read as _;
    let shown = path.display();
    let open = std::fs::File::open(path);
    let mut text = String::new();
    open.and_then(|file| file.take(MAX).read_to_string(&mut text))
        .map_err(|error| BuildError(format!("secret file {shown} cannot be read: {error}")))?;
    let text = text.trim_end_matches(['\n', '\r']);
    if text.is_empty() {
        return Err(BuildError(format!("secret file {shown} is empty")));
    }
    Ok(SecretString::from(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_trimmed_and_read_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, "one\n").unwrap();
        let secret = Secret::required("secret", None, Some(&path)).unwrap();
        assert_eq!(secret.read_plain().unwrap(), "one");
        std::fs::write(&path, "two").unwrap();
        assert_eq!(secret.read_plain().unwrap(), "two");
        std::fs::write(&path, "\n").unwrap();
        assert!(secret.read().unwrap_err().0.contains("is empty"));
    }

    #[test]
    fn one_of_both_and_never_shown() {
        let inline = SecretString::from("hush".to_owned());
        let path = PathBuf::from("f");
        assert!(Secret::of("url", Some(&inline), Some(&path)).is_err());
        assert!(Secret::required("url", None, None).unwrap_err().0.contains("url_file"));
        let secret = Secret::of("url", Some(&inline), None).unwrap();
        assert!(!format!("{secret:?}").contains("hush"));
    }
}
