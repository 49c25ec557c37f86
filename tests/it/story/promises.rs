//! What must hold of every story, however it went: read from what was committed, what was sent and
//! when. No check knows the story.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use weir::model::*;
use weir::notify::Budget;

use super::bench::{Bench, CHANNELS};

type Checked = Result<(), TestCaseError>;

/// Every notice ends, says why where it was not told, and none is missing in the row of their ids.
pub(super) fn nothing_vanishes(bench: &Bench) -> Checked {
    let notices = &bench.kept.notices;
    let highest = notices.keys().next_back().copied().unwrap_or(0);
    prop_assert_eq!(highest, notices.len() as u64, "an id is missing");
    for notice in notices.values() {
        let message = notice.message.and_then(|id| bench.kept.messages.get(&id));
        let told = message
            .is_some_and(|m| m.state == MessageState::Sent && m.notices.contains(&notice.id));
        let fits = match notice.outcome {
            Outcome::Pending => false,
            Outcome::Sent | Outcome::Folded => told,
            Outcome::Muted => notice.held_by.is_some() && message.is_none(),
            Outcome::Brief => message.is_none(),
            Outcome::Shadow => true,
            Outcome::Failed => notice.error.is_some(),
        };
        prop_assert!(fits, "{notice:?} in {message:?}");
    }
    for message in bench.kept.messages.values() {
        prop_assert!(message.state != MessageState::Due, "never sent: {message:?}");
    }
    // Each incident has come to everybody, if only to be held back. (That a channel is broken is
    // told by the others.)
    let is_ours = |i: &&Incident| !matches!(i.subject, Subject::Channel(_));
    for incident in bench.kept.incidents.values().filter(is_ours) {
        for channel in CHANNELS {
            let of = |n: &&Notice| n.incident == incident.id && n.to.channel == channel;
            prop_assert!(notices.values().any(|n| of(&n)), "{channel} lacks {incident:?}");
        }
    }
    Ok(())
}

/// What a message told a channel of one incident: when, and the reasons in order of their ids.
type Heard = BTreeMap<(String, u64), Vec<(Ts, BTreeSet<NoticeReason>)>>;

/// From the messages that were sent, in the order in which they were written.
fn heard(bench: &Bench) -> Heard {
    let mut heard = Heard::new();
    for message in bench.kept.messages.values().filter(|m| m.state == MessageState::Sent) {
        let mut of: BTreeMap<u64, BTreeSet<NoticeReason>> = BTreeMap::new();
        for id in &message.notices {
            let notice = &bench.kept.notices[id];
            of.entry(notice.incident).or_default().insert(notice.reason);
        }
        for (incident, reasons) in of {
            let key = (message.to.channel.clone(), incident);
            heard.entry(key).or_default().push((message.at_steady, reasons));
        }
    }
    heard
}

fn opens(reason: NoticeReason) -> bool {
    reason != NoticeReason::Resolved
}

/// Incidents of which something went by another channel than it was meant for, as both know them;
/// only what is told for these reasons.
fn handed_over(bench: &Bench, why: fn(NoticeReason) -> bool) -> BTreeSet<(String, u64)> {
    let moved = bench.kept.notices.values().filter(|n| why(n.reason)).filter_map(|n| {
        let anyway = n.held_by.as_deref().is_some_and(|h| h.ends_with("is told of it anyway"));
        let to = n.moved_to.map(|id| bench.kept.notices[&id].to.channel.clone());
        (anyway || to.is_some()).then_some((n, to))
    });
    moved
        .flat_map(|(n, to)| {
            let here = Some((n.to.channel.clone(), n.incident));
            [here, to.map(|to| (to, n.incident))].into_iter().flatten()
        })
        .collect()
}

/// The end is told to exactly those who were told of the trouble, and once; `refused` says whose
/// vendor may have refused something for good. Where one stood in for another, the end reached one
/// of them.
pub(super) fn resolutions_follow_openings(bench: &Bench, refused: &str) -> Checked {
    let heard = heard(bench);
    let handed_over = handed_over(bench, |_| true);
    for ((channel, id), news) in &heard {
        let by_another = handed_over.contains(&(channel.clone(), *id));
        let mut open = false;
        for (_, reasons) in news {
            if reasons.contains(&NoticeReason::Resolved) {
                let told = open || reasons.iter().any(|r| opens(*r));
                prop_assert!(told || by_another, "{channel} heard the end of #{id} only: {news:?}");
                open = false;
            } else {
                open = true;
            }
        }
        let over = bench.kept.incidents[id].state == IncidentState::Resolved;
        prop_assert!(
            !open || !over || channel == refused || by_another,
            "{channel} never heard the end of #{id}: {news:?}"
        );
        if open && over && by_another {
            let mut ends =
                heard.iter().filter(|((_, of), _)| of == id).filter_map(|(_, n)| n.last());
            let somebody = ends.any(|(_, reasons)| reasons.contains(&NoticeReason::Resolved));
            let lost = bench.kept.notices.values().any(|n| {
                n.incident == *id
                    && n.to.channel == refused
                    && n.outcome == Outcome::Failed
                    && n.reason == NoticeReason::Resolved
            });
            prop_assert!(somebody || lost, "nobody heard the end of #{id}: {heard:?}");
        }
    }
    Ok(())
}

/// Nobody is told the same twice: no second opening of what he knows to be open, no reminder before
/// its time, and nothing twice in one message. `refused`: who may not have heard of an end.
pub(super) fn nothing_is_said_twice(bench: &Bench, repeat: Duration, refused: &str) -> Checked {
    // Where another one told the end, its own readers hear that it is back all the same.
    let ended_elsewhere = handed_over(bench, |why| why == NoticeReason::Resolved);
    for ((channel, id), news) in heard(bench) {
        let (mut open, mut last, mut worse) = (false, None::<Ts>, 0);
        for (at, reasons) in &news {
            let opening = [NoticeReason::Opened, NoticeReason::FirstLook];
            let first = reasons.iter().any(|r| opening.contains(r));
            prop_assert!(!(first && open), "{channel} #{id} opened twice: {news:?}");
            let again = reasons.contains(&NoticeReason::Reopened) && channel != refused;
            let left = ended_elsewhere.contains(&(channel.clone(), id));
            prop_assert!(!(again && open) || left, "{channel} #{id} is back, never left: {news:?}");
            if reasons.contains(&NoticeReason::Repeat)
                && reasons.len() == 1
                && let Some(last) = last
            {
                let waited = at.since(last);
                prop_assert!(waited >= repeat, "{channel} #{id} after {waited:?}: {news:?}");
            }
            worse += usize::from(reasons.contains(&NoticeReason::Worse));
            open = !reasons.contains(&NoticeReason::Resolved);
            last = Some(*at);
        }
        // An incident gets worse as often as there are ranks above the lowest.
        prop_assert!(worse <= 5, "{channel} #{id}: {news:?}");
    }
    let mut seen = BTreeSet::new();
    for message in bench.kept.messages.values() {
        for notice in &message.notices {
            let again = bench.kept.notices[notice].message != Some(message.id);
            prop_assert!(again || seen.insert(*notice), "notice {notice} in two messages");
        }
    }
    Ok(())
}

/// In no window, wherever it begins, is more tried than the budget has; what fails counts. `edits`
/// is the budget of those.
pub(super) fn budgets_hold(bench: &Bench, budget: Budget, edits: Option<Budget>) -> Checked {
    let mut of: BTreeMap<&str, Vec<Ts>> = BTreeMap::new();
    for (at, endpoint) in &bench.tries {
        of.entry(endpoint).or_default().push(*at);
    }
    for (endpoint, times) in of {
        let Some(budget) = (if endpoint.ends_with("/edits") { edits } else { Some(budget) }) else {
            continue;
        };
        for (n, first) in times.iter().enumerate() {
            let inside = times[n..].iter().filter(|at| at.since(*first) < budget.per).count();
            let fits = inside <= budget.messages as usize;
            prop_assert!(fits, "{inside} on {endpoint} within {:?} of {first:?}", budget.per);
        }
    }
    Ok(())
}
