//! Processes that end with the test, even when the test is killed.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};

use super::{cache, tools};

/// The leash waits 3 s between SIGTERM and SIGKILL.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// Nothing survives SIGKILL, but on a busy machine the leash may take long to notice.
const KILL_LIMIT: Duration = Duration::from_mins(1);

/// A program on a leash: `leash.py` ends it when its stdin, which this holds, is closed.
#[derive(Debug)]
pub(crate) struct Leashed {
    name: String,
    leash: Child,
    stdin: Option<ChildStdin>,
    pid: u32,
    log: PathBuf,
}

impl Leashed {
    /// Starts a program; all it prints is appended to the file `log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) async fn spawn(
        name: &str,
        argv: &[String],
        env: &[(String, String)],
        log: &Path,
    ) -> Result<Self> {
        Self::on_leash(name, &[], argv, env, log).await
    }

    /// The same for a program whose own children open sessions: they end with it too.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) async fn spawn_tree(
        name: &str,
        argv: &[String],
        env: &[(String, String)],
        log: &Path,
    ) -> Result<Self> {
        Self::on_leash(name, &["--tree"], argv, env, log).await
    }

    async fn on_leash(
        name: &str,
        options: &[&str],
        argv: &[String],
        env: &[(String, String)],
        log: &Path,
    ) -> Result<Self> {
        let output = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("cannot open {}", log.display()))?;
        let mut command = Command::new("python3");
        command
            .arg("-I")
            .arg(cache::source_file("leash.py"))
            .args(options)
            .args(argv)
            .envs(env.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(output)
            // A signal to the test's own group (Ctrl-C, timeout) must not take the leash along.
            .process_group(0);
        let mut leash = command.spawn().map_err(|error| tools::cannot_start("python3", &error))?;
        let stdin = leash.stdin.take();
        let stdout = leash.stdout.take().context("the leash has no stdout")?;
        let mut first_line = String::new();
        BufReader::new(stdout).read_line(&mut first_line).await?;
        let pid = first_line
            .trim()
            .parse()
            .map_err(|_| anyhow!("cannot start {name}: {}", log_tail(log, 20)))?;
        Ok(Self { name: name.to_owned(), leash, stdin, pid, log: log.to_owned() })
    }

    /// The program's own process id, not that of its leash.
    pub(crate) const fn pid(&self) -> u32 {
        self.pid
    }

    /// The name it was started under.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it still runs.
    ///
    /// # Errors
    /// When the system does not say.
    pub(crate) fn is_running(&mut self) -> Result<bool> {
        Ok(self.leash.try_wait()?.is_none())
    }

    /// Kills the program as a power cut would, and waits until it is gone.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub(crate) async fn kill9_child(&mut self) -> Result<()> {
        self.kill9_now();
        self.wait_within(KILL_LIMIT).await?;
        Ok(())
    }

    /// Sends SIGKILL and does not wait. Does nothing to a program that has ended.
    pub(crate) fn kill9_now(&mut self) {
        // While the leash lives it has not reaped the program, so the id cannot be another's.
        if let Ok(None) = self.leash.try_wait() {
            let mut kill = std::process::Command::new("kill");
            kill.arg("-KILL").arg(self.pid.to_string()).stderr(Stdio::null());
            if let Err(error) = kill.status() {
                tools::note(&format!("{:#}", tools::cannot_start("kill", &error)));
            }
        }
    }

    /// Asks the program to end (SIGTERM, later SIGKILL) and waits for it.
    ///
    /// # Errors
    /// When it is still there after ten seconds.
    pub(crate) async fn stop(&mut self) -> Result<ExitStatus> {
        drop(self.stdin.take());
        self.wait().await
    }

    /// Waits for the end of a program that is about to end by itself.
    ///
    /// # Errors
    /// When it is still there after ten seconds.
    pub(crate) async fn wait(&mut self) -> Result<ExitStatus> {
        self.wait_within(STOP_LIMIT).await
    }

    /// Waits for the end of a program; one that takes longer than `limit` is asked to end.
    ///
    /// # Errors
    /// When it was still there after `limit`.
    pub(crate) async fn finish(&mut self, limit: Duration) -> Result<ExitStatus> {
        let end = self.wait_within(limit).await;
        if end.is_err() {
            self.stop().await?;
        }
        end
    }

    async fn wait_within(&mut self, limit: Duration) -> Result<ExitStatus> {
        // `Child::wait` would close our end of the pipe, but that end is ours since `spawn`.
        let status = tokio::time::timeout(limit, self.leash.wait())
            .await
            .with_context(|| format!("{} did not end in {limit:?}", self.name))??;
        Ok(status)
    }

    /// The file with all it printed.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// The end of what it printed.
    pub(crate) fn log_tail(&self, lines: usize) -> String {
        log_tail(&self.log, lines)
    }
}

// Dropping closes stdin, and the leash does the rest.

fn log_tail(log: &Path, lines: usize) -> String {
    std::fs::read(log).map_or_else(
        |_| String::new(),
        |bytes| tools::tail(&String::from_utf8_lossy(&bytes), lines),
    )
}
