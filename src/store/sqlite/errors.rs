//! What went wrong, in words that say what to do.

use std::io::ErrorKind;
use std::path::Path;

use crate::store::StoreError;

/// An error of the file system around the database.
pub(super) fn file(path: &Path, error: &std::io::Error) -> StoreError {
    let shown = path.display();
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    StoreError::Unavailable(match error.kind() {
        ErrorKind::NotFound => {
            format!("directory {} does not exist; create it or change store.url", parent.display())
        }
        ErrorKind::PermissionDenied => format!(
            "no permission to write {shown}; give the user weir runs as write access to {}",
            parent.display()
        ),
        ErrorKind::ReadOnlyFilesystem => {
            format!("{shown} is on a read-only file system; remount it or change store.url")
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            format!("no space left for {shown}; free some, or lower store.retention")
        }
        ErrorKind::IsADirectory => format!("{shown} is a directory; name a file in store.url"),
        _ => format!("cannot open {shown}: {error}"),
    })
}

/// An error of `SQLite`. `shown` names the database.
pub(super) fn sqlite(shown: &str, error: &sqlx::Error) -> StoreError {
    if let sqlx::Error::Decode(e) | sqlx::Error::ColumnDecode { source: e, .. } = error {
        return StoreError::Refused(format!(
            "{shown} holds a row this weir cannot read ({e}); run the newer weir that wrote it, or \
             restore a backup"
        ));
    }
    let Some(code) = code(error) else {
        return StoreError::Unavailable(format!("{shown}: {error}"));
    };
    let text = match code {
        // SQLITE_CORRUPT, SQLITE_NOTADB
        11 | 26 => {
            return StoreError::Refused(format!(
                "{shown} is damaged or not an SQLite database; move it away and restore a backup, \
                 or start with a new file"
            ));
        }
        // SQLITE_PERM, SQLITE_READONLY
        3 | 8 => "is read-only; give the user weir runs as write access to the file and its \
                  directory"
            .to_owned(),
        // SQLITE_BUSY, SQLITE_LOCKED
        5 | 6 => "is locked by another program; close whatever else has it open".to_owned(),
        // SQLITE_IOERR
        10 => format!("cannot be read or written ({error}); check the disk"),
        // SQLITE_FULL
        13 => "is full: no space left on its disk; free some, or lower store.retention".to_owned(),
        // SQLITE_CANTOPEN
        14 => "cannot be opened; check that its directory exists and is writable".to_owned(),
        _ => format!("failed: {error}"),
    };
    StoreError::Unavailable(format!("{shown} {text}"))
}

/// `SQLite`'s primary result code.
fn code(error: &sqlx::Error) -> Option<i32> {
    let code = error.as_database_error()?.code()?;
    code.parse::<i32>().ok().map(|c| c & 0xff)
}
