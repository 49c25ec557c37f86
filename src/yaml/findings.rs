//! Collects what is wrong with a file, and which parts of it are not worth a second look.

use std::collections::HashSet;

use super::tree::Place;
use crate::model::Problem;

/// After so many the file is not a configuration, and nobody reads on.
const MAX: usize = 100;

/// A shorter value is no secret, and would be found inside words.
const MIN_HIDDEN: usize = 4;

/// What was found in one file.
#[derive(Debug)]
pub(crate) struct Findings {
    file: String,
    problems: Vec<Problem>,
    dropped: HashSet<u32>,
    marked: HashSet<Place>,
    hidden: Vec<(String, String)>,
}

impl Findings {
    pub(crate) fn new(file: &str) -> Findings {
        Findings {
            file: file.to_owned(),
            problems: Vec::new(),
            dropped: HashSet::new(),
            marked: HashSet::new(),
            hidden: Vec::new(),
        }
    }

    /// Something Weir does not start with.
    pub(crate) fn error(
        &mut self,
        at: Place,
        what: impl Into<String>,
        hint: impl Into<Option<String>>,
    ) {
        self.push(at, &what.into(), hint.into().as_deref(), false);
    }

    /// Something worth a word.
    pub(crate) fn warn(
        &mut self,
        at: Place,
        what: impl Into<String>,
        hint: impl Into<Option<String>>,
    ) {
        self.push(at, &what.into(), hint.into().as_deref(), true);
    }

    fn push(&mut self, at: Place, what: &str, hint: Option<&str>, warning: bool) {
        if self.problems.len() < 2 * MAX {
            let file = self.file.clone();
            let what = self.presentable(what);
            let hint = hint.map(|hint| self.presentable(hint));
            let Place { line, column } = at;
            let problem = Problem { file, line, column, what, hint, warning };
            if !self.problems.contains(&problem) {
                self.problems.push(problem);
            }
        }
    }

    /// No message shows `value`; `name` stands for it.
    pub(crate) fn hide(&mut self, value: &str, name: String) {
        if value.chars().count() >= MIN_HIDDEN {
            self.hidden.push((one_line(value), name));
        }
    }

    /// One line, without what came from the environment.
    fn presentable(&self, text: &str) -> String {
        let mut text = one_line(text);
        for (value, name) in &self.hidden {
            text = without(&text, value, name);
        }
        text
    }

    /// Passes over this part from now on: it was reported.
    pub(crate) fn drop_node(&mut self, id: u32) {
        self.dropped.insert(id);
    }

    /// Something inside the list item that starts here was reported before it was read.
    pub(crate) fn mark(&mut self, item: Place) {
        self.marked.insert(item);
    }

    pub(crate) fn marked(&self, item: Place) -> bool {
        self.marked.contains(&item)
    }

    /// Nothing was found that Weir does not start with.
    pub(crate) fn only_warnings(&self) -> bool {
        self.problems.iter().all(|p| p.warning)
    }

    /// How many were found so far.
    pub(crate) fn count(&self) -> usize {
        self.problems.len()
    }

    pub(crate) fn dropped(&self) -> &HashSet<u32> {
        &self.dropped
    }

    /// Enough was said about this file.
    pub(crate) fn full(&self) -> bool {
        self.problems.len() >= MAX
    }

    /// Takes over what was found in another file.
    pub(crate) fn absorb(&mut self, other: Findings) {
        let room = (2 * MAX).saturating_sub(self.problems.len());
        self.problems.extend(other.problems.into_iter().take(room));
    }

    /// In the order of the file, those of other files last: the warnings when there is no error, else everything.
    pub(crate) fn finish<T>(mut self, value: Option<T>) -> Result<(T, Vec<Problem>), Vec<Problem>> {
        let own = self.file.clone();
        self.problems.sort_by_cached_key(|p| (p.file != own, p.file.clone(), p.line, p.column));
        self.problems.truncate(MAX);
        match value {
            Some(value) if self.only_warnings() => Ok((value, self.problems)),
            _ => Err(self.problems),
        }
    }
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// `text` with `name` for every `value`; a message may end in the middle of one.
fn without(text: &str, value: &str, name: &str) -> String {
    let start: String = value.chars().take(8).collect();
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(start.as_str()) {
        out.push_str(before);
        out.push_str(name);
        let shared = value.chars().skip(8).zip(after.chars()).take_while(|(a, b)| a == b).count();
        let end = after.char_indices().nth(shared).map_or(after.len(), |(at, _)| at);
        rest = after.split_at(end).1;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_values_are_named_even_when_cut() {
        for (text, expected) in [
            ("unknown `s3cr3t-zone-1`, `s3cr3t-zone-1`", "unknown `${Z}`, `${Z}`"),
            ("unknown `s3cr3t-zon…`", "unknown `${Z}…`"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(without(text, "s3cr3t-zone-1", "${Z}"), expected);
        }
    }
}
