//! One failure told with its task, without it, early and late.

use proptest::prelude::*;

use super::*;

fn entry(at: i64, task: bool) -> Failure {
    Failure {
        at,
        task: task.then(|| format!("map (1/1) - execution #{}", at / 1000)),
        class: "E".to_owned(),
        message: String::new(),
        frame: None,
        taskmanager: None,
        gave_up: false,
    }
}

fn told(count: FailureCount, looks: &[Vec<Failure>]) -> Vec<u64> {
    let mut count = count;
    let hear = |(n, list): (usize, &Vec<Failure>)| {
        let said = Testimony {
            exceptions: Seen::Fresh(list.as_slice()),
            source_now: 1_000_000,
            ..Testimony::default()
        };
        count.hear(Ts(n as i64 * 2_000), &said);
        // As another process reads it.
        count = serde_json::from_str(&serde_json::to_string(&count).unwrap()).unwrap();
        count.total
    };
    looks.iter().enumerate().map(hear).collect()
}

#[test]
fn a_failure_without_its_task_is_the_one_with_it_later() {
    let (a, b) = (entry(10_000, true), entry(20_000, true));
    let (early_a, early_b) = (entry(10_000, false), entry(20_000, false));
    for (looks, counts) in [
        (vec![vec![early_a.clone()], vec![a.clone()]], vec![1, 1]),
        (vec![vec![a.clone()], vec![early_a.clone()], vec![a.clone()]], vec![1, 1, 1]),
        (
            vec![
                vec![early_a.clone()],
                vec![early_b.clone(), a.clone()],
                vec![b.clone(), a.clone()],
            ],
            vec![1, 2, 2],
        ),
        // The first one was never seen without its task, the second hides it.
        (vec![vec![early_b.clone(), a.clone()], vec![b.clone(), a.clone()]], vec![2, 2]),
        // The adaptive scheduler stamps it a moment later.
        (vec![vec![entry(10_020, false)], vec![a.clone()]], vec![1, 1]),
        (vec![vec![a.clone()], vec![entry(10_020, false)]], vec![1, 2]),
        // A global failure and one of a task are two, as the history tells.
        (vec![vec![entry(10_020, false), a.clone()]], vec![2]),
        (vec![vec![early_a, a]], vec![2]),
    ] {
        assert_eq!(told(FailureCount::from_start(), &looks), counts, "{looks:?}");
        assert_eq!(told(FailureCount::found_running(5_000), &looks), counts, "{looks:?}");
    }
}

/// Seventeen failures between two looks, of which Flink keeps sixteen: the attempt of the last that
/// restarted and the one Flink gave up after tell of the one it dropped.
#[test]
fn what_flink_dropped_counts_though_the_run_is_dead() {
    let attempt = |n: i64| Failure {
        task: Some(format!("map (1/1) - execution #{n}")),
        ..entry(10_000 + n * 1_000, true)
    };
    let mut list: Vec<Failure> = (1..16).map(attempt).collect();
    list.push(Failure { gave_up: true, task: None, ..attempt(16) });
    list.reverse();
    let said = Testimony {
        exceptions: Seen::Fresh(list.as_slice()),
        truncated: true,
        source_now: 1_000_000,
        died: true,
        ..Testimony::default()
    };
    let mut count = FailureCount::from_start();
    assert_eq!(count.hear(Ts(0), &said).count, 17);
    assert_eq!(count.hear(Ts(2_000), &said).count, 0);
}

#[test]
fn tasks_that_fail_at_once_are_one_failure() {
    let of = |at, task: u32, attempt: u32| Failure {
        task: Some(format!("map ({task}/4) - execution #{attempt}")),
        ..entry(at, true)
    };
    let first: Vec<Failure> = (1..=4).rev().map(|t| of(10_000 + i64::from(t), t, 0)).collect();
    let second: Vec<Failure> = (1..=4).rev().map(|t| of(40_000 + i64::from(t), t, 1)).collect();
    let both = [second, first.clone()].concat();
    assert_eq!(told(FailureCount::from_start(), &[first.clone(), first, both]), [1, 1, 2]);
    // The same task again is another failure, however soon.
    let loops: Vec<Failure> = (0..3).rev().map(|n| of(10_000 + i64::from(n), 1, n)).collect();
    assert_eq!(told(FailureCount::from_start(), &[loops]), [3]);
}

#[test]
fn the_end_of_a_run_is_one_failure_whatever_its_times() {
    let end = |at, task| Failure { gave_up: true, ..entry(at, task) };
    let before = entry(10_000, true);
    let looks = [
        vec![end(20_000, false), before.clone()],
        vec![end(24_000, true), before.clone()],
        vec![end(24_000, true), before],
    ];
    assert_eq!(told(FailureCount::from_start(), &looks), [2, 2, 2]);
}

proptest! {
    /// Failures some time apart, each of which enters the history at any look after it happened.
    #[test]
    fn each_failure_counts_once_however_it_is_told(
        gaps in prop::collection::vec(1_i64..3_000, 1..20),
        looks in prop::collection::vec((0_usize..4, any::<bool>(), 1_usize..6), 1..60),
    ) {
        let times: Vec<i64> = gaps.iter().scan(0, |at, gap| { *at += gap; Some(*at) }).collect();
        let (mut happened, mut archived) = (0, 0);
        let mut seen = std::collections::BTreeSet::new();
        let mut lists = Vec::new();
        let mut expected = Vec::new();
        for (more, archive, keep) in looks {
            happened = (happened + more).min(times.len());
            // What is followed by another one has been restarted.
            archived = if archive { happened } else { archived.max(happened.saturating_sub(1)) };
            let mut list: Vec<Failure> =
                times[..archived].iter().rev().take(keep).map(|at| entry(*at, true)).collect();
            if archived < happened {
                list.insert(0, entry(times[happened - 1], false));
            }
            seen.extend(list.iter().map(|e| e.at));
            expected.push(seen.len() as u64);
            lists.push(list);
        }
        // The attempt numbers vouch for nothing here.
        let plain = lists.into_iter().map(|list| {
            list.into_iter().map(|e| Failure { task: e.task.map(|_| "map (1/1)".to_owned()), ..e }).collect()
        });
        let plain: Vec<Vec<Failure>> = plain.collect();
        prop_assert_eq!(told(FailureCount::found_running(0), &plain), expected);
    }
}
