//! A secret given in clear, by the environment or in a file of its own.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

/// No secret is longer.
const MAX_BYTES: u64 = 64 * 1024;

/// A secret or where to read it; never printed.
#[derive(Debug, Clone)]
pub enum Secret {
    /// Given.
    Value(SecretString),
    /// In a file, read again when it changes.
    File(PathBuf),
}

/// Why a secret cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read the secret file `{path}`")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is empty.
    #[error("the secret file `{0}` is empty")]
    Empty(PathBuf),
    /// The file is no secret.
    #[error("the secret file `{0}` is larger than 64 KiB")]
    TooLarge(PathBuf),
}

impl Secret {
    /// One of `x` and `x_file`; that not both are given is checked when the file is loaded.
    pub fn from_twins(value: Option<SecretString>, file: Option<PathBuf>) -> Option<Secret> {
        value.map(Secret::Value).or_else(|| file.map(Secret::File))
    }

    /// The secret as of now. A file loses one newline at its end.
    ///
    /// # Errors
    /// When its file cannot be read, is empty or too large.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        match self {
            Secret::Value(value) => Ok(value.clone()),
            Secret::File(path) => read_file(path),
        }
    }
}

fn read_file(path: &Path) -> Result<SecretString, SecretError> {
    let failed = |source| SecretError::Read { path: path.to_owned(), source };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(SecretError::TooLarge(path.to_owned()));
    }
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    if text.is_empty() {
        return Err(SecretError::Empty(path.to_owned()));
    }
    Ok(SecretString::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn one_newline_is_trimmed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        for (content, expected) in [("a", "a"), ("a\n", "a"), ("a\r\n", "a"), (" a \n\n", " a \n")]
        {
            std::fs::write(&path, content).unwrap();
            let secret = Secret::File(path.clone()).read().unwrap();
            assert_eq!(secret.expose_secret(), expected);
        }
        std::fs::write(&path, "\n").unwrap();
        assert!(matches!(Secret::File(path).read(), Err(SecretError::Empty(_))));
    }
}
