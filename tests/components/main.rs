//! The last step of `make components`: the table of what Weir said beside real components.
//!
//! Arguments: the file of rows that the tests wrote, and the document the table goes into.

#[path = "../testbed/table.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod table;

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

fn main() -> Result<()> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let rows = args.next().context("no file of rows")?;
    let document = args.next().context("no document")?;
    let table = table::markdown(&table::read(&rows)?)?;
    writeln!(std::io::stdout(), "{table}")?;
    table::put(&document, &table)
}
