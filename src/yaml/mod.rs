//! Files people write, read so that every mistake is told at once, with its place and a way out.
//!
//! The text becomes a tree whose values know their places (`tree`); any serde type is read from
//! it, and a part with a mistake is reported, passed over, and the rest is read on (`reader`).
//! Knows nothing of what the files are about.

pub(crate) mod at;
pub(crate) mod fault;
pub(crate) mod findings;
pub(crate) mod reader;
pub(crate) mod suggest;
pub(crate) mod tree;
pub(crate) mod wild;

pub use at::At;
pub use tree::Place;

use findings::Findings;

/// Reads a whole text, for tests. `None` when too little of it made sense.
#[cfg(test)]
pub(crate) fn read<T: serde::de::DeserializeOwned>(
    text: &str,
    findings: &mut Findings,
) -> Option<T> {
    let tree = tree(text, findings)?;
    reader::read(&tree, findings)
}

/// The tree of a whole file.
pub(crate) fn tree(text: &str, findings: &mut Findings) -> Option<tree::Node> {
    match tree::read(text) {
        Ok((tree, twice)) => {
            for (place, key) in twice {
                let what = format!("key `{}` is given twice", tree::excerpt(&key));
                findings.error(place, what, "keep one of them".to_owned());
            }
            Some(tree)
        }
        Err(error) => {
            let hint = error.hint.unwrap_or("this is no YAML; further mistakes may follow");
            findings.error(error.place, error.what, hint.to_owned());
            None
        }
    }
}
