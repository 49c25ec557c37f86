//! The life of one alert: inactive → pending → firing → inactive, driven by judgements.

use std::time::Duration;

use crate::model::{AlertState, Truth, Ts};

/// What of an alert the judgements move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Life {
    /// Pending or firing.
    pub(super) state: AlertState,
    /// Since when the condition has held.
    pub(super) since: Ts,
    /// Last true judgement.
    pub(super) last_true: Ts,
    /// Unknown since, without a break.
    pub(super) unknown_since: Option<Ts>,
}

/// How long a rule makes an alert wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waits {
    /// `for`.
    pub(super) hold: Duration,
    /// `keep_firing_for`.
    pub(super) keep: Duration,
    /// Wrong already at the first look: `for` is waived, since nobody knows how long it has been so.
    pub(super) at_once: bool,
}

/// Looks do not come at their interval to the millisecond. One that comes a hair before `for` is over
/// would cost a whole interval more: a quarter of a second is not waited for, nor more than a
/// sixtieth of `for`.
const HAIR: Duration = Duration::from_millis(250);

impl Waits {
    fn is_over(&self, waited: Duration) -> bool {
        waited + HAIR.min(self.hold / 60) >= self.hold
    }
}

/// The next state; `None` is inactive.
///
/// Unknown freezes: pending keeps its start but fires only on a true, and starts anew when the
/// unknown outlasted `for`; firing stays firing; `keep_firing_for` pauses.
pub(super) fn advance(now: Ts, life: Option<Life>, truth: Truth, waits: Waits) -> Option<Life> {
    match truth {
        Truth::True => {
            let mut life = life.unwrap_or(Life {
                state: AlertState::Pending,
                since: now,
                last_true: now,
                unknown_since: None,
            });
            if let Some(unknown) = life.unknown_since.take()
                && life.state == AlertState::Pending
                && now.since(unknown) > waits.hold
            {
                life.since = now;
            }
            life.last_true = now;
            if life.state == AlertState::Pending
                && (waits.at_once || waits.is_over(now.since(life.since)))
            {
                life.state = AlertState::Firing;
            }
            Some(life)
        }
        Truth::Unknown => {
            let mut life = life?;
            life.unknown_since.get_or_insert(now);
            Some(life)
        }
        Truth::False => {
            let mut life = life?;
            if life.state == AlertState::Pending {
                return None;
            }
            if let Some(unknown) = life.unknown_since.take() {
                life.last_true = life.last_true + now.since(unknown);
            }
            (now.since(life.last_true) < waits.keep).then_some(life)
        }
        Truth::NotApplicable => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AlertState::{Firing, Pending};
    use Truth::{False, NotApplicable, True, Unknown};

    fn story(waits: Waits, steps: &[(i64, Truth)]) -> Vec<Option<AlertState>> {
        let mut life = None;
        let mut seen = Vec::new();
        for (second, truth) in steps {
            life = advance(Ts(second * 1000), life, *truth, waits);
            seen.push(life.map(|l| l.state));
        }
        seen
    }

    fn waits(hold: u64, keep: u64) -> Waits {
        let secs = Duration::from_secs;
        Waits { hold: secs(hold), keep: secs(keep), at_once: false }
    }

    #[test]
    fn a_look_that_is_early_by_a_hair_does_not_cost_an_interval() {
        let fires = |hold: u64, waited_ms: i64| {
            let life = advance(Ts(0), None, True, waits(hold, 0));
            let life = advance(Ts(waited_ms), life, True, waits(hold, 0));
            life.map(|l| l.state) == Some(Firing)
        };
        assert!(fires(120, 119_990), "the looks of a minute and two, ten milliseconds early");
        assert!(fires(120, 119_750) && !fires(120, 119_749), "a quarter of a second at most");
        assert!(fires(6, 5_900) && !fires(6, 5_899), "a sixtieth of six seconds");
        assert!(fires(3_600, 3_599_750) && !fires(3_600, 3_599_749));
    }

    #[test]
    fn the_table_of_lives() {
        let (p, f) = (Some(Pending), Some(Firing));
        for (name, waits, steps, expected) in [
            ("no for fires at once", waits(0, 0), vec![(0, True), (1, False)], vec![f, None]),
            ("for holds", waits(10, 0), vec![(0, True), (9, True), (10, True)], vec![p, p, f]),
            (
                "a false starts over",
                waits(10, 0),
                vec![(0, True), (5, False), (11, True)],
                vec![p, None, p],
            ),
            (
                "keep holds",
                waits(0, 60),
                vec![(0, True), (59, False), (60, False)],
                vec![f, f, None],
            ),
            (
                "unknown never fires",
                waits(10, 0),
                vec![(0, True), (10, Unknown), (12, True)],
                vec![p, p, f],
            ),
            (
                "a long unknown starts anew",
                waits(10, 0),
                vec![(0, True), (5, Unknown), (30, True)],
                vec![p, p, p],
            ),
            (
                "firing outlives unknown",
                waits(0, 0),
                vec![(0, True), (5, Unknown), (900, Unknown)],
                vec![f, f, f],
            ),
            (
                "keep pauses in unknown",
                waits(0, 60),
                vec![(0, True), (10, Unknown), (1000, False), (1049, False), (1051, False)],
                vec![f, f, f, f, None],
            ),
            ("n/a drops out", waits(0, 60), vec![(0, True), (1, NotApplicable)], vec![f, None]),
            ("unknown alone is nothing", waits(0, 0), vec![(0, Unknown)], vec![None]),
        ] {
            assert_eq!(story(waits, &steps), expected, "{name}");
        }
    }
}
