//! One process per database file. Two engines on one file would both tell people everything.
//!
//! The lock is the operating system's, so a killed process frees it; the file beside the database
//! only carries the holder's pid for the error message and is left behind on purpose (removing it
//! would let two processes lock two different files of the same name).

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::errors;
use crate::store::StoreError;

/// Held as long as the store is open.
#[derive(Debug)]
pub(super) struct ProcessLock {
    _file: File,
}

impl ProcessLock {
    /// Takes the lock of the database at `db`, or says who has it.
    pub(super) fn take(db: &Path) -> Result<ProcessLock, StoreError> {
        let path = lock_path(db);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        private(&mut options);
        let mut file = options.open(&path).map_err(|e| errors::file(&path, &e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let holder = match file.read_to_string(&mut pid) {
                    Ok(_) if !pid.trim().is_empty() => format!("process {}", pid.trim()),
                    _ => "another process".to_owned(),
                };
                return Err(StoreError::Refused(format!(
                    "{} is in use by {holder}; stop that one first, or set another store.url here",
                    db.display()
                )));
            }
            Err(TryLockError::Error(e)) => {
                return Err(StoreError::Unavailable(format!(
                    "cannot lock {}: {e}; put the store on a local disk",
                    path.display()
                )));
            }
        }
        let write = |file: &mut File| -> std::io::Result<()> {
            file.rewind()?;
            file.set_len(0)?;
            write!(file, "{}", std::process::id())?;
            file.flush()
        };
        write(&mut file).map_err(|e| errors::file(&path, &e))?;
        Ok(ProcessLock { _file: file })
    }
}

/// `weir.db` → `weir.db.lock`.
pub(super) fn lock_path(db: &Path) -> PathBuf {
    with_suffix(db, ".lock")
}

/// The path with something appended to its file name.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Files are made readable for their owner only: messages may quote what jobs process.
pub(super) fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
}
