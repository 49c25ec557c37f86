//! Who has taken a mail and who has not: one recipient that is refused keeps it from nobody else.
//!
//! Refused for good, a recipient is left out. Refused for now, the same mail is tried again for
//! those who do not have it, and for them only, [`PATIENCE`] times in all: then the mail counts as
//! delivered, and from then on that recipient is tried once per mail, until a mail is taken. What is
//! known here is lost when Weir ends: a mail in between is then sent to everybody again, under the
//! same Message-ID.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use lettre::Address;
use tracing::{info, warn};

use super::server::{Failure, classify};
use super::transaction::Said;
use crate::model::{Message, SendOutcome};

/// Tries of a mail that somebody has taken already: half a minute, as the other mails wait
/// meanwhile.
const PATIENCE: u32 = 6;
/// Mails some have and some have not; there is hardly ever more than one.
const MAX_MAILS: usize = 100;

/// What is known of the recipients.
#[derive(Default)]
pub(super) struct Recipients(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// By message: those it need not be sent to any more, somebody having taken it.
    done: BTreeMap<u64, BTreeSet<Address>>,
    /// Mails in a row a recipient was refused while others took them.
    missed: BTreeMap<Address, u64>,
}

impl Recipients {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those of `all` a message still has to be sent to.
    pub(super) fn due(&self, message: &Message, all: &[Address]) -> Vec<Address> {
        let mut known = self.known();
        if message.attempts <= 1 {
            known.done.remove(&message.id);
        }
        let done = known.done.get(&message.id);
        let is_due = |to: &&Address| done.is_none_or(|done| !done.contains(*to));
        all.iter().filter(is_due).cloned().collect()
    }

    /// What a try means of which the server said this.
    pub(super) fn settle(&self, message: &Message, said: Vec<(Address, Said)>) -> SendOutcome {
        let mut known = self.known();
        let Known { done, missed } = &mut *known;
        let taken = said.iter().any(|(_, said)| *said == Said::Taken);
        if !taken && !done.contains_key(&message.id) {
            return nobody(message, &said);
        }
        let (mut waited, mut lost) = (Vec::new(), Vec::new());
        let settled = done.entry(message.id).or_default();
        for (to, said) in said {
            match said {
                Said::Taken => {
                    if let Some(missed) = missed.remove(&to) {
                        info!(recipient = %to, missed, "takes mails again");
                    }
                    settled.insert(to);
                }
                Said::Later(error) if message.attempts < PATIENCE && !missed.contains_key(&to) => {
                    waited.push(format!("{to}: {error}"));
                }
                Said::Later(error) | Said::Never(_, error) => {
                    settled.insert(to.clone());
                    lost.push((to, error));
                }
            }
        }
        for (to, error) in &lost {
            miss(missed, to, error);
        }
        if waited.is_empty() {
            done.remove(&message.id);
            return SendOutcome::Delivered;
        }
        while done.len() > MAX_MAILS {
            done.pop_first();
        }
        let error = format!("some have it, not yet {}", waited.join("; "));
        SendOutcome::Retry { after_ms: None, error }
    }

    /// What a try means that failed whoever it was for: whoever has the mail keeps it.
    pub(super) fn failed(
        &self,
        message: &Message,
        all: &[Address],
        outcome: SendOutcome,
    ) -> SendOutcome {
        let SendOutcome::Rejected { error } = outcome else { return outcome };
        let mut known = self.known();
        let Some(done) = known.done.remove(&message.id) else {
            return SendOutcome::Rejected { error };
        };
        for to in all.iter().filter(|to| !done.contains(*to)) {
            miss(&mut known.missed, to, &error);
        }
        SendOutcome::Delivered
    }
}

/// Counts a mail that others have; said once, until one is taken again.
fn miss(missed: &mut BTreeMap<Address, u64>, to: &Address, error: &str) {
    let count = missed.entry(to.clone()).or_default();
    *count += 1;
    if *count == 1 {
        warn!(recipient = %to, error, "a recipient was refused, the others have the mail");
    }
}

/// Nobody has it: it may be tried again for all, or is refused.
fn nobody(message: &Message, said: &[(Address, Said)]) -> SendOutcome {
    let later = said.iter().find_map(|(to, said)| match said {
        Said::Later(error) => Some(format!("{to}: {error}")),
        _ => None,
    });
    if let Some(error) = later {
        return SendOutcome::Retry { after_ms: None, error };
    }
    let never = said.iter().find_map(|(to, said)| match said {
        Said::Never(code, error) => Some((*code, format!("{to}: {error}"))),
        _ => None,
    });
    let (code, error) = never.unwrap_or_default();
    classify(Failure::Permanent(code), message.attempts, &error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Frozen;
    use crate::notify::channels::testing;

    fn address(name: &str) -> Address {
        format!("{name}@example.com").parse().unwrap()
    }

    fn message(id: u64, attempts: u32) -> Message {
        let frozen = Frozen { body: String::new(), title: String::new() };
        Message { id, attempts, ..testing::message(frozen) }
    }

    /// What the server says of each, by a letter: `+` takes it, `4` and `5` refuse.
    fn told(recipients: &Recipients, id: u64, attempts: u32, server: &[(&str, char)]) -> String {
        let message = message(id, attempts);
        let all: Vec<Address> = server.iter().map(|(name, _)| address(name)).collect();
        let due = recipients.due(&message, &all);
        let said = due.iter().map(|to| {
            let at = all.iter().position(|other| other == to).unwrap();
            let said = match server[at].1 {
                '+' => Said::Taken,
                '4' => Said::Later("later".to_owned()),
                _ => Said::Never(550, "no such user".to_owned()),
            };
            (to.clone(), said)
        });
        let outcome = recipients.settle(&message, said.collect());
        let due: Vec<&str> = due.iter().map(Address::user).collect();
        let outcome = match outcome {
            SendOutcome::Delivered => "delivered".to_owned(),
            SendOutcome::Retry { error, .. } => format!("retry {error}"),
            SendOutcome::Rejected { error } => format!("rejected {error}"),
            other => panic!("{other:?}"),
        };
        format!("{}: {outcome}", due.join(" "))
    }

    fn missed(recipients: &Recipients, name: &str) -> u64 {
        recipients.known().missed.get(&address(name)).copied().unwrap_or(0)
    }

    #[test]
    fn whoever_is_refused_keeps_it_from_nobody() {
        let r = Recipients::default();
        assert_eq!(told(&r, 1, 1, &[("a", '+'), ("b", '5')]), "a b: delivered");
        assert_eq!(told(&r, 2, 1, &[("a", '+'), ("b", '5')]), "a b: delivered");
        assert_eq!((missed(&r, "a"), missed(&r, "b")), (0, 2));
        assert_eq!(told(&r, 3, 1, &[("a", '+'), ("b", '+')]), "a b: delivered");
        assert_eq!(missed(&r, "b"), 0);
        assert!(r.known().done.is_empty());
    }

    #[test]
    fn all_refused_is_refused_and_later_is_later() {
        let r = Recipients::default();
        let all = told(&r, 1, 1, &[("a", '5'), ("b", '5')]);
        assert!(all.starts_with("a b: rejected a@example.com: no such user (the server"), "{all}");
        let some = [("a", '5'), ("b", '4')];
        assert_eq!(told(&r, 2, 1, &some), "a b: retry b@example.com: later");
        assert_eq!(told(&r, 2, 9, &some), "a b: retry b@example.com: later");
        assert_eq!(missed(&r, "a"), 0, "the channel says it");
    }

    #[test]
    fn a_retry_goes_to_those_who_have_not_taken_it() {
        let r = Recipients::default();
        let first = [("a", '+'), ("b", '4'), ("c", '5')];
        assert_eq!(
            told(&r, 1, 1, &first),
            "a b c: retry some have it, not yet b@example.com: later"
        );
        assert_eq!(told(&r, 1, 2, &first), "b: retry some have it, not yet b@example.com: later");
        assert_eq!(told(&r, 1, 3, &[("a", '4'), ("b", '+'), ("c", '+')]), "b: delivered");
        assert_eq!((missed(&r, "b"), missed(&r, "c")), (0, 1));
        assert!(r.known().done.is_empty());
    }

    #[test]
    fn the_others_do_not_wait_for_long_and_only_once() {
        let r = Recipients::default();
        let full = [("a", '+'), ("b", '4')];
        for attempts in 1..PATIENCE {
            assert!(told(&r, 1, attempts, &full).contains("retry"), "{attempts}");
        }
        assert_eq!(told(&r, 1, PATIENCE, &full), "b: delivered");
        assert_eq!(told(&r, 2, 1, &full), "a b: delivered");
        assert_eq!(missed(&r, "b"), 2);
        assert_eq!(told(&r, 3, 1, &[("a", '+'), ("b", '+')]), "a b: delivered");
        assert!(told(&r, 4, 1, &full).contains("retry"), "it is waited for again");
    }

    #[test]
    fn a_refusal_of_the_rest_takes_it_from_nobody() {
        let r = Recipients::default();
        let all = [address("a"), address("b")];
        let rejected = || SendOutcome::Rejected { error: "no".to_owned() };
        assert_eq!(r.failed(&message(1, 1), &all, rejected()), rejected());
        assert!(told(&r, 1, 1, &[("a", '+'), ("b", '4')]).contains("retry"));
        let down = SendOutcome::Retry { after_ms: None, error: "down".to_owned() };
        assert_eq!(r.failed(&message(1, 2), &all, down.clone()), down);
        assert_eq!(r.failed(&message(1, 3), &all, rejected()), SendOutcome::Delivered);
        assert_eq!((missed(&r, "a"), missed(&r, "b")), (0, 1));
    }
}
