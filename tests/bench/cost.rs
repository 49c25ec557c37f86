//! What the system says a process has used.

use anyhow::{Context as _, Result};

/// Ticks per second of `/proc/PID/stat`; Linux has answered 100 on every platform for decades.
const TICKS: f64 = 100.0;

/// CPU seconds, user and system, of all threads that ever were.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name may hold spaces; what follows its bracket does not.
    let fields: Vec<&str> =
        stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| -> Result<f64> {
        fields.get(index).context("a short /proc/PID/stat")?.parse().context("ticks")
    };
    Ok((ticks(11)? + ticks(12)?) / TICKS)
}

/// A line of `/proc/PID/status` in MB, such as `VmRSS`.
pub(crate) fn memory_mb(pid: u32, what: &str) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|l| l.strip_prefix(what)?.strip_prefix(':'));
    let kilobytes = line.and_then(|l| l.split_whitespace().next()).context("no such line")?;
    Ok(kilobytes.parse::<f64>()? / 1024.0)
}
