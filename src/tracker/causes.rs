//! What the remembered failures of a job were: each cause once, each failure its time and a number.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::job::MAX_FAILURES;
use crate::model::{Failure, Ts};

/// Different causes remembered per job; with the newest ones the older go, and their failures.
const MAX_CAUSES: usize = 8;
/// Longest cause kept, in characters.
const MAX_TEXT: usize = 240;

/// One cause, told once however often it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownCause {
    number: u32,
    /// Qualified class of the root cause.
    pub class: String,
    /// `class: message (frame)`, as people read it; cut where it is long.
    pub text: String,
}

/// Causes of the newest failures whose exception was read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Causes {
    known: VecDeque<KnownCause>,
    /// Steady time and number of the cause, oldest first.
    failures: VecDeque<(Ts, u32)>,
    next: u32,
}

impl Causes {
    /// Remembers a failure.
    pub(super) fn note(&mut self, at: Ts, failure: &Failure) {
        let number = self.number_of(failure);
        let place = self.failures.partition_point(|(known, _)| *known <= at);
        self.failures.insert(place, (at, number));
        while self.failures.len() > MAX_FAILURES {
            self.failures.pop_front();
        }
    }

    fn number_of(&mut self, failure: &Failure) -> u32 {
        let mut text = failure.class.clone();
        if !failure.message.is_empty() {
            text.push_str(": ");
            text.push_str(&failure.message);
        }
        if let Some(frame) = &failure.frame {
            text.push_str(" (");
            text.push_str(frame);
            text.push(')');
        }
        if let Some((cut, _)) = text.char_indices().nth(MAX_TEXT) {
            text.truncate(cut);
        }
        let same = |c: &KnownCause| c.class == failure.class && c.text == text;
        if let Some(index) = self.known.iter().position(same)
            && let Some(known) = self.known.remove(index)
        {
            let number = known.number;
            self.known.push_back(known);
            return number;
        }
        if self.known.len() >= MAX_CAUSES
            && let Some(old) = self.known.pop_front()
        {
            self.failures.retain(|(_, number)| *number != old.number);
        }
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.known.push_back(KnownCause { number, class: failure.class.clone(), text });
        number
    }

    /// Whether no failure is remembered.
    pub(super) fn is_empty(&self) -> bool {
        self.failures.is_empty()
    }

    /// Forgets all failures.
    pub(super) fn clear(&mut self) {
        *self = Causes { next: self.next, ..Causes::default() };
    }

    /// Steady times of the failures of these causes, oldest first.
    pub fn times(&self, wanted: impl Fn(&KnownCause) -> bool) -> Vec<Ts> {
        if self.failures.is_empty() {
            return Vec::new();
        }
        let numbers: Vec<u32> = self.known.iter().filter(|c| wanted(c)).map(|c| c.number).collect();
        let hits = self.failures.iter().filter(|(_, number)| numbers.contains(number));
        hits.map(|(at, _)| *at).collect()
    }

    /// The newest of these causes.
    pub fn newest(&self, wanted: impl Fn(&KnownCause) -> bool) -> Option<&KnownCause> {
        self.known.iter().rev().find(|c| wanted(c))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(class: &str, message: &str) -> Failure {
        Failure {
            at: 0,
            task: None,
            class: class.to_owned(),
            message: message.to_owned(),
            frame: None,
            taskmanager: None,
            gave_up: false,
        }
    }

    #[test]
    fn each_cause_is_kept_once_and_all_is_bounded() {
        let mut causes = Causes::default();
        for second in 0..1000 {
            causes.note(Ts(second * 1000), &failure("a.B", "same"));
        }
        assert_eq!((causes.known.len(), causes.failures.len()), (1, MAX_FAILURES));
        for number in 0..1000 {
            causes.note(
                Ts(2_000_000 + number),
                &failure("a.C", &format!("{number} {}", "订".repeat(999))),
            );
        }
        assert!(causes.known.len() == MAX_CAUSES && causes.failures.len() == MAX_CAUSES);
        let size = serde_json::to_string(&causes).unwrap().len();
        assert!(size < 9_000, "{size} bytes with the longest texts");
        assert!(causes.times(|c| c.class == "a.B").is_empty(), "let go with its cause");
    }

    #[test]
    fn failures_are_told_by_cause_in_order_of_time() {
        let mut causes = Causes::default();
        for (at, class) in [(30, "x.A"), (10, "x.B"), (20, "x.A")] {
            causes.note(Ts(at), &failure(class, "m"));
        }
        assert_eq!(causes.times(|c| c.class == "x.A"), [Ts(20), Ts(30)]);
        assert_eq!(causes.newest(|_| true).map(|c| c.text.as_str()), Some("x.A: m"));
    }
}
