//! Whether YARN's listing is to be believed: after a restart of the ResourceManager, and when many
//! applications vanish at once, it is given time. Pure.

use std::time::Duration;

use crate::model::Ts;

/// Fewer than this many vanish one by one.
const AT_LEAST: usize = 2;
/// So much of what was alive gone at once is no coincidence: a fifth.
const SHARE: usize = 5;

/// What a look at the ResourceManager showed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Signs {
    /// When its process began, ms by its clock.
    pub(super) started_on: Option<i64>,
    pub(super) active_nodes: Option<i64>,
    /// Applications known to have been alive.
    pub(super) known: usize,
    /// Those of them that are listed neither as alive nor as ended.
    pub(super) vanished: usize,
    /// Those of them that wait for an `ApplicationMaster` again.
    pub(super) waiting: usize,
}

/// What to make of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It is to be believed.
    Steady,
    /// It is seen for the first time and has just begun: more may come.
    Young(String),
    /// The platform is in trouble: nothing is concluded from what is missing.
    Trouble(String),
    /// It had its time: what is missing now is gone.
    Over,
}

/// What is remembered of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Grace {
    window: Duration,
    started_on: Option<i64>,
    /// Since when it is given time, and whether because it was restarted.
    since: Option<(Ts, bool)>,
    /// It was young when it was seen first: until then.
    young_until: Option<Ts>,
    seen: bool,
}

impl Grace {
    pub(super) fn new(window: Duration) -> Grace {
        Grace { window, ..Grace::default() }
    }

    /// Judges a look. `wall` is compared with the start of the ResourceManager, once.
    pub(super) fn judge(&mut self, signs: Signs, now: Ts, wall: Ts) -> Judgement {
        let restarted = self.seen && signs.started_on != self.started_on;
        if !self.seen {
            let age = signs.started_on.map(|began| wall.since(Ts(began)));
            self.young_until = age.and_then(|age| self.window.checked_sub(age)).map(|d| now + d);
        }
        self.seen = true;
        self.started_on = signs.started_on;
        let Signs { known, vanished, waiting, .. } = signs;
        if restarted {
            self.since = Some((now, true));
        } else if self.since.is_none() && vanished >= AT_LEAST && vanished * SHARE >= known {
            self.since = Some((now, false));
        }
        let missing = vanished + waiting;
        if let Some((since, restarted)) = self.since {
            if missing == 0 {
                self.since = None;
            } else if now.since(since) >= self.window {
                self.since = None;
                return Judgement::Over;
            } else {
                return Judgement::Trouble(words(restarted, missing, known, self.window));
            }
        }
        if signs.active_nodes == Some(0) && known > 0 {
            return Judgement::Trouble("YARN has no active NodeManager".to_owned());
        }
        match self.young_until {
            Some(until) if now < until => Judgement::Young(
                "the ResourceManager has just begun: applications may be missing".to_owned(),
            ),
            _ => Judgement::Steady,
        }
    }
}

fn words(restarted: bool, missing: usize, known: usize, window: Duration) -> String {
    let minutes = window.as_secs().div_ceil(60);
    let wait = format!("given {minutes} min to come back");
    if restarted {
        format!(
            "the ResourceManager was restarted: {missing} of {known} applications missing, {wait}"
        )
    } else {
        format!("{missing} of {known} applications vanished from YARN's listing at once, {wait}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A word for each judgement.
    fn word(judgement: &Judgement) -> &str {
        match judgement {
            Judgement::Steady => "steady",
            Judgement::Young(_) => "young",
            Judgement::Over => "over",
            Judgement::Trouble(why) if why.contains("restarted") => "restarted",
            Judgement::Trouble(why) if why.contains("vanished") => "vanished",
            Judgement::Trouble(_) => "nodes",
        }
    }

    #[test]
    fn a_listing_is_given_time() {
        // (minute, signs, judgement)
        type Story = (&'static str, Vec<(i64, Signs, &'static str)>);
        const MINUTE: i64 = 60_000;
        let signs = |started_on, known, vanished, waiting| Signs {
            started_on: Some(started_on),
            active_nodes: Some(3),
            known,
            vanished,
            waiting,
        };
        let (old, new) = (-9_000_000, MINUTE);
        let stories: [Story; 8] = [
            (
                "a restart with recovery",
                vec![
                    (0, signs(old, 60, 0, 0), "steady"),
                    (1, signs(new, 60, 40, 20), "restarted"),
                    (2, signs(new, 60, 0, 20), "restarted"),
                    (3, signs(new, 60, 0, 0), "steady"),
                    (4, signs(new, 60, 1, 0), "steady"),
                ],
            ),
            (
                "a restart without recovery",
                vec![
                    (0, signs(old, 60, 0, 0), "steady"),
                    (1, signs(new, 60, 60, 0), "restarted"),
                    (10, signs(new, 60, 60, 0), "restarted"),
                    (11, signs(new, 60, 60, 0), "over"),
                    (12, signs(new, 0, 0, 0), "steady"),
                ],
            ),
            (
                "the other one of the pair takes over, nothing is missing",
                vec![(0, signs(old, 60, 0, 0), "steady"), (1, signs(new, 60, 0, 0), "steady")],
            ),
            (
                "shrunk at once",
                vec![
                    (0, signs(old, 60, 0, 0), "steady"),
                    (1, signs(old, 60, 12, 0), "vanished"),
                    (2, signs(old, 60, 0, 0), "steady"),
                ],
            ),
            (
                "a few of many",
                vec![(0, signs(old, 60, 0, 0), "steady"), (1, signs(old, 60, 11, 0), "steady")],
            ),
            (
                "one of one",
                vec![(0, signs(old, 1, 0, 0), "steady"), (1, signs(old, 1, 1, 0), "steady")],
            ),
            (
                "no node",
                vec![
                    (0, Signs { active_nodes: Some(0), ..signs(old, 0, 0, 0) }, "steady"),
                    (1, Signs { active_nodes: Some(0), ..signs(old, 3, 0, 0) }, "nodes"),
                    (2, Signs { active_nodes: None, ..signs(old, 3, 0, 0) }, "steady"),
                ],
            ),
            (
                "seen first when it has just begun",
                vec![
                    (0, signs(-2 * MINUTE, 0, 0, 0), "young"),
                    (7, signs(-2 * MINUTE, 5, 0, 0), "young"),
                    (8, signs(-2 * MINUTE, 5, 0, 0), "steady"),
                ],
            ),
        ];
        for (name, story) in stories {
            let mut grace = Grace::new(Duration::from_mins(10));
            for (minute, signs, expected) in story {
                let now = Ts(minute * MINUTE);
                let judgement = grace.judge(signs, now, now);
                assert_eq!(word(&judgement), expected, "{name}, minute {minute}: {judgement:?}");
            }
        }
    }
}
