//! Notices with what tells their way: their incidents and messages.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::read;
use crate::model::{Incident, Message};
use crate::store::{Page, Traced};

/// A page of notices, newest first, with the rows they refer to.
pub(super) async fn traced(
    conn: &mut SqliteConnection,
    page: &Page,
) -> Result<Vec<Traced>, sqlx::Error> {
    let notices = read::notices(&mut *conn, page).await?;
    let of = notices.iter().map(|n| n.incident).collect();
    let incidents: BTreeMap<u64, Incident> =
        by_id(&mut *conn, "SELECT id, body FROM incidents WHERE id IN (", of).await?;
    // The bytes may be a card of 20 KB each, and nobody looks at them here.
    let messages = "SELECT id, json_set(body, '$.frozen.body', '') FROM messages WHERE id IN (";
    let of = notices.iter().filter_map(|n| n.message).collect();
    let messages: BTreeMap<u64, Message> = by_id(&mut *conn, messages, of).await?;
    Ok(notices
        .into_iter()
        .map(|notice| Traced {
            incident: incidents.get(&notice.incident).cloned(),
            message: notice.message.and_then(|id| messages.get(&id).cloned()),
            notice,
        })
        .collect())
}

/// Rows by their ids; no more than a page has.
async fn by_id<T: DeserializeOwned>(
    conn: &mut SqliteConnection,
    select: &str,
    mut ids: Vec<u64>,
) -> Result<BTreeMap<u64, T>, sqlx::Error> {
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut query = QueryBuilder::<Sqlite>::new(select);
    let mut list = query.separated(", ");
    for id in ids {
        list.push_bind(id as i64);
    }
    query.push(")");
    let rows: Vec<(i64, String)> = query.build_query_as().fetch_all(conn).await?;
    let (ids, bodies): (Vec<i64>, Vec<String>) = rows.into_iter().unzip();
    Ok(ids.into_iter().map(|id| id as u64).zip(read::parsed(bodies)?).collect())
}
