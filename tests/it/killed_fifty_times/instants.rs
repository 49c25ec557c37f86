//! In which moments of its life a process was killed.

use std::fmt;
use std::path::Path;

use anyhow::Result;
use serde_json::Value;
use sqlx::{ConnectOptions as _, Connection as _};

/// Counts of kills by what was going on.
#[derive(Debug, Default)]
pub(super) struct Instants {
    starting: usize,
    before_the_first_look: usize,
    sending: usize,
    with_news: usize,
    idle: usize,
}

impl Instants {
    /// One more. `ready`: what it answered just before, if it did; the store is read as it was left.
    pub(super) async fn note(&mut self, ready: Option<u16>, store: &Path) -> Result<()> {
        let due = due(store).await?;
        let tried = |message: &Value| {
            message["attempts"].as_u64() > Some(0) && message["next_attempt"].is_null()
        };
        let phase = match ready {
            None => &mut self.starting,
            Some(status) if status != 200 => &mut self.before_the_first_look,
            Some(_) if due.iter().any(tried) => &mut self.sending,
            Some(_) if !due.is_empty() => &mut self.with_news,
            Some(_) => &mut self.idle,
        };
        *phase += 1;
        Ok(())
    }

    pub(super) fn count(&self) -> usize {
        self.starting + self.before_the_first_look + self.sending + self.with_news + self.idle
    }
}

/// Messages that are to be sent.
async fn due(store: &Path) -> Result<Vec<Value>> {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(store).read_only(true);
    let mut conn = options.connect().await?;
    let query = sqlx::query_scalar("SELECT body FROM messages WHERE state = 'due'");
    let bodies: Vec<String> = query.fetch_all(&mut conn).await?;
    conn.close().await?;
    Ok(bodies.iter().filter_map(|body| serde_json::from_str(body).ok()).collect())
}

impl fmt::Display for Instants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} while it started, {} before its first look, {} with a send begun and not known to \
             have ended, {} with messages waiting, {} with nothing to send",
            self.starting, self.before_the_first_look, self.sending, self.with_news, self.idle
        )
    }
}
