//! Alertmanager itself, as Debian ships it: the peer that Weir's numbers stand beside.
//!
//! The package comes from the mirrors this machine is configured for, is checked by `apt` against
//! their signed index, and is only unpacked: nothing is installed.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::process::Leashed;
use super::{cache, http, time, tools};

const PACKAGE: &str = "prometheus-alertmanager";
/// The archive the numbers were measured with, by sha256; others are named as what they are.
const PINNED: &[(&str, &str)] = &[(
    "prometheus-alertmanager_0.25.0-1+b4_amd64.deb",
    "4fb9aed15cfe8e0c32408e643ab32a1e41ee87d2cc26f18aeba928b1b0b98ae7",
)];
const DOWNLOAD_LIMIT: Duration = Duration::from_mins(5);
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
    let folder = cache::root().join("alertmanager");
    let place = folder.join("debian");
    let _lock = cache::lock(PACKAGE).await?;
    if place.is_dir() {
        return Ok(place);
    }
    tools::require(&["apt-get", "dpkg-deb"])?;
    let partial = folder.join("partial");
    cache::remove_dir(&partial)?;
    cache::create_dir(&partial)?;
    tools::note(&format!("downloading {PACKAGE}, 10 MB, once …"));
    let archive = tokio::time::timeout(DOWNLOAD_LIMIT, download(&partial))
        .await
        .with_context(|| format!("{PACKAGE} did not arrive in {DOWNLOAD_LIMIT:?}"))??;
    check(&archive)?;
    let unpacked = partial.join("unpacked");
    let args = [OsStr::new("-x"), archive.as_os_str(), unpacked.as_os_str()];
    tools::run("dpkg-deb", &args).await?;
    look_here(&program(&unpacked))?;
    cache::publish(&unpacked, &place)?;
    cache::remove_dir(&partial)?;
    Ok(place)
}

fn program(unpacked: &Path) -> PathBuf {
    unpacked.join("usr").join("bin").join(PACKAGE)
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

async fn download(folder: &Path) -> Result<PathBuf> {
    if let Err(first) = apt(folder, &[], &["download", PACKAGE]).await {
        // A fresh machine has no lists of packages: read them into a folder of our own.
        let own = own_state(folder)?;
        apt(folder, &own, &["update"]).await.with_context(|| format!("{first:#}"))?;
        apt(folder, &own, &["download", PACKAGE]).await?;
    }
    let entries = std::fs::read_dir(folder)?.filter_map(Result::ok).map(|entry| entry.path());
    let mut archives = entries.filter(|path| path.extension().is_some_and(|e| e == "deb"));
    archives.next().with_context(|| format!("apt-get left no archive of {PACKAGE}"))
}

fn own_state(folder: &Path) -> Result<Vec<String>> {
    let (lists, kept) = (folder.join("lists"), folder.join("kept"));
    cache::create_dir(&lists.join("partial"))?;
    cache::create_dir(&kept.join("archives").join("partial"))?;
    Ok(vec![
        format!("Dir::State::Lists={}", lists.display()),
        format!("Dir::Cache={}", kept.display()),
    ])
}

/// `apt-get` leaves what it downloads in the working folder.
async fn apt(folder: &Path, options: &[String], words: &[&str]) -> Result<()> {
    let mut args = vec!["-c".to_owned(), "cd \"$0\" && exec apt-get -qq \"$@\"".to_owned()];
    args.push(folder.display().to_string());
    args.extend(options.iter().flat_map(|option| ["-o".to_owned(), option.clone()]));
    args.extend(words.iter().map(|&word| word.to_owned()));
    tools::run("sh", &args).await.with_context(|| format!("cannot download {PACKAGE}"))?;
    Ok(())
}

fn check(archive: &Path) -> Result<()> {
    let name = archive.file_name().unwrap_or_default().to_string_lossy().replace("%3a", ":");
    let found = hex(&Sha256::digest(std::fs::read(archive)?));
    match PINNED.iter().find(|(pinned, _)| *pinned == name) {
        Some((_, digest)) => {
            ensure!(found == *digest, "{name} has sha256 {found}, and not the pinned {digest}");
        }
        None => tools::note(&format!("{name} is not pinned, only apt has checked it: {found}")),
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").ok();
        text
    })
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

    /// Ends it.
    ///
    /// # Errors
    /// When it does not end by itself.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.process.stop().await?;
        Ok(())
    }
}
