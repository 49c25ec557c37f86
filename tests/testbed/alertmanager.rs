//! Alertmanager itself, as Debian ships it: the peer that Weir's numbers stand beside.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::debian::Package;
use super::process::Leashed;
use super::{http, time};

const NAME: &str = "prometheus-alertmanager";
/// With the archive the numbers were measured with.
const PACKAGE: Package = Package {
    name: NAME,
    also: &[],
    folder: "alertmanager",
    megabytes: 10,
    pinned: &[(
        "prometheus-alertmanager_0.25.0-1+b4_amd64.deb",
        "4fb9aed15cfe8e0c32408e643ab32a1e41ee87d2cc26f18aeba928b1b0b98ae7",
    )],
};
const UP_WITHIN: Duration = Duration::from_secs(30);

/// Where Debian's program looks for its templates, installed or not.
const ASSETS: &[u8] = b"/usr/share/prometheus/alertmanager";
/// The same folder below where it is unpacked.
const UNPACKED_ASSETS: &str = "usr/share/prometheus/alertmanager";

/// The folder it is unpacked in, downloaded on first use (10 MB).
///
/// # Errors
/// When this machine has no `apt`, its mirrors do not have the package or do not answer, or its
/// digest is not the pinned one.
pub(crate) async fn unpacked() -> Result<PathBuf> {
    PACKAGE.unpacked(|unpacked| look_here(&program(unpacked))).await
}

/// The tool that comes with it.
pub(crate) fn amtool(unpacked: &Path) -> PathBuf {
    unpacked.join("usr").join("bin").join("amtool")
}

fn program(unpacked: &Path) -> PathBuf {
    unpacked.join("usr").join("bin").join(NAME)
}

/// Lets the program look for its templates in its working folder: a path of the same length, and
/// nothing else of it is changed.
fn look_here(program: &Path) -> Result<()> {
    let mut bytes =
        std::fs::read(program).with_context(|| format!("cannot read {}", program.display()))?;
    let here = b"./".repeat(ASSETS.len() / 2);
    let places: Vec<usize> = bytes
        .windows(ASSETS.len())
        .enumerate()
        .filter(|(_, w)| *w == ASSETS)
        .map(|p| p.0)
        .collect();
    for at in places {
        bytes[at..at + here.len()].copy_from_slice(&here);
    }
    std::fs::write(program, bytes).with_context(|| format!("cannot write {}", program.display()))
}

/// A running Alertmanager without peers.
#[derive(Debug)]
pub(crate) struct Alertmanager {
    process: Leashed,
    client: reqwest::Client,
    url: String,
    _dir: tempfile::TempDir,
}

impl Alertmanager {
    /// Starts it with a configuration.
    ///
    /// # Errors
    /// When it does not come up; with the end of what it printed.
    pub(crate) async fn start(unpacked: &Path, config: &str) -> Result<Alertmanager> {
        let dir = tempfile::Builder::new().prefix("weir-alertmanager-").tempdir()?;
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("alertmanager.yml"), config)?;
        let listen = format!("127.0.0.1:{}", http::free_port()?);
        let argv = [
            "sh".to_owned(),
            "-c".to_owned(),
            "cd \"$0\" && exec \"$@\"".to_owned(),
            unpacked.join(UNPACKED_ASSETS).display().to_string(),
            program(unpacked).display().to_string(),
            format!("--config.file={}", at("alertmanager.yml").display()),
            format!("--storage.path={}", at("data").display()),
            format!("--web.listen-address={listen}"),
            "--cluster.listen-address=".to_owned(),
        ];
        let process = Leashed::spawn("alertmanager", &argv, &[], &at("log")).await?;
        let (client, url) = (http::client(), format!("http://{listen}"));
        let up = time::wait_for("alertmanager", UP_WITHIN, || async {
            let reply = client.get(format!("{url}/-/ready")).send().await?;
            Ok(reply.status().is_success().then_some(()))
        });
        up.await.with_context(|| process.log_tail(20))?;
        Ok(Alertmanager { process, client, url, _dir: dir })
    }

    /// Its own version, such as `0.25.0`.
    ///
    /// # Errors
    /// When it does not say.
    pub(crate) async fn version(&self) -> Result<String> {
        let status: Value =
            self.client.get(format!("{}/api/v2/status", self.url)).send().await?.json().await?;
        let version = status["versionInfo"]["version"].as_str().context("no version")?;
        // Debian's own part is of no interest here.
        Ok(version.split(['+', '-']).next().unwrap_or(version).to_owned())
    }

    /// Posts alerts as Prometheus does, 64 at a time.
    ///
    /// # Errors
    /// When it refuses them.
    pub(crate) async fn post(&self, alerts: &[Value]) -> Result<()> {
        for batch in alerts.chunks(64) {
            let request = self.client.post(format!("{}/api/v2/alerts", self.url)).json(batch);
            let reply = request.send().await?;
            let status = reply.status();
            ensure!(status.is_success(), "alertmanager says {status}: {}", reply.text().await?);
        }
        Ok(())
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Ends it.
    ///
    /// # Errors
    /// When it does not end by itself.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.process.stop().await?;
        Ok(())
    }
}
