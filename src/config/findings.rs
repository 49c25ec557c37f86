//! Collects what is wrong with a file, and which parts of it are not worth a second look.

use std::collections::HashSet;

use super::tree::Place;
use crate::model::Problem;

/// After so many the file is not a configuration, and nobody reads on.
const MAX: usize = 100;

/// What was found in one file.
#[derive(Debug)]
pub(super) struct Findings {
    file: String,
    problems: Vec<Problem>,
    dropped: HashSet<u32>,
    marked: HashSet<Place>,
}

impl Findings {
    pub(super) fn new(file: &str) -> Findings {
        Findings {
            file: file.to_owned(),
            problems: Vec::new(),
            dropped: HashSet::new(),
            marked: HashSet::new(),
        }
    }

    /// Something Weir does not start with.
    pub(super) fn error(
        &mut self,
        at: Place,
        what: impl Into<String>,
        hint: impl Into<Option<String>>,
    ) {
        self.push(at, what.into(), hint.into(), false);
    }

    /// Something worth a word.
    pub(super) fn warn(
        &mut self,
        at: Place,
        what: impl Into<String>,
        hint: impl Into<Option<String>>,
    ) {
        self.push(at, what.into(), hint.into(), true);
    }

    fn push(&mut self, at: Place, what: String, hint: Option<String>, warning: bool) {
        if self.problems.len() < 2 * MAX {
            let file = self.file.clone();
            let Place { line, column } = at;
            let problem = Problem { file, line, column, what, hint, warning };
            if !self.problems.contains(&problem) {
                self.problems.push(problem);
            }
        }
    }

    /// Passes over this part from now on: it was reported.
    pub(super) fn drop_node(&mut self, id: u32) {
        self.dropped.insert(id);
    }

    /// Something inside the list item that starts here was reported before it was read.
    pub(super) fn mark(&mut self, item: Place) {
        self.marked.insert(item);
    }

    pub(super) fn marked(&self, item: Place) -> bool {
        self.marked.contains(&item)
    }

    /// How many were found so far.
    pub(super) fn count(&self) -> usize {
        self.problems.len()
    }

    pub(super) fn dropped(&self) -> &HashSet<u32> {
        &self.dropped
    }

    /// Enough was said about this file.
    pub(super) fn full(&self) -> bool {
        self.problems.len() >= MAX
    }

    /// In the order of the file: the warnings when there is no error, else everything.
    pub(super) fn finish<T>(mut self, value: Option<T>) -> Result<(T, Vec<Problem>), Vec<Problem>> {
        self.problems.sort_by(|a, b| (a.line, a.column).cmp(&(b.line, b.column)));
        self.problems.truncate(MAX);
        match value {
            Some(value) if self.problems.iter().all(|p| p.warning) => Ok((value, self.problems)),
            _ => Err(self.problems),
        }
    }
}
