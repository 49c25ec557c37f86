//! Secrets as files that only their owner can read.

use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use secrecy::{ExposeSecret, SecretString};

/// Writes each into a file of its own. A file that holds something else already is left alone, and
/// is an error.
pub(super) fn write(folder: &Path, files: &[(String, SecretString)]) -> Result<()> {
    if files.is_empty() {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    for (name, secret) in files {
        let path = folder.join(name);
        write_one(&path, secret).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn write_one(path: &Path, secret: &SecretString) -> Result<()> {
    let text = format!("{}\n", secret.expose_secret());
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match opened {
        Ok(mut file) => file.write_all(text.as_bytes())?,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            if std::fs::read_to_string(path)? != text {
                bail!(
                    "it holds something else already (move it away, or name another --secrets-dir)"
                );
            }
            std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_for_their_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a").join("secrets");
        let files = |text: &str| vec![("x.url".to_owned(), SecretString::from(text.to_owned()))];
        write(&place, &files("one")).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let path = place.join("x.url");
        assert_eq!((mode(&place), mode(&path)), (0o700, 0o600));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\n");
        // The same again is fine, also where somebody opened it up meanwhile; another is not.
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        write(&place, &files("one")).unwrap();
        assert_eq!(mode(&path), 0o600);
        let error = format!("{:#}", write(&place, &files("two")).unwrap_err());
        assert!(error.contains("x.url") && error.contains("something else"), "{error}");
        assert!(!error.contains("two"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\n");
        write(&folder.path().join("none"), &[]).unwrap();
        assert!(!folder.path().join("none").exists(), "no folder for nothing");
    }
}
