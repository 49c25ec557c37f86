//! What a run found, between marks of a page.

use std::path::Path;

use anyhow::{Context as _, Result};

/// Marks around what is written.
#[derive(Clone, Copy)]
pub(crate) struct Marks {
    pub(crate) begin: &'static str,
    pub(crate) end: &'static str,
}

/// Puts it between its marks.
///
/// # Errors
/// When the file is not there or has no marks.
pub(crate) fn put(path: &Path, marks: Marks, text: &str) -> Result<()> {
    let Marks { begin, end } = marks;
    let old =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let missing = || format!("{} has no {begin:?} and {end:?}", path.display());
    let (before, rest) = old.split_once(begin).with_context(missing)?;
    let (_, after) = rest.split_once(end).with_context(missing)?;
    let new = format!("{before}{begin}\n\n{text}\n{end}{after}");
    std::fs::write(path, new).with_context(|| format!("cannot write {}", path.display()))
}
