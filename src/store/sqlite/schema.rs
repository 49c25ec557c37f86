//! The schema and its migrations: a copy is made first, a newer schema is refused.

use std::fs::OpenOptions;
use std::path::Path;

use sqlx::{AssertSqlSafe, SqliteConnection};

use super::errors;
use super::lock::{private, with_suffix};
use crate::store::StoreError;

/// Marks a file as ours (`PRAGMA application_id`): "WEIR".
const APPLICATION_ID: i64 = 0x5745_4952;

/// Every step from an empty file to the present schema; the version is the number of steps done
/// (`PRAGMA user_version`). Never change a shipped step, add one.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/sqlite/1.sql"),
    include_str!("../migrations/sqlite/2.sql"),
    include_str!("../migrations/sqlite/3.sql"),
    include_str!("../migrations/sqlite/4.sql"),
];

/// Brings the database to the present schema.
pub(super) async fn migrate(
    conn: &mut SqliteConnection,
    path: Option<&Path>,
    migrations: &[&str],
) -> Result<(), StoreError> {
    let shown = path.map_or_else(|| "the store".to_owned(), |p| p.display().to_string());
    let sql = |e: sqlx::Error| errors::sqlite(&shown, &e);

    let application: i64 =
        sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *conn).await.map_err(sql)?;
    let version: i64 =
        sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *conn).await.map_err(sql)?;
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema")
        .fetch_one(&mut *conn)
        .await
        .map_err(sql)?;
    if application != APPLICATION_ID && tables > 0 {
        return Err(StoreError::Refused(format!(
            "{shown} is a database of another program; set store.url to a file of weir's own"
        )));
    }
    let known = migrations.len() as i64;
    if version > known {
        return Err(StoreError::Refused(format!(
            "{shown} has schema {version} and this weir knows only {known}; run the newer weir \
             that wrote it, or restore the copy made before the upgrade ({shown}.before-v{version})"
        )));
    }
    if version == known {
        return Ok(());
    }
    if let Some(path) = path.filter(|_| tables > 0) {
        copy(conn, path, known).await?;
    }
    for (step, text) in migrations.iter().enumerate().skip(version as usize) {
        let script = format!(
            "BEGIN IMMEDIATE; {text}; PRAGMA application_id = {APPLICATION_ID}; \
             PRAGMA user_version = {}; COMMIT;",
            step + 1
        );
        // No input from outside: the scripts are compiled in.
        sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut *conn).await.map_err(sql)?;
    }
    Ok(())
}

/// Keeps the file as it is now as `<db>.before-v<new version>`.
async fn copy(conn: &mut SqliteConnection, path: &Path, known: i64) -> Result<(), StoreError> {
    let target = with_suffix(path, &format!(".before-v{known}"));
    let partial = with_suffix(path, &format!(".before-v{known}.part"));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    private(&mut options);
    options.open(&partial).map_err(|e| errors::file(&partial, &e))?;
    sqlx::query("VACUUM INTO ?1")
        .bind(partial.to_string_lossy().into_owned())
        .execute(&mut *conn)
        .await
        .map_err(|e| errors::sqlite(&partial.display().to_string(), &e))?;
    std::fs::rename(&partial, &target).map_err(|e| errors::file(&target, &e))
}
