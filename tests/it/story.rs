//! Stories in virtual time: the promises of the engine, from what Flink shows to what people get.

mod bench;
mod calendar;
mod chat;
mod clock;
mod commands;
mod edges;
mod history;
mod inplace;
mod people;
mod promises;
mod random;
mod reload;
mod restarts;
mod revised;
mod silences;
mod world;

use proptest::prelude::*;
use weir::model::*;
use weir::notify::Budget;

use bench::{Bench, CHANNELS, Kill, Setup};
use world::{Fail, SimRun, World};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// Two minutes of looking before anything happens.
const CALM: i64 = 2 * MINUTE;
const START: i64 = 1_700_000_000_000;

/// A draw that follows from a seed.
fn draw(seed: u64, n: u64, below: u64) -> u64 {
    let mut x = seed ^ n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (x ^ (x >> 31)) % below.max(1)
}

/// A loop: so many failures, about so far apart, each followed by a restart; maybe the last is not.
fn looping(seed: u64, from: i64, count: usize, spacing: i64, delay: i64, dies: bool) -> Vec<Fail> {
    let mut at = from;
    let mut fails = Vec::new();
    for n in 0..count {
        let last = n + 1 == count;
        fails.push(Fail { at, back: (!(dies && last)).then_some(at + delay) });
        // Up to a tenth more or less.
        let jitter = draw(seed, n as u64, (spacing / 5).max(1) as u64) as i64 - spacing / 10;
        at += (spacing + jitter).max(delay + 200);
    }
    fails
}

fn world_with(fails: Vec<Fail>, resubmitted: Option<i64>) -> World {
    let mut world = World::new("prod");
    world.jobs.insert("calm".to_owned(), vec![SimRun::healthy("c0", START - HOUR)]);
    let mut runs = vec![SimRun { fails, ..SimRun::healthy("r0", START - HOUR) }];
    runs.extend(resubmitted.map(|at| SimRun::healthy("r1", at)));
    world.jobs.insert("orders".to_owned(), runs);
    world
}

fn run_story(setup: Setup, mut world: World, end: i64, kills: &[(u64, Kill)]) -> Bench {
    world.forget();
    let mut bench = Bench::new(setup, vec![world]);
    bench.kills = kills.iter().copied().collect();
    bench.begin(START);
    bench.run(end);
    bench
}

fn the_incident(bench: &Bench) -> Result<Incident, TestCaseError> {
    let failure: Vec<_> =
        bench.kept.incidents.values().filter(|i| i.aspect.as_str() == Aspect::FAILURE).collect();
    prop_assert_eq!(failure.len(), 1, "incidents of the failure: {:?}", failure);
    Ok(failure[0].clone())
}

/// One opening, at most one worse, one resolution, each to each channel; nothing else but repeats.
fn told_once(bench: &Bench, incident: u64) -> Result<(), TestCaseError> {
    for channel in CHANNELS {
        let reasons: Vec<NoticeReason> = bench
            .told(channel)
            .iter()
            .flat_map(|r| r.text.named.clone())
            .filter(|(id, _)| *id == incident)
            .map(|(_, reason)| reason)
            .filter(|r| *r != NoticeReason::Repeat)
            .collect();
        let fits = matches!(
            reasons.as_slice(),
            [NoticeReason::Opened, NoticeReason::Resolved]
                | [NoticeReason::Opened, NoticeReason::Worse, NoticeReason::Resolved]
        );
        prop_assert!(fits, "{channel} was told {reasons:?}");
    }
    for notice in bench.kept.notices.values() {
        prop_assert!(notice.outcome != Outcome::Pending, "ended nowhere: {notice:?}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// One episode: each channel is told once that it began, at most once that it got worse, once
    /// that it is over, whatever the rhythm of failures, polls and kills; and the count is right.
    #[test]
    fn one_episode_is_told_once_and_counted_exactly(
        seed in any::<u64>(),
        spacing_s in prop_oneof![1_i64..5, 5_i64..60, 60_i64..600],
        poll_s in 2_i64..=30,
        wait_s in 0_u64..=30,
        hold_s in prop_oneof![Just(0_u64), 0_u64..20],
        count in 3_usize..30,
        dies in any::<bool>(),
        kills in 0_u64..6,
        offset_s in prop_oneof![Just(0_i64), -3600_i64..3600],
    ) {
        let spacing = spacing_s * SECOND;
        let delay = (spacing / 3).min(10_000 + draw(seed, 99, 170_000) as i64).max(300);
        let fails = looping(seed, START + CALM, count, spacing, delay, dies);
        let last = fails.last().unwrap().at;
        let resubmitted = dies.then_some(last + 4 * MINUTE);
        let mut world = world_with(fails, resubmitted);
        world.offset = offset_s * SECOND;
        let setup = Setup {
            poll_ms: poll_s * SECOND,
            group_wait_ms: wait_s * 1_000,
            hold_ms: hold_s * 1_000,
            ..Setup::default()
        };
        let end = last + 4 * spacing + 45 * MINUTE;
        let turns = (end - START) / (poll_s * SECOND);
        let kinds = [Kill::BeforeCommit, Kill::BeforeSend, Kill::AfterSend];
        let kills: Vec<(u64, Kill)> = (0..kills)
            .map(|k| (20 + draw(seed, 1_000 + k, turns as u64), kinds[draw(seed, k, 3) as usize]))
            .collect();
        let bench = run_story(setup, world, end, &kills);
        let incident = the_incident(&bench)?;
        prop_assert_eq!(incident.occurrences, count as u64);
        prop_assert_eq!(incident.state, IncidentState::Resolved);
        told_once(&bench, incident.id)?;
        let repeats = bench.received.len() - bench.told("bot").len() - bench.told("mail").len();
        prop_assert!(repeats <= kills.len() * CHANNELS.len(), "{repeats} repeats");
    }

    /// One or two failures that recover by themselves are nobody's business; dead is dead.
    #[test]
    fn few_failures_are_told_only_if_the_job_is_dead(
        seed in any::<u64>(),
        poll_s in 2_i64..=30,
        count in 1_usize..3,
        dies in any::<bool>(),
        spacing_s in 2_i64..600,
    ) {
        let spacing = spacing_s * SECOND;
        let fails = looping(seed, START + CALM, count, spacing, spacing / 2, dies);
        let last = fails.last().unwrap().at;
        let world = world_with(fails, dies.then_some(last + 4 * MINUTE));
        let setup = Setup { poll_ms: poll_s * SECOND, ..Setup::default() };
        let bench = run_story(setup, world, last + HOUR, &[]);
        if dies {
            let incident = the_incident(&bench)?;
            prop_assert_eq!(incident.occurrences, count as u64);
            told_once(&bench, incident.id)?;
        } else {
            prop_assert!(bench.received.is_empty(), "{:?}", bench.received);
        }
    }
}

/// Failure-rate strategy 8 in 30 min with a delay of 3 min, failing every 5 minutes: told by the
/// third failure, then nothing but reminders for a day.
#[test]
fn a_slow_loop_is_told_once_and_then_only_repeated() {
    let from = START + CALM;
    let fails = looping(7, from, 24 * 12, 5 * MINUTE, 3 * MINUTE, false);
    let third = fails[2].at;
    let bench = run_story(Setup::default(), world_with(fails, None), from + 24 * HOUR, &[]);
    for channel in CHANNELS {
        let told = bench.told(channel);
        assert!(told[0].at <= third + 45 * SECOND, "{} s late", (told[0].at - third) / SECOND);
        assert_eq!(bench.count(channel, NoticeReason::Opened), 1);
        let repeats = bench.count(channel, NoticeReason::Repeat);
        assert_eq!(repeats, 2, "after 4 h and 8 h more");
        let others: usize = told.iter().map(|r| r.text.named.len()).sum();
        assert_eq!(others, 1 + repeats);
    }
}

/// The same story, killed at each of its turns in each way: nothing lost, and nothing doubled beyond
/// the one in flight on each channel.
#[test]
fn killed_at_any_turn_nothing_is_lost_and_one_send_repeats_at_most() {
    let fails = looping(3, START + CALM, 8, 20 * SECOND, 5 * SECOND, true);
    let last = fails.last().unwrap().at;
    let world = world_with(fails, Some(last + 3 * MINUTE));
    let end = last + 20 * MINUTE;
    let setup = Setup { group_wait_ms: 5_000, poll_ms: 15_000, ..Setup::default() };
    let whole = run_story(setup.clone(), world.clone(), end, &[]);
    let turns = whole.turns;
    assert!(turns > 80);
    for turn in 1..=turns {
        for kill in [Kill::BeforeCommit, Kill::BeforeSend, Kill::AfterSend] {
            let bench = run_story(setup.clone(), world.clone(), end, &[(turn, kill)]);
            let check = || -> Result<(), TestCaseError> {
                let incident = the_incident(&bench)?;
                prop_assert_eq!(incident.occurrences, 8);
                told_once(&bench, incident.id)?;
                for channel in CHANNELS {
                    let all = bench.received.iter().filter(|r| r.channel == channel).count();
                    prop_assert!(all <= bench.told(channel).len() + 1);
                }
                Ok(())
            };
            check().unwrap_or_else(|e| panic!("killed {kill:?} at turn {turn}: {e}"));
        }
    }
}

/// 200 jobs fail within a second, in few or many clusters: the budget holds in every window, every
/// failed job is named or counted, the critical come before the rest.
#[test]
fn a_storm_stays_within_the_budget_and_accounts_for_every_job() {
    let cases = [(1_usize, 30_u64, false), (50, 30, false), (50, 0, false), (20, 5, true)];
    for (clusters, wait, apart) in cases {
        let mut worlds = Vec::new();
        for c in 0..clusters {
            let mut world = World::new(&format!("cluster{c}"));
            for j in 0..200 / clusters {
                let at = START + CALM + draw(1, (c * 200 + j) as u64, 1_000) as i64;
                let fails = vec![Fail { at, back: None }];
                let run = SimRun { fails, ..SimRun::healthy(&format!("r{c}-{j}"), START - HOUR) };
                world.jobs.insert(format!("job{j}"), vec![run]);
            }
            worlds.push(world);
        }
        let budget = Budget { messages: 5, per: std::time::Duration::from_mins(1) };
        let setup = Setup {
            group_wait_ms: wait * 1_000,
            budget: Some(budget),
            names: 20,
            apart,
            ..Setup::default()
        };
        let mut bench = Bench::new(setup, worlds);
        bench.begin(START);
        bench.run(START + CALM + 20 * MINUTE);
        for channel in CHANNELS {
            let of: Vec<_> = bench.received.iter().filter(|r| r.channel == channel).collect();
            for (i, first) in of.iter().enumerate() {
                let inside = of[i..].iter().filter(|r| r.at < first.at + MINUTE).count();
                assert!(inside <= 5, "{inside} messages in a minute on {channel}");
            }
            let told: usize = of.iter().map(|r| r.text.named.len() + r.text.counted).sum();
            assert_eq!(told, 200, "{channel}, {clusters} clusters, group_wait {wait} s");
            assert!(of.len() <= 10, "{} messages for one storm", of.len());
            if apart {
                assert!(of[4].at - of[0].at < 2 * SECOND, "the budget is used, one by one");
            }
        }
        assert_eq!(bench.kept.incidents.len(), 200);
        for notice in bench.kept.notices.values() {
            assert!(matches!(notice.outcome, Outcome::Sent | Outcome::Folded), "{notice:?}");
        }
    }
}

/// A source that goes silent resolves nothing and loses nothing.
#[test]
fn silence_is_not_news_about_a_job() {
    let fails = looping(5, START + CALM, 4, 30 * SECOND, 5 * SECOND, true);
    let last = fails.last().unwrap().at;
    let mut world = world_with(fails, None);
    let silent = last + 10 * MINUTE;
    world.silent = Some((silent, silent + 2 * HOUR));
    let bench = run_story(Setup::default(), world, silent + 3 * HOUR, &[]);
    let failure = bench.kept.incidents.values().find(|i| i.aspect.as_str() == "failure").unwrap();
    assert!(failure.is_open());
    assert_eq!(failure.occurrences, 4);
    assert_eq!(bench.kept.incidents.len(), 2, "the job's and the source's");
    for channel in CHANNELS {
        assert_eq!(bench.count(channel, NoticeReason::Opened), 2);
        assert_eq!(bench.count(channel, NoticeReason::Resolved), 1, "the source's only");
    }
}

/// A loop nobody can see neither ends nor is told again.
#[test]
fn a_loop_in_the_dark_goes_on() {
    let fails = looping(5, START + CALM, 400, 30 * SECOND, 5 * SECOND, false);
    let mut world = world_with(fails, None);
    let silent = START + CALM + 10 * MINUTE;
    world.silent = Some((silent, silent + 2 * HOUR));
    let mut bench = Bench::new(Setup::default(), vec![world]);
    bench.begin(START);
    for end in [silent + 2 * HOUR - SECOND, silent + 2 * HOUR + 10 * MINUTE] {
        bench.run(end);
        let of_job = |i: &&Incident| i.aspect.as_str() == Aspect::FAILURE;
        let failure: Vec<_> = bench.kept.incidents.values().filter(of_job).collect();
        assert_eq!(failure.len(), 1);
        assert!(failure[0].is_open() && failure[0].reopened == 0);
    }
    assert_eq!(bench.count("bot", NoticeReason::Opened), 2, "the job's and the source's");
}

/// Jobs dead for hours at the first look: one summary; nothing wrong: nothing sent.
#[test]
fn the_first_look_is_a_report() {
    let mut world = world_with(Vec::new(), None);
    for n in 0..12 {
        let fails = vec![Fail { at: START - 5 * HOUR, back: None }];
        let run = SimRun { fails, ..SimRun::healthy(&format!("d{n}"), START - 9 * HOUR) };
        world.jobs.insert(format!("dead{n}"), vec![run]);
    }
    for kill in [None, Some(1), Some(2), Some(4)] {
        let kills: Vec<_> = kill.map(|k| (k, Kill::BeforeSend)).into_iter().collect();
        let bench = run_story(Setup::default(), world.clone(), START + HOUR, &kills);
        for channel in CHANNELS {
            let told = bench.told(channel);
            assert_eq!(told.len(), 1, "{told:?}");
            assert_eq!(told[0].kind, MessageKind::FirstLook);
            assert_eq!(told[0].text.named.len(), 12);
            assert!(told[0].text.named.iter().all(|(_, r)| *r == NoticeReason::FirstLook));
        }
    }
    let calm = run_story(Setup::default(), world_with(Vec::new(), None), START + 6 * HOUR, &[]);
    assert!(calm.received.is_empty());
    assert!(calm.kept.incidents.is_empty());
    assert_eq!(calm.engine().tracker().jobs().count(), 2);
}

/// The same inputs give the same effects, byte for byte.
#[test]
fn the_same_story_gives_the_same_effects() {
    let tell = || {
        let fails = looping(9, START + CALM, 12, 7 * SECOND, 2 * SECOND, true);
        let last = fails.last().unwrap().at;
        let mut bench = Bench::new(
            Setup { poll_ms: 4_000, ..Setup::default() },
            vec![world_with(fails, Some(last + MINUTE))],
        );
        bench.begin(START);
        bench.journal = Some(String::new());
        bench.run(last + 30 * MINUTE);
        bench.journal.unwrap()
    };
    let (first, second) = (tell(), tell());
    assert!(first.len() > 10_000);
    assert!(first == second);
}
