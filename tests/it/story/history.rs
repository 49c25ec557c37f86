//! The history of a story gives the same messages again, however often the process was killed.

use proptest::prelude::*;
use weir::engine::base;
use weir::journal::{Base, Writer};
use weir::model::*;
use weir::replay::{Mark, Mode, compare};

use super::bench::{Bench, Kill, Setup};
use super::{CALM, HOUR, MINUTE, SECOND, START, draw, looping, world_with};

/// A history of a loop that dies, is started again, and of a source that goes silent.
fn story(seed: u64, poll_s: i64, kills: u64) -> Bench {
    let fails = looping(seed, START + CALM, 8, 20 * SECOND, 5 * SECOND, true);
    let last = fails.last().unwrap().at;
    let mut world = world_with(fails, Some(last + 4 * MINUTE));
    world.offset = draw(seed, 5, 7_200) as i64 * SECOND - HOUR;
    world.silent = Some((last + 40 * MINUTE, last + 55 * MINUTE));
    let setup = Setup { poll_ms: poll_s * SECOND, group_wait_ms: 15_000, ..Setup::default() };
    let mut bench = Bench::new(setup, vec![world]);
    let kinds = [Kill::BeforeCommit, Kill::BeforeSend, Kill::AfterSend];
    bench.kills = (0..kills)
        .map(|k| (2 + draw(seed, 10 + k, 150), kinds[draw(seed, 50 + k, 3) as usize]))
        .collect();
    // A vendor that is in trouble now and then: the answers are part of the history.
    bench.answer = |message| match message.attempts {
        1 if message.id % 3 == 0 => {
            SendOutcome::Retry { after_ms: Some(7_000), error: "busy".to_owned() }
        }
        _ => SendOutcome::Delivered,
    };
    bench.begin(START);
    bench.keep_history(START);
    bench.run(last + 90 * MINUTE);
    bench
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn what_was_said_is_said_again(
        seed in any::<u64>(),
        poll_s in 2_i64..=30,
        kills in 0_u64..6,
        late in any::<bool>(),
    ) {
        let bench = story(seed, poll_s, kills);
        let since = if late { START + CALM + 4 * MINUTE } else { 0 };
        let done = bench.replay(Mode::AsItWas, since);
        prop_assert!(!done.live.is_empty() && done.remarks.is_empty(), "{:?}", done.remarks);
        let lines = compare(&done.said, &done.live);
        prop_assert!(lines.iter().all(|l| l.mark == Mark::Same), "{lines:#?}");
        prop_assert_eq!(done.said.len(), done.live.len());
        // Each message the vendors took is among them.
        let of_span = bench.received.iter().filter(|r| r.at >= since);
        let first_heard = of_span.filter(|r| done.live.iter().any(|l| l.note.id == r.id));
        prop_assert!(first_heard.count() >= lines.len(), "{lines:#?}");
    }

    /// From nothing with the same rules, the same is news; and twice the same, twice the same.
    #[test]
    fn from_nothing_the_same_is_news(seed in any::<u64>(), poll_s in 2_i64..=30, kills in 0_u64..4) {
        let bench = story(seed, poll_s, kills);
        let done = bench.replay(Mode::Afresh, 0);
        let kinds = |said: &[weir::replay::Said]| {
            let mut kinds: Vec<(ChannelId, String)> = said
                .iter()
                .map(|s| (s.note.to.clone(), format!("{:?}", s.note.kind)))
                .collect();
            kinds.sort();
            kinds
        };
        prop_assert_eq!(kinds(&done.said), kinds(&done.live));
        let again = bench.replay(Mode::Afresh, 0);
        prop_assert_eq!(done.said, again.said);
        prop_assert_eq!(done.shares, again.shares);
    }
}

/// A piece that is damaged costs what follows it in its segment, and is said.
#[test]
fn damage_is_said_and_the_rest_is_used() {
    let mut bench = story(3, 10, 3);
    let (_, chunks) = bench.history.as_mut().unwrap();
    let segments: Vec<u64> = chunks.iter().map(|c| c.segment).collect();
    assert!(segments.first() < segments.last());
    let body = &mut chunks[0].body;
    let last = body.len() - 1;
    body[last] ^= 1;
    let done = bench.replay(Mode::AsItWas, 0);
    assert!(done.remarks[0].contains("is damaged (its checksum is wrong)"), "{:?}", done.remarks);
    assert!(!done.live.is_empty());
    let lines = compare(&done.said, &done.live);
    assert!(lines.iter().all(|l| l.mark == Mark::Same), "{lines:#?}");
}

#[test]
fn another_version_is_remarked_once() {
    let mut bench = story(3, 10, 0);
    let (writer, chunks) = bench.history.take().unwrap();
    let base =
        Base { version: "0.0.1".to_owned(), ..base(true, &Demand::default(), Loaded::default()) };
    let mut before = Vec::new();
    for segment in [0, 1] {
        before.extend(Writer::new(segment, u64::MAX, Time::at(START - HOUR), &base).cut());
    }
    let moved = |chunk: HistoryChunk| HistoryChunk { segment: chunk.segment + 2, ..chunk };
    before.extend(chunks.into_iter().map(moved));
    bench.history = Some((writer, before));
    let remarks = bench.replay(Mode::AsItWas, 0).remarks;
    let told = remarks.iter().filter(|r| r.contains("by weir 0.0.1")).count();
    assert_eq!(told, 1, "{remarks:?}");
}
