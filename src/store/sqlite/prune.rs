//! Forgetting what is old and over, a bounded number of rows at a time.

use sqlx::SqliteConnection;

use crate::model::Ts;

/// Rows of one table per call: a few ms of the writer's time.
const ROWS: i64 = 1000;

/// In this order, so that nothing is left pointing at what is gone. `?1` before, `?2` rows.
const STATEMENTS: [&str; 9] = [
    "DELETE FROM events WHERE id IN (SELECT e.id FROM incidents i JOIN events e ON \
     e.incident = i.id WHERE i.state = 'resolved' AND i.resolved_at < ?1 LIMIT ?2)",
    // What stays open for months keeps its first line and the newest 10,000.
    "WITH bounds AS MATERIALIZED (SELECT i.id AS incident, \
     (SELECT min(id) FROM events WHERE incident = i.id) AS first, \
     (SELECT id FROM events WHERE incident = i.id ORDER BY id DESC LIMIT 1 OFFSET 9999) AS newest \
     FROM incidents i WHERE i.state != 'resolved') \
     DELETE FROM events WHERE id IN (SELECT e.id FROM bounds b JOIN events e ON \
     e.incident = b.incident AND e.id > b.first AND e.id < b.newest LIMIT ?2)",
    "DELETE FROM notices WHERE id IN (SELECT n.id FROM incidents i JOIN notices n ON \
     n.incident = i.id WHERE i.state = 'resolved' AND i.resolved_at < ?1 AND \
     n.outcome != 'pending' AND n.at < ?1 LIMIT ?2)",
    "DELETE FROM incidents WHERE id IN (SELECT i.id FROM incidents i WHERE \
     i.state = 'resolved' AND i.resolved_at < ?1 AND \
     NOT EXISTS (SELECT 1 FROM events e WHERE e.incident = i.id) AND \
     NOT EXISTS (SELECT 1 FROM notices n WHERE n.incident = i.id) LIMIT ?2)",
    "DELETE FROM messages WHERE id IN (SELECT m.id FROM messages m WHERE m.at < ?1 AND \
     m.state != 'due' LIMIT ?2)",
    "DELETE FROM attempts WHERE (message, number) IN (SELECT message, number FROM attempts \
     WHERE at < ?1 AND message NOT IN (SELECT id FROM messages WHERE state = 'due') LIMIT ?2)",
    "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE at < ?1 AND \
     incident NOT IN (SELECT id FROM incidents) LIMIT ?2)",
    "DELETE FROM failures WHERE (hour, job) IN (SELECT hour, job FROM failures \
     WHERE hour < ?1 LIMIT ?2)",
    "DELETE FROM restarts WHERE id IN (SELECT id FROM restarts WHERE at < ?1 AND \
     state NOT IN ('planned', 'approval', 'stopping', 'submitted', 'running') LIMIT ?2)",
];

/// Deletes inside the open transaction; returns how many rows.
pub(super) async fn prune(conn: &mut SqliteConnection, before: Ts) -> Result<u64, sqlx::Error> {
    let mut deleted = 0;
    for statement in STATEMENTS {
        let done = sqlx::query(statement).bind(before.0).bind(ROWS).execute(&mut *conn).await?;
        deleted += done.rows_affected();
    }
    Ok(deleted)
}

/// Gives freed pages back to the disk, a few MB at a time.
pub(super) async fn shrink(conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query("PRAGMA incremental_vacuum(1000)").execute(conn).await.map(drop)
}
