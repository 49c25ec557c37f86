//! Redis as Debian ships it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use super::debian::{self, Package};
use super::process::Leashed;
use super::{http, time};

const PACKAGE: Package = Package {
    name: "redis-tools",
    also: &["redis-server", "libjemalloc2", "liblzf1"],
    folder: "redis",
    megabytes: 2,
    pinned: &[
        (
            "redis-tools_5:7.0.15-1~deb12u10_amd64.deb",
            "f791cfcbf3054832bd6e786546acb0d4e046888f8e63bcf567c1c65fbfaf69e2",
        ),
        (
            "redis-server_5:7.0.15-1~deb12u10_amd64.deb",
            "784e17b51024ff878fd7d709a68346658fa9b21f6de740cb75e474f28790971c",
        ),
        (
            "libjemalloc2_5.3.0-1_amd64.deb",
            "a4117c23c5c8acf6c9678a6cb086f000b79476369da7efe8a78a70826956ad3d",
        ),
        (
            "liblzf1_3.6-3_amd64.deb",
            "9854b0866201b63e04f1e446f45f01ef4a6f72c61f2250b75f944f6046cc7e8c",
        ),
    ],
};
const UP_WITHIN: Duration = Duration::from_secs(30);

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Redis {
    unpacked: PathBuf,
    port: u16,
    process: Leashed,
    _temp: TempDir,
}

impl Redis {
    /// Starts an empty one that keeps nothing on disk.
    ///
    /// # Errors
    /// When the download fails or it does not come up.
    pub(crate) async fn start() -> Result<Self> {
        let unpacked = PACKAGE.unpacked(|_| Ok(())).await?;
        let temp = tempfile::Builder::new().prefix("weir-redis-").tempdir()?;
        let port = http::free_port()?;
        let argv = [
            program(&unpacked, "redis-server").as_str(),
            "--bind",
            "127.0.0.1",
            "--port",
            &port.to_string(),
            "--save",
            "",
            "--dir",
            &temp.path().display().to_string(),
        ]
        .map(str::to_owned);
        let env = [debian::libraries(&unpacked)];
        let process = Leashed::spawn("Redis", &argv, &env, &temp.path().join("log")).await?;
        let redis = Self { unpacked, port, process, _temp: temp };
        let up = time::wait_for("Redis", UP_WITHIN, || async {
            Ok((redis.command(&["PING"]).await? == "PONG").then_some(()))
        });
        up.await.with_context(|| redis.process.log_tail(20))?;
        Ok(redis)
    }

    /// Runs one command with Redis' own client, and returns what it printed.
    ///
    /// # Errors
    /// When the server does not answer or refuses.
    pub(crate) async fn command(&self, words: &[&str]) -> Result<String> {
        let program = program(&self.unpacked, "redis-cli");
        let port = self.port.to_string();
        let to = ["-e", "-h", "127.0.0.1", "-p", port.as_str()];
        let args = [to.as_slice(), words].concat();
        let answer = debian::run(&self.unpacked, &program, &args).await?;
        Ok(answer.trim_end().to_owned())
    }

    /// Where it listens, as `host:port`.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// SIGKILL.
    ///
    /// # Errors
    /// When it is not running.
    pub(crate) async fn kill9(mut self) -> Result<()> {
        self.process.kill9_child().await
    }
}

fn program(unpacked: &Path, name: &str) -> String {
    unpacked.join("usr").join("bin").join(name).display().to_string()
}
