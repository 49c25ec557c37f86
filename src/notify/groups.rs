//! Groups: what waits for `group_wait` and `group_interval`, together with what.

use super::pipeline::Pipeline;
use crate::model::{ChannelId, Notice, NoticeReason, Severity, Time, Ts};

/// A group of notices of one channel: when it speaks next.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Group {
    /// Steady time of its last message.
    pub(super) last_flush: Option<Ts>,
    /// Steady time of its last message that told of something critical.
    pub(super) last_critical: Option<Ts>,
    /// When what waits is due.
    pub(super) next_flush: Option<Ts>,
}

impl Group {
    /// It spoke, of this notice among others.
    pub(super) fn spoke(&mut self, at: Ts, notice: &Notice) {
        self.last_flush = self.last_flush.max(Some(at));
        if notice.rank >= Severity::Critical.rank() {
            self.last_critical = self.last_critical.max(Some(at));
        }
    }
}

/// A person must know now.
fn presses(notice: &Notice) -> bool {
    let news = matches!(
        notice.reason,
        NoticeReason::Opened | NoticeReason::Reopened | NoticeReason::Worse
    );
    news && notice.rank >= Severity::Critical.rank()
}

impl Pipeline {
    /// Those whose group may speak now; starts the timers of new groups.
    pub(super) fn due_notices(&mut self, time: Time, to: &ChannelId, ids: &[u64]) -> Vec<u64> {
        for id in ids {
            let Some(notice) = self.notices.get(id) else { continue };
            let (group, since, presses) = (notice.group.clone(), notice.at_steady, presses(notice));
            self.group_due(to, group, since, presses);
        }
        let is_due = |id: &&u64| {
            let key = self.notices.get(id).map(|n| (to.clone(), n.group.clone()));
            let next = key.and_then(|key| self.groups.get(&key)?.next_flush);
            next.is_some_and(|at| at <= time.steady)
        };
        ids.iter().filter(is_due).copied().collect()
    }

    /// Keeps when the group of a notice speaks next. What is critical waits behind what is not no
    /// longer than a group's first news; behind what is, as everything does.
    fn group_due(&mut self, to: &ChannelId, group: String, since: Ts, presses: bool) {
        let route = self.settings.route.of_group(&group);
        let (wait, interval) = (route.group_wait, route.group_interval);
        let state = self.groups.entry((to.clone(), group)).or_default();
        let recent = |at: Option<Ts>| at.filter(|last| since.since(*last) < interval);
        let usual = match recent(state.last_flush) {
            Some(last) => last + interval,
            // A group that has been silent for its interval starts over.
            None => since + wait,
        };
        let mut next = state.next_flush.unwrap_or(usual);
        if presses && recent(state.last_critical).is_none() {
            next = next.min(since + wait);
        }
        state.next_flush = Some(next);
    }

    /// The timer of a group nothing waits for any more must not rush the next news of that group.
    pub(super) fn stop_timer(&mut self, gone: &Notice) {
        let key = (gone.to.clone(), gone.group.clone());
        let waits = |n: &Notice| n.message.is_none() && n.to == key.0 && n.group == key.1;
        if self.notices.values().any(waits) {
            return;
        }
        match self.groups.get_mut(&key) {
            Some(group) if group.last_flush.is_some() => group.next_flush = None,
            _ => {
                self.groups.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::model::Severity;
    use crate::notify::testing::{Bench, SECOND, plan};

    /// Groups wait a second, then five.
    fn bench() -> Bench {
        Bench::new(vec![plan("team/a")], vec!["team"])
    }

    fn times(bench: &Bench, from: i64) -> Vec<i64> {
        bench.taken.iter().map(|(at, _)| (at - from) / SECOND).collect()
    }

    #[test]
    fn what_is_critical_does_not_wait_behind_what_is_not() {
        for restarts in [false, true] {
            let mut bench = bench();
            let from = bench.now;
            bench.open(Severity::Warning);
            bench.pass(2 * SECOND);
            bench.open(Severity::Warning);
            if restarts {
                bench.restart();
            }
            bench.open(Severity::Critical);
            bench.pass(10 * SECOND);
            // The warning that waited goes along.
            assert_eq!(times(&bench, from), [1, 3], "{:?}", bench.taken);
            assert_eq!(bench.told("team/a").len(), 3);
        }
    }

    #[test]
    fn a_rise_does_not_wait_either() {
        let mut bench = bench();
        let from = bench.now;
        let id = bench.open(Severity::Warning);
        bench.pass(2 * SECOND);
        bench.edit(id, crate::model::NoticeReason::Worse, |i| i.severity = Severity::Critical);
        bench.pass(10 * SECOND);
        assert_eq!(times(&bench, from), [1, 3], "{:?}", bench.taken);
    }

    #[test]
    fn what_follows_something_critical_waits_whatever_it_is() {
        for restarts in [false, true] {
            let mut bench = bench();
            let from = bench.now;
            let first = bench.open(Severity::Critical);
            bench.pass(2 * SECOND);
            if restarts {
                bench.restart();
            }
            bench.open(Severity::Critical);
            bench.pass(10 * SECOND);
            assert_eq!(times(&bench, from), [1, 6], "{:?}", bench.taken);
            // An end is news of something critical, too.
            bench.pass(10 * SECOND);
            bench.resolve(first);
            bench.pass(2 * SECOND);
            let since = bench.now;
            bench.open(Severity::Critical);
            bench.pass(10 * SECOND);
            let last = times(&bench, since).pop();
            assert!(last.is_some_and(|s| s > 2), "{:?}", times(&bench, since));
        }
    }
}
