//! Budgets of endpoints: exact arithmetic over the attempts that were made.

use std::collections::VecDeque;
use std::time::Duration;

use super::Budget;
use crate::model::Ts;

/// Attempts on one endpoint, and its limits.
#[derive(Debug, Clone, Default)]
pub(super) struct Endpoint {
    limits: Vec<Budget>,
    attempts: VecDeque<Ts>,
}

impl Endpoint {
    /// Adds a channel's limits; channels on one endpoint share all of them.
    pub(super) fn limit(&mut self, budgets: &[Budget]) {
        join(&mut self.limits, budgets);
    }

    /// Other limits from now on; what was sent still counts.
    pub(super) fn set_limits(&mut self, limits: Vec<Budget>) {
        self.limits = limits;
    }

    /// Nothing that was sent counts any more.
    pub(super) fn is_idle(&self, now: Ts) -> bool {
        let longest = self.limits.iter().map(|b| b.per).max().unwrap_or(Duration::ZERO);
        self.attempts.back().is_none_or(|last| now.since(*last) >= longest)
    }

    /// Notes an attempt; they come in order of time.
    pub(super) fn attempt(&mut self, at: Ts) {
        let position = self.attempts.iter().rposition(|known| *known <= at).map_or(0, |i| i + 1);
        self.attempts.insert(position, at);
        let longest = self.limits.iter().map(|b| b.per).max().unwrap_or(Duration::ZERO);
        let newest = self.attempts.back().copied().unwrap_or(at);
        while self.attempts.front().is_some_and(|first| newest.since(*first) > longest * 2) {
            self.attempts.pop_front();
        }
    }

    /// When one more attempt is allowed, `ahead` others being promised already. `reserve`: leave
    /// the part of each budget alone that is kept for critical news and resolutions.
    pub(super) fn free_at(&self, now: Ts, ahead: usize, reserve: bool) -> Ts {
        self.limits.iter().map(|b| self.free_under(*b, now, ahead, reserve)).max().unwrap_or(now)
    }

    fn free_under(&self, budget: Budget, now: Ts, ahead: usize, reserve: bool) -> Ts {
        let kept = if reserve { kept_back(budget) } else { 0 };
        let usable = (budget.messages - kept) as usize;
        // Attempts still inside the window that would end at `now`: those after now - per.
        let inside: Vec<Ts> =
            self.attempts.iter().copied().filter(|at| now.since(*at) < budget.per).collect();
        let taken = inside.len() + ahead;
        if taken < usable {
            return now;
        }
        // As many of them must leave the window as we are over.
        let must_leave = taken - usable;
        match inside.get(must_leave) {
            Some(at) => *at + budget.per,
            None => now + budget.per,
        }
    }

    /// The limit people would recognise: the longest window's.
    pub(super) fn describe(&self) -> String {
        match self.limits.iter().max_by_key(|b| b.per) {
            Some(b) => format!("budget {}/{}s", b.messages, b.per.as_secs()),
            None => "budget".to_owned(),
        }
    }
}

/// Adds limits that are not there yet.
pub(super) fn join(limits: &mut Vec<Budget>, more: &[Budget]) {
    for budget in more {
        if !limits.contains(budget) {
            limits.push(*budget);
        }
    }
}

/// A tenth, at least one where the budget has five or more.
fn kept_back(budget: Budget) -> u32 {
    if budget.messages < 5 { 0 } else { (budget.messages / 10).max(1) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn endpoint(messages: u32, secs: u64) -> Endpoint {
        let mut endpoint = Endpoint::default();
        endpoint.limit(&[Budget { messages, per: Duration::from_secs(secs) }]);
        endpoint
    }

    #[test]
    fn a_window_slides() {
        let mut e = endpoint(2, 10);
        e.attempt(Ts(0));
        assert_eq!(e.free_at(Ts(1000), 0, false), Ts(1000));
        e.attempt(Ts(4000));
        assert_eq!(e.free_at(Ts(5000), 0, false), Ts(10_000));
        assert_eq!(e.free_at(Ts(5000), 1, false), Ts(14_000));
        assert_eq!(e.free_at(Ts(10_000), 0, false), Ts(10_000));
    }

    #[test]
    fn a_reserve_is_kept_for_what_matters() {
        let mut e = endpoint(10, 60);
        for i in 0..9 {
            e.attempt(Ts(i));
        }
        assert!(e.free_at(Ts(100), 0, true) > Ts(100));
        assert_eq!(e.free_at(Ts(100), 0, false), Ts(100));
    }

    proptest! {
        /// Whoever sends only when told, and retries as often as he likes, never exceeds a limit.
        #[test]
        fn no_sliding_window_is_ever_exceeded(
            limit in 1_u32..9,
            secs in 1_u64..20,
            steps in prop::collection::vec(0_i64..3000, 1..200),
        ) {
            let mut e = endpoint(limit, secs);
            e.limit(&[Budget { messages: 3, per: Duration::from_secs(1) }]);
            let (mut now, mut sent) = (Ts(1_000_000), Vec::new());
            for step in steps {
                now = now.shifted(step);
                if e.free_at(now, 0, false) <= now {
                    e.attempt(now);
                    sent.push(now);
                }
            }
            for (count, per) in [(limit, secs), (3, 1)] {
                for (i, from) in sent.iter().enumerate() {
                    let until = *from + Duration::from_secs(per);
                    let inside = sent[i..].iter().filter(|at| **at < until).count();
                    prop_assert!(inside <= count as usize);
                }
            }
        }
    }
}
