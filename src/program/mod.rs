//! Running a program somebody else wrote: bounded in time and output, with an environment of its
//! own, and nothing of it stays behind. No shell is between.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Child;

mod kept;
mod living;

pub use kept::Keep;
use kept::Kept;
pub use living::living_with;

/// What it left running may hold its outputs open; that is not waited for.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// A shorter value is in every other word: it is not taken out of what is told.
const SHORTEST_SECRET: usize = 4;

/// A program that is run once.
#[derive(Debug)]
pub struct Program<'a> {
    /// It and its arguments.
    pub argv: &'a [String],
    /// Its environment besides `PATH` and `HOME`; the values are secrets.
    pub env: &'a BTreeMap<String, SecretString>,
    /// Further variables that are none.
    pub facts: &'a [(&'static str, String)],
    /// What it reads.
    pub input: &'a str,
    /// Time limit: then it and all it started is killed.
    pub limit: Duration,
    /// What is kept of its standard output; none: it writes into nothing.
    pub stdout: Option<Keep>,
    /// What is kept of its standard error.
    pub stderr: Keep,
}

/// How a run came to its end, and what was said until then, without the secrets it was given.
#[derive(Debug)]
pub struct Ran {
    /// How.
    pub end: End,
    /// What was kept of its standard output.
    pub stdout: String,
    /// What was kept of its standard error.
    pub stderr: String,
}

/// How a run came to its end.
#[derive(Debug)]
pub enum End {
    /// It ended with this code.
    Code(i32),
    /// It was ended by this signal.
    Signal(i32),
    /// It took too long and was killed.
    Killed,
    /// It never ran.
    NotStarted(std::io::Error),
    /// It ran, and how it ended cannot be told.
    Lost(std::io::Error),
}

impl From<ExitStatus> for End {
    fn from(status: ExitStatus) -> End {
        status.code().map_or_else(|| End::Signal(status.signal().unwrap_or_default()), End::Code)
    }
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

impl Program<'_> {
    /// Runs it.
    pub async fn run(&self) -> Ran {
        let mut child = match self.start() {
            Ok(child) => child,
            Err(error) => {
                let (stdout, stderr) = (String::new(), String::new());
                return Ran { end: End::NotStarted(error), stdout, stderr };
            }
        };
        let group = Group::of(&child);
        let mut stdout = Kept::new(self.stdout.unwrap_or(Keep::Beginning(0)));
        let mut stderr = Kept::new(self.stderr);
        let work = self.talk(&mut child, &mut stdout, &mut stderr);
        let ended = tokio::time::timeout(self.limit, work).await;
        drop(group);
        let end = match ended {
            Ok(Ok(status)) => status.into(),
            Ok(Err(error)) => End::Lost(error),
            Err(_) => End::Killed,
        };
        let longest = self.secrets().map(str::len).max().unwrap_or_default();
        let told = |kept: Kept| self.redacted(&String::from_utf8_lossy(kept.bytes(longest)));
        Ran { end, stdout: told(stdout), stderr: told(stderr) }
    }

    fn start(&self) -> std::io::Result<Child> {
        let (program, arguments) = self.argv.split_first().ok_or(std::io::ErrorKind::NotFound)?;
        let mut command = tokio::process::Command::new(program);
        command.args(arguments).env_clear();
        for name in ["PATH", "HOME"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        for (name, value) in self.env {
            command.env(name, value.expose_secret());
        }
        for (name, value) in self.facts {
            command.env(name, value);
        }
        command
            .stdin(Stdio::piped())
            .stdout(if self.stdout.is_some() { Stdio::piped() } else { Stdio::null() })
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }

    /// Gives it what it reads, hears what it says, and waits for its end.
    async fn talk(
        &self,
        child: &mut Child,
        out: &mut Kept,
        err: &mut Kept,
    ) -> std::io::Result<ExitStatus> {
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let write = async {
            if let Some(mut stdin) = stdin {
                // It need not read any of it.
                stdin.write_all(self.input.as_bytes()).await.ok();
                stdin.shutdown().await.ok();
            }
        };
        let read = async {
            tokio::join!(listen(stdout, out), listen(stderr, err));
        };
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
                status = &mut end => {
                    if listening {
                        tokio::time::timeout(LAST_WORDS, &mut read).await.ok();
                    }
                    return status;
                }
                () = &mut read, if listening => listening = false,
            }
        }
    }

    fn secrets(&self) -> impl Iterator<Item = &str> {
        let values = self.env.values().map(ExposeSecret::expose_secret);
        values.filter(|value| value.len() >= SHORTEST_SECRET)
    }

    /// Without the secrets it was given, which it may have repeated.
    fn redacted(&self, said: &str) -> String {
        self.secrets().fold(said.to_owned(), |said, value| said.replace(value, "…"))
    }
}

/// Reads to the end, whatever of it is kept.
async fn listen(from: Option<impl AsyncRead + Unpin>, kept: &mut Kept) {
    let Some(mut from) = from else { return };
    let mut part = vec![0; 8 * 1024];
    while let Ok(read) = from.read(&mut part).await {
        match part.get(..read) {
            Some(said) if !said.is_empty() => kept.hear(said),
            _ => return,
        }
    }
}

/// The file of a program.
pub fn place(program: &str, path: Option<&OsStr>) -> Option<PathBuf> {
    let file = |file: PathBuf| file.is_file().then_some(file);
    if program.contains('/') {
        return file(PathBuf::from(program));
    }
    std::env::split_paths(path.unwrap_or_default()).find_map(|folder| file(folder.join(program)))
}

/// Looks for a program, so that a slip of the pen is found before the night it is needed.
///
/// # Errors
/// When it is not there; the text says what and the way out.
pub fn check_exists(program: &str, path: Option<&OsStr>) -> Result<(), String> {
    if place(program, path).is_some() {
        return Ok(());
    }
    let hint = "give its whole path, and make it executable";
    Err(format!("`argv` names {program:?}, which is not there ({hint})"))
}

/// Arguments and variables, each.
const MAX_WORDS: usize = 100;

/// What is wrong with a program before it is run: what, and the way out.
///
/// # Errors
/// The first thing that is.
pub fn check<'a>(
    argv: &'a [String],
    env: &BTreeMap<String, SecretString>,
) -> Result<&'a str, (String, &'static str)> {
    let bad = |what: &str, hint| Err((what.to_owned(), hint));
    if argv.len() > MAX_WORDS || env.len() > MAX_WORDS {
        return bad("`argv` or `env` has more than 100 entries", "put them into a file");
    }
    if argv.iter().any(|word| word.contains('\0')) {
        return bad("`argv` has a zero byte", "remove it");
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if let Some(name) = env.keys().find(|n| n.is_empty() || !n.chars().all(is_name)) {
        let hint = "names are letters, digits and `_`";
        return bad(&format!("`env` has a variable {name:?}"), hint);
    }
    if env.values().any(|value| value.expose_secret().contains('\0')) {
        return bad("a value in `env` has a zero byte", "remove it");
    }
    match argv.first().map(String::as_str) {
        None | Some("") => bad("`argv` names no program", "write `argv: [/path/to/it]`"),
        Some(program) => Ok(program),
    }
}
