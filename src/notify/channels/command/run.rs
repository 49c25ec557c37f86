//! One run of the program: bounded in time, output and number, and nothing of it stays behind.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStderr};
use tokio::sync::Semaphore;

use crate::model::SendOutcome;
use crate::notify::channels::wire::excerpt;

/// `EX_TEMPFAIL` of sysexits: not now.
const NOT_NOW: i32 = 75;
/// What of its standard error is read; the rest is thrown away.
const MAX_ERROR: usize = 4_096;
/// What it left running may hold its standard error open; that is not waited for.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// What is run.
pub(super) struct Program {
    pub(super) argv: Vec<String>,
    pub(super) env: BTreeMap<String, SecretString>,
    pub(super) limit: Duration,
    /// One at a time of one channel: those of others do not wait for it.
    pub(super) place: Semaphore,
}

/// Kills the program and all it started, however the run ends.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Group {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Group(id.and_then(Pid::from_raw))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            // Gone already is as good as killed.
            kill_process_group(leader, Signal::KILL).ok();
        }
    }
}

impl Program {
    /// Runs it with this on its standard input.
    pub(super) async fn run(&self, input: &str, facts: &[(&'static str, String)]) -> SendOutcome {
        let retry = |error: String| SendOutcome::Retry { after_ms: None, error };
        let Ok(_place) = self.place.acquire().await else {
            return retry("no place to run it in".to_owned());
        };
        let mut child = match self.start(facts) {
            Ok(child) => child,
            // It may be being replaced.
            Err(error) => return retry(format!("the program cannot be started: {error}")),
        };
        let group = Group::of(&child);
        let work = self.talk(&mut child, input);
        let ended = tokio::time::timeout(self.limit, work).await;
        drop(group);
        match ended {
            Ok(Ok((status, said))) => verdict(status, &self.redacted(&said)),
            Ok(Err(error)) => retry(format!("the program was lost: {error}")),
            Err(_) => {
                let seconds = self.limit.as_secs_f32();
                retry(format!("the program took more than {seconds} s and was killed"))
            }
        }
    }

    fn start(&self, facts: &[(&'static str, String)]) -> std::io::Result<Child> {
        let (program, arguments) = self.argv.split_first().ok_or(std::io::ErrorKind::NotFound)?;
        let mut command = tokio::process::Command::new(program);
        command.args(arguments).env_clear();
        for name in ["PATH", "HOME"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        for (name, value) in &self.env {
            command.env(name, value.expose_secret());
        }
        for (name, value) in facts {
            command.env(name, value);
        }
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }

    /// Gives it the message and waits for its end.
    async fn talk(&self, child: &mut Child, input: &str) -> std::io::Result<(ExitStatus, String)> {
        let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
        let write = async {
            if let Some(mut stdin) = stdin {
                // It need not read any of it.
                stdin.write_all(input.as_bytes()).await.ok();
                stdin.shutdown().await.ok();
            }
        };
        let mut said = Vec::new();
        let status = {
            let read = listen(stderr, &mut said);
            tokio::pin!(read);
            let mut listening = true;
            // What it left running may hold the other end of its standard input, too.
            let fed = async {
                write.await;
                std::future::pending().await
            };
            let end = async {
                tokio::select! {
                    status = child.wait() => status,
                    status = fed => status,
                }
            };
            tokio::pin!(end);
            loop {
                tokio::select! {
                    status = &mut end => break {
                        if listening {
                            tokio::time::timeout(LAST_WORDS, &mut read).await.ok();
                        }
                        status
                    },
                    () = &mut read, if listening => listening = false,
                }
            }
        };
        Ok((status?, String::from_utf8_lossy(&said).into_owned()))
    }

    /// Without the secrets it was given, which it may have repeated.
    fn redacted(&self, said: &str) -> String {
        let mut said = said.to_owned();
        for value in self.env.values().map(ExposeSecret::expose_secret).filter(|v| v.len() >= 4) {
            said = said.replace(value, "…");
        }
        said
    }
}

/// Reads to the end, and keeps the beginning.
async fn listen(stderr: Option<ChildStderr>, said: &mut Vec<u8>) {
    let Some(mut stderr) = stderr else { return };
    let mut part = (&mut stderr).take(MAX_ERROR as u64);
    if part.read_to_end(said).await.is_ok() {
        drain(&mut stderr).await;
    }
}

async fn drain(from: &mut (impl AsyncRead + Unpin)) {
    tokio::io::copy(from, &mut tokio::io::sink()).await.ok();
}

/// What its end means.
fn verdict(status: ExitStatus, said: &str) -> SendOutcome {
    let first = said.lines().map(excerpt).find(|line| !line.is_empty());
    let with = |what: String| match &first {
        Some(line) => format!("{what}: {line}"),
        None => format!("{what}, without a word on its standard error"),
    };
    match (status.code(), status.signal()) {
        (Some(0), _) => SendOutcome::Delivered,
        (Some(NOT_NOW), _) => {
            SendOutcome::Retry { after_ms: None, error: with("exit code 75".to_owned()) }
        }
        (Some(code), _) => SendOutcome::Rejected { error: with(format!("exit code {code}")) },
        (None, signal) => {
            let signal = signal.unwrap_or_default();
            SendOutcome::Retry { after_ms: None, error: with(format!("ended by signal {signal}")) }
        }
    }
}
