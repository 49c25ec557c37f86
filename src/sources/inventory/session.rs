//! One connection to a database, for one look: read-only, limited in time and bytes.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use secrecy::ExposeSecret;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlDatabaseError, MySqlSslMode};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};

use super::plan::{Dialect, Query};
use super::trouble::Trouble;
use super::url::Address;
use crate::http::{TlsConfig, one_line};

/// Bytes of one answer.
const MAX_BYTES: usize = 64 << 20;
/// Characters shown of a database's own words.
const MAX_WORDS: usize = 200;

/// Rows as they came: every value a text, or none.
pub(super) type Rows = Vec<Vec<Option<String>>>;

/// A connection inside a transaction that only reads.
pub(super) struct Session {
    connection: Connection,
    /// Queries asked.
    pub(super) requests: u32,
    /// Bytes of their answers.
    pub(super) bytes: u64,
}

enum Connection {
    MySql(Box<MySqlConnection>),
    Postgres(Box<PgConnection>),
}

impl Session {
    /// Connects within `limit`, and begins a transaction in which no statement takes longer.
    pub(super) async fn open(
        address: &Address,
        tls: Option<&TlsConfig>,
        limit: Duration,
    ) -> Result<Session, Trouble> {
        let connecting = async {
            Ok(match address.dialect {
                Dialect::MySql => Connection::MySql(Box::new(mysql(address, tls).await?)),
                Dialect::Postgres => Connection::Postgres(Box::new(postgres(address, tls).await?)),
            })
        };
        let connection = tokio::time::timeout(limit, connecting).await;
        let nothing = || format!("no connection within {} s", limit.as_secs_f64());
        let connection = connection.unwrap_or_else(|_| Err(Trouble::Unreachable(nothing())))?;
        let mut session = Session { connection, requests: 0, bytes: 0 };
        session.begin(limit).await?;
        Ok(session)
    }

    async fn begin(&mut self, limit: Duration) -> Result<(), Trouble> {
        let ms = limit.as_millis();
        match &self.connection {
            Connection::MySql(_) => {
                // One of these exists: MySQL's in milliseconds, MariaDB's in seconds. Very old servers
                // have neither; the limit of the whole look holds anyway.
                let seconds = limit.as_secs_f64();
                for limit in [
                    format!("SET SESSION MAX_EXECUTION_TIME = {ms}"),
                    format!("SET SESSION max_statement_time = {seconds:.3}"),
                ] {
                    if let Err(error) = self.run(limit).await {
                        tracing::debug!(?error, "this server has no such limit");
                    }
                }
                self.run("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY".to_owned()).await
            }
            Connection::Postgres(_) => {
                self.run("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY".to_owned()).await?;
                self.run(format!("SET LOCAL statement_timeout = {ms}")).await
            }
        }
    }

    async fn run(&mut self, sql: String) -> Result<(), Trouble> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        match &mut self.connection {
            Connection::MySql(connection) => sql.execute(&mut **connection).await.map(drop),
            Connection::Postgres(connection) => sql.execute(&mut **connection).await.map(drop),
        }
        .map_err(|error| trouble(&error))
    }

    /// Asks. The text of a query is put together of our own words only (`plan`); values are bound.
    pub(super) async fn rows(&mut self, query: &Query) -> Result<Rows, Trouble> {
        self.requests += 1;
        let sql = AssertSqlSafe(query.sql.clone());
        let mut taken = Taken::default();
        match &mut self.connection {
            Connection::MySql(connection) => {
                let mut asked = sqlx::query::<sqlx::MySql>(sql).persistent(false);
                for value in &query.values {
                    asked = asked.bind(value.clone());
                }
                let mut rows = asked.fetch(&mut **connection);
                while let Some(row) = rows.try_next().await.map_err(|error| trouble(&error))? {
                    // Texts come under many names of types; as bytes of UTF-8 they are all the same.
                    let value = |at: usize| row.try_get_unchecked::<Option<String>, _>(at);
                    let values: Result<Vec<_>, _> = (0..row.len()).map(value).collect();
                    taken.add(values.map_err(|error| trouble(&error))?)?;
                }
            }
            Connection::Postgres(connection) => {
                let mut asked = sqlx::query::<sqlx::Postgres>(sql).persistent(false);
                for value in &query.values {
                    asked = asked.bind(value.clone());
                }
                let mut rows = asked.fetch(&mut **connection);
                while let Some(row) = rows.try_next().await.map_err(|error| trouble(&error))? {
                    let value = |at: usize| row.try_get::<Option<String>, _>(at);
                    let values: Result<Vec<_>, _> = (0..row.len()).map(value).collect();
                    taken.add(values.map_err(|error| trouble(&error))?)?;
                }
            }
        }
        self.bytes += taken.bytes as u64;
        Ok(taken.rows)
    }

    /// Ends the transaction, which changed nothing, and the connection.
    pub(super) async fn close(self) {
        let closed = match self.connection {
            Connection::MySql(connection) => connection.close().await,
            Connection::Postgres(connection) => connection.close().await,
        };
        if let Err(error) = closed {
            tracing::debug!(%error, "closing the connection to an inventory");
        }
    }
}

#[derive(Default)]
struct Taken {
    rows: Rows,
    bytes: usize,
}

impl Taken {
    fn add(&mut self, row: Vec<Option<String>>) -> Result<(), Trouble> {
        self.bytes += row.iter().flatten().map(String::len).sum::<usize>();
        if self.bytes > MAX_BYTES {
            return Err(Trouble::TooMuch(MAX_BYTES >> 20));
        }
        self.rows.push(row);
        Ok(())
    }
}

async fn mysql(address: &Address, tls: Option<&TlsConfig>) -> Result<MySqlConnection, Trouble> {
    let options = address.url.expose_secret().parse::<MySqlConnectOptions>();
    let options = options.map_err(|error| trouble(&error))?;
    let mut options = options.disable_statement_logging();
    if let Some(tls) = tls {
        options = options.ssl_mode(MySqlSslMode::VerifyIdentity);
        options = with(options, tls.ca_file.as_ref(), |options, file| options.ssl_ca(file));
        options =
            with(options, tls.cert_file.as_ref(), |options, file| options.ssl_client_cert(file));
        options =
            with(options, tls.key_file.as_ref(), |options, file| options.ssl_client_key(file));
    }
    options.connect().await.map_err(|error| trouble(&error))
}

async fn postgres(address: &Address, tls: Option<&TlsConfig>) -> Result<PgConnection, Trouble> {
    let options = address.url.expose_secret().parse::<PgConnectOptions>();
    let options = options.map_err(|error| trouble(&error))?;
    let mut options = options.application_name("weir").disable_statement_logging();
    if let Some(tls) = tls {
        options = options.ssl_mode(PgSslMode::VerifyFull);
        options = with(options, tls.ca_file.as_ref(), |options, file| options.ssl_root_cert(file));
        options =
            with(options, tls.cert_file.as_ref(), |options, file| options.ssl_client_cert(file));
        options =
            with(options, tls.key_file.as_ref(), |options, file| options.ssl_client_key(file));
    }
    options.connect().await.map_err(|error| trouble(&error))
}

fn with<T>(options: T, file: Option<&PathBuf>, add: impl Fn(T, &PathBuf) -> T) -> T {
    match file {
        Some(file) => add(options, file),
        None => options,
    }
}

/// A certificate that is refused comes as an error of the connection.
fn is_tls(error: &std::io::Error) -> bool {
    error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>)
}

/// What an error of the library means. Texts of configuration errors may repeat the address and are
/// left out.
fn trouble(error: &sqlx::Error) -> Trouble {
    let words = |text: &str| one_line(text, MAX_WORDS);
    match error {
        sqlx::Error::Database(refused) => {
            let number = refused.try_downcast_ref::<MySqlDatabaseError>();
            let code = number.map(|error| error.number().to_string());
            let code = code.or_else(|| refused.code().map(std::borrow::Cow::into_owned));
            let code = code.unwrap_or_else(|| "no code".to_owned());
            Trouble::Refused { code, words: words(refused.message()) }
        }
        sqlx::Error::Io(error) if is_tls(error) => Trouble::Tls(words(&error.to_string())),
        sqlx::Error::Io(error) => Trouble::Unreachable(words(&error.to_string())),
        sqlx::Error::Tls(error) => Trouble::Tls(words(&error.to_string())),
        // A password of MySQL 8 on its first way, over a connection without TLS.
        sqlx::Error::Configuration(why) if why.to_string().contains("RSA") => Trouble::Refused {
            code: "2061".to_owned(),
            words: "the password may not be sent without TLS".to_owned(),
        },
        sqlx::Error::Configuration(_) => Trouble::UnknownOption,
        other => Trouble::Strange(words(&other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::kind::Kind;
    use super::*;

    #[test]
    fn errors_of_the_library_are_told_without_secrets() {
        let configuration = |text: &str| sqlx::Error::Configuration(text.into());
        let unknown = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        for (error, words) in [
            (configuration("RSA auth backend disabled"), "mysql_native_password"),
            (configuration("bad mysql://weir:p4ss@db"), "an option in its address"),
            (sqlx::Error::Tls("server does not support TLS".into()), "no TLS: server does not"),
            (sqlx::Error::Io(std::io::ErrorKind::ConnectionRefused.into()), "cannot be reached"),
            (sqlx::Error::Io(std::io::Error::other(unknown)), "no TLS: invalid peer certificate"),
            (sqlx::Error::ColumnNotFound("x".to_owned()), "is this the database of StreamPark?"),
        ] {
            let said = trouble(&error).explain(Kind::Streampark, "mysql://db/sp");
            assert!(said.contains(words) && !said.contains("p4ss"), "{said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
    }

    #[test]
    fn an_answer_is_bounded() {
        let mut taken = Taken::default();
        let row = || vec![Some("x".repeat(1 << 20)), None];
        for _ in 0..64 {
            taken.add(row()).unwrap();
        }
        assert_eq!(taken.add(row()), Err(Trouble::TooMuch(64)));
    }
}
