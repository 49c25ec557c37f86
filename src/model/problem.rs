//! What is wrong with a file somebody wrote: always with its place and, where there is one, a hint.

use std::collections::BTreeMap;
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

impl Problem {
    /// Puts the problems of each file in the order of its lines, however many passes found them;
    /// files stay in the order in which they were first named.
    pub fn in_order(problems: &mut [Problem]) {
        let mut files: BTreeMap<String, usize> = BTreeMap::new();
        for problem in problems.iter() {
            let next = files.len();
            files.entry(problem.file.clone()).or_insert(next);
        }
        problems.sort_by_key(|p| (files.get(&p.file).copied(), p.line, p.column));
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_in_order_and_files_as_they_came() {
        let at = |file: &str, line| Problem {
            file: file.to_owned(),
            line,
            column: 1,
            what: String::new(),
            hint: None,
            warning: false,
        };
        let mut problems = [at("b", 7), at("a", 3), at("b", 2), at("a", 1)];
        Problem::in_order(&mut problems);
        assert_eq!(problems, [at("b", 2), at("b", 7), at("a", 1), at("a", 3)]);
    }
}
