//! What is wrong with a file somebody wrote: always with its place and, where there is one, a hint.

use std::fmt;

/// One finding in a configuration, rule or template file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file as the user named it.
    pub file: String,
    /// Line, from 1; 0 when the whole file is meant.
    pub line: u32,
    /// Column, from 1; 0 when the whole line is meant.
    pub column: u32,
    /// What is wrong: lowercase, no full stop, names the thing.
    pub what: String,
    /// The way out.
    pub hint: Option<String>,
    /// Only worth a word: does not keep Weir from starting.
    pub warning: bool,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column.max(1))?;
        }
        write!(f, ": {}{}", if self.warning { "warning: " } else { "" }, self.what)?;
        if let Some(hint) = &self.hint {
            write!(f, " ({hint})")?;
        }
        Ok(())
    }
}
