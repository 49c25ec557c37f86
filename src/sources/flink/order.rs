//! Which runs are looked into first when there may not be time, or requests, for all. Pure.
//!
//! Those that changed or are sick go first, but every fourth place is for the others, and among
//! equals whoever was looked into longest ago: however small the budget, everybody has a turn.

use crate::model::Ts;

/// Every so many places one is for those that are not urgent.
const FOR_OTHERS: usize = 4;

/// What decides over the turn of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    /// It changed, is sick, or was never looked into.
    pub(super) urgent: bool,
    /// Steady time of the last look into it.
    pub(super) looked_at: Option<Ts>,
    /// It has ended.
    pub(super) over: bool,
    /// Ms; newer ones first where nothing else tells them apart.
    pub(super) start_time: i64,
}

/// Puts `all` in order of their turns.
pub(super) fn by_turn<T>(all: Vec<T>, standing: impl Fn(&T) -> Standing) -> Vec<T> {
    let total = all.len();
    let (mut urgent, mut others): (Vec<T>, Vec<T>) =
        all.into_iter().partition(|one| standing(one).urgent);
    let key = |one: &T| {
        let Standing { looked_at, over, start_time, .. } = standing(one);
        (looked_at, over, std::cmp::Reverse(start_time))
    };
    urgent.sort_by_key(key);
    others.sort_by_key(key);
    let (mut urgent, mut others) = (urgent.into_iter(), others.into_iter());
    let mut turns = Vec::with_capacity(total);
    while turns.len() < total {
        let next = if turns.len() % FOR_OTHERS == FOR_OTHERS - 1 {
            others.next().or_else(|| urgent.next())
        } else {
            urgent.next().or_else(|| others.next())
        };
        turns.extend(next);
    }
    turns
}

#[cfg(test)]
mod tests {
    use super::*;

    type Run = (&'static str, Standing);

    fn run(name: &'static str, urgent: bool, looked_at: Option<i64>, start_time: i64) -> Run {
        (name, Standing { urgent, looked_at: looked_at.map(Ts), over: false, start_time })
    }

    fn names(all: Vec<Run>) -> Vec<&'static str> {
        by_turn(all, |(_, standing)| *standing).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn the_sick_go_first_and_leave_every_fourth_place() {
        let all = vec![
            run("well 1", false, Some(1), 1),
            run("well 2", false, Some(2), 9),
            run("sick 1", true, Some(5), 1),
            run("sick 2", true, Some(5), 2),
            run("sick 3", true, Some(4), 1),
            run("sick 4", true, None, 1),
        ];
        assert_eq!(
            names(all),
            ["sick 4", "sick 3", "sick 2", "well 1", "sick 1", "well 2"],
            "longest ago, then newest"
        );
    }

    #[test]
    fn those_that_ended_come_last_among_equals() {
        let mut ended = run("ended", false, None, 9);
        ended.1.over = true;
        assert_eq!(names(vec![ended, run("live", false, None, 1)]), ["live", "ended"]);
        assert!(names(Vec::new()).is_empty());
    }

    /// A hundred runs and ten turns a look: nobody waits much longer than fairness asks for.
    #[test]
    fn nobody_starves() {
        for sick in [0, 1, 30, 99, 100] {
            let mut runs: Vec<(usize, Option<Ts>)> = (0..100).map(|n| (n, None)).collect();
            let mut longest = 0;
            for look in 0..200 {
                let standing = |(n, looked_at): &(usize, Option<Ts>)| Standing {
                    urgent: *n < sick,
                    looked_at: *looked_at,
                    over: false,
                    start_time: i64::try_from(*n).unwrap(),
                };
                let turns = by_turn(runs.clone(), standing);
                for (n, before) in turns.into_iter().take(10) {
                    let waited = look - before.map_or(-1, |at| at.0);
                    longest = longest.max(waited);
                    runs[n].1 = Some(Ts(look));
                }
            }
            let unseen = runs.iter().filter(|(_, at)| at.is_none_or(|at| at.0 < 140)).count();
            assert_eq!(unseen, 0, "{sick} sick");
            assert!(longest <= 51, "{sick} sick: {longest} looks");
        }
    }
}
