//! Python for the one stand-in that is not Rust, on a leash.
//!
//! The packages come from the package index the machine is configured for, into a folder of their
//! own below `.cache/testbed`; a child never outlives the test, because it exits when its standard
//! input closes.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

/// The tests of one process share a venv and start together.
static BUILDING: Mutex<()> = Mutex::const_new(());

/// A Python interpreter that has `packages` (`name==version`); installed once, then reused.
pub async fn python_with(packages: &[&str]) -> anyhow::Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    packages.hash(&mut hasher);
    let venv = cache()?.join(format!("venv-{:016x}", hasher.finish()));
    let python = venv.join("bin/python");
    let _one_at_a_time = BUILDING.lock().await;
    if python.exists() {
        return Ok(python);
    }
    // Built aside and moved, so that neither an interrupted build nor a second test process leaves
    // a half venv behind. The interpreter is called by its path, so a moved venv works.
    let building = venv.with_extension(format!("{}.tmp", std::process::id()));
    run(Command::new("python3").args(["-m", "venv"]).arg(&building)).await?;
    run(Command::new(building.join("bin/python"))
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(packages))
    .await?;
    if tokio::fs::rename(&building, &venv).await.is_err() {
        ensure!(python.exists(), "cannot move the venv to {}", venv.display());
        tokio::fs::remove_dir_all(&building).await?;
    }
    Ok(python)
}

/// Starts a child that dies with this process: killed on drop, and its input closes with us.
pub fn leashed(command: &mut Command) -> anyhow::Result<Child> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("start a child")
}

/// Whether a program answers at all.
pub async fn works(program: &str, argument: &str) -> bool {
    let status = Command::new(program)
        .arg(argument)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .await;
    status.is_ok_and(|s| s.success())
}

async fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await?;
    ensure!(
        output.status.success(),
        "{:?} failed: {}",
        command.as_std(),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the test bed has no configuration of its own")]
fn cache() -> anyhow::Result<PathBuf> {
    let root = std::env::var("WEIR_TESTBED_CACHE").map_or_else(
        |_| Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/testbed"),
        PathBuf::from,
    );
    std::fs::create_dir_all(&root).context("create the test bed's cache")?;
    Ok(root)
}
