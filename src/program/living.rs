//! Whether something that was started earlier still runs, also by a process that is no more.

use std::fs::File;
use std::io::Read as _;

/// No system gives a program more than that.
const LONGEST: u64 = 4 << 20;

/// A process of this user that was started with this variable, or by one that was. Where a system
/// shows no environments (there is no `/proc`), none is found.
pub async fn living_with(name: &str, value: &str) -> Option<u32> {
    let entry = format!("{name}={value}");
    tokio::task::spawn_blocking(move || find(entry.as_bytes())).await.ok().flatten()
}

fn find(entry: &[u8]) -> Option<u32> {
    let ids = std::fs::read_dir("/proc").ok()?.flatten();
    let ids = ids.filter_map(|process| process.file_name().to_str()?.parse::<u32>().ok());
    ids.into_iter().find(|id| has(*id, entry).unwrap_or_default())
}

fn has(id: u32, entry: &[u8]) -> Option<bool> {
    let mut bytes = Vec::new();
    File::open(format!("/proc/{id}/environ")).ok()?.take(LONGEST).read_to_end(&mut bytes).ok()?;
    Some(bytes.split(|byte| *byte == 0).any(|variable| variable == entry))
}
