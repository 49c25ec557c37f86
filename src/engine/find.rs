//! Which job, source or rule somebody means who types a part of its name.

use std::collections::BTreeSet;

use crate::model::{JobKey, RuleId};
use crate::yaml::suggest;

/// Candidates named at most.
const NAMED: usize = 10;

/// What was asked about is not there, or is not one thing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// Several fit.
    #[error("`{typed}` fits {count} {what}, say which:{}", list(.candidates, *.count))]
    Ambiguous {
        /// What is looked for: `jobs`.
        what: &'static str,
        /// As typed.
        typed: String,
        /// The first of those that fit.
        candidates: Vec<String>,
        /// How many fit.
        count: usize,
    },
    /// None fits.
    #[error("no {what} is named `{typed}`{}", near(.nearest))]
    Nothing {
        /// What is looked for: `job`.
        what: &'static str,
        /// As typed.
        typed: String,
        /// Names that are spelled alike.
        nearest: Vec<String>,
    },
}

fn list(candidates: &[String], count: usize) -> String {
    let mut text = String::new();
    for name in candidates {
        text.push_str("\n  ");
        text.push_str(name);
    }
    let left = count.saturating_sub(candidates.len());
    if left > 0 {
        text.push_str("\n  … and ");
        text.push_str(&left.to_string());
        text.push_str(" more");
    }
    text
}

fn near(nearest: &[String]) -> String {
    if nearest.is_empty() {
        String::new()
    } else {
        format!("; did you mean {}?", nearest.join(" or "))
    }
}

/// The one job meant; `twin`: the one another source shows under the key that was typed.
pub(super) fn job<'a>(
    keys: impl Iterator<Item = &'a JobKey>,
    twin: Option<&JobKey>,
    typed: &str,
) -> Result<JobKey, NotFound> {
    if let Some(job) = twin {
        return Ok(job.clone());
    }
    let keys: Vec<&str> = keys.map(|key| key.0.as_str()).collect();
    key(("job", "jobs"), &keys, typed).map(|key| JobKey(key.to_owned()))
}

/// The one key meant: the key itself, else a whole part or the parts at its end, else any part of
/// its text.
pub(super) fn key<'a>(
    what: (&'static str, &'static str),
    keys: &[&'a str],
    typed: &str,
) -> Result<&'a str, NotFound> {
    if let Some(exact) = keys.iter().find(|key| **key == typed) {
        return Ok(exact);
    }
    let encoded = typed.replace('%', "%25").replace('/', "%2F");
    let whole = |key: &str| {
        key.split('/').any(|part| part == encoded || part == typed)
            || key.strip_suffix(typed).is_some_and(|before| before.ends_with('/'))
    };
    let within = |key: &str| !typed.is_empty() && (key.contains(typed) || key.contains(&encoded));
    for fits in [&whole as &dyn Fn(&str) -> bool, &within] {
        let found: Vec<&'a str> = keys.iter().copied().filter(|key| fits(key)).collect();
        match found.as_slice() {
            [] => {}
            [one] => return Ok(one),
            several => {
                return Err(NotFound::Ambiguous {
                    what: what.1,
                    typed: typed.to_owned(),
                    candidates: several.iter().take(NAMED).map(|key| (*key).to_owned()).collect(),
                    count: several.len(),
                });
            }
        }
    }
    let names = keys.iter().flat_map(|key| [*key, key.rsplit('/').next().unwrap_or(key)]);
    let nearest = suggest::nearest(typed, names).map(str::to_owned).into_iter().collect();
    Err(NotFound::Nothing { what: what.0, typed: typed.to_owned(), nearest })
}

/// The one of these job keys that is meant by a part of it.
///
/// # Errors
/// When none is, or several are.
pub fn key_among(keys: &[&str], typed: &str) -> Result<String, NotFound> {
    key(("job", "jobs"), keys, typed).map(str::to_owned)
}

/// Whether `typed` is a rule's alert name, or its group/alert or group/alert/severity.
pub(super) fn names_rule(typed: &str, id: &RuleId) -> bool {
    let RuleId { group, alert, severity } = id;
    typed == alert
        || typed == format!("{group}/{alert}")
        || typed == format!("{group}/{alert}/{}", severity.as_str())
}

/// That no rule is named so.
pub(super) fn no_rule(typed: &str, ids: &[&RuleId]) -> NotFound {
    let names: BTreeSet<&str> = ids.iter().map(|id| id.alert.as_str()).collect();
    let lower = typed.to_lowercase();
    let same = names.iter().copied().find(|name| name.to_lowercase() == lower);
    let nearest = same.or_else(|| suggest::nearest(typed, names.iter().copied()));
    let nearest = nearest.map(str::to_owned).into_iter().collect();
    NotFound::Nothing { what: "rule", typed: typed.to_owned(), nearest }
}

/// That no receiver is named so.
pub(super) fn no_receiver(typed: &str, names: &[&str]) -> NotFound {
    let nearest = suggest::nearest(typed, names.iter().copied());
    let nearest = nearest.map(str::to_owned).into_iter().collect();
    NotFound::Nothing { what: "receiver", typed: typed.to_owned(), nearest }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 5] =
        ["prod/orders", "prod/orders-eu", "test/orders-eu", "k8s/ns/sess/a%2Fb", "prod/users"];

    fn find(typed: &str) -> String {
        match key(("job", "jobs"), &KEYS, typed) {
            Ok(key) => key.to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_part_of_a_key_is_enough() {
        for (typed, expected) in [
            ("prod/orders", "prod/orders"),
            ("orders", "prod/orders"),
            ("use", "prod/users"),
            ("a/b", "k8s/ns/sess/a%2Fb"),
            ("sess/a%2Fb", "k8s/ns/sess/a%2Fb"),
            (
                "orders-eu",
                "`orders-eu` fits 2 jobs, say which:\n  prod/orders-eu\n  test/orders-eu",
            ),
            ("test/o", "test/orders-eu"),
            ("usres", "no job is named `usres`; did you mean users?"),
            ("Users", "no job is named `Users`; did you mean users?"),
            ("nothing alike", "no job is named `nothing alike`"),
        ] {
            assert_eq!(find(typed), expected, "{typed}");
        }
    }
}
