//! `MariaDB` as Debian ships it: what `StreamPark` and Dinky keep their jobs in.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use super::debian::{self, Package};
use super::process::Leashed;
use super::{cache, http, time, tools};

const PACKAGE: Package = Package {
    name: "mariadb-server-core",
    also: &[
        "mariadb-client-core",
        "libaio1",
        "libnuma1",
        "liburing2",
        "libmariadb3",
        "libedit2",
        "libbsd0",
        "libmd0",
        "libncurses6",
    ],
    folder: "mariadb",
    megabytes: 9,
    pinned: &[
        (
            "mariadb-server-core_1:10.11.19-0+deb12u1_amd64.deb",
            "bda81cb1c5b538e19eed27462fa8df577684b9cdc4fe40cee8d1da9cbc0fe76b",
        ),
        (
            "mariadb-client-core_1:10.11.19-0+deb12u1_amd64.deb",
            "60549abde2ad55068610b2cae03af7d17a2cafb0993f16c8c2413bd1b5fe6f5f",
        ),
        (
            "libaio1_0.3.113-4_amd64.deb",
            "d1476e4beab3d85f8a7d31de94c27472711ed3ef399ce70708e24b259426125b",
        ),
        (
            "libnuma1_2.0.16-1_amd64.deb",
            "639e1ab6bd66ead40db8a22c332d7199679fa22db261cac34444eb8eb4c17dda",
        ),
        (
            "liburing2_2.3-3_amd64.deb",
            "c23077e3640e6cb4b819c134b3f41d5cf21b3edac099654b1b4142c3069a39a3",
        ),
        (
            "libmariadb3_1:10.11.19-0+deb12u1_amd64.deb",
            "cfd599e218eb53c471014b40d180f2f7f9ca7debaacfbd271bc9e4f4cc6eec39",
        ),
        (
            "libedit2_3.1-20221030-2_amd64.deb",
            "1cf14abf2716d3279db12d0657a5737cf70074a1e71d3bdf73206625e3c89ce6",
        ),
        (
            "libbsd0_0.11.7-2_amd64.deb",
            "bb31cc8b40f962a85b2cec970f7f79cc704a1ae4bad24257a822055404b2c60b",
        ),
        (
            "libmd0_1.0.4-2_amd64.deb",
            "03539fd30c509e27101d13a56e52eda9062bdf1aefe337c07ab56def25a13eab",
        ),
        (
            "libncurses6_6.4-4_amd64.deb",
            "72300f09f02669c06c99b641ea795d52300ec7eb65eaccddf7bc3b72934f0ef5",
        ),
    ],
};
const UP_WITHIN: Duration = Duration::from_mins(1);

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct MariaDb {
    unpacked: PathBuf,
    port: u16,
    process: Option<Leashed>,
    temp: TempDir,
}

impl MariaDb {
    /// Starts an empty one; `root` needs no password.
    ///
    /// # Errors
    /// When the download fails or it does not come up.
    pub(crate) async fn start() -> Result<Self> {
        tools::require(&["sh", "python3", "kill"])?;
        let unpacked = PACKAGE.unpacked(|_| Ok(())).await?;
        let temp = tempfile::Builder::new().prefix("weir-mariadb-").tempdir()?;
        cache::create_dir(&temp.path().join("tmp"))?;
        let mut server = Self { unpacked, port: http::free_port()?, process: None, temp };
        server.create().await?;
        server.start_again().await?;
        Ok(server)
    }

    /// The tables it keeps itself in.
    async fn create(&self) -> Result<()> {
        let script = self.usr().join("bin").join("mariadb-install-db");
        let mut args = vec![script.display().to_string(), "--no-defaults".to_owned()];
        args.extend(self.places());
        args.extend(["--auth-root-authentication-method=normal".to_owned()]);
        args.extend(["--skip-name-resolve".to_owned(), "--skip-test-db".to_owned()]);
        args.extend(as_whom());
        debian::run(&self.unpacked, "sh", &args).await?;
        Ok(())
    }

    fn usr(&self) -> PathBuf {
        self.unpacked.join("usr")
    }

    fn at(&self, name: &str) -> String {
        self.temp.path().join(name).display().to_string()
    }

    fn places(&self) -> Vec<String> {
        vec![
            format!("--basedir={}", self.usr().display()),
            format!("--datadir={}", self.at("data")),
            format!("--tmpdir={}", self.at("tmp")),
        ]
    }

    /// Starts it where it was, with what it had.
    ///
    /// # Errors
    /// When it runs or does not come up.
    pub(crate) async fn start_again(&mut self) -> Result<()> {
        if self.process.is_some() {
            bail!("the server is running");
        }
        let program = self.usr().join("sbin").join("mariadbd");
        let mut argv = vec![program.display().to_string(), "--no-defaults".to_owned()];
        argv.extend(self.places());
        argv.extend(as_whom());
        argv.extend([
            format!("--lc-messages-dir={}", self.usr().join("share").join("mysql").display()),
            format!("--port={}", self.port),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--socket={}", self.at("socket")),
            format!("--pid-file={}", self.at("pid")),
            "--skip-name-resolve".to_owned(),
            "--character-set-server=utf8mb4".to_owned(),
            "--innodb-buffer-pool-size=16M".to_owned(),
            // A commit outlives the process: no power fails.
            "--innodb-flush-log-at-trx-commit=2".to_owned(),
        ]);
        let env = [debian::libraries(&self.unpacked)];
        let log = self.temp.path().join("log");
        self.process = Some(Leashed::spawn("MariaDB", &argv, &env, &log).await?);
        let up = time::wait_for("MariaDB", UP_WITHIN, || async {
            self.sql("", "SELECT 1").await.map(Some)
        });
        up.await.with_context(|| self.tail())?;
        Ok(())
    }

    fn tail(&self) -> String {
        self.process.as_ref().map(|process| process.log_tail(30)).unwrap_or_default()
    }

    /// Runs statements as `root` with `MariaDB`'s own client, in this database or (empty) in none.
    /// Returns the rows: a line each, columns divided by tabs, without names.
    ///
    /// # Errors
    /// When the server does not answer or refuses one.
    pub(crate) async fn sql(&self, database: &str, statements: &str) -> Result<String> {
        let program = self.usr().join("bin").join("mariadb").display().to_string();
        let socket = format!("--socket={}", self.at("socket"));
        let statements = format!("--execute={statements}");
        let mut args = vec!["--no-defaults", "--user=root", "--batch", "--skip-column-names"];
        args.extend(["--default-character-set=utf8mb4", socket.as_str(), statements.as_str()]);
        if !database.is_empty() {
            args.push(database);
        }
        let answer = debian::run(&self.unpacked, &program, &args).await?;
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

/// Whether this process may do everything; some servers refuse to run like that.
pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;

    std::fs::metadata(Path::new("/proc/self")).is_ok_and(|meta| meta.uid() == 0)
}

/// It runs as root only when told so by name.
fn as_whom() -> Option<String> {
    is_root().then(|| "--user=root".to_owned())
}
