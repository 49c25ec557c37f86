//! The history: pieces come in, a few at a time go out, old segments are dropped whole.

use sqlx::SqliteConnection;

use crate::model::{HistoryChunk, HistoryPage, Ts};

/// Pieces of one answer.
const PIECES: i64 = 64;

type Row = (i64, i64, bool, i64, i64, Vec<u8>);

/// Keeps a piece; one that is there already is the same.
pub(super) async fn insert(
    conn: &mut SqliteConnection,
    chunk: &HistoryChunk,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT OR REPLACE INTO history (segment, number, from_start, first, last, body) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )
    .bind(chunk.segment as i64)
    .bind(i64::from(chunk.number))
    .bind(chunk.from_start)
    .bind(chunk.first.0)
    .bind(chunk.last.0)
    .bind(chunk.body.as_slice())
    .execute(conn)
    .await
    .map(drop)
}

/// The next pieces: from the last start of a process before the time asked for, or from the oldest.
pub(super) async fn page(
    conn: &mut SqliteConnection,
    page: &HistoryPage,
) -> Result<Vec<HistoryChunk>, sqlx::Error> {
    let (segment, number) = if let Some((segment, number)) = page.after {
        (segment as i64, i64::from(number))
    } else {
        let from: Option<i64> = sqlx::query_scalar(
            "SELECT max(segment) FROM history \
                 WHERE number = 0 AND from_start = 1 AND first <= ?1",
        )
        .bind(page.since.0)
        .fetch_one(&mut *conn)
        .await?;
        (from.unwrap_or(0), -1)
    };
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT segment, number, from_start, first, last, body FROM history \
         WHERE (segment, number) > (?1, ?2) ORDER BY segment, number LIMIT ?3",
    )
    .bind(segment)
    .bind(number)
    .bind(PIECES)
    .fetch_all(conn)
    .await?;
    let chunk = |(segment, number, from_start, first, last, body): Row| HistoryChunk {
        segment: segment as u64,
        number: number as u32,
        from_start,
        first: Ts(first),
        last: Ts(last),
        body,
    };
    Ok(rows.into_iter().map(chunk).collect())
}

/// The newest segment there is; 0 without one.
pub(super) async fn newest(conn: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    let newest: i64 =
        sqlx::query_scalar("SELECT coalesce(max(segment), 0) FROM history").fetch_one(conn).await?;
    Ok(newest as u64)
}

/// Drops the oldest segment if it ended before `before`, or if all together have more than `most`
/// bytes; never the newest. Returns how many rows went.
pub(super) async fn prune(
    conn: &mut SqliteConnection,
    before: Ts,
    most: u64,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "DELETE FROM history WHERE segment = (SELECT min(segment) FROM history) \
         AND segment < (SELECT max(segment) FROM history) \
         AND ((SELECT max(last) FROM history WHERE segment = (SELECT min(segment) FROM history)) < ?1 \
              OR (SELECT sum(length(body)) FROM history) > ?2)",
    )
    .bind(before.0)
    .bind(i64::try_from(most).unwrap_or(i64::MAX))
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
