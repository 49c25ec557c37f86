//! Stories nobody made up: some clusters of jobs that fail, die, end, vanish and come back as the
//! dice say, sources that go silent, vendors that refuse, and kills; the promises hold in all.

use std::time::Duration;

use proptest::prelude::*;
use weir::model::*;
use weir::notify::Budget;
use weir::rules::RuleSet;

use super::bench::{Bench, Kill, Received, Setup};
use super::promises;
use super::world::{Fail, SimRun, World};
use super::{CALM, HOUR, MINUTE, SECOND, START, draw, looping};

pub(super) const REPEAT: Duration = Duration::from_hours(4);
/// Trouble is made for so long, and mended at its end.
pub(super) const LASTS: i64 = 2 * HOUR;
/// All is mended by then, though some of it only after somebody was reminded.
const MENDED: i64 = START + CALM + LASTS + 4 * HOUR;
/// Then everything has time to be told.
pub(super) const END: i64 = MENDED + 90 * MINUTE;

/// Draws in a row.
pub(super) struct Dice(pub(super) u64, pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, limit: i64) -> i64 {
        self.1 += 1;
        draw(self.0, self.1, limit.max(1) as u64) as i64
    }

    pub(super) fn between(&mut self, from: i64, to: i64) -> i64 {
        from + self.below(to - from)
    }
}

/// One job's runs; the last of them is well.
fn life(dice: &mut Dice, name: &str) -> Vec<SimRun> {
    let over = START + CALM + LASTS;
    let mut runs = Vec::new();
    let mut run = SimRun::healthy(&format!("{name}-0"), START - HOUR);
    let mut at = START + CALM + dice.below(HOUR);
    while at < over {
        let seed = dice.0 ^ dice.below(i64::MAX) as u64;
        let (count, spacing) = (dice.between(1, 8) as usize, dice.between(2, 400) * SECOND);
        let delay = dice.between(300, spacing.max(400));
        match dice.below(6) {
            // A loop that Flink mends, or gives up.
            kind @ 0..=3 => {
                let fails = looping(seed, at, count, spacing, delay, kind == 3);
                at = fails.last().map_or(at, |f: &Fail| f.back.unwrap_or(f.at));
                run.fails.extend(fails);
                if kind != 3 {
                    at += dice.between(1, 40) * MINUTE;
                    continue;
                }
            }
            4 => run.canceled = Some(at),
            _ => run.vanished = Some(at),
        }
        let away = if dice.below(4) == 0 { 6 * HOUR } else { 50 * MINUTE };
        at = (at + dice.between(SECOND, away)).min(MENDED);
        let next = SimRun::healthy(&format!("{name}-{}", runs.len() + 1), at);
        runs.push(std::mem::replace(&mut run, next));
        at += dice.between(SECOND, 40 * MINUTE);
    }
    runs.push(run);
    runs
}

pub(super) fn worlds(seed: u64, clusters: usize, jobs: usize) -> Vec<World> {
    let mut dice = Dice(seed, 0);
    let mut worlds = Vec::new();
    for c in 0..clusters {
        let mut world = World::new(&format!("cluster{c}"));
        world.jobs.insert("calm".to_owned(), vec![SimRun::healthy("calm", START - HOUR)]);
        for j in 0..jobs {
            let name = format!("job{j}");
            world.jobs.insert(name.clone(), life(&mut dice, &format!("{c}-{name}")));
        }
        let silent = START + CALM + dice.below(LASTS);
        if dice.below(2) == 0 {
            world.silent = Some((silent, silent + dice.between(SECOND, 40 * MINUTE)));
        }
        let frozen = START + CALM + dice.below(LASTS);
        if dice.below(3) == 0 {
            world.frozen = Some((frozen, frozen + dice.between(SECOND, 20 * MINUTE)));
        }
        worlds.push(world);
    }
    worlds
}

/// From what is known of the try alone, so that the same story meets the same refusals.
fn chance(message: &Message, of: u64) -> u64 {
    draw(message.id ^ message.at.0 as u64, u64::from(message.attempts), of)
}

/// A vendor that fails one time in five, and one that also refuses for good one time in ten.
pub(super) fn answer(message: &Message) -> SendOutcome {
    match (chance(message, 100), message.to.channel.as_str()) {
        (0..=9, "mail") => SendOutcome::Rejected { error: "550 no such user".to_owned() },
        (10..=29, _) => SendOutcome::Retry { after_ms: None, error: "11232".to_owned() },
        _ => SendOutcome::Delivered,
    }
}

fn played(setup: Setup, worlds: Vec<World>, kills: &[(u64, Kill)]) -> Bench {
    let mut bench = Bench::new(setup, worlds);
    bench.answer = answer;
    bench.kills = kills.iter().copied().collect();
    bench.begin(START);
    bench.run(END);
    bench
}

pub(super) fn kills(seed: u64, count: u64, turns: u64) -> Vec<(u64, Kill)> {
    let kinds = [Kill::BeforeCommit, Kill::BeforeSend, Kill::AfterSend];
    let one = |k| (20 + draw(seed, 5_000 + k, turns), kinds[draw(seed, 9_000 + k, 3) as usize]);
    (0..count).map(one).collect()
}

/// Each story is seven hours long: few of them unless more are asked for (`PROPTEST_CASES`).
pub(super) fn cases(share: u32) -> u32 {
    (ProptestConfig::default().cases / share).max(1)
}

/// Rules of every scope, with and without a wait, of two severities and aspects; judging all that
/// are shipped would take most of the time.
fn some_rules(rules: &mut RuleSet) {
    let some = [
        "JobFailed",
        "JobFailingRepeatedly",
        "JobUnstable",
        "JobMissing",
        "CheckpointsStalled",
        "ClusterUnreachable",
        "JobManagerRestarted",
    ];
    rules.rules.retain(|rule| some.contains(&rule.id.alert.as_str()));
}

pub(super) fn setup() -> Setup {
    Setup { seen: false, edit: some_rules, ..Setup::default() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(16), ..ProptestConfig::default() })]

    #[test]
    fn the_promises_hold_in_any_story(
        seed in any::<u64>(),
        clusters in 1_usize..4,
        jobs in 1_usize..5,
        poll_s in 20_i64..=60,
        wait_s in 0_u64..=40,
        budget in prop_oneof![Just(None), (2_u32..7).prop_map(Some)],
        names in 1_usize..8,
        apart in any::<bool>(),
        killed in prop_oneof![Just(0_u64), 0_u64..12],
    ) {
        let budget = budget.map(|messages| Budget { messages, per: Duration::from_mins(1) });
        let setup = Setup {
            poll_ms: poll_s * SECOND,
            group_wait_ms: wait_s * 1_000,
            budget,
            names,
            apart,
            ..setup()
        };
        let turns = ((END - START) / (poll_s * SECOND)) as u64 * clusters as u64;
        let bench = played(setup, worlds(seed, clusters, jobs), &kills(seed, killed, turns));
        promises::nothing_vanishes(&bench)?;
        promises::resolutions_follow_openings(&bench, "mail")?;
        promises::nothing_is_said_twice(&bench, REPEAT, "mail")?;
        if let Some(budget) = budget {
            promises::budgets_hold(&bench, budget, None)?;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(32), ..ProptestConfig::default() })]

    /// The machine's clock is set back or forth by up to an hour, between any two turns: people
    /// are told the same, at the same moments.
    #[test]
    fn a_clock_that_is_set_changes_nothing(
        seed in any::<u64>(),
        jobs in 1_usize..4,
        poll_s in 20_i64..=60,
        jumps in prop::collection::vec((0..LASTS, -HOUR..=HOUR), 1..6),
    ) {
        let tell = |jumps: &[(i64, i64)]| {
            let mut bench = Bench::new(
                Setup { poll_ms: poll_s * SECOND, ..setup() },
                worlds(seed, 2, jobs),
            );
            bench.jumps = jumps.iter().map(|(at, by)| (START + CALM + at, *by)).collect();
            bench.jumps.sort_unstable();
            bench.begin(START);
            bench.run(END);
            bench
        };
        let (set, right) = (tell(&jumps), tell(&[]));
        let said = |bench: &Bench| -> Vec<String> {
            let line = |r: &Received| format!("{} {} {:?} {:?}", r.at, r.channel, r.kind, r.text);
            bench.received.iter().map(line).collect()
        };
        let (set_said, right_said) = (said(&set), said(&right));
        let differs = set_said.iter().zip(&right_said).find(|(a, b)| a != b);
        prop_assert!(set_said == right_said, "{differs:#?}");
        promises::nothing_vanishes(&set)?;
    }

    /// Flink lists its jobs in whatever order; what is decided does not depend on it.
    #[test]
    fn the_order_within_a_look_does_not_matter(
        seed in any::<u64>(),
        jobs in 2_usize..7,
        order in any::<u64>(),
        apart in any::<bool>(),
    ) {
        let tell = |order: Option<u64>| {
            let mut worlds = worlds(seed, 1, jobs);
            worlds[0].order = order;
            let poll_ms = 30 * SECOND;
            let setup = Setup { poll_ms, names: 4, apart, ..setup() };
            let mut bench = Bench::new(setup, worlds);
            bench.journal = Some(String::new());
            bench.begin(START);
            bench.run(START + CALM + 2 * HOUR);
            bench.journal.unwrap()
        };
        let (listed, shuffled) = (tell(None), tell(Some(order)));
        let differs = listed.lines().zip(shuffled.lines()).find(|(a, b)| a != b);
        prop_assert!(listed == shuffled, "{differs:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(64), ..ProptestConfig::default() })]

    /// The clock is set, and Weir dies again and again and starts by what it shows then: it cannot know
    /// how long it was away, but nothing is lost and nothing said twice.
    #[test]
    fn a_clock_that_is_set_while_weir_dies_loses_nothing(
        seed in any::<u64>(),
        jobs in 1_usize..4,
        poll_s in 30_i64..=90,
        killed in 1_u64..12,
        jumps in prop::collection::vec((0..LASTS, -HOUR..=HOUR), 1..6),
        limited in any::<bool>(),
    ) {
        let budget = Budget { messages: 4, per: Duration::from_mins(1) };
        let setup = Setup {
            poll_ms: poll_s * SECOND,
            budget: limited.then_some(budget),
            ..setup()
        };
        let mut bench = Bench::new(setup, worlds(seed, 2, jobs));
        bench.answer = answer;
        bench.jumps = jumps.iter().map(|(at, by)| (START + CALM + at, *by)).collect();
        bench.jumps.sort_unstable();
        let turns = ((END - START) / (poll_s * SECOND)) as u64 * 2;
        bench.kills = kills(seed, killed, turns).into_iter().collect();
        bench.begin(START);
        bench.run(END);
        promises::nothing_vanishes(&bench)?;
        promises::resolutions_follow_openings(&bench, "mail")?;
        promises::nothing_is_said_twice(&bench, REPEAT, "mail")?;
        if limited {
            promises::budgets_hold(&bench, budget, None)?;
        }
    }
}
