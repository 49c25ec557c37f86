//! Checkpoints in folders of this host.
//!
//! Weir may run on another host than Flink, and a mount may be missing: that nothing is at a path
//! tells nothing by itself. It is gone for sure only where this host sees what Flink keeps beside it:
//! the folder of the very job, or another checkpoint of it.

use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::Look;
use super::place::METADATA;

/// A file system that hangs is not waited for.
const LIMIT: Duration = Duration::from_secs(5);
/// Looks that hang hold a thread each; there are no more of them.
const AT_ONCE: usize = 4;
/// Entries of a folder that are looked at.
const MAX_ENTRIES: usize = 10_000;
/// A job's id, in hex digits.
const ID: usize = 32;

/// Looks at folders of this host.
#[derive(Debug)]
pub(super) struct Local {
    places: Arc<Semaphore>,
}

impl Default for Local {
    fn default() -> Local {
        Local { places: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Local {
    /// Whether this can be restored from.
    pub(super) async fn look(&self, path: PathBuf) -> Look {
        let looking = async {
            let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
            let task = tokio::task::spawn_blocking(move || {
                let _place = place;
                look(&path)
            });
            task.await.ok()
        };
        match tokio::time::timeout(LIMIT, looking).await {
            Ok(Some(seen)) => seen,
            Ok(None) => Look::Unknown("the look was broken off".to_owned()),
            Err(_) => Look::Unknown(format!(
                "its file system did not answer within {} s (check the mount)",
                LIMIT.as_secs()
            )),
        }
    }
}

/// A file, a folder, or nothing.
#[derive(PartialEq)]
enum Kind {
    File { empty: bool },
    Folder,
    Nothing,
}

fn kind(path: &Path) -> Result<Kind, Look> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => Ok(Kind::Folder),
        Ok(found) => Ok(Kind::File { empty: found.len() == 0 }),
        Err(error) if is_missing(&error) => Ok(Kind::Nothing),
        Err(error) => Err(cannot(path, &error)),
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn cannot(path: &Path, error: &io::Error) -> Look {
    Look::Unknown(format!("{} cannot be read: {error} (let Weir's user read it)", path.display()))
}

fn look(path: &Path) -> Look {
    seen(path).unwrap_or_else(|unknown| unknown)
}

fn seen(path: &Path) -> Result<Look, Look> {
    let itself = kind(path)?;
    let metadata = match itself {
        Kind::Folder => kind(&path.join(METADATA))?,
        Kind::File { empty } => Kind::File { empty },
        Kind::Nothing => Kind::Nothing,
    };
    match metadata {
        Kind::File { empty: false } => return Ok(Look::There),
        Kind::File { empty: true } => return Ok(Look::Gone),
        Kind::Folder => {
            let why = format!("{METADATA} in {} is a folder", path.display());
            return Err(Look::Unknown(why));
        }
        Kind::Nothing => {}
    }
    let folder = match path.parent() {
        Some(parent) if path.file_name() == Some(OsStr::new(METADATA)) => parent,
        _ => path,
    };
    let is_there = kind(folder)? == Kind::Folder;
    Ok(if is_proven_gone(folder, is_there)? { Look::Gone } else { not_here(folder) })
}

fn not_here(folder: &Path) -> Look {
    Look::Unknown(format!(
        "{} is not on this host, which may not see Flink's folders (mount them, or let Flink tell)",
        folder.display()
    ))
}

/// This host sees where the checkpoint was: the folder of its job, or others of its kind.
fn is_proven_gone(folder: &Path, is_there: bool) -> Result<bool, Look> {
    let Some(parent) = folder.parent() else { return Ok(false) };
    let names = match std::fs::read_dir(parent) {
        Ok(names) => names,
        Err(error) if is_missing(&error) => return Ok(false),
        Err(error) => return Err(cannot(parent, &error)),
    };
    // Where the folder itself is there, some TaskManager may have made it on a disk of its own.
    if !is_there && parent.file_name().is_some_and(is_job_id) {
        return Ok(true);
    }
    let Some(family) = folder.file_name().and_then(OsStr::to_str).and_then(family) else {
        return Ok(false);
    };
    for entry in names.take(MAX_ENTRIES) {
        let entry = entry.map_err(|error| cannot(parent, &error))?;
        let of_family = entry.file_name().to_str().is_some_and(|name| name.starts_with(family));
        if of_family && kind(&entry.path().join(METADATA))? == (Kind::File { empty: false }) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A folder that no other job has; all zeros is what a job has whose cluster keeps one.
fn is_job_id(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| {
        name.len() == ID
            && name.bytes().all(|byte| byte.is_ascii_hexdigit())
            && name.bytes().any(|byte| byte != b'0')
    })
}

/// What the names of one job's checkpoints in a folder, or of its savepoints, have in common.
fn family(name: &str) -> Option<&str> {
    if name.starts_with("chk-") {
        return name.get(..4);
    }
    // `savepoint-` with the first digits of the job's id.
    let (digits, _) = name.strip_prefix("savepoint-")?.split_once('-')?;
    name.get(.."savepoint-".len() + digits.len() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: &str = "5fb8c1a2d3e4f5061728394a5b6c7d8e";

    fn write(root: &Path, file: &str, text: &str) {
        let path = root.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn short(seen: &Look) -> &'static str {
        match seen {
            Look::There => "there",
            Look::Gone => "gone",
            Look::Unknown(_) => "unknown",
        }
    }

    /// What is in the folder, what is looked at, and what is to be seen.
    #[test]
    fn gone_is_only_what_is_proven_to_be_gone() {
        let job = |rest: &str| format!("ck/{JOB}/{rest}");
        let none = "ck/00000000000000000000000000000000";
        let table: &[(&[String], String, &str)] = &[
            (&[job("chk-7/_metadata")], job("chk-7"), "there"),
            (&[job("chk-7/_metadata")], job("chk-7/"), "there"),
            (&[job("chk-7/_metadata")], job("chk-7/_metadata"), "there"),
            (&["sp/my-savepoint".to_owned()], "sp/my-savepoint".to_owned(), "there"),
            // The job's folder is here.
            (&[job("chk-9/_metadata")], job("chk-7"), "gone"),
            (&[job("chk-9/_metadata")], job("chk-7/_metadata"), "gone"),
            (&[job("shared/x")], job("chk-7"), "gone"),
            // A folder without metadata: another host may have it.
            (&[job("chk-7/state")], job("chk-7"), "unknown"),
            (&[job("chk-7/state"), job("chk-8/_metadata")], job("chk-7"), "gone"),
            (&[job("chk-7/state"), job("chk-8/state")], job("chk-7"), "unknown"),
            // Not even the job's folder: what is above it proves nothing.
            (&["ck/x".to_owned()], job("chk-7"), "unknown"),
            (
                &["ck/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/chk-1/_metadata".to_owned()],
                job("chk-7"),
                "unknown",
            ),
            (&[], job("chk-7"), "unknown"),
            // An id that is everybody's.
            (&[format!("{none}/shared/x")], format!("{none}/chk-7"), "unknown"),
            (&[format!("{none}/chk-9/_metadata")], format!("{none}/chk-7"), "gone"),
            // Without a folder of the job: another checkpoint.
            (&["ck/chk-9/_metadata".to_owned()], "ck/chk-7".to_owned(), "gone"),
            (&["ck/x".to_owned()], "ck/chk-7".to_owned(), "unknown"),
            // Savepoints: another one of the same job.
            (
                &["sp/savepoint-5fb8c1-b/_metadata".to_owned()],
                "sp/savepoint-5fb8c1-a".to_owned(),
                "gone",
            ),
            (
                &["sp/savepoint-aaaaaa-b/_metadata".to_owned()],
                "sp/savepoint-5fb8c1-a".to_owned(),
                "unknown",
            ),
            (&["sp/other/_metadata".to_owned()], "sp/mine".to_owned(), "unknown"),
        ];
        for (files, path, expected) in table {
            let dir = tempfile::tempdir().unwrap();
            for file in *files {
                write(dir.path(), file, "bytes");
            }
            let seen = look(&dir.path().join(path));
            assert_eq!(short(&seen), *expected, "{path} with {files:?}: {seen:?}");
        }
    }

    #[test]
    fn an_empty_file_is_no_checkpoint() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "ck/chk-7/_metadata", "");
        assert_eq!(look(&dir.path().join("ck/chk-7")), Look::Gone);
        // Nor is it a proof.
        assert_eq!(short(&look(&dir.path().join("ck/chk-6"))), "unknown");
        std::fs::create_dir_all(dir.path().join("ck/chk-5/_metadata")).unwrap();
        assert_eq!(short(&look(&dir.path().join("ck/chk-5"))), "unknown");
    }

    #[test]
    fn what_cannot_be_read_is_not_gone() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &format!("{JOB}/chk-9/_metadata"), "bytes");
        let long = dir.path().join(JOB).join("x".repeat(300));
        let Look::Unknown(why) = look(&long) else { panic!("a name nobody can have") };
        assert!(why.contains("cannot be read"), "{why}");
    }

    #[tokio::test]
    async fn no_more_looks_than_places_hang() {
        let local = Local::default();
        let held = Arc::clone(&local.places).acquire_many_owned(4).await.unwrap();
        tokio::time::pause();
        let seen = local.look(PathBuf::from("/")).await;
        assert!(matches!(&seen, Look::Unknown(why) if why.contains("did not answer")), "{seen:?}");
        drop(held);
    }
}
