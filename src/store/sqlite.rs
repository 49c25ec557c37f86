//! The store in one `SQLite` file: WAL, `synchronous=FULL`, one writer, a few readers, one process.
//!
//! A commit that fails leaves nothing behind: its connection is thrown away, and the next commit
//! opens a new one, so that no half-open transaction survives whatever went wrong.

mod errors;
mod history;
mod lock;
mod prune;
mod read;
mod report;
mod schema;
#[cfg(test)]
mod tests;
mod trace;
mod url;
mod write;

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, SqliteConnection, SqlitePool};
use tokio::sync::{Mutex, MutexGuard};

use self::lock::ProcessLock;
use self::url::Location;
use super::{Page, Store, StoreError, Timeline, Traced};
use crate::model::{
    Change, HistoryChunk, HistoryPage, Incident, Loaded, Message, Notice, Report, Restart, Ts,
};

/// Calls that give back what one dropped segment of history took.
const SHRINKS: u64 = 16;
/// How long to wait for somebody else's lock on the file (a backup tool, `sqlite3`).
const BUSY: Duration = Duration::from_secs(5);

/// Connections for the API; each is a thread.
const READERS: u32 = 2;

/// A store in a file.
#[derive(Debug)]
pub struct SqliteStore {
    options: SqliteConnectOptions,
    path: Option<PathBuf>,
    shown: String,
    writer: Mutex<Writer>,
    readers: Option<SqlitePool>,
    _lock: Option<ProcessLock>,
}

/// The one connection that writes.
#[derive(Debug)]
struct Writer {
    conn: SqliteConnection,
    /// A transaction may be open on it: an error or a dropped future left it so.
    dirty: bool,
}

impl Writer {
    async fn commit(&mut self) -> Result<(), sqlx::Error> {
        sqlx::query("COMMIT").execute(&mut self.conn).await?;
        self.dirty = false;
        Ok(())
    }
}

impl SqliteStore {
    /// Opens or creates the database of a `sqlite:` URL, takes its lock, and migrates it.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when it is in use, damaged, of another program or of a newer Weir;
    /// [`StoreError::Unavailable`] when it cannot be opened or written. Both say what to do.
    pub async fn open(url: &str) -> Result<SqliteStore, StoreError> {
        SqliteStore::open_with(url, schema::MIGRATIONS).await
    }

    async fn open_with(url: &str, migrations: &[&str]) -> Result<SqliteStore, StoreError> {
        let mut fresh = false;
        let (path, lock) = match url::parse(url)? {
            Location::Memory => (None, None),
            Location::File(path) => {
                let lock = ProcessLock::take(&path)?;
                fresh = create(&path)?;
                (Some(path), Some(lock))
            }
        };
        let shown =
            path.as_ref().map_or_else(|| "the store".to_owned(), |p| p.display().to_string());
        let options = options(path.as_deref());
        let sql = |e: sqlx::Error| errors::sqlite(&shown, &e);
        // Takes effect only before anything is written; on a file in use it would need the write lock.
        let mut first = options.clone();
        if fresh {
            first = first.auto_vacuum(SqliteAutoVacuum::Incremental);
        }
        let mut conn = first.connect().await.map_err(sql)?;
        schema::migrate(&mut conn, path.as_deref(), migrations).await?;
        sqlx::query(
            "INSERT OR IGNORE INTO installation (one, name) VALUES (1, lower(hex(randomblob(4))))",
        )
        .execute(&mut conn)
        .await
        .map_err(sql)?;
        let readers = path.as_ref().map(|_| {
            SqlitePoolOptions::new()
                .max_connections(READERS)
                .min_connections(0)
                .acquire_timeout(BUSY)
                .idle_timeout(Duration::from_mins(10))
                .connect_lazy_with(options.clone().pragma("query_only", "ON"))
        });
        let writer = Mutex::new(Writer { conn, dirty: false });
        Ok(SqliteStore { options, path, shown, writer, readers, _lock: lock })
    }

    /// Closes the connections, which also folds the write-ahead log into the file.
    pub async fn close(self) {
        if let Some(readers) = &self.readers {
            readers.close().await;
        }
        if let Err(error) = self.writer.into_inner().conn.close().await {
            tracing::warn!(%error, "closing the store failed");
        }
    }

    /// Opens a transaction on the writer. Dropped without [`Writer::commit`], it never happened.
    async fn begin(&self) -> Result<MutexGuard<'_, Writer>, sqlx::Error> {
        let mut writer = self.writer.lock().await;
        if writer.dirty && self.path.is_some() {
            let fresh = self.options.connect().await?;
            let spoilt = std::mem::replace(&mut writer.conn, fresh);
            if let Err(error) = spoilt.close().await {
                tracing::debug!(%error, "closing a connection after an error");
            }
        } else if writer.dirty
            && let Err(error) = sqlx::query("ROLLBACK").execute(&mut writer.conn).await
        {
            tracing::debug!(%error, "nothing to roll back");
        }
        writer.dirty = true;
        sqlx::query("BEGIN IMMEDIATE").execute(&mut writer.conn).await?;
        Ok(writer)
    }

    /// Runs `work` on a reader; in memory there is only the writer.
    async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, sqlx::Error>>,
    {
        let result = match &self.readers {
            Some(pool) => match pool.acquire().await {
                Ok(mut conn) => work(&mut conn).await,
                Err(error) => Err(error),
            },
            None => work(&mut self.writer.lock().await.conn).await,
        };
        result.map_err(|e| self.error(&e))
    }

    fn error(&self, error: &sqlx::Error) -> StoreError {
        errors::sqlite(&self.shown, error)
    }
}

fn options(path: Option<&Path>) -> SqliteConnectOptions {
    let options = SqliteConnectOptions::new().busy_timeout(BUSY).foreign_keys(true);
    let options = match path {
        None => options.in_memory(true),
        Some(path) => options
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full),
    };
    options.disable_statement_logging()
}

/// Makes the file, readable for its owner only; `SQLite` gives its companions the same mode.
/// Tells whether it is empty.
fn create(path: &Path) -> Result<bool, StoreError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    lock::private(&mut options);
    let length = options.open(path).and_then(|file| file.metadata()).map(|meta| meta.len());
    length.map(|length| length == 0).map_err(|e| errors::file(path, &e))
}

impl Store for SqliteStore {
    fn load(&self, now: Ts) -> BoxFuture<'_, Result<Loaded, StoreError>> {
        Box::pin(self.read(move |conn| Box::pin(read::load(conn, now))))
    }

    fn commit<'a>(
        &'a self,
        batch: &'a str,
        changes: &'a [Change],
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let done = async {
                let mut writer = self.begin().await?;
                write::batch(&mut writer.conn, batch, changes).await?;
                writer.commit().await
            };
            done.await.map_err(|e| self.error(&e))
        })
    }

    fn incidents<'a>(&'a self, page: &'a Page) -> BoxFuture<'a, Result<Vec<Incident>, StoreError>> {
        let page = page.clone();
        Box::pin(self.read(|conn| Box::pin(async move { read::incidents(conn, &page).await })))
    }

    fn notices<'a>(&'a self, page: &'a Page) -> BoxFuture<'a, Result<Vec<Notice>, StoreError>> {
        let page = page.clone();
        Box::pin(self.read(|conn| Box::pin(async move { read::notices(conn, &page).await })))
    }

    fn traced<'a>(&'a self, page: &'a Page) -> BoxFuture<'a, Result<Vec<Traced>, StoreError>> {
        let page = page.clone();
        Box::pin(self.read(|conn| Box::pin(async move { trace::traced(conn, &page).await })))
    }

    fn messages<'a>(&'a self, page: &'a Page) -> BoxFuture<'a, Result<Vec<Message>, StoreError>> {
        let page = page.clone();
        Box::pin(self.read(|conn| Box::pin(async move { read::messages(conn, &page).await })))
    }

    fn restarts<'a>(&'a self, page: &'a Page) -> BoxFuture<'a, Result<Vec<Restart>, StoreError>> {
        let page = page.clone();
        Box::pin(self.read(|conn| Box::pin(async move { read::restarts(conn, &page).await })))
    }

    fn events(&self, incident: u64, limit: u32) -> BoxFuture<'_, Result<Timeline, StoreError>> {
        Box::pin(self.read(move |conn| Box::pin(read::events(conn, incident, limit))))
    }

    fn report(&self, since: Ts) -> BoxFuture<'_, Result<Report, StoreError>> {
        Box::pin(self.read(move |conn| Box::pin(report::report(conn, since))))
    }

    fn prune(&self, before: Ts) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            let done = async {
                let mut writer = self.begin().await?;
                let deleted = prune::prune(&mut writer.conn, before).await?;
                writer.commit().await?;
                if deleted > 0 {
                    prune::shrink(&mut writer.conn).await?;
                }
                Ok(deleted)
            };
            done.await.map_err(|e: sqlx::Error| self.error(&e))
        })
    }

    fn history(&self, page: HistoryPage) -> BoxFuture<'_, Result<Vec<HistoryChunk>, StoreError>> {
        Box::pin(self.read(move |conn| Box::pin(async move { history::page(conn, &page).await })))
    }

    fn newest_segment(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(self.read(|conn| Box::pin(history::newest(conn))))
    }

    fn prune_history(&self, before: Ts, most: u64) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            let done = async {
                let mut writer = self.begin().await?;
                let deleted = history::prune(&mut writer.conn, before, most).await?;
                writer.commit().await?;
                drop(writer);
                // A segment is much more than is given back at once; others may write in between.
                for _ in 0..SHRINKS.min(deleted) {
                    let mut writer = self.begin().await?;
                    writer.commit().await?;
                    prune::shrink(&mut writer.conn).await?;
                }
                Ok(deleted)
            };
            done.await.map_err(|e: sqlx::Error| self.error(&e))
        })
    }
}
