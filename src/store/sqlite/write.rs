//! One batch of changes into rows: the last word about a row wins, many rows per statement.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::query_builder::Separated;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::history;
use crate::model::{
    Alert, Attempt, Change, HistoryChunk, Incident, Message, Notice, Report, Restart, Ts,
};
use crate::store::words;

/// Rows per statement: enough to make the round trips cheap, few enough to keep statements small.
const CHUNK: usize = 100;

/// How many batch ids are remembered. Only the newest can be in doubt.
const BATCHES: i64 = 1000;

/// What a batch comes down to. `None` deletes a row.
#[derive(Default)]
struct Rows<'a> {
    sources: BTreeMap<&'a str, Option<&'a str>>,
    jobs: BTreeMap<&'a str, Option<&'a str>>,
    alerts: BTreeMap<(String, String), Option<&'a Alert>>,
    incidents: BTreeMap<u64, &'a Incident>,
    events: Vec<(u64, Ts, &'a str)>,
    notices: BTreeMap<u64, &'a Notice>,
    messages: BTreeMap<u64, &'a Message>,
    attempts: BTreeMap<(u64, u32), &'a Attempt>,
    restarts: BTreeMap<u64, &'a Restart>,
    meta: BTreeMap<&'a str, Option<&'a str>>,
    failures: BTreeMap<(Ts, &'a str), u64>,
    history: Vec<&'a HistoryChunk>,
}

impl<'a> Rows<'a> {
    fn of(changes: &'a [Change]) -> Rows<'a> {
        let mut rows = Rows::default();
        for change in changes {
            match change {
                Change::Source { name, body } => {
                    rows.sources.insert(name, Some(body));
                }
                Change::Job { key, body } => {
                    rows.jobs.insert(key, Some(body));
                }
                Change::ForgetJob { key } => {
                    rows.jobs.insert(key, None);
                }
                Change::Alert(alert) => {
                    let key = (alert.rule.to_string(), alert.subject.to_string());
                    rows.alerts.insert(key, Some(alert));
                }
                Change::ForgetAlert { rule, subject } => {
                    rows.alerts.insert((rule.to_string(), subject.to_string()), None);
                }
                Change::Incident(incident) => {
                    rows.incidents.insert(incident.id, incident);
                }
                Change::Event { incident, at, what } => rows.events.push((*incident, *at, what)),
                Change::Notice(notice) => {
                    rows.notices.insert(notice.id, notice);
                }
                Change::Message(message) => {
                    rows.messages.insert(message.id, message);
                }
                Change::Attempt(attempt) => {
                    rows.attempts.insert((attempt.message, attempt.number), attempt);
                }
                Change::Restart(restart) => {
                    rows.restarts.insert(restart.id, restart);
                }
                Change::Failures { job, at, count } => {
                    *rows.failures.entry((Report::hour(*at), job)).or_default() += count;
                }
                Change::Meta { key, value } => {
                    rows.meta.insert(key, Some(value.as_str()).filter(|v| !v.is_empty()));
                }
                Change::History(chunk) => rows.history.push(chunk),
            }
        }
        rows
    }
}

/// Writes a batch inside the open transaction, unless it is there already.
pub(super) async fn batch(
    conn: &mut SqliteConnection,
    id: &str,
    changes: &[Change],
) -> Result<(), sqlx::Error> {
    let fresh = sqlx::query("INSERT OR IGNORE INTO batches (id) VALUES (?1)")
        .bind(id)
        .execute(&mut *conn)
        .await?;
    if fresh.rows_affected() == 0 {
        return Ok(());
    }
    sqlx::query("DELETE FROM batches WHERE seq <= (SELECT max(seq) FROM batches) - ?1")
        .bind(BATCHES)
        .execute(&mut *conn)
        .await?;
    rows(conn, Rows::of(changes)).await
}

async fn rows(conn: &mut SqliteConnection, rows: Rows<'_>) -> Result<(), sqlx::Error> {
    pairs(conn, "sources", "name", "body", rows.sources).await?;
    pairs(conn, "jobs", "key", "body", rows.jobs).await?;
    pairs(conn, "meta", "key", "value", rows.meta).await?;
    for chunk in rows.history {
        history::insert(conn, chunk).await?;
    }
    let mut alerts = Vec::new();
    for ((rule, subject), alert) in rows.alerts {
        let Some(alert) = alert else {
            sqlx::query("DELETE FROM alerts WHERE rule = ?1 AND subject = ?2")
                .bind(rule)
                .bind(subject)
                .execute(&mut *conn)
                .await?;
            continue;
        };
        alerts.push((rule, subject, body(alert)?));
    }
    upsert(conn, "alerts (rule, subject, body)", UPSERT_ALERT, alerts, |mut row, alert| {
        row.push_bind(alert.0).push_bind(alert.1).push_bind(alert.2);
    })
    .await?;
    let incidents = bodies(rows.incidents)?;
    let columns = "incidents (id, state, job, opened_at, resolved_at, resolved_steady, body)";
    upsert(conn, columns, UPSERT_INCIDENT, incidents, |mut row, (incident, body)| {
        row.push_bind(incident.id as i64)
            .push_bind(words::incident_state(incident.state))
            .push_bind(incident.job().map(|job| job.0.clone()))
            .push_bind(incident.opened_at.0)
            .push_bind(incident.resolved_at.map(|at| at.0))
            .push_bind(incident.resolved_steady.map(|at| at.0))
            .push_bind(body);
    })
    .await?;
    upsert(conn, "events (incident, at, what)", "", rows.events, |mut row, (id, at, what)| {
        row.push_bind(id as i64).push_bind(at.0).push_bind(what.to_owned());
    })
    .await?;
    let failures: Vec<_> = rows.failures.into_iter().collect();
    let columns = "failures (hour, job, count)";
    upsert(conn, columns, UPSERT_FAILURES, failures, |mut row, ((hour, job), count)| {
        row.push_bind(hour.0).push_bind(job.to_owned()).push_bind(count as i64);
    })
    .await?;
    let notices = bodies(rows.notices)?;
    let columns = "notices (id, incident, receiver, channel, outcome, at, body)";
    upsert(conn, columns, UPSERT_NOTICE, notices, |mut row, (notice, body)| {
        row.push_bind(notice.id as i64)
            .push_bind(notice.incident as i64)
            .push_bind(notice.to.receiver.clone())
            .push_bind(notice.to.channel.clone())
            .push_bind(notice.outcome.as_str())
            .push_bind(notice.at.0)
            .push_bind(body);
    })
    .await?;
    let messages = bodies(rows.messages)?;
    let columns = "messages (id, receiver, channel, state, kind, at, at_steady, body)";
    upsert(conn, columns, UPSERT_MESSAGE, messages, |mut row, (message, body)| {
        row.push_bind(message.id as i64)
            .push_bind(message.to.receiver.clone())
            .push_bind(message.to.channel.clone())
            .push_bind(words::message_state(message.state))
            .push_bind(words::message_kind(message.kind))
            .push_bind(message.at.0)
            .push_bind(message.at_steady.0)
            .push_bind(body);
    })
    .await?;
    let restarts = bodies(rows.restarts)?;
    let columns = "restarts (id, job, state, incident, at, body)";
    upsert(conn, columns, UPSERT_RESTART, restarts, |mut row, (restart, body)| {
        row.push_bind(restart.id as i64)
            .push_bind(restart.job.0.clone())
            .push_bind(restart.state.as_str())
            .push_bind(restart.incident.map(|id| id as i64))
            .push_bind(restart.at.0)
            .push_bind(body);
    })
    .await?;
    let attempts: Vec<_> = rows.attempts.into_values().collect();
    let columns = "attempts (message, number, endpoint, at)";
    upsert(conn, columns, UPSERT_ATTEMPT, attempts, |mut row, attempt| {
        row.push_bind(attempt.message as i64)
            .push_bind(i64::from(attempt.number))
            .push_bind(attempt.endpoint.clone())
            .push_bind(attempt.at.0);
    })
    .await
}

const UPSERT_ALERT: &str = " ON CONFLICT (rule, subject) DO UPDATE SET body = excluded.body";
const UPSERT_INCIDENT: &str = " ON CONFLICT (id) DO UPDATE SET state = excluded.state, \
     job = excluded.job, opened_at = excluded.opened_at, resolved_at = excluded.resolved_at, \
     resolved_steady = excluded.resolved_steady, body = excluded.body";
const UPSERT_NOTICE: &str = " ON CONFLICT (id) DO UPDATE SET incident = excluded.incident, \
     receiver = excluded.receiver, channel = excluded.channel, outcome = excluded.outcome, \
     at = excluded.at, body = excluded.body";
const UPSERT_MESSAGE: &str = " ON CONFLICT (id) DO UPDATE SET receiver = excluded.receiver, \
     channel = excluded.channel, state = excluded.state, kind = excluded.kind, at = excluded.at, \
     at_steady = excluded.at_steady, body = excluded.body";
const UPSERT_RESTART: &str = " ON CONFLICT (id) DO UPDATE SET job = excluded.job, \
     state = excluded.state, incident = excluded.incident, at = excluded.at, body = excluded.body";
const UPSERT_FAILURES: &str =
    " ON CONFLICT (hour, job) DO UPDATE SET count = count + excluded.count";
const UPSERT_ATTEMPT: &str = " ON CONFLICT (message, number) DO UPDATE SET \
     endpoint = excluded.endpoint, at = excluded.at";

/// Tables of a key and a text.
async fn pairs(
    conn: &mut SqliteConnection,
    table: &str,
    key: &str,
    value: &str,
    rows: BTreeMap<&str, Option<&str>>,
) -> Result<(), sqlx::Error> {
    let (kept, gone): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(_, value)| value.is_some());
    for (name, _) in gone {
        let mut query = QueryBuilder::<Sqlite>::new(format!("DELETE FROM {table} WHERE {key} = "));
        query.push_bind(name.to_owned()).build().execute(&mut *conn).await?;
    }
    let conflict = format!(" ON CONFLICT ({key}) DO UPDATE SET {value} = excluded.{value}");
    upsert(conn, &format!("{table} ({key}, {value})"), &conflict, kept, |mut row, (name, body)| {
        row.push_bind(name.to_owned()).push_bind(body.unwrap_or_default().to_owned());
    })
    .await
}

/// Many rows per statement. Table and column names are this file's own.
async fn upsert<T>(
    conn: &mut SqliteConnection,
    target: &str,
    conflict: &str,
    rows: Vec<T>,
    mut bind: impl FnMut(Separated<'_, Sqlite, &'static str>, T),
) -> Result<(), sqlx::Error> {
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let mut query = QueryBuilder::<Sqlite>::new(format!("INSERT INTO {target} "));
        query.push_values(rows.by_ref().take(CHUNK), &mut bind);
        query.push(conflict);
        query.build().persistent(false).execute(&mut *conn).await?;
    }
    Ok(())
}

fn bodies<T: Serialize>(rows: BTreeMap<u64, &T>) -> Result<Vec<(&T, String)>, sqlx::Error> {
    rows.into_values().map(|row| Ok((row, body(row)?))).collect()
}

fn body<T: Serialize>(value: &T) -> Result<String, sqlx::Error> {
    serde_json::to_string(value).map_err(|e| sqlx::Error::Encode(Box::new(e)))
}
