//! Which database an address means. An address holds a password: nothing of it is ever shown but
//! what `redact_url` leaves.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::plan::Dialect;
use crate::http::redact_url;

/// Largest file with an address.
const MAX: u64 = 64 * 1024;

/// An address, or where to read it.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Inline(SecretString),
    File(PathBuf),
}

/// What was wrong, and the way out.
pub(super) type Problem = (String, String);

/// An address that can be used.
#[derive(Debug, Clone)]
pub(super) struct Address {
    pub(super) dialect: Dialect,
    pub(super) url: SecretString,
    /// For people.
    pub(super) shown: String,
}

impl Place {
    /// Its address now: a file is read anew, so that a new password needs no restart.
    pub(super) fn read(&self) -> Result<Address, String> {
        let text = match self {
            Place::Inline(text) => text.expose_secret().to_owned(),
            Place::File(path) => file(path)?,
        };
        parse(text.trim()).map_err(|(what, hint)| format!("{what} ({hint})"))
    }
}

fn file(path: &Path) -> Result<String, String> {
    use std::io::Read as _;
    let shown = path.display();
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX).read_to_string(&mut text))
        .map_err(|error| format!("`database_url_file` {shown} cannot be read: {error}"))?;
    if text.trim().is_empty() {
        return Err(format!("`database_url_file` {shown} is empty"));
    }
    Ok(text)
}

/// Reads `mysql://user:password@host:3306/streampark` and its like.
pub(super) fn parse(url: &str) -> Result<Address, Problem> {
    let example =
        "write mysql://weir:…@host:3306/streampark or postgres://weir:…@host:5432/streampark";
    let refuse = |what: &str, hint: &str| Err((what.to_owned(), hint.to_owned()));
    if url.starts_with("jdbc:") {
        return refuse(
            "the address of the database is one of Java's",
            "leave out `jdbc:`, put user and password before the host, and drop Java's options",
        );
    }
    let Ok(read) = reqwest::Url::parse(url) else {
        return refuse(
            "the address of the database cannot be read",
            "in a password, % / @ : # ? are written as %25 %2F %40 %3A %23 %3F",
        );
    };
    let dialect = match read.scheme() {
        "mysql" | "mariadb" => Dialect::MySql,
        "postgres" | "postgresql" => Dialect::Postgres,
        "h2" => {
            return refuse(
                "H2 can be read by the inventory's own process alone",
                "move the inventory to MySQL or PostgreSQL, or leave this source out",
            );
        }
        _ => return refuse("no address of MySQL, MariaDB or PostgreSQL", example),
    };
    let by_socket = read.query_pairs().any(|(key, _)| key == "socket" || key == "host");
    if !read.has_host() && !by_socket {
        return refuse("the address of the database names no host", example);
    }
    if read.path().trim_matches('/').is_empty()
        && !read.query_pairs().any(|(key, _)| key == "dbname")
    {
        return refuse("the address names no database", example);
    }
    let shown = redact_url(url);
    Ok(Address { dialect, url: SecretString::from(url.to_owned()), shown })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_never_shown() {
        use Dialect::{MySql, Postgres};
        for (url, dialect, shown) in [
            ("mysql://weir:p4ss@db:3306/streampark", MySql, "mysql://db:3306/streampark"),
            ("mariadb://weir:p4ss@db/sp", MySql, "mariadb://db/sp"),
            ("postgres://weir:p4ss@db/sp?sslmode=require", Postgres, "postgres://db/sp?sslmode=…"),
            (
                "postgresql://db/sp?user=u&password=p4ss",
                Postgres,
                "postgresql://db/sp?user=…&password=…",
            ),
        ] {
            let read = parse(url).unwrap();
            assert_eq!((read.dialect, read.shown.as_str()), (dialect, shown));
            assert!(!format!("{read:?}").contains("p4ss"));
        }
        for (url, what) in [
            ("jdbc:mysql://db/sp?user=u", "one of Java's"),
            ("h2://db", "H2"),
            ("sqlite://sp.db", "no address of MySQL"),
            ("mysql:///sp", "names no host"),
            ("mysql://db", "names no database"),
            ("postgres://db/", "names no database"),
            ("mysql://weir:p4ss/w@rd#@db/sp", ""),
            ("p4ss", "cannot be read"),
            ("", "cannot be read"),
        ] {
            let (said, hint) = parse(url).unwrap_err();
            assert!(said.contains(what), "{url}: {said}");
            assert!(!said.contains("p4ss") && !hint.contains("p4ss"), "{url}: {said} ({hint})");
        }
    }

    #[test]
    fn files_are_read_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("url");
        let place = Place::File(path.clone());
        assert!(place.read().unwrap_err().contains("cannot be read"));
        std::fs::write(&path, "\n").unwrap();
        assert!(place.read().unwrap_err().contains("is empty"));
        std::fs::write(&path, "mysql://weir:one@db/sp\n").unwrap();
        assert_eq!(place.read().unwrap().shown, "mysql://db/sp");
    }
}
