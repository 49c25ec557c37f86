//! Calls of the programs a test bed needs from the machine, with an error that says what to install.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, Result, anyhow, bail};
use tokio::process::Command;

/// Runs a program to its end and returns what it printed.
///
/// # Errors
/// When the program is missing (with the package that has it) or fails (with its last words).
pub(crate) async fn run<S: AsRef<OsStr>>(program: &str, args: &[S]) -> Result<String> {
    run_with(program, args, &[]).await
}

/// The same with variables added to the environment.
///
/// # Errors
/// As [`run`].
pub(crate) async fn run_with<S: AsRef<OsStr>>(
    program: &str,
    args: &[S],
    env: &[(&str, &OsStr)],
) -> Result<String> {
    let mut command = Command::new(program);
    command.args(args).envs(env.iter().copied()).stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.map_err(|error| cannot_start(program, &error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let mut words = String::new();
    for arg in args.iter().take(6) {
        write!(words, " {}", arg.as_ref().to_string_lossy())?;
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    bail!("{program}{words} ended with {}: {}", output.status, tail(&stderr, 20))
}

/// An error for a program that could not be started.
pub(crate) fn cannot_start(program: &str, error: &std::io::Error) -> anyhow::Error {
    if error.kind() == ErrorKind::NotFound {
        anyhow!("the test bed needs `{program}`, which is not installed: {}", how_to_get(program))
    } else {
        anyhow!("cannot start {program}: {error}")
    }
}

fn how_to_get(program: &str) -> &'static str {
    match program {
        "java" | "javac" | "jar" => "e.g. `apt-get install openjdk-17-jdk-headless`",
        "python3" => "e.g. `apt-get install python3 python3-venv python3-pip`",
        "go" => "e.g. `apt-get install golang-go`, 1.24 or newer",
        "mvn" => "e.g. `apt-get install maven`",
        "apt-get" | "dpkg-deb" => "it comes with Debian and what is made of it",
        "setpriv" => "e.g. `apt-get install util-linux`",
        "curl" => "e.g. `apt-get install curl`",
        "kill" => "e.g. `apt-get install procps`",
        _ => "install it with your package manager",
    }
}

/// Fails early, and all at once, when a program is missing.
///
/// # Errors
/// Names every missing program.
pub(crate) fn require(programs: &[&str]) -> Result<()> {
    let missing: Vec<String> = programs
        .iter()
        .filter(|program| find(program).is_none())
        .map(|program| format!("`{program}` ({})", how_to_get(program)))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    bail!("the test bed needs programs that are not installed: {}", missing.join(", "))
}

/// The home of the `java` that is found first, as Hadoop's scripts want it.
///
/// # Errors
/// When there is none.
pub(crate) fn java_home() -> Result<PathBuf> {
    if let Some(home) = std::env::var_os("JAVA_HOME") {
        return Ok(PathBuf::from(home));
    }
    let missing = || anyhow!("the test bed needs `java`: {}", how_to_get("java"));
    let java = find("java").ok_or_else(missing)?;
    let real = java.canonicalize().with_context(|| format!("cannot follow {}", java.display()))?;
    let home = real.parent().and_then(std::path::Path::parent);
    home.map(std::path::Path::to_owned).with_context(|| format!("{} has no home", real.display()))
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Fails with the way to install it when Python has no pip.
///
/// # Errors
/// When `python3 -m pip` does not work.
pub(crate) async fn require_pip() -> Result<()> {
    require(&["python3"])?;
    run("python3", &["-m", "pip", "--version"])
        .await
        .context("the test bed needs pip for python3, e.g. `apt-get install python3-pip`")?;
    Ok(())
}

/// The last lines of a text.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.trim_end().lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// Tells the person at the terminal something worth knowing, such as a long download.
pub(crate) fn note(text: &str) {
    writeln!(std::io::stderr(), "test bed: {text}").ok();
}
