//! Messages that wait while their channel becomes another: silent, or of another kind.

use weir::model::*;

use super::bench::{Bench, CHANNELS, Setup};
use super::world::{Fail, SimRun};
use super::{CALM, HOUR, MINUTE, START, world_with};
use NoticeReason::{Opened, Resolved};

const DEATH: i64 = START + CALM;
const BACK: i64 = DEATH + 20 * MINUTE;

/// A job dies and is started again 20 minutes later.
fn dead_job(setup: Setup) -> Bench {
    let mut world = world_with(Vec::new(), None);
    let run = SimRun {
        fails: vec![Fail { at: DEATH, back: None }],
        ..SimRun::healthy("d", START - HOUR)
    };
    world.jobs.insert("dead".to_owned(), vec![run, SimRun::healthy("e", BACK)]);
    let mut bench = Bench::new(setup, vec![world]);
    bench.begin(START);
    bench
}

fn refuse(_: &Message) -> SendOutcome {
    SendOutcome::Retry { after_ms: None, error: "busy".to_owned() }
}

/// When and how the configuration changes.
#[derive(Debug, Clone, Copy)]
enum When {
    WhileOnTheWire,
    WhileWaiting,
    ByRestart,
}
use When::{ByRestart, WhileOnTheWire, WhileWaiting};

/// The channels refuse what they get, then the setup changes, then they take everything.
fn changed(how: When, edit: fn(&mut Setup)) -> Bench {
    let mut bench = dead_job(Setup::default());
    bench.answer = refuse;
    let sending = bench.run_until_sending(DEATH);
    let at = sending + if matches!(how, WhileOnTheWire) { 1 } else { 5_000 };
    bench.run(at);
    edit(&mut bench.setup);
    match how {
        ByRestart => bench.restart(at),
        WhileWaiting | WhileOnTheWire => bench.reload(at),
    }
    bench.answer = |_| SendOutcome::Delivered;
    bench.run(BACK + HOUR);
    bench
}

fn of(bench: &Bench, channel: &str) -> Vec<Notice> {
    bench.kept.notices.values().filter(|n| n.to.channel == channel).cloned().collect()
}

#[test]
fn nothing_that_waits_is_sent_once_delivery_is_shadow() {
    for how in [WhileOnTheWire, WhileWaiting, ByRestart] {
        let bench = changed(how, |setup| setup.shadow = true);
        assert!(bench.received.is_empty(), "{how:?}: {:?}", bench.received);
        for channel in CHANNELS {
            let ended: Vec<_> =
                of(&bench, channel).into_iter().map(|n| (n.reason, n.outcome)).collect();
            let shadow = [(Opened, Outcome::Shadow), (Resolved, Outcome::Shadow)];
            assert_eq!(ended, shadow, "{how:?} {channel}");
        }
        for message in bench.kept.messages.values() {
            assert_eq!(message.state, MessageState::Shadow, "{how:?}: {message:?}");
            assert!(message.done_at.is_some());
        }
    }
}

/// The channel leaves by the very change that makes its receiver silent.
#[test]
fn a_channel_that_leaves_a_silent_receiver_says_nothing_more() {
    for how in [WhileOnTheWire, WhileWaiting] {
        let bench = changed(how, |setup| (setup.shadow, setup.mail) = (true, false));
        assert!(bench.received.is_empty(), "{how:?}: {:?}", bench.received);
        let ended: Vec<_> = of(&bench, "mail").into_iter().map(|n| n.outcome).collect();
        assert_eq!(ended, [Outcome::Shadow, Outcome::Shadow], "{how:?}");
    }
}

#[test]
fn what_waits_for_a_channel_of_another_kind_is_told_in_its_words() {
    for how in [WhileOnTheWire, WhileWaiting, ByRestart] {
        let bench = changed(how, |setup| setup.bot_kind = "webhook");
        let told = bench.told("bot");
        let said: Vec<_> = told.iter().flat_map(|r| &r.text.named).map(|(_, r)| *r).collect();
        assert_eq!(said, [Opened, Resolved], "{how:?}");
        assert!(told.iter().all(|r| r.text.by == "webhook"), "{how:?}: {told:?}");
        assert!(told[0].at < DEATH + 2 * MINUTE, "{how:?}: at once, not a group_interval later");
        assert!(of(&bench, "bot").iter().all(|n| n.outcome == Outcome::Sent), "{how:?}");
        let old = bench.kept.messages.values().find(|m| m.state == MessageState::Failed).unwrap();
        assert!(old.error.as_deref().unwrap().contains("another kind"), "{how:?}: {old:?}");
    }
}

/// Back to work: what was recorded meanwhile is not sent after the fact.
#[test]
fn what_ended_as_shadow_stays_so_when_delivery_is_live_again() {
    let mut bench = dead_job(Setup::default());
    bench.answer = refuse;
    let at = bench.run_until_sending(DEATH) + 5_000;
    bench.run(at);
    bench.setup.shadow = true;
    bench.reload(at);
    bench.answer = |_| SendOutcome::Delivered;
    bench.run(at + MINUTE);
    bench.setup.shadow = false;
    bench.reload(at + MINUTE);
    bench.run(BACK - MINUTE);
    assert!(bench.received.is_empty(), "{:?}", bench.received);
}
