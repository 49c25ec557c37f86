//! `PostgreSQL` as Debian ships it.

use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use super::debian::{self, Package};
use super::mariadb::is_root;
use super::process::Leashed;
use super::{cache, http, time, tools};

const PACKAGE: Package = Package {
    name: "postgresql-15",
    also: &[
        "postgresql-client-15",
        "libpq5",
        "libicu72",
        "libxml2",
        "libldap-2.5-0",
        "libsasl2-2",
        "libgssapi-krb5-2",
        "libkrb5-3",
        "libk5crypto3",
        "libkrb5support0",
        "libkeyutils1",
        "libssl3",
    ],
    folder: "postgres",
    megabytes: 32,
    pinned: &[
        (
            "postgresql-15_15.20-0+deb12u1_amd64.deb",
            "8566850f295c2cb5034ff5dd5b40caf97eea81b75a841c8d1f691c05ab8815db",
        ),
        (
            "postgresql-client-15_15.20-0+deb12u1_amd64.deb",
            "779332f35a5adc7c97376a7bb6dd8a6a6b48f594953f01eecfaead2eab09dab1",
        ),
        (
            "libpq5_15.20-0+deb12u1_amd64.deb",
            "ac8a72cc33453f75ac605b4f6b8f9febae303b9d9a61255a042a87a7f69ac5c7",
        ),
        (
            "libicu72_72.1-3+deb12u1_amd64.deb",
            "f7f6f99c6d7b025914df2447fc93e11d22c44c0c8bdd8b6f36691c9e7ddcef88",
        ),
        (
            "libxml2_2.9.14+dfsg-1.3~deb12u6_amd64.deb",
            "4460e39dda10a815881374217cde08474747cfa018358cd8612c14b390eff53b",
        ),
        (
            "libldap-2.5-0_2.5.13+dfsg-5_amd64.deb",
            "4b6c30f6554149c594628d945edc6003f0eea8d0cc1341638c0e71375db147ed",
        ),
        (
            "libsasl2-2_2.1.28+dfsg-10+deb12u1_amd64.deb",
            "d6f20408e2be92ebd9f5e3b1c1935b075efb3f03abb5f48f7b991a0ad3e2d6a5",
        ),
        (
            "libgssapi-krb5-2_1.20.1-2+deb12u5_amd64.deb",
            "d8b87aea91b956b416c01a28c44ff6228315ae3b73de40acddac3dc5043607d2",
        ),
        (
            "libkrb5-3_1.20.1-2+deb12u5_amd64.deb",
            "c90801be09701af221b54dd502a59cb378b7284ff31e480738baca317d2f7653",
        ),
        (
            "libk5crypto3_1.20.1-2+deb12u5_amd64.deb",
            "7b6e47d15c5c9cdcd456137533d8308aeba608a54cec73b28bd59bfc4b54cf06",
        ),
        (
            "libkrb5support0_1.20.1-2+deb12u5_amd64.deb",
            "8b9c05f2d8d461a10d657b118f572af5bf8fd6c8f93dcef81e852c5ab0f428ab",
        ),
        (
            "libkeyutils1_1.6.3-2_amd64.deb",
            "cfac89e6a7a54ff3c6a4f843310e25efeddaa771baeae470bd98bd588c373563",
        ),
        (
            "libssl3_3.0.22-1~deb12u2_amd64.deb",
            "cb4784740daa9b3b0eaea2b444bbefa686794afbbf3d678d238c1fd9875f2efd",
        ),
    ],
};
const UP_WITHIN: Duration = Duration::from_mins(1);
/// Who the server is where the tests are root: it refuses to be.
const NOBODY: u32 = 65_534;

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Postgres {
    unpacked: PathBuf,
    port: u16,
    process: Option<Leashed>,
    temp: TempDir,
}

impl Postgres {
    /// Starts an empty one; `postgres` needs no password.
    ///
    /// # Errors
    /// When the download fails or it does not come up.
    pub(crate) async fn start() -> Result<Self> {
        tools::require(&["python3", "kill"])?;
        if is_root() {
            tools::require(&["setpriv"])?;
        }
        let unpacked = PACKAGE.unpacked(|_| Ok(())).await?;
        let temp = tempfile::Builder::new().prefix("weir-postgres-").tempdir()?;
        let data = temp.path().join("data");
        cache::create_dir(&data)?;
        if is_root() {
            for path in [temp.path(), data.as_path()] {
                chown(path, Some(NOBODY), Some(NOBODY))
                    .with_context(|| format!("cannot give {} away", path.display()))?;
            }
        }
        let mut server = Self { unpacked, port: http::free_port()?, process: None, temp };
        let mut command = server.program("initdb");
        command.extend(["-D".to_owned(), data.display().to_string()]);
        let words = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"];
        command.extend(words.map(str::to_owned));
        let (program, args) = command.split_first().context("no program")?;
        debian::run(&server.unpacked, program, args).await?;
        server.start_again().await?;
        Ok(server)
    }

    /// The start of a command line: one of its programs, not as root.
    fn program(&self, name: &str) -> Vec<String> {
        let mut argv = Vec::new();
        if is_root() {
            let drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
            argv.extend(drop.map(str::to_owned));
            // Who changes its user loses the order to die with its parent.
            argv.push("--pdeathsig=KILL".to_owned());
        }
        argv.push(self.path(name));
        argv
    }

    fn path(&self, name: &str) -> String {
        self.unpacked.join("usr/lib/postgresql/15/bin").join(name).display().to_string()
    }

    /// Starts it where it was, with what it had.
    ///
    /// # Errors
    /// When it runs or does not come up.
    pub(crate) async fn start_again(&mut self) -> Result<()> {
        if self.process.is_some() {
            bail!("the server is running");
        }
        let mut argv = self.program("postgres");
        argv.extend(["-D".to_owned(), self.temp.path().join("data").display().to_string()]);
        for setting in [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={}", self.port),
            "unix_socket_directories=".to_owned(),
            "jit=off".to_owned(),
            "shared_buffers=16MB".to_owned(),
            // A test wants its rows soon, and no power fails.
            "fsync=off".to_owned(),
        ] {
            argv.extend(["-c".to_owned(), setting]);
        }
        let env = [debian::libraries(&self.unpacked)];
        let log = self.temp.path().join("log");
        self.process = Some(Leashed::spawn("PostgreSQL", &argv, &env, &log).await?);
        let up = time::wait_for("PostgreSQL", UP_WITHIN, || async {
            self.sql("postgres", "SELECT 1").await.map(Some)
        });
        up.await.with_context(|| self.tail())?;
        Ok(())
    }

    /// From now on this user has to say its password; all others are believed.
    ///
    /// # Errors
    /// When its rules cannot be written or read again.
    pub(crate) async fn demand_password(&self, user: &str) -> Result<()> {
        let path = self.temp.path().join("data").join("pg_hba.conf");
        let rules = format!("host all {user} all scram-sha-256\nhost all all all trust\n");
        std::fs::write(&path, rules).with_context(|| format!("cannot write {}", path.display()))?;
        self.sql("postgres", "SELECT pg_reload_conf()").await?;
        Ok(())
    }

    fn tail(&self) -> String {
        self.process.as_ref().map(|process| process.log_tail(30)).unwrap_or_default()
    }

    /// Runs statements as `postgres` with `psql` in this database, all or (on an error) none.
    /// Returns the rows: a line each, columns divided by tabs, without names.
    ///
    /// # Errors
    /// When the server does not answer or refuses one.
    pub(crate) async fn sql(&self, database: &str, statements: &str) -> Result<String> {
        let port = self.port.to_string();
        let args = [
            "--no-psqlrc",
            "--quiet",
            "--no-align",
            "--tuples-only",
            "--field-separator=\t",
            "--host=127.0.0.1",
            "--username=postgres",
            "--port",
            &port,
            "--dbname",
            database,
            "--command",
            statements,
        ];
        let answer = debian::run(&self.unpacked, &self.path("psql"), &args).await?;
        Ok(answer.trim_end().to_owned())
    }

    /// Where it listens on 127.0.0.1.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// SIGKILL.
    ///
    /// # Errors
    /// When it is not running.
    pub(crate) async fn kill9(&mut self) -> Result<()> {
        self.process.take().context("the server is not running")?.kill9_child().await
    }
}
