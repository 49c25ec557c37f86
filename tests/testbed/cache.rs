//! The folder where downloads and compiled jobs are kept between runs.
//!
//! Several test processes may want the same thing at once: whoever holds the lock of a name makes
//! it, the others find it made. The lock is the kernel's, so it ends with its process.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// The cache folder: `WEIR_TESTBED_CACHE`, else `.cache/testbed` beside `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    std::env::var_os("WEIR_TESTBED_CACHE").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache").join("testbed"),
        PathBuf::from,
    )
}

/// A file of the test bed's own sources.
pub(crate) fn source_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join("testbed").join(name)
}

/// Held while something is put into the cache.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Waits until no other process or task makes `name`.
///
/// # Errors
/// When the lock file cannot be created.
pub(crate) async fn lock(name: &str) -> Result<Lock> {
    let folder = root().join("locks");
    create_dir(&folder)?;
    let path = folder.join(format!("{name}.lock"));
    let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    let file = tokio::task::spawn_blocking(move || file.lock().map(|()| file))
        .await?
        .with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(Lock { _file: file })
}

/// Creates a folder and those above it.
///
/// # Errors
/// When it cannot be created.
pub(crate) fn create_dir(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))
}

/// Removes a folder if it is there.
///
/// # Errors
/// When it is there and stays.
pub(crate) fn remove_dir(path: &Path) -> Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Puts a finished folder in its place; from then on every process sees it whole.
///
/// # Errors
/// When it cannot be renamed.
pub(crate) fn publish(made: &Path, place: &Path) -> Result<()> {
    std::fs::rename(made, place)
        .with_context(|| format!("cannot rename {} to {}", made.display(), place.display()))
}
