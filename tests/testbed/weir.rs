//! Weir itself as a process: started, killed, asked over HTTP.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::process::Leashed;
use super::{http, time};

/// In a configuration: the port it is to listen on.
pub(crate) const PORT: &str = "%PORT%";
const UP_WITHIN: Duration = Duration::from_secs(30);

/// A Weir with a folder of its own for configuration, store and log.
pub(crate) struct Weir {
    binary: PathBuf,
    dir: PathBuf,
    port: u16,
    log_level: String,
    process: Option<Leashed>,
    client: reqwest::Client,
}

impl Weir {
    /// Writes the configuration (without its `store` and `web` sections) and starts it.
    ///
    /// # Errors
    /// When it does not come up; the error has the end of its log.
    pub(crate) async fn start(binary: &Path, dir: &Path, config: &str) -> Result<Weir> {
        Self::start_with(binary, dir, &dir.join("weir.db"), config, "weir=debug").await
    }

    /// The same with its store elsewhere.
    ///
    /// # Errors
    /// As [`Weir::start`].
    pub(crate) async fn start_on(
        binary: &Path,
        dir: &Path,
        store: &Path,
        config: &str,
    ) -> Result<Weir> {
        Self::start_with(binary, dir, store, config, "weir=debug").await
    }

    /// [`Weir::start`] with another `WEIR_LOG`.
    ///
    /// # Errors
    /// As [`Weir::start`].
    pub(crate) async fn start_logging(
        binary: &Path,
        dir: &Path,
        config: &str,
        log_level: &str,
    ) -> Result<Weir> {
        Self::start_with(binary, dir, &dir.join("weir.db"), config, log_level).await
    }

    async fn start_with(
        binary: &Path,
        dir: &Path,
        store: &Path,
        config: &str,
        log_level: &str,
    ) -> Result<Weir> {
        let port = http::free_port()?;
        let mut head = format!("store: {{ url: \"sqlite://{}\" }}\n", store.display());
        // A configuration with a `web` section of its own says where it wants the port.
        if !config.contains(PORT) {
            writeln!(head, "web: {{ listen: \"127.0.0.1:{port}\" }}")?;
        }
        std::fs::write(dir.join("weir.yaml"), head + &config.replace(PORT, &port.to_string()))?;
        let mut weir = Weir {
            binary: binary.to_owned(),
            dir: dir.to_owned(),
            port,
            log_level: log_level.to_owned(),
            process: None,
            client: http::client(),
        };
        weir.resume().await?;
        Ok(weir)
    }

    /// Starts it again on the same store.
    ///
    /// # Errors
    /// As [`Weir::start`].
    pub(crate) async fn resume(&mut self) -> Result<()> {
        self.launch().await?;
        let up = time::wait_for("weir", UP_WITHIN, || async {
            let reply = self.client.get(self.url("/-/healthy")).send().await?;
            Ok(reply.status().is_success().then_some(()))
        })
        .await;
        up.with_context(|| self.log_tail())
    }

    /// Starts it again without waiting until it answers.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub(crate) async fn launch(&mut self) -> Result<()> {
        let argv = vec![
            self.binary.display().to_string(),
            "run".to_owned(),
            "--config".to_owned(),
            self.dir.join("weir.yaml").display().to_string(),
        ];
        let log = self.dir.join("weir.log");
        let env = [("WEIR_LOG".to_owned(), self.log_level.clone())];
        self.process = Some(Leashed::spawn("weir", &argv, &env, &log).await?);
        Ok(())
    }

    /// SIGKILL, as the OOM killer would.
    ///
    /// # Errors
    /// When there is no such process.
    pub(crate) async fn kill9(&mut self) -> Result<()> {
        match self.process.take() {
            Some(mut process) => process.kill9_child().await,
            None => bail!("weir is not running"),
        }
    }

    /// SIGKILL at the end of a test that hangs somewhere on purpose.
    ///
    /// # Errors
    /// When there is no such process.
    pub(crate) async fn kill9_and_forget(mut self) -> Result<()> {
        self.kill9().await
    }

    /// SIGTERM, and waits for the end.
    ///
    /// # Errors
    /// When it does not end by itself.
    pub(crate) async fn stop(mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            process.stop().await?;
        }
        Ok(())
    }

    /// Its process id.
    ///
    /// # Errors
    /// When it is not running.
    pub(crate) fn pid(&self) -> Result<u32> {
        self.process.as_ref().map(Leashed::pid).context("weir is not running")
    }

    /// Most memory it had resident so far, in kilobytes.
    ///
    /// # Errors
    /// When it is not running.
    pub(crate) fn peak_kb(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()?))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|rest| rest.trim().strip_suffix("kB")).context("no VmHWM")?;
        Ok(number.trim().parse()?)
    }

    /// Address of one of its pages.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// A JSON answer of the API.
    ///
    /// # Errors
    /// When it does not answer, or not with JSON.
    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        let reply = self.client.get(self.url(path)).send().await?;
        Ok(reply.error_for_status()?.json().await?)
    }

    /// Status and text of an answer.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn answer(&self, path: &str) -> Result<(u16, String)> {
        let reply = self.client.get(self.url(path)).send().await?;
        Ok((reply.status().as_u16(), reply.text().await?))
    }

    /// A text answer.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn text(&self, path: &str) -> Result<String> {
        Ok(self.client.get(self.url(path)).send().await?.text().await?)
    }

    /// Batches its store has taken so far.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn commits(&self) -> Result<i64> {
        use sqlx::ConnectOptions as _;
        let store = sqlx::sqlite::SqliteConnectOptions::new().filename(self.dir.join("weir.db"));
        let mut conn = store.read_only(true).connect().await?;
        let count = sqlx::query_scalar("SELECT coalesce(max(seq), 0) FROM batches");
        Ok(count.fetch_one(&mut conn).await?)
    }

    /// All of its log.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("weir.log")).unwrap_or_default()
    }

    /// The end of its log.
    pub(crate) fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}
