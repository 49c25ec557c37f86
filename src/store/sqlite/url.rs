//! Which file a `sqlite:` URL means.

use std::path::PathBuf;

use crate::store::StoreError;

/// Where the database lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Location {
    /// Gone with the process: tests.
    Memory,
    /// A file.
    File(PathBuf),
}

/// Reads `sqlite://weir.db` (relative to the working directory), `sqlite:///var/lib/weir/weir.db`
/// (absolute), `sqlite:weir.db` and `sqlite::memory:`. The path is taken as it is, without escapes.
pub(super) fn parse(url: &str) -> Result<Location, StoreError> {
    let refuse = |why: &str| {
        Err(StoreError::Refused(format!(
            "{why} in the store url; write sqlite://weir.db for a file beside the working \
             directory or sqlite:///var/lib/weir/weir.db for an absolute path"
        )))
    };
    let Some(rest) = url.strip_prefix("sqlite:") else {
        return refuse("no sqlite: scheme");
    };
    if rest == ":memory:" {
        return Ok(Location::Memory);
    }
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if path.is_empty() {
        return refuse("no path");
    }
    if path.contains('?') {
        return refuse("parameters (`?…`) are not supported");
    }
    if path.ends_with('/') {
        return refuse("the path names a directory");
    }
    Ok(Location::File(PathBuf::from(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_files() {
        let file = |path: &str| Some(Location::File(PathBuf::from(path)));
        for (url, expected) in [
            ("sqlite://weir.db", file("weir.db")),
            ("sqlite:weir.db", file("weir.db")),
            ("sqlite://data/weir.db", file("data/weir.db")),
            ("sqlite://./weir.db", file("./weir.db")),
            ("sqlite:///var/lib/weir.db", file("/var/lib/weir.db")),
            ("sqlite:///with space/100%.db", file("/with space/100%.db")),
            ("sqlite::memory:", Some(Location::Memory)),
            ("sqlite://", None),
            ("sqlite:", None),
            ("sqlite://data/", None),
            ("sqlite://weir.db?mode=ro", None),
            ("postgres://x", None),
            ("weir.db", None),
        ] {
            assert_eq!(parse(url).ok(), expected, "{url}");
        }
    }
}
