//! Reading: what the engine needs after a start, and pages for the API.

use serde::de::DeserializeOwned;
use sqlx::{Connection, QueryBuilder, Sqlite, SqliteConnection};

use crate::model::{Attempt, Incident, Loaded, Message, Notice, Restart, Ts};
use crate::store::{Page, RESTARTS, Timeline};

/// How far back a start looks: what may be reopened, group timers, budgets.
const RECENT_MS: i64 = 24 * 3_600_000;

/// Everything the engine needs.
pub(super) async fn load(conn: &mut SqliteConnection, now: Ts) -> Result<Loaded, sqlx::Error> {
    let recent = now.shifted(-RECENT_MS).0;
    // One read transaction: a picture of one moment. Dropped half way, it is rolled back.
    let mut transaction = conn.begin().await?;
    let loaded = everything(&mut transaction, recent).await?;
    transaction.commit().await?;
    Ok(loaded)
}

async fn everything(conn: &mut SqliteConnection, recent: i64) -> Result<Loaded, sqlx::Error> {
    let installation = sqlx::query_scalar("SELECT name FROM installation").fetch_one(&mut *conn);
    let mut loaded = Loaded { installation: installation.await?, ..Loaded::default() };
    loaded.sources = sqlx::query_as("SELECT name, body FROM sources ORDER BY name")
        .fetch_all(&mut *conn)
        .await?;
    loaded.jobs =
        sqlx::query_as("SELECT key, body FROM jobs ORDER BY key").fetch_all(&mut *conn).await?;
    loaded.meta =
        sqlx::query_as("SELECT key, value FROM meta ORDER BY key").fetch_all(&mut *conn).await?;
    let bodies = sqlx::query_scalar("SELECT body FROM alerts ORDER BY rule, subject")
        .fetch_all(&mut *conn)
        .await?;
    loaded.alerts = parsed(bodies)?;
    // An end may wait longer than a day for its hour: its incident is needed to tell it.
    let bodies = sqlx::query_scalar(
        "SELECT body FROM incidents WHERE state != 'resolved' OR resolved_steady >= ?1 OR id IN \
         (SELECT incident FROM notices WHERE outcome = 'pending') ORDER BY id",
    )
    .bind(recent)
    .fetch_all(&mut *conn)
    .await?;
    loaded.incidents = parsed(bodies)?;
    let bodies = sqlx::query_scalar(
        "SELECT body FROM notices WHERE incident IN (SELECT id FROM incidents WHERE state != \
         'resolved' OR resolved_steady >= ?1) OR incident IN (SELECT incident FROM notices WHERE \
         outcome = 'pending') ORDER BY id",
    )
    .bind(recent)
    .fetch_all(&mut *conn)
    .await?;
    loaded.notices = parsed(bodies)?;
    let bodies = sqlx::query_scalar(
        "SELECT body FROM messages WHERE state = 'due' OR at_steady >= ?1 ORDER BY id",
    )
    .bind(recent)
    .fetch_all(&mut *conn)
    .await?;
    loaded.messages = parsed(bodies)?;
    let attempts: Vec<(i64, i64, String, i64)> = sqlx::query_as(
        "SELECT message, number, endpoint, at FROM attempts WHERE at >= ?1 \
         ORDER BY at, message, number",
    )
    .bind(recent)
    .fetch_all(&mut *conn)
    .await?;
    loaded.attempts = attempts
        .into_iter()
        .map(|(message, number, endpoint, at)| Attempt {
            message: message as u64,
            number: number as u32,
            endpoint,
            at: Ts(at),
        })
        .collect();
    let bodies = sqlx::query_scalar(
        "SELECT body FROM restarts WHERE state IN ('planned', 'approval', 'stopping', 'submitted', \
         'running') OR id IN (SELECT id FROM restarts ORDER BY id DESC LIMIT ?1) OR id IN (SELECT id FROM \
         restarts WHERE state <> 'dropped' ORDER BY id DESC LIMIT ?1) ORDER BY id",
    )
    .bind(i64::from(RESTARTS))
    .fetch_all(&mut *conn)
    .await?;
    loaded.restarts = parsed(bodies)?;
    let highest: Vec<(String, i64)> =
        sqlx::query_as("SELECT name, seq FROM sqlite_sequence").fetch_all(&mut *conn).await?;
    for (table, id) in highest {
        match table.as_str() {
            "incidents" => loaded.max_incident = id as u64,
            "notices" => loaded.max_notice = id as u64,
            "messages" => loaded.max_message = id as u64,
            "restarts" => loaded.max_restart = id as u64,
            _ => {}
        }
    }
    Ok(loaded)
}

/// A page of incidents, newest first.
pub(super) async fn incidents(
    conn: &mut SqliteConnection,
    page: &Page,
) -> Result<Vec<Incident>, sqlx::Error> {
    let mut query = select("incidents", page);
    equals(&mut query, "state", page.state.as_deref());
    equals(&mut query, "job", page.job.as_deref());
    id_equals(&mut query, "id", page.incident);
    if let Some(receiver) = &page.receiver {
        query.push(" AND id IN (SELECT incident FROM notices WHERE receiver = ");
        query.push_bind(receiver.clone()).push(")");
    }
    finish(conn, query, page).await
}

/// Notices whose incident has an alert of a rule that is named so; the name is bound at each `?`.
const OF_RULE: [&str; 4] = [
    " AND EXISTS (SELECT 1 FROM incidents i, json_each(i.body, '$.members') m WHERE \
     i.id = notices.incident AND (m.value ->> '$.rule.alert' = ",
    " OR (m.value ->> '$.rule.group') || '/' || (m.value ->> '$.rule.alert') = ",
    " OR (m.value ->> '$.rule.group') || '/' || (m.value ->> '$.rule.alert') || '/' || \
     (m.value ->> '$.rule.severity') = ",
    "))",
];

/// A page of notices, newest first.
pub(super) async fn notices(
    conn: &mut SqliteConnection,
    page: &Page,
) -> Result<Vec<Notice>, sqlx::Error> {
    let mut query = select("notices", page);
    equals(&mut query, "outcome", page.state.as_deref());
    equals(&mut query, "receiver", page.receiver.as_deref());
    id_equals(&mut query, "incident", page.incident);
    if let Some(job) = &page.job {
        query.push(" AND incident IN (SELECT id FROM incidents WHERE job = ");
        query.push_bind(job.clone()).push(")");
    }
    if let Some(since) = page.since {
        query.push(" AND at >= ").push_bind(since.0);
    }
    if let Some(rule) = &page.rule {
        let [alert, group, severity, end] = OF_RULE;
        for part in [alert, group, severity] {
            query.push(part).push_bind(rule.clone());
        }
        query.push(end);
    }
    finish(conn, query, page).await
}

/// A page of messages, newest first.
pub(super) async fn messages(
    conn: &mut SqliteConnection,
    page: &Page,
) -> Result<Vec<Message>, sqlx::Error> {
    let mut query = select("messages", page);
    equals(&mut query, "state", page.state.as_deref());
    equals(&mut query, "receiver", page.receiver.as_deref());
    if let Some(incident) = page.incident {
        query.push(" AND id IN (SELECT body ->> 'message' FROM notices WHERE incident = ");
        query.push_bind(incident as i64).push(")");
    }
    finish(conn, query, page).await
}

/// A page of restarts, newest first.
pub(super) async fn restarts(
    conn: &mut SqliteConnection,
    page: &Page,
) -> Result<Vec<Restart>, sqlx::Error> {
    let mut query = select("restarts", page);
    equals(&mut query, "state", page.state.as_deref());
    equals(&mut query, "job", page.job.as_deref());
    id_equals(&mut query, "incident", page.incident);
    finish(conn, query, page).await
}

/// The newest lines of an incident's timeline, oldest of them first.
pub(super) async fn events(
    conn: &mut SqliteConnection,
    incident: u64,
    limit: u32,
) -> Result<Timeline, sqlx::Error> {
    let (kept,): (i64,) = sqlx::query_as("SELECT count(*) FROM events WHERE incident = ?1")
        .bind(incident as i64)
        .fetch_one(&mut *conn)
        .await?;
    let rows: Vec<(i64, String)> = sqlx::query_as(
        "SELECT at, what FROM (SELECT id, at, what FROM events WHERE incident = ?1 \
             ORDER BY at DESC, id DESC LIMIT ?2) ORDER BY at, id",
    )
    .bind(incident as i64)
    .bind(i64::from(limit))
    .fetch_all(&mut *conn)
    .await?;
    let mut lines: Vec<_> = rows.into_iter().map(|(at, what)| (Ts(at), what)).collect();
    let left_out = (kept as u64).saturating_sub(lines.len() as u64);
    if left_out > 0 && limit > 1 {
        let (at, what): (i64, String) = sqlx::query_as(
            "SELECT at, what FROM events WHERE incident = ?1 ORDER BY at, id LIMIT 1",
        )
        .bind(incident as i64)
        .fetch_one(&mut *conn)
        .await?;
        if let Some(oldest) = lines.first_mut() {
            *oldest = (Ts(at), what);
        }
    }
    Ok(Timeline { lines, left_out })
}

fn select(table: &str, page: &Page) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(format!("SELECT body FROM {table} WHERE true"));
    if let Some(after) = page.after {
        query.push(" AND id < ").push_bind(i64::try_from(after).unwrap_or(i64::MAX));
    }
    query
}

fn equals(query: &mut QueryBuilder<Sqlite>, column: &str, value: Option<&str>) {
    if let Some(value) = value {
        query.push(format!(" AND {column} = ")).push_bind(value.to_owned());
    }
}

fn id_equals(query: &mut QueryBuilder<Sqlite>, column: &str, value: Option<u64>) {
    if let Some(value) = value {
        query.push(format!(" AND {column} = ")).push_bind(value as i64);
    }
}

async fn finish<T: DeserializeOwned>(
    conn: &mut SqliteConnection,
    mut query: QueryBuilder<Sqlite>,
    page: &Page,
) -> Result<Vec<T>, sqlx::Error> {
    query.push(" ORDER BY id DESC LIMIT ").push_bind(i64::from(page.limit.clamp(1, 1000)));
    let bodies = query.build_query_scalar::<String>().fetch_all(&mut *conn).await?;
    parsed(bodies)
}

pub(super) fn parsed<T: DeserializeOwned>(bodies: Vec<String>) -> Result<Vec<T>, sqlx::Error> {
    let parse = |body: String| serde_json::from_str(&body);
    let rows: Result<Vec<T>, _> = bodies.into_iter().map(parse).collect();
    rows.map_err(|e| sqlx::Error::Decode(Box::new(e)))
}
