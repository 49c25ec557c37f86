//! One look at an inventory's database.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use super::config::InventoryConfig;
use super::kind::{Kind, MAX_JOBS};
use super::plan::{self, Dialect, Known, Query, Wanted};
use super::row::Row;
use super::session::{Rows, Session};
use super::table::Table;
use super::trouble::{Trouble, without_recorded};
use super::url::Address;
use super::ways::Way;
use super::{dinky, streampark};
use crate::model::{InventoryCheckpoint, InventoryEntry};

/// A look takes at most so many times what one statement may.
const LOOK_TIMEOUTS: u32 = 5;
/// Alert configurations that are imported.
const MAX_WAYS: usize = 1_000;

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) entries: Vec<InventoryEntry>,
    /// Checkpoints and savepoints it has recorded; none: they were not asked for, or not told.
    pub(super) recorded: Option<Vec<InventoryCheckpoint>>,
    /// What could not be read of them, with the way out.
    pub(super) lacks: Option<String>,
    /// There were more than are taken.
    pub(super) more: bool,
    pub(super) requests: u32,
    pub(super) bytes: u64,
}

/// What an import needs.
#[derive(Debug, Default)]
pub struct Import {
    /// The jobs.
    pub entries: Vec<InventoryEntry>,
    /// Where the inventory tells people, with their secrets.
    pub ways: Vec<Way>,
}

/// Looks at all jobs, and at what was recorded of their checkpoints if that is wanted too.
pub(super) async fn look(
    kind: Kind,
    config: &InventoryConfig,
    timeout: Duration,
    recorded: bool,
) -> Result<Seen, String> {
    let (address, timeout) = (config.place()?.read()?, config.timeout.unwrap_or(timeout));
    let work = async {
        let mut session = Session::open(&address, config.tls.as_ref(), timeout).await?;
        let seen = see(&mut session, kind, &address, config, recorded).await;
        session.close().await;
        seen
    };
    within(timeout, kind, &address, work).await
}

/// Reads what an import needs. The channels hold secrets; nothing else reads them.
///
/// # Errors
/// Says what went wrong and the way out, without secrets.
pub async fn read_for_import(
    kind: Kind,
    config: &InventoryConfig,
    timeout: Duration,
) -> Result<Import, String> {
    let (address, timeout) = (config.place()?.read()?, config.timeout.unwrap_or(timeout));
    let work = async {
        let mut session = Session::open(&address, config.tls.as_ref(), timeout).await?;
        let import = import(&mut session, kind, &address, config).await;
        session.close().await;
        import
    };
    within(timeout, kind, &address, work).await
}

/// The work within its time; what goes wrong in words.
async fn within<T>(
    timeout: Duration,
    kind: Kind,
    address: &Address,
    work: impl Future<Output = Result<T, Trouble>> + Send,
) -> Result<T, String> {
    let whole = timeout * LOOK_TIMEOUTS;
    let done = tokio::time::timeout(whole, work).await;
    let done = done.unwrap_or_else(|_| Err(Trouble::TooSlow(whole.as_secs())));
    done.map_err(|trouble| trouble.explain(kind, &address.shown))
}

async fn see(
    session: &mut Session,
    kind: Kind,
    address: &Address,
    config: &InventoryConfig,
    recorded: bool,
) -> Result<Seen, Trouble> {
    let known = columns(session, address.dialect, kind.tables()).await?;
    let mut seen = jobs(session, kind, address.dialect, &known, &config.teams).await?;
    if recorded {
        // Without it all else is as good as with it.
        match recorded_of(session, kind, address.dialect, &known, &seen.entries).await {
            Ok(recorded) => seen.recorded = Some(recorded),
            Err(trouble) => seen.lacks = Some(without_recorded(kind, &address.shown, &trouble)),
        }
        (seen.requests, seen.bytes) = (session.requests, session.bytes);
    }
    Ok(seen)
}

async fn recorded_of(
    session: &mut Session,
    kind: Kind,
    dialect: Dialect,
    known: &Known,
    entries: &[InventoryEntry],
) -> Result<Vec<InventoryCheckpoint>, Trouble> {
    let Some(query) = kind.recorded(dialect, known).map_err(Trouble::Missing)? else {
        return Ok(Vec::new());
    };
    let rows = session.rows(&query).await?;
    Ok(streampark::recorded(each(&query, &rows), entries))
}

async fn import(
    session: &mut Session,
    kind: Kind,
    address: &Address,
    config: &InventoryConfig,
) -> Result<Import, Trouble> {
    let dialect = address.dialect;
    let tables: Vec<Table> = kind.tables().iter().chain(kind.import_tables()).copied().collect();
    let known = columns(session, dialect, &tables).await?;
    let entries = jobs(session, kind, dialect, &known, &config.teams).await?.entries;
    let mail = streampark::MAIL.map(str::to_owned);
    let mut asked = Vec::new();
    for table in kind.import_tables() {
        let is_settings = table.name == streampark::SETTINGS;
        let one_of = is_settings.then_some((&[("s", "setting_key")][..], &mail[..]));
        let wanted = Wanted { one_of, limit: MAX_WAYS, ..Wanted::default() };
        let query = match plan::select(dialect, &known, &[table], &wanted) {
            Ok(query) => query,
            // The settings of the mail server may be kept from us: the draft says what is missing.
            Err(_) if is_settings => Query::default(),
            Err(missing) => return Err(Trouble::Missing(missing)),
        };
        let rows = if query.sql.is_empty() { Rows::new() } else { session.rows(&query).await? };
        asked.push((query, rows));
    }
    let rows = |at: usize| asked.get(at).into_iter().flat_map(|(query, rows)| each(query, rows));
    let ways = match kind {
        Kind::Streampark => streampark::ways(rows(0), rows(1)),
        Kind::Dinky => dinky::ways(rows(0), rows(1)),
    };
    Ok(Import { entries, ways })
}

async fn columns(
    session: &mut Session,
    dialect: Dialect,
    tables: &[Table],
) -> Result<Known, Trouble> {
    let tables: Vec<&Table> = tables.iter().collect();
    let rows = session.rows(&plan::columns(dialect, &tables)).await?;
    Ok(Known::of(&rows))
}

async fn jobs(
    session: &mut Session,
    kind: Kind,
    dialect: Dialect,
    known: &Known,
    teams: &[String],
) -> Result<Seen, Trouble> {
    let query = kind.jobs(dialect, known, teams).map_err(Trouble::Missing)?;
    let mut rows = session.rows(&query).await?;
    let more = rows.len() > MAX_JOBS;
    rows.truncate(MAX_JOBS);
    let mut entries = entries(kind, each(&query, &rows));
    if let Some(query) = kind.starts(dialect, known) {
        let rows = session.rows(&query).await?;
        let failures = streampark::failures(each(&query, &rows));
        for entry in &mut entries {
            entry.start_failure = failures.get(&entry.id).cloned();
        }
    }
    Ok(Seen { entries, more, requests: session.requests, bytes: session.bytes, ..Seen::default() })
}

/// The entries of rows, each id once, in order: the order of a database is nobody's promise.
fn entries<'r>(kind: Kind, rows: impl Iterator<Item = Row<'r>>) -> Vec<InventoryEntry> {
    let mut ids = BTreeSet::new();
    let mut entries: Vec<InventoryEntry> = rows.filter_map(|row| kind.entry(&row)).collect();
    entries.retain(|entry| ids.insert(entry.id.clone()));
    entries.sort_by(|a, b| (a.id.len(), &a.id).cmp(&(b.id.len(), &b.id)));
    entries
}

fn each<'r>(query: &'r Query, rows: &'r [Vec<Option<String>>]) -> impl Iterator<Item = Row<'r>> {
    rows.iter().map(|values| Row::new(&query.fields, values))
}

#[cfg(test)]
mod tests {
    use super::super::row::Made;
    use super::*;

    #[test]
    fn entries_come_once_and_in_order() {
        let made = ["100010", "99", "100002", "99"].map(|id| Made::of(&[("a.id", id)]));
        let found = entries(Kind::Streampark, made.iter().map(Made::row));
        let ids: Vec<&str> = found.iter().map(|entry| entry.id.as_str()).collect();
        assert_eq!(ids, ["99", "100002", "100010"]);
    }
}
