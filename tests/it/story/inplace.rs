//! A channel that can edit: one incident, one message, kept true.

use std::time::Duration;

use proptest::prelude::*;
use weir::model::*;
use weir::notify::{Budget, Edits};

use super::bench::{Bench, Kill, Setup};
use super::world::{Fail, SimRun, World};
use super::{
    CALM, HOUR, MINUTE, SECOND, START, draw, looping, run_story, the_incident, world_with,
};
use NoticeReason::{Opened, Reopened, Repeat, Resolved, Worse};

const EDITS: Budget = Budget { messages: 5, per: Duration::from_secs(1) };

fn edits() -> Edits {
    Edits {
        budgets: vec![EDITS],
        within: Duration::from_hours(14 * 24),
        debounce: Duration::from_secs(30),
        reply_resolved: false,
    }
}

fn setup() -> Setup {
    Setup { edits: Some(edits()), ..Setup::default() }
}

fn reasons(bench: &Bench, channel: &str) -> Vec<(NoticeReason, Outcome)> {
    let of = bench.kept.notices.values().filter(|n| n.to.channel == channel);
    of.map(|n| (n.reason, n.outcome)).collect()
}

/// One job fails each 30 s for an hour: the line of the table.
#[test]
fn an_hour_of_a_crash_loop_is_one_message_that_turns_green() {
    let fails = looping(7, START + CALM, 120, 30 * SECOND, 5 * SECOND, false);
    let last = fails.last().unwrap().at;
    let bench = run_story(setup(), world_with(fails, None), last + HOUR, &[]);
    let cards = bench.chat.all();
    assert_eq!(cards.len(), 1, "{cards:#?}");
    let card = cards[0];
    assert!(card.replies.is_empty(), "{:?}", card.replies);
    assert_eq!(card.shows[0].1.named, [(1, Opened)]);
    assert_eq!(card.now().named, [(1, Resolved)]);
    assert!(card.is_green());
    assert_eq!(card.now().occurrences, [120]);
    assert!((40..=110).contains(&card.edits()), "{} edits", card.edits());
    for pair in card.shows.windows(2) {
        let apart = pair[1].0 - pair[0].0;
        let news = pair[1].1.named[0].1 == Resolved;
        assert!(apart >= 30 * SECOND || news, "{apart} ms apart");
    }
    // While it lasts, what is shown is never long behind.
    let shown: Vec<(i64, u64)> = card.shows.iter().map(|(at, t)| (*at, t.occurrences[0])).collect();
    for (at, count) in &shown[1..shown.len() - 1] {
        let happened = 1 + (at - START - CALM) / (30 * SECOND);
        assert!(happened - *count as i64 <= 5, "{count} shown of {happened}");
    }
    assert_eq!(reasons(&bench, "bot"), reasons(&bench, "mail"), "an edit makes no notice");
    // A bounded number of rows, however many edits: message, live edits, end.
    let rows = bench.kept.messages.values().filter(|m| m.to.channel == "bot").count();
    assert_eq!(rows, 3);
    assert_eq!(bench.kept.messages.values().filter(|m| m.receipt.is_some()).count(), 1);
}

/// It dies for good: somebody has to notice, below the message they know.
#[test]
fn what_gets_worse_is_said_below_the_message_and_shown_in_it() {
    let fails = looping(3, START + CALM, 8, 60 * SECOND, 5 * SECOND, true);
    let last = fails.last().unwrap().at;
    let world = world_with(fails, Some(last + 30 * MINUTE));
    for reply_resolved in [false, true] {
        let edits = Some(Edits { reply_resolved, ..edits() });
        let bench = run_story(Setup { edits, ..setup() }, world.clone(), last + HOUR, &[]);
        let cards = bench.chat.all();
        assert_eq!(cards.len(), 1, "{cards:#?}");
        let said: Vec<_> =
            cards[0].replies.iter().map(|(_, loud, t)| (*loud, t.named[0].1)).collect();
        let end = reply_resolved.then_some((false, Resolved));
        assert_eq!(said, [(true, Worse)].into_iter().chain(end).collect::<Vec<_>>());
        let (worse_at, ..) = cards[0].replies[0];
        let soon = worse_at + 2 * SECOND;
        let (_, shown) = cards[0].shows.iter().rev().find(|(at, _)| *at <= soon).unwrap();
        assert_eq!(shown.occurrences, [8], "the message follows at once");
        assert!(cards[0].is_green());
        assert!(reasons(&bench, "bot").iter().all(|(_, o)| *o == Outcome::Sent));
    }
}

#[test]
fn reminders_and_returns_stand_below_the_message() {
    let from = START + CALM;
    let fails = looping(7, from, 24 * 12, 5 * MINUTE, 3 * MINUTE, false);
    let bench = run_story(setup(), world_with(fails, None), from + 24 * HOUR, &[]);
    let cards = bench.chat.all();
    assert_eq!(cards.len(), 1);
    let said: Vec<_> = cards[0].replies.iter().map(|(_, loud, t)| (*loud, t.named[0].1)).collect();
    assert_eq!(said, [(true, Repeat), (true, Repeat)]);
    assert!(cards[0].edits() < 320, "{} edits in a day", cards[0].edits());

    // Dead, back for ten minutes, dead again.
    let mut world = world_with(Vec::new(), None);
    let dead = |id: &str, start: i64, at: i64| SimRun {
        fails: vec![Fail { at, back: None }],
        ..SimRun::healthy(id, start)
    };
    let runs = vec![
        dead("a", START - HOUR, from),
        dead("b", from + 10 * MINUTE, from + 22 * MINUTE),
        SimRun::healthy("c", from + 40 * MINUTE),
    ];
    world.jobs.insert("dead".to_owned(), runs);
    let bench = run_story(setup(), world, from + 3 * HOUR, &[]);
    let cards = bench.chat.all();
    assert_eq!(cards.len(), 1, "{cards:#?}");
    let said: Vec<_> = cards[0].replies.iter().map(|(_, _, t)| t.named[0].1).collect();
    assert_eq!(said, [Reopened]);
    assert!(cards[0].is_green());
    assert!(cards[0].shows.iter().filter(|(_, t)| t.open == [false]).count() >= 2, "twice");
}

/// It is back before its end was told: the message never said that it was over.
#[test]
fn an_end_that_is_taken_back_was_never_shown() {
    let from = START + CALM;
    let mut world = world_with(Vec::new(), None);
    let dead = |id: &str, start: i64, at: i64| SimRun {
        fails: vec![Fail { at, back: None }],
        ..SimRun::healthy(id, start)
    };
    let runs = vec![
        dead("a", START - HOUR, from),
        dead("b", from + 10 * MINUTE, from + 15 * MINUTE),
        SimRun::healthy("c", from + 40 * MINUTE),
    ];
    world.jobs.insert("dead".to_owned(), runs);
    let setup = Setup { group_wait_ms: 5 * MINUTE as u64, ..setup() };
    let bench = run_story(setup, world, from + 3 * HOUR, &[]);
    let cards = bench.chat.all();
    assert_eq!(cards.len(), 1, "{cards:#?}");
    assert!(cards[0].is_green(), "{cards:#?}");
    // It is dead where it had recovered: of that rise they hear.
    assert!(cards[0].replies.iter().all(|(_, _, t)| t.named[0].1 == Worse), "{cards:#?}");
    let green = cards[0].shows.iter().filter(|(_, t)| t.open == [false]).count();
    assert_eq!(green, 1, "{cards:#?}");
    assert!(reasons(&bench, "bot").iter().any(|(_, o)| *o == Outcome::Muted), "it was taken back");
}

#[test]
fn what_cannot_be_edited_any_more_is_told_in_a_new_message() {
    // Recalled by somebody: a live edit finds that out, or the news themselves.
    for live in [false, true] {
        let count = if live { 40 } else { 1 };
        let fails = looping(3, START + CALM, count, 30 * SECOND, 5 * SECOND, true);
        let last = fails.last().unwrap().at;
        let mut bench = Bench::new(setup(), vec![world_with(fails, Some(last + 30 * MINUTE))]);
        bench.begin(START);
        // What changes by the return is shown; the end is not told yet.
        let back = last + 30 * MINUTE;
        bench.run(if live { START + CALM + 8 * MINUTE } else { back + 100 * SECOND });
        assert_eq!(bench.chat.cards.len(), 1);
        bench.chat.cards.values_mut().for_each(|c| c.recalled = true);
        bench.run(last + 2 * HOUR);
        let cards = bench.chat.all();
        assert_eq!(cards.len(), 2, "{live}: {cards:#?}");
        let first = if live { Worse } else { Resolved };
        assert_eq!(cards[1].shows[0].1.named[0].1, first, "no new message without news");
        assert!(cards[1].is_green() && cards[1].now().named[0].1 == Resolved);
        let ended = reasons(&bench, "bot");
        assert!(ended.iter().all(|(_, o)| *o == Outcome::Sent), "{ended:?}");
    }
    // Too old.
    let fails = looping(3, START + CALM, 1, 30 * SECOND, 5 * SECOND, true);
    let world = world_with(fails, Some(START + CALM + 3 * HOUR));
    let edits = Some(Edits { within: Duration::from_hours(2), ..edits() });
    let bench = run_story(Setup { edits, ..setup() }, world, START + 5 * HOUR, &[]);
    let cards = bench.chat.all();
    assert_eq!(cards.len(), 2, "{cards:#?}");
    assert!(!cards[0].is_green() && cards[1].is_green());
}

#[test]
fn the_first_message_is_waited_for() {
    let fails = looping(3, START + CALM, 1, 30 * SECOND, 5 * SECOND, true);
    let back = START + CALM + 20 * MINUTE;
    let mut bench = Bench::new(setup(), vec![world_with(fails, Some(back))]);
    bench.begin(START);
    bench.answer = |_| SendOutcome::Retry { after_ms: None, error: "busy".to_owned() };
    bench.run(back + 10 * MINUTE);
    assert!(bench.chat.cards.is_empty());
    bench.answer = |_| SendOutcome::Delivered;
    bench.run(back + 2 * HOUR);
    let cards = bench.chat.all();
    assert_eq!(cards.len(), 1, "one message, though the vendor was away: {cards:#?}");
    assert!(cards[0].is_green() && cards[0].replies.is_empty());
}

fn dying(count: usize) -> World {
    let mut world = World::new("prod");
    for j in 0..count {
        let at = START + CALM + draw(1, j as u64, 1_000) as i64;
        let run = SimRun {
            fails: vec![Fail { at, back: None }],
            ..SimRun::healthy(&format!("r{j}"), START - HOUR)
        };
        let again = SimRun::healthy(&format!("s{j}"), at + 20 * MINUTE + j as i64 * 20 * SECOND);
        world.jobs.insert(format!("job{j:02}"), vec![run, again]);
    }
    world
}

#[test]
fn a_storm_is_one_message_that_turns_green_when_all_is_over() {
    let bench = run_story(setup(), dying(60), START + 4 * HOUR, &[]);
    let cards = bench.chat.all();
    assert_eq!(cards.len(), 1, "{cards:#?}");
    assert_eq!(cards[0].kind, MessageKind::Storm);
    assert!(cards[0].is_green());
    assert!(cards[0].shows.iter().all(|(_, t)| t.named.len() == 60), "no line vanishes");
    assert!(cards[0].replies.is_empty());
    let part = |t: &super::bench::Text| t.open.iter().any(|o| *o) && t.open.iter().any(|o| !*o);
    assert!(cards[0].shows.iter().any(|(_, t)| part(t)), "it shows who is back already");
    for outcome in reasons(&bench, "bot") {
        assert_eq!(outcome.1, Outcome::Folded);
    }
}

#[test]
fn a_few_at_once_are_a_message_each_and_their_edits_keep_the_budget() {
    let budget = Budget { messages: 2, per: Duration::from_mins(1) };
    let tight = Some(Edits { budgets: vec![budget], ..edits() });
    let mut world = dying(4);
    // Something to show all the time.
    for runs in world.jobs.values_mut() {
        let end = runs[0].fails[0].at;
        runs[0].fails = looping(5, end, 60, 30 * SECOND, 5 * SECOND, true);
        runs[1].start = end + HOUR;
    }
    let bench = run_story(Setup { edits: tight, ..setup() }, world, START + 5 * HOUR, &[]);
    let cards = bench.chat.all();
    assert_eq!(cards.len(), 4, "{cards:#?}");
    assert!(cards.iter().all(|c| c.is_green() && c.now().named.len() == 1));
    let mut at: Vec<i64> = cards.iter().flat_map(|c| &c.shows[1..]).map(|(at, _)| *at).collect();
    at.sort_unstable();
    for (i, first) in at.iter().enumerate() {
        let inside = at[i..].iter().filter(|at| **at < first + MINUTE).count();
        assert!(inside <= 2, "{inside} edits in a minute");
    }
}

/// In shadow the same is recorded as would have gone: one opening, one edit.
#[test]
fn shadow_records_edits_and_sends_nothing() {
    let fails = looping(3, START + CALM, 40, 30 * SECOND, 5 * SECOND, true);
    let last = fails.last().unwrap().at;
    let world = world_with(fails, Some(last + 30 * MINUTE));
    let bench = run_story(Setup { shadow: true, ..setup() }, world, last + 2 * HOUR, &[]);
    assert!(bench.chat.cards.is_empty() && bench.received.is_empty());
    let of: Vec<_> = bench.kept.messages.values().filter(|m| m.to.channel == "bot").collect();
    assert!(of.iter().all(|m| m.state == MessageState::Shadow));
    let fresh = of.iter().filter(|m| m.manner == Manner::Fresh).count();
    let edits = of.iter().filter(|m| m.manner.is_edit()).count();
    assert_eq!((fresh, edits), (1, 1), "{of:#?}");
}

/// Its address changed: what was posted to the old one stays as it is.
#[test]
fn a_channel_with_another_address_begins_anew() {
    let fails = looping(3, START + CALM, 1, 30 * SECOND, 5 * SECOND, true);
    let back = START + CALM + 40 * MINUTE;
    let mut bench = Bench::new(setup(), vec![world_with(fails, Some(back))]);
    bench.begin(START);
    bench.run(START + CALM + 10 * MINUTE);
    bench.setup.bot_kind = "another";
    bench.reload(START + CALM + 10 * MINUTE);
    bench.run(back + HOUR);
    let cards = bench.chat.all();
    assert_eq!(cards.len(), 2, "{cards:#?}");
    assert!(!cards[0].is_green() && cards[1].is_green());
}

#[test]
fn killed_at_any_turn_it_stays_one_message_that_turns_green() {
    let fails = looping(3, START + CALM, 8, 20 * SECOND, 5 * SECOND, true);
    let last = fails.last().unwrap().at;
    let world = world_with(fails, Some(last + 3 * MINUTE));
    let end = last + 20 * MINUTE;
    let setup = Setup { group_wait_ms: 5_000, poll_ms: 15_000, ..setup() };
    let whole = run_story(setup.clone(), world.clone(), end, &[]);
    assert!(whole.turns > 80);
    let kinds = [Kill::BeforeCommit, Kill::BeforeSend, Kill::AfterSend];
    for (turn, kill) in (1..=whole.turns).zip(kinds.into_iter().cycle()) {
        let bench = run_story(setup.clone(), world.clone(), end, &[(turn, kill)]);
        let cards = bench.chat.all();
        assert_eq!(cards.len(), 1, "killed {kill:?} at turn {turn}: {cards:#?}");
        assert!(cards[0].is_green(), "killed {kill:?} at turn {turn}: {cards:#?}");
        let worse = cards[0].replies.iter().filter(|(_, _, t)| t.named[0].1 == Worse).count();
        assert_eq!(worse, cards[0].replies.len());
        assert!(worse <= 1, "killed {kill:?} at turn {turn}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever the rhythm, the kills and an unreliable vendor: one message, in the end true.
    #[test]
    fn one_episode_is_one_message(
        seed in any::<u64>(),
        spacing_s in prop_oneof![1_i64..5, 5_i64..60, 60_i64..600],
        poll_s in 2_i64..=30,
        wait_s in 0_u64..=30,
        count in 3_usize..30,
        dies in any::<bool>(),
        kills in 0_u64..6,
        unreliable in any::<bool>(),
    ) {
        let spacing = spacing_s * SECOND;
        let delay = (spacing / 3).min(10_000 + draw(seed, 99, 170_000) as i64).max(300);
        let fails = looping(seed, START + CALM, count, spacing, delay, dies);
        let last = fails.last().unwrap().at;
        let mut world = world_with(fails, dies.then_some(last + 4 * MINUTE));
        world.forget();
        let setup = Setup { poll_ms: poll_s * SECOND, group_wait_ms: wait_s * 1_000, ..setup() };
        let end = last + 4 * spacing + 75 * MINUTE;
        let turns = (end - START) / (poll_s * SECOND);
        let kinds = [Kill::BeforeCommit, Kill::BeforeSend, Kill::AfterSend];
        let mut bench = Bench::new(setup, vec![world]);
        bench.kills = (0..kills)
            .map(|k| (20 + draw(seed, 1_000 + k, turns as u64), kinds[draw(seed, k, 3) as usize]))
            .collect();
        if unreliable {
            bench.answer = |message| match message.attempts % 3 {
                0 => SendOutcome::Delivered,
                _ => SendOutcome::Retry { after_ms: None, error: "busy".to_owned() },
            };
        }
        bench.begin(START);
        bench.run(end);
        let incident = the_incident(&bench)?;
        prop_assert_eq!(incident.state, IncidentState::Resolved);
        let cards = bench.chat.all();
        prop_assert_eq!(cards.len(), 1, "{:#?}", cards);
        prop_assert!(cards[0].is_green(), "{:#?}", cards[0]);
        prop_assert_eq!(&cards[0].now().occurrences, &vec![count as u64]);
        // It gets worse once; where it lasts longer than that, people are reminded.
        let told = |why| cards[0].replies.iter().filter(|(_, _, t)| t.named[0].1 == why).count();
        let reminders = (end - START) / (4 * 60 * MINUTE);
        prop_assert!(told(Worse) <= 1 && told(Repeat) <= reminders as usize, "{:#?}", cards[0]);
        prop_assert_eq!(told(Worse) + told(Repeat), cards[0].replies.len());
        for notice in bench.kept.notices.values() {
            prop_assert!(notice.outcome != Outcome::Pending, "ended nowhere: {notice:?}");
        }
    }
}
