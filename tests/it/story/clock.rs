//! The machine's clock is set while the story goes on, and Weir starts anew by what it shows then.

use std::sync::Arc;

use weir::model::*;
use weir::notify::{Route, Settings};

use super::bench::{Bench, CHANNELS, Setup};
use super::world::Fail;
use super::{CALM, HOUR, MINUTE, SECOND, START, world_with};
use NoticeReason::{Opened, Resolved};

const DEATH: i64 = START + CALM + 10 * MINUTE;
const BACK: i64 = DEATH + 30 * MINUTE;

fn dead(setup: Setup, back: Option<i64>) -> Bench {
    let fails = vec![Fail { at: DEATH, back: None }];
    let setup = Setup { seen: false, ..setup };
    let mut bench = Bench::new(setup, vec![world_with(fails, back)]);
    bench.begin(START);
    bench
}

/// (when, what) a channel was told.
fn told(bench: &Bench, channel: &str) -> Vec<(i64, NoticeReason)> {
    let of = bench.told(channel).into_iter();
    of.flat_map(|r| r.text.named.iter().map(|(_, why)| (r.at, *why)).collect::<Vec<_>>()).collect()
}

/// Set by an hour at any moment that matters, for good or for five minutes: people are told the same
/// at the same moments. Where Weir starts anew by a clock that was set, it cannot know how long it
/// was away: what it waited for may come sooner, yet no end comes before the job is well; and it
/// waits no longer than since it last wrote something.
#[test]
fn an_hour_more_or_less_moves_neither_opening_nor_end() {
    let plain = {
        let mut bench = dead(Setup::default(), Some(BACK));
        bench.run(BACK + HOUR);
        told(&bench, "bot")
    };
    assert_eq!(plain.iter().map(|t| t.1).collect::<Vec<_>>(), [Opened, Resolved]);
    let (mut latest, mut earliest) = (0, 0);
    for by in [-HOUR, HOUR] {
        for at in [DEATH - MINUTE, DEATH + 15 * SECOND, DEATH + 10 * MINUTE, BACK + 40 * SECOND] {
            for mended in [None, Some(at + 5 * MINUTE)] {
                for starts in [&[][..], &[SECOND], &[45 * SECOND], &[SECOND, 6 * MINUTE]] {
                    let mut bench = dead(Setup::default(), Some(BACK));
                    bench.jumps.push((at, by));
                    bench.jumps.extend(mended.map(|at| (at, 0)));
                    for after in starts {
                        bench.run(at + after);
                        bench.restart(at + after);
                    }
                    bench.run(BACK + HOUR);
                    let what = format!("by {by} at {at} mended {mended:?} starts {starts:?}");
                    for channel in CHANNELS {
                        let told = told(&bench, channel);
                        let reasons: Vec<_> = told.iter().map(|t| t.1).collect();
                        assert_eq!(reasons, [Opened, Resolved], "{channel} {what}");
                        if starts.is_empty() {
                            assert_eq!(told, plain, "{channel} {what}");
                        }
                        assert!(told[0].0 >= DEATH && told[1].0 >= BACK, "{what}: {told:?}");
                        for (now, then) in told.iter().zip(&plain) {
                            latest = latest.max(now.0 - then.0);
                            earliest = earliest.min(now.0 - then.0);
                        }
                    }
                    let notices = &bench.kept.notices;
                    assert!(notices.values().all(|n| n.outcome == Outcome::Sent), "{what}");
                }
            }
        }
    }
    println!("at most {} s late and {} s early", latest / SECOND, -earliest / SECOND);
    assert!(latest <= 2 * MINUTE, "{latest} ms late");
    assert!(earliest >= -2 * MINUTE, "{earliest} ms early");
}

fn quiet_for(hours: i64) -> Action {
    Action::Silence(Box::new(SilenceWish {
        hold_restarts: false,
        job: None,
        matchers: vec!["job_name=orders".to_owned()],
        only_work: false,
        maintenance: false,
        starts_at: None,
        until: Until::After((hours * HOUR) as u64),
        comment: String::new(),
        preview: false,
    }))
}

/// A silence goes by the calendar: it ends when the clock shows its end, however that came about.
#[test]
fn a_silence_ends_when_the_clock_says_so_and_what_is_wrong_then_is_told_once() {
    for by in [-HOUR, HOUR] {
        for restarts in [false, true] {
            let mut bench = dead(Setup::default(), None);
            let (made, set) = (DEATH - MINUTE, DEATH + 90 * MINUTE);
            bench.jumps.push((set, by));
            bench.run(made);
            bench.command(made, "s", quiet_for(4)).unwrap().unwrap();
            bench.run(set + MINUTE);
            if restarts {
                bench.restart(set + MINUTE);
            }
            let end = made + 4 * HOUR - by;
            bench.run(end - 1);
            assert_eq!(told(&bench, "bot"), [], "by {by}");
            bench.run(end + 10 * MINUTE);
            for channel in CHANNELS {
                let told = told(&bench, channel);
                assert_eq!(told.len(), 1, "by {by}: {told:?}");
                let late = told[0].0 - end;
                assert!((0..=SECOND).contains(&late) && told[0].1 == Opened, "{late} ms late");
            }
        }
    }
}

/// 02:00 to 03:00 of UTC, for all that is told.
fn rests_at_two(settings: &mut Settings) {
    let part = TimeInterval { times: vec![(2 * 60, 3 * 60)], ..TimeInterval::default() };
    let rest = Arc::new(TimeIntervals { name: "rest".to_owned(), parts: vec![part] });
    let hours = Hours { mute: vec![rest], ..Hours::default() };
    let below = Route { id: "0.0".to_owned(), hours, ..settings.route.clone() };
    settings.route.routes.push(below);
}

/// A job dies while its route rests, by the clock; the clock is set out of that hour, or into it.
#[test]
fn hours_of_rest_go_by_the_clock() {
    // START is at 22:13:20.
    let two = START + (3 * 60 + 46) * MINUTE + 40 * SECOND;
    // (died, set at, set by, told at)
    for (died, set, by, at) in [
        (two + 10 * MINUTE, two + 20 * MINUTE, HOUR, two + 20 * MINUTE),
        (two + 10 * MINUTE, two + 20 * MINUTE, -HOUR, two + 20 * MINUTE),
        // Out of its rest and into it once more.
        (two - 50 * MINUTE, two - 55 * MINUTE, HOUR, two),
        (two + 70 * MINUTE, two + 65 * MINUTE, -HOUR, two + 2 * HOUR),
        (two + 10 * MINUTE, two + HOUR + 5 * MINUTE, HOUR, two + HOUR),
    ] {
        for restarts in [false, true] {
            let fails = vec![Fail { at: died, back: None }];
            let setup =
                Setup { shape: rests_at_two, seen: false, poll_ms: MINUTE / 2, ..Setup::default() };
            let mut bench = Bench::new(setup, vec![world_with(fails, Some(two + 5 * HOUR))]);
            bench.jumps.push((set, by));
            bench.begin(START);
            if restarts {
                bench.run(died.max(set) + 45 * SECOND);
                bench.restart(died.max(set) + 45 * SECOND);
            }
            bench.run(two + 9 * HOUR);
            for channel in CHANNELS {
                let told = told(&bench, channel);
                let what = format!("died {died} set {set} by {by}: {told:?}");
                assert_eq!(told.iter().filter(|t| t.1 == Opened).count(), 1, "{what}");
                assert_eq!(told.iter().filter(|t| t.1 == Resolved).count(), 1, "{what}");
                let late = told[0].0 - at;
                assert!((0..=90 * SECOND).contains(&late), "{late} ms late, {what}");
                for (at, _) in told {
                    let shown = bench.time(at).wall.0 - two;
                    assert!(!(0..HOUR).contains(&shown), "in its rest, {what}");
                }
            }
        }
    }
}
