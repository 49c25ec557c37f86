//! What a user writes about an inventory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::kind::Kind;
use super::source::InventorySource;
use super::url::{self, Place};
use crate::http::TlsConfig;
use crate::sources::{Allowance, BuildError, Settings, Source};

/// How often an inventory is looked at unless it says otherwise.
const INTERVAL: Duration = Duration::from_secs(30);
/// Less is a burden on a database that others live of; with more, what it says is old before it is
/// heard again.
const INTERVALS: [Duration; 2] = [Duration::from_secs(5), Duration::from_mins(2)];
const MAX_TIMEOUT: Duration = Duration::from_mins(1);

/// The database of an inventory, which says whose the jobs are and how they should be. It names no
/// job, and nothing is ever written to it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InventoryConfig {
    /// Name of the source; the label `inventory` of the jobs it knows.
    pub name: String,
    /// Database, such as `mysql://weir:…@host:3306/streampark`, `mariadb://…` or
    /// `postgres://weir:…@host:5432/streampark`.
    #[schemars(with = "Option<String>")]
    pub database_url: Option<SecretString>,
    /// File with that address, read anew for each look.
    pub database_url_file: Option<PathBuf>,
    /// Certificates. With this, the server's is verified; without, as the address says
    /// (`?ssl-mode=REQUIRED` of MySQL, `?sslmode=require` of PostgreSQL; by default, if the server
    /// can).
    pub tls: Option<TlsConfig>,
    /// Only jobs of these teams (StreamPark) or tenants (Dinky), by name or number. Default: all.
    #[serde(default)]
    pub teams: Vec<String>,
    /// Time between two looks, 5s to 2m. Default: 30s.
    #[serde(default, with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional")]
    #[schemars(with = "Option<String>")]
    pub interval: Option<Duration>,
    /// Longest time one query may take, such as `5s`. Default: `poll.timeout`.
    #[serde(default, with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional")]
    #[schemars(with = "Option<String>")]
    pub timeout: Option<Duration>,
    /// Labels of the jobs it knows; those of a job's own source win.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Address of its web interface, for restarts by it.
    pub api_url: Option<String>,
    /// Token of that interface.
    #[schemars(with = "Option<String>")]
    pub token: Option<SecretString>,
    /// File with that token.
    pub token_file: Option<PathBuf>,
}

impl InventoryConfig {
    /// A database with nothing else to say about it.
    pub fn at(
        name: &str,
        database_url_file: Option<PathBuf>,
        teams: Vec<String>,
    ) -> InventoryConfig {
        InventoryConfig {
            name: name.to_owned(),
            database_url: None,
            database_url_file,
            tls: None,
            teams,
            interval: None,
            timeout: None,
            labels: BTreeMap::new(),
            api_url: None,
            token: None,
            token_file: None,
        }
    }

    /// Time between two looks.
    pub(super) fn interval(&self) -> Duration {
        self.interval.unwrap_or(INTERVAL)
    }

    pub(super) fn place(&self) -> Result<Place, String> {
        match (&self.database_url, &self.database_url_file) {
            (Some(url), None) => Ok(Place::Inline(url.clone())),
            (None, Some(file)) => Ok(Place::File(file.clone())),
            (Some(_), Some(_)) => {
                Err("`database_url` and `database_url_file` are both set (keep one)".to_owned())
            }
            (None, None) => {
                Err("`database_url` is missing (set it, or `database_url_file`)".to_owned())
            }
        }
    }

    /// What is wrong beyond the shape, each with the way out.
    pub fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut add = |what: &str, hint: &str| found.push((what.to_owned(), hint.to_owned()));
        if self.name.is_empty() {
            add("`name` is empty", "name the inventory as people do");
        }
        match (&self.database_url, &self.database_url_file) {
            (None, None) => add(
                "no database is named",
                "name a file with its address under `database_url_file`",
            ),
            (Some(url), None) => {
                if let Err((what, hint)) = url::parse(url.expose_secret()) {
                    add(&what, &hint);
                }
            }
            // Two of them are reported wherever a key has a twin.
            _ => {}
        }
        let interval = self.interval();
        if interval < INTERVALS[0] || interval > INTERVALS[1] {
            add("`interval` is too short or too long", "write at least `5s` and at most `2m`");
        }
        let timeout = self.timeout.unwrap_or(MAX_TIMEOUT);
        if timeout.is_zero() || timeout > MAX_TIMEOUT {
            add("`timeout` is too short or too long", "write at most `1m`");
        }
        if self.teams.iter().any(|team| team.trim().is_empty()) {
            add("a team in `teams` is empty", "leave `teams` out to see all jobs");
        }
        found
    }
}

/// One inventory each, of the same shape.
macro_rules! inventories {
    ($($(#[doc = $doc:literal])* $name:ident => $kind:expr),* $(,)?) => {$(
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(
            /// What is written about it.
            pub InventoryConfig,
        );

        impl Settings for $name {
            fn name(&self) -> &str {
                &self.0.name
            }

            fn labels(&self) -> &BTreeMap<String, String> {
                &self.0.labels
            }

            fn problems(&self) -> Vec<(String, String)> {
                self.0.problems()
            }

            fn build(
                &self,
                allowance: Allowance,
                poller: &str,
            ) -> Result<Box<dyn Source>, BuildError> {
                let timeout = allowance.timeout;
                let source = InventorySource::new($kind, self.0.clone(), timeout, poller)?;
                Ok(Box::new(source))
            }
        }
    )*};
}

inventories! {
    /// StreamPark 2.0 to 2.2, by its database.
    StreamparkConfig => Kind::Streampark,
    /// Dinky 1.x, by its database.
    DinkyConfig => Kind::Dinky,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> StreamparkConfig {
        serde_saphyr::from_str(text).unwrap()
    }

    #[test]
    fn an_inventory_reads_as_documented() {
        let config = read(
            "name: sp\ndatabase_url_file: /run/secrets/db\napi_url: http://streampark:10000\n\
             token_file: /run/secrets/token\nteams: [ads, '100001']\ninterval: 1m\ntimeout: 3s\n\
             labels: { env: prod }\ntls: { ca_file: /ca.pem }",
        );
        assert!(config.problems().is_empty());
        assert_eq!(config.0.interval(), Duration::from_mins(1));
        assert_eq!(config.0.teams, ["ads", "100001"]);
        let unknown = serde_saphyr::from_str::<DinkyConfig>("name: a\ndatabase: b");
        assert!(unknown.unwrap_err().to_string().contains("database"));
    }

    #[test]
    fn mistakes_are_said_with_the_way_out() {
        for (text, what) in [
            ("name: ''\ndatabase_url_file: /f", "`name` is empty"),
            ("name: a", "no database is named"),
            ("name: a\ndatabase_url: 'jdbc:mysql://db/sp'", "one of Java's"),
            ("name: a\ndatabase_url_file: /f\ninterval: 1s", "`interval`"),
            ("name: a\ndatabase_url_file: /f\ninterval: 10m", "`interval`"),
            ("name: a\ndatabase_url_file: /f\ntimeout: 5m", "`timeout`"),
            ("name: a\ndatabase_url_file: /f\nteams: ['']", "a team"),
        ] {
            let found = read(text).problems();
            assert!(found.len() == 1 && found[0].0.contains(what), "{text}: {found:?}");
        }
        let both = read("name: a\ndatabase_url: mysql://h/d\ndatabase_url_file: /f");
        assert!(both.problems().is_empty() && both.0.place().is_err());
    }

    #[test]
    fn a_password_is_never_shown() {
        let config = read("name: a\ndatabase_url: 'mysql://weir:p4ss@db/sp'\ntoken: p4ss");
        assert!(!format!("{config:?}").contains("p4ss"));
        assert!(config.problems().is_empty());
    }
}
