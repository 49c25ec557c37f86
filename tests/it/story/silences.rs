//! Silences and maintenance in the middle of a story.

use proptest::prelude::*;
use weir::model::*;

use super::bench::{Bench, CHANNELS, Kill, Setup};
use super::world::{Fail, SimRun, World};
use super::{CALM, HOUR, MINUTE, START, draw, looping, world_with};
use NoticeReason::{Opened, Reopened, Repeat, Resolved, Worse};

const DEATH: i64 = START + CALM + 10 * MINUTE;

fn silence(matchers: &[&str], for_ms: i64) -> SilenceWish {
    SilenceWish {
        hold_restarts: false,
        job: None,
        matchers: matchers.iter().map(|m| (*m).to_owned()).collect(),
        only_work: false,
        maintenance: false,
        starts_at: None,
        until: Until::After(for_ms as u64),
        comment: "backfill".to_owned(),
        preview: false,
    }
}

fn add(bench: &mut Bench, now: i64, id: &str, wish: SilenceWish) -> Replied {
    bench.command(now, id, Action::Silence(Box::new(wish))).unwrap()
}

/// `orders` dies, and comes back then.
fn bench(back: Option<i64>) -> Bench {
    let fails = vec![Fail { at: DEATH, back: None }];
    let mut bench = Bench::new(Setup::default(), vec![world_with(fails, back)]);
    bench.begin(START);
    bench.run(DEATH - MINUTE);
    bench
}

fn reasons(bench: &Bench, channel: &str) -> Vec<NoticeReason> {
    bench.told(channel).iter().flat_map(|r| r.text.named.clone()).map(|(_, r)| r).collect()
}

fn outcomes(bench: &Bench) -> Vec<(NoticeReason, Outcome)> {
    let bot = bench.kept.notices.values().filter(|n| n.to.channel == "bot");
    bot.map(|n| (n.reason, n.outcome)).collect()
}

#[test]
fn what_is_still_wrong_when_a_silence_ends_is_told_then_and_once() {
    for (kill, ended) in [(None, false), (Some(Kill::BeforeSend), false), (None, true)] {
        let mut bench = bench(None);
        let before = DEATH - MINUTE;
        // Not when a look is due.
        let length = 2 * HOUR + 3_333;
        let said = add(&mut bench, before, "s", silence(&["job_name=orders"], length)).unwrap();
        assert_eq!(said.silence, Some(1));
        let hits = said.hits.unwrap();
        assert_eq!((hits.incidents_in_all, hits.jobs), (0, vec!["prod/orders".to_owned()]));
        bench.run(DEATH + HOUR);
        assert_eq!(reasons(&bench, "bot"), []);
        let held: Vec<_> = bench.kept.notices.values().filter_map(|n| n.held_by.clone()).collect();
        assert!(held.iter().all(|h| h.starts_with("silenced by #1 until ")), "{held:?}");
        assert_eq!(held.len(), 2);
        if kill.is_some() {
            bench.restart(DEATH + HOUR);
        }
        let end = if ended {
            let end = Action::EndSilence { silence: 1, comment: String::new() };
            bench.command(DEATH + HOUR, "e", end).unwrap().unwrap();
            DEATH + HOUR
        } else {
            before + length
        };
        if !ended {
            bench.run(end - 1);
            assert_eq!(reasons(&bench, "bot"), []);
        }
        bench.run(end + MINUTE);
        for channel in CHANNELS {
            assert_eq!(reasons(&bench, channel), [Opened], "{kill:?} {ended}");
            assert!(bench.told(channel)[0].at <= end + 1_000, "at once, and not at the next look");
        }
    }
}

#[test]
fn what_was_over_before_the_silence_is_recorded_and_never_told() {
    let mut bench = bench(Some(DEATH + 30 * MINUTE));
    add(&mut bench, DEATH - MINUTE, "s", silence(&["job_name=orders"], 2 * HOUR)).unwrap();
    bench.run(DEATH + 5 * HOUR);
    assert_eq!(reasons(&bench, "bot"), []);
    assert_eq!(outcomes(&bench), [(Opened, Outcome::Muted)]);
}

/// The opening was told before the silence began: who believes it is open hears of its end, and of
/// nothing in between.
#[test]
fn the_end_of_what_was_told_passes_a_silence() {
    let back = DEATH + 20 * HOUR;
    let mut bench = bench(Some(back));
    bench.run(DEATH + 5 * MINUTE);
    assert_eq!(reasons(&bench, "bot"), [Opened]);
    let said = add(&mut bench, DEATH + 5 * MINUTE, "s", silence(&["job_name=orders"], 48 * HOUR));
    let hits = said.unwrap().hits.unwrap();
    assert_eq!(hits.incidents, [(1, "orders: JobFailed".to_owned())]);
    bench.run(back - MINUTE);
    assert_eq!(reasons(&bench, "bot"), [Opened], "no reminders");
    bench.run(back + HOUR);
    for channel in CHANNELS {
        assert_eq!(reasons(&bench, channel), [Opened, Resolved]);
    }
}

#[test]
fn a_reminder_that_was_due_comes_when_the_silence_ends() {
    let mut bench = bench(None);
    bench.run(DEATH + 5 * MINUTE);
    add(&mut bench, DEATH + 5 * MINUTE, "s", silence(&["job_name=orders"], 10 * HOUR)).unwrap();
    let end = DEATH + 5 * MINUTE + 10 * HOUR;
    bench.run(end - 1);
    assert_eq!(reasons(&bench, "bot"), [Opened]);
    bench.run(end + 5 * MINUTE);
    assert_eq!(reasons(&bench, "bot"), [Opened, Repeat], "one message that it is still wrong");
}

/// A loop first (warning), then death (critical): a silence for warnings does not hide that.
#[test]
fn what_gets_worse_than_its_silence_is_told() {
    let fails = looping(3, START + CALM, 7, 20 * MINUTE, 5_000, true);
    let last = fails.last().unwrap().at;
    let mut bench = Bench::new(Setup::default(), vec![world_with(fails, None)]);
    bench.begin(START);
    bench.run(START + CALM);
    let wish = silence(&["severity=\"warning\""], 24 * HOUR);
    add(&mut bench, START + CALM, "s", wish).unwrap();
    bench.run(last - 1);
    assert_eq!(reasons(&bench, "bot"), [], "unstable, and silenced");
    assert!(bench.kept.incidents.values().any(Incident::is_open));
    bench.run(last + 10 * MINUTE);
    let told = reasons(&bench, "bot");
    assert!(told == [Opened] || told == [Worse], "{told:?}");
}

#[test]
fn a_silenced_root_still_mutes_what_follows_from_it() {
    let mut world = World::new("prod");
    for n in 0..3 {
        let fails = vec![Fail { at: DEATH, back: None }];
        let run = SimRun { fails, ..SimRun::healthy(&format!("r{n}"), START - HOUR) };
        world.jobs.insert(format!("job{n}"), vec![run]);
    }
    let mut bench = Bench::new(Setup::default(), vec![world]);
    bench.begin(START);
    bench.run(DEATH - MINUTE);
    add(&mut bench, DEATH - MINUTE, "s", silence(&["alertname=JobFailed"], 24 * HOUR)).unwrap();
    bench.run(DEATH + 6 * HOUR);
    assert_eq!(reasons(&bench, "bot"), [], "neither the deaths nor what they cause");
}

/// Nobody hears of them: they are no reason to collect what somebody hears of.
#[test]
fn what_is_silenced_makes_no_storm() {
    let mut world = World::new("prod");
    for n in 0..7 {
        let fails = vec![Fail { at: DEATH, back: None }];
        let run = SimRun { fails, ..SimRun::healthy(&format!("r{n}"), START - HOUR) };
        world.jobs.insert(format!("job{n}"), vec![run]);
    }
    let mut bench = Bench::new(Setup::default(), vec![world]);
    bench.begin(START);
    bench.run(DEATH - MINUTE);
    add(&mut bench, DEATH - MINUTE, "s", silence(&["job_name=~\"job[0-5]\""], HOUR / 2)).unwrap();
    bench.run(DEATH + 10 * MINUTE);
    let kinds: Vec<MessageKind> = bench.told("bot").iter().map(|r| r.kind).collect();
    assert_eq!(kinds, [MessageKind::Incident]);
    // All at once when the silence ends, they are.
    bench.run(DEATH + HOUR);
    let last = bench.told("bot").pop().unwrap();
    assert_eq!((last.kind, last.text.named.len()), (MessageKind::Storm, 6));
}

#[test]
fn maintenance_holds_back_work_and_never_a_failure() {
    let mut bench = bench(None);
    let wish = SilenceWish {
        job: Some("orders".to_owned()),
        only_work: true,
        maintenance: true,
        ..silence(&[], 6 * HOUR)
    };
    let said = add(&mut bench, DEATH - MINUTE, "s", wish.clone()).unwrap();
    assert_eq!(said.hits.unwrap().jobs, ["prod/orders"]);
    bench.run(DEATH + 10 * MINUTE);
    assert_eq!(reasons(&bench, "bot"), [Opened], "it failed");
    let all = SilenceWish { only_work: false, ..wish };
    add(&mut bench, DEATH + 10 * MINUTE, "t", all).unwrap();
    bench.run(DEATH + 5 * HOUR);
    assert_eq!(reasons(&bench, "bot"), [Opened], "--all: no reminder");
}

#[test]
fn a_preview_changes_nothing() {
    let mut bench = bench(None);
    let wish = SilenceWish { preview: true, ..silence(&["job_name=~\"orders|calm\""], HOUR) };
    let said = add(&mut bench, DEATH - MINUTE, "s", wish.clone()).unwrap();
    assert_eq!((said.changed, said.silence), (false, None));
    assert_eq!(said.hits.unwrap().jobs_in_all, 2);
    assert!(!add(&mut bench, DEATH - MINUTE, "s", wish).unwrap().repeated);
    for (matchers, said) in [(vec!["team"], "not of the form"), (vec![], "hide everything")] {
        let wish = SilenceWish { preview: true, ..silence(&matchers, HOUR) };
        let refused = add(&mut bench, DEATH - MINUTE, "x", wish).unwrap_err();
        assert!(refused.to_string().contains(said), "{refused}");
    }
    bench.run(DEATH + 10 * MINUTE);
    assert_eq!(reasons(&bench, "bot"), [Opened]);
}

#[test]
fn one_that_is_to_come_holds_from_its_start() {
    let mut bench = bench(Some(DEATH + 2 * HOUR));
    let later = SilenceWish {
        starts_at: Some(Ts(DEATH + HOUR)),
        ..silence(&["job_name=orders"], 24 * HOUR)
    };
    add(&mut bench, DEATH - MINUTE, "s", later).unwrap();
    bench.run(DEATH + 10 * MINUTE);
    assert_eq!(reasons(&bench, "bot"), [Opened]);
    bench.run(DEATH + 4 * HOUR);
    assert_eq!(reasons(&bench, "bot"), [Opened, Resolved]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// Silences that come and go while a job loops, dies and comes back, killed at any turn: nothing
    /// but an end is told while one holds; whoever heard that it began hears that it is over; nothing
    /// waits for ever.
    #[test]
    fn silences_hide_and_lose_nothing(
        seed in any::<u64>(),
        count in 3_usize..10,
        spacing_s in 5_i64..120,
        kills in 0_u64..6,
        dies in any::<bool>(),
    ) {
        let fails = looping(seed, START + CALM, count, spacing_s * 1_000, 3_000, dies);
        let last = fails.last().unwrap().at;
        let world = world_with(fails, dies.then_some(last + 20 * MINUTE));
        let mut bench = Bench::new(Setup::default(), vec![world]);
        let kinds = [Kill::BeforeCommit, Kill::BeforeSend, Kill::AfterSend];
        for k in 0..kills {
            bench.kills.insert(1 + draw(seed, 1_000 + k, 300), kinds[draw(seed, k, 3) as usize]);
        }
        bench.begin(START);
        let mut now = START + 30_000;
        let mut spans = Vec::new();
        for n in 0..6 {
            now += draw(seed, 2_000 + n, 6 * MINUTE as u64) as i64;
            bench.run(now);
            let length = 30_000 + draw(seed, 3_000 + n, 8 * MINUTE as u64) as i64;
            let mut from = now;
            let made = (0..20).find_map(|_| {
                from += 1;
                let wish = silence(&["job_name=orders"], length);
                bench.command(from, &format!("s{n}"), Action::Silence(Box::new(wish)))
            });
            now = from;
            prop_assert!(made.is_some_and(|made| made.is_ok()));
        }
        bench.run(last.max(now) + 3 * HOUR);
        for row in bench.engine().incidents().silences().iter() {
            spans.push((row.starts_at.0, row.ends_at.0));
        }
        prop_assert_eq!(spans.len(), 6);
        for channel in CHANNELS {
            let mut open = false;
            for told in bench.told(channel) {
                let hidden = spans.iter().any(|(from, to)| (*from..*to).contains(&told.at));
                for (_, reason) in &told.text.named {
                    let end = *reason == Resolved;
                    // What was on its way when it was silenced, or killed, is not called back.
                    let on_its_way = spans.iter().any(|(from, _)| *from == told.at) || kills > 0;
                    prop_assert!(!hidden || end || on_its_way, "{channel} {told:?}");
                    prop_assert!(!end || open, "{channel}: an end nobody began");
                    prop_assert!(!matches!(reason, Opened | Reopened) || !open, "{channel} twice");
                    open = !end;
                }
            }
            prop_assert!(!open, "{channel} believes it is open");
        }
        for notice in bench.kept.notices.values() {
            prop_assert!(notice.outcome != Outcome::Pending, "ended nowhere: {notice:?}");
        }
    }
}
