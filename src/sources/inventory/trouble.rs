//! What a database says when it refuses, in words that name the way out. Pure.

use super::kind::Kind;
use super::plan::Missing;

/// What is known of an error, whichever database it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// No way to it: refused, no such host, cut off.
    Unreachable(String),
    /// TLS did not come about.
    Tls(String),
    /// The database answered: its number or code, and its words.
    Refused { code: String, words: String },
    /// The time of the whole look was over.
    TooSlow(u64),
    /// More bytes than are taken.
    TooMuch(usize),
    /// A table or column that is not there or may not be read.
    Missing(Missing),
    /// An option in the address that the library does not know; which one would show the rest of it.
    UnknownOption,
    /// An answer that makes no sense.
    Strange(String),
}

impl Trouble {
    /// In words; `shown` is the address without secrets.
    pub(super) fn explain(&self, kind: Kind, shown: &str) -> String {
        let name = kind.name();
        let (what, hint) = match self {
            Trouble::Unreachable(why) => (
                format!("cannot be reached: {why}"),
                "check host, port and the way there".to_owned(),
            ),
            Trouble::Tls(why) => (
                format!("no TLS: {why}"),
                if why.contains("does not support TLS") {
                    "switch it on there, or take `ssl-mode` or `sslmode` out of the address"
                } else {
                    "name its CA under `tls.ca_file`; how much is checked is said in the address: \
                     `?ssl-mode=…` of MySQL, `?sslmode=…` of PostgreSQL"
                }
                .to_owned(),
            ),
            Trouble::Refused { code, words } => refused(kind, code, words),
            Trouble::TooSlow(seconds) => (
                format!("did not answer within {seconds} s"),
                "look at its load, or raise `timeout`".to_owned(),
            ),
            Trouble::TooMuch(megabytes) => (
                format!("its jobs take more than {megabytes} MB"),
                "name the `teams` to look at".to_owned(),
            ),
            Trouble::Missing(Missing { table, column }) => (
                match column {
                    Some(column) => format!("no column {column} in {table} that may be read"),
                    None => format!("no table {table} that may be read"),
                },
                format!("is this the database of {name}? If so: {}", rights(kind, *column, table)),
            ),
            Trouble::UnknownOption => (
                "an option in its address is not known".to_owned(),
                "such as `?ssl-mode=REQUIRED` of MySQL, `?sslmode=require` of PostgreSQL"
                    .to_owned(),
            ),
            Trouble::Strange(why) => (
                format!("an answer that cannot be read: {why}"),
                format!("is this the database of {name}?"),
            ),
        };
        format!("{name} at {shown}: {what} ({hint})")
    }
}

/// That recorded checkpoints may not be read while all else is, with the way out.
pub(super) fn without_recorded(kind: Kind, shown: &str, trouble: &Trouble) -> String {
    let name = kind.name();
    match trouble {
        Trouble::Missing(Missing { table, column }) => {
            let what = match column {
                Some(column) => format!("column {column} of {table}"),
                None => (*table).to_owned(),
            };
            let rights = rights(kind, *column, table);
            format!(
                "{name} at {shown}: {what} may not be read: no job can be restored from what only \
                 {name} has recorded ({rights})"
            )
        }
        other => {
            let why = other.explain(kind, shown);
            format!("{why}; its recorded checkpoints are those of the last look, all else is new")
        }
    }
}

/// What to have whoever runs the database type.
fn rights(kind: Kind, column: Option<&str>, table: &str) -> String {
    let (column, word) = (column.unwrap_or("…"), kind.word());
    format!(
        "`GRANT SELECT ({column}) ON {table} TO …`; all of it: `weir import {word} --print-grant`"
    )
}

/// MySQL and MariaDB name errors by number, PostgreSQL by a code of five characters.
fn refused(kind: Kind, code: &str, words: &str) -> (String, String) {
    let hint = match code {
        "1045" | "28P01" | "28000" | "1698" => {
            "check user and password in the address; some are good for one host, or over TLS, only"
                .to_owned()
        }
        "1044" | "1142" | "1143" | "42501" => rights(kind, None, kind.jobs_table()),
        "1049" | "3D000" => "check the name of the database in the address".to_owned(),
        "1040" | "53300" => "it has no free connection; one is enough".to_owned(),
        "1130" => "the server takes nobody from this machine: allow its address".to_owned(),
        "2061" => {
            "switch TLS on at the server, or create the user with mysql_native_password".to_owned()
        }
        // The limits of one statement: MySQL, MariaDB, PostgreSQL.
        "3024" | "1969" | "57014" => {
            "it was too slow: look at its load, or raise `timeout`".to_owned()
        }
        "1290" | "57P03" => "it is starting or going down".to_owned(),
        _ => "ask whoever runs this database".to_owned(),
    };
    (format!("refused with {code}: {words}"), hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lacking_for_restarts_names_the_right() {
        let said = |trouble| without_recorded(Kind::Streampark, "mysql://db/sp", &trouble);
        let missing = |column| Trouble::Missing(Missing { table: "t_flink_savepoint", column });
        for (trouble, words) in [
            (missing(None), "mysql://db/sp: t_flink_savepoint may not be read: no job can be"),
            (
                missing(None),
                "`GRANT SELECT (…) ON t_flink_savepoint TO …`; all of it: `weir import",
            ),
            (missing(Some("path")), "column path of t_flink_savepoint may not be read"),
            (Trouble::TooSlow(5), "did not answer within 5 s"),
        ] {
            let said = said(trouble);
            assert!(said.contains(words), "{said}");
        }
    }

    #[test]
    fn each_error_names_the_way_out() {
        let refused = |code: &str| Trouble::Refused { code: code.into(), words: "no".into() };
        let missing = |column| Trouble::Missing(Missing { table: "t_flink_app", column });
        for (trouble, words) in [
            (Trouble::Unreachable("connection refused".into()), "connection refused (check host"),
            (Trouble::Tls("unknown issuer".into()), "tls.ca_file"),
            (refused("1045"), "refused with 1045: no (check user and password"),
            (refused("28P01"), "check user and password"),
            (refused("1142"), "--print-grant"),
            (refused("42501"), "--print-grant"),
            (refused("1049"), "name of the database"),
            (refused("57014"), "too slow"),
            (refused("99999"), "refused with 99999"),
            (Trouble::TooSlow(20), "within 20 s"),
            (refused("1142"), "`GRANT SELECT (…) ON t_flink_app TO …`"),
            (missing(None), "no table t_flink_app that may be read"),
            (missing(Some("state")), "no column state in t_flink_app that may be read"),
            (missing(Some("state")), "`GRANT SELECT (state) ON t_flink_app TO …`"),
            (Trouble::UnknownOption, "an option in its address"),
        ] {
            let said = trouble.explain(Kind::Streampark, "mysql://db/sp");
            assert!(said.starts_with("StreamPark at mysql://db/sp: "), "{said}");
            assert!(said.contains(words), "{said}");
        }
    }
}
