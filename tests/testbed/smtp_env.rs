//! The one stand-in that is not Rust, on a leash: a child never outlives the test, because it exits
//! when its standard input closes.

use std::process::Stdio;

use anyhow::Context as _;
use tokio::process::{Child, Command};

/// Starts a child that dies with this process: killed on drop, and its input closes with us.
pub fn leashed(command: &mut Command) -> anyhow::Result<Child> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        // Ctrl-C in a terminal is for us; the child is stopped in order.
        .process_group(0)
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
