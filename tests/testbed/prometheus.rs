//! Prometheus itself, as Debian ships it: it evaluates rules and posts what fires, as it does to an
//! Alertmanager.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::debian::Package;
use super::process::Leashed;
use super::{http, time};

const NAME: &str = "prometheus";
const PACKAGE: Package = Package {
    name: NAME,
    also: &[],
    folder: "prometheus",
    megabytes: 19,
    pinned: &[(
        "prometheus_2.42.0+ds-5+deb12u1_amd64.deb",
        "81d59a24fce84f7fbe97a45a4f2914b6a5881b5cd1db2a6a0e129e515e1a5f55",
    )],
};
const UP_WITHIN: Duration = Duration::from_mins(1);

/// The folder it is unpacked in, downloaded on first use (19 MB).
///
/// # Errors
/// As [`Package::unpacked`].
pub(crate) async fn unpacked() -> Result<PathBuf> {
    PACKAGE.unpacked(|_| Ok(())).await
}

/// A running Prometheus.
#[derive(Debug)]
pub(crate) struct Prometheus {
    process: Leashed,
    client: reqwest::Client,
    url: String,
    dir: tempfile::TempDir,
}

impl Prometheus {
    /// Starts it with a configuration and the rules in `rules.yml` beside it; what fires is sent
    /// again each second.
    ///
    /// # Errors
    /// When it does not come up; with the end of what it printed.
    pub(crate) async fn start(unpacked: &Path, config: &str, rules: &str) -> Result<Prometheus> {
        let dir = tempfile::Builder::new().prefix("weir-prometheus-").tempdir()?;
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("prometheus.yml"), config)?;
        std::fs::write(at("rules.yml"), rules)?;
        let listen = format!("127.0.0.1:{}", http::free_port()?);
        let argv = [
            unpacked.join("usr").join("bin").join(NAME).display().to_string(),
            format!("--config.file={}", at("prometheus.yml").display()),
            format!("--storage.tsdb.path={}", at("data").display()),
            format!("--web.listen-address={listen}"),
            "--web.enable-lifecycle".to_owned(),
            "--rules.alert.resend-delay=1s".to_owned(),
        ];
        let process = Leashed::spawn(NAME, &argv, &[], &at("log")).await?;
        let (client, url) = (http::client(), format!("http://{listen}"));
        let up = time::wait_for(NAME, UP_WITHIN, || async {
            let reply = client.get(format!("{url}/-/ready")).send().await?;
            Ok(reply.status().is_success().then_some(()))
        });
        up.await.with_context(|| process.log_tail(20))?;
        Ok(Prometheus { process, client, url, dir })
    }

    /// Takes other rules.
    ///
    /// # Errors
    /// When it refuses them.
    pub(crate) async fn rules(&self, rules: &str) -> Result<()> {
        std::fs::write(self.dir.path().join("rules.yml"), rules)?;
        let reply = self.client.post(format!("{}/-/reload", self.url)).send().await?;
        reply.error_for_status()?;
        Ok(())
    }

    /// SIGKILL.
    ///
    /// # Errors
    /// When it is not running.
    pub(crate) async fn kill9(mut self) -> Result<()> {
        self.process.kill9_child().await
    }

    /// The end of what it printed.
    pub(crate) fn log_tail(&self) -> String {
        self.process.log_tail(30)
    }
}
