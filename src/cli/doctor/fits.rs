//! Which jobs go by which entry of `restarts`: those that fit none, those that fit several, and the
//! entries that fit no job. None of it is wrong by itself.

use std::fmt::Write as _;
use std::sync::Arc;

use super::{Checkup, Health};
use crate::actions::Policy;
use crate::model::{JobKey, Labels};

/// Jobs and entries are named up to this many.
const MOST_NAMED: usize = 10;

/// What is to be known. `wholly`: every source was seen.
pub(super) fn fits(
    policies: &[Arc<Policy>],
    jobs: &[(&JobKey, &Labels)],
    wholly: bool,
) -> Vec<Checkup> {
    let of_job = |labels: &Labels| -> Vec<&str> {
        let fitting = policies.iter().filter(|policy| policy.is_about(labels));
        fitting.map(|policy| policy.name.as_str()).collect()
    };
    let fitting: Vec<(&JobKey, Vec<&str>)> =
        jobs.iter().map(|(key, labels)| (*key, of_job(labels))).collect();
    let without: Vec<String> = fitting
        .iter()
        .filter(|(_, entries)| entries.is_empty())
        .map(|(key, _)| key.0.clone())
        .collect();
    let several: Vec<String> = fitting
        .iter()
        .filter(|(_, entries)| entries.len() > 1)
        .map(|(key, entries)| format!("{key} ({})", entries.join(", ")))
        .collect();
    let idle: Vec<String> = policies
        .iter()
        .filter(|policy| !fitting.iter().any(|(_, names)| names.contains(&policy.name.as_str())))
        .map(|policy| policy.name.clone())
        .collect();
    let all = jobs.len();
    let seen = if wholly { "" } else { " that were seen" };
    let note = |says: String| Checkup {
        about: "restarts",
        name: None,
        kind: None,
        health: Health::Note,
        says,
    };
    let mut found = Vec::new();
    if !without.is_empty() {
        let (count, named) = (without.len(), named(&without));
        found.push(note(format!(
            "no entry fits {count} of {all} jobs{seen}, which nobody restarts: {named}"
        )));
    }
    if !several.is_empty() {
        let (count, named) = (several.len(), named(&several));
        found.push(note(format!(
            "several entries fit {count} of {all} jobs{seen}, and the first counts: {named}"
        )));
    }
    if !idle.is_empty() {
        let named = named(&idle);
        found.push(note(format!("no job{seen} fits the entries {named}")));
    }
    if found.is_empty() {
        let says = format!("one entry fits each of {all} jobs{seen}");
        found.push(Checkup { health: Health::Ok, ..note(says) });
    }
    found
}

fn named(all: &[String]) -> String {
    let mut text = all.iter().take(MOST_NAMED).cloned().collect::<Vec<_>>().join(", ");
    let more = all.len().saturating_sub(MOST_NAMED);
    if more > 0 {
        // Writing into a text cannot fail.
        write!(text, " and {more} more").ok();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::testing;
    use crate::model::Matcher;

    #[test]
    fn jobs_without_with_one_and_with_several_entries_are_told_apart() {
        let policy = |name: &str, matcher: &str| {
            let matchers = vec![Matcher::parse(matcher).unwrap()];
            Arc::new(Policy { name: name.to_owned(), matchers, ..testing::policy() })
        };
        let labels = |name: &str, team: &str| Labels::from([("job_name", name), ("team", team)]);
        let ads = policy("ads", "team=\"ads\"");
        let orders = policy("orders", "job_name=\"orders\"");
        let gone = policy("gone", "job_name=\"gone\"");
        let key = |name: &str| JobKey::new("c", "", "", name);
        let jobs: Vec<(JobKey, Labels)> = (0..12)
            .map(|n| (key(&format!("job-{n:02}")), labels("x", "web")))
            .chain([(key("orders"), labels("orders", "ads")), (key("ads"), labels("y", "ads"))])
            .collect();
        let jobs: Vec<(&JobKey, &Labels)> =
            jobs.iter().map(|(key, labels)| (key, labels)).collect();
        let said = |policies: &[Arc<Policy>], jobs: &[(&JobKey, &Labels)], wholly| -> Vec<String> {
            fits(policies, jobs, wholly).iter().map(Checkup::line).collect()
        };
        let ten: Vec<String> = (0..10).map(|n| format!("c/job-{n:02}")).collect();
        assert_eq!(
            said(&[orders.clone(), ads.clone(), gone], &jobs, true),
            [
                format!(
                    "note    restarts: no entry fits 12 of 14 jobs, which nobody restarts: {} and 2 \
                     more",
                    ten.join(", ")
                ),
                "note    restarts: several entries fit 1 of 14 jobs, and the first counts: c/orders \
                 (orders, ads)"
                    .to_owned(),
                "note    restarts: no job fits the entries gone".to_owned(),
            ]
        );
        assert_eq!(
            said(&[orders], &jobs[12..13], false),
            ["ok      restarts: one entry fits each of 1 jobs that were seen"]
        );
    }
}
