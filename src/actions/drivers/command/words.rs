//! The words of a command line: placeholders, what fills them, and what may not. Pure.

use crate::actions::Order;
use crate::http::one_line;

/// Stands for all of `checkpoint_args`.
const CHECKPOINT_ARGS: &str = "{{checkpoint_args}}";
const CHECKPOINT: &str = "checkpoint";
const LABEL: &str = "label.";
/// Placeholders with one name each.
const NAMES: &[&str] = &[
    "job_name",
    "flink_job_name",
    "cluster",
    "namespace",
    "flink_cluster",
    "handle",
    "job_id",
    CHECKPOINT,
];
/// No value is longer, in bytes: a system takes no longer argument than 128 KiB.
const LONGEST: usize = 32 * 1024;

/// A command line as it is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words<'a> {
    pub(super) argv: &'a [String],
    pub(super) checkpoint_args: &'a [String],
}

/// Why a command line cannot be filled for an order, and the way out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unfit(pub(super) String);

/// A part of a word.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    /// The name between the braces.
    Place(&'a str),
}

/// The pieces of a word; what has no end stands as it is.
fn pieces(word: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = word;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, behind)) = after.split_once("}}") else { break };
        found.extend((!before.is_empty()).then_some(Piece::Text(before)));
        found.push(Piece::Place(name.trim()));
        rest = behind;
    }
    found.extend((!rest.is_empty()).then_some(Piece::Text(rest)));
    found
}

fn places<'a>(words: impl IntoIterator<Item = &'a String>) -> impl Iterator<Item = &'a str> {
    words.into_iter().flat_map(|word| pieces(word)).filter_map(|piece| match piece {
        Piece::Place(name) => Some(name),
        Piece::Text(_) => None,
    })
}

fn is_known(name: &str) -> bool {
    NAMES.contains(&name) || name.strip_prefix(LABEL).is_some_and(|label| !label.is_empty())
}

impl Words<'_> {
    /// Whether what is run differs by job.
    pub(super) fn name_the_job(&self) -> bool {
        let names =
            |name: &str| matches!(name, "job_name" | "flink_job_name") || name.starts_with(LABEL);
        places(self.argv).any(names)
    }

    /// What is wrong, each with the way out.
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let mut found = misnamed("argv", self.argv, true);
        found.extend(misnamed("checkpoint_args", self.checkpoint_args, false));
        let mut add = |what: &str, hint: &str| found.push((what.to_owned(), hint.to_owned()));
        let inserts = self.argv.iter().any(|word| word == CHECKPOINT_ARGS);
        match (inserts, self.checkpoint_args.is_empty()) {
            (true, true) => add(
                "`argv` has {{checkpoint_args}}, and `checkpoint_args` is empty",
                "write what a checkpoint is named with, such as [-s, \"{{checkpoint}}\"]",
            ),
            (false, false) => add(
                "`argv` does not have {{checkpoint_args}}, so `checkpoint_args` go nowhere",
                "write \"{{checkpoint_args}}\" as an argument where they belong",
            ),
            _ => {}
        }
        let all = self.argv.iter().chain(self.checkpoint_args);
        if !places(all).any(|name| name == CHECKPOINT) {
            add(
                "nothing names the checkpoint: the program would start the job from nothing",
                "give it as \"{{checkpoint}}\", best by `checkpoint_args`",
            );
        }
        found
    }

    /// The words for this order.
    pub(super) fn filled(&self, order: &Order) -> Result<Vec<String>, Unfit> {
        let mut argv = Vec::with_capacity(self.argv.len() + self.checkpoint_args.len());
        for word in self.argv {
            if word != CHECKPOINT_ARGS {
                argv.push(fill(word, order)?);
            } else if order.from.is_some() {
                for word in self.checkpoint_args {
                    argv.push(fill(word, order)?);
                }
            }
        }
        Ok(argv)
    }
}

/// What is wrong with the words of a look: it is about a run, not about where it came from.
pub(super) fn problems_of_look_up(argv: &[String]) -> Vec<(String, String)> {
    let mut found = misnamed("look_up_argv", argv, false);
    if !places(argv).any(|name| name == "handle") {
        let hint = "give it \"{{handle}}\", and have `argv` mark the run with it";
        found.push(("`look_up_argv` does not know what to look for".to_owned(), hint.to_owned()));
    }
    if !places(argv).all(|name| name != CHECKPOINT) {
        let hint = "a run is found by its {{handle}}";
        found.push(("`look_up_argv` names {{checkpoint}}".to_owned(), hint.to_owned()));
    }
    found
}

/// Placeholders that are none, or not there.
fn misnamed(key: &str, words: &[String], inserts: bool) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut add = |what: String, hint: &str| found.push((what, hint.to_owned()));
    if places(words.iter().take(1)).next().is_some() && key != "checkpoint_args" {
        add(
            format!("`{key}` does not name one program"),
            "write its path as it is; placeholders are for its arguments",
        );
    }
    for word in words {
        let alone = word == CHECKPOINT_ARGS && inserts;
        for name in places([word]).filter(|name| !alone && !is_known(name)) {
            let hint = match name {
                "checkpoint_args" if inserts => "it has to be an argument of its own",
                "checkpoint_args" => "it is for `argv`",
                _ => {
                    "there are job_name, flink_job_name, cluster, namespace, flink_cluster, \
                      handle, job_id, checkpoint and label.<name>"
                }
            };
            add(format!("`{key}` has the placeholder {{{{{name}}}}}, which is unknown"), hint);
        }
    }
    found
}

/// One word with its values, which stays one argument whatever they are.
fn fill(word: &str, order: &Order) -> Result<String, Unfit> {
    let pieces = pieces(word);
    let mut filled = String::new();
    for piece in &pieces {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Place(name) => {
                let value = value(name, order)?;
                // `/opt/jobs/{{job_name}}.jar` is in that folder, whatever somebody calls a job.
                let leaves = value.contains('/') || value == "..";
                if *name != CHECKPOINT && leaves && filled.contains('/') {
                    return Err(Unfit(format!(
                        "the argument {word} would be another path with {} (put no path before \
                         the placeholder)",
                        one_line(value, 80)
                    )));
                }
                filled.push_str(value);
            }
        }
    }
    // Such as a job that is named `-Dkey=value`: it would be an option, and not a name.
    if matches!(pieces.first(), Some(Piece::Place(_))) && filled.starts_with('-') {
        return Err(Unfit(format!(
            "the argument {word} would be {}: an option (put something before the placeholder)",
            one_line(&filled, 80)
        )));
    }
    Ok(filled)
}

fn value<'a>(name: &str, order: &'a Order) -> Result<&'a str, Unfit> {
    let value = match name {
        "job_name" => Some(order.job_name.as_str()),
        "flink_job_name" => Some(order.flink_job_name.as_str()),
        "cluster" => Some(order.cluster.as_str()),
        "namespace" => Some(order.namespace.as_str()),
        "flink_cluster" => Some(order.flink_cluster.as_str()),
        "handle" => Some(order.handle.as_str()),
        "job_id" => order.dead.as_deref(),
        CHECKPOINT => order.from.as_deref(),
        _ => name.strip_prefix(LABEL).map(|label| order.labels.get(label)),
    };
    let unfit = |why: &str, hint: &str| {
        Err(Unfit(format!("{{{{{name}}}}} of {} {why} ({hint})", order.job)))
    };
    match value {
        None | Some("") if name == CHECKPOINT => {
            unfit("is not there", "write it in `checkpoint_args`, to start from nothing")
        }
        None | Some("") => unfit("is not there", "leave it out of `argv`"),
        Some(value) if value.len() > LONGEST => unfit("is too long for an argument", "shorten it"),
        Some(value) if value.contains('\0') => unfit("has a zero byte", "name the job otherwise"),
        Some(value) => Ok(value),
    }
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
