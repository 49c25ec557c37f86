//! What people order, in the middle of a story.

use proptest::prelude::*;
use weir::model::*;

use super::bench::{Bench, CHANNELS, Kill, Setup};
use super::world::{Fail, World};
use super::{CALM, HOUR, MINUTE, START, draw, looping, run_story, world_with};
use NoticeReason::{Opened, Repeat, Resolved};

const DEATH: i64 = START + CALM;

fn dead_world(back: Option<i64>) -> World {
    let fails = vec![Fail { at: DEATH, back: None }];
    world_with(fails, back)
}

fn dead_job(back: Option<i64>) -> Bench {
    let mut bench = Bench::new(Setup::default(), vec![dead_world(back)]);
    bench.begin(START);
    bench.run(DEATH + 10 * MINUTE);
    bench
}

fn reasons(bench: &Bench, channel: &str) -> Vec<NoticeReason> {
    bench.told(channel).iter().flat_map(|r| r.text.named.clone()).map(|(_, r)| r).collect()
}

fn ack(incident: u64) -> Action {
    Action::Ack { incident, comment: String::new() }
}

fn close(incident: u64) -> Action {
    Action::Close { incident, comment: String::new() }
}

fn orders() -> Action {
    Action::Retire { job: "orders".to_owned(), comment: String::new() }
}

#[test]
fn nobody_is_reminded_of_what_somebody_has() {
    let back = DEATH + 30 * HOUR;
    let mut bench = dead_job(Some(back));
    let said = bench.command(DEATH + 10 * MINUTE, "a", ack(1)).unwrap().unwrap();
    assert!(said.changed && said.incident == Some(1), "{said:?}");
    bench.run(DEATH + 20 * HOUR);
    assert_eq!(reasons(&bench, "bot"), [Opened]);
    let unack = Action::Unack { incident: 1, comment: String::new() };
    bench.command(DEATH + 20 * HOUR, "b", unack).unwrap().unwrap();
    bench.run(DEATH + 21 * HOUR);
    assert_eq!(reasons(&bench, "bot"), [Opened, Repeat], "it is nobody's again, and overdue");
    bench.command(DEATH + 21 * HOUR, "c", ack(1)).unwrap().unwrap();
    bench.run(back + HOUR);
    for channel in CHANNELS {
        assert_eq!(reasons(&bench, channel), [Opened, Repeat, Resolved]);
    }
}

#[test]
fn a_closed_incident_is_told_as_over_and_stays_shut_while_the_job_is_dead() {
    for kill in [None, Some(Kill::BeforeSend)] {
        let mut bench = dead_job(Some(DEATH + 50 * HOUR));
        bench.kills.extend(kill.map(|kill| (bench.turns + 1, kill)));
        bench.command(DEATH + 10 * MINUTE, "a", close(1));
        bench.run(DEATH + 49 * HOUR);
        assert_eq!(reasons(&bench, "bot"), [Opened, Resolved], "{kill:?}");
        let row = bench.kept.load(Ts(DEATH + 49 * HOUR)).meta;
        assert!(row.iter().any(|(key, _)| key == "shut/1"), "{row:?}");
        // A day and two hours after the end of its incident a start does not read that any more.
        bench.restart(DEATH + 49 * HOUR);
        bench.run(DEATH + 51 * HOUR);
        assert_eq!(reasons(&bench, "bot"), [Opened, Resolved], "{kill:?}");
        assert_eq!(bench.kept.incidents.len(), 1);
        assert!(bench.kept.load(Ts(0)).meta.iter().all(|(key, v)| key != "shut/1" || v.is_empty()));
    }
}

#[test]
fn a_retired_job_is_over_and_forgotten_until_it_runs_again() {
    let back = DEATH + 2 * HOUR;
    let mut world = dead_world(Some(back));
    let again = Fail { at: back + HOUR, back: None };
    world.jobs.get_mut("orders").unwrap()[1].fails.push(again);
    let mut bench = Bench::new(Setup::default(), vec![world]);
    bench.begin(START);
    bench.run(DEATH + 10 * MINUTE);
    let refused = Action::Retire { job: "calm".to_owned(), comment: String::new() };
    let refused = bench.command(DEATH + 10 * MINUTE, "r", refused).unwrap().unwrap_err();
    assert!(refused.to_string().contains("is RUNNING"), "{refused}");
    let said = bench.command(DEATH + 10 * MINUTE, "a", orders()).unwrap().unwrap();
    assert_eq!(said.job.as_deref(), Some("prod/orders"));
    assert_eq!(bench.engine().tracker().job_count(), 1);
    bench.run(DEATH + HOUR);
    bench.restart(DEATH + HOUR);
    bench.run(back - MINUTE);
    assert_eq!(bench.engine().tracker().job_count(), 1, "it is dead still");
    assert_eq!(reasons(&bench, "bot"), [Opened, Resolved]);
    assert_eq!(bench.kept.incidents[&1].end_reason, Some(EndReason::Retired));
    bench.run(back + 2 * HOUR);
    assert_eq!(reasons(&bench, "bot"), [Opened, Resolved, Opened], "another story");
    assert_eq!(bench.kept.incidents[&2].occurrences, 1);
}

#[test]
fn the_same_id_does_nothing_again_whatever_happened_in_between() {
    let mut bench = dead_job(None);
    let now = DEATH + 10 * MINUTE;
    let first = bench.command(now, "a", ack(1)).unwrap().unwrap();
    assert!(first.changed && !first.repeated);
    let unack = Action::Unack { incident: 1, comment: String::new() };
    bench.command(now + 1, "b", unack).unwrap().unwrap();
    bench.restart(now + 2);
    let again = bench.command(now + 3, "a", ack(1)).unwrap().unwrap();
    assert!(again.repeated && !again.changed && again.said == first.said, "{again:?}");
    assert_eq!(bench.kept.incidents[&1].state, IncidentState::Open);
    let misuse = bench.command(now + 4, "a", close(1)).unwrap().unwrap_err();
    assert!(matches!(misuse, Refusal::Conflict(_)), "{misuse}");
}

/// What was ordered is in the history, and what follows from it is repeated to the byte.
#[test]
fn a_replay_carries_orders_out_again() {
    let mut bench = Bench::new(Setup::default(), vec![dead_world(Some(DEATH + 12 * HOUR))]);
    bench.keep_history(START);
    bench.begin(START);
    bench.run(DEATH + 10 * MINUTE);
    bench.command(DEATH + 10 * MINUTE, "a", ack(1)).unwrap().unwrap();
    bench.run(DEATH + 6 * HOUR);
    bench.command(DEATH + 6 * HOUR, "b", close(1)).unwrap().unwrap();
    bench.run(DEATH + 14 * HOUR);
    let replayed = bench.replay(weir::replay::Mode::AsItWas, START);
    assert_eq!(replayed.said, replayed.live);
    assert_eq!(replayed.remarks, Vec::<String>::new());
    assert_eq!(replayed.live.len(), 2 * CHANNELS.len());
    let afresh = bench.replay(weir::replay::Mode::Afresh, START);
    assert!(afresh.remarks.iter().any(|r| r.contains("by hand")), "{:?}", afresh.remarks);
    assert!(afresh.said.len() > replayed.said.len(), "nobody has it there");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// Orders at any time, killed at any turn in any way and given again with their id until there
    /// is an answer: who was told that it began is told once that it is over, nothing waits for ever.
    #[test]
    fn orders_and_kills_lose_nothing(
        seed in any::<u64>(),
        count in 3_usize..12,
        spacing_s in 5_i64..120,
        kills in 0_u64..8,
        dies in any::<bool>(),
    ) {
        let fails = looping(seed, START + CALM, count, spacing_s * 1_000, 3_000, dies);
        let last = fails.last().unwrap().at;
        let back = dies.then_some(last + 20 * MINUTE);
        let mut bench = run_story(Setup::default(), world_with(fails, back), START + CALM, &[]);
        let kinds = [Kill::BeforeCommit, Kill::BeforeSend, Kill::AfterSend];
        for k in 0..kills {
            let turn = bench.turns + 1 + draw(seed, 1_000 + k, 200);
            bench.kills.insert(turn, kinds[draw(seed, k, 3) as usize]);
        }
        let mut now = START + CALM;
        for n in 0..12 {
            now += 20_000 + draw(seed, 2_000 + n, 120_000) as i64;
            bench.run(now);
            let newest = bench.kept.incidents.keys().last().copied().unwrap_or(1);
            let what = match draw(seed, 3_000 + n, 4) {
                0 | 1 => ack(newest),
                2 => Action::Unack { incident: newest, comment: String::new() },
                _ => close(newest),
            };
            let reply = (0..20).find_map(|_| {
                now += 1;
                bench.command(now, &format!("c{n}"), what.clone())
            });
            prop_assert!(reply.is_some(), "killed for ever");
        }
        bench.run(last.max(now) + 3 * HOUR);
        for incident in bench.kept.incidents.values() {
            prop_assert!(!incident.is_open(), "{incident:?}");
            for channel in CHANNELS {
                let of = |r: &NoticeReason| matches!(r, Opened | NoticeReason::Reopened
                    | NoticeReason::Flapping | Resolved | NoticeReason::Worse);
                let told: Vec<NoticeReason> = bench.told(channel).iter()
                    .flat_map(|r| r.text.named.clone())
                    .filter(|(id, r)| *id == incident.id && of(r))
                    .map(|(_, r)| r).collect();
                if let Some(last) = told.last() {
                    prop_assert_eq!(*last, Resolved, "{} heard {:?}", channel, told);
                }
                let doubled = told.windows(2).any(|w| w == [Resolved, Resolved]
                    || w == [Opened, Opened]);
                prop_assert!(!doubled, "{channel} heard {told:?}");
            }
        }
        for notice in bench.kept.notices.values() {
            prop_assert!(notice.outcome != Outcome::Pending, "ended nowhere: {notice:?}");
        }
    }
}
