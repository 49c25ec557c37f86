//! Counting what happened since a time: in the database, so that no row is read into memory.

use std::collections::BTreeMap;

use sqlx::{Connection, SqliteConnection};

use crate::model::{BySeverity, Held, Noisy, ReceiverReport, Report, Severity, Ts};

type Counted = Vec<(String, i64)>;

/// Everything, as of one moment.
pub(super) async fn report(conn: &mut SqliteConnection, since: Ts) -> Result<Report, sqlx::Error> {
    // One read transaction: its numbers fit together.
    let mut transaction = conn.begin().await?;
    let report = counted(&mut transaction, since.0, Report::hour(since).0).await?;
    transaction.commit().await?;
    Ok(report)
}

async fn counted(
    conn: &mut SqliteConnection,
    since: i64,
    hour: i64,
) -> Result<Report, sqlx::Error> {
    let (failures, failing_jobs, mended_jobs): (i64, i64, i64) = sqlx::query_as(
        "SELECT coalesce(sum(f.count), 0), count(*), coalesce(sum(NOT EXISTS (SELECT 1 FROM \
         incidents i WHERE i.job = f.job AND (i.resolved_at IS NULL OR i.resolved_at >= ?1))), 0) \
         FROM (SELECT job, sum(count) AS count FROM failures WHERE hour >= ?2 GROUP BY job) f",
    )
    .bind(since)
    .bind(hour)
    .fetch_one(&mut *conn)
    .await?;
    let opened: Counted = sqlx::query_as(
        "SELECT body ->> '$.severity', count(*) FROM incidents WHERE opened_at >= ?1 GROUP BY 1",
    )
    .bind(since)
    .fetch_all(&mut *conn)
    .await?;
    let open: Counted = sqlx::query_as(
        "SELECT body ->> '$.severity', count(*) FROM incidents WHERE state != 'resolved' GROUP BY 1",
    )
    .fetch_all(&mut *conn)
    .await?;
    let ended: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM incidents WHERE resolved_at >= ?1 AND state = 'resolved'",
    )
    .bind(since)
    .fetch_one(&mut *conn)
    .await?;
    let brief: i64 = sqlx::query_scalar(
        "SELECT count(DISTINCT incident) FROM notices WHERE outcome = 'brief' AND at >= ?1",
    )
    .bind(since)
    .fetch_one(&mut *conn)
    .await?;
    Ok(Report {
        failures: failures as u64,
        failing_jobs: failing_jobs as u64,
        mended_jobs: mended_jobs as u64,
        opened: by_severity(opened),
        ended: ended as u64,
        brief: brief as u64,
        open: by_severity(open),
        receivers: receivers(&mut *conn, since).await?,
        held: held(&mut *conn, since).await?,
        jobs: noisy(conn, JOBS, since, hour).await?,
        rules: noisy(conn, RULES, since, hour).await?,
    })
}

fn by_severity(rows: Counted) -> BySeverity {
    let mut counts = BySeverity::default();
    for (severity, count) in rows {
        counts.add(Severity::parse(&severity).unwrap_or_default(), count as u64);
    }
    counts
}

async fn receivers(
    conn: &mut SqliteConnection,
    since: i64,
) -> Result<Vec<ReceiverReport>, sqlx::Error> {
    let mut found: BTreeMap<String, ReceiverReport> = BTreeMap::new();
    let mut of = |receiver: String, take: &dyn Fn(&mut ReceiverReport)| {
        let empty = ReceiverReport { receiver: receiver.clone(), ..ReceiverReport::default() };
        take(found.entry(receiver).or_insert(empty));
    };
    let rows: Counted = sqlx::query_as(
        "SELECT receiver, count(DISTINCT incident) FROM notices WHERE at >= ?1 GROUP BY 1",
    )
    .bind(since)
    .fetch_all(&mut *conn)
    .await?;
    for (receiver, count) in rows {
        of(receiver, &|r| r.incidents = count as u64);
    }
    let rows: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT receiver, outcome, count(*) FROM notices WHERE at >= ?1 GROUP BY 1, 2",
    )
    .bind(since)
    .fetch_all(&mut *conn)
    .await?;
    for (receiver, outcome, count) in rows {
        of(receiver, &|r| {
            r.notices.insert(outcome.clone(), count as u64);
        });
    }
    let rows: Vec<(String, String, String, i64)> = sqlx::query_as(
        "SELECT receiver, state, kind, count(*) FROM messages WHERE at >= ?1 GROUP BY 1, 2, 3",
    )
    .bind(since)
    .fetch_all(&mut *conn)
    .await?;
    for (receiver, state, kind, count) in rows {
        of(receiver, &|r| {
            *r.messages.entry(state.clone()).or_default() += count as u64;
            *r.kinds.entry(kind.clone()).or_default() += count as u64;
        });
    }
    Ok(found.into_values().collect())
}

async fn held(conn: &mut SqliteConnection, since: i64) -> Result<Vec<Held>, sqlx::Error> {
    let rows: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT outcome, trim(substr(held, 1, instr(held || '#', '#') - 1)) AS by, count(*) FROM \
         (SELECT outcome, coalesce(body ->> '$.held_by', body ->> '$.steps[#-1].by', '') AS held \
         FROM notices WHERE at >= ?1 AND outcome NOT IN ('sent', 'shadow')) \
         GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT ?2",
    )
    .bind(since)
    .bind(Report::HELD as i64)
    .fetch_all(conn)
    .await?;
    let row = |(outcome, by, notices): (String, String, i64)| Held {
        outcome,
        by,
        notices: notices as u64,
    };
    Ok(rows.into_iter().map(row).collect())
}

/// What each job caused. `?1` since, `?2` the hour it is in, `?3` rows.
const JOBS: &str = "SELECT name, sum(i), sum(f), sum(n) FROM ( \
     SELECT job AS name, count(*) AS i, 0 AS f, 0 AS n FROM incidents \
     WHERE opened_at >= ?1 AND job IS NOT NULL GROUP BY 1 \
     UNION ALL SELECT job, 0, sum(count), 0 FROM failures WHERE hour >= ?2 GROUP BY 1 \
     UNION ALL SELECT i.job, 0, 0, count(*) FROM notices n JOIN incidents i ON i.id = n.incident \
     WHERE n.at >= ?1 AND i.job IS NOT NULL GROUP BY 1) \
     GROUP BY name ORDER BY 4 DESC, 2 DESC, 3 DESC, 1 LIMIT ?3";

/// What each rule caused, by the worst alert of its incidents.
const RULES: &str = "SELECT name, sum(i), 0, sum(n) FROM ( \
     SELECT body ->> '$.rule' AS name, count(*) AS i, 0 AS n FROM incidents \
     WHERE opened_at >= ?1 AND ?2 IS NOT NULL GROUP BY 1 \
     UNION ALL SELECT i.body ->> '$.rule', 0, sum(n.n) FROM (SELECT incident, count(*) AS n FROM \
     notices WHERE at >= ?1 GROUP BY 1) n JOIN incidents i ON i.id = n.incident GROUP BY 1) \
     GROUP BY name ORDER BY 4 DESC, 2 DESC, 1 LIMIT ?3";

async fn noisy(
    conn: &mut SqliteConnection,
    select: &'static str,
    since: i64,
    hour: i64,
) -> Result<Vec<Noisy>, sqlx::Error> {
    let rows: Vec<(String, i64, i64, i64)> = sqlx::query_as(select)
        .bind(since)
        .bind(hour)
        .bind(Report::NOISIEST as i64)
        .fetch_all(conn)
        .await?;
    let row = |(name, incidents, failures, notices): (String, i64, i64, i64)| Noisy {
        name,
        incidents: incidents as u64,
        failures: failures as u64,
        notices: notices as u64,
    };
    Ok(rows.into_iter().map(row).collect())
}
