//! Random stories in which people meddle: they take, close, retire and silence, load other
//! configurations and start Weir anew, while a channel goes down that edits what it sent and another
//! stands in for it. The promises hold whatever they do.

use std::time::Duration;

use proptest::prelude::*;
use weir::model::*;
use weir::notify::{Budget, Edits, Fallback, Settings};

use super::bench::{Bench, Setup};
use super::promises;
use super::random::{Dice, END, LASTS, REPEAT, answer, cases, kills, setup, worlds};
use super::{CALM, MINUTE, SECOND, START};

const EDITS: Budget = Budget { messages: 3, per: Duration::from_secs(10) };
const BUDGET: Budget = Budget { messages: 5, per: Duration::from_mins(1) };

/// The mail stands in for the bot.
fn stands_in(settings: &mut Settings) {
    let to = ChannelId { receiver: "team".to_owned(), channel: "mail".to_owned() };
    let plans = settings.receivers.values_mut().flat_map(|r| &mut r.channels);
    for plan in plans.filter(|plan| plan.id.channel == "bot") {
        plan.fallback = Some(Fallback { to: to.clone(), after: Duration::from_mins(2) });
    }
}

fn silence(dice: &mut Dice) -> SilenceWish {
    let matchers = match dice.below(4) {
        0 => vec!["severity=warning".to_owned()],
        1 => vec![format!("job_name=job{}", dice.below(4))],
        2 => vec!["cluster=cluster0".to_owned()],
        _ => vec!["alertname=~\"Job.*\"".to_owned(), "job_name=~\"job[0-2]\"".to_owned()],
    };
    SilenceWish {
        hold_restarts: false,
        job: None,
        matchers,
        only_work: dice.below(3) == 0,
        maintenance: dice.below(3) == 0,
        starts_at: None,
        until: Until::After(dice.between(SECOND, 40 * MINUTE) as u64),
        comment: "backfill".to_owned(),
        preview: false,
    }
}

/// An order about whatever there is.
fn order(bench: &Bench, dice: &mut Dice) -> Action {
    let newest = bench.kept.incidents.keys().next_back().copied().unwrap_or(1);
    let incident = (newest - dice.below(3).unsigned_abs().min(newest - 1)).max(1);
    let comment = String::new();
    match dice.below(10) {
        0..=2 => Action::Ack { incident, comment },
        3 => Action::Unack { incident, comment },
        4 => Action::Close { incident, comment },
        5 => Action::Retire { job: format!("cluster0/job{}", dice.below(4)), comment },
        6 => {
            let silence = dice.between(1, 5).unsigned_abs();
            Action::EndSilence { silence, comment }
        }
        _ => Action::Silence(Box::new(silence(dice))),
    }
}

/// Something is done every few minutes, until all is mended.
fn meddle(bench: &mut Bench, dice: &mut Dice) -> Result<(), TestCaseError> {
    let mut now = START + CALM;
    for n in 0.. {
        now += dice.between(10 * SECOND, 8 * MINUTE);
        if now > START + CALM + LASTS + 20 * MINUTE {
            break;
        }
        bench.run(now);
        match dice.below(8) {
            0 => bench.restart(now),
            1 => {
                bench.setup.group_wait_ms = dice.between(0, 40_000).unsigned_abs();
                bench.setup.without = (dice.below(2) == 0).then_some("CheckpointsStalled");
                bench.setup.names = dice.between(1, 9).unsigned_abs() as usize;
                bench.reload(now);
            }
            2 => bench.down.push(("bot", now, now + dice.between(SECOND, 15 * MINUTE))),
            _ => {
                let what = order(bench, dice);
                // Whoever gets no answer gives the same order again.
                let reply = (0..20).find_map(|_| {
                    now += 1;
                    bench.command(now, &format!("o{n}"), what.clone())
                });
                prop_assert!(reply.is_some(), "killed for ever");
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(64), ..ProptestConfig::default() })]

    #[test]
    fn the_promises_hold_whatever_people_do(
        seed in any::<u64>(),
        clusters in 1_usize..3,
        jobs in 1_usize..4,
        poll_s in 30_i64..=90,
        apart in any::<bool>(),
        edits in any::<bool>(),
        fallback in any::<bool>(),
        limited in any::<bool>(),
        killed in prop_oneof![Just(0_u64), 0_u64..12],
    ) {
        let edits = edits.then(|| Edits {
            budgets: vec![EDITS],
            within: Duration::from_hours(14 * 24),
            debounce: Duration::from_secs(30),
            reply_resolved: seed.is_multiple_of(2),
        });
        let setup = Setup {
            poll_ms: poll_s * SECOND,
            budget: limited.then_some(BUDGET),
            apart,
            edits: edits.clone(),
            shape: if fallback { stands_in } else { |_| {} },
            ..setup()
        };
        let mut bench = Bench::new(setup, worlds(seed, clusters, jobs));
        bench.answer = answer;
        let turns = ((END - START) / (poll_s * SECOND)) as u64 * clusters as u64;
        bench.kills = kills(seed, killed, turns).into_iter().collect();
        bench.begin(START);
        meddle(&mut bench, &mut Dice(seed, 1_000))?;
        bench.run(END);
        promises::nothing_vanishes(&bench)?;
        promises::resolutions_follow_openings(&bench, "mail")?;
        promises::nothing_is_said_twice(&bench, REPEAT, "mail")?;
        if limited {
            promises::budgets_hold(&bench, BUDGET, edits.is_some().then_some(EDITS))?;
        }
        // What a reader can see is true in the end.
        let incidents = &bench.kept.incidents;
        for card in bench.chat.all() {
            for ((id, _), open) in card.now().named.iter().zip(&card.now().open) {
                let is_open = incidents.get(id).is_some_and(Incident::is_open);
                prop_assert!(*open == is_open, "#{id} shown as open {open}: {card:#?}");
            }
        }
    }
}
