//! From the columns there are to the query that is asked. Pure.
//!
//! Every name is quoted as its database wants it (`release` is a reserved word in MySQL), and every
//! value is asked for as text of bounded length: what numbers, flags and times look like then depends
//! neither on the database nor on the version of the schema.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::table::{Column, Table};

/// Which SQL a database speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// MySQL and MariaDB.
    MySql,
    /// PostgreSQL.
    Postgres,
}

impl Dialect {
    /// A name, quoted.
    pub(super) fn quoted(self, name: &str) -> String {
        match self {
            Dialect::MySql => format!("`{name}`"),
            Dialect::Postgres => format!("\"{name}\""),
        }
    }

    /// A column as text.
    pub(super) fn text(self, alias: &str, column: &str) -> String {
        let column = self.quoted(column);
        match self {
            Dialect::MySql => format!("CAST({alias}.{column} AS CHAR)"),
            Dialect::Postgres => format!("CAST({alias}.{column} AS text)"),
        }
    }

    /// The n-th place for a value, from 1.
    fn place(self, n: usize) -> String {
        match self {
            Dialect::MySql => "?".to_owned(),
            Dialect::Postgres => format!("${n}"),
        }
    }
}

/// Columns that exist and may be read, by table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Known(pub(super) BTreeMap<String, BTreeSet<String>>);

impl Known {
    /// From rows of (table, column).
    pub(super) fn of(rows: &[Vec<Option<String>>]) -> Known {
        let mut known = Known::default();
        for row in rows {
            if let [Some(table), Some(column)] = row.as_slice() {
                let columns = known.0.entry(table.to_ascii_lowercase()).or_default();
                columns.insert(column.to_ascii_lowercase());
            }
        }
        known
    }

    pub(super) fn has(&self, table: &Table, column: &str) -> bool {
        self.0.get(table.name).is_some_and(|columns| columns.contains(column))
    }

    /// The table can be read, and what it must have is there.
    pub(super) fn check(&self, table: &Table) -> Result<(), Missing> {
        if !self.0.contains_key(table.name) {
            return Err(Missing { table: table.name, column: None });
        }
        let missing = |column: &&Column| column.must && !self.has(table, column.name);
        match table.columns.iter().find(missing) {
            Some(column) => Err(Missing { table: table.name, column: Some(column.name) }),
            None => Ok(()),
        }
    }
}

/// What is not there, or may not be read: the database tells no difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) table: &'static str,
    pub(super) column: Option<&'static str>,
}

/// A query and what its columns are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) sql: String,
    /// Names such as `a.job_name`, in the order of the columns.
    pub(super) fields: Vec<String>,
    /// Values for its places.
    pub(super) values: Vec<String>,
}

/// The columns that exist, of tables of which the first is the one that counts.
pub(super) fn columns(dialect: Dialect, tables: &[&Table]) -> Query {
    let names: Vec<String> = tables.iter().map(|table| table.name.to_owned()).collect();
    let places = places(dialect, 1, names.len());
    // Compared as they are in MySQL, which else opens every table there is; as texts in PostgreSQL,
    // whose own type of names has no such comparison.
    let sql = match dialect {
        Dialect::MySql => format!(
            "SELECT CAST(c.TABLE_NAME AS CHAR), CAST(c.COLUMN_NAME AS CHAR) \
             FROM information_schema.COLUMNS c \
             WHERE c.TABLE_SCHEMA = DATABASE() AND c.TABLE_NAME IN ({places})"
        ),
        Dialect::Postgres => format!(
            "SELECT CAST(c.table_name AS text), CAST(c.column_name AS text) \
             FROM information_schema.columns c \
             WHERE CAST(c.table_schema AS text) = CAST(current_schema() AS text) \
             AND CAST(c.table_name AS text) IN ({places})"
        ),
    };
    Query { sql, fields: vec!["table".to_owned(), "column".to_owned()], values: names }
}

/// Columns (alias, name), and values of which one of them must have one.
pub(super) type OneOf<'w> = (&'w [(&'w str, &'w str)], &'w [String]);

/// What else is to be said about a query.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted<'w> {
    /// Of those columns that exist.
    pub(super) one_of: Option<OneOf<'w>>,
    /// A column (alias, name) that must have this number.
    pub(super) number: Option<(&'w str, &'w str, i64)>,
    /// Newest first, by this column of the first table.
    pub(super) newest_by: Option<&'w str>,
    /// Rows at most.
    pub(super) limit: usize,
}

/// Reads the first table, and of the others what there is.
pub(super) fn select(
    dialect: Dialect,
    known: &Known,
    tables: &[&Table],
    wanted: &Wanted<'_>,
) -> Result<Query, Missing> {
    let Some(first) = tables.first() else { return Ok(Query::default()) };
    known.check(first)?;
    let joinable = |table: &&&Table| match table.join {
        None => table.alias == first.alias,
        Some((own, (alias, column))) => {
            let other = tables.iter().find(|other| other.alias == alias);
            known.has(table, own) && other.is_some_and(|other| known.has(other, column))
        }
    };
    let used: Vec<&&Table> = tables.iter().filter(joinable).collect();
    let mut query = Query::default();
    let mut parts = Vec::new();
    for table in &used {
        for column in table.columns.iter().filter(|column| known.has(table, column.name)) {
            let text = dialect.text(table.alias, column.name);
            parts.push(format!("LEFT({text}, {})", column.cut));
            query.fields.push(format!("{}.{}", table.alias, column.name));
        }
    }
    let name = |table: &Table| format!("{} {}", dialect.quoted(table.name), table.alias);
    query.sql = format!("SELECT {} FROM {}", parts.join(", "), name(first));
    for table in used.iter().skip(1) {
        if let Some((own, (alias, column))) = table.join {
            let (own, column) = (dialect.quoted(own), dialect.quoted(column));
            let named = name(table);
            let on = format!("{}.{own} = {alias}.{column}", table.alias);
            push(&mut query.sql, &format!(" LEFT JOIN {named} ON {on}"));
        }
    }
    let mut conditions = Vec::new();
    if let Some((columns, values)) = wanted.one_of {
        let there = |(alias, column): &&(&str, &str)| {
            used.iter().any(|table| table.alias == *alias && known.has(table, column))
        };
        let mut any = Vec::new();
        for (alias, column) in columns.iter().filter(there) {
            let places = places(dialect, query.values.len() + 1, values.len());
            any.push(format!("{} IN ({places})", dialect.text(alias, column)));
            query.values.extend(values.iter().cloned());
        }
        // Nothing to tell them apart by: better none than all.
        let any = if any.is_empty() { "1 = 0".to_owned() } else { any.join(" OR ") };
        conditions.push(format!("({any})"));
    }
    if let Some((alias, column, number)) = wanted.number {
        conditions.push(format!("{alias}.{} = {number}", dialect.quoted(column)));
    }
    if !conditions.is_empty() {
        push(&mut query.sql, &format!(" WHERE {}", conditions.join(" AND ")));
    }
    if let Some(column) = wanted.newest_by {
        let order = format!(" ORDER BY {}.{} DESC", first.alias, dialect.quoted(column));
        push(&mut query.sql, &order);
    }
    push(&mut query.sql, &format!(" LIMIT {}", wanted.limit));
    Ok(query)
}

fn push(sql: &mut String, part: &str) {
    // Writing into a text cannot fail.
    write!(sql, "{part}").ok();
}

fn places(dialect: Dialect, from: usize, count: usize) -> String {
    let all: Vec<String> = (from..from + count).map(|n| dialect.place(n)).collect();
    all.join(", ")
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
