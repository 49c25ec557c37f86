//! Groups: what waits for `group_wait` and `group_interval`, together with what.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::pipeline::Pipeline;
use crate::model::{Change, ChannelId, Notice, NoticeReason, Outcome, Severity, Time, Ts};

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

/// Groups of channels as they spoke: each begins anew once nothing it told is open.
pub(super) fn restore(
    notices: &[Notice],
    at: &dyn Fn(&Notice) -> Ts,
    is_alive: &dyn Fn(&Notice) -> bool,
) -> BTreeMap<(ChannelId, String), Group> {
    let mut told: Vec<&Notice> = notices.iter().filter(|n| n.message.is_some()).collect();
    told.sort_by_key(|n| (n.message, n.id));
    let mut groups = BTreeMap::<(ChannelId, String), Group>::new();
    let mut open = BTreeMap::<(&ChannelId, &str), BTreeSet<u64>>::new();
    for of_message in told.chunk_by(|a, b| a.message == b.message) {
        for notice in of_message.iter().filter(|n| n.outcome != Outcome::Failed) {
            let open = open.entry((&notice.to, &notice.group)).or_default();
            if notice.reason == NoticeReason::Resolved {
                open.remove(&notice.incident);
            } else if !notice.reason.is_mark() {
                open.insert(notice.incident);
            }
        }
        for notice in of_message.iter().filter(|n| is_alive(n)) {
            let key = (notice.to.clone(), notice.group.clone());
            if open.get(&(&notice.to, notice.group.as_str())).is_none_or(BTreeSet::is_empty) {
                groups.remove(&key);
            } else if notice.reason != NoticeReason::FirstLook && !notice.reason.is_mark() {
                groups.entry(key).or_default().spoke(at(notice), notice);
            }
        }
    }
    groups
}

/// A look whose news were taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// Steady time at which they were.
    pub(super) taken: Ts,
    /// How long it took: what it found had happened before.
    pub(super) took: Duration,
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
    /// What is found at this time comes from a look that took so long.
    pub fn note_look(&mut self, time: Time, took: Duration) {
        self.newest_look = Some(Look { taken: time.steady, took });
    }

    /// Those whose group may speak now; starts the timers of new groups.
    pub(super) fn due_notices(&mut self, time: Time, to: &ChannelId, ids: &[u64]) -> Vec<u64> {
        for id in ids {
            let Some(notice) = self.notices.get(id) else { continue };
            let (group, presses) = (notice.group.clone(), presses(notice));
            let found = self.newest_look.filter(|look| look.taken == notice.at_steady);
            let (since, took) = (notice.at_steady, found.map_or(Duration::ZERO, |l| l.took));
            self.group_due(to, group, since, took, presses);
        }
        let is_due = |id: &&u64| {
            let key = self.notices.get(id).map(|n| (to.clone(), n.group.clone()));
            let next = key.and_then(|key| self.groups.get(&key)?.next_flush);
            next.is_some_and(|at| at <= time.steady)
        };
        ids.iter().filter(is_due).copied().collect()
    }

    /// Keeps when the group of a notice speaks next. What is critical waits behind what is not no
    /// longer than a group's first news; behind what is, as everything does. The time it took to find
    /// it counts as waited, as long as half of `group_wait` is left to collect more.
    fn group_due(
        &mut self,
        to: &ChannelId,
        group: String,
        since: Ts,
        took: Duration,
        presses: bool,
    ) {
        let route = self.settings.route.of_group(&group);
        let (wait, interval) = (route.group_wait, route.group_interval);
        let wait = wait.saturating_sub(took.min(wait / 2));
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

    /// With its rank an incident may change its group: what still waits to be told of it goes along,
    /// or somebody would hear that it is worse, and then that it began. It waits no longer for that.
    pub(super) fn join_groups(&mut self, newest: &Notice, changes: &mut Vec<Change>) {
        let elsewhere =
            |n: &&Notice| n.message.is_none() && n.to == newest.to && n.group != newest.group;
        let of: Vec<u64> =
            self.of_incident(newest.incident).filter(elsewhere).map(|n| n.id).collect();
        for id in of {
            let Some(notice) = self.notices.get_mut(&id) else { continue };
            let old = notice.clone();
            notice.group.clone_from(&newest.group);
            changes.push(Change::Notice(Box::new(notice.clone())));
            let due = |groups: &BTreeMap<(ChannelId, String), Group>, group: &str| {
                groups.get(&(newest.to.clone(), group.to_owned())).and_then(|g| g.next_flush)
            };
            if let Some(at) = due(&self.groups, &old.group) {
                let at = due(&self.groups, &newest.group).map_or(at, |next| next.min(at));
                let key = (newest.to.clone(), newest.group.clone());
                self.groups.entry(key).or_default().next_flush = Some(at);
            }
            self.stop_timer(&old);
        }
    }

    /// The timer of a group nothing waits for any more must not rush the next news of that group:
    /// whether something does is asked once for all of them.
    pub(super) fn stop_timer(&mut self, gone: &Notice) {
        self.left_groups.insert((gone.to.clone(), gone.group.clone()));
    }

    /// Stops the timers of groups that nothing waits for, and forgets groups that would begin anew.
    pub(super) fn stop_timers(&mut self, time: Time) {
        let mut left = std::mem::take(&mut self.left_groups);
        if !left.is_empty() {
            for notice in self.notices.values().filter(|n| n.message.is_none()) {
                left.remove(&(notice.to.clone(), notice.group.clone()));
            }
        }
        for key in left {
            if let Some(group) = self.groups.get_mut(&key) {
                group.next_flush = None;
            }
        }
        let route = &self.settings.route;
        self.groups.retain(|(_, key), group| {
            let interval = || route.of_group(key).group_interval;
            let recent = |at: Ts| time.steady.since(at) < interval();
            group.next_flush.is_some() || group.last_flush.is_some_and(recent)
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
    fn the_look_that_found_it_counts_as_waited_up_to_a_half() {
        for (took, told_after) in [(0, 1_000), (300, 700), (10_000, 500)] {
            let mut bench = bench();
            let from = bench.now;
            let now = crate::model::Time::at(from);
            bench.pipeline.note_look(now, Duration::from_millis(took));
            bench.open(Severity::Warning);
            bench.pass(2 * SECOND);
            // What comes without a look waits as long as ever.
            let later = bench.now + 20 * SECOND;
            bench.pass(20 * SECOND);
            bench.open(Severity::Warning);
            bench.pass(2 * SECOND);
            let times: Vec<i64> = bench.taken.iter().map(|(at, _)| *at).collect();
            assert_eq!(times, [from + told_after, later + 1_000], "{took}");
        }
    }

    #[test]
    fn what_waits_follows_its_incident_to_another_group() {
        let ranks = [(Severity::Warning, Severity::Critical), (Severity::Info, Severity::Warning)];
        for ((from, to), restarts) in ranks.into_iter().flat_map(|r| [(r, false), (r, true)]) {
            let mut bench = bench();
            let began = bench.now;
            let id = bench.open(from);
            bench.pass(SECOND / 2);
            if restarts {
                bench.restart();
            }
            bench.edit(id, crate::model::NoticeReason::Worse, |i| {
                i.severity = to;
                i.labels.set("cluster", "another");
            });
            bench.pass(10 * SECOND);
            assert_eq!(times(&bench, began), [1], "{to:?}, {restarts}: {:?}", bench.taken);
            assert_eq!(bench.taken[0].1.notices, [1, 2]);
            // The group it left is as if it had never been.
            let later = bench.now;
            bench.open(Severity::Warning);
            bench.pass(10 * SECOND);
            assert_eq!(times(&bench, later).last(), Some(&1), "{to:?}, {restarts}");
        }
    }

    #[test]
    fn what_a_group_told_before_it_began_anew_makes_nothing_wait() {
        for restarts in [false, true] {
            let mut bench = bench();
            let first = bench.open(Severity::Critical);
            bench.pass(1_500);
            bench.resolve(first);
            bench.pass(5_500);
            bench.open(Severity::Warning);
            bench.pass(2_000);
            if restarts {
                bench.restart();
            }
            bench.pass(500);
            let from = bench.now;
            bench.open(Severity::Critical);
            bench.pass(10 * SECOND);
            assert_eq!(times(&bench, from).last(), Some(&1), "{restarts}: {:?}", bench.taken);
        }
    }

    #[test]
    fn groups_that_are_over_are_forgotten() {
        let silent = crate::notify::ChannelPlan { send_resolved: false, ..plan("team/a") };
        let mut bench = Bench::new(vec![silent], vec!["team"]);
        for n in 0..20 {
            let id = bench.open(Severity::Warning);
            bench.edit(id, crate::model::NoticeReason::Worse, |i| {
                i.labels.set("cluster", format!("c{n}"));
            });
            bench.pass(2 * SECOND);
            bench.resolve(id);
        }
        bench.pass(20 * SECOND);
        bench.turn();
        assert!(bench.pipeline.groups.is_empty(), "{:?}", bench.pipeline.groups);
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
